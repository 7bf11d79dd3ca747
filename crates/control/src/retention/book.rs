//! What is known of raised retentions: folded from the audit, record by record, by every replica alike; and what the elected
//! writer has to do next. Pure.

use std::sync::Arc;

use flowdeck_model::actor::ActorView;
use flowdeck_model::retention::{RetentionPause, RetentionState};
use flowdeck_model::view::{ClusterView, RetentionRow, RetentionView};
use flowdeck_model::{CommandId, Timestamp};
use flowdeck_protocol::wire::{RetentionEvent, RetentionRecord, RetentionStatus};

use crate::kept::{Book, Kept};

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Raised {
    pub(crate) id: CommandId,
    pub(crate) actor: ActorView,
    pub(crate) changed_at: Timestamp,
    pub(crate) status: RetentionStatus,
}

pub(crate) type RetentionBook = Book<Raised>;

impl Kept for Raised {
    const REMEMBERED: usize = 200;

    fn id(&self) -> CommandId {
        self.id
    }

    fn is_over(&self) -> bool {
        self.state().is_over()
    }
}

/// What the elected writer does next with one of them.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Step {
    Raise,
    PutBack,
    /// Nothing but that this is written.
    Tell(Box<RetentionStatus>),
}

impl Step {
    pub(crate) fn tell(status: RetentionStatus) -> Self {
        Self::Tell(Box::new(status))
    }
}

impl RetentionBook {
    /// Says whether anything changed. Of one that is not remembered any record will do: each has the whole state.
    pub(crate) fn heard(&mut self, record: RetentionRecord) -> bool {
        let RetentionRecord { id, at, actor, event } = record;
        match event {
            RetentionEvent::State(status) if self.get(id).is_none() => {
                self.requested(Raised { id, actor, changed_at: at, status: *status })
            }
            RetentionEvent::State(status) if status.state == RetentionState::Requested => false,
            RetentionEvent::State(status) => self.change(id, |one| {
                let request = one.status.request.clone();
                // An order that came meanwhile stays.
                let ended_by = one.status.ended_by.take();
                one.status = *status;
                (one.status.request, one.changed_at) = (request, at);
                one.status.ended_by = ended_by.or(one.status.ended_by.take());
            }),
            RetentionEvent::End => self.change(id, |one| {
                one.status.ended_by.get_or_insert(actor.name);
            }),
        }
    }

    /// Others on the same topic that are not over, and were requested before it.
    pub(crate) fn before_it<'a>(&'a self, one: &'a Raised) -> impl Iterator<Item = &'a Arc<Raised>> {
        let earlier = self.open().take_while(|other| other.id != one.id);
        earlier.filter(|other| other.status.request.topic == one.status.request.topic)
    }

    fn after_it<'a>(&'a self, one: &'a Raised) -> impl Iterator<Item = &'a Arc<Raised>> {
        let later = self.open().skip_while(|other| other.id != one.id).skip(1);
        later.filter(|other| other.status.request.topic == one.status.request.topic)
    }

    /// `paused`: whether a pause of its group is in force, where that is known.
    pub(crate) fn next(&self, one: &Raised, now: Timestamp, paused: Option<bool>) -> Option<Step> {
        let status = &one.status;
        if self.after_it(one).any(|later| later.state() == RetentionState::Raised) {
            let notes = vec!["A later request for the topic puts the values back.".to_owned()];
            let replaced = RetentionState::Replaced;
            return Some(Step::tell(RetentionStatus { state: replaced, notes, ..status.clone() }));
        }
        // Whether the later one takes the values over is known soon.
        let is_being_replaced = self.after_it(one).any(|later| later.state() == RetentionState::Raising);
        let pause = status.pause.seen(paused, now);
        if pause != status.pause {
            return Some(Step::tell(RetentionStatus { pause, ..status.clone() }));
        }
        let is_due = one.due().is_none_or(|due| due <= now);
        match status.state {
            _ if is_being_replaced => None,
            RetentionState::Requested if is_due => {
                let notes = vec!["Its time was over before it was begun.".to_owned()];
                let failed = RetentionState::Failed;
                Some(Step::tell(RetentionStatus { state: failed, notes, ..status.clone() }))
            }
            RetentionState::Requested => Some(Step::Raise),
            RetentionState::Raising if !is_due => Some(Step::Raise),
            RetentionState::Raising | RetentionState::Raised if is_due => Some(Step::PutBack),
            _ => None,
        }
    }
}

trait Seen {
    fn seen(self, paused: Option<bool>, now: Timestamp) -> Self;
}

impl Seen for RetentionPause {
    fn seen(self, paused: Option<bool>, now: Timestamp) -> Self {
        match (self, paused) {
            (_, Some(true)) => Self::Paused,
            (Self::Paused, Some(false)) => Self::Over(now),
            (before, _) => before,
        }
    }
}

impl Raised {
    pub(crate) fn state(&self) -> RetentionState {
        self.status.state
    }

    /// When the values are put back, as it is known now; `None`: at once.
    fn due(&self) -> Option<Timestamp> {
        let request = &self.status.request;
        if self.status.ended_by.is_some() {
            return None;
        }
        match self.status.pause {
            RetentionPause::Over(at) => Some(request.until.min(at.plus(request.margin()))),
            RetentionPause::NotSeen | RetentionPause::Paused => Some(request.until),
        }
    }

    pub(crate) fn row(&self) -> RetentionRow {
        RetentionRow {
            id: self.id,
            topic: self.status.request.topic.clone(),
            actor: self.actor.clone(),
            state: self.state(),
            until: self.status.request.until,
            requested_at: self.status.requested_at,
        }
    }

