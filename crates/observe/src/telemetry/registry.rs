//! Who is heard: one entry for each (pair, group, consumer, instance, incarnation), bounded in number
//! and size, since anybody who may write to the admin topic can claim to be thousands. What does not
//! fit is dropped and counted; whom Kafka bears out takes the place of whom it does not.

mod entry;
mod reports;
mod space;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use flowdeck_model::shown::exact;
use flowdeck_model::view::{ConsumerStatus, InstanceHolds};
use flowdeck_model::{ConsumerName, GroupId, Incarnation, InstanceName, Partition, Timestamp};
use flowdeck_protocol::kafkaflow::TelemetryTopic;

use self::entry::Entry;
use super::refused::{OverflowInstances, Refused};
use super::trust::Trust;
use super::{ConsumerTelemetry, GroupTelemetry, TelemetryIndex};
use crate::settings::TelemetryLimits;

/// One telemetry record, parsed.
#[derive(Debug, Clone)]
pub struct Heard {
    pub pair: usize,
    pub group: GroupId,
    pub consumer: ConsumerName,
    pub instance: InstanceName,
    /// It comes from an agent; one of a newer version tells no incarnation that we can read.
    pub agent: bool,
    pub incarnation: Option<Incarnation>,
    pub topic: TelemetryTopic,
    pub status: ConsumerStatus,
    pub running: Vec<Partition>,
    pub paused: Vec<Partition>,
    /// Partitions that were listed beyond those that are read.
    pub cut: u64,
    pub workers: Option<u32>,
    /// What an agent says of the holds.
    pub holds: Option<InstanceHolds>,
    /// The instance's own clock; only differences of one instance mean anything.
    pub sent_at: Option<Timestamp>,
    pub offset: i64,
    /// Our clock.
    pub at: Timestamp,
}

impl Heard {
    /// There is no space for its partitions.
    fn cut(&mut self) {
        self.cut += (self.running.len() + self.paused.len()) as u64;
        (self.running, self.paused) = (Vec::new(), Vec::new());
    }
}

/// Why telemetry was not taken in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Dropped {
    NameTooLong,
    TooManyConsumers,
    TooManyConsumersOfOneGroup,
    TooManyInstances,
    TooManyInstancesOfOneGroup,
    TooManyInstancesOfOneConsumer,
    TooManyTopics,
    TooManyPartitions,
}

impl Dropped {
    /// In the metrics.
    pub fn label(self) -> &'static str {
        match self {
            Self::NameTooLong => "name_too_long",
            Self::TooManyConsumers => "too_many_consumers",
            Self::TooManyConsumersOfOneGroup => "too_many_consumers_of_group",
            Self::TooManyInstances => "too_many_instances",
            Self::TooManyInstancesOfOneGroup => "too_many_instances_of_group",
            Self::TooManyInstancesOfOneConsumer => "too_many_instances_of_consumer",
            Self::TooManyTopics => "too_many_topics",
            Self::TooManyPartitions => "too_many_partitions",
        }
    }

    /// On the pages.
    pub fn words(self) -> &'static str {
        match self {
            Self::NameTooLong => "a name is too long",
            Self::TooManyConsumers => "too many consumers",
            Self::TooManyConsumersOfOneGroup => "too many consumers of one group",
            Self::TooManyInstances => "too many instances",
            Self::TooManyInstancesOfOneGroup => "too many instances of one group",
            Self::TooManyInstancesOfOneConsumer => "too many instances of one consumer",
            Self::TooManyTopics => "too many topics of one instance",
            Self::TooManyPartitions => "too many partitions",
        }
    }

    /// The instance has no place at all.
    fn is_of_the_instance(self) -> bool {
        !matches!(self, Self::NameTooLong | Self::TooManyTopics | Self::TooManyPartitions)
    }
}

/// Pair, name, whether it is an agent, incarnation.
type InstanceKey = (usize, InstanceName, bool, Option<Incarnation>);

pub struct Registry {
    limits: TelemetryLimits,
    groups: HashMap<GroupId, Group>,
    consumers: usize,
    instances: usize,
    /// Numbers that are listed, and the topics of which they are.
    partitions: usize,
    /// Bytes of the reports that are kept whole.
    report_bytes: usize,
    /// Instances of each `Trust`.
    trust: [usize; Trust::ALL.len()],
    /// Groups whose index must be made anew.
    dirty: HashSet<GroupId>,
    /// Shared with the snapshots that were made from it.
    index: Arc<HashMap<GroupId, Arc<GroupTelemetry>>>,
    refused: Refused,
    unkept: OverflowInstances,
}

#[derive(Default)]
struct Group {
    consumers: BTreeMap<ConsumerName, BTreeMap<InstanceKey, Entry>>,
    instances: usize,
}

