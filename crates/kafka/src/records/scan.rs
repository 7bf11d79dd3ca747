//! Scanning a topic for records that match: any number is read, few are kept. It goes forwards, or backwards in windows,
//! and what it covered of a partition never has a hole, so that another scan can go on from there.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;

use tokio_util::sync::CancellationToken;

use super::range::{self, Range, Stopped, Then};
use super::read::{Found, Part, Plan};
use super::reader::Reader;
use super::throttle::Throttle;
use super::{ReadEnd, Record};
use crate::ffi::consume::Message;

/// Whether a record is looked for.
pub type Filter = Arc<dyn Fn(&Record) -> bool + Send + Sync>;

/// Offsets of each partition that are scanned backwards at first, and at the most.
const WINDOW_FIRST: i64 = 512;
const WINDOW_MOST: i64 = 100_000;
/// Looking at the clock costs as much as looking at a small record.
const CLOCK_EVERY: u64 = 64;

pub(super) struct Scan<'a> {
    plan: &'a Plan,
    filter: &'a Filter,
    throttle: &'a Throttle,
    stop: &'a CancellationToken,
    hits: Vec<Record>,
    kept: usize,
    scanned: u64,
    bytes: u64,
    /// The time was over while it waited.
    late: bool,
}

impl<'a> Scan<'a> {
    pub(super) fn new(
        plan: &'a Plan,
        filter: &'a Filter,
        throttle: &'a Throttle,
        stop: &'a CancellationToken,
    ) -> Self {
        Self { plan, filter, throttle, stop, hits: vec![], kept: 0, scanned: 0, bytes: 0, late: false }
    }

    /// The record, if it is looked for. Waits where more was read than may be.
    fn take(&mut self, part: &Part, message: &Message) -> Option<Record> {
        let record =
            Record::copy(&self.plan.topic, part.partition, message, self.plan.request.max_value_bytes);
        let size = record.key_size + record.value_size;
        self.scanned += 1;
        self.bytes += size as u64;
        self.late = !self.throttle.wait(size, self.plan.request.deadline, self.stop);
        (self.filter)(&record).then_some(record)
    }

    fn is_enough(&self) -> bool {
        let request = &self.plan.request;
        self.hits.len() >= request.limit_records || self.kept >= request.limit_bytes
    }

    fn found(self, end: ReadEnd, parts: &[Part]) -> Found {
        Found {
            older: parts.iter().any(|part| part.error.is_none() && part.from > part.start),
            newer: parts.iter().any(|part| part.error.is_none() && part.next < part.end),
            records: self.hits,
            scanned: self.scanned,
            bytes: usize::try_from(self.bytes).unwrap_or(usize::MAX),
            end,
        }
    }

    /// From each part's position to its end.
    pub(super) fn forward(mut self, reader: &Reader, parts: &mut [Part]) -> Found {
        let ranges: Vec<Range> = parts
            .iter()
            .filter(|part| part.error.is_none() && part.at < part.end)
            .map(|part| Range { partition: part.partition.get(), from: part.at, to: part.end })
            .collect();
        let (topic, deadline) = (self.plan.topic.clone(), self.plan.request.deadline);
        let (stopped, progress) = {
            let parts = &*parts;
            range::read(reader, topic.as_str(), &ranges, deadline, self.stop, |message| {
                let Some(part) = part_of(parts, message) else { return Then::On };
                if let Some(record) = self.take(part, message) {
                    self.kept += record.kept();
                    self.hits.push(record);
                }
                match () {
                    () if self.late || self.is_enough() => Then::Stop,
                    () if self.scanned.is_multiple_of(CLOCK_EVERY) && deadline.passed() => Then::Stop,
                    () => Then::On,
                }
            })
        };
        for part in parts.iter_mut() {
            let progress = progress.get(&part.partition.get());
            part.from = part.at;
            part.next = progress.map_or(part.at, |progress| progress.next);
            part.error = part.error.take().or_else(|| progress.and_then(|one| one.error.clone()));
        }
        let all = parts.iter().all(|part| part.error.is_some() || part.next >= part.end);
        let end = match stopped {
            Stopped::Cancelled => ReadEnd::Cancelled,
            _ if all => ReadEnd::Complete,
            _ if self.is_enough() => ReadEnd::LimitHit,
            _ => ReadEnd::TimedOut,
        };
        self.hits.sort_by_key(|record| (record.millis(), record.partition, record.offset));
        self.found(end, parts)
    }

