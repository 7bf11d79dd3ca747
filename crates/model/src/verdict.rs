//! What Flowdeck says of a group, by rules alone: `judge` is pure, its inputs are what the last
//! refresh read.

use serde::{Deserialize, Serialize};

use crate::lag::{Lag, PartitionReading, Unknown};

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
    /// Not described yet.
    Unknown,
}

impl GroupType {
    pub fn words(self) -> &'static str {
        match self {
            Self::Classic => "classic",
            Self::Consumer => "KIP-848",
            Self::Streams => "Streams",
            Self::Other => "other, not a consumer group",
            Self::Unknown => "not described yet",
        }
    }

    /// Every value, for whoever parses or lists them.
    pub const ALL: [Self; 5] = [Self::Classic, Self::Consumer, Self::Streams, Self::Other, Self::Unknown];
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
    pub fn words(self) -> &'static str {
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

/// What needs a person, worst last in severity, in one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub enum Verdict {
    Ok,
    Unknown,
    Paused,
    Behind,
    /// An instance reports that it runs what a hold covers; no commit proves it.
    PauseUnconfirmed,
    NoMembers,
    /// Records of what a hold covers are handled: a commit proves it.
    PauseNotObeyed,
}

impl Verdict {
    /// Worst first: the order of chips and of the default sort.
    pub const WORST_FIRST: [Self; 7] = [
        Self::PauseNotObeyed,
        Self::NoMembers,
        Self::PauseUnconfirmed,
        Self::Behind,
        Self::Paused,
        Self::Unknown,
        Self::Ok,
    ];

    pub fn words(self) -> &'static str {
        match self {
            Self::Ok => "OK",
            Self::Unknown => "Unknown",
            Self::Paused => "Paused",
            Self::Behind => "Behind",
            Self::PauseUnconfirmed => "Pause unconfirmed",
            Self::NoMembers => "No members",
            Self::PauseNotObeyed => "Pause not obeyed",
        }
    }

    /// The value in URLs and JSON.
    pub fn key(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Unknown => "unknown",
            Self::Paused => "paused",
            Self::Behind => "behind",
            Self::PauseUnconfirmed => "pauseUnconfirmed",
            Self::NoMembers => "noMembers",
            Self::PauseNotObeyed => "pauseNotObeyed",
        }
    }

    /// Seldom given: not worth a place on a page where no group has it.
    pub fn is_rare(self) -> bool {
        matches!(self, Self::PauseUnconfirmed | Self::PauseNotObeyed)
    }

    pub fn parse(key: &str) -> Option<Self> {
        Self::WORST_FIRST.into_iter().find(|verdict| verdict.key() == key)
    }

    /// 0 is fine; higher needs a person more. A group that nobody reads and that has nothing to
    /// read is no emergency.
    pub fn severity(self, lag: Option<u64>) -> u8 {
        match self {
            Self::Ok => 0,
            Self::NoMembers if lag == Some(0) => 1,
            Self::Unknown => 2,
            Self::Paused => 3,
            Self::Behind => 4,
            Self::PauseUnconfirmed => 5,
            Self::NoMembers => 6,
            Self::PauseNotObeyed => 7,
        }
    }
}

/// Sums of a group's partitions.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LagSum {
    /// Sum over the partitions whose lag is known; `None` where not one is.
    pub lag: Option<u64>,
    /// Partitions whose lag is not known. An empty partition that nobody ever read is none of them.
    pub unknown: u32,
    /// The reason that stands first among the unknown ones.
    pub why: Option<Unknown>,
}

pub fn sum<'a>(readings: impl IntoIterator<Item = &'a PartitionReading>) -> LagSum {
    let mut total = LagSum::default();
    for reading in readings {
        match reading.lag() {
            Lag::Known(lag) => total.lag = Some(total.lag.unwrap_or(0).saturating_add(lag)),
            Lag::Unknown(_) if reading.is_empty_and_untouched() => total.lag = Some(total.lag.unwrap_or(0)),
            Lag::Unknown(why) => {
                total.unknown += 1;
                total.why = Some(total.why.map_or(why, |first| worse(first, why)));
            }
        }
    }
    total
}

/// What an operator must hear of first.
fn worse(a: Unknown, b: Unknown) -> Unknown {
    let rank = |why| match why {
        Unknown::NotPermitted => 5,
        Unknown::Stale => 4,
        Unknown::Recreated => 3,
        Unknown::OutOfRange => 2,
        Unknown::AheadOfLog => 1,
        Unknown::NeverCommitted => 0,
    };
    if rank(b) > rank(a) { b } else { a }
}

