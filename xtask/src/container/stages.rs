//! Runs the Dockerfile's steps, stage by stage.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};

use super::base::base;
use super::context::{self, Ignore};
use super::dockerfile::{Setting, Stage, Step};
use super::root::{Mount, Root};
use crate::say;
use crate::workspace::{must, root};

const RUN_LIMIT: Duration = Duration::from_secs(60 * 60);

/// The root of the last stage. `work` keeps the caches and the Debian from run to run; what stages make is made anew.
pub(super) fn build(stages: Vec<Stage>, work: &Path) -> Result<Root> {
    let ignore = Ignore::read(root())?;
    let mut done: BTreeMap<String, Root> = BTreeMap::new();
    let mut last = None;
    for (number, stage) in stages.into_iter().enumerate() {
        let name = stage.name.clone().unwrap_or_else(|| number.to_string());
        say::step(&format!("container: stage {name}, from {}", stage.base));
        let base = base(&stage.base, work)?;
        let here = Root::fresh(&base.lower, &work.join(format!("stage-{number}")))?;
        for step in &stage.steps {
            match step {
                Step::Run { script, caches, setting } => {
                    let mut setting = setting.clone();
                    for (name, value) in &base.variables {
                        setting.variables.entry(name.clone()).or_insert_with(|| value.clone());
                    }
                    run(&here, script, caches, &setting, work)?;
                }
                Step::Copy { from, sources, dest, workdir } => {
                    let from =
                        from.as_ref().map(|name| done.get(name).with_context(|| format!("no stage {name}")));
                    let from = from.transpose()?;
                    for source in sources {
                        copy(&here, from, &ignore, source, dest, workdir)?;
                    }
                }
                Step::Directory(dir) => {
                    let dir = here.above(Path::new(dir));
                    fs::create_dir_all(&dir).with_context(|| format!("create {}", dir.display()))?;
                }
            }
        }
        done.insert(name, here.clone());
        last = Some(here);
    }
    last.context("the Dockerfile has no stage")
}

fn run(here: &Root, script: &str, caches: &[String], setting: &Setting, work: &Path) -> Result<()> {
    say::step(&format!("container: RUN {}", script.split_whitespace().collect::<Vec<_>>().join(" ")));
    let mut mounts: Vec<Mount> = vec![(PathBuf::from("/etc/resolv.conf"), "/etc/resolv.conf".to_owned())];
    for target in caches {
        let kept = work.join("cache").join(target.trim_matches('/').replace('/', "-"));
        fs::create_dir_all(&kept).with_context(|| format!("create {}", kept.display()))?;
        mounts.push((kept, target.clone()));
    }
    let words = ["/bin/sh", "-c", script].map(str::to_owned);
    must("a step of the Dockerfile", &here.run(&mounts, &here.words(setting, &words)?), RUN_LIMIT)
}

fn copy(
    here: &Root,
    from: Option<&Root>,
    ignore: &Ignore,
    source: &str,
    dest: &str,
    workdir: &str,
) -> Result<()> {
    say::step(&format!("container: COPY {source} {dest}"));
    let Some(stage) = from else {
        let is_dir = root().join(source).is_dir();
        return context::copy(
            root(),
            ignore,
            source,
            &here.above(&context::place(dest, workdir, source, is_dir)),
        );
    };
    let file = stage.find(Path::new(source));
    context::copy_file(&file, &here.above(&context::place(dest, workdir, source, false)))
}
