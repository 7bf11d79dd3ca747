//! How far a bulk operation came.

use serde::{Deserialize, Serialize};

use crate::command::CommandState;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub enum BulkState {
    /// In the audit; no group is begun.
    Requested,
    Running,
    /// Every group has its outcome.
    #[serde(rename = "done")]
    Completed,
    /// By an operator: groups that were not begun stay as they are.
    Stopped,
    /// As many groups failed as it was allowed: those that were not begun stay as they are.
    StoppedByFailures,
}

impl BulkState {
    pub fn label(self) -> &'static str {
        match self {
            Self::Requested => "requested",
            Self::Running => "running",
            Self::Completed => "done",
            Self::Stopped => "stopped",
            Self::StoppedByFailures => "stopped by failures",
        }
    }

    pub fn is_over(self) -> bool {
        matches!(self, Self::Completed | Self::Stopped | Self::StoppedByFailures)
    }
}

/// What became of one group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub enum BulkGroupState {
    /// Not begun.
    Waiting,
    /// Its command is under way.
    Sent,
    Confirmed,
    PartiallyConfirmed,
    TimedOut,
    Refused,
    /// What was asked for was in force before: nothing was done.
    InForce,
}

impl BulkGroupState {
    pub fn label(self) -> &'static str {
        match self {
            Self::Waiting => "not begun",
            Self::Sent => "under way",
            Self::Confirmed => "confirmed",
            Self::PartiallyConfirmed => "partially confirmed",
            Self::TimedOut => "timed out: not confirmed",
            Self::Refused => "refused",
            Self::InForce => "was in force",
        }
    }

    pub fn is_settled(self) -> bool {
        !matches!(self, Self::Waiting | Self::Sent)
    }

    pub fn is_failure(self) -> bool {
        matches!(self, Self::PartiallyConfirmed | Self::TimedOut | Self::Refused)
    }

    /// It may have changed something, which can be taken back.
    pub fn may_have_acted(self) -> bool {
        matches!(self, Self::Sent | Self::Confirmed | Self::PartiallyConfirmed | Self::TimedOut)
    }
}

impl From<CommandState> for BulkGroupState {
    fn from(state: CommandState) -> Self {
        match state {
            CommandState::Requested | CommandState::Sent => Self::Sent,
            CommandState::Confirmed | CommandState::Restored => Self::Confirmed,
            CommandState::PartiallyConfirmed => Self::PartiallyConfirmed,
            CommandState::TimedOut => Self::TimedOut,
            CommandState::Refused => Self::Refused,
        }
    }
}

/// Of the group at this place of the request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BulkOutcome {
    pub group: u32,
    pub state: BulkGroupState,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct BulkCounts {
    pub waiting: u32,
    pub sent: u32,
    pub confirmed: u32,
    pub partially_confirmed: u32,
    pub timed_out: u32,
    pub refused: u32,
    pub in_force: u32,
}

impl BulkCounts {
    pub fn of(states: impl IntoIterator<Item = BulkGroupState>) -> Self {
        let mut counts = Self::default();
        for state in states {
            *match state {
                BulkGroupState::Waiting => &mut counts.waiting,
                BulkGroupState::Sent => &mut counts.sent,
                BulkGroupState::Confirmed => &mut counts.confirmed,
                BulkGroupState::PartiallyConfirmed => &mut counts.partially_confirmed,
                BulkGroupState::TimedOut => &mut counts.timed_out,
                BulkGroupState::Refused => &mut counts.refused,
                BulkGroupState::InForce => &mut counts.in_force,
            } += 1;
        }
        counts
    }

    pub fn failed(&self) -> u32 {
        self.partially_confirmed + self.timed_out + self.refused
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_are_counted() {
        let states = [
            BulkGroupState::Waiting,
            CommandState::Requested.into(),
            CommandState::Confirmed.into(),
            CommandState::Refused.into(),
            CommandState::TimedOut.into(),
            BulkGroupState::InForce,
        ];
        let counts = BulkCounts::of(states);
        assert_eq!((counts.waiting, counts.sent, counts.confirmed, counts.in_force), (1, 1, 1, 1));
        assert_eq!(counts.failed(), 2);
        assert_eq!(states.iter().filter(|one| one.may_have_acted()).count(), 3);
    }
}
