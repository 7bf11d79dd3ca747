//! How fast a search reads: a text, a path of JSON and a CEL expression that no record has, over records of 200 B, without the cap.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use rdkafka::ClientConfig;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{BaseRecord, DefaultProducerContext, Producer as _, ThreadedProducer};

use super::Context;
use crate::figure::Figure;
use crate::server::Server;

const PARTITIONS: i32 = 8;
const RECORDS: u64 = 2_000_000;
const TOPIC: &str = "bench-search";
/// A search ends by then.
const LIMIT: Duration = Duration::from_secs(120);

pub(super) async fn run(context: &Context) -> Result<Vec<Figure>> {
    context.kafka.create_topic(TOPIC, PARTITIONS).await;
    let client = context.kafka.client();
    tokio::task::spawn_blocking(move || produce(&client)).await.context("produce")??;
    let config = std::env::temp_dir().join(format!("flowdeck-bench-search-{}.toml", std::process::id()));
    let text = format!(
        "[clusters.bench]\nbootstrap = {:?}\nsearch = {{ megabytes_per_second = 10000 }}\n",
        context.kafka.bootstrap()
    );
    std::fs::write(&config, text)?;
    let mut server = Server::configured(&context.server, &config)?;
    let mut figures = vec![];
    for (name, find, rate_least) in [
        ("2,000,000 records of 200 B searched for a text", "text=absent-from-all", 500_000),
        ("2,000,000 records of 200 B searched by a JSON path", "path=%24.absent+%3D%3D+1", 200_000),
        ("2,000,000 records of 200 B searched by CEL", "cel=value.id+%3D%3D+1", 80_000),
    ] {
        let path = format!("/kafkaflow/api/v1/clusters/bench/topics/{TOPIC}/messages");
        server.wait_ok(&format!("{path}?limit=1")).await?;
        let took = searched(&server, &path, find).await?;
        figures.push(Figure::once(name, took, Duration::from_secs(RECORDS / rate_least)));
    }
    std::fs::remove_file(&config).context("remove the configuration")?;
    Ok(figures)
}

fn produce(client: &ClientConfig) -> Result<()> {
    let producer: ThreadedProducer<DefaultProducerContext> = client.create().context("a producer")?;
    let filler = "x".repeat(140);
    for (number, partition) in (0..RECORDS).zip((0..PARTITIONS).cycle()) {
        let value =
            format!("{{\"id\":1{number:07},\"customer\":{{\"name\":\"ana\"}},\"note\":\"{filler}\"}}");
        let mut record = BaseRecord::<(), String>::to(TOPIC).partition(partition).payload(&value);
        while let Err((error, back)) = producer.send(record) {
            let is_full = error == KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull);
            ensure!(is_full, "produce record {number}: {error}");
            std::thread::sleep(Duration::from_millis(1));
            record = back;
        }
    }
    producer.flush(LIMIT).context("produce")
}

/// Scan after scan to the end of the topic.
async fn searched(server: &Server, path: &str, find: &str) -> Result<Duration> {
    let (began, mut next) = (Instant::now(), format!("from=earliest&{find}"));
    loop {
        ensure!(began.elapsed() < LIMIT, "the search does not end");
        let view = server.json(&format!("{path}?{next}")).await?;
        let search = view.get("search").context("no search in the answer")?;
        match search["next"].as_str() {
            Some(query) => query.clone_into(&mut next),
            None => {
                let scanned = search["scanned"].as_u64().context("no count")?;
                ensure!(scanned == RECORDS, "{scanned} records were scanned");
                return Ok(began.elapsed());
            }
        }
    }
}
