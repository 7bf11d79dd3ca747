//! `cargo xtask sbom`: what the release binary is made of, as CycloneDX 1.5. The same tree gives the same file.
//!
//! In it are the crates of the server and those of the pages' wasm that the binary carries, with licence and
//! checksum, and the C libraries that are compiled in. Not in it: what only builds or tests, such as
//! Playwright (nothing of npm is shipped), and OpenSSL, which is the system's (its package manager lists it).

mod linked;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use cyclonedx_bom::external_models::normalized_string::NormalizedString;
use cyclonedx_bom::external_models::spdx::SpdxExpression;
use cyclonedx_bom::external_models::uri::Purl;
use cyclonedx_bom::models::bom::{Bom, SpecVersion};
use cyclonedx_bom::models::component::{Classification, Component, Components};
use cyclonedx_bom::models::dependency::{Dependencies, Dependency};
use cyclonedx_bom::models::hash::{Hash, HashAlgorithm, HashValue, Hashes};
use cyclonedx_bom::models::license::{LicenseChoice, Licenses};
use cyclonedx_bom::models::metadata::Metadata;
use cyclonedx_bom::models::property::{Properties, Property};
use cyclonedx_bom::validation::Validate;
use serde::Deserialize;

use crate::packages::{self, Package};
use crate::workspace::{root, target_dir};
pub(crate) use linked::Linked;

const PROGRAM: &str = "flowdeck";
/// Which of the two halves a crate is in.
const PLACE: &str = "flowdeck:linked-into";
/// Crates that compile a C library into the binary: what it is called, and its licence.
const NATIVE: [(&str, &str, &str); 4] = [
    ("rdkafka-sys", "librdkafka", "BSD-2-Clause"),
    ("zstd-sys", "zstd", "BSD-3-Clause"),
    ("libz-sys", "zlib", "Zlib"),
    ("lz4-sys", "lz4", "BSD-2-Clause"),
];

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Where to write it
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

pub(crate) fn run(args: &Args) -> Result<()> {
    let path = match &args.out {
        Some(path) => path.clone(),
        None => target_dir("sbom")?.join("flowdeck.cdx.json"),
    };
    let mut text = Vec::new();
    bom(&Linked::ask()?)?.output_as_json_v1_5(&mut text).context("write the SBOM")?;
    text.push(b'\n');
    fs::write(&path, text).with_context(|| format!("write {}", path.display()))?;
    println!("{}", path.display());
    Ok(())
}

fn bom(linked: &Linked) -> Result<Bom> {
    let metadata = packages::metadata()?;
    let checksums = checksums()?;
    let mut components = Vec::new();
    let mut program = None;
    let mut shipped = BTreeMap::new();
    for package in &metadata.packages {
        let Some(place) = linked.place(&package.name, &package.version) else { continue };
        let component = component(package, place, checksums.get(&key(package)))?;
        shipped.insert(package.id.clone(), reference(package));
        match package.name == PROGRAM {
            true => program = Some(component),
            false => components.push(component),
        }
        components.extend(native(package));
    }
    components.sort_by(|a, b| a.bom_ref.cmp(&b.bom_ref));
    let of_cargo = |node: packages::Node| {
        let from = shipped.get(&node.id)?.clone();
        let mut to: Vec<_> = node.dependencies.iter().filter_map(|id| shipped.get(id).cloned()).collect();
        to.sort();
        Some(Dependency { dependency_ref: from, dependencies: to })
    };
    let mut dependencies: Vec<_> = metadata.resolve.nodes.into_iter().filter_map(of_cargo).collect();
    dependencies.sort_by(|a, b| a.dependency_ref.cmp(&b.dependency_ref));
    let bom = Bom {
        // Neither number nor time of its own: a file that changes only with what is shipped can be compared.
        serial_number: None,
        metadata: Some(Metadata { component: program, ..Metadata::default() }),
        components: Some(Components(components)),
        dependencies: Some(Dependencies(dependencies)),
        spec_version: SpecVersion::V1_5,
        ..Bom::default()
    };
    let valid = bom.validate_version(SpecVersion::V1_5);
    ensure!(valid.passed(), "the SBOM is no valid CycloneDX 1.5: {valid:?}");
    Ok(bom)
}

fn reference(package: &Package) -> String {
    format!("pkg:cargo/{}@{}", package.name, package.version)
}

