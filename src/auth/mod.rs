//! Who asks, and what he may do: sign-in by name and password, bearer tokens, sessions, roles.
//!
//! It owns the credentials of a request and turns them into one [`Actor`] with grants, and it owns
//! everything that a person does to become one (log in, log out). It decides no permission: ports
//! do that, bound to the actor. It renders no page, and it knows no route: the server's doors call
//! [`Auth::who`], streams call [`Auth::still_valid`] while they are open, and the log-in door calls
//! [`Auth::log_in`].
//!
//! Order: a bearer token wins over a cookie, and a wrong token never falls back to the cookie.
//! Whatever is not understood or not found is nobody, and nobody has no ports.

mod audit;
mod backoff;
mod clock;
mod command_line;
mod cookie;
mod login;
mod next;
mod one_time;
mod password;
#[cfg(feature = "redis")]
mod redis;
mod roles;
mod session;
mod settings;
mod store;
mod token;

use std::net::IpAddr;
use std::sync::{Arc, PoisonError, RwLock};

use flowdeck_model::Actor;
use flowdeck_model::actor::{ActorKind, ActorView, Grant, Via};
use http::{Extensions, HeaderMap};

pub use clock::Clock;
pub use command_line::{HashPasswordError, hash_password, new_token};
pub use cookie::CookieScope;
pub use login::{Credentials, LoggedIn, LoginRefusal};
pub use next::Next;
pub use one_time::OneTimePassword;
pub use session::Ended;
pub use settings::{AuthMode, AuthTable, SessionRules, Settings, SettingsError};
pub use store::{OpenError, StoreError};

use backoff::Backoff;
use password::Verifier;
use session::{Held, Sessions};
use settings::Accounts;
use token::Digest;

/// The door's side of sign-in. Cheap to clone; all clones share sessions and back-off.
#[derive(Clone)]
pub struct Auth(Arc<Inner>);

enum Inner {
    /// `auth.mode = "none"`: everybody who reaches the listener, with all permissions.
    None,
    Local(Box<Local>),
}

struct Local {
    accounts: RwLock<Arc<Accounts>>,
    sessions: Sessions,
    verifier: Verifier,
    backoff: Backoff,
    cookies: CookieScope,
    clock: Clock,
}

/// Does a request show that a person is there? Then it keeps his session alive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Touch {
    /// Pages, forms, API calls.
    Yes,
    /// Streams: the browser opens them again by itself, with nobody at the screen.
    No,
}

/// What a door knows of a request.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    pub headers: &'a HeaderMap,
    /// What a host program's own layers put there.
    pub extensions: &'a Extensions,
    pub via: Via,
    /// The client's address, behind trusted proxies already.
    pub address: Option<IpAddr>,
    pub touch: Touch,
}

/// An actor, and what a long answer needs to ask again whether he still is one.
#[derive(Debug, Clone)]
pub struct Known {
    pub actor: Actor,
    pub ticket: Ticket,
}

impl Known {
    /// For a host program that knows its users itself.
    pub fn new(actor: Actor) -> Self {
        Self { actor, ticket: Ticket(Proof::Nothing) }
    }
}

/// What an actor's rights rest on. Holds a session's id: neither printed nor sent anywhere.
#[derive(Clone)]
pub struct Ticket(Proof);

/// Tells sessions apart; as secret as the id that it is.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct SessionKey(session::Id);

impl std::fmt::Debug for SessionKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SessionKey(…)")
    }
}

#[cfg(test)]
impl SessionKey {
    pub(crate) fn random() -> Self {
        Self(session::Id::default())
    }
}

impl Ticket {
    /// Of a person who is signed in.
    pub(crate) fn session(&self) -> Option<SessionKey> {
        match &self.0 {
            Proof::Session { id, .. } => Some(SessionKey(*id)),
            Proof::Nothing | Proof::Token { .. } => None,
        }
    }
}

#[derive(Clone)]
enum Proof {
    Nothing,
    Session { id: session::Id, held: Held, grants: Vec<Grant> },
    Token { digest: Digest, grants: Vec<Grant> },
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

/// Nobody, and why. The API answers 401 (or 503), a page goes to the log-in form.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("sign in first: nobody is signed in here")]
    Nobody,
    #[error("{0}")]
    Ended(Ended),
    #[error("this bearer token is not known here: it is mistyped, or it was revoked")]
    UnknownToken,
    #[error("this bearer token has expired")]
    ExpiredToken,
    #[error("the session store does not answer, so nobody can be recognised; try again in a moment")]
    Unavailable,
}

impl Refusal {
    pub fn is_unavailable(&self) -> bool {
        matches!(self, Self::Unavailable)
    }

    /// A log-in helps; a script with a wrong token is not sent to a form.
    pub fn is_for_people(&self) -> bool {
        matches!(self, Self::Nobody | Self::Ended(_))
    }
}

impl Auth {
    /// Everybody is anonymous and may do all. For a loopback listener.
    pub fn none() -> Self {
        Self(Arc::new(Inner::None))
    }

    /// Opens the session store. Needs a tokio runtime: it sweeps expired sessions until `stop`.
    pub async fn open(
        settings: Settings,
        cookies: CookieScope,
        stop: tokio_util::sync::CancellationToken,
    ) -> Result<Self, OpenError> {
        Self::open_with_clock(settings, cookies, stop, Clock::system()).await
    }

