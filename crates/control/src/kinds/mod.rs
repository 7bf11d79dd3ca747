//! Kinds of operations, one file each: what is written for a request, and what proves that it is obeyed. What all have
//! in common (the audit, the writing, the life of a command) knows no kind by name.

mod by_name;
mod moves;
mod pause;
mod reset;
mod restart;
mod resume;
mod rewind;
mod set_offsets;
mod start;
mod started_anew;
mod stop;
mod workers;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use flowdeck_model::view::SentRecord;
use flowdeck_model::{Action, ActionKind, ConsumerName, Hold, PortError, Submit, TopicName};
use flowdeck_observe::Timing;
use flowdeck_observe::telemetry::{GroupTelemetry, InstanceTelemetry};
use flowdeck_observe::time_zones::RewindTimeZones;
use flowdeck_protocol::kafkaflow;

use crate::commands::follow_up::Again;
use crate::commands::kafkaflow::AdminCommand;
use crate::commands::lifecycle::Seen;
use crate::commands::plan::{Decision, Facts};
use crate::commands::{Command, Tracked};

pub(crate) use resume::{release, released};

/// One kind. Pure: `now` is in what is seen.
pub(crate) trait Kind: Sync {
    /// What would be written. Nothing happens, so that it can be shown before.
    fn plan(
        &self,
        submit: &Submit,
        owner: &str,
        facts: &Facts<'_>,
        telemetry: Option<&GroupTelemetry>,
    ) -> Result<Decision, PortError>;

    /// Refused where its request cannot be written to the audit.
    fn needs_audit(&self) -> bool {
        true
    }

    /// From KafkaFlow evidence is awaited so long. Where a consumer leaves its group, its workers finish first, for which
    /// KafkaFlow gives them 30 s.
    fn kafkaflow_deadline(&self, _command: &Command, seen: Seen<'_>) -> Duration {
        seen.timing.restart_deadline
    }

    /// An agent answers by then.
    fn agent_deadline(&self, timing: &Timing) -> Duration {
        timing.restart_deadline
    }

    /// What a KafkaFlow instance said after the command.
    fn evidence(
        &self,
        command: &Command,
        tracked: &mut Tracked,
        instance: &InstanceTelemetry,
        seen: Seen<'_>,
    );

    /// What Kafka tells of a KafkaFlow instance after the command, whether it is heard or not.
    fn kafka_evidence(&self, _command: &Command, _tracked: &mut Tracked, _seen: Seen<'_>) {}

    /// What telemetry says is no evidence for this instance: Kafka's members are.
    fn is_by_members(&self, _command: &Command, _tracked: &Tracked, _seen: Seen<'_>) -> bool {
        false
    }

    /// The consumer leaves its group and comes back: its members are remembered as they were before, and an
    /// instance that goes silent on it has crashed or hung.
    fn starts_anew(&self) -> bool {
        false
    }

    /// The records after which what an instance says is evidence.
    fn counts_from<'a>(&self, command: &'a Command) -> &'a [SentRecord] {
        &command.sent
    }

    /// Proven by commits that go on.
    fn awaits_flow(&self) -> bool {
        false
    }

    /// An instance that left the group has nothing to do any more.
    fn is_done_by_leaving(&self) -> bool {
        false
    }

    /// Who gave no evidence has its time anew when it is sent again.
    fn awaits_anew(&self) -> bool {
        false
    }

    /// Of the KafkaFlow instances that were heard, those that do not obey, and what is sent to them again now.
    /// `holds`: the command's own that are in force.
    fn again(
        &self,
        _command: &mut Command,
        _holds: &[Hold],
        _heard: &[(ConsumerName, InstanceTelemetry)],
        _seen: Seen<'_>,
    ) -> Again {
        Again::default()
    }

    /// KafkaFlow's command by a consumer's name; `None`: it has none.
    fn message(
        &self,
        consumer: ConsumerName,
        topics: Vec<TopicName>,
        zones: &RewindTimeZones,
    ) -> Option<kafkaflow::Command>;

    /// It may be asked for a group that nobody knows yet.
    fn makes_group(&self) -> bool {
        false
    }

    /// The kind that takes it back, with the same target.
    fn undo(&self) -> Option<ActionKind> {
        None
    }
}

pub(crate) fn of(action: Action) -> Box<dyn Kind> {
    match action {
        Action::Pause => Box::new(pause::Pause),
        Action::Resume => Box::new(resume::Resume),
        Action::Stop => Box::new(stop::Stop),
        Action::Start => Box::new(start::Start),
        Action::Restart => Box::new(restart::Restart),
        Action::ChangeWorkers { workers } => Box::new(workers::ChangeWorkers { workers }),
        Action::Reset => Box::new(reset::Reset),
        Action::Rewind { to } => Box::new(rewind::Rewind { to }),
        Action::SetOffsets => Box::new(set_offsets::SetOffsets { delete_group: false }),
        Action::DeleteGroup => Box::new(set_offsets::SetOffsets { delete_group: true }),
    }
}

/// The same command once more, to the consumers that do not obey, with the topics spelled out.
pub(crate) fn again(
    action: Action,
    topics: BTreeMap<(usize, ConsumerName), BTreeSet<TopicName>>,
    zones: &RewindTimeZones,
) -> Vec<AdminCommand> {
    let kind = of(action);
    let commands = topics.into_iter().filter_map(|((pair, consumer), topics)| {
        let message = kind.message(consumer, topics.into_iter().collect(), zones)?;
        Some(AdminCommand { pair, message })
    });
    commands.collect()
}

/// KafkaFlow's stop to each of them.
pub(crate) fn stops(wanted: BTreeSet<(usize, ConsumerName)>) -> Vec<AdminCommand> {
    let stop = |consumer| kafkaflow::Command::StopConsumerByName { consumer };
    wanted.into_iter().map(|(pair, consumer)| AdminCommand { pair, message: stop(consumer) }).collect()
}
