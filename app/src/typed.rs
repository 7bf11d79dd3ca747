//! What the user typed into a form that was refused. The server puts it into the context of the page
//! that it shows again, which has no scripts, so that nothing has to be typed twice.

use flowdeck_model::CommandId;
use leptos::prelude::use_context;

/// The choice of a pause's length that takes it from the field `minutes`.
pub const OWN_LENGTH: &str = "minutes";
/// The one that takes its end from the field `until`.
pub const OWN_END: &str = "until";

/// The fields of a command's form, as they came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Typed {
    pub reason: String,
    /// Of `forSeconds`: nothing, seconds, [`OWN_LENGTH`] or [`OWN_END`].
    pub length: String,
    pub minutes: String,
    pub until: String,
}

impl Default for Typed {
    fn default() -> Self {
        let (reason, length, until) = Default::default();
        Self { reason, length, minutes: "30".to_owned(), until }
    }
}

pub(crate) fn typed() -> Typed {
    use_context().unwrap_or_default()
}

/// Of a form whose outcome is not known. The form that the page shows again has the same id: sent once more, it is the same
/// operation.
#[cfg(not(target_family = "wasm"))]
#[derive(Debug, Clone, Copy)]
pub struct SameId(pub CommandId);

/// Of the operation that a form asks for.
#[cfg(not(target_family = "wasm"))]
pub(crate) fn form_id() -> CommandId {
    use_context::<SameId>().map_or_else(CommandId::random, |same| same.0)
}

#[cfg(target_family = "wasm")]
pub(crate) fn form_id() -> CommandId {
    CommandId::random()
}
