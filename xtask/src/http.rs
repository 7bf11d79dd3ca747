//! One request and its answer, enough to see that a server does what it should.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use flowdeck_broker::{Job, stop};

const ASK: Duration = Duration::from_secs(2);
/// Far more than any page or asset of ours.
const LONGEST: u64 = 16 * 1024 * 1024;

pub(crate) struct Answer {
    pub(crate) status: u16,
    head: String,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    /// The first header of this name, or nothing.
    pub(crate) fn header(&self, name: &str) -> &str {
        let fields = self.head.lines().filter_map(|line| line.split_once(':'));
        let mut named = fields.filter(|(field, _)| field.eq_ignore_ascii_case(name));
        named.next().map_or("", |(_, value)| value.trim())
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

pub(crate) fn get(address: SocketAddr, path: &str, headers: &[(&str, &str)]) -> Result<Answer> {
    ask(address, "GET", path, headers, "")
}

/// A form as a browser sends it.
pub(crate) fn post_form(address: SocketAddr, path: &str, body: &str) -> Result<Answer> {
    ask(address, "POST", path, &[("Content-Type", "application/x-www-form-urlencoded")], body)
}

/// HTTP/1.0: the answer is whole when the connection ends.
fn ask(
    address: SocketAddr,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> Result<Answer> {
    let mut stream = TcpStream::connect_timeout(&address, ASK).context("connect")?;
    stream.set_read_timeout(Some(ASK)).context("set the read timeout")?;
    let mut request =
        format!("{method} {path} HTTP/1.0\r\nHost: {address}\r\nContent-Length: {}\r\n", body.len());
    headers.iter().for_each(|(name, value)| request.push_str(&format!("{name}: {value}\r\n")));
    stream.write_all(format!("{request}\r\n{body}").as_bytes()).context("send the request")?;
    let mut bytes = Vec::new();
    stream.take(LONGEST).read_to_end(&mut bytes).context("read the answer")?;
    parse(&bytes)
}

fn parse(bytes: &[u8]) -> Result<Answer> {
    let end =
        bytes.windows(4).position(|four| four == b"\r\n\r\n").context("the answer has no end of its head")?;
    let head = std::str::from_utf8(&bytes[..end]).context("the answer's head is not text")?;
    let code = head.strip_prefix("HTTP/1.").and_then(|rest| rest.get(2..5));
    let status = code.and_then(|code| code.parse().ok());
    let status = status.with_context(|| format!("no status line: {:?}", head.lines().next()))?;
    Ok(Answer { status, head: head.to_owned(), body: bytes[end + 4..].to_vec() })
}

/// Waits until `path` answers 200 while `job` runs.
pub(crate) fn wait_ok(job: &mut Job, address: SocketAddr, path: &str, limit: Duration) -> Result<()> {
    let end = Instant::now() + limit;
    loop {
        let answer = get(address, path, &[]).map(|answer| answer.status);
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
    fn answers() {
        let answer =
            parse(b"HTTP/1.1 200 OK\r\nContent-Type: text/css\r\nX: a: b\r\n\r\nbody {}\r\n\r\n").unwrap();
        assert_eq!(
            (answer.status, answer.header("content-type"), answer.header("x")),
            (200, "text/css", "a: b")
        );
        assert_eq!((answer.header("y"), answer.text().as_str()), ("", "body {}\r\n\r\n"));
        assert_eq!(parse(b"HTTP/1.0 503 No\r\n\r\n").unwrap().status, 503);
        assert!(parse(b"HTTP/2 200 O\r\n\r\n").is_err());
        assert!(parse(b"SSH-2.0-Open\r\n\r\n").is_err());
        assert!(parse(b"HTTP/1.1 200 OK\r\n").is_err());
    }
}
