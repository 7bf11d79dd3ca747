//! What Flowdeck talks about: names and ids, offsets, lag and verdicts, holds and commands, the
//! views that pages show, and the ports through which they are asked for.
//!
//! This crate has no clock (`now` is always an argument), no I/O and no HTML, and compiles to
//! wasm. It is the one crate that everybody may depend on; it depends on none of ours.

pub mod action;
pub mod actor;
pub mod bulk;
pub mod canary;
pub mod command;
pub mod error;
pub mod hold;
pub mod ids;
pub mod lag;
pub mod live;
pub mod names;
pub mod offsets;
pub mod pause_end;
pub mod ports;
pub mod produce;
pub mod query;
pub mod rate;
pub mod record_place;
pub mod redrive;
pub mod retention;
pub mod scope;
pub mod shown;
pub mod time;
pub mod trend;
pub mod url;
pub mod verdict;
pub mod view;

pub use action::{Action, ActionKind};
pub use actor::{Actor, ActorKind, Grant, Pattern, Permission, Via};
pub use bulk::{BulkQuery, BulkRequest, SubmitBulk};
pub use canary::SubmitCanary;
pub use command::{CommandState, InstanceState, Submit, Target};
pub use error::PortError;
pub use hold::{Hold, HoldBy};
pub use ids::{CommandId, HoldId, Incarnation, Version};
pub use lag::{Lag, PartitionReading, TimeLag, Unknown};
pub use names::{ClusterName, ConsumerName, GroupId, InstanceName, Partition, TopicName};
pub use pause_end::PauseEnd;
pub use ports::{
    AuditLog, Bulks, Canaries, Control, DeadLetters, Fleet, Peek, Ports, Produce, Redrives, Retentions, Tail,
};
pub use produce::{ProduceRequest, SubmitProduce};
pub use query::{AuditQuery, DeadLettersQuery, FleetQuery, HistoryQuery, MessagesQuery};
pub use redrive::{RedriveRequest, SubmitRedrive};
pub use retention::{RetentionQuery, RetentionRequest, SubmitRetention};
pub use scope::Scope;
pub use time::Timestamp;
pub use verdict::{GroupState, GroupType, Level, Verdict};
