//! Lock-ups that began before this process did, or that another replica saw: what holds and the audit tell of them.

use std::collections::HashMap;

use flowdeck_model::{
    Action, CommandId, ConsumerName, GroupId, Hold, HoldBy, InstanceState, Scope, Timestamp,
};
use flowdeck_observe::locked_up::{Locked, MustEnd};
use flowdeck_observe::telemetry::{InstanceId, InstanceTelemetry};
use flowdeck_protocol::wire::MustBeEnded;

use super::state::State;
use super::upkeep::HEARD_WITHIN;
use crate::commands::Command;
use crate::commands::lock_up::LockUps;

/// For the audit, where its process must be ended.
pub(super) fn to_end(locked: &Locked) -> Option<MustBeEnded> {
    Some(MustBeEnded {
        consumer: locked.id.consumer.clone()?,
        instance: locked.id.instance.clone(),
        why: locked.must_end?,
        since: locked.since,
    })
}

impl State {
    /// Since when the instance was paused as a whole, by what was known before this process heard it.
    pub(super) fn paused_before(
        &self,
        group: &GroupId,
        consumer: &ConsumerName,
        instance: &InstanceTelemetry,
        holds: &[Hold],
    ) -> Option<Timestamp> {
        if instance.has_listed || !self.observed.is_audit_settled() {
            return None;
        }
        let of = Scope { consumer: Some(consumer.clone()), ..Scope::group(group.clone()) };
        let by_pause = holds.iter().filter(|hold| hold.by == HoldBy::Pause && hold.covers(&of));
        let had_paused = by_pause.filter(|hold| self.had_paused(hold, consumer, instance));
        had_paused.map(|hold| hold.since).min()
    }

    /// Who joined under a pause and waits for one that is locked up lists no partition either, as long as the rebalance lasts:
    /// telemetry does not tell the two apart. The operation of the hold does: it names whom it saw paused.
    fn had_paused(&self, hold: &Hold, consumer: &ConsumerName, instance: &InstanceTelemetry) -> bool {
        let command = self.book.get(hold.id.into()).filter(|one| !one.restored);
        let key = InstanceId::of(consumer, instance);
        let tracked = command.and_then(|command| command.instances.iter().find(|one| one.key == key));
        match (command, tracked) {
            // What it held to bring consumers back.
            (Some(Command { heal: Some(heal), .. }), Some(_)) => heal.consumers.contains(consumer),
            (Some(command), Some(tracked)) => {
                command.action == Action::Pause && tracked.state == InstanceState::FetchStopped
            }
            (Some(command), None) if command.left_out == 0 => false,
            // Nobody remembers whom it paused. In a group that is held as a whole and whose rebalance does not end, somebody is
            // locked up; who is heard from the first is more likely that one than who comes later.
            _ => self
                .observed
                .following_since()
                .is_some_and(|since| hold.since < since && instance.first_heard <= since.plus(HEARD_WITHIN)),
        }
    }

    /// Whose processes must be ended, by the audit.
    pub(super) fn named(&self) -> HashMap<GroupId, Vec<MustBeEnded>> {
        let mut all: HashMap<GroupId, Vec<MustBeEnded>> = HashMap::new();
        for command in self.book.iter().filter(|one| !one.must_end.is_empty()) {
            all.entry(command.target.group.clone()).or_default().extend(command.must_end.iter().cloned());
        }
        all
    }

    /// What the audit is to tell of them: who locked up again is named by the operation that moved its consumer, and who is
    /// gone, or lists partitions again, is named no more. By the leader.
    pub(super) fn keep_named(&mut self, now: Timestamp) {
        if !self.leads() {
            return;
        }
        for (id, one) in self.unnamed() {
            self.change(id, now, |command, _| {
                if one.why == MustEnd::LockedUpAgain {
                    let name = one.instance.shown();
                    command.notes.push(format!("{name} locked up again after it: the process must be ended"));
                }
                command.must_end.push(one);
            });
        }
        let within = self.observed.settings.timing.heard_within;
        // Before, who lives may not be heard yet.
        if self.observed.following_since().is_none_or(|at| now.since(at) <= within) {
            return;
        }
        let is_over = |command: &&Command| command.must_end.iter().any(|one| !self.is_still(command, one));
        let over: Vec<Command> = self.book.iter().filter(is_over).cloned().collect();
        for mut command in over {
            let all = std::mem::take(&mut command.must_end);
            command.must_end = all.into_iter().filter(|one| self.is_still(&command, one)).collect();
            self.enter(command);
        }
    }

    fn is_still(&self, command: &Command, one: &MustBeEnded) -> bool {
        self.locked_up.of(&command.target.group).is_some_and(|all| all.must_be_ended(one))
    }

    /// Those that no operation names, each with the one that is to.
    fn unnamed(&self) -> Vec<(CommandId, MustBeEnded)> {
        let named = self.named();
        let is_named = |group: &GroupId, one: &MustBeEnded| {
            let mut all = named.get(group).into_iter().flatten();
            all.any(|other| (&other.consumer, &other.instance) == (&one.consumer, &one.instance))
        };
        let all = self.locked_up.iter().flat_map(|(group, all): (&GroupId, &LockUps)| {
            let all = all.locked();
            all.iter().filter_map(to_end).map(|one| (group.clone(), one)).collect::<Vec<_>>()
        });
        all.filter(|(group, one)| !is_named(group, one))
            .filter_map(|(group, one)| {
                let newest = || self.book.iter().find(|command| command.target.group == group);
                let by = self.last_moved(&group, &one.consumer).or_else(newest)?;
                Some((by.id, one))
            })
            .collect()
    }
}
