//! What is known of one cluster: the brokers' numbers, telemetry and holds, and how they change. No I/O and no
//! clock.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use flowdeck_kafka::{Record, RecordTime};
use flowdeck_model::view::Mode;
use flowdeck_model::{CommandId, GroupId, Timestamp};
use flowdeck_protocol::Headers;
use flowdeck_protocol::kafkaflow::{self, Decoded, Message};
use flowdeck_protocol::wire::{self, Ack, AckRecord, AgentTelemetryRecord, HoldRecord, Sender};
use flowdeck_protocol::wire::{
    AuditRecord, BulkRecord, Operation, ProduceRecord, RedriveRecord, RetentionRecord,
};

use crate::holds::{HoldIndex, HoldKey, HoldStore, UndecodableHolds};
use crate::sampling::sample::Sample;
use crate::settings::{ClusterSettings, TelemetryLimits};
use crate::snapshot::{Controlled, Parts};
use crate::stats::ClusterStats;
use crate::telemetry::TelemetryIndex;
use crate::telemetry::registry::{Heard, Registry};
use crate::telemetry::trust::{Trust, matches_assignment};
use crate::topic_events::{AdminStream, Incoming, Source, TopicEvent, admin_streams};

pub struct Observation {
    pub settings: Arc<ClusterSettings>,
    pub stats: Arc<ClusterStats>,
    pub sample: Arc<Sample>,
    pub registry: Registry,
    pub telemetry: TelemetryIndex,
    pub holds: HoldStore,
    streams: Vec<AdminStream>,
    hold_index: Arc<HoldIndex>,
    undecodable: UndecodableHolds,
    acks_known: bool,
    audit_known: bool,
    /// Of the audit, the next offset to be read.
    audit_next: i64,
    /// Why a topic cannot be followed.
    failing: BTreeMap<Source, String>,
    /// Of `streams`: those whose topic is not there.
    missing: BTreeSet<usize>,
    following_since: Option<Timestamp>,
    dirty: bool,
}

/// What a record says beside what is known of the cluster, for who controls it.
#[derive(Debug)]
pub enum Notice {
    Hold(HoldNotice),
    /// An instance of the group was heard.
    Telemetry(GroupId),
    Ack(Ack),
    /// An operation as the audit tells it.
    Operation(Box<Operation>),
    Redrive(Box<RedriveRecord>),
    Bulk(Box<BulkRecord>),
    Produce(Box<ProduceRecord>),
    Retention(Box<RetentionRecord>),
    /// A command on an admin topic that did not come from Flowdeck.
    ExternalCommand {
        id: CommandId,
        command: kafkaflow::Command,
        /// As the record tells it.
        written: Option<Timestamp>,
    },
}

#[derive(Debug)]
pub struct HoldNotice {
    pub key: HoldKey,
    /// Of the command that wrote it.
    pub command: Option<CommandId>,
    pub released: bool,
    /// What is known of the holds changed.
    pub changed: bool,
    /// The topic had been read to its end before.
    pub was_known: bool,
}

impl Observation {
    pub fn new(settings: Arc<ClusterSettings>, limits: TelemetryLimits, stats: Arc<ClusterStats>) -> Self {
        Self {
            streams: admin_streams(&settings),
            sample: Arc::default(),
            registry: Registry::new(limits),
            telemetry: TelemetryIndex::default(),
            holds: HoldStore::default(),
            hold_index: Arc::default(),
            undecodable: UndecodableHolds::default(),
            acks_known: false,
            audit_known: false,
            audit_next: 0,
            failing: BTreeMap::new(),
            missing: BTreeSet::new(),
            following_since: None,
            dirty: true,
            settings,
            stats,
        }
    }

    /// Holds, acks and audit were read to their ends (or are not there), and groups are known.
    pub fn is_ready(&self) -> bool {
        self.holds.is_known()
            && self.acks_known
            && self.audit_known
            && (self.sample.as_of.is_some() || self.sample.error.is_some())
    }

    /// Why the topic cannot be followed at the moment.
    pub fn failing(&self, source: Source) -> Option<&str> {
        self.failing.get(&source).map(String::as_str)
    }

    /// Whether every record of the audit before this offset was read.
    pub fn has_read_audit_to(&self, offset: i64) -> bool {
        self.audit_known && !self.failing.contains_key(&Source::Audit) && self.audit_next >= offset
    }

    /// The next offset of the audit that is to be read.
    pub fn audit_position(&self) -> i64 {
        self.audit_next
    }

    /// The audit was read to its end once, or is not there, or cannot be read.
    pub fn is_audit_settled(&self) -> bool {
        self.audit_known || self.failing.contains_key(&Source::Audit)
    }

