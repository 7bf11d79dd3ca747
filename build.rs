//! Says in words what is missing before the feature `embed` fails in a macro.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    if std::env::var_os("CARGO_FEATURE_EMBED").is_none() {
        return;
    }
    let root = std::path::PathBuf::from(std::env::var_os("CARGO_MANIFEST_DIR").unwrap_or_default());
    let site = root.join("target/site/release/site.json");
    println!("cargo::rerun-if-changed={}", site.display());
    if !site.is_file() {
        println!("cargo::error=feature `embed` needs {}: run `cargo xtask build --release`", site.display());
    }
}
