//! What this machine has and lacks. All that is missing is said in one line, with how to install it; what
//! can be added without asking (the wasm target) is added.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use flowdeck_broker::{KafkaHome, supervise};

use crate::say;
use crate::workspace::{root, target_dir};

const WASM: &str = "wasm32-unknown-unknown";

/// What a command is going to do, and so needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Need {
    /// Compile the pages.
    Wasm,
    /// Compile librdkafka.
    Native,
    /// Run Kafka.
    Kafka,
    /// Run Playwright.
    Browser,
}

/// What was found out on the way and decides how to build.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Machine {
    /// OpenSSL is built from source, since its headers are not here.
    pub(crate) vendored_ssl: bool,
}

impl Machine {
    /// Cargo's features for whatever links librdkafka.
    pub(crate) fn features(&self) -> &'static [&'static str] {
        if self.vendored_ssl { &["--features", "flowdeck/ssl-vendored"] } else { &[] }
    }
}

/// A thing that is not there: its name for people, and its package by manager.
struct Missing {
    what: &'static str,
    apt: &'static str,
    dnf: &'static str,
    brew: &'static str,
}

const CC: Missing = Missing { what: "a C compiler", apt: "gcc libc6-dev", dnf: "gcc", brew: "gcc" };
const MAKE: Missing = Missing { what: "make", apt: "make", dnf: "make", brew: "make" };
const PERL: Missing = Missing { what: "perl (to build OpenSSL)", apt: "perl", dnf: "perl", brew: "perl" };
const JAVA: Missing = Missing {
    what: "Java 17 or newer",
    apt: "openjdk-17-jre-headless",
    dnf: "java-17-openjdk-headless",
    brew: "openjdk",
};
const MAVEN: Missing = Missing { what: "Maven", apt: "maven", dnf: "maven", brew: "maven" };
const NODE: Missing =
    Missing { what: "Node.js 20 or newer with npm", apt: "nodejs npm", dnf: "nodejs npm", brew: "node" };
const CHROMIUM: Missing = Missing {
    what: "Chromium (or name one by CHROMIUM)",
    apt: "chromium",
    dnf: "chromium",
    brew: "--cask chromium",
};

pub(crate) fn check(needs: &[Need]) -> Result<Machine> {
    let wants = |need: Need| needs.contains(&need);
    let vendored_ssl = wants(Need::Native) && !has_openssl();
    let mut missing = Vec::new();
    let mut require = |present: bool, what: Missing| {
        if !present {
            missing.push(what);
        }
    };
    if wants(Need::Native) {
        require(has("cc") || std::env::var_os("CC").is_some(), CC);
        require(has("make"), MAKE);
        require(!vendored_ssl || has("perl"), PERL);
    }
    if wants(Need::Kafka) {
        require(java_major().is_some_and(|major| major >= 17), JAVA);
        require(KafkaHome::is_cached() || has("mvn"), MAVEN);
    }
    if wants(Need::Browser) {
        require(node_major().is_some_and(|major| major >= 20) && has("npm"), NODE);
        require(chromium().is_some() || install_chromium()?, CHROMIUM);
    }
    if !missing.is_empty() {
        bail!("{}", missing_line(&missing, manager()));
    }
    if wants(Need::Wasm) {
        add_wasm_target()?;
    }
    Ok(Machine { vendored_ssl })
}

