//! What is done to a cluster: commands and their life, holds, external commands, the one writer and the history that it
//! keeps; and the admin service, which starts each cluster's tasks and hands out the ports.
//!
//! It writes only in control mode: records to Flowdeck's own topics and KafkaFlow's admin topics, and commits of a group
//! where an operation asks for that; in observe mode there is no producer at all. It builds no HTML and knows no HTTP.

mod audit;
mod bulk;
mod canary;
mod cluster;
mod commands;
mod kept;
mod kinds;
mod offsets;
mod own_topics;
mod port;
mod produce;
mod redrive;
mod retention;
mod samples;
mod service;
mod settings;
mod without_server;
mod writer;

pub use audit::Audit;
pub use flowdeck_protocol::wire::{LogIn, LogInOutcome};
pub use service::Admin;
pub use settings::AdminSettings;
pub use without_server::{HoldsOnKafka, Released};
