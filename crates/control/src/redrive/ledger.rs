//! The ledger as one re-drive needs it: what of its dead-letter topic was copied, by itself and by others.

use std::time::Duration;

use flowdeck_kafka::{Cluster, Deadline, Isolation, ReadEnd, ReadRequest, ReadStart};
use flowdeck_model::redrive::RecordPlace;
use flowdeck_model::{CommandId, Partition, TopicName};
use flowdeck_observe::ClusterSettings;
use flowdeck_protocol::Headers;
use flowdeck_protocol::wire::{LedgerRecord, LedgerTopic, read_ledger};
use tokio_util::sync::CancellationToken;

use super::done::Offsets;

/// Records of one read.
const AT_ONCE: usize = 10_000;
const BYTES: usize = 16 * 1024 * 1024;
const TIME: Duration = Duration::from_secs(10);
/// More ranges than this are not kept in memory.
const RANGES_MAX: usize = 2_000_000;

#[derive(Debug, Default)]
pub(super) struct Ledger {
    /// Copied by this re-drive.
    pub(super) ours: Offsets,
    /// By others.
    pub(super) others: Offsets,
}

/// How the dead-letter topic is named in the ledger.
pub(super) async fn topic_of(cluster: &Cluster, topic: &TopicName) -> Result<LedgerTopic, String> {
    let ids = cluster.topic_ids(std::slice::from_ref(topic), Deadline::after(TIME)).await;
    match ids.map_err(|error| error.with_cause())?.remove(topic) {
        Some(Ok(id)) => Ok(LedgerTopic::TopicId(id.to_string())),
        Some(Err(cause)) => Err(cause.to_string()),
        None => Ok(LedgerTopic::Name(topic.clone())),
    }
}

impl Ledger {
    /// To its end, without what is not committed. `id`: of the re-drive that asks.
    pub(super) async fn read(
        cluster: &Cluster,
        settings: &ClusterSettings,
        topic: &LedgerTopic,
        id: Option<CommandId>,
        stop: &CancellationToken,
    ) -> Result<Self, String> {
        let mut ledger = Self::default();
        let mut positions: Vec<(Partition, i64)> = vec![];
        loop {
            let start = match positions.is_empty() {
                true => ReadStart::Earliest,
                false => ReadStart::From(positions.clone()),
            };
            let read = cluster.read(request(&settings.ledger_topic, start), stop.child_token()).await;
            let outcome = read.map_err(|error| error.with_cause())?;
            if let Some(cause) = outcome.partitions.iter().find_map(|part| part.error.as_ref()) {
                return Err(format!("{} could not be read: {cause}", settings.ledger_topic));
            }
            for record in &outcome.records {
                let headers: Headers<'_> = record.headers_with_values().collect();
                // What is not ours is no entry: nobody but Flowdeck writes here.
                let Ok(LedgerRecord::Entry(entry)) =
                    read_ledger(&headers, record.key.as_deref(), record.value.as_deref())
                else {
                    continue;
                };
                if entry.key.topic == *topic {
                    let place = RecordPlace { partition: entry.key.partition, offset: entry.key.offset };
                    let of = if id == Some(entry.redrive) { &mut ledger.ours } else { &mut ledger.others };
                    of.insert(place);
                }
            }
            if ledger.ours.ranges() + ledger.others.ranges() > RANGES_MAX {
                return Err(format!("{} holds more than can be kept in memory", settings.ledger_topic));
            }
            let next: Vec<_> = outcome.partitions.iter().map(|part| (part.partition, part.next)).collect();
            match outcome.end {
                ReadEnd::Complete => return Ok(ledger),
                ReadEnd::Cancelled => return Err("shutting down".to_owned()),
                _ if next == positions => {
                    return Err(format!("{} could not be read in time", settings.ledger_topic));
                }
                _ => positions = next,
            }
        }
    }

    pub(super) fn has(&self, place: RecordPlace) -> bool {
        self.ours.contains(place) || self.others.contains(place)
    }
}

fn request(topic: &TopicName, start: ReadStart) -> ReadRequest {
    ReadRequest {
        topic: topic.clone(),
        partitions: None,
        start,
        limit_records: AT_ONCE,
        limit_bytes: BYTES,
        max_value_bytes: 64 * 1024,
        isolation: Isolation::ReadCommitted,
        neighbours: false,
        transactions: false,
        deadline: Deadline::after(TIME),
    }
}
