//! Setting a group's committed offsets: where to, of which partitions, and the moves that a request consists of.

mod given;
mod moves;
mod scope;
mod target;

pub use given::GivenOffsets;
pub use moves::{MovesError, OffsetMove, OffsetMoves};
pub use scope::{OffsetScope, TopicScope};
pub use target::{FileRow, OffsetTo, file_rows};

use crate::ids::CommandId;
use crate::names::GroupId;

/// So many partitions in one operation; beyond these, some topics have to be named.
pub const PARTITIONS_MAX: usize = 2_000;

/// What a preview is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OffsetsQuery {
    pub group: GroupId,
    pub to: OffsetTo,
    pub scope: OffsetScope,
}

/// What an operation on offsets was asked for: exactly what its preview showed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SetOffsets {
    /// By which target the moves were found.
    pub to: String,
    pub moves: OffsetMoves,
    /// The number of skipped records, as the operator gave it.
    pub skips: Option<u64>,
    /// The group's name, as the operator typed it.
    pub confirm: Option<String>,
}

/// The longest text of a target: the name of a group to copy from.
pub const TO_MAX: usize = 300;

/// The operation that a target takes back.
pub fn undone(to: &OffsetTo) -> Option<CommandId> {
    match to {
        OffsetTo::Undo(id) => Some(*id),
        _ => None,
    }
}
