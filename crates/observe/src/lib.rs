//! What is known of a cluster: sampling of groups and lag, records of followed topics, telemetry and its trust,
//! verdicts, the published snapshot, and the ports that read it.
//!
//! It has no producer: nothing here writes to a cluster. It builds no HTML and knows no HTTP. What is done to a
//! cluster is the work of `flowdeck-control`, which hands in what pages show of it (`snapshot::Controlled`).

pub mod audit;
pub mod clock;
pub mod core;
pub mod dead_letters;
pub mod figures;
mod find;
pub mod group_seen;
pub mod group_watch;
pub mod history;
pub mod holds;
mod judging;
pub mod locked_up;
pub mod looks;
pub mod not_obeyed;
pub mod observation;
mod offers;
pub mod operations;
mod payload;
pub mod ports;
pub mod ready;
mod rebalance;
pub mod recent_counts;
pub mod sampling;
pub mod settings;
pub mod snapshot;
pub mod stats;
pub mod telemetry;
pub mod time_zones;
pub mod topic_events;
pub mod unread;
pub mod verdict_changes;

pub use settings::{
    AdminTopics, ClusterSettings, ConfiguredDecoder, HoldDefault, MaskRule, Mute, ObserveSettings,
    SearchLimits, TelemetryLimits, Thresholds, Timing, TopicSettings, labels_of,
};
pub use stats::{ClusterNumbers, NotObeyedCount, NotObeyedNumbers, Stats};
