//! The control thread: looks which of Flowdeck's topics exist, follows the holds (or, where there
//! are none, the admin commands), sets the gates, answers, and reports.

use std::collections::BTreeSet;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use flowdeck_model::{Hold, HoldId, Scope, TopicName};
use flowdeck_protocol::Headers;
use flowdeck_protocol::kafkaflow::{self, Command, Decoded, Message};
use flowdeck_protocol::wire::{self, HoldRecord};
use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, Consumer as _, ConsumerContext};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{BorrowedMessage, Headers as _, Message as _};
use rdkafka::{Offset, TopicPartitionList};
use tracing::{debug, info, warn};

use crate::answers::Answers;
use crate::config::Stream;
use crate::context::Callbacks;
use crate::flow;
use crate::lanes::{Gate, Seen};
use crate::outbox::Outbox;
use crate::record::Tp;
use crate::shared::{Shared, add, now};
use crate::telemetry;
use crate::topics::{Presence, look};
use crate::view::Standing;

/// The longest wait in one poll; an assignment, an idle lane or a stop is noticed that late.
const POLL: Duration = Duration::from_millis(50);
/// Records that are taken before the gates are set.
const BATCH: usize = 1_000;
/// Looks while gates wait for one.
const LOOK_SOON: Duration = Duration::from_millis(200);
const GOODBYE: Duration = Duration::from_secs(1);

pub(crate) struct Control {
    shared: Arc<Shared>,
    consumer: Weak<BaseConsumer<Callbacks>>,
    reader: BaseConsumer<ReaderContext>,
    outbox: Outbox,
    answers: Answers,
    follows: Follows,
    look_at: Instant,
    /// The newest assignment that was there when the last look began.
    look_covers: u64,
    /// The newest assignment whose gates wait for a look, and since when.
    looked_for: u64,
    waits_since: Instant,
    telemetry_at: Instant,
    /// Holds that ended by the own clock and were reported.
    expired: BTreeSet<(Scope, HoldId)>,
    /// What the last telemetry said: each partition, and whether it runs.
    reported: Vec<(Tp, bool)>,
}

/// What the reader is assigned to.
enum Follows {
    Nothing,
    Holds(Reading),
    Commands,
}

struct Reading {
    /// The next offset; `None`: from the beginning.
    next: Option<i64>,
    /// Assignments up to this one may trust the view.
    trusted: u64,
    /// Under way: the newest assignment that waits, and when it has waited too long.
    waits: Option<(u64, Instant)>,
    /// The end was reached once: changes since are live, and are answered.
    live: bool,
    /// The topic was missing when last looked for.
    gone: bool,
}

impl Control {
    pub(crate) fn new(
        shared: Arc<Shared>,
        consumer: Weak<BaseConsumer<Callbacks>>,
        reader: BaseConsumer<ReaderContext>,
        outbox: Outbox,
    ) -> Self {
        let now = Instant::now();
        Self {
            shared,
            consumer,
            reader,
            outbox,
            answers: Answers::default(),
            follows: Follows::Nothing,
            look_at: now,
            look_covers: 0,
            looked_for: 0,
            waits_since: now,
            telemetry_at: now,
            expired: BTreeSet::new(),
            reported: vec![],
        }
    }

    pub(crate) fn run(mut self) {
        while !self.shared.finishing.is_cancelled() {
            self.keep_up_with_assignments();
            if Instant::now() >= self.look_at {
                self.look();
            }
            self.read();
            self.expire();
            self.say();
        }
        self.report();
        self.outbox.flush(GOODBYE);
    }

    // ---- which topics are there

    fn look(&mut self) {
        let settings = &self.shared.settings;
        // What is assigned while we look waits for the next look.
        self.look_covers = self.shared.lock().lanes.pending().unwrap_or(0);
        let holds = look(&self.reader, settings.holds.as_str());
        let here = |topic: &TopicName| matches!(look(&self.reader, topic.as_str()), Ok(Presence::Here));
        let all_here = match holds {
            Err(error) => {
                self.holds_unreachable(&error);
                false
            }
            Ok(presence) => {
                self.outbox.acks_are_here = here(&settings.acks);
                let telemetry = here(&settings.telemetry.topic);
                if telemetry && !self.outbox.telemetry_is_here {
                    self.shared.tell();
                }
                self.outbox.telemetry_is_here = telemetry;
                let all = presence == Presence::Here && self.outbox.acks_are_here && telemetry;
                self.holds_looked_for(&presence);
                all
            }
        };
        self.look_at = Instant::now() + self.look_again_in(all_here);
    }

