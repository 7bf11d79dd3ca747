//! The two protocols that Flowdeck speaks over Kafka records: KafkaFlow's admin messages
//! ([`kafkaflow`]) and Flowdeck's own holds and acks ([`wire`]). Bytes to types and back.
//!
//! Reading never fails as a whole: what is not ours, too new or malformed is an answer that the
//! caller counts and skips. This crate has no I/O and no clock, and never prints a payload.

pub mod kafkaflow;
mod malformed;
mod record;
pub mod wire;

pub use malformed::Malformed;
pub use record::{Headers, Record};

/// The longest group, consumer or instance name that is read, in bytes. A longer one is refused,
/// not cut: a cut name would be another name.
pub const NAME_MAX: usize = 1024;

/// The longest value of KafkaFlow's messages that is looked at, in bytes: a telemetry record that lists a
/// million partitions is shorter. Flowdeck's own records have their own bound, [`wire::LONGEST`].
pub const VALUE_MAX: usize = 8 * 1024 * 1024;

/// Of one partition list so many are kept; the rest is counted.
pub const PARTITIONS_MAX: usize = 10_000;

/// A command that lists more topics is refused: obeying a part of it would be wrong.
pub const TOPICS_MAX: usize = 1_000;
