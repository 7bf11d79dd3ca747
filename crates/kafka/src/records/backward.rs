//! Reading backwards: the last records before a position, over gaps of any size.
//!
//! Kafka reads forwards only, so windows before what was covered are read, each as a whole, until enough is
//! found or the log's start is reached. A window that finds nothing is followed by a larger one (compaction and
//! transactions leave gaps), one that holds too much to be read at once by a smaller one. What is covered of a
//! partition never has a hole, so that its lowest offset is where the next read goes on.

use std::collections::{HashMap, VecDeque};

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::merge::{self, Key, Lane, Side};
use super::range::{self, Progress, Range, Stopped, Then};
use super::read::{Found, Part, Plan};
use super::reader::Reader;
use super::{ReadEnd, Record};
use crate::Deadline;
use crate::error::Cause;
use crate::ffi::consume::Message;

/// Records fetched for one that is shown, at the most, and some: what a skewed topic may cost before a read
/// says that it stops.
const SCANNED_A_RECORD: u64 = 100;
const SCANNED_AT_LEAST: u64 = 10_000;
/// The least first window.
const WINDOW_LEAST: usize = 4;
/// Where too little was found, the next window is so many times as large.
const GROWTH: i64 = 4;
/// Records that are read of one window, beside twice the limit, before a smaller one is tried.
const WINDOW_RECORDS: usize = 500;

/// The last records before the parts' positions, newest first.
pub(super) fn read(reader: &Reader, plan: &Plan, parts: &mut [Part], stop: &CancellationToken) -> Found {
    let request = &plan.request;
    let mut search = Search::new(plan, parts, request.limit_records, request.deadline);
    let end = search.run(reader, stop);
    let limits = (request.limit_records, request.limit_bytes);
    let (records, bytes) = merge::take(&mut search.lanes, Side::Newest, limits.0, limits.1, plan.now);
    let left = search.lanes.iter().any(|lane| !lane.records.is_empty());
    let end = match end {
        ReadEnd::Complete if left && records.len() < limits.0 => ReadEnd::LimitHit,
        end => end,
    };
    for part in parts.iter_mut() {
        (part.from, part.next) = (part.at, part.at);
    }
    let (mut older, mut newer) = (false, false);
    for (lane, back) in search.lanes.iter().zip(search.backs) {
        let part = &mut parts[back.place];
        let beyond = lane.records.back().map(|record| record.offset).or(back.dropped);
        part.from = beyond.map_or(back.low, |offset| offset + 1);
        part.none_shown =
            beyond.is_some() && !records.iter().any(|record| record.partition == part.partition);
        part.unbroken = part.at == part.end && back.covered as i64 == part.end - back.low;
        part.error = back.error;
        older |= part.from > part.start && (beyond.is_some() || back.low > back.start);
        newer |= back.beyond.unwrap_or(part.at < part.end);
    }
    // Of a partition in which nothing was looked for, the bounds are all that is known.
    newer |= parts.iter().any(|part| part.error.is_none() && part.at <= part.start && part.at < part.end);
    Found { records, scanned: search.scanned, bytes, end, older, newer }
}

/// Whether a record lies before the positions of the parts. `None`: not found out in time.
pub(super) fn is_any_before(
    reader: &Reader,
    plan: &Plan,
    parts: &[Part],
    deadline: Deadline,
    stop: &CancellationToken,
) -> Option<bool> {
    let mut search = Search::new(plan, parts, 0, deadline);
    let end = search.run(reader, stop);
    if search.backs.iter().any(|back| back.dropped.is_some()) {
        return Some(true);
    }
    let failed = search.backs.iter().any(|back| back.error.is_some());
    (end == ReadEnd::Complete && !failed).then_some(false)
}

/// How far back one partition was read.
struct Back {
    /// Its index among the parts.
    place: usize,
    start: i64,
    end: i64,
    /// Everything from here to the read's position was covered.
    low: i64,
    /// Records in what was covered.
    covered: usize,
    /// Offsets to cover next.
    window: i64,
    scan: Scan,
    /// The highest offset that was read and not kept, for lack of space. Nothing is read before it.
    dropped: Option<i64>,
    /// Whether a record lies at or after the read's position; `None`: not known.
    beyond: Option<bool>,
    error: Option<Cause>,
}

