//! All that the rules look at, as plain values.

use std::time::Duration;

use super::{GroupType, LagSum};
use crate::lag::TimeLag;
use crate::names::{Partition, TopicName};
use crate::rate::Rate;
use crate::time::Timestamp;
use crate::trend::Trend;

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

/// KafkaFlow instances that are locked up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LockedUp {
    /// The first of them.
    pub since: Timestamp,
    /// Who, and what frees them.
    pub words: String,
}

/// It had members while Flowdeck watched, and has none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stopped {
    pub since: Timestamp,
    /// Records that came since.
    pub came: u64,
}

/// What a read at the committed offset found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Proof {
    /// There is a record, with its own timestamp where it has one.
    Record(Option<Timestamp>),
    /// Up to the end there is none: markers of transactions, or what compaction left.
    NoRecord,
    /// It was not read, or could not be.
    NotVerified,
}

/// Partitions of which records wait and no commit moves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stall {
    /// The one that waits the longest.
    pub topic: TopicName,
    pub partition: Partition,
    pub committed: i64,
    pub owner: Option<String>,
    pub since: Timestamp,
    pub proof: Proof,
    /// With that one.
    pub partitions: u32,
}

/// A commit that went back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rewind {
    pub topic: TopicName,
    pub partition: Partition,
    pub from: i64,
    pub to: i64,
    pub at: Timestamp,
    /// How many partitions went back at that time.
    pub partitions: u32,
}

/// The partition with the largest lag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hot {
    pub topic: TopicName,
    pub partition: Partition,
    pub time_lag: Option<TimeLag>,
    pub lag: u64,
    /// Of the group's lag, in percent.
    pub of_lag: u8,
    /// Of the records that came lately, in percent.
    pub of_records: u8,
    /// Of the group, all of them.
    pub partitions: u32,
}

/// The instance whose partitions have most of the lag, of a group with several.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Slow {
    pub instance: String,
    pub time_lag: Option<TimeLag>,
    pub lag: u64,
    /// Of the group's lag, in percent.
    pub of_lag: u8,
    /// Of the records that came lately, in percent.
    pub of_records: u8,
    /// That own partitions.
    pub instances: u32,
}

/// Members without a partition, where there are fewer partitions than members.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Surplus {
    pub idle: u32,
    pub members: u32,
    /// That members own.
    pub partitions: u32,
}

/// What the last refreshes tell of one group.
#[derive(Debug, Clone)]
pub struct Evidence {
    pub now: Timestamp,
    pub kind: GroupType,
    /// `None`: not described yet, or not permitted.
    pub members: Option<u32>,
    /// Of all partitions.
    pub sum: LagSum,
    /// Of the partitions that no hold covers; that is all where nothing is held.
    pub free: LagSum,
    /// Of the same partitions.
    pub time_lag: Option<TimeLag>,
    pub partitions: u32,
    pub trend: Trend,
    /// In and out, records a second over the last minute.
    pub rates: Option<(Rate, Rate)>,
    /// Owners of the holds that cover something of it.
    pub paused_by: Vec<String>,
    /// When the oldest of them began.
    pub paused_since: Option<Timestamp>,
    /// No partition is without a hold.
    pub wholly_held: bool,
    /// One of these holds keeps KafkaFlow consumers stopped.
    pub stopped_by_hold: bool,
    /// Telemetry lists paused partitions that no hold covers.
    pub paused_by_application: bool,
    /// Instances that run what a hold covers.
    pub not_obeyed: Option<NotObeyed>,
    pub rebalance: Option<Rebalance>,
    pub locked_up: Option<LockedUp>,
    pub stopped: Option<Stopped>,
    pub stall: Option<Stall>,
    /// The last one that is not regained.
    pub rewind: Option<Rewind>,
    pub hot: Option<Hot>,
    pub slow: Option<Slow>,
    pub surplus: Option<Surplus>,
    /// Rebalances that were seen to begin within the time that the rules look at.
    pub rebalances: u32,
    /// Commits moved though Kafka listed no member.
    pub by_hand: bool,
    /// Topics that it read and that are gone, in words.
    pub deleted_topics: Vec<String>,
    /// The group's last refresh failed or is too old to speak of now; said in words.
    pub stale: Option<String>,
}

impl Evidence {
    /// Nothing is known of it but its kind.
    pub fn new(kind: GroupType, now: Timestamp) -> Self {
        Self {
            now,
            kind,
            members: None,
            sum: LagSum::default(),
            free: LagSum::default(),
            time_lag: None,
            partitions: 0,
            trend: Trend::Steady,
            rates: None,
            paused_by: vec![],
            paused_since: None,
            wholly_held: false,
            paused_by_application: false,
            not_obeyed: None,
            rebalance: None,
            locked_up: None,
            stopped_by_hold: false,
            stopped: None,
            stall: None,
            rewind: None,
            hot: None,
            slow: None,
            surplus: None,
            rebalances: 0,
            by_hand: false,
            deleted_topics: vec![],
            stale: None,
        }
    }
}
