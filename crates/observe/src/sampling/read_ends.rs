//! Where the logs that groups read end: one past the last record, and for readers of committed records the last stable
//! offset.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;

use flowdeck_kafka::{Cause, ListedGroup, OffsetSpec, Topic};
use flowdeck_model::{GroupId, Partition, Unknown};

use super::sample::{Ends, LogRow, Sample, TopicRows};
use super::sampler::{Commits, Sampler};
use crate::clock;

/// The ends that this refresh read.
pub(super) struct ReadTo {
    pub(super) all: Arc<Ends>,
    pub(super) stable: Arc<Ends>,
    /// Groups whose agents tell that they read committed records only.
    pub(super) readers: Arc<HashSet<GroupId>>,
}

impl ReadTo {
    /// A group that committed beyond the last stable offset reads uncommitted records, whatever is configured.
    pub(super) fn of(&self, reads_committed: bool, rows: &[TopicRows]) -> Arc<Ends> {
        let stops = reads_committed && !self.stable.are_passed(rows);
        Arc::clone(if stops { &self.stable } else { &self.all })
    }
}

impl Sampler {
    /// One batch over all partitions of all topics that a group reads, after the commits.
    pub(super) async fn read_ends(
        &self,
        listed: &[ListedGroup],
        read: &[Commits],
        old: &Sample,
    ) -> Result<Ends, String> {
        let mut wanted: BTreeMap<Topic, Vec<Partition>> = BTreeMap::new();
        for rows in listed.iter().zip(read).filter_map(|(group, read)| read.newest(&group.id, old)).flatten()
        {
            if wanted.contains_key(&rows.topic) {
                continue;
            }
            match (self.partitions_of(&rows.topic), &self.metadata) {
                (Some((topic, partitions)), _) => drop(wanted.insert(topic, partitions)),
                // Not in the full list: it is gone, so there is nothing to ask for.
                (None, Some(_)) => {}
                (None, None) => {
                    let partitions = rows.rows.iter().map(|row| row.partition).collect();
                    wanted.insert(Arc::clone(&rows.topic), partitions);
                }
            }
        }
        let asked: Vec<(Topic, Partition)> = wanted
            .into_iter()
            .flat_map(|(topic, all)| all.into_iter().map(move |one| (Arc::clone(&topic), one)))
            .collect();
        if asked.is_empty() {
            return Ok(Ends::default());
        }
        let read_at = clock::now();
        let deadline = self.deadline();
        let (ends, starts) = tokio::join!(
            self.cluster.offsets(&asked, OffsetSpec::Latest, deadline),
            self.cluster.offsets(&asked, OffsetSpec::Earliest, deadline)
        );
        if let Some(Err(cause)) = ends.first()
            && cause.may_pass()
            && ends.iter().all(Result::is_err)
        {
            return Err(format!("could not read log offsets: {cause}"));
        }
        let rows = asked.into_iter().zip(ends).zip(starts).map(|(((topic, partition), end), start)| {
            let not_permitted =
                [&end, &start].into_iter().any(|one| matches!(one, Err(Cause::NotPermitted(_))));
            let refused = not_permitted.then_some(Unknown::NotPermitted);
            (topic, LogRow::new(partition, refused, start.ok(), end.ok()))
        });
        Ok(Ends::new(rows, &old.ends, read_at))
    }

    pub(super) fn reads_committed(&self, readers: &HashSet<GroupId>, group: &GroupId) -> bool {
        readers.contains(group) || self.settings.reads_committed(group)
    }

    /// Of what groups read that are readers of committed records. What is not answered has no end.
    pub(super) async fn read_stable_ends(
        &self,
        listed: &[ListedGroup],
        read: &[Commits],
        (ends, readers): (&Ends, &HashSet<GroupId>),
        old: &Sample,
    ) -> Ends {
        let of_readers =
            listed.iter().zip(read).filter(|(group, _)| self.reads_committed(readers, &group.id));
        let topics: BTreeSet<&Topic> = of_readers
            .filter_map(|(group, read)| read.newest(&group.id, old))
            .flatten()
            .map(|rows| &rows.topic)
            .collect();
        let known: Vec<(Topic, &LogRow)> = topics
            .into_iter()
            .filter_map(|topic| Some((topic, ends.topic(topic)?)))
            .flat_map(|(topic, logs)| logs.iter().map(|log| (Topic::clone(topic), log)))
            .collect();
        let asked: Vec<(Topic, Partition)> =
            known.iter().map(|(topic, log)| (Topic::clone(topic), log.partition)).collect();
        let read_at = clock::now();
        let stable = self.cluster.offsets(&asked, OffsetSpec::LatestCommitted, self.deadline()).await;
        let rows = known.into_iter().zip(stable).map(|((topic, log), stable)| {
            (topic, LogRow::new(log.partition, log.refused, log.start, stable.ok()))
        });
        Ends::last_stable(rows, &old.stable_ends, read_at)
    }
}
