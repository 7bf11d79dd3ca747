//! What is known of the bulk operations of a cluster: folded from the audit, record by record, by every replica alike. Pure.

use flowdeck_model::actor::ActorView;
use flowdeck_model::bulk::{BulkGroupState, BulkOutcome, BulkRequest, BulkState};
use flowdeck_model::{CommandId, Timestamp};
use flowdeck_protocol::wire::{BulkEvent, BulkRecord};

use crate::kept::{Book, Kept};

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

pub(crate) type BulkBook = Book<Bulk>;

impl Kept for Bulk {
    const REMEMBERED: usize = 50;

    fn id(&self) -> CommandId {
        self.id
    }

    fn is_over(&self) -> bool {
        self.state.is_over()
    }
}

impl BulkBook {
    /// Says whether anything changed.
    pub(crate) fn heard(&mut self, record: BulkRecord) -> bool {
        let BulkRecord { id, at, actor, event } = record;
        match event {
            BulkEvent::Requested { request, commands } => {
                self.requested(Bulk::new(id, at, actor, request, commands))
            }
            BulkEvent::Stop => self.change(id, |one| one.stopped = true),
            BulkEvent::Progress { state, outcomes, notes } => self.change(id, |one| {
                (one.state, one.notes, one.changed_at) = (state, notes, at);
                one.take(outcomes);
            }),
        }
    }
}

impl Bulk {
    fn new(
        id: CommandId,
        at: Timestamp,
        actor: ActorView,
        request: BulkRequest,
        commands: Vec<CommandId>,
    ) -> Self {
        let waiting = Outcome { state: BulkGroupState::Waiting, note: None };
        Self {
            groups: vec![waiting; request.groups.len()],
            id,
            request,
            commands,
            actor,
            requested_at: at,
            changed_at: at,
            stopped: false,
            state: BulkState::Requested,
            notes: vec![],
        }
    }

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
        let target = |group: &str| BulkTarget::new(group.into());
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
        assert_eq!((book.sizes(), book.open().count()), ((Bulk::REMEMBERED, Bulk::REMEMBERED), 11));
        assert!(book.get(id(11)).is_none() && book.get(id(79)).is_some());
    }
}