/// The window in work.
#[derive(Default)]
struct Scan {
    records: VecDeque<Record>,
    bytes: usize,
    /// The key of what was not kept.
    before: Key,
    dropped: Option<i64>,
    seen: usize,
    /// Where the window was given up, since it holds too much.
    given_up: Option<i64>,
    /// A record at or after the window's end was seen.
    beyond: bool,
}

/// Why a round of windows was broken off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Broken {
    /// One record is all that was looked for.
    Found,
    /// As much as may be read was read.
    Scanned,
    /// It took half of the time that was left: smaller windows may end in time.
    Slow,
}

struct Search<'a> {
    plan: &'a Plan,
    /// 0: is there any record?
    most: usize,
    deadline: Deadline,
    lanes: Vec<Lane>,
    /// As `lanes`.
    backs: Vec<Back>,
    by_partition: HashMap<i32, usize>,
    /// Bytes of the records that are kept.
    held: usize,
    scanned: u64,
    patience: Option<Instant>,
    broken: Option<(usize, Broken)>,
}

impl<'a> Search<'a> {
    fn new(plan: &'a Plan, parts: &[Part], most: usize, deadline: Deadline) -> Self {
        let readable = |part: &Part| part.error.is_none() && part.at > part.start;
        let count = parts.iter().filter(|part| readable(part)).count().max(1);
        // One more than the limit tells that there is more.
        let share = if count == 1 { most } else { (2 * most.div_ceil(count)).min(most) };
        let window = share.max(WINDOW_LEAST) as i64 + 1;
        let (mut lanes, mut backs, mut by_partition) = (Vec::new(), Vec::new(), HashMap::new());
        for (place, part) in parts.iter().enumerate().filter(|(_, part)| readable(part)) {
            by_partition.insert(part.partition.get(), lanes.len());
            lanes.push(Lane::new(part.partition));
            backs.push(Back {
                place,
                start: part.start,
                end: part.end,
                low: part.at,
                covered: 0,
                window,
                scan: Scan::default(),
                dropped: None,
                beyond: (part.at >= part.end || most == 0).then_some(false),
                error: None,
            });
        }
        Self {
            plan,
            most,
            deadline,
            lanes,
            backs,
            by_partition,
            held: 0,
            scanned: 0,
            patience: None,
            broken: None,
        }
    }

    fn run(&mut self, reader: &Reader, stop: &CancellationToken) -> ReadEnd {
        loop {
            let ranges = self.ranges();
            if ranges.is_empty() {
                return ReadEnd::Complete;
            }
            (self.patience, self.broken) = (None, None);
            let (topic, deadline) = (self.plan.topic.clone(), self.deadline);
            let (stopped, progress) =
                range::read(reader, topic.as_str(), &ranges, deadline, stop, |message| self.take(message));
            for range in &ranges {
                let Some(&lane) = self.by_partition.get(&range.partition) else { continue };
                if let Some(progress) = progress.get(&range.partition) {
                    self.settle(lane, range, progress);
                }
            }
            match (stopped, self.broken) {
                (Stopped::TimedOut, _) => return ReadEnd::TimedOut,
                (Stopped::Cancelled, _) => return ReadEnd::Cancelled,
                (_, Some((_, Broken::Found))) => return ReadEnd::Complete,
                (_, Some((_, Broken::Scanned))) => return ReadEnd::ScanLimitHit,
                _ => {}
            }
        }
    }

    /// The next window of each partition that may still hold a record that belongs to the newest.
    fn ranges(&self) -> Vec<Range> {
        let mut taken = vec![0; self.lanes.len()];
        for lane in merge::order(&self.lanes, Side::Newest, self.most, self.plan.now) {
            taken[lane] += 1;
        }
        let found: usize = self.lanes.iter().map(|lane| lane.records.len()).sum();
        let dropped = self.backs.iter().any(|back| back.dropped.is_some());
        let enough = found > self.most || (found == self.most && dropped);
        let backs = self.backs.iter().zip(&self.lanes).zip(taken).filter(|((back, lane), taken)| {
            // Before a partition's lowest record that is taken, others may be as new; where it is not taken,
            // what lies before it is older.
            let may_matter = !enough || (self.most > 0 && lane.records.len() == *taken);
            back.dropped.is_none() && back.error.is_none() && back.low > back.start && may_matter
        });
        let ranges = backs.map(|((back, lane), _)| Range {
            partition: lane.partition.get(),
            from: back.low.saturating_sub(back.window).max(back.start),
            to: if back.beyond.is_none() && lane.records.is_empty() { back.end } else { back.low },
        });
        ranges.collect()
    }

