//! The Dockerfile as steps that can be run, and the image that they describe. What is not understood is an
//! error: a step that is left out would be a test that says nothing.

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail, ensure};
use parse_dockerfile::{Command, Flag, HealthcheckArguments, Instruction, Source, Stage as Parsed};

pub(super) struct Stage {
    pub(super) base: String,
    pub(super) name: Option<String>,
    pub(super) steps: Vec<Step>,
    pub(super) image: Image,
}

/// What changes files, in order, with what was in force at that point.
pub(super) enum Step {
    Run {
        script: String,
        caches: Vec<String>,
        setting: Setting,
    },
    Copy {
        from: Option<String>,
        sources: Vec<String>,
        dest: String,
        workdir: String,
    },
    /// WORKDIR makes its directory.
    Directory(String),
}

/// Environment, directory and user.
#[derive(Clone, Debug)]
pub(super) struct Setting {
    pub(super) variables: BTreeMap<String, String>,
    pub(super) workdir: String,
    pub(super) user: String,
}

impl Default for Setting {
    fn default() -> Self {
        Self { variables: BTreeMap::new(), workdir: "/".to_owned(), user: "0".to_owned() }
    }
}

/// What a container of it is started with.
#[derive(Clone, Debug, Default)]
pub(super) struct Image {
    pub(super) setting: Setting,
    pub(super) entrypoint: Vec<String>,
    pub(super) cmd: Vec<String>,
    pub(super) healthcheck: Vec<String>,
    pub(super) ports: Vec<String>,
}

pub(super) fn parse(text: &str) -> Result<Vec<Stage>> {
    let file = parse_dockerfile::parse(text).context("read the Dockerfile")?;
    file.stages().map(|parsed| stage(&parsed)).collect()
}

fn stage(parsed: &Parsed<'_, '_>) -> Result<Stage> {
    ensure!(parsed.from.options.is_empty(), "FROM with options is not understood");
    let mut stage = Stage {
        base: parsed.from.image.value.to_string(),
        name: parsed.from.as_.as_ref().map(|(_, name)| name.value.to_string()),
        steps: Vec::new(),
        image: Image::default(),
    };
    for instruction in parsed.instructions {
        add(&mut stage, instruction)?;
    }
    Ok(stage)
}

fn add(stage: &mut Stage, instruction: &Instruction<'_>) -> Result<()> {
    let image = &mut stage.image;
    match instruction {
        Instruction::Run(run) => {
            ensure!(run.here_docs.is_empty(), "RUN with a here-document is not understood");
            let Command::Shell(script) = &run.arguments else { bail!("RUN in JSON form is not understood") };
            let caches = run.options.iter().map(cache).collect::<Result<_>>()?;
            let setting = image.setting.clone();
            stage.steps.push(Step::Run { script: script.value.to_string(), caches, setting });
        }
        Instruction::Copy(copy) => {
            let from = copy.options.iter().map(|flag| match (&*flag.name.value, &flag.value) {
                ("from", Some(stage)) => Ok(stage.value.to_string()),
                (name, _) => bail!("COPY --{name} is not understood"),
            });
            let source = |source: &Source<'_>| match source {
                Source::Path(path) => Ok(path.value.to_string()),
                _ => bail!("COPY of a here-document is not understood"),
            };
            stage.steps.push(Step::Copy {
                from: from.collect::<Result<Vec<_>>>()?.pop(),
                sources: copy.src.iter().map(source).collect::<Result<_>>()?,
                dest: copy.dest.value.to_string(),
                workdir: image.setting.workdir.clone(),
            });
        }
        Instruction::Workdir(workdir) => {
            ensure!(workdir.arguments.value.starts_with('/'), "a relative WORKDIR is not understood");
            image.setting.workdir = workdir.arguments.value.to_string();
            stage.steps.push(Step::Directory(image.setting.workdir.clone()));
        }
        Instruction::Env(env) => {
            for pair in env.arguments.value.split_whitespace() {
                let plain = !pair.contains(['"', '\'', '\\', '$']);
                let pair = pair.split_once('=').filter(|_| plain);
                let (name, value) = pair.context("ENV is understood as NAME=VALUE without quotes")?;
                image.setting.variables.insert(name.to_owned(), value.to_owned());
            }
        }
        Instruction::User(user) => image.setting.user = user.arguments.value.to_string(),
        Instruction::Expose(expose) => {
            image.ports.extend(expose.arguments.iter().map(|port| port.value.to_string()));
        }
        Instruction::Healthcheck(check) => match &check.arguments {
            HealthcheckArguments::Cmd { arguments, .. } => image.healthcheck = words(arguments),
            _ => bail!("HEALTHCHECK NONE is no health check"),
        },
        Instruction::Entrypoint(entrypoint) => image.entrypoint = words(&entrypoint.arguments),
        Instruction::Cmd(cmd) => image.cmd = words(&cmd.arguments),
        Instruction::Label(_) | Instruction::Stopsignal(_) => {}
        other => bail!("this instruction of the Dockerfile is not understood: {other:?}"),
    }
    Ok(())
}

/// The target of `--mount=type=cache,target=…`.
fn cache(flag: &Flag<'_>) -> Result<String> {
    let value = flag.value.as_ref().map(|value| value.value.to_string()).unwrap_or_default();
    let target = value.split(',').find_map(|part| part.strip_prefix("target="));
    match (&*flag.name.value, target) {
        ("mount", Some(target)) if value.split(',').any(|part| part == "type=cache") => Ok(target.to_owned()),
        (name, _) => bail!("RUN --{name}={value} is not understood"),
    }
}

fn words(command: &Command<'_>) -> Vec<String> {
    match command {
        Command::Exec(exec) => exec.value.iter().map(|word| word.value.to_string()).collect(),
        Command::Shell(script) => vec!["/bin/sh".to_owned(), "-c".to_owned(), script.value.to_string()],
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workspace::root;

    #[test]
    fn ours_is_understood() {
        let text = std::fs::read_to_string(root().join("Dockerfile")).unwrap();
        let stages = parse(&text).unwrap();
        let [build, image] = &stages[..] else { panic!("{} stages", stages.len()) };
        assert_eq!(build.name.as_deref(), Some("build"));
        let caches = build.steps.iter().filter_map(|step| match step {
            Step::Run { script, caches, .. } if script.contains("build --release") => Some(caches.clone()),
            _ => None,
        });
        let caches: Vec<_> = caches.flatten().collect();
        assert_eq!(caches, ["/usr/local/cargo/registry", "/flowdeck/target"]);
        // As nobody special, and with what Docker needs to know whether it lives.
        let Image { setting, entrypoint, cmd, healthcheck, ports } = &image.image;
        assert_eq!((setting.user.as_str(), ports.as_slice()), ("10001", ["8077".to_owned()].as_slice()));
        assert_eq!(([entrypoint.as_slice(), cmd].concat()), ["flowdeck", "serve"]);
        assert_eq!(*healthcheck, ["flowdeck", "health"]);
        assert_eq!(setting.variables["FLOWDECK_LISTEN"], "0.0.0.0:8077");
    }

    #[test]
    fn what_is_not_understood_is_an_error() {
        for line in
            ["ADD a b", "RUN --network=none true", "COPY --chown=1 a b", "ENV a b", "ARG a", "USER $X"]
        {
            let parsed = parse(&format!("FROM debian\n{line}\nRUN true"));
            let accepted = parsed.is_ok() && line != "USER $X";
            assert!(!accepted, "{line}");
        }
    }
}
