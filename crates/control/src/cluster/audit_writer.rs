//! Writes to the audit topic beside the actor: requests at once, each beside the others; changes of commands one
//! batch after the other, so that the newest is the last.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use flowdeck_kafka::Deadline;
use flowdeck_model::CommandId;
use flowdeck_observe::Timing;
use flowdeck_protocol::wire::Operation;
use futures::StreamExt as _;
use futures::stream::FuturesUnordered;
use tokio::time::Instant;

use crate::audit::{Entry, TopicSink};
use crate::commands::write_task;
use crate::writer::WriteError;

pub(crate) enum AuditOutcome {
    Request { id: CommandId, result: Result<i64, WriteError> },
    States { operations: Vec<Operation>, problem: Option<String> },
}

/// Between two batches of changes: what changes meanwhile is one record.
const STATES_APART: Duration = Duration::from_millis(50);
/// More, for each instance in the batch before: a record has all instances of its operation, and a thousand of them would
/// write 128 KiB twenty times a second.
const APART_FOR_EACH: Duration = Duration::from_micros(250);

type Writing = Pin<Box<dyn Future<Output = AuditOutcome> + Send>>;

pub(crate) struct AuditWriter {
    sink: Arc<TopicSink>,
    timing: Timing,
    writing: FuturesUnordered<Writing>,
    writes_states: bool,
    /// Instances in the batch that is being written.
    instances: u32,
    next_states: Instant,
}

impl AuditWriter {
    pub(crate) fn new(sink: Arc<TopicSink>, timing: Timing) -> Self {
        Self {
            sink,
            timing,
            writing: FuturesUnordered::new(),
            writes_states: false,
            instances: 0,
            next_states: Instant::now(),
        }
    }

    pub(crate) fn sink(&self) -> Arc<TopicSink> {
        Arc::clone(&self.sink)
    }

    pub(crate) fn write_request(&self, request: Operation) {
        let (sink, patience) = (self.sink(), self.timing.audit_patience);
        self.writing.push(Box::pin(async move {
            let result = sink.write(Entry::Operation(&request), Deadline::after(patience)).await;
            AuditOutcome::Request { id: request.id, result }
        }));
    }

    pub(crate) fn takes_states(&self) -> bool {
        !self.writes_states && Instant::now() >= self.next_states
    }

    pub(crate) fn write_states(&mut self, operations: Vec<Operation>) {
        if operations.is_empty() {
            return;
        }
        self.writes_states = true;
        let instances: usize = operations.iter().map(|operation| operation.instances.len()).sum();
        self.instances = u32::try_from(instances).unwrap_or(u32::MAX);
        let (sink, deadline) = (self.sink(), self.timing.write_deadline);
        self.writing.push(Box::pin(async move {
            let deadline = Deadline::after(deadline);
            let mut problem = None;
            for operation in &operations {
                if let Err(error) = sink.write(Entry::Operation(operation), deadline).await {
                    problem = Some(write_task::words(&error));
                    break;
                }
            }
            AuditOutcome::States { operations, problem }
        }));
    }

    /// The next that is over; pending for ever where nothing is written.
    pub(crate) async fn next(&mut self) -> AuditOutcome {
        let Some(outcome) = self.writing.next().await else { return std::future::pending().await };
        if let AuditOutcome::States { problem, .. } = &outcome {
            self.writes_states = false;
            let apart = STATES_APART + APART_FOR_EACH * self.instances;
            let pause = if problem.is_some() { self.timing.audit_patience } else { apart };
            self.next_states = Instant::now() + pause;
        }
        outcome
    }

    /// All that is being written.
    pub(crate) async fn finish(&mut self) {
        while self.writing.next().await.is_some() {}
    }
}
