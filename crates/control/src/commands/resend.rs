//! When a KafkaFlow pause that is not obeyed is sent again. Pure: `now` is an argument.

use std::time::Duration;

use flowdeck_model::Timestamp;

/// Between the first sends; then at this pace, and after `LONG` seldom.
const FIRST: [Duration; 3] = [Duration::ZERO, Duration::from_secs(1), Duration::from_secs(2)];
const PACE: Duration = Duration::from_secs(5);
const LONG: Duration = Duration::from_secs(300);
const SELDOM: Duration = Duration::from_secs(30);
/// Never sooner after any other send of the same: KafkaFlow has it, and its telemetry may tell of before.
pub(crate) const LEAST: Duration = Duration::from_secs(1);

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Resends {
    pub(crate) count: u32,
    pub(crate) last: Option<Timestamp>,
    /// Of a resume: it is not sent again any more.
    pub(crate) capped: bool,
    /// Since when it is not obeyed, and how often it was sent since.
    pub(crate) run: Option<Run>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Run {
    pub(crate) began: Timestamp,
    pub(crate) sends: u32,
}

impl Resends {
    /// It is not obeyed at `now`. `rebalanced`: when a rebalance of the group last ended. Says whether to send it.
    pub(crate) fn not_obeyed(&mut self, rebalanced: Option<Timestamp>, now: Timestamp) -> bool {
        let run = *self.run.get_or_insert(Run { began: now, sends: 0 });
        if self.last.is_some_and(|last| now.since(last) < LEAST) {
            return false;
        }
        self.is_after_rebalance(rebalanced) || self.last.is_none_or(|last| now.since(last) >= wait(run, now))
    }

    /// It is obeyed, as far as telemetry tells. KafkaFlow forgets what is paused in each rebalance: says whether to
    /// send it.
    pub(crate) fn obeyed(&mut self, rebalanced: Option<Timestamp>, now: Timestamp) -> bool {
        self.run = None;
        self.is_after_rebalance(rebalanced) && self.last.is_none_or(|last| now.since(last) >= LEAST)
    }

    fn is_after_rebalance(&self, rebalanced: Option<Timestamp>) -> bool {
        rebalanced.is_some_and(|at| self.last.is_none_or(|last| at > last))
    }

    pub(crate) fn sent(&mut self, now: Timestamp) {
        self.count += 1;
        self.tried(now);
    }

    /// It could not be written, or another command sent the same.
    pub(crate) fn tried(&mut self, now: Timestamp) {
        self.last = Some(now);
        if let Some(run) = &mut self.run {
            run.sends += 1;
        }
    }
}

fn wait(run: Run, now: Timestamp) -> Duration {
    let nth = usize::try_from(run.sends).unwrap_or(usize::MAX);
    match FIRST.get(nth) {
        Some(wait) => *wait,
        None if now.since(run.began) < LONG => PACE,
        None => SELDOM,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millis(100_000 + millis)
    }

    /// When it is sent, in milliseconds, looked at every 100 ms.
    fn sends(resends: &mut Resends, from: i64, to: i64, rebalanced: Option<i64>) -> Vec<i64> {
        let mut sent = Vec::new();
        for now in (from..=to).step_by(100) {
            if resends.not_obeyed(rebalanced.filter(|one| *one <= now).map(at), at(now)) {
                resends.sent(at(now));
                sent.push(now);
            }
        }
        sent
    }

    #[test]
    fn a_pause_is_sent_at_once_then_ever_more_seldom() {
        let mut resends = Resends { last: Some(at(-60_000)), ..Resends::default() };
        let sent = sends(&mut resends, 0, 420_000, None);
        assert_eq!(sent[..6], [0, 1_000, 3_000, 8_000, 13_000, 18_000]);
        let gaps: Vec<i64> = sent.windows(2).map(|two| two[1] - two[0]).collect();
        let seldom = gaps.iter().position(|gap| *gap == 30_000).unwrap();
        assert!((295_000..=305_000).contains(&sent[seldom]), "{sent:?}");
        assert!(gaps[3..seldom].iter().all(|gap| *gap == 5_000), "{gaps:?}");
        assert!(gaps[seldom..].iter().all(|gap| *gap == 30_000), "{gaps:?}");
        assert_eq!(resends.count as usize, sent.len());
    }

    #[test]
    fn another_run_begins_at_once_and_never_within_a_second() {
        let mut resends = Resends { last: Some(at(0)), ..Resends::default() };
        assert_eq!(sends(&mut resends, 300, 2_500, None), [1_000, 2_000]);
        assert!(!resends.obeyed(None, at(4_000)));
        assert_eq!(sends(&mut resends, 10_000, 12_000, None), [10_000, 11_000]);
    }

    #[test]
    fn the_end_of_a_rebalance_sends_it_once() {
        let mut resends = Resends { last: Some(at(0)), ..Resends::default() };
        assert!(resends.obeyed(Some(at(9_000)), at(9_000)), "also where telemetry tells of no breach yet");
        resends.sent(at(9_000));
        assert!(!resends.obeyed(Some(at(9_000)), at(20_000)));
        // In the middle of a run: sooner than it would be otherwise.
        let sent = sends(&mut resends, 30_000, 36_000, Some(34_500));
        assert_eq!(sent, [30_000, 31_000, 33_000, 34_500]);
    }
}
