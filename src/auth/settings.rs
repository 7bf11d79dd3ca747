//! The table `[auth]` of the configuration, parsed and checked: users, roles, tokens, sessions.
//! Errors name the field; no hash, token or URL is repeated in them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use flowdeck_model::Timestamp;
use flowdeck_model::actor::Grant;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use serde::Deserialize;

use super::one_time;
use super::password::Hash;
use super::roles::{self, GrantTable};
use super::token::{Digest, Token};

const IDLE: Duration = Duration::from_secs(30 * 60);
const ABSOLUTE: Duration = Duration::from_secs(12 * 3600);
const LONGEST_SESSION: Duration = Duration::from_secs(30 * 24 * 3600);
const LONGEST_NAME: usize = 64;

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {problem}")]
pub struct SettingsError {
    /// As in the file, such as `auth.users[2].password_hash`.
    pub field: String,
    pub problem: String,
}

fn refused(field: impl Into<String>, problem: impl Into<String>) -> SettingsError {
    SettingsError { field: field.into(), problem: problem.into() }
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AuthMode {
    /// Everybody who reaches the listener may do everything.
    #[default]
    None,
    /// Users and tokens of the configuration.
    Local,
}

/// `[auth]` as it stands in the file. [`AuthTable::check`] makes [`Settings`] of it.
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

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct UserTable {
    name: String,
    password_hash: Secret,
    roles: Vec<String>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct TokenTable {
    name: String,
    hash: Secret,
    roles: Vec<String>,
    /// A date-time, in quotes or without.
    expires: Option<toml::Value>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct SessionTable {
    idle: Option<String>,
    absolute: Option<String>,
    redis: Option<Secret>,
    redis_ca: Option<PathBuf>,
}

/// As it is, or from an environment variable or a file, so that it need not stand in the
/// configuration. Never printed.
#[derive(Clone, Deserialize)]
#[serde(untagged, expecting = "a string, { env = \"NAME\" } or { file = \"PATH\" }")]
enum Secret {
    Plain(String),
    Elsewhere(Elsewhere),
}

#[derive(Clone, Deserialize)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
enum Elsewhere {
    Env(String),
    File(PathBuf),
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("…")
    }
}

impl Secret {
    fn resolve(self) -> Result<String, String> {
        match self {
            Self::Plain(text) => Ok(text),
            Self::Elsewhere(Elsewhere::Env(name)) => {
                std::env::var(&name).map_err(|_| format!("the environment variable {name} is not set"))
            }
            Self::Elsewhere(Elsewhere::File(path)) => std::fs::read_to_string(&path)
                .map(|text| text.trim_end_matches(['\r', '\n']).to_owned())
                .map_err(|error| format!("{} could not be read: {error}", path.display())),
        }
    }
}

/// When a session is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SessionRules {
    /// Since its last use; streams do not count.
    pub idle: Duration,
    /// Since its log-in, however busy.
    pub absolute: Duration,
}

impl Default for SessionRules {
    fn default() -> Self {
        Self { idle: IDLE, absolute: ABSOLUTE }
    }
}

/// Where sessions are shared, and which issuers of certificates are trusted there.
#[derive(Clone)]
#[cfg_attr(not(feature = "redis"), expect(dead_code, reason = "a build without Redis refuses it unread"))]
pub(super) struct Redis {
    /// May hold a password: never printed.
    url: String,
    /// `None`: those that this machine trusts.
    pub(super) roots: Option<Vec<CertificateDer<'static>>>,
}

#[cfg_attr(not(feature = "redis"), expect(dead_code, reason = "a build without Redis refuses it unread"))]
impl Redis {
    /// With TLS it is `rediss…://`.
    pub(super) fn is_tls(&self) -> bool {
        self.url.starts_with("rediss")
    }

    /// As for a connection without TLS. For the client alone.
    pub(super) fn plain_url(&self) -> String {
        self.url.strip_prefix("rediss").map_or_else(|| self.url.clone(), |rest| format!("redis{rest}"))
    }
}

impl std::fmt::Debug for Redis {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("…")
    }
}

/// Checked: every role that is named exists, every hash can be used.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    pub mode: AuthMode,
    pub session: SessionRules,
    /// One user whose password is made at the start: see [`super::one_time`].
    pub(super) one_time: bool,
    pub(super) accounts: Accounts,
    pub(super) redis: Option<Redis>,
}

