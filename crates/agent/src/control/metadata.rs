//! What follows for one agent from a look at which of Flowdeck's topics the cluster has.

use std::time::{Duration, Instant};

use rdkafka::error::KafkaError;
use tracing::warn;

use crate::topics::Presence;
use crate::view::HoldsStatus;

use super::Control;
use super::holds::Follows;
use super::reader::{Found, Reader};

/// Between checks while gates wait for one.
const METADATA_RETRY: Duration = Duration::from_millis(200);

impl Control {
    pub(super) fn is_check_due(&self, now: Instant) -> bool {
        now >= self.check_at
    }

    /// What is assigned during this check waits for the next.
    pub(super) fn check_begins(&mut self) {
        self.check_covers = self.shared.lock().lanes.pending().unwrap_or(0);
    }

    pub(super) fn checked(&mut self, found: Result<&mut Found, &KafkaError>, reader: &mut Reader) {
        let all_here = match found {
            Err(error) => {
                // Without the client's statistics nothing else tells; with them the next ones decide.
                self.shared.set_connected(false);
                self.holds_unreachable(error);
                false
            }
            Ok(found) => self.cluster_answered(found, reader),
        };
        self.check_at = Instant::now() + self.next_check_in(all_here);
    }

    /// Says whether all that there may be is there.
    fn cluster_answered(&mut self, found: &mut Found, reader: &mut Reader) -> bool {
        self.shared.set_connected(true);
        self.outbox.acks_are_here = found.acks;
        if found.telemetry && !self.outbox.telemetry_is_here {
            self.shared.tell();
        }
        self.outbox.telemetry_is_here = found.telemetry;
        self.open_commands(found, reader);
        let commands = self.commands_from.is_some() || !self.shared.settings.obey_commands;
        self.follow_what_is_there(found, reader);
        found.holds == Presence::Here && found.acks && found.telemetry && commands
    }

    fn next_check_in(&self, all_here: bool) -> Duration {
        let every = self.shared.settings.timings.metadata_interval;
        match self.shared.lock().view.status() {
            HoldsStatus::Reading => every.min(METADATA_RETRY),
            HoldsStatus::Known if all_here => every.saturating_mul(6),
            HoldsStatus::Known | HoldsStatus::Absent | HoldsStatus::Unknown(_) => every,
        }
    }

    fn follow_what_is_there(&mut self, found: &mut Found, reader: &mut Reader) {
        match (&found.holds, &self.follows) {
            (Presence::Here, Follows::Holds(reading)) if !found.came_back => {
                // Unknown since an error or a deadline: try again from where we are.
                if reading.waits.is_none() && !matches!(self.shared.lock().view.status(), HoldsStatus::Known)
                {
                    self.read_holds_again(reader);
                }
            }
            (Presence::Here, _) => self.follow_holds(reader),
            (Presence::Missing | Presence::Refused(_), Follows::Holds(_)) => {}
            (Presence::Missing, Follows::Nothing) => self.obey_pauses(found, reader),
            (Presence::Missing, Follows::Pauses) => {
                self.open_commands(found, reader);
                let ticket = self.check_covers;
                self.regate(ticket);
            }
            (Presence::Refused(code), Follows::Nothing | Follows::Pauses) => {
                self.unknown(format!(
                    "{} may not be read ({code}): grant Describe and Read on it",
                    self.shared.settings.holds
                ));
            }
        }
    }

    fn holds_unreachable(&mut self, error: &KafkaError) {
        // They are being read: `waited_too_long` has the limit of this reading.
        if matches!(self.follows, Follows::Holds(_)) {
            return;
        }
        let waits = {
            let state = self.shared.lock();
            *state.view.status() == HoldsStatus::Reading || state.lanes.pending().is_some()
        };
        if waits && self.waits_since.elapsed() >= self.shared.settings.timings.holds {
            self.unknown(format!("the cluster does not answer: {error}"));
        }
    }

    pub(super) fn unknown(&mut self, why: String) {
        if self.shared.lock().view.set_status(HoldsStatus::Unknown(why.clone())) {
            warn!(group.id = %self.shared.settings.group, why, "the holds are unknown");
        }
        self.shared.settled();
        self.regate(u64::MAX);
    }

    /// Partitions were assigned since the holds were last read to their end: another instance may
    /// have acknowledged a pause of them that is not here yet. A fresh assignment of the reader asks
    /// the broker for the end as it is now; where there were no holds, a check asks whether that is so.
    pub(super) fn keep_up_with_assignments(&mut self, reader: &mut Reader) {
        let Some(pending) = self.shared.lock().lanes.pending() else { return };
        match &self.follows {
            Follows::Holds(reading) => {
                let asked = reading.waits.map_or(reading.trusted, |waits| waits.ticket);
                if asked < pending {
                    self.read_holds_again(reader);
                }
            }
            Follows::Pauses | Follows::Nothing if self.checked_for < pending => {
                self.checked_for = pending;
                self.waits_since = Instant::now();
                self.check_at = self.waits_since;
            }
            Follows::Pauses | Follows::Nothing => {
                self.check_at = self.check_at.min(Instant::now() + METADATA_RETRY);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::control::holds::{Reading, Waits};
    use crate::control::tests::{control, offline};
    use crate::lanes::Gate;
    use crate::record::TopicPartition;

    #[test]
    fn failed_metadata_request_is_unhealthy_and_opens_no_pending_gate() {
        let (mut reader, producer) = offline();
        let mut control = control("g", &producer);
        let shared = Arc::clone(&control.shared);
        shared.lock().view.set_status(HoldsStatus::Known);
        shared.set_connected(true);
        shared.assign(vec![(Arc::new(TopicPartition::parse("t", 0).unwrap()), None)]);
        let limit = Instant::now() + Duration::from_secs(60);
        let waits = Waits { ticket: 1, round: 1, limit };
        control.follows =
            Follows::Holds(Reading { next: Some(1), trusted: 0, waits: Some(waits), live: true });
        // The agent runs for longer than the holds may take.
        control.waits_since = Instant::now().checked_sub(Duration::from_secs(60)).unwrap();

        let Err(error) = reader.look() else { panic!("no broker is there") };
        control.checked(Err(&error), &mut reader);
        assert_eq!(shared.seen()[0].gate, Gate::Pending);
        assert!(!shared.is_ready());
        control.waited_too_long();
        assert_eq!(shared.seen()[0].gate, Gate::Pending, "its limit is not over");
        let Follows::Holds(reading) = &mut control.follows else { panic!("it follows the holds") };
        reading.waits = Some(Waits { limit: Instant::now(), ..waits });
        control.waited_too_long();
        assert_eq!(shared.seen()[0].gate, Gate::Open, "unknown, and told to run");
    }
}
