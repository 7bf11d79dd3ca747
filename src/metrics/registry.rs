//! What is measured: lag from the newest snapshot, Flowdeck's own work, HTTP and streams.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric};
use prometheus_client::metrics::counter::{ConstCounter, Counter};
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::{ConstGauge, Gauge};
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;

use super::label;
use crate::events::streams::Streams;
use crate::process::Process;
use crate::work::{Number, Work};

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub(super) struct Answered {
    pub(super) method: &'static str,
    pub(super) route: String,
    pub(super) status: u16,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub(super) struct Route {
    pub(super) route: String,
}

pub(crate) struct Metrics {
    pub(super) registry: Registry,
    pub(super) requests: Family<Answered, Counter>,
    pub(super) seconds: Family<Route, Histogram, fn() -> Histogram>,
    pub(super) streams: Gauge<i64>,
    pub(super) answering: Gauge<i64>,
}

fn buckets() -> Histogram {
    // 1 ms to 4 s.
    Histogram::new(exponential_buckets(0.001, 2.0, 13))
}

impl Metrics {
    pub(crate) fn new(work: Arc<dyn Work>, process: Process, open: &Streams) -> Self {
        let mut registry = Registry::default();
        let requests = Family::default();
        let seconds = Family::new_with_constructor(buckets as fn() -> Histogram);
        let (streams, answering) = (Gauge::default(), Gauge::default());
        registry.register("flowdeck_http_requests", "Requests answered", requests.clone());
        registry.register("flowdeck_http_request_seconds", "Time to the answer's head", seconds.clone());
        registry.register("flowdeck_streams_open", "Event streams open now", streams.clone());
        registry.register("flowdeck_streams_refused", "Event streams refused at the limit", open.refused());
        let help = "Event streams that a newer one of their session replaced";
        registry.register("flowdeck_streams_replaced", help, open.replaced());
        registry.register(
            "flowdeck_http_requests_open",
            "Requests that are being answered",
            answering.clone(),
        );
        registry.register_collector(Box::new(Kafka(work)));
        registry.register_collector(Box::new(process));
        Self { registry, requests, seconds, streams, answering }
    }
}

/// Read at each scrape: nothing is kept for it.
struct Kafka(Arc<dyn Work>);

impl fmt::Debug for Kafka {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Kafka")
    }
}

impl Collector for Kafka {
    fn encode(&self, mut encoder: DescriptorEncoder) -> Result<(), fmt::Error> {
        self.lag(&mut encoder)?;
        self.groups(&mut encoder)?;
        let mut by_name: BTreeMap<&'static str, Vec<Number>> = BTreeMap::new();
        for number in self.0.numbers() {
            by_name.entry(number.name).or_default().push(number);
        }
        for (name, numbers) in by_name {
            own(&mut encoder, name, &numbers)?;
        }
        Ok(())
    }
}

type Labels = Vec<(&'static str, String)>;

impl Kafka {
    /// A partition whose lag is not known has no lag series: a made-up 0 would hide it.
    fn lag(&self, encoder: &mut DescriptorEncoder) -> Result<(), fmt::Error> {
        let mut unknown: BTreeMap<(String, String), i64> = BTreeMap::new();
        let kind = ConstGauge::new(0_i64).metric_type();
        let help = "Records between the committed offset and the log's end";
        let mut family = encoder.encode_descriptor("flowdeck_lag_records", help, None, kind)?;
        let mut written = Ok(());
        self.0.lag(&mut |cluster, group, topic, partition, lag| {
            let count = unknown.entry((cluster.to_string(), label::value(group.as_str()))).or_default();
            let Some(lag) = lag else {
                *count += 1;
                return;
            };
            let labels: Labels = vec![
                ("cluster", cluster.to_string()),
                ("group", label::value(group.as_str())),
                ("topic", topic.to_string()),
                ("partition", partition.to_string()),
            ];
            let lag = ConstGauge::new(i64::try_from(lag).unwrap_or(i64::MAX));
            let one = family.encode_family(&labels).and_then(|family| lag.encode(family));
            if written.is_ok() {
                written = one;
            }
        });
        written?;
        let help = "Partitions whose lag is not known";
        let mut family = encoder.encode_descriptor("flowdeck_lag_unknown_partitions", help, None, kind)?;
        for ((cluster, group), count) in unknown {
            let labels: Labels = vec![("cluster", cluster), ("group", group)];
            ConstGauge::new(count).encode(family.encode_family(&labels)?)?;
        }
        Ok(())
    }
}

impl Kafka {
    /// One series for each verdict that applies, so that they can be counted and alerted on.
    fn groups(&self, encoder: &mut DescriptorEncoder) -> Result<(), fmt::Error> {
        let (mut verdicts, mut times): (Vec<Labels>, Vec<(Labels, f64)>) = Default::default();
        self.0.groups(&mut |cluster, group, all, time_lag| {
            let of: Labels = vec![("cluster", cluster.to_string()), ("group", label::value(group.as_str()))];
            if let Some(time) = time_lag {
                times.push((of.clone(), time.as_secs_f64()));
            }
            verdicts.extend(all.iter().map(|one| {
                let verdict = ("verdict", super::snake_case(one.key()));
                of.iter().cloned().chain([verdict]).collect::<Labels>()
            }));
        });
        let help = "Age of the oldest record that waits, as far as it is known";
        let kind = ConstGauge::new(0.0_f64).metric_type();
        let mut family = encoder.encode_descriptor("flowdeck_group_time_lag_seconds", help, None, kind)?;
        for (labels, seconds) in times {
            ConstGauge::new(seconds).encode(family.encode_family(&labels)?)?;
        }
        let kind = ConstGauge::new(1_i64).metric_type();
        let help = "1 for each verdict that applies to a group";
        let mut family = encoder.encode_descriptor("flowdeck_group_verdict", help, None, kind)?;
        for labels in verdicts {
            ConstGauge::new(1_i64).encode(family.encode_family(&labels)?)?;
        }
        Ok(())
    }
}

fn own(encoder: &mut DescriptorEncoder, name: &str, numbers: &[Number]) -> Result<(), fmt::Error> {
    let Some(first) = numbers.first() else { return Ok(()) };
    let name = format!("flowdeck_{name}");
    if first.counter {
        let kind = ConstCounter::<f64>::new(0.0).metric_type();
        let mut family = encoder.encode_descriptor(&name, first.help, None, kind)?;
        for number in numbers {
            let labels: Labels = labels(number);
            ConstCounter::<f64>::new(number.value).encode(family.encode_family(&labels)?)?;
        }
        return Ok(());
    }
    let kind = ConstGauge::new(0.0_f64).metric_type();
    let mut family = encoder.encode_descriptor(&name, first.help, None, kind)?;
    for number in numbers {
        let labels: Labels = labels(number);
        ConstGauge::new(number.value).encode(family.encode_family(&labels)?)?;
    }
    Ok(())
}

fn labels(number: &Number) -> Labels {
    number.labels.iter().map(|(name, value)| (*name, label::value(value))).collect()
}
