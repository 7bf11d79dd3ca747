//! Which streams are open: how many in all, and of whom.
//!
//! A session's newest stream is the one that its owner looks at, so at the session's bound the oldest
//! makes room. A program, or who is not signed in, is refused instead: several may share an address.
//!
//! A stream that makes room learns it when it is next read, and is there until then: it counts. So a
//! session has as many that leave as it may have open, and all sessions together [`LEAVING`] beyond the
//! bound in all; who reads none of them is refused, too.

use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use prometheus_client::metrics::counter::Counter;
use tokio_util::sync::CancellationToken;

use crate::auth::SessionKey;
use crate::config::Limits;

/// Streams that may be there beyond the bound in all, while those that made room for them leave.
const LEAVING: usize = 32;

/// Whose a stream is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Holder {
    Session(SessionKey),
    /// Without a session. A host program that tells no addresses has one bound for all.
    Address(Option<IpAddr>),
}

#[derive(Clone)]
pub(crate) struct Streams(Arc<Inner>);

struct Inner {
    in_all: usize,
    of_session: usize,
    of_address: usize,
    table: Mutex<Table>,
    refused: Counter,
    replaced: Counter,
}

#[derive(Default)]
struct Table {
    /// Every place that was not dropped yet.
    all: usize,
    last: u64,
    of: HashMap<Holder, Own>,
}

#[derive(Default)]
struct Own {
    /// The oldest in front.
    open: VecDeque<Open>,
    /// Those that made room and are still there.
    leaving: usize,
}

struct Open {
    id: u64,
    leave: CancellationToken,
}

/// A place; given back when dropped.
pub(crate) struct Place {
    streams: Streams,
    holder: Holder,
    id: u64,
    leave: CancellationToken,
}

impl Streams {
    pub(crate) fn new(limits: &Limits) -> Self {
        Self(Arc::new(Inner {
            in_all: limits.streams,
            of_session: limits.streams_per_session,
            of_address: limits.streams_per_client,
            table: Mutex::default(),
            refused: Counter::default(),
            replaced: Counter::default(),
        }))
    }

    fn lock(&self) -> MutexGuard<'_, Table> {
        // The table is whole after every statement: a panic elsewhere cannot have broken it.
        self.0.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// `None` where the bound is reached and nobody makes room.
    pub(crate) fn enter(&self, holder: Holder) -> Option<Place> {
        let bounds = &*self.0;
        let most = match holder {
            Holder::Session(_) => bounds.of_session,
            Holder::Address(Some(_)) => bounds.of_address,
            Holder::Address(None) => bounds.in_all,
        };
        let mut table = self.lock();
        if table.all >= bounds.in_all || table.open(holder) >= most {
            let may_replace =
                matches!(holder, Holder::Session(_)) && table.all < bounds.in_all.saturating_add(LEAVING);
            if !may_replace || !table.end_oldest(holder, most) {
                bounds.refused.inc();
                return None;
            }
            bounds.replaced.inc();
        }
        let leave = CancellationToken::new();
        let id = table.add(holder, leave.clone());
        Some(Place { streams: self.clone(), holder, id, leave })
    }

    pub(crate) fn open(&self) -> usize {
        self.lock().all
    }

    /// Streams that were not let in, since the start.
    pub(crate) fn refused(&self) -> Counter {
        self.0.refused.clone()
    }

    /// Streams that made room for a newer one of their session, since the start.
    pub(crate) fn replaced(&self) -> Counter {
        self.0.replaced.clone()
    }
}

impl Table {
    fn open(&self, holder: Holder) -> usize {
        self.of.get(&holder).map_or(0, |own| own.open.len())
    }

    fn add(&mut self, holder: Holder, leave: CancellationToken) -> u64 {
        self.last += 1;
        self.all += 1;
        self.of.entry(holder).or_default().open.push_back(Open { id: self.last, leave });
        self.last
    }

