//! What is known of produced records: folded from the audit, record by record, by every replica alike. Pure.

use std::time::Duration;

use flowdeck_model::actor::ActorView;
use flowdeck_model::produce::ProduceState;
use flowdeck_model::record_place::RecordPlace;
use flowdeck_model::view::{ClusterView, ProduceView};
use flowdeck_model::{CommandId, Timestamp};
use flowdeck_protocol::wire::{ProduceEvent, ProduceRecord, ProduceRequested};

use crate::kept::{Book, Kept};

/// By then whoever produces it has written what came of it.
const OUTCOME: Duration = Duration::from_secs(60);

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Produced {
    pub(crate) id: CommandId,
    pub(crate) request: ProduceRequested,
    pub(crate) actor: ActorView,
    pub(crate) requested_at: Timestamp,
    pub(crate) changed_at: Timestamp,
    pub(crate) state: ProduceState,
    pub(crate) place: Option<RecordPlace>,
    pub(crate) note: Option<String>,
}

pub(crate) type ProduceBook = Book<Produced>;

impl Kept for Produced {
    const REMEMBERED: usize = 500;

    fn id(&self) -> CommandId {
        self.id
    }

    fn is_over(&self) -> bool {
        self.state != ProduceState::Requested
    }

    /// Nobody carries on what another replica began.
    fn may_be_forgotten(&self) -> bool {
        true
    }
}

impl ProduceBook {
    /// Says whether anything changed.
    pub(crate) fn heard(&mut self, record: ProduceRecord) -> bool {
        let ProduceRecord { id, at, actor, event } = record;
        match event {
            ProduceEvent::Requested(request) => self.requested(Produced {
                id,
                request,
                actor,
                requested_at: at,
                changed_at: at,
                state: ProduceState::Requested,
                place: None,
                note: None,
            }),
            ProduceEvent::Written(place) => self.change(id, |one| {
                (one.state, one.place, one.changed_at) = (ProduceState::Written, Some(place), at);
            }),
            ProduceEvent::Failed { why, in_doubt } => self.change(id, |one| {
                one.state = if in_doubt { ProduceState::InDoubt } else { ProduceState::Failed };
                (one.note, one.changed_at) = (Some(why), at);
            }),
        }
    }
}

impl Produced {
    pub(crate) fn view(&self, cluster: &ClusterView, now: Timestamp) -> ProduceView {
        let is_lost = self.state == ProduceState::Requested && now.since(self.requested_at) > OUTCOME;
        let (state, note) = match is_lost {
            true => {
                let why = "no outcome was written: the replica that was asked ended before. It may have been written; \
                           nobody writes it again";
                (ProduceState::InDoubt, Some(why.to_owned()))
            }
            false => (self.state, self.note.clone()),
        };
        ProduceView {
            id: self.id,
            cluster_info: cluster.clone(),
            topic: self.request.topic.clone(),
            partition: self.request.partition,
            source: self.request.source.clone(),
            size: self.request.size,
            reason: self.request.reason.clone(),
            actor: self.actor.clone(),
            state,
            place: self.place,
            note,
            now,
            requested_at: self.requested_at,
            changed_at: self.changed_at,
        }
    }
}

#[cfg(test)]
mod tests {
    use flowdeck_model::view::Mode;
    use flowdeck_model::view::cluster::Colour;
    use flowdeck_model::{Actor, Partition, Via};

    use super::*;

    fn record(n: u128, event: ProduceEvent) -> ProduceRecord {
        let id = CommandId::from_uuid(uuid::Uuid::from_u128(n));
        ProduceRecord {
            id,
            at: Timestamp::from_millis(1),
            actor: Actor::anonymous(Via::Api, None).view,
            event,
        }
    }

    fn requested(attempt: u128) -> ProduceEvent {
        ProduceEvent::Requested(ProduceRequested {
            attempt: uuid::Uuid::from_u128(attempt),
            topic: "orders".parse().unwrap(),
            partition: None,
            source: None,
            size: 3,
            digest: "00".to_owned(),
            reason: "r".to_owned(),
        })
    }

    fn written() -> ProduceEvent {
        ProduceEvent::Written(RecordPlace { partition: Partition::new(2).unwrap(), offset: 7 })
    }

    #[test]
    fn first_request_decides_and_first_outcome_stays() {
        let mut book = ProduceBook::default();
        assert!(!book.heard(record(1, written())), "nobody asked for it");
        assert!(book.heard(record(1, requested(1))) && !book.heard(record(1, requested(2))));
        assert!(book.heard(record(1, written())));
        assert!(!book.heard(record(1, ProduceEvent::Failed { why: "late".to_owned(), in_doubt: true })));
        let id = CommandId::from_uuid(uuid::Uuid::from_u128(1));
        let known = book.get(id).unwrap();
        assert_eq!((known.state, known.request.attempt.as_u128()), (ProduceState::Written, 1));
    }

    #[test]
    fn request_without_an_outcome_is_in_doubt_after_a_while() {
        let mut book = ProduceBook::default();
        book.heard(record(1, requested(1)));
        let known = book.get(CommandId::from_uuid(uuid::Uuid::from_u128(1))).unwrap();
        let cluster = ClusterView {
            name: "demo".parse().unwrap(),
            label: "demo".to_owned(),
            colour: Colour::default(),
            mode: Mode::Control,
            as_of: None,
            error: None,
            brokers: None,
            notes: vec![],
            capped: vec![],
        };
        let at = |millis| known.view(&cluster, Timestamp::from_millis(millis)).state;
        assert_eq!((at(1_000), at(120_000)), (ProduceState::Requested, ProduceState::InDoubt));
    }

    #[test]
    fn oldest_are_forgotten() {
        let mut book = ProduceBook::default();
        for n in 0..600 {
            book.heard(record(n, requested(n)));
        }
        assert_eq!(book.sizes(), (Produced::REMEMBERED, Produced::REMEMBERED));
    }
}
