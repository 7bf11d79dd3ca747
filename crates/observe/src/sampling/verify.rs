//! Reads at committed offsets: whether a record waits there, or only what is no record (markers of transactions, what
//! compaction left), and when it was written. A few at a time, of partitions whose commit does not move; nothing of a
//! record is kept but its timestamp.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use flowdeck_kafka::{Cluster, Deadline, ReadEnd, ReadOutcome, ReadRequest, ReadStart, Topic, Transaction};
use flowdeck_model::verdict::Proof;
use flowdeck_model::{GroupId, Lag, Partition};
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
/// Results that are kept at most.
const KEPT: usize = 1_024;
/// Partitions of a group that somebody looks at which are read after one refresh, and that are kept.
const IN_VIEW: usize = 8;
const IN_VIEW_KEPT: usize = 64;
const READ_FOR: Duration = Duration::from_millis(1_500);
/// Records of aborted transactions are none that a consumer gets; so many are looked through.
const RECORDS: usize = 50;

/// A committed offset.
type Place = (Topic, Partition, i64);

/// What was found, by committed offset.
#[derive(Debug, Default, Clone)]
pub struct Proofs(HashMap<Place, Proof>);

impl Proofs {
    pub fn at(&self, wait: &Wait) -> Proof {
        self.found((&wait.topic, wait.partition, wait.committed))
    }

    pub fn found(&self, (topic, partition, committed): (&Topic, Partition, i64)) -> Proof {
        // Seldom is there any: no name is hashed then.
        if self.0.is_empty() {
            return Proof::NotVerified;
        }
        let place = (Topic::clone(topic), partition, committed);
        self.0.get(&place).copied().unwrap_or(Proof::NotVerified)
    }

    #[cfg(test)]
    pub(crate) fn of(all: impl IntoIterator<Item = (Place, Proof)>) -> Self {
        Self(all.into_iter().collect())
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
            let viewed = history.lock().viewed_groups(clock::now());
            let mut wanted = wanted(&sample, &known);
            wanted.extend(in_view(&sample, &known, &viewed));
            if wanted.is_empty() {
                // Full of what waits no more.
                if known.0.len() >= KEPT {
                    proofs.send_replace(Arc::new(with(&known, &sample, &viewed, vec![])));
                }
                continue;
            }
            let reads = wanted.into_iter().map(|place| read(&cluster, place, shutdown.child_token()));
            let found = futures::future::join_all(reads).await;
            tracing::debug!(cluster = %settings.name, partitions = found.len(), "committed offsets read");
            proofs.send_replace(Arc::new(with(&known, &sample, &viewed, found)));
        }
    };
    tokio::select! {
        () = shutdown.cancelled() => {}
        () = work => {}
    }
}

fn places(group: &GroupData) -> impl Iterator<Item = Place> {
    group.waits.iter().map(|wait| (Topic::clone(&wait.topic), wait.partition, wait.committed))
}

/// The longest waits of each group that were not read yet. A record that was found tells enough of its group.
fn wanted(sample: &Sample, known: &Proofs) -> Vec<Place> {
    let found = |place: &Place| known.0.get(place);
    let of_group = |group: &Arc<GroupData>| {
        let proven = places(group).any(|place| matches!(found(&place), Some(Proof::Record(_))));
        let most = if proven { 0 } else { OF_A_GROUP };
        places(group).filter(|place| found(place).is_none()).take(most).collect::<Vec<_>>()
    };
    let space = AT_ONCE.min(KEPT.saturating_sub(known.0.len()));
    sample.groups.iter().filter(|group| !group.waits.is_empty()).flat_map(of_group).take(space).collect()
}

/// Where the records wait that the rows of a group show, those with most lag first: their own timestamps tell their age.
fn waiting(group: &GroupData) -> Vec<Place> {
    let mut all: Vec<(u64, Place)> = group
        .partitions(false)
        .filter_map(|one| match one.reading.lag() {
            Lag::Known(lag @ 1..) => {
                Some((lag, (Topic::clone(one.topic), one.commit.partition, one.commit.offset)))
            }
            _ => None,
        })
        .collect();
    all.sort_unstable_by(|(more, a), (less, b)| less.cmp(more).then_with(|| a.cmp(b)));
    all.into_iter().map(|(_, place)| place).take(IN_VIEW_KEPT).collect()
}

