//! A pause that is not obeyed, in words: the headline of its group.

use flowdeck_model::verdict::NotObeyed;
use flowdeck_model::{Partition, Timestamp, TopicName, shown};

use crate::stats::NotObeyedNumbers;
use crate::telemetry::InstanceId;

/// Who does not obey, for views.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NotObeying {
    pub breaches: Vec<Breach>,
    /// How often the pause was sent again since.
    pub sent_again: u32,
    pub rebalancing: bool,
}

/// An instance that runs what is held.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Breach {
    pub by: InstanceId,
    pub agent: bool,
    pub since: Timestamp,
    pub partitions: u32,
    /// Partitions whose commits prove it, with one of them.
    pub flowing: u32,
    pub proof: Option<(TopicName, Partition, i64)>,
    /// A commit moved that may be what was drained.
    pub drains: bool,
}

/// Proven where a commit went beyond what could be drained under the pause; else telemetry alone says it.
pub(crate) fn judge(all: &NotObeying, now: Timestamp) -> NotObeyed {
    let proven = all.breaches.iter().any(|one| one.proof.is_some());
    let who = || all.breaches.iter().filter(|one| one.proof.is_some() == proven);
    let mut words = who().next().map(|first| instance(first, who().count(), now)).unwrap_or_default();
    let by_agent = who().all(|one| one.agent);
    if all.rebalancing {
        words.push_str("; it is sent again when the rebalance has ended");
    } else if all.sent_again > 0 && !by_agent {
        words.push_str(
            match all.sent_again {
                1 => "; sent again".to_owned(),
                n => format!("; sent again {} times", shown::exact(n.into())),
            }
            .as_str(),
        );
    }
    NotObeyed { proven, words }
}

/// For `/metrics`.
pub fn numbers<'a>(groups: impl Iterator<Item = &'a NotObeying>) -> NotObeyedNumbers {
    let mut numbers = NotObeyedNumbers::default();
    for all in groups {
        let flowing: u32 = all.breaches.iter().map(|one| one.flowing).sum();
        let running: u32 = all.breaches.iter().map(|one| one.partitions).sum();
        let group = if flowing > 0 { &mut numbers.by_commit } else { &mut numbers.by_telemetry };
        group.groups += 1;
        numbers.by_commit.partitions += u64::from(flowing);
        numbers.by_telemetry.partitions += u64::from(running.saturating_sub(flowing));
    }
    numbers
}

/// `all`: instances like this one.
fn instance(one: &Breach, all: usize, now: Timestamp) -> String {
    let name = one.by.instance.shown();
    let seconds = now.since(one.since).as_secs();
    let partitions = match one.partitions {
        1 => "1 partition".to_owned(),
        n => format!("{} partitions", shown::exact(n.into())),
    };
    let others = match all {
        0 | 1 => String::new(),
        2 => ", and so does 1 other instance".to_owned(),
        n => format!(", and so do {} other instances", shown::exact((n - 1) as u64)),
    };
    match &one.proof {
        Some((topic, partition, offset)) => format!(
            "{name} runs {partitions} for {seconds} s ({topic} partition {partition} committed {offset}){others}"
        ),
        None => {
            let commits = if one.drains { "no commit beyond what was buffered" } else { "nothing committed" };
            format!("{name} reports {partitions} running for {seconds} s, {commits}{others}")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::InstanceId;

    fn breach(name: &str, partitions: u32, proof: Option<i64>) -> Breach {
        let key = InstanceId { consumer: Some("audio".into()), instance: name.into(), incarnation: None };
        let partition = flowdeck_model::Partition::new(2).unwrap();
        Breach {
            by: key,
            agent: false,
            since: Timestamp::from_millis(0),
            partitions,
            flowing: u32::from(proof.is_some()),
            proof: proof.map(|offset| ("orders".parse().unwrap(), partition, offset)),
            drains: false,
        }
    }

    #[test]
    fn it_is_red_only_with_a_commit_and_says_who_runs_what() {
        let drains = Breach { drains: true, ..breach("vm-1", 1, None) };
        for (breaches, sent_again, rebalancing, proven, words) in [
            (
                vec![breach("vm-2", 3, None)],
                2,
                false,
                false,
                "vm-2 reports 3 partitions running for 12 s, nothing committed; sent again 2 times",
            ),
            (
                vec![breach("vm-2", 3, Some(612)), breach("vm-3", 1, None)],
                1,
                false,
                true,
                "vm-2 runs 3 partitions for 12 s (orders partition 2 committed 612); sent again",
            ),
            (
                vec![drains, breach("vm-2", 1, None)],
                0,
                true,
                false,
                "vm-1 reports 1 partition running for 12 s, no commit beyond what was buffered, and so does 1 other \
                 instance; it is sent again when the rebalance has ended",
            ),
        ] {
            let all = NotObeying { breaches, sent_again, rebalancing };
            let numbers = numbers([&all].into_iter());
            assert_eq!(
                (numbers.by_commit.groups, numbers.by_telemetry.groups),
                (proven.into(), (!proven).into())
            );
            let got = judge(&all, Timestamp::from_millis(12_300));
            assert_eq!((got.proven, got.words.as_str()), (proven, words));
        }
    }
}
