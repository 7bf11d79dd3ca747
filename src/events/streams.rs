//! Which streams are open: how many in all, and of whom.
//!
//! A session's newest stream is the one that its user looks at, so at the session's limit the newest replaces the
//! oldest. A program, or a client without a session, is refused instead: several may share an address.
//!
//! A stream that is replaced learns it when it is next read, and counts until then. So a session has at most as many
//! closing streams as open ones, and all sessions together [`LEAVING`] beyond the limit in all; a client that reads
//! none of them is refused, too.

use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard};

use prometheus_client::metrics::counter::Counter;
use tokio_util::sync::CancellationToken;

use crate::auth::SessionKey;
use crate::config::Limits;
use crate::lock::lock;

/// Streams beyond the limit in all, while those that they replaced close.
const LEAVING: usize = 32;

/// Whose a stream is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum StreamOwner {
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
    /// Every slot that was not dropped yet.
    all: usize,
    last: u64,
    of: HashMap<StreamOwner, Own>,
}

#[derive(Default)]
struct Own {
    /// The oldest in front.
    open: VecDeque<Open>,
    /// Those that were replaced and are not dropped yet.
    leaving: usize,
}

struct Open {
    id: u64,
    leave: CancellationToken,
}

/// One open stream; the slot is free again when this is dropped.
pub(crate) struct StreamSlot {
    streams: Streams,
    owner: StreamOwner,
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
        lock(&self.0.table)
    }

    /// `None` where the limit is reached and no stream can be replaced.
    pub(crate) fn open(&self, owner: StreamOwner) -> Option<StreamSlot> {
        let bounds = &*self.0;
        let most = match owner {
            StreamOwner::Session(_) => bounds.of_session,
            StreamOwner::Address(Some(_)) => bounds.of_address,
            StreamOwner::Address(None) => bounds.in_all,
        };
        let mut table = self.lock();
        if table.all >= bounds.in_all || table.open(owner) >= most {
            let may_replace =
                matches!(owner, StreamOwner::Session(_)) && table.all < bounds.in_all.saturating_add(LEAVING);
            if !may_replace || !table.end_oldest(owner, most) {
                bounds.refused.inc();
                return None;
            }
            bounds.replaced.inc();
        }
        let leave = CancellationToken::new();
        let id = table.add(owner, leave.clone());
        Some(StreamSlot { streams: self.clone(), owner, id, leave })
    }

    pub(crate) fn count(&self) -> usize {
        self.lock().all
    }

    /// Streams that were refused, since the start.
    pub(crate) fn refused(&self) -> Counter {
        self.0.refused.clone()
    }

    /// Streams that a newer one of their session replaced, since the start.
    pub(crate) fn replaced(&self) -> Counter {
        self.0.replaced.clone()
    }
}

impl Table {
    fn open(&self, owner: StreamOwner) -> usize {
        self.of.get(&owner).map_or(0, |own| own.open.len())
    }

    fn add(&mut self, owner: StreamOwner, leave: CancellationToken) -> u64 {
        self.last += 1;
        self.all += 1;
        self.of.entry(owner).or_default().open.push_back(Open { id: self.last, leave });
        self.last
    }

    /// `false` where there is none, or where the limit of closing streams is reached.
    fn end_oldest(&mut self, owner: StreamOwner, most_leaving: usize) -> bool {
        let Some(own) = self.of.get_mut(&owner).filter(|own| own.leaving < most_leaving) else {
            return false;
        };
        let Some(oldest) = own.open.pop_front() else { return false };
        own.leaving += 1;
        oldest.leave.cancel();
        true
    }

    fn remove(&mut self, owner: StreamOwner, id: u64) {
        let Some(own) = self.of.get_mut(&owner) else { return };
        match own.open.iter().position(|open| open.id == id) {
            Some(at) => drop(own.open.remove(at)),
            None => own.leaving = own.leaving.saturating_sub(1),
        }
        self.all -= 1;
        if own.open.is_empty() && own.leaving == 0 {
            self.of.remove(&owner);
        }
    }
}

impl StreamSlot {
    /// Returns once a newer stream of the session has replaced this one.
    pub(super) async fn replaced(&self) {
        self.leave.cancelled().await;
    }
}

impl Drop for StreamSlot {
    fn drop(&mut self) {
        self.streams.lock().remove(self.owner, self.id);
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
    fn streams_of_an_address_are_limited() {
        let streams = streams(3, 1, 2);
        let [a, b] = [1, 2].map(|last| StreamOwner::Address(Some(IpAddr::from([127, 0, 0, last]))));
        let first = streams.open(a).unwrap();
        let _second = streams.open(a).unwrap();
        assert!(streams.open(a).is_none());
        let _third = streams.open(b).unwrap();
        assert!(streams.open(b).is_none());
        drop(first);
        assert!(streams.open(b).is_some());
        assert_eq!((streams.count(), streams.refused().get()), (2, 2));
    }

    #[test]
    fn newest_stream_of_a_session_replaces_its_oldest() {
        let streams = streams(3, 2, 1);
        let [ana, ben] = [SessionKey::random(), SessionKey::random()].map(StreamOwner::Session);
        let first = streams.open(ana).unwrap();
        let second = streams.open(ana).unwrap();
        let third = streams.open(ana).unwrap();
        assert!(first.leave.is_cancelled() && !second.leave.is_cancelled() && !third.leave.is_cancelled());
        assert_eq!(
            (streams.count(), streams.replaced().get()),
            (3, 1),
            "a replaced stream counts until it is closed"
        );
        assert!(streams.open(ben).is_none());
        drop(first);
        assert_eq!(streams.count(), 2);
        // At the limit in all, no stream of another session is replaced.
        let bens = streams.open(ben).unwrap();
        assert!(streams.open(StreamOwner::Address(None)).is_none());
        let _again = streams.open(ben).expect("replaces the session's own");
        assert!(!second.leave.is_cancelled() && !third.leave.is_cancelled());
        drop((second, third, bens));
        assert_eq!(streams.count(), 1);
        assert_eq!(streams.lock().of.len(), 1, "nothing is kept of closed sessions");
    }

    #[test]
    fn client_that_reads_no_stream_is_refused() {
        let streams = streams(100, 2, 1);
        let ana = StreamOwner::Session(SessionKey::random());
        let mut held: Vec<StreamSlot> = (0..9).filter_map(|_| streams.open(ana)).collect();
        assert_eq!((held.len(), streams.count(), streams.refused().get()), (4, 4, 5));
        drop(held.remove(0));
        held.extend(streams.open(ana));
        assert_eq!((held.len(), streams.count()), (4, 4), "one closed, one opened");
        drop(held);
        assert!(streams.count() == 0 && streams.lock().of.is_empty());
    }

    #[test]
    fn closing_streams_are_limited_in_all() {
        let streams = streams(100, 1, 1);
        let all: Vec<_> = (0..100).map(|_| StreamOwner::Session(SessionKey::random())).collect();
        let first: Vec<StreamSlot> = all.iter().filter_map(|session| streams.open(*session)).collect();
        let again: Vec<StreamSlot> = all.iter().filter_map(|session| streams.open(*session)).collect();
        assert_eq!((first.len(), again.len(), streams.count()), (100, LEAVING, 100 + LEAVING));
    }
}