/// Of groups that somebody looks at, what was not read yet.
fn in_view(sample: &Sample, known: &Proofs, viewed: &[GroupId]) -> Vec<Place> {
    let space = IN_VIEW.min(KEPT.saturating_sub(known.0.len()));
    let places = viewed.iter().filter_map(|id| sample.group(id)).flat_map(|group| waiting(group));
    places.filter(|place| !known.0.contains_key(place)).take(space).collect()
}

/// What is found joins what was; what waits no more is forgotten. A read that failed is tried again.
fn with(known: &Proofs, sample: &Sample, viewed: &[GroupId], found: Vec<(Place, Proof)>) -> Proofs {
    let waits = sample.groups.iter().flat_map(|group| places(group));
    let viewed = viewed.iter().filter_map(|id| sample.group(id)).flat_map(|group| waiting(group));
    let still = waits.chain(viewed).filter_map(|place| Some((place.clone(), *known.0.get(&place)?)));
    let new = found.into_iter().filter(|(_, proof)| *proof != Proof::NotVerified);
    Proofs(still.chain(new).collect())
}

async fn read(cluster: &Cluster, place: Place, cancel: CancellationToken) -> (Place, Proof) {
    let (start, deadline) = (ReadStart::Offset(place.2), Deadline::after(READ_FOR));
    let first = ReadRequest::first(&place.0, place.1, start, deadline);
    let request = ReadRequest { limit_records: RECORDS, transactions: true, ..first };
    let proof = cluster.read(request, cancel).await.map_or(Proof::NotVerified, |outcome| proof(&outcome));
    (place, proof)
}

fn proof(outcome: &ReadOutcome) -> Proof {
    if let Some(record) = outcome.records.iter().find(|one| one.transaction != Transaction::Aborted) {
        return Proof::Record(record.timestamp.and_then(|time| time.at()));
    }
    let failed = outcome.partitions.iter().any(|one| one.error.is_some());
    if outcome.end == ReadEnd::Complete && !failed { Proof::NoRecord } else { Proof::NotVerified }
}

#[cfg(test)]
mod tests {
    use super::*;
    use flowdeck_model::Timestamp;

    fn place(name: &str, partition: i32) -> Place {
        (Arc::new(name.parse().unwrap()), Partition::new(partition).unwrap(), 5)
    }

    fn group(name: &str, partitions: i32) -> Arc<GroupData> {
        let wait = |n| {
            let (topic, partition, committed) = place(name, n);
            Wait { topic, partition, committed, since: Timestamp::from_millis(i64::from(n)) }
        };
        Arc::new(GroupData { waits: (0..partitions).map(wait).collect(), ..GroupData::test(name) })
    }

    #[test]
    fn a_few_waits_of_each_group_are_read_until_a_record_is_found() {
        let sample =
            Sample { groups: vec![group("a", 5), group("b", 1), group("c", 0)], ..Sample::default() };
        let none = Proofs::default();
        assert_eq!(wanted(&sample, &none), [place("a", 0), place("a", 1), place("b", 0)]);
        let found = vec![
            (place("a", 0), Proof::NoRecord),
            (place("a", 1), Proof::NotVerified),
            (place("b", 0), Proof::Record(None)),
        ];
        let known = with(&none, &sample, &[], found);
        assert_eq!(wanted(&sample, &known), [place("a", 1), place("a", 2)], "what failed is read again");
        let moved = Sample { groups: vec![group("a", 5)], ..Sample::default() };
        let known = with(&known, &moved, &[], vec![]);
        assert_eq!(known.0.len(), 1, "what waits no more is forgotten");
        let found = |n, proof| with(&known, &moved, &[], vec![(place("a", n), proof)]);
        assert_eq!(wanted(&moved, &found(3, Proof::Record(None))), []);
        let all = Proofs::of((0..KEPT as i32).map(|n| (place("z", n), Proof::NoRecord)));
        assert_eq!(wanted(&sample, &all), [], "there is space for no more");
    }
}
