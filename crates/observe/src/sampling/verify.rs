//! Reads at committed offsets: whether a record waits there, or only what is no record (markers of transactions, what
//! compaction left), and when it was written. A few at a time, of partitions whose commit does not move; nothing of a
//! record is kept but its timestamp.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use flowdeck_kafka::{Cluster, Deadline, ReadEnd, ReadOutcome, ReadRequest, ReadStart, Topic, Transaction};
use flowdeck_model::verdict::Proof;
use flowdeck_model::{GroupId, Lag, Partition, Timestamp};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::sample::{GroupData, Sample, Wait};
use crate::clock;
use crate::history::History;
use crate::settings::ClusterSettings;

/// Partitions that are read after one refresh; the others have their turn after the next.
const AT_ONCE: usize = 8;
/// Of one group: its longest waits tell enough.
const OF_A_GROUP: usize = 2;
/// Results that are kept at most, about a megabyte; the oldest make place for others.
const KEPT: usize = 4_096;
const FAILED_KEPT: usize = 1_024;
/// A read that failed is tried again after this time.
const AGAIN_AFTER: Duration = Duration::from_secs(60);
/// Partitions of a group that somebody looks at which are read after one refresh, and that are kept.
const IN_VIEW: usize = 8;
const IN_VIEW_KEPT: usize = 64;
const READ_FOR: Duration = Duration::from_millis(1_500);
/// Records of aborted transactions are none that a consumer gets; so many are looked through.
const RECORDS: usize = 50;

/// A committed offset.
type Place = (Topic, Partition, i64);
/// With the end of its log, as its group's refresh read it.
type Waiting = (Place, i64);

/// What a read at a committed offset found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Found {
    /// The first record from there on, with its own timestamp where it has one.
    Record { offset: i64, written: Option<Timestamp> },
    /// None before this offset, where the log ended at that time.
    NoneBefore(i64),
}

impl Found {
    /// No record lies between the committed offset and this one.
    pub(crate) fn first(self) -> i64 {
        match self {
            Self::Record { offset, .. } | Self::NoneBefore(offset) => offset,
        }
    }

    /// Where the log ends at `end`: what came after the read is not known.
    pub(crate) fn proof(self, end: i64) -> Proof {
        match self {
            Self::Record { offset, written } if offset < end => Proof::Record(written),
            Self::NoneBefore(read) if read < end => Proof::NotVerified,
            Self::Record { .. } | Self::NoneBefore(_) => Proof::NoRecord,
        }
    }
}

/// What was found and when, by committed offset.
#[derive(Debug, Default, Clone)]
pub struct Proofs {
    found: HashMap<Place, (Found, Timestamp)>,
    /// When a read failed last.
    failed: HashMap<Place, Timestamp>,
}

impl Proofs {
    pub fn at(&self, wait: &Wait) -> Proof {
        let found = self.get((&wait.topic, wait.partition, wait.committed));
        found.map_or(Proof::NotVerified, |found| found.proof(wait.end))
    }

    pub(crate) fn get(&self, (topic, partition, committed): (&Topic, Partition, i64)) -> Option<Found> {
        // Seldom is there any: no name is hashed then.
        if self.found.is_empty() {
            return None;
        }
        let place = (Topic::clone(topic), partition, committed);
        self.found.get(&place).map(|(found, _)| *found)
    }

    fn is_record(&self, place: &Place) -> bool {
        self.found.get(place).is_some_and(|(found, _)| matches!(found, Found::Record { .. }))
    }

    /// It was not read up to that end, and no read of it failed a moment ago.
    fn is_wanted(&self, place: &Place, end: i64, now: Timestamp) -> bool {
        let found = self.found.get(place);
        found.is_none_or(|(found, _)| found.proof(end) == Proof::NotVerified)
            && self.failed.get(place).is_none_or(|at| now.since(*at) >= AGAIN_AFTER)
    }

