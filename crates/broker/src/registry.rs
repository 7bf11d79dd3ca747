//! A real schema registry for tests: Apicurio Registry, which answers as Confluent's does, too. All that it knows is in
//! its memory.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use crate::supervise::{Job, Output};
use crate::{cache, port, stop, tail};

const POM: &str = include_str!("../registry/pom.xml");
const NAME: &str = "Apicurio Registry 2.6";
/// It starts in 7 s alone on two cores.
const READY_LIMIT: Duration = Duration::from_secs(120);
const TICK: Duration = Duration::from_millis(200);
const GRACE: Duration = Duration::from_secs(2);
const TOLD: usize = 15;

/// The registry's programs on this machine.
#[derive(Clone, Debug)]
pub struct RegistryHome(PathBuf);

impl RegistryHome {
    /// Those of the cache, resolved now if they are missing. `progress` is told before a download starts.
    pub fn resolve(progress: &mut dyn FnMut(&str)) -> Result<Self> {
        cache::resolved("registry", POM, NAME, progress, |work| {
            cache::maven(NAME, "unpack-dependencies", work, "app")?;
            jar(work).map(drop)
        })
        .map(Self)
    }
}

fn jar(home: &Path) -> Result<PathBuf> {
    let files = std::fs::read_dir(home.join("app")).context("read what Maven resolved")?;
    let found = files.flatten().find(|file| file.file_name().to_string_lossy().ends_with("-runner.jar"));
    found.map(|file| file.path()).context("Maven ended well but left no registry behind")
}

/// It ends with its owner.
pub struct SchemaRegistry {
    job: Job,
    address: SocketAddr,
}

impl SchemaRegistry {
    /// On a free port of loopback, with its log in `dir`, once it answers.
    pub fn start(home: &RegistryHome, dir: &Path) -> Result<Self> {
        let port = port::free(1)?[0];
        let log = dir.join("registry.log");
        let mut command = Command::new("java");
        command.args(["-Xmx256m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xshare:auto"]);
        command.arg("-Dquarkus.http.host=127.0.0.1").arg(format!("-Dquarkus.http.port={port}"));
        command.arg("-jar").arg(jar(&home.0)?).current_dir(dir);
        let job = Job::spawn("the schema registry", &command, Output::Log(&log), GRACE)?;
        let mut registry = Self { job, address: SocketAddr::from((Ipv4Addr::LOCALHOST, port)) };
        let end = Instant::now() + READY_LIMIT;
        while !registry.answers() {
            if let Some(status) = registry.job.try_wait()? {
                bail!("the schema registry ended with {status}:\n{}", tail::tail(&log, TOLD));
            }
            ensure!(!stop::requested(), stop::Stopped);
            ensure!(Instant::now() < end, "the schema registry is not ready:\n{}", tail::tail(&log, TOLD));
            std::thread::sleep(TICK);
        }
        Ok(registry)
    }

    /// Of the API that is Confluent's.
    pub fn url(&self) -> String {
        format!("http://{}/apis/ccompat/v7", self.address)
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    pub fn stop(&mut self) {
        self.job.stop();
    }

    fn answers(&self) -> bool {
        let ask = || -> std::io::Result<bool> {
            let mut stream = TcpStream::connect_timeout(&self.address, Duration::from_secs(1))?;
            stream.set_read_timeout(Some(Duration::from_secs(5)))?;
            stream.write_all(b"GET /apis/ccompat/v7/subjects HTTP/1.0\r\nHost: localhost\r\n\r\n")?;
            let mut head = [0_u8; 12];
            stream.read_exact(&mut head)?;
            Ok(head.ends_with(b" 200"))
        };
        ask().unwrap_or(false)
    }
}
