//! Operations to and from the audit: the leader writes each change of state, all others show what they read.

use flowdeck_model::{CommandState, HoldId, Timestamp};
use flowdeck_protocol::wire::Operation;

use super::state::State;
use crate::audit::Entry;
use crate::commands::{Command, lifecycle};

impl State {
    /// What the audit tells of an operation.
    pub(super) fn heard_operation(&mut self, operation: Operation, at: Timestamp) {
        let id = operation.id;
        self.settle_conflict(id, &operation.request);
        let Some(mut command) = Command::from_audit(operation) else {
            return self.observed.stats.dropped("unknown_operation_kind");
        };
        let requested = command.state == CommandState::Requested;
        let unfollowed = command.state == CommandState::Sent && command.instances.is_empty();
        match self.book.get(id) {
            None => {}
            // Its hold is in force all the same, and is kept up.
            Some(known)
                if known.restored
                    && command.wrote_nothing()
                    && self.observed.holds.is_in_force(HoldId::from(id)) =>
            {
                return;
            }
            Some(known) if known.restored => command.acks = known.acks.clone(),
            // The first request under an id decides what it means.
            Some(known) if !known.is_same_as(&command.submit()) => {
                return self.observed.stats.dropped("request_id_conflict");
            }
            // Written ahead by a leader that was stalled, after another one had gone on with it.
            Some(known) if requested && known.state != CommandState::Requested && !known.wrote_nothing() => {
                return;
            }
            // The request of one that was refused here comes late: who asked was told that nothing will happen.
            Some(known) if requested && known.wrote_nothing() && !known.is_asked_again_by(&command) => return,
            Some(known) if self.leads() && requested && known.is_asked_again_by(&command) => {}
            // The replica that took it withdraws it.
            Some(known)
                if self.leads()
                    && known.state == CommandState::Requested
                    && command.wrote_nothing()
                    && !self.unwritten.is_handed(id) => {}
            // It knows more than it wrote.
            Some(_) if self.leads() => return,
            Some(known) => command.acks = known.acks.clone(),
        }
        for ack in self.early_acks.remove(&id).into_iter().flatten() {
            lifecycle::keep_newest(&mut command.acks, ack);
        }
        self.enter(command);
        if requested {
            self.requested(id);
        }
        // Written without a Flowdeck: who has to answer is not in it.
        if unfollowed && self.leads() {
            self.observed.fresh_telemetry(at);
            self.change(id, at, |command, seen| {
                command.instances = lifecycle::expected(command, seen);
                lifecycle::take_acks(command, at);
            });
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
        let book = &self.book;
        let is_refused = |id| book.get(id).is_some_and(Command::wrote_nothing);
        let ids = self.unaudited.take(self.election.is_elected(), is_refused);
        let mut commands: Vec<&Command> = ids.into_iter().filter_map(|id| self.book.get(id)).collect();
        // The audit is read by offset: what was asked for later has a higher offset.
        commands.sort_by_key(|command| command.requested_at);
        let mut operations = Vec::new();
        for command in commands {
            // Its request comes first, as for all others; but nobody is to carry out what was refused.
            if !command.audited && !command.wrote_nothing() {
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
        let written = problem.is_none();
        self.dirty |= self.unaudited.tried(problem);
        for operation in operations {
            if written {
                self.book.mark_audited(operation.id);
            } else {
                self.unaudited.put_back(operation.id, self.election.is_elected());
            }
        }
    }
}