    /// Records of one window that are read at most.
    fn budget(&self) -> usize {
        2 * self.most + WINDOW_RECORDS
    }

    fn take(&mut self, message: &Message) -> Then {
        let Some(&at) = self.by_partition.get(&message.partition()) else { return Then::On };
        let (budget, most) = (self.budget(), self.most);
        let (lane, back) = (&self.lanes[at], &mut self.backs[at]);
        let offset = message.offset();
        if offset >= back.low {
            back.scan.beyond = true;
            return Then::NextPartition;
        }
        self.scanned += 1;
        if most == 0 {
            back.dropped = Some(offset);
            self.broken = Some((at, Broken::Found));
            return Then::Stop;
        }
        let scan = &mut back.scan;
        scan.seen += 1;
        if scan.seen > budget {
            scan.given_up = Some(offset);
            return Then::NextPartition;
        }
        let request = &self.plan.request;
        let record = Record::copy(&self.plan.topic, lane.partition, message, request.max_value_bytes);
        scan.bytes += record.kept();
        self.held += record.kept();
        scan.records.push_back(record);
        loop {
            let records = scan.records.len() + lane.records.len();
            let too_large = self.held > request.limit_bytes.saturating_mul(2) && records > 1;
            if records <= most && !too_large {
                break;
            }
            let Some(oldest) = scan.records.pop_front() else { break };
            scan.bytes -= oldest.kept();
            self.held -= oldest.kept();
            scan.before = merge::key_after(scan.before, oldest.millis(), self.plan.now);
            scan.dropped = Some(oldest.offset);
        }
        self.go_on(at)
    }

    fn go_on(&mut self, at: usize) -> Then {
        let scanned_most = SCANNED_AT_LEAST.saturating_add(SCANNED_A_RECORD.saturating_mul(self.most as u64));
        let broken = match self.patience {
            _ if self.scanned > scanned_most => Broken::Scanned,
            Some(patience) if Instant::now() > patience => Broken::Slow,
            Some(_) => return Then::On,
            None => {
                self.patience = Some(Instant::now() + self.deadline.left() / 2);
                return Then::On;
            }
        };
        self.broken = Some((at, broken));
        Then::Stop
    }

    /// Takes over a window that was read to its end. Of one that was not, nothing is kept: it would leave a
    /// hole.
    fn settle(&mut self, at: usize, range: &Range, progress: &Progress) {
        let budget = self.budget() as i64;
        let (lane, back) = (&mut self.lanes[at], &mut self.backs[at]);
        let scan = std::mem::take(&mut back.scan);
        let broken = self.broken.filter(|(lane, _)| *lane == at).map(|(_, broken)| broken);
        let ended = progress.done && broken.is_none();
        let whole = progress.error.is_none()
            && scan.given_up.is_none()
            && (ended || scan.beyond || progress.next >= back.low);
        if whole {
            if range.to > back.low && (scan.beyond || ended) {
                back.beyond = Some(scan.beyond);
            }
            back.low = range.from;
            back.covered += scan.seen;
            back.dropped = back.dropped.or(scan.dropped);
            lane.before = scan.before;
            let newer = std::mem::replace(&mut lane.records, scan.records);
            lane.records.extend(newer);
            let larger = back.window.saturating_mul(GROWTH);
            back.window = if scan.seen == 0 { larger } else { larger.min(back.window.max(budget)) };
            return;
        }
        self.held -= scan.bytes;
        back.error = progress.error.clone();
        if let Some(offset) = scan.given_up {
            let left = back.low - offset;
            back.window = (left / 2).max(left.min(budget)).max(1);
        } else if self.broken.is_some_and(|(_, broken)| broken == Broken::Slow) && progress.next > range.from
        {
            back.window = ((progress.next - range.from) / 2).max(1);
        }
    }
}
