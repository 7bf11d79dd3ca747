//! The audit: who asked for what, and what came of it. Every entry goes to the log; in control mode it goes to
//! `flowdeck.audit` as well, from where operations are read back at the start and by other replicas.

mod log;
mod log_ins;
mod old;
mod queue;
mod topic;

use flowdeck_model::actor::{ActorKind, ActorView, Via};
use flowdeck_protocol::wire::{
    BulkRecord, LogIn, Look, Operation, ProduceRecord, RedriveRecord, RetentionRecord,
};

pub(crate) use log::LogSink;
pub use log_ins::Audit;
pub(crate) use old::OldOperations;
pub(crate) use queue::{Writer, write_log_ins, write_looks};
pub(crate) use topic::TopicSink;

pub(crate) enum Entry<'a> {
    Operation(&'a Operation),
    LogIn(&'a LogIn),
    Redrive(&'a RedriveRecord),
    Bulk(&'a BulkRecord),
    Produce(&'a ProduceRecord),
    Look(&'a Look),
    Retention(&'a RetentionRecord),
}

/// Flowdeck itself.
pub(crate) fn system() -> ActorView {
    ActorView { name: "flowdeck".to_owned(), kind: ActorKind::System, via: Via::Api, address: None }
}
