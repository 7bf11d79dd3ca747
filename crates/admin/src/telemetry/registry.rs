//! Who is heard: one entry for each (pair, group, consumer, instance, incarnation), bounded in number
//! and size, since anybody who may write to the admin topic can claim to be thousands. What does not
//! fit is dropped and counted; a known group's instance takes the place of an unknown group's.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use flowdeck_model::view::InstanceHolds;
use flowdeck_model::{ConsumerName, GroupId, Incarnation, InstanceName, Partition, Timestamp, TopicName};

use super::{ConsumerTelemetry, GroupTelemetry, InstanceTelemetry, TelemetryIndex, TopicStream};
use crate::settings::TelemetryLimits;

/// One telemetry record, parsed.
#[derive(Debug, Clone)]
pub(crate) struct Heard {
    pub(crate) pair: usize,
    pub(crate) group: GroupId,
    pub(crate) consumer: ConsumerName,
    pub(crate) instance: InstanceName,
    /// It comes from an agent; one of a newer version tells no incarnation that we can read.
    pub(crate) agent: bool,
    pub(crate) incarnation: Option<Incarnation>,
    /// `None`: a name that is no topic's, such as a pattern `^…`.
    pub(crate) topic: Option<TopicName>,
    pub(crate) running: Vec<Partition>,
    pub(crate) paused: Vec<Partition>,
    pub(crate) workers: Option<u32>,
    /// What an agent says of the holds.
    pub(crate) holds: Option<InstanceHolds>,
    /// The instance's own clock; only differences of one instance mean anything.
    pub(crate) sent_at: Option<Timestamp>,
    pub(crate) offset: i64,
    /// Our clock.
    pub(crate) at: Timestamp,
}

/// Why telemetry was not taken in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Dropped {
    NameTooLong,
    TooManyConsumers,
    TooManyInstances,
    TooManyInstancesOfOneConsumer,
    TooManyTopics,
    TooManyPartitions,
}

impl Dropped {
    pub(crate) fn words(self) -> &'static str {
        match self {
            Self::NameTooLong => "a name is too long",
            Self::TooManyConsumers => "too many consumers",
            Self::TooManyInstances => "too many instances",
            Self::TooManyInstancesOfOneConsumer => "too many instances of one consumer",
            Self::TooManyTopics => "too many topics of one instance",
            Self::TooManyPartitions => "too many partitions",
        }
    }
}

type ConsumerKey = (GroupId, ConsumerName);
/// Pair, name, whether it is an agent, incarnation.
type InstanceKey = (usize, InstanceName, bool, Option<Incarnation>);

pub(crate) struct Registry {
    limits: TelemetryLimits,
    consumers: HashMap<ConsumerKey, BTreeMap<InstanceKey, Entry>>,
    instances: usize,
    partitions: usize,
    /// Groups whose index must be made anew.
    dirty: HashSet<GroupId>,
    /// Shared with the snapshots that were made from it.
    index: Arc<HashMap<GroupId, Arc<GroupTelemetry>>>,
    dropped_last: Option<(Timestamp, Dropped)>,
}

struct Entry {
    workers: Option<u32>,
    holds: Option<InstanceHolds>,
    topics: BTreeMap<TopicName, Stream>,
    /// It subscribes to a pattern, of whose partitions KafkaFlow tells nothing.
    pattern: bool,
    first_heard: Timestamp,
    last_heard: Timestamp,
    ambiguous_at: Option<Timestamp>,
}

struct Stream {
    running: Vec<Partition>,
    paused: Vec<Partition>,
    heard: Timestamp,
    offset: i64,
    past: Past,
}

/// The last two different things that were said of a topic, to tell two voices under one name apart.
#[derive(Default)]
struct Past {
    last: Option<Said>,
    before: Option<Said>,
    /// How often in a row it went back to what was said before the last.
    turns: u32,
}

#[derive(Clone, PartialEq, Eq)]
struct Said {
    running: Vec<Partition>,
    paused: Vec<Partition>,
    sent_at: Timestamp,
}

/// KafkaFlow speaks every 5 s: A, B, A within less than two intervals comes from two processes.
const ONE_VOICE: std::time::Duration = std::time::Duration::from_secs(8);
/// A quick pause and resume is A, B, A too; only A, B, A, B, A without a repeat is two voices.
const TURNS: u32 = 3;
/// An ambiguity that was not seen for so long is over.
const AMBIGUOUS_FOR: std::time::Duration = std::time::Duration::from_secs(60);
/// An instance that speaks, but not of this topic for so long, reads it no more.
const TOPIC_LEFT: std::time::Duration = std::time::Duration::from_secs(30);
/// A drop is spoken of for so long.
const WARN_FOR: std::time::Duration = std::time::Duration::from_secs(120);

