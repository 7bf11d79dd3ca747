//! What one refresh read, kept compact: commits per group and topic, log offsets once per cluster.
//! Unchanged parts are shared between refreshes.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use flowdeck_kafka::{Member, Metadata, Topic};
use flowdeck_model::lag::Precision;
use flowdeck_model::lag::trace::{self, Point};
use flowdeck_model::rate::{Flow, Rate, Windows};
use flowdeck_model::verdict::{LagSum, Proof, sum};
use flowdeck_model::{
    GroupId, GroupState, GroupType, Lag, Partition, PartitionReading, TimeLag, Timestamp, TopicName, Unknown,
};

use super::details::Details;
use super::schedule::{AT_REST, at_rest};
use super::track::Track;
use super::verify::{Found, Proofs};
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
    /// When the metadata was read.
    pub metadata_at: Option<Timestamp>,
    /// Of brokers that have one.
    pub racks: Arc<BTreeMap<i32, String>>,
    pub ends: Arc<Ends>,
    /// Where readers of committed records stop, in topics of groups that are such readers.
    pub stable_ends: Arc<Ends>,
    /// What reads at committed offsets found.
    pub proofs: Arc<Proofs>,
    /// What is read of the groups that somebody looks at.
    pub details: Arc<Details>,
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
    /// Of the partition whose oldest waiting record is the oldest.
    pub time_lag: Option<TimeLag>,
    /// What came and what was committed since `watched_since`.
    pub flow: Flow,
    /// When a commit was seen to move last.
    pub last_commit: Option<Timestamp>,
    /// Its commits were read first.
    pub watched_since: Option<Timestamp>,
    /// What was seen from one refresh to the next.
    pub track: Track,
    /// The partitions of which records wait for a commit the longest, of a group with members; the longest first.
    pub waits: Arc<[Wait]>,
    /// The partition with most of the lag.
    pub hottest: Option<Hottest>,
    /// Of a group that reads nothing now: the topics that it read before and that were deleted.
    pub deleted_topics: Arc<[Topic]>,
    /// What became of it and its topics since the refresh before, a sentence each.
    pub changed: Arc<[String]>,
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
            time_lag: None,
            flow: Flow::new(Timestamp::from_millis(0)),
            last_commit: None,
            watched_since: None,
            track: Track::default(),
            waits: Arc::from([]),
            hottest: None,
            deleted_topics: Arc::from([]),
            changed: Arc::from([]),
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

impl TopicRows {
    pub fn partition(&self, partition: Partition) -> Option<&CommitRow> {
        let at = self.rows.binary_search_by_key(&partition, |row| row.partition).ok()?;
        self.rows.get(at)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CommitRow {
    pub partition: Partition,
    pub mark: Mark,
    /// The second since 1970 in which it was seen to move; 0: it was not.
    pub moved: u32,
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
    /// A commit was seen, and there is none any more.
    CommitGone,
}

impl CommitRow {
    pub fn committed(self) -> Option<i64> {
        (self.offset >= 0).then_some(self.offset)
    }

    pub fn last_commit(self) -> Option<Timestamp> {
        (self.moved > 0).then(|| Timestamp::from_millis(i64::from(self.moved) * 1_000))
    }

    fn refused(self) -> Option<Unknown> {
        match self.mark {
            Mark::Fine => None,
            Mark::NotPermitted => Some(Unknown::NotPermitted),
            Mark::Recreated => Some(Unknown::Recreated),
            Mark::TopicDeleted => Some(Unknown::TopicDeleted),
            Mark::TopicNotFound => Some(Unknown::TopicNotFound),
            Mark::Failed => Some(Unknown::Stale),
            Mark::CommitGone => Some(Unknown::CommitGone),
        }
    }
}

/// One partition that a group reads, with all that was read of it.
#[derive(Clone, Copy)]
pub struct PartitionData<'a> {
    pub topic: &'a Topic,
    pub commit: CommitRow,
    pub log: Option<&'a LogRow>,
    pub reading: PartitionReading,
}

impl PartitionData<'_> {
    /// As it was when the log was read at `read_at`.
    pub fn time_lag(&self, read_at: Timestamp) -> Option<TimeLag> {
        match self.reading.lag() {
            Lag::Known(0) => Some(TimeLag::NONE),
            Lag::Unknown(_) if self.reading.is_empty_and_untouched() => Some(TimeLag::NONE),
            _ => self.age(self.reading.oldest_waiting()?, read_at),
        }
    }

    /// Of the record at an offset.
    fn age(&self, offset: i64, read_at: Timestamp) -> Option<TimeLag> {
        trace::age(&self.log?.trace, self.reading.end?, offset, read_at).map(TimeLag::from)
    }

