//! Sign-in as the server uses it: credentials, sessions and the accounts of the configuration in one place.

#[cfg(test)]
mod tests;

use std::net::IpAddr;
use std::sync::{Arc, RwLock};

use flowdeck_control::Audit;
use flowdeck_model::actor::ActorKind;
use http::{HeaderMap, HeaderValue};
use tokio_util::sync::CancellationToken;
use tower_sessions::session::Id;

use super::accounts::Accounts;
use super::audit::LogInAudit;
use super::credentials::Verified;
use super::credentials::log_in::{Credentials, PasswordLogIn};
use super::credentials::one_time;
use super::credentials::token::{self, Digest, Token};
use super::identity::authenticated::{Authenticated, Proof, Ticket};
use super::identity::cookie::CookieScope;
use super::identity::open;
use super::identity::record::Session;
use super::identity::session::Sessions;
use super::identity::store::OpenError;
use super::refusal::{Ended, LoginRefusal, Refusal};
use super::request::{AuthRequest, KeepAlive};
use super::settings::{AuthMode, Settings};
use crate::clock::Clock;
use crate::lock;

/// Cheap to clone; all clones share sessions and back-off.
#[derive(Clone)]
pub struct Auth(Arc<Inner>);

enum Inner {
    /// `auth.mode = "none"`: everybody who reaches the listener, with all permissions.
    None,
    Local(Box<Local>),
}

struct Local {
    accounts: RwLock<Arc<Accounts>>,
    passwords: PasswordLogIn,
    sessions: Sessions,
    cookies: CookieScope,
    clock: Clock,
    audit: LogInAudit,
}

/// The cookie to set.
#[derive(Debug, Clone)]
pub struct LoggedIn {
    pub set_cookie: HeaderValue,
}

impl Auth {
    /// Everybody is anonymous and may do all. For a loopback listener.
    pub fn none() -> Self {
        Self(Arc::new(Inner::None))
    }

    /// Opens the session store; log-ins are recorded in `audit`. Needs a tokio runtime: it sweeps expired sessions until
    /// `stop`.
    pub async fn open(
        settings: Settings,
        cookies: CookieScope,
        stop: CancellationToken,
        audit: Audit,
    ) -> Result<Self, OpenError> {
        Self::open_with_clock(settings, cookies, stop, audit, Clock::system()).await
    }

