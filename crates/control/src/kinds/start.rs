//! Start of a stopped consumer. A second start of one that runs damages KafkaFlow, so it is sent only while Kafka lists
//! no member of the group.

use flowdeck_model::{ActionKind, ConsumerName, PortError, Submit, TopicName, Via, shown};
use flowdeck_observe::telemetry::{GroupTelemetry, InstanceTelemetry};
use flowdeck_observe::time_zones::RewindTimeZones;
use flowdeck_protocol::kafkaflow;

use super::Kind;
use super::by_name::{CRASH, Reached};
use super::started_anew::{not_proven, partitions, proven, runs};
use crate::commands::external::ended_by_start;
use crate::commands::lifecycle::Seen;
use crate::commands::plan::{Check, Decision, Facts, RUNS_ALREADY};
use crate::commands::{Command, Tracked};

pub(super) struct Start;

impl Kind for Start {
    fn plan(
        &self,
        submit: &Submit,
        _owner: &str,
        facts: &Facts<'_>,
        telemetry: Option<&GroupTelemetry>,
    ) -> Result<Decision, PortError> {
        let reached = Reached::of(submit, facts, telemetry)?;
        match facts.group.map(|group| group.members.as_deref()) {
            Some(Some(members)) if !members.is_empty() => {
                return Err(PortError::Conflict { detail: RUNS_ALREADY.to_owned() });
            }
            Some(None) => {
                let detail =
                    "Kafka has not told the group's members, and a start is sent only where there are none";
                return Err(PortError::Unprocessable { detail: detail.to_owned() });
            }
            // Kafka forgets a group without members and commits.
            Some(Some(_)) | None => {}
        }
        let held = facts.active.iter().find(|hold| hold.stops(&submit.target.group, reached.name));
        if let Some(hold) = held.filter(|_| facts.via != Via::KafkaFlow) {
            let owner = shown::name(&hold.owner);
            let detail = format!("a hold of {owner} keeps the consumer stopped: resume it instead");
            return Err(PortError::Conflict { detail });
        }
        let message = self.message(reached.name.clone(), vec![], facts.time_zones);
        let mut plan = reached.plan(message.as_ref(), vec![NOT_KNOWN.to_owned(), CRASH.to_owned()]);
        plan.changes = ended_by_start(facts.active, &submit.target);
        plan.check = Some(Check::NoMembers(submit.target.group.clone()));
        Ok(Decision::Write(plan))
    }

    fn message(
        &self,
        consumer: ConsumerName,
        _topics: Vec<TopicName>,
        _zones: &RewindTimeZones,
    ) -> Option<kafkaflow::Command> {
        Some(kafkaflow::Command::StartConsumerByName { consumer })
    }

    fn evidence(
        &self,
        command: &Command,
        tracked: &mut Tracked,
        instance: &InstanceTelemetry,
        seen: Seen<'_>,
    ) {
        match runs(command, command.target.consumer.as_ref(), instance, tracked.since, seen) {
            Ok(count) => proven(tracked, instance, partitions(count), seen),
            Err(why) => not_proven(tracked, why),
        }
    }

    fn starts_anew(&self) -> bool {
        true
    }

    fn undo(&self) -> Option<ActionKind> {
        Some(ActionKind::Stop)
    }
}

const NOT_KNOWN: &str = "Confirmed once Kafka lists its members and telemetry lists partitions. That records flow is not proven by it.";
