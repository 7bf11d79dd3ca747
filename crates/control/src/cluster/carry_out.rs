//! What the leader does with an accepted request, and with what nobody asked for: from the plan to the records that
//! are written, and what became of them.

use std::time::Duration;

use flowdeck_model::hold::HoldChange;
use flowdeck_model::view::Submitted;
use flowdeck_model::{
    Action, ActorKind, CommandId, CommandState, GroupId, Hold, HoldId, InstanceState, PortError, Timestamp,
};
use flowdeck_observe::group_seen::GroupSeen;

use super::alterations;
use super::state::State;
use crate::commands::as_kafkaflow;
use crate::commands::by_stop;
use crate::commands::heal::Heal;
use crate::commands::plan::{self, Decision, Plan};
use crate::commands::starts::STARTED_WITHIN;
use crate::commands::write_task::{self, WriteOutcome, WriteTask, Written};
use crate::commands::{Command, follow_up, lifecycle};
use crate::writer::WriteError;

/// With a resume, in a flood of holds.
const BEYOND: &str = "more holds were read than are taken in: where one of this group is among them, \
                      what it holds stays paused";
/// Whoever asked so long ago does not wait any more, and may want something else now.
pub(super) const BEGIN_WITHIN: Duration = Duration::from_secs(15);

impl State {
    /// Begins the next request, where nothing is being written: it is planned on what is known then.
    pub(crate) fn begin_next(&mut self, now: Timestamp) {
        self.note_waiting(now);
        while self.jobs.is_empty() {
            let Some(id) = self.to_begin.front().copied() else { return };
            let requested = self.book.get(id).filter(|one| one.state == CommandState::Requested);
            let Some(command) = requested else {
                self.to_begin.pop_front();
                continue;
            };
            // The leader before wrote it: nothing is planned any more, and nothing has to be written.
            if self.has_own_hold(id) {
                self.to_begin.pop_front();
                self.observed.fresh_telemetry(now);
                self.take_over_written(id, now);
                continue;
            }
            let waited_here = self.waits_since.get(&id).map(|since| now.since(*since)).unwrap_or_default();
            // Its stamp may be of another clock. One that is behind makes a request look old, and yet it has to be
            // refused: what a leader before left undone looks the same.
            let waited = now.since(command.requested_at).max(waited_here);
            let may_write = self.may_write().is_ok();
            if waited > BEGIN_WITHIN && !(may_write && self.wrote_to_holds(id)) {
                // Whether the leader before wrote it is known once the holds are read to where that one ended.
                if !may_write && waited_here <= self.observed.settings.timing.write_deadline {
                    return;
                }
                let is_by_one_clock = waited_here > BEGIN_WITHIN || self.pending.contains_key(&id);
                let words = match is_by_one_clock {
                    true => "nothing could be written within 15 s, so it was not begun".to_owned(),
                    false => by_two_clocks(command.requested_at, now),
                };
                self.to_begin.pop_front();
                self.refuse(id, &self.not_begun(&words), now);
                continue;
            }
            if let Err(error) = self.may_write() {
                // An operator is told soon why nothing can be written, but not in the moment in which a leader begins.
                if waited > self.observed.settings.timing.write_deadline {
                    self.to_begin.pop_front();
                    self.refuse(id, &error, now);
                    continue;
                }
                return;
            }
            // What came before it is done before it.
            self.take_waiting(now);
            if !self.jobs.is_empty() {
                return;
            }
            self.to_begin.pop_front();
            self.carry_out(id, now);
        }
    }

    fn note_waiting(&mut self, now: Timestamp) {
        if self.to_begin.is_empty() {
            return self.waits_since.clear();
        }
        let to_begin = &self.to_begin;
        self.waits_since.retain(|id, _| to_begin.contains(id));
        for id in to_begin {
            self.waits_since.entry(*id).or_insert(now);
        }
    }

    fn not_begun(&self, words: &str) -> PortError {
        match self.may_write() {
            Err(PortError::Unavailable { detail, .. }) => self.unavailable(format!("{words}: {detail}")),
            _ => self.unavailable(words),
        }
    }

