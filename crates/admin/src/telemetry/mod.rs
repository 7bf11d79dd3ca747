//! What consumers say of themselves: KafkaFlow's and the agents' telemetry. It never replaces what
//! the brokers say; it tells instances, workers, and which partitions run or stand.

pub(crate) mod index;
pub(crate) mod matching;
mod refused;
pub(crate) mod registry;
pub(crate) mod standing;

pub(crate) use index::{ConsumerTelemetry, GroupTelemetry, InstanceTelemetry, TelemetryIndex, TopicStream};
