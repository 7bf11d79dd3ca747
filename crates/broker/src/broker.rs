//! A running broker that its handle owns: it stops with the handle, and dies with the process.

use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};

use crate::cache::KafkaHome;
use crate::node::{Node, NodeOptions};
use crate::secure::SecureEndpoint;
use crate::supervise::{Job, Output};
use crate::tail::lost_a_port;

/// A clean stop takes about 1 s.
const STOP_GRACE: Duration = Duration::from_secs(10);
/// Of ports: somebody may take one between its choice and its use.
pub(crate) const CHOICES: usize = 3;

/// A broker that runs, or that was stopped and may be started again on the same ports and data.
pub struct Broker {
    node: Node,
    job: Option<Job>,
}

impl Broker {
    /// Prepares a node in `dir`, starts it and waits until it answers. Where somebody took one of the ports
    /// that were free when they were chosen, others are chosen.
    pub fn start(home: &KafkaHome, dir: &Path, options: &NodeOptions) -> Result<Self> {
        let mut choices = 1;
        loop {
            let mut broker = Self::prepare(home, dir, options)?;
            let Err(error) = broker.start_again() else { return Ok(broker) };
            if choices == CHOICES || options.port.is_some() || !lost_a_port(&broker.node.log()) {
                return Err(error);
            }
            choices += 1;
            fs::remove_file(broker.node.log()).context("begin a new log")?;
        }
    }

    pub(crate) fn prepare(home: &KafkaHome, dir: &Path, options: &NodeOptions) -> Result<Self> {
        Ok(Self { node: Node::prepare(home, dir, options)?, job: None })
    }

    pub fn bootstrap(&self) -> String {
        self.node.bootstrap()
    }

    pub fn secure(&self) -> Option<&SecureEndpoint> {
        self.node.secure()
    }

    pub fn node(&self) -> &Node {
        &self.node
    }

    /// Starts a stopped broker on the same ports and data, and waits until it answers.
    pub fn start_again(&mut self) -> Result<()> {
        self.spawn()?;
        self.wait_ready()
    }

    /// Starts it and does not wait: one of several answers only once the others are there.
    pub(crate) fn spawn(&mut self) -> Result<()> {
        let log = self.node.log();
        self.job = Some(Job::spawn("Kafka", &self.node.command(), Output::Log(&log), STOP_GRACE)?);
        Ok(())
    }

    pub(crate) fn wait_ready(&mut self) -> Result<()> {
        let Self { node, job } = self;
        node.wait_ready(|| match job {
            Some(job) => Ok(job.try_wait()?.is_none()),
            None => Ok(false),
        })
    }

    /// A clean stop; the data stays.
    pub fn stop(&mut self) {
        if let Some(mut job) = self.job.take() {
            job.stop();
        }
    }

    /// SIGKILL, as a crash; the data stays as it was.
    pub fn kill(&mut self) {
        if let Some(mut job) = self.job.take() {
            job.kill();
        }
    }

    /// False once the broker has ended by itself.
    pub fn is_running(&mut self) -> bool {
        self.job.as_mut().is_some_and(|job| matches!(job.try_wait(), Ok(None)))
    }
}