    fn look_again_in(&self, all_here: bool) -> Duration {
        let every = self.shared.settings.timings.look;
        match self.shared.lock().view.standing() {
            Standing::Looking => every.min(LOOK_SOON),
            Standing::Known if all_here => every.saturating_mul(6),
            Standing::Known | Standing::Absent | Standing::Unknown(_) => every,
        }
    }

    fn holds_looked_for(&mut self, presence: &Presence) {
        match (presence, &mut self.follows) {
            (Presence::Here, Follows::Holds(reading)) if !reading.gone => {
                // Unknown since an error or a deadline: try again from where we are.
                if reading.waits.is_none() && !matches!(self.shared.lock().view.standing(), Standing::Known) {
                    self.read_holds_again();
                }
            }
            (Presence::Here, _) => self.follow_holds(),
            (Presence::Missing, Follows::Holds(reading)) => {
                if !reading.gone {
                    warn!(topic = %self.shared.settings.holds, "the topic of holds is gone; what stood stands on");
                }
                reading.gone = true;
            }
            (Presence::Missing, Follows::Nothing) => self.follow_commands(),
            (Presence::Missing, Follows::Commands) => {
                let ticket = self.look_covers;
                self.regate(ticket);
            }
            (Presence::Refused(code), Follows::Nothing | Follows::Commands) => {
                self.unknown(format!(
                    "{} may not be read ({code}): grant Describe and Read on it",
                    self.shared.settings.holds
                ));
            }
            (Presence::Refused(_), Follows::Holds(_)) => {}
        }
    }

    fn holds_unreachable(&mut self, error: &KafkaError) {
        let waits = {
            let state = self.shared.lock();
            *state.view.standing() == Standing::Looking || state.lanes.pending().is_some()
        };
        if waits && self.waits_since.elapsed() >= self.shared.settings.timings.holds {
            self.unknown(format!("the cluster does not answer: {error}"));
        }
    }

    fn unknown(&mut self, why: String) {
        if self.shared.lock().view.stands(Standing::Unknown(why.clone())) {
            warn!(group.id = %self.shared.settings.group, why, "the holds are unknown");
        }
        self.shared.settled();
        self.regate(u64::MAX);
    }

    // ---- holds

    fn follow_holds(&mut self) {
        info!(topic = %self.shared.settings.holds, "reading the holds");
        let limit = Instant::now() + self.shared.settings.timings.holds;
        let mut state = self.shared.lock();
        let ticket = state.lanes.pending().unwrap_or(0);
        // Gates stay as they are until the end is reached; new assignments wait for that.
        state.view.stands(Standing::Looking);
        state.view.forget();
        drop(state);
        let reading =
            Reading { next: None, trusted: 0, waits: Some((ticket, limit)), live: false, gone: false };
        self.answers.forget_pauses();
        self.expired.clear();
        self.follows = Follows::Holds(reading);
        self.assign_holds();
    }

    fn read_holds_again(&mut self) {
        let limit = Instant::now() + self.shared.settings.timings.holds;
        let pending = self.shared.lock().lanes.pending();
        if let Follows::Holds(reading) = &mut self.follows {
            reading.waits = Some((pending.unwrap_or(reading.trusted), limit));
            self.assign_holds();
        }
    }

    /// Partitions were assigned since the holds were last read to their end: another instance may
    /// have acknowledged a pause of them that is not here yet. A fresh assignment of the reader asks
    /// the broker for the end as it is now; where there were no holds, a look asks whether that is so.
    fn keep_up_with_assignments(&mut self) {
        let Some(pending) = self.shared.lock().lanes.pending() else { return };
        match &self.follows {
            Follows::Holds(reading) => {
                let asked = reading.waits.map_or(reading.trusted, |(ticket, _)| ticket);
                if asked < pending {
                    self.read_holds_again();
                }
            }
            Follows::Commands | Follows::Nothing if self.looked_for < pending => {
                self.looked_for = pending;
                self.waits_since = Instant::now();
                self.look_at = self.waits_since;
            }
            Follows::Commands | Follows::Nothing => {
                self.look_at = self.look_at.min(Instant::now() + LOOK_SOON);
            }
        }
    }

    fn assign_holds(&mut self) {
        let Follows::Holds(reading) = &self.follows else { return };
        let from = reading.next.map_or(Offset::Beginning, Offset::Offset);
        let stream = Stream { topic: self.shared.settings.holds.clone(), partition: 0 };
        self.assign(&stream, from);
    }

    fn assign(&self, stream: &Stream, from: Offset) {
        let mut list = TopicPartitionList::new();
        let added = list.add_partition_offset(stream.topic.as_str(), stream.partition, from);
        if let Err(error) = added.and_then(|()| self.reader.assign(&list)) {
            warn!(topic = %stream.topic, %error, "the reader could not be assigned");
        }
    }

