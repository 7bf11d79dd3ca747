//! An agent's memory before a backlog that is much larger than what it may keep, with a handler that is slow:
//! `FLOWDECK_BACKLOG_MB` is its size (192), `cargo xtask soak agent-backlog` makes it 1 GB.

use std::time::{Duration, Instant};

use flowdeck_testkit::{Kafka, NodeOptions, private};

use crate::figures::Figures;
use crate::support::{Consumer, setting};

const PARTITIONS: i32 = 12;
const RECORD: usize = 4_096;
/// Of one partition at a time.
const AT_ONCE: usize = 1_024;
/// `queued.max.messages.kbytes` of the agent and one fetch more, for each partition, and as much again: a response of the
/// broker's has records of all partitions, and is kept until the last of them is taken.
const FETCHED_AHEAD_MB: u64 = 2 * 3 * PARTITIONS as u64;
/// What waits for the workers, and what the allocator keeps.
const BESIDE_MB: u64 = 48;
/// Queues are full within it.
const WATCHED: Duration = Duration::from_secs(8);

fn agent(kafka: &Kafka, group: &str) -> Consumer {
    let args = ["--group", group, "--topics", "orders", "--workers", "3", "--handle-ms", "20"];
    Consumer::start(kafka, "consume", group, &args)
}

/// The most that it takes within the time.
async fn most(agent: &Consumer) -> u64 {
    let (begun, mut most) = (Instant::now(), 0);
    while begun.elapsed() < WATCHED {
        tokio::time::sleep(Duration::from_millis(200)).await;
        most = most.max(Figures::of(agent.pid()).expect("an agent that runs").megabytes());
    }
    most
}

async fn write(kafka: &Kafka, megabytes: usize) {
    // Not compressed, and no page of memory twice.
    let value = |number: usize| {
        let text = format!("{number:08}");
        text.bytes().cycle().take(RECORD).collect::<Vec<_>>()
    };
    let batches = megabytes * 1_048_576 / RECORD / AT_ONCE;
    for batch in 0..batches {
        let values = (0..AT_ONCE).map(|number| value(batch * AT_ONCE + number));
        kafka.produce("orders", (batch % PARTITIONS as usize) as i32, values).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn memory_of_an_agent_is_bounded_before_a_backlog() {
    let backlog = setting("FLOWDECK_BACKLOG_MB").unwrap_or(192);
    let kafka = private(&NodeOptions::default());
    kafka.create_topic("orders", PARTITIONS).await;
    kafka.create_topic("kafkaflow.admin", 1).await;
    kafka.produce("orders", 0, ["one"]).await;
    let mut idle = agent(&kafka, "idle");
    idle.wait_handled(1).await;
    let without = most(&idle).await;
    idle.stop().await;

    write(&kafka, backlog as usize).await;
    let mut busy = agent(&kafka, "busy");
    busy.wait_handled(100).await;
    let with = most(&busy).await;
    println!(
        "an agent takes {without} MB without a backlog, and {with} MB at most before one of {backlog} MB"
    );
    busy.stop().await;
    let limit = without + FETCHED_AHEAD_MB + BESIDE_MB;
    assert!(limit < without + backlog, "this backlog shows nothing");
    assert!(
        with <= limit,
        "an agent takes {with} MB before a backlog of {backlog} MB, and {without} MB without"
    );
}
