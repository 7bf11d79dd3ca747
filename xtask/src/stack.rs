//! The services and the server on a Kafka: what the demo shows and the browser tests drive. All of it stops
//! with its handle, in reverse order, and dies with this process.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use flowdeck_broker::supervise::{self, Output};
use flowdeck_broker::{Broker, Job, stop, tail};

use crate::build::{self, Programs};
use crate::site::Site;
use crate::{http, say};

const TOPICS_LIMIT: Duration = Duration::from_secs(60);
const READY_LIMIT: Duration = Duration::from_secs(30);
const GROUPS_LIMIT: Duration = Duration::from_secs(120);
const GRACE: Duration = Duration::from_secs(8);

/// What is built and where the stack is to run.
pub(crate) struct Plan<'a> {
    pub(crate) programs: &'a Programs,
    pub(crate) site: &'a Site,
    pub(crate) bootstrap: String,
    pub(crate) cluster: &'a str,
    pub(crate) port: u16,
    /// Of `flowdeck-fleets`: which services run in place of its own fleet.
    pub(crate) services: &'a [String],
    /// Logs go here.
    pub(crate) dir: &'a Path,
}

/// Fields drop in this order: the reverse of the start.
pub(crate) struct Stack {
    server: Job,
    fleet: Job,
    _broker: Option<Broker>,
    port: u16,
    dir: PathBuf,
}

impl Stack {
    /// Starts fleet and server on a broker that stays ours (`Some`) or is somebody else's (`None`).
    pub(crate) fn start(plan: &Plan<'_>, broker: Option<Broker>) -> Result<Self> {
        // Services create their own topics.
        if plan.services.is_empty() {
            say::step("creating the services' topics");
            topics(plan)?;
        }
        say::step("starting the services");
        let fleet_log = fresh_log(plan.dir, "fleet")?;
        let mut fleet = Command::new(&plan.programs.fleets);
        fleet.args(["run", "--bootstrap", &plan.bootstrap]).args(plan.services);
        let fleet = Job::spawn("the services", &fleet, Output::Log(&fleet_log), GRACE)?;
        say::step("starting the server");
        let server_log = fresh_log(plan.dir, "server")?;
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, plan.port));
        let mut server = Command::new(&plan.programs.server);
        server.args(["serve", "--listen", &address.to_string(), "--mode", "control"]);
        server.arg("--cluster").arg(format!("{}={}", plan.cluster, plan.bootstrap));
        // Its working directory holds no flowdeck.toml of somebody else's.
        build::serves(&mut server, plan.site).current_dir(plan.dir);
        let mut server = Job::spawn("the server", &server, Output::Log(&server_log), GRACE)?;
        http::wait_ok(&mut server, address, "/health/ready", READY_LIMIT)
            .map_err(|error| with_tail(error, &server_log))?;
        Ok(Self { server, fleet, _broker: broker, port: plan.port, dir: plan.dir.to_path_buf() })
    }

    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}/kafkaflow", self.port)
    }

    /// Until the server lists the groups that the services were to run: they come one by one.
    pub(crate) fn wait_for_groups(&mut self, plan: &str) -> Result<()> {
        let groups: Vec<String> = groups_of(plan).map(|group| format!("\"{group}\"")).collect();
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, self.port));
        let end = Instant::now() + GROUPS_LIMIT;
        loop {
            // A busy machine answers late.
            let answer = http::get(address, "/kafkaflow/api/v1/groups", &[]);
            let listed = answer.map(|answer| answer.text()).unwrap_or_default();
            if groups.iter().all(|group| listed.contains(group)) {
                return Ok(());
            }
            stop::check()?;
            self.check()?;
            if Instant::now() >= end {
                bail!("the services' groups are not there after {} s", GROUPS_LIMIT.as_secs());
            }
            std::thread::sleep(stop::TICK);
        }
    }

    /// An error with the last lines of its log, once a part has ended by itself.
    pub(crate) fn check(&mut self) -> Result<()> {
        for (job, log) in [(&mut self.server, "server"), (&mut self.fleet, "fleet")] {
            if let Some(status) = job.try_wait()? {
                let error = anyhow::anyhow!("{} ended ({status})", job.name());
                return Err(with_tail(error, &self.dir.join(format!("{log}.log"))));
            }
        }
        Ok(())
    }
}

/// Of what `planned` tells.
fn groups_of(plan: &str) -> impl Iterator<Item = &str> {
    let groups = plan.lines().skip_while(|line| !line.starts_with("consumer groups:")).skip(1);
    groups.take_while(|line| line.starts_with(' ')).filter_map(|line| line.split_whitespace().next())
}

/// Creates what the services need.
fn topics(plan: &Plan<'_>) -> Result<()> {
    let mut command = Command::new(&plan.programs.fleets);
    command.args(["topics", "--bootstrap", &plan.bootstrap]);
    let log = fresh_log(plan.dir, "topics")?;
    let status =
        Job::spawn("the creation of topics", &command, Output::Log(&log), GRACE)?.wait(TOPICS_LIMIT)?;
    if !status.success() {
        bail!("the services' topics could not be created at {}:\n{}", plan.bootstrap, tail(&log, 10));
    }
    Ok(())
}

