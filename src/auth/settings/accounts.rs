//! Users, tokens and roles as the file has them, checked: every role that is named exists, every hash can be used.

use std::collections::BTreeMap;

use flowdeck_model::Timestamp;
use serde::Deserialize;

use super::error::{SettingsError, refused};
use super::secret::Secret;
use crate::auth::accounts::{Accounts, User};
use crate::auth::credentials::password::Hash;
use crate::auth::credentials::token::{Digest, Token};
use crate::auth::roles::GrantTable;

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
