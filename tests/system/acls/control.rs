//! The sets for messages and for control, and what each of their rights is for.

use std::time::Duration;

use flowdeck_testkit::{DEADLINE, Rule, wait_for};
use serde_json::{Value, json};

use crate::support::{Server, command, is_heard, new_id, settled};

use super::view::noted;
use super::{Rights, Vault, user};

/// A minute, and what a machine that has much to do adds to it.
const FIRST_MINUTE: Duration = Duration::from_secs(180);

pub(super) const COMMANDS: &str = "/api/v1/clusters/full/commands";

fn commands(cluster: &str) -> String {
    format!("/api/v1/clusters/{cluster}/commands")
}

/// A server each, one after the other: of several that take part in the election one alone writes.
pub(super) async fn lacking(vault: &Vault, rights: &Rights) {
    nothing_is_written(vault, rights).await;
    audit_is_not_written(vault, rights).await;
    no_acks_are_heard(vault, rights).await;
    kafkaflow_is_not_told(vault, rights).await;
}

async fn nothing_is_written(vault: &Vault, rights: &Rights) {
    let missing = [
        ("no-election", Rule::new("Read", "Group", "flowdeck.writer")),
        ("no-id", Rule::new("Write", "TransactionalId", "flowdeck.writer")),
        ("no-write", Rule::new("Write", "Topic", "flowdeck.holds")),
        ("no-holds", Rule::new("Read", "Topic", "flowdeck.holds")),
    ];
    for (cluster, rule) in &missing {
        let user = vault.without(rights, rule.operation, rule.resource, &rule.name);
        let mut server = Server::start(&vault.cluster(cluster, "control", &user)).await;
        refused(&server, cluster, &rule.to_string()).await;
        if ["no-election", "no-holds"].contains(cluster) {
            noted(&server, cluster, &rule.to_string()).await;
        }
        server.assert_sound();
        // In good order, so that the audit has the refusals: the next leader carries out what was requested just before.
        server.process.stop().await;
    }
    assert_eq!(vault.kafka.read_all("flowdeck.holds"), [], "nothing was written");
}

/// A pause needs no audit; that it is missing is said.
async fn audit_is_not_written(vault: &Vault, rights: &Rights) {
    for (cluster, operation) in [("no-audit-write", "Write"), ("no-audit-read", "Read")] {
        let user = vault.without(rights, operation, "Topic", "flowdeck.audit");
        let mut server = Server::start(&vault.cluster(cluster, "control", &user)).await;
        server.group(cluster, "payments", "is heard", is_heard).await;
        for action in ["pause", "resume"] {
            let id = new_id();
            let sent = server.send(&commands(cluster), &command(&id, action, "payments")).await;
            assert_eq!(sent.status, 202, "{cluster}: {}", sent.text);
            let view = server.command(cluster, &id, "its end", settled).await;
            assert_eq!(view["state"], "confirmed", "{cluster}: {view}");
        }
        noted(&server, cluster, &format!("{operation} on Topic:flowdeck.audit")).await;
        server.assert_sound();
    }
}

/// The first minute is written once it is over.
pub(super) async fn history_is_not_kept(vault: &Vault, rights: &Rights) {
    for (cluster, operation) in [("no-samples-read", "Read"), ("no-samples-write", "Write")] {
        let user = vault.without(rights, operation, "Topic", "flowdeck.samples");
        let mut server = Server::start(&vault.cluster(cluster, "control", &user)).await;
        let acl = format!("{operation} on Topic:flowdeck.samples");
        let says = async || server.says(cluster).await["notes"].to_string().contains(&acl).then_some(());
        wait_for(&acl, FIRST_MINUTE, says).await;
        noted(&server, cluster, &acl).await;
        server.assert_sound();
    }
}

async fn no_acks_are_heard(vault: &Vault, rights: &Rights) {
    let user = vault.without(rights, "Read", "Topic", "flowdeck.acks");
    let mut server = Server::start(&vault.cluster("no-acks", "control", &user)).await;
    noted(&server, "no-acks", "Read on Topic:flowdeck.acks").await;
    server.group("no-acks", "payments", "is heard", is_heard).await;
    let id = new_id();
    let sent = server.send(&commands("no-acks"), &command(&id, "pause", "payments")).await;
    assert_eq!(sent.status, 202, "{}", sent.text);
    let view = server.command("no-acks", &id, "its end", settled).await;
    assert_eq!(view["instances"][0]["state"], "noResponse", "{view}");

    // The right is taken away while it works: what it knew may be true no more.
    let read = Rule::new("Read", "Topic", "flowdeck.holds");
    vault.kafka.revoke(&user.name, &read);
    noted(&server, "no-acks", &read.to_string()).await;
    let holds = vault.kafka.read_all("flowdeck.holds");
    assert_ne!(holds, [], "the pause");
    refused(&server, "no-acks", &read.to_string()).await;
    assert_eq!(vault.kafka.read_all("flowdeck.holds"), holds, "nothing more was written");
    server.assert_sound();
}