    /// The audit was read to its end once, or is not there.
    pub fn is_audit_known(&self) -> bool {
        self.audit_known
    }

    /// Since when telemetry is followed.
    pub fn following_since(&self) -> Option<Timestamp> {
        self.following_since
    }

    /// Something changed that somebody waits for.
    pub fn is_dirty(&self) -> bool {
        self.dirty
    }

    pub fn is_telemetry_dirty(&self) -> bool {
        self.registry.is_dirty()
    }

    pub fn sampled(&mut self, sample: Arc<Sample>) {
        self.sample = sample;
        self.dirty = true;
    }

    pub fn fresh_telemetry(&mut self, now: Timestamp) {
        self.telemetry = self.registry.index(now);
    }

    /// For a snapshot.
    pub fn parts(&mut self, controlled: Controlled, now: Timestamp) -> Parts {
        self.fresh_telemetry(now);
        if self.holds.take_dirty() {
            self.hold_index = Arc::new(self.holds.index());
        }
        self.dirty = false;
        let mut warnings: Vec<String> = self.failing.values().cloned().collect();
        warnings.extend(self.without_admin_topic());
        warnings.extend(self.holds.warning());
        warnings.extend(self.undecodable.warning(self.settings.holds_topic.as_str()));
        Parts {
            telemetry: self.telemetry.clone(),
            holds: Arc::clone(&self.hold_index),
            warnings,
            controlled,
            before: None,
        }
    }

    /// Takes in what came. `own`: whether this process is writing the hold, for an operator or for the end of a
    /// pause.
    pub fn heard(&mut self, incoming: &Incoming, own: impl FnOnce(&HoldKey) -> bool) -> Option<Notice> {
        let (source, at) = (incoming.source, incoming.at);
        if let TopicEvent::Failing(why) = &incoming.event {
            self.failing.insert(source, format!("{}: {why}", self.topic(source)));
            self.dirty = true;
            return None;
        }
        self.dirty |= self.failing.remove(&source).is_some();
        if let Source::Admin(stream) = source {
            let is_missing = matches!(incoming.event, TopicEvent::Missing);
            self.dirty |= if is_missing { self.missing.insert(stream) } else { self.missing.remove(&stream) };
        }
        match &incoming.event {
            TopicEvent::Record(record) => return self.record(source, record, at, own),
            TopicEvent::CaughtUp if source == Source::Holds => self.holds.reached(),
            TopicEvent::Missing if source == Source::Holds => {
                self.holds.gone();
                self.undecodable = UndecodableHolds::default();
            }
            _ => {}
        }
        match source {
            Source::Holds => {}
            Source::Acks => self.acks_known = true,
            Source::Audit => self.audit_known = true,
            Source::Admin(stream) => self.follows(stream, at),
        }
        self.dirty = true;
        None
    }

    /// Where nobody is to be told anything, nobody has to be heard.
    fn without_admin_topic(&self) -> Option<String> {
        let topics: BTreeSet<String> =
            self.missing.iter().map(|stream| self.topic(Source::Admin(*stream))).collect();
        if topics.is_empty() || self.settings.mode != Mode::Control {
            return None;
        }
        let topics = topics.into_iter().collect::<Vec<_>>().join(", ");
        Some(format!(
            "{topics}: there is no such topic, so no instance of an agent or of KafkaFlow is heard or told there. Where the \
             brokers create no topics by themselves, create it with one partition, or set `admin_topics`"
        ))
    }

    fn topic(&self, source: Source) -> String {
        match source {
            Source::Admin(at) => {
                self.streams.get(at).map(|stream| stream.topic.to_string()).unwrap_or_default()
            }
            Source::Holds => self.settings.holds_topic.to_string(),
            Source::Acks => self.settings.acks_topic.to_string(),
            Source::Audit => self.settings.audit_topic.to_string(),
        }
    }

    /// The stream is followed from here on, or begins later.
    fn follows(&mut self, stream: usize, at: Timestamp) {
        let Some(stream) = self.streams.get_mut(stream) else { return };
        stream.followed |= true;
        if self.following_since.is_none() && self.streams.iter().all(|stream| stream.followed) {
            self.following_since = Some(at);
        }
    }

