//! Brokers, from the metadata of the last refresh: what each leads and keeps, and which partitions are in trouble.

use std::collections::BTreeMap;

use flowdeck_kafka::{Capabilities, Capability, Metadata, PartitionMetadata};
use flowdeck_model::view::brokers::{
    BrokerRow, BrokersView, CapabilityRow, Offered, TROUBLED_MAX, TroubledPartition,
};
use flowdeck_model::{TopicName, Version};

use crate::clock;
use crate::snapshot::ClusterSnapshot;

pub(super) fn view(
    version: Version,
    cluster: &ClusterSnapshot,
    capabilities: Option<&Capabilities>,
) -> BrokersView {
    let metadata = cluster.sample.metadata.as_deref();
    let health = metadata.map(Health::of).unwrap_or_default();
    let mut notes = Vec::new();
    if capabilities.is_none() {
        notes.push("What the cluster offers was not read: it did not answer in time.".to_owned());
    }
    BrokersView {
        version,
        now: clock::now(),
        cluster_info: cluster.view.clone(),
        as_of: cluster.sample.metadata_at,
        cluster_id: metadata.and_then(|metadata| metadata.cluster_id.clone()),
        brokers: metadata.map(|metadata| rows(metadata, &cluster.sample.racks)).unwrap_or_default(),
        partitions: health.partitions,
        offline_partitions: health.offline,
        under_replicated_partitions: health.under_replicated,
        troubled: metadata.map(troubled).unwrap_or_default(),
        capabilities: capabilities.map(found).unwrap_or_default(),
        notes,
    }
}

/// Of all partitions of a cluster.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Health {
    pub partitions: u32,
    pub offline: u32,
    pub under_replicated: u32,
}

impl Health {
    pub fn of(metadata: &Metadata) -> Self {
        let mut health = Self::default();
        for (_, partition) in partitions(metadata) {
            health.partitions += 1;
            health.offline += u32::from(partition.leader.is_none());
            health.under_replicated += u32::from(is_under_replicated(partition));
        }
        health
    }
}

fn partitions(metadata: &Metadata) -> impl Iterator<Item = (&TopicName, &PartitionMetadata)> {
    metadata.topics.iter().flat_map(|topic| topic.partitions.iter().map(|one| (topic.name.as_ref(), one)))
}

fn is_under_replicated(partition: &PartitionMetadata) -> bool {
    partition.isr.len() < partition.replicas.len()
}

fn rows(metadata: &Metadata, racks: &BTreeMap<i32, String>) -> Vec<BrokerRow> {
    let row = |id, address: Option<String>| BrokerRow {
        id,
        address,
        rack: racks.get(&id).cloned(),
        leaders: 0,
        preferred_leaders: 0,
        replicas: 0,
        out_of_sync: 0,
    };
    let listed = metadata.brokers.iter();
    let mut rows: BTreeMap<i32, BrokerRow> =
        listed.map(|one| (one.id, row(one.id, Some(format!("{}:{}", one.host, one.port))))).collect();
    for (_, partition) in partitions(metadata) {
        let mut of = |id: i32, count: fn(&mut BrokerRow)| {
            count(rows.entry(id).or_insert_with(|| row(id, None)));
        };
        if let Some(leader) = partition.leader {
            of(leader, |row| row.leaders += 1);
        }
        if let Some(first) = partition.replicas.first() {
            of(*first, |row| row.preferred_leaders += 1);
        }
        for id in &partition.replicas {
            of(*id, |row| row.replicas += 1);
            if !partition.isr.contains(id) {
                of(*id, |row| row.out_of_sync += 1);
            }
        }
    }
    rows.into_values().collect()
}

/// Offline ones first, each kind by name.
fn troubled(metadata: &Metadata) -> Vec<TroubledPartition> {
    let offline = partitions(metadata).filter(|(_, one)| one.leader.is_none());
    let others = partitions(metadata).filter(|(_, one)| one.leader.is_some() && is_under_replicated(one));
    offline
        .chain(others)
        .take(TROUBLED_MAX)
        .map(|(topic, one)| TroubledPartition {
            topic: topic.clone(),
            partition: one.partition,
            leader: one.leader,
            replicas: one.replicas.clone(),
            in_sync: one.isr.clone(),
        })
        .collect()
}

fn found(capabilities: &Capabilities) -> Vec<CapabilityRow> {
    let rows = capabilities.rows().into_iter().map(|(name, found)| {
        let (offered, why) = match found {
            Capability::Yes => (Offered::Yes, None),
            Capability::No(why) => (Offered::No, Some(why.clone())),
            Capability::NotPermitted(acl) => (Offered::NotPermitted, Some(acl.to_string())),
            Capability::Unknown(why) => (Offered::Unknown, Some(why.clone())),
        };
        CapabilityRow { name: name.to_owned(), offered, why }
    });
    rows.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use flowdeck_kafka::{Broker, TopicMetadata};
    use flowdeck_model::Partition;
    use std::sync::Arc;

    fn partition(number: i32, leader: Option<i32>, replicas: &[i32], isr: &[i32]) -> PartitionMetadata {
        PartitionMetadata {
            partition: Partition::new(number).unwrap(),
            leader,
            replicas: replicas.to_vec(),
            isr: isr.to_vec(),
            error: None,
        }
    }

    /// Three brokers, of which the third is not listed any more.
    fn metadata() -> Metadata {
        let topic = |name: &str, partitions| TopicMetadata {
            name: Arc::new(name.parse().unwrap()),
            partitions,
            error: None,
        };
        let broker = |id| Broker { id, host: format!("b{id}"), port: 9092 };
        Metadata {
            cluster_id: Some("c".into()),
            controller: Some(1),
            brokers: vec![broker(1), broker(2)],
            topics: vec![
                topic(
                    "a",
                    vec![partition(0, Some(1), &[1, 2], &[2, 1]), partition(1, Some(2), &[3, 2], &[2])],
                ),
                topic("b", vec![partition(0, None, &[3], &[])]),
            ],
        }
    }

    #[test]
    fn brokers_have_what_they_lead_and_keep() {
        let rows = rows(&metadata(), &BTreeMap::from([(2, "eu-1b".to_owned())]));
        let seen: Vec<_> = rows
            .iter()
            .map(|row| (row.id, row.leaders, row.preferred_leaders, row.replicas, row.out_of_sync))
            .collect();
        assert_eq!(seen, [(1, 1, 1, 1, 0), (2, 1, 0, 2, 0), (3, 0, 2, 2, 2)]);
        assert_eq!(rows[1].address.as_deref(), Some("b2:9092"));
        assert_eq!((rows[0].rack.as_deref(), rows[1].rack.as_deref()), (None, Some("eu-1b")));
        assert_eq!(rows[2].address, None, "a broker that has replicas and is not listed is down");
    }

    #[test]
    fn partitions_in_trouble_are_counted_and_named() {
        let health = Health::of(&metadata());
        assert_eq!(health, Health { partitions: 3, offline: 1, under_replicated: 2 });
        let named: Vec<_> =
            troubled(&metadata()).iter().map(|one| format!("{}-{}", one.topic, one.partition)).collect();
        assert_eq!(named, ["b-0", "a-1"], "offline first");
    }
}
