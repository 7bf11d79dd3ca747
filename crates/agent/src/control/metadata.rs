//! Looking which of Flowdeck's topics the cluster has, and what follows from it.

use std::time::{Duration, Instant};

use flowdeck_model::TopicName;
use rdkafka::error::KafkaError;
use tracing::warn;

use crate::topics::{Presence, presence_of};
use crate::view::HoldsStatus;

use super::Control;
use super::holds::Follows;

/// Between checks while gates wait for one.
const METADATA_RETRY: Duration = Duration::from_millis(200);

impl Control {
    pub(super) fn check_metadata(&mut self) {
        let settings = &self.shared.settings;
        // What is assigned during this check waits for the next.
        self.check_covers = self.shared.lock().lanes.pending().unwrap_or(0);
        let holds = presence_of(&self.reader, settings.holds.as_str());
        let here =
            |topic: &TopicName| matches!(presence_of(&self.reader, topic.as_str()), Ok(Presence::Here));
        let all_here = match holds {
            Err(error) => {
                // Without the client's statistics nothing else tells; with them the next ones decide.
                self.shared.set_connected(false);
                self.holds_unreachable(&error);
                false
            }
            Ok(presence) => {
                self.shared.set_connected(true);
                self.outbox.acks_are_here = here(&settings.acks);
                let telemetry = here(&settings.telemetry.topic);
                if telemetry && !self.outbox.telemetry_is_here {
                    self.shared.tell();
                }
                self.outbox.telemetry_is_here = telemetry;
                self.open_commands();
                let commands = self.commands.is_some() || !self.shared.settings.obey_commands;
                let all = presence == Presence::Here && self.outbox.acks_are_here && telemetry && commands;
                self.follow_what_is_there(&presence);
                all
            }
        };
        self.check_at = Instant::now() + self.next_check_in(all_here);
    }

    fn next_check_in(&self, all_here: bool) -> Duration {
        let every = self.shared.settings.timings.metadata_interval;
        match self.shared.lock().view.status() {
            HoldsStatus::Reading => every.min(METADATA_RETRY),
            HoldsStatus::Known if all_here => every.saturating_mul(6),
            HoldsStatus::Known | HoldsStatus::Absent | HoldsStatus::Unknown(_) => every,
        }
    }

    fn follow_what_is_there(&mut self, presence: &Presence) {
        match (presence, &mut self.follows) {
            (Presence::Here, Follows::Holds(reading)) if !reading.gone => {
                // Unknown since an error or a deadline: try again from where we are.
                if reading.waits.is_none() && !matches!(self.shared.lock().view.status(), HoldsStatus::Known)
                {
                    self.read_holds_again();
                }
            }
            (Presence::Here, _) => self.follow_holds(),
            (Presence::Missing, Follows::Holds(reading)) => {
                if !reading.gone {
                    warn!(topic = %self.shared.settings.holds, "the topic of holds is gone; its last holds stay in force");
                }
                reading.gone = true;
            }
            (Presence::Missing, Follows::Nothing) => self.obey_pauses(),
            (Presence::Missing, Follows::Pauses) => {
                self.open_commands();
                let ticket = self.check_covers;
                self.regate(ticket);
            }
            (Presence::Refused(code), Follows::Nothing | Follows::Pauses) => {
                self.unknown(format!(
                    "{} may not be read ({code}): grant Describe and Read on it",
                    self.shared.settings.holds
                ));
            }
            (Presence::Refused(_), Follows::Holds(_)) => {}
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
    pub(super) fn keep_up_with_assignments(&mut self) {
        let Some(pending) = self.shared.lock().lanes.pending() else { return };
        match &self.follows {
            Follows::Holds(reading) => {
                let asked = reading.waits.map_or(reading.trusted, |(ticket, _)| ticket);
                if asked < pending {
                    self.read_holds_again();
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

    use rdkafka::ClientConfig;

    use super::*;
    use crate::config::{self, tests::settings};
    use crate::control::holds::Reading;
    use crate::control::reader::ReaderContext;
    use crate::lanes::Gate;
    use crate::outbox::Outbox;
    use crate::record::TopicPartition;
    use crate::shared::Shared;

    #[test]
    fn failed_metadata_request_is_unhealthy_and_opens_no_pending_gate() {
        let mut base = ClientConfig::new();
        base.set("bootstrap.servers", "127.0.0.1:1");
        let shared = Arc::new(Shared::new(settings()));
        let reader = config::reader(&base, &shared.settings).create_with_context(ReaderContext).unwrap();
        let outbox = Outbox::new(Arc::clone(&shared), &config::writer(&base, &shared.settings)).unwrap();
        let mut control = Control::new(Arc::clone(&shared), reader, outbox);
        shared.lock().view.set_status(HoldsStatus::Known);
        shared.set_connected(true);
        shared.assign(vec![(Arc::new(TopicPartition::parse("t", 0).unwrap()), None)]);
        let limit = Instant::now() + Duration::from_secs(60);
        control.follows = Follows::Holds(Reading {
            next: Some(1),
            trusted: 0,
            waits: Some((1, limit)),
            live: true,
            gone: false,
        });
        // The agent runs for longer than the holds may take.
        control.waits_since = Instant::now().checked_sub(Duration::from_secs(60)).unwrap();

        control.check_metadata();
        assert_eq!(shared.seen()[0].gate, Gate::Pending);
        assert!(!shared.is_ready());
        control.waited_too_long();
        assert_eq!(shared.seen()[0].gate, Gate::Pending, "its limit is not over");
        let Follows::Holds(reading) = &mut control.follows else { panic!("it follows the holds") };
        reading.waits = Some((1, Instant::now()));
        control.waited_too_long();
        assert_eq!(shared.seen()[0].gate, Gate::Open, "unknown, and told to run");
    }
}
