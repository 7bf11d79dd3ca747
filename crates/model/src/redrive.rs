//! Re-drives: dead letters that are copied back to where they are consumed, each once.

pub mod form;

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::command::{REASON_MAX, reason_fits, reason_is_given};
use crate::error::PortError;
use crate::ids::CommandId;
use crate::names::{GroupId, TopicName};
use crate::query::DeadLettersQuery;
pub use crate::record_place::RecordPlace;

/// What is to be copied, where to, how fast and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RedriveRequest {
    /// The dead-letter topic.
    pub topic: TopicName,
    pub records: RedriveRecords,
    pub to: RedriveTarget,
    /// Records a second.
    pub rate: u32,
    /// Said by the operator: consumer groups other than the one that failed read the target, and get the records too.
    #[serde(default)]
    pub other_groups: bool,
    pub reason: String,
}

/// Which dead letters.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub enum RedriveRecords {
    /// These.
    Selected(Vec<RecordPlace>),
    /// All that match, up to an end.
    #[serde(rename_all = "camelCase")]
    Matching {
        /// Of this original topic; an empty text: those that name none. Absent: any.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        original: Option<String>,
        /// Of this error, as the groups of dead letters have it. Absent: any.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        error: Option<String>,
        /// No record at or after these offsets: what fails again and comes back is not copied anew. Where it is empty,
        /// the ends at the time of the request are taken.
        #[serde(default)]
        ends: Vec<RecordPlace>,
    },
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub enum RedriveTarget {
    /// The topic that the dead letter names: every group that reads it gets the record.
    Original,
    /// The same, with the header `Flowdeck-Redrive-Group`: Flowdeck's agents of other groups skip the record.
    OriginalFor(GroupId),
    /// Another one: the retry topic of the group that failed.
    Topic(TopicName),
}

/// The most records that one request can select.
pub const SELECTED_MAX: usize = 1_000;
pub const RATE_MAX: u32 = 50_000;
pub const RATE_DEFAULT: u32 = 100;
/// The most partitions of a dead-letter topic: their ends are in the request.
pub const PARTITIONS_MAX: usize = 500;

impl RedriveRequest {
    /// The rules that need nothing but the request; names the field that breaks one.
    pub fn check(&self) -> Result<(), PortError> {
        reason_is_given(&self.reason)?;
        self.check_but_reason()
    }

    /// Of one that is only looked at.
    pub fn check_but_reason(&self) -> Result<(), PortError> {
        let invalid = |field: &str, problem: String| Err(PortError::invalid(field, problem));
        reason_fits(&self.reason, REASON_MAX)?;
        if !(1..=RATE_MAX).contains(&self.rate) {
            return invalid("rate", format!("from 1 to {RATE_MAX} records a second"));
        }
        if matches!(&self.to, RedriveTarget::Topic(to) if *to == self.topic) {
            return invalid("to", "the dead-letter topic itself".to_owned());
        }
        if matches!(&self.to, RedriveTarget::OriginalFor(group) if group.as_str().len() > GROUP_MAX) {
            return invalid("to", format!("a group's name of at most {GROUP_MAX} bytes"));
        }
        match &self.records {
            RedriveRecords::Selected(places) if !(1..=SELECTED_MAX).contains(&places.len()) => {
                invalid("records", format!("from 1 to {SELECTED_MAX} records, or all that match"))
            }
            RedriveRecords::Matching { ends, .. } if ends.len() > PARTITIONS_MAX => {
                invalid("records", format!("at most {PARTITIONS_MAX} partitions"))
            }
            RedriveRecords::Matching { original, error, .. } => {
                let longest = original.iter().chain(error).map(String::len).max().unwrap_or(0);
                match longest <= crate::query::FIND_MAX {
                    true => Ok(()),
                    false => invalid("records", format!("at most {} bytes", crate::query::FIND_MAX)),
                }
            }
            RedriveRecords::Selected(_) => Ok(()),
        }
    }
}

/// In bytes, of the header's value.
const GROUP_MAX: usize = 1_000;

impl RedriveRecords {
    /// The condition of those that match.
    pub fn query(&self) -> DeadLettersQuery {
        match self {
            Self::Selected(_) => DeadLettersQuery::default(),
            Self::Matching { original, error, .. } => {
                DeadLettersQuery { original: original.clone(), error: error.clone() }
            }
        }
    }
}

impl fmt::Display for RedriveTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Original => f.write_str("the original topic"),
            Self::OriginalFor(group) => write!(f, "the original topic, for {}", group.shown()),
            Self::Topic(topic) => write!(f, "topic {topic}"),
        }
    }
}

/// A request under the id that its caller gave it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubmitRedrive {
    pub id: CommandId,
    pub request: RedriveRequest,
}

/// What an operator can tell a re-drive that is not over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub enum RedriveOrder {
    Run,
    Pause,
    /// For good.
    Stop,
}

impl RedriveOrder {
    pub const ALL: [Self; 3] = [Self::Run, Self::Pause, Self::Stop];

    pub fn word(self) -> &'static str {
        match self {
            Self::Run => "run",
            Self::Pause => "pause",
            Self::Stop => "stop",
        }
    }

    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.word() == word)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub enum RedriveState {
    /// In the audit; nothing is copied yet.
    Requested,
    Running,
    Paused,
    /// By an operator, before it was over.
    Stopped,
    /// Everything that was asked for was looked at: what was not copied is counted.
    #[serde(rename = "done")]
    Completed,
    /// It cannot go on, and the note says why.
    Failed,
}

