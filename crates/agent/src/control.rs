//! The control thread: checks which of Flowdeck's topics exist, follows the holds (or, where there
//! are none, the admin commands), sets the gates, answers, and reports.

mod commands;
mod holds;
mod metadata;
mod reader;
mod say;
mod stream;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use flowdeck_model::{HoldId, Scope};
use rdkafka::consumer::BaseConsumer;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use tracing::debug;

use crate::answers::Answers;
use crate::outbox::Outbox;
use crate::record::TopicPartition;
use crate::report::Reporter;
use crate::shared::Shared;

use holds::Follows;
pub(crate) use reader::ReaderContext;
use reader::{Event, Read};
use stream::CommandStream;

/// The longest wait in one poll; an assignment, an idle lane or a stop is noticed that late.
const POLL: Duration = Duration::from_millis(50);
/// Records that are taken before the gates are set.
const BATCH: usize = 1_000;
/// The same while an answer waits for a handler that begins in this instant.
const INSTANT: Duration = Duration::from_millis(1);
const GOODBYE: Duration = Duration::from_secs(1);

pub(crate) struct Control {
    shared: Arc<Shared>,
    /// Its queue, before its client.
    commands: Option<CommandStream>,
    reader: Arc<BaseConsumer<ReaderContext>>,
    outbox: Outbox,
    answers: Answers,
    follows: Follows,
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
    pub(crate) fn new(shared: Arc<Shared>, reader: BaseConsumer<ReaderContext>, outbox: Outbox) -> Self {
        let now = Instant::now();
        Self {
            shared,
            commands: None,
            reader: Arc::new(reader),
            outbox,
            answers: Answers::default(),
            follows: Follows::Nothing,
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

    pub(crate) fn run(mut self) {
        while !self.shared.finishing.is_cancelled() {
            self.keep_up_with_assignments();
            if Instant::now() >= self.check_at {
                self.check_metadata();
            }
            self.read();
            self.expire();
            self.say();
        }
        self.answer_admin();
        self.report();
        self.outbox.flush(GOODBYE);
    }

    fn read(&mut self) {
        let mut wait = if self.answers.wait(Instant::now()) { INSTANT } else { POLL };
        let mut news = false;
        for _ in 0..BATCH {
            let event = match self.reader.poll(wait) {
                None => break,
                Some(Err(error)) => Event::Error(error),
                Some(Ok(message)) => Event::Record(Read::of(&message)),
            };
            wait = Duration::ZERO;
            match event {
                Event::Record(record) => news |= self.record(&record),
                Event::Error(KafkaError::PartitionEOF(_)) => self.at_end(),
                Event::Error(error) => self.reader_failed(&error),
            }
        }
        news |= self.read_commands();
        self.waited_too_long();
        let ticket = match &self.follows {
            Follows::Holds(reading) if !reading.live => return,
            Follows::Holds(reading) => reading.trusted,
            // Pending gates wait for a check.
            Follows::Pauses | Follows::Nothing => 0,
        };
        if news {
            self.regate(ticket);
            self.shared.tell();
        }
    }

    fn reader_failed(&mut self, error: &KafkaError) {
        debug!(%error, "the reader of holds reports");
        let refused = matches!(
            error.rdkafka_error_code(),
            Some(RDKafkaErrorCode::TopicAuthorizationFailed | RDKafkaErrorCode::GroupAuthorizationFailed)
        );
        if refused && matches!(self.follows, Follows::Holds(_)) {
            self.unknown(format!("{} may not be read ({error})", self.shared.settings.holds));
        }
    }

    /// Says whether gates may have to move.
    fn record(&mut self, record: &Read) -> bool {
        match &mut self.follows {
            Follows::Holds(reading) => {
                reading.next = Some(record.offset + 1);
                let live = reading.live;
                self.hold(record, live)
            }
            Follows::Pauses | Follows::Nothing => false,
        }
    }

    fn regate(&mut self, ticket: u64) {
        self.shared.regate(ticket);
    }
}
