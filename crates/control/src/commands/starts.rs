//! What the end of a hold by stop needs beside its release: another hold that covers a consumer goes on keeping it
//! stopped, and the others are started. Pure.

use std::collections::BTreeSet;
use std::time::Duration;

use flowdeck_model::hold::HoldChange;
use flowdeck_model::view::{OffsetChange, OffsetTarget};
use flowdeck_model::{ConsumerName, GroupId, Hold, HoldBy, Scope, Target};

use super::plan::{Facts, apply, unique};
use super::stops::{consumers, is_stopped};
use super::{Command, CommandBook};

/// Who was told to start is listed as a member by then: a second start would damage it.
pub(crate) const STARTED_WITHIN: Duration = Duration::from_secs(10);

/// Consumers to start, in one group. By Start while Kafka lists no member of the group, which damages one that runs;
/// else by Restart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Starts {
    pub(crate) group: GroupId,
    pub(crate) consumers: BTreeSet<(usize, ConsumerName)>,
    /// Commits that are put back where they are missing.
    pub(crate) kept: Vec<OffsetChange>,
}

/// Completes the changes of a resume: a hold that covers a consumer which another one kept stopped keeps it stopped in its
/// place. A start under a pause would find a backlog, and lock up.
pub(crate) fn hand_over(active: &[Hold], changes: &mut Vec<HoldChange>, facts: &Facts<'_>, group: &GroupId) {
    let all = Target::group(group.clone());
    let after = apply(active, changes);
    for (_, consumer) in consumers(&all, facts.telemetry.group(group)) {
        if !is_stopped(active, group, &consumer) || is_stopped(&after, group, &consumer) {
            continue;
        }
        let of = Scope { consumer: Some(consumer), ..Scope::group(group.clone()) };
        if let Some(heir) = after.iter().find(|hold| hold.scope.is_whole() && hold.covers(&of))
            && !changes.iter().any(|change| change.hold().id == heir.id && change.hold().scope == heir.scope)
        {
            changes.push(HoldChange::Set(Hold { by: HoldBy::Stop, ..heir.clone() }));
        }
    }
}

/// Who was kept stopped and is not any more.
pub(crate) fn starts(active: &[Hold], after: &[Hold], facts: &Facts<'_>, group: &GroupId) -> Option<Starts> {
    let all = Target::group(group.clone());
    let mut consumers = consumers(&all, facts.telemetry.group(group));
    consumers.retain(|(_, name)| is_stopped(active, group, name) && !is_stopped(after, group, name));
    // A start of the same name in another group would damage it.
    consumers.retain(|(_, name)| unique(name, facts.telemetry).is_ok());
    let kept = kept(active, facts.book);
    (!consumers.is_empty()).then(|| Starts { group: group.clone(), consumers, kept })
}

/// By the operations that made the holds.
pub(crate) fn kept(active: &[Hold], book: &CommandBook) -> Vec<OffsetChange> {
    let by_stop = active.iter().filter(|hold| hold.by == HoldBy::Stop);
    let commands = by_stop.filter_map(|hold| book.get(hold.id.into()));
    let kept = |one: &&OffsetChange| one.to == OffsetTarget::Kept;
    let offsets =
        commands.flat_map(|command| command.offsets.iter().filter(kept).map(move |one| (command, one)));
    let left = offsets.filter(|(command, one)| !is_deleted(one, command, book));
    left.map(|(_, one)| one.clone()).collect()
}

/// Somebody had the commit deleted while it was kept.
fn is_deleted(kept: &OffsetChange, by: &Command, book: &CommandBook) -> bool {
    let newer = book.iter().take_while(|one| one.id != by.id);
    let mut set = newer.filter(|one| {
        one.target.group == by.target.group && one.action.kind().sets_commits() && !one.wrote_nothing()
    });
    let named = set.find_map(|one| {
        let mut offsets = one.offsets.iter();
        offsets.find(|change| change.topic == kept.topic && change.partition == kept.partition)
    });
    named.is_some_and(|change| change.to == OffsetTarget::Deleted)
}

pub(crate) const STARTS: &str = "Consumers that were kept stopped are started: by Start while Kafka lists no member of the group, \
     which damages a consumer that runs, else by Restart. Commits that Kafka deleted meanwhile are put back before.";
