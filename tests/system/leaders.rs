//! Three brokers: numbers as Kafka's own tool has them, and what happens when one of them is killed that leads
//! partitions and coordinates groups. Nobody restarts Flowdeck, and no number is made up meanwhile.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use flowdeck_testkit::{DEADLINE, NodeOptions, PrivateCluster, Tool, private_cluster, wait_for};

use crate::support::{Consumer, Server, cluster, command, heard, new_id, settled};

const COMMANDS: &str = "/api/v1/clusters/three/commands";
const PARTITIONS: i32 = 6;
/// A lost broker is noticed within 6 s; then partitions and coordinators move, one after the other.
const MOVED: Duration = Duration::from_secs(60);
const WATCH: Duration = Duration::from_secs(2);

/// Lag by group and partition; `None` where none is known.
type Lags = BTreeMap<(String, i32), Option<i64>>;

fn judged(kafka: &PrivateCluster) -> Lags {
    let rows = kafka.judge_all().into_iter();
    rows.filter(|row| row.topic == "orders").map(|row| ((row.group, row.partition), row.lag)).collect()
}

async fn ours(server: &Server, groups: &[String]) -> Lags {
    let mut lags = Lags::new();
    for group in groups {
        let view = server.soon(&format!("/api/v1/clusters/three/groups/{group}")).await.json();
        for row in view["partitions"].as_array().unwrap() {
            let partition = row["partition"].as_i64().unwrap() as i32;
            lags.insert((group.clone(), partition), row["lag"].as_i64());
        }
    }
    lags
}