impl RedriveState {
    pub fn label(self) -> &'static str {
        match self {
            Self::Requested => "requested",
            Self::Running => "running",
            Self::Paused => "paused",
            Self::Stopped => "stopped",
            Self::Completed => "done",
            Self::Failed => "failed",
        }
    }

    pub fn is_over(self) -> bool {
        matches!(self, Self::Stopped | Self::Completed | Self::Failed)
    }
}

/// Why a dead letter is not copied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub enum NotCopied {
    /// The ledger has it: an earlier re-drive copied it.
    Redriven,
    /// The record does not say where it came from, or names no topic.
    OriginalUnknown,
    /// There is no such topic on the cluster.
    TargetMissing,
    /// Who asked may not re-drive to it, or it is one of Kafka's or Flowdeck's own.
    TargetNotAllowed,
    /// Flowdeck has no right to write to it.
    TargetNotWritable,
    /// Groups other than the one that failed read the target, and that was not agreed to.
    OtherGroups,
    TooLarge,
    /// What was consumed cannot be had back from the record.
    NoOriginal,
    /// Retention or a compaction deleted it, or its transaction was aborted.
    Deleted,
}

impl NotCopied {
    pub const ALL: [Self; 9] = [
        Self::Redriven,
        Self::OriginalUnknown,
        Self::TargetMissing,
        Self::TargetNotAllowed,
        Self::TargetNotWritable,
        Self::OtherGroups,
        Self::TooLarge,
        Self::NoOriginal,
        Self::Deleted,
    ];

    pub fn label(self) -> &'static str {
        match self {
            Self::Redriven => "re-driven before",
            Self::OriginalUnknown => "original topic unknown",
            Self::TargetMissing => "target topic does not exist",
            Self::TargetNotAllowed => "target topic not allowed",
            Self::TargetNotWritable => "Flowdeck may not write to the target",
            Self::OtherGroups => "other groups read the target",
            Self::TooLarge => "larger than the target accepts",
            Self::NoOriginal => "the original cannot be had back",
            Self::Deleted => "deleted from the dead-letter topic",
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct NotCopiedCount {
    pub why: NotCopied,
    pub count: u64,
}

/// How far it came.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase", default)]
pub struct RedriveProgress {
    /// Copied by this re-drive, each with its entry in the ledger.
    pub copied: u64,
    /// Of those that were asked for.
    pub not_copied: Vec<NotCopiedCount>,
    /// How much of what was asked for was looked at.
    pub percent: u8,
}

impl RedriveProgress {
    pub fn add(&mut self, why: NotCopied, count: u64) {
        if count == 0 {
            return;
        }
        match self.not_copied.iter_mut().find(|one| one.why == why) {
            Some(one) => one.count += count,
            None => {
                self.not_copied.push(NotCopiedCount { why, count });
                self.not_copied.sort_by_key(|one| one.why);
            }
        }
    }

    pub fn left_out(&self) -> u64 {
        self.not_copied.iter().map(|one| one.count).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::names::Partition;

    fn request() -> RedriveRequest {
        RedriveRequest {
            topic: "orders.dlq".parse().unwrap(),
            records: RedriveRecords::Matching { original: None, error: None, ends: vec![] },
            to: RedriveTarget::Original,
            rate: 100,
            other_groups: false,
            reason: "INC-1".to_owned(),
        }
    }

    #[test]
    fn request_is_checked_field_by_field() {
        assert_eq!(request().check(), Ok(()));
        let place = RecordPlace { partition: Partition::new(0).unwrap(), offset: 1 };
        for (request, field) in [
            (RedriveRequest { reason: " ".to_owned(), ..request() }, "reason"),
            (RedriveRequest { rate: 0, ..request() }, "rate"),
            (RedriveRequest { rate: RATE_MAX + 1, ..request() }, "rate"),
            (RedriveRequest { to: RedriveTarget::Topic("orders.dlq".parse().unwrap()), ..request() }, "to"),
            (RedriveRequest { records: RedriveRecords::Selected(vec![]), ..request() }, "records"),
            (
                RedriveRequest { records: RedriveRecords::Selected(vec![place; 1_001]), ..request() },
                "records",
            ),
        ] {
            let refused = request.check();
            assert!(
                matches!(&refused, Err(PortError::Invalid { field: found, .. }) if found == field),
                "{refused:?}"
            );
        }
    }

    #[test]
    fn request_is_json() {
        let json = r#"{"topic":"orders.dlq","records":{"matching":{"original":"orders","ends":[{"partition":0,"offset":7}]}},"to":{"originalFor":"billing"},"rate":5,"otherGroups":true,"reason":"r"}"#;
        let parsed: RedriveRequest = serde_json::from_str(json).unwrap();
        assert_eq!(serde_json::to_string(&parsed).unwrap(), json);
    }

    #[test]
    fn reasons_are_counted_each_once() {
        let mut progress = RedriveProgress::default();
        for (why, count) in [
            (NotCopied::TooLarge, 2),
            (NotCopied::Redriven, 1),
            (NotCopied::TooLarge, 3),
            (NotCopied::Deleted, 0),
        ] {
            progress.add(why, count);
        }
        let counts: Vec<_> = progress.not_copied.iter().map(|one| (one.why, one.count)).collect();
        assert_eq!(counts, [(NotCopied::Redriven, 1), (NotCopied::TooLarge, 5)]);
        assert_eq!(progress.left_out(), 6);
    }
}