    /// `clock` decides when sessions and tokens expire.
    pub async fn open_with_clock(
        settings: Settings,
        cookies: CookieScope,
        stop: CancellationToken,
        audit: Audit,
        clock: Clock,
    ) -> Result<Self, OpenError> {
        let audit = LogInAudit::new(audit);
        let Settings { mode: AuthMode::Local, accounts, session, redis, .. } = settings else {
            return Ok(Self::none());
        };
        let store = open::open(redis, session, &clock, stop).await?;
        Ok(Self(Arc::new(Inner::Local(Box::new(Local {
            accounts: RwLock::new(Arc::new(accounts)),
            passwords: PasswordLogIn::new(audit.clone()),
            sessions: Sessions::new(store, session, clock.clone()),
            cookies,
            clock,
            audit,
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
                let mut now = lock::write(&local.accounts);
                let Some(next) = one_time::kept(settings, &now) else { return false };
                *now = Arc::new(next);
                true
            }
            Inner::Local(_) => false,
            Inner::None => settings.mode == AuthMode::None,
        }
    }

    /// The actor behind a request.
    pub async fn authenticate(&self, request: AuthRequest<'_>) -> Result<Authenticated, Refusal> {
        match &*self.0 {
            Inner::None => Ok(Authenticated::new(request.anonymous())),
            Inner::Local(local) => local.authenticate(request).await,
        }
    }

    /// Asked every few seconds while a stream is open. Does not keep the session alive.
    pub async fn still_valid(&self, ticket: &Ticket) -> Result<(), Ended> {
        match &*self.0 {
            Inner::None => Ok(()),
            Inner::Local(local) => local.still_valid(ticket).await,
        }
    }

    /// The session that the request named before is over, whatever comes: a session begins with a
    /// log-in, under an id that nobody knew before.
    pub async fn log_in(
        &self,
        credentials: Credentials,
        headers: &HeaderMap,
        address: Option<IpAddr>,
    ) -> Result<LoggedIn, LoginRefusal> {
        let Inner::Local(local) = &*self.0 else { return Err(LoginRefusal::NoSignIn) };
        let verified = local.passwords.verify(credentials, &local.accounts(), address).await?;
        local.begin_session(verified, headers, address).await
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
    fn accounts(&self) -> Arc<Accounts> {
        lock::read(&self.accounts).clone()
    }

    async fn authenticate(&self, request: AuthRequest<'_>) -> Result<Authenticated, Refusal> {
        match token::bearer(request.headers) {
            Some(presented) => self.token(presented, request),
            None => self.session(request).await,
        }
    }

    fn token(&self, digest: Digest, request: AuthRequest<'_>) -> Result<Authenticated, Refusal> {
        let accounts = self.accounts();
        let token = Token::check(accounts.token(&digest), self.clock.now())
            .inspect_err(|refusal| self.audit.token_refused(request.address, refusal))?;
        let grants = accounts.grants(&token.roles);
        let actor = request.actor(&token.name, ActorKind::Token, grants.clone());
        Ok(Authenticated { actor, ticket: Ticket(Proof::Token { digest, grants }) })
    }

    async fn session(&self, request: AuthRequest<'_>) -> Result<Authenticated, Refusal> {
        let id = self.cookies.read(request.headers).ok_or(Refusal::Nobody)?;
        let session = self.valid_session(id, request.keep_alive).await?;
        let grants = self.accounts().grants_of_user(&session.user);
        let actor = request.actor(&session.user, ActorKind::User, grants.clone());
        Ok(Authenticated { actor, ticket: Ticket(Proof::Session { id, session, grants }) })
    }

    /// A session that is alive, of a user who still exists with the same password.
    async fn valid_session(&self, id: Id, keep_alive: KeepAlive) -> Result<Session, Ended> {
        let session = self.sessions.find(id, keep_alive).await?;
        self.check_account(&session)?;
        Ok(session)
    }

    fn check_account(&self, session: &Session) -> Result<(), Ended> {
        match self.accounts().fingerprint(&session.user) {
            Some(fingerprint) if fingerprint == session.fingerprint => Ok(()),
            _ => Err(Ended::AccountChanged),
        }
    }

    async fn still_valid(&self, ticket: &Ticket) -> Result<(), Ended> {
        let (now, before) = match &ticket.0 {
            Proof::Nothing => return Err(Ended::AccountChanged),
            Proof::Session { id, session, grants } => {
                // What this process knows comes first: no store that is away keeps a removed user's stream open.
                self.check_account(session)?;
                let now = self.accounts().grants_of_user(&session.user);
                if now == *grants {
                    self.valid_session(*id, KeepAlive::No).await?;
                }
                (now, grants)
            }
            Proof::Token { digest, grants } => {
                let accounts = self.accounts();
                let token = Token::check(accounts.token(digest), self.clock.now()).map_err(token::ended)?;
                (accounts.grants(&token.roles), grants)
            }
        };
        // The stream's ports are bound to the rights of its start.
        if now == *before { Ok(()) } else { Err(Ended::AccountChanged) }
    }

    /// The last step of every credential that starts a session.
    async fn begin_session(
        &self,
        Verified { user, fingerprint }: Verified,
        headers: &HeaderMap,
        address: Option<IpAddr>,
    ) -> Result<LoggedIn, LoginRefusal> {
        if let Some(before) = self.cookies.read(headers) {
            // Logged by the store; an old session that stays ends by itself.
            let _ = self.sessions.end(before).await;
        }
        let id = self.sessions.begin(&user, &fingerprint).await.map_err(|_| {
            self.audit.log_in_failed(&user, address, "store");
            LoginRefusal::Unavailable
        })?;
        self.audit.logged_in(&user, address);
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
        let session = match self.valid_session(id, KeepAlive::No).await {
            Ok(session) => session,
            Err(Ended::Unavailable) => return Err(LoginRefusal::Unavailable),
            Err(_) => return Ok(clear),
        };
        let unavailable = |_| LoginRefusal::Unavailable;
        if everywhere {
            self.sessions.end_all(&session.user).await.map_err(unavailable)?;
        }
        self.sessions.end(id).await.map_err(unavailable)?;
        self.audit.logged_out(&session.user, address, everywhere);
        Ok(clear)
    }
}
