//! The pages' files: wasm, JavaScript, CSS and icons, under names that change with their content.
//!
//! ```text
//! target/site/<debug|release>/site.json                {"pkg": "pkg/<hash>", "build": "<hash>"}
//! target/site/<debug|release>/pkg/<hash>/flowdeck.js, flowdeck_bg.wasm, flowdeck.css
//! target/site/<debug|release>/<files of public/>
//! ```
//! In release each file has a brotli twin beside it. Nothing is done where nothing changed.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::machine::{self, Need};
use crate::say;
use crate::workspace::{cargo, must, root, target, target_dir};

/// The names that the pages ask for.
const NAME: &str = "flowdeck";
/// The wasm of a release, as brotli-11: more makes the first visit slow on a phone.
pub(crate) const WASM_LIMIT: u64 = 450 * 1024;
const BUILD_LIMIT: Duration = Duration::from_secs(30 * 60);

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Small files with brotli twins, instead of quickly built ones
    #[arg(long)]
    release: bool,
}

/// A built site.
#[derive(Clone, Debug)]
pub(crate) struct Site {
    /// What the server reads: `FLOWDECK_SITE`.
    pub(crate) dir: PathBuf,
    index: Index,
}

impl Site {
    /// The wasm's size as it travels, in bytes. Release only.
    pub(crate) fn wasm_brotli(&self) -> Result<u64> {
        let file = self.dir.join(&self.index.pkg).join(format!("{NAME}_bg.wasm.br"));
        Ok(fs::metadata(&file).with_context(|| format!("measure {}", file.display()))?.len())
    }
}

#[cfg(test)]
impl Site {
    pub(crate) fn for_test(dir: &Path) -> Self {
        Self { dir: dir.to_path_buf(), index: Index { pkg: "pkg/1".to_owned(), build: "1".to_owned() } }
    }
}

/// `site.json`, which the server reads.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq, Eq)]
struct Index {
    pkg: String,
    build: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Profile {
    Debug,
    Release,
}

impl Profile {
    fn name(self) -> &'static str {
        match self {
            Self::Debug => "debug",
            Self::Release => "release",
        }
    }

    /// Plain `dev` in debug, so that proc-macros are shared with the host's build.
    fn cargo(self) -> &'static str {
        match self {
            Self::Debug => "dev",
            Self::Release => "wasm-release",
        }
    }

    fn wasm(self) -> PathBuf {
        let dir = match self {
            Self::Debug => "debug",
            Self::Release => "wasm-release",
        };
        target().join("wasm32-unknown-unknown").join(dir).join("frontend.wasm")
    }
}

pub(crate) fn run(args: &Args) -> Result<()> {
    machine::check(&[Need::Wasm])?;
    let site = build(if args.release { Profile::Release } else { Profile::Debug })?;
    println!("{}", site.dir.display());
    if args.release {
        println!("wasm as brotli: {} of at most {WASM_LIMIT} bytes", site.wasm_brotli()?);
    }
    Ok(())
}

/// Builds what is not up to date.
pub(crate) fn build(profile: Profile) -> Result<Site> {
    say::step(&format!("building the pages (wasm, {})", profile.name()));
    let args = ["build", "--package", "frontend", "--lib", "--target", "wasm32-unknown-unknown", "--profile"];
    must("the build of the pages", cargo(&args).arg(profile.cargo()), BUILD_LIMIT)?;
    let dir = target_dir(&format!("site/{}", profile.name()))?;
    // Two commands at once in one checkout: the second waits, then finds it done.
    let lock = fs::File::create(target().join("site").join(format!("{}.lock", profile.name())));
    let lock = lock.context("create the site's lock")?;
    lock.lock().context("wait for the site's lock")?;
    let inputs = Inputs::read(profile)?;
    let build = inputs.hash(profile);
    let index = Index { pkg: format!("pkg/{build}"), build };
    if current(&dir).as_ref() != Some(&index) {
        write(&dir, &inputs, &index, profile)?;
    }
    Ok(Site { dir, index })
}

/// The index of a complete site.
fn current(dir: &Path) -> Option<Index> {
    let text = fs::read(dir.join("site.json")).ok()?;
    let index: Index = serde_json::from_slice(&text).ok()?;
    dir.join(&index.pkg).is_dir().then_some(index)
}

/// All that the site is made from.
struct Inputs {
    wasm: Vec<u8>,
    css: Vec<u8>,
    public: Vec<(String, Vec<u8>)>,
}

impl Inputs {
    fn read(profile: Profile) -> Result<Self> {
        let wasm = profile.wasm();
        let wasm = fs::read(&wasm).with_context(|| format!("read {}", wasm.display()))?;
        Ok(Self {
            wasm,
            css: stylesheet(&files(&root().join("style"))?),
            public: files(&root().join("public"))?,
        })
    }

    fn hash(&self, profile: Profile) -> String {
        let mut hasher = Sha256::new();
        let mut part = |bytes: &[u8]| {
            hasher.update((bytes.len() as u64).to_le_bytes());
            hasher.update(bytes);
        };
        part(profile.name().as_bytes());
        part(wasm_bindgen_version().as_bytes());
        part(&self.wasm);
        part(&self.css);
        for (name, content) in &self.public {
            part(name.as_bytes());
            part(content);
        }
        hasher.finalize().iter().take(8).map(|byte| format!("{byte:02x}")).collect()
    }
}

/// The glue of another version is another file; it is pinned in the workspace.
fn wasm_bindgen_version() -> &'static str {
    include_str!("../../Cargo.toml")
        .lines()
        .find(|line| line.starts_with("wasm-bindgen-cli-support"))
        .unwrap_or_default()
}

