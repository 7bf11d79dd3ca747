//! Records through kills, rebalances, pauses, slow and hanging handlers, retry topics and dead letters, in processes of
//! their own: none is lost, none begins before the one before it of its key has ended, none begins under a pause, and
//! each that is handled again has its reason. `cargo xtask soak agent-records` runs it for longer.

mod check;
mod child;
mod process;

use std::time::Duration;

use flowdeck_testkit::{World, kafka, unique, wait_for};
use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;
use rand::{Rng as _, SeedableRng as _};
use rdkafka::producer::FutureRecord;
use tokio::sync::Mutex;
use tokio::time::{Instant, sleep};

use check::Plan;
use process::Processes;

const SECONDS: &str = "FLOWDECK_RECORDS_SECONDS";
const SEED: &str = "FLOWDECK_RECORDS_SEED";
const RECORDS_A_SECOND: &str = "FLOWDECK_RECORDS_A_SECOND";
const PARTITIONS: i32 = 6;
/// Of the first `STEADY` no record goes to a retry topic or the dead letters: their order is kept.
const KEYS: usize = 16;
const STEADY: usize = 10;
/// So many a second are of any kind; those beyond them are fast, so that the workers keep up.
const ANY_KIND: u64 = 300;
/// For what is left when no record is written any more, on a machine that is busy; on top of the time in which they were
/// written, since what a killed member owned waits for its session to end.
const DRAIN: Duration = Duration::from_secs(120);

/// One at a time: each wants the machine.
static ONE: Mutex<()> = Mutex::const_new(());

#[tokio::test(flavor = "multi_thread")]
async fn eager() {
    records(&[("partition.assignment.strategy", "range")], 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn cooperative() {
    records(&[("partition.assignment.strategy", "cooperative-sticky")], 2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn kip848() {
    records(&[("group.protocol", "consumer")], 3).await;
}

fn number(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(otherwise)
}

async fn records(protocol: &[(&str, &str)], seed: u64) {
    let _one = ONE.lock().await;
    let (seconds, seed) = (number(SECONDS, 8), number(SEED, seed));
    let mut random = StdRng::seed_from_u64(seed);
    let world = World::new(PARTITIONS).await;
    let (retry, letters) = (unique("retry"), unique("letters"));
    for topic in [&retry, &letters] {
        kafka().create_topic(topic, 2).await;
    }
    let mut processes = Processes::new(&world, &retry, &letters, protocol);
    processes.start();
    processes.start();
    let producing = tokio::spawn(produce(world.topic.clone(), seconds, random.random()));
    let end = Instant::now() + Duration::from_secs(seconds);
    let mut pauses = vec![];
    while Instant::now() < end {
        sleep(Duration::from_millis(random.random_range(300..1_500))).await;
        match random.random_range(0..6) {
            0 | 1 => processes.kill(&mut random).await,
            2 if processes.alive() > 1 => processes.stop(&mut random).await,
            3 if processes.alive() < 4 => processes.start(),
            _ => pauses.extend(processes.pause(&world).await),
        }
        if processes.alive() < 2 {
            processes.start();
        }
    }
    let plan = producing.await.unwrap();
    let drain = DRAIN + Duration::from_secs(seconds);
    wait_for("all records to be done with", drain, async || {
        let left = check::left(&plan, &processes.events(), &kafka().read_all(&letters));
        (left == 0).then_some(())
    })
    .await;
    processes.stop_all().await;
    let found = check::check(&plan, &processes.events(), &processes.changes, &pauses);
    println!("seed {seed}: {found}");
    assert!(found.is_well(), "seed {seed}: {found}");
}

/// What is written, in the order of its keys.
async fn produce(topic: String, seconds: u64, seed: u64) -> Plan {
    let mut random = StdRng::seed_from_u64(seed);
    let (producer, mut plan, mut sent) = (kafka().producer(), Plan::default(), vec![]);
    let a_second = number(RECORDS_A_SECOND, ANY_KIND).max(1);
    let end = Instant::now() + Duration::from_secs(seconds);
    while Instant::now() < end {
        for _ in 0..(a_second / 20).max(1) {
            let key = random.random_range(0..KEYS);
            let steady = ["fast", "fast", "fast", "fast", "fast", "slow", "once", "fast"];
            let others = ["fast", "slow", "once", "later", "never", "broken"];
            let kind = if key < STEADY { steady.choose(&mut random) } else { others.choose(&mut random) };
            // Seldom: it takes a worker for the time limit.
            let kind = if random.random_ratio(1, 300) { "hangs" } else { kind.unwrap_or(&"fast") };
            let any = random.random_ratio(ANY_KIND.min(a_second) as u32, a_second as u32);
            let kind = if any { kind } else { "fast" };
            let (key, value) = plan.add(key, kind);
            let record = FutureRecord::to(&topic).key(&key).payload(&value);
            sent.push(producer.send_result(record).map_err(|(error, _)| error).unwrap());
        }
        sleep(Duration::from_millis(50)).await;
    }
    for delivery in sent {
        delivery.await.unwrap().map_err(|(error, _)| error).unwrap();
    }
    plan
}
