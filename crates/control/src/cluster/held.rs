//! Groups that are held: who does not obey, what is sent again, and holds whose exceptions cover all that is read.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use flowdeck_model::hold::HoldChange;
use flowdeck_model::view::{InstanceKind, Mode};
use flowdeck_model::{
    Action, CommandId, ConsumerName, GroupId, Hold, HoldBy, HoldId, Submit, Target, Timestamp, TopicName,
};

use super::state::{State, TRY_AGAIN};
use super::upkeep::{ENDS_AT_ONCE, target_of};
use crate::audit::system;
use crate::commands::consumers::has_ended;
use crate::commands::follow_up::Again;
use crate::commands::held::{HeldGroup, InForce, Told};
use crate::commands::plan::Plan;
use crate::commands::scope::listening;
use crate::commands::{Command, external};
use flowdeck_observe::group_seen::GroupSeen;
use flowdeck_observe::not_obeyed::{Breach, NotObeying};
use flowdeck_observe::telemetry::trust::is_trusted;

/// What changed is looked at again at once, what did not after this: an instance may be silent meanwhile.
const LOOK_AGAIN: Duration = Duration::from_secs(1);
/// Between two looks that telemetry causes.
const LOOKS_APART: Duration = Duration::from_millis(100);
/// A hold that was followed from its beginning was first looked at by then.
const FOLLOWED_WITHIN: Duration = Duration::from_secs(60);

/// One group that is held.
#[derive(Default)]
struct Held {
    group: HeldGroup,
    /// What it was last looked at with, by address, and when.
    looked: Option<([usize; 3], Timestamp)>,
    /// Holds, and when they were first looked at.
    since: HashMap<HoldId, Timestamp>,
    /// What was last sent again to a consumer, by whatever command.
    resent: HashMap<(usize, ConsumerName), (BTreeSet<TopicName>, Timestamp)>,
    /// When a stop was last sent to a consumer.
    stopped: HashMap<(usize, ConsumerName), Timestamp>,
}

/// Groups that are held.
#[derive(Default)]
pub(crate) struct HeldGroups {
    groups: HashMap<GroupId, Held>,
    /// Those of which something came in that is not looked at yet, and when that was last done.
    touched: HashSet<GroupId>,
    followed: Option<Timestamp>,
}

impl HeldGroups {
    pub(super) fn ids(&self) -> impl Iterator<Item = &GroupId> {
        self.groups.keys()
    }

    pub(super) fn of(&self, group: &GroupId) -> Option<&HeldGroup> {
        self.groups.get(group).map(|held| &held.group)
    }

    /// Nothing is held any more.
    pub(super) fn clear(&mut self) {
        self.groups.clear();
    }

    /// Something came in of the group.
    pub(super) fn touch(&mut self, group: GroupId) {
        self.touched.insert(group);
    }

    fn take_touched(&mut self, now: Timestamp) -> HashSet<GroupId> {
        if self.touched.is_empty() || self.followed.is_some_and(|at| now.since(at) < LOOKS_APART) {
            return HashSet::new();
        }
        self.followed = Some(now);
        std::mem::take(&mut self.touched)
    }

    /// What Kafka tells of a group. `by_stop`: a hold keeps its consumers stopped.
    fn saw(&mut self, group: &GroupId, seen: GroupSeen, by_stop: bool, now: Timestamp) {
        let Some(held) = self.groups.get_mut(group) else { return };
        let has_members = !seen.members.is_empty();
        let rebalancing = seen.is_rebalancing();
        if held.group.rebalances.note(seen, now) || rebalancing || (by_stop && has_members) {
            self.touched.insert(group.clone());
        }
    }

    /// Several holds may cover the same: it is sent for one of them.
    pub(super) fn without_resent(&mut self, group: &GroupId, mut wanted: Again, now: Timestamp) -> Again {
        let Some(held) = self.groups.get_mut(group) else { return wanted };
        held.resent.retain(|_, (_, at)| now.since(*at) < LOOK_AGAIN);
        held.stopped.retain(|_, at| now.since(*at) < LOOK_AGAIN);
        wanted.stop.retain(|key| held.stopped.insert(key.clone(), now).is_none());
        wanted.topics.retain(|key, topics| match held.resent.get(key) {
            Some((sent, _)) if topics.is_subset(sent) => false,
            _ => {
                held.resent.insert(key.clone(), (topics.clone(), now));
                true
            }
        });
        wanted
    }
}

