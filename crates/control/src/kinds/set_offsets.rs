//! Sets a group's commits, partition by partition, or deletes the group: what its preview showed, and nothing else.
//! Flowdeck does it where the group has no members, and on request while its KafkaFlow consumers are stopped.

use std::time::Duration;

use flowdeck_model::offsets::{OffsetMoves, SetOffsets as Asked};
use flowdeck_model::{CommandState, ConsumerName, PortError, Submit, TopicName};
use flowdeck_observe::Timing;
use flowdeck_observe::sampling::sample::GroupData;
use flowdeck_observe::telemetry::{GroupTelemetry, InstanceTelemetry};
use flowdeck_observe::time_zones::RewindTimeZones;
use flowdeck_protocol::wire::SetOffset;
use flowdeck_protocol::{kafkaflow, wire};

use super::started_anew::{not_proven, partitions, proven, runs};
use super::{Kind, stops};
use crate::commands::by_stop;
use crate::commands::lifecycle::Seen;
use crate::commands::plan::{Decision, Facts, Plan};
use crate::commands::{Command, Tracked};
use crate::offsets::alter::{Alteration, Step};
use crate::offsets::way::{Consumers, Way, way};

pub(super) struct SetOffsets {
    pub(super) delete_group: bool,
}

impl Kind for SetOffsets {
    fn plan(
        &self,
        submit: &Submit,
        _owner: &str,
        facts: &Facts<'_>,
        _telemetry: Option<&GroupTelemetry>,
    ) -> Result<Decision, PortError> {
        let Some(asked) = submit.offsets.as_deref() else {
            return Err(PortError::invalid("offsets", "they are missing"));
        };
        check_alone(submit, facts)?;
        let members = facts.group.and_then(|group| group.members.as_deref()).unwrap_or_default();
        let way = way(&submit.target.group, members, facts.telemetry, Some(&asked.moves));
        match way.map_err(|detail| PortError::Unprocessable { detail })? {
            // Whoever asked knew it to run, and it is not to be started by this.
            Way::Empty if submit.by.is_some() => {
                Err(PortError::Conflict { detail: by_stop::NO_MEMBERS.to_owned() })
            }
            Way::Empty => Ok(Decision::Write(self.alter(submit, asked, facts))),
            Way::Agents(_) | Way::StopAndStart(_) if self.delete_group => Err(PortError::Unprocessable {
                detail: "a group with active members cannot be deleted".to_owned(),
            }),
            Way::Agents(agents) => Ok(Decision::Write(by_agents(submit, asked, agents, facts))),
            Way::StopAndStart(consumers) => stop_and_start(submit, asked, consumers, facts),
        }
    }

    fn agent_deadline(&self, timing: &Timing) -> Duration {
        timing.restart_deadline
    }

    fn kafkaflow_deadline(&self, command: &Command, seen: Seen<'_>) -> Duration {
        by_stop::deadline(command, seen.timing)
    }

    fn evidence(
        &self,
        command: &Command,
        tracked: &mut Tracked,
        instance: &InstanceTelemetry,
        seen: Seen<'_>,
    ) {
        if by_stop::is_unclear(command, tracked, seen.now) {
            return not_proven(
                tracked,
                "it may stop yet, since another replica began it or members were left",
            );
        }
        let consumer = tracked.key.consumer.clone();
        match runs(command, consumer.as_ref(), instance, tracked.since, seen) {
            Ok(count) => proven(tracked, instance, partitions(count), seen),
            Err(why) => not_proven(tracked, &by_stop::not_started(why)),
        }
    }

    fn is_by_members(&self, command: &Command, _: &Tracked, _: Seen<'_>) -> bool {
        !by_stop::is_starting(command)
    }

    fn starts_anew(&self) -> bool {
        true
    }

    fn message(&self, _: ConsumerName, _: Vec<TopicName>, _: &RewindTimeZones) -> Option<kafkaflow::Command> {
        None
    }

    fn makes_group(&self) -> bool {
        !self.delete_group
    }
}

