//! What takes a bulk operation back, group by group: a pause that is still in force is released, what was resumed is paused
//! again, offsets go back to where they were. What somebody else did since stays.

use std::time::Duration;

use flowdeck_model::bulk::{BulkAction, BulkGroupState};
use flowdeck_model::offsets::{OffsetScope, OffsetTo};
use flowdeck_model::{CommandId, GroupId, HoldId, Timestamp};
use flowdeck_observe::snapshot::ClusterSnapshot;

use super::book::Bulk;
use super::plan::{Wanted, What};

/// The action by which it is taken back.
pub(super) fn action(of: BulkAction) -> BulkAction {
    match of {
        BulkAction::Pause => BulkAction::Resume,
        BulkAction::Resume => BulkAction::Pause,
        BulkAction::SetOffsets => BulkAction::SetOffsets,
    }
}

/// Of the groups with which it may have done something.
pub(super) fn wanted(bulk: &Bulk, one: &ClusterSnapshot, now: Timestamp) -> Vec<Wanted> {
    let groups = bulk.request.groups.iter().zip(&bulk.commands).zip(&bulk.groups);
    let acted = groups.filter(|((_, id), outcome)| state(one, **id, outcome.state).may_have_acted());
    let wanted = acted.map(|((target, id), _)| {
        let group = target.group.clone();
        let what = match bulk.request.action {
            BulkAction::Pause => of_pause(one, &group, *id),
            BulkAction::Resume => of_resume(one, *id, now),
            BulkAction::SetOffsets => {
                What::Offsets { to: OffsetTo::Undo(*id), scope: OffsetScope::AllTopics }
            }
        };
        Wanted { group, what }
    });
    wanted.collect()
}

/// As its command tells, where that is remembered: evidence may have come later.
pub(super) fn state(one: &ClusterSnapshot, id: CommandId, told: BulkGroupState) -> BulkGroupState {
    match one.operations.get(id) {
        Some(operation) if told != BulkGroupState::InForce => operation.state.into(),
        _ => told,
    }
}

/// A resume would release all pauses of the group: only where there is no other one.
fn of_pause(one: &ClusterSnapshot, group: &GroupId, id: CommandId) -> What {
    let own = HoldId::from(id);
    let holds = one.holds.group(group);
    if holds.iter().all(|hold| hold.id != own) {
        return What::Nothing("nothing to take back: its pause ended or was released".to_owned());
    }
    match holds.iter().find(|hold| hold.id != own) {
        None => What::Resume,
        Some(other) => What::Refused(format!(
            "a pause by {} is in force too, and a resume of the group would release it: release the pauses on the \
             group's page",
            other.owner
        )),
    }
}

fn of_resume(one: &ClusterSnapshot, id: CommandId, now: Timestamp) -> What {
    let Some(resume) = one.operations.get(id) else {
        return What::Refused("what it released is not remembered any more".to_owned());
    };
    match resume.holds.as_slice() {
        [] => What::Nothing("nothing to take back: no pause was in force".to_owned()),
        [hold] => paused_again(one, *hold, now),
        several => What::Refused(format!(
            "it released {} pauses: pause what is to be paused again on the group's page",
            several.len()
        )),
    }
}

fn paused_again(one: &ClusterSnapshot, hold: HoldId, now: Timestamp) -> What {
    let Some(pause) = one.operations.get(hold.into()) else {
        return What::Refused("the pause that it released is not remembered any more".to_owned());
    };
    if pause.target.consumer.is_some() || !pause.target.topics.is_empty() {
        return What::Refused(format!(
            "it released a pause of a part ({}): pause that again on the group's page",
            pause.target
        ));
    }
    let Some(until) = pause.until else { return What::Pause { for_seconds: None } };
    let left = until.since(now);
    if left < Duration::from_secs(1) {
        return What::Nothing("nothing to take back: the pause would have ended by now".to_owned());
    }
    What::Pause { for_seconds: Some(u32::try_from(left.as_secs()).unwrap_or(u32::MAX)) }
}
