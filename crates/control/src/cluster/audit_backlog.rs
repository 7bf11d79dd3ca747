//! What is not in the audit yet.

use std::collections::BTreeSet;

use flowdeck_model::CommandId;

use crate::commands::write_task;
use crate::writer::WriteError;

#[derive(Default)]
pub(super) struct AuditBacklog {
    /// Commands whose newest state is not in the audit.
    changed: BTreeSet<CommandId>,
    /// Requests that this process took and refused, though another replica may have read them: that they are refused is
    /// written whoever leads.
    withdrawn: BTreeSet<CommandId>,
    /// Why the audit could not be written when that was last tried.
    problem: Option<String>,
}

impl AuditBacklog {
    pub(super) fn changed(&mut self, id: CommandId) {
        self.changed.insert(id);
    }

    pub(super) fn withdraw(&mut self, id: CommandId) {
        self.withdrawn.insert(id);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.changed.is_empty() && self.withdrawn.is_empty()
    }

    /// What is to be written now. `writes_states`: this process is elected. `is_refused`: it was not asked for again since
    /// it was withdrawn.
    pub(super) fn take(
        &mut self,
        writes_states: bool,
        is_refused: impl Fn(CommandId) -> bool,
    ) -> BTreeSet<CommandId> {
        let mut ids = std::mem::take(&mut self.changed);
        if !writes_states {
            ids.clear();
        }
        ids.extend(std::mem::take(&mut self.withdrawn).into_iter().filter(|id| is_refused(*id)));
        ids
    }

    /// It was taken and could not be written.
    pub(super) fn put_back(&mut self, id: CommandId, writes_states: bool) {
        if writes_states { self.changed(id) } else { self.withdraw(id) }
    }

    pub(super) fn problem(&self) -> Option<&str> {
        self.problem.as_deref()
    }

    /// It was tried to write. Says whether the problem is another one than before.
    pub(super) fn tried(&mut self, problem: Option<String>) -> bool {
        let differs = self.problem != problem;
        self.problem = problem;
        differs
    }

    pub(super) fn tried_request<T>(&mut self, result: &Result<T, WriteError>) {
        self.problem = result.as_ref().err().map(write_task::words);
    }
}