/// The browser of the tests: the one that CHROMIUM names, else Debian's, else one on the path.
pub(crate) fn chromium() -> Option<PathBuf> {
    if let Some(named) = std::env::var_os("CHROMIUM") {
        return Some(PathBuf::from(named)).filter(|path| path.is_file());
    }
    ["chromium", "chromium-browser"].iter().find_map(|name| find(name))
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Manager {
    Apt,
    Dnf,
    Brew,
    Other,
}

fn manager() -> Manager {
    let known = [("apt-get", Manager::Apt), ("dnf", Manager::Dnf), ("brew", Manager::Brew)];
    known.iter().find(|(name, _)| has(name)).map_or(Manager::Other, |(_, manager)| *manager)
}

fn missing_line(missing: &[Missing], manager: Manager) -> String {
    let names: Vec<_> = missing.iter().map(|one| one.what).collect();
    let install = |command: &str, package: fn(&Missing) -> &'static str| {
        let packages: Vec<_> = missing.iter().map(package).collect();
        format!(" Install with: {command} {}", packages.join(" "))
    };
    let how = match manager {
        Manager::Apt => install("sudo apt-get install -y", |one| one.apt),
        Manager::Dnf => install("sudo dnf install -y", |one| one.dnf),
        Manager::Brew => install("brew install", |one| one.brew),
        Manager::Other => " Install with your package manager.".to_owned(),
    };
    format!("missing on this machine: {}.{how}", names.join(", "))
}

fn find(program: &str) -> Option<PathBuf> {
    let paths = std::env::var_os("PATH")?;
    std::env::split_paths(&paths).map(|dir| dir.join(program)).find(|path| path.is_file())
}

fn has(program: &str) -> bool {
    find(program).is_some()
}

/// What the sys crate looks for: a directory by name, or pkg-config's word.
fn has_openssl() -> bool {
    if std::env::var_os("OPENSSL_DIR").is_some() {
        return true;
    }
    said("pkg-config", &["--modversion", "openssl"]).is_some()
}

/// Standard output and error of a short command, where it succeeds.
fn said(program: &str, args: &[&str]) -> Option<String> {
    let output = Command::new(program).args(args).stdin(std::process::Stdio::null()).output().ok()?;
    let text = [output.stdout, output.stderr].concat();
    output.status.success().then(|| String::from_utf8_lossy(&text).into_owned())
}

fn java_major() -> Option<u32> {
    parse_java(&said("java", &["-version"])?)
}

/// From `openjdk version "17.0.15" 2025-04-15`; the old form `"1.8.0_402"` means 8.
fn parse_java(text: &str) -> Option<u32> {
    let version = text.split('"').nth(1)?;
    let mut parts = version.split(['.', '-', '+', '_']).map_while(|part| part.parse().ok());
    match parts.next()? {
        1 => parts.next(),
        major => Some(major),
    }
}

fn node_major() -> Option<u32> {
    said("node", &["--version"])?.trim().strip_prefix('v')?.split('.').next()?.parse().ok()
}

fn add_wasm_target() -> Result<()> {
    let output = rustc(&["--print", "target-libdir", "--target", WASM]).output();
    let dir =
        output.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned()).unwrap_or_default();
    if Path::new(&dir).is_dir() {
        return Ok(());
    }
    if !has("rustup") {
        bail!(
            "missing: Rust's target {WASM}, and no rustup to add it. Install it with your Rust, or Rust from https://rustup.rs"
        );
    }
    say::step(&format!("adding Rust's target {WASM}"));
    let mut command = Command::new("rustup");
    command.args(["target", "add", WASM]).current_dir(root());
    let status = supervise::run("rustup", &command, Duration::from_secs(300))?;
    if !status.success() {
        bail!("Rust's target {WASM} could not be added: run `rustup target add {WASM}`");
    }
    Ok(())
}

fn rustc(args: &[&str]) -> Command {
    let mut command = Command::new(std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()));
    command.args(args).current_dir(root());
    command
}

/// False: somebody else must install it.
fn install_chromium() -> Result<bool> {
    Ok(std::env::var_os("CHROMIUM").is_none() && apt_get("chromium")? && chromium().is_some())
}

/// debootstrap, installed where we may. False: somebody else must install it.
pub(crate) fn debootstrap() -> Result<bool> {
    Ok(has("debootstrap") || apt_get("debootstrap")?)
}

/// podman with runc, installed where we may. False: somebody else must install them.
pub(crate) fn podman() -> Result<bool> {
    Ok((has("podman") || apt_get("podman")?) && (has("runc") || apt_get("runc")?))
}

