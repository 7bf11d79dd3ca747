//! What consumers say of themselves: KafkaFlow's and the agents' telemetry. It never replaces what
//! the brokers say; it tells instances, workers, and which partitions run or are paused.

pub mod index;
pub mod matching;
mod refused;
pub mod registry;
pub mod trust;

pub use index::{
    ConsumerTelemetry, GroupTelemetry, InstanceId, InstanceTelemetry, Report, TelemetryIndex, TopicStream,
};
