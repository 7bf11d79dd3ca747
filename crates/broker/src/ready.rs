//! Whether a broker answers: one ApiVersions request, version 0, by hand. A KRaft broker answers it only
//! once it has joined and request processing is on, so an answer means ready.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use crate::stop;
use crate::tail::tail;

/// size 10, api key 18, version 0, correlation id 1, client id null.
const REQUEST: [u8; 14] = [0, 0, 0, 10, 0, 18, 0, 0, 0, 0, 0, 1, 0xff, 0xff];

/// A cold start takes about 3 s alone on two cores; a busy machine has this long.
const LIMIT: Duration = Duration::from_secs(90);
const ANSWER_LIMIT: Duration = Duration::from_secs(2);
/// Lines of its log that are told where it does not start.
const TOLD: usize = 15;

/// Waits until the broker answers, while `alive` says that it still runs. `log`: of which an error tells the end.
pub(crate) fn wait(address: SocketAddr, log: &Path, mut alive: impl FnMut() -> Result<bool>) -> Result<()> {
    let end = Instant::now() + LIMIT;
    loop {
        let Err(reason) = answers(address, ANSWER_LIMIT) else { return Ok(()) };
        stop::check()?;
        if !alive()? {
            bail!("Kafka ended while it started. Its last lines:\n{}", tail(log, TOLD));
        }
        if Instant::now() >= end {
            let (lines, limit) = (tail(log, TOLD), LIMIT.as_secs());
            return Err(reason.context(format!("Kafka did not answer within {limit} s:\n{lines}")));
        }
        std::thread::sleep(stop::TICK);
    }
}

/// One question, at most `limit` for the connection and again for the answer.
fn answers(address: SocketAddr, limit: Duration) -> Result<()> {
    let mut stream = TcpStream::connect_timeout(&address, limit).context("connect")?;
    stream.set_read_timeout(Some(limit)).context("set the read timeout")?;
    stream.write_all(&REQUEST).context("ask for the API versions")?;
    let mut head = [0_u8; 10];
    stream.read_exact(&mut head).context("read the API versions")?;
    accept(&head)
}

/// The head of an answer: size, correlation id, error code.
fn accept(head: &[u8; 10]) -> Result<()> {
    ensure!(head[4..8] == [0, 0, 0, 1], "the answer is not to this question: is it a Kafka broker?");
    ensure!(
        head[8..10] == [0, 0],
        "the broker answered with error {}",
        i16::from_be_bytes([head[8], head[9]])
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_answer_without_error_is_ready() {
        assert!(accept(&[0, 0, 1, 0, 0, 0, 0, 1, 0, 0]).is_ok());
        assert!(accept(&[0, 0, 1, 0, 0, 0, 0, 1, 0, 35]).is_err());
        assert!(accept(b"HTTP/1.1 4").is_err());
    }
}
