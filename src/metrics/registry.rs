//! What is measured: lag from the newest snapshot, Flowdeck's own work, HTTP and streams.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use flowdeck_alerts::Alerts;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric};
use prometheus_client::metrics::counter::{ConstCounter, Counter};
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::{ConstGauge, Gauge};
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;

use super::series::Series;
use super::{groups, label, names_of, partitions};
use crate::alerts;
use crate::config::{self, Exporter};
use crate::events::streams::Streams;
use crate::state::Options;
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
    pub(crate) fn new(options: &Options, open: &Streams) -> Self {
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
        let kafka = Kafka {
            work: options.work.clone(),
            alerts: options.alerts.clone(),
            settings: options.metrics.clone(),
        };
        registry.register_collector(Box::new(kafka));
        registry.register_collector(Box::new(options.process.clone()));
        Self { registry, requests, seconds, streams, answering }
    }
}

/// Read at each scrape: nothing is kept for it.
struct Kafka {
    work: Arc<dyn Work>,
    alerts: Alerts,
    settings: config::Metrics,
}

impl fmt::Debug for Kafka {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Kafka")
    }
}

impl Collector for Kafka {
    fn encode(&self, mut encoder: DescriptorEncoder) -> Result<(), fmt::Error> {
        let mut by_name: BTreeMap<&'static str, Vec<Number>> = BTreeMap::new();
        for number in self.work.numbers().into_iter().chain(alerts::numbers(&self.alerts)) {
            by_name.entry(number.name).or_default().push(number);
        }
        let brokers = by_name.get("brokers").cloned();
        for (name, numbers) in by_name {
            own(&mut encoder, &format!("flowdeck_{name}"), &numbers)?;
        }
        if let Some(brokers) = brokers.filter(|_| self.settings.names_of.contains(&Exporter::KafkaExporter)) {
            own(&mut encoder, "kafka_brokers", &brokers)?;
        }
        // What is needed to alert comes first: partitions are what is left out where there are too many series.
        let figures = self.work.figures();
        let mut series = Series::new(&mut encoder, self.settings.series);
        groups::write(&*figures, &mut series)?;
        for exporter in &self.settings.names_of {
            names_of::write_sums(*exporter, &*figures, &mut series)?;
        }
        partitions::write(&*figures, &mut series)?;
        for exporter in &self.settings.names_of {
            names_of::write_partitions(*exporter, &*figures, &mut series)?;
        }
        series.end()
    }
}

type Labels = Vec<(&'static str, String)>;

fn own(encoder: &mut DescriptorEncoder, name: &str, numbers: &[Number]) -> Result<(), fmt::Error> {
    let Some(first) = numbers.first() else { return Ok(()) };
    if first.counter {
        let kind = ConstCounter::<f64>::new(0.0).metric_type();
        let mut family = encoder.encode_descriptor(name, first.help, None, kind)?;
        for number in numbers {
            let labels: Labels = labels(number);
            ConstCounter::<f64>::new(number.value).encode(family.encode_family(&labels)?)?;
        }
        return Ok(());
    }
    let kind = ConstGauge::new(0.0_f64).metric_type();
    let mut family = encoder.encode_descriptor(name, first.help, None, kind)?;
    for number in numbers {
        let labels: Labels = labels(number);
        ConstGauge::new(number.value).encode(family.encode_family(&labels)?)?;
    }
    Ok(())
}

fn labels(number: &Number) -> Labels {
    number.labels.iter().map(|(name, value)| (*name, label::value(value))).collect()
}
