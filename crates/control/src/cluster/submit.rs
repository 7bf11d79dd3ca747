//! From what an operator asks to what is written, and what became of it.

use flowdeck_model::actor::ActorView;
use flowdeck_model::hold::HoldChange;
use flowdeck_model::view::Submitted;
use flowdeck_model::{
    Action, ActorKind, CommandId, CommandState, GroupId, Hold, HoldId, InstanceState, PortError, Submit,
    Timestamp,
};

use super::state::State;
use crate::commands::job::{self, Answer, WriteOutcome, WriteTask, Written};
use crate::commands::plan::{self, Decision, Facts, Plan};
use crate::commands::{Command, follow_up, lifecycle};
use crate::writer::{FENCED, WriteError};
use flowdeck_observe::group_seen::GroupSeen;
use flowdeck_observe::topic_events::Source;

/// With a resume, in a flood of holds.
const BEYOND: &str = "more holds were read than are taken in: where one of this group is among them, \
                      what it holds stays paused";

impl State {
    fn unavailable(&self, detail: impl Into<String>) -> PortError {
        PortError::Unavailable { cluster: self.observed.settings.name.clone(), detail: detail.into() }
    }

    /// A command by an operator.
    pub(crate) fn asked(&mut self, submit: Submit, actor: ActorView, answer: Answer, now: Timestamp) {
        match self.decide(&submit, &actor, now) {
            Err(error) => drop(answer.send(Err(error))),
            Ok(Ready::Existing(submitted)) => drop(answer.send(Ok(submitted))),
            Ok(Ready::Write(plan)) => self.begin(submit, actor, plan, Some(answer), now),
        }
    }

    fn decide(&mut self, submit: &Submit, actor: &ActorView, now: Timestamp) -> Result<Ready, PortError> {
        if let Some(command) = self.book.get(submit.id) {
            if !command.is_same_as(submit) {
                let detail = format!("command {} asked for something else before: use a new id", submit.id);
                return Err(PortError::Conflict { detail });
            }
            // What could not be written at all may be asked again.
            if !(command.state == CommandState::Refused && command.sent.is_empty()) {
                return Ok(Ready::Existing(Submitted {
                    id: command.id,
                    state: command.state,
                    existing: true,
                }));
            }
        }
        self.may_write()?;
        self.observed.fresh_telemetry(now);
        let standing = self.observed.holds.of_group(&submit.target.group);
        let decision = plan::decide(submit, &actor.name, &self.facts(&standing, &submit.target.group, now))?;
        Ok(match decision {
            Decision::Write(plan) => Ready::Write(plan),
            Decision::Existing(id) => {
                let state = self.book.get(id).map_or(CommandState::Restored, |command| command.state);
                Ready::Existing(Submitted { id, state, existing: true })
            }
        })
    }

    /// Another Flowdeck's turn before this one's begins anew when nothing could be written for a while: it may be
    /// the other one's first moment, too. One refresh that failed is no such while.
    pub(super) fn note_writable(&mut self, now: Timestamp) {
        if self.may_write().is_ok() {
            self.unwritable_since = None;
            self.writable_since.get_or_insert(now);
            return;
        }
        let gap = now.since(*self.unwritable_since.get_or_insert(now));
        if gap >= self.observed.settings.timing.writer_first {
            self.writable_since = None;
        }
    }

    /// Whoever writes has read the holds to their end before, on a cluster that answers.
    pub(crate) fn may_write(&self) -> Result<(), PortError> {
        if let Some(error) = &self.observed.sample.error {
            return Err(self.unavailable(error.clone()));
        }
        if self.observed.sample.as_of.is_none() {
            return Err(self.unavailable("its first refresh is not over"));
        }
        let stands = self.observed.failing(Source::Holds);
        if !self.observed.holds.is_known() {
            let why = stands.map(|why| format!(": {why}")).unwrap_or_default();
            return Err(self.unavailable(format!("the holds are not read to their end yet{why}")));
        }
        // Another Flowdeck may have written since; and an empty topic has an end that nobody need read.
        if let Some(why) = stands {
            return Err(self.unavailable(format!("the holds cannot be followed: {why}")));
        }
        if self.fenced {
            return Err(self.unavailable(FENCED));
        }
        // Records are placed by their keys, and agents read the first partition.
        let topic = &self.observed.settings.holds_topic;
        let there = self.observed.sample.metadata.as_ref().and_then(|metadata| metadata.topic(topic));
        match there.map_or(1, |there| there.partitions.len()) {
            0 | 1 => Ok(()),
            many => Err(self.unavailable(format!("topic {topic} has {many} partitions, and must have one"))),
        }
    }

    pub(super) fn facts<'a>(&'a self, standing: &'a [Hold], group: &GroupId, now: Timestamp) -> Facts<'a> {
        Facts {
            telemetry: &self.observed.telemetry,
            standing,
            book: &self.book,
            group_known: self.observed.sample.group(group).is_some(),
            heard_within: self.observed.settings.timing.heard_within,
            now,
        }
    }

