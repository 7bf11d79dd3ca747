//! What a machine may lack: space for the log, handles, a home, a place for files. The server says what is wrong
//! and lives on, or ends with one clear line.

use std::fs::{File, OpenOptions};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use flowdeck_testkit::{DEADLINE, kafka, port, unique, wait_for};
use serde_json::Value;

use crate::figures::processor;
use crate::support::{SOON, Server, cluster, command, new_id, program, soon};

/// A server whose output nobody reads as lines.
struct UnreadServer {
    child: Child,
    url: String,
    _folder: tempfile::TempDir,
}

impl UnreadServer {
    async fn start(config: &str, log: &str, out: impl Into<Stdio>, err: impl Into<Stdio>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let listen = format!("127.0.0.1:{}", port::free(1).unwrap()[0]);
        let mut command = program(folder.path(), config);
        command.args(["--listen", &listen, "--log", log]).stdin(Stdio::null()).stdout(out).stderr(err);
        let mut server =
            Self { child: command.spawn().unwrap(), url: format!("http://{listen}"), _folder: folder };
        wait_for("an answer", DEADLINE, async || {
            assert!(server.child.try_wait().unwrap().is_none(), "it ended");
            reqwest::get(server.at("/health/live")).await.ok().filter(|answer| answer.status() == 200)
        })
        .await;
        server
    }

    fn at(&self, path: &str) -> String {
        format!("{}{path}", self.url)
    }

    async fn soon(&self, path: &str) -> (u16, String) {
        let begun = Instant::now();
        let answer = reqwest::get(self.at(path)).await.unwrap_or_else(|error| panic!("{path}: {error}"));
        let found = (answer.status().as_u16(), answer.text().await.unwrap());
        assert!(begun.elapsed() < soon(), "{path} took {:?}", begun.elapsed());
        found
    }

    async fn lost(&self) -> u64 {
        let (_, text) = self.soon("/metrics").await;
        let lost = text.lines().find_map(|line| line.strip_prefix("flowdeck_log_lines_lost_total "));
        lost.unwrap_or_else(|| panic!("{text}")).parse().unwrap()
    }

    fn ends_well(mut self) {
        let sent = Command::new("kill").arg(self.child.id().to_string()).status().unwrap();
        assert!(sent.success());
        let begun = Instant::now();
        while self.child.try_wait().unwrap().is_none() {
            assert!(begun.elapsed() < Duration::from_secs(5), "it does not end");
            std::thread::sleep(Duration::from_millis(20));
        }
        assert!(self.child.wait().unwrap().success());
    }
}

impl Drop for UnreadServer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn full() -> File {
    OpenOptions::new().write(true).open("/dev/full").expect("/dev/full")
}

/// Where no line of log can be written, pages, commands and the end are as always; the loss is counted and said.
#[tokio::test(flavor = "multi_thread")]
async fn full_log_disk_stops_nothing_and_is_reported() {
    let config = cluster("shop", "control", kafka().bootstrap());
    let server = UnreadServer::start(&config, "debug", full(), full()).await;
    for path in ["/kafkaflow", "/kafkaflow/api/v1/groups", "/kafkaflow/nowhere", "/kafkaflow/c/shop/topics"] {
        assert!(server.soon(path).await.0 < 500, "{path}");
    }
    let body = command(&new_id(), "pause", &unique("nobody"));
    let sent = reqwest::Client::new().post(server.at("/kafkaflow/api/v1/clusters/shop/commands")).json(&body);
    assert!(sent.send().await.unwrap().status().as_u16() < 500);
    wait_for("lines counted as lost", DEADLINE, async || (server.lost().await > 0).then_some(())).await;
    let (status, health) = server.soon("/health/ready").await;
    let health: Value = serde_json::from_str(&health).unwrap();
    assert_eq!(
        (status, &health["status"], &health["checks"]["log"]["status"]),
        (200, &"degraded".into(), &"degraded".into()),
        "{health}"
    );
    server.ends_well();
}

/// A program that was to read the log has stopped: its pipe fills up, and no page waits for it.
#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_nobody_reads_holds_no_page_up() {
    let config = cluster("shop", "observe", kafka().bootstrap());
    let server = UnreadServer::start(&config, "debug", Stdio::null(), Stdio::piped()).await;
    wait_for("more lines than the pipe and the queue hold", Duration::from_secs(90), async || {
        for _ in 0..200 {
            assert_eq!(server.soon("/kafkaflow/api/v1/nowhere").await.0, 404);
        }
        (server.lost().await > 0).then_some(())
    })
    .await;
    assert_eq!(server.soon("/kafkaflow").await.0, 200);
    server.ends_well();
}

#[test]
fn unprintable_output_is_an_error_and_no_panic() {
    let folder = tempfile::tempdir().unwrap();
    for words in [&["new-token"][..], &["serve", "--check"], &["--help"], &["--version"]] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_flowdeck"));
        command.env_clear().current_dir(folder.path()).args(words).stdin(Stdio::null()).stdout(full());
        let output = command.stderr(Stdio::piped()).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(!said.contains("panicked"), "{words:?}: {said}");
        if !words[0].starts_with("--") {
            assert_eq!(output.status.code(), Some(1), "{words:?}: {said}");
            assert!(said.contains("standard output"), "{words:?}: {said}");
        }
    }
}

