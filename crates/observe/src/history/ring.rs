//! The newest steps of a series, each at the place of its number: a step that was not read is not known.

use super::compact::{UNKNOWN_16, UNKNOWN_32, pack_16, pack_32, unpack_16, unpack_32};

/// What is known of one step.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Point {
    pub lag: Option<u64>,
    pub time_lag_millis: Option<u64>,
    /// In thousandths of a record, a second.
    pub input_milli: Option<u64>,
    pub output_milli: Option<u64>,
}

impl Point {
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// The step that is made of these: the highest lag, since a peak must not vanish, and the mean of the rates.
    pub fn fold(parts: impl Iterator<Item = Self> + Clone) -> Self {
        let highest = |of: fn(&Self) -> Option<u64>| parts.clone().filter_map(|part| of(&part)).max();
        let mean = |of: fn(&Self) -> Option<u64>| {
            let (sum, count) = parts
                .clone()
                .filter_map(|part| of(&part))
                .fold((0u64, 0), |(sum, count), one| (sum.saturating_add(one), count + 1));
            (count > 0).then(|| sum / count)
        };
        Self {
            lag: highest(|part| part.lag),
            time_lag_millis: highest(|part| part.time_lag_millis),
            input_milli: mean(|part| part.input_milli),
            output_milli: mean(|part| part.output_milli),
        }
    }
}

/// Steps are numbered from 1970 on. Made of two boxes, 10 bytes a step.
pub(super) struct Ring {
    newest: Option<u32>,
    lags: Box<[u32]>,
    /// Time lag, in, out.
    rest: Box<[[u16; 3]]>,
}

impl Ring {
    pub(super) fn new(steps: usize) -> Self {
        let steps = steps.max(1);
        Self {
            newest: None,
            lags: vec![UNKNOWN_32; steps].into_boxed_slice(),
            rest: vec![[UNKNOWN_16; 3]; steps].into_boxed_slice(),
        }
    }

    fn len(&self) -> u32 {
        u32::try_from(self.lags.len()).unwrap_or(u32::MAX)
    }

    /// Whether this step has a place.
    pub(super) fn keeps(&self, step: u32) -> bool {
        self.place(step).is_some()
    }

    /// The place of a step that is kept.
    fn place(&self, step: u32) -> Option<usize> {
        let newest = self.newest?;
        let kept = step <= newest && newest - step < self.len();
        kept.then(|| step as usize % self.lags.len())
    }

    pub(super) fn get(&self, step: u32) -> Point {
        let Some(at) = self.place(step) else { return Point::default() };
        let [time_lag, input, output] = self.rest[at];
        Point {
            lag: unpack_32(self.lags[at]),
            time_lag_millis: unpack_16(time_lag),
            input_milli: unpack_16(input),
            output_milli: unpack_16(output),
        }
    }

    /// A step that is older than what is kept is left out.
    pub(super) fn set(&mut self, step: u32, point: Point) {
        self.advance(step);
        let Some(at) = self.place(step) else { return };
        self.lags[at] = pack_32(point.lag);
        self.rest[at] =
            [pack_16(point.time_lag_millis), pack_16(point.input_milli), pack_16(point.output_milli)];
    }

    /// Steps between the newest and this one are not known.
    fn advance(&mut self, step: u32) {
        let first = match self.newest {
            Some(newest) if step <= newest => return,
            Some(newest) => (newest + 1).max(step.saturating_sub(self.len() - 1)),
            None => step,
        };
        for between in first..=step {
            let at = between as usize % self.lags.len();
            (self.lags[at], self.rest[at]) = (UNKNOWN_32, [UNKNOWN_16; 3]);
        }
        self.newest = Some(step);
    }

    /// The oldest step of which something is known.
    pub(super) fn oldest(&self) -> Option<u32> {
        let newest = self.newest?;
        let first = newest.saturating_sub(self.len() - 1);
        (first..=newest).find(|step| !self.get(*step).is_empty())
    }

    pub(super) fn bytes(&self) -> usize {
        size_of::<Self>() + size_of_val(&*self.lags) + size_of_val(&*self.rest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lag(lag: u64) -> Point {
        Point { lag: Some(lag), ..Point::default() }
    }

    #[test]
    fn keeps_the_newest_steps_and_says_what_it_does_not_know() {
        let mut ring = Ring::new(3);
        assert_eq!(ring.get(7), Point::default());
        ring.set(7, lag(70));
        ring.set(9, lag(90));
        assert_eq!([6, 7, 8, 9, 10].map(|step| ring.get(step).lag), [None, Some(70), None, Some(90), None]);
        assert_eq!(ring.oldest(), Some(7));
        ring.set(10, lag(100));
        assert_eq!([7, 8, 9, 10].map(|step| ring.get(step).lag), [None, None, Some(90), Some(100)]);
        // A gap that is longer than the ring leaves nothing.
        ring.set(1_000_000, lag(1));
        assert_eq!([9, 10, 999_999, 1_000_000].map(|step| ring.get(step).lag), [None, None, None, Some(1)]);
    }

    #[test]
    fn an_older_step_is_filled_in_where_it_is_kept() {
        let mut ring = Ring::new(3);
        ring.set(9, lag(90));
        ring.set(8, lag(80));
        ring.set(6, lag(60));
        assert_eq!([6, 7, 8, 9].map(|step| ring.get(step).lag), [None, None, Some(80), Some(90)]);
    }

    #[test]
    fn a_longer_step_has_the_highest_lag_and_the_mean_rate() {
        let point = |lag, input| Point { lag, input_milli: input, ..Point::default() };
        let parts = [
            point(Some(5), Some(1_000)),
            point(None, None),
            point(Some(900), Some(3_000)),
            point(Some(7), None),
        ];
        assert_eq!(Point::fold(parts.into_iter()), point(Some(900), Some(2_000)));
        assert_eq!(Point::fold(std::iter::empty()), Point::default());
    }
}
