//! The image that was made, run as compose.yaml runs it, with a Kafka as compose.yaml configures it: in a network
//! of our own, so that names and ports are those of the files and nobody else's.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use flowdeck_broker::supervise::{self, Output};
use flowdeck_broker::{Job, Jvm, KafkaHome, jvm, stop, tail};

use super::compose::{self, Compose};
use super::dockerfile::{Image, Setting};
use super::root::Root;
use super::visit::Visit;
use crate::workspace::must;
use crate::{http, say};

const LIMIT: Duration = Duration::from_secs(30);
const READY: Duration = Duration::from_secs(60);
/// Where the image has the server.
const PROGRAM: &str = "/usr/local/bin/flowdeck";
/// From SIGTERM to the end, by the issue that this proves.
const END: Duration = Duration::from_secs(5);

/// What was made, and what it is to be run with.
pub(super) struct Container {
    pub(super) root: Root,
    pub(super) image: Image,
    pub(super) compose: Compose,
    pub(super) dir: PathBuf,
}

impl Container {
    pub(super) fn prove(&self) -> Result<()> {
        must("bring up loopback", Command::new("ip").args(["link", "set", "lo", "up"]), LIMIT)?;
        self.names()?;
        let setting = self.setting();
        let address = self.address()?;
        let kafka = self.kafka()?;
        must(
            "mount the image",
            &self.root.mount(&[(self.dir.join("hosts"), "/etc/hosts".to_owned())]),
            LIMIT,
        )?;

        self.refuses_to_listen_without_sign_in()?;
        self.check_accepts(&setting).with_context(|| {
            format!("Kafka's last lines:\n{}", tail(&self.dir.join("kafka/kafka.log"), 5))
        })?;
        let mut server = self.start(&setting)?;
        http::wait_ok(&mut server.job, address, "/health/ready", READY)
            .map_err(|error| server.told(error))?;
        say::step("container: it is ready");
        let password = server.password()?;
        let pid = server.pid()?;
        ensure_bare(pid, &setting.user)?;
        self.nothing_can_be_written(&setting)?;
        ensure!(self.healthy(&setting)?, "the HEALTHCHECK fails while the server is well");
        let visit = Visit::signed_in(address, &password)?;
        visit.pages_and_assets()?;
        visit.sees_the_cluster("kafka", READY)?;
        ensure!(!server.log()?.contains(&password), "the one-time password is in the log");

        let begun = Instant::now();
        must("send SIGTERM", Command::new("kill").args(["-TERM", &pid.to_string()]), LIMIT)?;
        let status = server.job.wait(END).map_err(|error| server.told(error))?;
        ensure!(status.success(), "after SIGTERM it ended with {status}");
        say::step(&format!("container: it ended {:.1} s after SIGTERM", begun.elapsed().as_secs_f64()));
        ensure!(!self.healthy(&setting)?, "the HEALTHCHECK passes where no server is");
        drop(kafka);
        self.binary_alone()
    }

    /// What the image and compose.yaml say together.
    fn setting(&self) -> Setting {
        let mut setting = self.image.setting.clone();
        setting.variables.extend(self.compose.flowdeck().environment.clone());
        setting
    }

    /// Where the image listens; compose.yaml publishes that port.
    fn address(&self) -> Result<SocketAddr> {
        let (_, there) = self.compose.published()?;
        ensure!(
            self.image.ports == [there.clone()],
            "EXPOSE is {:?}, compose.yaml publishes {there}",
            self.image.ports
        );
        Ok(SocketAddr::from((Ipv4Addr::LOCALHOST, there.parse().context("the port")?)))
    }

    /// The names of services, as Docker's resolver knows them: for the container, and for Kafka here.
    fn names(&self) -> Result<()> {
        let hosts = self.dir.join("hosts");
        // A container's own name is known, too: Kafka asks for it.
        let own = fs::read_to_string("/proc/sys/kernel/hostname").context("read this machine's name")?;
        let line = format!("127.0.0.1 localhost kafka flowdeck {}\n", own.trim());
        fs::write(&hosts, line).context("write the names of services")?;
        must("mount the names", Command::new("mount").arg("--bind").arg(hosts).arg("/etc/hosts"), LIMIT)
    }

