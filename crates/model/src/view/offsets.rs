//! What setting a group's offsets would do. Nothing has happened.

use serde::{Deserialize, Serialize};

use crate::names::{GroupId, Partition, TopicName};
use crate::offsets::OffsetMoves;
use crate::rate::Rate;
use crate::time::Timestamp;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct OffsetsPreview {
    pub group: GroupId,
    /// As it was asked for.
    pub to: String,
    pub way: OffsetsWay,
    /// Why it cannot be done now, and what to do.
    pub refused: Option<String>,
    /// To be sent with the operation, as it is. Null where no offset is changed.
    pub moves: Option<OffsetMoves>,
    /// Every partition that is asked for, also those that are left as they are; the first thousand.
    pub partitions: Vec<OffsetPlan>,
    /// So many more are not shown.
    pub more: u32,
    /// Partitions whose offset is changed.
    pub changed: u32,
    /// By their offsets: compaction and transactions make it fewer records.
    pub replayed: u64,
    /// The same. Where it is not 0, the operation asks for this number.
    pub skipped: u64,
    /// Partitions from which records that it would read were deleted already.
    pub deleted: u32,
    /// A commit is deleted, or the group is protected: the operation asks for the group's name.
    pub confirm: bool,
    pub catch_up: Option<CatchUp>,
    /// The same by Kafka's own tool.
    pub command: String,
    /// What one may not expect.
    pub notes: Vec<String>,
}

/// How it is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub enum OffsetsWay {
    /// The group has no members: Flowdeck sets its commits.
    Empty,
    /// Its agents do it, each for its own partitions, and go on.
    Agents,
    /// Its KafkaFlow consumers are stopped, its commits are set, and they are started.
    StopAndStart,
    /// Its members take no command.
    None,
}

/// One partition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct OffsetPlan {
    pub topic: TopicName,
    pub partition: Partition,
    /// Committed now. Null where nothing is.
    pub from: Option<i64>,
    /// Null where the commit is deleted, or where there is none and there will be none.
    pub to: Option<i64>,
    /// The log's first offset, and one past its last. Null where Kafka did not tell.
    pub start: Option<i64>,
    pub end: Option<i64>,
    /// Offsets that are read again.
    pub replayed: u64,
    /// Offsets that are not read any more.
    pub skipped: u64,
    /// The first record that is replayed or skipped, and the last; of some partitions.
    pub first: Option<RecordAt>,
    pub last: Option<RecordAt>,
    /// Why it goes elsewhere than was asked for, or is left as it is.
    pub note: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct RecordAt {
    pub offset: i64,
    /// As the record says. Null where it has no time.
    pub time: Option<Timestamp>,
}

/// How long the group needs for what then lies before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct CatchUp {
    pub lag: u64,
    /// The most that it committed in any step of the last 24 hours.
    pub out_per_second: Rate,
    /// What came in, in the same hours.
    pub in_per_second: Rate,
    /// Null where as much comes in as it can read.
    pub seconds: Option<u64>,
}
