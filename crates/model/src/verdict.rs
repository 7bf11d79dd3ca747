//! What Flowdeck says of a group, by rules alone: `judge` is pure, its inputs are what the last refreshes read, and
//! the time is one of them.

mod evidence;
mod hysteresis;
mod limits;
pub mod lock_up;
mod rules;
mod sum;

use serde::{Deserialize, Serialize};

pub use evidence::{
    Evidence, Hot, LockedUp, NotObeyed, Proof, Rebalance, Rewind, Slow, Stall, Stopped, Surplus,
};
pub use limits::{REBALANCES_WITHIN, RebalanceLimits, Rules};
pub use rules::judge;
pub use sum::{LagSum, sum};

use crate::time::Timestamp;

/// Kafka's group types, as far as the client library can tell them apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub enum GroupType {
    /// The first group protocol (JoinGroup, SyncGroup).
    Classic,
    /// KIP-848.
    Consumer,
    /// A classic group whose assignor is `stream`.
    Streams,
    /// Share, Connect or new Streams groups: no consumer group, without lag. Never "dead".
    Other,
    /// Flowdeck's own, which elects the replica that writes.
    Flowdeck,
    /// Not described yet.
    Unknown,
}

impl GroupType {
    pub fn label(self) -> &'static str {
        match self {
            Self::Classic => "classic",
            Self::Consumer => "KIP-848",
            Self::Streams => "Streams",
            Self::Other => "other, not a consumer group",
            Self::Flowdeck => "Flowdeck's own",
            Self::Unknown => "not described yet",
        }
    }

    /// The value in URLs and JSON.
    pub fn key(self) -> &'static str {
        match self {
            Self::Classic => "classic",
            Self::Consumer => "consumer",
            Self::Streams => "streams",
            Self::Other => "other",
            Self::Flowdeck => "flowdeck",
            Self::Unknown => "unknown",
        }
    }

    /// Every value, for whoever parses or lists them.
    pub const ALL: [Self; 6] =
        [Self::Classic, Self::Consumer, Self::Streams, Self::Other, Self::Flowdeck, Self::Unknown];

    /// Whether it reads topics and commits offsets.
    pub fn has_lag(self) -> bool {
        !matches!(self, Self::Other | Self::Flowdeck)
    }
}

/// Kafka's group states.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub enum GroupState {
    Stable,
    PreparingRebalance,
    CompletingRebalance,
    Empty,
    Dead,
    /// KIP-848 states that the client library cannot name (Assigning, Reconciling), or none given.
    RebalancingOrUnknown,
}

impl GroupState {
    pub const ALL: [Self; 6] = [
        Self::Stable,
        Self::PreparingRebalance,
        Self::CompletingRebalance,
        Self::Empty,
        Self::Dead,
        Self::RebalancingOrUnknown,
    ];

    /// A classic group's rebalance, as Kafka names it.
    pub fn is_rebalance(self) -> bool {
        matches!(self, Self::PreparingRebalance | Self::CompletingRebalance)
    }

    pub fn label(self) -> &'static str {
        match self {
            Self::Stable => "Stable",
            Self::PreparingRebalance => "PreparingRebalance",
            Self::CompletingRebalance => "CompletingRebalance",
            Self::Empty => "Empty",
            Self::Dead => "Dead",
            Self::RebalancingOrUnknown => "rebalancing or unknown",
        }
    }
}

/// What is to be said of a group, in one word; what is said first comes last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub enum Verdict {
    Ok,
    /// No active members, and caught up.
    Inactive,
    /// No active members, and commits move: its partitions are assigned by hand.
    AssignedByHand,
    /// A lag above the allowed that falls, so that nothing is left within an hour.
    CatchingUp,
    /// Members that can have no partition, since there are fewer partitions than members.
    SurplusInstances,
    Unknown,
    /// Partitions of which nothing was ever committed.
    NeverCommitted,
    Paused,
    /// A lag above the allowed.
    Behind,
    /// No active members, and a lag, or one that is not known.
    NoActiveMembers,
    /// The partitions of one instance have most of the lag, and get no more of the records than those of others.
    SlowInstance,
    /// One partition has most of the lag and gets most of the records.
    HotPartition,
    /// Its members change again and again.
    RebalancingTooOften,
    /// The lag grows.
    FallingBehind,
    /// A commit went back, and has not regained what it had.
    Rewound,
    /// Paused without a hold: as a retry middleware does on a record that fails.
    PausedByApplication,
    /// Members, records that wait, and no commit that moves.
    Stalled,
    /// It had members, has none, and records wait or come.
    Stopped,
    /// An instance reports that it runs what a hold covers; no commit proves it.
    PauseUnconfirmed,
    /// Records of what a hold covers are handled: a commit proves it.
    PauseNotObeyed,
    /// A rebalance that lasts longer than it should.
    RebalanceStuck,
    /// A KafkaFlow instance that was paused as a whole does not answer its group's rebalance, or is out of the group.
    LockedUp,
    /// Records were deleted before the group read them.
    LosingData,
}

