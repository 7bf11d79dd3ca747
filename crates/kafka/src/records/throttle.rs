//! How fast searches may read a cluster, all of them together.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use crate::Deadline;
use crate::client::lock;

/// So much may be read at once before the rate holds.
const BURST: Duration = Duration::from_millis(100);
const NAP: Duration = Duration::from_millis(20);

#[derive(Debug)]
pub struct Throttle {
    bytes_per_second: u64,
    /// When all that was read may have been read.
    paid: Mutex<Instant>,
}

impl Throttle {
    pub fn new(bytes_per_second: u64) -> Self {
        Self { bytes_per_second: bytes_per_second.max(1), paid: Mutex::new(Instant::now()) }
    }

    /// On a thread that may block: waits until `bytes` more may be read. `false`: the time was over first, or nobody
    /// wants them any more.
    pub(super) fn wait(&self, bytes: usize, deadline: Deadline, stop: &CancellationToken) -> bool {
        let cost = Duration::from_nanos((bytes as u64).saturating_mul(1_000_000_000) / self.bytes_per_second);
        let until = {
            let mut paid = lock(&self.paid);
            let now = Instant::now();
            *paid = (*paid).max(now.checked_sub(BURST).unwrap_or(now)) + cost;
            *paid
        };
        while Instant::now() < until {
            if deadline.passed() || stop.is_cancelled() {
                return false;
            }
            std::thread::sleep(NAP.min(until.saturating_duration_since(Instant::now())));
        }
        true
    }
}
