//! A cluster in observe mode whose broker creates topics by itself: whatever is asked of the real program,
//! topics, records and groups stay as they are.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use flowdeck_model::url;
use flowdeck_testkit::{DEADLINE, Kafka, NodeOptions, Tool, private, wait_for};
use rdkafka::consumer::{BaseConsumer, Consumer as _};

use crate::support::{Consumer, Server, cluster, command, is_heard, new_id};

/// First and last offsets of every partition of every topic, Kafka's own among them, and all groups.
#[derive(Debug, PartialEq, Eq)]
struct State {
    partitions: BTreeMap<(String, i32), (i64, i64)>,
    groups: BTreeSet<String>,
}

fn state(kafka: &Kafka) -> State {
    let client: BaseConsumer = kafka.client().create().expect("a consumer");
    let partitions = kafka.topics().into_iter().flat_map(|(topic, count)| {
        (0..i32::try_from(count).unwrap()).map(move |partition| (topic.clone(), partition))
    });
    let partitions = partitions
        .map(|(topic, partition)| {
            let ends = client.fetch_watermarks(&topic, partition, DEADLINE).expect("its offsets");
            ((topic, partition), ends)
        })
        .collect();
    let groups = kafka.tool(Tool::ConsumerGroups, &["--list"]).lines().map(str::to_owned).collect();
    State { partitions, groups }
}

const GROUPS: [&str; 4] = ["orders-flow", "a/b", "..", "no such group"];
const TOPICS: [&str; 4] = ["orders", "empty", "no-such-topic", "a/b"];

/// Every entry point that reads, for names that are there and names that are not.
fn reads(server_functions: &[&str]) -> Vec<String> {
    let id = new_id();
    let mut all: Vec<String> =
        ["", "/", "/?search=orders&sort=-lag&verdict=behind", "/no/such/page", "/login"]
            .into_iter()
            .chain(["/health", "/health/live", "/health/ready?strict", "/metrics"])
            .chain([
                "/api",
                "/api/v1/openapi.json",
                "/api/v1/groups",
                "/api/v1/groups?search=no-such&limit=5",
            ])
            .chain(["/pkg/0/none.js", "/fn/none-of-ours", "/fn/fleet?query="])
            .map(str::to_owned)
            .collect();
    for name in ["watched", "no-such-cluster"] {
        all.push(format!("/c/{name}/topics"));
        all.push(format!("/c/{name}/commands"));
        all.push(format!("/c/{name}/commands/{id}"));
        all.push(format!("/api/v1/clusters/{name}/topics"));
        all.push(format!("/api/v1/clusters/{name}/commands/{id}"));
        for group in GROUPS.map(url::encode) {
            for form in ["", "?form=pause", "?form=resume"] {
                all.push(format!("/c/{name}/groups/{group}{form}"));
            }
            all.push(format!("/api/v1/clusters/{name}/groups/{group}"));
            all.push(format!("/fn/group?cluster={name}&group={group}"));
        }
        for topic in TOPICS.map(url::encode) {
            for query in
                ["", "?from=latest&limit=10", "?partition=0&from=offset:1", "?partition=99", "?from=earliest"]
            {
                all.push(format!("/c/{name}/topics/{topic}{query}"));
                all.push(format!("/api/v1/clusters/{name}/topics/{topic}/messages{query}"));
            }
            all.push(format!("/api/v1/clusters/{name}/topics/{topic}"));
            for function in server_functions {
                all.push(format!("/fn/{function}?cluster={name}&topic={topic}&query=&group={topic}&id={id}"));
            }
        }
    }
    all
}

