//! Pause: a hold for each scope, and KafkaFlow's own command where an instance without the agent listens.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use flowdeck_model::hold::{HoldChange, not_yet_held};
use flowdeck_model::view::SentRecord;
use flowdeck_model::{
    ActionKind, ConsumerName, Hold, HoldBy, HoldId, InstanceState, PortError, Scope, Submit, Target,
    TopicName, Via, shown,
};
use flowdeck_observe::Timing;
use flowdeck_observe::telemetry::{GroupTelemetry, InstanceTelemetry};
use flowdeck_observe::time_zones::RewindTimeZones;
use flowdeck_observe::unread;
use flowdeck_protocol::kafkaflow;

use super::Kind;
use super::by_name::BUFFERED;
use crate::commands::evidence::owns_nothing;
use crate::commands::follow_up::{Again, join};
use crate::commands::heal;
use crate::commands::held::Told;
use crate::commands::kafkaflow::{AdminCommand, by_pair, violated};
use crate::commands::lifecycle::Seen;
use crate::commands::plan::{
    Decision, Facts, Plan, check_names, check_partitions, check_readable, nobody, unique, unreadable,
};
use crate::commands::scope::{is_held, listening, streams};
use crate::commands::stops;
use crate::commands::{Command, Tracked};
use crate::kinds;

pub(super) struct Pause;

impl Kind for Pause {
    fn plan(
        &self,
        submit: &Submit,
        owner: &str,
        facts: &Facts<'_>,
        telemetry: Option<&GroupTelemetry>,
    ) -> Result<Decision, PortError> {
        let target = &submit.target;
        submit.ends.map_or(Ok(()), |end| end.check_from(facts.now))?;
        let until = submit.ends.map(|end| end.time(facts.now));
        let enough = until.map(|until| {
            let span = until.since(facts.now);
            facts.now.plus(span - (span / 10).min(SAME_WISH))
        });
        // That resume would release it.
        let scopes = target.scopes();
        if let Some(other) = heal::in_group(submit, facts).filter(|one| heal::overlaps(one, &scopes)) {
            return Err(heal::conflict(other));
        }
        let by = submit.by.unwrap_or_else(|| stops::default_by(target, facts, telemetry));
        let missing = missing(facts.active, &target.scopes(), enough, submit.by);
        if missing.is_empty() {
            let is_enough = |hold: &&Hold| hold.outlasts(enough) && submit.by.is_none_or(|by| hold.by == by);
            let lasting = facts.active.iter().filter(is_enough);
            let in_force = target
                .scopes()
                .first()
                .and_then(|scope| lasting.filter(|hold| hold.covers(scope)).max_by_key(|hold| hold.since));
            if let Some(hold) = in_force {
                return Ok(Decision::Existing(hold.id.into()));
            }
        }
        let on_start = listening(target, telemetry, facts.now, facts.heard_within).next().is_none();
        if on_start {
            check_on_start(target, facts, telemetry)?;
        } else {
            check_names(target, facts, telemetry)?;
            check_partitions(target, facts, telemetry)?;
        }
        let changes = missing.iter().map(|scope| {
            HoldChange::Set(Hold {
                scope: scope.clone(),
                id: HoldId::from(submit.id),
                owner: owner.to_owned(),
                reason: submit.reason.clone(),
                since: facts.now,
                until,
                by,
                except: vec![],
            })
        });
        let mut plan = Plan { changes: changes.collect(), ..Plan::default() };
        check_readable(&plan.changes).map_err(unreadable)?;
        if on_start {
            plan.notes.extend(on_start_notes(target, telemetry));
        }
        if target.is_of_partitions() {
            return Ok(Decision::Write(plan));
        }
        // Topics that are held already are not commanded again.
        let topics = missing.iter().filter_map(|scope| scope.topic.clone()).collect();
        if by == HoldBy::Stop {
            // By their names, which reach every group that has them.
            let kafkaflow: BTreeSet<(usize, ConsumerName)> = by_pair(target, telemetry, facts)
                .into_iter()
                .flat_map(|(pair, consumers)| consumers.into_keys().map(move |name| (pair, name.clone())))
                .collect();
            kafkaflow.iter().try_for_each(|(_, name)| unique(name, facts.telemetry))?;
            plan.admin = kinds::stops(kafkaflow);
            if !plan.admin.is_empty() {
                plan.notes.extend([STOPS, BUFFERED].map(str::to_owned));
                plan.notes.push(expire(facts));
                plan.notes.push(deleted(target, facts, telemetry));
            }
            return Ok(Decision::Write(plan));
        }
        plan.admin = pause_commands(&Target { topics, ..target.clone() }, facts, telemetry);
        if !plan.admin.is_empty() {
            plan.notes.push(
                "KafkaFlow stops fetching; what its workers have buffered (up to workers × buffer size) still runs"
                    .to_owned(),
            );
        }
        Ok(Decision::Write(plan))
    }

