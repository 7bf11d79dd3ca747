//! One GET and its status, enough to see that the server is ready.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use flowdeck_broker::{Job, stop};

const ASK: Duration = Duration::from_secs(2);

/// The status that `path` answers with.
fn status(address: SocketAddr, path: &str) -> Result<u16> {
    let mut stream = TcpStream::connect_timeout(&address, ASK).context("connect")?;
    stream.set_read_timeout(Some(ASK)).context("set the read timeout")?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).context("send the request")?;
    let mut head = [0_u8; 12];
    stream.read_exact(&mut head).context("read the status line")?;
    parse(&head)
}

/// The status of `HTTP/1.1 200`.
fn parse(head: &[u8; 12]) -> Result<u16> {
    let text = std::str::from_utf8(head).context("the status line is not text")?;
    let code = text.strip_prefix("HTTP/1.").and_then(|rest| rest.get(2..));
    code.and_then(|code| code.parse().ok()).with_context(|| format!("no status line: {text:?}"))
}

/// Waits until `path` answers 200 while `job` runs.
pub(crate) fn wait_ok(job: &mut Job, address: SocketAddr, path: &str, limit: Duration) -> Result<()> {
    let end = Instant::now() + limit;
    loop {
        let answer = status(address, path);
        if matches!(answer, Ok(200)) {
            return Ok(());
        }
        stop::check()?;
        if let Some(status) = job.try_wait()? {
            bail!("{} ended while it started ({status})", job.name());
        }
        if Instant::now() >= end {
            bail!(
                "{} did not answer 200 on {path} within {} s (last: {answer:?})",
                job.name(),
                limit.as_secs()
            );
        }
        std::thread::sleep(stop::TICK);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn status_lines() {
        assert_eq!(parse(b"HTTP/1.1 200").unwrap(), 200);
        assert_eq!(parse(b"HTTP/1.0 503").unwrap(), 503);
        assert!(parse(b"HTTP/2 200 O").is_err());
        assert!(parse(b"SSH-2.0-Open").is_err());
    }
}
