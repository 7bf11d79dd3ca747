//! Progress for people: one line per step, with the time since the start; and what each phase took.

use std::sync::{LazyLock, Mutex, PoisonError};
use std::time::{Duration, Instant};

static BEGIN: LazyLock<Instant> = LazyLock::new(Instant::now);
static PHASES: Mutex<Vec<(String, Duration)>> = Mutex::new(Vec::new());

/// Starts the clock.
pub(crate) fn begin() {
    LazyLock::force(&BEGIN);
}

/// One step begins.
pub(crate) fn step(text: &str) {
    eprintln!("[{:>5.1} s] {text}", BEGIN.elapsed().as_secs_f64());
}

/// Notes how long a phase of this run takes, for [`phases`].
pub(crate) fn timed<T>(phase: &str, work: impl FnOnce() -> T) -> T {
    let begun = Instant::now();
    let result = work();
    PHASES.lock().unwrap_or_else(PoisonError::into_inner).push((phase.to_owned(), begun.elapsed()));
    result
}

/// The minutes of each phase so far, in one line.
pub(crate) fn phases() -> String {
    let phases = PHASES.lock().unwrap_or_else(PoisonError::into_inner);
    let minutes = |took: &Duration| took.as_secs_f64() / 60.0;
    let each: Vec<_> = phases.iter().map(|(name, took)| format!("{name} {:.1}", minutes(took))).collect();
    format!("minutes: {}; together {:.1}", each.join(", "), BEGIN.elapsed().as_secs_f64() / 60.0)
}
