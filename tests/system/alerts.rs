//! Alerts by the real program: a group that stops is told to the receivers, and that it goes on.

use std::process::Command;
use std::time::Duration;

use flowdeck_testkit::{Hook, kafka, unique, wait_for};
use serde_json::Value;

use crate::support::{Consumer, Server, cluster, flowdeck};

/// A look every 5 s, and a finding that has to last.
const LIMIT: Duration = Duration::from_secs(90);

fn config(bootstrap: &str, group: &str, hook: &Hook, slack: &Hook) -> String {
    let (hook, slack) = (hook.url("/hook"), slack.url("/services/T0"));
    format!(
        r#"public_url = "https://ops.example"

[[labels]]
groups = "{group}"
team = "payments"

[[alerts]]
name = "on-call"
url = "{hook}"
groups = ["{group}"]
after = "1s"

[[alerts]]
name = "channel"
url = "{slack}"
format = "slack"
level = "warning"
clusters = ["shop"]
groups = ["{group}"]
after = "1s"

{}"#,
        cluster("shop", "observe", bootstrap)
    )
}

/// Of the group's alerts in messages that match.
async fn message(hook: &Hook, what: &str, is: impl Fn(&Value) -> bool) -> Value {
    wait_for(what, LIMIT, async || {
        let posts = hook.posts();
        posts.iter().map(|post| serde_json::from_str(&post.body).unwrap()).find(|body| is(body))
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_that_stops_is_told_and_that_it_goes_on() {
    let (kafka, hook, slack) = (kafka(), Hook::start(), Hook::start());
    let (group, topic) = (unique("alerts"), unique("alerts"));
    kafka.create_topic(&topic, 2).await;
    kafka.produce(&topic, 0, ["a", "b"]).await;
    let args = ["--group", &group, "--topics", &topic];
    let mut consumer = Consumer::start(kafka, "consume", "a", &args);
    consumer.wait_handled(2).await;
    slack.answers("500 Oh");
    let server = Server::start(&config(kafka.bootstrap(), &group, &hook, &slack)).await;
    server.group("shop", &group, "its member", |view| view["members"] == 1).await;

    consumer.stop().await;
    kafka.produce(&topic, 0, ["c", "d"]).await;
    let fires = message(&hook, "an alert", |body| body["status"] == "firing").await;
    let alert = &fires["alerts"][0];
    assert_eq!(
        (&alert["labels"]["group"], &alert["labels"]["team"]),
        (&group.as_str().into(), &"payments".into())
    );
    assert_eq!(alert["labels"]["severity"], "critical", "{alert:#}");
    let link = format!("https://ops.example/kafkaflow/c/shop/groups/{group}");
    assert_eq!(alert["generatorURL"], link.as_str());

    // One receiver that fails keeps nothing from the other, and is said.
    let health = server.json_when("/health", "the receiver that fails", |health| {
        health["checks"]["alerts"]["status"] == "degraded"
    });
    let health = health.await;
    let detail = health["checks"]["alerts"]["detail"].as_str().unwrap();
    assert!(
        detail.contains("channel") && !detail.contains("on-call") && !detail.contains("services"),
        "{detail}"
    );
    slack.answers("200 OK");
    let text = message(&slack, "a line", |body| body["text"].as_str().unwrap().contains("Critical")).await;
    assert!(text["text"].as_str().unwrap().contains(&format!("*{group}* on shop")), "{text}");
    server
        .json_when("/health", "all is well", |health| health["checks"]["alerts"]["status"] == "healthy")
        .await;

    let again = Consumer::start(kafka, "consume", "b", &args);
    again.wait_handled(2).await;
    let over = message(&hook, "its end", |body| body["status"] == "resolved").await;
    assert_eq!(over["alerts"][0]["labels"]["group"], group.as_str());
    let metrics = server.soon("/metrics").await.text;
    assert!(
        metrics.contains(r#"flowdeck_alert_messages_total{receiver="on-call",outcome="sent"}"#),
        "{metrics}"
    );
}

#[test]
fn receivers_are_tried_by_the_command_line() {
    let (hook, slack) = (Hook::start(), Hook::start());
    slack.answers("404 Gone");
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("flowdeck.toml"), config("127.0.0.1:9", "payments", &hook, &slack))
        .unwrap();
    let tried = |more: &[&str]| {
        let mut command = Command::new(flowdeck());
        command.arg("test-alerts").args(more).current_dir(folder.path());
        let out = command.output().unwrap();
        (out.status.success(), String::from_utf8_lossy(&out.stdout).into_owned())
    };
    let (good, said) = tried(&[]);
    assert!(
        !good && said.contains("on-call") && said.contains("taken") && said.contains("it answers 404"),
        "{said}"
    );
    assert!(!said.contains("services"), "{said}");
    assert!(tried(&["--receiver", "on-call"]).0);
    assert!(!tried(&["--receiver", "nobody"]).0);
    assert_eq!(hook.posts().len(), 4, "each time one that fires and its end");
}
