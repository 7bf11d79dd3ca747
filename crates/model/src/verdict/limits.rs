//! What may be set of the rules, for all groups or for those whose name matches.

use std::time::Duration;

/// From how long on a rebalance is said, and from how long on it is critical: consumers that drain first, as
/// KafkaFlow does (30 s), take their time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RebalanceLimits {
    pub warning: Duration,
    pub critical: Duration,
}

impl Default for RebalanceLimits {
    fn default() -> Self {
        Self { warning: Duration::from_secs(15), critical: Duration::from_secs(60) }
    }
}

/// For so long a rebalance counts.
pub const REBALANCES_WITHIN: Duration = Duration::from_secs(15 * 60);

/// Thresholds of one group. The reasons for the defaults are in CONFIG.md.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rules {
    pub rebalancing: RebalanceLimits,
    /// The time lag up to which a group is ok.
    pub behind: Duration,
    /// The same in records, for groups whose time lag is not known.
    pub allowed_lag: u64,
    /// The time lag from which on a lag that grows is said.
    pub falling_behind: Duration,
    /// No commit for so long, or for three of the group's commit intervals where that is longer.
    pub stalled: Duration,
    /// For how long a rewind is said that is not regained.
    pub rewound: Duration,
    /// The share of the lag, in percent, from which on a partition is hot.
    pub hot_share: u8,
    /// Rebalances within [`REBALANCES_WITHIN`] up to which there is nothing to say.
    pub rebalances: u32,
    /// A pause that lasts as long is a warning: it may be forgotten.
    pub paused: Duration,
    /// For how long a verdict that goes by a trend is kept when it ceases to apply.
    pub clear_after: Duration,
}

impl Default for Rules {
    fn default() -> Self {
        let seconds = Duration::from_secs;
        Self {
            rebalancing: RebalanceLimits::default(),
            behind: seconds(60),
            allowed_lag: 100,
            falling_behind: seconds(10),
            stalled: seconds(10),
            rewound: seconds(15 * 60),
            hot_share: 75,
            rebalances: 8,
            paused: seconds(4 * 3_600),
            clear_after: seconds(15),
        }
    }
}
