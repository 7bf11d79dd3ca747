//! Bulk operations: one operation over many groups, each of which is a command of its own.

pub mod form;
mod progress;

use std::collections::HashSet;

use serde::{Deserialize, Serialize};

use crate::action::{Action, ActionKind};
use crate::command::{REASON_MAX, Submit, Target, reason_fits, reason_is_given};
use crate::error::PortError;
use crate::hold::HoldBy;
use crate::ids::CommandId;
use crate::names::GroupId;
use crate::offsets::{OffsetMoves, OffsetScope, OffsetTo, SetOffsets};
use crate::pause_end::PauseEnd;
pub use progress::{BulkCounts, BulkGroupState, BulkOutcome, BulkState};

/// The most groups of one bulk operation.
pub const GROUPS_MAX: usize = 500;
pub const STOP_AFTER_DEFAULT: u32 = 3;
/// Of the reason, in characters: each command's reason also names the bulk operation.
pub const BULK_REASON_MAX: usize = REASON_MAX - 60;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub enum BulkAction {
    Pause,
    Resume,
    SetOffsets,
}

impl BulkAction {
    pub const ALL: [Self; 3] = [Self::Pause, Self::Resume, Self::SetOffsets];

    pub fn kind(self) -> ActionKind {
        match self {
            Self::Pause => ActionKind::Pause,
            Self::Resume => ActionKind::Resume,
            Self::SetOffsets => ActionKind::SetOffsets,
        }
    }

    pub fn action(self) -> Action {
        match self {
            Self::Pause => Action::Pause,
            Self::Resume => Action::Resume,
            Self::SetOffsets => Action::SetOffsets,
        }
    }

    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.kind().word() == word)
    }

    /// "Pause 3 groups", "Set offsets of 1 group".
    pub fn title(self, groups: usize) -> String {
        let of = if self == Self::SetOffsets { " of " } else { " " };
        let word = if groups == 1 { " group" } else { " groups" };
        [self.kind().label(), of, &groups.to_string(), word].concat()
    }
}

/// What is to be done with one group, as its preview gave it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct BulkTarget {
    pub group: GroupId,
    /// The newest operation on the group when the preview was made. Where there is another one by then, the bulk operation
    /// is refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seen: Option<CommandId>,
    /// A pause ends by itself after so many seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub for_seconds: Option<u32>,
    /// How a pause is kept with KafkaFlow consumers, where what was resumed is paused again as it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<HoldBy>,
    /// With `setOffsets`: the target as it was previewed, and the moves that the preview gave.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub offsets: Option<OffsetMoves>,
}

impl BulkTarget {
    /// Of a group, with nothing of what a preview gives.
    pub fn new(group: GroupId) -> Self {
        Self { group, seen: None, for_seconds: None, by: None, to: None, offsets: None }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct BulkRequest {
    pub action: BulkAction,
    /// These groups and no others, in this order.
    pub groups: Vec<BulkTarget>,
    /// No other group is begun once so many failed.
    pub stop_after: u32,
    /// The bulk operation that this one takes back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub undoes: Option<CommandId>,
    /// Where records are skipped: how many in all, as the preview says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub skips: Option<u64>,
    pub reason: String,
}

/// A request under the id that its caller gave it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubmitBulk {
    pub id: CommandId,
    pub request: BulkRequest,
}

/// What a preview is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BulkQuery {
    Pause { groups: Vec<GroupId>, for_seconds: Option<u32> },
    Resume { groups: Vec<GroupId> },
    SetOffsets { groups: Vec<GroupId>, to: OffsetTo, scope: OffsetScope },
    Undo(CommandId),
}

impl BulkRequest {
    /// The rules that need nothing but the request; names the field that breaks one.
    pub fn check(&self) -> Result<(), PortError> {
        reason_is_given(&self.reason)?;
        reason_fits(&self.reason, BULK_REASON_MAX)?;
        check_groups(self.groups.iter().map(|one| &one.group))?;
        if !(1..=GROUPS_MAX as u32).contains(&self.stop_after) {
            return Err(PortError::invalid("stopAfter", format!("from 1 to {GROUPS_MAX} failures")));
        }
        // Offsets that stop consumers are set on the group's own page.
        if self.action != BulkAction::Pause && self.groups.iter().any(|one| one.by.is_some()) {
            return Err(PortError::invalid("by", "only with a pause"));
        }
        let skipped = self.skipped();
        if skipped > 0 && self.skips != Some(skipped) {
            let problem = format!("{skipped} records are skipped in all: give that number");
            return Err(PortError::invalid("skips", problem));
        }
        // Any id: none of the rules looks at it.
        let id = CommandId::from_uuid(uuid::Uuid::nil());
        self.groups.iter().try_for_each(|target| {
            let of_group = |error| match error {
                PortError::Invalid { field, problem } => {
                    PortError::invalid(field, format!("group {}: {problem}", target.group.shown()))
                }
                other => other,
            };
            self.submit(id, id, target).check().map_err(of_group)
        })
    }

    pub fn skipped(&self) -> u64 {
        self.groups
            .iter()
            .filter_map(|one| one.offsets.as_ref())
            .map(OffsetMoves::skipped)
            .fold(0, u64::saturating_add)
    }

