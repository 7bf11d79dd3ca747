//! Facts into state: records are decoded here, and what is malformed, too long or of a newer version
//! is counted and skipped.

use flowdeck_kafka::Record;
use flowdeck_model::{CommandId, HoldId, Timestamp};
use flowdeck_protocol::Headers;
use flowdeck_protocol::kafkaflow::{self, Decoded, Message};
use flowdeck_protocol::wire::{self, AckRecord, HoldRecord, Sender};

use super::facts::{Fact, Source, What};
use super::sample::Sample;
use super::state::State;
use crate::commands::{evidence, lifecycle};
use crate::holds::store::HoldKey;
use crate::holds::unread::Unread;
use crate::telemetry::registry::Heard;
use crate::telemetry::standing::{Standing, is_borne_out};

impl State {
    pub(crate) fn heard(&mut self, fact: Fact) {
        match (fact.what, fact.source) {
            (What::Record(record), source) => {
                self.clear(source);
                self.record(source, &record, fact.at);
            }
            (What::Reached, source) => {
                self.clear(source);
                match source {
                    Source::Holds => self.holds.reached(),
                    Source::Acks => self.acks_known = true,
                    Source::Admin(stream) => self.follows(stream, fact.at),
                }
                self.note_writable(fact.at);
                self.dirty = true;
            }
            (What::Gone, source) => {
                self.clear(source);
                match source {
                    Source::Holds => {
                        self.holds.gone();
                        self.unread = Unread::default();
                    }
                    Source::Acks => self.acks_known = true,
                    Source::Admin(stream) => self.follows(stream, fact.at),
                }
                self.note_writable(fact.at);
                self.dirty = true;
            }
            (What::Stands(why), source) => {
                let topic = match source {
                    Source::Admin(at) => self.streams.get(at).map(|stream| stream.topic.to_string()),
                    Source::Holds => Some(self.settings.holds_topic.to_string()),
                    Source::Acks => Some(self.settings.acks_topic.to_string()),
                };
                self.stands.insert(source, format!("{}: {why}", topic.unwrap_or_default()));
                self.dirty = true;
            }
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

    fn clear(&mut self, source: Source) {
        self.dirty |= self.stands.remove(&source).is_some();
    }

    fn record(&mut self, source: Source, record: &Record, at: Timestamp) {
        let cut =
            |part: &Option<bytes::Bytes>, size: usize| part.as_ref().is_some_and(|part| part.len() < size);
        if cut(&record.value, record.value_size) || cut(&record.key, record.key_size) {
            self.not_taken("longer than is read", source, at);
            if source == Source::Holds {
                self.holds.passed(record.offset);
                self.dirty |= self.unread.note(record.key.as_deref(), record.value.is_none());
            }
            return;
        }
        let headers: Headers<'_> = record
            .headers
            .iter()
            .filter_map(|(name, value)| Some((name.as_str(), value.as_deref()?)))
            .collect();
        match source {
            Source::Admin(stream) => self.admin_record(source, stream, record, &headers, at),
            Source::Holds => self.hold_record(record, &headers, at),
            Source::Acks => self.ack_record(record, &headers, at),
        }
    }

    /// Counted, and where it came with telemetry spoken of on the pages.
    fn not_taken(&mut self, why: &'static str, source: Source, at: Timestamp) {
        self.stats.dropped(why);
        if matches!(source, Source::Admin(_)) {
            self.registry.refuse(why, at);
        }
    }

    fn admin_record(
        &mut self,
        source: Source,
        stream: usize,
        record: &Record,
        headers: &Headers<'_>,
        at: Timestamp,
    ) {
        let Some(stream) = self.streams.get(stream) else { return };
        let (telemetry_of, commands) = (stream.telemetry_of, stream.commands);
        match kafkaflow::decode(headers, record.value.as_deref()) {
            Decoded::NotOurs => {}
            Decoded::Malformed(_) => self.not_taken("malformed KafkaFlow message", source, at),
            Decoded::Message(Message::Telemetry(telemetry)) => {
                if let Some(pair) = telemetry_of {
                    self.telemetry_record(pair, telemetry, headers, record.offset, at);
                }
            }
            Decoded::Message(Message::Command(command)) => {
                if commands && headers.last(wire::COMMAND).is_none() {
                    self.foreign(foreign_id(record), command, at);
                }
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
    ) {
        let (agent, incarnation) = match wire::sender(headers) {
            Sender::KafkaFlow => (false, None),
            Sender::Agent(incarnation) => (true, Some(incarnation)),
            Sender::OtherAgent => (true, None),
        };
        let heard = Heard {
            pair,
            topic: telemetry.topic.name().cloned(),
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
        if !self.holds.of_group(&heard.group).is_empty() {
            self.touched.insert(heard.group.clone());
        }
        let sample = std::sync::Arc::clone(&self.sample);
        if let Err(why) = self.registry.hear(heard, |heard| standing(&sample, heard)) {
            self.stats.dropped(why.words());
        }
    }

    fn hold_record(&mut self, record: &Record, headers: &Headers<'_>, at: Timestamp) {
        let read = wire::read_hold(headers, record.key.as_deref(), record.value.as_deref());
        // A tombstone holds nothing, whatever else it says.
        let is_known = record.value.is_none() || matches!(read, HoldRecord::Set(_));
        self.dirty |= self.unread.note(record.key.as_deref(), is_known);
        let (key, hold) = match read {
            HoldRecord::Set(hold) => ((hold.scope.clone(), hold.id), Some(hold)),
            HoldRecord::Released { scope, id } => ((scope, id), None),
            HoldRecord::NewerVersion => {
                self.holds.passed(record.offset);
                return self.stats.dropped("hold of another version");
            }
            HoldRecord::Malformed(_) => {
                self.holds.passed(record.offset);
                return self.stats.dropped("malformed hold");
            }
        };
        // What was in doubt may have been written after all.
        let asked_here = |id| self.book.get(id).is_some_and(|command| !command.rebuilt);
        let is_own =
            self.is_writer || self.unwritten.has(&key) || wire::command_of(headers).is_some_and(asked_here);
        if self.holds.is_known() && !is_own {
            self.others_wrote = Some(at);
        }
        let (id, released) = (key.1, hold.is_none());
        let own = |key: &HoldKey| self.unwritten.has_own(key);
        let changed = self.holds.apply(key, hold, record.offset, own);
        self.dirty |= changed;
        if released {
            // One that was rebuilt while the topic was read, and was released further on.
            self.released(id);
        } else if changed && self.unbuilt.last() != Some(&id) {
            self.unbuilt.push(id);
        }
    }

    fn ack_record(&mut self, record: &Record, headers: &Headers<'_>, at: Timestamp) {
        let ack = match wire::read_ack(headers, record.value.as_deref()) {
            AckRecord::NewerVersion => return self.stats.dropped("ack of another version"),
            AckRecord::Malformed(_) => return self.stats.dropped("malformed ack"),
            AckRecord::Ack(ack) => ack,
        };
        if self.unbuilt.contains(&HoldId::from(ack.command)) {
            self.rebuild();
        }
        let Some(command) = self.book.get(ack.command) else {
            return self.stats.dropped("ack for a command that is not remembered");
        };
        if command.target.group != ack.group {
            return self.stats.dropped("ack from another group");
        }
        if lifecycle::is_borrowed(command, &ack) {
            return self.stats.dropped("ack with the incarnation of another instance");
        }
        let mut command = command.clone();
        if lifecycle::acknowledged(&mut command, &ack, at) {
            let group = command.target.group.clone();
            let standing = self.holds.of_group(&group);
            evidence::observe(&mut command, self.seen(&group, &standing, at), true);
            self.enter(command);
        }
    }
}

/// How far the brokers bear out what is heard.
fn standing(sample: &Sample, heard: &Heard) -> Standing {
    let Some(group) = sample.group(&heard.group) else { return Standing::Stranger };
    let (Some(members), Some(topic)) = (&group.members, &heard.topic) else { return Standing::Claimed };
    let borne_out = is_borne_out(members, topic, &heard.running, &heard.paused);
    if borne_out { Standing::Member } else { Standing::Claimed }
}

/// KafkaFlow's dashboard gives each command a GUID as its key.
fn foreign_id(record: &Record) -> CommandId {
    let key = record.key.as_deref().and_then(|key| std::str::from_utf8(key).ok());
    key.and_then(|key| key.parse().ok()).unwrap_or_else(CommandId::random)
}
