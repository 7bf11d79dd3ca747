//! A command as the audit keeps it: its whole state, in each record.

use std::collections::HashMap;

use flowdeck_model::view::InstanceOutcome;
use flowdeck_model::{Action, ConsumerName, InstanceState, Submit, Timestamp};
use flowdeck_observe::telemetry::InstanceId;
use flowdeck_protocol::Malformed;
use flowdeck_protocol::wire::{LeftOut, Operation, OperationInstance, Request};

use super::by_stop::ByStop;
use super::command::Anew;
use super::heal::Heal;
use super::{Command, Tracked};

impl Command {
    pub(crate) fn submit(&self) -> Submit {
        Submit {
            id: self.id,
            action: self.action,
            target: self.target.clone(),
            reason: self.reason.clone(),
            ends: self.ends,
            offsets: self.asked_offsets.clone(),
            by: self.by,
        }
    }

    pub(crate) fn to_audit(&self, now: Timestamp) -> Result<Operation, Malformed> {
        Ok(Operation {
            id: self.id,
            at: now,
            actor: self.actor.clone(),
            request: Request::of(&self.submit())?,
            state: self.state,
            requested_at: self.requested_at,
            sent_at: self.sent_at,
            until: self.until,
            sent: self.sent.clone(),
            written: Some(u32::try_from(self.written).unwrap_or(u32::MAX)),
            holds: self.holds.clone(),
            before: self.before.clone(),
            // Where they are as they were asked for, the request has them.
            offsets: if self.offsets_as_asked() { vec![] } else { self.offsets.clone() },
            instances: self.instances.iter().map(Tracked::to_audit).collect(),
            notes: self.notes.clone(),
            brings_back: self.brings_back(),
            must_end: self.must_end.clone(),
            left_out: LeftOut { instances: self.left_out, ..LeftOut::default() },
        })
    }

    fn brings_back(&self) -> Vec<ConsumerName> {
        let healed = self.heal.iter().flat_map(|heal| &heal.consumers);
        let stopped = self.by_stop.iter().flat_map(|by_stop| &by_stop.consumers);
        healed.chain(stopped.filter(|_| !self.state.is_settled())).cloned().collect()
    }

    /// `None`: of a kind that this version does not know.
    pub(crate) fn from_audit(operation: Operation) -> Option<Self> {
        let submit = operation.request.submit(operation.id)?;
        let mut command = Self::new(submit, operation.actor, operation.requested_at);
        command.audited = true;
        command.until = operation.until;
        command.state = operation.state;
        command.sent = operation.sent;
        command.written = operation.written.map_or(command.sent.len(), |written| written as usize);
        command.sent_at = operation.sent_at;
        command.holds = operation.holds;
        command.before = operation.before;
        if command.asked_offsets.is_none() || !operation.offsets.is_empty() {
            command.offsets = operation.offsets;
        }
        command.notes = operation.notes;
        command.must_end = operation.must_end;
        command.left_out = operation.left_out.instances;
        // Those that are awaited come first in it.
        command.left_out_awaited = !operation.instances.iter().any(|one| one.outcome.state.is_done());
        let began = command.began();
        match command.action {
            Action::SetOffsets => command.by_stop = ByStop::from_audit(operation.brings_back),
            _ => command.heal = Heal::from_audit(operation.brings_back, began),
        }
        command.instances =
            operation.instances.into_iter().map(|one| Tracked::from_audit(one, began)).collect();
        let again = command.sent.get(command.written..).unwrap_or_default();
        command.resends.count = u32::try_from(again.len()).unwrap_or(u32::MAX);
        command.resends.last = again.last().map(|record| record.at).or(command.sent_at);
        Some(command)
    }
}

impl Tracked {
    fn to_audit(&self) -> OperationInstance {
        let waits = self.state == InstanceState::Waiting;
        OperationInstance { outcome: self.view(), deadline: waits.then_some(self.deadline) }
    }

    fn from_audit(instance: OperationInstance, began: Timestamp) -> Self {
        let OperationInstance { outcome, deadline } = instance;
        let InstanceOutcome { instance, consumer, kind, incarnation, state, at, detail } = outcome;
        Self {
            key: InstanceId { consumer, instance, incarnation },
            kind,
            state,
            at,
            detail,
            since: began,
            deadline: deadline.unwrap_or(at),
            flows: HashMap::new(),
            joined: None,
            moved: 0,
            anew: Anew { is_from_audit: true, ..Anew::default() },
            is_silent: false,
        }
    }
}
