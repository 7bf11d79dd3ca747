//! Each row of the four designs, cell by cell: topics, groups and consumers, events, settings. Each test has a broker of
//! its own, so that all names are the designs' own.

mod convex;
mod custom_service;
mod momentum;
mod novatune;
mod troubles;

use std::collections::BTreeMap;
use std::time::Duration;

use flowdeck_fleets::services::options::settings;
use flowdeck_fleets::services::{Fleet, Runtime, http};
use flowdeck_protocol::kafkaflow::{Decoded, Message, decode};
use flowdeck_protocol::wire::{AgentTelemetryRecord, read_agent_telemetry};
use flowdeck_testkit::{Kafka, NodeOptions, PrivateKafka, Read, private, wait_for};
use serde_json::Value;
use tokio::net::TcpListener;

/// A service starts several consumers, one after the other.
const LIMIT: Duration = Duration::from_secs(60);

/// A service in this process.
struct Service {
    kafka: PrivateKafka,
    runtime: Runtime,
    /// Of its HTTP.
    url: String,
}

/// With variables over its own.
async fn start(fleet: Fleet, variables: &[(&str, &str)]) -> Service {
    let kafka = private(&NodeOptions::default());
    kafka.create_topic("kafkaflow.admin", 1).await;
    let bootstrap = kafka.bootstrap().to_owned();
    start_on(kafka, fleet, variables, Some(&bootstrap)).await
}

async fn start_on(
    kafka: PrivateKafka,
    fleet: Fleet,
    variables: &[(&str, &str)],
    bootstrap: Option<&str>,
) -> Service {
    let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    // Quick to notice what is not there any more.
    let quick = [("session.timeout.ms".to_owned(), "6000".to_owned())];
    let runtime = Runtime::new(settings(fleet, variables, bootstrap, &quick).unwrap());
    let own = fleet.start(&runtime).await.unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = http::serve(&runtime, listener, own).unwrap();
    Service { kafka, runtime, url }
}

impl Service {
    fn partitions(&self, topic: &str) -> Option<usize> {
        self.kafka.topics().into_iter().find_map(|(name, count)| (name == topic).then_some(count))
    }

    /// Consumers by group and name, with their workers, once all of these were heard.
    async fn wait_consumers(&self, want: &[(&str, &str, i32)]) {
        let want: BTreeMap<_, _> =
            want.iter().map(|(group, name, workers)| ((*group, *name), *workers)).collect();
        wait_for("the consumers", LIMIT, async || {
            let heard = heard(&self.kafka);
            let mut found = want.iter().map(|((group, name), workers)| {
                heard.get(&((*group).to_owned(), (*name).to_owned())) == Some(workers)
            });
            found.all(|found| found).then_some(())
        })
        .await;
        let all: Vec<_> = heard(&self.kafka).into_keys().collect();
        assert_eq!(all.len(), want.len(), "no others: {all:?}");
    }

    /// Records of a topic, once there are so many.
    async fn records(&self, topic: &str, count: usize) -> Vec<Read> {
        wait_for(&format!("{count} records of {topic}"), LIMIT, async || {
            let read = self.kafka.read_all(topic);
            (read.len() >= count).then_some(read)
        })
        .await
    }

    async fn end(self) {
        self.runtime.end().await;
    }
}

/// Records that a consumer may read ahead, by group, as the agents report them.
fn buffers(kafka: &Kafka) -> BTreeMap<String, u64> {
    let records = kafka.read_all("kafkaflow.admin");
    let told = records.iter().filter_map(|record| {
        match read_agent_telemetry(&record.headers(), record.value.as_deref()) {
            AgentTelemetryRecord::Telemetry(one) => Some((one.group.to_string(), one.report.buffer_size)),
            _ => None,
        }
    });
    told.collect()
}

fn heard(kafka: &Kafka) -> BTreeMap<(String, String), i32> {
    let records = kafka.read_all("kafkaflow.admin");
    let told = records.iter().filter_map(|record| match decode(&record.headers(), record.value.as_deref()) {
        Decoded::Message(Message::Telemetry(one)) if !one.running.is_empty() => {
            Some(((one.group.to_string(), one.consumer.to_string()), one.workers))
        }
        _ => None,
    });
    told.collect()
}

fn json(record: &Read) -> Value {
    serde_json::from_slice(record.value.as_deref().unwrap()).unwrap()
}

fn key(record: &Read) -> &str {
    std::str::from_utf8(record.key.as_deref().unwrap()).unwrap()
}

fn header<'a>(record: &'a Read, name: &str) -> Option<&'a str> {
    let found = record.headers.iter().find(|(header, _)| header == name)?;
    std::str::from_utf8(&found.1).ok()
}
