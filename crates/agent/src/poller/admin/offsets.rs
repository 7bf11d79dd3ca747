//! Sets the offsets of owned partitions: their gates shut, what is in flight ends, the targets are asked for,
//! committed with the group's generation, and the client goes on from there. A partition whose handler does not end
//! in time, that is taken away meanwhile, or that has no such offset is left as it is, and named.

use std::sync::Arc;
use std::time::Duration;

use flowdeck_model::{InstanceState, TopicName};
use flowdeck_protocol::wire::{MovedOffset, SetOffset};
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer as _};
use rdkafka::error::{KafkaError, KafkaResult};
use rdkafka::{Offset, TopicPartitionList};
use tracing::warn;

use crate::admin::{OffsetTarget, Outcome};
use crate::context::{Callbacks, offsets};
use crate::lanes::AssignedPartition;
use crate::record::TopicPartition;
use crate::shared::Shared;

/// For one request to Kafka. A rebalance waits for it.
const REQUEST: Duration = Duration::from_secs(5);
/// Partitions that an answer names one by one.
const NAMED: usize = 10;

pub(super) struct Setting {
    partitions: Vec<AssignedPartition>,
    to: OffsetTarget,
}

pub(super) struct Set {
    pub(super) outcome: Outcome,
    /// The client goes on from what was committed. If not, it must read its commits again.
    pub(super) positions_follow: bool,
}

type Targets = Vec<(TopicPartition, i64)>;

impl Setting {
    pub(super) fn begin(shared: &Shared, topics: &[TopicName], to: OffsetTarget) -> Self {
        let chosen = |at: &TopicPartition| match &to {
            OffsetTarget::Exact(all) => find(all, at).is_some(),
            _ => topics.is_empty() || topics.contains(&at.topic),
        };
        let partitions = shared.lock().lanes.begin_offsets(chosen);
        Self { partitions, to }
    }

    /// `None` while handlers run, unless it is late.
    pub(super) fn outcome(
        &self,
        shared: &Arc<Shared>,
        consumer: &BaseConsumer<Callbacks>,
        late: bool,
    ) -> Option<Set> {
        let (ready, left) = self.ready(shared);
        if left.waits() && !late {
            return None;
        }
        let set = self.set(shared, consumer, &ready, left);
        // Else the gates stay shut until the partitions are given back: what the client would give is not what
        // the commits say.
        if set.positions_follow {
            shared.change(|state| state.lanes.end_offsets(&self.partitions));
        }
        shared.tell();
        Some(set)
    }

    /// Partitions that are still owned and of which nothing is in flight, and the others.
    fn ready(&self, shared: &Shared) -> (Vec<TopicPartition>, Left) {
        let (mut ready, mut left) = (vec![], Left::default());
        let state = shared.lock();
        for partition in &self.partitions {
            let at = &partition.0;
            if !state.lanes.is_assigned(partition) {
                left.0.push((at.clone(), "taken away meanwhile"));
            } else if state.lanes.any_in_flight(std::slice::from_ref(at)) {
                left.0.push((at.clone(), IN_FLIGHT));
            } else {
                ready.push(at.clone());
            }
        }
        (ready, left)
    }

    fn set(
        &self,
        shared: &Shared,
        consumer: &BaseConsumer<Callbacks>,
        ready: &[TopicPartition],
        mut left: Left,
    ) -> Set {
        let mut moved = vec![];
        let targets = match self.targets(consumer, ready, &mut left, &mut moved) {
            Ok(targets) if targets.is_empty() => return set(left.outcome(vec![], vec![])),
            Ok(targets) => targets,
            Err(error) => return set(refused("the offsets could not be asked for", &error)),
        };
        if let Err(error) = consumer.commit(&offsets(&targets), CommitMode::Sync) {
            return set(refused("the group did not take the commit; no offset was changed", &error));
        }
        let sought = seek(consumer, &targets);
        if let Err(error) = &sought {
            let group = &shared.settings.group;
            warn!(group.id = %group, %error, "positions could not be set; reading the commits again");
        }
        shared.change(|state| targets.iter().for_each(|(at, next)| state.lanes.offset_set(at, *next)));
        let partitions =
            if moved.is_empty() { targets.into_iter().map(|(at, _)| at).collect() } else { vec![] };
        Set { outcome: left.outcome(partitions, moved), positions_follow: sought.is_ok() }
    }

