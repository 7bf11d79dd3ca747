//! A resume of consumers that are locked up, or were stopped out of it: they are started anew, paused, and only then
//! resumed. A consumer that came back so is sound; one that is resumed before locks up again in its next rebalance, and for
//! good. Pure.

use std::collections::BTreeSet;
use std::time::Duration;

use flowdeck_model::hold::{HoldChange, resume};
use flowdeck_model::view::InstanceKind;
use flowdeck_model::{
    Action, ActorKind, ConsumerName, GroupId, Hold, HoldBy, HoldId, PortError, Scope, Submit, Timestamp,
    TopicName,
};
use flowdeck_observe::telemetry::InstanceTelemetry;

use super::evidence::why_without;
use super::external::OWNER;
use super::follow_up::Again;
use super::kafkaflow::by_pair;
use super::lifecycle::Seen;
use super::plan::{Facts, Plan, apply, unique};
use super::starts::{Starts, hand_over, kept};
use super::stops::is_stopped;
use super::{Command, Tracked};

/// From the restart until all are back and paused.
pub(crate) const HEAL_WITHIN: Duration = Duration::from_secs(90);

/// KafkaFlow has restarted by then: it waits 5 s, and joins its group.
const RESTARTED: Duration = Duration::from_secs(15);
/// What has not come back by then does not come back.
pub(crate) const COMES_BACK_WITHIN: Duration = Duration::from_secs(30);

/// Of a resume: what comes before it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Heal {
    pub(crate) consumers: BTreeSet<ConsumerName>,
    /// When it was planned: what is held since stays held.
    pub(crate) since: Timestamp,
    /// All are back and paused: the resume itself is being written.
    pub(crate) is_resuming: bool,
    /// The leader before wrote its holds, and may have been killed before it told anybody to restart: who does not come back
    /// may not have been told.
    pub(crate) is_unclear: bool,
}

const HEALS: &str = "KafkaFlow instances are locked up, or were stopped out of it (defect 681): their consumers are started anew, then \
     paused, and resumed once all are back. Until then nothing is told to be resumed.";

/// `None`: nothing of it is locked up, or nothing that a restart could bring back.
pub(crate) fn plan(submit: &Submit, owner: &str, facts: &Facts<'_>) -> Option<Plan> {
    plan_end(submit, owner, facts, resume(facts.active, &submit.target.scopes()))
}

/// `ends`: the changes that are made in the end. What other holds cover then is not brought back.
pub(crate) fn plan_end(
    submit: &Submit,
    owner: &str,
    facts: &Facts<'_>,
    mut ends: Vec<HoldChange>,
) -> Option<Plan> {
    let target = &submit.target;
    let group = &target.group;
    // KafkaFlow is told nothing of partitions.
    if target.is_of_partitions() {
        return None;
    }
    let reached: BTreeSet<(usize, ConsumerName)> = by_pair(target, facts.telemetry.group(group), facts)
        .into_iter()
        .flat_map(|(pair, consumers)| consumers.into_keys().map(move |name| (pair, name.clone())))
        .filter(|(_, name)| unique(name, facts.telemetry).is_ok())
        .collect();
    let mut consumers = reached.clone();
    let is_defect = |name: &ConsumerName| facts.lock_ups.is_some_and(|all| all.is_defect(name));
    let is_final = |name: &ConsumerName| facts.lock_ups.is_some_and(|all| all.is_final(name));
    consumers.retain(|(_, name)| (is_defect(name) || was_contained(name, facts, group)) && !is_final(name));
    let whole = |name: &ConsumerName| Scope { consumer: Some(name.clone()), ..Scope::group(group.clone()) };
    hand_over(facts.active, &mut ends, facts, group);
    let remaining = apply(facts.active, &ends);
    consumers.retain(|(_, name)| !remaining.iter().any(|hold| hold.covers(&whole(name))));
    if consumers.is_empty() {
        return None;
    }
    // A hold that goes on for other consumers goes on keeping them stopped.
    let mut changes: Vec<HoldChange> = ends
        .into_iter()
        .filter(|change| change.hold().by == HoldBy::Stop)
        .map(|change| match change {
            HoldChange::Release(hold) => HoldChange::Set(Hold { by: HoldBy::Pause, ..hold }),
            set => set,
        })
        .collect();
    let after = apply(facts.active, &changes);
    let is_started =
        |name: &ConsumerName| is_stopped(facts.active, group, name) && !is_stopped(&after, group, name);
    consumers.extend(reached.into_iter().filter(|(_, name)| is_started(name)));
    let open = consumers.iter().filter(|(_, name)| !after.iter().any(|hold| hold.covers(&whole(name))));
    let names: BTreeSet<&ConsumerName> = open.map(|(_, name)| name).collect();
    changes.extend(names.into_iter().map(|name| {
        HoldChange::Set(Hold {
            scope: whole(name),
            id: HoldId::from(submit.id),
            owner: owner.to_owned(),
            reason: "until what was locked up is back: released by the resume itself".to_owned(),
            since: facts.now,
            until: None,
            by: HoldBy::Pause,
            except: vec![],
        })
    }));
    let names = consumers.iter().map(|(_, name)| name.clone()).collect();
    let heal = Heal { consumers: names, since: facts.now, is_resuming: false, is_unclear: false };
    let starts = Starts { group: group.clone(), consumers, kept: kept(facts.active, facts.book) };
    let notes = vec![HEALS.to_owned()];
    Some(Plan {
        changes,
        notes,
        starts: Some(Box::new(starts)),
        heal: Some(Box::new(heal)),
        ..Plan::default()
    })
}

