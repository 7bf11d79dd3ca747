//! Where the commits of a consumer are, and where a reset or rewind moves them: asked of Kafka just before it is sent,
//! and for its preview.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use flowdeck_kafka::{Cluster, Deadline, Topic};
use flowdeck_model::view::{OffsetChange, OffsetTarget};
use flowdeck_model::{ConsumerName, GroupId, Partition, PortError, Submit, Timestamp, TopicName};
use flowdeck_observe::telemetry::ConsumerTelemetry;

use super::plan::{Facts, nothing_assigned};

/// Partitions of one command. Beyond these, some of the topics have to be named.
const PARTITIONS_MAX: usize = 2_000;

#[derive(Debug, Clone)]
pub(crate) struct Lookup {
    group: GroupId,
    /// The first record at or after this time.
    time: Timestamp,
    places: Vec<Place>,
}

#[derive(Debug, Clone)]
struct Place {
    topic: Topic,
    partition: Partition,
    /// An instance that listens has it, and will move its commit.
    assigned: bool,
}

impl Lookup {
    /// All partitions of the topics that the consumer reads, or of those that are named. Refused where no instance that
    /// listens has any of them.
    pub(crate) fn new(
        submit: &Submit,
        consumer: &ConsumerTelemetry,
        time: Timestamp,
        facts: &Facts<'_>,
    ) -> Result<Self, PortError> {
        let target = &submit.target;
        let owned = assigned(consumer, facts);
        let mut topics: BTreeSet<&TopicName> = consumer
            .instances
            .iter()
            .flat_map(|instance| &instance.topics)
            .map(|stream| &stream.topic)
            .filter(|topic| target.names(topic))
            .collect();
        topics.extend(owned.keys().filter(|topic| target.names(topic)));
        if let Some(missing) = target.topics.iter().find(|topic| !topics.contains(topic)) {
            return Err(PortError::Unprocessable { detail: unread(&consumer.name, missing) });
        }
        let mut places = Vec::new();
        for topic in topics {
            let shared: Topic = Arc::new(topic.clone());
            let own = owned.get(topic);
            let mut all: BTreeSet<Partition> = own.into_iter().flatten().copied().collect();
            let listed = facts.metadata.and_then(|metadata| metadata.topic(topic));
            all.extend(listed.into_iter().flat_map(|topic| &topic.partitions).map(|one| one.partition));
            places.extend(all.into_iter().map(|partition| Place {
                topic: Arc::clone(&shared),
                partition,
                assigned: own.is_some_and(|own| own.contains(&partition)),
            }));
        }
        if places.len() > PARTITIONS_MAX {
            let detail = format!(
                "{} partitions are more than {PARTITIONS_MAX}: name some of the topics",
                places.len()
            );
            return Err(PortError::Unprocessable { detail });
        }
        if !places.iter().any(|place| place.assigned) {
            return Err(nothing_assigned(&submit.target));
        }
        Ok(Self { group: submit.target.group.clone(), time, places })
    }

    /// What does not come in time is the reason why it cannot be sent.
    pub(crate) async fn run(
        &self,
        cluster: &Cluster,
        deadline: Deadline,
    ) -> Result<Vec<OffsetChange>, String> {
        let changes = self.look(cluster, deadline).await?;
        let unknown = changes.iter().find(|change| change.to == OffsetTarget::Unknown);
        match unknown {
            Some(one) => Err(format!(
                "Kafka did not tell which record of {} partition {} is the first at or after {}",
                one.topic, one.partition, self.time
            )),
            None => Ok(changes),
        }
    }

    /// The same, where it is shown: what did not come is `Unknown`.
    pub(crate) async fn look(
        &self,
        cluster: &Cluster,
        deadline: Deadline,
    ) -> Result<Vec<OffsetChange>, String> {
        let committed = self.committed(cluster, deadline).await?;
        let wanted: Vec<(Topic, Partition)> = self
            .places
            .iter()
            .filter(|place| place.assigned)
            .map(|place| (Arc::clone(&place.topic), place.partition))
            .collect();
        let spec = flowdeck_kafka::OffsetSpec::At(self.time);
        let mut found = cluster.offsets(&wanted, spec, deadline).await.into_iter();
        let changes = self.places.iter().map(|place| OffsetChange {
            topic: place.topic.as_ref().clone(),
            partition: place.partition,
            from: committed.get(&(place.topic.as_ref().clone(), place.partition)).copied(),
            to: match place.assigned.then(|| found.next()) {
                None => OffsetTarget::Unassigned,
                Some(Some(Ok(offset))) if offset >= 0 => OffsetTarget::Offset(offset),
                Some(Some(Ok(_))) => OffsetTarget::NoRecord,
                Some(_) => OffsetTarget::Unknown,
            },
        });
        Ok(changes.collect())
    }

    async fn committed(
        &self,
        cluster: &Cluster,
        deadline: Deadline,
    ) -> Result<HashMap<(TopicName, Partition), i64>, String> {
        let mut rows = Err("Kafka did not tell the group's committed offsets in time".to_owned());
        cluster
            .committed(std::slice::from_ref(&self.group), 1, deadline, |_, answer| {
                rows = answer.map_err(|cause| format!("the group's committed offsets: {cause}"));
            })
            .await;
        let known = rows?.into_iter().filter_map(|row| {
            let offset = row.offset().ok()??;
            Some(((row.topic.as_ref().clone(), row.partition), offset))
        });
        Ok(known.collect())
    }
}

/// By topic, what the instances that listen own. Of a pattern's topics telemetry tells no partitions, so there
/// Kafka's list of members counts.
fn assigned(consumer: &ConsumerTelemetry, facts: &Facts<'_>) -> BTreeMap<TopicName, BTreeSet<Partition>> {
    let mut owned: BTreeMap<TopicName, BTreeSet<Partition>> = BTreeMap::new();
    let listening =
        || consumer.instances.iter().filter(|one| one.heard_within(facts.now, facts.heard_within));
    for stream in listening().flat_map(|instance| &instance.topics) {
        let partitions = stream.running.iter().chain(&stream.paused);
        owned.entry(stream.topic.clone()).or_default().extend(partitions);
    }
    if listening().any(|instance| instance.pattern.is_some()) {
        let members = facts.group.and_then(|group| group.members.as_deref()).unwrap_or_default();
        for (topic, partition) in members.iter().flat_map(|member| &member.assignment) {
            owned.entry(topic.as_ref().clone()).or_default().insert(*partition);
        }
    }
    owned
}

fn unread(consumer: &ConsumerName, topic: &TopicName) -> String {
    format!("telemetry does not show that consumer {} reads {topic}", consumer.shown())
}
