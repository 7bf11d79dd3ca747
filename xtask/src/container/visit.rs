//! What a browser asks of a server that was just started.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

use crate::http::{self, Answer};
use crate::say;

pub(super) struct Visit {
    address: SocketAddr,
    cookie: String,
}

impl Visit {
    /// Where there is no sign-in.
    pub(super) fn open(address: SocketAddr) -> Self {
        Self { address, cookie: String::new() }
    }

    /// Nobody is let in, a wrong password neither; the right one is.
    pub(super) fn signed_in(address: SocketAddr, password: &str) -> Result<Self> {
        let status = http::get(address, "/kafkaflow/api/v1/groups", &[])?.status;
        ensure!(status == 401, "without signing in the API answers {status}");
        let log_in = |password: &str| {
            http::post_form(address, "/kafkaflow/login", &format!("name=admin&password={password}"))
        };
        let refused = log_in("not-the-password")?.status;
        ensure!(refused == 401, "a wrong password is answered by {refused}");
        let answer = log_in(password)?;
        ensure!(answer.status == 303, "the one-time password is answered by {}", answer.status);
        let cookie = answer.header("set-cookie").split(';').next().unwrap_or_default().to_owned();
        say::step("container: the one-time password signs in");
        Ok(Self { address, cookie })
    }

    fn get(&self, path: &str, headers: &[(&str, &str)]) -> Result<Answer> {
        let cookie = ("Cookie", self.cookie.as_str());
        let cookie = if self.cookie.is_empty() { None } else { Some(cookie) };
        http::get(self.address, path, &headers.iter().copied().chain(cookie).collect::<Vec<_>>())
    }

    /// The page, and what it names: script, wasm and style, with their brotli twins.
    pub(super) fn pages_and_assets(&self) -> Result<()> {
        for path in ["/health", "/health/live", "/health/ready"] {
            ensure!(self.get(path, &[])?.status == 200, "{path} does not answer 200");
        }
        let page = self.get("/kafkaflow", &[])?;
        let text = page.text();
        ensure!(page.status == 200 && text.contains("</html>"), "the page answers {}", page.status);
        let pkg = text.split('"').find(|word| word.contains("/pkg/") && word.ends_with("/flowdeck.css"));
        let pkg = pkg.context("the page names no stylesheet")?.trim_end_matches("flowdeck.css");
        for (name, kind, start) in [
            ("flowdeck.css", "text/css", None),
            ("flowdeck.js", "text/javascript", None),
            ("flowdeck_bg.wasm", "application/wasm", Some(b"\0asm".as_slice())),
        ] {
            let path = format!("{pkg}{name}");
            let plain = self.get(&path, &[])?;
            ensure!(
                plain.status == 200 && plain.header("content-type").starts_with(kind),
                "{path}: {}",
                plain.status
            );
            ensure!(start.is_none_or(|start| plain.body.starts_with(start)), "{path} is not what it says");
            ensure!(plain.header("cache-control").contains("immutable"), "{path} may not be kept");
            let small = self.get(&path, &[("Accept-Encoding", "br")])?;
            ensure!(small.header("content-encoding") == "br", "{path} has no brotli twin");
            let mut unpacked = Vec::new();
            brotli::BrotliDecompress(&mut small.body.as_slice(), &mut unpacked).context("unpack a twin")?;
            ensure!(unpacked == plain.body, "{path}: its twin is another file");
        }
        Ok(())
    }

    /// The cluster, read from its brokers.
    pub(super) fn sees_the_cluster(&self, name: &str, limit: Duration) -> Result<()> {
        let end = Instant::now() + limit;
        loop {
            let answer = self.get("/kafkaflow/api/v1/groups", &[])?;
            let list: Value = serde_json::from_slice(&answer.body).context("read the API's answer")?;
            let cluster = &list["clusters"][0];
            if cluster["error"].is_null() && cluster["asOf"].is_string() {
                ensure!(
                    cluster["name"] == name && cluster["mode"] == "control",
                    "another cluster: {cluster}"
                );
                say::step("container: it reads the cluster of compose.yaml");
                return Ok(());
            }
            if Instant::now() >= end {
                bail!("the cluster is not read: {}", answer.text());
            }
            std::thread::sleep(Duration::from_millis(200));
        }
    }
}
