//! Plain text for people, as e-mail has it.

use std::fmt::Write as _;

use flowdeck_model::{Level, shown};

use crate::alert::Alert;

/// What else there is is counted.
const ALERTS: usize = 50;
const SUBJECT_MAX: usize = 150;

pub(crate) fn subject(alerts: &[Alert]) -> String {
    let Some(first) = alerts.first() else { return String::new() };
    let more = match alerts.len() - 1 {
        0 => String::new(),
        more => format!(", and {more} more"),
    };
    let title: String = title(first).chars().take(SUBJECT_MAX).collect();
    format!("[Flowdeck] {title}{more}")
}

pub(crate) fn body(alerts: &[Alert], pages: Option<&str>) -> String {
    let mut text: Vec<String> = alerts.iter().take(ALERTS).map(|alert| paragraph(alert, pages)).collect();
    if alerts.len() > ALERTS {
        text.push(format!("and {} more\n", alerts.len() - ALERTS));
    }
    text.extend(pages.map(|pages| format!("All groups: {pages}\n")));
    text.join("\n")
}

/// `Critical: payments on eu: Stalled`
fn title(alert: &Alert) -> String {
    let begin = match (alert.ended, alert.level) {
        (Some(_), _) => "Over",
        (None, Level::Critical) => "Critical",
        (None, _) => "Warning",
    };
    format!("{begin}: {}", alert.summary())
}

fn paragraph(alert: &Alert, pages: Option<&str>) -> String {
    let mut text = format!("{}\n", title(alert));
    match alert.ended {
        Some(ended) => {
            let _ = writeln!(text, "It ended after {}.", shown::span(ended.since(alert.since)));
        }
        None => {
            if let Some(evidence) = &alert.evidence {
                let _ = writeln!(text, "{}", shown::text(evidence));
            }
            let _ = writeln!(text, "Since {} UTC", alert.second());
        }
    }
    if let Some(pages) = pages {
        let _ = writeln!(text, "{pages}{}", alert.path());
    }
    if let Some(runbook) = alert.labels.runbook.as_ref().filter(|_| alert.ended.is_none()) {
        let _ = writeln!(text, "Runbook: {}", shown::text(runbook));
    }
    text
}

#[cfg(test)]
mod tests {
    use flowdeck_model::view::GroupLabels;

    use super::*;
    use crate::alert::What;
    use crate::format::tests;

    fn alert(group: &str) -> Alert {
        let runbook = Some("https://wiki.example/a".to_owned());
        let labels = GroupLabels { runbook, ..GroupLabels::default() };
        Alert { what: What::NotRead, labels, ..tests::alert(group) }
    }

    #[test]
    fn an_alert_says_what_where_why_and_since_when() {
        let label = What::NotRead.label();
        let over = Alert { ended: Some("2026-11-21T14:20:00Z".parse().unwrap()), ..alert("payments") };
        assert_eq!(
            body(&[alert("payments"), over], Some("https://ops.example/kafkaflow")),
            format!(
                "Critical: payments on eu: {label}\nno commit moves for 3 min\nSince 2026-11-21 14:08:57 UTC\n\
                 https://ops.example/kafkaflow/c/eu/groups/payments\nRunbook: https://wiki.example/a\n\n\
                 Over: payments on eu: {label}\nIt ended after 11 min 2 s.\n\
                 https://ops.example/kafkaflow/c/eu/groups/payments\n\nAll groups: https://ops.example/kafkaflow\n"
            )
        );
    }

    #[test]
    fn a_subject_is_one_line_and_not_long() {
        let hostile = alert(&format!("a\r\nBcc: all@example.org{}", "x".repeat(500)));
        let subject = subject(&[hostile, alert("b")]);
        assert!(subject.lines().count() == 1 && subject.chars().count() < 200, "{subject}");
        assert!(subject.ends_with(", and 1 more"), "{subject}");
    }

    #[test]
    fn a_storm_is_one_message_of_some_alerts() {
        let many: Vec<_> = (0..500).map(|n| alert(&format!("g{n}"))).collect();
        let text = body(&many, None);
        assert_eq!(text.matches("Critical: ").count(), ALERTS);
        assert!(text.ends_with("and 450 more\n"), "{text}");
    }
}
