//! Requests by KafkaFlow's own HTTP contracts: its record is written whatever still runs and whoever listens, as KafkaFlow
//! writes it, and the operation says what is to be said against it. A name that reaches several groups stays refused.
//! Pure.

use std::collections::BTreeSet;

use flowdeck_model::actor::ActorView;
use flowdeck_model::{Action, PortError, Submit, Via};
use flowdeck_protocol::kafkaflow;

use super::external::ended_by_start;
use super::heal;
use super::kafkaflow::AdminCommand;
use super::plan::{self, Check, Decision, Facts, Plan, unique};
use crate::kinds;

/// What is decided of a request, by whoever asks.
pub(crate) fn decide(submit: &Submit, actor: &ActorView, facts: Facts<'_>) -> Result<Decision, PortError> {
    let facts = &Facts { via: actor.via, ..facts };
    let decision = plan::decide(submit, &actor.name, facts);
    // A pause would be released, and a resume would come too soon.
    if actor.via != Via::KafkaFlow || heal::is_under_way(submit, facts) {
        return decision;
    }
    match decision {
        Ok(Decision::Write(mut plan)) => {
            plan.check = plan.check.filter(|check| !matches!(check, Check::NoMembers(_)));
            Ok(Decision::Write(plan))
        }
        Err(
            why @ (PortError::NotFound { .. } | PortError::Conflict { .. } | PortError::Unprocessable { .. }),
        ) => all_the_same(submit, facts, &why),
        other => other,
    }
}

fn all_the_same(submit: &Submit, facts: &Facts<'_>, why: &PortError) -> Result<Decision, PortError> {
    let target = &submit.target;
    if let Some(consumer) = &target.consumer {
        unique(consumer, facts.telemetry)?;
    }
    let Some(message) = message(submit, facts) else { return Err(why.clone()) };
    let admin = pairs(submit, facts).into_iter().map(|pair| AdminCommand { pair, message: message.clone() });
    let note = format!("KafkaFlow's API sends it all the same: {why}.");
    // What is started must not be stopped again by the hold that kept it stopped.
    let changes = match submit.action {
        Action::Start => ended_by_start(facts.active, target),
        _ => vec![],
    };
    Ok(Decision::Write(Plan { changes, admin: admin.collect(), notes: vec![note], ..Plan::default() }))
}

/// Where the target was ever heard; else on the first.
fn pairs(submit: &Submit, facts: &Facts<'_>) -> BTreeSet<usize> {
    let target = &submit.target;
    let consumers = facts.telemetry.group(&target.group).into_iter().flat_map(|group| &group.consumers);
    let named = consumers.filter(|one| target.consumer.as_ref().is_none_or(|name| one.name == *name));
    let heard: BTreeSet<usize> = named.flat_map(|one| &one.instances).map(|one| one.pair).collect();
    if heard.is_empty() { BTreeSet::from([0]) } else { heard }
}

/// `None`: KafkaFlow has no such command for a whole group.
fn message(submit: &Submit, facts: &Facts<'_>) -> Option<kafkaflow::Command> {
    use kafkaflow::Command as Message;
    let (group, topics) = (submit.target.group.clone(), submit.target.topics.clone());
    Some(match (submit.action, submit.target.consumer.clone()) {
        (Action::Pause, None) => Message::PauseConsumersByGroup { group, topics },
        (Action::Resume, None) => Message::ResumeConsumersByGroup { group, topics },
        (action, consumer) => kinds::of(action).message(consumer?, topics, facts.time_zones)?,
    })
}