impl Registry {
    pub(crate) fn new(limits: TelemetryLimits) -> Self {
        Self {
            limits,
            consumers: HashMap::new(),
            instances: 0,
            partitions: 0,
            dirty: HashSet::new(),
            index: Arc::default(),
            dropped_last: None,
        }
    }

    pub(crate) fn instances(&self) -> usize {
        self.instances
    }

    /// Takes a record in. `is_known`: whether the brokers know the group.
    pub(crate) fn hear(&mut self, heard: Heard, is_known: impl Fn(&GroupId) -> bool) -> Result<(), Dropped> {
        let at = heard.at;
        let result = self.take(heard, is_known);
        if let Err(why) = result {
            self.dropped_last = Some((at, why));
        }
        result
    }

    fn take(&mut self, heard: Heard, is_known: impl Fn(&GroupId) -> bool) -> Result<(), Dropped> {
        let names = [heard.group.as_str(), heard.consumer.as_str(), heard.instance.as_str()];
        if names.iter().any(|name| name.len() > self.limits.name_bytes) {
            return Err(Dropped::NameTooLong);
        }
        let consumer: ConsumerKey = (heard.group.clone(), heard.consumer.clone());
        let instance: InstanceKey = (heard.pair, heard.instance.clone(), heard.agent, heard.incarnation);
        if self.consumers.get(&consumer).and_then(|all| all.get(&instance)).is_none() {
            self.make_room(&consumer, is_known)?;
        }
        let listed = heard.running.len() + heard.paused.len();
        let entry = self.consumers.entry(consumer).or_default().entry(instance).or_insert_with(|| {
            self.instances += 1;
            Entry {
                workers: None,
                holds: None,
                topics: BTreeMap::new(),
                pattern: false,
                first_heard: heard.at,
                last_heard: heard.at,
                ambiguous_at: None,
            }
        });
        entry.last_heard = heard.at;
        entry.workers = heard.workers.or(entry.workers);
        entry.holds = heard.holds;
        self.dirty.insert(heard.group);
        let Some(topic) = heard.topic else {
            entry.pattern = true;
            return Ok(());
        };
        let before = entry.topics.get(&topic).map_or(0, |stream| stream.running.len() + stream.paused.len());
        if self.partitions - before + listed > self.limits.partitions {
            return Err(Dropped::TooManyPartitions);
        }
        if !entry.topics.contains_key(&topic) && entry.topics.len() >= self.limits.topics_per_instance {
            return Err(Dropped::TooManyTopics);
        }
        self.partitions = self.partitions - before + listed;
        let stream = entry.topics.entry(topic).or_insert_with(|| Stream {
            running: vec![],
            paused: vec![],
            heard: heard.at,
            offset: heard.offset,
            past: Past::default(),
        });
        (stream.running, stream.paused) = (heard.running, heard.paused);
        (stream.heard, stream.offset) = (heard.at, heard.offset);
        // An agent's incarnation tells its voices apart already.
        if heard.incarnation.is_none()
            && let Some(sent_at) = heard.sent_at
            && stream.past.contradicts(&stream.running, &stream.paused, sent_at)
        {
            entry.ambiguous_at = Some(heard.at);
        }
        Ok(())
    }

    fn make_room(
        &mut self,
        consumer: &ConsumerKey,
        is_known: impl Fn(&GroupId) -> bool,
    ) -> Result<(), Dropped> {
        let of_this = self.consumers.get(consumer).map_or(0, BTreeMap::len);
        if of_this >= self.limits.instances_per_consumer {
            return Err(Dropped::TooManyInstancesOfOneConsumer);
        }
        let new_consumer = of_this == 0 && self.consumers.len() >= self.limits.consumers;
        if !new_consumer && self.instances < self.limits.instances {
            return Ok(());
        }
        let why = if new_consumer { Dropped::TooManyConsumers } else { Dropped::TooManyInstances };
        if !is_known(&consumer.0) {
            return Err(why);
        }
        let Some(stranger) = self.consumers.keys().find(|(group, _)| !is_known(group)).cloned() else {
            return Err(why);
        };
        self.forget_consumer(&stranger);
        Ok(())
    }

    fn forget_consumer(&mut self, consumer: &ConsumerKey) {
        let Some(entries) = self.consumers.remove(consumer) else { return };
        self.instances -= entries.len();
        self.partitions -= entries.values().map(Entry::listed).sum::<usize>();
        self.dirty.insert(consumer.0.clone());
    }

