//! From what is known of the clusters to the alerts of `flowdeck-alerts`, and back to metrics and `/health`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use flowdeck_alerts::{Alerts, ClusterLook, Found, INTERVAL, Look};
use flowdeck_model::verdict::Finding;
use flowdeck_model::{ClusterName, GroupId, Level, Timestamp, Verdict};
use flowdeck_observe::labels_of;
use tokio_util::sync::CancellationToken;

use crate::clock::now;
use crate::config::{self, Config};
use crate::work::{ClusterStatus, Number, Work};

/// Starts telling the configured receivers. Inside a runtime.
pub fn start(config: &Config, work: Arc<dyn Work>, shutdown: CancellationToken) -> Alerts {
    let started = now();
    let labels = config::pairs_of_labels(&config.labels);
    Alerts::start(
        config.alerts.clone(),
        move || look(&*work, started),
        Arc::new(move |group: &GroupId| labels_of(&labels, group)),
        pages(config),
        INTERVAL,
        shutdown,
    )
}

/// Where browsers find the pages, if that is known.
pub fn pages(config: &Config) -> Option<String> {
    Some(format!("{}{}", config.public_url.as_ref()?.origin(), config.base.as_str()))
}

fn look(work: &dyn Work, started: Timestamp) -> Look {
    let mut found: BTreeMap<ClusterName, Vec<Found>> = BTreeMap::new();
    let mut unknown: BTreeMap<ClusterName, BTreeSet<GroupId>> = BTreeMap::new();
    work.figures().groups(&mut |group| {
        // Alone: it could not be read, or not of late.
        if let [Finding { verdict: Verdict::Unknown, .. }] = group.findings {
            unknown.entry(group.cluster.clone()).or_default().insert(group.group.clone());
        }
        let urgent = group.findings.iter().filter(|one| group.counted && one.level >= Level::Warning);
        for finding in urgent {
            found.entry(group.cluster.clone()).or_default().push(Found {
                group: group.group.clone(),
                verdict: finding.verdict,
                level: finding.level,
                since: finding.since,
                evidence: finding.evidence.clone(),
            });
        }
    });
    let clusters =
        work.clusters().into_iter().map(|ClusterStatus { cluster, read_at, another_leads }| ClusterLook {
            found: found.remove(&cluster).unwrap_or_default(),
            unknown: unknown.remove(&cluster).unwrap_or_default(),
            name: cluster,
            read_at: read_at.unwrap_or(started),
            another_tells: another_leads,
        });
    Look { now: now(), clusters: clusters.collect() }
}

/// For `/metrics`.
pub(crate) fn numbers(alerts: &Alerts) -> Vec<Number> {
    let all = alerts.statuses().iter().flat_map(|status| {
        let figures = status.figures();
        let labels = |more: Option<&'static str>| {
            let outcome = more.map(|outcome| ("outcome", outcome.to_owned()));
            std::iter::once(("receiver", status.receiver.clone())).chain(outcome).collect::<Vec<_>>()
        };
        let gauge = |name, help, value: u64| Number {
            name,
            help,
            counter: false,
            labels: labels(None),
            value: value as f64,
        };
        let messages = |outcome, value: u64| Number {
            name: "alert_messages",
            help: "Messages of alerts, by what became of them",
            counter: true,
            labels: labels(Some(outcome)),
            value: value as f64,
        };
        [
            gauge("alerts_firing", "Alerts that apply, of a receiver", figures.firing),
            gauge("alerts_left_out", "Findings beyond the alerts that are followed", figures.left_out),
            messages("sent", figures.sent),
            messages("failed", figures.failed),
        ]
    });
    all.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_need_a_public_url() {
        assert_eq!(pages(&Config::default()), None);
    }
}
