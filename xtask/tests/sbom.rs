//! `cargo xtask sbom`: what the release binary links, with licence and checksum, and nothing else.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

fn made(dir: &Path) -> (String, Value) {
    let path = dir.join("flowdeck.cdx.json");
    let output =
        Command::new(env!("CARGO_BIN_EXE_xtask")).args(["sbom", "--out"]).arg(&path).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = std::fs::read_to_string(path).unwrap();
    let json = serde_json::from_str(&text).unwrap();
    (text, json)
}

/// Name and version to checksum, of all that Cargo.lock has from a registry.
fn locked() -> BTreeMap<(String, String), String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../Cargo.lock");
    let lock: toml::Table = std::fs::read_to_string(path).unwrap().parse().unwrap();
    let text = |package: &toml::Value, key: &str| package.get(key)?.as_str().map(str::to_owned);
    let packages = lock["package"].as_array().unwrap().iter();
    let packages = packages.filter_map(|package| {
        Some(((text(package, "name")?, text(package, "version")?), text(package, "checksum")?))
    });
    packages.collect()
}

#[test]
fn every_crate_that_is_shipped_has_version_licence_and_checksum() {
    let dir = tempfile::tempdir().unwrap();
    let (text, bom) = made(dir.path());
    assert_eq!((bom["bomFormat"].as_str(), bom["specVersion"].as_str()), (Some("CycloneDX"), Some("1.5")));
    assert_eq!(bom["metadata"]["component"]["name"], "flowdeck");

    let locked = locked();
    let components = bom["components"].as_array().unwrap();
    let (mut from_registry, mut ours) = (0, 0);
    for component in components {
        let (name, version) = (component["name"].as_str().unwrap(), component["version"].as_str());
        let license = component["licenses"][0]["expression"].as_str().unwrap_or_default();
        assert!(!license.is_empty(), "{name} has no licence");
        let Some(url) = component["purl"].as_str() else { continue };
        let version = version.unwrap();
        assert!(url.starts_with(&format!("pkg:cargo/{name}@")), "{url}");
        match locked.get(&(name.to_owned(), version.to_owned())) {
            Some(checksum) => {
                from_registry += 1;
                assert_eq!(component["hashes"][0]["alg"], "SHA-256", "{name}");
                assert_eq!(component["hashes"][0]["content"].as_str(), Some(checksum.as_str()), "{name}");
            }
            None => {
                ours += 1;
                assert!(
                    name == "app" || name == "frontend" || name.starts_with("flowdeck-"),
                    "{name} {version}"
                );
            }
        }
    }
    assert!(from_registry > 150 && ours >= 6, "{from_registry} and {ours}");

    let linked_into = |name: &str| {
        let component = components.iter().find(|component| component["name"] == name)?;
        Some(component["properties"][0]["value"].as_str().unwrap().to_owned())
    };
    for (name, place) in [
        ("rdkafka", "server"),
        ("rdkafka-sys", "server"),
        ("openssl-sys", "server"),
        ("axum", "server"),
        ("argon2", "server"),
        ("tower-sessions-redis-store", "server"),
        ("rust-embed", "server"),
        ("leptos", "server, browser"),
        ("flowdeck-model", "server, browser"),
        ("web-sys", "server, browser"),
        ("frontend", "browser"),
    ] {
        assert_eq!(linked_into(name).as_deref(), Some(place), "{name}");
    }
    assert!(linked_into("librdkafka").unwrap().starts_with("rdkafka-sys "));
    // What only builds or tests.
    for name in
        ["flowdeck-testkit", "flowdeck-broker", "xtask", "insta", "proptest", "wasm-bindgen-cli-support"]
    {
        assert_eq!(linked_into(name), None, "{name}");
    }
    // Nothing of this machine, and the same again.
    assert!(!text.contains(env!("CARGO_MANIFEST_DIR").trim_end_matches("/xtask")), "a path of this machine");
    assert_eq!(made(dir.path()).0, text);
}
