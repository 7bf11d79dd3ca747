//! Stop: the consumer leaves its group. Telemetry cannot tell a stopped one from an idle one; Kafka's members can.

use flowdeck_model::{ActionKind, ConsumerName, InstanceState, PortError, Submit, TopicName};
use flowdeck_observe::telemetry::matching::instance_of;
use flowdeck_observe::telemetry::{GroupTelemetry, InstanceTelemetry};
use flowdeck_observe::time_zones::RewindTimeZones;
use flowdeck_protocol::kafkaflow;

use super::Kind;
use super::by_name::{BUFFERED, Reached};
use crate::commands::lifecycle::Seen;
use crate::commands::plan::{Decision, Facts};
use crate::commands::{Command, Tracked};

pub(super) struct Stop;

impl Kind for Stop {
    fn plan(
        &self,
        submit: &Submit,
        _owner: &str,
        facts: &Facts<'_>,
        telemetry: Option<&GroupTelemetry>,
    ) -> Result<Decision, PortError> {
        let reached = Reached::of(submit, facts, telemetry)?;
        let message = self.message(reached.name.clone(), vec![], facts.time_zones);
        let mut notes = Vec::new();
        if reached.kafkaflow > 0 {
            notes = vec![BUFFERED.to_owned(), NOT_KNOWN.to_owned()];
        }
        notes.push(EXPIRE.to_owned());
        Ok(Decision::Write(reached.plan(message.as_ref(), notes)))
    }

    fn message(
        &self,
        consumer: ConsumerName,
        _topics: Vec<TopicName>,
        _zones: &RewindTimeZones,
    ) -> Option<kafkaflow::Command> {
        Some(kafkaflow::Command::StopConsumerByName { consumer })
    }

    fn evidence(&self, _command: &Command, _tracked: &mut Tracked, _of: &InstanceTelemetry, _seen: Seen<'_>) {
    }

    fn kafka_evidence(&self, command: &Command, tracked: &mut Tracked, seen: Seen<'_>) {
        let Some(group) = seen.group else { return };
        let (Some(members), Some(asked)) = (group.members.as_deref(), group.members_at) else { return };
        if asked <= tracked.since || tracked.state.is_done() {
            return;
        }
        let Some(telemetry) = seen.telemetry else { return };
        // Whoever is not known to be another consumer may be this one.
        let of_others = members.iter().filter(|member| {
            instance_of(telemetry, member)
                .is_some_and(|(consumer, _)| Some(consumer) != command.target.consumer.as_ref())
        });
        let others = of_others.count();
        let own_gone = !tracked.anew.members.is_empty()
            && !members.iter().any(|member| tracked.anew.members.contains(&member.member_id));
        if others == members.len() {
            let detail = "stopped: Kafka lists none of the consumer's members".to_owned();
            tracked.become_(InstanceState::Acknowledged, Some(detail), seen.now);
        } else if tracked.state == InstanceState::Waiting {
            let detail = match own_gone {
                true => "its member left the group; Kafka still lists others of the consumer",
                false => "Kafka still lists its member",
            };
            tracked.detail = Some(detail.to_owned());
        }
    }

    fn undo(&self) -> Option<ActionKind> {
        Some(ActionKind::Start)
    }
}

const NOT_KNOWN: &str = "Confirmed once Kafka lists none of the consumer's members: telemetry cannot tell a stopped \
    consumer from an idle one.";
const EXPIRE: &str = "It is one command and no hold: an instance that starts later runs. Kafka deletes the offsets of \
    a group without members after offsets.retention.minutes (7 days by default), and unread records by each topic's \
    retention.";
