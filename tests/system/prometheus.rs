//! A real Prometheus that scrapes a real Flowdeck: what the docs give for it (`docs/prometheus`, `docs/grafana`) is checked
//! by its own tools, and every query of the dashboard and of the alerts is answered.

use std::path::{Path, PathBuf};
use std::process::Command;

use flowdeck_testkit::{DEADLINE, Kafka, NodeOptions, private, wait_for};
use serde_json::Value;

use crate::support::{Consumer, Process, Server, cluster, command, heard, new_id};

const DOCS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs");

/// Named by xtask, which gets Debian's; else the one on the path; else the one that xtask got before.
fn program(name: &str) -> PathBuf {
    let named = std::env::var_os("FLOWDECK_PROMETHEUS").map(PathBuf::from);
    let path = std::env::var_os("PATH").unwrap_or_default();
    let got = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/tools/prometheus/usr/bin");
    let dirs = named.into_iter().chain(std::env::split_paths(&path)).chain([got]);
    let found = dirs.map(|dir| dir.join(name)).find(|file| file.is_file());
    found.unwrap_or_else(|| {
        panic!("there is no {name}: `cargo xtask test` gets it, or install the package prometheus")
    })
}

fn promtool(args: &[&str]) {
    let output = Command::new(program("promtool")).args(args).current_dir(DOCS).output().expect("promtool");
    let said = [output.stdout, output.stderr].concat();
    assert!(output.status.success(), "promtool {args:?}: {}", String::from_utf8_lossy(&said));
}

#[test]
fn shipped_rules_are_sound() {
    promtool(&["check", "rules", "prometheus/flowdeck.rules.yml"]);
    promtool(&["test", "rules", "prometheus/flowdeck.rules.test.yml"]);
}

/// With the rules of the docs, read every second.
struct Prometheus {
    process: Process,
    url: String,
    _folder: tempfile::TempDir,
}

impl Prometheus {
    async fn scraping(address: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let config = folder.path().join("prometheus.yml");
        let text = format!(
            "global: {{ scrape_interval: 1s, evaluation_interval: 1s }}\n\
             rule_files: [{DOCS}/prometheus/flowdeck.rules.yml]\n\
             scrape_configs:\n  - job_name: flowdeck\n    static_configs: [{{ targets: [\"{address}\"] }}]\n"
        );
        std::fs::write(&config, text).unwrap();
        let mut program = Command::new(program("prometheus"));
        program.arg("--config.file").arg(&config).arg("--storage.tsdb.path").arg(folder.path().join("data"));
        program.arg("--web.listen-address=127.0.0.1:0");
        let process = Process::spawn(program);
        let address = wait_for("Prometheus listens", DEADLINE, async || {
            let log = process.log();
            let line = log.lines().find(|line| line.contains("msg=\"Listening on\""))?;
            Some(line.split("address=").nth(1)?.split_whitespace().next()?.to_owned())
        });
        let url = format!("http://{}", address.await);
        Self { process, url, _folder: folder }
    }

    /// What it answers at this moment: an error is a failure, nothing is `None`.
    async fn ask(&self, query: &str) -> Option<Vec<Value>> {
        let mut url = reqwest::Url::parse(&format!("{}/api/v1/query", self.url)).unwrap();
        url.query_pairs_mut().append_pair("query", query);
        let answer = reqwest::get(url).await.ok()?.json::<Value>().await.ok()?;
        // It starts: its storage is not there yet.
        if answer["errorType"] == "unavailable" {
            return None;
        }
        assert_eq!(answer["status"], "success", "{query}: {answer}");
        let found = answer["data"]["result"].as_array()?.clone();
        (!found.is_empty()).then_some(found)
    }

    /// Waits until the query has an answer.
    async fn answer(&self, query: &str) -> Vec<Value> {
        let what = format!("an answer to {query}");
        let answer = wait_for(&what, DEADLINE * 2, async || self.ask(query).await).await;
        assert!(!self.process.log().contains("level=error"), "{}", self.process.log());
        answer
    }
}

