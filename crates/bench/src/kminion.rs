//! kminion beside us, where `KMINION_BIN` names a binary of it: how long its scrape of the same cluster takes. It asks
//! the brokers on each scrape.

use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use flowdeck_broker::supervise::{Job, Output};
use flowdeck_broker::{port, tail};

const START_LIMIT: Duration = Duration::from_secs(30);
const SCRAPES: usize = 10;

/// `None`: there is none to compare with. Else the durations of its scrapes, each with a line for every row.
pub(crate) async fn scrapes(bootstrap: &str, rows: usize) -> Result<Option<Vec<Duration>>> {
    let Some(binary) = std::env::var_os("KMINION_BIN") else { return Ok(None) };
    let [port] = port::free(1)?[..] else { bail!("no free port") };
    let log: PathBuf = std::env::temp_dir().join(format!("flowdeck-bench-kminion-{port}.log"));
    let mut command = Command::new(binary);
    command.env("KAFKA_BROKERS", bootstrap).env("EXPORTER_HOST", "127.0.0.1");
    command.env("EXPORTER_PORT", port.to_string());
    command.env("MINION_CONSUMERGROUPS_SCRAPEMODE", "adminApi").env("MINION_LOGDIRS_ENABLED", "false");
    let mut job = Job::spawn("kminion", &command, Output::Log(&log), Duration::from_secs(5))?;
    let measured = measured(&format!("http://127.0.0.1:{port}/metrics"), rows).await;
    job.stop();
    let measured = measured.with_context(|| tail(&log, 15));
    let _ = std::fs::remove_file(&log);
    measured.map(Some)
}

async fn measured(url: &str, rows: usize) -> Result<Vec<Duration>> {
    let client = reqwest::Client::builder().timeout(START_LIMIT).build().context("an HTTP client")?;
    let end = Instant::now() + START_LIMIT;
    while client.get(url).send().await.is_err() {
        ensure!(Instant::now() < end, "kminion does not answer");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    let mut took = Vec::with_capacity(SCRAPES);
    for _ in 0..SCRAPES {
        let began = Instant::now();
        let text = client.get(url).send().await.context("scrape kminion")?.text().await?;
        took.push(began.elapsed());
        let lines =
            text.lines().filter(|line| line.starts_with("kminion_kafka_consumer_group_topic_partition_lag{"));
        let lines = lines.count();
        ensure!(lines >= rows, "kminion tells of {lines} of {rows} rows");
    }
    Ok(took)
}
