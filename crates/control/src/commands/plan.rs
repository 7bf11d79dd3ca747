//! What a command makes Flowdeck write: changes of holds, and KafkaFlow's own commands where an
//! instance without the agent listens. Pure.

use std::collections::BTreeSet;
use std::time::Duration;

use flowdeck_model::error::Thing;
use flowdeck_model::hold::{HoldChange, not_yet_held, resume};
use flowdeck_model::{
    Action, CommandId, CommandState, ConsumerName, Hold, HoldId, PortError, Scope, Submit, Target, Timestamp,
};
use flowdeck_protocol::{Malformed, wire};

use super::kafkaflow::{AdminCommand, kafkaflow_instances, pause_commands, resume_commands};
use super::scope::{listening, streams};
use super::{Command, CommandBook};
use flowdeck_observe::telemetry::{GroupTelemetry, TelemetryIndex};

#[derive(Debug)]
pub(crate) enum Decision {
    /// What is asked already stands.
    Existing(CommandId),
    Write(Plan),
}

/// Nothing in it: nothing has to be written.
#[derive(Debug, Default)]
pub(crate) struct Plan {
    pub(crate) changes: Vec<HoldChange>,
    pub(crate) admin: Vec<AdminCommand>,
    pub(crate) notes: Vec<String>,
}

/// What decisions look at.
pub(crate) struct Facts<'a> {
    pub(crate) telemetry: &'a TelemetryIndex,
    /// The holds of the target's group that stand.
    pub(crate) standing: &'a [Hold],
    pub(crate) book: &'a CommandBook,
    /// The brokers list the group.
    pub(crate) group_known: bool,
    pub(crate) heard_within: Duration,
    pub(crate) now: Timestamp,
}

pub(crate) fn decide(submit: &Submit, owner: &str, facts: &Facts<'_>) -> Result<Decision, PortError> {
    let target = &submit.target;
    let telemetry = facts.telemetry.group(&target.group);
    if !facts.group_known && telemetry.is_none() && facts.standing.is_empty() {
        return Err(PortError::not_found(Thing::Group, target.group.as_str()));
    }
    match submit.action {
        Action::Pause => decide_pause(submit, owner, facts, telemetry),
        Action::Resume => decide_resume(submit, facts, telemetry),
    }
}

/// A pause that ends so little sooner, or by a tenth of what is asked, is as long: another tab, Back or a reload asks
/// for the same once more.
const SAME_WISH: Duration = Duration::from_secs(60);

