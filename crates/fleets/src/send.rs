//! Writes records that are given byte by byte: what no service of the demo would write. Tests use it to be
//! anybody else who may write to a topic.
//!
//! Each line of standard input is one record: `{"topic": …, "partition": …, "key": …, "value": …, "headers":
//! [[name, value], …]}`; keys and values in hexadecimal, `null` or left out where there is none. Each is
//! answered by its offset. With `--abort` they are one transaction, which is aborted.

use std::collections::VecDeque;
use std::io::{BufRead as _, Write as _};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use clap::Args;
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{DeliveryFuture, FutureProducer, FutureRecord, Producer as _};
use serde::Deserialize;
use tokio::task::block_in_place;

use crate::cluster::Cluster;

const LIMIT: Duration = Duration::from_secs(30);
/// Records that wait for Kafka's answer.
const AT_ONCE: usize = 500;
const LARGEST: &str = "33554432";

#[derive(Debug, Args)]
pub struct Send {
    #[command(flatten)]
    cluster: Cluster,
    /// Write all of them in one transaction, and abort it
    #[arg(long)]
    abort: bool,
}

#[derive(Deserialize)]
struct Line {
    topic: String,
    #[serde(default)]
    partition: i32,
    key: Option<String>,
    value: Option<String>,
    #[serde(default)]
    headers: Vec<(String, Option<String>)>,
}

pub async fn run(args: Send) -> Result<()> {
    let mut client = args.cluster.client();
    client.set("enable.idempotence", "true").set("message.max.bytes", LARGEST).set("linger.ms", "5");
    if !args.abort {
        return write(&client.create().context("make a producer")?).await;
    }
    client.set("transactional.id", format!("flowdeck-fleets-send-{}", std::process::id()));
    let producer: FutureProducer = client.create().context("make a producer")?;
    block_in_place(|| producer.init_transactions(LIMIT)).context("register the transactional id")?;
    producer.begin_transaction().context("begin the transaction")?;
    write(&producer).await?;
    block_in_place(|| producer.abort_transaction(LIMIT)).context("abort the transaction")
}

async fn write(producer: &FutureProducer) -> Result<()> {
    let mut waiting = VecDeque::new();
    for line in std::io::stdin().lock().lines() {
        let line: Line = serde_json::from_str(&line.context("read standard input")?).context("a record")?;
        let (key, value) = (bytes(line.key)?, bytes(line.value)?);
        let mut headers = OwnedHeaders::new();
        for (name, value) in line.headers {
            let value = bytes(value)?;
            headers = headers.insert(Header { key: &name, value: value.as_deref() });
        }
        let mut record =
            FutureRecord::<[u8], [u8]>::to(&line.topic).partition(line.partition).headers(headers);
        record.key = key.as_deref();
        record.payload = value.as_deref();
        let sent = producer.send_result(record).map_err(|(error, _)| error);
        waiting.push_back(sent.with_context(|| format!("write to {}", line.topic))?);
        if waiting.len() >= AT_ONCE {
            answer(waiting.pop_front()).await?;
        }
    }
    while !waiting.is_empty() {
        answer(waiting.pop_front()).await?;
    }
    Ok(())
}

async fn answer(sent: Option<DeliveryFuture>) -> Result<()> {
    let Some(sent) = sent else { return Ok(()) };
    let sent = tokio::time::timeout(LIMIT, sent).await.context("Kafka does not answer")?;
    let sent = sent.context("the producer ended")?.map_err(|(error, _)| error).context("write")?;
    writeln!(std::io::stdout().lock(), "{}", sent.offset).context("answer")
}

fn bytes(hex: Option<String>) -> Result<Option<Vec<u8>>> {
    let Some(hex) = hex else { return Ok(None) };
    ensure!(hex.is_ascii() && hex.len().is_multiple_of(2), "bytes are pairs of hexadecimal digits");
    let pair = |at: usize| u8::from_str_radix(&hex[at..at + 2], 16).context("bytes are hexadecimal");
    (0..hex.len()).step_by(2).map(pair).collect::<Result<_>>().map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_hexadecimal() {
        assert_eq!(bytes(None).unwrap(), None);
        assert_eq!(bytes(Some("00fF".to_owned())).unwrap(), Some(vec![0, 255]));
        assert!(bytes(Some("0".to_owned())).is_err() && bytes(Some("zz".to_owned())).is_err());
    }
}