impl State {
    /// All groups that are held.
    pub(super) fn look_at_held(&mut self, now: Timestamp) {
        let groups: HashSet<GroupId> = self.observed.holds.groups().cloned().collect();
        self.held.touched.clear();
        self.held.groups.retain(|group, _| groups.contains(group));
        for group in groups {
            self.look_at(&group, now);
        }
    }

    fn look_at(&mut self, id: &GroupId, now: Timestamp) {
        let holds = self.observed.holds.of_group(id);
        let telemetry = self.observed.telemetry.groups.get(id).map(Arc::clone);
        let group = self.observed.sample.group(id).map(Arc::clone);
        let address = [
            holds.as_ptr().addr(),
            telemetry.as_ref().map_or(0, |one| Arc::as_ptr(one).addr()),
            group.as_ref().map_or(0, |one| Arc::as_ptr(one).addr()),
        ];
        let mut held = self.held.groups.remove(id).unwrap_or_default();
        let same = |(with, at): (_, Timestamp)| with == address && now.since(at) < LOOK_AGAIN;
        if !held.looked.is_some_and(same) {
            held.looked = Some((address, now));
            held.since.retain(|known, _| holds.iter().any(|hold| hold.id == *known));
            for hold in holds.iter() {
                held.since.entry(hold.id).or_insert(now);
            }
            if let Some(telemetry) = &telemetry {
                held.group.consumers.hear(telemetry);
            }
            let in_force: Vec<InForce> = holds.iter().map(|hold| self.in_force(hold, now)).collect();
            let within = self.observed.settings.timing.heard_within;
            self.dirty |=
                held.group.observe(id, &in_force, telemetry.as_deref(), group.as_deref(), within, now);
        }
        self.held.groups.insert(id.clone(), held);
    }

    fn in_force(&self, hold: &Hold, now: Timestamp) -> InForce {
        let told = match self.book.get(hold.id.into()) {
            Some(command) => Told::of(command, self.seen(&hold.scope.group, &[], now)),
            None => Told::since(hold.since, &self.observed.settings.timing),
        };
        InForce { hold: hold.clone(), told }
    }

    /// Telemetry of groups that are held came in: who does not obey is told again at once, and not at the next tick.
    pub(crate) fn follow_touched(&mut self, now: Timestamp) {
        let touched = self.held.take_touched(now);
        if touched.is_empty() {
            return;
        }
        self.observed.fresh_telemetry(now);
        let may_write = self.may_write().is_ok();
        for group in &touched {
            self.look_at(group, now);
            for id in self.book.pauses_of(group) {
                self.tick_command(id, may_write, now);
            }
        }
    }

    /// What Kafka tells of a group that is held.
    pub(crate) fn saw_group(&mut self, group: &GroupId, seen: GroupSeen, now: Timestamp) {
        let by_stop = self.observed.holds.of_group(group).iter().any(|hold| hold.by == HoldBy::Stop);
        self.held.saw(group, seen, by_stop, now);
    }

    /// Groups whose rebalances are looked for: KafkaFlow listens there, and is told again what is paused.
    pub(crate) fn watched_groups(&self, now: Timestamp) -> Vec<GroupId> {
        if self.observed.settings.mode != Mode::Control {
            return Vec::new();
        }
        let within = self.observed.settings.timing.heard_within;
        let listens = |group: &&GroupId| {
            let target = Target::group(GroupId::clone(group));
            listening(&target, self.observed.telemetry.group(group), now, within)
                .any(|(_, instance)| instance.kind() == InstanceKind::KafkaFlow)
        };
        // Also where nobody is heard: a process that joins is stopped as soon as it is seen.
        let by_stop = |group: &&GroupId| {
            let holds = self.observed.holds.of_group(group);
            holds.iter().any(|hold| hold.by == HoldBy::Stop)
        };
        let is_watched = |group: &&GroupId| listens(group) || by_stop(group);
        let mut groups: Vec<GroupId> = self.held.ids().filter(is_watched).cloned().collect();
        groups.sort();
        groups
    }

