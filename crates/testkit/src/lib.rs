//! A real Kafka for tests. Dev-dependency only; it panics instead of returning errors, since its callers are
//! tests and a broken machine is theirs to see.
//!
//! - [`kafka`]: the broker that all tests share. Take names from [`unique`], so that no test sees another's.
//! - [`private`]: a broker of the test's own, to stop, kill, secure or configure.
//! - [`private_cluster`]: several brokers of the test's own, to kill one of them.
//! - [`old`]: a broker of an old release, with ZooKeeper.
//! - [`Proxy`]: a network before a broker that stalls, is cut, or slows down.
//! - [`Hook`]: a receiver of HTTP posts.
//! - [`wait_for`]: a condition with a deadline, instead of a sleep.
//! - [`PlainConsumer`]: a consumer on rdkafka alone, to compare the agent with.
//! - [`World`]: topics, holds and answers for a test of agents.
//! - [`judge`]: the lag as Kafka's own `kafka-consumer-groups --describe` sees it.

mod acls;
mod cluster;
mod hook;
pub mod judge;
mod old;
mod plain_consumer;
mod private;
mod proxy;
mod records;
mod shared;
mod transactions;
mod wait;
mod world;

pub use acls::Rule;
pub use cluster::{PrivateCluster, private_cluster};
pub use flowdeck_broker::{NodeOptions, OldRelease, ScramUser, SecureEndpoint, Tool, port};
pub use hook::{Hook, Post};
pub use old::{OldKafka, old};
pub use plain_consumer::{PlainConsumer, PlainHandler};
pub use private::{PrivateKafka, private};
pub use proxy::{Network, Proxy};
pub use records::{Kafka, Read};
pub use shared::kafka;
pub use transactions::{End, plain};
pub use wait::{DEADLINE, wait_for};
pub use world::World;

/// A name that no other test, process or run has: `<stem>-<12 hex digits>`.
pub fn unique(stem: &str) -> String {
    let id = uuid::Uuid::new_v4().simple().to_string();
    format!("{stem}-{}", &id[..12])
}
