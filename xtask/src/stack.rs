//! The services and the server on a Kafka: what the demo shows and the browser tests drive. All of it stops
//! with its handle, in reverse order, and dies with this process.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use flowdeck_broker::supervise::{self, Output};
use flowdeck_broker::{Broker, Job, tail};

use crate::build::{self, Programs};
use crate::site::Site;
use crate::{http, say};

const TOPICS_LIMIT: Duration = Duration::from_secs(60);
const READY_LIMIT: Duration = Duration::from_secs(30);
const GRACE: Duration = Duration::from_secs(8);

/// What is built and where the stack is to run.
pub(crate) struct Plan<'a> {
    pub(crate) programs: &'a Programs,
    pub(crate) site: &'a Site,
    pub(crate) bootstrap: String,
    pub(crate) cluster: &'a str,
    pub(crate) port: u16,
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
        say::step("creating the services' topics");
        topics(plan)?;
        say::step("starting the services");
        let fleet_log = fresh_log(plan.dir, "fleet")?;
        let mut fleet = Command::new(&plan.programs.fleets);
        fleet.args(["run", "--bootstrap", &plan.bootstrap]);
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

/// The names of the topics that the services would create, one a line.
pub(crate) fn planned(programs: &Programs) -> Result<String> {
    let mut command = Command::new(&programs.fleets);
    command.arg("plan");
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
