//! `flowdeck hash-password` and `flowdeck new-token`: what is written into the configuration.

use std::io::{BufRead, IsTerminal};

use super::{password, token};

#[derive(Debug, thiserror::Error)]
pub enum HashPasswordError {
    #[error("the password could not be read")]
    Read(#[source] std::io::Error),
    #[error("the two passwords differ; nothing was hashed")]
    Differ,
    #[error("a password has at least {} characters", password::SHORTEST)]
    TooShort,
    #[error("a password has at most {} bytes", password::LONGEST)]
    TooLong,
    #[error("a password has no line breaks or other control characters: a log-in form cannot send them")]
    Control,
    #[error("the password could not be hashed: {0}")]
    Hash(String),
}

/// The PHC string for `password_hash`. The password comes from the terminal, twice and unseen, or
/// else from one line of standard input; never from the command line, which other users can read.
pub fn hash_password() -> Result<String, HashPasswordError> {
    let stdin = std::io::stdin();
    if !stdin.is_terminal() {
        return hash_line(stdin.lock());
    }
    let first = rpassword::prompt_password("Password: ").map_err(HashPasswordError::Read)?;
    check(&first)?;
    let second = rpassword::prompt_password("Once more: ").map_err(HashPasswordError::Read)?;
    if first != second {
        return Err(HashPasswordError::Differ);
    }
    hash(&first)
}

/// The first line, without its end.
fn hash_line(input: impl BufRead) -> Result<String, HashPasswordError> {
    let mut line = String::new();
    input.take(password::LONGEST as u64 + 3).read_line(&mut line).map_err(HashPasswordError::Read)?;
    hash(line.trim_end_matches(['\r', '\n']))
}

fn hash(password: &str) -> Result<String, HashPasswordError> {
    check(password)?;
    password::hash(password).map_err(|error| HashPasswordError::Hash(error.to_string()))
}

fn check(password: &str) -> Result<(), HashPasswordError> {
    if password.len() > password::LONGEST {
        return Err(HashPasswordError::TooLong);
    }
    if password.chars().count() < password::SHORTEST {
        return Err(HashPasswordError::TooShort);
    }
    if password.chars().any(char::is_control) {
        return Err(HashPasswordError::Control);
    }
    Ok(())
}

/// A new token and the hash of it for the configuration. The token is shown here and never again.
pub fn new_token() -> (String, String) {
    let (token, digest) = token::new();
    (token, digest.hex())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn password_is_one_line() {
        let phc = hash_line("correct horse\r\nmore\n".as_bytes()).unwrap();
        assert!(phc.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{phc}");
        assert!(password::Hash::parse(&phc).is_ok());
        for (input, want) in [
            ("short\n".to_owned(), "at least"),
            (String::new(), "at least"),
            ("x".repeat(2_000), "at most"),
            ("has\ttabs-in-it".to_owned(), "control"),
        ] {
            let error = hash_line(input.as_bytes()).unwrap_err().to_string();
            assert!(error.contains(want), "{error}");
        }
    }
}
