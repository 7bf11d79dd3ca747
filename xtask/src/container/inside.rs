//! The image that was built, run as compose.yaml runs it, with a Kafka as compose.yaml configures it: in a network
//! of our own, so that names and ports are those of the files and nobody else's.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use flowdeck_broker::supervise::{self, Output};
use flowdeck_broker::{Job, Jvm, KafkaHome, jvm, stop, tail};

use super::compose::{self, Compose};
use super::images::IMAGE;
use super::podman::{self, Podman};
use super::visit::Visit;
use crate::workspace::must;
use crate::{http, say};

const LIMIT: Duration = Duration::from_secs(60);
const READY: Duration = Duration::from_secs(60);
/// From SIGTERM to the end, by the issue that this proves.
const END: Duration = Duration::from_secs(5);
/// What podman takes to end beside the program.
const TEARDOWN: Duration = Duration::from_secs(10);
/// The container's name.
const NAME: &str = "flowdeck";

pub(super) struct Proof {
    pub(super) podman: Podman,
    pub(super) compose: Compose,
    pub(super) dir: PathBuf,
    /// The image's binary, on this machine.
    pub(super) binary: PathBuf,
}

impl Proof {
    pub(super) fn run(&self) -> Result<()> {
        must("bring up loopback", Command::new("ip").args(["link", "set", "lo", "up"]), LIMIT)?;
        self.names()?;
        let address = self.address()?;
        let kafka = self.kafka()?;
        self.refuses_to_listen_without_sign_in()?;
        self.check_accepts().with_context(|| {
            format!("Kafka's last lines:\n{}", tail(&self.dir.join("kafka/kafka.log"), 5))
        })?;
        let mut server = self.start()?;
        let last_lines = |server: &Server| format!("the container's last lines:\n{}", tail(&server.log, 15));
        http::wait_ok(&mut server.job, address, "/health/ready", READY)
            .with_context(|| last_lines(&server))?;
        say::step("container: it is ready");
        let password = server.password()?;
        self.is_bare()?;
        self.nothing_can_be_written()?;
        let healthy = podman::output(self.podman.command().args(["healthcheck", "run", NAME]), LIMIT)?;
        ensure!(healthy.status.success(), "the HEALTHCHECK fails while the server is well: {healthy:?}");
        let visit = Visit::signed_in(address, &password)?;
        visit.pages_and_assets()?;
        visit.sees_the_cluster("kafka", READY)?;
        ensure!(!server.log()?.contains(&password), "the one-time password is in the log");

        let begun = Instant::now();
        let pid = self.pid()?;
        must("send SIGTERM", Command::new("kill").args(["-TERM", &pid]), LIMIT)?;
        while Path::new("/proc").join(&pid).exists() {
            ensure!(begun.elapsed() < END, "it runs {} s after SIGTERM", END.as_secs());
            std::thread::sleep(stop::TICK);
        }
        say::step(&format!("container: it ended {:.1} s after SIGTERM", begun.elapsed().as_secs_f64()));
        let status = server.job.wait(TEARDOWN).with_context(|| last_lines(&server))?;
        ensure!(status.success(), "after SIGTERM it ended with {status}");
        let health = podman::output(self.once(&[]).args([IMAGE, "health"]), LIMIT)?;
        ensure!(!health.status.success(), "the HEALTHCHECK's command passes where no server is");
        drop(kafka);
        self.binary_alone()
    }

    /// Where the image listens; compose.yaml publishes that port.
    fn address(&self) -> Result<SocketAddr> {
        let (_, port) = self.compose.published()?;
        let exposed = self.podman.inspect("image", IMAGE, "{{json .Config.ExposedPorts}}")?;
        ensure!(
            exposed == format!("{{\"{port}/tcp\":{{}}}}"),
            "EXPOSE is {exposed}, compose.yaml publishes {port}"
        );
        Ok(SocketAddr::from((Ipv4Addr::LOCALHOST, port.parse().context("the port")?)))
    }

    /// The names of services, for Kafka here; podman is told them for the container.
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

    /// A container of the image for one command, with these of compose.yaml's variables.
    fn once(&self, variables: &[(&str, &str)]) -> Command {
        let mut command = self.podman.run();
        command.args(["--rm", "--add-host=kafka:127.0.0.1", "--no-healthcheck"]);
        command.args(variables.iter().map(|(name, value)| format!("--env={name}={value}")));
        command
    }

    fn variables(&self) -> Vec<(&str, &str)> {
        let environment = &self.compose.flowdeck().environment;
        environment.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect()
    }

