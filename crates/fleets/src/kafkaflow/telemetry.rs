//! KafkaFlow's TelemetryScheduler: one record for each subscribed topic, at once and then every
//! 5 s.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result};
use flowdeck_model::{Partition, Timestamp};
use flowdeck_protocol::Record;
use flowdeck_protocol::kafkaflow::{Telemetry, TelemetryTopic, telemetry_record};
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{FutureProducer, FutureRecord, Producer};
use tokio_util::sync::CancellationToken;

use super::Options;
use super::consumer::Consumer;

const TIMEOUT: Duration = Duration::from_secs(4);

pub(super) async fn report(options: Options, consumer: Arc<Consumer>, end: CancellationToken) {
    let producer: FutureProducer = match options.cluster.client().set("linger.ms", "0").create() {
        Ok(producer) => producer,
        Err(error) => return tracing::error!(%error, "no telemetry: the producer was not created"),
    };
    let mut ticks = tokio::time::interval(Duration::from_millis(options.telemetry_ms.max(1)));
    while end.run_until_cancelled(ticks.tick()).await.is_some() {
        let sent = end.run_until_cancelled(send(&options, &consumer, &producer)).await;
        if let Some(Err(error)) = sent {
            tracing::warn!("Error producing telemetry data: {error:#}");
        }
    }
}

async fn send(options: &Options, consumer: &Arc<Consumer>, producer: &FutureProducer) -> Result<()> {
    let records = tokio::task::spawn_blocking({
        let (options, consumer, producer) = (options.clone(), consumer.clone(), producer.clone());
        move || records(&options, &consumer, &producer)
    });
    for record in records.await.context("gathering")?? {
        let mut headers = OwnedHeaders::new();
        for (key, value) in &record.headers {
            headers = headers.insert(Header { key, value: Some(value) });
        }
        let payload = record.value.as_deref().unwrap_or_default();
        let record = FutureRecord::to(options.telemetry_topic())
            .partition(options.telemetry_partition)
            .key(&record.key)
            .payload(payload)
            .headers(headers);
        producer.send(record, TIMEOUT).await.map_err(|(error, _)| error).context("sending")?;
    }
    Ok(())
}

/// Blocks on the broker. Nothing is sent to a topic that is not there: sending would create it.
fn records(options: &Options, consumer: &Consumer, producer: &FutureProducer) -> Result<Vec<Record>> {
    let known = producer.client().fetch_metadata(None, TIMEOUT).context("listing the topics")?;
    let topic = options.telemetry_topic();
    anyhow::ensure!(known.topics().iter().any(|one| one.name() == topic), "there is no topic {topic}");
    options.topics.iter().map(|topic| Ok(record(consumer, topic, telemetry_topic(topic)?))).collect()
}

fn telemetry_topic(topic: &str) -> Result<TelemetryTopic> {
    match topic.starts_with('^') {
        true => Ok(TelemetryTopic::Pattern(topic.to_owned())),
        false => Ok(TelemetryTopic::Name(topic.parse()?)),
    }
}

fn record(consumer: &Consumer, topic: &str, reported: TelemetryTopic) -> Record {
    let lag = consumer.lag(topic);
    let identity = consumer.identity();
    let flow = consumer.flow();
    let telemetry = Telemetry {
        group: identity.group.clone(),
        consumer: identity.consumer.clone(),
        topic: reported,
        instance: identity.instance.clone(),
        running: partitions(flow.running_of(topic)),
        paused: partitions(flow.paused_of(topic)),
        sent_at: Timestamp::from_system(SystemTime::now()).into(),
        workers: i32::try_from(consumer.workers()).unwrap_or(i32::MAX),
        status: flow.status(),
        lag,
        dropped_partitions: 0,
    };
    telemetry_record(uuid::Uuid::new_v4(), telemetry, None)
}

fn partitions(numbers: Vec<i32>) -> Vec<Partition> {
    numbers.into_iter().filter_map(Partition::new).collect()
}
