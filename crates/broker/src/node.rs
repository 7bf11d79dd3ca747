//! One KRaft node before it runs: its directory, ports, properties, and formatted storage.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;

use crate::cache::KafkaHome;
use crate::java::Jvm;
use crate::secure::{self, ScramUser, SecureEndpoint};
use crate::{java, port, ready, supervise};

/// Of every broker, whatever its release.
pub(crate) const PROPERTIES: &str = include_str!("../kafka/server.properties");
const KRAFT: &str = include_str!("../kafka/kraft.properties");
const LOG4J: &str = include_str!("../kafka/log4j2.properties");
const FORMAT_LIMIT: Duration = Duration::from_secs(60);

/// What is asked of a node.
#[derive(Clone, Debug, Default)]
pub struct NodeOptions {
    /// The port of the PLAINTEXT listener; a free one where `None`.
    pub port: Option<u16>,
    /// Users of a second listener with SASL_SSL and SCRAM-SHA-256, and with an authorizer: they may do
    /// nothing until an ACL says so. None: no such listener, and no authorizer. Fixed when the storage is made.
    pub users: Vec<ScramUser>,
    /// The port of a proxy. Some: a listener of its own, [`Node::proxied`], advertises that port instead of its
    /// own, so that clients which come through the proxy stay behind it. The plain listener goes round it.
    pub behind: Option<u16>,
    /// Its place among several brokers; alone where `None`.
    pub member: Option<Member>,
    /// Broker properties that override ours.
    pub properties: Vec<(String, String)>,
    /// The JVM.
    pub jvm: Jvm,
}

/// One of several brokers, each of which votes.
#[derive(Clone, Debug)]
pub struct Member {
    /// From 1.
    pub(crate) id: usize,
    pub(crate) cluster: String,
    /// The controllers' ports of all members, by id.
    pub(crate) controllers: Vec<u16>,
}

/// A node whose directory is ready to start from. Its ports stay the same over restarts.
#[derive(Clone, Debug)]
pub struct Node {
    home: KafkaHome,
    dir: PathBuf,
    ports: Ports,
    jvm: Jvm,
    secure: Option<SecureEndpoint>,
}

/// Where a node listens.
#[derive(Clone, Copy, Debug)]
struct Ports {
    plain: u16,
    controller: u16,
    /// The listener behind a proxy, and the proxy's port.
    proxied: Option<(u16, u16)>,
}

impl Node {
    /// Writes the configuration into `dir` and formats its storage where it has none yet: what an earlier
    /// run left there is kept.
    pub fn prepare(home: &KafkaHome, dir: &Path, options: &NodeOptions) -> Result<Self> {
        fs::create_dir_all(dir).with_context(|| format!("create {}", dir.display()))?;
        let dir = dir.canonicalize().with_context(|| format!("find {}", dir.display()))?;
        let [plain, controller, secure, proxied] = port::free(4)?[..] else {
            unreachable!("four were asked for")
        };
        let member = options.member.clone().unwrap_or_else(|| Member::alone(controller));
        let ports = Ports {
            plain: options.port.unwrap_or(plain),
            controller: member.controllers[member.id - 1],
            proxied: options.behind.map(|proxy| (proxied, proxy)),
        };
        let secure = match options.users.is_empty() {
            true => None,
            false => Some(secure::endpoint(&dir, secure)?),
        };
        let mut text = [PROPERTIES, KRAFT].concat();
        for (key, value) in
            properties(ports, &member, &dir, secure.as_ref()).iter().chain(&options.properties)
        {
            text.push_str(&format!("{key}={value}\n"));
        }
        fs::write(dir.join("server.properties"), text).context("write the broker's properties")?;
        fs::write(dir.join("log4j2.properties"), LOG4J).context("write the broker's logging")?;
        let node = Self { home: home.clone(), dir, ports, jvm: options.jvm, secure };
        if !node.data().join("meta.properties").is_file() {
            node.format(&member.cluster, &options.users)?;
        }
        Ok(node)
    }

    pub fn bootstrap(&self) -> String {
        self.address().to_string()
    }

    pub fn address(&self) -> SocketAddr {
        SocketAddr::from((Ipv4Addr::LOCALHOST, self.ports.plain))
    }

    /// The listener that a proxy is to connect to, where one was announced.
    pub fn proxied(&self) -> Option<SocketAddr> {
        self.ports.proxied.map(|(port, _)| SocketAddr::from((Ipv4Addr::LOCALHOST, port)))
    }

    /// The SASL_SSL listener, where users were asked for.
    pub fn secure(&self) -> Option<&SecureEndpoint> {
        self.secure.as_ref()
    }

    pub fn dir(&self) -> &Path {
        &self.dir
    }

    pub fn home(&self) -> &KafkaHome {
        &self.home
    }

    pub fn log(&self) -> PathBuf {
        self.dir.join("kafka.log")
    }

    /// The broker's JVM.
    pub fn command(&self) -> Command {
        let mut command = java::jvm(&self.home, self.jvm, Some(&self.dir.join("log4j2.properties")));
        command.arg("kafka.Kafka").arg(self.dir.join("server.properties")).current_dir(&self.dir);
        command
    }

