//! What the Kafka client of a publisher measures of itself.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::KafkaError;
use rdkafka::statistics::{Broker, Statistics, Window};
use tracing::debug;

use crate::context;

/// How often the client measures, unless the host's `statistics.interval.ms` says otherwise.
pub(super) const INTERVAL: &str = "5000";

/// A mean and its 99th percentile, over the last seconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Latency {
    /// Of all of them.
    pub mean: Duration,
    /// Of the slowest broker.
    pub p99: Duration,
}

/// A publisher's Kafka client, at its last measurement (every 5 s).
#[derive(Debug, Clone, Copy, Default, PartialEq)]
#[non_exhaustive]
pub struct PublisherMetrics {
    /// Messages a second that were sent since the measurement before.
    pub rate: f64,
    /// Messages that wait in the client, or for an acknowledgement.
    pub queued: u64,
    /// How long messages waited in the client for a request. `None`: none were sent.
    pub queue_time: Option<Latency>,
    /// How long requests waited before they were written to the connection.
    pub send_time: Option<Latency>,
    /// From the writing of a request to the broker's acknowledgement.
    pub acknowledgement_time: Option<Latency>,
    /// Requests that failed, since the start.
    pub errors: u64,
}

#[derive(Debug, Default)]
struct Measured {
    /// The client's clock and its count of messages.
    last: Option<(i64, i64)>,
    metrics: Option<PublisherMetrics>,
}

/// The client's callbacks.
#[derive(Debug, Clone, Default)]
pub(super) struct Measuring(Arc<Mutex<Measured>>);

impl Measuring {
    pub(super) fn metrics(&self) -> Option<PublisherMetrics> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).metrics
    }

    fn measured(&self, statistics: &Statistics) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let now = (statistics.ts, statistics.txmsgs);
        state.metrics = Some(PublisherMetrics {
            rate: state.last.map_or(0.0, |before| rate(before, now)),
            queued: statistics.msg_cnt,
            queue_time: latency(&statistics.brokers, |broker| broker.int_latency.as_ref()),
            send_time: latency(&statistics.brokers, |broker| broker.outbuf_latency.as_ref()),
            acknowledgement_time: latency(&statistics.brokers, |broker| broker.rtt.as_ref()),
            errors: statistics.brokers.values().map(|broker| broker.txerrs).sum(),
        });
        state.last = Some(now);
    }
}

impl ClientContext for Measuring {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        context::log(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        debug!(%error, reason, "the Kafka client of a publisher reports");
    }

    fn stats(&self, statistics: Statistics) {
        self.measured(&statistics);
    }
}

fn rate((from, before): (i64, i64), (to, now): (i64, i64)) -> f64 {
    let seconds = (to - from) as f64 / 1e6;
    if seconds > 0.0 { (now - before).max(0) as f64 / seconds } else { 0.0 }
}

fn latency(brokers: &HashMap<String, Broker>, of: impl Fn(&Broker) -> Option<&Window>) -> Option<Latency> {
    let windows: Vec<&Window> = brokers.values().filter_map(of).filter(|window| window.cnt > 0).collect();
    let count: i64 = windows.iter().map(|window| window.cnt).sum();
    let sum: i64 = windows.iter().map(|window| window.sum).sum();
    let p99 = windows.iter().map(|window| window.p99).max()?;
    let micros = |value: i64| Duration::from_micros(u64::try_from(value).unwrap_or_default());
    Some(Latency { mean: micros(sum / count.max(1)), p99: micros(p99) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn broker(cnt: i64, sum: i64, p99: i64) -> Broker {
        Broker { rtt: Some(Window { cnt, sum, p99, ..Window::default() }), txerrs: 1, ..Broker::default() }
    }

    #[test]
    fn rate_and_times_are_of_all_brokers() {
        let measuring = Measuring::default();
        let mut statistics = Statistics { ts: 1_000_000, txmsgs: 10, ..Statistics::default() };
        measuring.measured(&statistics);
        assert_eq!(measuring.metrics().unwrap().rate, 0.0, "nothing to compare with");
        statistics.ts = 3_000_000;
        statistics.txmsgs = 50;
        statistics.msg_cnt = 3;
        statistics.brokers.insert("a".into(), broker(3, 3_000, 2_000));
        statistics.brokers.insert("b".into(), broker(1, 5_000, 5_000));
        statistics.brokers.insert("unused".into(), broker(0, 0, 0));
        measuring.measured(&statistics);
        let metrics = measuring.metrics().unwrap();
        assert_eq!((metrics.rate, metrics.queued, metrics.errors), (20.0, 3, 3));
        let millis = Duration::from_millis;
        assert_eq!(metrics.acknowledgement_time, Some(Latency { mean: millis(2), p99: millis(5) }));
        assert_eq!(metrics.queue_time, None);
    }
}
