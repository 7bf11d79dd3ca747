//! A real Apache Kafka for the demo, the tests and the bench: resolves it with Maven, starts it on
//! free ports, runs its own tools, and ends every process with the one that started it.
//!
//! It speaks no Kafka beyond one ApiVersions request: clients belong to the crates that use it.

mod broker;
mod cache;
pub mod env;
mod java;
mod node;
pub mod port;
mod quorum;
mod ready;
mod registry;
mod secure;
pub mod stop;
pub mod supervise;
mod tail;
mod tools;
mod zookeeper;

pub use broker::Broker;
pub use cache::{KAFKA_VERSION_LINE, KafkaHome, OldRelease, kafka_version};
pub use java::{Jvm, jvm};
pub use node::{Node, NodeOptions};
pub use quorum::Brokers;
pub use registry::{RegistryHome, SchemaRegistry};
pub use secure::{ScramUser, SecureEndpoint};
pub use supervise::Job;
pub use tail::tail;
pub use tools::Tool;
pub use zookeeper::OldBroker;
