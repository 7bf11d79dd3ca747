//! The audit's line of a command: who asked for what, at any level of the log, before anything is sent.

use std::time::Duration;

use flowdeck_testkit::{DEADLINE, Network, NodeOptions, Proxy, private, wait_for};
use serde_json::Value;

use crate::support::{Consumer, Server, cluster, command, heard, new_id};

const COMMANDS: &str = "/api/v1/clusters/shop/commands";
/// A record that is not stalled is on the topic within some milliseconds.
const WATCH: Duration = Duration::from_millis(500);

/// The audit's fields of a command, once they are there.
async fn line(server: &Server, id: &str) -> Value {
    wait_for("the command's line", DEADLINE, async || {
        let log = server.process.log();
        let lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let mut lines = lines.filter(|line| line["target"] == "audit" && line["fields"]["command.id"] == id);
        lines.next().map(|line| line["fields"].clone())
    })
    .await
}

/// The network is stalled, so nothing can have been sent when the line is there.
#[tokio::test(flavor = "multi_thread")]
async fn the_audit_names_a_commands_actor_before_anything_is_sent() {
    let proxy = Proxy::start().await;
    let kafka = private(&NodeOptions { behind: Some(proxy.port()), ..NodeOptions::default() });
    proxy.to(kafka.proxied());
    kafka.create_topic("orders", 1).await;
    kafka.create_topic("kafkaflow.admin", 1).await;
    let (token, hash) = flowdeck::auth::new_token();
    let who = format!("name = \"night-shift\"\nhash = {hash:?}\nroles = [\"operator\"]\n");
    let config =
        "[log]\nlevel = \"warn\"\nformat = \"json\"\n[auth]\nmode = \"local\"\n[[auth.tokens]]\n".to_owned();
    let config = config + &who + &cluster("shop", "control", &proxy.bootstrap());
    let mut server = Server::start(&config).await.signed(&token);
    let args = ["--group", "payments", "--topics", "orders", "--metadata-interval-ms", "500"];
    let _agent = Consumer::start(&kafka, "consume", "a", &args);
    server.group("shop", "payments", "the agent is heard", heard(1)).await;
    // The writer is at work: from here on a record takes no preparation.
    let first = new_id();
    let sent = server.send(COMMANDS, &command(&first, "pause", "payments")).await;
    assert_eq!(sent.status, 202, "{}", sent.text);
    server.command("shop", &first, "confirmed", |view| view["state"] == "confirmed").await;
    let records = kafka.read_all("flowdeck.holds").len();

    proxy.set(Network::Stall);
    let (second, begun) = (new_id(), std::time::Instant::now());
    let body = command(&second, "resume", "payments");
    let stalled = async {
        let said = line(&server, &second).await;
        let after = begun.elapsed();
        tokio::time::sleep(WATCH).await;
        assert_eq!(kafka.read_all("flowdeck.holds").len(), records, "it was sent through a stalled network");
        proxy.set(Network::Pass);
        (said, after)
    };
    let (sent, (said, after)) = tokio::join!(server.send(COMMANDS, &body), stalled);
    assert_eq!(sent.status, 202, "{}", sent.text);
    assert!(after < sent.took, "the line after {after:?}, the answer after {:?}", sent.took);
    for (field, want) in [
        ("actor.name", "night-shift"),
        ("actor.kind", "Token"),
        ("actor.via", "Api"),
        ("actor.address", "127.0.0.1"),
        ("cluster", "shop"),
        ("command.target", "payments"),
        ("command.reason", "INC-1"),
    ] {
        assert!(said[field].as_str().unwrap_or_default().contains(want), "{field}: {said}");
    }
    wait_for("the record", DEADLINE, async || {
        (kafka.read_all("flowdeck.holds").len() > records).then_some(())
    })
    .await;
    assert!(!server.process.log().contains(&token), "no token in the log");
    server.assert_sound();
}
