//! A Kafka cluster, safe and async over librdkafka: groups, committed offsets, ends, configurations,
//! records, producers, capabilities.
//!
//! It owns what a broker can be asked and how its answers are said in types, and every `unsafe` of
//! the project (in `ffi`). It knows nothing of holds, telemetry, pages or HTTP, decides no policy
//! (what to sample, what may be written), and never retries behind the caller's back past a deadline.
//!
//! Rules that every call keeps:
//! - each ends by its [`Deadline`], also where a broker accepts and never answers;
//! - no metadata request can create a topic (`allow.auto.create.topics=false`, and topics are looked
//!   up in the full list, never asked for by name, before a producer or reader touches them);
//! - an error never carries a payload or a secret.

mod alter;
mod blocking;
mod capabilities;
mod client;
mod cluster;
mod committed;
mod config;
mod connection;
mod deadline;
mod describe;
mod election;
mod error;
mod ffi;
mod groups;
mod metadata;
mod offsets;
mod producer;
mod records;
mod rights;
mod tail;
mod topics;

use std::sync::Arc;

pub use alter::Altered;
pub use blocking::blocking_calls;
pub use capabilities::{Capabilities, Capability};
pub use cluster::Cluster;
pub use committed::Committed;
pub use config::{ClusterConfig, ConfigError};
pub use deadline::Deadline;
pub use describe::{GroupDescription, Member};
pub use election::{Election, ElectionEvent, ElectionRequest, Leadership, Lost};
pub use error::{Acl, Cause, Error, Operation};
pub use ffi::memory::share_one_heap;
pub use groups::{GroupListing, ListedGroup, OtherGroup};
pub use metadata::{Broker, Metadata, PartitionMetadata, TopicId, TopicMetadata};
pub use offsets::OffsetSpec;
pub use producer::{NewRecord, Placed, Producer, ProducerKind, SendError};
pub use records::{
    Filter, Isolation, PartitionRead, ReadEnd, ReadOutcome, ReadRequest, ReadStart, Record, RecordTime,
    Throttle, TimeKind, Transaction,
};
pub use rights::{AclOperation, Rights};
pub use tail::{Tail, TailEvent, TailFrom, TailRequest};
pub use topics::{ConfigEntry, Created, NewTopic};

/// A topic's name, shared: rows of a large refresh name the same few topics many times.
pub type Topic = Arc<flowdeck_model::TopicName>;
