//! The sets for messages and for control, and what each of their rights is for.

use std::collections::BTreeSet;

use flowdeck_testkit::Rule;
use serde_json::Value;

use crate::support::{Server, command, is_heard, new_id, settled};

use super::view::noted;
use super::{Vault, user};

pub(super) const COMMANDS: &str = "/api/v1/clusters/full/commands";

fn commands(cluster: &str) -> String {
    format!("/api/v1/clusters/{cluster}/commands")
}

/// Each refuses and writes nothing, but the last two, which can write and cannot go on from there.
pub(super) async fn lacking(vault: &Vault, rules: &BTreeSet<Rule>) {
    let kafka = &vault.kafka;
    let without = |operation, resource, name| vault.without(rules, operation, resource, name);
    let clusters = [
        ("no-id", without("Write", "TransactionalId", "flowdeck.writer")),
        ("no-write", without("Write", "Topic", "flowdeck.holds")),
        ("no-holds", without("Read", "Topic", "flowdeck.holds")),
        ("no-acks", without("Read", "Topic", "flowdeck.acks")),
        ("no-admin-write", without("Write", "Topic", "kafkaflow.admin")),
    ];
    let config: String = clusters.iter().map(|(name, user)| vault.cluster(name, "control", user)).collect();
    let mut server = Server::start(&config).await;
    for (cluster, acl) in [
        ("no-id", "Write on TransactionalId:flowdeck.writer"),
        ("no-write", "Write on Topic:flowdeck.holds"),
        ("no-holds", "Read on Topic:flowdeck.holds"),
    ] {
        refused(&server, cluster, acl).await;
    }
    noted(&server, "no-holds", "Read on Topic:flowdeck.holds").await;
    assert_eq!(kafka.read_all("flowdeck.holds"), [], "nothing was written");

    no_acks_are_heard(&server).await;
    kafkaflow_is_not_told(&server).await;
    // The right is taken away while it works: what it knew may be true no more.
    let read = Rule::new("Read", "Topic", "flowdeck.holds");
    kafka.revoke(&clusters[3].1.name, &read);
    noted(&server, "no-acks", &read.to_string()).await;
    refused(&server, "no-acks", &read.to_string()).await;
    server.assert_sound();
}

async fn no_acks_are_heard(server: &Server) {
    noted(server, "no-acks", "Read on Topic:flowdeck.acks").await;
    server.group("no-acks", "payments", "is heard", is_heard).await;
    let id = new_id();
    let sent = server.send(&commands("no-acks"), &command(&id, "pause", "payments")).await;
    assert_eq!(sent.status, 202, "{}", sent.text);
    let view = server.command("no-acks", &id, "its end", settled).await;
    assert_eq!(view["instances"][0]["state"], "silent", "{view}");
}

async fn kafkaflow_is_not_told(server: &Server) {
    server.group("no-admin-write", "billing", "is heard", is_heard).await;
    let id = new_id();
    let sent = server.send(&commands("no-admin-write"), &command(&id, "pause", "billing")).await;
    assert_eq!(sent.status, 202, "{}", sent.text);
    let view = server.command("no-admin-write", &id, "is there", |_| true).await;
    assert!(view["notes"].to_string().contains("Write on Topic:kafkaflow.admin"), "{view}");
}

async fn refused(server: &Server, cluster: &str, acl: &str) {
    server.group(cluster, "payments", "is heard", is_heard).await;
    let refused = server.send(&commands(cluster), &command(&new_id(), "pause", "payments")).await;
    assert_eq!(refused.status, 503, "{cluster}: {}", refused.text);
    assert!(refused.json()["detail"].as_str().unwrap().contains(acl), "{cluster}: {}", refused.text);
    let fields = [("id", &*new_id()), ("action", "pause"), ("group", "payments"), ("reason", "INC-1")];
    let page = server.form(&format!("/c/{cluster}/commands"), &fields).await.text;
    assert!(page.contains("Nothing was done") && page.contains(acl), "{cluster}: {page}");
}

/// All of view, peek and control, in control mode: the broker refuses none of it.
pub(super) async fn complete(vault: &Vault, peek: &BTreeSet<Rule>) -> Server {
    assert_eq!(peek.len(), 1, "{peek:?}");
    let known = vault.kafka.denied("flowdeck");
    let server = Server::start(&vault.cluster("full", "control", &user("flowdeck"))).await;
    server.refreshed("full").await;
    let messages = server.api("/clusters/full/topics/orders/messages").await;
    assert_eq!(messages["records"].as_array().unwrap().len(), 12, "{messages}");
    // Both stand paused: their holds were written above.
    for (group, actions) in
        [("payments", &["resume", "pause", "resume"][..]), ("billing", &["resume", "pause"])]
    {
        server.group("full", group, "is heard", is_heard).await;
        for action in actions {
            let id = new_id();
            let sent = server.send(COMMANDS, &command(&id, action, group)).await;
            assert_eq!(sent.status, 202, "{}", sent.text);
            let view = server.command("full", &id, "its end", settled).await;
            assert_eq!(view["state"], "confirmed", "{view}");
        }
    }
    let notes = server.says("full").await["notes"].clone();
    assert_eq!(notes, Value::Array(vec![]));
    vault.assert_refused_no_more_than(&known, "flowdeck");
    server
}

/// The topics are not there, and Flowdeck makes them.
pub(super) async fn creating(vault: &Vault) {
    let mut server = Server::start(&vault.cluster("full", "control", &user("flowdeck"))).await;
    let has = |view: &Value| {
        let topics = view["topics"].to_string();
        topics.contains("flowdeck.holds") && topics.contains("flowdeck.acks")
    };
    server.json_when("/api/v1/clusters/full/topics", "the two topics", has).await;
    let holds = server.api("/clusters/full/topics/flowdeck.holds").await;
    assert!(holds["config"].to_string().contains("compact"), "{holds}");
    assert_eq!(holds["partitions"].as_array().unwrap().len(), 1, "{holds}");
    server.assert_sound();
}
