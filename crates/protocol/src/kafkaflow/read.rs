//! Bytes to KafkaFlow's messages. Only what KafkaFlow itself would take for one of its types is
//! looked at; names are parsed, lists are bounded.

use flowdeck_model::{ConsumerName, GroupId, InstanceName, Partition, TopicName};

use super::fields::{self, Value};
use super::{Command, DateTime, MESSAGE_TYPE, Message, Telemetry, TelemetryTopic};
use crate::{Headers, Malformed, NAME_MAX, PARTITIONS_MAX, TOPICS_MAX, VALUE_MAX};

pub(super) const NAMESPACE: &str = "KafkaFlow.Admin.Messages.";
pub(super) const ASSEMBLY: &str = "KafkaFlow.Admin";
pub(super) const TELEMETRY: &str = "ConsumerTelemetryMetric";

/// What a record on an admin or telemetry topic is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decoded {
    Message(Message),
    /// No `Message-Type`, or one that KafkaFlow's admin does not know: ignored, as KafkaFlow does.
    NotOurs,
    /// One of KafkaFlow's by its header, but not to be read: skipped and counted.
    Malformed(Malformed),
}

pub fn decode(headers: &Headers<'_>, value: Option<&[u8]>) -> Decoded {
    let Some(name) = headers.last_text(MESSAGE_TYPE).and_then(type_name) else {
        return Decoded::NotOurs;
    };
    let message = match value {
        None => Err(Malformed::NoValue),
        Some(value) if value.len() > VALUE_MAX => Err(Malformed::TooLong),
        Some(value) if name == TELEMETRY => telemetry(value).map(Message::Telemetry),
        Some(value) => match command(name, value) {
            Some(command) => command.map(Message::Command),
            None => return Decoded::NotOurs,
        },
    };
    message.map_or_else(Decoded::Malformed, Decoded::Message)
}

/// From `KafkaFlow.Admin.Messages.X, KafkaFlow.Admin[, Version=…]` the `X`. As .NET's
/// `Type.GetType`: type names with their case, the assembly's simple name without it.
fn type_name(header: &str) -> Option<&str> {
    let mut parts = header.split(',').map(str::trim);
    let name = parts.next()?.strip_prefix(NAMESPACE)?;
    parts.next()?.eq_ignore_ascii_case(ASSEMBLY).then_some(name)
}

/// `None`: no command of that name.
fn command(name: &str, value: &[u8]) -> Option<Result<Command, Malformed>> {
    Some(match name {
        "PauseConsumerByName" => {
            by_name(value).map(|(consumer, topics)| Command::PauseConsumerByName { consumer, topics })
        }
        "ResumeConsumerByName" => {
            by_name(value).map(|(consumer, topics)| Command::ResumeConsumerByName { consumer, topics })
        }
        "PauseConsumersByGroup" => {
            by_group(value).map(|(group, topics)| Command::PauseConsumersByGroup { group, topics })
        }
        "ResumeConsumersByGroup" => {
            by_group(value).map(|(group, topics)| Command::ResumeConsumersByGroup { group, topics })
        }
        "ResetConsumerOffset" => {
            by_name(value).map(|(consumer, topics)| Command::ResetConsumerOffset { consumer, topics })
        }
        "RewindConsumerOffsetToDateTime" => rewind(value),
        "RestartConsumerByName" => {
            name_only(value).map(|consumer| Command::RestartConsumerByName { consumer })
        }
        "StartConsumerByName" => name_only(value).map(|consumer| Command::StartConsumerByName { consumer }),
        "StopConsumerByName" => name_only(value).map(|consumer| Command::StopConsumerByName { consumer }),
        "ChangeConsumerWorkersCount" => workers_count(value),
        _ => return None,
    })
}

fn by_name(value: &[u8]) -> Result<(ConsumerName, Vec<TopicName>), Malformed> {
    let (name, topics) = name_and_topics(value, "consumerName")?;
    Ok((ConsumerName::new(name), topics))
}

fn by_group(value: &[u8]) -> Result<(GroupId, Vec<TopicName>), Malformed> {
    let (name, topics) = name_and_topics(value, "groupId")?;
    Ok((GroupId::new(name), topics))
}

fn name_and_topics<'a>(value: &'a [u8], field: &'static str) -> Result<(&'a str, Vec<TopicName>), Malformed> {
    let mut name = Name::new(field);
    let mut topics = Vec::new();
    fields::each(value, |tag, field| match tag {
        1 => name.set(tag, field),
        2 => push_topic(&mut topics, tag, field),
        _ => Ok(()),
    })?;
    Ok((name.get()?, topics))
}

fn name_only(value: &[u8]) -> Result<ConsumerName, Malformed> {
    let mut name = Name::new("consumerName");
    fields::each(value, |tag, field| match tag {
        1 => name.set(tag, field),
        _ => Ok(()),
    })?;
    name.get().map(ConsumerName::new)
}