/// No home, none of the usual places, a working directory where nobody can create a file.
#[tokio::test(flavor = "multi_thread")]
async fn it_needs_no_home_and_writes_no_file() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = program(folder.path(), &cluster("shop", "control", kafka().bootstrap()));
    command
        .current_dir("/proc")
        .env("HOME", "/proc/none")
        .env("TMPDIR", "/proc/none")
        .env("XDG_CACHE_HOME", "/proc");
    command.args(["--listen", "127.0.0.1:0"]);
    let mut server = Server::of(command, folder).await;
    server.refreshed("shop").await;
    assert_eq!(server.soon("").await.status, 200);
    // Nothing but what the test put there: its configuration.
    let made: Vec<_> =
        std::fs::read_dir(server.folder()).unwrap().flatten().map(|entry| entry.file_name()).collect();
    assert_eq!(made, ["flowdeck.toml"]);
    server.assert_sound();
    server.process.stop().await;
}

fn with_handles(most: u32, config: &str, folder: &Path) -> Command {
    let inner = program(folder, config);
    let mut command = Command::new("sh");
    let script = format!("ulimit -n {most} && exec \"$@\"");
    command.args(["-c", &script, "sh"]).arg(inner.get_program()).args(inner.get_args());
    command.env_clear().current_dir(folder);
    for (name, value) in inner.get_envs() {
        if let Some(value) = value {
            command.env(name, value);
        }
    }
    command.args(["--listen", "127.0.0.1:0"]);
    command
}

/// As many connections as are let in or may wait in the system's queue, at most `count`.
fn opens(server: &Server, count: usize) -> Vec<TcpStream> {
    let address = server.url.strip_prefix("http://").unwrap().split('/').next().unwrap().to_owned();
    let connect = |_| TcpStream::connect_timeout(&address.parse().unwrap(), Duration::from_secs(2)).ok();
    (0..count).map_while(connect).collect()
}

/// More connections than handles: Kafka is still read, the processor stays idle, it is said, and it passes.
#[tokio::test(flavor = "multi_thread")]
async fn exhausted_handles_are_reported_and_it_recovers() {
    let folder = tempfile::tempdir().unwrap();
    let command = with_handles(160, &cluster("shop", "observe", kafka().bootstrap()), folder.path());
    let mut server = Server::of(command, folder).await;
    server.refreshed("shop").await;
    assert!(server.process.log().contains("160 files"), "the bound is said: {}", server.process.log());
    // One that is let in before, to ask through meanwhile.
    assert_eq!(server.soon("/health/live").await.status, 200);
    let held = opens(&server, 300);
    let kept = server.says("shop").await["asOf"].clone();
    let before = processor(server.process.pid());
    let begun = Instant::now();
    tokio::time::sleep(Duration::from_secs(3)).await;
    let used = processor(server.process.pid()) - before;
    assert!(
        used < begun.elapsed().as_millis() as u64 / 10 / 2,
        "{used} hundredths of a second in {:?}",
        begun.elapsed()
    );
    let later = server.says("shop").await;
    assert!(later["error"].is_null() && later["asOf"] != kept, "Kafka is not read any more: {later}");
    assert!(server.process.log().contains("connections are open"), "{}", server.process.log());
    let health = server.get("/health/ready").await.json();
    assert_eq!(health["checks"]["connections"]["status"], "degraded", "{health}");
    drop(held);
    wait_for("a new client is let in", DEADLINE, async || {
        let new = reqwest::Client::builder().timeout(SOON).build().unwrap();
        let answer = new.get(server.at("/health/ready")).send().await.ok()?;
        let health: Value = answer.json().await.ok()?;
        (health["checks"]["connections"]["status"] == "healthy").then_some(())
    })
    .await;
    server.assert_sound();
}

/// Handles that something else takes away: what is open goes on, the accept loop neither spins nor ends.
#[tokio::test(flavor = "multi_thread")]
async fn accepting_fails_and_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let command = with_handles(400, &cluster("shop", "observe", kafka().bootstrap()), folder.path());
    let mut server = Server::of(command, folder).await;
    server.refreshed("shop").await;
    assert_eq!(server.soon("/health/live").await.status, 200);
    let pid = server.process.pid().to_string();
    let limit = |soft: &str| {
        let set = Command::new("prlimit").args(["--pid", &pid, &format!("--nofile={soft}:400")]).status();
        assert!(set.expect("prlimit").success());
    };
    limit("10");
    let held = opens(&server, 5);
    let before = processor(server.process.pid());
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert!(processor(server.process.pid()) - before < 150, "it spins");
    let log = server.process.log();
    assert_eq!(log.matches("cannot be accepted").count(), 1, "said once: {log}");
    assert_eq!(server.soon("/kafkaflow/nowhere").await.status, 404, "what is open is served");
    // A connection is used again once the client has it back; another one would not be accepted.
    let ready = wait_for("an answer on what is open", DEADLINE, async || {
        tokio::time::timeout(SOON, server.get("/health/ready")).await.ok()
    });
    assert_eq!(ready.await.json()["checks"]["connections"]["status"], "degraded");
    assert!(server.metric("flowdeck_accepts_failed_total").await.unwrap() > 0.0);
    limit("400");
    drop(held);
    wait_for("accepted again", DEADLINE, async || {
        let new = reqwest::Client::builder().timeout(SOON).build().unwrap();
        (new.get(server.at("/health/live")).send().await.ok()?.status() == 200).then_some(())
    })
    .await;
    wait_for("the word that it is over", DEADLINE, async || {
        server.process.log().contains("accepted again").then_some(())
    })
    .await;
    let stamp = server.says("shop").await["asOf"].clone();
    server.json_when("/api/v1/groups", "read again", |fleet| fleet["clusters"][0]["asOf"] != stamp).await;
    server.assert_sound();
}

#[tokio::test(flavor = "multi_thread")]
async fn too_few_handles_at_the_start_end_it_with_one_line() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = with_handles(24, &cluster("shop", "observe", kafka().bootstrap()), folder.path());
    let output =
        tokio::task::spawn_blocking(move || command.stdin(Stdio::null()).output().unwrap()).await.unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("24 files") && said.contains("ulimit -n"), "{said}");
}
