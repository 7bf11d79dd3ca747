//! The fields of a request that sets commits, as a form or JSON gives them.

use super::{OffsetMoves, SetOffsets};
use crate::action::ActionKind;
use crate::command::Target;
use crate::error::PortError;

#[derive(Debug, Clone, Copy, Default)]
pub struct GivenOffsets<'a> {
    pub to: Option<&'a str>,
    pub moves: Option<&'a str>,
    pub skips: Option<u64>,
    pub confirm: Option<&'a str>,
}

impl GivenOffsets<'_> {
    /// `None`: of another kind, with none of these fields but `to`, which that may have too.
    pub fn parse(self, action: ActionKind, target: &Target) -> Result<Option<Box<SetOffsets>>, PortError> {
        if !action.sets_commits() {
            return match self {
                Self { moves: None, skips: None, confirm: None, .. } => Ok(None),
                _ => Err(PortError::invalid("offsets", "only with setOffsets and deleteGroup")),
            };
        }
        if !target.topics.is_empty() {
            return Err(PortError::invalid("target.topics", "none: the offsets name their topics"));
        }
        let moves =
            self.moves.ok_or_else(|| PortError::invalid("offsets", "moves of the preview are missing"))?;
        let moves: OffsetMoves = moves
            .parse()
            .map_err(|error: super::MovesError| PortError::invalid("offsets", error.to_string()))?;
        let to = match (self.to, action) {
            (Some(to), _) => to.to_owned(),
            (None, ActionKind::DeleteGroup) => "none".to_owned(),
            (None, _) => {
                return Err(PortError::invalid("to", "it is missing: the target as it was previewed"));
            }
        };
        let confirm = self.confirm.map(str::to_owned);
        Ok(Some(Box::new(SetOffsets { to, moves, skips: self.skips, confirm })))
    }
}
