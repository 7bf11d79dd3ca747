//! Users, tokens and roles in force: who may sign in, and what each may do.

use std::collections::{BTreeMap, HashMap};

use flowdeck_model::actor::Grant;

use super::credentials::password::Hash;
use super::credentials::token::{Digest, Token};
use super::roles;

/// Whose password is a one-time password.
pub(super) const ONE_TIME_USER: &str = "admin";

#[derive(Debug, Clone)]
pub(super) struct User {
    pub(super) password: Hash,
    pub(super) roles: Vec<String>,
}

#[derive(Debug, Clone)]
pub(super) struct Accounts {
    pub(super) users: BTreeMap<String, User>,
    /// Beside no other user.
    pub(super) one_time: Option<User>,
    pub(super) tokens: HashMap<Digest, Token>,
    pub(super) roles: BTreeMap<String, Vec<Grant>>,
}

/// Nobody, and the roles that are built in.
impl Default for Accounts {
    fn default() -> Self {
        let roles = roles::built_in().collect();
        Self { users: BTreeMap::new(), one_time: None, tokens: HashMap::new(), roles }
    }
}

impl Accounts {
    pub(super) fn user(&self, name: &str) -> Option<&User> {
        let one_time = self.one_time.as_ref().filter(|_| name == ONE_TIME_USER);
        self.users.get(name).or(one_time)
    }

    /// What a log-in under this name is verified against: the user's own hash or, where nobody has the name, the dearest of
    /// all, so that a name that does not exist costs no less than any that does. `None`: there are no users.
    pub(super) fn to_verify(&self, name: &str) -> Option<&Hash> {
        let all = self.users.values().chain(&self.one_time).map(|user| &user.password);
        let dearest = all.max_by_key(|hash| hash.cost());
        self.user(name).map(|user| &user.password).or(dearest)
    }

    /// Of the user's password: changes when it is set anew.
    pub(super) fn fingerprint(&self, user: &str) -> Option<&str> {
        self.user(user).map(|user| user.password.fingerprint())
    }

    pub(super) fn token(&self, digest: &Digest) -> Option<&Token> {
        self.tokens.get(digest)
    }

    /// Nothing for a user that does not exist.
    pub(super) fn grants_of_user(&self, name: &str) -> Vec<Grant> {
        self.user(name).map(|user| self.grants(&user.roles)).unwrap_or_default()
    }

    /// A role that does not exist gives nothing; settings with one are refused before.
    pub(super) fn grants(&self, roles: &[String]) -> Vec<Grant> {
        roles.iter().filter_map(|role| self.roles.get(role)).flatten().cloned().collect()
    }
}
