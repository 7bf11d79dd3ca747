//! The build context: the tree without what `.dockerignore` names, copied as Docker would send it.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use glob::{MatchOptions, Pattern};

/// A `*` stays within one directory.
const OPTIONS: MatchOptions = MatchOptions {
    case_sensitive: true,
    require_literal_separator: true,
    require_literal_leading_dot: false,
};

pub(super) struct Ignore(Vec<Pattern>);

impl Ignore {
    pub(super) fn read(root: &Path) -> Result<Self> {
        let text = fs::read_to_string(root.join(".dockerignore")).context("read .dockerignore")?;
        let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
        let pattern = |line: &str| {
            ensure!(!line.starts_with('!'), ".dockerignore: exceptions are not understood: {line}");
            let line = line.trim_start_matches('/').trim_end_matches('/');
            Pattern::new(line).with_context(|| format!(".dockerignore: {line}"))
        };
        lines.map(pattern).collect::<Result<_>>().map(Self)
    }

    /// `path` is relative to the root. What lies below an ignored directory is never asked for.
    fn covers(&self, path: &Path) -> bool {
        self.0.iter().any(|pattern| pattern.matches_path_with(path, OPTIONS))
    }
}

/// Copies `source` (relative to `root`; `.` is all of it) to `dest`.
pub(super) fn copy(root: &Path, ignore: &Ignore, source: &str, dest: &Path) -> Result<()> {
    let source = Path::new(source).strip_prefix(".").unwrap_or(Path::new(source));
    let from = root.join(source);
    ensure!(!ignore.covers(source), "{} is in .dockerignore", source.display());
    match from.is_dir() {
        true => tree(root, ignore, source, dest),
        false => copy_file(&from, dest),
    }
}

fn tree(root: &Path, ignore: &Ignore, source: &Path, dest: &Path) -> Result<()> {
    fs::create_dir_all(dest).with_context(|| format!("create {}", dest.display()))?;
    let from = root.join(source);
    for entry in fs::read_dir(&from).with_context(|| format!("list {}", from.display()))? {
        let entry = entry.with_context(|| format!("list {}", from.display()))?;
        let (path, name) = (source.join(entry.file_name()), entry.file_name());
        if ignore.covers(&path) {
            continue;
        }
        let kind = entry.file_type().context("look at a file")?;
        if kind.is_dir() {
            tree(root, ignore, &path, &dest.join(name))?;
        } else if kind.is_file() {
            copy_file(&entry.path(), &dest.join(name))?;
        } else {
            bail!("{}: neither file nor directory", path.display());
        }
    }
    Ok(())
}

/// With its time: cargo builds again what is newer.
pub(super) fn copy_file(from: &Path, to: &Path) -> Result<()> {
    let named = || format!("copy {}", from.display());
    if let Some(parent) = to.parent() {
        fs::create_dir_all(parent).with_context(named)?;
    }
    fs::copy(from, to).with_context(named)?;
    let time = fs::metadata(from).and_then(|data| data.modified()).with_context(named)?;
    fs::File::options().write(true).open(to).and_then(|file| file.set_modified(time)).with_context(named)
}

/// Where one of Docker's sources goes: into `dest` where that is a directory, else it becomes `dest`.
pub(super) fn place(dest: &str, workdir: &str, source: &str, source_is_dir: bool) -> PathBuf {
    let into = dest.ends_with('/') || dest == "." || dest == "./";
    let to = Path::new(workdir).join(dest.trim_start_matches("./").trim_end_matches('.'));
    let name = Path::new(source).file_name().filter(|_| into && !source_is_dir);
    name.map_or(to.clone(), |name| to.join(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ignored_files_do_not_travel() {
        let (root, out) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        for name in
            ["target/a", "src/target/kept", "node_modules/x/y", "end2end/node_modules/z", ".git/HEAD", "a.rs"]
        {
            let path = root.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, name).unwrap();
        }
        fs::write(root.path().join(".dockerignore"), "# big\ntarget\n**/node_modules\n.git\n.dockerignore\n")
            .unwrap();
        let ignore = Ignore::read(root.path()).unwrap();
        copy(root.path(), &ignore, ".", out.path()).unwrap();
        let has = |name: &str| out.path().join(name).exists();
        assert!(has("a.rs") && has("src/target/kept"));
        assert!(!has("target") && !has("node_modules") && !has("end2end/node_modules") && !has(".git"));
        assert!(copy(root.path(), &ignore, "target", out.path()).is_err());
    }

    #[test]
    fn destinations() {
        let place = |dest, source, dir| place(dest, "/flowdeck", source, dir).display().to_string();
        assert_eq!(place("./", "rust-toolchain.toml", false), "/flowdeck/rust-toolchain.toml");
        assert_eq!(place(".", ".", true), "/flowdeck/");
        assert_eq!(place("/usr/bin/x", "/build/y", false), "/usr/bin/x");
    }
}
