//! The server under test: the release binary as a process, on a free port, ended with its handle.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use flowdeck_broker::supervise::{Job, Output};
use flowdeck_broker::{port, tail};

const START_LIMIT: Duration = Duration::from_secs(30);

pub(crate) struct Server {
    job: Job,
    base: String,
    log: PathBuf,
    client: reqwest::Client,
}

impl Server {
    /// Starts it on `bootstrap` as cluster `bench` in control mode; it is not ready yet.
    pub(crate) fn start(binary: &Path, bootstrap: &str) -> Result<Self> {
        Self::with(binary, ["--mode", "control", "--cluster", &format!("bench={bootstrap}")])
    }

    /// With a configuration of its own.
    pub(crate) fn configured(binary: &Path, config: &Path) -> Result<Self> {
        Self::with(binary, ["--config".as_ref(), config.as_os_str()])
    }

    fn with(binary: &Path, arguments: impl IntoIterator<Item = impl AsRef<std::ffi::OsStr>>) -> Result<Self> {
        let [port] = port::free(1)?[..] else { bail!("no free port") };
        let dir = std::env::temp_dir();
        let log = dir.join(format!("flowdeck-bench-{}-{port}.log", std::process::id()));
        let mut command = Command::new(binary);
        command.args(["serve", "--listen", &format!("127.0.0.1:{port}")]).args(arguments).current_dir(&dir);
        let job = Job::spawn("the server", &command, Output::Log(&log), Duration::from_secs(5))?;
        let client = reqwest::Client::builder()
            .timeout(Duration::from_secs(20))
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .context("an HTTP client")?;
        Ok(Self { job, base: format!("http://127.0.0.1:{port}"), log, client })
    }

    /// Asks for `path` until it answers 200.
    pub(crate) async fn wait_ok(&mut self, path: &str) -> Result<()> {
        let end = Instant::now() + START_LIMIT;
        loop {
            let answer = self.client.get(self.url(path)).send().await;
            if answer.is_ok_and(|answer| answer.status() == 200) {
                return Ok(());
            }
            if self.job.try_wait()?.is_some() || Instant::now() >= end {
                bail!("the server does not serve {path}:\n{}", tail(&self.log, 15));
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }

    /// The time from the request, as a browser makes it, to the first byte of the body, after which the rest
    /// is read and dropped.
    pub(crate) async fn first_byte(&self, path: &str) -> Result<Duration> {
        let request = self.client.get(self.url(path)).header("accept-encoding", "gzip, deflate, br, zstd");
        let begin = Instant::now();
        let mut answer = request.send().await.with_context(|| format!("get {path}"))?;
        ensure!(answer.status() == 200, "{path} answers {}", answer.status());
        answer.chunk().await.context("the first byte")?;
        let took = begin.elapsed();
        while answer.chunk().await.context("the rest")?.is_some() {}
        Ok(took)
    }

    /// The time to the last byte, compressed, as Prometheus asks.
    pub(crate) async fn scrape(&self) -> Result<Duration> {
        let begin = Instant::now();
        let request = self.client.get(self.url("/metrics")).header("accept-encoding", "gzip");
        let answer = request.send().await.context("get /metrics")?;
        ensure!(answer.status() == 200, "/metrics answers {}", answer.status());
        answer.bytes().await.context("the rest of /metrics")?;
        Ok(begin.elapsed())
    }

    pub(crate) async fn json(&self, path: &str) -> Result<serde_json::Value> {
        let answer = self.client.get(self.url(path)).send().await.with_context(|| format!("get {path}"))?;
        answer.json().await.with_context(|| format!("read {path}"))
    }

    /// Sends a form of one of the server's own pages; the page that it leads to.
    pub(crate) async fn form(&self, path: &str, fields: &[(&str, &str)]) -> Result<String> {
        let mut body = reqwest::Url::parse("http://form").context("a form")?;
        body.query_pairs_mut().extend_pairs(fields);
        let request = self.client.post(self.url(path)).header("origin", &self.base);
        let request = request.header("content-type", "application/x-www-form-urlencoded");
        let request = request.body(body.query().unwrap_or_default().to_owned());
        let answer = request.send().await.with_context(|| format!("post {path}"))?;
        let (status, location) = (answer.status(), answer.headers().get("location").cloned());
        match location.as_ref().and_then(|location| location.to_str().ok()) {
            Some(location) if status == 303 => Ok(location.to_owned()),
            _ => bail!("{path} answers {status}: {}", answer.text().await.unwrap_or_default()),
        }
    }

    /// One value of `/metrics`, by the beginning of its line.
    pub(crate) async fn metric(&self, name: &str) -> Result<f64> {
        let answer = self.client.get(self.url("/metrics")).send().await.context("get /metrics")?;
        let text = answer.text().await.context("read /metrics")?;
        let line = text.lines().find(|line| line.starts_with(name));
        let value = line.and_then(|line| line.rsplit(' ').next()).and_then(|value| value.parse().ok());
        value.with_context(|| format!("/metrics has no {name}"))
    }

    /// Resident memory of the process, in bytes, as Linux counts it (`VmRSS`).
    pub(crate) fn resident(&self) -> Result<u64> {
        let status = fs::read_to_string(self.process()?.join("status")).context("read its status")?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kilobytes =
            line.and_then(|line| line.split_whitespace().next()).and_then(|kb| kb.parse::<u64>().ok());
        Ok(kilobytes.context("VmRSS")? * 1024)
    }

    /// What the process has used of the processors since its start, as Linux counts it.
    pub(crate) fn cpu(&self) -> Result<Duration> {
        cpu_of(&self.process()?)
    }

    /// Its directory in /proc.
    fn process(&self) -> Result<PathBuf> {
        let listen = self.base.trim_start_matches("http://");
        for entry in fs::read_dir("/proc").context("read /proc")?.flatten() {
            let read = |file: &str| fs::read_to_string(entry.path().join(file)).unwrap_or_default();
            if read("comm").trim() == "flowdeck" && read("cmdline").contains(listen) {
                return Ok(entry.path());
            }
        }
        bail!("the server's process is not in /proc")
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }
}

/// CPU time of a process so far, by its directory in /proc, in steps of 10 ms.
pub(crate) fn cpu_of(process: &Path) -> Result<Duration> {
    let stat = fs::read_to_string(process.join("stat")).context("read its stat")?;
    // After the name in brackets: state is the first field, user and system time the 12th and 13th.
    let fields = stat.rsplit_once(')').context("its stat has no name")?.1;
    let ticks: u64 =
        fields.split_whitespace().skip(11).take(2).filter_map(|ticks| ticks.parse::<u64>().ok()).sum();
    // USER_HZ is 100 for all of Linux.
    Ok(Duration::from_millis(ticks * 10))
}

impl Drop for Server {
    fn drop(&mut self) {
        self.job.stop();
        let _ = std::fs::remove_file(&self.log);
    }
}
