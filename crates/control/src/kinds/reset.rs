//! Reset: each partition's commit goes to the first record of its log.

use std::time::Duration;

use flowdeck_model::{PortError, Submit};
use flowdeck_observe::Timing;
use flowdeck_observe::telemetry::{GroupTelemetry, InstanceTelemetry};
use flowdeck_protocol::kafkaflow;

use super::Kind;
use super::by_name::{BUFFERED, CRASH, Reached, check_alone};
use super::moves::{self, NOT_KNOWN, READ_AGAIN};
use super::started_anew::note_leaving;
use crate::commands::lifecycle::Seen;
use crate::commands::offsets::Lookup;
use crate::commands::plan::{Check, Decision, Facts, nothing_assigned};
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
        if lookup.is_for_nothing() {
            return Err(nothing_assigned(&submit.target));
        }
        let topics = submit.target.topics.clone();
        let message = kafkaflow::Command::ResetConsumerOffset { consumer: reached.name.clone(), topics };
        let notes = [READ_AGAIN, BUFFERED, NOT_KNOWN, CRASH].map(str::to_owned);
        let mut plan = reached.plan(&message, notes.to_vec());
        plan.check = Some(Check::Offsets(lookup));
        Ok(Decision::Write(plan))
    }

    fn kafkaflow_deadline(&self, timing: &Timing) -> Duration {
        timing.restart_deadline
    }

    fn agent_deadline(&self, timing: &Timing) -> Duration {
        timing.restart_deadline
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
