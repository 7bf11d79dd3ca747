//! Names that secrets usually have.

use std::sync::LazyLock;

use regex::Regex;

/// A name ends with one of these, once case, `_`, `-` and blanks are left out: `userPassword`, `API_KEY`.
const SECRETS: [&str; 18] = [
    "password",
    "passwd",
    "pwd",
    "passphrase",
    "secret",
    "token",
    "apikey",
    "accesskey",
    "privatekey",
    "secretkey",
    "authorization",
    "credential",
    "credentials",
    "cookie",
    "cardnumber",
    "creditcard",
    "cvv",
    "ssn",
];

pub(super) fn normal(name: &str) -> String {
    name.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

/// `name` is normal.
pub(super) fn is_secret(name: &str) -> bool {
    SECRETS.iter().any(|secret| name.ends_with(secret))
}

/// `password=x`, `"token": "x"`, also in a text within a text; what is before the value is the group `name`.
pub(super) fn assignment() -> &'static Regex {
    static FORM: LazyLock<Regex> = LazyLock::new(|| {
        let name = r"(?:password|passwd|pwd|passphrase|secret|token|api[ _-]?key|access[ _-]?key|private[ _-]?key|authorization|credentials?|cvv|ssn)";
        let form = format!(
            r#"(?i)(?P<name>{name}["'\\]{{0,6}}\s{{0,4}}[=:]\s{{0,4}}["'\\]{{0,6}}(?:(?:bearer|basic)\s+)?)[^\s"'\\,;&}}{{<>]+"#
        );
        Regex::new(&form).expect("a pattern of ours")
    });
    &FORM
}
