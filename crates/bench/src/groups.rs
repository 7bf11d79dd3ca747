//! Groups that have committed and have no members, as many as a scenario wants. A client library needs a
//! client with threads of its own for each group, so the one request that it takes is spoken here: OffsetCommit,
//! version 2, to a cluster of one broker, which coordinates every group.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use flowdeck_testkit::Kafka;

const OFFSET_COMMIT: i16 = 8;
const VERSION: i16 = 2;
/// The coordinator is loading, not there yet, or moving.
const LATER: [i16; 3] = [14, 15, 16];
const LIMIT: Duration = Duration::from_secs(30);

/// Commits offset 0 on all partitions of the topic beside each group.
pub(crate) fn commit_all(kafka: &Kafka, groups: &[(String, String)], partitions: i32) -> Result<()> {
    // The broker makes the topic of commits once a client asks for a coordinator.
    if let Some((group, topic)) = groups.first() {
        kafka.commit(group, &[(topic, 0, 0)]);
    }
    let mut broker = TcpStream::connect(kafka.bootstrap()).context("connect to the broker")?;
    broker.set_nodelay(true).context("no delay")?;
    broker.set_read_timeout(Some(LIMIT)).context("a time limit")?;
    let end = Instant::now() + LIMIT;
    for (group, topic) in groups {
        loop {
            broker.write_all(&request(group, topic, partitions)?).context("send a commit")?;
            let code = worst(&answer(&mut broker)?)?;
            match code {
                0 => break,
                _ if LATER.contains(&code) && Instant::now() < end => {
                    std::thread::sleep(Duration::from_millis(50));
                }
                _ => bail!("the commit of {group} is refused: Kafka's error {code}"),
            }
        }
    }
    Ok(())
}

fn request(group: &str, topic: &str, partitions: i32) -> Result<Vec<u8>> {
    let mut out = Vec::new();
    out.extend(OFFSET_COMMIT.to_be_bytes());
    out.extend(VERSION.to_be_bytes());
    out.extend(0_i32.to_be_bytes());
    string(&mut out, "flowdeck-bench")?;
    string(&mut out, group)?;
    // No member and no generation: by hand, as an application that assigns its partitions itself.
    out.extend((-1_i32).to_be_bytes());
    string(&mut out, "")?;
    // Kept for as long as the broker keeps commits.
    out.extend((-1_i64).to_be_bytes());
    out.extend(1_i32.to_be_bytes());
    string(&mut out, topic)?;
    out.extend(partitions.to_be_bytes());
    for partition in 0..partitions {
        out.extend(partition.to_be_bytes());
        out.extend(0_i64.to_be_bytes());
        string(&mut out, "")?;
    }
    let mut framed = i32::try_from(out.len()).context("the request's length")?.to_be_bytes().to_vec();
    framed.extend(out);
    Ok(framed)
}

fn string(out: &mut Vec<u8>, text: &str) -> Result<()> {
    out.extend(i16::try_from(text.len()).context("a name's length")?.to_be_bytes());
    out.extend(text.as_bytes());
    Ok(())
}

fn answer(broker: &mut TcpStream) -> Result<Vec<u8>> {
    let mut length = [0; 4];
    broker.read_exact(&mut length).context("read a commit's answer")?;
    let mut body = vec![0; usize::try_from(i32::from_be_bytes(length)).context("the answer's length")?];
    broker.read_exact(&mut body).context("read a commit's answer")?;
    Ok(body)
}

/// The last code that is not 0 of all partitions: after correlation id, one topic and its name.
fn worst(answer: &[u8]) -> Result<i16> {
    let name = answer.get(8..10).context("a short answer")?;
    let rows = 10 + usize::from(u16::from_be_bytes([name[0], name[1]])) + 4;
    let rows = answer.get(rows..).context("a short answer")?.chunks_exact(6);
    ensure!(rows.len() > 0, "an answer without partitions");
    Ok(rows.map(|row| i16::from_be_bytes([row[4], row[5]])).filter(|code| *code != 0).last().unwrap_or(0))
}
