//! KafkaFlow instances that are locked up: found, and contained where a hold by pause covers them.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use flowdeck_model::hold::HoldChange;
use flowdeck_model::verdict;
use flowdeck_model::{
    Action, CommandId, CommandState, ConsumerName, GroupId, Hold, HoldBy, HoldId, Scope, Submit, Target,
    Timestamp, shown,
};
use flowdeck_observe::locked_up::Locked;
use flowdeck_observe::telemetry::{InstanceId, InstanceTelemetry};
use flowdeck_protocol::wire::MustBeEnded;

use super::lock_ups_before::to_end;
use super::state::{State, TRY_AGAIN};
use super::upkeep::{ENDS_AT_ONCE, LATE, target_of};
use crate::audit::system;
use crate::commands::lock_up::{LockUps, Told};
use crate::commands::plan::{Plan, unique};
use crate::commands::stops::{consumers, is_stopped};
use crate::commands::{Command, heal, lifecycle};
use crate::kinds;

/// Telemetry comes every 5 s.
const EVERY: Duration = Duration::from_secs(1);
/// A stop that was not confirmed counts for so long.
const UNPROVEN_STOP: Duration = Duration::from_secs(120);

/// Groups with KafkaFlow instances that are locked up, or may be.
#[derive(Default)]
pub(super) struct GroupsLockedUp {
    groups: HashMap<GroupId, LockUps>,
    /// When they were last looked at.
    looked: Option<Timestamp>,
    /// Holds that are being turned into ones by stop, and since when.
    containing: HashMap<HoldId, Timestamp>,
}

impl GroupsLockedUp {
    pub(super) fn iter(&self) -> impl Iterator<Item = (&GroupId, &LockUps)> {
        self.groups.iter()
    }

    pub(super) fn of(&self, group: &GroupId) -> Option<&LockUps> {
        self.groups.get(group)
    }

    /// Those of the instances whose processes must be ended, for the audit.
    fn named(&self, group: &GroupId, instances: &[InstanceId]) -> Vec<MustBeEnded> {
        let all = self.of(group).map(LockUps::locked).unwrap_or_default();
        all.iter().filter(|one| instances.contains(&one.id)).filter_map(to_end).collect()
    }

    pub(super) fn for_views(&self) -> HashMap<GroupId, Vec<Locked>> {
        let all = self.groups.iter().map(|(id, one)| (id.clone(), one.locked()));
        all.filter(|(_, locked)| !locked.is_empty()).collect()
    }
}

impl State {
    pub(super) fn look_at_lock_ups(&mut self, now: Timestamp) {
        if self.locked_up.looked.is_some_and(|at| now.since(at) < EVERY) {
            return;
        }
        self.locked_up.looked = Some(now);
        let within = self.observed.settings.timing.heard_within;
        let before = self.locked_up.for_views();
        let mut former = std::mem::take(&mut self.locked_up.groups);
        let mut all = HashMap::new();
        let mut named = self.named();
        for (id, telemetry) in self.observed.telemetry.groups.iter() {
            let mut one = former.remove(id).unwrap_or_default();
            let holds = self.observed.holds.of_group(id);
            let told = |consumer: &ConsumerName, instance: &InstanceTelemetry| Told {
                paused_since: self.paused_before(id, consumer, instance, &holds),
                ..self.told(id, consumer, &holds, now)
            };
            let named = named.remove(id).unwrap_or_default();
            let group = self.observed.sample.group(id).map(Arc::as_ref);
            one.observe(telemetry, group, told, &named, within, now);
            if !one.is_empty() {
                all.insert(id.clone(), one);
            }
        }
        self.locked_up.groups = all;
        self.dirty |= before != self.locked_up.for_views();
        self.keep_named(now);
    }

    fn told(&self, group: &GroupId, consumer: &ConsumerName, holds: &[Hold], now: Timestamp) -> Told {
        let newest = self.last_moved(group, consumer);
        let moved_at = newest.and_then(|one| one.sent_at);
        // A stop without proof may not be obeyed at all.
        let counts = |one: &Command| {
            let is_proven = matches!(one.state, CommandState::Sent | CommandState::Confirmed);
            let is_new = moved_at.is_some_and(|at| now.since(at) < UNPROVEN_STOP);
            one.action == Action::Stop && (is_proven || is_new)
        };
        let stopped_at = moved_at.filter(|_| newest.is_some_and(counts));
        Told { is_stopped: is_stopped(holds, group, consumer), stopped_at, moved_at, ..Told::default() }
    }

