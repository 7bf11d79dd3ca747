//! What an operator can ask for. In JSON its fields are beside those of the request: `"action": "rewind",
//! "to": "2026-11-21T14:00:00.000Z"`.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::PortError;
use crate::actor::Permission;
use crate::command::Target;
use crate::time::Timestamp;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "ActionFields", into = "ActionFields")]
pub enum Action {
    Pause,
    Resume,
    /// The consumer leaves its group.
    Stop,
    Start,
    Restart,
    ChangeWorkers {
        workers: Workers,
    },
    /// To the first record of each partition.
    Reset,
    /// To the first record at or after `to` of each partition.
    Rewind {
        to: Timestamp,
    },
    /// A group's commits, partition by partition.
    SetOffsets,
    /// The group with its commits.
    DeleteGroup,
}

/// An [`Action`] without what it is done with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub enum ActionKind {
    Pause,
    Resume,
    Stop,
    Start,
    Restart,
    ChangeWorkers,
    Reset,
    Rewind,
    SetOffsets,
    DeleteGroup,
}

/// A pause, resume, stop, start, restart, change of the workers count, reset or rewind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct ActionFields {
    pub action: ActionKind,
    /// With `changeWorkers`, and only there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workers: Option<Workers>,
    /// With `rewind`, and only there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<Timestamp>,
}

/// How many workers a consumer has in each instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(value_type = u32, minimum = 1, maximum = 1000))]
#[serde(try_from = "u32", into = "u32")]
pub struct Workers(u32);

/// KafkaFlow takes any number and allocates a buffer for each.
pub const WORKERS_MAX: u32 = 1_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("from 1 to {WORKERS_MAX}")]
pub struct WorkersError;

impl Workers {
    pub fn get(self) -> u32 {
        self.0
    }
}

impl TryFrom<u32> for Workers {
    type Error = WorkersError;
    fn try_from(count: u32) -> Result<Self, WorkersError> {
        if (1..=WORKERS_MAX).contains(&count) { Ok(Self(count)) } else { Err(WorkersError) }
    }
}

impl From<Workers> for u32 {
    fn from(workers: Workers) -> Self {
        workers.0
    }
}

impl fmt::Display for Workers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl ActionKind {
    pub const ALL: [Self; 10] = [
        Self::Pause,
        Self::Resume,
        Self::Stop,
        Self::Start,
        Self::Restart,
        Self::ChangeWorkers,
        Self::Reset,
        Self::Rewind,
        Self::SetOffsets,
        Self::DeleteGroup,
    ];

    pub fn label(self) -> &'static str {
        match self {
            Self::Pause => "Pause",
            Self::Resume => "Resume",
            Self::Stop => "Stop",
            Self::Start => "Start",
            Self::Restart => "Restart",
            Self::ChangeWorkers => "Change workers",
            Self::Reset => "Reset offsets",
            Self::Rewind => "Rewind offsets",
            Self::SetOffsets => "Set offsets",
            Self::DeleteGroup => "Delete group",
        }
    }

    /// In JSON, in forms and in links.
    pub fn word(self) -> &'static str {
        match self {
            Self::Pause => "pause",
            Self::Resume => "resume",
            Self::Stop => "stop",
            Self::Start => "start",
            Self::Restart => "restart",
            Self::ChangeWorkers => "changeWorkers",
            Self::Reset => "reset",
            Self::Rewind => "rewind",
            Self::SetOffsets => "setOffsets",
            Self::DeleteGroup => "deleteGroup",
        }
    }

    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.word() == word)
    }

    /// All of them are needed.
    pub fn permissions(self) -> &'static [Permission] {
        match self {
            Self::Reset | Self::Rewind | Self::SetOffsets | Self::DeleteGroup => {
                &[Permission::Control, Permission::Offsets]
            }
            _ => &[Permission::Control],
        }
    }

    /// For one consumer by its name.
    pub fn is_for_consumer(self) -> bool {
        !self.is_about_holds() && !self.sets_commits()
    }

    /// It makes or releases holds.
    pub fn is_about_holds(self) -> bool {
        matches!(self, Self::Pause | Self::Resume)
    }

    /// Flowdeck itself sets or deletes a group's commits: partition by partition, as a preview showed it.
    pub fn sets_commits(self) -> bool {
        matches!(self, Self::SetOffsets | Self::DeleteGroup)
    }

    /// Some topics of the target can be named; else it is always for all of them.
    pub fn takes_topics(self) -> bool {
        matches!(self, Self::Pause | Self::Resume | Self::Reset | Self::Rewind | Self::SetOffsets)
    }

    pub fn needs_reason(self) -> bool {
        self != Self::Resume
    }

    /// It changes committed offsets.
    pub fn moves_offsets(self) -> bool {
        matches!(self, Self::Reset | Self::Rewind) || self.sets_commits()
    }
}

