//! What Alertmanager posts to a webhook, version 4.
//! <https://prometheus.io/docs/alerting/latest/configuration/#webhook_config>

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::alert::Alert;

/// Of one that goes on.
const NO_END: &str = "0001-01-01T00:00:00Z";

/// `alerts` are of one group, or of a cluster as a whole.
pub(super) fn body(receiver: &str, alerts: &[Alert], pages: Option<&str>) -> Value {
    let common = alerts.iter().map(Alert::all_labels).reduce(|mut common, one| {
        common.retain(|name, value| one.get(name) == Some(value));
        common
    });
    let common = common.unwrap_or_default();
    let group: BTreeMap<_, _> =
        ["cluster", "group"].into_iter().filter_map(|name| Some((name, *common.get(name)?))).collect();
    let fires = alerts.iter().any(|alert| alert.ended.is_none());
    json!({
        "version": "4",
        "groupKey": format!("flowdeck/{receiver}:{}", json!(group)),
        "truncatedAlerts": 0,
        "status": if fires { "firing" } else { "resolved" },
        "receiver": receiver,
        "groupLabels": group,
        "commonLabels": common,
        "commonAnnotations": {},
        "externalURL": pages.unwrap_or_default(),
        "alerts": alerts.iter().map(|alert| one(alert, pages)).collect::<Vec<_>>(),
    })
}

fn one(alert: &Alert, pages: Option<&str>) -> Value {
    let mut annotations = Map::new();
    annotations.insert("summary".to_owned(), alert.summary().into());
    if let Some(evidence) = &alert.evidence {
        annotations.insert("description".to_owned(), evidence.as_str().into());
    }
    if let Some(runbook) = &alert.labels.runbook {
        annotations.insert("runbook_url".to_owned(), runbook.as_str().into());
    }
    json!({
        "status": if alert.ended.is_some() { "resolved" } else { "firing" },
        "labels": alert.all_labels(),
        "annotations": annotations,
        "startsAt": alert.since,
        "endsAt": alert.ended.map_or_else(|| NO_END.to_owned(), |at| at.to_string()),
        "generatorURL": pages.map(|pages| format!("{pages}{}", alert.path())).unwrap_or_default(),
        "fingerprint": alert.fingerprint(),
    })
}

#[cfg(test)]
mod tests {
    use flowdeck_model::view::GroupLabels;
    use flowdeck_model::{Level, Timestamp, Verdict};

    use super::*;
    use crate::alert::What;

    #[test]
    fn body_is_that_of_version_4() {
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        let alert = Alert {
            cluster: "eu".parse().unwrap(),
            group: Some("pay/ments".into()),
            what: What::Verdict(Verdict::Stalled),
            level: Level::Critical,
            since: at("2026-11-21T14:08:57.123Z"),
            evidence: Some("no commit moves for 3 min".to_owned()),
            labels: GroupLabels {
                values: [("team", "payments"), ("severity", "mine")]
                    .map(|(a, b)| (a.to_owned(), b.to_owned()))
                    .into(),
                runbook: Some("https://wiki.example/payments".to_owned()),
            },
            ended: None,
        };
        let over = Alert {
            what: What::Verdict(Verdict::Behind),
            level: Level::Warning,
            evidence: None,
            ended: Some(at("2026-11-21T14:20:00Z")),
            ..alert.clone()
        };
        let body = body("on-call", &[alert, over], Some("https://ops.example/kafkaflow"));
        assert_eq!(
            body,
            json!({
                "version": "4",
                "groupKey": r#"flowdeck/on-call:{"cluster":"eu","group":"pay/ments"}"#,
                "truncatedAlerts": 0,
                "status": "firing",
                "receiver": "on-call",
                "groupLabels": { "cluster": "eu", "group": "pay/ments" },
                "commonLabels": { "cluster": "eu", "group": "pay/ments", "team": "payments" },
                "commonAnnotations": {},
                "externalURL": "https://ops.example/kafkaflow",
                "alerts": [
                    {
                        "status": "firing",
                        "labels": {
                            "alertname": "Stalled",
                            "severity": "critical",
                            "verdict": "stalled",
                            "cluster": "eu",
                            "group": "pay/ments",
                            "team": "payments",
                        },
                        "annotations": {
                            "summary": "pay/ments on eu: Stalled",
                            "description": "no commit moves for 3 min",
                            "runbook_url": "https://wiki.example/payments",
                        },
                        "startsAt": "2026-11-21T14:08:57.123Z",
                        "endsAt": "0001-01-01T00:00:00Z",
                        "generatorURL": "https://ops.example/kafkaflow/c/eu/groups/~cGF5L21lbnRz",
                        "fingerprint": body["alerts"][0]["fingerprint"],
                    },
                    {
                        "status": "resolved",
                        "labels": {
                            "alertname": "Behind",
                            "severity": "warning",
                            "verdict": "behind",
                            "cluster": "eu",
                            "group": "pay/ments",
                            "team": "payments",
                        },
                        "annotations": {
                            "summary": "pay/ments on eu: Behind",
                            "runbook_url": "https://wiki.example/payments",
                        },
                        "startsAt": "2026-11-21T14:08:57.123Z",
                        "endsAt": "2026-11-21T14:20:00.000Z",
                        "generatorURL": "https://ops.example/kafkaflow/c/eu/groups/~cGF5L21lbnRz",
                        "fingerprint": body["alerts"][1]["fingerprint"],
                    },
                ],
            })
        );
        assert_ne!(body["alerts"][0]["fingerprint"], body["alerts"][1]["fingerprint"]);
        assert_eq!(body["alerts"][0]["fingerprint"].as_str().unwrap().len(), 16);
    }
}