    /// The newest command by which the consumer left its group, or came back.
    pub(super) fn last_moved(&self, group: &GroupId, consumer: &ConsumerName) -> Option<&Command> {
        let moves = |one: &&Command| {
            let is_named = one.target.consumer.as_ref() == Some(consumer);
            &one.target.group == group
                && one.sent_at.is_some()
                && (one.starts()
                    || one.heal.as_ref().is_some_and(|heal| heal.consumers.contains(consumer))
                    || (is_named && one.action.kind().is_for_consumer()))
        };
        self.book.iter().find(moves)
    }

    /// The resume in the group that first brings back what is locked up.
    pub(super) fn healing(&self, group: &GroupId) -> Option<&Command> {
        let is_handed = |one: &Command| one.heal.is_some() && self.unwritten.is_handed(one.id);
        let is_one = |one: &&Command| &one.target.group == group && (one.is_healing() || is_handed(one));
        self.book.iter().find(is_one)
    }

    /// The holds that stay in force once that resume is over.
    pub(super) fn left_by_heal(&self, group: &GroupId, active: Arc<[Hold]>, now: Timestamp) -> Arc<[Hold]> {
        let Some(command) = self.healing(group) else { return active };
        active.iter().filter(|hold| !heal::is_released(command, hold, now)).cloned().collect()
    }

    /// Somebody else resumes what is being brought back. Who is not paused yet obeys nothing any more.
    pub(super) fn resumed_from_outside(&mut self, target: &Target, now: Timestamp) {
        let Some(command) = self.healing(&target.group) else { return };
        let (id, group) = (command.id, command.target.group.clone());
        let active = self.observed.holds.of_group(&group);
        let is_meant = |consumer: &ConsumerName| target.consumer.as_ref().is_none_or(|one| one == consumer);
        let is_named = command.heal.iter().flat_map(|heal| &heal.consumers).any(is_meant);
        let seen = self.seen(&group, &active, now);
        if !is_named || heal::is_done(command, seen) {
            return;
        }
        let missing: Vec<InstanceId> = heal::missing(command, seen)
            .into_iter()
            .map(|one| one.key.clone())
            .filter(|key| key.consumer.as_ref().is_some_and(is_meant))
            .collect();
        if missing.is_empty() {
            return;
        }
        if let Some(lock_ups) = self.locked_up.groups.get_mut(&group) {
            for one in &missing {
                lock_ups.resumed_too_soon(one, now);
            }
        }
        self.dirty = true;
        let names: Vec<String> = missing.iter().map(|one| one.instance.to_string()).collect();
        let named = self.locked_up.named(&group, &missing);
        self.change(id, now, |command, _| {
            command.heal = None;
            command.must_end.extend(named);
            command.notes.push(format!(
                "somebody else resumed {} before all were back and paused: each of these processes must be ended",
                verdict::names(&names)
            ));
        });
    }

    /// A lock-up under a hold by pause turns it into one by stop: left alone, Kafka lets the others run after
    /// max.poll.interval.ms, and they are unpaused until they are told.
    pub(super) fn contain(&mut self, now: Timestamp) {
        self.locked_up.containing.retain(|_, at| now.since(*at) < TRY_AGAIN);
        let mut due: Vec<(Hold, Locked)> = Vec::new();
        for (group, one) in self.locked_up.groups.iter().filter(|(group, _)| self.healing(group).is_none()) {
            let holds = self.observed.holds.of_group(group);
            for locked in one.locked() {
                let Some(consumer) = locked.id.consumer.clone() else { continue };
                let of = Scope { consumer: Some(consumer.clone()), ..Scope::group(group.clone()) };
                let by_pause =
                    |hold: &&Hold| hold.by == HoldBy::Pause && hold.scope.is_whole() && hold.covers(&of);
                // By their names, which must reach nobody else.
                let target = Target::group(group.clone());
                let telemetry = &self.observed.telemetry;
                let all = consumers(&target, telemetry.group(group));
                let is_exact = all.iter().all(|(_, name)| unique(name, telemetry).is_ok());
                for hold in holds.iter().filter(by_pause).filter(|_| is_exact && locked.must_end.is_none()) {
                    let is_known = due.iter().any(|(one, _)| one.id == hold.id && one.scope == hold.scope);
                    if !is_known && !self.locked_up.containing.contains_key(&hold.id) {
                        due.push((hold.clone(), locked.clone()));
                    }
                }
            }
        }
        for (hold, locked) in due.into_iter().take(ENDS_AT_ONCE) {
            self.contain_one(hold, &locked, now);
        }
    }

