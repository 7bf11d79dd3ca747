//! How a call ends, for scripts.

use std::process::ExitCode;

use flowdeck_model::{CommandId, CommandState};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// Shown, or accepted, or confirmed where that was waited for.
    Done,
    /// What was asked for cannot be understood.
    Usage,
    PartiallyConfirmed,
    /// Timed out, or refused by the server or by every instance.
    NotDone,
    /// No answer, or the cluster is away.
    Unreachable,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::Done => 0,
            Exit::Usage => 2,
            Exit::PartiallyConfirmed => 3,
            Exit::NotDone => 4,
            Exit::Unreachable => 5,
        })
    }
}

impl Exit {
    pub(super) fn of_state(state: CommandState) -> Self {
        match state {
            CommandState::Confirmed | CommandState::Restored => Self::Done,
            CommandState::PartiallyConfirmed => Self::PartiallyConfirmed,
            CommandState::Refused | CommandState::TimedOut => Self::NotDone,
            // Not waited for.
            CommandState::Requested | CommandState::Sent => Self::Done,
        }
    }

    pub(super) fn of_status(status: u16) -> Self {
        match status {
            400 | 413 | 415 => Self::Usage,
            500.. => Self::Unreachable,
            _ => Self::NotDone,
        }
    }
}

/// What went wrong, in words, and how the call ends for it.
#[derive(Debug)]
pub struct Failed {
    pub exit: Exit,
    pub words: String,
    /// The same may be answered a moment later: a server, or a proxy before it, starts again.
    pub may_pass: bool,
}

impl Failed {
    pub(super) fn new(exit: Exit, words: impl Into<String>) -> Self {
        Self { exit, words: words.into(), may_pass: false }
    }

    pub(super) fn may_pass(self) -> Self {
        Self { may_pass: true, ..self }
    }

    /// Whatever failed, it may have been begun: who tries again has to look first. `ask`: the command that tells.
    pub(super) fn of(self, what: &str, id: CommandId, ask: &str) -> Self {
        let words = format!("{what} {id}: {}; `flowdeck {ask} {id}` tells what became of it", self.words);
        Self { words, ..self }
    }
}
