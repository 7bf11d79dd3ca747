//! Child processes that end with their owner, whatever ends the owner: a small shell holds the other end of
//! a pipe and ends the child's process group when the pipe closes. No signal handler, no `unsafe`, and it
//! works for SIGKILL too.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process_group};

use crate::stop;

const SCRIPT: &str = include_str!("supervise.sh");

/// Where a child's output goes.
pub enum Output<'a> {
    /// To ours.
    Inherit,
    /// Both streams to this file, appended.
    Log(&'a Path),
    /// Standard output to a pipe for [`Job::take_stdout`], errors to ours.
    Pipe,
}

/// A running child and its supervisor.
pub struct Job {
    name: String,
    child: Child,
    hold: Option<ChildStdin>,
    grace: Duration,
}

impl Job {
    /// Starts `command` in a process group of its own, so that Ctrl-C reaches the owner alone and the owner
    /// decides the order. `grace` is how long a stop waits between SIGTERM and SIGKILL.
    pub fn spawn(name: &str, command: &Command, output: Output<'_>, grace: Duration) -> Result<Self> {
        let mut shell = wrap(command, grace);
        shell.stdin(Stdio::piped()).process_group(0);
        match output {
            Output::Inherit => {}
            Output::Log(path) => {
                let file = fs::File::options().create(true).append(true).open(path);
                let file = file.with_context(|| format!("open the log {}", path.display()))?;
                shell.stderr(file.try_clone().context("share the log")?).stdout(file);
            }
            Output::Pipe => {
                shell.stdout(Stdio::piped());
            }
        }
        let mut child = shell.spawn().with_context(|| format!("start {name} (`sh` is needed)"))?;
        let hold = child.stdin.take();
        Ok(Self { name: name.to_owned(), child, hold, grace })
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    /// The child's standard output, once, where it was started with [`Output::Pipe`].
    pub fn take_stdout(&mut self) -> Option<std::process::ChildStdout> {
        self.child.stdout.take()
    }

    /// How it ended, if it has.
    pub fn try_wait(&mut self) -> Result<Option<ExitStatus>> {
        let status = self.child.try_wait().with_context(|| format!("look at {}", self.name))?;
        if status.is_some() {
            self.kill_group();
        }
        Ok(status)
    }

    /// Waits for its end, at most `limit`; a stop request or the limit stops it and is an error.
    pub fn wait(&mut self, limit: Duration) -> Result<ExitStatus> {
        let end = Instant::now() + limit;
        loop {
            if let Some(status) = self.try_wait()? {
                return Ok(status);
            }
            if stop::requested() {
                self.stop();
                bail!(stop::Stopped);
            }
            if Instant::now() >= end {
                self.stop();
                bail!("{} did not end within {} s and was stopped", self.name, limit.as_secs());
            }
            std::thread::sleep(stop::TICK);
        }
    }

    /// SIGTERM, then SIGKILL after the grace, and waits until it is gone. Harmless when it has ended.
    pub fn stop(&mut self) {
        if self.hold.take().is_none() {
            return;
        }
        let end = Instant::now() + self.grace + Duration::from_secs(2);
        while Instant::now() < end && matches!(self.child.try_wait(), Ok(None)) {
            std::thread::sleep(stop::TICK);
        }
        self.kill_group();
        let _ = self.child.wait();
    }

    /// SIGKILL at once, as a crash would be.
    pub fn kill(&mut self) {
        self.kill_group();
        let _ = self.child.wait();
        self.hold = None;
    }

    /// What is left of the group: the supervisor leads it, so its id is the supervisor's.
    fn kill_group(&self) {
        if let Some(group) = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw) {
            // No such process: nothing is left, which is what was wanted.
            let _ = kill_process_group(group, Signal::KILL);
        }
    }
}