    /// Before each part's position, newest first.
    pub(super) fn backward(mut self, reader: &Reader, parts: &mut [Part]) -> Found {
        for part in parts.iter_mut() {
            (part.from, part.next) = (part.at, part.at);
        }
        let mut window = WINDOW_FIRST;
        let end = loop {
            let ranges: Vec<Range> = parts
                .iter()
                .filter(|part| part.error.is_none() && part.from > part.start)
                .map(|part| Range {
                    partition: part.partition.get(),
                    from: part.from.saturating_sub(window).max(part.start),
                    to: part.from,
                })
                .collect();
            match () {
                () if ranges.is_empty() => break ReadEnd::Complete,
                () if self.is_enough() => break ReadEnd::LimitHit,
                () if self.stop.is_cancelled() => break ReadEnd::Cancelled,
                () if self.plan.request.deadline.passed() => break ReadEnd::TimedOut,
                () => {}
            }
            let began = Instant::now();
            let left = self.plan.request.deadline.left();
            let is_whole = self.window(reader, parts, &ranges);
            window = match is_whole {
                true if began.elapsed() < left / 8 => (window * 4).min(WINDOW_MOST),
                true => window,
                false => (window / 8).max(1),
            };
        };
        self.hits.sort_by_key(|record| std::cmp::Reverse((record.millis(), record.partition, record.offset)));
        self.found(end, parts)
    }

    /// One window of each partition. Of one that was not read to its end nothing is taken over. Whether all were.
    fn window(&mut self, reader: &Reader, parts: &mut [Part], ranges: &[Range]) -> bool {
        let (topic, deadline) = (self.plan.topic.clone(), self.plan.request.deadline);
        // Half of the time: a smaller window may then end in time.
        let patience = Instant::now() + deadline.left() / 2;
        let limit = self.plan.request.limit_records;
        let most = self.plan.request.limit_bytes;
        let mut hits: Vec<VecDeque<Record>> = parts.iter().map(|_| VecDeque::new()).collect();
        // What was found and not kept: nothing before it is covered.
        let mut dropped: Vec<Option<i64>> = vec![None; parts.len()];
        let mut held = self.kept;
        let (_, progress) = {
            let parts = &*parts;
            range::read(reader, topic.as_str(), ranges, deadline, self.stop, |message| {
                let Some(at) = place_of(parts, message) else { return Then::On };
                if let Some(record) = self.take(&parts[at], message) {
                    held += record.kept();
                    hits[at].push_back(record);
                    let is_much = |hits: &VecDeque<Record>, held: usize| {
                        hits.len() > limit || (held > most && hits.len() > 1)
                    };
                    while is_much(&hits[at], held) {
                        let Some(oldest) = hits[at].pop_front() else { break };
                        held -= oldest.kept();
                        dropped[at] = Some(oldest.offset);
                    }
                }
                let is_late =
                    self.late || self.scanned.is_multiple_of(CLOCK_EVERY) && Instant::now() > patience;
                if is_late { Then::Stop } else { Then::On }
            })
        };
        let mut is_whole = true;
        for ((part, hits), dropped) in parts.iter_mut().zip(hits).zip(dropped) {
            let number = part.partition.get();
            let Some(range) = ranges.iter().find(|range| range.partition == number) else { continue };
            let Some(progress) = progress.get(&number) else { continue };
            part.error = part.error.take().or_else(|| progress.error.clone());
            if part.error.is_some() {
                continue;
            }
            if progress.next < range.to {
                is_whole = false;
                continue;
            }
            part.from = dropped.map_or(range.from, |offset| offset + 1);
            self.kept += hits.iter().map(Record::kept).sum::<usize>();
            self.hits.extend(hits);
        }
        is_whole
    }
}

fn place_of(parts: &[Part], message: &Message) -> Option<usize> {
    // Parts are in the order of partitions.
    parts.binary_search_by_key(&message.partition(), |part| part.partition.get()).ok()
}

fn part_of<'a>(parts: &'a [Part], message: &Message) -> Option<&'a Part> {
    place_of(parts, message).map(|at| &parts[at])
}
