//! What the agent says: answers to commands, and telemetry.

use std::time::Instant;

use tracing::debug;

use crate::answers::Sight;
use crate::lanes::{Gate, Seen};
use crate::record::Tp;
use crate::shared::now;
use crate::telemetry;

use super::Control;

impl Control {
    pub(super) fn say(&mut self) {
        let at = Instant::now();
        let news = self.shared.take_news() || self.answers.wait(at);
        if news {
            let (seen, starting, unknown) = {
                let state = self.shared.lock();
                (state.lanes.seen(), state.lanes.starting(), state.view.unknown())
            };
            let sight = Sight { seen: &seen, starting: &starting, now: at };
            for mut answer in self.answers.due(&self.shared.settings, sight) {
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

    pub(super) fn report(&mut self) {
        let (seen, holds) = {
            let state = self.shared.lock();
            (state.lanes.seen(), telemetry::holds(&state.view))
        };
        self.reported = shape(&seen);
        self.outbox.telemetry(telemetry::records(&self.shared.settings, &seen, holds, now()));
    }
}

fn shape(seen: &[Seen]) -> Vec<(Tp, bool)> {
    seen.iter().map(|lane| (lane.at.clone(), lane.runs())).collect()
}