    pub(crate) fn view(&self, cluster: &ClusterView, now: Timestamp) -> RetentionView {
        let status = &self.status;
        RetentionView {
            id: self.id,
            cluster_info: cluster.clone(),
            request: status.request.clone(),
            actor: self.actor.clone(),
            state: status.state,
            before: status.before,
            pause: status.pause,
            ended_by: status.ended_by.clone(),
            due: (!status.state.is_over()).then(|| self.due().unwrap_or(now)),
            notes: status.notes.clone(),
            now,
            requested_at: status.requested_at,
            changed_at: self.changed_at,
        }
    }
}

#[cfg(test)]
mod tests {
    use flowdeck_model::retention::{RetentionRequest, RetentionValue, TopicRetention};
    use flowdeck_model::{Actor, Via};

    use super::*;

    fn id(n: u128) -> CommandId {
        CommandId::from_uuid(uuid::Uuid::from_u128(n))
    }

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    fn status(state: RetentionState) -> RetentionStatus {
        let value = |value| RetentionValue { value, own: false };
        RetentionStatus {
            request: RetentionRequest {
                topic: "orders".parse().unwrap(),
                seen: TopicRetention { ms: value(1_000), bytes: value(-1) },
                ms: 60_000,
                bytes: -1,
                until: at(10_000_000),
                group: Some("payments".into()),
                margin_seconds: 60,
                reason: "INC-1".to_owned(),
            },
            requested_at: at(0),
            state,
            before: None,
            pause: RetentionPause::NotSeen,
            ended_by: None,
            notes: vec![],
        }
    }

    fn record(n: u128, event: RetentionEvent) -> RetentionRecord {
        let actor = Actor::anonymous(Via::Api, None).view;
        RetentionRecord { id: id(n), at: at(1), actor, event }
    }

    fn told(n: u128, status: RetentionStatus) -> RetentionRecord {
        record(n, RetentionEvent::State(Box::new(status)))
    }

    fn next(book: &RetentionBook, n: u128, now: i64, paused: Option<bool>) -> Option<Step> {
        book.next(book.get(id(n)).unwrap(), at(now), paused)
    }

    use RetentionState::{Failed, PutBack, Raised as Up, Raising, Replaced, Requested};

    #[test]
    fn first_request_decides_and_a_later_record_alone_will_do() {
        let mut book = RetentionBook::default();
        assert!(!book.heard(record(1, RetentionEvent::End)), "nobody asked for it");
        assert!(book.heard(told(1, status(Requested))));
        let mut other = status(Requested);
        other.request.ms = 99_000;
        assert!(!book.heard(told(1, other.clone())));
        other.state = Up;
        assert!(book.heard(told(1, other)));
        assert_eq!(book.get(id(1)).unwrap().status.request.ms, 60_000);
        assert!(book.heard(record(1, RetentionEvent::End)));
        assert!(book.heard(told(1, status(Raising))));
        assert!(book.get(id(1)).unwrap().status.ended_by.is_some(), "the order stays");
        assert!(book.heard(told(1, status(PutBack))) && !book.heard(told(1, status(Up))), "over is over");
        assert!(book.heard(told(2, status(Up))), "its request is not remembered");
        assert_eq!(book.open().count(), 1);
    }

    #[test]
    fn values_go_back_at_the_end_or_after_the_pauses_and_the_margin() {
        let mut book = RetentionBook::default();
        book.heard(told(1, status(Requested)));
        assert_eq!(next(&book, 1, 5, None), Some(Step::Raise));
        assert!(matches!(next(&book, 1, 10_000_000, None), Some(Step::Tell(one)) if one.state == Failed));
        book.heard(told(1, status(Raising)));
        assert_eq!(next(&book, 1, 5, None), Some(Step::Raise), "a leader goes on");
        assert_eq!(next(&book, 1, 10_000_000, None), Some(Step::PutBack));
        book.heard(told(1, status(Up)));
        assert_eq!(next(&book, 1, 5, None), None);
        assert_eq!(next(&book, 1, 5, Some(false)), None, "the pause may come yet");
        let paused = RetentionStatus { pause: RetentionPause::Paused, ..status(Up) };
        assert_eq!(next(&book, 1, 5, Some(true)), Some(Step::tell(paused.clone())));
        book.heard(told(1, paused));
        assert_eq!(next(&book, 1, 500_000, None), None, "not known is not over");
        let over = RetentionStatus { pause: RetentionPause::Over(at(500_000)), ..status(Up) };
        assert_eq!(next(&book, 1, 500_000, Some(false)), Some(Step::tell(over.clone())));
        book.heard(told(1, over));
        assert_eq!(next(&book, 1, 559_999, Some(false)), None);
        assert!(matches!(next(&book, 1, 559_999, Some(true)), Some(Step::Tell(_))), "paused again");
        assert_eq!(next(&book, 1, 560_000, Some(false)), Some(Step::PutBack));
        book.heard(record(1, RetentionEvent::End));
        assert_eq!(next(&book, 1, 500_001, Some(false)), Some(Step::PutBack));
    }

    #[test]
    fn later_one_takes_over_once_it_is_raised() {
        let mut book = RetentionBook::default();
        book.heard(told(1, status(Up)));
        book.heard(told(2, status(Requested)));
        assert_eq!(next(&book, 1, 10_000_000, None), Some(Step::PutBack), "nothing is taken over yet");
        book.heard(told(2, status(Raising)));
        assert_eq!(next(&book, 1, 10_000_000, None), None, "it waits");
        assert_eq!(book.before_it(book.get(id(2)).unwrap()).count(), 1);
        book.heard(told(2, status(Up)));
        assert!(matches!(next(&book, 1, 5, None), Some(Step::Tell(one)) if one.state == Replaced));
        book.heard(told(1, status(Replaced)));
        assert_eq!(next(&book, 2, 10_000_000, None), Some(Step::PutBack));
    }
}
