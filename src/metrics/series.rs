//! Families of many series, within a bound on all of them together. What is beyond the bound is left out and counted:
//! a scrape that grows with the cluster ends in a Prometheus that has no memory left.

use std::fmt;

use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric as _, MetricEncoder};
use prometheus_client::metrics::gauge::ConstGauge;

pub(super) type Labels<'a> = &'a [(&'static str, &'a str)];

#[derive(Clone, Copy)]
pub(super) enum Value {
    Whole(i64),
    Real(f64),
}

impl From<u64> for Value {
    fn from(value: u64) -> Self {
        Self::Whole(i64::try_from(value).unwrap_or(i64::MAX))
    }
}

impl From<u32> for Value {
    fn from(value: u32) -> Self {
        Self::Whole(value.into())
    }
}

/// All gauges. Those that come first have the first claim on the bound.
pub(super) struct Series<'e, 'r> {
    encoder: &'r mut DescriptorEncoder<'e>,
    left: usize,
    written: u64,
    left_out: Vec<(&'static str, u64)>,
}

impl<'e, 'r> Series<'e, 'r> {
    pub(super) fn new(encoder: &'r mut DescriptorEncoder<'e>, most: usize) -> Self {
        Self { encoder, left: most, written: 0, left_out: vec![] }
    }

    /// `fill` puts the family's series.
    pub(super) fn family(
        &mut self,
        name: &'static str,
        help: &str,
        fill: impl FnOnce(&mut Family<'_>),
    ) -> fmt::Result {
        let kind = ConstGauge::new(0_i64).metric_type();
        let encoder = self.encoder.encode_descriptor(name, help, None, kind)?;
        let mut family = Family { encoder, left: self.left, left_out: 0, result: Ok(()) };
        fill(&mut family);
        let (left, left_out, result) = (family.left, family.left_out, family.result);
        self.written += (self.left - left) as u64;
        self.left = left;
        if left_out > 0 {
            self.left_out.push((name, left_out));
        }
        result
    }

    /// How many there are, and how many are not.
    pub(super) fn end(self) -> fmt::Result {
        let gauge = ConstGauge::new(0_i64).metric_type();
        let (name, help) =
            ("flowdeck_metrics_series", "Series of groups, partitions and topics in this scrape");
        let written = ConstGauge::new(self.written);
        written.encode(self.encoder.encode_descriptor(name, help, None, gauge)?)?;
        let name = "flowdeck_metrics_series_left_out";
        let help = "Series beyond `metrics.series` of the configuration, by their name";
        let mut family = self.encoder.encode_descriptor(name, help, None, gauge)?;
        for (name, count) in self.left_out {
            let labels = [("name", name)];
            ConstGauge::new(count).encode(family.encode_family(&labels)?)?;
        }
        Ok(())
    }
}

pub(super) struct Family<'f> {
    encoder: MetricEncoder<'f>,
    left: usize,
    left_out: u64,
    result: fmt::Result,
}

impl Family<'_> {
    pub(super) fn put(&mut self, labels: Labels<'_>, value: impl Into<Value>) {
        if self.left == 0 {
            self.left_out += 1;
            return;
        }
        self.left -= 1;
        let put = self.encoder.encode_family(&labels).and_then(|one| match value.into() {
            Value::Whole(value) => ConstGauge::new(value).encode(one),
            Value::Real(value) => ConstGauge::new(value).encode(one),
        });
        if self.result.is_ok() {
            self.result = put;
        }
    }
}