/// All that the rules look at.
#[derive(Debug, Clone)]
pub struct Evidence {
    pub kind: GroupType,
    /// `None`: not described yet, or not permitted.
    pub members: Option<u32>,
    pub sum: LagSum,
    /// Who paused, where something in the group stands paused: owners of holds, or the application.
    pub paused_by: Vec<String>,
    /// Instances that run what a hold covers.
    pub not_obeyed: Option<NotObeyed>,
    /// The group's last refresh failed or is too old to speak of now; said in words.
    pub stale: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotObeyed {
    /// A commit proves that records are handled; else telemetry alone says so.
    pub proven: bool,
    pub words: String,
}

/// The rules, in order; the first that matches decides. `allowed` is the lag up to which a group is ok.
pub fn judge(evidence: &Evidence, allowed: u64) -> (Verdict, Option<String>) {
    if let Some(stale) = &evidence.stale {
        return (Verdict::Unknown, Some(stale.clone()));
    }
    if evidence.kind == GroupType::Other {
        return (Verdict::Unknown, Some("other, not a consumer group: it has no lag".to_owned()));
    }
    if let Some(NotObeyed { proven, words }) = &evidence.not_obeyed {
        let verdict = if *proven { Verdict::PauseNotObeyed } else { Verdict::PauseUnconfirmed };
        return (verdict, Some(words.clone()));
    }
    if !evidence.paused_by.is_empty() {
        return (Verdict::Paused, Some(format!("by {}", names(&evidence.paused_by))));
    }
    if evidence.members == Some(0) {
        return (Verdict::NoMembers, None);
    }
    if evidence.sum.lag.is_some_and(|lag| lag > allowed) {
        return (Verdict::Behind, None);
    }
    if let Some(why) = evidence.sum.why {
        let partitions = if evidence.sum.unknown == 1 { "partition" } else { "partitions" };
        return (Verdict::Unknown, Some(format!("{} {partitions}: {}", evidence.sum.unknown, why.words())));
    }
    if evidence.sum.lag.is_none() {
        return (Verdict::Unknown, Some("it has committed nothing and owns no partition".to_owned()));
    }
    (Verdict::Ok, None)
}

/// The first few: anybody who may write to the topic of holds can claim to be thousands.
fn names(all: &[String]) -> String {
    const SAID: usize = 5;
    let mut said: Vec<String> = all.iter().take(SAID).map(|name| crate::shown::name(name)).collect();
    if all.len() > SAID {
        said.push(format!("{} others", all.len() - SAID));
    }
    said.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn evidence() -> Evidence {
        let sum = LagSum { lag: Some(0), unknown: 0, why: None };
        Evidence {
            kind: GroupType::Classic,
            members: Some(1),
            sum,
            paused_by: vec![],
            not_obeyed: None,
            stale: None,
        }
    }

    #[test]
    fn the_rules_in_order() {
        let lag = |lag, unknown, why| LagSum { lag, unknown, why };
        let not_obeyed = |proven| Some(NotObeyed { proven, words: "vm-2 runs 3 partitions".into() });
        let paused = || Evidence { paused_by: vec!["ana".into()], ..evidence() };
        let cases = [
            (evidence(), Verdict::Ok),
            (Evidence { sum: lag(Some(100), 0, None), ..evidence() }, Verdict::Ok),
            (Evidence { sum: lag(Some(101), 0, None), ..evidence() }, Verdict::Behind),
            (
                Evidence { sum: lag(Some(101), 1, Some(Unknown::NeverCommitted)), ..evidence() },
                Verdict::Behind,
            ),
            (Evidence { sum: lag(Some(1), 1, Some(Unknown::OutOfRange)), ..evidence() }, Verdict::Unknown),
            (Evidence { sum: lag(None, 0, None), ..evidence() }, Verdict::Unknown),
            (Evidence { members: Some(0), sum: lag(Some(500), 0, None), ..evidence() }, Verdict::NoMembers),
            (Evidence { members: None, ..evidence() }, Verdict::Ok),
            (Evidence { paused_by: vec!["ana".into()], members: Some(0), ..evidence() }, Verdict::Paused),
            (Evidence { not_obeyed: not_obeyed(false), ..paused() }, Verdict::PauseUnconfirmed),
            (Evidence { not_obeyed: not_obeyed(true), ..paused() }, Verdict::PauseNotObeyed),
            (Evidence { kind: GroupType::Other, members: Some(0), ..evidence() }, Verdict::Unknown),
            (
                Evidence { stale: Some("no answer".into()), paused_by: vec!["ana".into()], ..evidence() },
                Verdict::Unknown,
            ),
        ];
        for (case, want) in cases {
            assert_eq!(judge(&case, 100).0, want, "{case:?}");
        }
    }

    #[test]
    fn sums_keep_the_unknown_apart() {
        let known = PartitionReading { start: Some(0), end: Some(10), committed: Some(4), refused: None };
        let never = PartitionReading { committed: None, ..known };
        let untouched = PartitionReading { start: Some(3), end: Some(3), committed: None, refused: None };
        assert_eq!(
            sum([&known, &never, &untouched]),
            LagSum { lag: Some(6), unknown: 1, why: Some(Unknown::NeverCommitted) }
        );
        assert_eq!(sum([&never]).lag, None);
        assert_eq!(sum([&untouched]), LagSum { lag: Some(0), unknown: 0, why: None });
    }

    #[test]
    fn a_pause_that_is_not_obeyed_is_more_severe_than_lag() {
        let behind = Verdict::Behind.severity(Some(1_000));
        for verdict in [Verdict::PauseUnconfirmed, Verdict::PauseNotObeyed] {
            assert!(verdict.severity(Some(0)) > behind, "{verdict:?}");
        }
        let severities = Verdict::WORST_FIRST.map(|verdict| verdict.severity(None));
        assert!(severities.is_sorted_by(|a, b| a > b), "{severities:?}");
    }

    #[test]
    fn keys_come_back() {
        for verdict in Verdict::WORST_FIRST {
            assert_eq!(Verdict::parse(verdict.key()), Some(verdict));
        }
    }
}
