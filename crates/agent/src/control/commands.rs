//! KafkaFlow's commands. Stop, start, restart, the worker count, reset and rewind are obeyed wherever the builder
//! allows it; pause and resume only on a cluster without a topic of holds.

use flowdeck_model::{CommandId, ConsumerName, GroupId, Scope, TopicName};
use flowdeck_protocol::kafkaflow::{self, Command, Decoded, Message};
use flowdeck_protocol::wire;
use tracing::{debug, info};

use crate::admin::{AdminAction, AdminCommand, OffsetTarget};
use crate::shared::{add, now};
use crate::view::HoldsStatus;

use super::Control;
use super::holds::Follows;
use super::reader::{Found, Read, Reader};
use super::stream::CommandRecord;

impl Control {
    /// There is no topic of holds.
    pub(super) fn obey_pauses(&mut self, found: &mut Found, reader: &mut Reader) {
        self.follows = Follows::Pauses;
        self.open_commands(found, reader);
        if self.commands_from.is_some() {
            info!(group.id = %self.shared.settings.group, "no topic of holds: obeying admin commands");
        }
        if self.shared.lock().view.set_status(HoldsStatus::Absent) {
            self.shared.tell();
        }
        self.shared.settled();
        self.regate(self.check_covers);
    }

    pub(super) fn obeys_pauses(&self) -> bool {
        matches!(self.follows, Follows::Pauses)
    }

    /// Whether commands are read: where they may be, and always where there are no holds.
    pub(super) fn open_commands(&mut self, found: &mut Found, reader: &mut Reader) {
        let wants = self.shared.settings.obey_commands || self.obeys_pauses();
        if wants && self.commands_from.is_none() {
            self.commands_from = found.commands(reader);
        }
    }

    /// A record on the admin topic, read by the reader.
    pub(super) fn command(&mut self, record: &CommandRecord) {
        let Some(from) = self.commands_from else { return };
        let read = &record.read;
        if record.begins_anew {
            self.commands_from = Some(read.offset);
        } else if read.offset < from {
            // Written before this agent started.
            return;
        }
        let headers = read.headers();
        match kafkaflow::decode(&headers, read.value.as_deref()) {
            Decoded::Message(Message::Command(command)) => {
                self.news |= self.obey(command, wire::command_of(&headers));
            }
            Decoded::Message(Message::Telemetry(_)) => {}
            Decoded::NotOurs => self.set_offsets(read),
            Decoded::Malformed(reason) => {
                add(&self.shared.counts.records_not_understood, 1);
                debug!(offset = read.offset, %reason, "a record on the admin topic was skipped");
            }
        }
    }

    /// Flowdeck's own message, which KafkaFlow skips.
    fn set_offsets(&mut self, record: &Read) {
        let headers = record.headers();
        let asked = match wire::read_set_offsets(&headers, record.value.as_deref()) {
            None => return,
            Some(Ok(asked)) => asked,
            Some(Err(reason)) => {
                add(&self.shared.counts.records_not_understood, 1);
                debug!(offset = record.offset, %reason, "a record on the admin topic was skipped");
                return;
            }
        };
        let is_ours = self.is_our_group(&asked.group) && self.is_ours(&asked.consumer);
        if is_ours && self.shared.settings.obey_commands {
            let to = OffsetTarget::Exact(asked.partitions);
            let action = AdminAction::SetOffsets { topics: vec![], to };
            self.shared.admin.push(AdminCommand { id: wire::command_of(&headers), action });
            self.shared.tell();
        }
    }

    /// Says whether gates may have to move.
    fn obey(&mut self, command: Command, id: Option<CommandId>) -> bool {
        let (consumer, action) = match command {
            Command::PauseConsumerByName { consumer, topics } => {
                return self.is_ours(&consumer) && self.pause(true, Some(consumer), topics);
            }
            Command::ResumeConsumerByName { consumer, topics } => {
                return self.is_ours(&consumer) && self.pause(false, Some(consumer), topics);
            }
            Command::PauseConsumersByGroup { group, topics } => {
                return self.is_our_group(&group) && self.pause(true, None, topics);
            }
            Command::ResumeConsumersByGroup { group, topics } => {
                return self.is_our_group(&group) && self.pause(false, None, topics);
            }
            Command::StopConsumerByName { consumer } => (consumer, AdminAction::Stop),
            Command::StartConsumerByName { consumer } => (consumer, AdminAction::Start),
            Command::RestartConsumerByName { consumer } => (consumer, AdminAction::Restart),
            Command::ChangeConsumerWorkersCount { consumer, workers } => {
                (consumer, AdminAction::SetWorkers(workers))
            }
            Command::ResetConsumerOffset { consumer, topics } => {
                (consumer, AdminAction::SetOffsets { topics, to: OffsetTarget::Beginning })
            }
            Command::RewindConsumerOffsetToDateTime { consumer, date_time, topics } => {
                let to = OffsetTarget::Time(date_time.timestamp());
                (consumer, AdminAction::SetOffsets { topics, to })
            }
        };
        if self.is_ours(&consumer) && self.shared.settings.obey_commands {
            self.shared.admin.push(AdminCommand { id, action });
            self.shared.tell();
        }
        false
    }

    fn is_ours(&self, consumer: &ConsumerName) -> bool {
        *consumer == self.shared.settings.consumer
    }

    fn is_our_group(&self, group: &GroupId) -> bool {
        *group == self.shared.settings.group
    }

    fn pause(&mut self, pause: bool, consumer: Option<ConsumerName>, topics: Vec<TopicName>) -> bool {
        if !self.obeys_pauses() {
            return false;
        }
        let scope = Scope { consumer, ..Scope::group(self.shared.settings.group.clone()) };
        let scopes = if topics.is_empty() {
            vec![scope]
        } else {
            topics.into_iter().map(|topic| Scope { topic: Some(topic), ..scope.clone() }).collect()
        };
        let mut state = self.shared.lock();
        if pause {
            state.view.pause_locally(scopes, now());
        } else {
            state.view.resume_locally(&scopes);
        }
        true
    }
}
