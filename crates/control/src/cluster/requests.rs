//! Requests by operators: each is written to the audit before anything else happens, and is carried out by the
//! replica that leads, when it reads it there. The replica that took it answers once it is carried out.

use std::collections::hash_map::Entry;
use std::sync::Arc;

use flowdeck_model::actor::ActorView;
use flowdeck_model::view::Submitted;
use flowdeck_model::{CommandId, CommandState, GroupId, Hold, PortError, Submit, Timestamp, Via};
use flowdeck_observe::topic_events::Source;
use flowdeck_protocol::wire::{Operation, Request};

use super::carry_out::BEGIN_WITHIN;
use super::state::State;
use crate::commands::Command;
use crate::commands::as_kafkaflow;
use crate::commands::plan::{Decision, Facts};
use crate::commands::write_task::{self, Answer};
use crate::kinds;
use crate::writer::WriteError;

/// A request that somebody waits for.
pub(crate) struct Pending {
    /// As it was asked for.
    pub(super) command: Command,
    request: Request,
    answers: Vec<Answer>,
    /// It could not be written to the audit, or not be read there.
    unaudited: bool,
}

impl State {
    pub(super) fn unavailable(&self, detail: impl Into<String>) -> PortError {
        PortError::Unavailable { cluster: self.observed.settings.name.clone(), detail: detail.into() }
    }

    /// Requests that wait to be carried out.
    pub(crate) fn pending(&self) -> usize {
        self.pending.len()
    }

    /// A command by an operator.
    pub(crate) fn asked(&mut self, submit: Submit, actor: ActorView, answer: Answer, now: Timestamp) {
        match self.decide(&submit, &actor, now) {
            Err(error) => drop(answer.send(Err(error))),
            Ok(Some(existing)) => drop(answer.send(Ok(existing))),
            Ok(None) => self.accept(submit, actor, answer, now),
        }
    }

    /// What can be said before it is in the audit. `None`: it is to be carried out.
    fn decide(
        &mut self,
        submit: &Submit,
        actor: &ActorView,
        now: Timestamp,
    ) -> Result<Option<Submitted>, PortError> {
        if let Some(command) = self.book.get(submit.id) {
            if !command.is_same_as(submit) {
                return Err(conflict(submit.id));
            }
            // What could not be written at all may be asked again.
            if !command.wrote_nothing() {
                return Ok(Some(Submitted { id: command.id, state: command.state, existing: true }));
            }
        }
        self.answers()?;
        self.check_somebody_leads()?;
        self.holds_are_followed()?;
        self.observed.fresh_telemetry(now);
        let active = self.observed.holds.of_group(&submit.target.group);
        let facts = self.facts(&active, &submit.target.group, now);
        match as_kafkaflow::decide(submit, actor, facts)? {
            Decision::Write(_) => Ok(None),
            // What is in force now may not be so after the requests that came before.
            Decision::Existing(_) if self.is_being_changed(submit) => Ok(None),
            Decision::Existing(id) => {
                let state = self.book.get(id).map_or(CommandState::Restored, |command| command.state);
                Ok(Some(Submitted { id, state, existing: true }))
            }
        }
    }

    /// A pause or resume of the same, or of a part of it, is not carried out yet.
    fn is_being_changed(&self, submit: &Submit) -> bool {
        let scopes = submit.target.scopes();
        let touches =
            |one: &Command| one.id != submit.id && one.action.kind().is_about_holds() && one.touches(&scopes);
        submit.action.kind().is_about_holds()
            && (self.pending.values().any(|one| touches(&one.command))
                || self.book.iter().any(|one| one.state == CommandState::Requested && touches(one)))
    }

    /// To the log at once, and to the audit topic.
    fn accept(&mut self, submit: Submit, actor: ActorView, answer: Answer, now: Timestamp) {
        let id = submit.id;
        let command = Command::new(submit, actor, now);
        let operation = match command.to_audit(now) {
            Ok(operation) => operation,
            Err(cause) => {
                let detail = format!("the request cannot be kept in the audit: {cause}");
                return drop(answer.send(Err(PortError::Unprocessable { detail })));
            }
        };
        match self.pending.entry(id) {
            Entry::Occupied(mut there) if there.get().request.is_same_as(&operation.request) => {
                // The button was pressed twice.
                there.get_mut().answers.push(answer);
            }
            Entry::Occupied(_) => drop(answer.send(Err(conflict(id)))),
            Entry::Vacant(free) => {
                let request = operation.request.clone();
                free.insert(Pending { command, request, answers: vec![answer], unaudited: false });
                self.log(&operation);
                self.audit_requests.push_back(operation);
                self.lead_now();
            }
        }
    }

    /// The request is in the audit, or could not be written there.
    pub(crate) fn request_audited(&mut self, id: CommandId, result: Result<i64, WriteError>, now: Timestamp) {
        self.unaudited.tried_request(&result);
        self.dirty = true;
        match result {
            // Nothing that came before it can be another request under its id.
            Ok(offset) if self.observed.has_read_audit_to(offset) => self.begin_pending(id, true),
            // It is there, and cannot be read.
            Ok(_) if self.observed.failing(Source::Audit).is_some() && self.is_urgent(id) => {
                if self.leads() {
                    self.begin_pending(id, true);
                } else {
                    self.wait_to_lead(id);
                }
            }
            // It is read from there.
            Ok(_) => {}
            // In an emergency the audit is not what counts: the log has it, and the topic later.
            Err(_) if self.leads() && self.is_urgent(id) => self.begin_pending(id, false),
            // This process may be elected yet.
            Err(_) if !self.election.another_leads() && self.is_urgent(id) => self.wait_to_lead(id),
            Err(error) => {
                let why = write_task::words(&error);
                let topic = &self.observed.settings.audit_topic;
                let detail = format!(
                    "{topic} cannot be written ({why}), through which the request reaches the replica that writes; {}",
                    self.why_not_leading()
                );
                let error = self.unavailable(detail);
                self.refuse(id, &error, now);
            }
        }
    }

