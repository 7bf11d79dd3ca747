//! Alerts, as receivers take them.

mod alertmanager;
mod slack;
pub(crate) mod text;

use serde_json::Value;

use crate::alert::Alert;
use crate::receiver::Format;

/// The body of a request. `pages`: where Flowdeck's pages lie, without a slash at the end; without it there are no links.
pub(crate) fn body(format: Format, receiver: &str, alerts: &[Alert], pages: Option<&str>) -> Value {
    match format {
        Format::Alertmanager => alertmanager::body(receiver, alerts, pages),
        Format::Slack => slack::body(alerts, pages),
    }
}
