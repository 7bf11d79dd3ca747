//! Users, tokens and roles: who may come in, and what each may do.

use std::collections::{BTreeMap, HashMap};

use flowdeck_model::Timestamp;
use flowdeck_model::actor::Grant;
use serde::Deserialize;

use super::secret::Secret;
use super::{SettingsError, refused};
use crate::auth::one_time;
use crate::auth::password::Hash;
use crate::auth::roles::{self, GrantTable};
use crate::auth::token::{Digest, Token};

const LONGEST_NAME: usize = 64;

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct UserTable {
    name: String,
    password_hash: Secret,
    roles: Vec<String>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TokenTable {
    name: String,
    hash: Secret,
    roles: Vec<String>,
    /// A date-time, in quotes or without.
    expires: Option<toml::Value>,
}

#[derive(Debug, Clone)]
pub(in crate::auth) struct User {
    pub(in crate::auth) password: Hash,
    pub(in crate::auth) roles: Vec<String>,
}

/// Who may come in, and what each may do.
#[derive(Debug, Clone)]
pub(in crate::auth) struct Accounts {
    pub(super) users: BTreeMap<String, User>,
    /// Beside no other user.
    pub(in crate::auth) one_time: Option<User>,
    pub(super) tokens: HashMap<Digest, Token>,
    roles: BTreeMap<String, Vec<Grant>>,
}

/// Nobody, and the roles that are built in.
impl Default for Accounts {
    fn default() -> Self {
        let roles = roles::built_in().collect();
        Self { users: BTreeMap::new(), one_time: None, tokens: HashMap::new(), roles }
    }
}

impl Accounts {
    pub(in crate::auth) fn user(&self, name: &str) -> Option<&User> {
        let one_time = self.one_time.as_ref().filter(|_| name == one_time::USER);
        self.users.get(name).or(one_time)
    }

    /// What a log-in under this name is verified against: his own hash or, where nobody has the name, the dearest of
    /// all, so that a name that does not exist costs no less than any that does. `None`: there are no users.
    pub(in crate::auth) fn to_verify(&self, name: &str) -> Option<&Hash> {
        let all = self.users.values().chain(&self.one_time).map(|user| &user.password);
        let dearest = all.max_by_key(|hash| hash.cost());
        self.user(name).map(|user| &user.password).or(dearest)
    }

    pub(in crate::auth) fn token(&self, digest: &Digest) -> Option<&Token> {
        self.tokens.get(digest)
    }

    /// Nothing for who is not there.
    pub(in crate::auth) fn grants_of_user(&self, name: &str) -> Vec<Grant> {
        self.user(name).map(|user| self.grants(&user.roles)).unwrap_or_default()
    }

    /// A role that does not exist gives nothing; settings with one are refused before.
    pub(in crate::auth) fn grants(&self, roles: &[String]) -> Vec<Grant> {
        roles.iter().filter_map(|role| self.roles.get(role)).flatten().cloned().collect()
    }
}

/// As they stand in the file, checked: every role that is named exists, every hash can be used.
pub(super) fn accounts(
    roles: BTreeMap<String, Vec<GrantTable>>,
    users: Vec<UserTable>,
    tokens: Vec<TokenTable>,
) -> Result<Accounts, SettingsError> {
    let mut accounts = Accounts::default();
    add_roles(&mut accounts, roles)?;
    for (n, table) in users.into_iter().enumerate() {
        user(&mut accounts, &format!("auth.users[{n}]"), table)?;
    }
    for (n, table) in tokens.into_iter().enumerate() {
        token(&mut accounts, &format!("auth.tokens[{n}]"), table)?;
    }
    Ok(accounts)
}

/// Each name once in the file: what is there already is built in.
fn add_roles(
    accounts: &mut Accounts,
    tables: BTreeMap<String, Vec<GrantTable>>,
) -> Result<(), SettingsError> {
    for (name, grants) in tables {
        let field = format!("auth.roles.{name}");
        check_name(&field, &name)?;
        if accounts.roles.contains_key(&name) {
            return Err(refused(field, "this role is built in; choose another name"));
        }
        let grants = grants.into_iter().enumerate().map(|(n, grant)| {
            grant.into_grant().map_err(|(part, problem)| refused(format!("{field}[{n}].{part}"), problem))
        });
        accounts.roles.insert(name, grants.collect::<Result<_, _>>()?);
    }
    Ok(())
}

fn user(accounts: &mut Accounts, field: &str, table: UserTable) -> Result<(), SettingsError> {
    check_name(&format!("{field}.name"), &table.name)?;
    check_roles(accounts, &format!("{field}.roles"), &table.roles)?;
    let hash_field = || format!("{field}.password_hash");
    let text = table.password_hash.resolve().map_err(|problem| refused(hash_field(), problem))?;
    let password = Hash::parse(&text).map_err(|problem| refused(hash_field(), problem))?;
    if accounts.users.contains_key(&table.name) {
        return Err(refused(format!("{field}.name"), format!("there are two users named {}", table.name)));
    }
    accounts.users.insert(table.name, User { password, roles: table.roles });
    Ok(())
}

fn token(accounts: &mut Accounts, field: &str, table: TokenTable) -> Result<(), SettingsError> {
    check_name(&format!("{field}.name"), &table.name)?;
    check_roles(accounts, &format!("{field}.roles"), &table.roles)?;
    let hash_field = || format!("{field}.hash");
    let text = table.hash.resolve().map_err(|problem| refused(hash_field(), problem))?;
    let digest = Digest::parse(&text).map_err(|problem| refused(hash_field(), problem))?;
    if accounts.tokens.values().any(|token| token.name == table.name) {
        return Err(refused(format!("{field}.name"), format!("there are two tokens named {}", table.name)));
    }
    let expires = table
        .expires
        .map(|value| expiry(&value).ok_or_else(|| refused(format!("{field}.expires"), NO_TIME)))
        .transpose()?;
    if accounts.tokens.contains_key(&digest) {
        return Err(refused(hash_field(), "another token has the same hash"));
    }
    accounts.tokens.insert(digest, Token { name: table.name, roles: table.roles, expires });
    Ok(())
}

const NO_TIME: &str = "write a time in UTC, such as 2027-01-31T00:00:00Z";

fn expiry(value: &toml::Value) -> Option<Timestamp> {
    match value {
        toml::Value::String(text) => text.parse().ok(),
        toml::Value::Datetime(time) => time.to_string().parse().ok(),
        _ => None,
    }
}

fn check_name(field: &str, name: &str) -> Result<(), SettingsError> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-' | b'@' | b'+');
    if name.is_empty() || name.len() > LONGEST_NAME || !name.bytes().all(plain) {
        return Err(refused(field, format!("a name has 1 to {LONGEST_NAME} of a-z A-Z 0-9 . _ - + @")));
    }
    Ok(())
}

fn check_roles(accounts: &Accounts, field: &str, roles: &[String]) -> Result<(), SettingsError> {
    if roles.is_empty() {
        return Err(refused(field, "name at least one role: viewer, operator, admin or one of auth.roles"));
    }
    match roles.iter().find(|role| !accounts.roles.contains_key(*role)) {
        None => Ok(()),
        Some(unknown) => {
            let known: Vec<&str> = accounts.roles.keys().map(String::as_str).collect();
            Err(refused(field, format!("there is no role {unknown:?}; there are {}", known.join(", "))))
        }
    }
}
