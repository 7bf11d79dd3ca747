//! KafkaFlow's messages to bytes, field by field in the order of their numbers.

use flowdeck_model::{Partition, TopicName};

use super::fields::{put_bytes, put_int32, put_listed_number, put_number};
use super::{Command, DateTime, Telemetry};

pub(super) fn command(command: &Command) -> Vec<u8> {
    let mut buffer = Vec::new();
    match command {
        Command::PauseConsumerByName { consumer, topics }
        | Command::ResumeConsumerByName { consumer, topics }
        | Command::ResetConsumerOffset { consumer, topics } => {
            put_text(&mut buffer, 1, consumer.as_str());
            put_topics(&mut buffer, 2, topics);
        }
        Command::PauseConsumersByGroup { group, topics }
        | Command::ResumeConsumersByGroup { group, topics } => {
            put_text(&mut buffer, 1, group.as_str());
            put_topics(&mut buffer, 2, topics);
        }
        Command::RewindConsumerOffsetToDateTime { consumer, date_time, topics } => {
            put_text(&mut buffer, 1, consumer.as_str());
            put_date_time(&mut buffer, 2, *date_time);
            put_topics(&mut buffer, 3, topics);
        }
        Command::RestartConsumerByName { consumer }
        | Command::StartConsumerByName { consumer }
        | Command::StopConsumerByName { consumer } => put_text(&mut buffer, 1, consumer.as_str()),
        Command::ChangeConsumerWorkersCount { consumer, workers } => {
            put_text(&mut buffer, 1, consumer.as_str());
            put_int32(&mut buffer, 2, *workers);
        }
    }
    buffer
}

pub(super) fn telemetry(telemetry: &Telemetry) -> Vec<u8> {
    let mut buffer = Vec::new();
    put_text(&mut buffer, 1, telemetry.group.as_str());
    put_text(&mut buffer, 2, telemetry.consumer.as_str());
    put_text(&mut buffer, 3, telemetry.topic.as_str());
    put_text(&mut buffer, 4, telemetry.instance.as_str());
    put_partitions(&mut buffer, 5, &telemetry.running);
    put_partitions(&mut buffer, 6, &telemetry.paused);
    put_date_time(&mut buffer, 7, telemetry.sent_at);
    put_int32(&mut buffer, 8, telemetry.workers);
    put_int32(&mut buffer, 9, super::status_number(telemetry.status));
    put_number(&mut buffer, 10, telemetry.lag as u64);
    buffer
}

fn put_text(buffer: &mut Vec<u8>, tag: u32, text: &str) {
    put_bytes(buffer, tag, text.as_bytes());
}

fn put_topics(buffer: &mut Vec<u8>, tag: u32, topics: &[TopicName]) {
    for topic in topics {
        put_text(buffer, tag, topic.as_str());
    }
}

fn put_partitions(buffer: &mut Vec<u8>, tag: u32, partitions: &[Partition]) {
    for partition in partitions {
        put_listed_number(buffer, tag, partition.get() as u64);
    }
}

/// Written at the epoch too, as an empty message: only a null is left out, and it is never null.
fn put_date_time(buffer: &mut Vec<u8>, tag: u32, time: DateTime) {
    put_bytes(buffer, tag, &time.encode());
}
