//! A broker of an old release with its ZooKeeper: what Flowdeck meets on clusters that nobody has moved to KRaft.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};

use crate::broker::CHOICES;
use crate::cache::{KafkaHome, OldRelease};
use crate::java::Jvm;
use crate::node::PROPERTIES;
use crate::supervise::{Job, Output};
use crate::tail::lost_a_port;
use crate::{java, port, ready};

const STOP_GRACE: Duration = Duration::from_secs(10);
const KAFKA_LOG: &str = "kafka.log";
const ZOOKEEPER_LOG: &str = "zookeeper.log";

/// Both processes end with it.
pub struct OldBroker {
    address: SocketAddr,
    // The broker ends first: it takes leave of ZooKeeper.
    _broker: Job,
    _zookeeper: Job,
}

impl OldBroker {
    /// Starts both in a folder of `dir` and waits until the broker answers.
    pub fn start(release: OldRelease, dir: &Path, progress: &mut dyn FnMut(&str)) -> Result<Self> {
        let home = KafkaHome::resolve_old(release, progress)?;
        let mut choice = 1;
        loop {
            let dir = dir.join(choice.to_string());
            fs::create_dir(&dir).with_context(|| format!("create {}", dir.display()))?;
            let lost = || [KAFKA_LOG, ZOOKEEPER_LOG].iter().any(|log| lost_a_port(&dir.join(log)));
            match Self::start_in(&home, &dir) {
                Err(_) if choice < CHOICES && lost() => choice += 1,
                started => return started,
            }
        }
    }

    fn start_in(home: &KafkaHome, dir: &Path) -> Result<Self> {
        let [client, plain] = port::free(2)?[..] else { unreachable!("two were asked for") };
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, plain));
        let path = write(dir, "zookeeper.properties", &zookeeper_properties(client, dir))?;
        let command = java_main(home, "org.apache.zookeeper.server.quorum.QuorumPeerMain", &path);
        let log = dir.join(ZOOKEEPER_LOG);
        let zookeeper = Job::spawn("ZooKeeper", &command, Output::Log(&log), STOP_GRACE)?;
        let path = write(dir, "server.properties", &broker_properties(address, client, dir))?;
        let log = dir.join(KAFKA_LOG);
        // It waits for ZooKeeper by itself.
        let mut broker =
            Job::spawn("Kafka", &java_main(home, "kafka.Kafka", &path), Output::Log(&log), STOP_GRACE)?;
        ready::wait(address, &log, || Ok(broker.try_wait()?.is_none()))?;
        Ok(Self { address, _broker: broker, _zookeeper: zookeeper })
    }

    pub fn bootstrap(&self) -> String {
        self.address.to_string()
    }
}

fn zookeeper_properties(port: u16, dir: &Path) -> String {
    let data = dir.join("zookeeper");
    format!(
        "admin.enableServer=false\nclientPortAddress=127.0.0.1\nclientPort={port}\ndataDir={}\n",
        data.display()
    )
}

fn broker_properties(address: SocketAddr, zookeeper: u16, dir: &Path) -> String {
    let data = dir.join("data");
    format!(
        "{PROPERTIES}broker.id=1\nzookeeper.connect=127.0.0.1:{zookeeper}\nlisteners=PLAINTEXT://{address}\n\
         listener.security.protocol.map=PLAINTEXT:PLAINTEXT\nlog.dirs={}\n",
        data.display()
    )
}

fn write(dir: &Path, file: &str, properties: &str) -> Result<PathBuf> {
    let path = dir.join(file);
    fs::write(&path, properties).with_context(|| format!("write {}", path.display()))?;
    Ok(path)
}

fn java_main(home: &KafkaHome, class: &str, properties: &Path) -> Command {
    let mut command = java::jvm(home, Jvm::Small, None);
    command.arg("-Dorg.slf4j.simpleLogger.defaultLogLevel=warn").arg(class).arg(properties);
    command
}
