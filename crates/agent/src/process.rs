//! What the process uses, as Linux tells it; other systems tell nothing.

use std::fs;
use std::time::{Duration, Instant};

/// Of `/proc/self/stat`: the kernel's `USER_HZ`, which is 100 on every architecture that matters.
const TICKS_PER_SECOND: u64 = 100;
/// Ticks are coarse: nothing is said of shorter times.
const SHORTEST: Duration = Duration::from_secs(1);

/// Resident memory, in bytes.
pub(crate) fn memory() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.split_whitespace().next()?.parse::<u64>().ok().map(|kilobytes| kilobytes * 1024)
}

pub(crate) fn host() -> String {
    let name =
        fs::read_to_string("/proc/sys/kernel/hostname").or_else(|_| fs::read_to_string("/etc/hostname"));
    name.map(|name| name.trim().to_owned()).unwrap_or_default()
}

/// Processor time, from one question to the next.
#[derive(Debug)]
pub(crate) struct Cpu {
    since: Instant,
    ticks: Option<u64>,
    last: Option<u32>,
}

impl Cpu {
    pub(crate) fn new(now: Instant) -> Self {
        Self { since: now, ticks: ticks(), last: None }
    }

    /// Thousandths of a core.
    pub(crate) fn millicores(&mut self, now: Instant) -> Option<u32> {
        let elapsed = now.saturating_duration_since(self.since);
        if elapsed < SHORTEST {
            return self.last;
        }
        let ticks = ticks();
        let used = ticks?.saturating_sub(self.ticks?) * 1_000 / TICKS_PER_SECOND;
        (self.since, self.ticks) = (now, ticks);
        self.last = Some((used as f64 / elapsed.as_secs_f64()).round() as u32);
        self.last
    }
}

fn ticks() -> Option<u64> {
    let stat = fs::read_to_string("/proc/self/stat").ok()?;
    // The name of the program is in parentheses, and may have any.
    let (_, fields) = stat.rsplit_once(')')?;
    let mut fields = fields.split_whitespace().skip(11);
    let mut next = || fields.next()?.parse::<u64>().ok();
    Some(next()? + next()?)
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn a_busy_process_uses_processor_time_and_memory() {
        let began = Instant::now();
        let mut cpu = Cpu::new(began);
        assert_eq!(cpu.millicores(began), None);
        while ticks() < cpu.ticks.map(|ticks| ticks + 5) {
            std::hint::spin_loop();
        }
        assert!(cpu.millicores(began + Duration::from_secs(2)).is_some_and(|used| used >= 25));
        assert!(memory().is_some_and(|bytes| bytes > 1_000_000));
        assert!(!host().is_empty());
    }
}
