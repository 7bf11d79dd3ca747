//! Control of agents: which of Flowdeck's topics exist, the holds (or, where there are none, the admin commands) and the
//! gates by them, answers, and reports.
//!
//! The agents of a process share one thread, one reader and one producer for that: a link (`link.rs`), which the first of
//! them makes and the last one ends (`links.rs`). Here is what one agent makes of what the reader reads. It asks the reader
//! for what it needs and never waits, since others wait for it.

mod commands;
mod holds;
mod link;
mod links;
mod log;
mod metadata;
mod reader;
mod rounds;
mod say;
mod stream;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use flowdeck_model::{HoldId, Scope};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};

use crate::answers::Answers;
use crate::outbox::Outbox;
use crate::record::TopicPartition;
use crate::report::Reporter;
use crate::shared::Shared;

use holds::Follows;
pub(crate) use links::{NoLink, join};

/// The longest wait in one poll; an assignment, an idle lane or a stop is noticed that late.
const POLL: Duration = Duration::from_millis(50);
/// The same while an answer waits for a handler that begins in this instant.
const INSTANT: Duration = Duration::from_millis(1);

/// Of one agent.
struct Control {
    shared: Arc<Shared>,
    outbox: Outbox,
    answers: Answers,
    follows: Follows,
    /// The first offset of the admin topic that is for this agent: what was written before it started is not. `None`
    /// while it reads no commands.
    commands_from: Option<i64>,
    /// Gates may have to move since they were last set.
    news: bool,
    check_at: Instant,
    /// The newest assignment that was there when the last check began.
    check_covers: u64,
    /// The newest assignment whose gates wait for a check, and since when.
    checked_for: u64,
    waits_since: Instant,
    telemetry_at: Instant,
    reporter: Reporter,
    /// Holds that ended by the own clock and were reported.
    expired: BTreeSet<(Scope, HoldId)>,
    /// What the last telemetry said: each partition, and whether it runs.
    reported: Vec<(TopicPartition, bool)>,
    reported_workers: usize,
}

impl Control {
    fn new(shared: Arc<Shared>, outbox: Outbox) -> Self {
        let now = Instant::now();
        Self {
            shared,
            outbox,
            answers: Answers::default(),
            follows: Follows::Nothing,
            commands_from: None,
            news: false,
            check_at: now,
            check_covers: 0,
            checked_for: 0,
            waits_since: now,
            telemetry_at: now,
            reporter: Reporter::new(),
            expired: BTreeSet::new(),
            reported: vec![],
            reported_workers: 0,
        }
    }

    /// How long the next poll may take.
    fn patience(&self, now: Instant) -> Duration {
        if self.answers.wait(now) { INSTANT } else { POLL }
    }

    /// What was polled has been given to it.
    fn after_poll(&mut self) {
        self.waited_too_long();
        self.follow_news();
        self.expire();
        self.say();
    }

    fn follow_news(&mut self) {
        if !std::mem::take(&mut self.news) {
            return;
        }
        let ticket = match &self.follows {
            // The end will set them.
            Follows::Holds(reading) if !reading.live => return,
            Follows::Holds(reading) => reading.trusted,
            // Pending gates wait for a check.
            Follows::Pauses | Follows::Nothing => 0,
        };
        self.regate(ticket);
        self.shared.tell();
    }

    fn reader_failed(&mut self, error: &KafkaError) {
        let refused = matches!(
            error.rdkafka_error_code(),
            Some(RDKafkaErrorCode::TopicAuthorizationFailed | RDKafkaErrorCode::GroupAuthorizationFailed)
        );
        if refused && matches!(self.follows, Follows::Holds(_)) {
            self.unknown(format!("{} may not be read ({error})", self.shared.settings.holds));
        }
    }

    fn regate(&mut self, ticket: u64) {
        self.shared.regate(ticket);
    }
}

#[cfg(test)]
mod tests;
