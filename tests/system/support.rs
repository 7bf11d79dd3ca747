//! Processes: the server and the demo's services. Each dies with its handle.

use std::io::{BufRead as _, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant};

use flowdeck_model::url;
use flowdeck_testkit::{DEADLINE, Kafka, wait_for};
use serde_json::{Value, json};

/// Fleet and group pages answer by then, whatever Kafka does.
pub(crate) const SOON: Duration = Duration::from_secs(2);
/// What the environment says of a longer run, or of its seed.
pub(crate) fn setting(name: &str) -> Option<u64> {
    let value = std::env::var(name).ok()?;
    Some(value.parse().unwrap_or_else(|_| panic!("{name} is no number: {value}")))
}

/// As many times longer as the machine has more to run than cores, and no more than three times: it then is the
/// machine that is slow.
pub(crate) fn soon() -> Duration {
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load: f64 = load.split(' ').next().and_then(|one| one.parse().ok()).unwrap_or(0.0);
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    // A page that waited for Kafka would take the 10 s of a call.
    SOON.mul_f64((load / cores as f64).clamp(1.0, 3.0))
}

/// KafkaFlow's commands are sent again every 30 s.
const LIMIT: Duration = Duration::from_secs(75);

/// A child with the lines that it printed.
pub(crate) struct Process {
    child: Child,
    out: Lines,
    err: Lines,
}

type Lines = Arc<Mutex<Vec<String>>>;

fn lines(from: impl Read + Send + 'static, mut sink: impl FnMut(String) + Send + 'static) {
    std::thread::spawn(move || {
        BufReader::new(from).lines().map_while(Result::ok).for_each(&mut sink);
    });
}

fn kept(lines: &Lines) -> impl FnMut(String) + Send + 'static {
    let lines = Arc::clone(lines);
    move |line| lines.lock().unwrap().push(line)
}

impl Process {
    pub(crate) fn spawn(command: Command) -> Self {
        let out = Lines::default();
        let mut process = Self::spawn_to(command, kept(&out));
        process.out = out;
        process
    }