/// How urgent a verdict is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub enum Level {
    Ok,
    Info,
    Warning,
    Critical,
}

impl Verdict {
    /// The order in which they are said; that of chips, too.
    pub const WORST_FIRST: [Self; 23] = [
        Self::LosingData,
        Self::LockedUp,
        Self::RebalanceStuck,
        Self::PauseNotObeyed,
        Self::PauseUnconfirmed,
        Self::Stopped,
        Self::Stalled,
        Self::PausedByApplication,
        Self::Rewound,
        Self::FallingBehind,
        Self::RebalancingTooOften,
        Self::HotPartition,
        Self::SlowInstance,
        Self::NoActiveMembers,
        Self::Behind,
        Self::Paused,
        Self::NeverCommitted,
        Self::Unknown,
        Self::SurplusInstances,
        Self::CatchingUp,
        Self::AssignedByHand,
        Self::Inactive,
        Self::Ok,
    ];

    /// Its label, its value in URLs and JSON, and its level where nothing of the group changes it.
    fn about(self) -> (&'static str, &'static str, Level) {
        use Level::{Critical, Info, Warning};
        match self {
            Self::Ok => ("OK", "ok", Level::Ok),
            Self::Inactive => ("Inactive", "inactive", Level::Ok),
            Self::AssignedByHand => ("Assigned by hand", "assignedByHand", Info),
            Self::CatchingUp => ("Catching up", "catchingUp", Info),
            Self::SurplusInstances => ("Surplus instances", "surplusInstances", Info),
            Self::Unknown => ("Unknown", "unknown", Info),
            Self::NeverCommitted => ("Never committed", "neverCommitted", Info),
            Self::Paused => ("Paused", "paused", Info),
            Self::Behind => ("Behind", "behind", Warning),
            Self::NoActiveMembers => ("No active members", "noActiveMembers", Critical),
            Self::SlowInstance => ("Slow instance", "slowInstance", Warning),
            Self::RebalancingTooOften => ("Rebalancing too often", "rebalancingTooOften", Warning),
            Self::HotPartition => ("Hot partition", "hotPartition", Warning),
            Self::FallingBehind => ("Falling behind", "fallingBehind", Warning),
            Self::Rewound => ("Rewound", "rewound", Warning),
            Self::PausedByApplication => ("Paused by the application", "pausedByApplication", Warning),
            Self::Stalled => ("Stalled", "stalled", Critical),
            Self::Stopped => ("Stopped", "stopped", Critical),
            Self::PauseUnconfirmed => ("Pause unconfirmed", "pauseUnconfirmed", Warning),
            Self::PauseNotObeyed => ("Pause not obeyed", "pauseNotObeyed", Critical),
            Self::RebalanceStuck => ("Rebalance stuck", "rebalanceStuck", Warning),
            Self::LockedUp => ("Locked up", "lockedUp", Warning),
            Self::LosingData => ("Losing data", "losingData", Critical),
        }
    }

    pub fn label(self) -> &'static str {
        self.about().0
    }

    /// The value in URLs and JSON; in metrics the same in snake_case.
    pub fn key(self) -> &'static str {
        self.about().1
    }

    /// The level where nothing of the group changes it.
    pub fn level(self) -> Level {
        self.about().2
    }

    /// Not worth a place on a page where no group has it.
    pub fn is_rare(self) -> bool {
        !matches!(self, Self::NoActiveMembers | Self::Behind | Self::Paused | Self::Unknown | Self::Ok)
    }

    pub fn parse(key: &str) -> Option<Self> {
        Self::WORST_FIRST.into_iter().find(|verdict| verdict.key() == key)
    }

    /// The order of the default sort: higher is more severe.
    pub fn severity(self, level: Level) -> u8 {
        level as u8 * 32 + self as u8
    }
}

/// A verdict that applies to a group, with what shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct Finding {
    pub verdict: Verdict,
    pub level: Level,
    /// Since when it applies, as far as Flowdeck saw it.
    pub since: Timestamp,
    /// One sentence without its end, or null where the verdict says it all.
    pub evidence: Option<String>,
    /// When it applied last: a trend is kept for a while. For the rules alone.
    #[serde(skip)]
    pub last: Option<Timestamp>,
}

/// The first few: anybody who may write to the topic of holds can claim to be thousands.
pub fn names(all: &[String]) -> String {
    const SAID: usize = 5;
    let mut said: Vec<String> = all.iter().take(SAID).map(|name| crate::shown::name(name)).collect();
    if all.len() > SAID {
        said.push(format!("{} others", all.len() - SAID));
    }
    said.join(", ")
}

#[cfg(test)]
mod tests;
