//! How many streams are open, in all and from each address.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

#[derive(Clone)]
pub(crate) struct Streams(Arc<Bounds>);

struct Bounds {
    in_all: usize,
    of_one: usize,
    open: Mutex<HashMap<Option<IpAddr>, usize>>,
}

/// A place; given back when dropped.
pub(crate) struct Place {
    streams: Streams,
    address: Option<IpAddr>,
}

impl Streams {
    pub(crate) fn new(in_all: usize, of_one: usize) -> Self {
        Self(Arc::new(Bounds { in_all, of_one, open: Mutex::default() }))
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Option<IpAddr>, usize>> {
        // A count is whole after every statement: a panic elsewhere cannot have broken it.
        self.0.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// `None` where the bound is reached. A host program that tells no addresses has one bound for all.
    pub(crate) fn enter(&self, address: Option<IpAddr>) -> Option<Place> {
        let mut open = self.lock();
        let all: usize = open.values().sum();
        let own = open.get(&address).copied().unwrap_or(0);
        let of_one = if address.is_some() { self.0.of_one } else { self.0.in_all };
        if all >= self.0.in_all || own >= of_one {
            return None;
        }
        open.insert(address, own + 1);
        Some(Place { streams: self.clone(), address })
    }

    pub(crate) fn open(&self) -> usize {
        self.lock().values().sum()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut open = self.streams.lock();
        match open.get_mut(&self.address) {
            Some(count) if *count > 1 => *count -= 1,
            _ => {
                open.remove(&self.address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_and_places_given_back() {
        let streams = Streams::new(3, 2);
        let (a, b) = (Some(IpAddr::from([127, 0, 0, 1])), Some(IpAddr::from([127, 0, 0, 2])));
        let first = streams.enter(a).unwrap();
        let _second = streams.enter(a).unwrap();
        assert!(streams.enter(a).is_none());
        let _third = streams.enter(b).unwrap();
        assert!(streams.enter(b).is_none());
        drop(first);
        assert!(streams.enter(b).is_some());
        assert_eq!(streams.open(), 2);
    }
}
