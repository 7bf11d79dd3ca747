//! A text for people, as Slack's incoming webhooks take it: a line for each alert.
//! <https://docs.slack.dev/messaging/formatting-message-text>

use std::fmt::Write as _;

use flowdeck_model::Level;
use flowdeck_model::shown;
use serde_json::{Value, json};

use crate::alert::Alert;

/// What a person reads, and less than what each of them takes (Discord: 2,000 characters). What else there is is counted.
const LINES: usize = 20;
const TEXT_MAX: usize = 1_600;
/// Of one sentence.
const EVIDENCE_MAX: usize = 300;

pub(super) fn body(alerts: &[Alert], pages: Option<&str>) -> Value {
    let (mut text, mut told) = (String::new(), 0);
    for line in alerts.iter().take(LINES).map(|alert| line(alert, pages)) {
        if told > 0 && text.len() + line.len() > TEXT_MAX {
            break;
        }
        if told > 0 {
            text.push('\n');
        }
        text.push_str(&line);
        told += 1;
    }
    if alerts.len() > told {
        let _ = write!(text, "\nand {} more", alerts.len() - told);
        if let Some(pages) = pages {
            let _ = write!(text, ": <{pages}|all groups>");
        }
    }
    json!({ "text": text })
}

fn line(alert: &Alert, pages: Option<&str>) -> String {
    let begin = match (alert.ended, alert.level) {
        (Some(_), _) => ":white_check_mark: *Over*",
        (None, Level::Critical) => ":red_circle: *Critical*",
        (None, _) => ":large_orange_circle: *Warning*",
    };
    let of = match &alert.group {
        Some(group) => format!("*{}* on {}", escaped(&group.shown()), alert.cluster),
        None => format!("*{}*", alert.cluster),
    };
    let mut line = format!("{begin} {of}: {}", alert.what.label());
    match alert.ended {
        Some(ended) => {
            let _ = write!(line, ", after {}", shown::span(ended.since(alert.since)));
        }
        None => {
            if let Some(evidence) = &alert.evidence {
                let evidence: String = shown::text(evidence).chars().take(EVIDENCE_MAX).collect();
                let _ = write!(line, ": {}", escaped(&evidence));
            }
            let _ = write!(line, ". Since {} UTC", alert.second());
        }
    }
    if let Some(pages) = pages {
        let _ = write!(line, " · <{pages}{}|open>", alert.path());
    }
    if let Some(runbook) = alert.labels.runbook.as_ref().filter(|_| alert.ended.is_none()) {
        let _ = write!(line, " · <{}|runbook>", escaped(runbook));
    }
    line
}

/// The three characters that Slack asks to be written otherwise: no name makes a link or a mention.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::tests::alert;

    #[test]
    fn a_line_says_what_where_why_and_since_when() {
        let over = Alert { ended: Some("2026-11-21T14:20:00Z".parse().unwrap()), ..alert("payments") };
        let body = body(&[alert("payments"), over], Some("https://ops.example/kafkaflow"));
        assert_eq!(
            body["text"],
            ":red_circle: *Critical* *payments* on eu: Stalled: no commit moves for 3 min. Since 2026-11-21 14:08:57 UTC \
             · <https://ops.example/kafkaflow/c/eu/groups/payments|open> · <https://wiki.example/?a&amp;b|runbook>\n\
             :white_check_mark: *Over* *payments* on eu: Stalled, after 11 min 2 s \
             · <https://ops.example/kafkaflow/c/eu/groups/payments|open>"
        );
    }

    #[test]
    fn no_name_mentions_anybody() {
        let text = body(&[alert("<!channel> & co\u{202e}")], None)["text"].as_str().unwrap().to_owned();
        assert!(text.contains("&lt;!channel&gt; &amp; co") && !text.contains('\u{202e}'), "{text}");
        assert!(!text.contains("|open>"), "{text}");
    }

    #[test]
    fn a_storm_is_one_message_of_some_lines() {
        let many: Vec<_> = (0..500).map(|n| alert(&format!("g{n}"))).collect();
        let text = body(&many, Some("https://ops.example"))["text"].as_str().unwrap().to_owned();
        let lines = text.lines().count() - 1;
        assert!((3..=LINES).contains(&lines) && text.len() < 2_000, "{text}");
        assert!(
            text.ends_with(&format!("and {} more: <https://ops.example|all groups>", 500 - lines)),
            "{text}"
        );
    }
}