    /// Forgets who was silent for too long.
    pub(crate) fn expire(&mut self, now: Timestamp) {
        let after = self.limits.forgotten_after;
        let (mut instances, mut partitions) = (0, 0);
        let dirty = &mut self.dirty;
        self.consumers.retain(|(group, _), entries| {
            let before = entries.len();
            entries.retain(|_, entry| now.since(entry.last_heard) <= after);
            let left_topics = entries.values_mut().filter_map(Entry::drop_left_topics).count();
            if entries.len() != before || left_topics > 0 {
                dirty.insert(group.clone());
            }
            instances += entries.len();
            partitions += entries.values().map(Entry::listed).sum::<usize>();
            !entries.is_empty()
        });
        (self.instances, self.partitions) = (instances, partitions);
    }

    pub(crate) fn is_dirty(&self) -> bool {
        !self.dirty.is_empty()
    }

    /// The index for views; only groups that changed are made anew.
    pub(crate) fn index(&mut self, now: Timestamp) -> TelemetryIndex {
        let warning = self
            .dropped_last
            .filter(|(at, _)| now.since(*at) <= WARN_FOR)
            .map(|(_, why)| format!("telemetry was dropped: {}", why.words()));
        if !self.dirty.is_empty() {
            self.remake(now);
        }
        TelemetryIndex { groups: Arc::clone(&self.index), warning }
    }

    fn remake(&mut self, now: Timestamp) {
        let dirty = std::mem::take(&mut self.dirty);
        let mut fresh: HashMap<GroupId, GroupTelemetry> = HashMap::new();
        for ((group, name), entries) in &self.consumers {
            if dirty.contains(group) {
                let consumer = ConsumerTelemetry { name: name.clone(), instances: instances(entries, now) };
                fresh.entry(group.clone()).or_default().consumers.push(consumer);
            }
        }
        let index = Arc::make_mut(&mut self.index);
        for group in dirty {
            match fresh.remove(&group) {
                None => drop(index.remove(&group)),
                Some(mut telemetry) => {
                    telemetry.consumers.sort_by(|a, b| a.name.cmp(&b.name));
                    index.insert(group, Arc::new(telemetry));
                }
            }
        }
    }
}

impl Entry {
    /// Topics that it speaks of no more, while it speaks.
    fn drop_left_topics(&mut self) -> Option<()> {
        let (before, last_heard) = (self.topics.len(), self.last_heard);
        self.topics.retain(|_, stream| last_heard.since(stream.heard) <= TOPIC_LEFT);
        (self.topics.len() != before).then_some(())
    }

    fn listed(&self) -> usize {
        self.topics.values().map(|stream| stream.running.len() + stream.paused.len()).sum()
    }
}

impl Past {
    fn contradicts(&mut self, running: &[Partition], paused: &[Partition], sent_at: Timestamp) -> bool {
        let said = Said { running: running.to_vec(), paused: paused.to_vec(), sent_at };
        let same = |past: &Said| past.running == said.running && past.paused == said.paused;
        if self.last.as_ref().is_some_and(same) {
            self.turns = 0;
            self.last = Some(said);
            return false;
        }
        let back = self.before.as_ref().is_some_and(|before| {
            same(before) && sent_at.since(before.sent_at).max(before.sent_at.since(sent_at)) < ONE_VOICE
        });
        self.turns = if back { self.turns + 1 } else { 0 };
        self.before = self.last.take();
        self.last = Some(said);
        self.turns >= TURNS
    }
}

fn instances(entries: &BTreeMap<InstanceKey, Entry>, now: Timestamp) -> Vec<InstanceTelemetry> {
    entries
        .iter()
        .map(|((pair, name, agent, incarnation), entry)| {
            let namesakes = || {
                entries
                    .iter()
                    .filter(move |((p, n, _, i), _)| p == pair && n == name && i != incarnation)
                    .map(|(_, other)| other)
            };
            InstanceTelemetry {
                pair: *pair,
                instance: name.clone(),
                agent: *agent,
                incarnation: *incarnation,
                // Interleaved: each was heard after the other began.
                ambiguous: entry.ambiguous_at.is_some_and(|at| now.since(at) <= AMBIGUOUS_FOR)
                    || namesakes().any(|other| {
                        other.last_heard > entry.first_heard && entry.last_heard > other.first_heard
                    }),
                superseded: namesakes().any(|other| other.first_heard > entry.last_heard),
                workers: entry.workers,
                holds: entry.holds,
                pattern: entry.pattern,
                topics: entry
                    .topics
                    .iter()
                    .map(|(topic, stream)| TopicStream {
                        topic: topic.clone(),
                        running: stream.running.clone(),
                        paused: stream.paused.clone(),
                        heard: stream.heard,
                        offset: stream.offset,
                    })
                    .collect(),
                first_heard: entry.first_heard,
                last_heard: entry.last_heard,
            }
        })
        .collect()
}
