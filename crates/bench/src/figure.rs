//! What a scenario found, and what it may be at most.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde::Serialize;

/// A percentile of fewer samples is no percentile.
const SAMPLES_MIN: usize = 200;

/// One number with its limit: at most `limit` is good.
#[derive(Debug, Serialize)]
pub(crate) struct Figure {
    name: String,
    unit: &'static str,
    value: f64,
    limit: f64,
    samples: usize,
}

impl Figure {
    /// The single duration of something that happens once in a run.
    pub(crate) fn once(name: impl Into<String>, value: Duration, limit: Duration) -> Self {
        Self { name: name.into(), unit: "ms", value: millis(value), limit: millis(limit), samples: 1 }
    }

    /// The 95th percentile, by the nearest rank. An error with fewer than 200 samples.
    pub(crate) fn p95(name: impl Into<String>, mut samples: Vec<Duration>, limit: Duration) -> Result<Self> {
        let (name, count) = (name.into(), samples.len());
        ensure!(count >= SAMPLES_MIN, "{name}: {count} samples, where a percentile needs {SAMPLES_MIN}");
        samples.sort();
        let rank = (count * 95).div_ceil(100);
        Ok(Self { name, unit: "ms", value: millis(samples[rank - 1]), limit: millis(limit), samples: count })
    }

    /// The largest of durations that were read off, each once; all must be within the limit.
    pub(crate) fn most(name: &'static str, samples: &[Duration], limit: Duration) -> Result<Self> {
        let most = samples.iter().max().with_context(|| format!("{name}: not one sample"))?;
        Ok(Self {
            name: name.to_owned(),
            unit: "ms",
            value: millis(*most),
            limit: millis(limit),
            samples: samples.len(),
        })
    }

    /// How many times as much as something that was measured beside it.
    pub(crate) fn ratio(name: String, value: f64, limit: f64, samples: usize) -> Self {
        Self { name, unit: "×", value, limit, samples }
    }

    /// For a record.
    pub(crate) fn microseconds(name: String, value: f64, limit: f64, samples: usize) -> Self {
        Self { name, unit: "µs", value, limit, samples }
    }

    /// A share in per cent.
    pub(crate) fn percent(name: impl Into<String>, value: f64, limit: f64) -> Self {
        Self { name: name.into(), unit: "%", value, limit, samples: 1 }
    }

    pub(crate) fn per_second(name: String, value: f64, limit: f64) -> Self {
        Self { name, unit: "1/s", value, limit, samples: 1 }
    }

    /// A size in MB of 1,000,000 bytes.
    pub(crate) fn megabytes(name: impl Into<String>, bytes: u64, limit: u64) -> Self {
        Self {
            name: name.into(),
            unit: "MB",
            value: bytes as f64 / 1e6,
            limit: limit as f64 / 1e6,
            samples: 1,
        }
    }
}

fn millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_rank() {
        let samples = (1..=200).map(Duration::from_millis).collect();
        let figure = Figure::p95("x", samples, Duration::from_millis(190)).unwrap();
        assert_eq!((figure.value, figure.limit, figure.samples), (190.0, 190.0, 200));
    }

    #[test]
    fn few_samples_make_no_percentile() {
        assert!(Figure::p95("x", vec![Duration::ZERO; 199], Duration::ZERO).is_err());
    }
}
