//! What a client proves itself with, one file a credential. A credential ends in the name of an account: a token
//! for each request, a password once, for a session (see `identity`). To add one: a file here, its table in
//! `settings`, and its line in `service.rs`.

pub(in crate::auth) mod backoff;
pub(in crate::auth) mod command_line;
pub(in crate::auth) mod log_in;
pub(in crate::auth) mod one_time;
pub(in crate::auth) mod password;
pub(in crate::auth) mod token;

/// Whose credential was verified. The fingerprint is of the very credential: a session under it ends when the account
/// has another one.
pub(in crate::auth) struct Verified {
    pub(in crate::auth) user: String,
    pub(in crate::auth) fingerprint: String,
}