#[tokio::test(flavor = "multi_thread")]
async fn every_page_form_function_call_and_stream_leaves_the_cluster_as_it_was() {
    let properties = vec![("auto.create.topics.enable".to_owned(), "true".to_owned())];
    let kafka = private(&NodeOptions { properties, ..NodeOptions::default() });
    kafka.create_topic("orders", 2).await;
    kafka.create_topic("empty", 1).await;
    kafka.create_topic("kafkaflow.admin", 1).await;
    kafka.produce("orders", 0, (0..20).map(|n| n.to_string())).await;
    kafka.commit("a/b", &[("orders", 0, 3), ("orders", 1, 0)]);
    kafka.commit("..", &[("orders", 0, 1)]);
    // A service that could be paused: without the mode, nothing else is between a form and its topic.
    let args =
        ["--group", "orders-flow", "--consumer", "orders", "--topic", "orders", "--telemetry-ms", "500"];
    let mut flow = Consumer::start(&kafka, "kafkaflow", "flow-1", &args);
    flow.wait_handled(20).await;
    let mut server = Server::start(&cluster("watched", "observe", kafka.bootstrap())).await;
    server.group("watched", "orders-flow", "is heard", is_heard).await;
    flow.stop().await;
    server.group("watched", "orders-flow", "has no members", |view| view["members"] == 0).await;

    let before = state(&kafka);
    assert!(before.partitions.keys().any(|(topic, _)| topic == "__consumer_offsets"));
    let mut statuses = BTreeMap::<u16, usize>::new();
    for path in reads(&["fleet", "group", "topics", "topic", "messages", "command"]) {
        let answer = server.get(&path).await;
        // A function has one status for all that its port refuses; its caller reads the body.
        let said = path.starts_with("/fn/") && answer.text.starts_with("{\"port\":");
        assert!(answer.status < 500 || said, "{path}: {} {}", answer.status, answer.text);
        *statuses.entry(answer.status).or_default() += 1;
        if answer.status == 404 && path.starts_with("/c/watched/topics/no-such-topic") {
            assert!(answer.text.contains("no-such-topic"), "{path} names what is not there");
        }
    }
    assert!(statuses[&200] > 30 && statuses[&404] > 30, "{statuses:?}");
    for asset in server.get("").await.text.split('"').filter(|word| word.starts_with("/kafkaflow/pkg/")) {
        let below = asset.strip_prefix("/kafkaflow").unwrap();
        assert_eq!(server.get(below).await.status, 200, "{asset}");
    }

    for group in GROUPS {
        for action in ["pause", "resume"] {
            let id = new_id();
            for topic in ["", "orders", "no-such-topic"] {
                let mut fields =
                    vec![("id", id.as_str()), ("action", action), ("group", group), ("reason", "INC-1")];
                fields.extend((!topic.is_empty()).then_some(("topic", topic)));
                let page = server.form("/c/watched/commands", &fields).await;
                assert_eq!(page.status, 403, "{action} {group} {topic}: {}", page.text);
                let enable = page.text.contains("observe mode") && page.text.contains("set mode = ");
                assert!(enable, "the page says how to enable it: {}", page.text);
            }
            let refused =
                server.send("/api/v1/clusters/watched/commands", &command(&id, action, group)).await;
            assert_eq!(refused.status, 403);
            let problem = refused.json();
            assert!(problem["detail"].as_str().unwrap().contains("mode = \"control\""), "{problem}");
            assert_eq!(problem["type"], "urn:flowdeck:problem:observe-mode");
        }
    }
    for form in ["/theme", "/logout", "/logout-everywhere", "/login"] {
        let answer = server.form(form, &[("theme", "dark"), ("name", "x"), ("password", "y")]).await;
        assert!(answer.status < 500, "{form}: {}", answer.status);
    }
    for (query, status) in [
        ("view=fleet".to_owned(), 200),
        ("view=group&cluster=watched&group=orders-flow".to_owned(), 200),
        ("view=group&cluster=watched&group=no-such-group".to_owned(), 404),
        (format!("view=command&cluster=watched&id={}", new_id()), 404),
    ] {
        let stream = server.stream(&query).await;
        assert_eq!(stream.status, status, "{query}: {}", stream.text);
        assert!(status != 200 || stream.text.contains("event: snapshot"), "{query}: {}", stream.text);
    }
    // Some refreshes more, with all that they ask.
    let versions = |text: &str| text.lines().find(|line| line.contains("refreshes_total")).map(str::to_owned);
    let first = versions(&server.get("/metrics").await.text);
    assert!(first.is_some(), "refreshes are counted");
    wait_for("two more refreshes", DEADLINE, async || {
        tokio::time::sleep(Duration::from_millis(200)).await;
        let count = |line: &Option<String>| line.as_ref()?.rsplit(' ').next()?.parse::<f64>().ok();
        (count(&versions(&server.get("/metrics").await.text))? >= count(&first)? + 2.0).then_some(())
    })
    .await;

    assert_eq!(state(&kafka), before, "topics, offsets of all partitions, and groups");
    server.assert_sound();
    server.process.stop().await;
    assert_eq!(state(&kafka), before, "after the end, too");
    // The broker does create what is named: it was us who did not name it.
    let careless: BaseConsumer =
        kafka.client().set("allow.auto.create.topics", "true").create().expect("a consumer");
    wait_for("a topic that was only named", DEADLINE, async || {
        let _ = careless.fetch_metadata(Some("named-by-another"), DEADLINE);
        kafka.topics().iter().any(|(name, _)| name == "named-by-another").then_some(())
    })
    .await;
}
