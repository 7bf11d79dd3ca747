//! The set for looking, and what each of its rights is for.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::support::{Server, check, is_heard};

use super::{Rights, Vault, user};

pub(super) async fn alone(vault: &Vault, view: &Rights) {
    let without = |operation, resource, name| vault.without(view, operation, resource, name);
    let missing = [
        ("no-cluster", without("Describe", "Cluster", "kafka-cluster")),
        ("no-group", without("Describe", "Group", "*")),
        ("no-expiry", without("DescribeConfigs", "Cluster", "kafka-cluster")),
        ("no-topic", without("Describe", "Topic", "*")),
        ("no-configs", without("DescribeConfigs", "Topic", "*")),
        ("no-admin", without("Read", "Topic", "kafkaflow.admin")),
    ];
    let mut config = vault.cluster("view", "observe", &user("flowdeck"));
    config.extend(missing.iter().map(|(name, user)| vault.cluster(name, "observe", user)));
    config += &vault.cluster("may-not-create", "control", &vault.with(&view.rules));
    let mut server = Server::start(&config).await;
    enough(&server).await;
    // The exact time lag of the group that was looked at is in its records, which is for who may peek.
    let records = vault.kafka.denied("flowdeck").into_iter().filter(|what| is_read_of(what, "orders"));
    vault.assert_refused_no_more_than(&records.collect::<BTreeSet<_>>(), "flowdeck");
    peek_wants_more(&server).await;
    let denied = vault.kafka.denied("flowdeck");
    assert!(denied.iter().any(|what| is_read_of(what, "orders")), "{denied:?}");
    lacking(&server).await;
    server.assert_sound();
    checked(&config).await;
}

fn is_read_of(denied: &str, topic: &str) -> bool {
    denied.contains("operation = READ ") && denied.contains(&format!("Topic:LITERAL:{topic} "))
}

/// Groups, lag, members, instances, topics with their settings.
async fn enough(server: &Server) {
    let shipping = server.group("view", "shipping", "its lag", |view| view["lag"] == 2).await;
    assert_eq!(shipping["clusterInfo"]["notes"], Value::Array(vec![]));
    let payments = server.group("view", "payments", "its instance", is_heard).await;
    assert_eq!(payments["consumers"][0]["instances"][0]["holds"], "absent", "{payments}");
    server.group("view", "payments", "its lag", |view| view["lag"] == 0).await;
    let orders = server.api("/clusters/view/topics/orders").await;
    assert!(!orders["config"].as_array().unwrap().is_empty(), "{orders}");
    assert_eq!(orders["notes"], Value::Array(vec![]), "{orders}");
}

async fn peek_wants_more(server: &Server) {
    let missing = "Read on Topic:orders";
    let refused = server.get("/api/v1/clusters/view/topics/orders/messages").await;
    assert!(refused.text.contains(missing) && !refused.text.contains("total"), "{}", refused.text);
    let page = server.get("/c/view/topics/orders").await;
    assert!(page.text.contains(missing) && !page.text.contains("total"), "{}", page.text);
}

/// The words of the document's last column, one right after the other.
async fn lacking(server: &Server) {
    noted(server, "no-cluster", "Describe on Cluster:kafka-cluster").await;
    server.group("no-cluster", "shipping", "what may be described", |view| view["lag"] == 2).await;

    let shipping = server.group("no-group", "shipping", "is listed", |_| true).await;
    assert!(shipping["lag"].is_null(), "{shipping}");
    let page = server.get("/c/no-group/groups/shipping").await.text;
    assert!(page.contains("Describe on Group:shipping"), "{page}");

    let expiry = "DescribeConfigs on Cluster:kafka-cluster";
    let said = |view: &Value| view["facts"].to_string().contains(expiry);
    server.group("no-expiry", "shipping", "that its expiry is not known", said).await;

    server.refreshed("no-topic").await;
    let topics = server.api("/clusters/no-topic/topics").await.to_string();
    assert!(topics.contains("kafkaflow.admin") && !topics.contains("orders"), "{topics}");
    let reader = |view: &Value| view["partitions"][0]["unknown"] == "notPermitted";
    let payments = server.group("no-topic", "payments", "is not permitted", reader).await;
    assert!(payments["lag"].is_null(), "{payments}");
    let shipping = server.group("no-topic", "shipping", "is there", |_| true).await;
    assert_eq!(shipping["partitions"], Value::Array(vec![]), "{shipping}");

    server.refreshed("no-configs").await;
    let orders = server.api("/clusters/no-configs/topics/orders").await;
    assert_eq!(orders["config"], Value::Array(vec![]), "{orders}");
    let page = server.get("/c/no-configs/topics/orders").await.text;
    assert!(page.contains("DescribeConfigs on Topic:orders"), "{page}");

    noted(server, "no-admin", "Read on Topic:kafkaflow.admin").await;
    let payments = server.group("no-admin", "payments", "its lag", |view| view["lag"] == 0).await;
    assert_eq!(payments["consumers"], Value::Array(vec![]), "{payments}");

    noted(server, "may-not-create", "Create on Topic:flowdeck.holds").await;
}

/// A note of the cluster, by the API and on the page of the groups.
pub(super) async fn noted(server: &Server, cluster: &str, acl: &str) {
    let has = |fleet: &Value| {
        let mut clusters = fleet["clusters"].as_array().unwrap().iter();
        clusters.any(|one| one["name"] == cluster && one["notes"].to_string().contains(acl))
    };
    server.json_when("/api/v1/groups", &format!("{cluster}: {acl}"), has).await;
    let page = server.get("").await.text;
    // Each cluster has a box of its own, with its label in the summary.
    let notes_it = |(summary, list): (&str, &str)| {
        let list = list.split("</details>").next().unwrap_or_default();
        summary.contains(&format!(">{cluster}<")) && list.contains(acl)
    };
    let mut boxes = page.split("<details").filter_map(|part| part.split_once("</summary>"));
    assert!(boxes.any(notes_it), "the fleet page says it of {cluster}, too: {page}");
}

/// What `--check` says of one cluster.
fn of<'a>(said: &'a str, cluster: &str) -> &'a str {
    let (_, rest) = said.split_once(&format!("\ncluster {cluster} at ")).expect("the cluster");
    rest.split("\ncluster ").next().unwrap()
}

async fn checked(config: &str) {
    let (good, said) = check(config).await;
    assert!(good, "{said}");
    let refused = of(&said, "view").lines().filter(|line| line.contains("not permitted"));
    let refused: Vec<_> =
        refused.map(|line| line.split("  ").find(|word| !word.is_empty()).unwrap()).collect();
    assert_eq!(refused, ["create topics", "follow commits"], "what nothing here needs: {said}");
    for (cluster, row, acl) in [
        ("no-cluster", "list groups", "Describe on Cluster:kafka-cluster"),
        ("no-group", "describe groups", "Describe on Group:"),
        ("no-group", "read committed offsets", "Describe on Group:"),
    ] {
        let found = of(&said, cluster).lines().any(|line| line.contains(row) && line.contains(acl));
        assert!(found, "{cluster}, {row}: {acl}: {said}");
    }
}
