//! SIGKILL of the server, also in the middle of a command: the next start trips over nothing, says truthfully
//! what became of the command, and the next pause works.

use std::time::Duration;

use flowdeck_testkit::{DEADLINE, Kafka, Network, NodeOptions, Proxy, port, private, wait_for};
use serde_json::Value;

use crate::support::{Consumer, Server, cluster, command, heard, new_id, settled};

const COMMANDS: &str = "/api/v1/clusters/shop/commands";

fn agent(kafka: &Kafka) -> Consumer {
    let args = ["--group", "payments", "--topics", "orders", "--workers", "2", "--buffer", "20"];
    let more = ["--handle-ms", "20", "--metadata-interval-ms", "500"];
    Consumer::start(kafka, "consume", "a", &[&args[..], &more[..]].concat())
}

/// Holds in force, as the topic has them: the newest record of each key.
fn active_holds(kafka: &Kafka) -> Vec<String> {
    let mut keys = std::collections::BTreeMap::new();
    for record in kafka.read_all("flowdeck.holds") {
        keys.insert(record.key, record.value);
    }
    let active = keys.into_iter().filter(|(_, value)| value.is_some());
    active.map(|(key, _)| String::from_utf8_lossy(&key.unwrap_or_default()).into_owned()).collect()
}

/// Submits and waits for its confirmation; one that is in force already is as good.
async fn confirmed(server: &Server, action: &str) {
    let answer = server.send(COMMANDS, &command(&new_id(), action, "payments")).await;
    assert_eq!(answer.status, 202, "{}", answer.text);
    let id = answer.json()["id"].as_str().unwrap().to_owned();
    let good = |view: &Value| ["confirmed", "restored"].contains(&view["state"].as_str().unwrap());
    server.command("shop", &id, &format!("{action} confirmed"), good).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn server_killed_during_a_pause_reports_the_truth_after_restart() {
    let proxy = Proxy::start().await;
    let kafka = private(&NodeOptions { behind: Some(proxy.port()), ..NodeOptions::default() });
    proxy.to(kafka.proxied());
    kafka.create_topic("orders", 2).await;
    kafka.create_topic("kafkaflow.admin", 1).await;
    let config = cluster("shop", "control", &proxy.bootstrap());
    // The same port each time: a connection that was open at the kill must not keep it.
    let listen = format!("127.0.0.1:{}", port::free(1).unwrap()[0]);
    let agent = agent(&kafka);
    let mut server = Server::start_at(&config, &listen).await;
    server.group("shop", "payments", "the agent is heard", heard(1)).await;
    confirmed(&server, "pause").await;
    confirmed(&server, "resume").await;

    // Killed so many milliseconds after the pause was asked for; then the same while the network stalls.
    let rounds = [(0, false), (4, false), (12, false), (40, false), (150, false), (30, true), (400, true)];
    for (number, (wait, stalls)) in rounds.into_iter().enumerate() {
        let (mut held, id) = (active_holds(&kafka).len(), new_id());
        assert_eq!(held, 0, "round {number} begins with nothing held");
        if stalls {
            proxy.set(Network::Stall);
        }
        let _stream = server.stream("view=fleet").await;
        let pid = server.process.pid().to_string();
        let (body, kill) = (command(&id, "pause", "payments"), async {
            tokio::time::sleep(Duration::from_millis(wait)).await;
            let sent = std::process::Command::new("kill").args(["-KILL", &pid]).status().unwrap();
            assert!(sent.success());
        });
        let (answer, ()) = tokio::join!(server.try_send(COMMANDS, &body), kill);
        server.process.kill();
        drop(server);
        proxy.set(Network::Pass);

        server = Server::start_at(&config, &listen).await;
        server.group("shop", "payments", "the agent is heard", heard(1)).await;
        let path = format!("/api/v1/clusters/shop/commands/{id}");
        // What reached the audit is carried out by who leads next; what did not, never was.
        let found = wait_for("what became of it", DEADLINE, async || {
            let found = server.get(&path).await;
            (found.status == 404 || settled(&found.json())).then_some(found)
        })
        .await;
        held = active_holds(&kafka).len();
        println!(
            "round {number}: {wait} ms, stalled {stalls}: answer {answer:?}, {held} holds, then {}",
            found.status
        );
        if found.status == 404 {
            assert!(found.text.contains("not in flowdeck.audit"), "{}", found.text);
            let view = server.api("/clusters/shop/groups/payments").await;
            assert!(held == 0 && view["verdict"] != "paused", "{held} holds: {view}");
        } else {
            let view = found.json();
            assert_eq!((view["action"].as_str(), view["reason"].as_str()), (Some("pause"), Some("INC-1")));
            let (in_force, told) = (held == 1, view["state"] == "confirmed");
            assert_eq!(in_force, told, "{held} holds, and it is said to be {}", view["state"]);
        }
        assert!(answer != Some(202) || held == 1, "accepted, and gone");
        confirmed(&server, "pause").await;
        assert_eq!(active_holds(&kafka).len(), 1);
        let (before, count) = (agent.started().len(), 5);
        kafka.produce_at("orders", (0..count).map(|n| (n % 2, n.to_string()))).await;
        tokio::time::sleep(Duration::from_millis(500)).await;
        assert_eq!(agent.started().len(), before, "a handler began under the pause");
        confirmed(&server, "resume").await;
        agent.wait_handled(before + count as usize).await;
    }
    server.assert_sound();
}
