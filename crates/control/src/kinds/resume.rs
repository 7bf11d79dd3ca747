//! Resume: the holds are released, or split where a part of what they cover is resumed, and KafkaFlow is told.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use flowdeck_model::hold::{HoldChange, resume};
use flowdeck_model::view::InstanceKind;
use flowdeck_model::{
    Action, ActionKind, CommandId, CommandState, ConsumerName, Hold, HoldBy, HoldId, InstanceState,
    Partition, PortError, Scope, Submit, Target, Timestamp, TopicName, shown,
};
use flowdeck_observe::Timing;
use flowdeck_observe::telemetry::{GroupTelemetry, InstanceTelemetry};
use flowdeck_observe::time_zones::RewindTimeZones;
use flowdeck_protocol::kafkaflow;

use super::Kind;
use crate::commands::evidence::owns_nothing;
use crate::commands::flow::{Flow, Proof};
use crate::commands::follow_up::Again;
use crate::commands::heal;
use crate::commands::kafkaflow::{AdminCommand, by_pair};
use crate::commands::lifecycle::{Seen, committed};
use crate::commands::plan::{
    Decision, Facts, Plan, apply, check_names, check_partitions, check_readable, needs_names, nobody,
    unreadable,
};
use crate::commands::scope::{is_held, listening, streams};
use crate::commands::starts::{STARTS, hand_over, starts};
use crate::commands::still_out;
use crate::commands::{Command, Tracked};

pub(super) struct Resume;

impl Kind for Resume {
    fn plan(
        &self,
        submit: &Submit,
        owner: &str,
        facts: &Facts<'_>,
        telemetry: Option<&GroupTelemetry>,
    ) -> Result<Decision, PortError> {
        let target = &submit.target;
        let scopes = target.scopes();
        check_whole(target, facts.active)?;
        check_partitions(target, facts, telemetry)?;
        let under_way = heal::in_group(submit, facts);
        if let Some(other) = under_way.filter(|other| heal::overlaps(other, &scopes)) {
            let own = other.scopes();
            return match scopes.iter().all(|scope| own.iter().any(|one| one.covers(scope))) {
                true => Ok(Decision::Existing(other.id)),
                false => Err(heal::conflict(other)),
            };
        }
        if let Some(plan) = heal::plan(submit, owner, facts) {
            // Its restart would rebalance the group meanwhile.
            if let Some(other) = under_way {
                return Err(heal::conflict(other));
            }
            check_readable(&plan.changes).map_err(unreadable)?;
            return Ok(Decision::Write(plan));
        }
        let mut changes = resume(facts.active, &scopes);
        hand_over(facts.active, &mut changes, facts, &target.group);
        check_readable(&changes).map_err(unreadable)?;
        if changes.is_empty() {
            if let Some(former) = earlier_resume(submit, &scopes, facts, telemetry) {
                return Ok(Decision::Existing(former));
            }
            check_names(target, facts, telemetry)?;
            if listening(target, telemetry, facts.now, facts.heard_within).next().is_none() {
                return Err(nobody(target));
            }
            changes = of_started_paused(submit, owner, facts, telemetry);
            if changes.is_empty()
                && (target.is_of_partitions() || !tells_of_paused(target, facts, telemetry, None))
            {
                let notes = vec![
                    "nothing is paused here: there is no hold, and no instance lists paused partitions"
                        .to_owned(),
                ];
                return Ok(Decision::Write(Plan { notes, ..Plan::default() }));
            }
        } else if telemetry.is_some_and(|telemetry| needs_names(target, telemetry, facts)) {
            check_names(target, facts, telemetry)?;
        }
        let mut plan = released(target, changes, facts);
        if !plan.changes.is_empty()
            && listening(target, telemetry, facts.now, facts.heard_within).next().is_none()
        {
            plan.notes.push(
                "no instance listens at the moment: the hold is released, and what starts later runs"
                    .to_owned(),
            );
        }
        Ok(Decision::Write(plan))
    }

    fn needs_audit(&self) -> bool {
        false
    }

    fn kafkaflow_deadline(&self, command: &Command, seen: Seen<'_>) -> Duration {
        if command.starts() { seen.timing.restart_deadline } else { seen.timing.kafkaflow_resume_deadline }
    }

