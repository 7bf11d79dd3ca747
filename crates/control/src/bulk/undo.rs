//! What takes a bulk operation back, group by group: a pause that is still in force is released, what was resumed is paused
//! again, offsets go back to where they were. What somebody else did since stays.

use std::time::Duration;

use flowdeck_model::bulk::{BulkAction, BulkGroupState};
use flowdeck_model::offsets::{OffsetScope, OffsetTo};
use flowdeck_model::{CommandId, GroupId, Hold, HoldId, Scope, Target, Timestamp};
use flowdeck_observe::snapshot::ClusterSnapshot;

use super::book::Bulk;
use super::plan::{Wanted, What};
use crate::offsets::set_by::may_be_set;

const FORGOTTEN: &str = "what it released is not remembered any more";

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
            BulkAction::Resume => of_resume(one, &group, *id, now),
            BulkAction::SetOffsets => of_offsets(one, *id),
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

fn of_offsets(one: &ClusterSnapshot, id: CommandId) -> What {
    let set = one.operations.get(id).map(|set| may_be_set(set.state, &set.offsets).count());
    match set {
        Some(0) => What::Nothing("nothing to take back: no offset was set".to_owned()),
        _ => What::Offsets { to: OffsetTo::Undo(id), scope: OffsetScope::AllTopics },
    }
}

fn of_resume(one: &ClusterSnapshot, group: &GroupId, id: CommandId, now: Timestamp) -> What {
    let Some(resume) = one.operations.get(id) else {
        return What::Refused(FORGOTTEN.to_owned());
    };
    match (resume.holds.as_slice(), resume.before.as_slice()) {
        ([], _) => What::Nothing("nothing to take back: no pause was in force".to_owned()),
        ([_], [hold]) => paused_again(group, hold, now),
        ([_], several @ [_, _, ..]) => several_released(several.len()),
        // How a hold was is in the audit where that had space for it.
        ([_], []) => What::Refused(FORGOTTEN.to_owned()),
        (several, _) => several_released(several.len()),
    }
}

fn several_released(count: usize) -> What {
    What::Refused(format!("it released {count} pauses: pause what is to be paused again on the group's page"))
}

/// Only where a pause of the whole group is again what the hold was.
fn paused_again(group: &GroupId, hold: &Hold, now: Timestamp) -> What {
    let whole = Scope::group(group.clone());
    if hold.scope != whole {
        return What::Refused(format!(
            "it released a pause of a part ({}): pause that again on the group's page",
            part_words(&hold.scope)
        ));
    }
    if let Some(except) = hold.except.first() {
        let more = match hold.except.len() {
            1 => String::new(),
            count => format!(" and {} more", count - 1),
        };
        return What::Refused(format!(
            "it released a pause that did not hold all of the group: {}{more} ran. Pause what is to be paused again on the \
             group's page",
            part_words(except)
        ));
    }
    let by = Some(hold.by);
    let Some(until) = hold.until else { return What::Pause { for_seconds: None, by } };
    let left = until.since(now);
    if left < Duration::from_secs(1) {
        return What::Nothing("nothing to take back: the pause would have ended by now".to_owned());
    }
    What::Pause { for_seconds: Some(u32::try_from(left.as_secs()).unwrap_or(u32::MAX)), by }
}

