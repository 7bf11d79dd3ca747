//! The agent and the plain consumer, one right after the other on the same backlog, taking turns in being the first.

use anyhow::Result;

use super::Context;
use crate::backlog::{Backlog, Load, Measured};

pub(super) struct Pair {
    pub(super) agent: Measured,
    pub(super) plain: Measured,
}

impl Pair {
    pub(super) async fn measure(
        context: &Context,
        backlog: &Backlog,
        load: Load,
        plain_first: bool,
    ) -> Result<Self> {
        if plain_first {
            let plain = backlog.plain(&context.kafka, load).await?;
            return Ok(Self { agent: backlog.agent(&context.kafka, load).await?, plain });
        }
        let agent = backlog.agent(&context.kafka, load).await?;
        Ok(Self { agent, plain: backlog.plain(&context.kafka, load).await? })
    }

    /// The agent's time for a record over the plain consumer's.
    pub(super) fn ratio(&self) -> f64 {
        self.plain.records / self.agent.records
    }

    pub(super) fn tell(&self, what: &str) {
        let Self { agent, plain } = self;
        eprintln!(
            "{what}: {:.0}/s, {:.2} µs of CPU; plain {:.0}/s, {:.2} µs; {:.2} of its time",
            agent.records,
            agent.cpu_micros_a_record,
            plain.records,
            plain.cpu_micros_a_record,
            self.ratio()
        );
    }
}

/// Of an odd number of values, and how far they lie apart.
pub(super) struct Spread {
    pub(super) least: f64,
    pub(super) median: f64,
    pub(super) most: f64,
}

impl Spread {
    pub(super) fn of(values: impl IntoIterator<Item = f64>) -> Self {
        let mut values: Vec<f64> = values.into_iter().collect();
        values.sort_by(f64::total_cmp);
        Self { least: values[0], median: values[values.len() / 2], most: values[values.len() - 1] }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_value_in_the_middle_and_the_outermost_ones() {
        let spread = Spread::of([3.0, 1.0, 2.0]);
        assert_eq!((spread.least, spread.median, spread.most), (1.0, 2.0, 3.0));
        assert_eq!(Spread::of([1.0]).median, 1.0);
    }
}
