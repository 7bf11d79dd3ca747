//! What one receiver was told, and what it is to be told. Pure: the time is part of what is looked at.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::time::Duration;

use flowdeck_model::view::GroupLabels;
use flowdeck_model::{ClusterName, GroupId, Level, Timestamp};

use crate::alert::{Alert, ClusterLook, Key, Look, What};
use crate::receiver::{Channel, Format, Receiver};

/// What is gone for a shorter time is not over: a rebalance hides a verdict for some refreshes.
const CLEAR_AFTER: Duration = Duration::from_secs(30);
/// Alerts that are followed. Beyond it none is begun before others are over.
const MOST: usize = 5_000;
/// Alerts of one message.
const OF_A_MESSAGE: usize = 500;

/// Labels of a group, by the configuration.
pub(crate) type LabelsOf<'a> = &'a dyn Fn(&GroupId) -> GroupLabels;

#[derive(Debug, Default)]
pub(crate) struct Pending {
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
    is_due: bool,
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

    fn is_to_be_told(&self, receiver: &Receiver, now: Timestamp) -> bool {
        if self.another_tells {
            return false;
        }
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
    pub(crate) fn look(&mut self, receiver: &Receiver, look: &Look) {
        self.left_out = 0;
        for cluster in look.clusters.iter().filter(|one| receiver.selection.has_cluster(&one.name)) {
            self.of_cluster(receiver, cluster, look.now);
        }
        self.followed.retain(|_, one| one.told.is_some() || one.gone.is_none());
        self.followed.retain(|_, one| receiver.resolved || !one.is_over(look.now));
        for one in self.followed.values_mut() {
            one.is_due = one.is_to_be_told(receiver, look.now);
        }
    }

    fn of_cluster(&mut self, receiver: &Receiver, cluster: &ClusterLook, now: Timestamp) {
        let name = &cluster.name;
        let whole = Key { cluster: name.clone(), group: None, what: What::NotRead };
        if let Some(since) = cluster.not_read_since(now) {
            let evidence = format!("its numbers are as of {since}, and its other alerts too");
            // Where it cannot be read nobody knows who leads: every replica tells it.
            self.found(whole, Level::Critical, since, Some(evidence), false);
            // Nobody knows what became of its groups.
            self.of(name).filter(|(key, _)| key.group.is_some()).for_each(|(_, one)| one.gone = None);
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
        for (key, one) in self.of(name) {
            let is_unknown = key.group.as_ref().is_some_and(|group| cluster.unknown.contains(group));
            if is_unknown {
                one.gone = None;
            } else if seen.binary_search(key).is_err() {
                one.gone.get_or_insert(now);
            }
            one.another_tells = cluster.another_tells && key.group.is_some();
            if one.another_tells {
                // Whether it did is not known: a replica that begins to tell tells what applies then.
                one.told = None;
            }
        }
    }

    fn of(&mut self, cluster: &ClusterName) -> impl Iterator<Item = (&Key, &mut Followed)> {
        self.followed.iter_mut().filter(move |(key, _)| key.cluster == *cluster)
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
        let one = Followed { level, since, evidence, gone: None, told: None, another_tells, is_due: false };
        self.followed.insert(key, one);
    }

    /// What is to be told next.
    pub(crate) fn due(&self, channel: &Channel, labels: LabelsOf<'_>) -> Option<Batch> {
        let due = self.followed.iter().filter(|(_, one)| one.is_due);
        let urgency = |one: &Followed| (one.gone.is_some(), Reverse(one.level), one.since);
        let next = due.clone().min_by_key(|(_, one)| urgency(one))?.0;
        let mut told: Vec<_> = match channel {
            // All that applies of a group, and what is over: it is over as a whole where nothing applies.
            Channel::Http { format: Format::Alertmanager, .. } => {
                let of_group =
                    |(key, _): &(&Key, &Followed)| (&key.cluster, &key.group) == (&next.cluster, &next.group);
                let applies = |one: &Followed| one.told.is_some() && one.gone.is_none();
                let all = self.followed.iter().filter(of_group);
                all.filter(|(_, one)| one.is_due || applies(one)).collect()
            }
            Channel::Http { format: Format::Slack, .. } | Channel::Mail(_) => due.collect(),
        };
        told.sort_by_key(|(_, one)| urgency(one));
        told.truncate(OF_A_MESSAGE);
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
            alerts: told.iter().map(alert).collect(),
            keys: told.iter().map(|(key, _)| (*key).clone()).collect(),
        })
    }

    /// The receiver has taken it, or never will.
    pub(crate) fn told(&mut self, batch: &Batch, now: Timestamp) {
        for key in &batch.keys {
            let Some(one) = self.followed.get_mut(key) else { continue };
            if one.is_due && one.gone.is_some() {
                self.followed.remove(key);
                continue;
            }
            (one.told, one.is_due) = (Some(Told { at: now, level: one.level }), false);
        }
    }

    /// Those that apply, long enough to be told.
    pub(crate) fn firing(&self, receiver: &Receiver, now: Timestamp) -> u64 {
        let fires = |one: &&Followed| {
            one.gone.is_none() && (one.told.is_some() || now.since(one.since) >= receiver.after)
        };
        self.followed.values().filter(fires).count() as u64
    }

    pub(crate) fn left_out(&self) -> u64 {
        self.left_out
    }

    #[cfg(test)]
    fn follows_nothing(&self) -> bool {
        self.followed.is_empty()
    }
}

#[cfg(test)]
mod tests;