    fn needs_audit(&self) -> bool {
        false
    }

    fn kafkaflow_deadline(&self, command: &Command, seen: Seen<'_>) -> Duration {
        if stops::is_by_stop(command, seen) {
            seen.timing.restart_deadline
        } else {
            seen.timing.kafkaflow_deadline
        }
    }

    fn is_by_members(&self, command: &Command, tracked: &Tracked, seen: Seen<'_>) -> bool {
        let consumer = tracked.key.consumer.as_ref();
        consumer.is_some_and(|name| stops::is_stopped(seen.holds, &command.target.group, name))
    }

    fn kafka_evidence(&self, command: &Command, tracked: &mut Tracked, seen: Seen<'_>) {
        if self.is_by_members(command, tracked, seen)
            && let Some(consumer) = tracked.key.consumer.clone()
        {
            stops::evidence(tracked, &consumer, seen);
        }
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
        let target = &command.target;
        let Some(consumer) = tracked.key.consumer.clone() else { return };
        let since = tracked.since;
        let running = !violated(target, seen.holds, &consumer, instance, |one| one.heard > since).is_empty();
        let paused: usize = streams(target, instance).map(|stream| stream.paused.len()).sum();
        if running {
            if tracked.state.is_done() {
                // The command is sent again: it has its time anew.
                tracked.deadline = seen.now.plus(seen.timing.kafkaflow_deadline);
                tracked.become_(
                    InstanceState::Waiting,
                    Some("runs again: not paused any more".to_owned()),
                    seen.now,
                );
            }
            return;
        }
        if paused > 0 {
            let joined = tracked.joined.as_ref().map(|joined| format!("{joined}; ")).unwrap_or_default();
            let detail =
                format!("{joined}{paused} {} paused", if paused == 1 { "partition" } else { "partitions" });
            tracked.become_(InstanceState::FetchStopped, Some(detail), seen.now);
        } else {
            owns_nothing(tracked, instance, seen);
        }
    }

