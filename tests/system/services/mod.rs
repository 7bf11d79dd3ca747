//! The four services as processes under their troubles: each trouble is told by the dashboard as what it is, and the
//! operator's way out works.

mod mounted;
mod operators;
mod poison;
mod soak;
mod verdicts;
mod ways_out;

use std::collections::BTreeMap;
use std::process::Command;
use std::time::Duration;

use flowdeck_model::url;
use flowdeck_testkit::{NodeOptions, PrivateKafka, private, wait_for};
use serde_json::{Value, json};

use crate::support::{Process, Server, cluster, fleets, new_id};

/// A service starts several consumers, one after the other.
const LIMIT: Duration = Duration::from_secs(90);
const COMMANDS: &str = "/api/v1/clusters/shop/commands";

/// Limits of verdicts that a test can wait for.
const VERDICTS: &str = r#"
[verdicts]
behind = "4s"
falling_behind = "4s"
stalled = "5s"
rebalances = 2
clear_after = "2s"
"#;

/// Services with the group that troubles are about.
const GROUPS: [(&str, &str); 4] = [
    ("novatune", "dev-deletion-processor"),
    ("custom-service", "audit-service"),
    ("convex", "convex-group"),
    ("momentum", "dev.sales-api"),
];

/// One Kafka, one dashboard, services under one supervisor.
struct Scene {
    kafka: PrivateKafka,
    server: Server,
    services: Process,
    /// Where each takes its commands.
    urls: BTreeMap<String, String>,
    client: reqwest::Client,
}

impl Scene {
    async fn start(names: &str) -> Self {
        let kafka = private(&NodeOptions::default());
        kafka.create_topic("kafkaflow.admin", 1).await;
        let config = cluster("shop", "control", kafka.bootstrap()) + "offsets_quiet = \"1s\"\n" + VERDICTS;
        let mut command = Command::new(fleets());
        command.args(["run", "--fleet", names, "--bootstrap", kafka.bootstrap()]);
        command.args(["--property", "session.timeout.ms=6000"]);
        // What fails is given up soon, and commits are seen soon.
        command.env("ConvexMessaging__RetryDelaySeconds", "1");
        command.env("ConvexMessaging__AutoCommitIntervalMs", "500");
        let services = Process::spawn(command);
        let server = Server::start(&config).await;
        let count = names.split(',').count();
        let urls = wait_for("the services", LIMIT, async || {
            let lines = services.out();
            let named = lines.iter().filter_map(|line| line.split_once(": "));
            let urls: BTreeMap<_, _> = named.map(|(name, url)| (name.to_owned(), url.to_owned())).collect();
            (urls.len() == count).then_some(urls)
        })
        .await;
        let scene = Self { kafka, server, services, urls, client: reqwest::Client::new() };
        for name in scene.urls.keys() {
            scene.verdict(name, "it works", |all| all == ["ok"]).await;
        }
        scene
    }

    fn group(&self, service: &str) -> &'static str {
        GROUPS.iter().find(|(name, _)| *name == service).expect("a service").1
    }

    async fn begin(&self, service: &str, trouble: &str) {
        let url = format!("{}/troubles/{trouble}", self.urls[service]);
        assert_eq!(self.client.post(url).send().await.expect("an answer").status(), 204);
    }

    /// A process that crashed has none any more, and may not be there.
    async fn end(&self, service: &str, trouble: &str) {
        let url = format!("{}/troubles/{trouble}", self.urls[service]);
        wait_for("the service's answer", LIMIT, async || {
            self.client.delete(&url).send().await.is_ok_and(|answer| answer.status() == 204).then_some(())
        })
        .await;
    }

    /// Once what applies to the service's group is as wanted.
    async fn verdict(&self, service: &str, what: &str, is: impl Fn(&[&str]) -> bool) -> Value {
        let what = format!("{service}: {what}");
        self.server.group("shop", self.group(service), &what, |view| is(&verdicts(view))).await
    }

    /// One of these applies.
    async fn told(&self, service: &str, any: &[&str]) -> Value {
        self.verdict(service, &format!("one of {any:?}"), |all| all.iter().any(|one| any.contains(one))).await
    }

    /// None of these applies any more.
    async fn over(&self, service: &str, any: &[&str]) -> Value {
        let what = format!("none of {any:?}");
        let none = |all: &[&str]| !all.is_empty() && !all.iter().any(|one| any.contains(one));
        self.verdict(service, &what, none).await
    }

    /// An operator's command, until it is confirmed.
    async fn command(&self, service: &str, consumer: Option<&str>, action: &str) -> Value {
        let id = new_id();
        let mut body = json!({ "id": id, "action": action, "reason": "INC-18" });
        body["target"] = json!({ "group": self.group(service), "consumer": consumer });
        self.confirmed(&id, &body).await
    }

    async fn confirmed(&self, id: &str, body: &Value) -> Value {
        let sent = self.server.send(COMMANDS, body).await;
        assert_eq!(sent.status, 202, "{body}: {}", sent.text);
        self.server.command("shop", id, "confirmed", |view| view["state"] == "confirmed").await
    }

    /// A view under the group's path.
    fn path(&self, service: &str, rest: &str) -> String {
        format!("/api/v1/clusters/shop/groups/{}{rest}", url::encode(self.group(service)))
    }

    async fn stop(mut self) {
        self.services.stop().await;
        self.server.assert_sound();
        let log = self.services.log();
        assert!(!log.contains("panicked"), "{log}");
    }
}

fn verdicts(view: &Value) -> Vec<&str> {
    let all = view["verdicts"].as_array().map(Vec::as_slice).unwrap_or_default();
    all.iter().filter_map(|one| one["verdict"].as_str()).collect()
}