/// What the services would create and run, as they say it; nothing is touched.
pub(crate) fn planned(programs: &Programs, services: &[String]) -> Result<String> {
    let mut command = Command::new(&programs.fleets);
    command.arg("plan").args(services);
    let (status, text) = supervise::capture("the services' plan", &command, TOPICS_LIMIT)?;
    if !status.success() {
        bail!("the services could not say what they would create");
    }
    Ok(text)
}

fn fresh_log(dir: &Path, name: &str) -> Result<PathBuf> {
    let path = dir.join(format!("{name}.log"));
    fs::write(&path, "").with_context(|| format!("empty the log {}", path.display()))?;
    Ok(path)
}

fn with_tail(error: anyhow::Error, log: &Path) -> anyhow::Error {
    match tail(log, 15) {
        lines if lines.is_empty() => error,
        lines => anyhow::anyhow!("{error:#}. The last lines of {}:\n{lines}", log.display()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Write};
    use std::net::TcpListener;
    use std::os::unix::fs::PermissionsExt;

    const FLEET: &str =
        "case $1 in topics) exit 0;; plan) echo orders;; run) echo $$ > fleet.pid; exec sleep 60;; esac";

    fn program(dir: &Path, name: &str, script: &str) -> PathBuf {
        let path = dir.join(name);
        fs::write(&path, format!("#!/bin/sh\ncd {}\n{script}\n", dir.display())).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        path
    }

    /// Answers every request with 200, in place of a server.
    fn answering() -> u16 {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let _ = stream.read(&mut [0; 1024]);
                let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
            }
        });
        port
    }

    fn start(dir: &Path, port: u16, server: &str) -> Result<Stack> {
        let programs =
            Programs { server: program(dir, "server", server), fleets: program(dir, "fleet", FLEET) };
        let site = Site::for_test(dir);
        let bootstrap = "127.0.0.1:1".to_owned();
        Stack::start(
            &Plan { programs: &programs, site: &site, bootstrap, cluster: "demo", port, services: &[], dir },
            None,
        )
    }

    fn alive(dir: &Path, name: &str) -> bool {
        let pid = fs::read_to_string(dir.join(name)).unwrap();
        let ps = Command::new("ps").args(["-o", "stat=", "-p", pid.trim()]).output().unwrap();
        let stat = String::from_utf8(ps.stdout).unwrap();
        !stat.trim().is_empty() && !stat.starts_with('Z')
    }

    #[test]
    fn groups_are_those_of_the_plan() {
        let plan = "topics, created where they are missing:\n  a  partitions 3\nconsumer groups:\n  b  slow\n  c-d  fast\n";
        assert_eq!(groups_of(plan).collect::<Vec<_>>(), ["b", "c-d"]);
    }

    #[test]
    fn what_was_started_is_stopped() {
        let dir = tempfile::tempdir().unwrap();
        let mut stack = start(dir.path(), answering(), "echo $$ > server.pid; exec sleep 60").unwrap();
        let written =
            |name: &str| fs::read_to_string(dir.path().join(name)).is_ok_and(|pid| pid.ends_with('\n'));
        let begun = Instant::now();
        while !(written("fleet.pid") && written("server.pid")) {
            assert!(begun.elapsed() < Duration::from_secs(60), "a part did not start");
            std::thread::sleep(Duration::from_millis(5));
        }
        stack.check().unwrap();
        assert!(alive(dir.path(), "fleet.pid") && alive(dir.path(), "server.pid"));
        drop(stack);
        assert!(!alive(dir.path(), "fleet.pid") && !alive(dir.path(), "server.pid"));
    }

    #[test]
    fn a_server_that_fails_shows_its_last_lines_and_takes_the_rest_with_it() {
        let dir = tempfile::tempdir().unwrap();
        let [port] = flowdeck_broker::port::free(1).unwrap()[..] else { panic!("one port") };
        let error = start(
            dir.path(),
            port,
            "while ! [ -s fleet.pid ]; do sleep 0.01; done; echo no such key >&2; exit 3",
        );
        let text = format!("{:#}", error.err().unwrap());
        assert!(text.contains("the server ended while it started") && text.contains("no such key"), "{text}");
        assert!(!alive(dir.path(), "fleet.pid"));
    }

    #[test]
    fn a_part_that_ends_later_is_noticed() {
        let dir = tempfile::tempdir().unwrap();
        let mut stack = start(dir.path(), answering(), "echo going; sleep 0.2; exit 4").unwrap();
        let error = loop {
            if let Err(error) = stack.check() {
                break format!("{error:#}");
            }
        };
        assert!(error.contains("the server ended") && error.contains("going"), "{error}");
    }
}
