//! Restart: the consumer leaves its group and joins it again.

use flowdeck_model::{ConsumerName, PortError, Submit, TopicName};
use flowdeck_observe::telemetry::{GroupTelemetry, InstanceTelemetry};
use flowdeck_observe::time_zones::RewindTimeZones;
use flowdeck_protocol::kafkaflow;

use super::Kind;
use super::by_name::{BUFFERED, CRASH, Reached};
use super::started_anew::{not_proven, note_leaving, partitions, proven, runs};
use crate::commands::lifecycle::Seen;
use crate::commands::plan::{Decision, Facts};
use crate::commands::{Command, Tracked};

pub(super) struct Restart;

impl Kind for Restart {
    fn plan(
        &self,
        submit: &Submit,
        _owner: &str,
        facts: &Facts<'_>,
        telemetry: Option<&GroupTelemetry>,
    ) -> Result<Decision, PortError> {
        let reached = Reached::of(submit, facts, telemetry)?;
        let held = reached.check_holds(submit, facts)?;
        let message = self.message(reached.name.clone(), vec![], facts.time_zones);
        let mut notes = Vec::new();
        if reached.kafkaflow > 0 {
            notes = vec![BUFFERED.to_owned(), NOT_KNOWN.to_owned(), CRASH.to_owned()];
        }
        notes.extend(held);
        Ok(Decision::Write(reached.plan(message.as_ref(), notes)))
    }

    fn message(
        &self,
        consumer: ConsumerName,
        _topics: Vec<TopicName>,
        _zones: &RewindTimeZones,
    ) -> Option<kafkaflow::Command> {
        Some(kafkaflow::Command::RestartConsumerByName { consumer })
    }

    fn evidence(
        &self,
        command: &Command,
        tracked: &mut Tracked,
        instance: &InstanceTelemetry,
        seen: Seen<'_>,
    ) {
        evidence(command, tracked, instance, seen);
    }

    fn kafka_evidence(&self, _command: &Command, tracked: &mut Tracked, seen: Seen<'_>) {
        note_leaving(tracked, seen);
    }

    fn starts_anew(&self) -> bool {
        true
    }
}

const NOT_KNOWN: &str = "Confirmed once Kafka lists other members than before and telemetry lists partitions again. \
    Whether a record was handled twice cannot be known.";

fn evidence(command: &Command, tracked: &mut Tracked, instance: &InstanceTelemetry, seen: Seen<'_>) {
    let Some(left) = tracked.anew.left_at else {
        return not_proven(tracked, "Kafka lists its member as before: it has not left the group yet");
    };
    match runs(command, command.target.consumer.as_ref(), instance, left, seen) {
        Ok(count) => {
            proven(
                tracked,
                instance,
                format!("left the group and joined it again; {}", partitions(count)),
                seen,
            );
        }
        Err(why) => not_proven(tracked, &format!("it left the group; {why}")),
    }
}