    /// The reader stands at the end of the holds.
    fn at_end(&mut self) {
        let Follows::Holds(reading) = &mut self.follows else { return };
        let Some((ticket, _)) = reading.waits.take() else { return };
        reading.trusted = reading.trusted.max(ticket);
        let first = !reading.live;
        reading.live = true;
        let trusted = reading.trusted;
        {
            let mut state = self.shared.lock();
            if state.view.stands(Standing::Known) {
                self.shared.tell();
            }
            if first {
                let offset = reading.next.map_or(-1, |next| next - 1);
                for hold in state.view.standing_holds(now()) {
                    self.answers.set(&self.shared.settings, hold, None, None, offset);
                }
            }
        }
        self.shared.settled();
        self.regate(trusted);
    }

    fn waited_too_long(&mut self) {
        let Follows::Holds(reading) = &mut self.follows else { return };
        if reading.waits.is_some_and(|(_, limit)| Instant::now() >= limit) {
            reading.waits = None;
            let topic = self.shared.settings.holds.clone();
            self.unknown(format!("{topic} was not read to its end in time"));
        }
    }

    // ---- commands, on a cluster without holds

    fn follow_commands(&mut self) {
        let commands = self.shared.settings.commands.clone();
        if matches!(look(&self.reader, commands.topic.as_str()), Ok(Presence::Here)) {
            info!(topic = %commands.topic, "no topic of holds: obeying admin commands");
            self.follows = Follows::Commands;
            self.assign(&commands, Offset::End);
        }
        if self.shared.lock().view.stands(Standing::Absent) {
            self.shared.tell();
        }
        self.shared.settled();
        self.regate(self.look_covers);
    }

    // ---- reading

    fn read(&mut self) {
        let mut wait = POLL;
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
        self.waited_too_long();
        let ticket = match &self.follows {
            Follows::Holds(reading) if !reading.live => return,
            Follows::Holds(reading) => reading.trusted,
            // Pending gates wait for a look.
            Follows::Commands | Follows::Nothing => 0,
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
            Follows::Commands => self.command(record),
            Follows::Nothing => false,
        }
    }

    fn hold(&mut self, record: &Read, live: bool) -> bool {
        let shared = Arc::clone(&self.shared);
        let settings = &shared.settings;
        let headers = record.headers();
        let key = record.key.as_deref().unwrap_or_default();
        let command = wire::command_of(&headers);
        let mut state = shared.lock();
        match wire::read_hold(&headers, record.key.as_deref(), record.value.as_deref()) {
            HoldRecord::Set(hold) if hold.scope.group == settings.group => {
                let before = state.view.set(key, hold.clone());
                self.expired.remove(&(hold.scope.clone(), hold.id));
                if live {
                    self.answers.set(settings, &hold, before.as_ref(), command, record.offset);
                }
            }
            HoldRecord::Set(_) => {
                state.view.release(key);
            }
            HoldRecord::Released { scope, id } => {
                state.view.release(key);
                if live {
                    self.answers.release(settings, &scope, id, command, record.offset);
                }
            }
            HoldRecord::NewerVersion if record.value.is_none() => {
                state.view.release(key);
            }
            HoldRecord::NewerVersion => {
                state.view.unreadable(key);
                add(&shared.counts.records_not_understood, 1);
                warn!(
                    offset = record.offset,
                    "a hold of a newer version: holds are unknown; update this service"
                );
            }
            HoldRecord::Malformed(reason) => {
                add(&shared.counts.records_not_understood, 1);
                warn!(offset = record.offset, %reason, "a record on the topic of holds was skipped");
                return false;
            }
        }
        true
    }

    fn command(&mut self, record: &Read) -> bool {
        match kafkaflow::decode(&record.headers(), record.value.as_deref()) {
            Decoded::Message(Message::Command(command)) => self.obey(command),
            Decoded::Message(Message::Telemetry(_)) | Decoded::NotOurs => false,
            Decoded::Malformed(reason) => {
                add(&self.shared.counts.records_not_understood, 1);
                debug!(offset = record.offset, %reason, "a record on the admin topic was skipped");
                false
            }
        }
    }

    fn obey(&mut self, command: Command) -> bool {
        let settings = &self.shared.settings;
        let by_name = |consumer| (consumer == settings.consumer).then(|| Some(settings.consumer.clone()));
        let (pause, consumer, topics) = match command {
            Command::PauseConsumerByName { consumer, topics } => (true, by_name(consumer), topics),
            Command::ResumeConsumerByName { consumer, topics } => (false, by_name(consumer), topics),
            Command::PauseConsumersByGroup { group, topics } => {
                (true, (group == settings.group).then_some(None), topics)
            }
            Command::ResumeConsumersByGroup { group, topics } => {
                (false, (group == settings.group).then_some(None), topics)
            }
            other => {
                debug!(command = other.type_name(), "not a command that an agent obeys");
                return false;
            }
        };
        let Some(consumer) = consumer else { return false };
        let scope = Scope { consumer, ..Scope::group(settings.group.clone()) };
        let scopes = if topics.is_empty() {
            vec![scope]
        } else {
            topics.into_iter().map(|topic| Scope { topic: Some(topic), ..scope.clone() }).collect()
        };
        let mut state = self.shared.lock();
        if pause {
            state.view.pause_locally(scopes, now());
        } else {
            state.view.resume_locally(&scopes);
        }
        true
    }

