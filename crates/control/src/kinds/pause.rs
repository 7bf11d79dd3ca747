//! Pause: a hold for each scope, and KafkaFlow's own command where an instance without the agent listens.

use std::collections::BTreeSet;
use std::time::Duration;

use flowdeck_model::hold::{HoldChange, not_yet_held};
use flowdeck_model::view::SentRecord;
use flowdeck_model::{
    ActionKind, ConsumerName, Hold, HoldId, InstanceState, PortError, Scope, Submit, Target, TopicName,
};
use flowdeck_observe::Timing;
use flowdeck_observe::telemetry::{GroupTelemetry, InstanceTelemetry};
use flowdeck_observe::time_zones::RewindTimeZones;
use flowdeck_protocol::kafkaflow;

use super::Kind;
use crate::commands::evidence::owns_nothing;
use crate::commands::follow_up::{Again, join};
use crate::commands::held::Told;
use crate::commands::kafkaflow::{AdminCommand, by_pair, violated};
use crate::commands::lifecycle::Seen;
use crate::commands::plan::{Decision, Facts, Plan, check_names, check_readable, nobody, unreadable};
use crate::commands::scope::{is_held, listening, streams};
use crate::commands::{Command, Tracked};

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
        let span = submit.for_seconds.map(|seconds| Duration::from_secs(seconds.into()));
        let until = span.map(|span| facts.now.plus(span));
        let enough = span.map(|span| facts.now.plus(span - (span / 10).min(SAME_WISH)));
        let missing = not_yet_held(facts.active, &target.scopes(), enough);
        if missing.is_empty() {
            let lasting = facts.active.iter().filter(|hold| hold.outlasts(enough));
            let stands = target
                .scopes()
                .first()
                .and_then(|scope| lasting.filter(|hold| hold.covers(scope)).max_by_key(|hold| hold.since));
            if let Some(hold) = stands {
                return Ok(Decision::Existing(hold.id.into()));
            }
        }
        check_names(target, facts, telemetry)?;
        if listening(target, telemetry, facts.now, facts.heard_within).next().is_none() {
            return Err(nobody(target));
        }
        let changes = missing.iter().map(|scope| {
            HoldChange::Set(Hold {
                scope: scope.clone(),
                id: HoldId::from(submit.id),
                owner: owner.to_owned(),
                reason: submit.reason.clone(),
                since: facts.now,
                until,
                except: vec![],
            })
        });
        let mut plan = Plan { changes: changes.collect(), ..Plan::default() };
        check_readable(&plan.changes).map_err(unreadable)?;
        // Topics that stand already are not commanded again.
        let topics = missing.iter().filter_map(|scope| scope.topic.clone()).collect();
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

    fn kafkaflow_deadline(&self, timing: &Timing) -> Duration {
        timing.kafkaflow_deadline
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
        let told = Told::of(command, seen);
        let mut wanted = Again::new();
        for (consumer, instance) in heard {
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
            wanted.entry((instance.pair, consumer.clone())).or_default().extend(topics);
        }
        if seen.is_rebalancing() {
            // It would not be heard, or be forgotten at once.
            return Again::new();
        }
        let rebalanced = seen.held.and_then(|held| held.rebalances.ended_at());
        let rebalanced = rebalanced.filter(|at| *at > command.began());
        if wanted.is_empty() {
            let due = command.resends.obeyed(rebalanced, seen.now);
            return if due { held_topics(&command.target, holds, heard) } else { Again::new() };
        }
        if command.resends.not_obeyed(rebalanced, seen.now) { wanted } else { Again::new() }
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
fn held_topics(target: &Target, holds: &[Hold], heard: &[(ConsumerName, InstanceTelemetry)]) -> Again {
    let mut all = Again::new();
    for (consumer, instance) in heard {
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
