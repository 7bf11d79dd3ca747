//! Operations to and from the audit: the leader writes each change of state, all others show what they read.

use flowdeck_model::{CommandState, Timestamp};
use flowdeck_protocol::wire::Operation;

use super::role::Role;
use super::state::State;
use crate::audit::Entry;
use crate::commands::{Command, lifecycle};

impl State {
    /// What the audit tells of an operation.
    pub(super) fn heard_operation(&mut self, operation: Operation) {
        let id = operation.id;
        self.settle_conflict(id, &operation.request);
        let Some(mut command) = Command::from_audit(operation) else {
            return self.observed.stats.dropped("unknown_operation_kind");
        };
        let requested = command.state == CommandState::Requested;
        match self.book.get(id) {
            None => {}
            Some(known) if known.restored => command.acks = known.acks.clone(),
            // The first request under an id decides what it means.
            Some(known) if !known.is_same_as(&command.submit()) => {
                return self.observed.stats.dropped("request_id_conflict");
            }
            Some(known) if self.leads() && requested && known.is_asked_again_by(&command) => {}
            // It knows more than it wrote.
            Some(_) if self.leads() => return,
            Some(known) => command.acks = known.acks.clone(),
        }
        for ack in self.early_acks.remove(&id).into_iter().flatten() {
            lifecycle::keep_ack(&mut command, ack);
        }
        self.enter(command);
        if requested {
            self.requested(id);
        }
    }

    /// To the log: what is asked, and what came of it.
    pub(super) fn log(&self, operation: &Operation) {
        self.log_sink.write(Entry::Operation(operation));
    }

    pub(crate) fn has_unaudited(&self) -> bool {
        !self.unaudited.is_empty()
    }

    /// The commands whose newest state is not in the audit yet, as they are now.
    pub(crate) fn take_unaudited(&mut self, now: Timestamp) -> Vec<Operation> {
        if !matches!(self.role, Role::Leading { .. } | Role::Elected { .. }) {
            self.unaudited.clear();
            return Vec::new();
        }
        let ids = std::mem::take(&mut self.unaudited);
        let mut operations = Vec::new();
        for id in ids {
            let Some(command) = self.book.get(id) else { continue };
            // Its request comes first, as for all others.
            if !command.audited {
                let mut request = Command::new(command.submit(), command.actor.clone(), command.requested_at);
                request.notes = command.notes.clone();
                operations.extend(request.to_audit(now));
            }
            operations.extend(command.to_audit(now));
        }
        operations
    }

    /// They are written, or, with the reason, are written later.
    pub(crate) fn states_audited(&mut self, operations: &[Operation], problem: Option<String>) {
        self.dirty |= self.audit_problem != problem;
        let written = problem.is_none();
        self.audit_problem = problem;
        for operation in operations {
            if written {
                self.book.mark_audited(operation.id);
            } else {
                self.unaudited.insert(operation.id);
            }
        }
    }
}
