//! Consumers as processes of their own: started, read line by line, killed.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};

use flowdeck_testkit::{DEADLINE, wait_for};

/// One `flowdeck-fleets consume`. Killed when dropped.
pub(crate) struct Process {
    child: Child,
    pub(crate) instance: String,
    lines: Arc<Mutex<Vec<String>>>,
}

/// What a handler printed.
#[derive(Debug, Clone)]
pub(crate) struct Line {
    pub(crate) partition: i32,
    pub(crate) offset: i64,
    /// Epoch milliseconds, by this machine's clock.
    pub(crate) at: i64,
}

impl Process {
    pub(crate) fn start(instance: &str, args: &[&str]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_flowdeck-fleets"))
            .args(["consume", "--trace", "--instance", instance])
            .args(args)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .expect("a process");
        let out = child.stdout.take().expect("its output");
        let lines = Arc::<Mutex<Vec<String>>>::default();
        let sink = Arc::clone(&lines);
        std::thread::spawn(move || {
            for line in BufReader::new(out).lines().map_while(Result::ok) {
                sink.lock().unwrap().push(line);
            }
        });
        Self { child, instance: instance.to_owned(), lines }
    }

    fn lines(&self, what: &str) -> Vec<Line> {
        let lines = self.lines.lock().unwrap();
        let words = lines.iter().map(|line| line.split(' ').collect::<Vec<_>>());
        words
            .filter(|words| words[0] == what)
            .map(|words| Line {
                partition: words[2].parse().unwrap(),
                offset: words[3].parse().unwrap(),
                at: words[4].parse().unwrap(),
            })
            .collect()
    }

    pub(crate) fn started(&self) -> Vec<Line> {
        self.lines("started")
    }

    pub(crate) fn handled(&self) -> Vec<Line> {
        self.lines("handled")
    }

    /// (running, paused) partitions, as last printed.
    pub(crate) fn assigned(&self) -> (usize, usize) {
        let lines = self.lines.lock().unwrap();
        let last = lines.iter().rev().find_map(|line| line.strip_prefix("assigned "));
        let numbers = last.and_then(|rest| rest.split_once(' '));
        numbers.map_or((0, 0), |(a, b)| (a.parse().unwrap(), b.parse().unwrap()))
    }

    pub(crate) async fn wait_handled(&self, count: usize) {
        let what = format!("{count} records handled by {}", self.instance);
        wait_for(&what, DEADLINE, async || (self.handled().len() >= count).then_some(())).await;
    }

    /// SIGKILL.
    pub(crate) fn kill(&mut self) {
        self.child.kill().expect("killed");
        self.child.wait().expect("gone");
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
