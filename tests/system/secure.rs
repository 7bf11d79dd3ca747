//! A second listener with SASL_SSL, SCRAM-SHA-256 and Kafka's own authorizer: with rights all of it works;
//! without, page, API and `--check` name the ACL that is missing.

use flowdeck_model::url;
use flowdeck_testkit::{NodeOptions, PrivateKafka, ScramUser, private};

use crate::support::{Consumer, Server, check, cluster, command, is_heard, new_id};

/// A cluster in the words of the configuration: this broker, as the user sees it.
pub(crate) fn cluster_of(name: &str, mode: &str, kafka: &PrivateKafka, user: &ScramUser) -> String {
    let properties = kafka.secure().client_properties(user);
    let (bootstrap, rest): (Vec<_>, Vec<_>) =
        properties.into_iter().partition(|(name, _)| name == "bootstrap.servers");
    let mut text = cluster(name, mode, &bootstrap[0].1);
    text += &format!("[clusters.{name}.properties]\n");
    for (name, value) in rest {
        text += &format!("{name:?} = {value:?}\n");
    }
    text
}

fn config(kafka: &PrivateKafka, user: &ScramUser, mode: &str) -> String {
    cluster_of("vault", mode, kafka, user)
}

fn users() -> [ScramUser; 3] {
    ["full", "some", "reader"].map(|name| ScramUser::new(name, &format!("{name} of the vault")))
}

async fn vault() -> PrivateKafka {
    let kafka = private(&NodeOptions { users: users().to_vec(), ..NodeOptions::default() });
    kafka.create_topic("orders", 2).await;
    kafka.create_topic("secrets", 1).await;
    kafka.create_topic("kafkaflow.admin", 1).await;
    kafka.produce("orders", 0, ["{\"total\":1}", "{\"total\":2}", "{\"total\":3}"]).await;
    kafka.produce("secrets", 0, ["the vault's own"]).await;
    kafka.commit("orders-readers", &[("orders", 0, 1)]);
    kafka
}

