//! Kinds of operations, one file each: what is written for a request, and what proves that it is obeyed. What all have
//! in common (the audit, the writing, the life of a command) knows no kind by name.

mod pause;
mod resume;

use std::time::Duration;

use flowdeck_model::view::SentRecord;
use flowdeck_model::{Action, ConsumerName, Hold, PortError, Submit, Target, TopicName};
use flowdeck_observe::Timing;
use flowdeck_observe::telemetry::{GroupTelemetry, InstanceTelemetry};
use flowdeck_protocol::kafkaflow;

use crate::commands::follow_up::Again;
use crate::commands::kafkaflow::AdminCommand;
use crate::commands::lifecycle::Seen;
use crate::commands::plan::{Decision, Facts};
use crate::commands::{Command, Tracked};

pub(crate) use resume::release;

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

    /// From KafkaFlow evidence is awaited so long.
    fn kafkaflow_deadline(&self, timing: &Timing) -> Duration;

    /// What a KafkaFlow instance said after the command.
    fn evidence(&self, tracked: &mut Tracked, target: &Target, instance: &InstanceTelemetry, seen: Seen<'_>);

    /// The records after which what an instance says is evidence.
    fn counts_from<'a>(&self, command: &'a Command) -> &'a [SentRecord];

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
        command: &mut Command,
        holds: &[Hold],
        heard: &[(ConsumerName, InstanceTelemetry)],
        seen: Seen<'_>,
    ) -> Again;

    /// KafkaFlow's command by a consumer's name.
    fn message(&self, consumer: ConsumerName, topics: Vec<TopicName>) -> kafkaflow::Command;

    /// The kind that takes it back, with the same target.
    fn undo(&self) -> Option<Action> {
        None
    }
}

pub(crate) fn of(action: Action) -> &'static dyn Kind {
    match action {
        Action::Pause => &pause::Pause,
        Action::Resume => &resume::Resume,
    }
}

/// The same command once more, to the consumers that do not obey, with the topics spelled out.
pub(crate) fn again(action: Action, wanted: Again) -> Vec<AdminCommand> {
    wanted
        .into_iter()
        .map(|((pair, consumer), topics)| AdminCommand {
            pair,
            message: of(action).message(consumer, topics.into_iter().collect()),
        })
        .collect()
}
