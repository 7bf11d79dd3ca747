//! Candidates that are processes of their own, to be killed and frozen.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use flowdeck_kafka::ElectionEvent;
use flowdeck_testkit::{Kafka, kafka, unique};

use crate::election::{decided, elect};
use crate::support::{LONG, cluster};

const ENV: &str = "FLOWDECK_CANDIDATE";
const TAKEOVER: Duration = Duration::from_secs(10);

/// Says every 5 ms whether it leads.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "the tests of this file start it as a process"]
async fn candidate() {
    let Ok(arguments) = std::env::var(ENV) else { return };
    let arguments: Vec<_> = arguments.split(' ').collect();
    let [bootstrap, group, topic] = arguments[..] else { panic!("{arguments:?}") };
    let cluster = cluster(&Kafka::at(bootstrap));
    let mut election = elect(&cluster, group, topic);
    let leadership = election.leadership();
    let events = tokio::spawn(async move { while election.next().await.is_some() {} });
    // Until its parent has gone.
    while writeln!(std::io::stderr(), "leads {}", leadership.is_held()).is_ok() {
        std::thread::sleep(Duration::from_millis(5));
    }
    events.abort();
}

struct Candidate {
    child: Child,
    lines: mpsc::Receiver<String>,
}

impl Candidate {
    fn start(kafka: &Kafka, group: &str, topic: &str) -> Self {
        let mut child = Command::new(std::env::current_exe().expect("this program"))
            .args(["candidates::candidate", "--exact", "--ignored", "--nocapture"])
            .env(ENV, format!("{} {group} {topic}", kafka.bootstrap()))
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("a process");
        let (sender, lines) = mpsc::channel();
        let stderr = BufReader::new(child.stderr.take().expect("its output"));
        std::thread::spawn(move || {
            let said = stderr.lines().map_while(Result::ok).filter(|line| line.starts_with("leads "));
            said.for_each(|line| drop(sender.send(line)));
        });
        Self { child, lines }
    }

    fn wait(&self, line: &str) {
        let end = Instant::now() + LONG;
        while self.lines.recv_timeout(LONG).expect("a process that lives") != line {
            assert!(Instant::now() < end, "not in time: {line}");
        }
    }

    fn signal(&self, signal: &str) {
        let sent = Command::new("kill").args([signal, &self.child.id().to_string()]).status();
        assert!(sent.expect("kill").success());
    }
}

impl Drop for Candidate {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_or_frozen_leader_is_replaced_within_10_s() {
    let kafka = kafka();
    for signal in ["-KILL", "-STOP"] {
        let (topic, group) = (unique("holds"), unique("writer"));
        kafka.create_topic(&topic, 1).await;
        let leader = Candidate::start(kafka, &group, &topic);
        tokio::task::block_in_place(|| leader.wait("leads true"));
        let cluster = cluster(kafka);
        let mut other = elect(&cluster, &group, &topic);
        assert_eq!(decided(&mut other).await, ElectionEvent::Standby);
        leader.signal(signal);
        let begun = Instant::now();
        assert_eq!(decided(&mut other).await, ElectionEvent::Elected);
        let took = begun.elapsed();
        eprintln!("{signal}: another leads after {took:?}");
        assert!(took < TAKEOVER, "{signal}: {took:?}");
        if signal == "-KILL" {
            continue;
        }
        while leader.lines.try_recv().is_ok() {}
        leader.signal("-CONT");
        tokio::task::block_in_place(|| {
            // What it was about to say when it was frozen.
            leader.lines.recv_timeout(LONG).expect("a process that goes on");
            for _ in 0..200 {
                let said = leader.lines.recv_timeout(LONG).expect("a process that goes on");
                assert_eq!(said, "leads false", "two leaders");
            }
        });
        assert!(other.leadership().is_held());
    }
}
