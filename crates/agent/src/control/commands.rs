//! KafkaFlow's commands. Stop, start, restart, the worker count, reset and rewind are obeyed wherever the builder
//! allows it; pause and resume only on a cluster without a topic of holds.

use flowdeck_model::{CommandId, ConsumerName, GroupId, Scope, TopicName};
use flowdeck_protocol::kafkaflow::{self, Command, Decoded, Message};
use flowdeck_protocol::wire;
use rdkafka::error::KafkaError;
use tracing::{debug, info, warn};

use crate::admin::{AdminAction, AdminCommand, OffsetTarget};
use crate::shared::{add, now};
use crate::view::HoldsStatus;

use super::Control;
use super::holds::Follows;
use super::reader::Read;

impl Control {
    /// There is no topic of holds.
    pub(super) fn obey_pauses(&mut self) {
        self.follows = Follows::Pauses;
        self.open_commands();
        if self.commands.is_some() {
            info!("no topic of holds: obeying admin commands");
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

    pub(super) fn commands_failed(&self, error: &KafkaError) {
        if !matches!(error, KafkaError::PartitionEOF(_)) {
            let topic = &self.shared.settings.commands.topic;
            warn!(%topic, %error, "admin commands cannot be read; they are not obeyed meanwhile");
        }
    }

    pub(super) fn command(&mut self, record: &Read) -> bool {
        let headers = record.headers();
        match kafkaflow::decode(&headers, record.value.as_deref()) {
            Decoded::Message(Message::Command(command)) => self.obey(command, wire::command_of(&headers)),
            Decoded::Message(Message::Telemetry(_)) => false,
            Decoded::NotOurs => {
                self.set_offsets(record);
                false
            }
            Decoded::Malformed(reason) => {
                add(&self.shared.counts.records_not_understood, 1);
                debug!(offset = record.offset, %reason, "a record on the admin topic was skipped");
                false
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