    fn targets(
        &self,
        consumer: &BaseConsumer<Callbacks>,
        ready: &[TopicPartition],
        left: &mut Left,
        moved: &mut Vec<MovedOffset>,
    ) -> KafkaResult<Targets> {
        if ready.is_empty() {
            return Ok(vec![]);
        }
        let asked = match &self.to {
            OffsetTarget::Exact(all) => return exact(consumer, ready, all, left, moved),
            OffsetTarget::Beginning => Offset::Beginning,
            // Before 1970 lies no record, and -1 and -2 have other meanings.
            OffsetTarget::Time(time) => Offset::Offset(time.millis().max(0)),
        };
        let mut list = TopicPartitionList::with_capacity(ready.len());
        for at in ready {
            list.add_partition_offset(at.topic.as_str(), at.partition.get(), asked)?;
        }
        let found = consumer.offsets_for_times(list, REQUEST)?;
        let mut targets = vec![];
        for at in ready {
            let element = found.find_partition(at.topic.as_str(), at.partition.get());
            match element.map(|element| (element.error(), element.offset())) {
                Some((Ok(()), Offset::Offset(next))) => targets.push((at.clone(), next)),
                Some((Ok(()), Offset::End)) => left.0.push((at.clone(), "no record at or after that time")),
                _ => left.0.push((at.clone(), "Kafka did not tell its offset")),
            }
        }
        Ok(targets)
    }
}

fn find<'a>(all: &'a [SetOffset], at: &TopicPartition) -> Option<&'a SetOffset> {
    all.iter().find(|one| one.topic == at.topic && one.partition == at.partition)
}

/// The targets that are given, of partitions whose commit is what it was, where that is asked for.
fn exact(
    consumer: &BaseConsumer<Callbacks>,
    ready: &[TopicPartition],
    all: &[SetOffset],
    left: &mut Left,
    moved: &mut Vec<MovedOffset>,
) -> KafkaResult<Targets> {
    let mut list = TopicPartitionList::with_capacity(ready.len());
    for at in ready {
        list.add_partition(at.topic.as_str(), at.partition.get());
    }
    let committed = consumer.committed_offsets(list, REQUEST)?;
    let mut targets = vec![];
    for at in ready {
        let Some(asked) = find(all, at) else { continue };
        let element = committed.find_partition(at.topic.as_str(), at.partition.get());
        let from = match element.map(|element| (element.error(), element.offset())) {
            Some((Ok(()), Offset::Offset(offset))) => Some(offset),
            Some((Ok(()), Offset::Invalid)) => None,
            _ => {
                left.0.push((at.clone(), "Kafka did not tell its commit"));
                continue;
            }
        };
        if asked.from.is_some() && asked.from != from {
            left.0.push((at.clone(), "its commit is not what it was in the preview"));
            continue;
        }
        targets.push((at.clone(), asked.to));
        let (topic, partition) = (at.topic.clone(), at.partition);
        moved.push(MovedOffset { topic, partition, from, to: asked.to });
    }
    Ok(targets)
}

fn set(outcome: Outcome) -> Set {
    Set { outcome, positions_follow: true }
}

fn refused(what: &str, error: &KafkaError) -> Outcome {
    Outcome::refused(format!("{what}: {error}"))
}

fn seek(consumer: &BaseConsumer<Callbacks>, targets: &Targets) -> KafkaResult<()> {
    let sought = consumer.seek_partitions(offsets(targets), REQUEST)?;
    sought.elements().iter().try_for_each(|element| element.error())
}

const IN_FLIGHT: &str = "its handler did not end in time";

/// Partitions that are left as they are, each with why.
#[derive(Default)]
struct Left(Vec<(TopicPartition, &'static str)>);

impl Left {
    fn waits(&self) -> bool {
        self.0.iter().any(|(_, why)| *why == IN_FLIGHT)
    }

    fn outcome(self, set: Vec<TopicPartition>, moved: Vec<MovedOffset>) -> Outcome {
        let state = match (set.is_empty() && moved.is_empty(), self.0.is_empty()) {
            (false, _) => InstanceState::Acknowledged,
            (true, true) => InstanceState::NothingToDo,
            (true, false) => InstanceState::Refused,
        };
        Outcome { state, partitions: set, moved, detail: self.words() }
    }

    fn words(&self) -> Option<String> {
        let name = |(at, why): &(TopicPartition, &str)| format!("{}[{}] ({why})", at.topic, at.partition);
        let names: Vec<String> = self.0.iter().take(NAMED).map(name).collect();
        let more = self.0.len().saturating_sub(NAMED);
        let others = if more > 0 { format!(" and {more} others") } else { String::new() };
        (!names.is_empty()).then(|| format!("left as they are: {}{others}", names.join(", ")))
    }
}