    fn agent_deadline(&self, timing: &Timing) -> Duration {
        timing.agent_deadline
    }

    fn evidence(
        &self,
        command: &Command,
        tracked: &mut Tracked,
        instance: &InstanceTelemetry,
        seen: Seen<'_>,
    ) {
        if let Some(heal) = &command.heal {
            return heal::evidence(command, heal, tracked, instance, seen);
        }
        let target = &command.target;
        let Some(consumer) = tracked.key.consumer.clone() else { return };
        let all = || streams(target, instance);
        let still_paused = all().any(|stream| {
            stream.paused.iter().any(|partition| {
                !is_held(seen.holds, &target.group, &consumer, instance, &stream.topic, *partition)
            })
        });
        if still_paused || tracked.state == InstanceState::Acknowledged {
            return;
        }
        let running: BTreeSet<(TopicName, Partition)> =
            all().flat_map(|stream| stream.running.iter().map(|one| (stream.topic.clone(), *one))).collect();
        if running.is_empty() {
            match still_out::why(command, &consumer, instance, seen) {
                Some(why) => tracked.detail = Some(why.to_owned()),
                None => owns_nothing(tracked, instance, seen),
            }
            return;
        }
        // Only commits that were read after the command prove that records flow.
        let read_since = seen.group.and_then(|group| group.as_of).is_some_and(|as_of| as_of > tracked.since);
        if !read_since {
            return;
        }
        let several = running.iter().any(|one| Some(&one.0) != running.first().map(|first| &first.0));
        let place = |at: &(TopicName, Partition)| match several {
            true => format!("{} partition {}", at.0, at.1),
            false => format!("partition {}", at.1),
        };
        let mut at_end = true;
        let mut drained = None;
        for (at, reading) in committed(target, seen.group).filter(|(at, _)| running.contains(at)) {
            let before = tracked.flows.get(&at).copied();
            let mut flow = before.unwrap_or(Flow::new(reading.committed, None));
            let proof = reading.committed.map_or(Proof::Nothing, |committed| flow.see(committed));
            if before != Some(flow) {
                tracked.flows.insert(at.clone(), flow);
                tracked.moved += 1;
            }
            match proof {
                Proof::Flows(offset) => {
                    let detail = format!("records flow: {} committed {offset}", place(&at));
                    tracked.become_(InstanceState::Acknowledged, Some(detail), seen.now);
                    return;
                }
                Proof::MayBeDrained(offset) => drained = drained.or(Some((at, offset))),
                Proof::Nothing => {}
            }
            at_end &= reading.committed == reading.end || reading.is_empty_and_untouched();
        }
        if at_end {
            let detail = "flow not yet proven: all is read".to_owned();
            tracked.become_(InstanceState::NothingToRead, Some(detail), seen.now);
        } else if let Some((at, offset)) = drained.filter(|_| tracked.state == InstanceState::Waiting) {
            let at = place(&at);
            tracked.detail = Some(format!(
                "{at} committed {offset}, which may be what was buffered under the pause: no proof of flow yet"
            ));
        }
    }

    fn awaits_flow(&self) -> bool {
        true
    }

    fn is_done_by_leaving(&self) -> bool {
        true
    }

    fn awaits_anew(&self) -> bool {
        true
    }

    fn again(
        &self,
        command: &mut Command,
        _holds: &[Hold],
        heard: &[(ConsumerName, InstanceTelemetry)],
        seen: Seen<'_>,
    ) -> Again {
        if command.target.is_of_partitions() {
            return Again::default();
        }
        let since = command.resends.last.unwrap_or(command.began());
        let start = still_out::by_start(command, heard, since, seen);
        if command.heal.is_some() {
            return Again { start, ..heal::pauses(command, heard, seen) };
        }
        let restart = still_out::by_restart(command, heard, since, seen);
        let mut wanted = Again { start, restart, ..Again::default() };
        for (consumer, instance) in heard {
            let topics = still_paused(command, consumer, instance, since, seen);
            if !topics.is_empty() {
                wanted.topics.entry((instance.pair, consumer.clone())).or_default().extend(topics);
            }
        }
        if wanted.is_empty() {
            return wanted;
        }
        if command.resends.count >= seen.timing.resend_max {
            command.resends.capped = true;
            return Again::default();
        }
        if seen.now.since(since) < seen.timing.resend_every {
            return Again::default();
        }
        wanted
    }

