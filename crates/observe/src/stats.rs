//! Counters and gauges of the service's own work, for `/metrics`. Plain numbers; the server names them.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use flowdeck_model::{ClusterName, CommandState, Timestamp};

pub use crate::ports::brokers::Health;

/// One cluster's counters, shared by its tasks.
#[derive(Default)]
pub struct ClusterStats {
    refreshes: AtomicU64,
    refreshes_failed: AtomicU64,
    refresh_last_micros: AtomicU64,
    refresh_total_micros: AtomicU64,
    commits_asked: AtomicU64,
    descriptions_asked: AtomicU64,
    published: AtomicU64,
    peeks: AtomicU64,
    submits_refused_full: AtomicU64,
    instances: AtomicU64,
    instances_dropped: AtomicU64,
    waiting_commands: AtomicU64,
    waiting_facts: AtomicU64,
    waiting_writes: AtomicU64,
    reasons: Mutex<BTreeMap<&'static str, u64>>,
    commands: Mutex<Vec<(CommandState, usize)>>,
    another_leads: AtomicBool,
}

/// A copy of the numbers at one moment.
#[derive(Debug, Clone, Default)]
pub struct Stats {
    pub clusters: Vec<ClusterNumbers>,
}

#[derive(Debug, Clone)]
pub struct ClusterNumbers {
    pub cluster: ClusterName,
    /// When the newest complete refresh began to read commits; `None` before the first.
    pub as_of: Option<Timestamp>,
    pub brokers: Option<u32>,
    /// `None` before topics were read.
    pub health: Option<Health>,
    pub refreshes: u64,
    pub refreshes_failed: u64,
    pub refresh_last: Duration,
    pub refresh_total: Duration,
    /// Groups whose commits were asked for, and those that were described: one request each, and a FindCoordinator.
    pub commits_asked: u64,
    pub descriptions_asked: u64,
    /// The oldest reading of a group's commits.
    pub oldest_reading: Option<Timestamp>,
    pub groups: u64,
    pub partitions: u64,
    pub snapshots_published: u64,
    /// Telemetry, acks, holds and admin records that were not taken in, by a constant in snake_case for each reason.
    pub records_dropped: BTreeMap<&'static str, u64>,
    /// Commands refused since the queue was full.
    pub queue_drops: u64,
    /// What waits in each queue at the moment.
    pub queue_depth: Vec<(&'static str, u64)>,
    pub commands: Vec<(CommandState, u64)>,
    pub instances_heard: u64,
    /// Heard, and beyond what is kept, since the start.
    pub instances_dropped: u64,
    pub holds: u64,
    /// Groups in which a pause is not obeyed.
    pub pauses_not_obeyed: NotObeyedNumbers,
    /// KafkaFlow instances that are locked up.
    pub locked_up: u64,
    pub peeks: u64,
    /// Another replica is elected to write.
    pub another_leads: bool,
}

/// By what it is known.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct NotObeyedNumbers {
    /// A commit proves that records are handled.
    pub by_commit: NotObeyedCount,
    /// Telemetry alone says that partitions run.
    pub by_telemetry: NotObeyedCount,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct NotObeyedCount {
    pub groups: u64,
    pub partitions: u64,
}

impl ClusterStats {
    pub fn refreshed(&self, took: Duration, ok: bool) {
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        self.refreshes.fetch_add(1, Ordering::Relaxed);
        self.refresh_last_micros.store(micros, Ordering::Relaxed);
        self.refresh_total_micros.fetch_add(micros, Ordering::Relaxed);
        if !ok {
            self.refreshes_failed.fetch_add(1, Ordering::Relaxed);
        }
    }

    pub fn asked_groups(&self, commits: u64, descriptions: u64) {
        self.commits_asked.fetch_add(commits, Ordering::Relaxed);
        self.descriptions_asked.fetch_add(descriptions, Ordering::Relaxed);
    }

    pub fn published(&self) {
        self.published.fetch_add(1, Ordering::Relaxed);
    }

    pub fn peeked(&self) {
        self.peeks.fetch_add(1, Ordering::Relaxed);
    }

    pub fn queue_full(&self) {
        self.submits_refused_full.fetch_add(1, Ordering::Relaxed);
    }

    /// Commands, records of followed topics, and writes that wait.
    pub fn waiting(&self, commands: usize, facts: usize, writes: usize) {
        self.waiting_commands.store(commands as u64, Ordering::Relaxed);
        self.waiting_facts.store(facts as u64, Ordering::Relaxed);
        self.waiting_writes.store(writes as u64, Ordering::Relaxed);
    }

    pub fn dropped(&self, reason: &'static str) {
        // A poisoned lock still holds good numbers.
        let mut reasons = self.reasons.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        *reasons.entry(reason).or_default() += 1;
    }

    pub fn another_leads(&self, leads: bool) {
        self.another_leads.store(leads, Ordering::Relaxed);
    }

    pub fn gauges(&self, instances: usize, dropped: u64, commands: Vec<(CommandState, usize)>) {
        self.instances.store(instances as u64, Ordering::Relaxed);
        self.instances_dropped.store(dropped, Ordering::Relaxed);
        *self.commands.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = commands;
    }

    pub fn read(&self, cluster: ClusterName, groups: u64, partitions: u64, holds: u64) -> ClusterNumbers {
        let load = |one: &AtomicU64| one.load(Ordering::Relaxed);
        let commands = self.commands.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        ClusterNumbers {
            cluster,
            as_of: None,
            brokers: None,
            health: None,
            refreshes: load(&self.refreshes),
            refreshes_failed: load(&self.refreshes_failed),
            refresh_last: Duration::from_micros(load(&self.refresh_last_micros)),
            refresh_total: Duration::from_micros(load(&self.refresh_total_micros)),
            commits_asked: load(&self.commits_asked),
            descriptions_asked: load(&self.descriptions_asked),
            oldest_reading: None,
            groups,
            partitions,
            snapshots_published: load(&self.published),
            records_dropped: self.reasons.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone(),
            queue_drops: load(&self.submits_refused_full),
            queue_depth: vec![
                ("commands", load(&self.waiting_commands)),
                ("records", load(&self.waiting_facts)),
                ("writes", load(&self.waiting_writes)),
            ],
            commands: commands.iter().map(|(state, count)| (*state, *count as u64)).collect(),
            instances_heard: load(&self.instances),
            instances_dropped: load(&self.instances_dropped),
            holds,
            pauses_not_obeyed: NotObeyedNumbers::default(),
            locked_up: 0,
            peeks: load(&self.peeks),
            another_leads: self.another_leads.load(Ordering::Relaxed),
        }
    }
}
