//! `flowdeck-agent`: a Kafka consumer for Rust services that an operator can watch, pause and resume.
//!
//! One builder call wraps an rdkafka consumer. The agent owns its workers and buffers; a gate is checked
//! before every handler call, so that a pause is obeyed by what is buffered too. It reads the holds
//! of its cluster before its first record, answers each command with evidence, reports telemetry in
//! KafkaFlow's form, and stores an offset only after its record was handled.
//!
//! ```no_run
//! use flowdeck_agent::{Agent, ClientConfig, Delivery, Handler, HandlerError, async_trait};
//!
//! struct Orders;
//!
//! #[async_trait]
//! impl Handler for Orders {
//!     async fn handle(&self, record: Delivery<'_>) -> Result<(), HandlerError> {
//!         println!("{} bytes", record.value().map_or(0, <[u8]>::len));
//!         Ok(())
//!     }
//! }
//!
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! let mut config = ClientConfig::new();
//! config.set("bootstrap.servers", "localhost:9092");
//! let running = Agent::builder(config, "orders")
//!     .consumer("orders")
//!     .topics(["orders.created"])
//!     .workers(3)
//!     .buffer(100)
//!     .handler(Orders)
//!     .start()
//!     .await?;
//! running.stop().await?;
//! # Ok(()) }
//! ```
//!
//! # Functions as handlers
//! Async functions with extractors, as in axum: [`Router`] chooses one by the message's type or topic, hands it what it
//! asks for ([`Json`], [`CloudEvent`], [`Raw`], [`State`], [`Context`], or a [`FromMessage`] of one's own), and puts
//! `tower::Layer`s around it. [`testing`] runs it without a broker. [`App`] is the builder of a service with several
//! consumers.
//!
//! # What it promises
//! - **Order**: one record of a partition at a time, in the order of the log. With [`Distribution::ByKey`], one of a
//!   key at a time in that order, and the workers share each partition; nothing behind the first unfinished record of a
//!   partition is committed.
//! - **Workers run in parallel**: while there are as many partitions with records as workers, each worker is busy.
//!   A partition that is slow, paused or retrying delays no other.
//! - **At least once**: a record that was not handled is not committed. What is buffered when its
//!   partition is taken away, or when the agent stops, is dropped and read again by its next owner.
//! - **A pause holds**: once the pause is acknowledged no handler starts on a covered partition, not
//!   for a retry, not after a rebalance, not in an instance that starts later.
//! - **The host comes first**: bounded buffers, no panic of the agent's or of a handler's reaches the
//!   host, and what Kafka does not take in time (telemetry, answers) is dropped and counted.
//!
//! # Memory
//! Records wait in two places: up to [`AgentBuilder::buffer`] records a worker in the agent, and what the Kafka
//! client fetched ahead. For the client each partition has a queue of its own, which holds up to
//! `queued.max.messages.kbytes` and one fetch (`max.partition.fetch.bytes`) more: 3 MB with the agent's default of
//! 2048. A response of a broker's has records of several partitions and is kept until the last of them is taken, so count
//! on twice that: 12 partitions with backlogs of 16 to 85 MB each made an agent with a slow handler 78 MB larger. Lower
//! both where an instance owns hundreds of partitions.
//!
//! # Clients and threads
//! Each consumer has a Kafka client for its records, and a thread that polls it. Beside these a process has one client that
//! reads holds and commands, one that writes telemetry and answers, and one thread for both, however many consumers it has:
//! those share them whose cluster, credentials and Flowdeck topics are the same.
//!
//! # What it says on the wire
//! Telemetry in KafkaFlow's form on `kafkaflow.admin`, every 5 s and at once on a change, with two
//! headers of its own: `Flowdeck-Agent: 1;<incarnation>` and `Flowdeck-Holds`: `known`, `unknown`
//! (they cannot be read, or not all of them), `absent` (the cluster has none, so admin commands are
//! obeyed) or `reading`. Answers to commands on `flowdeck.acks`. A partition that is paused because its
//! handler failed for good ([`Then::PausePartition`]) is listed as paused.
//!
//! # What it must be allowed
//! Read and Describe on its topics, its group, `flowdeck.holds` and `kafkaflow.admin`; Write and Describe on
//! `flowdeck.acks` and `kafkaflow.admin`; Write on its retry topics and dead letters. Without the holds it goes on by [`OnUnknown`] and says so; without Read on
//! `kafkaflow.admin` it obeys no stop, start, restart, change of the worker count, reset or rewind
//! ([`AgentBuilder::admin_commands`]).
//!
//! But for [`AgentBuilder::create_topics`] and [`App::create_topics`] it creates no topic, and it never produces to one that the cluster's metadata does not show.

#![warn(missing_docs)]

mod admin;
mod after_failure;
mod answers;
mod app;
mod arrivals;
#[cfg(feature = "avro")]
mod avro;
mod breaker;
mod builder;
pub mod bus;
mod config;
mod context;
mod control;
mod dead_letters;
pub mod environment;
mod error;
mod extract;
mod failure;
mod function;
mod handler;
pub mod health;
mod history;
mod lanes;
mod message;
mod message_type;
mod observed;
mod outbox;
mod per_worker;
mod poller;
mod process;
mod processing;
pub mod producer;
mod publish;
mod record;
mod record_log;
mod report;
mod retry_topics;
mod router;
mod running;
mod shared;
mod source;
mod startup;
mod telemetry;
pub mod testing;
mod topics;
mod tracker;
mod view;
mod workers;

#[cfg(feature = "avro")]
pub use apache_avro::Schema as AvroSchema;
pub use app::{App, AppError, RunningApp};
pub use async_trait::async_trait;
#[cfg(feature = "avro")]
pub use avro::{Avro, AvroSchemas};
#[cfg(feature = "axum")]
pub use axum;
pub use breaker::{CircuitBreaker, CircuitBreakerService};
pub use builder::{Agent, AgentBuilder, NoHandler};
pub use config::{Distribution, OnUnknown, Timings};
pub use dead_letters::DeadLetters;
pub use error::AgentError;
#[cfg(feature = "prost")]
pub use extract::Protobuf;
pub use extract::{CloudEvent, FromMessage, Json, Raw, State};
pub use failure::{BoxError, Failure, HandlerError, OnError, Then};
pub use flowdeck_model::names::NameError;
pub use flowdeck_model::view::CircuitState;
pub use flowdeck_model::{ConsumerName, GroupId, InstanceName, Partition, Timestamp, TopicName};
pub use function::{HandlerFn, IntoOutcome};
pub use handler::{Delivery, Handler};
pub use history::{FailedCall, RunningCall};
pub use lanes::NotBegun;
pub use message::{Context, Message};
pub use publish::{KafkaPublisher, Latency, Outgoing, PublishError, Publisher, PublisherMetrics};
pub use rdkafka::ClientConfig;
pub use rdkafka::error::KafkaError;
pub use record::Record;
pub use retry_topics::{Origin, RetryTopics};
pub use router::{OnUnmatched, Router};
pub use running::{Counts, Running};
pub use serde_json::Error as JsonError;
pub use startup::TopicSpec;
pub use tokio_util::sync::CancellationToken;
pub use tower::util::BoxCloneSyncService;
pub use tower::{Layer, Service};

/// The guide's code compiles.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

#[cfg(doctest)]
#[doc = include_str!("../FROM_KAFKAFLOW.md")]
struct FromKafkaFlow;