    /// Waits until the node answers, while `alive` says that it still runs.
    pub fn wait_ready(&self, alive: impl FnMut() -> Result<bool>) -> Result<()> {
        ready::wait(self.address(), &self.log(), alive)
    }

    fn data(&self) -> PathBuf {
        self.dir.join("data")
    }

    /// Formats under the name of the storage's directory only once it worked: an interrupted format leaves none.
    fn format(&self, cluster: &str, users: &[ScramUser]) -> Result<()> {
        let _ = fs::remove_dir_all(self.data());
        let mut command = java::jvm(&self.home, Jvm::Small, Some(&self.dir.join("log4j2.properties")));
        command.args(["kafka.tools.StorageTool", "format", "--cluster-id", cluster, "--config"]);
        command.arg(self.dir.join("server.properties")).args(["--feature", "share.version=1"]);
        for user in users {
            command.arg("--add-scram").arg(user.record());
        }
        let (status, said) = supervise::capture("the format of Kafka's storage", &command, FORMAT_LIMIT)?;
        ensure!(status.success(), "Kafka's storage in {} could not be formatted: {said}", self.dir.display());
        Ok(())
    }
}

/// A new cluster id: 16 random bytes as Kafka writes them. Never with a dash in front, as Kafka's own are not:
/// the command line would take it for an option.
pub(crate) fn cluster_id() -> String {
    loop {
        let id = BASE64_URL_SAFE_NO_PAD.encode(uuid::Uuid::new_v4().as_bytes());
        if !id.starts_with('-') {
            return id;
        }
    }
}

impl Member {
    fn alone(controller: u16) -> Self {
        Self { id: 1, cluster: cluster_id(), controllers: vec![controller] }
    }

    /// `1@127.0.0.1:9093,2@…`
    fn voters(&self) -> String {
        let voter = |(at, port): (usize, &u16)| format!("{}@127.0.0.1:{port}", at + 1);
        self.controllers.iter().enumerate().map(voter).collect::<Vec<_>>().join(",")
    }
}

fn properties(
    ports: Ports,
    member: &Member,
    dir: &Path,
    secure: Option<&SecureEndpoint>,
) -> Vec<(String, String)> {
    let Ports { plain, controller, proxied } = ports;
    let mut listeners = format!("PLAINTEXT://127.0.0.1:{plain},CONTROLLER://127.0.0.1:{controller}");
    let mut advertised = format!("PLAINTEXT://127.0.0.1:{plain}");
    let mut out = vec![
        ("node.id".to_owned(), member.id.to_string()),
        ("controller.quorum.voters".to_owned(), member.voters()),
        ("log.dirs".to_owned(), dir.join("data").display().to_string()),
    ];
    if let Some((port, proxy)) = proxied {
        listeners.push_str(&format!(",PROXIED://127.0.0.1:{port}"));
        advertised.push_str(&format!(",PROXIED://127.0.0.1:{proxy}"));
    }
    if let Some(secure) = secure {
        let listener = format!(",SECURE://{}", secure.bootstrap);
        listeners.push_str(&listener);
        advertised.push_str(&listener);
        out.extend(secure.properties());
    }
    out.push(("listeners".to_owned(), listeners));
    out.push(("advertised.listeners".to_owned(), advertised));
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One in 64 began with a dash, and then a broker did not start.
    #[test]
    fn a_cluster_id_is_no_option() {
        assert!((0..2_000).all(|_| !cluster_id().starts_with('-')));
    }

    fn said(ports: Ports, member: &Member, name: &str) -> Option<String> {
        let properties = properties(ports, member, Path::new("/d"), None);
        properties.into_iter().find(|(key, _)| key == name).map(|(_, value)| value)
    }

    #[test]
    fn listeners_of_a_plain_node() {
        let get = |name: &str| {
            let ports = Ports { plain: 9092, controller: 9093, proxied: None };
            said(ports, &Member::alone(9093), name)
        };
        let is = |name: &str, value: &str| assert_eq!(get(name).as_deref(), Some(value));
        is("listeners", "PLAINTEXT://127.0.0.1:9092,CONTROLLER://127.0.0.1:9093");
        is("advertised.listeners", "PLAINTEXT://127.0.0.1:9092");
        is("controller.quorum.voters", "1@127.0.0.1:9093");
        is("log.dirs", "/d/data");
        assert_eq!(get("authorizer.class.name"), None);
    }

    #[test]
    fn a_listener_behind_a_proxy_advertises_the_proxy() {
        let ports = Ports { plain: 9092, controller: 9093, proxied: Some((9094, 19092)) };
        let get = |name: &str| said(ports, &Member::alone(9093), name).unwrap();
        assert!(get("listeners").ends_with(",PROXIED://127.0.0.1:9094"));
        assert_eq!(get("advertised.listeners"), "PLAINTEXT://127.0.0.1:9092,PROXIED://127.0.0.1:19092");
    }

    #[test]
    fn members_vote_for_each_other() {
        let member = Member { id: 2, cluster: cluster_id(), controllers: vec![7001, 7002, 7003] };
        assert_eq!(member.voters(), "1@127.0.0.1:7001,2@127.0.0.1:7002,3@127.0.0.1:7003");
    }

    #[test]
    fn cluster_ids_are_kafkas_form() {
        assert_eq!(cluster_id().len(), 22);
        assert_ne!(cluster_id(), cluster_id());
    }
}