/// A group that is behind and has no members, one that is paused, and one that is caught up.
async fn prepare(kafka: &Kafka) -> (Server, Consumer) {
    kafka.create_topic("orders", 2).await;
    kafka.create_topic("kafkaflow.admin", 1).await;
    kafka.produce("orders", 0, ["a", "b", "c"]).await;
    kafka.commit("late", &[("orders", 0, 1), ("orders", 1, 0)]);
    kafka.commit("done", &[("orders", 0, 3), ("orders", 1, 0)]);
    let names = "[metrics]\nnames_of = [\"kminion\", \"kafka_exporter\"]\n";
    let server = Server::start(&format!("{names}{}", cluster("shop", "control", kafka.bootstrap()))).await;
    let agent = Consumer::start(kafka, "consume", "a", &["--group", "payments", "--topics", "orders"]);
    agent.wait_handled(3).await;
    server.group("shop", "payments", "the agent is heard", heard(1)).await;
    let id = new_id();
    let sent = server.send("/api/v1/clusters/shop/commands", &command(&id, "pause", "payments")).await;
    assert_eq!(sent.status, 202, "{}", sent.text);
    server.command("shop", &id, "paused", |view| view["state"] == "confirmed").await;
    server.group("shop", "payments", "paused", |view| view["verdict"] == "paused").await;
    (server, agent)
}

#[tokio::test(flavor = "multi_thread")]
async fn prometheus_answers_every_query_of_the_dashboard() {
    let kafka = private(&NodeOptions::default());
    let (mut server, _agent) = prepare(&kafka).await;
    let address = server.at("/metrics").replace("http://", "").replace("/metrics", "");
    let prometheus = Prometheus::scraping(&address).await;
    // The scrape is parsed, all of it.
    let up = prometheus.answer("up{job=\"flowdeck\"} == 1").await;
    assert_eq!(up.len(), 1, "{up:?}");

    let queries = dashboard();
    assert!(queries.len() > 15, "{queries:?}");
    for query in &queries {
        prometheus.answer(query).await;
    }
    // The numbers are those of the cluster.
    for (query, want) in [
        (r#"flowdeck_group_lag_records{cluster="shop",group="late"}"#, "2"),
        (r#"flowdeck_group_lag_records{cluster="shop",group="done"}"#, "0"),
        (r#"flowdeck_lag_records{group="late",topic="orders",partition="0"}"#, "2"),
        (r#"flowdeck_group_paused_partitions{group="payments"}"#, "2"),
        (r#"count(flowdeck_group_verdict{group="payments",verdict="paused"})"#, "1"),
        (r#"max(count by (cluster, group) (flowdeck_group_verdict))"#, "1"),
        (r#"flowdeck_brokers"#, "1"),
        (r#"kminion_kafka_consumer_group_topic_lag{group_id="late",topic_name="orders"}"#, "2"),
        (r#"kminion_kafka_topic_high_water_mark_sum{topic_name="orders"}"#, "3"),
        (r#"kafka_consumergroup_lag{consumergroup="late",topic="orders",partition="0"}"#, "2"),
        (r#"kafka_topic_partition_current_offset{topic="orders",partition="0"}"#, "3"),
        (r#"kafka_brokers"#, "1"),
        // An autoscaler sees the lag of what runs, and of nothing that is paused.
        (r#"flowdeck:group_lag_records:unpaused{group="late"}"#, "2"),
        (r#"count(flowdeck:group_lag_records:unpaused{group="payments"}) or vector(0)"#, "0"),
    ] {
        let found = prometheus.answer(query).await;
        assert_eq!((found.len(), found[0]["value"][1].as_str()), (1, Some(want)), "{query}: {found:?}");
    }
    server.assert_sound();
}

/// The queries of its panels and of its variables, as Grafana would send them.
fn dashboard() -> Vec<String> {
    let text = std::fs::read_to_string(format!("{DOCS}/grafana/flowdeck.json")).unwrap();
    let dashboard: Value = serde_json::from_str(&text).unwrap();
    let filled = |query: &str| {
        let query = query.replace("$cluster", ".*").replace("$group", ".*");
        let query = query.replace("$__rate_interval", "15s");
        assert!(!query.contains('$'), "{query}");
        query
    };
    let panels = dashboard["panels"].as_array().unwrap().iter();
    let targets = panels.flat_map(|panel| panel["targets"].as_array().unwrap());
    let mut queries: Vec<String> = targets.map(|one| filled(one["expr"].as_str().unwrap())).collect();
    for variable in dashboard["templating"]["list"].as_array().unwrap() {
        let Some(query) = variable["definition"].as_str() else { continue };
        let inner = query.strip_prefix("label_values(").and_then(|rest| rest.rsplit_once(", ")).unwrap();
        let label = inner.1.trim_end_matches(')');
        queries.push(filled(&format!("group by ({label}) ({})", inner.0)));
    }
    queries
}
