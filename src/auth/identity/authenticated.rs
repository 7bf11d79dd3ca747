//! The actor of a request, and what the rights of that actor rest on.

use flowdeck_model::Actor;
use flowdeck_model::actor::Grant;
use tower_sessions::session::Id;

use super::record::Session;
use crate::auth::credentials::token::Digest;

/// An actor, and what a long answer needs to ask again whether the actor still may have it.
#[derive(Debug, Clone)]
pub struct Authenticated {
    pub actor: Actor,
    pub ticket: Ticket,
}

impl Authenticated {
    /// For a host program that knows its users itself.
    pub fn new(actor: Actor) -> Self {
        Self { actor, ticket: Ticket(Proof::Nothing) }
    }
}

/// What an actor's rights rest on. Holds a session's id: neither printed nor sent anywhere.
#[derive(Clone)]
pub struct Ticket(pub(in crate::auth) Proof);

#[derive(Clone)]
pub(in crate::auth) enum Proof {
    Nothing,
    Session { id: Id, session: Session, grants: Vec<Grant> },
    Token { digest: Digest, grants: Vec<Grant> },
}

impl Ticket {
    /// Of a signed-in user.
    pub(crate) fn session(&self) -> Option<SessionKey> {
        match &self.0 {
            Proof::Session { id, .. } => Some(SessionKey(*id)),
            Proof::Nothing | Proof::Token { .. } => None,
        }
    }
}

impl std::fmt::Debug for Ticket {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self.0 {
            Proof::Nothing => "Ticket(nothing)",
            Proof::Session { .. } => "Ticket(session)",
            Proof::Token { .. } => "Ticket(token)",
        })
    }
}

/// Tells sessions apart; as secret as the id that it is.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct SessionKey(Id);

impl std::fmt::Debug for SessionKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SessionKey(…)")
    }
}

#[cfg(test)]
impl SessionKey {
    pub(crate) fn random() -> Self {
        Self(Id::default())
    }
}
