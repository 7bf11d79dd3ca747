//! What came by followed topics, for commands and their evidence.

use flowdeck_model::{HoldId, Timestamp};
use flowdeck_observe::observation::{HoldNotice, Notice};
use flowdeck_observe::topic_events::Incoming;
use flowdeck_protocol::wire::{Ack, BulkRecord, ProduceRecord, RedriveRecord, RetentionRecord};

use super::state::State;
use crate::commands::{evidence, lifecycle};

/// Commands whose answers are kept until the audit is read to its end.
const EARLY_MAX: usize = 1_000;
/// Commands that are remembered for what they wrote to the holds: as many as the book remembers by default.
const HOLD_COMMANDS_MAX: usize = 1_000;

/// Records of the audit that concern no command: the actor hands them to the runners.
#[derive(Default)]
pub(super) struct RunnerRecords {
    pub(super) redrives: Vec<RedriveRecord>,
    pub(super) bulks: Vec<BulkRecord>,
    pub(super) produced: Vec<ProduceRecord>,
    pub(super) retentions: Vec<RetentionRecord>,
}

impl State {
    /// Those that were read since these were last taken.
    pub(super) fn take_runner_records(&mut self) -> RunnerRecords {
        std::mem::take(&mut self.runner_records)
    }

    pub(crate) fn heard(&mut self, incoming: Incoming) {
        let at = incoming.at;
        let unwritten = &self.unwritten;
        let notice = self.observed.heard(&incoming, |key| unwritten.has_own(key));
        match notice {
            Some(Notice::Hold(notice)) => self.heard_hold(notice, at),
            Some(Notice::Ack(ack)) => self.heard_ack(ack, at),
            Some(Notice::Operation(operation)) => self.heard_operation(*operation, at),
            Some(Notice::Produce(record)) => self.runner_records.produced.push(*record),
            Some(Notice::Retention(record)) => self.runner_records.retentions.push(*record),
            Some(Notice::Redrive(record)) => self.runner_records.redrives.push(*record),
            Some(Notice::Bulk(record)) => self.runner_records.bulks.push(*record),
            Some(Notice::ExternalCommand { id, command, written }) => {
                self.heard_external(id, command, written, at);
            }
            Some(Notice::Telemetry(group)) if !self.observed.holds.of_group(&group).is_empty() => {
                self.held.touch(group);
            }
            Some(Notice::Telemetry(_)) => {}
            None if self.observed.is_audit_known() => self.early_acks.clear(),
            None => {}
        }
    }

    fn heard_hold(&mut self, notice: HoldNotice, at: Timestamp) {
        let HoldNotice { key, command, released, changed, was_known } = notice;
        if let Some(command) = command
            && self.hold_commands.back() != Some(&command)
        {
            self.hold_commands.push_back(command);
            if self.hold_commands.len() > HOLD_COMMANDS_MAX {
                self.hold_commands.pop_front();
            }
        }
        // What was in doubt may have been written after all.
        let asked_here = |id| self.book.get(id).is_some_and(|command| !command.restored);
        let is_own = self.leads() || self.unwritten.has(&key) || command.is_some_and(asked_here);
        if was_known && !is_own {
            self.external.others_wrote(at);
        }
        let id = key.1;
        if released {
            // One that was restored while the topic was read, and was released further on.
            self.released(id);
        } else if changed && self.holds_to_restore.last() != Some(&id) {
            self.holds_to_restore.push(id);
        }
    }

    fn heard_ack(&mut self, ack: Ack, at: Timestamp) {
        if self.holds_to_restore.contains(&HoldId::from(ack.command)) {
            self.restore();
        }
        let dropped = |why| self.observed.stats.dropped(why);
        let Some(command) = self.book.get(ack.command) else {
            if !self.observed.is_audit_known() && self.early_acks.len() < EARLY_MAX {
                lifecycle::keep_newest(self.early_acks.entry(ack.command).or_default(), ack);
                return;
            }
            return dropped("unknown_command");
        };
        if command.target.group != ack.group {
            return dropped("ack_of_other_group");
        }
        if lifecycle::is_borrowed(command, &ack) {
            return dropped("ack_of_other_instance");
        }
        let is_judged = self.leads() || command.restored;
        if !self.leads() {
            // The leader says what it means for the command; this process does, should it lead.
            self.book.keep_ack(ack.clone());
        }
        if is_judged && self.book.answered(&ack, at) {
            self.answered.insert(ack.command, at);
        }
    }

    /// What was answered since this was last called: each command is looked at once, however many instances answered.
    pub(crate) fn settle_answered(&mut self) {
        for (id, at) in std::mem::take(&mut self.answered) {
            self.change(id, at, |command, seen| {
                evidence::observe(command, seen, true);
            });
        }
    }
}
