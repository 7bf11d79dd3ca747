//! What Flowdeck says of a group, by rules alone: `judge` is pure, its inputs are what the last
//! refresh read.

use std::time::Duration;

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

/// What is to be said of a group first, in one word; the worst comes last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub enum Verdict {
    Ok,
    /// No active members, and caught up.
    Inactive,
    Unknown,
    Paused,
    Behind,
    /// An instance reports that it runs what a hold covers; no commit proves it.
    PauseUnconfirmed,
    /// A rebalance that lasts longer than it should.
    Rebalancing,
    /// No active members, and a lag, or one that is not known.
    NoMembers,
    /// Records of what a hold covers are handled: a commit proves it.
    PauseNotObeyed,
    /// Records were deleted before the group read them.
    DataLost,
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
    /// Worst first: the order of chips and of the default sort.
    pub const WORST_FIRST: [Self; 10] = [
        Self::DataLost,
        Self::PauseNotObeyed,
        Self::NoMembers,
        Self::Rebalancing,
        Self::PauseUnconfirmed,
        Self::Behind,
        Self::Paused,
        Self::Unknown,
        Self::Inactive,
        Self::Ok,
    ];

    pub fn label(self) -> &'static str {
        match self {
            Self::Ok => "OK",
            Self::Inactive => "Inactive",
            Self::Unknown => "Unknown",
            Self::Paused => "Paused",
            Self::Behind => "Behind",
            Self::PauseUnconfirmed => "Pause unconfirmed",
            Self::Rebalancing => "Rebalancing",
            Self::NoMembers => "No active members",
            Self::PauseNotObeyed => "Pause not obeyed",
            Self::DataLost => "Data lost",
        }
    }

    /// The value in URLs and JSON.
    pub fn key(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Inactive => "inactive",
            Self::Unknown => "unknown",
            Self::Paused => "paused",
            Self::Behind => "behind",
            Self::PauseUnconfirmed => "pauseUnconfirmed",
            Self::Rebalancing => "rebalancing",
            Self::NoMembers => "noMembers",
            Self::PauseNotObeyed => "pauseNotObeyed",
            Self::DataLost => "dataLost",
        }
    }

    /// Seldom given: not worth a place on a page where no group has it.
    pub fn is_rare(self) -> bool {
        matches!(self, Self::PauseUnconfirmed | Self::Rebalancing | Self::PauseNotObeyed | Self::DataLost)
    }

    pub fn parse(key: &str) -> Option<Self> {
        Self::WORST_FIRST.into_iter().find(|verdict| verdict.key() == key)
    }

    /// The level where nothing of the group changes it.
    pub fn level(self) -> Level {
        match self {
            Self::Ok | Self::Inactive => Level::Ok,
            Self::Unknown | Self::Paused => Level::Info,
            Self::Behind | Self::PauseUnconfirmed | Self::Rebalancing => Level::Warning,
            Self::NoMembers | Self::PauseNotObeyed | Self::DataLost => Level::Critical,
        }
    }

    /// The order of the default sort: higher is more severe.
    pub fn severity(self, level: Level) -> u8 {
        level as u8 * 16 + self as u8
    }
}

/// Sums of a group's partitions.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LagSum {
    /// Sum over the partitions whose lag is known; `None` where not one is.
    pub lag: Option<u64>,
    /// `lag`, and what is left of logs whose start is beyond the committed offset.
    pub at_least: Option<u64>,
    /// Records that were deleted before the group read them.
    pub deleted_unread: u64,
    /// Partitions whose lag is not known. An empty partition without commits is none of them.
    pub unknown: u32,
    /// Of these, those of each reason, in the order of `Unknown::ALL`.
    pub reasons: [u32; Unknown::ALL.len()],
}

impl LagSum {
    /// Every lag is known, and it is 0.
    pub fn is_caught_up(&self) -> bool {
        self.lag == Some(0) && self.unknown == 0
    }

    fn has(&self, why: Unknown) -> bool {
        self.reasons[why.place()] > 0
    }

    /// "1 partition: never committed; 2 partitions: the last reading is too old"
    fn reasons(&self) -> Option<String> {
        let each = Unknown::ALL.into_iter().zip(self.reasons).rev().filter(|(_, n)| *n > 0);
        let words = each.map(|(why, n)| format!("{}: {}", counted(n.into(), "partition"), why.label()));
        let words: Vec<String> = words.collect();
        (!words.is_empty()).then(|| words.join("; "))
    }
}

fn counted(n: u64, one: &str) -> String {
    format!("{} {one}{}", crate::shown::exact(n), if n == 1 { "" } else { "s" })
}

pub fn sum<'a>(readings: impl IntoIterator<Item = &'a PartitionReading>) -> LagSum {
    let mut total = LagSum::default();
    let add = |sum: &mut Option<u64>, more: u64| *sum = Some(sum.unwrap_or(0).saturating_add(more));
    for reading in readings {
        match reading.lag() {
            Lag::Known(lag) => add(&mut total.lag, lag),
            Lag::Unknown(_) if reading.is_empty_and_untouched() => {
                add(&mut total.lag, 0);
                add(&mut total.at_least, 0);
            }
            Lag::Unknown(why) => {
                total.unknown += 1;
                total.reasons[why.place()] += 1;
                total.deleted_unread = total.deleted_unread.saturating_add(reading.deleted_unread());
            }
        }
        if let Some(more) = reading.at_least() {
            add(&mut total.at_least, more);
        }
    }
    total
}

