//! What is known of the re-drives of a cluster: folded from the audit, record by record, by every replica alike. Pure.

use flowdeck_model::actor::{ActorView, Pattern};
use flowdeck_model::redrive::{RedriveOrder, RedriveProgress, RedriveRequest, RedriveState};
use flowdeck_model::view::{ClusterView, RedriveRow, RedriveView};
use flowdeck_model::{CommandId, Timestamp, TopicName};
use flowdeck_protocol::wire::{RedriveEvent, RedriveRecord};

use crate::kept::{Book, Kept};

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Redrive {
    pub(crate) id: CommandId,
    pub(crate) request: RedriveRequest,
    pub(crate) allowed: Vec<Pattern>,
    pub(crate) actor: ActorView,
    pub(crate) requested_at: Timestamp,
    pub(crate) changed_at: Timestamp,
    pub(crate) order: RedriveOrder,
    pub(crate) state: RedriveState,
    pub(crate) progress: RedriveProgress,
    pub(crate) notes: Vec<String>,
}

pub(crate) type RedriveBook = Book<Redrive>;

impl Kept for Redrive {
    const REMEMBERED: usize = 200;

    fn id(&self) -> CommandId {
        self.id
    }

    fn is_over(&self) -> bool {
        self.state.is_over()
    }
}

impl RedriveBook {
    /// Says whether anything changed.
    pub(crate) fn heard(&mut self, record: RedriveRecord) -> bool {
        let RedriveRecord { id, at, actor, event } = record;
        match event {
            RedriveEvent::Requested { request, allowed } => {
                self.requested(Redrive::new(id, at, actor, request, allowed))
            }
            RedriveEvent::Ordered(order) => self.change(id, |one| {
                // What is stopped is stopped for good.
                if one.order != RedriveOrder::Stop {
                    one.order = order;
                }
            }),
            RedriveEvent::Progress { state, progress, notes } => self.change(id, |one| {
                (one.state, one.progress, one.notes, one.changed_at) = (state, progress, notes, at);
            }),
        }
    }

    /// Newest first.
    pub(crate) fn of_topic(&self, topic: &TopicName) -> Vec<RedriveRow> {
        self.iter().rev().filter(|one| one.request.topic == *topic).map(|one| one.row()).collect()
    }
}

impl Redrive {
    fn new(
        id: CommandId,
        at: Timestamp,
        actor: ActorView,
        request: RedriveRequest,
        allowed: Vec<Pattern>,
    ) -> Self {
        Self {
            id,
            request,
            allowed,
            actor,
            requested_at: at,
            changed_at: at,
            order: RedriveOrder::Run,
            state: RedriveState::Requested,
            progress: RedriveProgress::default(),
            notes: vec![],
        }
    }

    fn row(&self) -> RedriveRow {
        RedriveRow {
            id: self.id,
            actor: self.actor.clone(),
            state: self.state,
            copied: self.progress.copied,
            not_copied: self.progress.left_out(),
            requested_at: self.requested_at,
        }
    }

    pub(crate) fn view(&self, cluster: &ClusterView, now: Timestamp) -> RedriveView {
        RedriveView {
            id: self.id,
            cluster_info: cluster.clone(),
            request: self.request.clone(),
            actor: self.actor.clone(),
            state: self.state,
            order: self.order,
            progress: self.progress.clone(),
            now,
            requested_at: self.requested_at,
            changed_at: self.changed_at,
            notes: self.notes.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use flowdeck_model::redrive::{RedriveRecords, RedriveTarget};
    use flowdeck_model::{Actor, Via};

    use super::*;

    fn id(n: u128) -> CommandId {
        CommandId::from_uuid(uuid::Uuid::from_u128(n))
    }

    fn record(n: u128, event: RedriveEvent) -> RedriveRecord {
        let actor = Actor::anonymous(Via::Api, None).view;
        RedriveRecord { id: id(n), at: Timestamp::from_millis(1), actor, event }
    }

    fn requested(reason: &str) -> RedriveEvent {
        let request = RedriveRequest {
            topic: "a.dlq".parse().unwrap(),
            records: RedriveRecords::Matching { original: None, error: None, ends: vec![] },
            to: RedriveTarget::Original,
            rate: 1,
            other_groups: false,
            reason: reason.to_owned(),
        };
        RedriveEvent::Requested { request, allowed: vec![] }
    }

    fn progress(state: RedriveState) -> RedriveEvent {
        RedriveEvent::Progress { state, progress: RedriveProgress::default(), notes: vec![] }
    }

    #[test]
    fn first_request_decides_and_what_is_over_stays_over() {
        let mut book = RedriveBook::default();
        assert!(!book.heard(record(1, progress(RedriveState::Running))), "nobody asked for it");
        assert!(book.heard(record(1, requested("one"))));
        assert!(!book.heard(record(1, requested("two"))));
        assert_eq!(book.get(id(1)).unwrap().request.reason, "one");
        assert!(book.heard(record(1, RedriveEvent::Ordered(RedriveOrder::Pause))));
        assert!(book.heard(record(1, RedriveEvent::Ordered(RedriveOrder::Stop))));
        assert!(!book.heard(record(1, RedriveEvent::Ordered(RedriveOrder::Run))), "stopped for good");
        assert!(book.heard(record(1, progress(RedriveState::Stopped))));
        assert!(!book.heard(record(1, progress(RedriveState::Running))));
        assert_eq!((book.open().count(), book.of_topic(&"a.dlq".parse().unwrap()).len()), (0, 1));
    }

    #[test]
    fn those_that_are_over_are_forgotten_first() {
        let mut book = RedriveBook::default();
        for n in 0..250 {
            book.heard(record(n, requested("r")));
            if n > 10 {
                book.heard(record(n, progress(RedriveState::Completed)));
            }
        }
        assert_eq!(book.sizes(), (Redrive::REMEMBERED, Redrive::REMEMBERED));
        assert_eq!(book.open().count(), 11);
        assert!(book.get(id(11)).is_none() && book.get(id(249)).is_some());
    }
}