    fn carry_out(&mut self, id: CommandId, now: Timestamp) {
        let Some(command) = self.book.get(id).cloned() else { return };
        let submit = command.submit();
        self.observed.fresh_telemetry(now);
        // Its hold may be released by now, and is not made again.
        let is_about_holds = matches!(command.action, Action::Pause | Action::Resume);
        if is_about_holds && self.wrote_to_holds(id) {
            return self.take_over_written(id, now);
        }
        let active = self.observed.holds.of_group(&submit.target.group);
        let overdue = overdue(&command, &active, now);
        if !overdue.is_empty() {
            let plan = self.plan_end(&command, overdue, &active, now);
            return self.begin(command, plan, now);
        }
        let decision =
            as_kafkaflow::decide(&submit, &command.actor, self.facts(&active, &submit.target.group, now));
        match decision {
            Err(error) => self.refuse(id, &error, now),
            Ok(Decision::Existing(there)) if there == id => self.take_over_written(id, now),
            Ok(Decision::Existing(there)) => {
                let state = self.book.get(there).map_or(CommandState::Restored, |command| command.state);
                self.answer(id, &Ok(Submitted { id: there, state, existing: true }));
                self.change(id, now, |command, _| {
                    note(command, format!("command {there} had asked for the same: nothing was written"));
                    command.state = CommandState::Refused;
                    command.heal = None;
                });
            }
            Ok(Decision::Write(plan)) => self.begin(command, plan, now),
        }
    }

    /// The leader before this one wrote it, and could not say so any more.
    fn take_over_written(&mut self, id: CommandId, now: Timestamp) {
        self.change(id, now, |command, seen| {
            note(command, "written by the replica that led before".to_owned());
            if command.heal.is_none() && command.holds.is_empty() {
                command.holds = vec![HoldId::from(id)];
            }
            lifecycle::expect_again(command, seen);
            lifecycle::take_acks(command, now);
            lifecycle::sent(command, seen);
            if let Some(heal) = &mut command.heal {
                heal.is_unclear = true;
            }
            if command.starts() {
                // It may not have come to the start: whoever is still out then is told.
                let waited = seen.timing.resend_every.saturating_sub(STARTED_WITHIN);
                command.resends.last = Some(now.minus(waited));
            }
        });
    }

    /// A record of the holds was written for the request, as far as they are read.
    fn wrote_to_holds(&self, id: CommandId) -> bool {
        self.has_own_hold(id) || self.hold_commands.contains(&id)
    }

    /// The hold of a pause is in force.
    fn has_own_hold(&self, id: CommandId) -> bool {
        let is_pause = self.book.get(id).is_some_and(|command| command.action == Action::Pause);
        is_pause && self.observed.holds.is_in_force(HoldId::from(id))
    }

    pub(super) fn refuse(&mut self, id: CommandId, error: &PortError, now: Timestamp) {
        // Its hold is kept up by whoever leads next, which takes it over from the audit.
        if self.has_own_hold(id)
            && let Some(state) = self.book.get(id).map(|command| command.state)
        {
            return self.answer(id, &Ok(Submitted { id, state, existing: false }));
        }
        let asked = self.pending.get(&id).map(|pending| pending.command.clone());
        self.answer(id, &Err(error.clone()));
        if self.book.get(id).is_none()
            && let Some(command) = asked
        {
            // Its record may be read yet.
            self.enter(command);
        }
        if self.book.get(id).is_none_or(|command| command.state != CommandState::Requested) {
            return;
        }
        self.change(id, now, |command, _| {
            note(command, error.to_string());
            command.state = CommandState::Refused;
            command.heal = None;
        });
        self.unaudited.withdraw(id);
    }

    /// Of the end of a pause, or of an external command.
    pub(super) fn begin_own(&mut self, command: Command, plan: Plan, now: Timestamp) {
        if let Ok(operation) = command.to_audit(now) {
            self.log(&operation);
        }
        self.begin(command, plan, now);
    }