    /// It may be sent again each second: what was said since the first is evidence.
    fn counts_from<'a>(&self, command: &'a Command) -> &'a [SentRecord] {
        &command.sent[..command.written.min(command.sent.len())]
    }

    fn again(
        &self,
        command: &mut Command,
        holds: &[Hold],
        heard: &[(ConsumerName, InstanceTelemetry)],
        seen: Seen<'_>,
    ) -> Again {
        if command.target.is_of_partitions() {
            heard.iter().for_each(|(consumer, instance)| join(command, consumer, instance, false, seen));
            return Again::default();
        }
        let told = Told::of(command, seen);
        let mut wanted = Again { stop: stops::again(command, seen), ..Again::default() };
        for (consumer, instance) in heard {
            if stops::is_stopped(seen.holds, &command.target.group, consumer) {
                if !command.restored && instance.first_heard > command.began() {
                    join(command, consumer, instance, true, seen);
                }
                continue;
            }
            let topics =
                violated(&command.target, holds, consumer, instance, |stream| told.counts(instance, stream));
            if topics.is_empty() {
                let joined = !command.restored && instance.first_heard > command.began();
                if joined && pauses_held(&command.target, holds, consumer, instance) {
                    join(command, consumer, instance, true, seen);
                }
                continue;
            }
            join(command, consumer, instance, false, seen);
            wanted.topics.entry((instance.pair, consumer.clone())).or_default().extend(topics);
        }
        if seen.is_rebalancing() {
            // It would not be heard, or be forgotten at once.
            return Again { stop: wanted.stop, ..Again::default() };
        }
        let rebalanced = seen.held.and_then(|held| held.rebalances.ended_at());
        let rebalanced = rebalanced.filter(|at| *at > command.began());
        let is_due = if wanted.topics.is_empty() {
            wanted.topics = held_topics(&command.target, holds, heard, seen.holds);
            command.resends.obeyed(rebalanced, seen.now)
        } else {
            command.resends.not_obeyed(rebalanced, seen.now)
        };
        if !is_due {
            wanted.topics.clear();
        }
        wanted
    }

    fn message(
        &self,
        consumer: ConsumerName,
        topics: Vec<TopicName>,
        _zones: &RewindTimeZones,
    ) -> Option<kafkaflow::Command> {
        Some(kafkaflow::Command::PauseConsumerByName { consumer, topics })
    }

    fn undo(&self) -> Option<ActionKind> {
        Some(ActionKind::Resume)
    }
}

/// A pause that ends so little sooner, or by a tenth of what is asked, is as long: another tab, Back or a reload asks
/// for the same once more.
const SAME_WISH: Duration = Duration::from_secs(60);

const STOPS: &str = "KafkaFlow consumers are stopped and not paused: they leave the group, so that none locks up in a rebalance, \
    as KafkaFlow does where a pause of all partitions met a backlog. Who joins is stopped too; the resume starts them.";
fn expire(facts: &Facts<'_>) -> String {
    let when = match facts.offsets_kept {
        Some(kept) => format!(
            "from {} on, if they stay stopped (offsets.retention.minutes: {})",
            facts.now.plus(kept),
            shown::span(kept)
        ),
        None => "after offsets.retention.minutes (7 days by default)".to_owned(),
    };
    format!(
        "Kafka deletes the offsets of a group without members {when}: Flowdeck keeps them, and puts back what is missing before \
         the start."
    )
}

/// From when on records are deleted that wait under the hold.
fn deleted(target: &Target, facts: &Facts<'_>, telemetry: Option<&GroupTelemetry>) -> String {
    let own = target.consumer.as_ref().map(|name| stops::topics_of(name, telemetry));
    let reads = |topic: &TopicName| own.as_ref().is_none_or(|own| own.contains(topic));
    let known = facts.group.and_then(|group| unread::deleted_from(facts.sample, group, reads, facts.now));
    known.unwrap_or_else(|| {
        "Records that are not read are deleted by each topic's retention: the group's page says from when on.".to_owned()
    })
}

/// A whole group or consumer of which nobody is heard can be paused before it starts. Not where members run that take no
/// commands, nor by KafkaFlow's contract, which knows no hold.
fn check_on_start(
    target: &Target,
    facts: &Facts<'_>,
    telemetry: Option<&GroupTelemetry>,
) -> Result<(), PortError> {
    if !target.topics.is_empty() || facts.via == Via::KafkaFlow {
        check_names(target, facts, telemetry)?;
        return Err(nobody(target));
    }
    let members = facts.group.and_then(|group| group.members.as_deref()).unwrap_or_default();
    if target.consumer.is_none() && !members.is_empty() {
        let n = members.len();
        let members = if n == 1 { "its 1 member runs" } else { &format!("its {n} members run") };
        let detail = format!(
            "no instance of {target} listens: {members} neither the agent nor KafkaFlow, as far as telemetry \
             tells, so nothing that Flowdeck writes reaches them. To hold it all the same, scale the service down: its offsets stay, and can be set \
             while it has no active members"
        );
        return Err(PortError::Unprocessable { detail });
    }
    Ok(())
}

