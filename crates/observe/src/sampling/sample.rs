//! What one refresh read, kept compact: commits per group and topic, log offsets once per cluster.
//! Unchanged parts are shared between refreshes.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use flowdeck_kafka::{Member, Metadata, Topic};
use flowdeck_model::verdict::{LagSum, sum};
use flowdeck_model::{
    GroupId, GroupState, GroupType, Partition, PartitionReading, Timestamp, TopicName, Unknown,
};

use crate::telemetry::trust::Listed;

/// All that is known of a cluster's groups and topics at one moment.
#[derive(Default)]
pub struct Sample {
    /// When the last complete refresh began to read commits.
    pub as_of: Option<Timestamp>,
    /// Why there is no newer one.
    pub error: Option<String>,
    /// Sorted by id.
    pub groups: Vec<Arc<GroupData>>,
    pub metadata: Option<Arc<Metadata>>,
    pub ends: Arc<Ends>,
    /// What is off or unknown for lack of rights.
    pub notes: Vec<String>,
    pub took: Duration,
}

impl Sample {
    pub fn group(&self, id: &GroupId) -> Option<&Arc<GroupData>> {
        let at = self.groups.binary_search_by(|group| group.id.cmp(id)).ok()?;
        self.groups.get(at)
    }
}

pub struct GroupData {
    pub id: GroupId,
    /// The id in lower case, for the search.
    pub lower: Box<str>,
    pub kind: GroupType,
    pub state: GroupState,
    /// `None`: not described yet, or not permitted.
    pub members: Option<Arc<[Member]>>,
    /// When the members were asked for.
    pub members_at: Option<Timestamp>,
    /// When they were first listed as they are.
    pub members_since: Option<Timestamp>,
    pub rows: Arc<[TopicRows]>,
    /// The log offsets that were read after these commits: a group whose refresh failed keeps the
    /// pair that belongs together.
    pub ends: Arc<Ends>,
    pub sum: LagSum,
    /// Of a group that reads nothing now: the topics that it read before and that were deleted.
    pub deleted_topics: Arc<[Topic]>,
    /// Its last lags, oldest first, as long as it has members and something waits.
    pub lags: Arc<[(Timestamp, u64)]>,
    /// Since when, at the latest, it is in a rebalance.
    pub rebalancing_since: Option<Timestamp>,
    /// Its members as they were listed before that.
    pub members_before: Option<Arc<[Member]>>,
    pub as_of: Option<Timestamp>,
    pub error: Option<GroupError>,
}

#[cfg(any(test, feature = "testing"))]
impl GroupData {
    /// A stable one without members and commits, of which nothing was read yet.
    pub fn test(id: &str) -> Self {
        Self {
            id: id.into(),
            lower: id.into(),
            kind: GroupType::Classic,
            state: GroupState::Stable,
            members: None,
            members_at: None,
            members_since: None,
            rows: Vec::new().into(),
            ends: Arc::default(),
            sum: LagSum::default(),
            deleted_topics: Arc::from([]),
            lags: Arc::from([]),
            rebalancing_since: None,
            members_before: None,
            as_of: None,
            error: None,
        }
    }
}