/// A hold that keeps it stopped became one by stop for a lock-up: it was stopped out of that, whether this process saw it or
/// another.
fn was_contained(name: &ConsumerName, facts: &Facts<'_>, group: &GroupId) -> bool {
    let contains = |command: &Command, hold: &Hold| {
        command.action == Action::Pause
            && command.by == Some(HoldBy::Stop)
            && command.actor.kind == ActorKind::System
            && command.before.iter().any(|before| before.id == hold.id && before.by == HoldBy::Pause)
    };
    let mut stops = facts.active.iter().filter(|hold| hold.stops(group, name));
    stops.any(|hold| facts.book.iter().any(|command| contains(command, hold)))
}

/// What is changed once all are back.
pub(crate) fn releases(command: &Command, active: &[Hold], now: Timestamp) -> Vec<HoldChange> {
    let own = HoldId::from(command.id);
    let others = active.iter().filter(|hold| hold.id != own && is_released(command, hold, now));
    let others: Vec<Hold> = others.cloned().collect();
    let mut changes = resume(&others, &command.target.scopes());
    changes.extend(own_releases(command, active));
    changes
}

/// Holds under the resume's own id were made for this alone.
pub(crate) fn own_releases(command: &Command, active: &[Hold]) -> Vec<HoldChange> {
    let own = HoldId::from(command.id);
    active.iter().filter(|hold| hold.id == own).cloned().map(HoldChange::Release).collect()
}

/// Whether the resume ends the hold, or a part of it, once all are back: at the end of a pause only what is overdue, and no
/// external pause that came since.
pub(crate) fn is_released(command: &Command, hold: &Hold, now: Timestamp) -> bool {
    let Some(heal) = &command.heal else { return false };
    if hold.id == HoldId::from(command.id) {
        return true;
    }
    let is_meant = command.actor.kind != ActorKind::System || hold.is_overdue(now);
    let touches = command.scopes().iter().any(|scope| hold.scope.intersect(scope).is_some());
    is_meant && touches && (hold.since <= heal.since || hold.owner != OWNER)
}

/// The resume in the group that brings consumers back.
pub(crate) fn in_group<'a>(submit: &Submit, facts: &Facts<'a>) -> Option<&'a Command> {
    let is_one =
        |one: &&Command| one.is_healing() && one.id != submit.id && one.target.group == submit.target.group;
    facts.book.iter().find(is_one)
}

/// While consumers of the group are brought back, a pause or resume of it is not sent past the rules.
pub(crate) fn is_under_way(submit: &Submit, facts: &Facts<'_>) -> bool {
    submit.action.kind().is_about_holds() && in_group(submit, facts).is_some()
}

/// What it resumes, or holds for that, is a part of `scopes` or has one of them as a part.
pub(crate) fn overlaps(command: &Command, scopes: &[Scope]) -> bool {
    let group = &command.target.group;
    let healed = command.heal.iter().flat_map(|heal| &heal.consumers);
    let whole = healed.map(|name| Scope { consumer: Some(name.clone()), ..Scope::group(group.clone()) });
    let mut own = command.scopes().into_iter().chain(whole);
    own.any(|one| scopes.iter().any(|scope| one.intersect(scope).is_some()))
}

/// Why a pause or resume has to wait for it.
pub(crate) fn conflict(command: &Command) -> PortError {
    let detail = format!(
        "resume {} brings consumers of {} back first and then resumes them, until {} at the latest: ask again after it",
        command.id,
        command.target,
        command.began().plus(HEAL_WITHIN)
    );
    PortError::Conflict { detail }
}

impl Heal {
    pub(super) fn from_audit(consumers: Vec<ConsumerName>, since: Timestamp) -> Option<Self> {
        let consumers: BTreeSet<ConsumerName> = consumers.into_iter().collect();
        (!consumers.is_empty()).then_some(Self { consumers, since, is_resuming: false, is_unclear: false })
    }

