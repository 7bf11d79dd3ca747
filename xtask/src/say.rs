//! Progress for people: one line per step, with the time since the start.

use std::sync::LazyLock;
use std::time::Instant;

static BEGIN: LazyLock<Instant> = LazyLock::new(Instant::now);

/// Starts the clock.
pub(crate) fn begin() {
    LazyLock::force(&BEGIN);
}

/// One step begins.
pub(crate) fn step(text: &str) {
    eprintln!("[{:>5.1} s] {text}", BEGIN.elapsed().as_secs_f64());
}
