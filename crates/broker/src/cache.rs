//! Kafka's jars: resolved once with Maven from a pinned pom, into a cache that outlives `cargo clean`.
//! A directory under its final name is complete: a half download never gets that name.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use sha2::{Digest, Sha256};

use crate::{env, supervise};

const POM: &str = include_str!("../kafka/pom.xml");
/// Of a release with ZooKeeper; `@VERSION@` is Kafka's.
const OLD_POM: &str = include_str!("../kafka/pom-zookeeper.xml");

/// A release that keeps its metadata in ZooKeeper.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OldRelease {
    V2_8,
    V3_6,
}

impl OldRelease {
    fn version(self) -> &'static str {
        match self {
            Self::V2_8 => "2.8.2",
            Self::V3_6 => "3.6.2",
        }
    }

    fn pom(self) -> String {
        OLD_POM.replace("@VERSION@", self.version())
    }
}

/// What is resolved, for people.
pub const KAFKA_VERSION_LINE: &str = "Apache Kafka 4.1";

/// The release that is resolved, as the pom pins it.
pub fn kafka_version() -> &'static str {
    let pinned = POM.split_once("<kafka.version>").and_then(|(_, rest)| rest.split_once('<'));
    pinned.map_or("", |(version, _)| version)
}

/// A first resolve downloads 45 MB, or 140 of a registry; a slow line has this long.
const RESOLVE_LIMIT: Duration = Duration::from_secs(15 * 60);

/// A complete set of Kafka's jars on this machine.
#[derive(Clone, Debug)]
pub struct KafkaHome {
    libs: PathBuf,
}

impl KafkaHome {
    /// The jars that [`env::KAFKA_LIBS`] names, else those of the cache, resolved now if they are missing.
    /// `progress` is told before a download starts.
    pub fn resolve(progress: &mut dyn FnMut(&str)) -> Result<Self> {
        if let Some(libs) = std::env::var_os(env::KAFKA_LIBS) {
            let libs = PathBuf::from(libs);
            ensure!(libs.is_dir(), "{} names {}, which is no directory", env::KAFKA_LIBS, libs.display());
            return Ok(Self { libs });
        }
        Self::of_pom(POM, KAFKA_VERSION_LINE, progress)
    }

    /// The jars of an old release, from the cache or resolved now.
    pub fn resolve_old(release: OldRelease, progress: &mut dyn FnMut(&str)) -> Result<Self> {
        Self::of_pom(&release.pom(), &format!("Apache Kafka {}", release.version()), progress)
    }

    fn of_pom(pom: &str, name: &str, progress: &mut dyn FnMut(&str)) -> Result<Self> {
        let dir = resolved("kafka", pom, name, progress, |work| jars(name, work))?;
        Ok(Self { libs: dir.join("libs") })
    }

    /// The directory of the jars: a class path is `<libs>/*`.
    pub fn libs(&self) -> &Path {
        &self.libs
    }

    /// Whether [`Self::resolve`] would need Maven.
    pub fn is_cached() -> bool {
        std::env::var_os(env::KAFKA_LIBS).is_some()
            || cache_dir().is_ok_and(|dir| dir.join("kafka").join(pom_hash(POM)).is_dir())
    }
}

/// The cache's directory of a pom. Where it is missing, `fill` makes it of a directory that has the pom.
pub(crate) fn resolved(
    kind: &str,
    pom: &str,
    name: &str,
    progress: &mut dyn FnMut(&str),
    fill: impl FnOnce(&Path) -> Result<()>,
) -> Result<PathBuf> {
    let all = cache_dir()?.join(kind);
    let dir = all.join(pom_hash(pom));
    if !dir.is_dir() {
        progress(&format!("resolving {name} with Maven into {} (once)", dir.display()));
        download(&all, &dir, pom, fill)?;
    }
    Ok(dir)
}

/// Resolves into a directory of this process, then renames. Of two at once, one wins and the other's is dropped.
fn download(all: &Path, dir: &Path, pom: &str, fill: impl FnOnce(&Path) -> Result<()>) -> Result<()> {
    let work = all.join(format!(".resolving-{}-{}", pom_hash(pom), std::process::id()));
    let _ = fs::remove_dir_all(&work);
    fs::create_dir_all(&work).with_context(|| format!("create {}", work.display()))?;
    fs::write(work.join("pom.xml"), pom).context("write the pom")?;
    let result = fill(&work).and_then(|()| match fs::rename(&work, dir) {
        Err(_) if dir.is_dir() => Ok(()),
        done => done.with_context(|| format!("move the jars to {}", dir.display())),
    });
    let _ = fs::remove_dir_all(&work);
    result
}

/// Runs a goal of Maven's dependency plugin on the pom in `work`, for what comes into its directory `out`.
pub(crate) fn maven(name: &str, goal: &str, work: &Path, out: &str) -> Result<()> {
    let mut command = Command::new("mvn");
    command.args(["--quiet", "--batch-mode", "-Dstyle.color=never"]).arg(format!("dependency:{goal}"));
    command.arg(format!("-DoutputDirectory={}", work.join(out).display())).current_dir(work);
    let (status, said) = supervise::capture("Maven", &command, RESOLVE_LIMIT)?;
    ensure!(status.success(), "Maven could not resolve {name} (is Maven Central reachable?):\n{said}");
    Ok(())
}

fn jars(name: &str, work: &Path) -> Result<()> {
    maven(name, "copy-dependencies", work, "libs")?;
    let broker = fs::read_dir(work.join("libs")).context("read what Maven resolved")?;
    let found = broker.flatten().any(|jar| jar.file_name().to_string_lossy().starts_with("kafka_2.13-"));
    ensure!(found, "Maven ended well but left no broker behind");
    Ok(())
}

fn cache_dir() -> Result<PathBuf> {
    let named = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    match (named(env::CACHE), named("XDG_CACHE_HOME"), named("HOME")) {
        (Some(dir), _, _) => Ok(dir),
        (None, Some(cache), _) => Ok(cache.join("flowdeck")),
        (None, None, Some(home)) => Ok(home.join(".cache/flowdeck")),
        (None, None, None) => bail!("no place for a cache: set HOME or {}", env::CACHE),
    }
}

/// The cache's name for a pom: the first 16 hex digits of its SHA-256.
fn pom_hash(pom: &str) -> String {
    Sha256::digest(pom).iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pom_names_its_cache() {
        assert_eq!(pom_hash("abc"), "ba7816bf8f01cfea");
        assert_ne!(pom_hash(POM), pom_hash(&POM.replace("4.1.1", "4.1.2")));
    }

    #[test]
    fn the_pom_pins_every_version() {
        for pom in [POM, &OldRelease::V2_8.pom(), &OldRelease::V3_6.pom()] {
            let is_open = |text| pom.contains(text);
            assert!(!["LATEST", "SNAPSHOT", "version>[", "@VERSION@"].into_iter().any(is_open));
        }
        assert!(kafka_version().starts_with("4.1.") && KAFKA_VERSION_LINE.ends_with(" 4.1"));
    }
}