#[derive(Debug, Clone)]
pub(super) struct User {
    pub(super) password: Hash,
    pub(super) roles: Vec<String>,
}

/// Who may come in, and what each may do.
#[derive(Debug, Clone, Default)]
pub(super) struct Accounts {
    users: BTreeMap<String, User>,
    /// Beside no other user.
    pub(super) one_time: Option<User>,
    tokens: std::collections::HashMap<Digest, Token>,
    roles: BTreeMap<String, Vec<Grant>>,
}

impl Accounts {
    pub(super) fn user(&self, name: &str) -> Option<&User> {
        let one_time = self.one_time.as_ref().filter(|_| name == one_time::USER);
        self.users.get(name).or(one_time)
    }

    pub(super) fn token(&self, digest: &Digest) -> Option<&Token> {
        self.tokens.get(digest)
    }

    /// Nothing for who is not there.
    pub(super) fn grants_of_user(&self, name: &str) -> Vec<Grant> {
        self.user(name).map(|user| self.grants(&user.roles)).unwrap_or_default()
    }

    /// A role that does not exist gives nothing; settings with one are refused before.
    pub(super) fn grants(&self, roles: &[String]) -> Vec<Grant> {
        roles.iter().filter_map(|role| self.roles.get(role)).flatten().cloned().collect()
    }
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
        let mut accounts = Accounts { roles: roles(self.roles)?, ..Accounts::default() };
        for (n, table) in self.users.into_iter().enumerate() {
            user(&mut accounts, &format!("auth.users[{n}]"), table)?;
        }
        for (n, table) in self.tokens.into_iter().enumerate() {
            token(&mut accounts, &format!("auth.tokens[{n}]"), table)?;
        }
        let (session, redis) = session(self.session)?;
        Ok(Settings { mode, session, one_time: self.one_time_password, accounts, redis })
    }
}

fn roles(tables: BTreeMap<String, Vec<GrantTable>>) -> Result<BTreeMap<String, Vec<Grant>>, SettingsError> {
    let mut all: BTreeMap<String, Vec<Grant>> = roles::BUILT_IN
        .iter()
        .filter_map(|(name, _)| Some(((*name).to_owned(), roles::built_in(name)?)))
        .collect();
    for (name, grants) in tables {
        let field = format!("auth.roles.{name}");
        check_name(&field, &name)?;
        if all.contains_key(&name) {
            return Err(refused(field, "this role is built in; choose another name"));
        }
        let grants = grants.into_iter().enumerate().map(|(n, grant)| {
            grant.into_grant().map_err(|(part, problem)| refused(format!("{field}[{n}].{part}"), problem))
        });
        all.insert(name, grants.collect::<Result<_, _>>()?);
    }
    Ok(all)
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

fn session(table: SessionTable) -> Result<(SessionRules, Option<Redis>), SettingsError> {
    let time = |field: &str, text: Option<String>, usual: Duration, least: Duration| {
        let Some(text) = text else { return Ok(usual) };
        match humantime::parse_duration(&text) {
            Ok(time) if (least..=LONGEST_SESSION).contains(&time) => Ok(time),
            _ => Err(refused(
                format!("auth.session.{field}"),
                format!(
                    "{text:?} is no time from {} to 30days, such as \"30m\"",
                    humantime::format_duration(least)
                ),
            )),
        }
    };
    let idle = time("idle", table.idle, IDLE, Duration::from_secs(60))?;
    let absolute = time("absolute", table.absolute, ABSOLUTE.max(idle), idle)?;
    let redis = match (table.redis, table.redis_ca) {
        (Some(url), ca) => Some(redis(url, ca)?),
        (None, None) => None,
        (None, Some(_)) => return Err(refused("auth.session.redis_ca", "there is no redis beside it")),
    };
    Ok((SessionRules { idle, absolute }, redis))
}

fn redis(secret: Secret, ca: Option<PathBuf>) -> Result<Redis, SettingsError> {
    let field = "auth.session.redis";
    let url = secret.resolve().map_err(|problem| refused(field, problem))?;
    let plain = url.strip_prefix("rediss").or_else(|| url.strip_prefix("redis"));
    if !plain.is_some_and(|rest| ["://", "-cluster://", "-sentinel://"].iter().any(|one| rest.starts_with(one))) {
        return Err(refused(
            field,
            "write redis://[USER:PASSWORD@]HOST:PORT[/DATABASE], or redis-cluster:// or redis-sentinel://; \
             with TLS rediss://, rediss-cluster:// or rediss-sentinel://",
        ));
    }
    let roots = ca.map(|path| issuers(&path)).transpose()?;
    let redis = Redis { url, roots };
    if redis.roots.is_some() && !redis.is_tls() {
        return Err(refused(field, "there is redis_ca, but only rediss:// speaks TLS"));
    }
    Ok(redis)
}

fn issuers(path: &Path) -> Result<Vec<CertificateDer<'static>>, SettingsError> {
    let refused = |problem: String| refused("auth.session.redis_ca", format!("{}: {problem}", path.display()));
    let text = std::fs::read(path).map_err(|error| refused(format!("it could not be read: {error}")))?;
    let all: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&text).collect();
    match all {
        Ok(all) if all.is_empty() => Err(refused("it holds no certificate".to_owned())),
        Ok(all) => Ok(all),
        Err(error) => Err(refused(format!("it is no PEM file: {error}"))),
    }
}