    /// Decodes the record; what is malformed, too long or of a newer version is counted and skipped.
    fn record(
        &mut self,
        source: Source,
        record: &Record,
        at: Timestamp,
        own: impl FnOnce(&HoldKey) -> bool,
    ) -> Option<Notice> {
        let cut =
            |part: &Option<bytes::Bytes>, size: usize| part.as_ref().is_some_and(|part| part.len() < size);
        if cut(&record.value, record.value_size) || cut(&record.key, record.key_size) {
            self.not_taken("too_long", "longer than is read", source, at);
            if source == Source::Audit {
                self.audit_next = record.offset + 1;
            }
            if source == Source::Holds {
                self.holds.passed(record.offset);
                self.dirty |= self.undecodable.note(record.key.as_deref(), record.value.is_none());
            }
            return None;
        }
        let headers: Headers<'_> = record.headers_with_values().collect();
        match source {
            Source::Admin(stream) => self.admin_record(stream, record, &headers, at),
            Source::Holds => self.hold_record(record, &headers, own),
            Source::Acks => self.ack_record(record, &headers),
            Source::Audit => self.audit_record(record, &headers),
        }
    }

    /// Counted, and where it came with telemetry spoken of on the pages.
    fn not_taken(&mut self, label: &'static str, why: &'static str, source: Source, at: Timestamp) {
        self.stats.dropped(label);
        if matches!(source, Source::Admin(_)) {
            self.registry.refuse(why, at);
        }
    }

    fn admin_record(
        &mut self,
        stream: usize,
        record: &Record,
        headers: &Headers<'_>,
        at: Timestamp,
    ) -> Option<Notice> {
        let known = self.streams.get(stream)?;
        let (telemetry_of, commands) = (known.telemetry_of, known.commands);
        match kafkaflow::decode(headers, record.value.as_deref()) {
            Decoded::NotOurs => {
                self.report(stream, telemetry_of?, record, headers, at);
                None
            }
            Decoded::Malformed(_) => {
                self.not_taken("malformed_message", "malformed KafkaFlow message", Source::Admin(stream), at);
                None
            }
            Decoded::Message(Message::Telemetry(telemetry)) => {
                self.telemetry_record(telemetry_of?, telemetry, headers, record.offset, at)
            }
            Decoded::Message(Message::Command(command)) => {
                let external = commands && headers.last(wire::COMMAND).is_none();
                let written = record.timestamp.and_then(RecordTime::at);
                external.then(|| Notice::ExternalCommand { id: external_id(record), command, written })
            }
        }
    }

    /// What an agent reports of itself.
    fn report(&mut self, stream: usize, pair: usize, record: &Record, headers: &Headers<'_>, at: Timestamp) {
        match wire::read_agent_telemetry(headers, record.value.as_deref()) {
            AgentTelemetryRecord::Other => {}
            AgentTelemetryRecord::Telemetry(telemetry) => {
                if !self.registry.report(pair, *telemetry, record.value_size, at) {
                    self.stats.dropped("report_of_unknown_instance");
                }
            }
            AgentTelemetryRecord::NewerVersion => self.stats.dropped("newer_report_version"),
            AgentTelemetryRecord::Malformed(_) => {
                self.not_taken("malformed_report", "malformed agent telemetry", Source::Admin(stream), at);
            }
        }
    }

    fn telemetry_record(
        &mut self,
        pair: usize,
        telemetry: kafkaflow::Telemetry,
        headers: &Headers<'_>,
        offset: i64,
        at: Timestamp,
    ) -> Option<Notice> {
        let (agent, incarnation) = match wire::sender(headers) {
            Sender::KafkaFlow => (false, None),
            Sender::Agent(incarnation) => (true, Some(incarnation)),
            Sender::OtherAgent => (true, None),
        };
        let heard = Heard {
            pair,
            topic: telemetry.topic,
            status: telemetry.status,
            group: telemetry.group,
            consumer: telemetry.consumer,
            instance: telemetry.instance,
            agent,
            incarnation,
            running: telemetry.running,
            paused: telemetry.paused,
            cut: telemetry.dropped_partitions,
            workers: u32::try_from(telemetry.workers).ok(),
            holds: wire::holds_of(headers).filter(|_| agent),
            sent_at: Some(telemetry.sent_at.timestamp()),
            offset,
            at,
        };
        let group = heard.group.clone();
        let sample = Arc::clone(&self.sample);
        if let Err(why) = self.registry.hear(heard, |heard| trust(&sample, heard)) {
            self.stats.dropped(why.label());
        }
        Some(Notice::Telemetry(group))
    }

