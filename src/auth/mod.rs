//! Authentication: which actor a request belongs to, and what that actor may do.
//!
//! `credentials` holds what a client proves itself with, one file a credential: passwords and bearer tokens.
//! `identity` holds what it is known by afterwards: sessions and their cookie. `service` joins the two with the
//! accounts of the configuration. No permission is decided here: ports do that, bound to the actor. No page is
//! rendered and no route is known here.
//!
//! Order: a bearer token wins over a cookie, and a wrong token never falls back to the cookie. Whatever is not
//! understood or not found is nobody, and nobody has no ports.

mod accounts;
mod audit;
mod authenticator;
mod credentials;
mod identity;
mod next;
mod refusal;
mod request;
mod roles;
mod service;
mod settings;

pub use crate::clock::Clock;
pub use authenticator::Authenticator;
pub use credentials::command_line::{HashPasswordError, hash_password, new_token};
pub use credentials::log_in::Credentials;
pub use credentials::one_time::OneTimePassword;
pub(crate) use identity::authenticated::SessionKey;
pub use identity::authenticated::{Authenticated, Ticket};
pub use identity::cookie::CookieScope;
pub use identity::store::{OpenError, StoreError};
pub use next::Next;
pub use refusal::{Ended, LoginRefusal, Refusal};
pub use request::{AuthRequest, KeepAlive};
pub use service::{Auth, LoggedIn};
pub use settings::error::SettingsError;
pub use settings::session::SessionRules;
pub use settings::{AuthMode, AuthTable, Settings};