#[cfg(test)]
mod tests {
    use flowdeck_model::Permission;

    use super::*;
    use crate::auth::password::tests::cheap;

    fn check(text: &str) -> Result<Settings, String> {
        #[derive(Deserialize)]
        struct File {
            auth: AuthTable,
        }
        let file: File = toml::from_str(text).map_err(|error| error.message().to_owned())?;
        file.auth.check().map_err(|error| error.to_string())
    }

    #[test]
    fn a_whole_table() {
        let (_, hash) = crate::auth::new_token();
        let settings = check(&format!(
            r#"
            [auth]
            mode = "local"
            session = {{ idle = "10m", absolute = "2h", redis = "redis://:secret@127.0.0.1:6379/1" }}
            [[auth.users]]
            name = "ana"
            password_hash = "{}"
            roles = ["viewer", "payments"]
            [[auth.roles.payments]]
            permissions = ["control", "read_payloads"]
            clusters = "prod-*"
            groups = "payments-*"
            [[auth.roles.payments]]
            permissions = ["produce"]
            clusters = "staging"
            [[auth.tokens]]
            name = "ci"
            hash = "{hash}"
            roles = ["operator"]
            expires = 2027-01-31T00:00:00Z
            "#,
            cheap("x")
        ))
        .unwrap();
        assert_eq!(settings.session.idle, Duration::from_secs(600));
        let grants = settings.accounts.grants_of_user("ana");
        assert_eq!(grants.len(), 3);
        assert_eq!(grants[1].permissions, [Permission::See, Permission::Control, Permission::ReadPayloads]);
        assert!(grants[1].clusters.matches("prod-eu") && !grants[1].clusters.matches("staging"));
        let token = settings.accounts.tokens.values().next().unwrap();
        assert_eq!(token.expires.unwrap().to_string(), "2027-01-31T00:00:00.000Z");
        let printed = format!("{settings:?}");
        assert!(!printed.contains("secret") && !printed.contains("argon2") && !printed.contains(&hash));
    }

    #[test]
    fn the_built_in_roles() {
        use Permission::*;
        for (role, want) in [
            ("viewer", vec![See]),
            ("operator", vec![See, ReadPayloads, Control]),
            ("admin", vec![See, ReadPayloads, Control, Offsets, Produce]),
        ] {
            assert_eq!(roles::built_in(role).unwrap()[0].permissions, want);
        }
        assert!(roles::built_in("root").is_none());
    }

    #[test]
    fn no_table_means_no_sign_in() {
        assert_eq!(AuthTable::default().check().unwrap().mode, AuthMode::None);
    }

