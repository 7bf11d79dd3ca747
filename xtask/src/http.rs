//! Asks a server that was just started, on loopback: is it there, and does it answer what it should.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use flowdeck_broker::{Job, stop};
use ureq::http::{HeaderMap, Response};
use ureq::{Agent, Body};

const ASK: Duration = Duration::from_secs(2);
/// Far more than any page or asset of ours.
const LONGEST: u64 = 16 * 1024 * 1024;

pub(crate) struct Answer {
    pub(crate) status: u16,
    headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    fn read(mut answer: Response<Body>) -> Result<Self> {
        let body = answer.body_mut().with_config().limit(LONGEST).read_to_vec().context("read the answer")?;
        Ok(Self { status: answer.status().as_u16(), headers: answer.headers().clone(), body })
    }

    /// The first header of this name, or nothing.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// Follows no redirect and uses no proxy; every status is an answer.
fn agent() -> Agent {
    let config = Agent::config_builder().timeout_global(Some(ASK)).proxy(None);
    config.http_status_as_error(false).max_redirects(0).build().new_agent()
}

pub(crate) fn get(address: SocketAddr, path: &str, headers: &[(&str, &str)]) -> Result<Answer> {
    let request = headers
        .iter()
        .fold(agent().get(url(address, path)), |request, (name, value)| request.header(*name, *value));
    Answer::read(request.call().context("ask the server")?)
}

/// A form as a browser sends it.
pub(crate) fn post_form(address: SocketAddr, path: &str, body: &str) -> Result<Answer> {
    let request = agent().post(url(address, path)).content_type("application/x-www-form-urlencoded");
    Answer::read(request.send(body).context("send the form")?)
}

fn url(address: SocketAddr, path: &str) -> String {
    format!("http://{address}{path}")
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
