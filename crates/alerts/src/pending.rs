//! What one receiver was told, and what it is to be told. Pure: the time is part of what is looked at.

use std::collections::BTreeMap;
use std::time::Duration;

use flowdeck_model::view::GroupLabels;
use flowdeck_model::{GroupId, Level, Timestamp};

use crate::alert::{Alert, ClusterLook, Key, Look, What};
use crate::receiver::Receiver;

/// What is gone for a shorter time is not over: a rebalance hides a verdict for some refreshes.
const CLEAR_AFTER: Duration = Duration::from_secs(30);
/// What another replica has to tell is left to it for so long. After it counts as told; before it a replica that begins to
/// lead tells it, too: twice rather than never.
const LEFT_TO_ANOTHER: Duration = Duration::from_secs(120);
/// Alerts that are followed. Beyond it none is begun before others are over.
const MOST: usize = 5_000;
/// Alerts of one message.
const OF_A_MESSAGE: usize = 500;

/// Labels of a group, by the configuration.
pub(crate) type LabelsOf<'a> = &'a dyn Fn(&GroupId) -> GroupLabels;

#[derive(Debug, Default)]
pub struct Pending {
    followed: BTreeMap<Key, Followed>,
    /// Findings that were not followed at the last look, since there were too many.
    left_out: u64,
}

#[derive(Debug)]
struct Followed {
    level: Level,
    since: Timestamp,
    evidence: Option<String>,
    /// It was not found since.
    gone: Option<Timestamp>,
    told: Option<Told>,
    another_tells: bool,
    /// Since when it is to be told.
    due: Option<Timestamp>,
}

#[derive(Clone, Copy, Debug)]
struct Told {
    at: Timestamp,
    level: Level,
}

impl Followed {
    fn is_over(&self, now: Timestamp) -> bool {
        self.gone.is_some_and(|gone| now.since(gone) >= CLEAR_AFTER)
    }

    fn is_due(&self, receiver: &Receiver, now: Timestamp) -> bool {
        if self.gone.is_some() {
            return self.told.is_some() && receiver.resolved && self.is_over(now);
        }
        match self.told {
            None => now.since(self.since) >= receiver.after,
            Some(told) => self.level > told.level || now.since(told.at) >= receiver.repeat,
        }
    }
}

/// What goes in one message, and what it is of.
#[derive(Debug)]
pub(crate) struct Batch {
    pub(crate) alerts: Vec<Alert>,
    keys: Vec<Key>,
}

impl Pending {
    /// Takes in the findings of a moment.
    pub fn look(&mut self, receiver: &Receiver, look: &Look) {
        self.left_out = 0;
        for cluster in look.clusters.iter().filter(|one| receiver.selection.has_cluster(&one.name)) {
            self.of_cluster(receiver, cluster, look.now);
        }
        self.followed.retain(|_, one| one.told.is_some() || one.gone.is_none());
        self.followed.retain(|_, one| receiver.resolved || !one.is_over(look.now));
        for one in self.followed.values_mut() {
            let due = one.is_due(receiver, look.now);
            one.due = due.then(|| one.due.unwrap_or(look.now));
        }
        self.leave_to_others(look.now);
    }

    fn of_cluster(&mut self, receiver: &Receiver, cluster: &ClusterLook, now: Timestamp) {
        let name = &cluster.name;
        let whole = Key { cluster: name.clone(), group: None, what: What::NotRead };
        if let Some(since) = cluster.not_read_since(now) {
            let evidence = format!("its numbers are as of {since}, and its other alerts too");
            // Where it cannot be read nobody knows who leads: every replica tells it.
            self.found(whole, Level::Critical, since, Some(evidence), false);
            return;
        }
        let selected = |one: &&crate::alert::Found| {
            receiver.selection.has(&one.group, What::Verdict(one.verdict), one.level)
        };
        let mut seen: Vec<Key> = vec![];
        for one in cluster.found.iter().filter(selected) {
            let key = Key {
                cluster: name.clone(),
                group: Some(one.group.clone()),
                what: What::Verdict(one.verdict),
            };
            seen.push(key.clone());
            self.found(key, one.level, one.since, one.evidence.clone(), cluster.another_tells);
        }
        seen.sort_unstable();
        for (key, one) in self.followed.iter_mut().filter(|(key, _)| key.cluster == *name) {
            if seen.binary_search(key).is_err() {
                one.gone.get_or_insert(now);
            }
            one.another_tells = cluster.another_tells && key.group.is_some();
        }
    }

