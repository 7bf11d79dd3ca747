//! What must hold of all that was told.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use flowdeck_testkit::Read;

use super::STEADY;
use super::process::{Change, Event, What};

/// So long after a process came or went the group may move partitions, in nanoseconds.
const REBALANCE: u64 = 10_000_000_000;

/// What was written: values as `key:number:kind`.
#[derive(Debug, Default)]
pub(super) struct Plan {
    values: Vec<String>,
    /// How many of each key.
    of_key: BTreeMap<usize, u64>,
}

impl Plan {
    pub(super) fn add(&mut self, key: usize, kind: &str) -> (String, String) {
        let number = self.of_key.entry(key).or_default();
        let value = format!("{key}:{number}:{kind}");
        *number += 1;
        self.values.push(value.clone());
        (key.to_string(), value)
    }
}

fn parts(value: &str) -> (usize, u64, &str) {
    let mut parts = value.splitn(3, ':');
    let mut next = || parts.next().unwrap_or_default();
    (next().parse().unwrap_or(usize::MAX), next().parse().unwrap_or(0), next())
}

fn is_dead(value: &str) -> bool {
    matches!(parts(value).2, "never" | "broken")
}

/// By way of a retry topic.
fn is_retried(value: &str) -> bool {
    parts(value).2 == "later"
}

/// Records that neither were handled nor are dead letters as they should be.
pub(super) fn left(plan: &Plan, events: &[Event], letters: &[Read]) -> usize {
    let handled: BTreeSet<&str> =
        events.iter().filter(|event| event.what == What::Ok).map(|event| event.value.as_str()).collect();
    let dead: BTreeSet<&[u8]> = letters.iter().filter_map(|letter| letter.value.as_deref()).collect();
    let wrong = dead.iter().filter(|value| !std::str::from_utf8(value).is_ok_and(is_dead)).count();
    assert_eq!(wrong, 0, "dead letters of records that can be handled");
    let done = |value: &&String| match is_dead(value) {
        true => dead.contains(value.as_bytes()),
        false => handled.contains(value.as_str()),
    };
    plan.values.len() - plan.values.iter().filter(done).count()
}

#[derive(Debug, Default)]
pub(super) struct Found {
    records: usize,
    lost: usize,
    out_of_order: Vec<String>,
    under_a_pause: Vec<String>,
    pauses: usize,
    kills: usize,
    after_kills: usize,
    after_rebalances: usize,
    unexplained: Vec<String>,
}

impl Found {
    pub(super) fn is_well(&self) -> bool {
        self.lost == 0
            && self.out_of_order.is_empty()
            && self.under_a_pause.is_empty()
            && self.unexplained.is_empty()
    }
}

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} records, {} kills, {} pauses; lost {}; out of order {:?}; begun under a pause {:?}; handled again: {} \
             after kills, {} after rebalances, without a reason {:?}",
            self.records,
            self.kills,
            self.pauses,
            self.lost,
            self.out_of_order,
            self.under_a_pause,
            self.after_kills,
            self.after_rebalances,
            self.unexplained
        )
    }
}

pub(super) fn check(plan: &Plan, events: &[Event], changes: &[Change], pauses: &[(u64, u64)]) -> Found {
    let mut events: Vec<&Event> = events.iter().collect();
    events.sort_by_key(|event| event.at);
    let mut first_ok: BTreeMap<&str, &Event> = BTreeMap::new();
    let mut begun: BTreeMap<&str, Vec<&Event>> = BTreeMap::new();
    let mut found = Found {
        records: plan.values.len(),
        pauses: pauses.len(),
        kills: changes.iter().filter(|change| change.killed.is_some()).count(),
        ..Found::default()
    };
    for event in events {
        let value = event.value.as_str();
        match event.what {
            What::Begin => {
                if let Some(done) = first_ok.get(value) {
                    // Its copy in the retry topic may be handled long before the partition that it came from moves.
                    let mut before = vec![*done];
                    before.extend(begun.get(value).into_iter().flatten().filter(|_| is_retried(value)));
                    found.again(&before, event, changes);
                }
                begun.entry(value).or_default().push(event);
                if pauses.iter().any(|(from, to)| (*from..*to).contains(&event.at)) {
                    found.under_a_pause.push(value.to_owned());
                }
                let (key, number, _) = parts(value);
                let before = number.checked_sub(1).filter(|_| key < STEADY);
                // Where each begins after the one before it, each begins after all before it.
                let missing = before.is_some_and(|before| {
                    let prefix = format!("{key}:{before}:");
                    !first_ok
                        .range(prefix.as_str()..)
                        .next()
                        .is_some_and(|(value, _)| value.starts_with(&prefix))
                });
                if missing {
                    found.out_of_order.push(value.to_owned());
                }
            }
            What::Ok => {
                first_ok.entry(value).or_insert(event);
            }
            What::Failed => {}
        }
    }
    let lost = |value: &&String| !is_dead(value) && !first_ok.contains_key(value.as_str());
    found.lost = plan.values.iter().filter(lost).count();
    found
}

impl Found {
    /// `before`: when it was first done with, and what else may not have been committed.
    fn again(&mut self, before: &[&Event], again: &Event, changes: &[Change]) {
        let killed = |change: &Change| {
            before.iter().any(|event| change.killed == Some(event.process) && change.at >= event.at)
        };
        let done = before[0];
        let until = changes.iter().filter(|change| change.at <= again.at);
        if until.clone().any(killed) {
            self.after_kills += 1;
        } else if until.clone().any(|change| change.at + REBALANCE >= done.at) {
            self.after_rebalances += 1;
        } else {
            self.unexplained.push(again.value.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    fn event(process: usize, what: What, at: u64, value: &str) -> Event {
        Event { process, what, at: at * SECOND, value: value.to_owned() }
    }

    fn plan(value: &str) -> Plan {
        Plan { values: vec![value.to_owned()], of_key: BTreeMap::new() }
    }

    /// With `group.protocol=consumer` a killed member's partitions move after 45 s.
    #[test]
    fn copy_in_the_retry_topic_done_long_before_the_record_comes_again_is_no_fault() {
        let value = "15:120:later";
        let events = [
            event(0, What::Begin, 1, value),
            event(0, What::Failed, 1, value),
            event(1, What::Begin, 46, value),
            event(1, What::Ok, 46, value),
            event(1, What::Begin, 47, value),
        ];
        let found = |killed| check(&plan(value), &events, &[Change { at: 2 * SECOND, killed }], &[]);
        assert_eq!((found(Some(0)).after_kills, found(Some(0)).is_well()), (1, true));
        assert!(!found(Some(2)).is_well());
    }

    #[test]
    fn record_done_by_a_process_that_lives_is_not_handled_again() {
        let value = "1:0:fast";
        let events = [
            event(0, What::Begin, 1, value),
            event(1, What::Begin, 46, value),
            event(1, What::Ok, 46, value),
            event(1, What::Begin, 60, value),
        ];
        let found = check(&plan(value), &events, &[Change { at: 2 * SECOND, killed: Some(0) }], &[]);
        assert_eq!(found.unexplained, [value]);
    }
}