/// A rebalance that lasts, and what is known of who holds it up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rebalance {
    /// At least so long.
    pub lasted: Duration,
    pub who: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotObeyed {
    /// A commit proves that records are handled; else telemetry alone says so.
    pub proven: bool,
    pub words: String,
}

/// All that the rules look at.
#[derive(Debug, Clone)]
pub struct Evidence {
    pub kind: GroupType,
    /// `None`: not described yet, or not permitted.
    pub members: Option<u32>,
    pub sum: LagSum,
    /// The lag falls, so that the group catches up soon: see `trend`.
    pub draining: bool,
    /// Who paused, where something in the group is paused: owners of holds, or the application.
    pub paused_by: Vec<String>,
    /// Instances that run what a hold covers.
    pub not_obeyed: Option<NotObeyed>,
    pub rebalance: Option<Rebalance>,
    /// Topics that it read and that are gone, in words.
    pub deleted_topics: Vec<String>,
    /// The group's last refresh failed or is too old to speak of now; said in words.
    pub stale: Option<String>,
}

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

/// What may be set of the rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rules {
    /// The lag up to which a group is ok.
    pub allowed_lag: u64,
    pub rebalancing: RebalanceLimits,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judgement {
    pub verdict: Verdict,
    pub level: Level,
    /// Where the verdict alone does not say it.
    pub why: Option<String>,
}

impl Judgement {
    fn new(verdict: Verdict, why: Option<String>) -> Self {
        Self { verdict, level: verdict.level(), why }
    }
}

/// The rules, in order; the first that matches decides.
pub fn judge(evidence: &Evidence, rules: &Rules) -> Judgement {
    let sum = &evidence.sum;
    let no_members = evidence.members == Some(0);
    if let Some(stale) = &evidence.stale {
        return Judgement::new(Verdict::Unknown, Some(stale.clone()));
    }
    if evidence.kind == GroupType::Other {
        let why = "other, not a consumer group: it has no lag".to_owned();
        return Judgement::new(Verdict::Unknown, Some(why));
    }
    if evidence.kind == GroupType::Flowdeck {
        return Judgement::new(Verdict::Ok, None);
    }
    let not_obeyed = |proven| evidence.not_obeyed.as_ref().filter(|one| one.proven == proven);
    if let Some(NotObeyed { words, .. }) = not_obeyed(true) {
        return Judgement::new(Verdict::PauseNotObeyed, Some(words.clone()));
    }
    if sum.deleted_unread > 0 {
        let were = if sum.deleted_unread == 1 { "was" } else { "were" };
        let why = format!("{} {were} deleted", counted(sum.deleted_unread, "unread record"));
        return Judgement::new(Verdict::DataLost, Some(why));
    }
    if let Some(rebalance) = rebalancing(evidence, rules) {
        return rebalance;
    }
    if let Some(NotObeyed { words, .. }) = not_obeyed(false) {
        return Judgement::new(Verdict::PauseUnconfirmed, Some(words.clone()));
    }
    if !evidence.paused_by.is_empty() {
        return Judgement::new(Verdict::Paused, Some(format!("by {}", names(&evidence.paused_by))));
    }
    if no_members && sum.is_caught_up() {
        return Judgement::new(Verdict::Inactive, None);
    }
    if no_members {
        return Judgement::new(Verdict::NoMembers, sum.reasons());
    }
    if sum.at_least.is_some_and(|lag| lag > rules.allowed_lag) && !evidence.draining {
        return Judgement::new(Verdict::Behind, None);
    }
    unknown(evidence).unwrap_or_else(|| {
        let falls = sum.lag.is_some_and(|lag| lag > rules.allowed_lag);
        Judgement::new(Verdict::Ok, falls.then(|| "its lag is decreasing".to_owned()))
    })
}

fn rebalancing(evidence: &Evidence, rules: &Rules) -> Option<Judgement> {
    let rebalance = evidence.rebalance.as_ref()?;
    let limits = rules.rebalancing;
    if rebalance.lasted < limits.warning.min(limits.critical) {
        return None;
    }
    let critical = rebalance.lasted >= limits.critical;
    let why = format!("for at least {} s: {}", rebalance.lasted.as_secs(), rebalance.who);
    let level = if critical { Level::Critical } else { Level::Warning };
    Some(Judgement { verdict: Verdict::Rebalancing, level, why: Some(why) })
}

/// Where a lag is not known.
fn unknown(evidence: &Evidence) -> Option<Judgement> {
    let sum = &evidence.sum;
    if let Some(reasons) = sum.reasons() {
        let loud = [Unknown::AheadOfLog, Unknown::Recreated, Unknown::TopicDeleted];
        let level = if loud.into_iter().any(|why| sum.has(why)) { Level::Warning } else { Level::Info };
        return Some(Judgement { verdict: Verdict::Unknown, level, why: Some(reasons) });
    }
    if sum.lag.is_some() {
        return None;
    }
    if evidence.deleted_topics.is_empty() {
        let why = "Kafka has no committed offset and no assigned partition of it".to_owned();
        return Some(Judgement::new(Verdict::Unknown, Some(why)));
    }
    let topics = if evidence.deleted_topics.len() == 1 { "topic" } else { "topics" };
    let was = if evidence.deleted_topics.len() == 1 { "was" } else { "were" };
    let why = format!("{topics} {} {was} deleted", names(&evidence.deleted_topics));
    Some(Judgement { verdict: Verdict::Unknown, level: Level::Warning, why: Some(why) })
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
