//! What is known of the bulk operations of a cluster: folded from the audit, record by record, by every replica alike. Pure.

use std::collections::BTreeMap;
use std::sync::Arc;

use flowdeck_model::actor::ActorView;
use flowdeck_model::bulk::{BulkGroupState, BulkOutcome, BulkRequest, BulkState};
use flowdeck_model::{CommandId, Timestamp};
use flowdeck_protocol::wire::{BulkEvent, BulkRecord};

/// Bulk operations that are remembered; of those that are over the oldest are forgotten first.
const REMEMBERED: usize = 50;

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Bulk {
    pub(crate) id: CommandId,
    pub(crate) request: BulkRequest,
    /// In the order of the groups, and as many.
    pub(crate) commands: Vec<CommandId>,
    pub(crate) actor: ActorView,
    pub(crate) requested_at: Timestamp,
    pub(crate) changed_at: Timestamp,
    pub(crate) stopped: bool,
    pub(crate) state: BulkState,
    /// In the order of the groups, and as many.
    pub(crate) groups: Vec<Outcome>,
    pub(crate) notes: Vec<String>,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Outcome {
    pub(crate) state: BulkGroupState,
    pub(crate) note: Option<String>,
}

#[derive(Debug, Clone, Default)]
pub(crate) struct BulkBook {
    all: BTreeMap<CommandId, Arc<Bulk>>,
    /// In the order of the audit.
    order: Vec<CommandId>,
}

impl BulkBook {
    /// Says whether anything changed.
    pub(crate) fn heard(&mut self, record: BulkRecord) -> bool {
        let BulkRecord { id, at, actor, event } = record;
        match event {
            BulkEvent::Requested { request, commands } => self.requested(id, at, actor, request, commands),
            BulkEvent::Stop => self.change(id, |one| one.stopped |= !one.state.is_over()),
            BulkEvent::Progress { state, outcomes, notes } => self.change(id, |one| {
                if !one.state.is_over() {
                    (one.state, one.notes, one.changed_at) = (state, notes, at);
                    one.take(outcomes);
                }
            }),
        }
    }

    /// The first request under an id decides what it means.
    fn requested(
        &mut self,
        id: CommandId,
        at: Timestamp,
        actor: ActorView,
        request: BulkRequest,
        commands: Vec<CommandId>,
    ) -> bool {
        if self.all.contains_key(&id) {
            return false;
        }
        let waiting = Outcome { state: BulkGroupState::Waiting, note: None };
        let groups = vec![waiting; request.groups.len()];
        let bulk = Bulk {
            id,
            request,
            commands,
            actor,
            requested_at: at,
            changed_at: at,
            stopped: false,
            state: BulkState::Requested,
            groups,
            notes: vec![],
        };
        self.all.insert(id, Arc::new(bulk));
        self.order.push(id);
        self.forget();
        true
    }

    fn forget(&mut self) {
        if self.order.len() <= REMEMBERED {
            return;
        }
        let is_over = |id: &CommandId| self.all.get(id).is_none_or(|one| one.state.is_over());
        if let Some(at) = self.order.iter().position(is_over) {
            let id = self.order.remove(at);
            self.all.remove(&id);
        }
    }

    fn change(&mut self, id: CommandId, change: impl FnOnce(&mut Bulk)) -> bool {
        let Some(known) = self.all.get_mut(&id) else { return false };
        let mut changed = known.as_ref().clone();
        change(&mut changed);
        if changed == **known {
            return false;
        }
        *known = Arc::new(changed);
        true
    }

    pub(crate) fn get(&self, id: CommandId) -> Option<&Arc<Bulk>> {
        self.all.get(&id)
    }

    /// Those that are not over, in the order of the audit.
    pub(crate) fn open(&self) -> impl Iterator<Item = &Arc<Bulk>> {
        self.order.iter().filter_map(|id| self.all.get(id)).filter(|one| !one.state.is_over())
    }
}

impl Bulk {
    /// Groups that are not named were not begun.
    fn take(&mut self, outcomes: Vec<BulkOutcome>) {
        for outcome in outcomes {
            let place = usize::try_from(outcome.group).ok().and_then(|at| self.groups.get_mut(at));
            if let Some(group) = place {
                *group = Outcome { state: outcome.state, note: outcome.note };
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use flowdeck_model::bulk::{BulkAction, BulkTarget};
    use flowdeck_model::{Actor, Via};

    use super::*;

    fn id(n: u128) -> CommandId {
        CommandId::from_uuid(uuid::Uuid::from_u128(n))
    }

    fn record(n: u128, event: BulkEvent) -> BulkRecord {
        let actor = Actor::anonymous(Via::Api, None).view;
        BulkRecord { id: id(n), at: Timestamp::from_millis(1), actor, event }
    }

    fn requested(reason: &str) -> BulkEvent {
        let target = |group: &str| BulkTarget {
            group: group.into(),
            seen: None,
            for_seconds: None,
            to: None,
            offsets: None,
        };
        let request = BulkRequest {
            action: BulkAction::Pause,
            groups: vec![target("a"), target("b")],
            stop_after: 1,
            undoes: None,
            skips: None,
            reason: reason.to_owned(),
        };
        BulkEvent::Requested { request, commands: vec![id(100), id(101)] }
    }

    fn progress(state: BulkState, outcomes: &[(u32, BulkGroupState)]) -> BulkEvent {
        let outcome =
            |(group, state): &(u32, BulkGroupState)| BulkOutcome { group: *group, state: *state, note: None };
        BulkEvent::Progress { state, outcomes: outcomes.iter().map(outcome).collect(), notes: vec![] }
    }

    #[test]
    fn first_request_decides_and_what_is_over_stays_over() {
        use BulkGroupState::{Confirmed, Refused, Sent, Waiting};
        let mut book = BulkBook::default();
        assert!(!book.heard(record(1, progress(BulkState::Running, &[]))), "nobody asked for it");
        assert!(book.heard(record(1, requested("one"))));
        assert!(!book.heard(record(1, requested("two"))));
        assert_eq!(book.get(id(1)).unwrap().request.reason, "one");
        let states = |book: &BulkBook| {
            let groups = &book.get(id(1)).unwrap().groups;
            groups.iter().map(|one| one.state).collect::<Vec<_>>()
        };
        assert!(book.heard(record(1, progress(BulkState::Running, &[(1, Sent), (7, Sent)]))));
        assert_eq!(states(&book), [Waiting, Sent]);
        assert!(book.heard(record(1, BulkEvent::Stop)));
        assert!(!book.heard(record(1, BulkEvent::Stop)), "once is enough");
        assert_eq!(book.open().count(), 1);
        assert!(book.heard(record(1, progress(BulkState::Stopped, &[(1, Confirmed)]))));
        assert!(!book.heard(record(1, progress(BulkState::Running, &[(0, Refused)]))));
        assert_eq!((states(&book), book.open().count()), (vec![Waiting, Confirmed], 0));
    }

    #[test]
    fn those_that_are_over_are_forgotten_first() {
        let mut book = BulkBook::default();
        for n in 0..80 {
            book.heard(record(n, requested("r")));
            if n > 10 {
                book.heard(record(n, progress(BulkState::Completed, &[])));
            }
        }
        assert_eq!((book.order.len(), book.all.len(), book.open().count()), (REMEMBERED, REMEMBERED, 11));
        assert!(book.get(id(11)).is_none() && book.get(id(79)).is_some());
    }
}