impl Group {
    fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.consumers.values().flat_map(BTreeMap::values)
    }
}

/// Where an entry is.
#[derive(Clone)]
struct Place {
    group: GroupId,
    consumer: ConsumerName,
    instance: InstanceKey,
}

/// Instances of unknown groups that were heard for less are likely those of a group that Kafka lists in a moment.
const NEW_GROUP: std::time::Duration = std::time::Duration::from_secs(30);

impl Registry {
    pub fn new(limits: TelemetryLimits) -> Self {
        Self {
            limits,
            groups: HashMap::new(),
            consumers: 0,
            instances: 0,
            partitions: 0,
            report_bytes: 0,
            trust: Default::default(),
            dirty: HashSet::new(),
            index: Arc::default(),
            refused: Refused::default(),
            unkept: OverflowInstances::default(),
        }
    }

    pub fn instances(&self) -> usize {
        self.instances
    }

    /// Instances that are heard and have no place.
    /// Instances that were not kept, since the start.
    pub fn instances_dropped(&self) -> u64 {
        self.unkept.total()
    }

    /// A record of the admin topics that is not taken in.
    pub fn refuse(&mut self, why: &'static str, at: Timestamp) {
        self.refused.add(why, at);
    }

    /// Takes a record in. `trust`: how far Kafka bears it out.
    pub fn hear(&mut self, mut heard: Heard, trust: impl Fn(&Heard) -> Trust) -> Result<(), Dropped> {
        let names = [heard.group.as_str(), heard.consumer.as_str(), heard.instance.as_str()];
        if names.iter().any(|name| name.len() > self.limits.name_bytes) {
            self.refuse(Dropped::NameTooLong.words(), heard.at);
            return Err(Dropped::NameTooLong);
        }
        for list in [&mut heard.running, &mut heard.paused] {
            list.sort_unstable();
            list.dedup();
        }
        let trust = trust(&heard);
        let place = Place {
            group: heard.group.clone(),
            consumer: heard.consumer.clone(),
            instance: (heard.pair, heard.instance.clone(), heard.agent, heard.incarnation),
        };
        let at = heard.at;
        let hash = self.unkept.hash(&(&place.group, &place.consumer, &place.instance));
        let result = self.take(&place, heard, trust);
        match result {
            Err(why) if why.is_of_the_instance() => {
                let listed = trust > Trust::UnknownGroup;
                self.unkept.add(listed.then_some(&place.group), hash, at);
                if listed {
                    self.dirty.insert(place.group);
                }
            }
            Err(why) => self.refuse(why.words(), at),
            Ok(()) => self.unkept.remove(&place.group, hash),
        }
        result
    }

    fn take(&mut self, place: &Place, mut heard: Heard, trust: Trust) -> Result<(), Dropped> {
        if self.entry(place).is_none() {
            self.make_space(place, trust, heard.at)?;
            self.insert(place, heard.at, trust);
        }
        let (trusts, before) = {
            let Some(entry) = self.entry_mut(place) else { return Ok(()) };
            let was = entry.trust;
            entry.speaks(&heard, trust);
            ((was, entry.trust), heard.topic.name().map_or(0, |topic| entry.weight_of(topic)))
        };
        self.trust[trusts.0 as usize] -= 1;
        self.trust[trusts.1 as usize] += 1;
        self.dirty.insert(place.group.clone());
        let Some(topic) = heard.topic.name().cloned() else { return Ok(()) };
        let listed = entry::STREAM + heard.running.len() + heard.paused.len();
        let space = self.make_space_for_partitions(listed.saturating_sub(before), trusts.1);
        let limit = self.limits.topics_per_instance;
        let Some(entry) = self.entry_mut(place) else { return Ok(()) };
        if space.is_err() {
            heard.cut();
            // Nor is there any for one more topic.
            if before == 0 {
                entry.lists(heard.at);
                return space;
            }
        }
        if !entry.tells(&topic, heard, limit) {
            return Err(Dropped::TooManyTopics);
        }
        let after = entry.weight_of(&topic);
        self.partitions = self.partitions - before + after;
        space
    }

    fn entry(&self, place: &Place) -> Option<&Entry> {
        self.groups.get(&place.group)?.consumers.get(&place.consumer)?.get(&place.instance)
    }

    fn entry_mut(&mut self, place: &Place) -> Option<&mut Entry> {
        self.groups.get_mut(&place.group)?.consumers.get_mut(&place.consumer)?.get_mut(&place.instance)
    }

    fn insert(&mut self, place: &Place, at: Timestamp, trust: Trust) {
        let group = self.groups.entry(place.group.clone()).or_default();
        let consumer = group.consumers.entry(place.consumer.clone()).or_default();
        self.consumers += usize::from(consumer.is_empty());
        consumer.insert(place.instance.clone(), Entry::new(at, trust));
        group.instances += 1;
        self.instances += 1;
        self.trust[trust as usize] += 1;
    }

