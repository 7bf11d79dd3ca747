//! Creates the topics of the plan that are not there yet.

use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::RDKafkaErrorCode;
use tracing::info;

use crate::cluster::Cluster;
use crate::plan::Plan;

const LIMIT: Duration = Duration::from_secs(10);

/// As NovaTune starts: 30 attempts, 2 s apart.
const ATTEMPTS: u32 = 30;
const APART: Duration = Duration::from_secs(2);

/// Tries until the cluster answers, as long as NovaTune does.
pub async fn create_with_patience(cluster: &Cluster, plan: &Plan) -> Result<()> {
    let mut attempt = 1;
    loop {
        match create(cluster, plan).await {
            Err(error) if attempt < ATTEMPTS => info!(attempt, "Kafka is not ready: {error:#}"),
            result => return result,
        }
        attempt += 1;
        tokio::time::sleep(APART).await;
    }
}

pub async fn create(cluster: &Cluster, plan: &Plan) -> Result<()> {
    let client = cluster.client();
    let brokers = tokio::task::spawn_blocking(move || -> Result<usize> {
        let client: BaseConsumer = client.create().context("make a client")?;
        Ok(client.fetch_metadata(None, LIMIT).context("ask for the cluster's metadata")?.brokers().len())
    })
    .await
    .context("ask for the cluster's metadata")??;
    let replication = i32::try_from(brokers.clamp(1, 3)).unwrap_or(1);

    let topics = plan.topics();
    let settings: Vec<_> = topics
        .iter()
        .map(|topic| (topic.retention_bytes.to_string(), topic.retention_ms.to_string()))
        .collect();
    let new: Vec<NewTopic<'_>> = topics
        .iter()
        .zip(&settings)
        .map(|(topic, (bytes, ms))| {
            NewTopic::new(&topic.name, topic.partitions, TopicReplication::Fixed(replication))
                .set("retention.bytes", bytes)
                .set("retention.ms", ms)
                // A segment is deleted as a whole: keep them small enough for the retention to bite.
                .set("segment.bytes", "4194304")
        })
        .collect();
    let admin: AdminClient<DefaultClientContext> =
        cluster.client().create().context("make an admin client")?;
    let options = AdminOptions::new().request_timeout(Some(LIMIT)).operation_timeout(Some(LIMIT));
    for result in admin.create_topics(&new, &options).await.context("create topics")? {
        match result {
            Ok(topic) => info!(topic, "created"),
            Err((_, RDKafkaErrorCode::TopicAlreadyExists)) => {}
            Err((topic, code)) => bail!("topic {topic} was not created: {code}"),
        }
    }
    Ok(())
}
