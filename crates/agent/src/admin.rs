//! Commands from the admin topic on their way: read by the control thread, carried out by the poll thread, which
//! owns the consumer, and answered by the control thread again.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use flowdeck_model::{CommandId, InstanceState, Timestamp, TopicName};
use flowdeck_protocol::wire::{MovedOffset, SetOffset};

use crate::record::TopicPartition;

/// Commands that wait while another one is carried out.
const WAITING_MAX: usize = 16;
/// Answers that are remembered, for a command that is sent again.
const REMEMBERED: usize = 64;
/// More workers than this are a mistyped number.
pub(crate) const WORKERS_MAX: usize = 1_000;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct AdminCommand {
    /// Without it nobody waits for an answer: KafkaFlow's own dashboard sent it.
    pub(crate) id: Option<CommandId>,
    pub(crate) action: AdminAction,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum AdminAction {
    /// Leaves the group.
    Stop,
    /// Joins it again.
    Start,
    Restart,
    SetWorkers(i32),
    /// Of the owned partitions of these topics; of all topics where none is named.
    SetOffsets {
        topics: Vec<TopicName>,
        to: OffsetTarget,
    },
}

impl AdminAction {
    pub(crate) fn label(&self) -> &'static str {
        match self {
            Self::Stop => "stop",
            Self::Start => "start",
            Self::Restart => "restart",
            Self::SetWorkers(_) => "change of the worker count",
            Self::SetOffsets { to: OffsetTarget::Beginning, .. } => "reset",
            Self::SetOffsets { to: OffsetTarget::Time(_), .. } => "rewind",
            Self::SetOffsets { to: OffsetTarget::Exact(_), .. } => "setting of offsets",
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum OffsetTarget {
    /// The log's start.
    Beginning,
    /// The first record at or after this time.
    Time(Timestamp),
    /// Partition by partition; of those that are named and owned.
    Exact(Vec<SetOffset>),
}

/// What came of a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Outcome {
    pub(crate) state: InstanceState,
    pub(crate) partitions: Vec<TopicPartition>,
    /// With where each was and is.
    pub(crate) moved: Vec<MovedOffset>,
    pub(crate) detail: Option<String>,
}

impl Outcome {
    pub(crate) fn done(detail: Option<String>) -> Self {
        Self { state: InstanceState::Acknowledged, partitions: vec![], moved: vec![], detail }
    }

    pub(crate) fn refused(detail: impl Into<String>) -> Self {
        Self { state: InstanceState::Refused, partitions: vec![], moved: vec![], detail: Some(detail.into()) }
    }
}

/// One command is carried out at a time, in the order of the topic.
#[derive(Debug, Default)]
pub(crate) struct AdminCommands(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    waiting: VecDeque<AdminCommand>,
    /// With an id: waiting or carried out.
    open: VecDeque<CommandId>,
    answered: VecDeque<(CommandId, Outcome)>,
    outcomes: Vec<(CommandId, Outcome)>,
}

impl AdminCommands {
    /// A command that is sent again under its id is not carried out again: its answer is.
    pub(crate) fn push(&self, command: AdminCommand) {
        let mut state = self.lock();
        if let Some(id) = command.id {
            if state.open.contains(&id) {
                return;
            }
            if let Some(answer) = state.answered.iter().find(|(one, _)| *one == id).cloned() {
                state.outcomes.push(answer);
                return;
            }
        }
        if state.waiting.len() >= WAITING_MAX {
            let words = format!("{WAITING_MAX} commands wait already; send it again");
            state.outcomes.extend(command.id.map(|id| (id, Outcome::refused(words))));
            return;
        }
        state.open.extend(command.id);
        state.waiting.push_back(command);
    }

    pub(crate) fn next(&self) -> Option<AdminCommand> {
        self.lock().waiting.pop_front()
    }

    pub(crate) fn finish(&self, command: &AdminCommand, outcome: Outcome) {
        let Some(id) = command.id else { return };
        let mut state = self.lock();
        state.open.retain(|open| *open != id);
        state.answered.push_back((id, outcome.clone()));
        if state.answered.len() > REMEMBERED {
            state.answered.pop_front();
        }
        state.outcomes.push((id, outcome));
    }

    /// What is to be answered.
    pub(crate) fn outcomes(&self) -> Vec<(CommandId, Outcome)> {
        std::mem::take(&mut self.lock().outcomes)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stop(id: CommandId) -> AdminCommand {
        AdminCommand { id: Some(id), action: AdminAction::Stop }
    }

    #[test]
    fn a_command_that_is_sent_again_is_answered_again_and_done_once() {
        let (commands, id) = (AdminCommands::default(), CommandId::random());
        commands.push(stop(id));
        commands.push(stop(id));
        let command = commands.next().unwrap();
        assert_eq!(commands.next(), None);
        commands.push(stop(id));
        assert_eq!(commands.next(), None, "it is being carried out");
        commands.finish(&command, Outcome::done(None));
        assert_eq!(commands.outcomes(), vec![(id, Outcome::done(None))]);
        commands.push(stop(id));
        assert_eq!(commands.next(), None);
        assert_eq!(commands.outcomes(), vec![(id, Outcome::done(None))]);
    }

    #[test]
    fn commands_beyond_the_bound_are_refused() {
        let commands = AdminCommands::default();
        (0..WAITING_MAX).for_each(|_| commands.push(stop(CommandId::random())));
        assert!(commands.outcomes().is_empty());
        let late = CommandId::random();
        commands.push(stop(late));
        let outcomes = commands.outcomes();
        assert_eq!((outcomes[0].0, outcomes[0].1.state), (late, InstanceState::Refused));
        let external = AdminCommand { id: None, action: AdminAction::Start };
        commands.push(external);
        assert!(commands.outcomes().is_empty(), "nobody waits for it");
    }
}
