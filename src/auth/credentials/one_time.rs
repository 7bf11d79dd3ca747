//! A password for a first look: made at the start, printed once, kept nowhere but as a hash in this process.
//!
//! Its user is `admin`, which exists only while the configuration names no user: a start with users makes
//! none, and a reload that brings users ends the sessions of `admin`. It outlives every log-in (a tab that was closed must
//! not need a restart), and no restart.

use std::fmt;

use super::command_line::HashPasswordError;
use super::password::{self, Hash};
use crate::auth::accounts::{Accounts, ONE_TIME_USER, User};
use crate::auth::settings::{AuthMode, Settings};

const ROLE: &str = "admin";

/// Crockford's base32: no letter is taken for a digit.
const LETTERS: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
/// 100 bits.
const LENGTH: usize = 20;
const GROUP: usize = 5;

/// For the eyes of the person who started the server: `Display` is the password itself.
pub struct OneTimePassword(String);

impl OneTimePassword {
    /// The user that it belongs to.
    pub const USER: &str = ONE_TIME_USER;

    fn random() -> Self {
        let random: [u8; LENGTH] = rand::random();
        let letters: Vec<u8> = random.iter().map(|byte| LETTERS[usize::from(byte % 32)]).collect();
        let groups: Vec<_> = letters.chunks(GROUP).map(String::from_utf8_lossy).collect();
        Self(groups.join("-"))
    }
}

impl fmt::Display for OneTimePassword {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for OneTimePassword {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("…")
    }
}

impl Settings {
    /// Is one made at the start?
    pub fn one_time_password(&self) -> bool {
        self.one_time
    }

    /// `false`: there are users, so none is needed and nothing was changed.
    pub(crate) fn ask_one_time_password(&mut self) -> bool {
        let alone = self.one_time || self.counts().0 == 0;
        if alone {
            self.mode = AuthMode::Local;
            self.one_time = true;
        }
        alone
    }

    /// Makes it where it was asked for. Takes tens of milliseconds.
    pub fn make_one_time_password(&mut self) -> Result<Option<OneTimePassword>, HashPasswordError> {
        if !self.one_time {
            return Ok(None);
        }
        let made = OneTimePassword::random();
        let phc = password::hash(&made.0).map_err(|error| HashPasswordError::Hash(error.to_string()))?;
        let password = Hash::parse(&phc).map_err(HashPasswordError::Hash)?;
        self.accounts.one_time = Some(User { password, roles: vec![ROLE.to_owned()] });
        Ok(Some(made))
    }
}

/// The accounts of a reload: the password that was printed stays good. `None`: one is asked for now and was not
/// at the start, so that nobody could know it.
pub(in crate::auth) fn kept(settings: Settings, now: &Accounts) -> Option<Accounts> {
    let mut next = settings.accounts;
    if settings.one_time {
        next.one_time = Some(now.one_time.clone()?);
    }
    Some(next)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings() -> Settings {
        // As without a file.
        let mut settings = Settings::default();
        assert!(settings.ask_one_time_password());
        settings
    }

    #[test]
    fn one_time_password_is_random_and_hidden_from_debug() {
        let (one, other) = (OneTimePassword::random(), OneTimePassword::random());
        assert_ne!(one.0, other.0);
        assert_eq!(one.0.len(), LENGTH + LENGTH / GROUP - 1);
        assert!(one.0.bytes().all(|byte| byte == b'-' || LETTERS.contains(&byte)), "{one}");
        assert_eq!((format!("{one:?}"), one.to_string()), ("…".to_owned(), one.0.clone()));
    }

    #[test]
    fn one_time_password_is_made_on_request_only() {
        let mut plain = crate::auth::AuthTable::default().check().unwrap();
        assert!(plain.make_one_time_password().unwrap().is_none());
        let mut asked = settings();
        assert_eq!((asked.mode, asked.counts()), (AuthMode::Local, (1, 0)));
        assert!(asked.make_one_time_password().unwrap().is_some());
        assert!(asked.accounts.user(ONE_TIME_USER).is_some() && asked.accounts.user("root").is_none());
        assert_eq!(asked.accounts.grants_of_user(ONE_TIME_USER).len(), 1);
    }

    #[test]
    fn reload_keeps_the_one_time_password() {
        let mut at_start = settings();
        at_start.make_one_time_password().unwrap();
        let fingerprint = |accounts: &Accounts| accounts.fingerprint(ONE_TIME_USER).map(str::to_owned);
        let kept_one = kept(settings(), &at_start.accounts).unwrap();
        assert_eq!(fingerprint(&kept_one), fingerprint(&at_start.accounts));
        assert!(kept(settings(), &Accounts::default()).is_none());
    }
}