    /// Its output goes to `sink`, line by line, and is not kept.
    pub(crate) fn spawn_to(mut command: Command, sink: impl FnMut(String) + Send + 'static) -> Self {
        command.env("RUST_BACKTRACE", "1");
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("a process");
        let err = Lines::default();
        lines(child.stdout.take().expect("its output"), sink);
        lines(child.stderr.take().expect("its log"), kept(&err));
        Self { child, out: Lines::default(), err }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn out(&self) -> Vec<String> {
        self.out.lock().unwrap().clone()
    }

    pub(crate) fn log(&self) -> String {
        self.err.lock().unwrap().join("\n")
    }

    pub(crate) fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// SIGKILL.
    pub(crate) fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// As `kill` names it.
    pub(crate) fn signal(&self, signal: &str) {
        let sent = Command::new("kill").args([signal, &self.child.id().to_string()]).status().expect("kill");
        assert!(sent.success());
    }

    /// SIGTERM, and the end awaited.
    pub(crate) async fn stop(&mut self) {
        self.signal("-TERM");
        wait_for("the end of a process", DEADLINE, async || (!self.is_running()).then_some(())).await;
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// One of the demo's consumers, by `flowdeck-fleets consume` or `kafkaflow`, with `--trace`.
pub(crate) struct Consumer(Process);

impl Consumer {
    pub(crate) fn start(kafka: &Kafka, kind: &str, instance: &str, args: &[&str]) -> Self {
        Self(Process::spawn(Self::command(kafka, kind, instance, args)))
    }

    pub(crate) fn command(kafka: &Kafka, kind: &str, instance: &str, args: &[&str]) -> Command {
        let mut command = Command::new(fleets());
        command.args([kind, "--trace", "--bootstrap", kafka.bootstrap(), "--instance", instance]).args(args);
        command
    }

    fn records(&self, what: &str) -> Vec<(String, i32, i64)> {
        let out = self.0.out();
        let words = out.iter().map(|line| line.split(' ').collect::<Vec<_>>());
        words
            .filter(|words| words[0] == what)
            .map(|words| (words[1].to_owned(), words[2].parse().unwrap(), words[3].parse().unwrap()))
            .collect()
    }

    /// Records that were handed to a handler: topic, partition, offset.
    pub(crate) fn started(&self) -> Vec<(String, i32, i64)> {
        self.records("started")
    }

    pub(crate) fn handled(&self) -> Vec<(String, i32, i64)> {
        self.records("handled")
    }

    pub(crate) async fn wait_handled(&self, count: usize) {
        let what = format!("{count} records to be handled");
        wait_for(&what, DEADLINE, async || (self.handled().len() >= count).then_some(())).await;
    }

    /// An agent's partitions that run and that are paused.
    pub(crate) fn assigned(&self) -> (usize, usize) {
        let out = self.0.out();
        let last = out.iter().rev().find_map(|line| line.strip_prefix("assigned "));
        let numbers = last.and_then(|rest| rest.split_once(' '));
        numbers.map_or((0, 0), |(a, b)| (a.parse().unwrap(), b.parse().unwrap()))
    }

    pub(crate) async fn stop(&mut self) {
        self.0.stop().await;
    }

    pub(crate) fn kill(&mut self) {
        self.0.kill();
    }

    pub(crate) fn pid(&self) -> u32 {
        self.0.pid()
    }
}

/// `flowdeck-fleets`: named, or beside the server, where every run of all tests builds it; a run of this
/// package alone builds it here.
pub(crate) fn fleets() -> &'static Path {
    static FLEETS: OnceLock<PathBuf> = OnceLock::new();
    FLEETS.get_or_init(|| {
        if let Some(named) = std::env::var_os("FLEETS_BIN") {
            return named.into();
        }
        let beside = Path::new(env!("CARGO_BIN_EXE_flowdeck")).with_file_name("flowdeck-fleets");
        if !beside.is_file() {
            let mut cargo = Command::new(env!("CARGO"));
            cargo.args(["build", "-p", "flowdeck-fleets"]).current_dir(env!("CARGO_MANIFEST_DIR"));
            assert!(cargo.status().expect("cargo").success(), "flowdeck-fleets was not built");
        }
        beside
    })
}

/// `flowdeck serve`, with a configuration of the test's own.
pub(crate) struct Server {
    pub(crate) process: Process,
    /// `http://127.0.0.1:PORT/kafkaflow`
    pub(crate) url: String,
    client: reqwest::Client,
    folder: tempfile::TempDir,
}

/// What came back.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) location: String,
    pub(crate) text: String,
    /// From the request to the end of the body.
    pub(crate) took: Duration,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|_| panic!("no JSON: {}", self.text))
    }
}

fn client(token: Option<&str>) -> reqwest::Client {
    let header = |token: &str| (reqwest::header::AUTHORIZATION, format!("Bearer {token}").parse().unwrap());
    let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none());
    client.timeout(DEADLINE).default_headers(token.map(header).into_iter().collect()).build().unwrap()
}

/// One cluster in the words of the configuration, read again every second.
pub(crate) fn cluster(name: &str, mode: &str, bootstrap: &str) -> String {
    format!("[clusters.{name}]\nmode = {mode:?}\nbootstrap = {bootstrap:?}\nrefresh = \"1s\"\n")
}

pub(crate) fn flowdeck() -> std::ffi::OsString {
    std::env::var_os("FLOWDECK_BIN").unwrap_or_else(|| env!("CARGO_BIN_EXE_flowdeck").into())
}

pub(crate) fn program(folder: &Path, config: &str) -> Command {
    let path = folder.join("flowdeck.toml");
    std::fs::write(&path, config).unwrap();
    let mut command = Command::new(flowdeck());
    // No configuration of the machine that runs the tests.
    command.env_clear().current_dir(folder).args(["serve", "--config"]).arg(path);
    // The pages' files, where they were built already.
    let site = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/site/debug");
    if site.join("site.json").is_file() {
        command.env("FLOWDECK_SITE", site);
    }
    command
}

/// `flowdeck serve --check`: whether it ended well, and what it said.
pub(crate) async fn check(config: &str) -> (bool, String) {
    let folder = tempfile::tempdir().unwrap();
    let mut process = Process::spawn({
        let mut command = program(folder.path(), config);
        command.arg("--check");
        command
    });
    wait_for("the end of --check", DEADLINE, async || (!process.is_running()).then_some(())).await;
    let good = process.child.wait().expect("its status").success();
    let out = wait_for("what --check says", DEADLINE, async || {
        let out = process.out().join("\n");
        out.contains("\ncluster ").then_some(out)
    });
    (good, out.await)
}

