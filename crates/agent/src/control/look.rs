//! Looking which of Flowdeck's topics the cluster has, and what follows from it.

use std::time::{Duration, Instant};

use flowdeck_model::TopicName;
use rdkafka::error::KafkaError;
use tracing::warn;

use crate::topics::{Presence, look};
use crate::view::Standing;

use super::Control;
use super::holds::Follows;

/// Looks while gates wait for one.
const LOOK_SOON: Duration = Duration::from_millis(200);

impl Control {
    pub(super) fn look(&mut self) {
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

    pub(super) fn unknown(&mut self, why: String) {
        if self.shared.lock().view.stands(Standing::Unknown(why.clone())) {
            warn!(group.id = %self.shared.settings.group, why, "the holds are unknown");
        }
        self.shared.settled();
        self.regate(u64::MAX);
    }

    /// Partitions were assigned since the holds were last read to their end: another instance may
    /// have acknowledged a pause of them that is not here yet. A fresh assignment of the reader asks
    /// the broker for the end as it is now; where there were no holds, a look asks whether that is so.
    pub(super) fn keep_up_with_assignments(&mut self) {
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
}