    /// As `time_lag`, with what a read at the committed offset adds.
    pub fn proven_time_lag(&self, proofs: &Proofs, read_at: Timestamp) -> Option<TimeLag> {
        let lag = self.time_lag(read_at)?;
        if lag == TimeLag::NONE {
            return Some(lag);
        }
        let (Some(found), Some(end)) = (self.found(proofs), self.reading.end) else { return Some(lag) };
        // What lies before the first record is none, however old it is.
        let first = found.first().max(self.commit.offset);
        Some(proven(self.age(first, read_at).unwrap_or(lag), found.proof(end), read_at))
    }

    fn found(&self, proofs: &Proofs) -> Option<Found> {
        proofs.get((self.topic, self.commit.partition, self.commit.offset))
    }

    /// As a wait, where it is one.
    fn wait(&self, proofs: &Proofs, read_at: Timestamp, watched: Timestamp) -> Option<Wait> {
        let (log, end, committed) = (self.log?, self.reading.end?, self.commit.committed()?);
        let since = |offset| waits_since(log, offset, self.commit, read_at, watched);
        let since_commit = since(committed).filter(|since| read_at.since(*since) >= WAITS_FROM)?;
        // What lies before the first record waits for nothing. It is listed all the same: what is not, is forgotten.
        let first = self.found(proofs).map(Found::first).filter(|first| *first > committed);
        let since = first.and_then(since).unwrap_or(since_commit);
        Some(Wait {
            topic: Topic::clone(self.topic),
            partition: self.commit.partition,
            committed,
            end,
            since,
        })
    }

    /// Records a second that come to it.
    pub fn written(&self, read_at: Timestamp) -> Windows {
        let over = |minutes: u64| {
            let window = Duration::from_secs(60 * minutes);
            let came = trace::came_within(&self.log?.trace, self.reading.end?, window, read_at)?;
            Some(Rate::of(came, window))
        };
        Windows { one_minute: over(1), five_minutes: over(5), fifteen_minutes: over(15) }
    }
}

impl GroupData {
    /// Every partition. `stale`: the readings are too old to speak of now.
    pub fn partitions(&self, stale: bool) -> impl Iterator<Item = PartitionData<'_>> {
        partitions(&self.rows, &self.ends, stale)
    }

    /// Every partition with its reading, as `partitions`.
    pub fn readings(&self, stale: bool) -> impl Iterator<Item = (&Topic, Partition, PartitionReading)> {
        self.partitions(stale).map(|one| (one.topic, one.commit.partition, one.reading))
    }

    pub fn partition_count(&self) -> u32 {
        let count: usize = self.rows.iter().map(|topic| topic.rows.len()).sum();
        u32::try_from(count).unwrap_or(u32::MAX)
    }

    pub fn reads(&self, topic: &TopicName) -> bool {
        self.rows.binary_search_by(|rows| rows.topic.as_ref().cmp(topic)).is_ok()
    }

    /// A group at rest is read less often.
    pub fn is_stale(&self, now: Timestamp, after: Duration) -> bool {
        let Some(as_of) = self.as_of else { return false };
        let after = if at_rest(Some(self.state), self, now) { after + AT_REST } else { after };
        now.since(as_of) > after
    }
}

pub fn partitions<'a>(
    rows: &'a [TopicRows],
    ends: &'a Ends,
    stale: bool,
) -> impl Iterator<Item = PartitionData<'a>> {
    rows.iter().flat_map(move |topic| {
        let logs = ends.topic(&topic.topic);
        topic.rows.iter().map(move |row| {
            let log = logs.and_then(|logs| logs.partition(row.partition));
            let refused = row.refused().or_else(|| log.and_then(|log| log.refused));
            let refused = refused.or_else(|| log.filter(|log| log.lost(*row)).map(|_| Unknown::Truncated));
            let reading = PartitionReading {
                start: log.and_then(|log| log.start),
                end: log.and_then(|log| log.end),
                committed: row.committed(),
                refused: refused.or(stale.then_some(Unknown::Stale)),
            };
            PartitionData { topic: &topic.topic, commit: *row, log, reading }
        })
    })
}

/// A partition of which records wait, and whose commit did not move for a while.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wait {
    pub topic: Topic,
    pub partition: Partition,
    pub committed: i64,
    /// Of the log, as it was read with the commit.
    pub end: i64,
    /// The later of its last commit, or since when it is watched, and the oldest record that waits.
    pub since: Timestamp,
}

/// Shorter waits are no news: consumers commit every 5 s.
const WAITS_FROM: Duration = Duration::from_secs(8);
/// Of a group, at most so many, beside those that are proven to be none.
const WAITS_MAX: usize = 64;

/// The partition with the largest lag, where that is most of the group's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hottest {
    pub topic: Topic,
    pub partition: Partition,
    pub lag: u64,
    pub time_lag: Option<TimeLag>,
}