    fn found(
        &mut self,
        key: Key,
        level: Level,
        since: Timestamp,
        evidence: Option<String>,
        another_tells: bool,
    ) {
        if let Some(one) = self.followed.get_mut(&key) {
            // That it was gone for a moment is not told; what began anew is.
            let began_anew = one.gone.is_some() && since > one.since;
            (one.level, one.evidence, one.gone, one.another_tells) = (level, evidence, None, another_tells);
            if one.told.is_none() || began_anew {
                one.since = since;
            }
            return;
        }
        if self.followed.len() >= MOST {
            self.left_out += 1;
            return;
        }
        let one = Followed { level, since, evidence, gone: None, told: None, another_tells, due: None };
        self.followed.insert(key, one);
    }

    /// What others have had the time to tell counts as told.
    fn leave_to_others(&mut self, now: Timestamp) {
        let is_left = |one: &Followed| {
            one.another_tells && one.due.is_some_and(|due| now.since(due) >= LEFT_TO_ANOTHER)
        };
        let left = self.followed.iter().filter(|(_, one)| is_left(one));
        let left: Vec<Key> = left.map(|(key, _)| key.clone()).collect();
        self.told(&left, now);
    }

    /// What this replica is to tell now; the most urgent first.
    pub(crate) fn due(&self, labels: LabelsOf<'_>) -> Option<Batch> {
        let mut due: Vec<_> =
            self.followed.iter().filter(|(_, one)| one.due.is_some() && !one.another_tells).collect();
        if due.is_empty() {
            return None;
        }
        due.sort_by_key(|(_, one)| (one.gone.is_some(), std::cmp::Reverse(one.level), one.since));
        due.truncate(OF_A_MESSAGE);
        let alert = |(key, one): &(&Key, &Followed)| Alert {
            cluster: key.cluster.clone(),
            group: key.group.clone(),
            what: key.what,
            level: one.level,
            since: one.since,
            evidence: one.evidence.clone(),
            labels: key.group.as_ref().map(labels).unwrap_or_default(),
            ended: one.gone,
        };
        Some(Batch {
            alerts: due.iter().map(alert).collect(),
            keys: due.iter().map(|(key, _)| (*key).clone()).collect(),
        })
    }

    /// The receiver has taken it.
    pub(crate) fn delivered(&mut self, batch: &Batch, now: Timestamp) {
        self.told(&batch.keys, now);
    }

    fn told(&mut self, keys: &[Key], now: Timestamp) {
        for key in keys {
            let Some(one) = self.followed.get_mut(key) else { continue };
            if one.gone.is_some() {
                self.followed.remove(key);
                continue;
            }
            (one.told, one.due) = (Some(Told { at: now, level: one.level }), None);
        }
    }

    /// Those that apply, long enough to be told.
    pub fn firing(&self, receiver: &Receiver, now: Timestamp) -> u64 {
        let fires = |one: &&Followed| {
            one.gone.is_none() && (one.told.is_some() || now.since(one.since) >= receiver.after)
        };
        self.followed.values().filter(fires).count() as u64
    }

    pub fn left_out(&self) -> u64 {
        self.left_out
    }

    #[cfg(test)]
    fn follows_nothing(&self) -> bool {
        self.followed.is_empty()
    }
}

#[cfg(test)]
mod tests;