    fn is_of(&self, tracked: &Tracked) -> bool {
        tracked.kind == InstanceKind::KafkaFlow
            && tracked.key.consumer.as_ref().is_some_and(|name| self.consumers.contains(name))
    }
}

/// What an instance says on its way back.
pub(crate) fn evidence(
    command: &Command,
    heal: &Heal,
    tracked: &mut Tracked,
    instance: &InstanceTelemetry,
    seen: Seen<'_>,
) {
    if !heal.is_of(tracked) {
        return;
    }
    let running: usize = instance.topics.iter().map(|stream| stream.running.len()).sum();
    let paused: usize = instance.topics.iter().map(|stream| stream.paused.len()).sum();
    let words = match (running, paused, tracked.anew.left_at) {
        (0, 0, None) => {
            tracked.anew.left_at = Some(seen.now);
            "started anew: it has no partition yet"
        }
        // It may own none: there are more instances than partitions.
        (0, 0, Some(_)) if is_idle_member(instance, seen) => {
            tracked.anew.proven_at.get_or_insert(seen.now);
            "came back as a member that owns no partition"
        }
        // It was back before it was looked at, here or by this replica.
        (0, _, None) if seen.now.since(command.began()) >= RESTARTED => {
            tracked.anew.left_at = Some(seen.now);
            tracked.anew.proven_at = Some(seen.now);
            "came back, and is paused"
        }
        (_, _, None) => "it has not left the group yet",
        (0, 0, _) => "started anew: it has no partition yet",
        (0, _, _) => {
            tracked.anew.proven_at.get_or_insert(seen.now);
            "came back, and is paused"
        }
        _ => "came back: it is told to pause",
    };
    if running > 0 || !words.starts_with("came back") {
        tracked.anew.proven_at = None;
    }
    tracked.detail = Some(words.to_owned());
}

fn is_idle_member(instance: &InstanceTelemetry, seen: Seen<'_>) -> bool {
    let members = seen.group.and_then(|group| group.members.as_deref()).unwrap_or_default();
    let lists = |one: &InstanceTelemetry| one.topics.iter().any(|stream| !stream.paused.is_empty());
    let others = seen.telemetry.map_or(0, |all| all.instances().filter(|(_, one)| lists(one)).count());
    members.len() > others && others > 0 && why_without(instance, seen).is_none()
}

/// The group is stable, and all whose processes live are back and paused.
pub(crate) fn is_done(command: &Command, seen: Seen<'_>) -> bool {
    command.heal.is_some() && !seen.is_rebalancing() && missing(command, seen).is_empty()
}

/// Those that are not back.
pub(crate) fn missing<'a>(command: &'a Command, seen: Seen<'_>) -> Vec<&'a Tracked> {
    let Some(heal) = &command.heal else { return Vec::new() };
    let is_missing = |one: &&Tracked| heal.is_of(one) && one.anew.proven_at.is_none() && is_heard(one, seen);
    command.instances.iter().filter(is_missing).collect()
}

/// Its process lives: one that is locked up is heard all the same.
fn is_heard(tracked: &Tracked, seen: Seen<'_>) -> bool {
    let consumer = tracked.key.consumer.as_ref().and_then(|name| seen.telemetry?.consumer(name));
    let mut own = consumer.into_iter().flat_map(|one| &one.instances);
    own.any(|one| {
        one.instance == tracked.key.instance && one.heard_within(seen.now, seen.timing.heard_within)
    })
}

/// Who came back and runs is paused at once, and so is everybody when the rebalance has ended.
pub(crate) fn pauses(
    command: &mut Command,
    heard: &[(ConsumerName, InstanceTelemetry)],
    seen: Seen<'_>,
) -> Again {
    let Some(heal) = command.heal.clone() else { return Again::default() };
    let mut wanted = Again::default();
    let mut runs = false;
    for (consumer, instance) in heard.iter().filter(|(name, _)| heal.consumers.contains(name)) {
        // All of them, whatever is resumed: a pause of a part does not heal.
        let topics: BTreeSet<TopicName> = instance.topics.iter().map(|one| one.topic.clone()).collect();
        runs |= instance.topics.iter().any(|one| !one.running.is_empty() && one.heard > command.began());
        wanted.pause.entry((instance.pair, consumer.clone())).or_default().extend(topics);
    }
    let rebalanced = seen.held.and_then(|held| held.rebalances.ended_at());
    let rebalanced = rebalanced.filter(|at| *at > command.began());
    let is_due = match runs {
        true => command.resends.not_obeyed(rebalanced, seen.now),
        false => command.resends.obeyed(rebalanced, seen.now),
    };
    if is_due && !seen.is_rebalancing() { wanted } else { Again::default() }
}
