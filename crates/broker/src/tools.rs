//! Kafka's own command-line tools, run from the jars: the judge of our numbers, and what our clients cannot do.

use std::process::Command;
use std::time::Duration;

use anyhow::{Result, ensure};

use crate::cache::KafkaHome;
use crate::java::Jvm;
use crate::{java, supervise};

const LIMIT: Duration = Duration::from_secs(120);

/// A tool by the name of its script in Kafka's `bin`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tool {
    ConsumerGroups,
    Acls,
    Topics,
    Configs,
    ShareConsumer,
    ProducerPerf,
    ReassignPartitions,
    LeaderElection,
}

impl Tool {
    fn class(self) -> &'static str {
        match self {
            Self::ConsumerGroups => "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand",
            Self::Acls => "org.apache.kafka.tools.AclCommand",
            Self::Topics => "org.apache.kafka.tools.TopicCommand",
            Self::Configs => "kafka.admin.ConfigCommand",
            Self::ShareConsumer => "org.apache.kafka.tools.consumer.ConsoleShareConsumer",
            Self::ProducerPerf => "org.apache.kafka.tools.ProducerPerformance",
            Self::ReassignPartitions => "org.apache.kafka.tools.reassign.ReassignPartitionsCommand",
            Self::LeaderElection => "org.apache.kafka.tools.LeaderElectionCommand",
        }
    }

    /// The tool as a command, for a caller that wants to own the process.
    pub fn command(self, home: &KafkaHome, args: &[&str]) -> Command {
        let mut command = java::jvm(home, Jvm::Small, None);
        command.arg("-Dlog4j2.level=ERROR").arg(self.class()).args(args);
        command
    }

    /// Runs it to its end; what it printed, or an error that holds it. About 1 s each.
    pub fn run(self, home: &KafkaHome, args: &[&str]) -> Result<String> {
        let (status, said) = supervise::capture(self.class(), &self.command(home, args), LIMIT)?;
        ensure!(status.success(), "{} failed: {said}", self.class());
        Ok(said)
    }
}
