//! One agent's way with the holds: what is read to the end, at its start and for each assignment, obeying
//! what is written since, and holds that nobody releases in time.

use std::sync::Arc;
use std::time::{Duration, Instant};

use flowdeck_model::{Hold, Timestamp};
use flowdeck_protocol::wire::HoldRecord;
use tracing::warn;

use crate::answers::freed;
use crate::shared::{add, now};
use crate::view::HoldsStatus;

use super::Control;
use super::log::HoldsRecord;
use super::reader::Reader;

/// Where pauses come from.
pub(super) enum Follows {
    Nothing,
    Holds(Reading),
    /// There is no such topic: pauses come from the admin topic.
    Pauses,
}

impl Follows {
    /// Up to which offset they were read; -1 before the first.
    pub(super) fn holds_offset(&self) -> i64 {
        let Self::Holds(reading) = self else { return -1 };
        reading.next.map_or(-1, |next| next - 1)
    }
}

pub(super) struct Reading {
    /// The next offset; `None`: nothing was read yet.
    pub(super) next: Option<i64>,
    /// Assignments up to this one may trust the view.
    pub(super) trusted: u64,
    /// Under way.
    pub(super) waits: Option<Waits>,
    /// The end was reached once: changes since are live, and are answered.
    pub(super) live: bool,
}

/// For the end of the holds.
#[derive(Debug, Clone, Copy)]
pub(super) struct Waits {
    /// The newest assignment that waits.
    pub(super) ticket: u64,
    /// The first round of the reader whose end counts.
    pub(super) round: u64,
    /// When it has waited too long.
    pub(super) limit: Instant,
}

/// By how much Flowdeck's clock may be ahead when it releases a hold whose time is over.
const CLOCKS: Duration = Duration::from_secs(5);

fn has_ended(hold: &Hold, now: Timestamp) -> bool {
    hold.is_overdue(now.plus(CLOCKS))
}

impl Control {
    pub(super) fn follow_holds(&mut self, reader: &mut Reader) {
        let limit = Instant::now() + self.shared.settings.timings.holds;
        let mut state = self.shared.lock();
        let ticket = state.lanes.pending().unwrap_or(0);
        // Gates stay as they are until the end is reached; new assignments wait for that.
        state.view.set_status(HoldsStatus::Reading);
        state.view.forget();
        drop(state);
        self.answers.forget_pauses();
        self.expired.clear();
        let (log, round) = reader.follow_holds();
        for record in log.records() {
            self.hold(record, false);
        }
        let waits = Some(Waits { ticket, round, limit });
        self.follows = Follows::Holds(Reading { next: log.next(), trusted: 0, waits, live: false });
    }

    pub(super) fn read_holds_again(&mut self, reader: &mut Reader) {
        let limit = Instant::now() + self.shared.settings.timings.holds;
        let pending = self.shared.lock().lanes.pending();
        if let Follows::Holds(reading) = &mut self.follows {
            let ticket = pending.unwrap_or(reading.trusted);
            reading.waits = Some(Waits { ticket, round: reader.read_holds_again(), limit });
        }
    }

    /// The reader has reached the end of the holds, in this round.
    pub(super) fn at_end(&mut self, round: u64) {
        let Follows::Holds(reading) = &mut self.follows else { return };
        let Some(waits) = reading.waits.take_if(|waits| waits.round <= round) else { return };
        reading.trusted = reading.trusted.max(waits.ticket);
        let first = !reading.live;
        reading.live = true;
        let trusted = reading.trusted;
        {
            let mut state = self.shared.lock();
            if state.view.set_status(HoldsStatus::Known) {
                self.shared.tell();
            }
            if first {
                let offset = reading.next.map_or(-1, |next| next - 1);
                for hold in state.view.active_holds(now()) {
                    self.answers.set(&self.shared.settings, hold, None, None, offset);
                }
            }
        }
        self.shared.settled();
        self.regate(trusted);
    }

    pub(super) fn waited_too_long(&mut self) {
        let Follows::Holds(reading) = &mut self.follows else { return };
        if reading.waits.is_some_and(|waits| Instant::now() >= waits.limit) {
            reading.waits = None;
            let topic = self.shared.settings.holds.clone();
            self.unknown(format!("{topic} was not read to its end in time"));
        }
    }

    /// A record on the topic of holds, read by the reader.
    pub(super) fn record(&mut self, record: &HoldsRecord) {
        let Follows::Holds(reading) = &mut self.follows else { return };
        reading.next = Some(record.offset + 1);
        let live = reading.live;
        self.news |= self.hold(record, live);
    }

    /// Says whether gates may have to move.
    fn hold(&mut self, record: &HoldsRecord, live: bool) -> bool {
        let shared = Arc::clone(&self.shared);
        let settings = &shared.settings;
        let (key, command) = (record.key.as_slice(), record.command);
        let mut state = shared.lock();
        match &record.says {
            HoldRecord::Set(hold) if hold.scope.group == settings.group => {
                let before = state.view.set(key, hold.clone());
                self.expired.remove(&(hold.scope.clone(), hold.id));
                if live {
                    state.view.resume_start(&freed(hold, before.as_ref()));
                    self.answers.set(settings, hold, before.as_ref(), command, record.offset);
                }
            }
            HoldRecord::Set(_) => {
                state.view.release(key);
            }
            HoldRecord::Released { scope, id } => {
                let ended = state.view.release(key).is_some_and(|hold| has_ended(&hold, now()));
                if live {
                    // A pause that ended by itself is no operator's resume.
                    if !ended {
                        state.view.resume_start(std::slice::from_ref(scope));
                    }
                    self.answers.release(settings, scope, *id, command, record.offset);
                }
            }
            HoldRecord::NewerVersion if record.is_tombstone => {
                state.view.release(key);
            }
            HoldRecord::NewerVersion => {
                state.view.unreadable(key);
                add(&shared.counts.records_not_understood, 1);
                warn!(
                    group.id = %settings.group,
                    offset = record.offset,
                    "a hold of a newer version: holds are unknown; update this service"
                );
            }
            HoldRecord::Malformed(reason) => {
                add(&shared.counts.records_not_understood, 1);
                let group = &settings.group;
                warn!(group.id = %group, offset = record.offset, %reason, "a record on the topic of holds was skipped");
                return false;
            }
        }
        true
    }

    /// Holds whose end is past and that nobody released.
    pub(super) fn expire(&mut self) {
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
            warn!(group.id = %self.shared.settings.group, hold = %hold.id, "the hold is past its end and no Flowdeck released it: resumed by the own clock");
            let until = hold.until.map(|until| until.to_string()).unwrap_or_default();
            let detail =
                format!("resumed by its own clock: the hold ended at {until} and nobody released it");
            self.answers.expired(&self.shared.settings, &hold, detail);
        }
    }
}