/// Whether it is here or can be installed.
pub(crate) fn may_have(program: &str) -> bool {
    has(program) || (is_root() && has("apt-get"))
}

pub(crate) fn is_root() -> bool {
    said("id", &["-u"]).is_some_and(|id| id.trim() == "0")
}

/// Installs a package of Debian where we may: as root with apt-get. False: we may not, or it did not work.
fn apt_get(package: &str) -> Result<bool> {
    if !is_root() || !has("apt-get") {
        return Ok(false);
    }
    // Two commands may run at once, and apt-get waits for no other.
    let lock = std::fs::File::create(target_dir("apt")?.join("lock")).context("make a lock for apt-get")?;
    lock.lock().context("wait for another apt-get")?;
    say::step(&format!("installing {package} (apt-get)"));
    let apt = |args: &[&str]| {
        let mut command = Command::new("apt-get");
        command.args(["-o", "Acquire::Retries=3"]).args(args).env("DEBIAN_FRONTEND", "noninteractive");
        supervise::run("apt-get", &command, Duration::from_secs(600))
    };
    apt(&["update", "-qq"]).context("update the package lists")?;
    Ok(apt(&["install", "-y", "-qq", "--no-install-recommends", package])?.success())
}

/// The directory of a program of a Debian package that is unpacked and not installed, so that none of its services
/// starts, and nobody need be root. `None`: it could not be had.
pub(crate) fn unpacked(package: &str, program: &str) -> Result<Option<PathBuf>> {
    if let Some(found) = find(program) {
        return Ok(found.parent().map(Path::to_path_buf));
    }
    let dir = crate::workspace::target().join("tools").join(package);
    let bin = dir.join("usr/bin");
    if !bin.join(program).is_file() {
        if !has("apt-get") || !has("dpkg-deb") {
            return Ok(None);
        }
        // Two commands may run at once.
        let lock =
            std::fs::File::create(target_dir("apt")?.join("lock")).context("make a lock for apt-get")?;
        lock.lock().context("wait for another apt-get")?;
        say::step(&format!("getting {package} (apt-get) into target/tools"));
        unpack(package, &dir)?;
    }
    Ok(Some(bin).filter(|bin| bin.join(program).is_file()))
}

fn unpack(package: &str, dir: &Path) -> Result<()> {
    let limit = Duration::from_secs(300);
    let run = |command: &mut Command| supervise::run("apt-get", command, limit);
    if is_root() {
        run(Command::new("apt-get").args(["-o", "Acquire::Retries=3", "update", "-qq"]))
            .context("update the package lists")?;
    }
    let files = target_dir("apt")?.join(package);
    let _ = std::fs::remove_dir_all(&files);
    std::fs::create_dir_all(&files).context("make a directory for the package")?;
    run(Command::new("apt-get").args(["-q", "download", package]).current_dir(&files))?;
    for file in std::fs::read_dir(&files).context("read what was downloaded")?.flatten() {
        run(Command::new("dpkg-deb").arg("-x").arg(file.path()).arg(dir))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn java_versions() {
        let cases = [
            ("openjdk version \"17.0.15\" 2025-04-15", Some(17)),
            ("java version \"1.8.0_402\"", Some(8)),
            ("openjdk version \"25\" 2025-09-16", Some(25)),
            ("openjdk version \"26-ea\" 2026-03-17", Some(26)),
            ("no java here", None),
        ];
        for (text, major) in cases {
            assert_eq!(parse_java(text), major, "{text}");
        }
    }

    #[test]
    fn what_is_missing_is_one_line() {
        assert_eq!(
            missing_line(&[JAVA, MAVEN], Manager::Apt),
            "missing on this machine: Java 17 or newer, Maven. \
             Install with: sudo apt-get install -y openjdk-17-jre-headless maven"
        );
        let other = missing_line(&[CC], Manager::Other);
        assert_eq!(other, "missing on this machine: a C compiler. Install with your package manager.");
        assert!(!other.contains('\n'));
    }
}
