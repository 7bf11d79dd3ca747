//! How long a refresh of many groups takes, and what it costs in memory.
//!
//! `cargo run --release -p flowdeck-kafka --example refresh_bench -- HOST:PORT [prepare]`
//!
//! `prepare` makes 10 topics of 100 partitions and 1,000 groups that have committed on 100 partitions
//! each (`bench-…`); without it, whatever groups there are. A refresh is what a fleet page needs: the
//! list with states, every commit, and start and end of every partition with a commit.

use std::collections::{BTreeMap, HashMap};
use std::time::{Duration, Instant};

use flowdeck_kafka::{Cluster, ClusterConfig, Deadline, NewTopic, OffsetSpec, Topic};
use flowdeck_model::{GroupId, Partition};
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::{ClientConfig, Offset, TopicPartitionList};

const TOPICS: i32 = 10;
const PARTITIONS: i32 = 100;
const GROUPS: usize = 1000;
const ROUNDS: usize = 10;
const LIMIT: Duration = Duration::from_secs(60);

type Failure = Box<dyn std::error::Error + Send + Sync>;

fn main() -> Result<(), Failure> {
    let mut args = std::env::args().skip(1);
    let bootstrap = args.next().ok_or("give HOST:PORT")?;
    let runtime = tokio::runtime::Runtime::new()?;
    let cluster = Cluster::new(ClusterConfig::new(bootstrap.as_str()))?;
    if args.next().as_deref() == Some("prepare") {
        runtime.block_on(prepare(&cluster, &bootstrap))?;
    }
    let in_flight = args.next().map(|text| text.parse()).transpose()?.unwrap_or(64);
    println!("before: {}", memory());
    for round in 1..=ROUNDS {
        println!("round {round}: {}; {}", runtime.block_on(refresh(&cluster, in_flight))?, memory());
    }
    Ok(())
}

async fn refresh(cluster: &Cluster, in_flight: usize) -> Result<String, Failure> {
    let start = Instant::now();
    let deadline = Deadline::after(LIMIT);
    let listing = cluster.list_groups(deadline).await?;
    let listed = start.elapsed();
    let groups: Vec<GroupId> = listing.groups.into_iter().map(|group| group.id).collect();
    let mut rows: Vec<(u32, Topic, Partition, i64)> = Vec::new();
    let mut failed = 0;
    let each = |place: usize, answer: Result<Vec<flowdeck_kafka::Committed>, _>| match answer {
        Ok(commits) => rows.extend(commits.into_iter().filter_map(|row| {
            Some((place as u32, row.topic.clone(), row.partition, row.offset().ok().flatten()?))
        })),
        Err(_) => failed += 1,
    };
    cluster.committed(&groups, in_flight, deadline, each).await;
    let committed = start.elapsed();
    let mut places: HashMap<(&str, Partition), usize> = HashMap::new();
    let mut partitions = Vec::new();
    for (_, topic, partition, _) in &rows {
        places.entry((topic.as_str(), *partition)).or_insert_with(|| {
            partitions.push((topic.clone(), *partition));
            partitions.len() - 1
        });
    }
    let (starts, ends) = tokio::join!(
        cluster.offsets(&partitions, OffsetSpec::Earliest, deadline),
        cluster.offsets(&partitions, OffsetSpec::Latest, deadline)
    );
    let lag: i64 = rows
        .iter()
        .filter_map(|(_, topic, partition, committed)| {
            let place = *places.get(&(topic.as_str(), *partition))?;
            Some(ends[place].as_ref().ok()? - committed)
        })
        .sum();
    let unknown = starts.iter().chain(&ends).filter(|answer| answer.is_err()).count();
    Ok(format!(
        "{} groups, {} rows, {} partitions in {:?} (list {:?}, commits {:?}); failed {failed}, unknown {unknown}, lag {lag}",
        groups.len(),
        rows.len(),
        partitions.len(),
        start.elapsed(),
        listed,
        committed - listed,
    ))
}

async fn prepare(cluster: &Cluster, bootstrap: &str) -> Result<(), Failure> {
    let name = |number: i32| format!("bench-{number}");
    let mut topics = Vec::new();
    for number in 0..TOPICS {
        let (name, configs) = (name(number).parse()?, BTreeMap::new());
        topics.push(NewTopic { name, partitions: PARTITIONS, replication: 1, configs });
    }
    for (name, created) in cluster.create_topics(&topics, LIMIT).await {
        created.map_err(|cause| format!("{name}: {cause}"))?;
    }
    let numbers: Vec<usize> = (0..GROUPS).collect();
    std::thread::scope(|scope| {
        let threads = numbers.chunks(GROUPS / 8).map(|part| {
            scope.spawn(move || -> Result<(), Failure> {
                for group in part {
                    let mut list = TopicPartitionList::new();
                    for place in 0..100 {
                        let partition = (place / TOPICS * TOPICS + *group as i32 % TOPICS) % PARTITIONS;
                        list.add_partition_offset(&name(place % TOPICS), partition, Offset::Offset(0))?;
                    }
                    let mut config = ClientConfig::new();
                    config
                        .set("bootstrap.servers", bootstrap)
                        .set("group.id", format!("bench-group-{group}"));
                    let consumer: BaseConsumer = config.create()?;
                    let end = Instant::now() + LIMIT;
                    while let Err(error) = consumer.commit(&list, CommitMode::Sync) {
                        if Instant::now() > end {
                            return Err(error.into());
                        }
                    }
                }
                Ok(())
            })
        });
        let threads: Vec<_> = threads.collect();
        threads.into_iter().try_for_each(|thread| thread.join().map_err(|_| "a thread failed")?)
    })
}

/// Resident memory, now and at its peak.
fn memory() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let lines = status.lines().filter(|line| line.starts_with("VmRSS") || line.starts_with("VmHWM"));
    lines.map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect::<Vec<_>>().join(", ")
}