/// Waits until the API has the tool's numbers, from a refresh without an error.
async fn agree(server: &Server, kafka: &PrivateCluster, groups: &[String]) -> Lags {
    let want = judged(kafka);
    let begun = Instant::now();
    loop {
        let (have, said) = (ours(server, groups).await, server.says("three").await);
        let wrong = want.iter().find(|(place, lag)| have.get(place) != Some(lag));
        if wrong.is_none() && said["error"].is_null() {
            return want;
        }
        assert!(begun.elapsed() < MOVED, "not the tool's numbers: {wrong:?}, but {have:?}; {said}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

fn agent(kafka: &PrivateCluster, instance: &str) -> Consumer {
    let args = ["--group", "payments", "--topics", "work", "--workers", "2", "--buffer", "20"];
    let more = ["--handle-ms", "20", "--metadata-interval-ms", "500"];
    Consumer::start(kafka, "consume", instance, &[&args[..], &more[..]].concat())
}

/// A command that must come to its end in spite of what happens: asked for again, under a new id, where the
/// server says that it was not confirmed. Success without evidence would show as a handler that begins.
async fn until_confirmed(server: &Server, action: &str) -> Vec<String> {
    let (begun, mut said) = (Instant::now(), vec![]);
    loop {
        let id = new_id();
        let answer = server.send(COMMANDS, &command(&id, action, "payments")).await;
        match answer.status {
            202 => {
                let id = answer.json()["id"].as_str().unwrap().to_owned();
                let view = server.command("three", &id, "an end", settled).await;
                let state = view["state"].as_str().unwrap().to_owned();
                if state == "confirmed" {
                    return said;
                }
                said.push(state);
            }
            503 => said.push(answer.json()["detail"].as_str().unwrap().to_owned()),
            other => panic!("{other}: {}", answer.text),
        }
        assert!(begun.elapsed() < MOVED, "{action} is never confirmed: {said:?}");
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}

async fn nothing_begins(agents: &[&Consumer]) {
    let count = || agents.iter().map(|one| one.started().len()).sum::<usize>();
    let before = count();
    tokio::time::sleep(WATCH).await;
    assert_eq!(count(), before, "a handler began under a confirmed pause");
}

async fn produce(kafka: &PrivateCluster, topic: &str, each: usize) {
    let records = (0..PARTITIONS).flat_map(|partition| (0..each).map(move |n| (partition, n.to_string())));
    kafka.produce_at(topic, records).await;
}

/// While a broker is away a number is the one that was true at rest, or unknown, and never another.
async fn nothing_is_made_up(server: &Server, groups: &[String], at_rest: &Lags, span: Duration) {
    let until = Instant::now() + span;
    while Instant::now() < until {
        for (place, lag) in ours(server, groups).await {
            let true_one = at_rest.get(&place).copied().flatten();
            assert!(lag.is_none() || lag == true_one, "{place:?}: {lag:?} where {true_one:?} is true");
        }
        assert_eq!(server.soon("").await.status, 200);
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn leaders_and_coordinators_that_move_need_no_restart_and_invent_nothing() {
    let mut kafka = private_cluster(3, &NodeOptions::default());
    for topic in ["orders", "work"] {
        kafka.create_replicated(topic, PARTITIONS).await;
    }
    kafka.create_replicated("kafkaflow.admin", 1).await;
    produce(&kafka, "orders", 40).await;
    let groups: Vec<String> = (0..9).map(|n| format!("readers-{n}")).collect();
    for (n, group) in groups.iter().enumerate() {
        let at = |partition: i32| ("orders", partition, n as i64 + i64::from(partition));
        kafka.commit(group, &(0..PARTITIONS).map(at).collect::<Vec<_>>());
    }
    let mut server = Server::start(&cluster("three", "control", kafka.bootstrap())).await;
    let at_rest = agree(&server, &kafka, &groups).await;
    assert_eq!(at_rest.len(), 9 * PARTITIONS as usize);
    assert_eq!(server.says("three").await["brokers"], 3);

    // What Flowdeck made for itself outlives a broker.
    let holds = wait_for("flowdeck.holds", DEADLINE, async || {
        let topics = kafka.topics();
        topics
            .iter()
            .any(|(name, _)| name == "flowdeck.holds")
            .then(|| kafka.tool(Tool::Topics, &["--describe", "--topic", "flowdeck.holds"]))
    })
    .await;
    assert!(holds.contains("ReplicationFactor: 3") && holds.contains("min.insync.replicas=2"), "{holds}");

    let (a, b) = (agent(&kafka, "a"), agent(&kafka, "b"));
    produce(&kafka, "work", 60).await;
    a.wait_handled(10).await;
    b.wait_handled(10).await;
    server.group("three", "payments", "both are heard", heard(2)).await;

    // The one that coordinates the group; of six partitions each broker leads two.
    let gone = kafka.coordinator("payments");
    let led = |kafka: &PrivateCluster, topic: &str| {
        kafka.leaders(topic).values().filter(|leader| **leader == gone as i32).count()
    };
    assert!(led(&kafka, "orders") > 0, "{:?}", kafka.leaders("orders"));
    kafka.kill(gone);
    let said = until_confirmed(&server, "pause").await;
    println!("broker {gone} killed; before the pause was confirmed: {said:?}");
    nothing_begins(&[&a, &b]).await;
    nothing_is_made_up(&server, &groups, &at_rest, Duration::from_secs(5)).await;
    wait_for("its partitions have other leaders", MOVED, async || (led(&kafka, "orders") == 0).then_some(()))
        .await;
    // With one broker still away: the numbers are the tool's again, and new records are seen.
    assert_eq!(agree(&server, &kafka, &groups).await, at_rest);
    produce(&kafka, "orders", 3).await;
    let later = agree(&server, &kafka, &groups).await;
    let sum = |lags: &Lags| lags.values().flatten().sum::<i64>();
    assert_eq!(sum(&later), sum(&at_rest) + 9 * 3 * i64::from(PARTITIONS));
    nothing_begins(&[&a, &b]).await;

    kafka.start_again(gone);
    until_confirmed(&server, "resume").await;

    // The leader of the holds, in the middle of a pause.
    let leader = wait_for("a leader of the holds", MOVED, async || {
        usize::try_from(kafka.leaders("flowdeck.holds")[&0]).ok()
    })
    .await;
    produce(&kafka, "work", 60).await;
    let id = new_id();
    let body = command(&id, "pause", "payments");
    let (sent, ()) = tokio::join!(server.send(COMMANDS, &body), async { kafka.kill(leader) });
    println!("the leader of the holds, {leader}, killed; the pause: {} {}", sent.status, sent.text);
    let said = until_confirmed(&server, "pause").await;
    println!("before it was confirmed: {said:?}");
    nothing_begins(&[&a, &b]).await;
    agree(&server, &kafka, &groups).await;
    kafka.start_again(leader);
    until_confirmed(&server, "resume").await;
    wait_for("every record to be handled", MOVED, async || {
        let mut all: Vec<_> = [&a, &b].iter().flat_map(|one| one.handled()).collect();
        all.sort();
        all.dedup();
        (all.len() == 120 * PARTITIONS as usize).then_some(())
    })
    .await;
    agree(&server, &kafka, &groups).await;
    server.assert_sound();
}
