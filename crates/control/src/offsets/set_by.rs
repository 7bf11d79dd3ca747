//! What an operation set, or may have set, so that it can be taken back. What it never moved stays where it is. Pure.

use flowdeck_model::offsets::{OffsetMove, OffsetMoves};
use flowdeck_model::view::{CommandView, InstanceKind, InstanceOutcome, OffsetChange, OffsetTarget};
use flowdeck_model::{CommandState, InstanceState, PortError, verdict};

#[derive(Debug)]
pub(crate) struct SetBy {
    pub(crate) moves: OffsetMoves,
    /// What of it may not have been set.
    pub(crate) notes: Vec<String>,
}

pub(crate) fn set_by(operation: &CommandView) -> Result<SetBy, PortError> {
    let changes = may_be_set(operation.state, &operation.offsets).collect();
    let moves = OffsetMoves::new(changes).map_err(|_| PortError::Unprocessable {
        detail: format!(
            "operation {} set no offset that is known: there is nothing to take back",
            operation.id
        ),
    })?;
    Ok(SetBy { moves, notes: unknown(operation).into_iter().collect() })
}

/// One that is refused, or not begun yet, set nothing.
pub(crate) fn may_be_set(state: CommandState, offsets: &[OffsetChange]) -> impl Iterator<Item = OffsetMove> {
    let is_begun = !matches!(state, CommandState::Requested | CommandState::Refused);
    offsets.iter().filter(move |_| is_begun).filter_map(change)
}

fn change(one: &OffsetChange) -> Option<OffsetMove> {
    let to = match one.to {
        OffsetTarget::Offset(to) => Some(to),
        OffsetTarget::Deleted => None,
        OffsetTarget::NoRecord
        | OffsetTarget::Unassigned
        | OffsetTarget::Unknown
        | OffsetTarget::Kept
        | OffsetTarget::NotSet => return None,
    };
    (one.from != to).then(|| OffsetMove {
        topic: one.topic.clone(),
        partition: one.partition,
        from: one.from,
        to,
    })
}

fn unknown(operation: &CommandView) -> Option<String> {
    let is_line = |one: &InstanceOutcome| one.kind == InstanceKind::Commits;
    let has_lines = operation.instances.iter().any(is_line);
    let is_open = |one: &&InstanceOutcome| {
        matches!(one.state, InstanceState::NoResponse | InstanceState::Waiting)
            && is_line(one) == has_lines
            && !is_told(one, &operation.offsets)
    };
    let names: Vec<String> =
        operation.instances.iter().filter(is_open).map(|one| one.instance.to_string()).collect();
    (!names.is_empty()).then(|| {
        format!(
            "It is not known whether operation {} set all of this, and it is taken back as if it had: {}",
            operation.id,
            verdict::names(&names)
        )
    })
}

/// Of a topic whose every owner answered, what was left is known.
fn is_told(line: &InstanceOutcome, offsets: &[OffsetChange]) -> bool {
    let topic = line.instance.as_str();
    offsets.iter().any(|one| one.to == OffsetTarget::NotSet && one.topic.as_str() == topic)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offsets(of: &[(i32, OffsetTarget)]) -> Vec<OffsetChange> {
        let change = |(partition, to): &(i32, OffsetTarget)| OffsetChange {
            topic: "t".parse().unwrap(),
            partition: flowdeck_model::Partition::new(*partition).unwrap(),
            from: Some(5),
            to: *to,
        };
        of.iter().map(change).collect()
    }

    #[test]
    fn only_what_may_have_been_set_is_taken_back() {
        use OffsetTarget::{Deleted, NoRecord, NotSet, Offset};
        let all = offsets(&[(0, Offset(2)), (1, NotSet), (2, Deleted), (3, NoRecord), (4, Offset(5))]);
        for (state, want) in [
            (CommandState::Requested, &[][..]),
            (CommandState::Refused, &[]),
            (CommandState::Sent, &[0, 2]),
            (CommandState::PartiallyConfirmed, &[0, 2]),
            (CommandState::TimedOut, &[0, 2]),
            (CommandState::Confirmed, &[0, 2]),
        ] {
            let found: Vec<i32> = may_be_set(state, &all).map(|one| one.partition.get()).collect();
            assert_eq!(found, want, "{state:?}");
        }
    }
}
