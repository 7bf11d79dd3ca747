//! What the agents of a group report of themselves.

use std::sync::Arc;
use std::time::Duration;

use flowdeck_model::shown;
use flowdeck_model::view::{AgentReport, AgentView, AgentsView, CircuitBreakerView, CircuitState};
use flowdeck_model::{Timestamp, Version};

use super::claims::is_lost;
use crate::sampling::sample::GroupData;
use crate::snapshot::ClusterSnapshot;
use crate::telemetry::InstanceTelemetry;
use crate::telemetry::trust::confirmed;

/// A handler that runs for so long is spoken of.
const LONG: Duration = Duration::from_secs(30);
/// In place of what a handler said, which may repeat the record: for who may not read payloads.
const NO_PAYLOADS: &str = "not shown: it needs the permission to read payloads";

/// `payloads`: whether the actor may read records.
pub(super) fn view(
    version: Version,
    cluster: &ClusterSnapshot,
    group: &GroupData,
    payloads: bool,
    now: Timestamp,
) -> AgentsView {
    let consumers = cluster.telemetry.group(&group.id).into_iter().flat_map(|all| &all.consumers);
    let agents = consumers.flat_map(|consumer| {
        let there = consumer.instances.iter().filter(|one| !one.superseded);
        there.filter_map(|instance| {
            let report = instance.report.as_ref()?;
            Some(AgentView {
                consumer: consumer.name.clone(),
                instance: instance.instance.clone(),
                incarnation: instance.incarnation,
                confirmed: confirmed(group.listed(), instance, cluster.made_at),
                lost: is_lost(cluster, instance.last_heard),
                heard: report.heard,
                report: if payloads { AgentReport::clone(&report.of) } else { without_texts(&report.of) },
            })
        })
    });
    AgentsView {
        version,
        now,
        cluster_info: cluster.view.clone(),
        group: group.id.clone(),
        agents: agents.collect(),
    }
}

fn without_texts(report: &Arc<AgentReport>) -> AgentReport {
    let mut report = AgentReport::clone(report);
    for failure in &mut report.errors {
        NO_PAYLOADS.clone_into(&mut failure.error);
    }
    if let Some(error) = report.circuit_breaker.as_mut().and_then(|breaker| breaker.error.as_mut()) {
        NO_PAYLOADS.clone_into(error);
    }
    report
}

/// What of it is said beside the instance.
pub(super) fn notes(instance: &InstanceTelemetry) -> impl Iterator<Item = String> + use<> {
    let report = instance.report.as_ref().map(|report| &report.of);
    let breaker = report.and_then(|report| breaker(report.circuit_breaker.as_ref()?));
    [breaker, report.and_then(|report| long(report))].into_iter().flatten()
}

fn breaker(breaker: &CircuitBreakerView) -> Option<String> {
    let state = match breaker.state {
        CircuitState::Closed => return None,
        CircuitState::Open => "open: no record is handled",
        CircuitState::HalfOpen => "half-open: one record at a time is tried",
    };
    Some(format!("circuit breaker {state}, since {}", breaker.since))
}

fn long(report: &AgentReport) -> Option<String> {
    let longest = report.running.first().filter(|one| report.at.since(one.since) >= LONG)?;
    let place =
        format!("{}[{}] offset {}", shown::name(longest.topic.as_str()), longest.partition, longest.offset);
    Some(format!("a handler is in flight since {}: {place}", longest.since))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_that_may_repeat_a_record_need_the_right_to_read_records() {
        let report: AgentReport = serde_json::from_value(serde_json::json!({
            "at": "2026-11-29T12:00:00Z",
            "errors": [{
                "at": "2026-11-29T11:59:00Z", "topic": "t", "partition": 1, "offset": 6, "attempt": 3,
                "error": "no price in {card: 4711}",
            }],
            "circuitBreaker": { "state": "open", "since": "2026-11-29T11:59:30Z", "error": "{card: 4711}" },
        }))
        .unwrap();
        let shown = without_texts(&Arc::new(report));
        let json = serde_json::to_string(&shown).unwrap();
        assert!(!json.contains("4711") && json.matches(NO_PAYLOADS).count() == 2, "{json}");
        assert_eq!((shown.errors[0].offset, shown.errors[0].attempt), (6, 3));
    }
}
