//! One wish per process: "stop now". Waits look at it; whoever handles signals sets it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use anyhow::{Result, bail};

static STOP: LazyLock<Arc<AtomicBool>> = LazyLock::new(|| Arc::new(AtomicBool::new(false)));

/// How often a wait looks up.
pub const TICK: Duration = Duration::from_millis(25);

/// The flag itself, for a signal handler to set.
pub fn flag() -> Arc<AtomicBool> {
    Arc::clone(&STOP)
}

pub fn requested() -> bool {
    STOP.load(Ordering::Relaxed)
}

/// An error once a stop was asked for, so that `?` unwinds and what was started is stopped on the way.
pub fn check() -> Result<()> {
    if requested() {
        bail!(Stopped);
    }
    Ok(())
}

/// The error of a run that was asked to stop: not a failure to report.
#[derive(Debug)]
pub struct Stopped;

impl std::fmt::Display for Stopped {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("stopped on request")
    }
}

impl std::error::Error for Stopped {}