async fn kafkaflow_is_not_told(vault: &Vault, rights: &Rights) {
    let user = vault.without(rights, "Write", "Topic", "kafkaflow.admin");
    let mut server = Server::start(&vault.cluster("no-admin-write", "control", &user)).await;
    server.group("no-admin-write", "billing", "is heard", is_heard).await;
    let id = new_id();
    let sent = server.send(&commands("no-admin-write"), &command(&id, "pause", "billing")).await;
    assert_eq!(sent.status, 202, "{}", sent.text);
    let view = server.command("no-admin-write", &id, "is there", |_| true).await;
    assert!(view["notes"].to_string().contains("Write on Topic:kafkaflow.admin"), "{view}");
    server.assert_sound();
}

/// A topic's retention is raised and put back; without its right nothing is raised, and it is named.
pub(super) async fn retention(vault: &Vault, rights: &Rights) {
    let lacking = vault.without(rights, "AlterConfigs", "Topic", "orders");
    let mut server = Server::start(&vault.cluster("no-alter", "control", &lacking)).await;
    let path = raise(&server, "no-alter").await;
    let says = |view: &Value| view.to_string().contains("AlterConfigs on Topic:orders");
    let view = server.json_when(&path, "the missing right is named", says).await;
    assert_ne!(view["state"], "raised", "{view}");
    server.assert_sound();
    server.process.stop().await;

    let mut server = Server::start(&vault.cluster("full", "control", &user(rights.of))).await;
    let path = raise(&server, "full").await;
    server.json_when(&path, "it is raised", |view| view["state"] == "raised").await;
    let ended = server.send(&format!("{path}/end"), &json!({})).await;
    assert_eq!(ended.status, 200, "{}", ended.text);
    server.json_when(&path, "it is put back", |view| view["state"] == "putBack").await;
    server.assert_sound();
    server.process.stop().await;
}

/// Where the raised retention of the topic is told of.
async fn raise(server: &Server, cluster: &str) -> String {
    let path = format!("/api/v1/clusters/{cluster}/topics/orders/retention");
    let query = json!({ "forSeconds": 3_600 });
    let preview = server.json_by(&format!("{path}/preview"), &query, "a preview", |_| true).await;
    let (mut body, id) = (preview["request"].clone(), new_id());
    (body["id"], body["reason"]) = (json!(id), json!("INC-1"));
    let taken = async || (server.send(&path, &body).await.status == 202).then_some(());
    wait_for("it is taken", DEADLINE, taken).await;
    format!("/api/v1/clusters/{cluster}/retentions/{id}")
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
pub(super) async fn complete(vault: &Vault) -> Server {
    let known = vault.kafka.denied("flowdeck");
    let server = Server::start(&vault.cluster("full", "control", &user("flowdeck"))).await;
    server.refreshed("full").await;
    let messages = server.api("/clusters/full/topics/orders/messages").await;
    let there = vault.kafka.read_all("orders").len();
    assert_eq!(messages["records"].as_array().unwrap().len(), there, "{messages}");
    for (group, actions) in [("payments", &["pause", "resume"][..]), ("billing", &["pause"])] {
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

/// The topics are not there, and Flowdeck makes them: those that it may, or all.
pub(super) async fn creating(vault: &Vault, rights: &Rights) {
    const OWN: [&str; 4] = ["flowdeck.holds", "flowdeck.acks", "flowdeck.audit", "flowdeck.samples"];
    for missing in OWN {
        let user = vault.without(rights, "Create", "Topic", missing);
        let mut server = Server::start(&vault.cluster("no-create", "control", &user)).await;
        noted(&server, "no-create", &format!("Create on Topic:{missing}")).await;
        server.assert_sound();
        drop(server);
        let topics = vault.kafka.topics();
        let made: Vec<_> = OWN.into_iter().filter(|own| topics.iter().any(|(name, _)| name == own)).collect();
        assert_eq!(made, OWN.into_iter().filter(|own| *own != missing).collect::<Vec<_>>(), "{topics:?}");
        for topic in made {
            vault.kafka.delete_topic(topic).await;
        }
    }
    let mut server = Server::start(&vault.cluster("full", "control", &user("flowdeck"))).await;
    let has = |view: &Value| {
        let topics = view["topics"].to_string();
        OWN.iter().all(|own| topics.contains(own))
    };
    server.json_when("/api/v1/clusters/full/topics", "the four topics", has).await;
    let holds = server.api("/clusters/full/topics/flowdeck.holds").await;
    assert!(holds["config"].to_string().contains("compact"), "{holds}");
    assert_eq!(holds["partitions"].as_array().unwrap().len(), 1, "{holds}");
    server.assert_sound();
}