    fn kafka(&self) -> Result<Job> {
        say::step("container: starting Kafka as compose.yaml configures it");
        let home = KafkaHome::resolve(&mut say::step)?;
        let dir = self.dir.join("kafka");
        if dir.exists() {
            fs::remove_dir_all(&dir).context("remove the data of an earlier Kafka")?;
        }
        fs::create_dir_all(&dir).context("make a directory for Kafka")?;
        let service = self.compose.kafka();
        let mut properties = compose::properties(service);
        properties.insert("log.dirs".to_owned(), dir.join("data").display().to_string());
        let text: String = properties.iter().map(|(name, value)| format!("{name}={value}\n")).collect();
        let file = dir.join("server.properties");
        fs::write(&file, text).context("write Kafka's properties")?;
        let id = service.environment.get("CLUSTER_ID").context("compose.yaml: CLUSTER_ID")?;
        let mut format = jvm(&home, Jvm::Small, None);
        format.args(["kafka.tools.StorageTool", "format", "--cluster-id", id, "--config"]).arg(&file);
        let (status, said) = supervise::capture("the format of Kafka's storage", &format, READY)?;
        ensure!(status.success(), "compose.yaml's Kafka cannot be formatted: {said}");
        let mut broker = jvm(&home, Jvm::Small, None);
        broker.arg("kafka.Kafka").arg(&file);
        Job::spawn("Kafka", &broker, Output::Log(&dir.join("kafka.log")), LIMIT)
    }

    /// A command in the image, as its user, with a setting.
    fn command(&self, setting: &Setting, words: &[String]) -> Result<Command> {
        let mut command = Command::new("chroot");
        command.arg(self.root.mounted()).args(self.root.words(setting, words)?);
        Ok(command)
    }

    fn program(&self, more: &[&str]) -> Vec<String> {
        let cmd = if more.is_empty() {
            self.image.cmd.clone()
        } else {
            more.iter().map(|word| (*word).to_owned()).collect()
        };
        [self.image.entrypoint.clone(), cmd].concat()
    }

    /// As process 1 of its own namespace, where a signal that nobody handles does nothing.
    fn start(&self, setting: &Setting) -> Result<Server> {
        let inner = self.command(setting, &self.program(&[]))?;
        let mut command = Command::new("unshare");
        command.args(["--pid", "--fork", "--kill-child"]).arg(inner.get_program()).args(inner.get_args());
        let log = self.dir.join("flowdeck.log");
        fs::write(&log, "").context("empty the log")?;
        let mut shell = Command::new("sh");
        let out = self.dir.join("flowdeck.out");
        shell.args(["-c", "out=$1; shift; exec \"$@\" >\"$out\"", "start"]).arg(&out);
        shell.arg(command.get_program()).args(command.get_args());
        let job = Job::spawn("the container", &shell, Output::Log(&log), LIMIT)?;
        Ok(Server { job, log, out })
    }

    /// Without the variable that compose.yaml adds it is open to the network: it says so and does not start.
    fn refuses_to_listen_without_sign_in(&self) -> Result<()> {
        let command = self.command(&self.image.setting, &self.program(&[]))?;
        let output = command_output(command)?;
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        ensure!(
            output.status.code() == Some(1) && said.contains("there is no sign-in"),
            "the image without sign-in: {} {said}",
            output.status
        );
        Ok(())
    }

    /// `serve --check`: every variable means something, and the cluster answers.
    fn check_accepts(&self, setting: &Setting) -> Result<()> {
        let end = Instant::now() + READY;
        loop {
            let output = command_output(self.command(setting, &self.program(&["serve", "--check"]))?)?;
            let said = String::from_utf8_lossy(&output.stdout).into_owned();
            ensure!(
                !said.contains("none of Flowdeck's settings"),
                "compose.yaml sets what means nothing:\n{said}"
            );
            if output.status.success() {
                ensure!(said.contains("mode = \"control\"") && said.contains("mode = \"local\""), "{said}");
                return Ok(());
            }
            // Kafka is still starting.
            ensure!(Instant::now() < end, "serve --check, with what compose.yaml sets:\n{said}");
            std::thread::sleep(Duration::from_millis(500));
        }
    }

    fn healthy(&self, setting: &Setting) -> Result<bool> {
        Ok(command_output(self.command(setting, &self.image.healthcheck)?)?.status.success())
    }

    fn nothing_can_be_written(&self, setting: &Setting) -> Result<()> {
        for place in ["/", "/tmp", "/root", "/etc/flowdeck", "/usr/local/bin", "/var/tmp"] {
            let script = format!("touch {}/written", place.trim_end_matches('/'));
            let words = ["/bin/sh".to_owned(), "-c".to_owned(), script];
            let status = command_output(self.command(setting, &words)?)?.status;
            ensure!(!status.success(), "{place} can be written to");
        }
        Ok(())
    }

