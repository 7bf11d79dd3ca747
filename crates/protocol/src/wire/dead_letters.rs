//! What the agent writes to a dead-letter topic: the record as it was with headers of ours, or Convex's JSON.

use flowdeck_model::{Partition, Timestamp, TopicName};
use serde::Serialize;
use serde_json::value::RawValue;

pub const ORIGINAL_TOPIC: &str = "Flowdeck-Original-Topic";
pub const ORIGINAL_PARTITION: &str = "Flowdeck-Original-Partition";
pub const ORIGINAL_OFFSET: &str = "Flowdeck-Original-Offset";
/// In epoch milliseconds; absent where the record had none.
pub const ORIGINAL_TIMESTAMP: &str = "Flowdeck-Original-Timestamp";
/// The consumer group of the agent.
pub const ORIGINAL_GROUP: &str = "Flowdeck-Original-Group";
/// The handler's error.
pub const ERROR: &str = "Flowdeck-Error";
/// How often the handler was called for it.
pub const ATTEMPTS: &str = "Flowdeck-Attempts";
/// In epoch milliseconds.
pub const FAILED_AT: &str = "Flowdeck-Failed-At";

/// In characters.
const ERROR_MAX: usize = 1_000;

/// Why a record is a dead letter, and where it came from.
#[derive(Debug, Clone, Copy)]
pub struct DeadLetter<'a> {
    pub topic: &'a TopicName,
    pub partition: Partition,
    pub offset: i64,
    pub timestamp: Option<Timestamp>,
    pub group: &'a str,
    pub error: &'a str,
    pub attempts: u32,
    pub failed_at: Timestamp,
}

impl DeadLetter<'_> {
    /// The headers that are added to the record's own. Of a record that was a dead letter before, they are the last ones
    /// of their names, and the last ones count.
    pub fn headers(&self) -> Vec<(&'static str, String)> {
        let mut headers = vec![
            (ORIGINAL_TOPIC, self.topic.to_string()),
            (ORIGINAL_PARTITION, self.partition.to_string()),
            (ORIGINAL_OFFSET, self.offset.to_string()),
        ];
        headers.extend(self.timestamp.map(|time| (ORIGINAL_TIMESTAMP, time.millis().to_string())));
        headers.push((ORIGINAL_GROUP, self.group.to_owned()));
        headers.push((ERROR, self.error_text()));
        headers.push((ATTEMPTS, self.attempts.to_string()));
        headers.push((FAILED_AT, self.failed_at.millis().to_string()));
        headers
    }

    /// Convex's shape: the message as JSON where it is JSON, else as text.
    pub fn convex(&self, value: Option<&[u8]>) -> Vec<u8> {
        let json = value.and_then(|value| serde_json::from_slice(value).ok());
        let text = || value.map(|value| String::from_utf8_lossy(value).into_owned());
        super::json(&Convex {
            original_topic: self.topic.as_str(),
            original_message: json.map_or_else(|| Original::Text(text()), Original::Json),
            error_message: self.error_text(),
            failed_at: self.failed_at.to_string(),
        })
    }

    fn error_text(&self) -> String {
        self.error.chars().take(ERROR_MAX).collect()
    }
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Convex<'a> {
    original_topic: &'a str,
    original_message: Original<'a>,
    error_message: String,
    failed_at: String,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Original<'a> {
    Json(&'a RawValue),
    /// `None`: a tombstone.
    Text(Option<String>),
}