impl GroupData {
    pub fn listed(&self) -> Listed<'_> {
        Listed { members: self.members.as_deref(), at: self.members_at }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupError {
    pub words: String,
    pub not_permitted: bool,
}

/// One group's commits on one topic, sorted by partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicRows {
    pub topic: Topic,
    pub rows: Box<[CommitRow]>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CommitRow {
    pub partition: Partition,
    pub mark: Mark,
    /// Negative: none.
    pub offset: i64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Mark {
    #[default]
    Fine,
    NotPermitted,
    /// The topic's id changed and nothing was committed since.
    Recreated,
    /// The brokers know no such topic any more.
    TopicDeleted,
    /// The list of topics lacks it, and why is not known.
    TopicNotFound,
    /// The broker answered with an error for this partition.
    Failed,
}

impl CommitRow {
    pub fn committed(self) -> Option<i64> {
        (self.offset >= 0).then_some(self.offset)
    }

    fn refused(self) -> Option<Unknown> {
        match self.mark {
            Mark::Fine => None,
            Mark::NotPermitted => Some(Unknown::NotPermitted),
            Mark::Recreated => Some(Unknown::Recreated),
            Mark::TopicDeleted => Some(Unknown::TopicDeleted),
            Mark::TopicNotFound => Some(Unknown::TopicNotFound),
            Mark::Failed => Some(Unknown::Stale),
        }
    }
}

impl GroupData {
    /// Every partition with its reading. `stale`: the readings are too old to speak of now.
    pub fn readings(&self, stale: bool) -> impl Iterator<Item = (&Topic, Partition, PartitionReading)> {
        readings(&self.rows, &self.ends, stale)
    }

    pub fn partition_count(&self) -> u32 {
        let count: usize = self.rows.iter().map(|topic| topic.rows.len()).sum();
        u32::try_from(count).unwrap_or(u32::MAX)
    }

    pub fn reads(&self, topic: &TopicName) -> bool {
        self.rows.binary_search_by(|rows| rows.topic.as_ref().cmp(topic)).is_ok()
    }

    pub fn is_stale(&self, now: Timestamp, after: Duration) -> bool {
        self.as_of.is_some_and(|as_of| now.since(as_of) > after)
    }
}

pub fn readings<'a>(
    rows: &'a [TopicRows],
    ends: &'a Ends,
    stale: bool,
) -> impl Iterator<Item = (&'a Topic, Partition, PartitionReading)> {
    rows.iter().flat_map(move |topic| {
        let log = ends.topic(&topic.topic);
        topic.rows.iter().map(move |row| {
            let end = log.and_then(|log| log.partition(row.partition));
            let refused = row.refused().or_else(|| end.and_then(|end| end.refused));
            let reading = PartitionReading {
                start: end.and_then(|end| end.start),
                end: end.and_then(|end| end.end),
                committed: row.committed(),
                refused: refused.or(stale.then_some(Unknown::Stale)),
            };
            (&topic.topic, row.partition, reading)
        })
    })
}

pub fn sum_of(rows: &[TopicRows], ends: &Ends) -> LagSum {
    let all: Vec<PartitionReading> = readings(rows, ends, false).map(|(_, _, reading)| reading).collect();
    sum(&all)
}

/// Start and end of the logs that groups read.
#[derive(Default)]
pub struct Ends {
    topics: HashMap<Topic, LogRows>,
}

#[derive(Default)]
pub struct LogRows {
    /// Sorted by partition.
    rows: Box<[LogRow]>,
}

#[derive(Debug, Clone, Copy)]
pub struct LogRow {
    pub partition: Partition,
    pub refused: Option<Unknown>,
    pub start: Option<i64>,
    pub end: Option<i64>,
}

impl LogRows {
    pub fn partition(&self, partition: Partition) -> Option<&LogRow> {
        let at = self.rows.binary_search_by_key(&partition, |row| row.partition).ok()?;
        self.rows.get(at)
    }
}

impl Ends {
    pub fn new(rows: impl IntoIterator<Item = (Topic, LogRow)>) -> Self {
        let mut topics: HashMap<Topic, Vec<LogRow>> = HashMap::new();
        for (topic, row) in rows {
            topics.entry(topic).or_default().push(row);
        }
        let sorted = topics.into_iter().map(|(topic, mut rows)| {
            rows.sort_unstable_by_key(|row| row.partition);
            (topic, LogRows { rows: rows.into_boxed_slice() })
        });
        Self { topics: sorted.collect() }
    }

    pub fn topic(&self, topic: &TopicName) -> Option<&LogRows> {
        self.topics.get(topic)
    }
}