    /// The command for one group: the same each time, so that a leader can ask for it that knows not whether the one
    /// before did.
    pub fn submit(&self, bulk: CommandId, id: CommandId, target: &BulkTarget) -> Submit {
        let offsets = target.offsets.as_ref().map(|moves| {
            let skipped = moves.skipped();
            Box::new(SetOffsets {
                to: target.to.clone().unwrap_or_default(),
                moves: moves.clone(),
                skips: (skipped > 0).then_some(skipped),
                confirm: None,
            })
        });
        Submit {
            id,
            action: self.action.action(),
            target: Target::group(target.group.clone()),
            reason: format!("{} (bulk operation {bulk})", self.reason),
            ends: target.for_seconds.map(PauseEnd::After),
            offsets,
            by: target.by,
        }
    }

    pub fn title(&self) -> String {
        let title = self.action.title(self.groups.len());
        match self.undoes {
            Some(id) => [&title, ", taking back ", &id.to_string()].concat(),
            None => title,
        }
    }
}

impl BulkQuery {
    pub fn check(&self) -> Result<(), PortError> {
        match self {
            Self::Pause { groups, .. } | Self::Resume { groups } | Self::SetOffsets { groups, .. } => {
                check_groups(groups.iter())
            }
            Self::Undo(_) => Ok(()),
        }
    }
}

fn check_groups<'a>(groups: impl ExactSizeIterator<Item = &'a GroupId>) -> Result<(), PortError> {
    if groups.len() == 0 {
        return Err(PortError::invalid("groups", "select at least one group"));
    }
    if groups.len() > GROUPS_MAX {
        return Err(PortError::invalid("groups", format!("at most {GROUPS_MAX} groups")));
    }
    let mut known = HashSet::new();
    for group in groups {
        if !known.insert(group) {
            return Err(PortError::invalid("groups", format!("group {} is there twice", group.shown())));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(group: &str) -> BulkTarget {
        BulkTarget::new(group.into())
    }

    fn request(groups: Vec<BulkTarget>) -> BulkRequest {
        BulkRequest {
            action: BulkAction::Pause,
            groups,
            stop_after: 3,
            undoes: None,
            skips: None,
            reason: "INC-1".to_owned(),
        }
    }

    #[test]
    fn request_is_checked_field_by_field() {
        assert_eq!(request(vec![target("a"), target("b")]).check(), Ok(()));
        let one = || request(vec![target("a")]);
        let moved = |moves: &str| BulkTarget {
            to: Some("latest".to_owned()),
            offsets: Some(moves.parse().unwrap()),
            ..target("a")
        };
        let by = |by| BulkTarget { by: Some(by), ..target("a") };
        let offsets = |moves| BulkRequest { action: BulkAction::SetOffsets, ..request(vec![moved(moves)]) };
        for (request, field) in [
            (request(vec![]), "groups"),
            (request(vec![target("a"), target("a")]), "groups"),
            (request((0..=GROUPS_MAX).map(|n| target(&n.to_string())).collect()), "groups"),
            (BulkRequest { reason: " ".to_owned(), ..one() }, "reason"),
            (BulkRequest { reason: "x".repeat(BULK_REASON_MAX + 1), ..one() }, "reason"),
            (BulkRequest { stop_after: 0, ..one() }, "stopAfter"),
            (request(vec![BulkTarget { for_seconds: Some(0), ..target("a") }]), "forSeconds"),
            (BulkRequest { action: BulkAction::SetOffsets, ..one() }, "offsets"),
            (request(vec![moved("t 0*1*2")]), "skips"),
            (BulkRequest { action: BulkAction::Resume, ..request(vec![by(HoldBy::Pause)]) }, "by"),
            (BulkRequest { action: BulkAction::SetOffsets, ..request(vec![by(HoldBy::Stop)]) }, "by"),
            (offsets("t 0*1*2"), "skips"),
            (offsets("t 0*1*-"), "confirm"),
        ] {
            let refused = request.check();
            assert!(
                matches!(&refused, Err(PortError::Invalid { field: found, .. }) if found == field),
                "{field}: {refused:?}"
            );
        }
        assert_eq!(BulkRequest { skips: Some(1), ..offsets("t 0*1*2") }.check(), Ok(()));
    }

    #[test]
    fn command_of_a_group_names_the_bulk_operation() {
        let id = |n| CommandId::from_uuid(uuid::Uuid::from_u128(n));
        let request =
            request(vec![BulkTarget { for_seconds: Some(60), by: Some(HoldBy::Pause), ..target("a") }]);
        let submit = request.submit(id(1), id(2), &request.groups[0]);
        assert_eq!((submit.id, submit.ends), (id(2), Some(PauseEnd::After(60))));
        assert_eq!(submit.by, Some(HoldBy::Pause));
        assert_eq!(submit.reason, format!("INC-1 (bulk operation {})", id(1)));
        assert_eq!(submit.check(), Ok(()));
        let longest = BulkRequest { reason: "x".repeat(BULK_REASON_MAX), ..request };
        assert_eq!(longest.submit(id(1), id(2), &longest.groups[0]).check(), Ok(()));
    }

    #[test]
    fn request_is_json() {
        let json = r#"{"action":"setOffsets","groups":[{"group":"a","seen":"6fa459ea-ee8a-4ca4-894e-db77e160355e","to":"earliest","offsets":"t 0*7*0"},{"group":"b"}],"stopAfter":3,"reason":"r"}"#;
        let parsed: BulkRequest = serde_json::from_str(json).unwrap();
        assert_eq!(serde_json::to_string(&parsed).unwrap(), json);
        assert_eq!(parsed.title(), "Set offsets of 2 groups");
    }
}
