//! Reset: each partition's commit goes to the first record of its log.

use flowdeck_model::{ConsumerName, PortError, Submit, TopicName};
use flowdeck_observe::telemetry::{GroupTelemetry, InstanceTelemetry};
use flowdeck_observe::time_zones::RewindTimeZones;
use flowdeck_protocol::kafkaflow;

use super::Kind;
use super::by_name::{BUFFERED, CRASH, Reached, check_alone};
use super::moves::{self, NOT_KNOWN, READ_AGAIN};
use super::started_anew::note_leaving;
use crate::commands::lifecycle::Seen;
use crate::commands::offsets::Lookup;
use crate::commands::plan::{Check, Decision, Facts};
use crate::commands::{Command, Tracked};

pub(super) struct Reset;

impl Kind for Reset {
    fn plan(
        &self,
        submit: &Submit,
        _owner: &str,
        facts: &Facts<'_>,
        telemetry: Option<&GroupTelemetry>,
    ) -> Result<Decision, PortError> {
        let reached = Reached::of(submit, facts, telemetry)?;
        check_alone(submit, facts)?;
        let lookup = Lookup::new(submit, reached.consumer, moves::earliest(), facts)?;
        let message = self.message(reached.name.clone(), submit.target.topics.clone(), facts.time_zones);
        let notes = [READ_AGAIN, BUFFERED, NOT_KNOWN, CRASH].map(str::to_owned);
        let mut plan = reached.plan(message.as_ref(), notes.to_vec());
        plan.check = Some(Check::Offsets(lookup));
        Ok(Decision::Write(plan))
    }

    fn message(
        &self,
        consumer: ConsumerName,
        topics: Vec<TopicName>,
        _zones: &RewindTimeZones,
    ) -> Option<kafkaflow::Command> {
        Some(kafkaflow::Command::ResetConsumerOffset { consumer, topics })
    }

    fn evidence(
        &self,
        command: &Command,
        tracked: &mut Tracked,
        instance: &InstanceTelemetry,
        seen: Seen<'_>,
    ) {
        moves::evidence(command, tracked, instance, seen);
    }

    fn kafka_evidence(&self, command: &Command, tracked: &mut Tracked, seen: Seen<'_>) {
        note_leaving(tracked, seen);
        moves::note_commits(command, tracked, seen);
    }

    fn starts_anew(&self) -> bool {
        true
    }
}
