//! The peek port: messages of a topic that is known to be there, within bounds, touching no group.

mod readers;
mod search;
mod tail;

use std::sync::Arc;

use async_trait::async_trait;
use flowdeck_kafka::{
    Deadline, Isolation, ReadEnd, ReadOutcome, ReadRequest, ReadStart, Record, TopicMetadata, Transaction,
};
use flowdeck_model::error::ResourceKind;
use flowdeck_model::query::{self, DecoderName, From as Start, Order, Positions};
use flowdeck_model::view::audit::LookKind;
use flowdeck_model::view::messages::{PAYLOAD_FULL, PAYLOAD_LIST};
use flowdeck_model::view::{MessageView, MessagesView};
use flowdeck_model::{
    Actor, ClusterName, MessagesQuery, Partition, Peek, Permission, PortError, Tail, TopicName,
};
use flowdeck_payload::{How, Mask};

use super::{allowed_payloads, cluster_of, topic};
use crate::clock;
use crate::core::{ClusterHandle, Core};
use crate::find;
use crate::looks::{LookAt, Looking};
use crate::payload::{self, Reading};
use crate::settings::{ClusterSettings, ConfiguredDecoder};
use crate::snapshot::ClusterSnapshot;

pub struct BoundPeek {
    core: Arc<Core>,
    actor: Actor,
}

impl BoundPeek {
    pub fn new(core: Arc<Core>, actor: Actor) -> Self {
        Self { core, actor }
    }
}

#[async_trait]
impl Peek for BoundPeek {
    async fn messages(
        &self,
        cluster: &ClusterName,
        name: &TopicName,
        query: &MessagesQuery,
    ) -> Result<MessagesView, PortError> {
        let Allowed { one, handle, start, reading } = allowed(&self.core, &self.actor, cluster, name, query)?;
        let is_search = search::is_search(query);
        let (filter, unjudged) = search::filter(query, &reading)?;
        let unavailable = |detail: String| PortError::Unavailable { cluster: cluster.clone(), detail };
        let Some(kafka) = &handle.cluster else {
            return Err(unavailable(one.view.error.clone().unwrap_or_default()));
        };
        let (places, at_once, what) = match is_search {
            true => (&handle.searches, one.settings.search.at_once, "searches"),
            false => (&handle.peeks, self.core.settings.peek_at_once, "peeks"),
        };
        let Ok(_permit) = Arc::clone(places).try_acquire_owned() else {
            let detail = format!("{at_once} {what} run on {cluster}: try again in a moment");
            return Err(PortError::TooMany { detail });
        };
        handle.stats.peeked();
        let kind = if is_search { LookKind::Search } else { LookKind::Read };
        let mut looking = Looking::begin(&handle.looks, &self.actor, &look_at(kind, cluster, name, query));
        let settings = &self.core.settings;
        let started = tokio::time::Instant::now();
        let mut request = request(settings, name, query, start);
        // Dropping this future drops the guard, which ends the read.
        let cancel = self.core.shutdown.child_token();
        let _guard = cancel.clone().drop_guard();
        let read = match is_search {
            true => {
                request.max_value_bytes = find::SEARCHED;
                let rate = Arc::clone(&handle.search_rate);
                kafka.scan(request, query.find.until, filter, rate, cancel).await
            }
            false => kafka.read(request, cancel).await,
        };
        let mut outcome = read.map_err(|error| unavailable(error.with_cause()))?;
        looking.came_to(outcome.records.len(), outcome.scanned);
        let took_millis = u32::try_from(started.elapsed().as_millis()).unwrap_or(u32::MAX);
        if (query.order() == Order::NewestFirst) != query.from.is_backwards() {
            outcome.records.reverse();
        }
        let (older, newer) = (older(&outcome, query), newer(&outcome, query));
        let is_complete = matches!(outcome.end, ReadEnd::Complete) || is_enough(&outcome, query);
        let note = note(&outcome, query, settings).or_else(|| search::note(&unjudged));
        let further = if query.from.is_backwards() { &older } else { &newer };
        let search = is_search.then(|| search::view(&outcome, query, further));
        let records = std::mem::take(&mut outcome.records);
        let records = decoded(records, reading).await.map_err(unavailable)?;
        Ok(MessagesView {
            now: clock::now(),
            cluster_info: one.view.clone(),
            topic: name.clone(),
            scanned: u32::try_from(outcome.scanned).unwrap_or(u32::MAX),
            took_millis,
            complete: is_complete,
            note,
            too_many_partitions: is_too_long(&outcome, &older, &newer),
            older,
            newer,
            partitions_not_shown: not_shown(&outcome, query),
            records,
            search,
            readers: readers::of(&one, &self.actor, cluster, name, query),
        })
    }

