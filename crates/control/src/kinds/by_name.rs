//! What the kinds have in common that reach one consumer by its name, on the admin topic: KafkaFlow obeys the command,
//! and so do agents, which answer it.

use std::collections::BTreeSet;

use flowdeck_model::view::InstanceKind;
use flowdeck_model::{CommandState, ConsumerName, Hold, PortError, Scope, Submit, Via, shown};
use flowdeck_observe::telemetry::{ConsumerTelemetry, GroupTelemetry};
use flowdeck_protocol::kafkaflow;

use crate::commands::kafkaflow::AdminCommand;
use crate::commands::plan::{Facts, Plan, nobody, unique};
use crate::commands::scope::listening;

/// Whom a command reaches.
pub(super) struct Reached<'a> {
    pub(super) name: &'a ConsumerName,
    pub(super) consumer: &'a ConsumerTelemetry,
    /// The pairs of admin topics that its instances are heard on.
    pairs: BTreeSet<usize>,
    pub(super) kafkaflow: usize,
    pub(super) agents: usize,
}

impl<'a> Reached<'a> {
    /// Refused where telemetry has never shown the name, where more than one group has it, and where nobody listens.
    pub(super) fn of(
        submit: &'a Submit,
        facts: &'a Facts<'_>,
        telemetry: Option<&'a GroupTelemetry>,
    ) -> Result<Self, PortError> {
        let target = &submit.target;
        let Some(name) = &target.consumer else {
            return Err(PortError::invalid("target.consumer", "it is missing"));
        };
        let Some(consumer) = telemetry.and_then(|group| group.consumer(name)) else {
            let detail =
                format!("telemetry has never shown a consumer {} of {}", name.shown(), target.group.shown());
            return Err(PortError::Unprocessable { detail });
        };
        unique(name, facts.telemetry)?;
        let mut reached = Self { name, consumer, pairs: BTreeSet::new(), kafkaflow: 0, agents: 0 };
        for (_, instance) in listening(target, telemetry, facts.now, facts.heard_within) {
            reached.pairs.insert(instance.pair);
            match instance.kind() {
                InstanceKind::KafkaFlow => reached.kafkaflow += 1,
                _ => reached.agents += 1,
            }
        }
        if reached.pairs.is_empty() {
            return Err(nobody(target));
        }
        Ok(reached)
    }

    /// Of what ends in a start, by KafkaFlow. Refused where a hold keeps the consumer stopped: it would join its group and
    /// run. KafkaFlow's own contract knows no hold, and is told what becomes of it.
    pub(super) fn check_holds(&self, submit: &Submit, facts: &Facts<'_>) -> Result<Vec<String>, PortError> {
        if self.kafkaflow == 0 {
            return Ok(vec![]);
        }
        let group = &submit.target.group;
        let stopped = facts.active.iter().find(|hold| hold.stops(group, self.name));
        if let Some(hold) = stopped {
            let owner = shown::name(&hold.owner);
            if facts.via == Via::KafkaFlow {
                let note = format!("A hold of {owner} keeps the consumer stopped: it is stopped again.");
                return Ok(vec![note]);
            }
            let detail = format!("a hold of {owner} keeps the consumer stopped: resume it instead");
            return Err(PortError::Conflict { detail });
        }
        let own = Scope { consumer: Some(self.name.clone()), ..Scope::group(group.clone()) };
        let is_held = |hold: &&Hold| {
            hold.scope.intersect(&own).is_some() && !hold.except.iter().any(|except| except.covers(&own))
        };
        let paused = facts.active.iter().find(is_held);
        let note = paused.map(|hold| format!("A pause of {} is in force. {RUNS}", shown::name(&hold.owner)));
        Ok(note.into_iter().collect())
    }

    /// The same message on each pair.
    pub(super) fn plan(&self, message: Option<&kafkaflow::Command>, notes: Vec<String>) -> Plan {
        let to = |pair: &usize| Some(AdminCommand { pair: *pair, message: message?.clone() });
        let admin = self.pairs.iter().filter_map(to);
        Plan { admin: admin.collect(), notes, ..Plan::default() }
    }
}

/// One reset or rewind of a consumer at a time: the second would move what the first has not read yet. KafkaFlow's own
/// contract knows no such rule.
pub(super) fn check_alone(submit: &Submit, facts: &Facts<'_>) -> Result<(), PortError> {
    if facts.via == Via::KafkaFlow {
        return Ok(());
    }
    let under_way = facts.book.iter().find(|one| {
        one.id != submit.id
            && one.action.kind().moves_offsets()
            && one.state == CommandState::Sent
            && one.target.group == submit.target.group
            && (one.target.consumer == submit.target.consumer || one.action.kind().sets_commits())
    });
    match under_way {
        None => Ok(()),
        Some(one) => Err(PortError::Conflict {
            detail: format!(
                "command {} ({}) is under way, and one reset or rewind of a consumer goes on at a time",
                one.id,
                one.action.label().to_lowercase()
            ),
        }),
    }
}

const RUNS: &str = "KafkaFlow forgets it in a restart, and records may run from the first assignment on until the pause is \
    sent again.";
pub(super) const BUFFERED: &str =
    "Workers finish what they have buffered first: up to workers × buffer size records still run.";
pub(super) const CRASH: &str =
    "An instance that goes silent within seconds is said to have crashed or hung, and is not confirmed.";
