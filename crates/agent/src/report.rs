//! What the agent reports of itself beside KafkaFlow's telemetry: `Flowdeck.AgentTelemetry`.

use std::time::{Duration, Instant};

use flowdeck_model::Timestamp;
use flowdeck_model::view::{AgentCounts, AgentReport, HandlerFailure, RunningHandler};
use flowdeck_protocol::Record;
use flowdeck_protocol::wire::{AgentTelemetry, agent_telemetry_record};

use crate::breaker::CircuitBreaker;
use crate::history::{FailedCall, RunningCall};
use crate::lanes::Seen;
use crate::process::{self, Cpu};
use crate::processing::{Counted, Window};
use crate::shared::{Shared, now};

/// However often something changes.
const APART: Duration = Duration::from_secs(1);

#[derive(Debug)]
pub(crate) struct Reporter {
    started_at: Timestamp,
    host: String,
    cpu: Cpu,
    window: Window,
    /// Up to when calls were counted.
    counted_at: Instant,
    sent_at: Option<Instant>,
}

impl Reporter {
    pub(crate) fn new() -> Self {
        let at = Instant::now();
        Self {
            started_at: now(),
            host: process::host(),
            cpu: Cpu::new(at),
            window: Window::default(),
            counted_at: at,
            sent_at: None,
        }
    }

    /// `None`: the last one was sent just before.
    pub(crate) fn record(
        &mut self,
        shared: &Shared,
        seen: &[Seen],
        running: Vec<RunningCall>,
    ) -> Option<Record> {
        let at = Instant::now();
        if self.sent_at.is_some_and(|sent| at.saturating_duration_since(sent) < APART) {
            return None;
        }
        self.sent_at = Some(at);
        let settings = &shared.settings;
        agent_telemetry_record(AgentTelemetry {
            group: settings.group.clone(),
            consumer: settings.consumer.clone(),
            instance: settings.instance.clone(),
            incarnation: settings.incarnation,
            report: self.report(shared, seen, running, at),
        })
    }

    fn report(
        &mut self,
        shared: &Shared,
        seen: &[Seen],
        running: Vec<RunningCall>,
        at: Instant,
    ) -> AgentReport {
        let mut counted = Counted::default();
        shared.history.take_times(&mut counted);
        self.window.add(self.counted_at, counted, at);
        self.counted_at = at;
        let (failures, workers) = (shared.history.failures(), shared.pool.target());
        AgentReport {
            at: now(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            host: self.host.clone(),
            started_at: Some(self.started_at),
            labels: shared.settings.labels.clone(),
            workers: u32::try_from(workers).unwrap_or(u32::MAX),
            read_committed: Some(shared.settings.read_committed),
            cpu_millicores: self.cpu.millicores(at),
            memory_bytes: process::memory(),
            processing: self.window.times(at),
            counts: counts(shared),
            buffered: seen.iter().map(|lane| lane.waiting as u64).sum(),
            buffer_size: workers.saturating_mul(shared.settings.buffer) as u64,
            in_flight: u32::try_from(running.len()).unwrap_or(u32::MAX),
            running: running.into_iter().map(in_flight).collect(),
            errors_kept: u32::try_from(failures.len()).unwrap_or(u32::MAX),
            errors: failures.into_iter().rev().map(failure).collect(),
            circuit_breaker: shared.settings.breaker.as_ref().map(CircuitBreaker::view),
        }
    }
}

fn counts(shared: &Shared) -> AgentCounts {
    let counts = shared.counts.read();
    AgentCounts {
        handled: counts.handled,
        failed: counts.failed,
        skipped: counts.skipped,
        dead_lettered: counts.dead_lettered,
        retry_topics: counts.retry_topics,
        dropped_uncommitted: counts.dropped_uncommitted,
    }
}

fn in_flight(call: RunningCall) -> RunningHandler {
    let RunningCall { since, topic, partition, offset } = call;
    RunningHandler { topic, partition, offset, since }
}

fn failure(call: FailedCall) -> HandlerFailure {
    let FailedCall { at, topic, partition, offset, attempt, error } = call;
    HandlerFailure { at, topic, partition, offset, attempt, error }
}