impl Drop for Job {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Runs a command to its end; its output goes to ours.
pub fn run(name: &str, command: &Command, limit: Duration) -> Result<ExitStatus> {
    Job::spawn(name, command, Output::Inherit, Duration::from_secs(3))?.wait(limit)
}

/// Runs a command to its end and gives what it wrote to standard output, success or not.
pub fn capture(name: &str, command: &Command, limit: Duration) -> Result<(ExitStatus, String)> {
    let mut job = Job::spawn(name, command, Output::Pipe, Duration::from_secs(3))?;
    let mut stdout = job.take_stdout().context("the pipe of a child that was started with one")?;
    let reader = std::thread::spawn(move || {
        let mut bytes = Vec::new();
        std::io::Read::read_to_end(&mut stdout, &mut bytes).map(|_| bytes)
    });
    let status = job.wait(limit)?;
    let Ok(bytes) = reader.join() else { bail!("the reader of {name} ended early") };
    let bytes = bytes.with_context(|| format!("read the output of {name}"))?;
    Ok((status, String::from_utf8_lossy(&bytes).into_owned()))
}

fn wrap(command: &Command, grace: Duration) -> Command {
    let mut shell = Command::new("sh");
    shell.arg("-c").arg(SCRIPT).arg("supervise").arg((grace.as_millis() / 100).to_string());
    shell.arg(command.get_program()).args(command.get_args());
    if let Some(dir) = command.get_current_dir() {
        shell.current_dir(dir);
    }
    for (key, value) in command.get_envs() {
        match value {
            Some(value) => shell.env(key, value),
            None => shell.env_remove(OsStr::new(key)),
        };
    }
    shell
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Duration = Duration::from_secs(10);

    fn sh(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    /// A zombie that init has not reaped yet counts as ended.
    fn alive(pid: &str) -> bool {
        let ps = Command::new("ps").args(["-o", "stat=", "-p", pid.trim()]).output().unwrap();
        let stat = String::from_utf8(ps.stdout).unwrap();
        !stat.trim().is_empty() && !stat.starts_with('Z')
    }

    fn first_line(job: &mut Job) -> String {
        let mut line = String::new();
        let stdout = job.take_stdout().unwrap();
        std::io::BufRead::read_line(&mut std::io::BufReader::new(stdout), &mut line).unwrap();
        line
    }

    #[test]
    fn the_exit_code_comes_through() {
        assert_eq!(run("exit", &sh("exit 7"), LIMIT).unwrap().code(), Some(7));
        assert!(run("true", &sh("true"), LIMIT).unwrap().success());
    }

    #[test]
    fn output_is_captured() {
        let (status, text) = capture("echo", &sh("echo one; echo two"), LIMIT).unwrap();
        assert!(status.success());
        assert_eq!(text, "one\ntwo\n");
    }

    #[test]
    fn stop_ends_child_and_grandchild() {
        let command = sh("sleep 60 & echo $!; wait");
        let mut job = Job::spawn("sleepers", &command, Output::Pipe, Duration::from_secs(1)).unwrap();
        let grandchild = first_line(&mut job);
        assert!(alive(&grandchild));
        job.stop();
        assert!(!alive(&grandchild));
    }

    #[test]
    fn a_child_that_ignores_sigterm_is_killed_after_the_grace() {
        let command = sh("trap '' TERM; echo $$; while :; do sleep 1; done");
        let mut job = Job::spawn("stubborn", &command, Output::Pipe, Duration::from_millis(300)).unwrap();
        let pid = first_line(&mut job);
        let begin = Instant::now();
        job.stop();
        assert!(!alive(&pid));
        assert!(begin.elapsed() < Duration::from_secs(3));
    }

    #[test]
    fn a_child_has_time_to_end_by_itself() {
        let dir = tempfile::tempdir().unwrap();
        let mark = dir.path().join("ended");
        let script = format!(
            "trap 'sleep 0.3; touch {}; exit' TERM; echo up; while :; do sleep 0.05; done",
            mark.display()
        );
        let mut job = Job::spawn("polite", &sh(&script), Output::Pipe, Duration::from_secs(5)).unwrap();
        first_line(&mut job);
        job.stop();
        assert!(mark.exists());
    }

    #[test]
    fn a_limit_stops_it() {
        let error = run("sleep", &sh("sleep 60"), Duration::from_millis(200)).unwrap_err();
        assert!(error.to_string().contains("did not end within"), "{error}");
    }
}
