//! The topics to which copies go: whether they are there, allowed, and who reads them.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use flowdeck_kafka::{Cluster, Deadline, Metadata};
use flowdeck_model::actor::Pattern;
use flowdeck_model::redrive::NotCopied;
use flowdeck_model::{GroupId, Partition, TopicName};
use flowdeck_observe::ClusterSettings;
use flowdeck_observe::sampling::sample::Sample;

use super::copy::Copy;

const TIME: Duration = Duration::from_secs(5);
/// Topics of which configuration is asked for; more are unusual, and their brokers still refuse what is too large.
const CONFIGS_MAX: usize = 100;

pub(super) struct Targets {
    cluster: Cluster,
    settings: Arc<ClusterSettings>,
    metadata: Arc<Metadata>,
    sample: Arc<Sample>,
    /// The topics to which whoever asked may re-drive.
    allowed: Vec<Pattern>,
    /// The dead-letter topic: never a target.
    letters: TopicName,
    known: HashMap<TopicName, Result<Target, NotCopied>>,
}

#[derive(Debug, Clone)]
pub(super) struct Target {
    partitions: usize,
    /// Bytes of a record.
    max_bytes: Option<usize>,
    /// Groups that read it.
    pub(super) readers: Vec<GroupId>,
}

impl Target {
    /// It has readers other than the group that failed.
    pub(super) fn has_others(&self, failed: Option<&GroupId>) -> bool {
        self.readers.iter().any(|group| Some(group) != failed)
    }
}

impl Targets {
    pub(super) async fn new(
        cluster: Cluster,
        settings: Arc<ClusterSettings>,
        sample: Arc<Sample>,
        allowed: Vec<Pattern>,
        letters: TopicName,
    ) -> Result<Self, String> {
        let metadata = cluster.metadata(Deadline::after(TIME)).await.map_err(|error| error.with_cause())?;
        Ok(Self { cluster, settings, metadata, sample, allowed, letters, known: HashMap::new() })
    }

    pub(super) fn metadata(&self) -> &Metadata {
        &self.metadata
    }

    /// Where the copy goes, with its partition made one that is there; or why it does not.
    pub(super) async fn check(&mut self, copy: &mut Copy, other_groups: bool) -> Result<Target, NotCopied> {
        let topic = copy.record.topic.clone();
        if !self.known.contains_key(&topic) {
            let found = self.look(&topic).await;
            self.known.insert(topic.clone(), found);
        }
        let target = self.known.get(&topic).cloned().unwrap_or(Err(NotCopied::TargetMissing))?;
        let is_there =
            |partition: &Partition| usize::try_from(partition.get()).is_ok_and(|at| at < target.partitions);
        copy.record.partition = copy.record.partition.filter(is_there);
        if target.max_bytes.is_some_and(|most| copy.size() > most) {
            return Err(NotCopied::TooLarge);
        }
        if !other_groups && target.has_others(copy.failed.as_ref()) {
            return Err(NotCopied::OtherGroups);
        }
        Ok(target)
    }

    /// Of a target that was refused when it was written to.
    pub(super) fn refuse(&mut self, topic: &TopicName, why: NotCopied) {
        self.known.insert(topic.clone(), Err(why));
    }

    async fn look(&self, topic: &TopicName) -> Result<Target, NotCopied> {
        if !is_allowed(&self.settings, &self.allowed, &self.letters, topic) {
            return Err(NotCopied::TargetNotAllowed);
        }
        let there = self.metadata.topic(topic).filter(|there| there.error.is_none());
        let there = there.ok_or(NotCopied::TargetMissing)?;
        let max_bytes = match self.known.len() < CONFIGS_MAX {
            true => self.max_bytes(topic).await,
            false => None,
        };
        Ok(Target { partitions: there.partitions.len(), max_bytes, readers: readers(&self.sample, topic) })
    }

    /// `None`: it may not be read; the broker refuses what is too large.
    async fn max_bytes(&self, topic: &TopicName) -> Option<usize> {
        let config = self.cluster.topic_config(topic, Deadline::after(TIME)).await.ok()?;
        config.get("max.message.bytes")?.value.as_ref()?.parse().ok()
    }
}

pub(super) fn readers(sample: &Sample, topic: &TopicName) -> Vec<GroupId> {
    sample.groups.iter().filter(|group| group.reads(topic)).map(|group| group.id.clone()).collect()
}

/// Kafka's, Flowdeck's and KafkaFlow's own topics are never one, whoever asks.
pub(super) fn is_allowed(
    settings: &ClusterSettings,
    allowed: &[Pattern],
    letters: &TopicName,
    topic: &TopicName,
) -> bool {
    topic != letters
        && !topic.as_str().starts_with("__")
        && !settings.is_own_topic(topic)
        && allowed.iter().any(|pattern| pattern.matches(topic.as_str()))
}

#[cfg(test)]
mod tests {
    use flowdeck_kafka::ClusterConfig;

    use super::*;

    #[test]
    fn own_topics_are_never_a_target() {
        let settings = ClusterSettings::new("demo".parse().unwrap(), ClusterConfig::new("localhost:1"));
        let letters: TopicName = "orders.dlq".parse().unwrap();
        for (topic, allowed, want) in [
            ("orders", "*", true),
            ("orders", "orders*", true),
            ("orders", "invoices*", false),
            ("orders.dlq", "*", false),
            ("__consumer_offsets", "*", false),
            ("flowdeck.holds", "*", false),
            ("flowdeck.ledger", "*", false),
            ("kafkaflow.admin", "*", false),
        ] {
            let allowed = [Pattern::new(allowed)];
            assert_eq!(is_allowed(&settings, &allowed, &letters, &topic.parse().unwrap()), want, "{topic}");
        }
        assert!(!is_allowed(&settings, &[], &letters, &"orders".parse().unwrap()));
    }
}
