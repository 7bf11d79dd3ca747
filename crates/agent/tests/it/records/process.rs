//! Processes with agents, which are started, stopped and killed.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use flowdeck_testkit::{DEADLINE, World, wait_for};
use rand::Rng as _;
use rand::rngs::StdRng;
use tokio::time::sleep;

use super::child::{CHILD, Settings, TEST, nanos};

/// Under a pause, once all have answered.
const PAUSED: Duration = Duration::from_millis(300);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum What {
    Begin,
    Ok,
    Failed,
}

/// What a handler told.
#[derive(Debug, Clone)]
pub(super) struct Event {
    pub(super) process: usize,
    pub(super) what: What,
    /// By the machine's clock, in nanoseconds.
    pub(super) at: u64,
    pub(super) value: String,
}

/// A process came or went.
#[derive(Debug, Clone, Copy)]
pub(super) struct Change {
    pub(super) at: u64,
    pub(super) killed: Option<usize>,
}

struct Process {
    number: usize,
    child: Killed,
    reading: JoinHandle<()>,
}

pub(super) struct Processes {
    settings: Box<dyn Fn(usize) -> Settings + Send>,
    running: Vec<Process>,
    started: usize,
    events: Arc<Mutex<Vec<Event>>>,
    pub(super) changes: Vec<Change>,
}

impl Processes {
    pub(super) fn new(world: &World, retry: &str, letters: &str, protocol: &[(&str, &str)]) -> Self {
        let mut client = vec![
            ("bootstrap.servers".to_owned(), world.kafka.bootstrap().to_owned()),
            ("auto.offset.reset".to_owned(), "earliest".to_owned()),
        ];
        client.extend(protocol.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        if !client.iter().any(|(name, _)| name == "group.protocol") {
            client.push(("session.timeout.ms".to_owned(), "6000".to_owned()));
            client.push(("heartbeat.interval.ms".to_owned(), "500".to_owned()));
        }
        let (group, topic, admin) = (world.group.clone(), world.topic.clone(), world.admin.clone());
        let (holds, acks) = (world.holds.clone(), world.acks.clone());
        let (retry, letters) = (retry.to_owned(), letters.to_owned());
        let settings = move |number| Settings {
            client: client.clone(),
            group: group.to_string(),
            topic: topic.to_string(),
            admin: admin.to_string(),
            holds: holds.to_string(),
            acks: acks.to_string(),
            retry: retry.clone(),
            letters: letters.clone(),
            instance: instance(number),
        };
        Self {
            settings: Box::new(settings),
            running: vec![],
            started: 0,
            events: Arc::default(),
            changes: vec![],
        }
    }

    pub(super) fn alive(&self) -> usize {
        self.running.len()
    }

    pub(super) fn events(&self) -> Vec<Event> {
        self.events.lock().unwrap().clone()
    }

    pub(super) fn start(&mut self) {
        let number = self.started;
        self.started += 1;
        let settings = serde_json::to_string(&(self.settings)(number)).unwrap();
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", TEST, "--ignored", "--nocapture"])
            .env(CHILD, settings)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (out, events) = (child.stdout.take().unwrap(), Arc::clone(&self.events));
        let reading = std::thread::spawn(move || {
            for line in BufReader::new(out).lines().map_while(Result::ok) {
                events.lock().unwrap().extend(event(number, &line));
            }
        });
        self.changes.push(Change { at: nanos(), killed: None });
        self.running.push(Process { number, child: Killed(child), reading });
    }

    fn any(&mut self, random: &mut StdRng) -> Process {
        let at = random.random_range(0..self.running.len());
        self.running.swap_remove(at)
    }

    pub(super) async fn kill(&mut self, random: &mut StdRng) {
        let mut process = self.any(random);
        process.child.0.kill().unwrap();
        let number = process.number;
        ended(process).await;
        self.changes.push(Change { at: nanos(), killed: Some(number) });
    }

    pub(super) async fn stop(&mut self, random: &mut StdRng) {
        let process = self.any(random);
        self.end(process).await;
    }

    pub(super) async fn stop_all(&mut self) {
        while let Some(process) = self.running.pop() {
            self.end(process).await;
        }
    }

    async fn end(&mut self, mut process: Process) {
        self.changes.push(Change { at: nanos(), killed: None });
        drop(process.child.0.stdin.take());
        assert!(ended(process).await, "a process did not end in order");
        self.changes.push(Change { at: nanos(), killed: None });
    }

    /// From when all had answered the pause to when it ended.
    pub(super) async fn pause(&self, world: &World) -> Option<(u64, u64)> {
        let hold = world.pause(world.scope()).await;
        let instances: Vec<String> = self.running.iter().map(|process| instance(process.number)).collect();
        wait_for("an answer of each process", DEADLINE, async || {
            let acks = world.acks();
            let answered = |name: &String| {
                acks.iter().any(|ack| ack.command == hold.id.into() && ack.instance.as_str() == name)
            };
            instances.iter().all(answered).then_some(())
        })
        .await;
        let from = nanos();
        sleep(PAUSED).await;
        let to = nanos();
        world.release(&hold).await;
        Some((from, to))
    }
}

/// All that it told is read then. Whether it ended well.
async fn ended(process: Process) -> bool {
    let Process { mut child, reading, .. } = process;
    let ended = tokio::task::spawn_blocking(move || {
        let status = child.0.wait();
        reading.join().unwrap();
        status.is_ok_and(|status| status.success())
    });
    ended.await.unwrap()
}

fn instance(number: usize) -> String {
    format!("process-{number}")
}

fn event(process: usize, line: &str) -> Option<Event> {
    let mut parts = line.strip_prefix('@')?.splitn(3, ' ');
    let what = match parts.next()? {
        "begin" => What::Begin,
        "ok" => What::Ok,
        "failed" => What::Failed,
        _ => return None,
    };
    let at = parts.next()?.parse().ok()?;
    Some(Event { process, what, at, value: parts.next()?.to_owned() })
}

/// With the test.
struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = self.0.kill();
    }
}