    /// Those first that were never read, then those that were read longest ago: what fails keeps nobody waiting.
    fn in_turn(&self, mut places: Vec<Place>, most: usize) -> Vec<Place> {
        places.sort_by_cached_key(|place| {
            let found = self.found.get(place).map(|(_, at)| *at);
            found.max(self.failed.get(place).copied())
        });
        places.truncate(most);
        places
    }

    #[cfg(test)]
    pub(crate) fn of(all: impl IntoIterator<Item = (Place, Found)>) -> Self {
        let found = all.into_iter().map(|(place, found)| (place, (found, Timestamp::from_millis(0))));
        Self { found: found.collect(), ..Self::default() }
    }
}

/// Reads after each refresh what waits and was not read yet.
pub(crate) async fn run(
    cluster: Cluster,
    settings: Arc<ClusterSettings>,
    mut samples: watch::Receiver<Arc<Sample>>,
    history: History,
    proofs: watch::Sender<Arc<Proofs>>,
    shutdown: CancellationToken,
) {
    let work = async {
        while samples.changed().await.is_ok() {
            let sample = Arc::clone(&samples.borrow_and_update());
            let known = Arc::clone(&proofs.borrow());
            let now = clock::now();
            let viewed = history.lock().viewed_groups(now);
            let mut wanted = wanted(&sample, &known, now);
            wanted.extend(in_view(&sample, &known, &viewed, now));
            if wanted.is_empty() {
                continue;
            }
            let reads = wanted.into_iter().map(|place| read(&cluster, place, shutdown.child_token()));
            let found = futures::future::join_all(reads).await;
            tracing::debug!(cluster = %settings.name, partitions = found.len(), "committed offsets read");
            proofs.send_replace(Arc::new(with(&known, &sample, &viewed, found, clock::now())));
        }
    };
    tokio::select! {
        () = shutdown.cancelled() => {}
        () = work => {}
    }
}

fn places(group: &GroupData) -> impl Iterator<Item = Waiting> {
    group.waits.iter().map(|wait| ((Topic::clone(&wait.topic), wait.partition, wait.committed), wait.end))
}

/// The longest waits of each group that were not read yet. A record that was found tells enough of its group.
fn wanted(sample: &Sample, known: &Proofs, now: Timestamp) -> Vec<Place> {
    let of_group = |group: &Arc<GroupData>| {
        let proven = places(group).any(|(place, _)| known.is_record(&place));
        let most = if proven { 0 } else { OF_A_GROUP };
        let open = places(group).filter(|(place, end)| known.is_wanted(place, *end, now));
        open.map(|(place, _)| place).take(most).collect::<Vec<_>>()
    };
    let groups = sample.groups.iter().filter(|group| !group.waits.is_empty());
    known.in_turn(groups.flat_map(of_group).collect(), AT_ONCE)
}

/// Where the records wait that the rows of a group show, those with most lag first: their own timestamps tell their age.
fn waiting(group: &GroupData) -> Vec<Waiting> {
    let mut all: Vec<(u64, Waiting)> = group
        .partitions(false)
        .filter_map(|one| match one.reading.lag() {
            Lag::Known(lag @ 1..) => {
                let place = (Topic::clone(one.topic), one.commit.partition, one.commit.offset);
                Some((lag, (place, one.reading.end?)))
            }
            _ => None,
        })
        .collect();
    all.sort_unstable_by(|(more, a), (less, b)| less.cmp(more).then_with(|| a.cmp(b)));
    all.into_iter().map(|(_, one)| one).take(IN_VIEW_KEPT).collect()
}

/// Of groups that somebody looks at, what was not read yet.
fn in_view(sample: &Sample, known: &Proofs, viewed: &[GroupId], now: Timestamp) -> Vec<Place> {
    let waiting = viewed.iter().filter_map(|id| sample.group(id)).flat_map(|group| waiting(group));
    let open = waiting.filter(|(place, end)| known.is_wanted(place, *end, now));
    known.in_turn(open.map(|(place, _)| place).collect(), IN_VIEW)
}