impl GroupData {
    /// Since when the record at the committed offset waits for a commit; `None`: it does not, or is not known.
    pub fn waits_since(&self, log: Option<&LogRow>, commit: CommitRow) -> Option<Timestamp> {
        waits_since(log?, commit.committed()?, commit, self.ends.read_at, self.watched_since?)
    }
}

/// Of the record at `offset`.
fn waits_since(
    log: &LogRow,
    offset: i64,
    commit: CommitRow,
    read_at: Timestamp,
    watched: Timestamp,
) -> Option<Timestamp> {
    let age = match trace::age(&log.trace, log.end?, offset, read_at)? {
        trace::Age::NotWritten => return None,
        trace::Age::Estimate(age) | trace::Age::AtLeast(age) => age,
    };
    let written =
        Timestamp::from_millis(read_at.millis() - i64::try_from(age.as_millis()).unwrap_or_default());
    Some(written.max(commit.last_commit().unwrap_or(watched)))
}

/// What a read at the committed offset adds: no record waits, or the record tells its age where only a bound was known.
fn proven(lag: TimeLag, proof: Proof, read_at: Timestamp) -> TimeLag {
    match (proof, lag.precision) {
        (Proof::NoRecord, _) => TimeLag::NONE,
        (Proof::Record(Some(written)), Precision::AtLeast) => {
            let millis = u64::try_from(read_at.since(written).as_millis()).unwrap_or(u64::MAX);
            // A timestamp that is younger than what was seen is its producer's mistake.
            if millis < lag.millis { lag } else { TimeLag { millis, precision: Precision::Exact } }
        }
        // Estimates are close. A record that says something else was written with a time of its own, as a copy of an
        // old one is: how long it waits here is known better.
        (Proof::Record(Some(written)), Precision::Estimate) => {
            let millis = u64::try_from(read_at.since(written).as_millis()).unwrap_or(u64::MAX);
            let is_near = millis.abs_diff(lag.millis) <= (lag.millis / 4).max(NEAR_MILLIS) && millis > 0;
            if is_near { TimeLag { millis, precision: Precision::Exact } } else { lag }
        }
        _ => lag,
    }
}

const NEAR_MILLIS: u64 = 15_000;

/// What the partitions of a group are together.
#[derive(Default)]
pub struct Together {
    pub sum: LagSum,
    pub time_lag: Option<TimeLag>,
    pub waits: Vec<Wait>,
    pub hottest: Option<Hottest>,
}