fn decide_pause(
    submit: &Submit,
    owner: &str,
    facts: &Facts<'_>,
    telemetry: Option<&GroupTelemetry>,
) -> Result<Decision, PortError> {
    let target = &submit.target;
    let span = submit.for_seconds.map(|seconds| Duration::from_secs(seconds.into()));
    let until = span.map(|span| facts.now.plus(span));
    let enough = span.map(|span| facts.now.plus(span - (span / 10).min(SAME_WISH)));
    let missing = not_yet_held(facts.standing, &target.scopes(), enough);
    if missing.is_empty() {
        let lasting = facts.standing.iter().filter(|hold| hold.outlasts(enough));
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

fn decide_resume(
    submit: &Submit,
    facts: &Facts<'_>,
    telemetry: Option<&GroupTelemetry>,
) -> Result<Decision, PortError> {
    let target = &submit.target;
    let scopes = target.scopes();
    let changes = resume(facts.standing, &scopes);
    check_readable(&changes).map_err(unreadable)?;
    if changes.is_empty() {
        if let Some(former) = standing_resume(target, &scopes, facts, telemetry) {
            return Ok(Decision::Existing(former));
        }
        check_names(target, facts, telemetry)?;
        if listening(target, telemetry, facts.now, facts.heard_within).next().is_none() {
            return Err(nobody(target));
        }
        if !tells_of_paused(target, facts, telemetry, None) {
            let notes = vec!["nothing stands paused here: no hold, and no instance tells of one".to_owned()];
            return Ok(Decision::Write(Plan { notes, ..Plan::default() }));
        }
    } else if telemetry.is_some_and(|telemetry| needs_names(target, telemetry, facts)) {
        check_names(target, facts, telemetry)?;
    }
    let after = apply(facts.standing, &changes);
    let (admin, mut notes) = resume_commands(target, &after, facts, telemetry);
    if !changes.is_empty() && listening(target, telemetry, facts.now, facts.heard_within).next().is_none() {
        notes.push(
            "no instance listens at the moment: the hold is released, and what starts later runs".to_owned(),
        );
    }
    Ok(Decision::Write(Plan { changes, admin, notes }))
}

/// A resume of the same that went through, with nothing paused there since.
fn standing_resume(
    target: &Target,
    scopes: &[Scope],
    facts: &Facts<'_>,
    telemetry: Option<&GroupTelemetry>,
) -> Option<CommandId> {
    let touches = |command: &&Command| {
        command.target.group == target.group
            && command.scopes().iter().any(|one| scopes.iter().any(|scope| one.intersect(scope).is_some()))
    };
    let newest = facts.book.iter().find(touches)?;
    let covers = scopes.iter().all(|scope| newest.scopes().iter().any(|one| one.covers(scope)));
    let went_through = !matches!(
        newest.state,
        CommandState::Refused | CommandState::TimedOut | CommandState::PartiallyConfirmed
    );
    // The application can pause by itself, and a foreign pause may have left no hold.
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

/// What no reader takes would stand for this process alone.
pub(crate) fn check_readable(changes: &[HoldChange]) -> Result<(), Malformed> {
    changes.iter().try_for_each(|change| match change {
        HoldChange::Release(_) => Ok(()),
        HoldChange::Set(hold) => wire::check_hold(hold),
    })
}

fn unreadable(cause: Malformed) -> PortError {
    let detail = format!(
        "the hold would be one that no reader takes ({cause}), so nothing is written. With very many \
         resumes of parts, resume the whole and pause anew what is to stand"
    );
    PortError::Unprocessable { detail }
}

fn nobody(target: &Target) -> PortError {
    PortError::Unprocessable { detail: format!("no instance of {} listens", target.to_string()) }
}

/// Whether a by-name command would be sent.
fn needs_names(target: &Target, telemetry: &GroupTelemetry, facts: &Facts<'_>) -> bool {
    (target.consumer.is_some() || !target.topics.is_empty())
        && kafkaflow_instances(target, Some(telemetry), facts).next().is_some()
}

fn check_names(
    target: &Target,
    facts: &Facts<'_>,
    telemetry: Option<&GroupTelemetry>,
) -> Result<(), PortError> {
    if let Some(consumer) = &target.consumer {
        if telemetry.and_then(|group| group.consumer(consumer)).is_none() {
            let detail = format!(
                "telemetry has never shown a consumer {} of {}",
                consumer.shown(),
                target.group.shown()
            );
            return Err(PortError::Unprocessable { detail });
        }
        return unique(consumer, facts.telemetry);
    }
    if target.topics.is_empty() {
        return Ok(());
    }
    let names: BTreeSet<&ConsumerName> =
        kafkaflow_instances(target, telemetry, facts).map(|(name, _)| name).collect();
    names.into_iter().try_for_each(|name| unique(name, facts.telemetry))
}

fn unique(consumer: &ConsumerName, telemetry: &TelemetryIndex) -> Result<(), PortError> {
    let groups = telemetry.groups_of(consumer).len();
    if groups < 2 {
        return Ok(());
    }
    // Their names are for who may see them all.
    let detail = format!(
        "consumer {} runs in several groups ({groups}), and KafkaFlow's by-name commands would reach them all; \
         pause or resume the whole group instead",
        consumer.shown(),
    );
    Err(PortError::Unprocessable { detail })
}

/// The holds that stand once the changes are made.
pub(crate) fn apply(standing: &[Hold], changes: &[HoldChange]) -> Vec<Hold> {
    let same = |a: &Hold, b: &Hold| a.id == b.id && a.scope == b.scope;
    let mut after = standing.to_vec();
    for change in changes {
        match change {
            HoldChange::Release(gone) => after.retain(|hold| !same(hold, gone)),
            HoldChange::Set(new) => {
                after.retain(|hold| !same(hold, new));
                after.push(new.clone());
            }
        }
    }
    after
}
