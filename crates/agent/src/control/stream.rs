//! The admin topic beside the holds, in one client: its records come by a queue of their own, so that the end of
//! the holds is never mistaken for the end of the admin topic.

use std::sync::Arc;
use std::time::Duration;

use rdkafka::Offset;
use rdkafka::consumer::base_consumer::PartitionQueue;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use tracing::{info, warn};

use crate::config::Stream;
use crate::topics::{Presence, presence_of};

use super::reader::{Event, Read, ReaderContext};
use super::{BATCH, Control};

const LIMIT: Duration = Duration::from_secs(3);

pub(super) struct CommandStream {
    queue: PartitionQueue<ReaderContext>,
    /// The next offset to read: what was written before the agent started is not for it.
    pub(super) next: i64,
}

impl CommandStream {
    /// From the topic's present end. `None` where it is not there, or Kafka does not tell.
    fn open(reader: &Arc<BaseConsumer<ReaderContext>>, stream: &Stream) -> Option<Self> {
        let topic = stream.topic.as_str();
        if !matches!(presence_of(reader, topic), Ok(Presence::Here)) {
            return None;
        }
        let (_, next) = reader.fetch_watermarks(topic, stream.partition, LIMIT).ok()?;
        let queue = reader.split_partition_queue(topic, stream.partition)?;
        Some(Self { queue, next })
    }

    fn poll(&mut self) -> Option<Event> {
        match self.queue.poll(Duration::ZERO)? {
            Err(error) => Some(Event::Error(error)),
            Ok(message) => {
                let record = Read::of(&message);
                self.next = record.offset + 1;
                Some(Event::Record(record))
            }
        }
    }
}

impl Control {
    /// Whether commands are read: where they may be, and always where there are no holds.
    pub(super) fn open_commands(&mut self) {
        let settings = &self.shared.settings;
        if self.commands.is_some() || !(settings.obey_commands || self.obeys_pauses()) {
            return;
        }
        self.commands = CommandStream::open(&self.reader, &settings.commands);
        if self.commands.is_some() {
            info!(topic = %settings.commands.topic, "reading admin commands");
            self.assign();
        }
    }

    /// Says whether gates may have to move.
    pub(super) fn read_commands(&mut self) -> bool {
        let mut news = false;
        for _ in 0..BATCH {
            let Some(event) = self.commands.as_mut().and_then(CommandStream::poll) else { break };
            match event {
                Event::Record(record) => news |= self.command(&record),
                Event::Error(error) => self.commands_failed(&error),
            }
        }
        news
    }

    /// What the reader reads: the holds from where it is, and the admin topic.
    pub(super) fn assign(&self) {
        let mut list = rdkafka::TopicPartitionList::new();
        let mut add = |topic: &str, partition, from| {
            if let Err(error) = list.add_partition_offset(topic, partition, from) {
                warn!(topic, %error, "the reader could not be assigned");
            }
        };
        if let Some(from) = self.follows.holds_next() {
            add(self.shared.settings.holds.as_str(), 0, from);
        }
        if let Some(commands) = &self.commands {
            let stream = &self.shared.settings.commands;
            add(stream.topic.as_str(), stream.partition, Offset::Offset(commands.next));
        }
        if let Err(error) = self.reader.assign(&list) {
            warn!(%error, "the reader could not be assigned");
        }
    }
}
