//! Whether a partition's commits prove that its records are handled. KafkaFlow goes on with what its workers have
//! buffered when it is paused, and commits that by its timer, also after a resume: such a commit proves nothing.
//! Pure.

/// What is known of one partition's commits since a resume, or since an instance was seen running it under a pause.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Flow {
    /// The highest commit that was known before; `None`: there was none.
    base: Option<i64>,
    /// The log ended here when fetching had stopped: nothing beyond it can have been buffered.
    fetched_to: Option<i64>,
    /// The first commit beyond `base`: it may be what was buffered.
    first: Option<i64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Proof {
    /// No commit moved.
    Nothing,
    /// A commit moved no further than what may have been buffered.
    MayBeDrained(i64),
    Flows(i64),
}

impl Flow {
    pub(crate) fn new(base: Option<i64>, fetched_to: Option<i64>) -> Self {
        Self { base, fetched_to, first: None }
    }

    /// A commit as it was read. One that was seen before changes nothing.
    pub(crate) fn see(&mut self, committed: i64) -> Proof {
        if self.base.is_some_and(|base| committed < base) {
            // Set back: what was buffered before says nothing of what is committed from here on.
            *self = Self::new(Some(committed), None);
            return Proof::Nothing;
        }
        if self.base == Some(committed) {
            return Proof::Nothing;
        }
        if self.fetched_to.is_some_and(|end| committed > end) {
            return Proof::Flows(committed);
        }
        match *self.first.get_or_insert(committed) {
            first if committed > first => Proof::Flows(committed),
            _ => Proof::MayBeDrained(committed),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Proof::{Flows, MayBeDrained, Nothing};

    #[test]
    fn only_a_commit_beyond_what_could_be_drained_proves_flow() {
        type Case<'a> = (Option<i64>, Option<i64>, &'a [(i64, Proof)]);
        let cases: [Case<'_>; 8] = [
            // Buffered up to 600 of a long log: it is committed after the resume, then records flow.
            (Some(595), None, &[(595, Nothing), (600, MayBeDrained(600)), (612, Flows(612))]),
            (
                Some(595),
                Some(5_000),
                &[(600, MayBeDrained(600)), (600, MayBeDrained(600)), (612, Flows(612))],
            ),
            // The log ended at 600 when fetching had stopped: 601 was written and fetched since.
            (Some(595), Some(600), &[(600, MayBeDrained(600))]),
            (Some(595), Some(600), &[(601, Flows(601))]),
            (Some(600), Some(600), &[(600, Nothing), (601, Flows(601))]),
            // Nothing was committed before.
            (None, None, &[(3, MayBeDrained(3)), (4, Flows(4))]),
            (None, Some(0), &[(3, Flows(3))]),
            // The offset was set back.
            (Some(600), Some(600), &[(100, Nothing), (150, MayBeDrained(150)), (180, Flows(180))]),
        ];
        for (base, fetched_to, commits) in cases {
            let mut flow = Flow::new(base, fetched_to);
            for (committed, want) in commits {
                assert_eq!(flow.see(*committed), *want, "{base:?} {fetched_to:?} {committed}");
            }
        }
    }
}