    /// Enters the command and hands its records to be written; or, where there are none, says so.
    pub(super) fn begin(
        &mut self,
        submit: Submit,
        actor: ActorView,
        plan: Plan,
        answer: Option<Answer>,
        now: Timestamp,
    ) {
        let nothing = plan.changes.is_empty() && plan.admin.is_empty();
        let mut command = Command::new(submit, actor, now);
        command.notes = plan.notes;
        if command.action == Action::Resume && self.observed.holds.may_stand_beyond(&command.target.group) {
            command.notes.push(BEYOND.to_owned());
        }
        command.holds = plan.changes.iter().map(hold_id).collect();
        command.holds.dedup();
        self.audit(&command);
        let standing = self.observed.holds.of_group(&command.target.group);
        let after = plan::apply(&standing, &plan.changes);
        command.instances = lifecycle::expected(&command, self.seen(&command.target.group, &after, now));
        let id = command.id;
        if nothing {
            for tracked in &mut command.instances {
                if tracked.state == InstanceState::Waiting {
                    tracked.state = InstanceState::NothingToDo;
                }
            }
            let states: Vec<InstanceState> = command.instances.iter().map(|one| one.state).collect();
            command.state = flowdeck_model::command::outcome(&states);
            let submitted = Submitted { id, state: command.state, existing: true };
            self.enter(command);
            if let Some(answer) = answer {
                let _ = answer.send(Ok(submitted));
            }
            return;
        }
        let foreign = command.actor.kind == ActorKind::External;
        self.enter(command);
        self.unwritten.add(id, foreign, &plan.changes);
        self.jobs.push_back(WriteTask::Command { id, changes: plan.changes, admin: plan.admin, answer });
    }

    /// Before anything is sent.
    fn audit(&self, command: &Command) {
        tracing::info!(
            target: "audit",
            cluster = %self.observed.settings.name,
            command.id = %command.id,
            command.action = command.action.label(),
            command.target = command.target.to_string(),
            command.reason = command.reason,
            actor.name = command.actor.name,
            actor.kind = ?command.actor.kind,
            actor.via = ?command.actor.via,
            actor.address = command.actor.address.as_deref().unwrap_or(""),
            "command"
        );
    }

    pub(crate) fn written(&mut self, done: WriteOutcome, now: Timestamp) {
        self.dirty = true;
        match done {
            WriteOutcome::Topics { problem, .. } => self.topics_problem = problem,
            WriteOutcome::Writer { problem } => self.writer_problem = problem,
            WriteOutcome::Command { id, answer, written } => self.command_written(id, answer, written, now),
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
            if let Some(error) = written.error {
                note(command, format!("could not be sent again: {}", job::words(&error)));
            }
            follow_up::sent_again(command, seen);
        });
    }

    fn command_written(&mut self, id: CommandId, answer: Option<Answer>, written: Written, now: Timestamp) {
        if !written.holds.is_empty() {
            self.writer_problem = None;
        }
        let foreign = self.unwritten.done(id);
        for (key, hold, offset) in written.holds {
            self.observed.holds.wrote(key, hold, offset, !foreign);
        }
        self.observed.fresh_telemetry(now);
        let error = written.error;
        self.change(id, now, |command, seen| {
            command.wrote(written.sent);
            command.written = command.sent.len();
            command.notes.extend(written.notes);
            match &error {
                None => lifecycle::sent(command, seen),
                Some(WriteError::InDoubt) => {
                    note(command, job::words(&WriteError::InDoubt));
                    lifecycle::sent(command, seen);
                }
                Some(error) => {
                    note(command, format!("not written: {}", job::words(error)));
                    command.state = CommandState::Refused;
                }
            }
        });
        let by_system = self.book.get(id).is_some_and(|command| command.actor.kind == ActorKind::System);
        if by_system && matches!(&error, Some(error) if *error != WriteError::InDoubt) {
            // It is tried again under another id until it is written: one entry for one expiry.
            self.book.remove(id);
        }
        let state = self.book.get(id).map_or(CommandState::Sent, |command| command.state);
        let result = match error {
            None | Some(WriteError::InDoubt) => Ok(Submitted { id, state, existing: false }),
            Some(error) => Err(self.unavailable(job::words(&error))),
        };
        if let Some(answer) = answer {
            let _ = answer.send(result);
        }
    }
}

enum Ready {
    Existing(Submitted),
    Write(Plan),
}

fn note(command: &mut Command, words: String) {
    if !command.notes.contains(&words) {
        command.notes.push(words);
    }
}

fn hold_id(change: &HoldChange) -> HoldId {
    match change {
        HoldChange::Set(hold) | HoldChange::Release(hold) => hold.id,
    }
}
