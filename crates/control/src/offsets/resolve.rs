//! Where a partition's commit goes, by Kafka's own rules (`kafka-consumer-groups --reset-offsets`): never before the
//! log's start nor beyond its end. Pure.

use flowdeck_model::offsets::OffsetMove;
use flowdeck_model::view::OffsetPlan;
use flowdeck_model::{Partition, TopicName};

/// What is asked for one partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wanted {
    Start,
    End,
    /// The first record at or after a time; `None`: there is none.
    Found(Option<i64>),
    /// An offset, which may lie outside the log.
    Offset(i64),
    Shift(i64),
    /// What was committed before an operation.
    Back(Option<i64>),
    Delete,
    /// Kafka did not tell.
    Unknown,
}

/// What is known of it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Known {
    pub(super) committed: Option<i64>,
    pub(super) start: Option<i64>,
    pub(super) end: Option<i64>,
}

pub(super) fn resolve(topic: &TopicName, partition: Partition, known: Known, wanted: Wanted) -> OffsetPlan {
    let (to, note) = target(known, wanted);
    let change = OffsetMove { topic: topic.clone(), partition, from: known.committed, to };
    OffsetPlan {
        topic: topic.clone(),
        partition,
        from: known.committed,
        to,
        start: known.start,
        end: known.end,
        replayed: change.replayed(),
        skipped: change.skipped(),
        first: None,
        last: None,
        note: note.or_else(|| lost(known, to)),
    }
}

fn target(known: Known, wanted: Wanted) -> (Option<i64>, Option<String>) {
    let left = |why: &str| (known.committed, Some(format!("left as it is: {why}")));
    match wanted {
        Wanted::Delete | Wanted::Back(None) => return (None, None),
        Wanted::Unknown => return left("Kafka did not tell where it would go"),
        Wanted::Start | Wanted::End | Wanted::Found(_) => {}
        Wanted::Offset(_) | Wanted::Shift(_) | Wanted::Back(_) => {}
    }
    let (Some(start), Some(end)) = (known.start, known.end) else {
        return left("Kafka did not tell the log's offsets");
    };
    match wanted {
        Wanted::Start => (Some(start), None),
        Wanted::End => (Some(end), None),
        Wanted::Found(Some(offset)) => within(offset, start, end),
        Wanted::Found(None) => (Some(end), Some("no record at or after that time: to the end".to_owned())),
        Wanted::Offset(offset) | Wanted::Back(Some(offset)) => within(offset, start, end),
        Wanted::Shift(by) => match known.committed {
            Some(committed) => within(committed.saturating_add(by), start, end),
            None => left("nothing is committed that could be shifted"),
        },
        Wanted::Delete | Wanted::Back(None) | Wanted::Unknown => (known.committed, None),
    }
}

fn within(offset: i64, start: i64, end: i64) -> (Option<i64>, Option<String>) {
    if offset < start {
        let note = format!("offset {offset} is not in the log any more: to its start, {start}");
        return (Some(start), Some(note));
    }
    if offset > end {
        return (Some(end), Some(format!("offset {offset} lies beyond the log: to its end, {end}")));
    }
    (Some(offset), None)
}

/// Records that were deleted before the group read them.
fn lost(known: Known, to: Option<i64>) -> Option<String> {
    let (committed, start) = (known.committed?, known.start?);
    let to = to?;
    let gone = committed < start && to >= start;
    gone.then(|| format!("offsets {committed} to {} were deleted before they were read", start - 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offsets_stay_within_the_log() {
        use Wanted::*;
        let known = Known { committed: Some(7), start: Some(5), end: Some(9) };
        let none = Known { committed: None, ..known };
        for (known, wanted, want, note) in [
            (known, Start, Some(5), ""),
            (known, End, Some(9), ""),
            (known, Found(Some(6)), Some(6), ""),
            (known, Found(None), Some(9), "no record"),
            (known, Offset(2), Some(5), "not in the log"),
            (known, Offset(12), Some(9), "beyond"),
            (known, Offset(8), Some(8), ""),
            (known, Shift(-1), Some(6), ""),
            (known, Shift(-10), Some(5), "not in the log"),
            (known, Shift(10), Some(9), "beyond"),
            (known, Shift(i64::MAX), Some(9), "beyond"),
            (none, Shift(1), None, "nothing is committed"),
            (none, Start, Some(5), ""),
            (known, Back(Some(3)), Some(5), "not in the log"),
            (known, Back(Some(8)), Some(8), ""),
            (known, Back(None), None, ""),
            (known, Delete, None, ""),
            (known, Unknown, Some(7), "did not tell"),
            (Known { start: None, ..known }, Offset(6), Some(7), "did not tell"),
            (Known { committed: Some(2), ..known }, Start, Some(5), "deleted before"),
        ] {
            let plan = resolve(&"t".parse().unwrap(), Partition::new(0).unwrap(), known, wanted);
            assert_eq!(plan.to, want, "{known:?} {wanted:?}");
            let said = plan.note.unwrap_or_default();
            assert!(said.contains(note) && said.is_empty() == note.is_empty(), "{wanted:?}: {said}");
        }
    }
}
