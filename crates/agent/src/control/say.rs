//! What the agent says: answers to commands, and telemetry.

use std::time::Instant;

use tracing::debug;

use crate::admin::Outcome;
use crate::answers::Answer;
use crate::lanes::{Gate, Seen};
use crate::record::TopicPartition;
use crate::shared::now;
use crate::telemetry;

use super::Control;

impl Control {
    pub(super) fn say(&mut self) {
        let news = self.shared.take_news();
        let now = Instant::now();
        let mut changed = false;
        if news || self.answers.wait(now) {
            let seen = self.answer(now);
            self.answer_admin();
            changed = news && self.changed(&seen);
        }
        self.outbox.serve();
        if changed || Instant::now() >= self.telemetry_at {
            self.report();
            self.telemetry_at = Instant::now() + self.shared.settings.timings.telemetry;
        }
    }

    /// Answers what can be answered, by the lanes that it returns.
    fn answer(&mut self, now: Instant) -> Vec<Seen> {
        let (snapshot, unknown) = {
            let state = self.shared.lock();
            (state.lanes.snapshot(), state.view.unknown())
        };
        for mut answer in self.answers.due(&self.shared.settings, &snapshot, now) {
            if answer.detail.is_none() {
                answer.detail = unknown.as_ref().map(|why| format!("holds unknown: {why}"));
            }
            debug!(command = %answer.command, state = ?answer.state, "answered");
            self.outbox.answer(answer);
        }
        snapshot.seen
    }

    /// The last that it says.
    pub(super) fn good_bye(&mut self) {
        self.answer_admin();
        self.report();
        self.outbox.serve();
    }

    fn answer_admin(&mut self) {
        for (command, outcome) in self.shared.admin.outcomes() {
            let Outcome { state, partitions, moved, detail } = outcome;
            debug!(%command, ?state, "answered");
            let holds_offset = self.follows.holds_offset();
            self.outbox.answer(Answer { command, holds_offset, state, partitions, moved, detail });
        }
    }

    /// Whether partitions came, went, were paused or resumed otherwise than telemetry last said. While the
    /// holds are read after an assignment nothing is said: it would be outdated at once.
    fn changed(&self, seen: &[Seen]) -> bool {
        let workers = self.shared.pool.target() != self.reported_workers;
        workers || !seen.iter().any(|lane| lane.gate == Gate::Pending) && self.shape(seen) != self.reported
    }

    fn report(&mut self) {
        let (seen, holds) = {
            let state = self.shared.lock();
            (state.lanes.seen(), telemetry::holds(&state.view))
        };
        self.reported = self.shape(&seen);
        let (settings, workers) = (&self.shared.settings, self.shared.pool.target());
        self.reported_workers = workers;
        let running = self.shared.history.running();
        let mut records = telemetry::records(settings, workers, &running, &seen, holds, now());
        // After what tells of the instance: a report of one that is not known has no place.
        records.extend(self.reporter.record(&self.shared, &seen, running));
        self.outbox.telemetry(records);
    }

    fn shape(&self, seen: &[Seen]) -> Vec<(TopicPartition, bool)> {
        let by_circuit = self.shared.settings.is_paused_by_circuit();
        seen.iter().map(|lane| (lane.at.clone(), lane.runs() && !by_circuit)).collect()
    }
}