    /// `clock` decides when sessions and tokens expire.
    pub async fn open_with_clock(
        settings: Settings,
        cookies: CookieScope,
        stop: tokio_util::sync::CancellationToken,
        clock: Clock,
    ) -> Result<Self, OpenError> {
        let Settings { mode: AuthMode::Local, accounts, session, redis, .. } = settings else {
            return Ok(Self::none());
        };
        let store = store::open(redis, session, &clock, stop).await?;
        Ok(Self(Arc::new(Inner::Local(Box::new(Local {
            accounts: RwLock::new(Arc::new(accounts)),
            sessions: Sessions::new(store, session, clock.clone()),
            verifier: Verifier::new(),
            backoff: Backoff::default(),
            cookies,
            clock,
        })))))
    }

    /// Is there a log-in at all?
    pub fn has_sign_in(&self) -> bool {
        matches!(&*self.0, Inner::Local(_))
    }

    /// Other users, roles and tokens from now on; sessions stay, but a session whose user is gone
    /// or has another password is over. Mode, store, expiry and a one-time password are of the start
    /// only; `false`: that would have to change, so nothing was changed.
    pub fn reload(&self, settings: Settings) -> bool {
        match &*self.0 {
            Inner::Local(local) if settings.mode == AuthMode::Local => {
                let mut now = local.accounts.write().unwrap_or_else(PoisonError::into_inner);
                let Some(next) = one_time::kept(settings, &now) else { return false };
                *now = Arc::new(next);
                true
            }
            Inner::Local(_) => false,
            Inner::None => settings.mode == AuthMode::None,
        }
    }

    /// The actor behind a request.
    pub async fn who(&self, asked: Asked<'_>) -> Result<Known, Refusal> {
        match &*self.0 {
            Inner::None => {
                let address = asked.address.map(|address| address.to_string());
                Ok(Known::new(Actor::anonymous(asked.via, address)))
            }
            Inner::Local(local) => local.who(asked).await,
        }
    }

    /// Asked every few seconds while a stream is open. Touches nothing.
    pub async fn still_valid(&self, ticket: &Ticket) -> Result<(), Ended> {
        match &*self.0 {
            Inner::None => Ok(()),
            Inner::Local(local) => local.still_valid(ticket).await,
        }
    }
}

impl Local {
    fn accounts(&self) -> Arc<Accounts> {
        self.accounts.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    async fn who(&self, asked: Asked<'_>) -> Result<Known, Refusal> {
        match token::bearer(asked.headers) {
            Some(presented) => self.token(&presented, asked),
            None => self.session(asked).await,
        }
    }

    fn token(&self, presented: &Digest, asked: Asked<'_>) -> Result<Known, Refusal> {
        let accounts = self.accounts();
        let refused = |refusal: Refusal| {
            audit::token_refused(asked.address, &refusal);
            refusal
        };
        let token = accounts.token(presented).ok_or_else(|| refused(Refusal::UnknownToken))?;
        if token.expired(self.clock.now()) {
            return Err(refused(Refusal::ExpiredToken));
        }
        let grants = accounts.grants(&token.roles);
        let actor = actor(&token.name, ActorKind::Token, asked, grants.clone());
        Ok(Known { actor, ticket: Ticket(Proof::Token { digest: *presented, grants }) })
    }

    async fn session(&self, asked: Asked<'_>) -> Result<Known, Refusal> {
        let id = self.cookies.read(asked.headers).ok_or(Refusal::Nobody)?;
        let held = self.held(id, asked.touch).await.map_err(|ended| match ended {
            Ended::Unavailable => Refusal::Unavailable,
            ended => Refusal::Ended(ended),
        })?;
        let grants = self.accounts().grants_of_user(&held.user);
        let actor = actor(&held.user, ActorKind::User, asked, grants.clone());
        Ok(Known { actor, ticket: Ticket(Proof::Session { id, held, grants }) })
    }

    /// A session that is alive, of a user who is still there with the same password.
    async fn held(&self, id: session::Id, touch: Touch) -> Result<Held, Ended> {
        let held = self.sessions.find(id, touch).await?;
        self.is_there(&held)?;
        Ok(held)
    }

    fn is_there(&self, held: &Held) -> Result<(), Ended> {
        match self.accounts().user(&held.user) {
            Some(user) if user.password.print() == held.password => Ok(()),
            _ => Err(Ended::AccountChanged),
        }
    }

    async fn still_valid(&self, ticket: &Ticket) -> Result<(), Ended> {
        let (now, before) = match &ticket.0 {
            Proof::Nothing => return Err(Ended::AccountChanged),
            Proof::Session { id, held, grants } => {
                // What this process knows comes first: no store that is away keeps a removed user's stream open.
                self.is_there(held)?;
                let now = self.accounts().grants_of_user(&held.user);
                if now == *grants {
                    self.held(*id, Touch::No).await?;
                }
                (now, grants)
            }
            Proof::Token { digest, grants } => {
                let accounts = self.accounts();
                let token = accounts.token(digest).ok_or(Ended::Revoked)?;
                if token.expired(self.clock.now()) {
                    return Err(Ended::Expired);
                }
                (accounts.grants(&token.roles), grants)
            }
        };
        // The stream's ports are bound to the rights of its start.
        if now == *before { Ok(()) } else { Err(Ended::AccountChanged) }
    }
}

fn actor(name: &str, kind: ActorKind, asked: Asked<'_>, grants: Vec<Grant>) -> Actor {
    let address = asked.address.map(|address| address.to_string());
    Actor::new(ActorView { name: name.to_owned(), kind, via: asked.via, address }, grants)
}

#[cfg(test)]
mod tests;
