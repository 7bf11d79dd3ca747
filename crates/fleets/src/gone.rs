//! A group whose members are gone: it read a little, committed, and never came back.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer as _};
use rdkafka::error::KafkaResult;
use rdkafka::{Offset, TopicPartitionList};
use tokio_util::sync::CancellationToken;
use tracing::{debug, info};

use crate::cluster::Cluster;
use crate::plan::Plan;

const RECORDS: usize = 5;
const LIMIT: Duration = Duration::from_secs(60);

pub async fn run(cluster: &Cluster, plan: &Plan, stop: CancellationToken) -> Result<()> {
    let config = {
        let mut config = cluster.consumer();
        config
            .set("group.id", plan.royalty_report())
            .set("client.id", "royalty-report")
            .set("enable.auto.commit", "false");
        config
    };
    let (group, topic) = (plan.royalty_report(), plan.audio_events());
    let visit = tokio::task::spawn_blocking(move || -> Result<()> {
        let consumer: BaseConsumer = config.create().context("make the consumer that leaves")?;
        if has_commits(&consumer, &topic) {
            debug!(group, "was here before");
            return Ok(());
        }
        consumer.subscribe(&[&topic]).context("subscribe the consumer that leaves")?;
        let (mut read, start) = (0, Instant::now());
        while read < RECORDS && start.elapsed() < LIMIT && !stop.is_cancelled() {
            if let Some(Ok(_)) = consumer.poll(Duration::from_millis(100)) {
                read += 1;
            }
        }
        if read > 0 {
            let offsets = reached(&consumer, &topic).context("ask how far it read")?;
            consumer.commit(&offsets, CommitMode::Sync).context("commit before leaving")?;
            info!(group, read, "committed and left");
        }
        Ok(())
    });
    visit.await.context("run the consumer that leaves")?
}

fn has_commits(consumer: &BaseConsumer, topic: &str) -> bool {
    let mut list = TopicPartitionList::new();
    list.add_partition_range(topic, 0, 2);
    consumer
        .committed_offsets(list, Duration::from_secs(10))
        .is_ok_and(|list| list.elements().iter().any(|one| matches!(one.offset(), Offset::Offset(_))))
}

/// How far it read each partition; the beginning where it read nothing.
fn reached(consumer: &BaseConsumer, topic: &str) -> KafkaResult<TopicPartitionList> {
    let mut offsets = TopicPartitionList::new();
    for element in consumer.position()?.elements_for_topic(topic) {
        let (partition, offset) = (element.partition(), element.offset());
        let offset = match offset {
            Offset::Offset(_) => offset,
            _ => Offset::Offset(consumer.fetch_watermarks(topic, partition, Duration::from_secs(10))?.0),
        };
        offsets.add_partition_offset(topic, partition, offset)?;
    }
    Ok(offsets)
}
