//! What is known of a request before its actor is.

use std::net::IpAddr;

use flowdeck_model::Actor;
use flowdeck_model::actor::{ActorKind, ActorView, Grant, Via};
use http::{Extensions, HeaderMap};

/// Whether a request shows that its user is active. Then it keeps the session alive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeepAlive {
    /// Pages, forms, API calls.
    Yes,
    /// Streams: the browser opens them again by itself, with nobody at the screen.
    No,
}

#[derive(Debug, Clone, Copy)]
pub struct AuthRequest<'a> {
    pub headers: &'a HeaderMap,
    /// What a host program's own layers put there.
    pub extensions: &'a Extensions,
    pub via: Via,
    /// The client's address, behind trusted proxies already.
    pub address: Option<IpAddr>,
    pub keep_alive: KeepAlive,
}

impl AuthRequest<'_> {
    pub(super) fn actor(&self, name: &str, kind: ActorKind, grants: Vec<Grant>) -> Actor {
        let view = ActorView { name: name.to_owned(), kind, via: self.via, address: self.address_text() };
        Actor::new(view, grants)
    }

    pub(super) fn anonymous(&self) -> Actor {
        Actor::anonymous(self.via, self.address_text())
    }

    fn address_text(&self) -> Option<String> {
        self.address.map(|address| address.to_string())
    }
}
