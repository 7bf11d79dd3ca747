//! What the agent writes to a retry topic: the record as it was, where it came from, and when it is to be tried again.

use flowdeck_model::{Partition, Timestamp, TopicName};

use super::dead_letters::{
    ATTEMPTS, DeadLetter, ERROR, FAILED_AT, ORIGINAL_GROUP, ORIGINAL_OFFSET, ORIGINAL_PARTITION,
    ORIGINAL_TIMESTAMP, ORIGINAL_TOPIC,
};

/// In epoch milliseconds: not before.
pub const RETRY_AT: &str = "Flowdeck-Retry-At";
/// Headers of ours: of a record that is written on, each is written once.
pub const OWN: [&str; 9] = [
    ORIGINAL_TOPIC,
    ORIGINAL_PARTITION,
    ORIGINAL_OFFSET,
    ORIGINAL_TIMESTAMP,
    ORIGINAL_GROUP,
    ERROR,
    ATTEMPTS,
    FAILED_AT,
    RETRY_AT,
];

/// What a record on a retry topic says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Retried {
    pub topic: TopicName,
    pub partition: Partition,
    pub offset: i64,
    pub timestamp: Option<Timestamp>,
    /// How often the handler was called for it.
    pub attempts: u32,
    pub retry_at: Timestamp,
    /// Which tries it again; for others it is not there.
    pub group: String,
}

/// The headers that are added to the record's own.
pub fn retry_headers(failed: &DeadLetter<'_>, retry_at: Timestamp) -> Vec<(&'static str, String)> {
    let mut headers = failed.headers();
    headers.push((RETRY_AT, retry_at.millis().to_string()));
    headers
}

/// `last`: the last header of a name. `None`: no agent wrote it there.
pub fn read_retried<'a>(last: impl Fn(&str) -> Option<&'a [u8]>) -> Option<Retried> {
    let text = |name: &str| std::str::from_utf8(last(name)?).ok();
    let number = |name: &str| text(name)?.parse::<i64>().ok();
    Some(Retried {
        topic: text(ORIGINAL_TOPIC)?.parse().ok()?,
        partition: Partition::new(i32::try_from(number(ORIGINAL_PARTITION)?).ok()?)?,
        offset: number(ORIGINAL_OFFSET)?,
        timestamp: number(ORIGINAL_TIMESTAMP).map(Timestamp::from_millis),
        attempts: u32::try_from(number(ATTEMPTS)?).ok()?,
        retry_at: Timestamp::from_millis(number(RETRY_AT)?),
        group: text(ORIGINAL_GROUP)?.to_owned(),
    })
}
