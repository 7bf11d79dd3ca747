//! Why the server ends a stream: the last event of it.

use axum::response::sse::Event;
use serde_json::json;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Bye {
    Shutdown,
    /// The session is over or its rights were taken.
    Expired,
    TooMany,
    /// A newer stream of the same session took its slot.
    Replaced,
    /// What was watched does not exist any more.
    Gone,
}

impl Bye {
    fn reason(self) -> &'static str {
        match self {
            Self::Shutdown => "shutdown",
            Self::Expired => "expired",
            Self::TooMany => "tooMany",
            Self::Replaced => "replaced",
            Self::Gone => "gone",
        }
    }

    pub(super) fn event(self) -> Event {
        Event::default().event("bye").json_data(json!({ "reason": self.reason() })).unwrap_or_default()
    }
}