    async fn tail(
        &self,
        cluster: &ClusterName,
        topic: &TopicName,
        query: &MessagesQuery,
    ) -> Result<Box<dyn Tail>, PortError> {
        let tail = tail::BoundTail::open(Arc::clone(&self.core), self.actor.clone(), cluster, topic, query)?;
        Ok(Box::new(tail))
    }
}

/// What somebody may read, and how it is shown to them.
struct Allowed<'a> {
    one: Arc<ClusterSnapshot>,
    handle: &'a ClusterHandle,
    start: ReadStart,
    reading: Reading,
}

fn allowed<'a>(
    core: &'a Core,
    actor: &Actor,
    cluster: &ClusterName,
    name: &TopicName,
    query: &MessagesQuery,
) -> Result<Allowed<'a>, PortError> {
    let snapshot = core.publisher.current();
    let found = cluster_of(core, &snapshot, cluster);
    let there = found.as_ref().ok().map(|(one, _)| &**one);
    allowed_payloads(actor, cluster, there, name)?;
    let (one, handle) = found?;
    let metadata = topic::known(&one, name)?;
    if let Some(partition) = query.partition
        && !metadata.partitions.iter().any(|known| known.partition == partition)
    {
        let hint = format!("{name} has {} partitions", metadata.partitions.len());
        return Err(PortError::not_found_because(ResourceKind::Partition, partition.to_string(), hint));
    }
    let start = start(query, metadata)?;
    if !one.settings.shows_payloads(name) {
        return Err(PortError::PayloadsOff { on: format!("topic {name} of {cluster}") });
    }
    if query.unmasked && !actor.may_on_topic(Permission::ReadUnmasked, cluster, name) {
        let on = format!("topic {name} of {cluster}");
        return Err(PortError::Forbidden { permission: Permission::ReadUnmasked, on });
    }
    let reading = reading(&one.settings, name, query)?;
    Ok(Allowed { one, handle, start, reading })
}

fn request(
    settings: &crate::ObserveSettings,
    name: &TopicName,
    query: &MessagesQuery,
    start: ReadStart,
) -> ReadRequest {
    ReadRequest {
        topic: name.clone(),
        partitions: query.partition.map(|partition| vec![partition]),
        start,
        limit_records: query.limit as usize,
        limit_bytes: settings.peek_bytes,
        // Whether a value is JSON is seen at its whole only.
        max_value_bytes: if query.full { PAYLOAD_FULL } else { payload::JUDGED_BYTES },
        isolation: match query.isolation {
            query::Isolation::ReadUncommitted => Isolation::ReadUncommitted,
            query::Isolation::ReadCommitted => Isolation::ReadCommitted,
        },
        transactions: true,
        // One opened record is shown without a way on.
        neighbours: !(query.full && query.limit == 1),
        deadline: Deadline::after(settings.peek_time),
    }
}

/// Whose payloads somebody reads or searches.
fn look_at<'a>(
    kind: LookKind,
    cluster: &'a ClusterName,
    topic: &'a TopicName,
    query: &'a MessagesQuery,
) -> LookAt<'a> {
    LookAt {
        kind,
        cluster,
        topic: Some(topic.as_str()),
        partition: query.partition.map(Partition::get),
        from: query.from.to_string(),
        find: Some(&query.find),
        unmasked: query.unmasked,
    }
}

