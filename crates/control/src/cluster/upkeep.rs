//! What happens without an operator: deadlines and evidence, sending again, the end of a pause whose
//! time is over, and commands restored from holds.

use std::collections::{BTreeSet, HashSet};
use std::time::Duration;

use flowdeck_model::actor::ActorView;
use flowdeck_model::hold::HoldChange;
use flowdeck_model::{
    Action, ActorKind, CommandId, CommandState, ConsumerName, GroupId, Hold, HoldId, Scope, Submit, Target,
    Timestamp, Via,
};

use super::state::{State, TRY_AGAIN};
use crate::audit::system;
use crate::commands::follow_up::Again;
use crate::commands::plan::{self, Plan};
use crate::commands::starts::{Starts, kept};
use crate::commands::write_task::WriteTask;
use crate::commands::{Command, evidence, external, follow_up, heal, stops};
use crate::kinds;

/// A settled command is looked at for so long, for evidence that comes late.
pub(super) const LATE: Duration = Duration::from_secs(120);
/// Pauses that end in one tick. Who may write to the topics could let thousands end at once, and an operator's
/// command waits for what was begun before it.
pub(super) const ENDS_AT_ONCE: usize = 8;
/// Every instance has told of itself by then: telemetry comes every 1 to 5 s.
pub(super) const HEARD_WITHIN: Duration = Duration::from_secs(6);
/// Where telemetry cannot be followed by then, a hold ends all the same.
const FOLLOWED_WITHIN: Duration = Duration::from_secs(15);

impl State {
    /// Deadlines, evidence, sending again, expiry.
    pub(crate) fn ticked(&mut self, now: Timestamp) {
        self.observed.registry.expire(now);
        self.answer_overdue(now);
        self.take_waiting(now);
        self.observed.fresh_telemetry(now);
        self.look_at_lock_ups(now);
        if self.book.is_empty() && self.observed.holds.is_empty() {
            self.held.clear();
            return;
        }
        self.look_at_held(now);
        // On what was known before nothing is written.
        let may_write = self.may_write().is_ok();
        // What the ones that waited change is known once they are written.
        let may_send = may_write && self.jobs.is_empty();
        for id in self.book.ids() {
            self.tick_command(id, may_send, now);
        }
        if may_write {
            self.expire_holds(now);
            self.release_ended(now);
            self.contain(now);
        }
    }

    /// Commands and pauses are followed by what the brokers say now.
    pub(crate) fn awaits_evidence(&self) -> bool {
        !self.observed.holds.is_empty() || self.book.iter().any(|command| !command.state.is_settled())
    }

    /// Groups of which every reading may be evidence.
    pub(crate) fn followed_groups(&self) -> HashSet<GroupId> {
        let waiting = self.book.iter().filter(|command| !command.state.is_settled());
        self.held.ids().chain(waiting.map(|command| &command.target.group)).cloned().collect()
    }

    pub(crate) fn readers_of_committed(&self) -> HashSet<GroupId> {
        self.observed.telemetry.readers_of_committed()
    }

    pub(super) fn tick_command(&mut self, id: CommandId, may_write: bool, now: Timestamp) {
        let Some(command) = self.book.get(id) else { return };
        // The leader gathers the evidence, and all others read of it in the audit.
        if !self.leads() && !command.restored {
            return;
        }
        // Also of one that only changed the hold of another.
        let in_force =
            command.holds.iter().chain([&HoldId::from(id)]).any(|one| self.observed.holds.is_in_force(*one));
        let late = command.sent_at.is_none_or(|at| now.since(at) > LATE);
        // An instance that started anew may crash on it yet.
        let watched = kinds::of(command.action).starts_anew() && command.sent_at.is_some();
        let done = !watched && command.instances.iter().all(|one| one.state.is_done());
        let pause_in_force = command.action == Action::Pause && in_force;
        // Of one that brings consumers back, what it holds for that has to be released.
        let is_over = command.state.is_settled() && command.heal.is_none() && (late || done);
        if !pause_in_force && is_over {
            return;
        }
        let retired = match command.action {
            Action::Pause => !in_force,
            // Who is being brought back is looked at, whatever was asked for since.
            _ => command.heal.is_none() && self.is_undone(command),
        };
        let mut command = command.clone();
        let group = command.target.group.clone();
        let active = self.observed.holds.of_group(&group);
        let own: Vec<Hold> = active.iter().filter(|hold| hold.id == HoldId::from(id)).cloned().collect();
        let seen = self.seen(&group, &active, now);
        let tracked = (command.instances.len(), command.resends.clone());
        let mut changed = evidence::observe(&mut command, seen, retired);
        let gives_up = command.heal.is_some() && command.state.is_settled();
        let follows = !gives_up && (command.action != Action::Pause || !own.is_empty());
        if may_write && !retired && follows && (command.sent_at.is_some() || command.restored) {
            let wanted = follow_up::follow_up(&mut command, &own, seen);
            if !wanted.is_empty() && !self.is_contested(&group, now) {
                let wanted = self.held.without_resent(&group, wanted, now);
                if wanted.is_empty() {
                    command.resends.tried(now);
                }
                self.send_again(&command, wanted, pause_in_force);
            }
            if pause_in_force {
                let active = self.observed.holds.of_group(&group);
                stops::keep_commits(&mut command, self.seen(&group, &active, now));
                changed |= self.book.get(id).is_some_and(|known| known.offsets != command.offsets);
            }
        }
        changed |= tracked != (command.instances.len(), command.resends.clone());
        if changed {
            self.enter(command);
        }
        if may_write {
            self.heal(id, now);
            self.step_by_stop(id, now);
        }
    }