/// What is found joins what was; what waits no more is forgotten.
fn with(
    known: &Proofs,
    sample: &Sample,
    viewed: &[GroupId],
    read: Vec<(Place, Option<Found>)>,
    now: Timestamp,
) -> Proofs {
    let waits = sample.groups.iter().flat_map(|group| places(group));
    let viewed = viewed.iter().filter_map(|id| sample.group(id)).flat_map(|group| waiting(group));
    let mut all = Proofs::default();
    for (place, _) in waits.chain(viewed) {
        if let Some(found) = known.found.get(&place) {
            all.found.insert(place.clone(), *found);
        }
        if let Some(at) = known.failed.get(&place) {
            all.failed.insert(place, *at);
        }
    }
    for (place, found) in read {
        if let Some(found) = found {
            all.failed.remove(&place);
            all.found.insert(place, (found, now));
        } else {
            all.failed.insert(place, now);
        }
    }
    keep_newest(&mut all.found, KEPT, |(_, at)| *at);
    keep_newest(&mut all.failed, FAILED_KEPT, |at| *at);
    all
}

fn keep_newest<T>(all: &mut HashMap<Place, T>, most: usize, at: impl Fn(&T) -> Timestamp) {
    let surplus = all.len().saturating_sub(most);
    if surplus == 0 {
        return;
    }
    let mut oldest: Vec<(Timestamp, Place)> =
        all.iter().map(|(place, one)| (at(one), place.clone())).collect();
    oldest.sort_unstable();
    for (_, place) in oldest.into_iter().take(surplus) {
        all.remove(&place);
    }
}

/// `None`: it could not be read.
async fn read(cluster: &Cluster, place: Place, cancel: CancellationToken) -> (Place, Option<Found>) {
    let (start, deadline) = (ReadStart::Offset(place.2), Deadline::after(READ_FOR));
    let first = ReadRequest::first(&place.0, place.1, start, deadline);
    let request = ReadRequest { limit_records: RECORDS, transactions: true, ..first };
    let found = cluster.read(request, cancel).await.ok().and_then(|outcome| found(&outcome));
    (place, found)
}

fn found(outcome: &ReadOutcome) -> Option<Found> {
    if let Some(record) = outcome.records.iter().find(|one| one.transaction != Transaction::Aborted) {
        let written = record.timestamp.and_then(|time| time.at());
        return Some(Found::Record { offset: record.offset, written });
    }
    let failed = outcome.partitions.iter().any(|one| one.error.is_some());
    let end = outcome.partitions.iter().map(|one| one.end).min()?;
    (outcome.end == ReadEnd::Complete && !failed).then_some(Found::NoneBefore(end))
}

#[cfg(test)]
mod tests {
    use super::*;
    use flowdeck_kafka::PartitionRead;