    #[test]
    fn refusals_name_the_field() {
        let hash = cheap("x");
        let (token, digest) = crate::auth::new_token();
        let user = |name: &str, hash: &str, roles: &str| {
            format!("[[auth.users]]\nname = {name:?}\npassword_hash = {hash:?}\nroles = {roles}\n")
        };
        let token_table = |hash: &str, more: &str| {
            format!("[[auth.tokens]]\nname = \"ci\"\nhash = {hash:?}\nroles = [\"viewer\"]\n{more}\n")
        };
        let ana = user("ana", &hash, "[\"viewer\"]");
        let local = "[auth]\nmode = \"local\"\n";
        for (text, want) in [
            ("[auth]\nmode = \"ldap\"\n".to_owned(), "unknown variant `ldap`"),
            ("[auth]\nmod = \"none\"\n".to_owned(), "unknown field `mod`"),
            (local.to_owned(), "auth.users: mode = \"local\" needs a user"),
            (ana.clone(), "auth.mode: there are users"),
            ("[auth]\none_time_password = true\n".to_owned(), "auth.mode: there are users"),
            (
                format!("{local}one_time_password = true\n{ana}"),
                "auth.one_time_password: there are users with passwords of their own",
            ),
            (format!("[auth]\nmode = \"none\"\n{ana}"), "auth.mode: there are users"),
            (format!("{local}{ana}{ana}"), "auth.users[1].name: there are two users named ana"),
            (format!("{local}{}", user("", &hash, "[\"viewer\"]")), "auth.users[0].name: a name has"),
            (format!("{local}{}", user("a\nb", &hash, "[\"viewer\"]")), "auth.users[0].name: a name has"),
            (format!("{local}{}", user("ana", &hash, "[]")), "auth.users[0].roles: name at least one"),
            (
                format!("{local}{}", user("ana", &hash, "[\"root\"]")),
                "auth.users[0].roles: there is no role \"root\"",
            ),
            (
                format!("{local}{ana}{}", user("ben", "hunter2", "[\"viewer\"]")),
                "auth.users[1].password_hash: this is no",
            ),
            (
                format!(
                    "{local}[[auth.users]]\nname = \"a\"\npassword_hash = {{ env = \"FLOWDECK_NO_SUCH\" }}\nroles = [\"viewer\"]"
                ),
                "auth.users[0].password_hash: the environment variable FLOWDECK_NO_SUCH",
            ),
            (
                format!("{local}[[auth.users]]\nname = \"a\"\npassword_hash = 7\nroles = [\"viewer\"]"),
                "a string, { env = \"NAME\" }",
            ),
            (format!("{local}{}", token_table("abc", "")), "auth.tokens[0].hash: this is no SHA-256"),
            (
                format!("{local}{}", token_table(&token, "")),
                "auth.tokens[0].hash: this is a token, not its hash",
            ),
            (
                format!("{local}{}", token_table(&digest, "expires = \"soon\"")),
                "auth.tokens[0].expires: write a time",
            ),
            (
                format!("{local}{}", token_table(&digest, "expires = 7")),
                "auth.tokens[0].expires: write a time",
            ),
            (format!("{local}{}", token_table(&digest, "").repeat(2)), "auth.tokens[1].name: there are two"),
            (
                format!("{local}{ana}[[auth.roles.admin]]\npermissions = [\"see\"]"),
                "auth.roles.admin: this role is built in",
            ),
            (
                format!("{local}{ana}[[auth.roles.x]]\npermissions = []"),
                "auth.roles.x[0].permissions: name at least",
            ),
            (
                format!("{local}{ana}[[auth.roles.x]]\npermissions = [\"see\"]\ngroups = \"\""),
                "auth.roles.x[0].groups: an empty",
            ),
            (format!("{local}{ana}[[auth.roles.x]]\npermissions = [\"fly\"]"), "unknown variant `fly`"),
            (format!("{local}session = {{ idle = \"1s\" }}\n{ana}"), "auth.session.idle: \"1s\" is no time"),
            (
                format!("{local}session = {{ idle = \"2h\", absolute = \"1h\" }}\n{ana}"),
                "auth.session.absolute: \"1h\"",
            ),
            (
                format!("{local}session = {{ redis = \"localhost\" }}\n{ana}"),
                "auth.session.redis: write redis://",
            ),
            (
                format!("{local}session = {{ redis = \"redis://h\", redis_ca = \"/no/such.pem\" }}\n{ana}"),
                "auth.session.redis_ca: /no/such.pem: it could not be read",
            ),
            (
                format!("{local}session = {{ redis_ca = \"/no/such.pem\" }}\n{ana}"),
                "auth.session.redis_ca: there is no redis beside it",
            ),
        ] {
            let problem = check(&text).expect_err(want);
            assert!(problem.contains(want), "{problem}\n{want}");
            assert!(!problem.contains(&token) && !problem.contains("hunter2"), "{problem}");
        }
    }
}