    fn start(&self) -> Result<Server> {
        let mut command = self.podman.run();
        command.args([
            "--replace",
            "--name",
            NAME,
            "--add-host=kafka:127.0.0.1",
            "--attach=stdout",
            "--attach=stderr",
        ]);
        command.args(self.variables().iter().map(|(name, value)| format!("--env={name}={value}"))).arg(IMAGE);
        let (log, out) = (self.dir.join("flowdeck.log"), self.dir.join("flowdeck.out"));
        fs::write(&log, "").context("empty the log")?;
        let mut shell = Command::new("sh");
        shell.args(["-c", "out=$1; shift; exec \"$@\" >\"$out\"", "start"]).arg(&out);
        shell.arg(command.get_program()).args(command.get_args());
        for (name, value) in command.get_envs() {
            shell.env(name, value.unwrap_or_default());
        }
        let job = Job::spawn("the container", &shell, Output::Log(&log), LIMIT)?;
        Ok(Server { job, log, out })
    }

    /// Without the variable that compose.yaml adds it is open to the network: it says so and does not start.
    fn refuses_to_listen_without_sign_in(&self) -> Result<()> {
        let output = podman::output(self.once(&[]).arg(IMAGE), LIMIT)?;
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        ensure!(
            output.status.code() == Some(1) && said.contains("there is no sign-in"),
            "the image without sign-in: {} {said}",
            output.status
        );
        Ok(())
    }

    /// `serve --check`: every variable means something, and the cluster answers.
    fn check_accepts(&self) -> Result<()> {
        let end = Instant::now() + READY;
        loop {
            let mut check = self.once(&self.variables());
            let output = podman::output(check.args([IMAGE, "serve", "--check"]), LIMIT)?;
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
            ensure!(Instant::now() < end, "serve --check, with what compose.yaml sets: {output:?}");
            std::thread::sleep(Duration::from_millis(500));
        }
    }

    /// Of the program itself, as we see it.
    fn pid(&self) -> Result<String> {
        self.podman.inspect("container", NAME, "{{.State.Pid}}")
    }

    /// The image's user and nothing more: no other group, no capability, and none to be had.
    fn is_bare(&self) -> Result<()> {
        let user = self.podman.inspect("image", IMAGE, "{{.Config.User}}")?;
        ensure!(!["", "0", "root"].contains(&user.as_str()), "the image runs as {user:?}");
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid()?))
            .context("read the status of the server's process")?;
        let field = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
            line.unwrap_or_default().split_whitespace().collect::<Vec<_>>()
        };
        ensure!(field("Uid") == [user.as_str(); 4], "it runs as {:?}, not as {user}", field("Uid"));
        let groups = [field("Gid"), field("Groups")].concat();
        ensure!(!groups.contains(&"0"), "it is in the group of root: {groups:?}");
        for capabilities in ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"] {
            let bits = field(capabilities).concat();
            ensure!(bits.bytes().all(|digit| digit == b'0'), "{capabilities} {bits}");
        }
        ensure!(field("NoNewPrivs") == ["1"], "it may gain privileges");
        stop::check()
    }

    fn nothing_can_be_written(&self) -> Result<()> {
        for place in ["/", "/tmp", "/root", "/etc/flowdeck", "/usr/local/bin", "/var/tmp"] {
            let mut exec = self.podman.command();
            exec.args(["exec", NAME, "touch", &format!("{}/written", place.trim_end_matches('/'))]);
            let output = podman::output(&exec, LIMIT)?;
            let said = String::from_utf8_lossy(&output.stderr);
            ensure!(!output.status.success() && said.contains("touch:"), "{place} can be written to: {said}");
        }
        Ok(())
    }

    /// The program's file and nothing else: no directory of ours beside it, no environment, a home that cannot be
    /// written to.
    fn binary_alone(&self) -> Result<()> {
        // Ours alone, like all mounts here, and where everybody may read: a checkout may be in root's home.
        let dir = Path::new("/mnt");
        must("mount an empty directory", Command::new("mount").args(["-t", "tmpfs", "none", "/mnt"]), LIMIT)?;
        fs::create_dir(dir.join("home")).context("make an empty directory")?;
        let binary = dir.join("flowdeck");
        fs::copy(&self.binary, &binary).context("copy the binary")?;
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
        let files = fs::read_dir(dir.join("home")).context("read its home")?.count();
        ensure!(files == 0, "it left {files} files");
        say::step("container: the binary alone serves all of it");
        Ok(())
    }
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

    /// As `docker compose logs` shows it.
    fn password(&self) -> Result<String> {
        let out = fs::read_to_string(&self.out).context("read the server's output")?;
        let line = out.lines().find_map(|line| line.split_once("the one-time password "));
        let (_, password) = line.with_context(|| format!("no one-time password is printed: {out:?}"))?;
        Ok(password.trim().to_owned())
    }
}
