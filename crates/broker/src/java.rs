//! How a JVM is started for Kafka: class path, heap, logging, and the flags that make it start fast.

use std::path::Path;
use std::process::Command;

use crate::cache::KafkaHome;

/// What a broker's JVM is for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Jvm {
    /// Demo and tests: 256 MB, and C1 only, since it lives too briefly to earn C2's compile time.
    #[default]
    Small,
    /// The bench: 1 GB and the JVM's own choices, as somebody's broker would have.
    Bench,
}

impl Jvm {
    fn flags(self) -> &'static [&'static str] {
        match self {
            Self::Small => &["-Xmx256m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xshare:auto"],
            Self::Bench => &["-Xmx1g"],
        }
    }
}

/// A JVM on Kafka's jars.
pub fn jvm(home: &KafkaHome, jvm: Jvm, log4j: Option<&Path>) -> Command {
    let mut command = Command::new("java");
    command.args(jvm.flags());
    if let Some(log4j) = log4j {
        command.arg(format!("-Dlog4j2.configurationFile={}", log4j.display()));
    }
    command.arg("-cp").arg(home.libs().join("*"));
    command
}
