//! The admin topic beside the holds, in one client: its records come by a queue of their own, so that the end of
//! the holds is never mistaken for the end of the admin topic.

use std::sync::Arc;
use std::time::Duration;

use flowdeck_model::TopicName;
use rdkafka::consumer::base_consumer::PartitionQueue;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::KafkaError;
use tracing::warn;

use crate::config::Stream;
use crate::topics::{Presence, presence_of};

use super::reader::{Read, ReaderContext};

const LIMIT: Duration = Duration::from_secs(3);

pub(super) struct CommandStream {
    queue: PartitionQueue<ReaderContext>,
    /// The next offset to read: what was written before the first agent started is for none.
    pub(super) next: i64,
}

pub(super) struct CommandRecord {
    pub(super) read: Read,
    /// It lies before what was read last: the topic was made anew.
    pub(super) begins_anew: bool,
}

impl CommandStream {
    /// From the topic's present end. `None` where it is not there, or Kafka does not tell.
    pub(super) fn open(client: &Arc<BaseConsumer<ReaderContext>>, stream: &Stream) -> Option<Self> {
        let topic = stream.topic.as_str();
        if !matches!(presence_of(client, topic), Ok(Presence::Here)) {
            return None;
        }
        let next = end(client, stream)?;
        let queue = client.split_partition_queue(topic, stream.partition)?;
        Some(Self { queue, next })
    }

    pub(super) fn poll(&mut self, topic: &TopicName) -> Option<CommandRecord> {
        loop {
            match self.queue.poll(Duration::ZERO)? {
                Ok(message) => {
                    let read = Read::of(&message);
                    let begins_anew = read.offset < self.next;
                    self.next = read.offset + 1;
                    return Some(CommandRecord { read, begins_anew });
                }
                Err(KafkaError::PartitionEOF(_)) => {}
                Err(error) => {
                    warn!(%topic, %error, "admin commands cannot be read; they are not obeyed meanwhile");
                }
            }
        }
    }
}

/// The topic's present end.
pub(super) fn end(client: &BaseConsumer<ReaderContext>, stream: &Stream) -> Option<i64> {
    let (_, end) = client.fetch_watermarks(stream.topic.as_str(), stream.partition, LIMIT).ok()?;
    Some(end)
}
