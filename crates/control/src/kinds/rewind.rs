//! Rewind: each partition's commit goes to the first record at or after a time. KafkaFlow reads that time as the local
//! time of the consumer's host.

use flowdeck_model::{ConsumerName, PortError, Submit, Timestamp, TopicName};
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

pub(super) struct Rewind {
    pub(super) to: Timestamp,
}

impl Kind for Rewind {
    fn plan(
        &self,
        submit: &Submit,
        _owner: &str,
        facts: &Facts<'_>,
        telemetry: Option<&GroupTelemetry>,
    ) -> Result<Decision, PortError> {
        let reached = Reached::of(submit, facts, telemetry)?;
        check_alone(submit, facts)?;
        if self.to > facts.now {
            return Err(PortError::invalid("to", "it lies ahead: no record is as new as that"));
        }
        let lookup = Lookup::new(submit, reached.consumer, self.to, facts)?;
        let mut notes = vec![READ_AGAIN.to_owned(), SKIPPED.to_owned()];
        let shown = self.shown(&reached, facts, &mut notes)?;
        notes.extend([BUFFERED, NOT_KNOWN, CRASH].map(str::to_owned));
        let message = kafkaflow::Command::RewindConsumerOffsetToDateTime {
            consumer: reached.name.clone(),
            date_time: shown.into(),
            topics: submit.target.topics.clone(),
        };
        let mut plan = reached.plan(Some(&message), notes);
        plan.check = Some(Check::Offsets(lookup));
        Ok(Decision::Write(plan))
    }

    fn message(
        &self,
        consumer: ConsumerName,
        topics: Vec<TopicName>,
        zones: &RewindTimeZones,
    ) -> Option<kafkaflow::Command> {
        let date_time = zones.of(&consumer).local(self.to).shown.into();
        Some(kafkaflow::Command::RewindConsumerOffsetToDateTime { consumer, date_time, topics })
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

const SKIPPED: &str = "A partition that has no record at or after the time, or that no instance has assigned, is left \
    as it is.";

impl Rewind {
    /// The time as it is sent: what the clocks of the consumer's hosts show then. Agents read it as UTC.
    fn shown(
        &self,
        reached: &Reached<'_>,
        facts: &Facts<'_>,
        notes: &mut Vec<String>,
    ) -> Result<Timestamp, PortError> {
        if reached.kafkaflow == 0 {
            return Ok(self.to);
        }
        let zone = facts.time_zones.of(reached.name);
        let local = zone.local(self.to);
        if reached.agents > 0 && local.shown != self.to {
            let detail = format!(
                "KafkaFlow instances of consumer {} read the time of a rewind in {zone}, and its agents in UTC: \
                 one command cannot mean the same for both",
                reached.name.shown()
            );
            return Err(PortError::Unprocessable { detail });
        }
        notes.push(format!(
            "KafkaFlow reads the time in the zone of the consumer's hosts, which is {zone} by the configuration: {} \
             is sent.",
            local.shown.to_string().trim_end_matches('Z')
        ));
        if let Some(seconds) = local.other_by {
            notes.push(format!(
                "Clocks in {zone} were set back there and show this time twice: KafkaFlow takes the later one, \
                 {} min after what is asked for.",
                seconds / 60
            ));
        }
        Ok(local.shown)
    }
}
