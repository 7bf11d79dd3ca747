//! The client by which all agents of a link read holds and commands, and what it gives.

use std::sync::Arc;
use std::time::{Duration, Instant};

use flowdeck_model::{GroupId, TopicName};
use flowdeck_protocol::Headers;
use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, Consumer as _, ConsumerContext};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::message::{BorrowedMessage, Headers as _, Message as _};
use rdkafka::{ClientConfig, Offset, TopicPartitionList};
use tracing::{debug, info, warn};

use crate::topics::{Presence, presence_of};

use super::links::Topics;
use super::log::{HoldsLog, HoldsRecord};
use super::rounds::Rounds;
use super::stream::{self, CommandRecord, CommandStream};

pub(super) enum Event {
    Record(Read),
    Error(KafkaError),
}

/// A record of the reader's, free of its client.
pub(super) struct Read {
    pub(super) offset: i64,
    pub(super) key: Option<Vec<u8>>,
    pub(super) value: Option<Vec<u8>>,
    headers: Vec<(String, Vec<u8>)>,
}

impl Read {
    pub(super) fn of(message: &BorrowedMessage<'_>) -> Self {
        let headers = message.headers().into_iter().flat_map(|headers| headers.iter());
        Self {
            offset: message.offset(),
            key: message.key().map(<[u8]>::to_vec),
            value: message.payload().map(<[u8]>::to_vec),
            headers: headers.filter_map(|one| Some((one.key.to_owned(), one.value?.to_vec()))).collect(),
        }
    }

    pub(super) fn headers(&self) -> Headers<'_> {
        self.headers.iter().map(|(name, value)| (name.as_str(), value.as_slice())).collect()
    }
}

/// What one look at the cluster's metadata found, for all agents.
pub(super) struct Found {
    pub(super) holds: Presence,
    /// The topic of holds was missing, and is here.
    pub(super) came_back: bool,
    pub(super) acks: bool,
    pub(super) telemetry: bool,
    /// Where commands for who begins to read them now begin; asked for by the first who does.
    commands: Option<Option<i64>>,
}

impl Found {
    pub(super) fn commands(&mut self, reader: &mut Reader) -> Option<i64> {
        *self.commands.get_or_insert_with(|| reader.open_commands())
    }
}

pub(super) struct Reader {
    /// Its queue, before its client.
    commands: Option<CommandStream>,
    client: Arc<BaseConsumer<ReaderContext>>,
    topics: Topics,
    group: GroupId,
    /// Once an agent follows the holds.
    log: Option<HoldsLog>,
    /// The topic of holds was missing at the last look, and had been read before.
    gone: bool,
    rounds: Rounds,
}

impl Reader {
    /// In the name of a group that the host's consumers have: it is the one that they may use.
    pub(super) fn new(config: &ClientConfig, topics: Topics, group: GroupId) -> KafkaResult<Self> {
        let mut config = config.clone();
        config.set("group.id", group.as_str());
        let client = Arc::new(config.create_with_context(ReaderContext)?);
        let rounds = Rounds::new(Instant::now());
        Ok(Self { commands: None, client, topics, group, log: None, gone: false, rounds })
    }

    /// An error where the cluster does not answer.
    pub(super) fn look(&mut self) -> KafkaResult<Found> {
        let holds = presence_of(&self.client, self.topics.holds.as_str())?;
        let here =
            |topic: &TopicName| matches!(presence_of(&self.client, topic.as_str()), Ok(Presence::Here));
        let (acks, telemetry) = (here(&self.topics.acks), here(&self.topics.telemetry.topic));
        let came_back = self.gone && holds == Presence::Here;
        match holds {
            Presence::Missing if self.log.is_some() && !self.gone => {
                warn!(topic = %self.topics.holds, "the topic of holds is gone; its last holds stay in force");
                self.gone = true;
            }
            Presence::Here if came_back => {
                self.gone = false;
                self.log = None;
            }
            Presence::Missing | Presence::Here | Presence::Refused(_) => {}
        }
        Ok(Found { holds, came_back, acks, telemetry, commands: None })
    }

    /// What was read of the holds, and the round whose end is theirs as they are now.
    pub(super) fn follow_holds(&mut self) -> (&HoldsLog, u64) {
        if self.log.is_none() {
            info!(topic = %self.topics.holds, "reading the holds");
        }
        (self.log.get_or_insert_default(), self.rounds.ask())
    }

    pub(super) fn read_holds_again(&mut self) -> u64 {
        self.rounds.ask()
    }

    /// The end of the holds was reached. Gives the round whose end it is.
    pub(super) fn at_end(&mut self) -> u64 {
        self.rounds.end()
    }

    /// `None` for a record of a topic that nobody follows any more.
    pub(super) fn take(&mut self, read: Read) -> Option<HoldsRecord> {
        let log = self.log.as_mut()?;
        let record = HoldsRecord::of(read);
        log.take(&record);
        Some(record)
    }

    #[cfg(test)]
    pub(super) fn took(&mut self, record: &HoldsRecord) {
        self.log.as_mut().unwrap().take(record);
    }

    pub(super) fn poll(&self, wait: Duration) -> Option<Event> {
        Some(match self.client.poll(wait)? {
            Err(error) => Event::Error(error),
            Ok(message) => Event::Record(Read::of(&message)),
        })
    }

    /// Whether an error of the client's concerns consumers of the group.
    pub(super) fn concerns(&self, error: &KafkaError, group: &GroupId) -> bool {
        error.rdkafka_error_code() != Some(RDKafkaErrorCode::GroupAuthorizationFailed) || self.group == *group
    }

    /// The offset from which on commands are for who asks now. `None`: they cannot be read.
    fn open_commands(&mut self) -> Option<i64> {
        if self.commands.is_some() {
            return stream::end(&self.client, &self.topics.commands);
        }
        let opened = CommandStream::open(&self.client, &self.topics.commands)?;
        info!(topic = %self.topics.commands.topic, "reading admin commands");
        let next = opened.next;
        self.commands = Some(opened);
        self.rounds.ask();
        Some(next)
    }

    pub(super) fn poll_commands(&mut self) -> Option<CommandRecord> {
        self.commands.as_mut()?.poll(&self.topics.commands.topic)
    }

    /// Reads the holds and the admin topic from where they are, anew where somebody asked for that.
    pub(super) fn assign_if_due(&mut self) {
        let now = Instant::now();
        if !self.rounds.is_due(now) {
            return;
        }
        match self.assign() {
            Ok(()) => self.rounds.begin(self.log.is_some(), now),
            Err(error) => {
                warn!(%error, "the reader could not be assigned");
                self.rounds.not_begun(now);
            }
        }
    }

    fn assign(&self) -> KafkaResult<()> {
        let mut list = TopicPartitionList::new();
        if let Some(log) = &self.log {
            list.add_partition_offset(self.topics.holds.as_str(), 0, log.from())?;
        }
        if let Some(commands) = &self.commands {
            let stream = &self.topics.commands;
            let from = Offset::Offset(commands.next);
            list.add_partition_offset(stream.topic.as_str(), stream.partition, from)?;
        }
        self.client.assign(&list)
    }
}

pub(super) struct ReaderContext;

impl ClientContext for ReaderContext {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        crate::context::log(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        // The end of a partition comes here too; `poll` gives it to the thread.
        if error.rdkafka_error_code() != Some(RDKafkaErrorCode::PartitionEOF) {
            debug!(%error, reason, "the reader's client reports");
        }
    }
}

impl ConsumerContext for ReaderContext {}
