//! What agents report of themselves, kept with the instance that telemetry tells of. Of one that is not heard there, a
//! report has no place.

use std::sync::Arc;

use flowdeck_model::Timestamp;
use flowdeck_protocol::wire::AgentTelemetry;

use super::{Place, Registry};
use crate::telemetry::Report;

impl Registry {
    /// `bytes`: how long the record was. False: the instance is not known.
    pub fn report(&mut self, pair: usize, telemetry: AgentTelemetry, bytes: usize, at: Timestamp) -> bool {
        let AgentTelemetry { group, consumer, instance, incarnation, mut report } = telemetry;
        let place = Place { group, consumer, instance: (pair, instance, true, Some(incarnation)) };
        let Some(entry) = self.entry(&place) else { return false };
        let others = self.report_bytes - entry.report_bytes;
        let fits = others + bytes <= self.limits.report_bytes;
        if !fits {
            report.errors.clear();
            report.labels.clear();
        }
        let kept = if fits { bytes } else { 0 };
        self.report_bytes = others + kept;
        if let Some(entry) = self.entry_mut(&place) {
            entry.report = Some(Report { heard: at, of: Arc::new(report) });
            entry.report_bytes = kept;
        }
        self.dirty.insert(place.group);
        true
    }
}
