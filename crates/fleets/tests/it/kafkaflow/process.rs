//! A KafkaFlow-like process with its lines, and the admin topic as an outsider reads and writes it.

use std::collections::BTreeSet;
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use flowdeck_protocol::kafkaflow::{
    Command as KafkaFlowCommand, Decoded, Message, Telemetry, decode, external_command_record,
};
use flowdeck_protocol::wire::{Sender, sender};
use flowdeck_testkit::{DEADLINE, Kafka, kafka, unique, wait_for};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

/// A topic with records, an admin topic, a group: a test's own.
pub(crate) struct Stage {
    pub(crate) kafka: Kafka,
    pub(crate) topic: String,
    pub(crate) other: String,
    pub(crate) admin: String,
    pub(crate) group: String,
}

pub(crate) struct Process {
    child: Child,
    lines: Arc<Mutex<Vec<String>>>,
}

impl Stage {
    pub(crate) async fn new() -> Self {
        Self::on(tokio::task::spawn_blocking(kafka).await.unwrap().clone()).await
    }

    pub(crate) async fn on(kafka: Kafka) -> Self {
        let stage = Self {
            kafka,
            topic: unique("kf-a"),
            other: unique("kf-b"),
            admin: unique("kf-admin"),
            group: unique("kf-group"),
        };
        stage.kafka.create_topic(&stage.topic, 2).await;
        stage.kafka.create_topic(&stage.other, 1).await;
        stage.kafka.create_topic(&stage.admin, 1).await;
        stage
    }

    pub(crate) async fn produce(&self, topic: &str, partition: i32, count: usize) {
        self.kafka.produce(topic, partition, vec!["x"; count]).await;
    }

    pub(crate) async fn start(&self, instance: &str, flags: &[&str]) -> Process {
        let process = Process::spawn(self, instance, flags);
        let ready = format!("ready {instance}");
        wait_for("the instance is ready", DEADLINE, async || process.lines().contains(&ready).then_some(()))
            .await;
        process
    }

    /// As KafkaFlow's dashboard would.
    pub(crate) async fn command(&self, command: KafkaFlowCommand) {
        let record = external_command_record(uuid::Uuid::new_v4(), command);
        self.kafka.send_record(&self.admin, &record).await;
    }

    /// All telemetry so far, the oldest first.
    pub(crate) async fn telemetry(&self) -> Vec<Telemetry> {
        let (kafka, admin) = (self.kafka.clone(), self.admin.clone());
        let records = tokio::task::spawn_blocking(move || kafka.read_all(&admin)).await.unwrap();
        let mut telemetry = Vec::new();
        for record in records {
            let headers = record.headers();
            assert_eq!(sender(&headers), Sender::KafkaFlow);
            match decode(&headers, record.value.as_deref()) {
                Decoded::Message(Message::Telemetry(one)) => {
                    assert_eq!(record.key.unwrap().len(), 16);
                    telemetry.push(one);
                }
                Decoded::Message(Message::Command(_)) => {}
                other => panic!("{other:?}"),
            }
        }
        telemetry
    }

    /// Waits for telemetry that is newer than this call and as wanted.
    pub(crate) async fn told(&self, what: &str, wanted: impl Fn(&Telemetry) -> bool) -> Telemetry {
        let before = self.telemetry().await.len();
        wait_for(what, DEADLINE, async || {
            self.telemetry().await.into_iter().skip(before).find(|one| wanted(one))
        })
        .await
    }
}

impl Process {
    fn spawn(stage: &Stage, instance: &str, flags: &[&str]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_flowdeck-fleets"))
            .args([
                "kafkaflow",
                "--trace",
                "--commit-ms",
                "200",
                "--telemetry-ms",
                "500",
                "--consumer",
                "orders",
            ])
            .args(["--bootstrap", stage.kafka.bootstrap(), "--group", &stage.group])
            .args(["--topic", &stage.topic, "--topic", &stage.other])
            .args(["--admin-topic", &stage.admin, "--instance", instance])
            .args(flags)
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let lines = Arc::new(Mutex::new(Vec::new()));
        let mut output = BufReader::new(child.stdout.take().unwrap()).lines();
        tokio::spawn({
            let lines = lines.clone();
            async move {
                while let Ok(Some(line)) = output.next_line().await {
                    lines.lock().unwrap().push(line);
                }
            }
        });
        Self { child, lines }
    }

    pub(crate) fn lines(&self) -> Vec<String> {
        self.lines.lock().unwrap().clone()
    }

    /// How many records of the topic the handler has done.
    pub(crate) fn handled(&self, topic: &str) -> usize {
        let start = format!("handled {topic} ");
        self.lines().iter().filter(|line| line.starts_with(&start)).count()
    }

    pub(crate) async fn until_handled(&self, topic: &str, count: usize) {
        let what = format!("{count} records of {topic} handled");
        wait_for(&what, DEADLINE, async || (self.handled(topic) >= count).then_some(())).await;
    }

    /// The offsets of one partition whose records the handler has done.
    pub(crate) fn offsets(&self, topic: &str, partition: i32) -> BTreeSet<i64> {
        let start = format!("handled {topic} {partition} ");
        let lines = self.lines();
        let rest = lines.iter().filter_map(|line| line.strip_prefix(&start));
        rest.map(|rest| rest.split(' ').next().unwrap().parse().unwrap()).collect()
    }

    /// SIGTERM; how long the process took to end.
    pub(crate) async fn terminate(&mut self) -> Duration {
        let begun = std::time::Instant::now();
        let pid = rustix::process::Pid::from_raw(self.child.id().unwrap() as i32).unwrap();
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
        tokio::time::timeout(DEADLINE, self.child.wait()).await.expect("an end").unwrap();
        begun.elapsed()
    }
}