    /// The next request to be written to the audit. What must not be done twice waits there until somebody leads: what a
    /// new leader finds in the audit may have been begun by the one before.
    pub(crate) fn next_audit_request(&mut self) -> Option<Operation> {
        let next = self.audit_requests.front()?;
        if self.election.nobody_leads() && !self.is_urgent(next.id) {
            return None;
        }
        self.audit_requests.pop_front()
    }

    fn wait_to_lead(&mut self, id: CommandId) {
        if let Some(pending) = self.pending.get_mut(&id) {
            pending.unaudited = true;
        }
    }

    /// Requests that came before this process led, and that no other one can read.
    pub(super) fn begin_unaudited(&mut self) {
        let unaudited = self.pending.iter().filter(|(_, one)| one.unaudited).map(|(id, _)| *id);
        for id in unaudited.collect::<Vec<_>>() {
            self.begin_pending(id, false);
        }
    }

    /// It is carried out without an audit, if there is no other way.
    fn is_urgent(&self, id: CommandId) -> bool {
        self.pending.get(&id).is_some_and(|one| !kinds::of(one.command.action).needs_audit())
    }

    /// Enters a request of this process, without waiting until it comes back from the topic.
    fn begin_pending(&mut self, id: CommandId, audited: bool) {
        let Some(pending) = self.pending.get(&id) else { return };
        if self.book.get(id).is_some_and(|known| known.audited && !known.is_asked_again_by(&pending.command))
        {
            return;
        }
        let mut command = pending.command.clone();
        command.audited = audited;
        if !audited {
            command.notes.push("carried out before it could be written to the audit topic".to_owned());
        }
        self.enter(command);
        self.requested(id);
    }

    /// An entered request is carried out by the leader.
    pub(super) fn requested(&mut self, id: CommandId) {
        if self.leads() && !self.to_begin.contains(&id) {
            self.to_begin.push_back(id);
        }
    }

    /// Another request came first under this id.
    pub(super) fn settle_conflict(&mut self, id: CommandId, first: &Request) {
        if self.pending.get(&id).is_some_and(|own| !own.request.is_same_as(first)) {
            self.answer(id, &Err(conflict(id)));
        }
    }

    /// Tells who waits what became of the command.
    pub(super) fn answer_settled(&mut self, id: CommandId) {
        if !self.pending.contains_key(&id) {
            return;
        }
        let Some(command) = self.book.get(id).filter(|one| one.state != CommandState::Requested) else {
            return;
        };
        let result = if command.wrote_nothing() {
            let why = command.notes.last().cloned();
            Err(self.unavailable(why.unwrap_or_else(|| "it was refused".to_owned())))
        } else {
            let existing = command.sent.is_empty() && command.sent_at.is_none();
            Ok(Submitted { id, state: command.state, existing })
        };
        self.answer(id, &result);
    }

    pub(super) fn answer(&mut self, id: CommandId, result: &Result<Submitted, PortError>) {
        for answer in self.pending.remove(&id).into_iter().flat_map(|one| one.answers) {
            let _ = answer.send(result.clone());
        }
    }

    /// Requests that nobody carries out, and those for whose answer nobody waits any more.
    pub(crate) fn answer_overdue(&mut self, now: Timestamp) {
        let overdue = |one: &Pending| now.since(one.command.requested_at) > BEGIN_WITHIN;
        let ids = self.pending.iter().filter(|(_, one)| overdue(one)).map(|(id, _)| *id);
        let ids: Vec<CommandId> = ids.filter(|id| !self.unwritten.is_handed(*id)).collect();
        for id in ids {
            let error =
                self.unavailable(format!("no replica began it within 15 s: {}", self.why_not_leading()));
            self.refuse(id, &error, now);
        }
        self.pending.retain(|_, one| one.answers.iter().any(|answer| !answer.is_closed()));
    }

    pub(super) fn facts<'a>(&'a self, active: &'a [Hold], group: &GroupId, now: Timestamp) -> Facts<'a> {
        Facts {
            telemetry: &self.observed.telemetry,
            active,
            book: &self.book,
            group_known: self.observed.sample.group(group).is_some(),
            group: self.observed.sample.group(group).map(Arc::as_ref),
            offsets_kept: self
                .observed
                .sample
                .details
                .offsets_retention
                .as_ref()
                .and_then(|kept| kept.as_ref().ok().copied()),
            sample: &self.observed.sample,
            metadata: self.observed.sample.metadata.as_deref(),
            time_zones: &self.observed.settings.rewind_time_zones,
            heard_within: self.observed.settings.timing.heard_within,
            offsets_quiet: self.observed.settings.timing.offsets_quiet,
            via: Via::Api,
            hold_by: self.observed.settings.hold_by,
            lock_ups: self.locked_up.of(group),
            now,
        }
    }
}

fn conflict(id: CommandId) -> PortError {
    PortError::Conflict { detail: format!("command {id} asked for something else before: use a new id") }
}
