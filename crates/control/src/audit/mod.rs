//! The audit: who asked for what, and what came of it. Every entry goes to the log; in control mode it goes to
//! `flowdeck.audit` as well, from where operations are read back at the start and by other replicas.

mod log;
mod log_ins;
mod topic;

use async_trait::async_trait;
use flowdeck_kafka::Deadline;
use flowdeck_protocol::wire::{LogIn, Operation};

use crate::writer::WriteError;

pub(crate) use log::LogSink;
pub use log_ins::Audit;
pub(crate) use log_ins::write_log_ins;
pub(crate) use topic::TopicSink;

pub(crate) enum Entry<'a> {
    Operation(&'a Operation),
    LogIn(&'a LogIn),
}

/// Where entries go.
#[async_trait]
pub(crate) trait Sink: Send + Sync {
    /// Gives the entry's offset, where the sink has offsets.
    async fn write(&self, entry: Entry<'_>, deadline: Deadline) -> Result<Option<i64>, WriteError>;
}