fn rewind(value: &[u8]) -> Result<Command, Malformed> {
    let mut name = Name::new("consumerName");
    let mut date_time = None;
    let mut topics = Vec::new();
    fields::each(value, |tag, field| {
        match tag {
            1 => name.set(tag, field)?,
            2 => date_time = Some(DateTime::decode(field.bytes(tag)?)?),
            3 => push_topic(&mut topics, tag, field)?,
            _ => {}
        }
        Ok(())
    })?;
    let consumer = ConsumerName::new(name.get()?);
    // .NET would take the year 1 where the field is absent: nobody means that.
    let date_time = date_time.ok_or(Malformed::Missing("dateTime"))?;
    Ok(Command::RewindConsumerOffsetToDateTime { consumer, date_time, topics })
}

fn workers_count(value: &[u8]) -> Result<Command, Malformed> {
    let mut name = Name::new("consumerName");
    let mut workers = 0;
    fields::each(value, |tag, field| {
        match tag {
            1 => name.set(tag, field)?,
            2 => workers = field.int32(tag)?,
            _ => {}
        }
        Ok(())
    })?;
    Ok(Command::ChangeConsumerWorkersCount { consumer: ConsumerName::new(name.get()?), workers })
}

fn telemetry(value: &[u8]) -> Result<Telemetry, Malformed> {
    let mut group = Name::new("groupId");
    let mut consumer = Name::new("consumerName");
    let mut topic = Name::new("topic");
    let mut instance = Name::new("instanceName");
    let (mut running, mut paused, mut dropped) = (Vec::new(), Vec::new(), 0);
    let mut sent_at = DateTime::MIN;
    let (mut workers, mut status, mut lag) = (0, 0, 0);
    fields::each(value, |tag, field| {
        match tag {
            1 => group.set(tag, field)?,
            2 => consumer.set(tag, field)?,
            3 => topic.set(tag, field)?,
            4 => instance.set(tag, field)?,
            5 => push_partitions(&mut running, &mut dropped, tag, field)?,
            6 => push_partitions(&mut paused, &mut dropped, tag, field)?,
            7 => sent_at = DateTime::decode(field.bytes(tag)?)?,
            8 => workers = field.int32(tag)?,
            9 => status = field.int32(tag)?,
            10 => lag = field.number(tag)? as i64,
            _ => {}
        }
        Ok(())
    })?;
    Ok(Telemetry {
        group: GroupId::new(group.get()?),
        consumer: ConsumerName::new(consumer.get()?),
        topic: telemetry_topic(topic.get()?)?,
        instance: InstanceName::new(instance.get()?),
        running,
        paused,
        sent_at,
        workers,
        status: super::status_of(status),
        lag,
        dropped_partitions: dropped,
    })
}

fn telemetry_topic(text: &str) -> Result<TelemetryTopic, Malformed> {
    if text.starts_with('^') {
        return Ok(TelemetryTopic::Pattern(text.to_owned()));
    }
    text.parse().map(TelemetryTopic::Name).map_err(|_| Malformed::Topic)
}

fn push_topic(topics: &mut Vec<TopicName>, tag: u32, field: Value<'_>) -> Result<(), Malformed> {
    if topics.len() == TOPICS_MAX {
        return Err(Malformed::TooManyTopics);
    }
    topics.push(field.text(tag)?.parse().map_err(|_| Malformed::Topic)?);
    Ok(())
}

fn push_partitions(
    partitions: &mut Vec<Partition>,
    dropped: &mut u64,
    tag: u32,
    field: Value<'_>,
) -> Result<(), Malformed> {
    field.int32s(tag, |number| {
        let partition = Partition::new(number).ok_or(Malformed::Partition)?;
        if partitions.len() < PARTITIONS_MAX {
            partitions.push(partition);
        } else {
            *dropped += 1;
        }
        Ok(())
    })
}

/// A name that must be there; the last one of the message counts.
struct Name<'a> {
    field: &'static str,
    text: Option<&'a str>,
}

impl<'a> Name<'a> {
    fn new(field: &'static str) -> Self {
        Self { field, text: None }
    }

    fn set(&mut self, tag: u32, value: Value<'a>) -> Result<(), Malformed> {
        if value.bytes(tag)?.len() > NAME_MAX {
            return Err(Malformed::NameTooLong(self.field));
        }
        self.text = Some(value.text(tag)?);
        Ok(())
    }

    fn get(self) -> Result<&'a str, Malformed> {
        self.text.ok_or(Malformed::Missing(self.field))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn type_names_match_as_in_net() {
        for (header, want) in [
            ("KafkaFlow.Admin.Messages.X, KafkaFlow.Admin", Some("X")),
            ("KafkaFlow.Admin.Messages.X,kafkaflow.admin", Some("X")),
            ("KafkaFlow.Admin.Messages.X, KafkaFlow.Admin, Version=4.0.0.0, Culture=neutral", Some("X")),
            ("kafkaflow.admin.messages.X, KafkaFlow.Admin", None),
            ("KafkaFlow.Admin.Messages.X", None),
            ("KafkaFlow.Admin.Messages.X, Other", None),
            ("Shop.Order, Shop", None),
            ("", None),
        ] {
            assert_eq!(type_name(header), want, "{header}");
        }
    }
}