    /// The program's file and nothing else: no directory of ours beside it, no environment, a home that cannot be
    /// written to.
    fn binary_alone(&self) -> Result<()> {
        // Ours alone, like all mounts here, and where everybody may look: a checkout may be in root's home.
        let dir = Path::new("/mnt");
        must("mount an empty directory", Command::new("mount").args(["-t", "tmpfs", "none", "/mnt"]), LIMIT)?;
        fs::create_dir(dir.join("home")).context("make an empty directory")?;
        let binary = dir.join("flowdeck");
        let program = self.root.mounted().join(PROGRAM.trim_start_matches('/'));
        fs::copy(program, &binary).context("copy the binary")?;
        let mut command = Command::new("setpriv");
        command.args(["--reuid", "65534", "--regid", "65534", "--clear-groups", "env", "-i", "-C"]);
        command.arg(dir.join("home")).arg(format!("HOME={}", dir.join("home").display())).arg(&binary);
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 8078));
        command.args(["serve", "--listen", &address.to_string(), "--cluster", "gone=127.0.0.1:1"]);
        let log = dir.join("log");
        let mut job = Job::spawn("the binary alone", &command, Output::Log(&log), LIMIT)?;
        http::wait_ok(&mut job, address, "/health/ready", READY)
            .with_context(|| format!("its log:\n{}", tail(&log, 15)))?;
        Visit::open(address).pages_and_assets()?;
        let files = fs::read_dir(dir.join("home")).context("look at its home")?.count();
        ensure!(files == 0, "it left {files} files");
        say::step("container: the binary alone serves all of it");
        Ok(())
    }
}

fn command_output(command: Command) -> Result<std::process::Output> {
    let mut limited = Command::new("timeout");
    limited.arg(LIMIT.as_secs().to_string()).arg(command.get_program()).args(command.get_args());
    limited.stdin(std::process::Stdio::null()).output().context("run a command in the image")
}

struct Server {
    job: Job,
    log: PathBuf,
    out: PathBuf,
}

impl Server {
    fn log(&self) -> Result<String> {
        fs::read_to_string(&self.log).context("read the server's log")
    }

    fn told(&self, error: anyhow::Error) -> anyhow::Error {
        error.context(format!("the container's last lines:\n{}", tail(&self.log, 15)))
    }

    /// As `docker compose logs` shows it.
    fn password(&self) -> Result<String> {
        let out = fs::read_to_string(&self.out).context("read the server's output")?;
        let line = out.lines().find_map(|line| line.split_once("the one-time password "));
        let (_, password) = line.with_context(|| format!("no one-time password is printed: {out:?}"))?;
        Ok(password.trim().to_owned())
    }

    /// Of the program itself, as we see it.
    fn pid(&self) -> Result<u32> {
        for entry in fs::read_dir("/proc").context("list the processes")?.flatten() {
            let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
            let words = fs::read(entry.path().join("cmdline")).unwrap_or_default();
            if words.starts_with(b"flowdeck\0serve\0") {
                return Ok(pid);
            }
        }
        bail!("the server is not among the processes")
    }
}

/// That user and nothing more: no group beside his own, no capability, and none to be had.
fn ensure_bare(pid: u32, user: &str) -> Result<()> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).context("look at the server's process")?;
    let field = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        line.unwrap_or_default().split_whitespace().collect::<Vec<_>>()
    };
    ensure!(field("Uid") == [user; 4], "it runs as {:?}, not as {user}", field("Uid"));
    ensure!(
        !field("Gid").contains(&"0") && field("Groups").is_empty(),
        "groups: {:?} {:?}",
        field("Gid"),
        field("Groups")
    );
    for capabilities in ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"] {
        let bits = field(capabilities).concat();
        ensure!(bits.bytes().all(|digit| digit == b'0'), "{capabilities} {bits}");
    }
    ensure!(field("NoNewPrivs") == ["1"], "it may gain privileges");
    stop::check()
}

/// Bytes of the program in the image, while nothing is mounted.
pub(super) fn binary(root: &Root) -> Result<Vec<u8>> {
    let path = root.find(Path::new(PROGRAM));
    fs::read(&path).with_context(|| format!("read {}", path.display()))
}
