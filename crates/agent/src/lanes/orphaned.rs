//! Handlers that still run for a partition that was taken away under them: they keep it from a second
//! worker where it comes back, and cannot commit.

use std::collections::HashMap;
use std::sync::Arc;

use crate::record::TopicPartition;

use super::lane::Lane;
use super::run::LaneControl;

#[derive(Debug, Default)]
pub(super) struct OrphanedTasks(HashMap<TopicPartition, Vec<OrphanedTask>>);

#[derive(Debug)]
struct OrphanedTask {
    ticket: u64,
    control: Arc<LaneControl>,
    /// So many workers have something of it.
    runs: usize,
}

impl OrphanedTasks {
    /// The lane is gone; its handler, where one runs, goes on.
    pub(super) fn left(&mut self, at: &TopicPartition, lane: &Lane) {
        if lane.in_flight() {
            let orphan =
                OrphanedTask { ticket: lane.ticket, control: Arc::clone(&lane.control), runs: lane.runs() };
            self.0.entry(at.clone()).or_default().push(orphan);
        }
    }

    pub(super) fn contains(&self, at: &TopicPartition) -> bool {
        !self.0.is_empty() && self.0.contains_key(at)
    }

    pub(super) fn back(&mut self, at: &TopicPartition, ticket: u64) {
        if let Some(orphaned) = self.0.get_mut(at) {
            for orphan in orphaned.iter_mut().filter(|orphan| orphan.ticket == ticket) {
                orphan.runs -= 1;
            }
            orphaned.retain(|orphan| orphan.runs > 0);
            if orphaned.is_empty() {
                self.0.remove(at);
            }
        }
    }

    pub(super) fn all(&self) -> impl Iterator<Item = &TopicPartition> {
        self.0.keys()
    }

    pub(super) fn starting(&self) -> impl Iterator<Item = &TopicPartition> {
        let starts = |orphaned: &[OrphanedTask]| orphaned.iter().any(|orphan| orphan.control.is_starting());
        self.0.iter().filter(move |(_, orphaned)| starts(orphaned)).map(|(at, _)| at)
    }
}