/// `watched`: since when the group is, where its waits are of interest.
pub fn together(rows: &[TopicRows], ends: &Ends, watched: Option<Timestamp>, proofs: &Proofs) -> Together {
    let mut all = Together::default();
    let mut readings: Vec<PartitionReading> = Vec::new();
    let mut most: Option<(PartitionData<'_>, u64)> = None;
    for one in partitions(rows, ends, false) {
        readings.push(one.reading);
        let time_lag = one.proven_time_lag(proofs, ends.read_at);
        if let Some(more) = time_lag {
            all.time_lag = Some(all.time_lag.map_or(more, |worst| worst.worse(more)));
        }
        let Lag::Known(lag @ 1..) = one.reading.lag() else { continue };
        if most.is_none_or(|(_, most)| lag > most) {
            most = Some((one, lag));
        }
        all.waits.extend(watched.and_then(|watched| one.wait(proofs, ends.read_at, watched)));
    }
    all.waits
        .sort_unstable_by(|a, b| (a.since, &a.topic, a.partition).cmp(&(b.since, &b.topic, b.partition)));
    if all.waits.len() > WAITS_MAX {
        // Markers that lie there for long must not take the place of records.
        let mut others = 0;
        all.waits.retain(|wait| {
            let is_none = proofs.at(wait) == Proof::NoRecord;
            others += usize::from(!is_none);
            is_none || others <= WAITS_MAX
        });
    }
    all.sum = sum(&readings);
    let whole = all.sum.lag.unwrap_or_default();
    all.hottest =
        most.filter(|(_, lag)| u128::from(*lag) * 2 > u128::from(whole)).map(|(one, lag)| Hottest {
            topic: Topic::clone(one.topic),
            partition: one.commit.partition,
            lag,
            time_lag: one.time_lag(ends.read_at),
        });
    all
}

/// Start and end of the logs that groups read.
pub struct Ends {
    /// Just before the ends were asked for.
    pub read_at: Timestamp,
    /// They are last stable offsets, where readers of committed records stop.
    pub are_stable: bool,
    /// Shared with the reading before where nothing changed: groups keep the ends that were read with their commits.
    topics: HashMap<Topic, Arc<LogRows>>,
}

impl Default for Ends {
    fn default() -> Self {
        Self { read_at: Timestamp::from_millis(0), are_stable: false, topics: HashMap::new() }
    }
}

#[derive(Default)]
pub struct LogRows {
    /// Sorted by partition.
    rows: Box<[LogRow]>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogRow {
    pub partition: Partition,
    pub refused: Option<Unknown>,
    pub start: Option<i64>,
    pub end: Option<i64>,
    /// Where the end was before it went back in the same log; until it is there again.
    pub lost_from: Option<i64>,
    /// When the end was where; shared with the readings before where nothing came.
    pub trace: Arc<[Point]>,
}

impl LogRow {
    /// Without a trace, which `Ends::new` gives it.
    pub fn new(partition: Partition, refused: Option<Unknown>, start: Option<i64>, end: Option<i64>) -> Self {
        Self { partition, refused, start, end, lost_from: None, trace: Arc::from([]) }
    }

    /// What the commit speaks of is lost.
    fn lost(&self, row: CommitRow) -> bool {
        self.lost_from.is_some() && self.end.is_some_and(|end| row.offset > end)
    }

    fn follow(&mut self, before: Option<&LogRow>, last_at: Timestamp, read_at: Timestamp) {
        let Some(before) = before else {
            self.lost_from = None;
            self.trace = self.end.map(|end| Point { at: read_at, end }).into_iter().collect();
            return;
        };
        (self.trace, self.lost_from) = (Arc::clone(&before.trace), before.lost_from);
        let Some(end) = self.end else { return };
        // While a partition has no leader its end is not known; the trace has the last one that was.
        let known = before.end.or_else(|| before.trace.last().map(|point| point.end));
        let highest = before.lost_from.max(known);
        self.lost_from = highest.filter(|before| *before > end);
        let last = before.end.map(|end| Point { at: last_at, end });
        if let Some(points) = trace::with(&before.trace, last, Point { at: read_at, end }) {
            self.trace = points.into();
        }
    }
}

impl LogRows {
    pub fn iter(&self) -> impl Iterator<Item = &LogRow> {
        self.rows.iter()
    }

    pub fn partition(&self, partition: Partition) -> Option<&LogRow> {
        let at = self.rows.binary_search_by_key(&partition, |row| row.partition).ok()?;
        self.rows.get(at)
    }
}

impl Ends {
    pub fn new(rows: impl IntoIterator<Item = (Topic, LogRow)>, before: &Self, read_at: Timestamp) -> Self {
        let mut topics: HashMap<Topic, Vec<LogRow>> = HashMap::new();
        for (topic, row) in rows {
            topics.entry(topic).or_default().push(row);
        }
        let sorted = topics.into_iter().map(|(topic, mut rows)| {
            rows.sort_unstable_by_key(|row| row.partition);
            let former = before.topic(&topic);
            for row in &mut rows {
                let former = former.and_then(|former| former.partition(row.partition));
                row.follow(former, before.read_at, read_at);
            }
            let same = former.is_some_and(|former| former.rows[..] == rows[..]);
            let kept = before.topics.get(&topic).filter(|_| same).map(Arc::clone);
            (topic, kept.unwrap_or_else(|| Arc::new(LogRows { rows: rows.into_boxed_slice() })))
        });
        Self { read_at, are_stable: false, topics: sorted.collect() }
    }

    pub fn last_stable(
        rows: impl IntoIterator<Item = (Topic, LogRow)>,
        before: &Self,
        read_at: Timestamp,
    ) -> Self {
        Self { are_stable: true, ..Self::new(rows, before, read_at) }
    }

    /// A first reading.
    #[cfg(any(test, feature = "testing"))]
    pub fn test(rows: impl IntoIterator<Item = (Topic, LogRow)>) -> Self {
        Self::new(rows, &Self::default(), Timestamp::from_millis(0))
    }

    pub fn topic(&self, topic: &TopicName) -> Option<&LogRows> {
        self.topics.get(topic).map(AsRef::as_ref)
    }

    /// Whether a commit is beyond them: its reader does not stop at them.
    pub fn are_passed(&self, rows: &[TopicRows]) -> bool {
        rows.iter().any(|topic| {
            let logs = self.topic(&topic.topic);
            let end = |partition| logs?.partition(partition)?.end;
            topic
                .rows
                .iter()
                .any(|row| row.mark == Mark::Fine && end(row.partition).is_some_and(|end| row.offset > end))
        })
    }

    /// What was traced of a topic's former log says nothing of the one that it has now.
    pub fn forget<'a>(&mut self, topics: impl IntoIterator<Item = &'a TopicName>) {
        for topic in topics {
            let Some(logs) = self.topics.get_mut(topic) else { continue };
            let mut rows = logs.rows.clone();
            for row in &mut rows {
                row.follow(None, self.read_at, self.read_at);
            }
            *logs = Arc::new(LogRows { rows });
        }
    }
}