    fn send_again(&mut self, command: &Command, mut wanted: Again, pause_in_force: bool) {
        let (id, group) = (command.id, command.target.group.clone());
        // Another group may have come to use the name.
        let is_exact = |name: &ConsumerName| plan::unique(name, &self.observed.telemetry).is_ok();
        wanted.stop.retain(|(_, name)| is_exact(name));
        let is_out = |name: &ConsumerName| is_exact(name) && !self.is_moved_since(command, name);
        wanted.start.retain(|(_, name)| is_out(name));
        wanted.restart.retain(|(_, name)| is_out(name));
        if !wanted.stop.is_empty() {
            let admin = kinds::stops(wanted.stop);
            self.jobs.push_back(WriteTask::Again { id, admin, held: None });
        }
        if !wanted.pause.is_empty() {
            let zones = &self.observed.settings.rewind_time_zones;
            let admin = kinds::again(Action::Pause, wanted.pause, zones);
            self.jobs.push_back(WriteTask::Again { id, admin, held: Some(group.clone()) });
        }
        if !wanted.topics.is_empty() {
            let zones = &self.observed.settings.rewind_time_zones;
            let admin = kinds::again(command.action, wanted.topics, zones);
            let held = pause_in_force.then(|| group.clone());
            self.jobs.push_back(WriteTask::Again { id, admin, held });
        }
        for (consumers, or_restart) in [(wanted.start, false), (wanted.restart, true)] {
            if !consumers.is_empty() {
                let kept = kept(&command.before, &self.book);
                let starts = Starts { group: group.clone(), consumers, kept };
                self.jobs.push_back(WriteTask::StartAgain { id, starts, or_restart });
            }
        }
    }

    /// Something newer stopped the consumer, or started it.
    fn is_moved_since(&self, command: &Command, consumer: &ConsumerName) -> bool {
        self.book.iter().take_while(|newer| newer.id != command.id).any(|newer| {
            newer.action.kind().is_for_consumer()
                && newer.target.group == command.target.group
                && newer.target.consumer.as_ref() == Some(consumer)
                && newer.sent_at.is_some()
        })
    }

    /// Something newer was asked for the same.
    fn is_undone(&self, command: &Command) -> bool {
        let scopes = command.scopes();
        let about_holds = command.action.kind().is_about_holds();
        self.book.iter().take_while(|newer| newer.id != command.id).any(|newer| {
            newer.action.kind().is_about_holds() == about_holds
                && !newer.wrote_nothing()
                && newer.state != CommandState::Requested
                && newer.touches(&scopes)
        })
    }

    fn expire_holds(&mut self, now: Timestamp) {
        let book = &self.book;
        // One that could not be written is tried again as the same command.
        self.expiring.retain(|_, (at, id)| {
            now.since(*at) < TRY_AGAIN
                || book.get(*id).is_some_and(|one| is_requested(one) || one.heal.is_some())
        });
        for id in self.ended(now).into_iter().take(ENDS_AT_ONCE) {
            let holds: Vec<Hold> =
                self.observed.holds.of_id(id).into_iter().filter(|hold| hold.is_overdue(now)).collect();
            let former = self.expiring.get(&id).map(|(_, command)| *command);
            let command = former.unwrap_or_else(CommandId::random);
            self.expiring.insert(id, (now, command));
            let Some(target) = target_of(&holds) else { continue };
            let is_under_way = self.book.get(command).is_some_and(|one| !is_requested(one));
            if is_under_way || self.healing(&target.group).is_some() {
                continue;
            }
            let changes: Vec<HoldChange> = holds.into_iter().map(HoldChange::Release).collect();
            let active = self.observed.holds.of_group(&target.group);
            let submit = Submit {
                id: command,
                action: Action::Resume,
                target,
                reason: "the time of the pause is over".to_owned(),
                ends: None,
                offsets: None,
                by: None,
            };
            let known = self.book.get(command).cloned();
            let command = known.unwrap_or_else(|| Command::new(submit, system(), now));
            let plan = self.plan_end(&command, changes, &active, now);
            self.begin_own(command, plan, now);
        }
    }

