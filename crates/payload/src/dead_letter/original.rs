//! The record as it was consumed, out of its dead letter: what a re-drive copies.

use std::borrow::Cow;

use super::headers::agent;
use super::{HeaderList, Shape, convex, dead_letter};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Original<'a> {
    /// `None`: a tombstone. The key is the dead letter's own.
    pub value: Option<Cow<'a, [u8]>>,
    /// Without those that make it a dead letter.
    pub headers: Vec<(&'a str, Option<&'a [u8]>)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoOriginal {
    #[error(
        "KafkaFlow's retry extension keeps the message in a database of its own, and this record is its copy"
    )]
    KafkaFlowRetry,
    #[error("this Convex letter was cut")]
    Cut,
}

/// Of an earlier re-drive.
const REDRIVE: &str = "Flowdeck-Redrive-";

/// `value` must be whole. A record that does not say what it is is its own original.
pub fn original<'a>(headers: &HeaderList<'a>, value: Option<&'a [u8]>) -> Result<Original<'a>, NoOriginal> {
    let shape = dead_letter(headers, value).shape;
    let value = match shape {
        Shape::KafkaFlowRetry => return Err(NoOriginal::KafkaFlowRetry),
        Shape::Convex => value.and_then(convex::read).ok_or(NoOriginal::Cut)?.message(),
        _ => value.map(Cow::Borrowed),
    };
    Ok(Original { value, headers: kept(shape, headers) })
}

fn kept<'a>(shape: Shape, headers: &HeaderList<'a>) -> Vec<(&'a str, Option<&'a [u8]>)> {
    // An agent's are the last of their names: those before are the original's, of a dead letter that was consumed.
    let last_set = headers.iter().rposition(|(name, _)| *name == agent::TOPIC).unwrap_or(headers.len());
    let is_added = |at: usize, name: &str| match shape {
        Shape::Agent | Shape::Convex => at >= last_set && agent::ALL.contains(&name),
        Shape::Spring => {
            ["kafka_dlt-", "kafka_original-", "retry_topic-"].iter().any(|prefix| name.starts_with(prefix))
        }
        Shape::Connect => name.starts_with("__connect.errors."),
        Shape::KafkaFlowRetry | Shape::Unknown => false,
    };
    let all = headers.iter().enumerate();
    all.filter(|(at, (name, _))| !is_added(*at, name) && !name.starts_with(REDRIVE))
        .map(|(_, header)| *header)
        .collect()
}
