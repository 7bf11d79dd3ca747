//! The audit: who asked for what, and what came of it.

use serde::{Deserialize, Serialize};

use super::ClusterView;
use crate::actor::ActorView;
use crate::command::CommandState;
use crate::ids::CommandId;
use crate::names::GroupId;
use crate::time::Timestamp;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct AuditView {
    pub now: Timestamp,
    pub cluster_info: ClusterView,
    /// Each operation once, by its last record; newest first. Of groups that the reader may view, and log-ins and looks at
    /// records where the reader has every permission on every group.
    pub entries: Vec<AuditEntry>,
    /// `before` of the page that follows; null at the beginning of the audit.
    pub older: Option<i64>,
    /// Records that were looked at for it.
    pub scanned: u64,
    /// Why there may be less than there is.
    pub notes: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(tag = "type", rename_all = "camelCase")]
pub enum AuditEntry {
    Operation(AuditOperation),
    LogIn(AuditLogIn),
    Redrive(AuditRun),
    /// The commands of its groups are operations of their own.
    Bulk(AuditRun),
    Produced(AuditRun),
    /// At records, by who has every permission on every group.
    Look(AuditLook),
    /// Once, by its last record.
    Retention(AuditRun),
}

impl AuditEntry {
    /// Of its last record.
    pub fn offset(&self) -> i64 {
        match self {
            Self::Operation(operation) => operation.offset,
            Self::LogIn(log_in) => log_in.offset,
            Self::Look(look) => look.offset,
            Self::Redrive(run) | Self::Bulk(run) | Self::Produced(run) | Self::Retention(run) => run.offset,
        }
    }
}

/// One record of a re-drive, a bulk operation, a produced record or a raised retention: its request, an order, or its end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct AuditRun {
    pub offset: i64,
    pub at: Timestamp,
    pub id: CommandId,
    /// What was asked for or came of it, in words.
    pub title: String,
    pub actor: ActorView,
    /// Of its request.
    pub reason: String,
    /// `requested`, an order, or the state in which it ended.
    pub event: String,
    pub notes: Vec<String>,
}

/// An operation as its last record tells it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct AuditOperation {
    pub offset: i64,
    /// When that record was made.
    pub at: Timestamp,
    pub id: CommandId,
    /// As the request names it; it may be of a kind that this version does not know.
    pub action: String,
    /// What was asked for, in words.
    pub title: String,
    /// Null where it is about no group.
    pub group: Option<GroupId>,
    pub actor: ActorView,
    pub reason: String,
    pub state: CommandState,
    pub requested_at: Timestamp,
    /// When a pause was to end.
    pub until: Option<Timestamp>,
    pub notes: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct AuditLogIn {
    pub offset: i64,
    pub at: Timestamp,
    /// Of one that was refused, the name is what was claimed.
    pub actor: ActorView,
    pub outcome: LogInOutcome,
    /// Why it was refused.
    pub detail: Option<String>,
}

/// Somebody read or searched records. Neither what they hold nor what was looked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct AuditLook {
    pub offset: i64,
    /// When it began.
    pub at: Timestamp,
    pub actor: ActorView,
    pub look: LookKind,
    /// Null where it is of several topics.
    pub topic: Option<String>,
    pub partition: Option<i32>,
    /// `latest`, `offset:7`, `time:…` and the like.
    pub from: String,
    /// Of a search.
    pub until: Option<Timestamp>,
    /// Which kinds of conditions a search had.
    pub filter: Vec<LookFilter>,
    pub unmasked: bool,
    /// That were shown; null where it did not come to its end, and of a topic that is followed.
    pub records: Option<u64>,
    /// That were looked at for it.
    pub scanned: Option<u64>,
    /// Looks before this one that are in the log alone.
    pub missed: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub enum LookKind {
    Read,
    Search,
    /// Of what comes from now on.
    Tail,
    DeadLetters,
    /// Which topics hold dead letters, by the newest record of each.
    DeadLetterTopics,
    /// Of a later version.
    #[serde(other)]
    Other,
}

impl LookKind {
    pub fn label(self) -> &'static str {
        match self {
            Self::Read => "Records read",
            Self::Search => "Records searched",
            Self::Tail => "Records followed",
            Self::DeadLetters => "Dead letters read",
            Self::DeadLetterTopics => "Topics searched for dead letters",
            Self::Other => "Records looked at",
        }
    }

    /// In the log.
    pub fn event(self) -> &'static str {
        match self {
            Self::Read | Self::Other => "readRecords",
            Self::Search => "searchRecords",
            Self::Tail => "tailRecords",
            Self::DeadLetters => "readDeadLetters",
            Self::DeadLetterTopics => "lookForDeadLetters",
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub enum LookFilter {
    Text,
    Key,
    Header,
    Path,
    Cel,
    /// Of a later version.
    #[serde(other)]
    Other,
}

impl LookFilter {
    pub fn label(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Key => "key",
            Self::Header => "header",
            Self::Path => "JSON path",
            Self::Cel => "CEL",
            Self::Other => "another condition",
        }
    }
}

impl AuditLook {
    /// What of the topic, and by which conditions, in words.
    pub fn range(&self) -> String {
        let mut words = vec![format!("from {}", self.from)];
        words.extend(self.partition.map(|partition| format!("partition {partition}")));
        words.extend(self.until.map(|until| format!("before {until}")));
        if !self.filter.is_empty() {
            let kinds: Vec<&str> = self.filter.iter().map(|filter| filter.label()).collect();
            words.push(format!("by {}", kinds.join(", ")));
        }
        if self.unmasked {
            words.push("unmasked".to_owned());
        }
        words.join(", ")
    }

    /// What it came to, in words.
    pub fn outcome(&self) -> String {
        let shown = |records: u64| match records {
            1 => "1 record shown".to_owned(),
            records => format!("{records} records shown"),
        };
        let missed = match self.missed {
            0 => None,
            1 => Some("1 look before it is in the log alone".to_owned()),
            missed => Some(format!("{missed} looks before it are in the log alone")),
        };
        let scanned = self.scanned.map(|scanned| format!("{scanned} looked at"));
        [self.records.map(shown), scanned, missed].into_iter().flatten().collect::<Vec<_>>().join(", ")
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub enum LogInOutcome {
    Accepted,
    Refused,
    SignedOut,
    /// All sessions of the user.
    SignedOutEverywhere,
}

impl LogInOutcome {
    pub fn label(self) -> &'static str {
        match self {
            Self::Accepted => "signed in",
            Self::Refused => "log-in refused",
            Self::SignedOut => "signed out",
            Self::SignedOutEverywhere => "signed out everywhere",
        }
    }
}
