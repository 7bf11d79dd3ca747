//! A run of the real xtask: what it prints, what it is told, and every process that it started.

use std::io::{BufRead as _, BufReader, Read, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// A first build takes minutes, and another command may hold cargo's lock meanwhile.
pub(crate) const BUILD: Duration = Duration::from_secs(15 * 60);
const TICK: Duration = Duration::from_millis(20);

/// In the environment of all that a run starts: by it what is left is found, wherever its parent went.
const MARK: &str = "XTASK_TEST_RUN";

type Lines = Arc<Mutex<Vec<String>>>;

pub(crate) struct Run {
    child: Child,
    stdin: Option<ChildStdin>,
    out: Lines,
    err: Lines,
    mark: String,
}

/// What standard input is.
pub(crate) enum Input {
    /// Nothing more is ever said.
    Ended,
    /// Somebody may answer.
    Open,
}

impl Run {
    pub(crate) fn start(args: &[&str], input: Input) -> Self {
        Self::start_with(args, input, &[])
    }

    pub(crate) fn start_with(args: &[&str], input: Input, variables: &[(&str, &Path)]) -> Self {
        let mark = flowdeck_testkit::unique("run");
        let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
        command.args(args).env(MARK, &mark).envs(variables.iter().copied());
        command.stdin(match input {
            Input::Ended => Stdio::null(),
            Input::Open => Stdio::piped(),
        });
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("xtask");
        let out = lines(child.stdout.take().expect("its output"));
        let err = lines(child.stderr.take().expect("its progress"));
        Self { stdin: child.stdin.take(), child, out, err, mark }
    }

    pub(crate) fn out(&self) -> String {
        self.out.lock().unwrap().join("\n")
    }

    pub(crate) fn err(&self) -> String {
        self.err.lock().unwrap().join("\n")
    }

    /// Waits until a line with these words is on either stream.
    pub(crate) fn says(&mut self, words: &str, limit: Duration) {
        let end = Instant::now() + limit;
        let said = |lines: &Lines| lines.lock().unwrap().iter().any(|line| line.contains(words));
        while !said(&self.out) && !said(&self.err) {
            let ended = self.child.try_wait().expect("a look at xtask");
            assert!(ended.is_none(), "ended ({ended:?}) without {words:?}:\n{}\n{}", self.out(), self.err());
            assert!(Instant::now() < end, "not within {limit:?}: {words:?}:\n{}\n{}", self.out(), self.err());
            std::thread::sleep(TICK);
        }
    }

    pub(crate) fn answer(&mut self, line: &str) {
        let stdin = self.stdin.as_mut().expect("an open input");
        stdin.write_all(line.as_bytes()).expect("an answer");
    }

    /// As Ctrl-C does, and as the end of a terminal or `kill -9`.
    pub(crate) fn signal(&self, name: &str) {
        let kill = Command::new("kill").arg(format!("-{name}")).arg(self.child.id().to_string()).status();
        assert!(kill.expect("kill").success());
    }

    pub(crate) fn ends(&mut self, limit: Duration) -> ExitStatus {
        let end = Instant::now() + limit;
        loop {
            if let Some(status) = self.child.try_wait().expect("a look at xtask") {
                return status;
            }
            assert!(Instant::now() < end, "xtask did not end within {limit:?}:\n{}", self.err());
            std::thread::sleep(TICK);
        }
    }

    /// The processes of this run that are still there.
    fn left(&self) -> Vec<String> {
        let mark = format!("{MARK}={}", self.mark);
        let entries = std::fs::read_dir("/proc").expect("/proc").flatten();
        let marked = entries.filter(|entry| {
            let environment = std::fs::read(entry.path().join("environ")).unwrap_or_default();
            environment.split(|byte| *byte == 0).any(|variable| variable == mark.as_bytes())
        });
        let name = |path: PathBuf| std::fs::read(path.join("cmdline")).unwrap_or_default();
        marked.map(|entry| String::from_utf8_lossy(&name(entry.path())).replace('\0', " ")).collect()
    }

    /// How many processes it has now; a test of the test.
    pub(crate) fn processes(&self) -> usize {
        self.left().len()
    }

    pub(crate) fn leaves_nothing(&self, limit: Duration) {
        let end = Instant::now() + limit;
        loop {
            let left = self.left();
            if left.is_empty() {
                return;
            }
            assert!(Instant::now() < end, "still there after {limit:?}: {left:#?}");
            std::thread::sleep(TICK);
        }
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn lines(from: impl Read + Send + 'static) -> Lines {
    let lines = Lines::default();
    let sink = Arc::clone(&lines);
    std::thread::spawn(move || {
        for line in BufReader::new(from).lines().map_while(Result::ok) {
            sink.lock().unwrap().push(line);
        }
    });
    lines
}
