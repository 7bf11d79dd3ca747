//! What is known at a point, in words, and the whole in a sentence.

use std::time::Duration;

use flowdeck_model::shown::exact;
use flowdeck_model::view::{HistoryPoint, HistoryStorage, HistoryView};

use super::zone::Zone;
use crate::format::{number, time};

pub(super) fn span(millis: u64) -> String {
    time::brief(Duration::from_millis(millis))
}

/// `lag 1,204 · in 12.1/s · out 3/s`
pub(super) fn point(point: &HistoryPoint) -> String {
    let mut words = vec![match point.lag {
        Some(lag) => format!("lag {}", exact(lag)),
        None => "lag not known".to_owned(),
    }];
    words.extend(point.time_lag_millis.map(|millis| format!("time lag {}", span(millis))));
    words.extend(point.in_per_second.map(|value| format!("in {}/s", number::rate(value))));
    words.extend(point.out_per_second.map(|value| format!("out {}/s", number::rate(value))));
    words.join(" · ")
}

/// For whoever does not see the picture.
pub(super) fn summary(view: &HistoryView, zone: Zone) -> String {
    let known = || view.points.iter().filter_map(|point| Some((point.lag?, point.at)));
    let (Some(highest), Some((last, _))) = (known().max(), known().next_back()) else {
        return "No lag is known of this time.".to_owned();
    };
    let lowest = known().map(|(lag, _)| lag).min().unwrap_or_default();
    let when = zone.time(highest.1, view.now);
    format!(
        "Lag from {} to {} {}: at the end {}, highest {} at {when}, lowest {}.",
        zone.time(view.from, view.now),
        zone.time(view.to, view.now),
        zone.label(),
        exact(last),
        exact(highest.0),
        exact(lowest),
    )
}

/// What must be known to read the chart, in one line.
pub(super) fn notes(view: &HistoryView, step: u32, zone: Zone) -> Vec<String> {
    let step = time::span(Duration::from_secs(step.into()));
    let mut notes = vec![format!("Highest lag and mean rates of each {step}, times in {}.", zone.label())];
    match view.known_since {
        Some(since) if since > view.from => {
            notes.push(format!("Known since {}.", zone.time(since, view.now)));
        }
        Some(_) => {}
        None => notes.push("Nothing is known yet.".to_owned()),
    }
    notes.extend(match view.storage {
        HistoryStorage::Memory => {
            Some("Kept in memory only: it begins with the start of Flowdeck.".to_owned())
        }
        HistoryStorage::Restoring => Some("Older history is being read.".to_owned()),
        HistoryStorage::Topic => None,
    });
    notes.extend(view.notes.iter().cloned());
    notes
}
