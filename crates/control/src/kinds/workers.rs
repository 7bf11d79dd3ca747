//! Change of the workers count, in every instance; KafkaFlow restarts the consumer for it.

use flowdeck_model::action::Workers;
use flowdeck_model::{ConsumerName, PortError, Submit, TopicName};
use flowdeck_observe::telemetry::{GroupTelemetry, InstanceTelemetry};
use flowdeck_observe::time_zones::RewindTimeZones;
use flowdeck_protocol::kafkaflow;

use super::Kind;
use super::by_name::{BUFFERED, CRASH, Reached};
use super::started_anew::{not_proven, partitions, proven, runs};
use crate::commands::lifecycle::Seen;
use crate::commands::plan::{Decision, Facts};
use crate::commands::scope::listening;
use crate::commands::{Command, Tracked};

pub(super) struct ChangeWorkers {
    pub(super) workers: Workers,
}

impl Kind for ChangeWorkers {
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
            notes = vec![RESTARTS.to_owned(), BUFFERED.to_owned(), NOT_KNOWN.to_owned(), CRASH.to_owned()];
        }
        notes.extend(held);
        let mut all = listening(&submit.target, telemetry, facts.now, facts.heard_within);
        if all.all(|(_, instance)| instance.workers == Some(self.workers.get())) {
            notes.push(format!("All instances have {} workers already.", self.workers));
        }
        Ok(Decision::Write(reached.plan(message.as_ref(), notes)))
    }

    fn message(
        &self,
        consumer: ConsumerName,
        _topics: Vec<TopicName>,
        _zones: &RewindTimeZones,
    ) -> Option<kafkaflow::Command> {
        let workers = i32::try_from(self.workers.get()).unwrap_or(i32::MAX);
        Some(kafkaflow::Command::ChangeConsumerWorkersCount { consumer, workers })
    }

    fn evidence(
        &self,
        command: &Command,
        tracked: &mut Tracked,
        instance: &InstanceTelemetry,
        seen: Seen<'_>,
    ) {
        match instance.workers {
            Some(workers) if workers == self.workers.get() => {}
            Some(workers) => return not_proven(tracked, &format!("it has {workers} workers")),
            None => return not_proven(tracked, "it does not tell how many workers it has"),
        }
        match runs(command, command.target.consumer.as_ref(), instance, tracked.since, seen) {
            Ok(count) => {
                proven(tracked, instance, format!("{} workers; {}", self.workers, partitions(count)), seen);
            }
            Err(why) => not_proven(tracked, &format!("{} workers; {why}", self.workers)),
        }
    }

    fn starts_anew(&self) -> bool {
        true
    }
}

const RESTARTS: &str = "Each KafkaFlow instance leaves the group and joins it again for it.";
const NOT_KNOWN: &str = "Confirmed by the workers count in telemetry. It ends with the process: the next one starts with its own count.";
