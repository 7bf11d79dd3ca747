//! What happened to a group, in words, each in its second; the oldest goes.

use std::collections::VecDeque;

const KEPT: usize = 32;
/// In seconds: two replicas see the same at different times.
const SAME: u32 = 45;

/// Oldest first.
#[derive(Default)]
pub(super) struct Told(VecDeque<(u32, Box<str>)>);

impl Told {
    pub(super) fn push(&mut self, second: u32, words: &str) {
        if self.0.len() == KEPT {
            self.0.pop_front();
        }
        self.0.push_back((second, words.into()));
    }

    /// One that may be known already; the oldest are left out where there is no place.
    pub(super) fn restore(&mut self, second: u32, words: &str) {
        let is_known = |(known, what): &(u32, Box<str>)| known.abs_diff(second) <= SAME && **what == *words;
        if self.0.len() < KEPT && !self.0.iter().any(is_known) {
            let at = self.0.partition_point(|(known, _)| *known < second);
            self.0.insert(at, (second, words.into()));
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (u32, &str)> {
        self.0.iter().map(|(second, words)| (*second, words.as_ref()))
    }

    pub(super) fn bytes(&self) -> usize {
        let words: usize = self.0.iter().map(|(_, words)| words.len()).sum();
        self.0.capacity() * size_of::<(u32, Box<str>)>() + words
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_known_is_not_restored_again() {
        let mut told = Told::default();
        told.push(1_000, "gone");
        told.restore(1_030, "gone");
        told.restore(400, "gone");
        told.restore(990, "new");
        assert_eq!(told.iter().collect::<Vec<_>>(), [(400, "gone"), (990, "new"), (1_000, "gone")]);
        for second in 2_000..2_100 {
            told.push(second, "x");
        }
        told.restore(5, "too old");
        assert_eq!((told.iter().count(), told.iter().next()), (KEPT, Some((2_068, "x"))));
    }
}