    /// Of pauses whose time is over: nothing but `changes` is released.
    pub(super) fn plan_end(
        &self,
        command: &Command,
        changes: Vec<HoldChange>,
        active: &[Hold],
        now: Timestamp,
    ) -> Plan {
        let facts = self.facts(active, &command.target.group, now);
        heal::plan_end(&command.submit(), &command.actor.name, &facts, changes.clone())
            .unwrap_or_else(|| kinds::release(&command.target, changes, &facts))
    }

    /// Pauses whose time is over.
    fn ended(&self, now: Timestamp) -> BTreeSet<HoldId> {
        let is_tried = |id: &HoldId| self.expiring.get(id).is_some_and(|(at, _)| now.since(*at) < TRY_AGAIN);
        let due = self.observed.holds.overdue(now).filter(|hold| !self.awaits_telemetry(hold, now));
        due.map(|hold| hold.id).filter(|id| !is_tried(id)).collect()
    }

    /// Whom the end has to be told to may not be heard yet: telemetry is followed from its end on. Not of a hold that was
    /// made since it is followed.
    fn awaits_telemetry(&self, hold: &Hold, now: Timestamp) -> bool {
        match (self.observed.following_since(), self.started) {
            (Some(since), _) => hold.since < since && now.since(since) < HEARD_WITHIN,
            (None, Some(started)) => now.since(started) < FOLLOWED_WITHIN,
            (None, None) => false,
        }
    }

    /// All whose holds were read since.
    pub(crate) fn restore(&mut self) {
        let mut built = HashSet::new();
        for id in std::mem::take(&mut self.holds_to_restore) {
            if built.insert(id) {
                self.restore_one(id);
            }
        }
    }

    /// A hold whose command is not remembered: it was made before this process, or by another.
    fn restore_one(&mut self, id: HoldId) {
        // One that was said to be refused made the hold all the same, so it is kept up.
        if self.book.get(id.into()).is_some_and(|command| !command.restored && !command.wrote_nothing()) {
            return;
        }
        let holds = self.observed.holds.of_id(id);
        let (Some(target), Some(first)) = (target_of(&holds), holds.first()) else { return };
        let submit = Submit {
            id: id.into(),
            action: Action::Pause,
            target,
            reason: first.reason.clone(),
            ends: None,
            offsets: None,
            by: None,
        };
        let mut command = Command::new(submit, owner(&first.owner), first.since);
        command.until = first.until;
        command.state = CommandState::Restored;
        command.holds = vec![id];
        command.restored = true;
        if let Some(former) = self.book.get(id.into()) {
            command.instances = former.instances.clone();
            command.acks = former.acks.clone();
            command.resends = former.resends.clone();
        }
        self.enter(command);
    }

    /// A hold went: a command that was restored from it alone, while the topic was read, was never in force.
    pub(super) fn released(&mut self, id: HoldId) {
        let restored = self.book.get(id.into()).is_some_and(|command| command.restored);
        if restored && !self.observed.holds.is_in_force(id) && !self.observed.holds.is_known() {
            self.book.remove(id.into());
        }
    }
}

fn is_requested(command: &Command) -> bool {
    command.state == CommandState::Requested
}

/// The target of a command that made these holds: the same group and consumer, all their topics and partitions.
pub(super) fn target_of(holds: &[Hold]) -> Option<Target> {
    let first = holds.first()?;
    let mut topics: Vec<_> = holds.iter().filter_map(|hold| hold.scope.topic.clone()).collect();
    topics.sort();
    topics.dedup();
    // Partitions are of one topic: a command has them of no other.
    let mut partitions: Vec<_> = match topics.len() {
        1 => holds.iter().filter_map(|hold| hold.scope.partition).collect(),
        _ => vec![],
    };
    partitions.sort();
    partitions.dedup();
    let Scope { group, consumer, .. } = first.scope.clone();
    Some(Target { group, consumer, topics, partitions })
}

/// Of a hold only the owner's name is known; what kind of actor it was follows from the two names
/// that Flowdeck gives itself.
fn owner(name: &str) -> ActorView {
    let kind = match name {
        external::OWNER => ActorKind::External,
        "anonymous" => ActorKind::Anonymous,
        _ => ActorKind::User,
    };
    ActorView { name: name.to_owned(), kind, via: Via::Api, address: None }
}