impl Server {
    /// Started, and listening.
    pub(crate) async fn start(config: &str) -> Self {
        Self::start_at(config, "127.0.0.1:0").await
    }

    pub(crate) async fn start_at(config: &str, listen: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut command = program(folder.path(), config);
        command.args(["--listen", listen]);
        Self::of(command, folder).await
    }

    /// Of a command that prints the server's line; its folder stays as long as it does.
    pub(crate) async fn of(command: Command, folder: tempfile::TempDir) -> Self {
        let process = Process::spawn(command);
        let url = wait_for("the server's line", DEADLINE, async || {
            Some(process.out().first()?.strip_prefix("Flowdeck: ").expect("its address").to_owned())
        })
        .await;
        Self { process, url, client: client(None), folder }
    }

    /// From now on it is asked with a bearer token.
    pub(crate) fn signed(self, token: &str) -> Self {
        Self { client: client(Some(token)), ..self }
    }

    /// Where its configuration lies.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Everything begins with the base but what machines ask (`/health`, `/metrics`).
    pub(crate) fn at(&self, path: &str) -> String {
        let machines = path.starts_with("/health") || path.starts_with("/metrics");
        let root = if machines { self.url.strip_suffix("/kafkaflow").unwrap() } else { &self.url };
        format!("{root}{path}")
    }

    async fn answer(request: reqwest::RequestBuilder) -> Answer {
        Self::try_answer(request).await.expect("an answer")
    }

    /// An error where no whole answer came.
    pub(crate) async fn try_answer(request: reqwest::RequestBuilder) -> reqwest::Result<Answer> {
        let begun = Instant::now();
        let response = request.send().await?;
        let status = response.status().as_u16();
        let location = response.headers().get("location").map(|value| value.to_str().unwrap().to_owned());
        let text = response.text().await?;
        Ok(Answer { status, location: location.unwrap_or_default(), text, took: begun.elapsed() })
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        Self::answer(self.client.get(self.at(path)).header("accept", "text/html, application/json")).await
    }

    /// No page waits for Kafka.
    pub(crate) async fn soon(&self, path: &str) -> Answer {
        let answer = self.get(path).await;
        assert!(answer.took < soon(), "{path} took {:?}", answer.took);
        answer
    }

    /// What the API says of a cluster in the list of groups.
    pub(crate) async fn says(&self, cluster: &str) -> Value {
        let fleet = self.soon("/api/v1/groups").await.json();
        let all = fleet["clusters"].as_array().unwrap();
        all.iter().find(|one| one["name"] == cluster).unwrap().clone()
    }

