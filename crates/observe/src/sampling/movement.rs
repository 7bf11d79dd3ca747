//! What came to a group's partitions and what it committed, from one reading to the next. Pure.

use std::collections::HashSet;
use std::time::Duration;

use flowdeck_kafka::Topic;
use flowdeck_model::{Partition, Timestamp, TopicName};

use super::sample::{CommitRow, Ends, GroupData, LogRow, Mark, TopicRows};

/// A commit that went back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Back {
    pub(super) topic: Topic,
    pub(super) partition: Partition,
    pub(super) from: i64,
    pub(super) to: i64,
}

/// Records, as offsets tell: a compacted or transactional log counts what is no record too.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Movement {
    pub(super) written: u64,
    /// What is committed again after a rewind counts again; a commit that goes back counts nothing.
    pub(super) committed: u64,
    /// A commit moved, whichever way.
    pub(super) commits: bool,
    /// The one that went back furthest, and how many did.
    pub(super) back: Option<Back>,
    pub(super) backs: u32,
    /// The longest that records waited for a commit that moved on.
    pub(super) gap: Option<Duration>,
}

/// Only what can be compared counts: partitions that both readings have, of the same log.
pub(super) fn between(
    former: &GroupData,
    rows: &[TopicRows],
    ends: &Ends,
    recreated: &HashSet<TopicName>,
    now: Timestamp,
) -> Movement {
    let mut all = Movement::default();
    for topic in rows.iter().filter(|topic| !recreated.contains(topic.topic.as_ref())) {
        let Ok(at) = former.rows.binary_search_by(|before| before.topic.cmp(&topic.topic)) else { continue };
        let before = &former.rows[at];
        let (log, log_before) = (ends.topic(&topic.topic), former.ends.topic(&topic.topic));
        for row in &topic.rows {
            if !matches!(row.mark, Mark::Fine | Mark::CommitGone) {
                continue;
            }
            let log = log.and_then(|log| log.partition(row.partition));
            let log_before = log_before.and_then(|log| log.partition(row.partition));
            if ends.are_stable == former.ends.are_stable {
                all.written = all.written.saturating_add(written(log, log_before));
            }
            if let Some(before) = before.partition(row.partition) {
                all.commit(&topic.topic, *row, *before);
                if row.offset > before.offset && before.offset >= 0 {
                    all.waited(former, log_before, *before, now);
                }
            }
        }
    }
    all
}

impl Movement {
    fn commit(&mut self, topic: &Topic, row: CommitRow, before: CommitRow) {
        if row.offset == before.offset || row.offset < 0 {
            return;
        }
        self.commits = true;
        // A first commit tells not from where on was read.
        if before.offset < 0 || before.mark != Mark::Fine {
            return;
        }
        let more = row.offset.saturating_sub(before.offset);
        self.committed = self.committed.saturating_add(u64::try_from(more).unwrap_or_default());
        if more < 0 {
            self.backs += 1;
            if self.back.as_ref().is_none_or(|back| more < back.to.saturating_sub(back.from)) {
                let (from, to) = (before.offset, row.offset);
                self.back = Some(Back { topic: Topic::clone(topic), partition: row.partition, from, to });
            }
        }
    }

    /// Since the commit before, or since the first record that waited for this one came.
    fn waited(&mut self, former: &GroupData, log: Option<&LogRow>, before: CommitRow, now: Timestamp) {
        let Some(waits_since) = former.waits_since(log, before) else { return };
        self.gap = self.gap.max(Some(now.since(waits_since)));
    }
}

fn written(log: Option<&LogRow>, before: Option<&LogRow>) -> u64 {
    let end = |log: Option<&LogRow>| log.and_then(|log| log.end);
    match (end(log), end(before)) {
        (Some(end), Some(before)) => u64::try_from(end.saturating_sub(before)).unwrap_or_default(),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sampling::merge::{self, Commit};
    use std::sync::Arc;

    fn topic(name: &str) -> Topic {
        Arc::new(name.parse().unwrap())
    }

    fn partition(n: usize) -> Partition {
        Partition::new(n as i32).unwrap()
    }

    /// Topic `t`, each partition with its commit and its end; -1 where there is none.
    fn group(partitions: &[(i64, i64)]) -> GroupData {
        let commits = partitions.iter().enumerate().map(|(n, (committed, _))| Commit {
            topic: topic("t"),
            partition: partition(n),
            offset: (*committed >= 0).then_some(*committed),
            mark: Mark::Fine,
        });
        let ends = partitions.iter().enumerate().map(|(n, (_, end))| {
            (topic("t"), LogRow::new(partition(n), None, Some(0), (*end >= 0).then_some(*end)))
        });
        GroupData {
            rows: merge::compact(commits.collect()).into(),
            ends: Arc::new(Ends::new(ends, &Ends::default(), Timestamp::from_millis(1_000))),
            watched_since: Some(Timestamp::from_millis(1_000)),
            ..GroupData::test("g")
        }
    }

    fn moved(was: &[(i64, i64)], is: &[(i64, i64)]) -> (u64, u64, bool) {
        let (was, is) = (group(was), group(is));
        let all = between(&was, &is.rows, &is.ends, &HashSet::new(), Timestamp::from_millis(9_000));
        (all.written, all.committed, all.commits)
    }

    #[test]
    fn only_what_can_be_compared_counts() {
        for (what, was, is, want) in [
            ("nothing moved", &[(5, 9)][..], &[(5, 9)][..], (0, 0, false)),
            ("in and out", &[(5, 9), (1, 1)], &[(7, 10), (3, 5)], (5, 4, true)),
            ("a commit went back", &[(5, 9)], &[(2, 9)], (0, 0, true)),
            ("one back, one on", &[(5, 9), (5, 9)], &[(2, 9), (9, 9)], (0, 4, true)),
            ("a first commit", &[(-1, 9)], &[(9, 9)], (0, 0, true)),
            ("a commit that is gone", &[(5, 9)], &[(-1, 9)], (0, 0, false)),
            ("a partition was added", &[(5, 9)], &[(5, 9), (70, 100)], (0, 0, false)),
            ("the end is not known", &[(5, 9)], &[(6, -1)], (0, 1, true)),
            ("the log became shorter", &[(5, 9)], &[(5, 3)], (0, 0, false)),
        ] {
            assert_eq!(moved(was, is), want, "{what}");
        }
    }

    #[test]
    fn the_commit_that_went_back_furthest_is_told() {
        let (was, is) = (group(&[(5, 9), (8, 9), (3, 9)]), group(&[(4, 9), (2, 9), (4, 9)]));
        let all = between(&was, &is.rows, &is.ends, &HashSet::new(), Timestamp::from_millis(9_000));
        let back = all.back.unwrap();
        assert_eq!((back.partition, back.from, back.to, all.backs), (partition(1), 8, 2, 2));
        // The record at offset 3 was there at the first reading, 8 s before.
        assert_eq!(all.gap, Some(Duration::from_secs(8)));
    }

    #[test]
    fn a_topic_that_was_created_anew_counts_from_its_next_reading() {
        let (was, is) = (group(&[(5, 9)]), group(&[(8, 90)]));
        let recreated = HashSet::from(["t".parse().unwrap()]);
        assert_eq!(
            between(&was, &is.rows, &is.ends, &recreated, Timestamp::from_millis(9_000)),
            Movement::default()
        );
    }
}
