//! How a JVM is started for Kafka: class path, heap, logging, and the flags that make it start fast.

use std::path::Path;
use std::process::Command;

use crate::cache::KafkaHome;

/// A JVM on Kafka's jars. C1 only: a broker of tests and its tools live too briefly to earn C2's compile time.
pub(crate) fn jvm(home: &KafkaHome, heap: &str, log4j: Option<&Path>) -> Command {
    let mut command = Command::new("java");
    command.args([heap, "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xshare:auto"]);
    if let Some(log4j) = log4j {
        command.arg(format!("-Dlog4j2.configurationFile={}", log4j.display()));
    }
    command.arg("-cp").arg(home.libs().join("*"));
    command
}