    fn forget(&mut self, place: &Place) {
        let Some(group) = self.groups.get_mut(&place.group) else { return };
        let Some(consumer) = group.consumers.get_mut(&place.consumer) else { return };
        let Some(entry) = consumer.remove(&place.instance) else { return };
        group.instances -= 1;
        self.instances -= 1;
        self.partitions -= entry.weight();
        self.report_bytes -= entry.report_bytes;
        self.trust[entry.trust as usize] -= 1;
        if consumer.is_empty() {
            group.consumers.remove(&place.consumer);
            self.consumers -= 1;
        }
        if group.consumers.is_empty() {
            self.groups.remove(&place.group);
        }
        self.dirty.insert(place.group.clone());
    }

    /// Forgets who was silent for too long.
    pub fn expire(&mut self, now: Timestamp) {
        let after = self.limits.forgotten_after;
        (self.consumers, self.instances, self.partitions, self.report_bytes) = (0, 0, 0, 0);
        self.trust = Default::default();
        for (id, group) in &mut self.groups {
            let mut changed = false;
            group.consumers.retain(|_, entries| {
                let before = entries.len();
                entries.retain(|_, entry| now.since(entry.last_heard) <= after);
                let left = entries.values_mut().filter_map(Entry::drop_left_topics).count();
                changed |= entries.len() != before || left > 0;
                !entries.is_empty()
            });
            group.instances = group.entries().count();
            self.consumers += group.consumers.len();
            self.instances += group.instances;
            for entry in group.entries() {
                self.partitions += entry.weight();
                self.report_bytes += entry.report_bytes;
                self.trust[entry.trust as usize] += 1;
            }
            if changed {
                self.dirty.insert(id.clone());
            }
        }
        self.groups.retain(|_, group| group.instances > 0);
        self.dirty.extend(self.unkept.expire(now, after));
    }

    pub fn is_dirty(&self) -> bool {
        !self.dirty.is_empty()
    }

    /// The index for views; only groups that changed are made anew.
    pub fn index(&mut self, now: Timestamp) -> TelemetryIndex {
        for group in std::mem::take(&mut self.dirty) {
            let telemetry = self.of_group(&group, now);
            let index = Arc::make_mut(&mut self.index);
            match telemetry {
                None => drop(index.remove(&group)),
                Some(telemetry) => drop(index.insert(group, Arc::new(telemetry))),
            }
        }
        TelemetryIndex { groups: Arc::clone(&self.index), warnings: self.warnings(now) }
    }

    fn of_group(&self, id: &GroupId, now: Timestamp) -> Option<GroupTelemetry> {
        let unkept = self.unkept.of(id);
        let Some(group) = self.groups.get(id) else {
            return (unkept > 0).then(|| GroupTelemetry { consumers: vec![], unkept });
        };
        let consumers = group.consumers.iter().map(|(name, entries)| ConsumerTelemetry {
            name: name.clone(),
            instances: entry::instances(entries, now),
        });
        Some(GroupTelemetry { consumers: consumers.collect(), unkept })
    }

    fn warnings(&self, now: Timestamp) -> Vec<String> {
        let TelemetryLimits { instances, instances_per_group, instances_per_consumer, .. } = self.limits;
        let bounds = format!(
            "{} in all, {} of a group, {} of a consumer",
            exact(instances as u64),
            exact(instances_per_group as u64),
            exact(instances_per_consumer as u64)
        );
        [self.unkept.warning(&bounds), self.unknown_groups(now), self.refused.warning(now)]
            .into_iter()
            .flatten()
            .collect()
    }

    fn unknown_groups(&self, now: Timestamp) -> Option<String> {
        if self.trust[Trust::UnknownGroup as usize] == 0 {
            return None;
        }
        let settled =
            |entry: &&Entry| entry.trust == Trust::UnknownGroup && now.since(entry.first_heard) > NEW_GROUP;
        let count = |group: &Group| group.entries().filter(settled).count();
        let counts = self.groups.values().map(count).filter(|count| *count > 0);
        let (groups, instances) = counts.fold((0u64, 0), |(groups, all), count| (groups + 1, all + count));
        let words = match (instances, groups) {
            (0, _) => return None,
            (1, _) => "1 instance says that it is in a group that Kafka does not list".to_owned(),
            (n, 1) => {
                format!("{} instances say that they are in a group that Kafka does not list", exact(n as u64))
            }
            (n, groups) => format!(
                "{} instances say that they are in {} groups that Kafka does not list",
                exact(n as u64),
                exact(groups)
            ),
        };
        Some(format!("{words}. No page shows {}.", if instances == 1 { "it" } else { "them" }))
    }
}