fn on_start_notes(target: &Target, telemetry: Option<&GroupTelemetry>) -> Vec<String> {
    let mut notes = vec![ON_START.to_owned()];
    let consumer = target.consumer.as_ref();
    let unheard = consumer.filter(|name| telemetry.and_then(|group| group.consumer(name)).is_none());
    notes.extend(unheard.map(|name| {
        format!("Telemetry has never shown a consumer {} of the group: check its name.", name.shown())
    }));
    notes
}

const ON_START: &str = "No instance is heard: nothing is paused now. An agent that starts is paused before its first record; a KafkaFlow \
    instance runs until it is heard and told; other consumers run. It is confirmed once an instance answers.";

/// The scopes that no hold covers for as long, in the way that is asked for.
fn missing(
    active: &[Hold],
    scopes: &[Scope],
    until: Option<flowdeck_model::Timestamp>,
    by: Option<HoldBy>,
) -> Vec<Scope> {
    let same: Vec<Hold> = active.iter().filter(|hold| by.is_none_or(|by| hold.by == by)).cloned().collect();
    not_yet_held(&same, scopes, until)
}

type Topics = BTreeMap<(usize, ConsumerName), BTreeSet<TopicName>>;

fn pause_commands(
    target: &Target,
    facts: &Facts<'_>,
    telemetry: Option<&GroupTelemetry>,
) -> Vec<AdminCommand> {
    let mut commands = Vec::new();
    for (pair, consumers) in by_pair(target, telemetry, facts) {
        if target.consumer.is_none() && target.topics.is_empty() {
            let message =
                kafkaflow::Command::PauseConsumersByGroup { group: target.group.clone(), topics: vec![] };
            commands.push(AdminCommand { pair, message });
            continue;
        }
        for consumer in consumers.into_keys() {
            let topics = target.topics.clone();
            let message = kafkaflow::Command::PauseConsumerByName { consumer: consumer.clone(), topics };
            commands.push(AdminCommand { pair, message });
        }
    }
    commands
}

/// All that these instances read and the holds may cover, whether they list partitions of it or not.
fn held_topics(
    target: &Target,
    holds: &[Hold],
    heard: &[(ConsumerName, InstanceTelemetry)],
    all_holds: &[Hold],
) -> Topics {
    let mut all = Topics::new();
    for (consumer, instance) in heard {
        if stops::is_stopped(all_holds, &target.group, consumer) {
            continue;
        }
        let is_held = |topic: &TopicName| {
            let part = Scope {
                consumer: Some(consumer.clone()),
                topic: Some(topic.clone()),
                ..Scope::group(target.group.clone())
            };
            let covered = |hold: &Hold| hold.except.iter().any(|except| except.covers(&part));
            holds.iter().any(|hold| hold.scope.intersect(&part).is_some() && !covered(hold))
        };
        let topics: BTreeSet<TopicName> =
            streams(target, instance).map(|stream| stream.topic.clone()).filter(is_held).collect();
        if !topics.is_empty() {
            all.entry((instance.pair, consumer.clone())).or_default().extend(topics);
        }
    }
    all
}

/// Whether it lists a partition that is held as paused. What it runs is judged once it can have obeyed.
fn pauses_held(
    target: &Target,
    holds: &[Hold],
    consumer: &ConsumerName,
    instance: &InstanceTelemetry,
) -> bool {
    streams(target, instance).any(|stream| {
        let mut paused = stream.paused.iter();
        paused.any(|partition| is_held(holds, &target.group, consumer, instance, &stream.topic, *partition))
    })
}