    /// Hands the command's records to be written; or, where there are none, says so.
    fn begin(&mut self, mut command: Command, plan: Plan, now: Timestamp) {
        plan.notes.iter().for_each(|words| note(&mut command, words.clone()));
        if let Some(alteration) = plan.alter {
            return self.begin_alteration(command, *alteration, now);
        }
        let nothing = plan.changes.is_empty()
            && plan.admin.is_empty()
            && plan.records.is_empty()
            && plan.starts.is_none();
        if command.action == Action::Resume && self.observed.holds.may_be_held_beyond(&command.target.group) {
            command.notes.push(BEYOND.to_owned());
        }
        command.holds = plan.changes.iter().map(|change| change.hold().id).collect();
        command.holds.dedup();
        let active = self.observed.holds.of_group(&command.target.group);
        command.before = before(&active, &plan.changes);
        let after = plan::apply(&active, &plan.changes);
        let seen = self.seen(&command.target.group, &after, now);
        command.instances = lifecycle::expected(&command, seen);
        command.notes.extend(lifecycle::untracked(&command, seen));
        if !plan.stopped.is_empty() {
            by_stop::begin(&mut command, plan.stopped);
            let lines = alterations::lines(&command, by_stop::WAITS, now);
            command.instances.extend(lines);
        }
        if !plan.records.is_empty() {
            let lines = alterations::lines(&command, "its owners are asked", now);
            command.instances.extend(lines);
        }
        command.heal = plan.heal.as_deref().cloned();
        let id = command.id;
        if nothing {
            for tracked in &mut command.instances {
                if tracked.state == InstanceState::Waiting {
                    tracked.state = InstanceState::NothingToDo;
                }
            }
            let states: Vec<InstanceState> = command.instances.iter().map(|one| one.state).collect();
            command.state = flowdeck_model::command::outcome(&states);
            self.enter(command);
            return;
        }
        let external = command.actor.kind == ActorKind::External;
        // Whom it starts is in the audit before they can be released: a leader that is killed in between has not told them.
        let is_ahead = !command.audited || plan.starts.is_some();
        let audit = is_ahead.then(|| command.to_audit(now).ok()).flatten().map(Box::new);
        self.enter(command);
        self.unwritten.add(id, external, &plan.changes);
        let Plan { changes, admin, records, check, starts, .. } = plan;
        self.jobs.push_back(WriteTask::Command { id, audit, check, changes, admin, records, starts });
    }

    /// The second half of a resume of what was locked up.
    pub(super) fn resume_healed(&mut self, mut command: Command, plan: Plan) {
        let id = command.id;
        for note in plan.notes.into_iter().filter(|note| !command.notes.contains(note)).collect::<Vec<_>>() {
            command.notes.push(note);
        }
        for tracked in &mut command.instances {
            tracked.detail = None;
        }
        if let Some(heal) = &mut command.heal {
            heal.is_resuming = true;
        }
        let Plan { changes, admin, records, starts, .. } = plan;
        self.enter(command);
        self.unwritten.add(id, false, &changes);
        self.jobs.push_back(WriteTask::Command {
            id,
            audit: None,
            check: None,
            changes,
            admin,
            records,
            starts,
        });
    }

    pub(crate) fn written(&mut self, outcome: WriteOutcome, now: Timestamp) {
        self.dirty = true;
        match outcome {
            WriteOutcome::Topics { problem, .. } => self.topics_problem = problem,
            WriteOutcome::Lead { result } => self.took_over(result, now),
            WriteOutcome::Command { id, written } => self.command_written(id, written, now),
            WriteOutcome::Again { id, written, seen } => self.written_again(id, written, seen, now),
        }
    }

    /// `seen`: what Kafka told of the group just before.
    fn written_again(
        &mut self,
        id: CommandId,
        written: Written,
        group: Option<(GroupId, GroupSeen)>,
        now: Timestamp,
    ) {
        self.observed.fresh_telemetry(now);
        let rebalancing = group.as_ref().is_some_and(|(_, seen)| seen.is_rebalancing());
        if let Some((group, seen)) = group {
            self.saw_group(&group, seen, now);
        }
        if rebalancing {
            // Nothing was sent; it is when the rebalance ends.
            return;
        }
        self.change(id, now, |command, seen| {
            command.wrote(written.sent);
            written.notes.into_iter().for_each(|words| note(command, words));
            if let Some(error) = written.error {
                note(command, format!("could not be sent again: {}", write_task::words(&error)));
            }
            // Its start is no repetition.
            match command.by_stop {
                Some(_) => command.written = command.sent.len(),
                None => follow_up::sent_again(command, seen),
            }
        });
    }

