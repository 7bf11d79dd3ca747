//! A cluster without a topic of holds: KafkaFlow's own commands are obeyed.

use flowdeck_model::Scope;
use flowdeck_protocol::kafkaflow::{self, Command, Decoded, Message};
use rdkafka::Offset;
use tracing::{debug, info};

use crate::shared::{add, now};
use crate::topics::{Presence, presence_of};
use crate::view::HoldsStatus;

use super::Control;
use super::holds::Follows;
use super::reader::Read;

impl Control {
    pub(super) fn follow_commands(&mut self) {
        let commands = self.shared.settings.commands.clone();
        if matches!(presence_of(&self.reader, commands.topic.as_str()), Ok(Presence::Here)) {
            info!(topic = %commands.topic, "no topic of holds: obeying admin commands");
            self.follows = Follows::Commands;
            self.assign(&commands, Offset::End);
        }
        if self.shared.lock().view.set_status(HoldsStatus::Absent) {
            self.shared.tell();
        }
        self.shared.settled();
        self.regate(self.check_covers);
    }

    pub(super) fn command(&mut self, record: &Read) -> bool {
        match kafkaflow::decode(&record.headers(), record.value.as_deref()) {
            Decoded::Message(Message::Command(command)) => self.obey(command),
            Decoded::Message(Message::Telemetry(_)) | Decoded::NotOurs => false,
            Decoded::Malformed(reason) => {
                add(&self.shared.counts.records_not_understood, 1);
                debug!(offset = record.offset, %reason, "a record on the admin topic was skipped");
                false
            }
        }
    }

    fn obey(&mut self, command: Command) -> bool {
        let settings = &self.shared.settings;
        let by_name = |consumer| (consumer == settings.consumer).then(|| Some(settings.consumer.clone()));
        let (pause, consumer, topics) = match command {
            Command::PauseConsumerByName { consumer, topics } => (true, by_name(consumer), topics),
            Command::ResumeConsumerByName { consumer, topics } => (false, by_name(consumer), topics),
            Command::PauseConsumersByGroup { group, topics } => {
                (true, (group == settings.group).then_some(None), topics)
            }
            Command::ResumeConsumersByGroup { group, topics } => {
                (false, (group == settings.group).then_some(None), topics)
            }
            other => {
                debug!(command = other.type_name(), "not a command that an agent obeys");
                return false;
            }
        };
        let Some(consumer) = consumer else { return false };
        let scope = Scope { consumer, ..Scope::group(settings.group.clone()) };
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
