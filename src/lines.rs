//! Where the log goes: to standard error, by a thread of its own behind a queue with a bound. A reader that
//! hangs or a disk that is full costs lines, which are counted, and never a page: a write from a task would hold up
//! everything that shares its thread, and a failed one must end nothing.

use std::io::{self, IsTerminal as _, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use flowdeck_model::shown;
use tracing_appender::non_blocking::{ErrorCounter, NonBlocking, NonBlockingBuilder, WorkerGuard};

use crate::lock::lock;

/// Lines that may wait: some MB at most.
const QUEUE: usize = 8_192;
/// So long after the last lost line it is said that lines are lost.
const LATELY: Duration = Duration::from_secs(60);

/// How much of the log was lost.
pub struct LostLines {
    /// By the queue, which was full.
    dropped: ErrorCounter,
    /// By standard error, which did not take them.
    failed: Arc<AtomicU64>,
    /// The count when it was last looked at, and when it last grew.
    seen: Mutex<(u64, Option<Instant>)>,
}

impl LostLines {
    pub fn count(&self) -> u64 {
        let dropped = u64::try_from(self.dropped.dropped_lines()).unwrap_or(u64::MAX);
        dropped.saturating_add(self.failed.load(Ordering::Relaxed))
    }

    /// Why part of the log is lost, where lines were lost lately.
    pub(crate) fn trouble(&self) -> Option<String> {
        self.lately().then(|| {
            format!("{} lines of the log were lost: standard error does not take them", self.count())
        })
    }

    /// Whether lines were lost in the last minute, as far as anybody looked.
    fn lately(&self) -> bool {
        let count = self.count();
        let mut seen = lock(&self.seen);
        if count > seen.0 {
            *seen = (count, Some(Instant::now()));
        }
        seen.1.is_some_and(|at| at.elapsed() < LATELY)
    }
}

/// The log's writer; what waits is written when the guard is dropped, for a second at most.
pub fn to_stderr() -> (NonBlocking, Arc<LostLines>, WorkerGuard) {
    let failed = Arc::<AtomicU64>::default();
    let coloured = io::stderr().is_terminal();
    let out = Counting { out: io::stderr(), coloured, failed: Arc::clone(&failed) };
    let builder = NonBlockingBuilder::default().lossy(true).buffered_lines_limit(QUEUE).thread_name("log");
    let (writer, guard) = builder.finish(out);
    let lost = LostLines { dropped: writer.error_counter(), failed, seen: Mutex::default() };
    (writer, Arc::new(lost), guard)
}

/// Takes every line; one that cannot be written is counted.
struct Counting<W> {
    out: W,
    /// A terminal reads it, and the log colours it.
    coloured: bool,
    failed: Arc<AtomicU64>,
}

impl<W: Write> Write for Counting<W> {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        // Names, reasons and errors of others are in it: none of them makes a line of its own.
        let text = String::from_utf8_lossy(line);
        if self.out.write_all(shown::log_line(&text, self.coloured).as_bytes()).is_err() {
            self.failed.fetch_add(1, Ordering::Relaxed);
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        // What could not be written was counted.
        let _ = self.out.flush();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Full;

    impl Write for Full {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::StorageFull.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Err(io::ErrorKind::StorageFull.into())
        }
    }

    #[test]
    fn unwritable_log_line_is_counted() {
        let failed = Arc::<AtomicU64>::default();
        let mut log = Counting { out: Full, coloured: false, failed: Arc::clone(&failed) };
        log.write_all(b"one\n").unwrap();
        log.write_all(b"two\n").unwrap();
        log.flush().unwrap();
        assert_eq!(failed.load(Ordering::Relaxed), 2);
    }
}