impl SetOffsets {
    fn alter(&self, submit: &Submit, asked: &Asked, facts: &Facts<'_>) -> Plan {
        let alteration = Alteration {
            id: submit.id,
            group: submit.target.group.clone(),
            moves: asked.moves.clone(),
            delete_group: self.delete_group,
            step: Step::Alter { quiet: still_to_wait(&asked.moves, facts) },
        };
        Plan { alter: Some(Box::new(alteration)), notes: vec![described(asked)], ..Plan::default() }
    }
}

/// Each owner sets what it owns, and answers. Where the group was quiet, the commit has to be what the preview saw; of one
/// that goes on, it never would be.
fn by_agents(submit: &Submit, asked: &Asked, agents: Consumers, facts: &Facts<'_>) -> Plan {
    let quiet = still_to_wait(&asked.moves, facts).is_zero();
    let partitions = asked.moves.iter().filter_map(|one| {
        let from = one.from.filter(|_| quiet);
        Some(SetOffset { topic: one.topic.clone(), partition: one.partition, from, to: one.to? })
    });
    let partitions: Vec<SetOffset> = partitions.collect();
    let record = |(pair, consumer): (usize, ConsumerName)| {
        let command =
            wire::SetOffsets { group: submit.target.group.clone(), consumer, partitions: partitions.clone() };
        (pair, wire::set_offsets_record(submit.id, &command))
    };
    let records = agents.into_iter().map(record).collect();
    Plan { records, notes: vec![described(asked), GOES_ON.to_owned()], ..Plan::default() }
}

/// Their last commits come with the stop, so where each commit was is known only then.
fn stop_and_start(
    submit: &Submit,
    asked: &Asked,
    consumers: Consumers,
    facts: &Facts<'_>,
) -> Result<Decision, PortError> {
    by_stop::check(submit, &consumers, facts)?;
    let notes = vec![described(asked), by_stop::described(&consumers)];
    let names = consumers.iter().map(|(_, name)| name.clone()).collect();
    Ok(Decision::Write(Plan { admin: stops(consumers), stopped: names, notes, ..Plan::default() }))
}

const GOES_ON: &str = "Agents finish what is in flight first; from where each offset was moved, they answer.";

/// Of the time that no commit may move, what has not passed yet as far as is known.
fn still_to_wait(moves: &OffsetMoves, facts: &Facts<'_>) -> Duration {
    let Some(group) = facts.group else { return facts.offsets_quiet };
    let same = |one: &flowdeck_model::offsets::OffsetMove| committed(group, one) == one.from;
    let Some(since) = group.last_commit.max(group.watched_since).filter(|_| moves.iter().all(same)) else {
        return facts.offsets_quiet;
    };
    facts.offsets_quiet.saturating_sub(facts.now.since(since))
}

fn committed(group: &GroupData, one: &flowdeck_model::offsets::OffsetMove) -> Option<i64> {
    let mut readings = group.readings(false);
    let found =
        readings.find(|(topic, partition, _)| topic.as_ref() == &one.topic && *partition == one.partition);
    found.and_then(|(_, _, reading)| reading.committed)
}

fn described(asked: &Asked) -> String {
    let count = asked.moves.len();
    let partitions = if count == 1 { "1 partition".to_owned() } else { format!("{count} partitions") };
    let (replayed, skipped) = (asked.moves.replayed(), asked.moves.skipped());
    format!("Target {}: {partitions}, {replayed} offsets replayed, {skipped} skipped.", asked.to)
}

/// One change of a group's offsets at a time: the next preview shows what this one leaves.
fn check_alone(submit: &Submit, facts: &Facts<'_>) -> Result<(), PortError> {
    let under_way = facts.book.iter().find(|one| {
        one.id != submit.id
            && one.action.kind().moves_offsets()
            && matches!(one.state, CommandState::Requested | CommandState::Sent)
            && one.target.group == submit.target.group
    });
    match under_way {
        None => Ok(()),
        Some(one) => Err(PortError::Conflict {
            detail: format!(
                "operation {} ({}) by {} is under way, and one change of a group's offsets goes on at a time",
                one.id,
                one.action.label().to_lowercase(),
                one.actor.name
            ),
        }),
    }
}
