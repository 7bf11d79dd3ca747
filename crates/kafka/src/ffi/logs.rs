//! librdkafka's log lines, handed to `tracing` under the target `librdkafka`, at most so many a
//! second: a broker that is away must not fill a disk.

use std::ffi::{c_char, c_int};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use rdkafka_sys::rd_kafka_t;

use super::text;

/// Lines that pass in one window; the rest is counted.
const LINES: u32 = 20;
const WINDOW: Duration = Duration::from_secs(10);

struct Gate {
    since: Option<Instant>,
    passed: u32,
    held: u64,
}

static GATE: Mutex<Gate> = Mutex::new(Gate { since: None, passed: 0, held: 0 });

impl Gate {
    /// Whether a line may pass now, and how many were held back in the window that ended.
    fn pass(&mut self, now: Instant) -> (bool, u64) {
        let mut held = 0;
        if self.since.is_none_or(|since| now.saturating_duration_since(since) >= WINDOW) {
            held = std::mem::take(&mut self.held);
            self.since = Some(now);
            self.passed = 0;
        }
        if self.passed < LINES {
            self.passed += 1;
            return (true, held);
        }
        self.held += 1;
        (false, held)
    }
}

/// Called by librdkafka's own threads.
pub(super) unsafe extern "C" fn log(
    _: *const rd_kafka_t,
    level: c_int,
    facility: *const c_char,
    text_of: *const c_char,
) {
    // SAFETY: librdkafka passes NUL-terminated strings that live through this call.
    let (facility, text_of) = unsafe { (text(facility), text(text_of)) };
    line(level, &facility, &text_of);
}

/// Writes a line, or counts it where there are too many. Levels are syslog's: 3 is error, 4 warning,
/// 5 notice, 6 info, 7 debug.
pub(crate) fn line(level: i32, facility: &str, line: &str) {
    let (pass, held) = GATE.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).pass(Instant::now());
    if held > 0 {
        tracing::warn!(target: "librdkafka", lines = held, "more log lines were held back");
    }
    if !pass {
        return;
    }
    match level {
        ..=4 => tracing::warn!(target: "librdkafka", facility, "{line}"),
        5 | 6 => tracing::info!(target: "librdkafka", facility, "{line}"),
        _ => tracing::debug!(target: "librdkafka", facility, "{line}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_is_counted_not_written() {
        let mut gate = Gate { since: None, passed: 0, held: 0 };
        let start = Instant::now();
        let passed = (0..100).filter(|_| gate.pass(start).0).count();
        assert_eq!(passed, LINES as usize);
        assert_eq!(gate.pass(start + WINDOW), (true, 80));
        assert_eq!(gate.pass(start + WINDOW), (true, 0));
    }
}
