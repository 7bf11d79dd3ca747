//! Groups that have committed and have no members, as many as a scenario wants. A client library needs a
//! client with threads of its own for each group, so the two requests that it takes are spoken here, to a cluster
//! of one broker, which coordinates every group.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::ops::Range;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use flowdeck_testkit::Kafka;

/// API keys; of both version 2.
const OFFSET_COMMIT: i16 = 8;
const FIND_COORDINATOR: i16 = 10;
const VERSION: i16 = 2;
/// The coordinator is loading, not there yet, or moving.
const LATER: [i16; 3] = [14, 15, 16];
const LIMIT: Duration = Duration::from_secs(120);

/// Topics `PREFIX-topic-0` and so on of so many partitions, and groups `PREFIX-group-00000` and so on. Group `i` has
/// committed on all partitions of topic `i % topics`, as an application that stopped there.
#[derive(Clone, Copy)]
pub(crate) struct Layout {
    pub(crate) prefix: &'static str,
    pub(crate) topics: usize,
    pub(crate) partitions: i32,
}

impl Layout {
    pub(crate) fn topic(&self, topic: usize) -> String {
        format!("{}-topic-{topic}", self.prefix)
    }

    pub(crate) async fn create_topics(&self, kafka: &Kafka) {
        for topic in 0..self.topics {
            kafka.create_topic(&self.topic(topic), self.partitions).await;
        }
    }

    pub(crate) fn commit(&self, kafka: &Kafka, groups: Range<usize>) -> Result<()> {
        let of =
            |group: usize| (format!("{}-group-{group:05}", self.prefix), self.topic(group % self.topics));
        commit_all(kafka, &groups.map(of).collect::<Vec<_>>(), self.partitions)
    }
}

/// Commits offset 0 on all partitions of the topic beside each group.
fn commit_all(kafka: &Kafka, groups: &[(String, String)], partitions: i32) -> Result<()> {
    let mut broker = TcpStream::connect(kafka.bootstrap()).context("connect to the broker")?;
    broker.set_nodelay(true).context("no delay")?;
    broker.set_read_timeout(Some(LIMIT)).context("a time limit")?;
    let end = Instant::now() + LIMIT;
    if let Some((group, _)) = groups.first() {
        // Asked for a coordinator the broker makes the topic of commits, where there is none yet.
        let find = find_coordinator(group)?;
        until_good("its coordinator", end, || coordinator_code(&ask(&mut broker, &find)?))?;
    }
    for (group, topic) in groups {
        let commit = offset_commit(group, topic, partitions)?;
        until_good(group, end, || commit_code(&ask(&mut broker, &commit)?))?;
    }
    Ok(())
}

fn until_good(what: &str, end: Instant, mut code: impl FnMut() -> Result<i16>) -> Result<()> {
    loop {
        match code()? {
            0 => return Ok(()),
            code if LATER.contains(&code) && Instant::now() < end => {}
            code => bail!("{what}: Kafka's error {code}"),
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn request(api: i16) -> Result<Vec<u8>> {
    let mut out = Vec::new();
    out.extend(api.to_be_bytes());
    out.extend(VERSION.to_be_bytes());
    // The correlation id: one request at a time needs none.
    out.extend(0_i32.to_be_bytes());
    string(&mut out, "flowdeck-bench")?;
    Ok(out)
}

fn find_coordinator(group: &str) -> Result<Vec<u8>> {
    let mut out = request(FIND_COORDINATOR)?;
    string(&mut out, group)?;
    // Of a group, not of a transactional id.
    out.push(0);
    Ok(out)
}

fn offset_commit(group: &str, topic: &str, partitions: i32) -> Result<Vec<u8>> {
    let mut out = request(OFFSET_COMMIT)?;
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
    Ok(out)
}

fn string(out: &mut Vec<u8>, text: &str) -> Result<()> {
    out.extend(i16::try_from(text.len()).context("a name's length")?.to_be_bytes());
    out.extend(text.as_bytes());
    Ok(())
}

fn ask(broker: &mut TcpStream, request: &[u8]) -> Result<Vec<u8>> {
    let length = i32::try_from(request.len()).context("the request's length")?;
    broker.write_all(&[&length.to_be_bytes(), request].concat()).context("ask the broker")?;
    let mut length = [0; 4];
    broker.read_exact(&mut length).context("read the broker's answer")?;
    let mut body = vec![0; usize::try_from(i32::from_be_bytes(length)).context("the answer's length")?];
    broker.read_exact(&mut body).context("read the broker's answer")?;
    Ok(body)
}

/// After correlation id and throttle time.
fn coordinator_code(answer: &[u8]) -> Result<i16> {
    let code = answer.get(8..10).context("a short answer")?;
    Ok(i16::from_be_bytes([code[0], code[1]]))
}

/// The first code that is not 0 of all partitions: after correlation id, one topic and its name.
fn commit_code(answer: &[u8]) -> Result<i16> {
    let name = answer.get(8..10).context("a short answer")?;
    let rows = 10 + usize::from(u16::from_be_bytes([name[0], name[1]])) + 4;
    let mut rows = answer.get(rows..).context("a short answer")?.chunks_exact(6);
    ensure!(rows.len() > 0, "an answer without partitions");
    Ok(rows.find_map(|row| Some(i16::from_be_bytes([row[4], row[5]])).filter(|code| *code != 0)).unwrap_or(0))
}