/// A reader's choice, else the configuration's, else what is detected.
fn reading(
    settings: &ClusterSettings,
    topic: &TopicName,
    query: &MessagesQuery,
) -> Result<Reading, PortError> {
    let of_topic = settings.topic(topic);
    let how = |field: &str, given: &Option<DecoderName>, configured: Option<&ConfiguredDecoder>| {
        let parse = |name: &DecoderName| settings.decoders.parse(name.as_str());
        let chosen = given.as_ref().map(parse).transpose();
        let chosen = chosen.map_err(|problem| PortError::invalid(field, problem))?;
        Ok::<_, PortError>(How {
            usual: configured.map(|one| one.decoder.clone()).unwrap_or_default(),
            chosen,
        })
    };
    Ok(Reading {
        key: how("keyDecoder", &query.key_decoder, of_topic.and_then(|one| one.key.as_ref()))?,
        value: how("valueDecoder", &query.value_decoder, of_topic.and_then(|one| one.value.as_ref()))?,
        schemas: settings.schemas.clone(),
        mask: if query.unmasked { Mask::none() } else { settings.mask(topic) },
        most: if query.full { PAYLOAD_FULL } else { PAYLOAD_LIST },
    })
}

/// Decoding takes time: it has a thread of its own.
async fn decoded(records: Vec<Record>, reading: Reading) -> Result<Vec<MessageView>, String> {
    let work = move || records.iter().map(|record| payload::message(record, &reading)).collect();
    tokio::task::spawn_blocking(work).await.map_err(|_| "the records could not be decoded".to_owned())
}

/// The asked number of records is an end of its own, not a bound that came too early.
fn is_enough(outcome: &ReadOutcome, query: &MessagesQuery) -> bool {
    outcome.end == ReadEnd::LimitHit && outcome.records.len() >= query.limit as usize
}

fn note(outcome: &ReadOutcome, query: &MessagesQuery, settings: &crate::ObserveSettings) -> Option<String> {
    if let Some(failed) = outcome.partitions.iter().find(|one| one.error.is_some()) {
        let cause = failed.error.as_ref().map(ToString::to_string).unwrap_or_default();
        return Some(format!("partition {}: {cause}", failed.partition));
    }
    let unknown = || {
        let is_unknown = outcome.records.iter().any(|record| record.transaction == Transaction::Unknown);
        is_unknown.then(|| "which of these records were aborted was not found out in time".to_owned())
    };
    if search::is_search(query) {
        return None;
    }
    match outcome.end {
        ReadEnd::Complete => unknown(),
        ReadEnd::LimitHit if is_enough(outcome, query) => unknown(),
        ReadEnd::LimitHit => {
            Some(format!("stopped at {} MB; there is more", settings.peek_bytes / (1024 * 1024)))
        }
        ReadEnd::ScanLimitHit => {
            Some(format!("stopped after {} records were read; there is more", outcome.scanned))
        }
        ReadEnd::TimedOut => {
            Some(format!("stopped after {} ms; there may be more", settings.peek_time.as_millis()))
        }
        ReadEnd::Cancelled => Some("stopped: the server is shutting down".to_owned()),
    }
}

/// The query's start, once it is known which partitions there are.
fn start(query: &MessagesQuery, topic: &TopicMetadata) -> Result<ReadStart, PortError> {
    let positions = |given: &Positions| {
        let offsets = given.offsets();
        let mut partitions: Vec<Partition> = match query.partition {
            Some(one) => vec![one],
            None => topic.partitions.iter().map(|known| known.partition).collect(),
        };
        partitions.sort_unstable();
        // Partitions may have been added since the first page, but none was taken away.
        if offsets.len() > partitions.len() {
            let problem = format!("one offset for each partition: {} at most", partitions.len());
            return Err(PortError::invalid("from", problem));
        }
        Ok(partitions.into_iter().zip(offsets.iter().copied()).collect())
    };
    Ok(match &query.from {
        Start::Latest => ReadStart::Newest,
        Start::Earliest => ReadStart::Earliest,
        Start::Offset(offset) => ReadStart::Offset(*offset),
        Start::Time(time) => ReadStart::At(*time),
        Start::Before(given) => ReadStart::Before(positions(given)?),
        Start::Offsets(given) => ReadStart::From(positions(given)?),
    })
}