fn component(package: &Package, place: &str, checksum: Option<&String>) -> Result<Component> {
    let Package { name, version, license, .. } = package;
    let license = license.as_ref().with_context(|| format!("{name} {version} names no licence"))?;
    let kind = if name == PROGRAM { Classification::Application } else { Classification::Library };
    let mut component = Component::new(kind, name, version, Some(reference(package)));
    component.purl = Some(Purl::new("cargo", name, version).with_context(|| format!("the URL of {name}"))?);
    component.licenses = Some(expression(license)?);
    component.hashes = checksum
        .map(|sum| Hashes(vec![Hash { alg: HashAlgorithm::SHA_256, content: HashValue(sum.clone()) }]));
    component.properties = Some(Properties(vec![Property::new(PLACE, place)]));
    Ok(component)
}

fn expression(license: &str) -> Result<Licenses> {
    let parsed = SpdxExpression::parse_lax(license.to_owned());
    let parsed = parsed.with_context(|| format!("{license:?} is no licence expression"))?;
    Ok(Licenses(vec![LicenseChoice::Expression(parsed)]))
}

/// The C library within a crate; its version is behind the `+`, where the crate names it.
fn native(package: &Package) -> Option<Component> {
    let (_, name, license) = NATIVE.iter().find(|(of, _, _)| *of == package.name)?;
    let version = package.version.split_once('+').map(|(_, version)| version.trim_start_matches("zstd."));
    let text = version.unwrap_or_default();
    let mut component = Component::new(
        Classification::Library,
        name,
        text,
        Some(format!("native:{name}@{}", package.version)),
    );
    component.version = version.map(NormalizedString::new);
    component.licenses = expression(license).ok();
    let from = format!("{} {}", package.name, package.version);
    component.properties = Some(Properties(vec![Property::new("flowdeck:compiled-by", &from)]));
    Some(component)
}

#[derive(Deserialize)]
struct Lock {
    package: Vec<Locked>,
}

#[derive(Deserialize)]
struct Locked {
    name: String,
    version: String,
    checksum: Option<String>,
}

fn key(package: &Package) -> (String, String) {
    (package.name.clone(), package.version.clone())
}

/// Name and version of each package from a registry, and the SHA-256 of its archive.
fn checksums() -> Result<BTreeMap<(String, String), String>> {
    let text = fs::read_to_string(root().join("Cargo.lock")).context("read Cargo.lock")?;
    let lock: Lock = toml::from_str(&text).context("read Cargo.lock")?;
    Ok(lock.package.into_iter().filter_map(|one| Some(((one.name, one.version), one.checksum?))).collect())
}

/// Crates whose sources the binary names (in its messages of panics) and that are not among `linked`: evidence
/// from what was built, where all else is cargo's word.
pub(crate) fn unlisted(binary: &[u8], linked: &Linked) -> (usize, BTreeSet<String>) {
    // With cargo's own directory: a crate of ours is in `crates/registry`.
    const BEFORE: &[u8] = b"cargo/registry/src/";
    let mut named = BTreeSet::new();
    for at in binary.windows(BEFORE.len()).enumerate().filter(|(_, text)| *text == BEFORE).map(|(at, _)| at) {
        let rest = &binary[at + BEFORE.len()..binary.len().min(at + BEFORE.len() + 300)];
        let crate_dir = rest.split(|byte| *byte == b'/').nth(1).unwrap_or_default();
        named.insert(String::from_utf8_lossy(crate_dir).into_owned());
    }
    let missing = named.iter().filter(|dir| !linked.has_source(dir)).cloned().collect();
    (named.len(), missing)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_of_a_c_library_is_its_own() {
        let package = |name: &str, version: &str| Package {
            id: String::new(),
            name: name.to_owned(),
            version: version.to_owned(),
            license: Some("MIT".to_owned()),
        };
        let version =
            |name, version| native(&package(name, version)).map(|one| one.version.map(|v| v.to_string()));
        assert_eq!(version("rdkafka-sys", "4.10.0+2.12.1"), Some(Some("2.12.1".to_owned())));
        assert_eq!(version("zstd-sys", "2.0.16+zstd.1.5.7"), Some(Some("1.5.7".to_owned())));
        assert_eq!(version("libz-sys", "1.1.22"), Some(None));
        assert_eq!(version("tokio", "1.0.0"), None);
    }

    #[test]
    fn a_crate_in_the_binary_that_is_not_listed_is_found() {
        let linked = Linked::of("tokio v1.2.3\n", "leptos v0.8.23\n");
        let binary = b"\0crates/registry/src/cache.rs\0/home/ana/.cargo/registry/src/index-1949/tokio-1.2.3/src/a.rs\0panic \
            /usr/local/cargo/registry/src/index-1949/secret-0.1.0/src/b.rs\0";
        assert_eq!(unlisted(binary, &linked), (2, BTreeSet::from(["secret-0.1.0".to_owned()])));
    }
}