    /// One number of `/metrics`, by its name with all its labels.
    pub(crate) async fn metric(&self, name: &str) -> Option<f64> {
        let text = self.get("/metrics").await.text;
        text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.parse().ok())
    }

    /// A form, as the server's own page sends it.
    pub(crate) async fn form(&self, path: &str, fields: &[(&str, &str)]) -> Answer {
        let mut body = reqwest::Url::parse("http://form").unwrap();
        body.query_pairs_mut().extend_pairs(fields);
        let body = body.query().unwrap_or_default().to_owned();
        let origin = self.url.strip_suffix("/kafkaflow").unwrap();
        let request = self.client.post(self.at(path)).header("origin", origin).header("accept", "text/html");
        Self::answer(request.header("content-type", "application/x-www-form-urlencoded").body(body)).await
    }

    pub(crate) async fn send(&self, path: &str, body: &Value) -> Answer {
        Self::answer(self.client.post(self.at(path)).json(body)).await
    }

    /// Only the status, where an answer came at all: the server may be killed meanwhile.
    pub(crate) async fn try_send(&self, path: &str, body: &Value) -> Option<u16> {
        let answer = self.client.post(self.at(path)).json(body).send().await.ok()?;
        Some(answer.status().as_u16())
    }

    /// What a POST that must succeed answers, once it is as wanted.
    pub(crate) async fn json_by(
        &self,
        path: &str,
        body: &Value,
        what: &str,
        is: impl Fn(&Value) -> bool,
    ) -> Value {
        wait_for(what, DEADLINE, async || {
            let answer = self.send(path, body).await;
            (answer.status == 200).then(|| answer.json()).filter(|view| is(view))
        })
        .await
    }

    /// `None`: refused, or no answer.
    pub(crate) async fn try_json(&self, path: &str, body: &Value) -> Option<Value> {
        let answer = self.client.post(self.at(path)).json(body).send().await.ok()?;
        let good = answer.status().is_success();
        let text = answer.text().await.ok().filter(|_| good)?;
        serde_json::from_str(&text).ok()
    }

    /// The beginning of a stream, at least its first event.
    pub(crate) async fn stream(&self, query: &str) -> Answer {
        let begun = Instant::now();
        let request = self.client.get(self.at(&format!("/events?{query}")));
        let mut response = request.send().await.expect("an answer");
        let status = response.status().as_u16();
        let mut text = String::new();
        while status == 200 && !text.contains("\n\n") {
            let Some(chunk) = response.chunk().await.expect("a chunk") else { break };
            text.push_str(&String::from_utf8_lossy(&chunk));
        }
        Answer { status, location: String::new(), text, took: begun.elapsed() }
    }

    /// The API's answer to a GET that must succeed.
    pub(crate) async fn api(&self, path: &str) -> Value {
        let answer = self.get(&format!("/api/v1{path}")).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.text);
        answer.json()
    }

    /// The group's view, once it is as wanted.
    pub(crate) async fn group(
        &self,
        cluster: &str,
        group: &str,
        what: &str,
        is: impl Fn(&Value) -> bool,
    ) -> Value {
        let path = format!("/api/v1/clusters/{cluster}/groups/{}", url::encode(group));
        self.json_when(&path, &format!("{group}: {what}"), is).await
    }

    pub(crate) async fn command(
        &self,
        cluster: &str,
        id: &str,
        what: &str,
        is: impl Fn(&Value) -> bool,
    ) -> Value {
        self.json_when(&format!("/api/v1/clusters/{cluster}/commands/{id}"), what, is).await
    }

    pub(crate) async fn json_when(&self, path: &str, what: &str, is: impl Fn(&Value) -> bool) -> Value {
        let last = Mutex::new(String::new());
        let found = tokio::time::timeout(LIMIT, async {
            loop {
                let answer = self.get(path).await;
                *last.lock().unwrap() = answer.text.clone();
                if answer.status == 200 && is(&answer.json()) {
                    return answer.json();
                }
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        });
        match found.await {
            Ok(value) => value,
            Err(_) => panic!("not within {LIMIT:?}: {what}: {}", last.lock().unwrap()),
        }
    }

    /// The first refresh of this cluster is over.
    pub(crate) async fn refreshed(&self, cluster: &str) {
        self.json_when("/api/v1/groups", "the first refresh", |fleet| {
            let clusters = fleet["clusters"].as_array().unwrap();
            clusters.iter().any(|one| one["name"] == cluster && !one["asOf"].is_null())
        })
        .await;
    }

    /// Nothing of it panicked, and it runs.
    pub(crate) fn assert_sound(&mut self) {
        assert!(self.process.is_running(), "the server ended: {}", self.process.log());
        let log = self.process.log();
        assert!(!log.contains("panicked"), "{log}");
    }
}

/// The body of a command.
pub(crate) fn command(id: &str, action: &str, group: &str) -> Value {
    json!({ "id": id, "action": action, "target": { "group": group }, "reason": "INC-1" })
}

pub(crate) fn new_id() -> String {
    uuid::Uuid::new_v4().to_string()
}

/// Of a group's view: so many instances of its first consumer have been heard.
pub(crate) fn heard(count: usize) -> impl Fn(&Value) -> bool {
    move |view| view["consumers"][0]["instances"].as_array().is_some_and(|all| all.len() == count)
}

/// Of a group's view: an instance has been heard.
pub(crate) fn is_heard(view: &Value) -> bool {
    !view["consumers"][0]["instances"][0].is_null()
}

/// Of a command's view: it has come to its end, good or not.
pub(crate) fn settled(view: &Value) -> bool {
    !["requested", "sent"].contains(&view["state"].as_str().unwrap())
}