    /// What is locked up is back and paused: now it is resumed. Or it is not, and its process must be ended.
    pub(super) fn heal(&mut self, id: CommandId, now: Timestamp) {
        let is_open = |one: &&Command| one.heal.is_some() && !self.unwritten.is_handed(one.id);
        let Some((command, sent_at)) =
            self.book.get(id).filter(is_open).and_then(|one| Some((one, one.sent_at?)))
        else {
            return;
        };
        let group = command.target.group.clone();
        let active = self.observed.holds.of_group(&group);
        let seen = self.seen(&group, &active, now);
        let is_settled = command.state.is_settled();
        // Everything was paused, whatever was asked for.
        let whole = Target { topics: vec![], ..command.target.clone() };
        // Whoever asked so long ago may want something else now.
        let is_late = is_settled && now.since(sent_at) > LATE;
        if heal::is_done(command, seen) && !is_late {
            if !self.jobs.is_empty() {
                return;
            }
            let mut command = command.clone();
            lifecycle::begin_flows(&mut command, seen);
            let changes = heal::releases(&command, &active, now);
            let plan = kinds::released(&whole, changes, &self.facts(&active, &group, now));
            return self.resume_healed(command, plan);
        }
        let missing: Vec<InstanceId> =
            heal::missing(command, seen).into_iter().map(|one| one.key.clone()).collect();
        let own = heal::own_releases(command, &active);
        let is_told = command.heal.as_ref().is_some_and(|heal| !heal.is_unclear);
        if is_told && (now.since(sent_at) >= heal::COMES_BACK_WITHIN || is_settled) {
            self.name_missing(id, &group, &missing, now);
        }
        if is_settled {
            self.give_up(id, &missing, own, &whole, now);
        }
    }

    /// What was held for that alone is released, so that those that are back run.
    fn give_up(
        &mut self,
        id: CommandId,
        missing: &[InstanceId],
        own: Vec<HoldChange>,
        whole: &Target,
        now: Timestamp,
    ) {
        if !own.is_empty() && !self.jobs.is_empty() {
            return;
        }
        let names: Vec<String> = missing.iter().map(|one| one.instance.to_string()).collect();
        let why = match names.is_empty() {
            true => "the resume could not be written in time".to_owned(),
            false => format!("{} did not come back, paused, within 90 s", verdict::names(&names)),
        };
        if own.is_empty() {
            return self.change(id, now, |command, _| {
                command.heal = None;
                command.notes.push(format!("nothing was resumed: {why}"));
            });
        }
        let Some(mut command) = self.book.get(id).cloned() else { return };
        let active = self.observed.holds.of_group(&whole.group);
        lifecycle::begin_flows(&mut command, self.seen(&whole.group, &active, now));
        let mut plan = kinds::released(whole, own, &self.facts(&active, &whole.group, now));
        plan.notes.push(format!("{why}: what was held for that is released, and the others are resumed"));
        self.resume_healed(command, plan);
    }

    fn name_missing(&mut self, id: CommandId, group: &GroupId, missing: &[InstanceId], now: Timestamp) {
        let Some(lock_ups) = self.locked_up.groups.get_mut(group) else { return };
        let ended: Vec<InstanceId> =
            missing.iter().filter(|one| lock_ups.did_not_come_back(one, now)).cloned().collect();
        if ended.is_empty() {
            return;
        }
        self.dirty = true;
        let named = self.locked_up.named(group, &ended);
        let ended: Vec<String> = ended.iter().map(|one| one.instance.to_string()).collect();
        self.change(id, now, |command, _| {
            command.must_end.extend(named);
            command.notes.push(format!(
                "{} did not come back within 30 s of the restart: the process must be ended",
                verdict::names(&ended)
            ));
        });
    }

    fn contain_one(&mut self, hold: Hold, locked: &Locked, now: Timestamp) {
        let Some(target) = target_of(std::slice::from_ref(&hold)) else { return };
        self.locked_up.containing.insert(hold.id, now);
        let who = locked.id.instance.shown();
        let reason = format!(
            "{who} is locked up under the pause of {}: it is kept by stop from now on",
            shown::name(&hold.owner)
        );
        let submit = Submit {
            id: CommandId::random(),
            action: Action::Pause,
            target: target.clone(),
            reason: reason.chars().take(500).collect(),
            ends: None,
            offsets: None,
            by: Some(HoldBy::Stop),
        };
        let mut stopped = consumers(&target, self.observed.telemetry.group(&target.group));
        stopped.retain(|(_, name)| {
            let of = Scope { consumer: Some(name.clone()), ..Scope::group(target.group.clone()) };
            hold.covers(&of)
        });
        let changes = vec![HoldChange::Set(Hold { by: HoldBy::Stop, ..hold })];
        let plan = Plan { changes, admin: kinds::stops(stopped), ..Plan::default() };
        self.begin_own(Command::new(submit, system(), now), plan, now);
    }
}
