//! The golden vectors, and what they say as the codec's own types.

use flowdeck_model::{Partition, TopicName};
use flowdeck_protocol::Headers;
use flowdeck_protocol::kafkaflow::{
    Command, ConsumerStatus, DateTime, Decoded, MESSAGE_TYPE, Message, Telemetry, TelemetryTopic, decode,
};
use serde::Deserialize;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Vector {
    pub(crate) name: String,
    #[serde(rename = "type")]
    pub(crate) message_type: String,
    pub(crate) hex: String,
    pub(crate) canonical: bool,
    pub(crate) message: Option<Says>,
    pub(crate) malformed: Option<String>,
    #[serde(default)]
    pub(crate) not_ours: bool,
}

/// Every field that any message has; those that a message does not have are absent.
#[derive(Debug, Deserialize, Default)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Says {
    pub(crate) kind: String,
    pub(crate) name: String,
    pub(crate) topics: Vec<TopicName>,
    pub(crate) ticks: i64,
    pub(crate) workers: i32,
    pub(crate) group: String,
    pub(crate) consumer: String,
    pub(crate) topic: String,
    pub(crate) instance: String,
    pub(crate) running: Vec<Partition>,
    pub(crate) paused: Vec<Partition>,
    pub(crate) status: i32,
    pub(crate) lag: i64,
    pub(crate) dropped: u64,
}

pub(crate) fn vectors() -> Vec<Vector> {
    let vectors: Vec<Vector> = serde_json::from_str(include_str!("../vectors/kafkaflow.json")).unwrap();
    assert!(vectors.len() > 90, "{} vectors", vectors.len());
    vectors
}

impl Vector {
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let digits = self.hex.as_bytes().chunks(2);
        digits.map(|two| u8::from_str_radix(std::str::from_utf8(two).unwrap(), 16).unwrap()).collect()
    }

    pub(crate) fn decode(&self) -> Decoded {
        decode_as(&self.message_type, &self.bytes())
    }
}

pub(crate) fn decode_as(message_type: &str, value: &[u8]) -> Decoded {
    let headers: Headers<'_> = [(MESSAGE_TYPE, message_type.as_bytes())].into_iter().collect();
    decode(&headers, Some(value))
}

impl Says {
    pub(crate) fn message(self) -> Message {
        let time = DateTime::from_ticks(self.ticks).unwrap();
        let (consumer, group, topics) = (self.name.clone().into(), self.name.into(), self.topics);
        Message::Command(match self.kind.as_str() {
            "PauseConsumerByName" => Command::PauseConsumerByName { consumer, topics },
            "ResumeConsumerByName" => Command::ResumeConsumerByName { consumer, topics },
            "PauseConsumersByGroup" => Command::PauseConsumersByGroup { group, topics },
            "ResumeConsumersByGroup" => Command::ResumeConsumersByGroup { group, topics },
            "ResetConsumerOffset" => Command::ResetConsumerOffset { consumer, topics },
            "RewindConsumerOffsetToDateTime" => {
                Command::RewindConsumerOffsetToDateTime { consumer, date_time: time, topics }
            }
            "RestartConsumerByName" => Command::RestartConsumerByName { consumer },
            "StartConsumerByName" => Command::StartConsumerByName { consumer },
            "StopConsumerByName" => Command::StopConsumerByName { consumer },
            "ChangeConsumerWorkersCount" => {
                Command::ChangeConsumerWorkersCount { consumer, workers: self.workers }
            }
            "ConsumerTelemetryMetric" => {
                return Message::Telemetry(Telemetry {
                    group: self.group.into(),
                    consumer: self.consumer.into(),
                    topic: match self.topic.parse() {
                        Ok(topic) => TelemetryTopic::Name(topic),
                        Err(_) => TelemetryTopic::Pattern(self.topic),
                    },
                    instance: self.instance.into(),
                    running: self.running,
                    paused: self.paused,
                    sent_at: time,
                    workers: self.workers,
                    status: match self.status {
                        0 => ConsumerStatus::Stopped,
                        1 => ConsumerStatus::Running,
                        2 => ConsumerStatus::PartiallyRunning,
                        3 => ConsumerStatus::Paused,
                        other => ConsumerStatus::Other(other),
                    },
                    lag: self.lag,
                    dropped_partitions: self.dropped,
                });
            }
            other => panic!("no message {other}"),
        })
    }
}