    fn message(
        &self,
        consumer: ConsumerName,
        topics: Vec<TopicName>,
        _zones: &RewindTimeZones,
    ) -> Option<kafkaflow::Command> {
        Some(kafkaflow::Command::ResumeConsumerByName { consumer, topics })
    }

    fn undo(&self) -> Option<ActionKind> {
        Some(ActionKind::Pause)
    }
}

/// Where a hold keeps consumers stopped, only the whole of one can be resumed.
fn check_whole(target: &Target, active: &[Hold]) -> Result<(), PortError> {
    let scopes = target.scopes();
    let touches = |hold: &&Hold| {
        hold.by == HoldBy::Stop && scopes.iter().any(|scope| hold.scope.intersect(scope).is_some())
    };
    let stopped = active.iter().find(touches).filter(|_| !target.topics.is_empty());
    let Some(hold) = stopped else { return Ok(()) };
    let detail = format!(
        "a hold of {} keeps the consumer stopped, which cannot run a part of its topics: resume the whole consumer or group",
        shown::name(&hold.owner)
    );
    Err(PortError::Unprocessable { detail })
}

/// A resume of the same that went through, with nothing paused there since.
fn earlier_resume(
    submit: &Submit,
    scopes: &[Scope],
    facts: &Facts<'_>,
    telemetry: Option<&GroupTelemetry>,
) -> Option<CommandId> {
    let target = &submit.target;
    // Once it is carried out, the command that asks is among them, too.
    let touches = |command: &&Command| {
        command.id != submit.id && command.action.kind().is_about_holds() && command.touches(scopes)
    };
    let newest = facts.book.iter().find(touches)?;
    let covers = scopes.iter().all(|scope| newest.scopes().iter().any(|one| one.covers(scope)));
    let went_through = !matches!(
        newest.state,
        CommandState::Refused | CommandState::TimedOut | CommandState::PartiallyConfirmed
    );
    // The application can pause by itself, and an external pause may have left no hold.
    let paused_since =
        || newest.state.is_settled() && tells_of_paused(target, facts, telemetry, Some(newest.last_change()));
    (newest.action == Action::Resume && covers && went_through && !paused_since()).then_some(newest.id)
}

/// Telemetry lists paused partitions in the scope; said after `since`, where that is given.
fn tells_of_paused(
    target: &Target,
    facts: &Facts<'_>,
    telemetry: Option<&GroupTelemetry>,
    since: Option<Timestamp>,
) -> bool {
    listening(target, telemetry, facts.now, facts.heard_within).any(|(_, instance)| {
        streams(target, instance)
            .any(|stream| !stream.paused.is_empty() && since.is_none_or(|since| stream.heard > since))
    })
}

/// Where agents list paused partitions that no hold covers, they may have started paused: a tombstone of a hold that never
/// was releases that.
fn of_started_paused(
    submit: &Submit,
    owner: &str,
    facts: &Facts<'_>,
    telemetry: Option<&GroupTelemetry>,
) -> Vec<HoldChange> {
    let target = &submit.target;
    let lists_paused = |(_, instance): (_, &InstanceTelemetry)| {
        instance.kind() == InstanceKind::Agent
            && streams(target, instance).any(|stream| !stream.paused.is_empty())
    };
    if !listening(target, telemetry, facts.now, facts.heard_within).any(lists_paused) {
        return vec![];
    }
    let release = |scope| {
        HoldChange::Release(Hold {
            scope,
            id: HoldId::from(submit.id),
            owner: owner.to_owned(),
            reason: submit.reason.clone(),
            since: facts.now,
            until: None,
            by: HoldBy::Pause,
            except: vec![],
        })
    };
    target.scopes().into_iter().map(release).collect()
}

