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

#[cfg(test)]
mod tests {
    use flowdeck_model::view::GroupLabels;
    use flowdeck_model::{Level, Verdict};

    use crate::alert::{Alert, What};

    pub(super) fn alert(group: &str) -> Alert {
        let runbook = Some("https://wiki.example/?a&b".to_owned());
        Alert {
            cluster: "eu".parse().unwrap(),
            group: Some(group.into()),
            what: What::Verdict(Verdict::Stalled),
            level: Level::Critical,
            since: "2026-11-21T14:08:57.123Z".parse().unwrap(),
            evidence: Some("no commit moves for 3 min".to_owned()),
            labels: GroupLabels { runbook, ..GroupLabels::default() },
            ended: None,
        }
    }
}
