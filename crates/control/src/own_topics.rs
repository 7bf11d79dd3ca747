//! Flowdeck's own topics as they are created where they are missing.

use std::collections::BTreeMap;

use flowdeck_kafka::NewTopic;
use flowdeck_model::TopicName;

use flowdeck_observe::ClusterSettings;

const DAY_MILLIS: &str = "86400000";
const DAYS_7_MILLIS: &str = "604800000";
const DAYS_90_MILLIS: &str = "7776000000";

pub(crate) fn wanted(settings: &ClusterSettings, brokers: usize) -> Vec<NewTopic> {
    vec![
        topic(&settings.holds_topic, brokers, &[("cleanup.policy", "compact")]),
        topic(&settings.acks_topic, brokers, &[("cleanup.policy", "delete"), ("retention.ms", DAY_MILLIS)]),
        topic(
            &settings.audit_topic,
            brokers,
            &[("cleanup.policy", "delete"), ("retention.ms", DAYS_90_MILLIS)],
        ),
        topic(
            &settings.samples_topic,
            brokers,
            &[("cleanup.policy", "delete"), ("retention.ms", DAYS_7_MILLIS)],
        ),
    ]
}

/// Made with the first re-drive.
pub(crate) fn ledger(settings: &ClusterSettings, brokers: usize) -> NewTopic {
    topic(&settings.ledger_topic, brokers, &[("cleanup.policy", "compact")])
}

fn topic(name: &TopicName, brokers: usize, configs: &[(&str, &str)]) -> NewTopic {
    let replication = brokers.clamp(1, 3);
    let mut configs: BTreeMap<String, String> =
        configs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    // With two replicas, two in sync would stop writing at the loss of one.
    let in_sync = if replication == 3 { "2" } else { "1" };
    configs.insert("min.insync.replicas".to_owned(), in_sync.to_owned());
    NewTopic { name: name.clone(), partitions: 1, replication: replication as i16, configs }
}

#[cfg(test)]
mod tests {
    use super::*;
    use flowdeck_kafka::ClusterConfig;

    #[test]
    fn as_many_replicas_as_there_are_brokers_up_to_three() {
        let settings = ClusterSettings::new("demo".parse().unwrap(), ClusterConfig::new("localhost:1"));
        for (brokers, replication, in_sync) in
            [(0, 1, "1"), (1, 1, "1"), (2, 2, "1"), (3, 3, "2"), (9, 3, "2")]
        {
            for topic in wanted(&settings, brokers) {
                assert_eq!((topic.partitions, topic.replication), (1, replication));
                assert_eq!(topic.configs["min.insync.replicas"], in_sync);
            }
        }
    }
}