fn resume_commands(
    target: &Target,
    after: &[Hold],
    facts: &Facts<'_>,
    telemetry: Option<&GroupTelemetry>,
) -> (Vec<AdminCommand>, Vec<String>) {
    let (mut commands, mut notes) = (Vec::new(), Vec::new());
    if target.is_of_partitions() {
        return (commands, notes);
    }
    for (pair, consumers) in by_pair(target, telemetry, facts) {
        if target.consumer.is_none() && target.topics.is_empty() && after.is_empty() {
            let message =
                kafkaflow::Command::ResumeConsumersByGroup { group: target.group.clone(), topics: vec![] };
            commands.push(AdminCommand { pair, message });
            continue;
        }
        for (consumer, instances) in consumers {
            let (free, held) = topics(target, after, consumer, &instances);
            for topic in &held {
                notes.push(format!("{topic} of {} stays paused: another hold covers it", consumer.shown()));
            }
            let all = held.is_empty() && target.topics.is_empty();
            if !all && free.is_empty() {
                continue;
            }
            let topics = if all { vec![] } else { free };
            let message = kafkaflow::Command::ResumeConsumerByName { consumer: consumer.clone(), topics };
            commands.push(AdminCommand { pair, message });
        }
    }
    (commands, notes)
}

/// Topics of these instances in the scope: free of holds, and still held.
fn topics(
    target: &Target,
    after: &[Hold],
    consumer: &ConsumerName,
    instances: &[&InstanceTelemetry],
) -> (Vec<TopicName>, Vec<TopicName>) {
    let mut all: BTreeMap<TopicName, bool> = BTreeMap::new();
    for instance in instances {
        for stream in streams(target, instance) {
            let held = stream.running.iter().chain(&stream.paused).any(|partition| {
                is_held(after, &target.group, consumer, instance, &stream.topic, *partition)
            });
            *all.entry(stream.topic.clone()).or_default() |= held;
        }
    }
    let (held, free): (Vec<_>, Vec<_>) = all.into_iter().partition(|(_, held)| *held);
    let names = |topics: Vec<(TopicName, bool)>| topics.into_iter().map(|(topic, _)| topic).collect();
    (names(free), names(held))
}

/// For holds whose time is over.
pub(crate) fn release(target: &Target, mut changes: Vec<HoldChange>, facts: &Facts<'_>) -> Plan {
    hand_over(facts.active, &mut changes, facts, &target.group);
    released(target, changes, facts)
}

/// KafkaFlow is resumed, or started where it was kept stopped.
pub(crate) fn released(target: &Target, changes: Vec<HoldChange>, facts: &Facts<'_>) -> Plan {
    let after = apply(facts.active, &changes);
    let telemetry = facts.telemetry.group(&target.group);
    let (mut admin, mut notes) = resume_commands(target, &after, facts, telemetry);
    let starts = starts(facts.active, &after, facts, &target.group).map(Box::new);
    if let Some(starts) = &starts {
        notes.push(STARTS.to_owned());
        let is_started = |name: &ConsumerName| starts.consumers.iter().any(|(_, one)| one == name);
        let mut reached = by_pair(target, telemetry, facts).into_values().flat_map(BTreeMap::into_keys);
        // There is nothing to resume of one that does not run.
        if reached.all(is_started) {
            admin.clear();
        }
    }
    Plan { changes, admin, notes, starts, ..Plan::default() }
}

/// Only instances that this resume tracks, and that have given no evidence.
fn still_paused(
    command: &Command,
    consumer: &ConsumerName,
    instance: &InstanceTelemetry,
    since: Timestamp,
    seen: Seen<'_>,
) -> BTreeSet<TopicName> {
    let pending = command.instances.iter().any(|one| {
        one.key.consumer.as_ref() == Some(consumer)
            && one.key.instance == instance.instance
            && !one.state.is_done()
    });
    if !pending {
        return BTreeSet::new();
    }
    let target = &command.target;
    streams(target, instance)
        .filter(|stream| stream.heard > since)
        .filter(|stream| {
            stream.paused.iter().any(|partition| {
                !is_held(seen.holds, &target.group, consumer, instance, &stream.topic, *partition)
            })
        })
        .map(|stream| stream.topic.clone())
        .collect()
}