fn older(outcome: &ReadOutcome, query: &MessagesQuery) -> Option<String> {
    let offsets = outcome.partitions.iter().map(|part| part.from).collect();
    let from = outcome.older.then(|| Positions::new(offsets)).flatten().map(Start::Before)?;
    Some(query.turned(from).to_query())
}

fn newer(outcome: &ReadOutcome, query: &MessagesQuery) -> Option<String> {
    let offsets: Vec<i64> = outcome.partitions.iter().map(|part| part.next).collect();
    let from = match offsets[..] {
        _ if !outcome.newer => return None,
        [one] => Start::Offset(one),
        _ => Start::Offsets(Positions::new(offsets)?),
    };
    Some(query.turned(from).to_query())
}

/// Whether there is a page that no query can name.
fn is_too_long(outcome: &ReadOutcome, older: &Option<String>, newer: &Option<String>) -> bool {
    (outcome.older && older.is_none()) || (outcome.newer && newer.is_none())
}

/// Later pages begin where the ones before them ended, so that there it is no news.
fn not_shown(outcome: &ReadOutcome, query: &MessagesQuery) -> Vec<Partition> {
    if !matches!(query.from, Start::Latest | Start::Earliest) {
        return vec![];
    }
    outcome.partitions.iter().filter(|part| part.none_shown).map(|part| part.partition).collect()
}

#[cfg(test)]
mod tests {
    use flowdeck_kafka::PartitionRead;

    use super::*;

    fn outcome(partitions: i32, none_shown: i32) -> ReadOutcome {
        let part = |number| PartitionRead {
            partition: Partition::new(number).unwrap(),
            start: 0,
            end: 2_000_000_000,
            from: 1_000_000_000,
            next: 1_000_000_050,
            none_shown: number < none_shown,
            error: None,
        };
        ReadOutcome {
            records: vec![],
            scanned: 0,
            bytes: 0,
            end: ReadEnd::Complete,
            older: true,
            newer: true,
            partitions: (0..partitions).map(part).collect(),
        }
    }

    #[test]
    fn too_many_partitions_for_a_query_have_no_pages() {
        let query = MessagesQuery::default();
        for (partitions, is_paged) in [(1, true), (500, true), (600, false), (10_000, false)] {
            let outcome = outcome(partitions, 0);
            let (older, newer) = (older(&outcome, &query), newer(&outcome, &query));
            assert_eq!((older.is_some(), newer.is_some()), (is_paged, is_paged), "{partitions}");
            assert_eq!(is_too_long(&outcome, &older, &newer), !is_paged);
            let parsed = older.map(|query| MessagesQuery::parse(&query, true).unwrap().from);
            assert!(parsed.is_none_or(|from| from.is_backwards()));
        }
        let last = ReadOutcome { older: false, newer: false, ..outcome(10_000, 0) };
        assert_eq!((older(&last, &query), newer(&last, &query)), (None, None));
        assert!(!is_too_long(&last, &None, &None));
    }

    #[test]
    fn partitions_that_are_not_shown_are_named_on_the_first_page() {
        let named = |from| {
            let query = MessagesQuery { from, ..MessagesQuery::default() };
            not_shown(&outcome(5, 2), &query).iter().map(|one| one.get()).collect::<Vec<_>>()
        };
        assert_eq!((named(Start::Latest), named(Start::Earliest)), (vec![0, 1], vec![0, 1]));
        assert_eq!(named(Start::Offset(7)), Vec::<i32>::new());
    }
}
