//! What is known at one moment, and what of it is told.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use flowdeck_model::view::GroupLabels;
use flowdeck_model::{ClusterName, GroupId, Level, Timestamp, Verdict};
use sha2::{Digest as _, Sha256};

/// A cluster that was not read for so long is an alert of its own, as in the rules for Prometheus.
const NOT_READ: Duration = Duration::from_secs(90);

/// The findings of one moment, of all clusters.
#[derive(Clone, Debug)]
pub struct Look {
    pub now: Timestamp,
    pub clusters: Vec<ClusterLook>,
}

#[derive(Clone, Debug)]
pub struct ClusterLook {
    pub name: ClusterName,
    /// When it was read last; of one that was never read, when this process began.
    pub read_at: Timestamp,
    /// Another replica tells what there is of this cluster.
    pub another_tells: bool,
    pub found: Vec<Found>,
    /// Groups of which nothing is known at the moment, since they could not be read: what was found of them stays.
    pub unknown: BTreeSet<GroupId>,
}

/// Of a group that is counted.
#[derive(Clone, Debug)]
pub struct Found {
    pub group: GroupId,
    pub verdict: Verdict,
    pub level: Level,
    pub since: Timestamp,
    pub evidence: Option<String>,
}

impl ClusterLook {
    /// Since when its findings are of the past.
    pub(crate) fn not_read_since(&self, now: Timestamp) -> Option<Timestamp> {
        (now.since(self.read_at) >= NOT_READ).then_some(self.read_at)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum What {
    Verdict(Verdict),
    /// The cluster is not read: nothing is known of its groups since.
    NotRead,
}

impl What {
    /// As pages have it.
    pub fn label(self) -> &'static str {
        match self {
            Self::Verdict(verdict) => verdict.label(),
            Self::NotRead => "Cluster not read",
        }
    }

    /// The value in JSON.
    pub fn key(self) -> &'static str {
        match self {
            Self::Verdict(verdict) => verdict.key(),
            Self::NotRead => "clusterNotRead",
        }
    }
}

/// Which alert it is, over all its life.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Key {
    pub(crate) cluster: ClusterName,
    /// `None`: of the whole cluster.
    pub(crate) group: Option<GroupId>,
    pub(crate) what: What,
}

/// As it is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alert {
    pub cluster: ClusterName,
    /// `None`: of the whole cluster.
    pub group: Option<GroupId>,
    pub what: What,
    pub level: Level,
    pub since: Timestamp,
    /// One sentence without its end.
    pub evidence: Option<String>,
    /// Of the group, by the configuration.
    pub labels: GroupLabels,
    /// `Some`: it is over.
    pub ended: Option<Timestamp>,
}

impl Alert {
    /// In words of Prometheus.
    pub(crate) fn severity(&self) -> &'static str {
        match self.level {
            Level::Critical => "critical",
            Level::Warning => "warning",
            Level::Info | Level::Ok => "info",
        }
    }

    /// What tells it from all others. A label of the configuration does not replace one of ours.
    pub(crate) fn all_labels(&self) -> BTreeMap<&str, &str> {
        let given = self.labels.values.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let mut all: BTreeMap<_, _> = given.collect();
        all.extend([("alertname", self.what.label()), ("severity", self.severity())]);
        all.extend([("verdict", self.what.key()), ("cluster", self.cluster.as_str())]);
        all.extend(self.group.as_ref().map(|group| ("group", group.as_str())));
        all
    }

    /// The same for every replica and after a restart, so that a receiver may know it again. Not by its severity, which
    /// may rise.
    pub(crate) fn fingerprint(&self) -> String {
        let mut hash = Sha256::new();
        let group = self.group.as_ref().map(GroupId::as_str);
        for part in [Some(self.cluster.as_str()), group, Some(self.what.key())] {
            // A byte that no name has: names beside each other do not run into one.
            hash.update(part.unwrap_or_default());
            hash.update([0xff]);
        }
        hash.finalize().iter().take(8).map(|byte| format!("{byte:02x}")).collect()
    }

    /// `payments on eu: Stalled`
    pub(crate) fn summary(&self) -> String {
        let of = match &self.group {
            Some(group) => format!("{} on {}", group.shown(), self.cluster),
            None => self.cluster.to_string(),
        };
        format!("{of}: {}", self.what.label())
    }

    /// When it began: `2026-11-21 14:08:57`.
    pub(crate) fn second(&self) -> String {
        self.since.to_string()[..19].replace('T', " ")
    }

    /// Below the base path: where a person looks.
    pub(crate) fn path(&self) -> String {
        match &self.group {
            Some(group) => flowdeck_model::url::group_path(&self.cluster, group),
            None => String::new(),
        }
    }
}
