use std::time::Duration;

use flowdeck_model::Permission;

use super::*;
use crate::auth::credentials::password::tests::cheap;

fn check(text: &str) -> Result<Settings, String> {
    #[derive(Deserialize)]
    struct File {
        auth: AuthTable,
    }
    let file: File = toml::from_str(text).map_err(|error| error.message().to_owned())?;
    file.auth.check().map_err(|error| error.to_string())
}

#[test]
fn auth_table_is_read() {
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
    assert_eq!(grants[1].permissions, [Permission::View, Permission::Control, Permission::ReadPayloads]);
    assert!(grants[1].clusters.matches("prod-eu") && !grants[1].clusters.matches("staging"));
    let token = settings.accounts.tokens.values().next().unwrap();
    assert_eq!(token.expires.unwrap().to_string(), "2027-01-31T00:00:00.000Z");
    let printed = format!("{settings:?}");
    assert!(!printed.contains("secret") && !printed.contains("argon2") && !printed.contains(&hash));
}

#[test]
fn built_in_roles() {
    use Permission::*;
    let accounts = Accounts::default();
    for (role, want) in [
        ("viewer", vec![View]),
        ("operator", vec![View, ReadPayloads, Control]),
        ("admin", vec![View, ReadPayloads, Control, Offsets, Produce, ReadUnmasked, Redrive, Retention]),
    ] {
        assert_eq!(accounts.grants(&[role.to_owned()])[0].permissions, want);
    }
    assert!(accounts.grants(&["root".to_owned()]).is_empty());
}

#[test]
fn missing_auth_table_means_mode_none() {
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
        (format!("{local}{}", token_table(&token, "")), "auth.tokens[0].hash: this is a token, not its hash"),
        (
            format!("{local}{}", token_table(&digest, "expires = \"soon\"")),
            "auth.tokens[0].expires: write a time",
        ),
        (format!("{local}{}", token_table(&digest, "expires = 7")), "auth.tokens[0].expires: write a time"),
        (format!("{local}{}", token_table(&digest, "").repeat(2)), "auth.tokens[1].name: there are two"),
        (
            format!("{local}{ana}[[auth.roles.admin]]\npermissions = [\"view\"]"),
            "auth.roles.admin: this role is built in",
        ),
        (
            format!("{local}{ana}[[auth.roles.x]]\npermissions = []"),
            "auth.roles.x[0].permissions: name at least",
        ),
        (
            format!("{local}{ana}[[auth.roles.x]]\npermissions = [\"view\"]\ngroups = \"\""),
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
