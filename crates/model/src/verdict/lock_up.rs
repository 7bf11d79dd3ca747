//! When a KafkaFlow instance is locked up (defect 681 of its tracker). Where a pause of all partitions met a backlog, it
//! does not answer the next rebalance of its group: its telemetry goes on with empty lists, the group waits for it until
//! max.poll.interval.ms is over, and then goes on without it. Pure.

use std::time::Duration;

use crate::time::Timestamp;

/// From how long on it is said, and from how long on it is critical: a rebalance may take its time.
pub const SAID: Duration = Duration::from_secs(15);
pub const CRITICAL: Duration = Duration::from_secs(60);

/// Why nothing but the end of its process helps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MustEnd {
    LockedUpAgain,
    DidNotComeBack,
    ResumedTooSoon,
}

/// An instance that is heard and lists no partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Idle {
    /// Since when it lists none.
    pub since: Timestamp,
    /// All that it listed before was paused, or it was restarted out of a lock-up.
    pub was_paused: bool,
    /// It was told to stop since, so that it is no wonder.
    pub is_stopped: bool,
    /// Kafka, asked since, lists members, and none of them could be it.
    pub is_unlisted: bool,
}

/// Since when it is locked up. `rebalancing`: since when its group is in a rebalance.
pub fn locked_up(idle: Idle, rebalancing: Option<Timestamp>, now: Timestamp) -> Option<Timestamp> {
    if !idle.was_paused || idle.is_stopped {
        return None;
    }
    let since = match rebalancing {
        _ if idle.is_unlisted => idle.since,
        // The lists empty when the rebalance begins: whichever was seen later.
        Some(began) => began.max(idle.since),
        None => return None,
    };
    (now.since(since) >= SAID).then_some(since)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_millis(1_000_000 + seconds * 1_000)
    }

    #[test]
    fn only_what_was_paused_as_a_whole_and_was_not_stopped_is_locked_up() {
        let idle = Idle { since: at(2), was_paused: true, is_stopped: false, is_unlisted: false };
        let unlisted = Idle { is_unlisted: true, ..idle };
        for (idle, rebalancing, now, want) in [
            (idle, Some(0), 16, None),
            (idle, Some(0), 17, Some(2)),
            (idle, Some(5), 19, None),
            (idle, Some(5), 20, Some(5)),
            // Stable, and it may be one of the members.
            (idle, None, 400, None),
            // The group went on without it.
            (unlisted, None, 16, None),
            (unlisted, None, 17, Some(2)),
            (unlisted, Some(300), 310, Some(2)),
            (Idle { was_paused: false, ..unlisted }, Some(0), 400, None),
            (Idle { is_stopped: true, ..unlisted }, Some(0), 400, None),
        ] {
            let got = locked_up(idle, rebalancing.map(at), at(now));
            assert_eq!(got, want.map(at), "{idle:?} {rebalancing:?} {now}");
        }
    }
}
