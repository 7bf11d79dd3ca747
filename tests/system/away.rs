//! A broker that is away at the start, comes, dies and comes back; and one that accepts and never answers. Pages
//! answer at once with the age of what they show, and nobody restarts Flowdeck.

use std::net::TcpListener;
use std::time::Duration;

use flowdeck_testkit::{NodeOptions, port, private};
use serde_json::Value;

use crate::figures::processor;
use crate::support::{Server, cluster};

const WATCHED: Duration = Duration::from_secs(5);

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_comes_later_dies_and_comes_back_needs_no_restart_of_flowdeck() {
    let port = port::free(1).unwrap()[0];
    let mut server = Server::start(&cluster("late", "observe", &format!("127.0.0.1:{port}"))).await;
    for path in ["", "/api/v1/groups", "/c/late/topics", "/health/live"] {
        let answer = server.soon(path).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.text);
    }
    let first = server
        .json_when("/api/v1/groups", "an error in words", |fleet| !fleet["clusters"][0]["error"].is_null());
    let first = first.await;
    assert_eq!((&first["partial"], &first["clusters"][0]["asOf"]), (&Value::Bool(true), &Value::Null));
    let words = first["clusters"][0]["error"].as_str().unwrap().to_owned();
    let page = server.soon("").await.text;
    assert!(page.contains("does not respond") && page.contains("No response from Kafka yet"), "{page}");
    assert!(words.contains("no broker can be reached") || words.contains("no answer in time"), "{words}");
    assert_eq!(
        server.soon("/c/late/groups/orders-readers").await.status,
        503,
        "nobody knows whether it is there"
    );
    server.json_when("/health/ready", "ready without Kafka", |health| health["status"] == "degraded").await;
    assert_eq!(server.soon("/health/ready?strict").await.status, 503);

    let mut kafka = private(&NodeOptions { port: Some(port), ..NodeOptions::default() });
    kafka.create_topic("orders", 1).await;
    kafka.produce("orders", 0, ["a", "b", "c"]).await;
    kafka.commit("orders-readers", &[("orders", 0, 1)]);
    let fresh = |view: &Value| view["lag"] == 2 && view["clusterInfo"]["error"].is_null();
    server.group("late", "orders-readers", "seen once the broker is there", fresh).await;
    assert_eq!(server.soon("/health/ready?strict").await.status, 200);

    kafka.kill();
    let gone = |view: &Value| !view["clusterInfo"]["error"].is_null();
    let view = server.group("late", "orders-readers", "the error once it is gone", gone).await;
    assert_eq!(view["lag"], 2, "what was known is still shown");
    let stamp = view["asOf"].clone();
    assert!(stamp.is_string());
    for path in ["", "/c/late/groups/orders-readers", "/c/late/topics", "/c/late/topics/orders"] {
        let answer = server.soon(path).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.text);
    }
    // The age grows by our clock; the stamp stays.
    let age = |view: &Value| {
        let at = |name: &str| view[name].as_str().unwrap().to_owned();
        (at("now"), at("asOf"))
    };
    let (then, _) = age(&view);
    let later =
        server.group("late", "orders-readers", "an older age", |view| age(view).0[..19] > then[..19]).await;
    assert_eq!(later["asOf"], stamp);
    let group = server.soon("/c/late/groups/orders-readers").await.text;
    assert!(
        group.contains("does not respond") && group.contains(" ago"),
        "the page says how old it is: {group}"
    );
    let error = server.says("late").await["error"].as_str().unwrap().to_owned();
    assert!(error.contains("no broker can be reached") || error.contains("no answer in time"), "{error}");
    // It is asked for patiently: librdkafka can try ten thousand times a second.
    let before = processor(server.process.pid());
    tokio::time::sleep(WATCHED).await;
    let spent = processor(server.process.pid()) - before;
    assert!(spent < 50, "{spent} hundredths of a second of work in {WATCHED:?} without a broker");

    kafka.start_again();
    kafka.produce("orders", 0, ["d"]).await;
    let newer =
        |view: &Value| view["lag"] == 3 && view["clusterInfo"]["error"].is_null() && view["asOf"] != stamp;
    server.group("late", "orders-readers", "recovered by itself", newer).await;
    server.assert_sound();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_that_accepts_and_never_answers_touches_no_other() {
    let kafka = flowdeck_testkit::kafka();
    let (topic, group) = (flowdeck_testkit::unique("orders"), flowdeck_testkit::unique("readers"));
    kafka.create_topic(&topic, 1).await;
    kafka.produce(&topic, 0, ["a", "b"]).await;
    kafka.commit(&group, &[(&topic, 0, 0)]);
    let hole = TcpListener::bind("127.0.0.1:0").unwrap();
    let silent = hole.local_addr().unwrap().to_string();
    let config = cluster("well", "observe", kafka.bootstrap()) + &cluster("silent", "observe", &silent);
    let mut server = Server::start(&config).await;
    let page = server.soon("").await;
    assert_eq!(page.status, 200);
    server.group("well", &group, "the cluster that answers", |view| view["lag"] == 2).await;
    server.json_when("/api/v1/groups", "the other's error", |_| true).await;
    let silent = server.json_when("/api/v1/groups", "an error of the silent one", |fleet| {
        fleet["clusters"]
            .as_array()
            .unwrap()
            .iter()
            .any(|one| one["name"] == "silent" && !one["error"].is_null())
    });
    assert_eq!(silent.await["partial"], true);
    // Still read again and again, as if it were alone.
    let stamp = server.says("well").await["asOf"].clone();
    kafka.produce(&topic, 0, ["c"]).await;
    let view = server.group("well", &group, "its new lag", |view| view["lag"] == 3).await;
    assert_ne!(view["asOf"], stamp);
    assert!(server.says("well").await["error"].is_null());
    for path in [
        "",
        "/c/well/topics",
        "/c/silent/topics",
        "/c/silent/topics/orders",
        "/c/silent/groups/g",
        "/metrics",
    ] {
        assert!(server.soon(path).await.status < 504, "{path}");
    }
    server.assert_sound();
}
