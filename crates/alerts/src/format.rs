//! An alert's body, as receivers take it.

mod alertmanager;
mod slack;

use serde_json::Value;

use crate::alert::Alert;
use crate::receiver::{Format, Receiver};

/// `pages`: where Flowdeck's pages lie, without a slash at the end; without it there are no links.
pub(crate) fn body(receiver: &Receiver, alerts: &[Alert], pages: Option<&str>) -> Value {
    match receiver.format {
        Format::Alertmanager => alertmanager::body(&receiver.name, alerts, pages),
        Format::Slack => slack::body(alerts, pages),
    }
}
