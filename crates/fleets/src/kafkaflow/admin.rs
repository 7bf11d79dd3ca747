//! KafkaFlow's admin consumer and its handlers: one partition, assigned by hand, from the end,
//! without offsets. One command after the other, with no answer to any of them.

use std::time::Duration;

use anyhow::{Context, Result};
use flowdeck_model::{ConsumerName, TopicName};
use flowdeck_protocol::kafkaflow::{Command, Decoded, Message, decode};
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::message::{BorrowedMessage, Headers as _, Message as _};
use rdkafka::{Offset, TopicPartitionList};
use tokio_util::sync::CancellationToken;

use super::Options;
use super::consumer::Consumer;

const POLL: Duration = Duration::from_millis(100);
const TIMEOUT: Duration = Duration::from_secs(5);
const RETRY: Duration = Duration::from_millis(500);
/// What KafkaFlow asks for in place of the log's first record: 1990-01-01.
const EARLIEST: i64 = 631_152_000_000;
/// KafkaFlow's pause inside a restart; commands behind it wait.
const RESTART: Duration = Duration::from_secs(5);

/// At the end of the admin topic's partition when it returns; waits for the topic, and
/// returns `None` where the end comes first.
pub(super) async fn subscribe(options: &Options, end: &CancellationToken) -> Result<Option<BaseConsumer>> {
    let mut told = false;
    while !end.is_cancelled() {
        let options = options.clone();
        let attempt = tokio::task::spawn_blocking(move || at_the_end(&options)).await;
        match attempt.context("the admin topic's task")? {
            Ok(client) => return Ok(Some(client)),
            Err(error) if !told => {
                told = true;
                tracing::warn!("waiting for the admin topic: {error:#}");
            }
            Err(_) => {}
        }
        end.run_until_cancelled(tokio::time::sleep(RETRY)).await;
    }
    Ok(None)
}

fn at_the_end(options: &Options) -> Result<BaseConsumer> {
    let mut config = options.cluster.client();
    config
        .set("group.id", format!("Admin-{}", options.group))
        .set("enable.auto.commit", "false")
        .set("enable.auto.offset.store", "false")
        .set("fetch.wait.max.ms", "50");
    let client: BaseConsumer = config.create().context("creating the admin consumer")?;
    let (topic, partition) = (options.admin_topic.as_str(), options.admin_partition);
    let (_, high) = client.fetch_watermarks(topic, partition, TIMEOUT).context("asking for its end")?;
    let mut list = TopicPartitionList::new();
    list.add_partition_offset(topic, partition, Offset::Offset(high))?;
    client.assign(&list).context("assigning its partition")?;
    Ok(client)
}

/// Blocks until `end`.
pub(super) fn obey(client: &BaseConsumer, consumer: &Consumer, end: &CancellationToken) {
    while !end.is_cancelled() {
        match client.poll(POLL) {
            None => {}
            Some(Err(error)) => tracing::warn!(%error, "Kafka Consumer Error"),
            Some(Ok(message)) => take(&message, consumer, end),
        }
    }
}

fn take(message: &BorrowedMessage<'_>, consumer: &Consumer, end: &CancellationToken) {
    let headers = message.headers().into_iter().flat_map(|headers| headers.iter());
    let headers = headers.filter_map(|header| Some((header.key, header.value?))).collect();
    match decode(&headers, message.payload()) {
        // Its telemetry handler belongs to the dashboard.
        Decoded::NotOurs | Decoded::Message(Message::Telemetry(_)) => {}
        Decoded::Malformed(reason) => tracing::error!(%reason, "Error processing message"),
        Decoded::Message(Message::Command(command)) => {
            if let Err(error) = handle(&command, consumer, end) {
                tracing::error!(command = command.type_name(), "Error processing message: {error:#}");
            }
        }
    }
}

fn handle(command: &Command, consumer: &Consumer, end: &CancellationToken) -> Result<()> {
    match command {
        Command::PauseConsumerByName { consumer: name, topics } => {
            known(consumer, name)?;
            pause(consumer, topics)
        }
        Command::ResumeConsumerByName { consumer: name, topics } => {
            known(consumer, name)?;
            let places = consumer.flow().filter(&texts(topics));
            Ok(consumer.resume(places)?)
        }
        Command::PauseConsumersByGroup { group, topics } if *group == consumer.identity().group => {
            pause(consumer, topics)
        }
        Command::ResumeConsumersByGroup { group, topics } if *group == consumer.identity().group => {
            // Sharp edge: the filter decides only whether to act; then everything is resumed.
            if consumer.flow().filter(&texts(topics)).is_empty() {
                return Ok(());
            }
            let places = consumer.flow().assignment();
            Ok(consumer.resume(places)?)
        }
        Command::PauseConsumersByGroup { .. } | Command::ResumeConsumersByGroup { .. } => Ok(()),
        Command::StopConsumerByName { consumer: name } => {
            known(consumer, name)?;
            consumer.stop();
            Ok(())
        }
        Command::StartConsumerByName { consumer: name } => {
            known(consumer, name)?;
            Ok(consumer.start()?)
        }
        Command::RestartConsumerByName { consumer: name } => {
            known(consumer, name)?;
            restart(consumer, end)
        }
        Command::ChangeConsumerWorkersCount { consumer: name, workers } => {
            known(consumer, name)?;
            let workers = usize::try_from(*workers).context("a negative count of workers")?;
            consumer.set_workers(workers);
            restart(consumer, end)
        }
        Command::ResetConsumerOffset { consumer: name, topics } => {
            known(consumer, name)?;
            consumer.move_offsets(&texts(topics), EARLIEST)?;
            restart(consumer, end)
        }
        // The host is in UTC.
        Command::RewindConsumerOffsetToDateTime { consumer: name, date_time, topics } => {
            known(consumer, name)?;
            consumer.move_offsets(&texts(topics), date_time.timestamp().millis())?;
            restart(consumer, end)
        }
    }
}

/// Sharp edge: by-name commands reach every process, and throw where nobody has that name.
fn known(consumer: &Consumer, name: &ConsumerName) -> Result<()> {
    anyhow::ensure!(consumer.name() == name, "NullReferenceException: there is no consumer {name:?} here");
    Ok(())
}

fn pause(consumer: &Consumer, topics: &[TopicName]) -> Result<()> {
    let places = consumer.flow().filter(&texts(topics));
    Ok(consumer.pause(places)?)
}

fn restart(consumer: &Consumer, end: &CancellationToken) -> Result<()> {
    consumer.stop();
    let wait = end.run_until_cancelled(tokio::time::sleep(RESTART));
    tokio::runtime::Handle::current().block_on(wait);
    Ok(consumer.start()?)
}

fn texts(topics: &[TopicName]) -> Vec<&str> {
    topics.iter().map(TopicName::as_str).collect()
}