/// The files of a directory by name, in the order of names; sub-directories are not looked into.
fn files(dir: &Path) -> Result<Vec<(String, Vec<u8>)>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).with_context(|| format!("list {}", dir.display()))? {
        let path = entry.with_context(|| format!("list {}", dir.display()))?.path();
        if let (true, Some(name)) = (path.is_file(), path.file_name()) {
            let content = fs::read(&path).with_context(|| format!("read {}", path.display()))?;
            found.push((name.to_string_lossy().into_owned(), content));
        }
    }
    found.sort();
    Ok(found)
}

/// All of `style/` as one file: cascade order is name order.
fn stylesheet(files: &[(String, Vec<u8>)]) -> Vec<u8> {
    let mut css = Vec::new();
    for (_, content) in files.iter().filter(|(name, _)| name.ends_with(".css")) {
        css.extend_from_slice(content);
        css.push(b'\n');
    }
    css
}

/// Everything is written first, `site.json` last: a server that reads it finds what it names.
fn write(dir: &Path, inputs: &Inputs, index: &Index, profile: Profile) -> Result<()> {
    say::step("binding the wasm to JavaScript");
    let work = dir.join(".work");
    let _ = fs::remove_dir_all(&work);
    fs::create_dir_all(&work).with_context(|| format!("create {}", work.display()))?;
    bind(&work, profile)?;
    fs::write(work.join(format!("{NAME}.css")), &inputs.css).context("write the stylesheet")?;
    if profile == Profile::Release {
        say::step("compressing (brotli 11)");
        for (name, content) in files(&work)? {
            fs::write(work.join(format!("{name}.br")), compress(&content)?).context("write a brotli twin")?;
        }
    }
    clear(dir)?;
    for (name, content) in &inputs.public {
        fs::write(dir.join(name), content).with_context(|| format!("copy {name}"))?;
        if profile == Profile::Release {
            fs::write(dir.join(format!("{name}.br")), compress(content)?)
                .with_context(|| format!("compress {name}"))?;
        }
    }
    let pkg = dir.join(&index.pkg);
    fs::create_dir_all(dir.join("pkg")).context("create pkg")?;
    fs::rename(&work, &pkg).with_context(|| format!("move the files to {}", pkg.display()))?;
    let json = serde_json::to_string(index).context("write site.json")?;
    fs::write(dir.join("site.json"), json).context("write site.json")
}

/// Old hashes would end up in the binary of a release.
fn clear(dir: &Path) -> Result<()> {
    for entry in fs::read_dir(dir).context("list the old site")? {
        let path = entry.context("list the old site")?.path();
        if path.is_file() {
            fs::remove_file(&path).context("remove an old file")?;
        } else if path.file_name().is_some_and(|name| name == "pkg") {
            fs::remove_dir_all(&path).context("remove the old files")?;
        }
    }
    Ok(())
}

fn bind(out: &Path, profile: Profile) -> Result<()> {
    let release = profile == Profile::Release;
    wasm_bindgen_cli_support::Bindgen::new()
        .input_path(profile.wasm())
        .out_name(NAME)
        .web(true)?
        .typescript(false)
        .remove_name_section(release)
        .remove_producers_section(release)
        .keep_debug(false)
        .omit_default_module_path(true)
        .generate(out)
        .context("wasm-bindgen")?;
    let bound = out.join(format!("{NAME}_bg.wasm"));
    ensure!(bound.is_file(), "wasm-bindgen left no {}", bound.display());
    Ok(())
}

fn compress(content: &[u8]) -> Result<Vec<u8>> {
    let mut out = Vec::new();
    // Of what its blocks may be, 1 MiB makes the smallest twin of the wasm.
    let params = brotli::enc::BrotliEncoderParams { quality: 11, lgblock: 20, ..Default::default() };
    brotli::BrotliCompress(&mut &content[..], &mut out, &params).context("compress")?;
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inputs() -> Inputs {
        Inputs {
            wasm: b"wasm".to_vec(),
            css: b"css".to_vec(),
            public: vec![("a.svg".to_owned(), b"<svg/>".to_vec())],
        }
    }

    #[test]
    fn any_input_changes_the_hash() {
        let base = inputs().hash(Profile::Debug);
        assert_eq!(base, inputs().hash(Profile::Debug));
        assert_eq!(base.len(), 16);
        assert_ne!(base, inputs().hash(Profile::Release));
        assert_ne!(base, Inputs { wasm: b"w2".to_vec(), ..inputs() }.hash(Profile::Debug));
        assert_ne!(base, Inputs { css: b"c2".to_vec(), ..inputs() }.hash(Profile::Debug));
        assert_ne!(base, Inputs { public: Vec::new(), ..inputs() }.hash(Profile::Debug));
    }

    #[test]
    fn stylesheets_join_in_name_order() {
        let dir = tempfile::tempdir().unwrap();
        for (name, text) in [("20-b.css", "b{}"), ("10-a.css", "a{}"), ("notes.md", "no")] {
            fs::write(dir.path().join(name), text).unwrap();
        }
        assert_eq!(stylesheet(&files(dir.path()).unwrap()), b"a{}\nb{}\n");
    }

    #[test]
    fn a_site_without_its_files_is_not_current() {
        let dir = tempfile::tempdir().unwrap();
        let index = Index { pkg: "pkg/1".to_owned(), build: "1".to_owned() };
        assert_eq!(current(dir.path()), None);
        fs::write(dir.path().join("site.json"), serde_json::to_vec(&index).unwrap()).unwrap();
        assert_eq!(current(dir.path()), None);
        fs::create_dir_all(dir.path().join("pkg/1")).unwrap();
        assert_eq!(current(dir.path()), Some(index));
    }

    #[test]
    fn the_pinned_version_is_found() {
        assert!(wasm_bindgen_version().contains("\"=0."));
    }
}
