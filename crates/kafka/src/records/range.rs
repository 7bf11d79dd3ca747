//! Reading one range of offsets of each of some partitions, on a thread that may block.

use std::collections::HashMap;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::reader::Reader;
use crate::Deadline;
use crate::error::{Acl, Cause};
use crate::ffi::codes;
use crate::ffi::consume::Message;

/// Offsets `from..to` of one partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Range {
    pub(super) partition: i32,
    pub(super) from: i64,
    pub(super) to: i64,
}

/// How far a range was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Progress {
    /// Read on from here.
    pub(super) next: i64,
    /// Nothing more to read in it: its end was passed, or it failed.
    pub(super) done: bool,
    pub(super) error: Option<Cause>,
}

/// What to do after a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Then {
    On,
    /// This partition has given enough.
    NextPartition,
    /// All together have given enough.
    Stop,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stopped {
    Done,
    Enough,
    TimedOut,
    Cancelled,
}

/// How long to wait for a record before looking whether anybody still wants it.
const TICK: Duration = Duration::from_millis(20);
const MESSAGES_AT_ONCE: usize = 500;

/// Reads the ranges, which are not empty and of different partitions. Ends by the deadline.
pub(super) fn read(
    reader: &Reader,
    topic: &str,
    ranges: &[Range],
    deadline: Deadline,
    cancel: &CancellationToken,
    mut each: impl FnMut(&Message) -> Then,
) -> (Stopped, HashMap<i32, Progress>) {
    let mut run = Run::new(topic, ranges);
    let Ok(mut consumption) = reader.consume(topic) else {
        run.fail_all(&Cause::UnknownTopic);
        return (Stopped::Done, run.progress);
    };
    for range in ranges {
        if let Err(code) = consumption.start(range.partition, range.from) {
            run.fail(range.partition, code);
        }
    }
    while run.open > 0 {
        if cancel.is_cancelled() {
            return (Stopped::Cancelled, run.progress);
        }
        if deadline.passed() {
            return (Stopped::TimedOut, run.progress);
        }
        for message in consumption.poll(TICK.min(deadline.left()), MESSAGES_AT_ONCE) {
            match run.take(&message, &mut each) {
                Then::On => {}
                Then::NextPartition => consumption.stop(message.partition()),
                Then::Stop => return (Stopped::Enough, run.progress),
            }
        }
    }
    (Stopped::Done, run.progress)
}

struct Run<'a> {
    topic: &'a str,
    ends: HashMap<i32, i64>,
    progress: HashMap<i32, Progress>,
    /// Partitions that are not done.
    open: usize,
}

impl<'a> Run<'a> {
    fn new(topic: &'a str, ranges: &[Range]) -> Self {
        let fresh =
            |range: &Range| (range.partition, Progress { next: range.from, done: false, error: None });
        Self {
            topic,
            ends: ranges.iter().map(|range| (range.partition, range.to)).collect(),
            progress: ranges.iter().map(fresh).collect(),
            open: ranges.len(),
        }
    }

    fn take(&mut self, message: &Message, each: &mut impl FnMut(&Message) -> Then) -> Then {
        let (partition, offset) = (message.partition(), message.offset());
        let (Some(progress), Some(&to)) = (self.progress.get_mut(&partition), self.ends.get(&partition))
        else {
            return Then::On;
        };
        if progress.done {
            return Then::On;
        }
        match message.code() {
            // At the log's end, which may lie past the range's: gaps have no records to count.
            codes::PARTITION_EOF => progress.next = offset.max(progress.next).min(to),
            codes::NO_ERROR if offset >= to => progress.next = to,
            codes::NO_ERROR => {
                progress.next = offset + 1;
                let then = each(message);
                if progress.next < to && then == Then::On {
                    return Then::On;
                }
                progress.done = true;
                self.open -= 1;
                return if then == Then::Stop { Then::Stop } else { Then::NextPartition };
            }
            code => {
                self.fail(partition, code);
                return Then::NextPartition;
            }
        }
        progress.done = true;
        self.open -= 1;
        Then::NextPartition
    }

    fn fail(&mut self, partition: i32, code: i32) {
        let acl = Acl::topic("Read", self.topic);
        let Some(progress) = self.progress.get_mut(&partition).filter(|progress| !progress.done) else {
            return;
        };
        progress.error = Some(Cause::from_code(code, acl));
        progress.done = true;
        self.open -= 1;
    }

    fn fail_all(&mut self, cause: &Cause) {
        for progress in self.progress.values_mut() {
            progress.error = Some(cause.clone());
            progress.done = true;
        }
        self.open = 0;
    }
}