    fn command_written(&mut self, id: CommandId, written: Written, now: Timestamp) {
        if !written.holds.is_empty() {
            self.writer_problem = None;
        }
        let external = self.unwritten.done(id);
        for (key, hold, offset) in written.holds {
            self.observed.holds.wrote(key, hold, offset, !external);
        }
        if let Some(audited) = &written.audited {
            self.unaudited.tried_request(audited);
        }
        self.observed.fresh_telemetry(now);
        let error = written.error;
        let by_system = self.book.get(id).is_some_and(|command| command.actor.kind == ActorKind::System);
        let failed = matches!(&error, Some(error) if *error != WriteError::InDoubt);
        // Nothing was written: whoever is elected takes the id over again, and carries it out then.
        if error == Some(WriteError::Fenced) && self.fenced(now) && !external {
            self.to_begin.push_front(id);
            return;
        }
        let changes_holds = self.book.get(id).is_some_and(|command| !command.holds.is_empty());
        if error == Some(WriteError::InDoubt) && changes_holds {
            self.in_doubt();
        }
        if failed && let Some(error) = &error {
            self.writer_problem = Some(write_task::words(error));
        }
        self.change(id, now, |command, seen| {
            command.audited |= matches!(written.audited, Some(Ok(())));
            command.wrote(written.sent);
            command.written = command.sent.len();
            command.notes.extend(written.notes);
            if !written.offsets.is_empty() {
                command.offsets = written.offsets;
            }
            if let Some(heal) = command.heal.take_if(|heal| heal.is_resuming)
                && failed
            {
                // It is tried again while there is time.
                command.heal = Some(Heal { is_resuming: false, ..heal });
                return;
            }
            match &error {
                None => lifecycle::sent(command, seen),
                Some(WriteError::InDoubt) => {
                    note(command, write_task::words(&WriteError::InDoubt));
                    lifecycle::sent(command, seen);
                }
                Some(error) => {
                    note(command, format!("not written: {}", write_task::words(error)));
                    // It is planned anew where it is tried again.
                    command.heal = None;
                    // The end of a pause is tried again until it is written.
                    if !by_system {
                        command.state = CommandState::Refused;
                    }
                }
            }
        });
        if self.book.get(id).is_some_and(Command::wrote_nothing) {
            self.unaudited.withdraw(id);
        }
    }
}

fn by_two_clocks(requested_at: Timestamp, now: Timestamp) -> String {
    format!(
        "it was not begun: it was asked for at {requested_at} by the clock of the replica that took it, {} s ago by the \
         clock of the one that writes ({now}), and nothing is begun that is older than 15 s. If their clocks differ, set \
         them (NTP)",
        now.since(requested_at).as_secs()
    )
}

/// Of the end of pauses: which of them are still in force.
fn overdue(command: &Command, active: &[Hold], now: Timestamp) -> Vec<HoldChange> {
    if command.action != Action::Resume || command.actor.kind != ActorKind::System {
        return vec![];
    }
    let scopes = command.scopes();
    let is_meant =
        |hold: &&Hold| hold.is_overdue(now) && scopes.iter().any(|scope| scope.covers(&hold.scope));
    active.iter().filter(is_meant).cloned().map(HoldChange::Release).collect()
}

fn before(active: &[Hold], changes: &[HoldChange]) -> Vec<Hold> {
    let changed = changes.iter().map(HoldChange::hold);
    let same = |hold: &Hold| active.iter().find(|one| one.id == hold.id && one.scope == hold.scope).cloned();
    changed.filter_map(same).collect()
}

fn note(command: &mut Command, words: String) {
    if !command.notes.contains(&words) {
        command.notes.push(words);
    }
}