    const RECORD: Found = Found::Record { offset: 5, written: None };
    /// Up to the end of the logs of `group`.
    const NO_RECORD: Found = Found::NoneBefore(6);

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_millis(1_000_000 + seconds * 1_000)
    }

    fn place(name: &str, partition: i32) -> Place {
        (Arc::new(name.parse().unwrap()), Partition::new(partition).unwrap(), 5)
    }

    fn group_to(name: &str, partitions: i32, end: i64) -> Arc<GroupData> {
        let wait = |n| {
            let (topic, partition, committed) = place(name, n);
            Wait { topic, partition, committed, end, since: Timestamp::from_millis(i64::from(n)) }
        };
        Arc::new(GroupData { waits: (0..partitions).map(wait).collect(), ..GroupData::test(name) })
    }

    fn group(name: &str, partitions: i32) -> Arc<GroupData> {
        group_to(name, partitions, 6)
    }

    fn sample(groups: Vec<Arc<GroupData>>) -> Sample {
        Sample { groups, ..Sample::default() }
    }

    #[test]
    fn a_few_waits_of_each_group_are_read_until_a_record_is_found() {
        let all = sample(vec![group("a", 5), group("b", 1), group("c", 0)]);
        let none = Proofs::default();
        assert_eq!(wanted(&all, &none, at(0)), [place("a", 0), place("a", 1), place("b", 0)]);
        let read =
            vec![(place("a", 0), Some(NO_RECORD)), (place("a", 1), None), (place("b", 0), Some(RECORD))];
        let known = with(&none, &all, &[], read, at(0));
        assert_eq!(wanted(&all, &known, at(2)), [place("a", 2), place("a", 3)]);
        let again = [place("a", 2), place("a", 1)];
        assert_eq!(wanted(&all, &known, at(60)), again, "what failed is read again, after the others");
        let moved = sample(vec![group("a", 5)]);
        let known = with(&known, &moved, &[], vec![], at(61));
        assert_eq!((known.found.len(), known.failed.len()), (1, 1), "what waits no more is forgotten");
        let known = with(&known, &moved, &[], vec![(place("a", 3), Some(RECORD))], at(61));
        assert_eq!(wanted(&moved, &known, at(200)), []);
    }

    #[test]
    fn that_there_is_no_record_holds_up_to_the_end_that_was_read() {
        let to = |end| sample(vec![group_to("a", 1, end)]);
        let known = with(&Proofs::default(), &to(6), &[], vec![(place("a", 0), Some(NO_RECORD))], at(0));
        let proof = |known: &Proofs, end| known.at(&to(end).groups[0].waits[0]);
        assert_eq!((proof(&known, 6), proof(&known, 7)), (Proof::NoRecord, Proof::NotVerified));
        assert_eq!(wanted(&to(6), &known, at(900)), []);
        assert_eq!(wanted(&to(7), &known, at(2)), [place("a", 0)]);
        let found = Found::Record { offset: 6, written: None };
        let known = with(&known, &to(7), &[], vec![(place("a", 0), Some(found))], at(2));
        assert_eq!((proof(&known, 6), proof(&known, 7)), (Proof::NoRecord, Proof::Record(None)));
    }

    #[test]
    fn the_oldest_results_make_place() {
        let all = sample(vec![group("a", 1), group("z", KEPT as i32)]);
        let full = Proofs::of((0..KEPT as i32).map(|n| (place("z", n), NO_RECORD)));
        assert_eq!(wanted(&all, &full, at(0)), [place("a", 0)]);
        let known = with(&full, &all, &[], vec![(place("a", 0), Some(NO_RECORD))], at(0));
        assert_eq!(known.found.len(), KEPT);
        assert!(known.found.contains_key(&place("a", 0)));
        let failed = (0..FAILED_KEPT as i32 + 9).map(|n| (place("z", n), None)).collect();
        assert_eq!(with(&known, &all, &[], failed, at(2)).failed.len(), FAILED_KEPT);
    }

    #[test]
    fn what_cannot_be_read_keeps_nobody_waiting() {
        let all = sample(["a", "b", "c", "d", "e"].map(|name| group(name, 2)).into());
        let none = Proofs::default();
        let first = wanted(&all, &none, at(0));
        assert_eq!(first.len(), AT_ONCE);
        let of_e = [place("e", 0), place("e", 1)];
        assert!(!first.contains(&of_e[0]));
        let failed = first.iter().map(|place| (place.clone(), None)).collect();
        let known = with(&none, &all, &[], failed, at(0));
        assert_eq!(wanted(&all, &known, at(2)), of_e);
        let later = wanted(&all, &known, at(60));
        assert_eq!((&later[..2], later.len()), (&of_e[..], AT_ONCE));
    }

    #[test]
    fn a_read_without_a_record_tells_where_it_ended() {
        let outcome = |end, error| ReadOutcome {
            records: vec![],
            scanned: 0,
            bytes: 0,
            end,
            older: false,
            newer: false,
            partitions: vec![PartitionRead {
                partition: Partition::new(0).unwrap(),
                start: 0,
                end: 6,
                from: 5,
                next: 6,
                none_shown: false,
                error,
            }],
        };
        assert_eq!(found(&outcome(ReadEnd::Complete, None)), Some(NO_RECORD));
        assert_eq!(found(&outcome(ReadEnd::TimedOut, None)), None);
        assert_eq!(found(&outcome(ReadEnd::Complete, Some(flowdeck_kafka::Cause::Timeout))), None);
    }
}
