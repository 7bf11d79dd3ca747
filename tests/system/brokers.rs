//! Brokers and topics as pages and API tell them, of real ones: a broker is lost and seen to be, and a topic's consumer
//! groups have their lag on it.

use std::time::Duration;

use flowdeck_testkit::{NodeOptions, kafka, private_cluster, unique};
use serde_json::{Value, json};

use crate::support::{Server, cluster};

/// A lost broker is noticed within 6 s, and metadata are read again every half a minute.
const SEEN: Duration = Duration::from_secs(120);
const PARTITIONS: i32 = 6;

fn sum(view: &Value, field: &str) -> u64 {
    view["brokers"].as_array().unwrap().iter().map(|one| one[field].as_u64().unwrap()).sum()
}

/// The view of the brokers, once it is as wanted.
async fn brokers(server: &Server, what: &str, is: impl Fn(&Value) -> bool) -> Value {
    let begun = std::time::Instant::now();
    loop {
        let view = server.api("/clusters/three/brokers").await;
        if is(&view) {
            return view;
        }
        assert!(begun.elapsed() < SEEN, "{what}: {view}");
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn lost_broker_and_its_partitions_are_shown() {
    let rack = ("broker.rack".to_owned(), "eu-1a".to_owned());
    let mut kafka = private_cluster(3, &NodeOptions { properties: vec![rack], ..NodeOptions::default() });
    kafka.create_replicated("orders", PARTITIONS).await;
    let server = Server::start(&cluster("three", "observe", kafka.bootstrap())).await;
    server.refreshed("three").await;
    let view = brokers(&server, "all in sync", |view| {
        let racks = view["brokers"].as_array().unwrap().iter().all(|one| one["rack"] == "eu-1a");
        racks && view["partitions"].as_u64() >= Some(6) && view["underReplicatedPartitions"] == 0
    })
    .await;
    assert_eq!(view["brokers"].as_array().unwrap().len(), 3, "{view}");
    assert_eq!((&view["offlinePartitions"], &view["troubled"]), (&json!(0), &json!([])));
    assert_eq!(Some(sum(&view, "leaders")), view["partitions"].as_u64(), "{view}");
    let found = view["capabilities"].as_array().unwrap().iter().find(|one| one["name"] == "list groups");
    assert_eq!(found.unwrap()["offered"], "yes", "{view}");
    let page = server.get("/c/three/brokers").await.text;
    assert!(page.contains("all replicas in sync") && page.contains("eu-1a"), "{page}");
    assert!(!page.contains("import init"), "nothing of ours runs on it");

    kafka.kill(3);
    let view = brokers(&server, "the broker is down", |view| {
        let lost = view["brokers"].as_array().unwrap().iter().find(|one| one["id"] == 3);
        lost.is_some_and(|one| one["address"].is_null())
            && view["underReplicatedPartitions"].as_u64() >= Some(6)
    })
    .await;
    let lost = view["brokers"].as_array().unwrap().iter().find(|one| one["id"] == 3).unwrap();
    assert_eq!((&lost["leaders"], &lost["outOfSync"]), (&json!(0), &lost["replicas"]), "{view}");
    let troubled = view["troubled"].as_array().unwrap();
    assert!(troubled.iter().all(|one| !one["inSync"].as_array().unwrap().contains(&json!(3))), "{view}");
    let page = server.get("/c/three/brokers").await.text;
    assert!(page.contains("not listed: down") && page.contains("under-replicated"), "{page}");
    let metrics = server.metric("flowdeck_under_replicated_partitions{cluster=\"three\"}").await;
    assert!(metrics >= Some(6.0), "{metrics:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn groups_are_filtered_by_label_and_topic_and_saved() {
    let kafka = kafka();
    let (topic, late, done) = (unique("labelled"), unique("late"), unique("done"));
    kafka.create_topic(&topic, 1).await;
    kafka.produce(&topic, 0, ["a", "b", "c"]).await;
    kafka.commit(&late, &[(&topic, 0, 1)]);
    kafka.commit(&done, &[(&topic, 0, 3)]);
    let labels = format!(
        "[[labels]]\ngroups = \"{late}\"\nteam = \"payments\"\nrunbook = \"https://wiki.example/x\"\n\
         [[labels]]\ngroups = \"*\"\nteam = \"others\"\nservice = \"=shop\"\n"
    );
    let server = Server::start(&format!("{labels}{}", cluster("shop", "observe", kafka.bootstrap()))).await;
    let of_topic = format!("/api/v1/groups?topic={topic}");
    let all = server.json_when(&of_topic, "both groups are read", |view| view["total"] == 2).await;
    assert_eq!(all["groups"][0]["group"], late.as_str(), "{all}");
    let want =
        json!({ "values": { "team": "payments", "service": "=shop" }, "runbook": "https://wiki.example/x" });
    assert_eq!(all["groups"][0]["labels"], want);
    for (filter, want) in [
        ("label=team:payments", vec![late.as_str()]),
        ("label=team:OTHERS", vec![&done]),
        ("label=service,team:others", vec![&done]),
        ("label=owner", vec![]),
        ("search=payments", vec![&late]),
        ("state=Stable", vec![]),
        ("state=Empty&sort=-lag", vec![&late, &done]),
        ("paused=true", vec![]),
        ("paused=false&sort=lag", vec![&done, &late]),
    ] {
        let view = server.api(&format!("/groups?topic={topic}&{filter}")).await;
        let groups: Vec<_> =
            view["groups"].as_array().unwrap().iter().map(|row| row["group"].as_str().unwrap()).collect();
        assert_eq!(groups, want, "{filter}");
    }
    let query = format!("topic={topic}&sort=-lag&columns=lag,members,labels");
    let csv = server.get(&format!("/api/v1/groups/download?format=csv&{query}")).await.text;
    let lines = [
        "\"group\",\"lag\",\"unknown_partitions\",\"members\",\"labels\",\"runbook\"".to_owned(),
        format!("\"{late}\",\"2\",\"0\",\"0\",\"service:=shop,team:payments\",\"https://wiki.example/x\""),
        format!("\"{done}\",\"0\",\"0\",\"0\",\"service:=shop,team:others\",\"\""),
    ];
    assert_eq!(csv, lines.map(|line| line + "\r\n").concat());
    let lines = server.get(&format!("/api/v1/groups/download?format=ndjson&{query}")).await.text;
    let rows: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((rows.len(), &rows[0]["labels"]["values"]["team"]), (2, &json!("payments")), "{lines}");
    let page = server.get(&format!("/all-groups?{query}")).await.text;
    assert!(page.contains("team: payments") && page.contains("https://wiki.example/x"), "{page}");
}

#[tokio::test(flavor = "multi_thread")]
async fn topics_have_their_groups_and_lag() {
    let kafka = kafka();
    let (topic, late, done) = (unique("listed"), unique("late"), unique("done"));
    kafka.create_topic(&topic, 2).await;
    kafka.produce(&topic, 0, ["a", "b", "c"]).await;
    kafka.commit(&late, &[(&topic, 0, 1), (&topic, 1, 0)]);
    kafka.commit(&done, &[(&topic, 0, 3), (&topic, 1, 0)]);
    let server = Server::start(&cluster("shop", "observe", kafka.bootstrap())).await;
    let list = server
        .json_when("/api/v1/clusters/shop/topics", "both groups are read", |view| {
            let rows = view["topics"].as_array().unwrap();
            rows.iter().any(|row| row["topic"] == topic.as_str() && row["readers"] == 2)
        })
        .await;
    let row = list["topics"].as_array().unwrap().iter().find(|row| row["topic"] == topic.as_str()).unwrap();
    assert_eq!((&row["lag"], &row["unknownPartitions"]), (&json!(2), &json!(0)), "{row}");
    assert_eq!(row["groups"], json!([late, done]), "those with most lag first: {row}");
    let page = server.get(&format!("/c/shop/topics?search={topic}")).await.text;
    assert!(page.contains(&late), "{page}");

    let view = server.api(&format!("/clusters/shop/topics/{topic}")).await;
    let of = |group: &str| {
        view["readers"].as_array().unwrap().iter().find(|one| one["group"] == group).unwrap().clone()
    };
    assert_eq!((&of(&late)["lag"], &of(&done)["lag"]), (&json!(2), &json!(0)));
    // What nobody waits for has no age; what waits was there before Flowdeck watched.
    assert_eq!(of(&done)["timeLag"], json!({ "millis": 0, "precision": "exact" }));
    assert!(of(&late)["timeLag"]["millis"].as_u64().is_some(), "{view}");
    // Nothing comes to it, once it is watched for a minute; not known before.
    assert!([json!(null), json!(0.0)].contains(&view["written"]["1m"]), "{view}");
}
