//! Log-in, log-out, log-out everywhere: the rules. Which path and page they have, the server knows.

use std::net::IpAddr;
use std::time::Duration;

use http::{HeaderMap, HeaderValue};
use tokio::time::Instant;

use super::password;
use super::session::Ended;
use super::{Auth, Inner, Local, Touch, audit};

/// Longer names are nobody's (`auth.users[…].name`), and not worth a hash.
const LONGEST_NAME: usize = 64;

/// What a log-in form says. The password is printed nowhere.
#[derive(Clone, Default)]
pub struct Credentials {
    pub name: String,
    pub password: String,
    /// Where to go afterwards, as the form says; [`super::Next`] judges it.
    pub next: Option<String>,
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Credentials").finish_non_exhaustive()
    }
}

impl Credentials {
    /// From the body of a form: `name`, `password`, `next`. What is given twice counts once: the
    /// last one. Spaces around a name are slips; around a password they are its own.
    pub fn parse(body: &[u8]) -> Self {
        let mut found = Self::default();
        for (field, value) in form_urlencoded::parse(body) {
            match &*field {
                "name" => found.name = value.trim().to_owned(),
                "password" => found.password = value.into_owned(),
                "next" => found.next = Some(value.into_owned()),
                _ => {}
            }
        }
        found
    }
}

/// The cookie to set.
#[derive(Debug, Clone)]
pub struct LoggedIn {
    pub set_cookie: HeaderValue,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LoginRefusal {
    /// Says neither whether the name exists.
    #[error("this name and password do not belong together")]
    Wrong,
    #[error("too many log-ins failed; wait {} s, then try again", .0.as_secs_f64().ceil())]
    Wait(Duration),
    #[error("too many log-ins at this moment; try again in a few seconds")]
    Busy,
    #[error("the session store does not answer, so nobody can sign in; try again in a moment")]
    Unavailable,
    #[error("there is no sign-in here: auth.mode is none")]
    NoSignIn,
}

impl LoginRefusal {
    /// Whole seconds, rounded up: coming back then is early enough.
    pub fn retry_after(&self) -> Option<u64> {
        match self {
            Self::Wait(wait) => Some(wait.as_secs_f64().ceil() as u64),
            Self::Busy | Self::Unavailable => Some(3),
            Self::Wrong | Self::NoSignIn => None,
        }
    }
}

impl Auth {
    /// The session that the request named before is over, whatever comes: a session begins with a
    /// log-in, under an id that nobody knew before.
    pub async fn log_in(
        &self,
        credentials: Credentials,
        headers: &HeaderMap,
        address: Option<IpAddr>,
    ) -> Result<LoggedIn, LoginRefusal> {
        match &*self.0 {
            Inner::None => Err(LoginRefusal::NoSignIn),
            Inner::Local(local) => local.log_in(credentials, headers, address).await,
        }
    }

    /// Ends the session of the request, if there is one, and gives the cookie that clears it.
    /// A store that does not answer leaves the session to its expiry: `Err`, since saying "logged
    /// out" would not be true.
    pub async fn log_out(
        &self,
        headers: &HeaderMap,
        address: Option<IpAddr>,
        everywhere: bool,
    ) -> Result<HeaderValue, LoginRefusal> {
        match &*self.0 {
            Inner::None => Err(LoginRefusal::NoSignIn),
            Inner::Local(local) => local.log_out(headers, address, everywhere).await,
        }
    }
}

impl Local {
    async fn log_in(
        &self,
        credentials: Credentials,
        headers: &HeaderMap,
        address: Option<IpAddr>,
    ) -> Result<LoggedIn, LoginRefusal> {
        let Credentials { name, password, .. } = credentials;
        let refuse = |refusal: LoginRefusal, reason: &'static str| {
            audit::log_in_failed(&name, address, reason);
            refusal
        };
        if name.is_empty()
            || name.len() > LONGEST_NAME
            || password.is_empty()
            || password.len() > password::LONGEST
        {
            return Err(refuse(LoginRefusal::Wrong, "unreadable"));
        }
        let tried = self
            .backoff
            .begin(&name, address, Instant::now())
            .map_err(|wait| refuse(LoginRefusal::Wait(wait), "backOff"))?;
        let accounts = self.accounts();
        // Where there are no users, every name is as wrong as every other.
        let Some(hash) = accounts.to_verify(&name).cloned() else {
            return Err(refuse(LoginRefusal::Wrong, "wrong"));
        };
        let accepted = match self.verifier.verify(hash, password).await {
            Ok(accepted) => accepted,
            Err(password::Busy) => {
                self.backoff.not_made(tried, Instant::now());
                return Err(refuse(LoginRefusal::Busy, "busy"));
            }
        };
        // What was verified for a name that does not exist is another's, and fits in vain.
        let Some(user) = accounts.user(&name).filter(|_| accepted) else {
            return Err(refuse(LoginRefusal::Wrong, "wrong"));
        };
        self.backoff.succeeded(tried, Instant::now());
        if let Some(before) = self.cookies.read(headers) {
            // Logged by the store; an old session that stays ends by itself.
            let _ = self.sessions.end(before).await;
        }
        let id = self
            .sessions
            .begin(&name, user.password.print())
            .await
            .map_err(|_| refuse(LoginRefusal::Unavailable, "store"))?;
        audit::logged_in(&name, address);
        Ok(LoggedIn { set_cookie: self.cookies.set(&id) })
    }

    async fn log_out(
        &self,
        headers: &HeaderMap,
        address: Option<IpAddr>,
        everywhere: bool,
    ) -> Result<HeaderValue, LoginRefusal> {
        let clear = self.cookies.clear();
        let Some(id) = self.cookies.read(headers) else { return Ok(clear) };
        let held = match self.held(id, Touch::No).await {
            Ok(held) => held,
            Err(Ended::Unavailable) => return Err(LoginRefusal::Unavailable),
            Err(_) => return Ok(clear),
        };
        let unavailable = |_| LoginRefusal::Unavailable;
        if everywhere {
            self.sessions.end_all(&held.user).await.map_err(unavailable)?;
        }
        self.sessions.end(id).await.map_err(unavailable)?;
        audit::logged_out(&held.user, address, everywhere);
        Ok(clear)
    }
}