    /// `false` where there is none, or where as many as may be have not left yet.
    fn end_oldest(&mut self, holder: Holder, most_leaving: usize) -> bool {
        let Some(own) = self.of.get_mut(&holder).filter(|own| own.leaving < most_leaving) else {
            return false;
        };
        let Some(oldest) = own.open.pop_front() else { return false };
        own.leaving += 1;
        oldest.leave.cancel();
        true
    }

    fn remove(&mut self, holder: Holder, id: u64) {
        let Some(own) = self.of.get_mut(&holder) else { return };
        match own.open.iter().position(|open| open.id == id) {
            Some(at) => drop(own.open.remove(at)),
            None => own.leaving = own.leaving.saturating_sub(1),
        }
        self.all -= 1;
        if own.open.is_empty() && own.leaving == 0 {
            self.of.remove(&holder);
        }
    }
}

impl Place {
    /// Returns once a newer stream of the session has taken the place.
    pub(super) async fn taken(&self) {
        self.leave.cancelled().await;
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.streams.lock().remove(self.holder, self.id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn streams(in_all: usize, of_session: usize, of_address: usize) -> Streams {
        let limits = Limits {
            streams: in_all,
            streams_per_session: of_session,
            streams_per_client: of_address,
            ..Limits::default()
        };
        Streams::new(&limits)
    }

    #[test]
    fn bounds_of_addresses_and_places_given_back() {
        let streams = streams(3, 1, 2);
        let [a, b] = [1, 2].map(|last| Holder::Address(Some(IpAddr::from([127, 0, 0, last]))));
        let first = streams.enter(a).unwrap();
        let _second = streams.enter(a).unwrap();
        assert!(streams.enter(a).is_none());
        let _third = streams.enter(b).unwrap();
        assert!(streams.enter(b).is_none());
        drop(first);
        assert!(streams.enter(b).is_some());
        assert_eq!((streams.open(), streams.refused().get()), (2, 2));
    }

    #[test]
    fn a_sessions_oldest_stream_makes_room() {
        let streams = streams(3, 2, 1);
        let [ana, ben] = [SessionKey::random(), SessionKey::random()].map(Holder::Session);
        let first = streams.enter(ana).unwrap();
        let second = streams.enter(ana).unwrap();
        let third = streams.enter(ana).unwrap();
        assert!(first.leave.is_cancelled() && !second.leave.is_cancelled() && !third.leave.is_cancelled());
        assert_eq!((streams.open(), streams.replaced().get()), (3, 1), "it is there until it has left");
        assert!(streams.enter(ben).is_none());
        drop(first);
        assert_eq!(streams.open(), 2);
        // Where all places are taken, nobody else is made to leave.
        let bens = streams.enter(ben).unwrap();
        assert!(streams.enter(Holder::Address(None)).is_none());
        let _again = streams.enter(ben).expect("his own makes room");
        assert!(!second.leave.is_cancelled() && !third.leave.is_cancelled());
        drop((second, third, bens));
        assert_eq!(streams.open(), 1);
        assert_eq!(streams.lock().of.len(), 1, "nothing is kept of who has gone");
    }

    #[test]
    fn who_opens_again_and_again_and_reads_nothing_is_refused() {
        let streams = streams(100, 2, 1);
        let ana = Holder::Session(SessionKey::random());
        let mut held: Vec<Place> = (0..9).filter_map(|_| streams.enter(ana)).collect();
        assert_eq!((held.len(), streams.open(), streams.refused().get()), (4, 4, 5));
        drop(held.remove(0));
        held.extend(streams.enter(ana));
        assert_eq!((held.len(), streams.open()), (4, 4), "one has left, one came");
        drop(held);
        assert!(streams.open() == 0 && streams.lock().of.is_empty());
    }

    #[test]
    fn streams_that_leave_are_bounded_in_all() {
        let streams = streams(100, 1, 1);
        let all: Vec<_> = (0..100).map(|_| Holder::Session(SessionKey::random())).collect();
        let first: Vec<Place> = all.iter().filter_map(|session| streams.enter(*session)).collect();
        let again: Vec<Place> = all.iter().filter_map(|session| streams.enter(*session)).collect();
        assert_eq!((first.len(), again.len(), streams.open()), (100, LEAVING, 100 + LEAVING));
    }
}
