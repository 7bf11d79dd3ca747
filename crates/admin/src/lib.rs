//! The admin service of Flowdeck: sampling of groups and lag, telemetry, holds, commands, peeking.
//! The truth that pages, API and stream show, reached through the ports of `flowdeck-model`, bound
//! to an actor.
//!
//! It builds no HTML and knows no HTTP. It writes to a cluster only in control mode, and there only
//! to Flowdeck's own topics and KafkaFlow's admin topics; in observe mode it has no producer at all.

mod clock;
mod cluster;
mod commands;
mod holds;
mod peek;
mod ports;
mod service;
mod settings;
mod stats;
mod telemetry;

pub use service::{Admin, ClusterReady, ReadyView};
pub use settings::{AdminSettings, AdminTopics, ClusterSettings, TelemetryLimits, Timing};
pub use stats::{ClusterNumbers, NotObeyedCount, NotObeyedNumbers, Stats};
