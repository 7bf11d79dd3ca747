//! Handlers that still run for a partition that was taken away under them: they keep it from a second
//! worker where it comes back, and cannot commit.

use std::collections::HashMap;
use std::sync::Arc;

use crate::record::Tp;

use super::lane::Lane;
use super::run::LaneControl;

#[derive(Debug, Default)]
pub(super) struct Strays(HashMap<Tp, Vec<Stray>>);

#[derive(Debug)]
struct Stray {
    ticket: u64,
    control: Arc<LaneControl>,
}

impl Strays {
    /// The lane is gone; its handler, where one runs, goes on.
    pub(super) fn left(&mut self, at: &Tp, lane: &Lane) {
        if lane.in_flight {
            let stray = Stray { ticket: lane.ticket, control: Arc::clone(&lane.control) };
            self.0.entry(at.clone()).or_default().push(stray);
        }
    }

    pub(super) fn contains(&self, at: &Tp) -> bool {
        !self.0.is_empty() && self.0.contains_key(at)
    }

    pub(super) fn back(&mut self, at: &Tp, ticket: u64) {
        if let Some(strays) = self.0.get_mut(at) {
            strays.retain(|stray| stray.ticket != ticket);
            if strays.is_empty() {
                self.0.remove(at);
            }
        }
    }

    pub(super) fn all(&self) -> impl Iterator<Item = &Tp> {
        self.0.keys()
    }

    pub(super) fn starting(&self) -> impl Iterator<Item = &Tp> {
        let starts = |strays: &[Stray]| strays.iter().any(|stray| stray.control.is_starting());
        self.0.iter().filter(move |(_, strays)| starts(strays)).map(|(at, _)| at)
    }
}
