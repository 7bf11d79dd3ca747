//! The table `[auth]` of the configuration, parsed and checked: users, roles, tokens, sessions.
//! Errors name the field; no hash, token or URL is repeated in them.

mod accounts;
pub(in crate::auth) mod error;
mod secret;
pub(in crate::auth) mod session;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use serde::Deserialize;

use super::accounts::Accounts;
use super::roles::GrantTable;
use accounts::{TokenTable, UserTable};
use error::{SettingsError, refused};
use session::{Redis, SessionRules, SessionTable};

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AuthMode {
    /// Everybody who reaches the listener may do everything.
    #[default]
    None,
    /// Users and tokens of the configuration.
    Local,
}

/// `[auth]` of the file. [`AuthTable::check`] makes [`Settings`] of it.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AuthTable {
    mode: Option<AuthMode>,
    #[serde(default)]
    one_time_password: bool,
    #[serde(default)]
    users: Vec<UserTable>,
    #[serde(default)]
    roles: BTreeMap<String, Vec<GrantTable>>,
    #[serde(default)]
    tokens: Vec<TokenTable>,
    #[serde(default)]
    session: SessionTable,
}

/// Checked: every role that is named exists, every hash can be used.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    pub mode: AuthMode,
    pub session: SessionRules,
    /// One user whose password is made at the start: see `credentials::one_time`.
    pub(super) one_time: bool,
    pub(super) accounts: Accounts,
    pub(super) redis: Option<Redis>,
}

impl Settings {
    /// Users and tokens in force, for people who look at the configuration.
    pub fn counts(&self) -> (usize, usize) {
        (self.accounts.users.len() + usize::from(self.one_time), self.accounts.tokens.len())
    }

    /// Sessions are shared among replicas.
    pub fn in_redis(&self) -> bool {
        self.redis.is_some()
    }
}

impl AuthTable {
    pub fn check(self) -> Result<Settings, SettingsError> {
        let mode = self.mode.unwrap_or_default();
        if self.one_time_password && !self.users.is_empty() {
            return Err(refused(
                "auth.one_time_password",
                "there are users with passwords of their own; take it out, or the users",
            ));
        }
        let nobody = self.users.is_empty() && self.tokens.is_empty() && !self.one_time_password;
        if mode == AuthMode::None && !nobody {
            return Err(refused(
                "auth.mode",
                "there are users, tokens or a one-time password, but without mode = \"local\" everybody comes in and they mean nothing",
            ));
        }
        if mode == AuthMode::Local && nobody {
            return Err(refused(
                "auth.users",
                "mode = \"local\" needs a user or a token, or nobody can come in; for a first look \
                 one_time_password = true makes one",
            ));
        }
        let accounts = accounts::accounts(self.roles, self.users, self.tokens)?;
        let (session, redis) = session::session(self.session)?;
        Ok(Settings { mode, session, one_time: self.one_time_password, accounts, redis })
    }
}