    // ---- gates, answers, telemetry

    fn regate(&mut self, ticket: u64) {
        self.shared.regate(ticket);
        if let Some(consumer) = self.consumer.upgrade() {
            flow::apply(&self.shared, &consumer);
        }
    }

    /// Holds whose end is past and that nobody released.
    fn expire(&mut self) {
        let over: Vec<Hold> = self.shared.lock().view.overdue(now());
        let new: Vec<Hold> =
            over.into_iter().filter(|hold| self.expired.insert((hold.scope.clone(), hold.id))).collect();
        if new.is_empty() {
            return;
        }
        let ticket = match &self.follows {
            Follows::Holds(reading) if reading.live => reading.trusted,
            // They are not read to the end yet: a later record may say otherwise.
            _ => {
                self.expired.clear();
                return;
            }
        };
        self.regate(ticket);
        self.shared.tell();
        for hold in new {
            warn!(hold = %hold.id, "the hold is past its end and no Flowdeck released it: resumed by the own clock");
            let until = hold.until.map(|until| until.to_string()).unwrap_or_default();
            let detail =
                format!("resumed by its own clock: the hold ended at {until} and nobody released it");
            self.answers.expired(&self.shared.settings, &hold, detail);
        }
    }

    fn say(&mut self) {
        let news = self.shared.take_news();
        if news {
            let (seen, unknown) = {
                let state = self.shared.lock();
                (state.lanes.seen(), state.view.unknown())
            };
            for mut answer in self.answers.due(&self.shared.settings, &seen) {
                if answer.detail.is_none() {
                    answer.detail = unknown.as_ref().map(|why| format!("holds unknown: {why}"));
                }
                debug!(command = %answer.command, state = ?answer.state, "answered");
                self.outbox.answer(answer);
            }
        }
        self.outbox.serve();
        let due = Instant::now() >= self.telemetry_at;
        if due || (news && self.changed()) {
            self.report();
            self.telemetry_at = Instant::now() + self.shared.settings.timings.telemetry;
        }
    }

    /// Whether partitions came, went, stand or run otherwise than telemetry last said. While the
    /// holds are read after an assignment nothing is said: it would be outdated at once.
    fn changed(&self) -> bool {
        let seen = self.shared.seen();
        !seen.iter().any(|lane| lane.gate == Gate::Pending) && shape(&seen) != self.reported
    }

    fn report(&mut self) {
        let (seen, word) = {
            let state = self.shared.lock();
            (state.lanes.seen(), telemetry::holds_word(&state.view))
        };
        self.reported = shape(&seen);
        self.outbox.telemetry(telemetry::records(&self.shared.settings, &seen, word, now()));
    }
}

fn shape(seen: &[Seen]) -> Vec<(Tp, bool)> {
    seen.iter().map(|lane| (lane.at.clone(), lane.runs())).collect()
}

enum Event {
    Record(Read),
    Error(KafkaError),
}

/// A record of the reader's, free of its client.
struct Read {
    offset: i64,
    key: Option<Vec<u8>>,
    value: Option<Vec<u8>>,
    headers: Vec<(String, Vec<u8>)>,
}

impl Read {
    fn of(message: &BorrowedMessage<'_>) -> Self {
        let headers = message.headers().into_iter().flat_map(|headers| headers.iter());
        Self {
            offset: message.offset(),
            key: message.key().map(<[u8]>::to_vec),
            value: message.payload().map(<[u8]>::to_vec),
            headers: headers.filter_map(|one| Some((one.key.to_owned(), one.value?.to_vec()))).collect(),
        }
    }

    fn headers(&self) -> Headers<'_> {
        self.headers.iter().map(|(name, value)| (name.as_str(), value.as_slice())).collect()
    }
}

pub(crate) struct ReaderContext;

impl ClientContext for ReaderContext {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        crate::context::log(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        // The end of a partition comes here too; `poll` gives it to the thread.
        if error.rdkafka_error_code() != Some(RDKafkaErrorCode::PartitionEOF) {
            debug!(%error, reason, "the reader's client reports");
        }
    }
}

impl ConsumerContext for ReaderContext {}
