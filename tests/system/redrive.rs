//! SIGKILL in the middle of a re-drive, at random: the next start goes on, no record is missing and none is there twice.
//! `FLOWDECK_REDRIVE_RECORDS` and `FLOWDECK_REDRIVE_SEED`: as `cargo xtask soak redrive` sets them.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use flowdeck_testkit::{NodeOptions, port, private, wait_for};
use rand::{Rng as _, SeedableRng as _};
use serde_json::{Value, json};

use crate::support::{Server, cluster, new_id, setting};

fn letter(message: u64) -> String {
    format!(
        r#"{{"OriginalTopic":"orders","OriginalMessage":{message},"ErrorMessage":"no card","FailedAt":"2026-11-21T14:08:57Z"}}"#
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn redrive_killed_at_random_misses_none_and_doubles_none() {
    let (records, seed) = (
        setting("FLOWDECK_REDRIVE_RECORDS").unwrap_or(3_000),
        setting("FLOWDECK_REDRIVE_SEED").unwrap_or(16),
    );
    let kills = if records > 10_000 { 8 } else { 2 };
    let kafka = private(&NodeOptions::default());
    kafka.create_topic("orders", 3).await;
    kafka.create_topic("orders.dlq", 3).await;
    // As many at a time as a producer's queue takes.
    let all: Vec<u64> = (0..records).collect();
    for part in all.chunks(20_000) {
        kafka.produce_at("orders.dlq", part.iter().map(|n| ((n % 3) as i32, letter(*n)))).await;
    }
    let config = cluster("shop", "control", kafka.bootstrap());
    let listen = format!("127.0.0.1:{}", port::free(1).unwrap()[0]);
    let mut server = Server::start_at(&config, &listen).await;
    let id = new_id();
    // So slow that it is killed in the middle each time.
    let rate = (records / 10).clamp(300, 5_000);
    let body = json!({
        "id": id, "topic": "orders.dlq", "records": {"matching": {}}, "rate": rate, "reason": "INC-1",
    });
    let limit = Duration::from_secs(120);
    wait_for("it is taken", limit, async || {
        (server.send("/api/v1/clusters/shop/redrives", &body).await.status == 202).then_some(())
    })
    .await;
    let path = format!("/api/v1/clusters/shop/redrives/{id}");
    let mut random = rand::rngs::StdRng::seed_from_u64(seed);
    let (began, mut killed) = (Instant::now(), 0);
    while killed < kills {
        let copied = |view: &Value| view["progress"]["copied"].as_u64().unwrap_or(0);
        let before = server.json_when(&path, "it runs", |view| {
            view["state"] == "done" || (view["state"] == "running" && copied(view) > 0)
        });
        if before.await["state"] == "done" {
            break;
        }
        tokio::time::sleep(Duration::from_millis(random.random_range(0..2_500))).await;
        let pid = server.process.pid().to_string();
        assert!(std::process::Command::new("kill").args(["-KILL", &pid]).status().unwrap().success());
        server.process.kill();
        drop(server);
        killed += 1;
        server = Server::start_at(&config, &listen).await;
    }
    let view = wait_for("it is done", Duration::from_secs(60 + records / 200), async || {
        let view = server.get(&path).await;
        (view.status == 200 && view.json()["state"] == "done").then(|| view.json())
    })
    .await;
    println!("{records} records, {killed} kills, seed {seed}: {:.1} s", began.elapsed().as_secs_f64());
    assert!(killed > 0, "it was over before it was killed");
    let mut found: HashMap<Vec<u8>, usize> = HashMap::new();
    for record in kafka.read_all("orders") {
        *found.entry(record.value.expect("a value")).or_default() += 1;
    }
    let missing = all.iter().filter(|n| !found.contains_key(n.to_string().as_bytes())).count();
    let twice = found.values().filter(|times| **times > 1).count();
    assert_eq!((missing, twice, found.len() as u64), (0, 0, records));
    assert_eq!(view["progress"]["copied"], records, "{view}");
    server.assert_sound();
}