    /// Who does not obey, where Kafka bears out that it is there.
    pub(super) fn not_obeying(&self, now: Timestamp) -> HashMap<GroupId, NotObeying> {
        let groups = self.held.groups.iter().filter_map(|(id, held)| {
            let breaches: Vec<Breach> =
                held.group.breaches().into_iter().filter(|one| self.is_trusted(id, one, now)).collect();
            if breaches.is_empty() {
                return None;
            }
            let runs = self
                .book
                .iter()
                .filter(|command| command.action == Action::Pause && &command.target.group == id);
            let sent_again = runs.filter_map(|command| command.resends.run).map(|run| run.sends).max();
            let listed = self.observed.sample.group(id).map(|group| group.state);
            let rebalancing = held.group.rebalances.is_under_way(listed, now);
            let all = NotObeying { breaches, sent_again: sent_again.unwrap_or(0), rebalancing };
            Some((id.clone(), all))
        });
        groups.collect()
    }

    fn is_trusted(&self, group: &GroupId, breach: &Breach, now: Timestamp) -> bool {
        let instance = breach.by.consumer.as_ref().and_then(|name| {
            let consumer = self.observed.telemetry.group(group)?.consumer(name)?;
            let same = |one: &&flowdeck_observe::telemetry::InstanceTelemetry| {
                one.instance == breach.by.instance && one.incarnation == breach.by.incarnation
            };
            consumer.instances.iter().filter(same).max_by_key(|one| one.last_heard)
        });
        let listed = self.observed.sample.group(group).map(|group| group.listed());
        instance.is_some_and(|one| {
            one.heard_within(now, self.observed.settings.timing.heard_within)
                && listed.is_none_or(|listed| is_trusted(listed, one, now))
        })
    }

    /// Holds whose exceptions cover all that was read since they began have ended.
    pub(super) fn release_ended(&mut self, now: Timestamp) {
        let ended: Vec<Hold> = self
            .held
            .groups
            .iter()
            .flat_map(|(id, held)| {
                self.observed
                    .holds
                    .of_group(id)
                    .iter()
                    .filter(|hold| self.has_ended(held, hold))
                    .cloned()
                    .collect::<Vec<_>>()
            })
            .collect();
        let is_tried =
            |hold: &Hold| self.expiring.get(&hold.id).is_some_and(|(at, _)| now.since(*at) < TRY_AGAIN);
        let due: Vec<Hold> = ended.into_iter().filter(|hold| !is_tried(hold)).collect();
        for hold in due.into_iter().take(ENDS_AT_ONCE) {
            self.release(hold, now);
        }
    }

    fn has_ended(&self, held: &Held, hold: &Hold) -> bool {
        let group = &hold.scope.group;
        let looked = held.since.get(&hold.id).copied();
        // Who was heard before this process followed the telemetry is not known.
        let followed = self.observed.following_since().is_some_and(|since| hold.since >= since)
            && looked.is_some_and(|looked| looked.since(hold.since) <= FOLLOWED_WITHIN);
        followed
            && has_ended(
                hold,
                &held.group.consumers,
                self.observed.telemetry.group(group),
                self.observed.sample.group(group).map(Arc::as_ref),
            )
    }

    fn release(&mut self, hold: Hold, now: Timestamp) {
        let Some(target) = target_of(std::slice::from_ref(&hold)) else { return };
        let resumed =
            self.book.iter().find(|one| one.action == Action::Resume && one.target.group == hold.scope.group);
        let by_external = resumed.is_none_or(|one| one.actor.name == external::OWNER);
        let id = CommandId::random();
        self.expiring.insert(hold.id, (now, id));
        let submit = Submit {
            id,
            action: Action::Resume,
            target,
            reason: "every consumer that was heard under the hold was resumed".to_owned(),
            ends: None,
            offsets: None,
            by: None,
        };
        let actor = if by_external { external::actor() } else { system() };
        let plan = Plan { changes: vec![HoldChange::Release(hold)], ..Plan::default() };
        self.begin_own(Command::new(submit, actor, now), plan, now);
    }
}
