//! What is wrong in `[auth]`, by its field.

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {problem}")]
pub struct SettingsError {
    /// As in the file, such as `auth.users[2].password_hash`.
    pub field: String,
    pub problem: String,
}

pub(super) fn refused(field: impl Into<String>, problem: impl Into<String>) -> SettingsError {
    SettingsError { field: field.into(), problem: problem.into() }
}
