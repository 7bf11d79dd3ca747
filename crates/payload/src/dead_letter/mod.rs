//! Dead letters: what a record says of where it came from and why it was given up, by the headers of whoever wrote it or
//! by Convex's JSON, and the record as it was consumed. No format is guessed: a record that says nothing of itself is
//! [`Shape::Unknown`].

mod convex;
mod headers;
mod original;

use std::borrow::Cow;

pub use original::{NoOriginal, Original, original};

use headers::Headers;

/// Names and values, in the record's order.
pub type HeaderList<'a> = [(&'a str, Option<&'a [u8]>)];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// `Flowdeck-Original-…`
    Agent,
    /// `{OriginalTopic, OriginalMessage, ErrorMessage, FailedAt}`, with or without an agent's headers.
    Convex,
    /// `kafka_dlt-…`
    Spring,
    /// `__connect.errors.…`
    Connect,
    /// `Kafka-Flow-Retry-Durable-…`
    KafkaFlowRetry,
    Unknown,
}

/// As the record says; whether it is true nobody knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadLetter<'a> {
    pub shape: Shape,
    pub topic: Option<Cow<'a, str>>,
    pub partition: Option<i32>,
    pub offset: Option<i64>,
    /// In epoch milliseconds.
    pub timestamp: Option<i64>,
    /// The group, or `connect-` and the connector's name.
    pub group: Option<Cow<'a, str>>,
    pub error: Option<Cow<'a, str>>,
    pub attempts: Option<u32>,
    pub failed_at: Option<FailedAt<'a>>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FailedAt<'a> {
    /// In epoch milliseconds.
    Millis(i64),
    /// As Convex writes it.
    Text(Cow<'a, str>),
}

impl DeadLetter<'_> {
    fn of(shape: Shape) -> Self {
        Self {
            shape,
            topic: None,
            partition: None,
            offset: None,
            timestamp: None,
            group: None,
            error: None,
            attempts: None,
            failed_at: None,
        }
    }
}

/// `value` may be cut: a Convex letter is known by its whole only.
pub fn dead_letter<'a>(headers: &HeaderList<'a>, value: Option<&'a [u8]>) -> DeadLetter<'a> {
    let headers = Headers(headers);
    if let Some(letter) = agent(&headers) {
        return match value.and_then(convex::read).filter(|inner| inner.is_of(&letter)) {
            Some(_) => DeadLetter { shape: Shape::Convex, ..letter },
            None => letter,
        };
    }
    spring(&headers)
        .or_else(|| connect(&headers))
        .or_else(|| kafkaflow_retry(&headers))
        .or_else(|| value.and_then(convex::read).map(convex::Convex::letter))
        .unwrap_or_else(|| DeadLetter::of(Shape::Unknown))
}

fn agent<'a>(headers: &Headers<'_, 'a>) -> Option<DeadLetter<'a>> {
    use headers::agent as name;
    let topic = headers.text(name::TOPIC)?;
    Some(DeadLetter {
        topic: Some(topic),
        partition: headers.parsed(name::PARTITION),
        offset: headers.parsed(name::OFFSET),
        timestamp: headers.parsed(name::TIMESTAMP),
        group: headers.text(name::GROUP),
        error: headers.text(name::ERROR),
        attempts: headers.parsed(name::ATTEMPTS),
        failed_at: headers.parsed(name::FAILED_AT).map(FailedAt::Millis),
        shape: Shape::Agent,
    })
}

/// Its numbers are binary, as Java's `ByteBuffer` writes them.
fn spring<'a>(headers: &Headers<'_, 'a>) -> Option<DeadLetter<'a>> {
    let topic = headers.text("kafka_dlt-original-topic");
    let message = headers.text("kafka_dlt-exception-message");
    let class =
        headers.text("kafka_dlt-exception-cause-fqcn").or_else(|| headers.text("kafka_dlt-exception-fqcn"));
    if topic.is_none() && message.is_none() && class.is_none() {
        return None;
    }
    Some(DeadLetter {
        topic,
        partition: headers
            .binary("kafka_dlt-original-partition")
            .and_then(|number| i32::try_from(number).ok()),
        offset: headers.binary("kafka_dlt-original-offset"),
        timestamp: headers.binary("kafka_dlt-original-timestamp"),
        group: headers.text("kafka_dlt-original-consumer-group"),
        error: both(class, message),
        attempts: headers.binary("retry_topic-attempts").and_then(|number| u32::try_from(number).ok()),
        ..DeadLetter::of(Shape::Spring)
    })
}

fn connect<'a>(headers: &Headers<'_, 'a>) -> Option<DeadLetter<'a>> {
    let text = |name: &str| headers.text(&["__connect.errors.", name].concat());
    let (topic, connector) = (text("topic"), text("connector.name"));
    let error = both(text("exception.class.name"), text("exception.message"));
    if topic.is_none() && connector.is_none() && error.is_none() {
        return None;
    }
    Some(DeadLetter {
        topic,
        partition: headers.parsed("__connect.errors.partition"),
        offset: headers.parsed("__connect.errors.offset"),
        group: connector.map(|name| ["connect-", &name].concat().into()),
        error,
        ..DeadLetter::of(Shape::Connect)
    })
}

fn kafkaflow_retry<'a>(headers: &Headers<'_, 'a>) -> Option<DeadLetter<'a>> {
    headers.last("Kafka-Flow-Retry-Durable-Queue-Id")?;
    let attempts = headers.parsed("Kafka-Flow-Retry-Durable-Attempts-Count");
    Some(DeadLetter { attempts, ..DeadLetter::of(Shape::KafkaFlowRetry) })
}

fn both<'a>(class: Option<Cow<'a, str>>, message: Option<Cow<'a, str>>) -> Option<Cow<'a, str>> {
    match (class, message) {
        (Some(class), Some(message)) => Some([&class, ": ", &message].concat().into()),
        (class, message) => class.or(message),
    }
}

/// Names that topics of dead letters usually have.
pub fn is_usual_name(topic: &str) -> bool {
    let name = topic.to_ascii_lowercase();
    const ENDS: [&str; 4] = ["dlq", "dlt", "dead-letter", "dead-letters"];
    let ends =
        ENDS.iter().any(|end| name.strip_suffix(end).is_some_and(|before| before.ends_with(['.', '-', '_'])));
    ends || ENDS.contains(&name.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn usual_names() {
        for (name, want) in [
            ("convex.dlq", true),
            ("orders-dlq", true),
            ("orders_DLQ", true),
            ("orders.DLT", true),
            ("orders-dlt", true),
            ("orders-dead-letter", true),
            ("dlq", true),
            ("orders", false),
            ("bdlt", false),
            ("dlq.orders", false),
            ("orders-dlq-retry", false),
        ] {
            assert_eq!(is_usual_name(name), want, "{name}");
        }
    }
}