#[tokio::test(flavor = "multi_thread")]
async fn with_rights_lag_messages_and_a_pause_work_over_sasl_ssl() {
    let kafka = vault().await;
    let [full, ..] = users();
    kafka.allow("full", &["All"], &["--topic", "*"]);
    kafka.allow("full", &["Describe", "Read"], &["--group", "*"]);
    kafka.allow("full", &["All"], &["--transactional-id", "*"]);
    kafka.allow("full", &["Describe", "Create", "IdempotentWrite"], &["--cluster"]);
    let config = config(&kafka, &full, "control");
    let (good, said) = check(&config).await;
    assert!(good, "{said}");
    assert!(!said.contains("not permitted") && said.contains("SCRAM-SHA-256"), "{said}");
    assert!(!said.contains("of the vault"), "the password is hidden: {said}");

    let args = ["--group", "worker", "--topics", "orders", "--metadata-interval-ms", "500"];
    let agent = Consumer::start(&kafka, "consume", "w-1", &args);
    let mut server = Server::start(&config).await;
    let view = server.group("vault", "orders-readers", "its lag", |view| view["lag"] == 2).await;
    assert_eq!(view["clusterInfo"]["notes"].as_array().unwrap().len(), 0, "{view}");
    let peeked = server.api("/clusters/vault/topics/secrets/messages").await;
    assert_eq!(peeked["records"][0]["value"]["text"], "the vault's own");
    server.group("vault", "worker", "is heard", is_heard).await;
    agent.wait_handled(3).await;
    let id = new_id();
    let sent = server.send("/api/v1/clusters/vault/commands", &command(&id, "pause", "worker")).await;
    assert_eq!(sent.status, 202, "{}", sent.text);
    server.command("vault", &id, "confirmed", |view| view["state"] == "confirmed").await;
    kafka.produce("orders", 0, ["under the pause"]).await;
    server.group("vault", "worker", "the lag of the pause", |view| view["lag"] == 1).await;
    assert_eq!(agent.started().len(), 3);
    server.assert_sound();
    assert!(!server.process.log().contains("of the vault"), "no password in the log");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_rights_page_api_and_check_name_the_acl_that_is_missing() {
    let kafka = vault().await;
    let [_, some, reader] = users();
    // No Describe on the cluster, and one topic that may be seen but not read.
    kafka.allow("some", &["Describe", "Read"], &["--topic", "orders"]);
    kafka.allow("some", &["Describe"], &["--topic", "secrets"]);
    kafka.allow("some", &["Describe"], &["--group", "orders-readers"]);
    let cluster_acl = "Describe on Cluster:kafka-cluster";
    let text = config(&kafka, &some, "observe");
    let (_, said) = check(&text).await;
    assert!(said.contains(&format!("not permitted: {cluster_acl} is missing")), "{said}");
    let mut server = Server::start(&text).await;
    let view = server.group("vault", "orders-readers", "what may be seen", |view| view["lag"] == 2).await;
    assert_eq!(view["group"], "orders-readers");
    let noted = server.json_when("/api/v1/groups", "the note", |fleet| {
        fleet["clusters"][0]["notes"]
            .as_array()
            .unwrap()
            .iter()
            .any(|note| note.as_str().unwrap().contains(cluster_acl))
    });
    noted.await;
    assert!(server.get("").await.text.contains(cluster_acl), "the fleet page says it, too");
    assert_eq!(
        server.api("/clusters/vault/topics/orders/messages").await["records"][0]["value"]["kind"],
        "json"
    );
    let refused = server.get("/api/v1/clusters/vault/topics/secrets/messages").await;
    assert!(refused.text.contains("Read on Topic:secrets"), "{} {}", refused.status, refused.text);
    assert!(!refused.text.contains("vault's own"));
    let page = server.get("/c/vault/topics/secrets").await;
    assert!(page.text.contains("Read on Topic:secrets"), "{} {}", page.status, page.text);
    assert_eq!(server.get(&format!("/c/vault/topics/{}", url::encode("unseen"))).await.status, 404);
    server.assert_sound();

    // Control mode by one who may only read: it works but for commands, and says why.
    kafka.allow("reader", &["Describe", "Read"], &["--topic", "*"]);
    kafka.allow("reader", &["Describe", "Read"], &["--group", "*"]);
    kafka.allow("reader", &["Describe"], &["--cluster"]);
    kafka.create_topic_with("flowdeck.holds", 1, &[("cleanup.policy", "compact")]).await;
    kafka.create_topic("flowdeck.acks", 1).await;
    let agent = Consumer::start(&kafka, "consume", "w-1", &["--group", "worker", "--topics", "orders"]);
    agent.wait_handled(3).await;
    let text = config(&kafka, &reader, "control");
    let (_, said) = check(&text).await;
    assert!(said.contains("not permitted"), "what control mode lacks: {said}");
    let mut server = Server::start(&text).await;
    server.group("vault", "worker", "is heard", is_heard).await;
    let refused =
        server.send("/api/v1/clusters/vault/commands", &command(&new_id(), "pause", "worker")).await;
    assert_eq!(refused.status, 503, "{}", refused.text);
    let missing = "Write on TransactionalId:flowdeck.writer";
    assert!(refused.json()["detail"].as_str().unwrap().contains(missing), "{}", refused.text);
    kafka.allow("reader", &["Describe", "Write"], &["--transactional-id", "flowdeck.writer"]);
    let missing = "Write on Topic:flowdeck.holds";
    let refused =
        server.send("/api/v1/clusters/vault/commands", &command(&new_id(), "pause", "worker")).await;
    assert_eq!(refused.status, 503, "{}", refused.text);
    assert!(refused.json()["detail"].as_str().unwrap().contains(missing), "{}", refused.text);
    let fields = [("id", &*new_id()), ("action", "pause"), ("group", "worker"), ("reason", "INC-1")];
    let page = server.form("/c/vault/commands", &fields).await;
    assert!(page.text.contains("Nothing was done") && page.text.contains(missing), "{}", page.text);
    assert_eq!(kafka.read_all("flowdeck.holds"), [], "nothing was written");
    let peeked = server.api("/clusters/vault/topics/secrets/messages").await;
    assert_eq!(peeked["records"][0]["value"]["text"], "the vault's own");
    server.assert_sound();
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_password_is_reported() {
    let kafka = private(&NodeOptions { users: users().to_vec(), ..NodeOptions::default() });
    let wrong = ScramUser::new("full", "not it");
    let config = config(&kafka, &wrong, "control");
    let (good, said) = check(&config).await;
    assert!(!good && !said.contains("not it"), "{said}");
    let mut server = Server::start(&config).await;
    let refused = server.json_when("/api/v1/groups", "the refusal", |fleet| {
        let error = fleet["clusters"][0]["error"].as_str().unwrap_or_default();
        error.contains("refused the connection's credentials")
    });
    refused.await;
    assert_eq!(server.get("").await.status, 200);
    assert!(!server.process.log().contains("not it"));
    server.assert_sound();
}