fn part_words(scope: &Scope) -> String {
    let target = Target::of(scope.clone());
    match &scope.instance {
        Some(instance) => format!("{target} on {}", instance.shown()),
        None => target.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use flowdeck_kafka::ClusterConfig;
    use flowdeck_model::bulk::{BulkRequest, BulkTarget};
    use flowdeck_model::{Action, Actor, CommandState, HoldBy, Via};
    use flowdeck_observe::ClusterSettings;
    use flowdeck_observe::operations::{Operation, OperationIndex};

    use super::super::book::Outcome;
    use super::*;

    const RESUME: u128 = 1;

    fn id(n: u128) -> CommandId {
        CommandId::from_uuid(uuid::Uuid::from_u128(n))
    }

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    fn hold(topic: Option<&str>) -> Hold {
        Hold {
            scope: scope(topic),
            id: HoldId::from(id(9)),
            owner: "ana".to_owned(),
            reason: "INC-1".to_owned(),
            since: at(0),
            until: None,
            by: HoldBy::Pause,
            except: vec![],
        }
    }

    fn scope(topic: Option<&str>) -> Scope {
        Scope { topic: topic.map(|topic| topic.parse().unwrap()), ..Scope::group("a".into()) }
    }

    /// What takes back a resume of the group, of which these holds were in force; the audit has `before` of them.
    fn undone(holds: Vec<HoldId>, before: Vec<Hold>) -> What {
        let actor = Actor::anonymous(Via::Api, None).view;
        let resume = Operation {
            id: id(RESUME),
            action: Action::Resume,
            target: Target::group("a".into()),
            reason: "r".to_owned(),
            actor: actor.clone(),
            requested_at: at(1),
            sent_at: Some(at(1)),
            until: None,
            state: CommandState::Confirmed,
            sent: vec![],
            sent_again: None,
            gave_up: false,
            holds,
            before,
            offsets: vec![],
            instances: vec![],
            notes: vec![],
        };
        let settings = ClusterSettings::new("demo".parse().unwrap(), ClusterConfig::new("localhost:1"));
        let one = ClusterSnapshot {
            operations: Arc::new(OperationIndex::new([Arc::new(resume)].into_iter())),
            ..ClusterSnapshot::empty(Arc::new(settings), at(2), None)
        };
        let request = BulkRequest {
            action: BulkAction::Resume,
            groups: vec![BulkTarget::new("a".into())],
            stop_after: 1,
            undoes: None,
            skips: None,
            reason: "r".to_owned(),
        };
        let bulk = Bulk {
            id: id(2),
            request,
            commands: vec![id(RESUME)],
            actor,
            requested_at: at(1),
            changed_at: at(1),
            stopped: false,
            state: flowdeck_model::bulk::BulkState::Completed,
            groups: vec![Outcome { state: BulkGroupState::Confirmed, note: None }],
            notes: vec![],
        };
        wanted(&bulk, &one, at(10_000)).remove(0).what
    }

    fn undone_of(hold: Hold) -> What {
        undone(vec![hold.id], vec![hold])
    }

    fn refused(what: What) -> String {
        match what {
            What::Refused(why) => why,
            _ => panic!("it is not refused"),
        }
    }

    #[test]
    fn whole_group_is_paused_again_as_it_was() {
        for by in [HoldBy::Pause, HoldBy::Stop] {
            let what = undone_of(Hold { by, until: Some(at(70_000)), ..hold(None) });
            assert!(
                matches!(what, What::Pause { for_seconds: Some(60), by: Some(found) } if found == by),
                "{by:?}"
            );
            let what = undone_of(Hold { by, ..hold(None) });
            assert!(
                matches!(what, What::Pause { for_seconds: None, by: Some(found) } if found == by),
                "{by:?}"
            );
        }
        let over = undone_of(Hold { until: Some(at(10_500)), ..hold(None) });
        assert!(matches!(over, What::Nothing(_)));
        assert!(matches!(undone(vec![], vec![]), What::Nothing(_)));
    }

    #[test]
    fn pause_with_exceptions_is_not_made_one_of_all() {
        let except = vec![scope(Some("orders"))];
        let why = refused(undone_of(Hold { except, ..hold(None) }));
        assert!(why.contains("topic orders in a ran"), "{why}");
        let except = vec![scope(Some("orders")), scope(Some("refunds"))];
        let why = refused(undone_of(Hold { except, ..hold(None) }));
        assert!(why.contains("and 1 more ran"), "{why}");
    }

    #[test]
    fn pause_of_a_part_and_several_pauses_are_refused() {
        let why = refused(undone_of(hold(Some("orders"))));
        assert!(why.contains("a part (topic orders in a)"), "{why}");
        let own = hold(None).id;
        let two = || vec![hold(Some("orders")), hold(Some("refunds"))];
        assert!(refused(undone(vec![own], two())).contains("released 2 pauses"));
        let other = HoldId::from(id(8));
        assert!(refused(undone(vec![own, other], vec![hold(None)])).contains("released 2 pauses"));
        assert!(refused(undone(vec![own], vec![])).contains("not remembered"));
    }
}
