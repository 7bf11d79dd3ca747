//! The broker that all tests share: `cargo xtask test` names it, and else each test process has its own,
//! started by the first test that asks and ended with the process.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::TcpStream;
use std::path::Path;
use std::sync::OnceLock;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use flowdeck_broker::{Broker, KafkaHome, NodeOptions, env};

use crate::records::Kafka;

/// The other side may resolve Kafka and start it before it answers.
const ANSWER_LIMIT: Duration = Duration::from_secs(15 * 60);
const PREFIX: &str = "flowdeck-test-kafka-";

/// The shared broker, ready. Topics are never created by themselves on it. The first call may take some
/// seconds and blocks its thread.
pub fn kafka() -> &'static Kafka {
    static SHARED: OnceLock<Kafka> = OnceLock::new();
    SHARED.get_or_init(|| {
        let bootstrap = match std::env::var(env::TEST_KAFKA) {
            Ok(value) => named(&value),
            Err(_) => own(),
        };
        Kafka::at(&bootstrap.expect("the tests' shared Kafka"))
    })
}

pub(crate) fn home() -> &'static KafkaHome {
    static HOME: OnceLock<KafkaHome> = OnceLock::new();
    HOME.get_or_init(|| KafkaHome::resolve(&mut |line| eprintln!("{line}")).expect("Kafka's jars"))
}

/// `HOST:PORT`, or `ask:HOST:PORT` where one line with the address is to be had.
fn named(value: &str) -> Result<String> {
    let Some(address) = value.strip_prefix("ask:") else { return Ok(value.to_owned()) };
    let stream = TcpStream::connect(address).with_context(|| format!("ask for Kafka at {address}"))?;
    stream.set_read_timeout(Some(ANSWER_LIMIT)).context("set the read timeout")?;
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line).context("read Kafka's address")?;
    match line.trim() {
        "" => bail!("no answer from {address}: the run is being stopped"),
        error if error.starts_with("error: ") => bail!("{error}"),
        address => Ok(address.to_owned()),
    }
}

/// Of this process: statics are never dropped, so its supervisor ends it when the process is gone.
fn own() -> Result<String> {
    static OWN: OnceLock<Broker> = OnceLock::new();
    let all = std::env::temp_dir();
    sweep(&all);
    let dir = all.join(format!("{PREFIX}{}", std::process::id()));
    let broker = Broker::start(home(), &dir, &NodeOptions::default())?;
    let bootstrap = broker.bootstrap();
    // Only one thread initialises the shared broker, so nothing can be there already.
    let _ = OWN.set(broker);
    Ok(bootstrap)
}

/// Removes what test processes that are gone left behind; a best effort.
fn sweep(all: &Path) {
    for entry in fs::read_dir(all).into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let Some(pid) = name.strip_prefix(PREFIX) else { continue };
        let proc = Path::new("/proc");
        if proc.join("self").exists() && !proc.join(pid).exists() {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::net::TcpListener;

    fn address(line: &'static str) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        std::thread::spawn(move || listener.accept().unwrap().0.write_all(line.as_bytes()).unwrap());
        format!("ask:{address}")
    }

    #[test]
    fn an_address_is_taken_as_it_is() {
        assert_eq!(named("127.0.0.1:9092").unwrap(), "127.0.0.1:9092");
    }

    #[test]
    fn the_address_is_asked_for() {
        assert_eq!(named(&address("127.0.0.1:1234\n")).unwrap(), "127.0.0.1:1234");
        assert!(named(&address("error: no Java\n")).unwrap_err().to_string().contains("no Java"));
        assert!(named(&address("")).is_err());
    }
}
