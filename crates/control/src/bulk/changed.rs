//! Why a group is left out: it changed since its part of a bulk operation was previewed, or nobody listens in it. Pure.

use std::sync::Arc;

use flowdeck_model::bulk::BulkTarget;
use flowdeck_model::{CommandId, CommandState, GroupId, Target, Timestamp};
use flowdeck_observe::operations::{Operation, OperationIndex};
use flowdeck_observe::snapshot::ClusterSnapshot;

use crate::commands::scope::listening;

/// Who pauses a group before it starts does so on its own page: that pause has no evidence until then, and a bulk operation
/// would wait for it.
pub(super) fn nobody_listens(one: &ClusterSnapshot, group: &GroupId, now: Timestamp) -> Option<String> {
    let target = Target::group(group.clone());
    let within = one.settings.timing.heard_within;
    let is_silent = listening(&target, one.telemetry.group(group), now, within).next().is_none();
    is_silent.then(|| format!("no instance of {target} listens; its own page can pause it before it starts"))
}

/// What was refused changed nothing.
fn counts(operation: &Operation) -> bool {
    operation.state != CommandState::Refused
}

/// What a preview says was last done to the group.
pub(super) fn newest(operations: &OperationIndex, group: &GroupId) -> Option<CommandId> {
    operations.of_group(group).find(|one| counts(one)).map(|one| one.id)
}

/// An operation on the group that came after the one that was seen. `own`: the bulk operation's own command. `since`: where
/// the one that was seen is not remembered any more, only later ones count.
pub(super) fn changed<'a>(
    operations: &'a OperationIndex,
    target: &BulkTarget,
    own: Option<CommandId>,
    since: Timestamp,
) -> Option<&'a Arc<Operation>> {
    let is_forgotten = target.seen.is_some_and(|seen| operations.get(seen).is_none());
    operations
        .of_group(&target.group)
        .take_while(|one| Some(one.id) != target.seen)
        .find(|one| counts(one) && Some(one.id) != own && (!is_forgotten || one.requested_at > since))
}

/// "payments: Pause by ana at …".
pub(super) fn words(operation: &Operation) -> String {
    let Operation { target, action, actor, requested_at, id, .. } = operation;
    format!(
        "{}: {} by {} at {requested_at}, operation {id}",
        target.group.shown(),
        action.label(),
        actor.name
    )
}

#[cfg(test)]
mod tests {
    use flowdeck_model::{Action, Actor, Target, Via};

    use super::*;

    fn id(n: u128) -> CommandId {
        CommandId::from_uuid(uuid::Uuid::from_u128(n))
    }

    fn operation(n: u128, group: &str, state: CommandState) -> Arc<Operation> {
        Arc::new(Operation {
            id: id(n),
            action: Action::Pause,
            target: Target::group(group.into()),
            reason: String::new(),
            actor: Actor::anonymous(Via::Api, None).view,
            requested_at: Timestamp::from_millis(n as i64),
            sent_at: None,
            until: None,
            state,
            sent: vec![],
            sent_again: None,
            gave_up: false,
            holds: vec![],
            before: vec![],
            offsets: vec![],
            instances: vec![],
            notes: vec![],
        })
    }

    #[test]
    fn only_what_came_after_counts() {
        use CommandState::{Confirmed, Refused, Sent};
        let all = [(1, "a", Confirmed), (2, "b", Confirmed), (3, "a", Sent), (4, "a", Refused)];
        let index = OperationIndex::new(all.into_iter().map(|(n, group, state)| operation(n, group, state)));
        let of = |seen: Option<u128>, own: Option<u128>, since| {
            let target = BulkTarget { seen: seen.map(id), ..BulkTarget::new("a".into()) };
            changed(&index, &target, own.map(id), Timestamp::from_millis(since)).map(|one| one.id)
        };
        assert_eq!(newest(&index, &"a".into()), Some(id(3)));
        assert_eq!(newest(&index, &"c".into()), None);
        assert_eq!(of(Some(3), None, 0), None);
        assert_eq!(of(Some(4), None, 0), None, "what it saw was refused since");
        assert_eq!(of(Some(1), None, 0), Some(id(3)));
        assert_eq!(of(Some(1), Some(3), 0), None, "it is its own");
        assert_eq!(of(None, None, 0), Some(id(3)));
        assert_eq!(of(Some(9), None, 2), Some(id(3)), "forgotten, and there is a later one");
        assert_eq!(of(Some(9), None, 3), None, "forgotten, and nothing came since");
    }
}