    fn hold_record(
        &mut self,
        record: &Record,
        headers: &Headers<'_>,
        own: impl FnOnce(&HoldKey) -> bool,
    ) -> Option<Notice> {
        let read = wire::read_hold(headers, record.key.as_deref(), record.value.as_deref());
        // A tombstone holds nothing, whatever else it says.
        let is_known = record.value.is_none() || matches!(read, HoldRecord::Set(_));
        self.dirty |= self.undecodable.note(record.key.as_deref(), is_known);
        let (key, hold) = match read {
            HoldRecord::Set(hold) => ((hold.scope.clone(), hold.id), Some(hold)),
            HoldRecord::Released { scope, id } => ((scope, id), None),
            HoldRecord::NewerVersion => return self.passed(record, "newer_hold_version"),
            HoldRecord::Malformed(_) => return self.passed(record, "malformed_hold"),
        };
        let (was_known, released) = (self.holds.is_known(), hold.is_none());
        let changed = self.holds.apply(key.clone(), hold, record.offset, own);
        self.dirty |= changed;
        let command = wire::command_of(headers);
        Some(Notice::Hold(HoldNotice { key, command, released, changed, was_known }))
    }

    fn passed(&mut self, record: &Record, why: &'static str) -> Option<Notice> {
        self.holds.passed(record.offset);
        self.stats.dropped(why);
        None
    }

    fn audit_record(&mut self, record: &Record, headers: &Headers<'_>) -> Option<Notice> {
        self.audit_next = record.offset + 1;
        match wire::read_audit(headers, record.key.as_deref(), record.value.as_deref()) {
            Ok(AuditRecord::Operation(operation)) => return Some(Notice::Operation(operation)),
            Ok(AuditRecord::LogIn(_) | AuditRecord::Look(_)) => {}
            Ok(AuditRecord::Produce(record)) => return Some(Notice::Produce(record)),
            Ok(AuditRecord::Retention(record)) => return Some(Notice::Retention(record)),
            Ok(AuditRecord::Redrive(record)) => return Some(Notice::Redrive(record)),
            Ok(AuditRecord::Bulk(record)) => return Some(Notice::Bulk(record)),
            Ok(AuditRecord::NewerVersion | AuditRecord::UnknownType) => {
                self.stats.dropped("newer_audit_version");
            }
            Err(_) => self.stats.dropped("malformed_audit_record"),
        }
        None
    }

    fn ack_record(&mut self, record: &Record, headers: &Headers<'_>) -> Option<Notice> {
        match wire::read_ack(headers, record.value.as_deref()) {
            AckRecord::NewerVersion => self.stats.dropped("newer_ack_version"),
            AckRecord::Malformed(_) => self.stats.dropped("malformed_ack"),
            AckRecord::Ack(ack) => return Some(Notice::Ack(ack)),
        }
        None
    }
}

#[cfg(any(test, feature = "testing"))]
impl Observation {
    pub fn follow_since(&mut self, at: Option<Timestamp>) {
        self.following_since = at;
    }
}

/// How far the brokers confirm what is heard.
fn trust(sample: &Sample, heard: &Heard) -> Trust {
    let Some(group) = sample.group(&heard.group) else { return Trust::UnknownGroup };
    let (Some(members), Some(topic)) = (&group.members, heard.topic.name()) else { return Trust::Unverified };
    let matches = matches_assignment(members, topic, &heard.running, &heard.paused);
    if matches { Trust::Member } else { Trust::Unverified }
}

/// KafkaFlow's dashboard gives each command a GUID as its key.
fn external_id(record: &Record) -> CommandId {
    let key = record.key.as_deref().and_then(|key| std::str::from_utf8(key).ok());
    key.and_then(|key| key.parse().ok()).unwrap_or_else(CommandId::random)
}

#[cfg(test)]
mod tests {
    use super::*;
    use flowdeck_kafka::ClusterConfig;

    fn said(known: &mut Observation, event: TopicEvent) -> Vec<String> {
        let at = Timestamp::from_millis(1);
        known.heard(&Incoming::test(Source::Admin(0), event, at), |_| false);
        known.parts(Controlled::default(), at).warnings
    }

    #[test]
    fn an_admin_topic_that_is_not_there_is_said_where_somebody_may_be_told() {
        for (mode, warnings) in [(Mode::Control, 1), (Mode::Observe, 0)] {
            let mut settings =
                ClusterSettings::new("demo".parse().unwrap(), ClusterConfig::new("localhost:1"));
            settings.mode = mode;
            let mut known = Observation::new(Arc::new(settings), TelemetryLimits::default(), Arc::default());
            let missing = said(&mut known, TopicEvent::Missing);
            assert_eq!(missing.len(), warnings, "{missing:?}");
            assert!(missing.iter().all(|words| words.starts_with("kafkaflow.admin: there is no such topic")));
            assert_eq!(said(&mut known, TopicEvent::CaughtUp), [""; 0]);
        }
    }
}
