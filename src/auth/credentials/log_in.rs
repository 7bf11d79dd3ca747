//! Log-in by name and password: the form, and its verification behind the back-off. Which path and page it has, the
//! server knows; the session that follows belongs to `identity`.

use std::net::IpAddr;

use tokio::time::Instant;

use super::Verified;
use super::backoff::Backoff;
use super::password::{self, Verifier};
use crate::auth::accounts::Accounts;
use crate::auth::audit::LogInAudit;
use crate::auth::refusal::LoginRefusal;

/// Longer names are nobody's (`auth.users[…].name`), and not worth a hash.
const LONGEST_NAME: usize = 64;

/// What a log-in form says. The password is printed nowhere.
#[derive(Clone, Default)]
pub struct Credentials {
    pub name: String,
    pub password: String,
    /// Where to go afterwards, as the form says; `auth::Next` judges it.
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

    fn is_readable(&self) -> bool {
        (1..=LONGEST_NAME).contains(&self.name.len())
            && (1..=password::LONGEST).contains(&self.password.len())
    }
}

/// Verifies passwords: bounded in memory, slowed down where they fail.
pub(in crate::auth) struct PasswordLogIn {
    verifier: Verifier,
    backoff: Backoff,
    audit: LogInAudit,
}

impl PasswordLogIn {
    pub(in crate::auth) fn new(audit: LogInAudit) -> Self {
        Self { verifier: Verifier::new(), backoff: Backoff::default(), audit }
    }

    pub(in crate::auth) async fn verify(
        &self,
        credentials: Credentials,
        accounts: &Accounts,
        address: Option<IpAddr>,
    ) -> Result<Verified, LoginRefusal> {
        let readable = credentials.is_readable();
        let Credentials { name, password, .. } = credentials;
        let refuse = |refusal: LoginRefusal, reason: &'static str| {
            self.audit.log_in_failed(&name, address, reason);
            refusal
        };
        if !readable {
            return Err(refuse(LoginRefusal::Wrong, "unreadable"));
        }
        let attempt = self
            .backoff
            .begin(&name, address, Instant::now())
            .map_err(|wait| refuse(LoginRefusal::Wait(wait), "backOff"))?;
        // Where there are no users, every name is as wrong as every other.
        let Some(hash) = accounts.to_verify(&name).cloned() else {
            return Err(refuse(LoginRefusal::Wrong, "wrong"));
        };
        let accepted = match self.verifier.verify(hash, password).await {
            Ok(accepted) => accepted,
            Err(password::Busy) => {
                self.backoff.not_made(attempt, Instant::now());
                return Err(refuse(LoginRefusal::Busy, "busy"));
            }
        };
        // What was verified for a name that does not exist is another user's, and is right in vain.
        let Some(fingerprint) = accounts.fingerprint(&name).filter(|_| accepted).map(str::to_owned) else {
            return Err(refuse(LoginRefusal::Wrong, "wrong"));
        };
        self.backoff.succeeded(attempt, Instant::now());
        Ok(Verified { user: name, fingerprint })
    }
}