impl Action {
    pub fn kind(self) -> ActionKind {
        match self {
            Self::Pause => ActionKind::Pause,
            Self::Resume => ActionKind::Resume,
            Self::Stop => ActionKind::Stop,
            Self::Start => ActionKind::Start,
            Self::Restart => ActionKind::Restart,
            Self::ChangeWorkers { .. } => ActionKind::ChangeWorkers,
            Self::Reset => ActionKind::Reset,
            Self::Rewind { .. } => ActionKind::Rewind,
            Self::SetOffsets => ActionKind::SetOffsets,
            Self::DeleteGroup => ActionKind::DeleteGroup,
        }
    }

    pub fn label(self) -> &'static str {
        self.kind().label()
    }

    /// "Restart consumer orders in payments", "Change workers of … to 5".
    pub fn title(self, target: &Target) -> String {
        let target = target.to_string();
        match self {
            Self::ChangeWorkers { workers } => {
                ["Change workers of ", &target, " to ", &workers.to_string()].concat()
            }
            Self::SetOffsets => ["Set offsets of ", &target].concat(),
            Self::Reset => ["Reset ", &target, " to the start offsets"].concat(),
            Self::Rewind { to } => ["Rewind ", &target, " to ", &to.to_string()].concat(),
            _ => [self.label(), " ", &target].concat(),
        }
    }
}

impl From<ActionKind> for ActionFields {
    fn from(action: ActionKind) -> Self {
        Self { action, workers: None, to: None }
    }
}

impl From<Action> for ActionFields {
    fn from(action: Action) -> Self {
        let none = Self::from(action.kind());
        match action {
            Action::ChangeWorkers { workers } => Self { workers: Some(workers), ..none },
            Action::Rewind { to } => Self { to: Some(to), ..none },
            _ => none,
        }
    }
}

impl TryFrom<ActionFields> for Action {
    type Error = PortError;
    /// Names the field that is missing or too much.
    fn try_from(fields: ActionFields) -> Result<Self, PortError> {
        let ActionFields { action, workers, to } = fields;
        if workers.is_some() && action != ActionKind::ChangeWorkers {
            return Err(PortError::invalid("workers", "only with changeWorkers"));
        }
        if to.is_some() && action != ActionKind::Rewind {
            return Err(PortError::invalid("to", "only with rewind"));
        }
        Ok(match action {
            ActionKind::Pause => Self::Pause,
            ActionKind::Resume => Self::Resume,
            ActionKind::Stop => Self::Stop,
            ActionKind::Start => Self::Start,
            ActionKind::Restart => Self::Restart,
            ActionKind::Reset => Self::Reset,
            ActionKind::SetOffsets => Self::SetOffsets,
            ActionKind::DeleteGroup => Self::DeleteGroup,
            ActionKind::ChangeWorkers => match workers {
                Some(workers) => Self::ChangeWorkers { workers },
                None => return Err(PortError::invalid("workers", WorkersError.to_string())),
            },
            ActionKind::Rewind => match to {
                Some(to) => Self::Rewind { to },
                None => return Err(PortError::invalid("to", "a time in UTC, such as 2026-11-21T14:00:00Z")),
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_action_is_written_as_fields_and_read_back() {
        let to = Timestamp::from_millis(1_795_270_137_123);
        for (action, json) in [
            (Action::Restart, r#"{"action":"restart"}"#),
            (Action::ChangeWorkers { workers: Workers(5) }, r#"{"action":"changeWorkers","workers":5}"#),
            (Action::Rewind { to }, r#"{"action":"rewind","to":"2026-11-21T14:08:57.123Z"}"#),
        ] {
            assert_eq!(serde_json::to_string(&action).unwrap(), json);
            assert_eq!(serde_json::from_str::<Action>(json).unwrap(), action);
        }
        for kind in ActionKind::ALL {
            assert_eq!(serde_json::to_string(&kind).unwrap(), format!("\"{}\"", kind.word()));
            assert_eq!(ActionKind::from_word(kind.word()), Some(kind));
        }
    }

    #[test]
    fn fields_that_do_not_belong_to_the_action_are_named() {
        for (json, want) in [
            (r#"{"action":"restart","workers":5}"#, "workers"),
            (r#"{"action":"changeWorkers"}"#, "workers"),
            (r#"{"action":"changeWorkers","workers":0}"#, "from 1 to 1000"),
            (r#"{"action":"changeWorkers","workers":1001}"#, "from 1 to 1000"),
            (r#"{"action":"rewind"}"#, "to: "),
            (r#"{"action":"reset","to":"2026-11-21T14:08:57.123Z"}"#, "only with rewind"),
            (r#"{"action":"explode"}"#, "unknown variant"),
        ] {
            let error = serde_json::from_str::<Action>(json).unwrap_err().to_string();
            assert!(error.contains(want), "{json}: {error}");
        }
    }

    #[test]
    fn titles_say_what_is_done_with_what() {
        let target =
            Target { group: "g".into(), consumer: Some("c".into()), topics: vec![], partitions: vec![] };
        for (action, want) in [
            (Action::Restart, "Restart consumer c in g"),
            (Action::ChangeWorkers { workers: Workers(5) }, "Change workers of consumer c in g to 5"),
            (
                Action::Rewind { to: Timestamp::from_millis(0) },
                "Rewind consumer c in g to 1970-01-01T00:00:00.000Z",
            ),
        ] {
            assert_eq!(action.title(&target), want);
        }
    }
}
