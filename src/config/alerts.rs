//! `[[alerts]]`: who is told what Flowdeck says of groups.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::time::Duration;

use flowdeck_alerts::{Channel, Format, Login, Mail, Receiver, Selection, Target, Tls};
use flowdeck_http::Trust;
use flowdeck_model::{ClusterName, Level, Pattern, Verdict};
use serde::Deserialize;
use serde::de::Error as _;
use toml::Spanned;

use super::error::ConfigError;
use super::file::{Value, certificates, secret};
use super::rebalancing::Span;

/// As long as two refreshes of a cluster that nobody looks at, and what a deployment hides.
const AFTER: Duration = Duration::from_secs(60);
/// As Alertmanager's `repeat_interval`.
const REPEAT: Duration = Duration::from_secs(4 * 3_600);
const NAME_MAX: usize = 64;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AlertTable {
    name: Spanned<String>,
    url: Spanned<Value>,
    #[serde(default)]
    format: Form,
    bearer: Option<Spanned<Value>>,
    from: Option<Spanned<String>>,
    #[serde(default)]
    to: Vec<String>,
    username: Option<String>,
    password: Option<Spanned<Value>>,
    starttls: Option<bool>,
    ca: Option<Spanned<PathBuf>>,
    /// Critical, unless verdicts are named.
    level: Option<Least>,
    #[serde(default)]
    verdicts: Vec<Spanned<Named>>,
    #[serde(default)]
    groups: Vec<Pattern>,
    #[serde(default)]
    clusters: Vec<ClusterName>,
    after: Option<Span>,
    repeat: Option<Span>,
    resolved: Option<bool>,
}

#[derive(Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Form {
    #[default]
    Alertmanager,
    Slack,
    Email,
}

/// What is less urgent is for eyes alone.
#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Least {
    Warning,
    Critical,
}

struct Named(Verdict);

impl<'de> Deserialize<'de> for Named {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let key = String::deserialize(deserializer)?;
        Verdict::parse(&key).map(Self).ok_or_else(|| D::Error::custom(format!("{key:?} is no verdict")))
    }
}

/// The most urgent that a verdict can be.
fn most(verdict: Verdict) -> Level {
    match verdict {
        Verdict::LockedUp | Verdict::RebalanceStuck => Level::Critical,
        Verdict::Paused | Verdict::Unknown => Level::Warning,
        other => other.level(),
    }
}

pub(super) fn receivers(
    tables: Vec<AlertTable>,
    at: &impl Fn(usize, String) -> ConfigError,
) -> Result<Vec<Receiver>, ConfigError> {
    let mut all: Vec<Receiver> = vec![];
    for table in tables {
        let start = table.name.span().start;
        let made = receiver(table, at)?;
        if all.iter().any(|one| one.name == made.name) {
            return Err(at(start, format!("two receivers are named {:?}", made.name)));
        }
        all.push(made);
    }
    Ok(all)
}

fn receiver(table: AlertTable, at: &impl Fn(usize, String) -> ConfigError) -> Result<Receiver, ConfigError> {
    let (start, name) = (table.name.span().start, table.name.get_ref().clone());
    if name.is_empty() || name.len() > NAME_MAX || name.chars().any(char::is_control) {
        return Err(at(start, format!("`name` has 1 to {NAME_MAX} bytes and no control characters")));
    }
    let channel = channel(&table, at)?;
    let level = match table.level {
        None if table.verdicts.is_empty() => Level::Critical,
        None | Some(Least::Warning) => Level::Warning,
        Some(Least::Critical) => Level::Critical,
    };
    if let Some(never) = table.verdicts.iter().find(|one| most(one.get_ref().0) < level) {
        let (verdict, start) = (never.get_ref().0.key(), never.span().start);
        return Err(at(start, format!("{verdict:?} is never as urgent as `level`: it would not be told")));
    }
    Ok(Receiver {
        name,
        channel,
        selection: Selection {
            level,
            verdicts: table.verdicts.into_iter().map(|one| one.into_inner().0).collect(),
            groups: table.groups,
            clusters: table.clusters,
        },
        after: table.after.map_or(AFTER, |span| span.0),
        repeat: table.repeat.map_or(REPEAT, |span| span.0),
        resolved: table.resolved.unwrap_or(true),
    })
}

fn channel(table: &AlertTable, at: &impl Fn(usize, String) -> ConfigError) -> Result<Channel, ConfigError> {
    let trust = match table.ca.clone() {
        Some(ca) => certificates(ca, at, Trust::only)?,
        None => Trust::System,
    };
    let format = match table.format {
        Form::Email => return mail(table, &trust, at),
        Form::Alertmanager => Format::Alertmanager,
        Form::Slack => Format::Slack,
    };
    let is_mail = table.from.is_some()
        || !table.to.is_empty()
        || table.username.is_some()
        || table.password.is_some()
        || table.starttls.is_some();
    if is_mail {
        let start = table.name.span().start;
        let problem = "`from`, `to`, `username`, `password` and `starttls` are for format = \"email\"";
        return Err(at(start, problem.to_owned()));
    }
    let (url, start) = secret(table.url.clone(), at)?;
    let mut target = Target::new(&url).map_err(|error| at(start, error.to_string()))?.with_trust(trust);
    if let Some(bearer) = table.bearer.clone() {
        let (token, start) = secret(bearer, at)?;
        target = target.with_bearer(token).map_err(|error| at(start, error.to_string()))?;
    }
    Ok(Channel::Http { target, format })
}

fn mail(
    table: &AlertTable,
    trust: &Trust,
    at: &impl Fn(usize, String) -> ConfigError,
) -> Result<Channel, ConfigError> {
    if let Some(bearer) = &table.bearer {
        return Err(at(bearer.span().start, "an SMTP server takes `username` and `password`".to_owned()));
    }
    let start = table.name.span().start;
    let Some(from) = &table.from else {
        return Err(at(start, "`from` is missing: the address that e-mail comes from".to_owned()));
    };
    let login = match (table.username.clone(), table.password.clone()) {
        (None, None) => None,
        (Some(user), Some(password)) => Some(Login { user, password: secret(password, at)?.0 }),
        _ => return Err(at(start, "`username` and `password` belong together".to_owned())),
    };
    let tls = if table.starttls == Some(false) { Tls::None } else { Tls::Required };
    let (url, start) = secret(table.url.clone(), at)?;
    Mail::new(&url, from.get_ref(), &table.to, login, tls, trust)
        .map(Channel::Mail)
        .map_err(|error| at(start, error.to_string()))
}

/// As they are written in the file, for `--check`; of an address its host alone.
pub(super) fn in_force(all: &[Receiver]) -> String {
    let mut out = String::new();
    for one in all {
        let time = humantime::format_duration;
        let selection = &one.selection;
        let level = if selection.level == Level::Warning { "warning" } else { "critical" };
        let list = |names: Vec<&str>| format!("{names:?}");
        let verdicts = list(selection.verdicts.iter().map(|verdict| verdict.key()).collect());
        let groups = list(selection.groups.iter().map(Pattern::as_str).collect());
        let clusters = list(selection.clusters.iter().map(ClusterName::as_str).collect());
        let _ = writeln!(
            out,
            "\n[[alerts]]\nname = {:?}\n# at {}, the rest of its address is hidden\n{}level = {level:?}\n\
             verdicts = {verdicts}\ngroups = {groups}\nclusters = {clusters}\nafter = \"{}\"\nrepeat = \"{}\"\nresolved = {}",
            one.name,
            one.channel.origin(),
            form(&one.channel),
            time(one.after),
            time(one.repeat),
            one.resolved
        );
    }
    out
}

fn form(channel: &Channel) -> String {
    match channel {
        Channel::Http { format: Format::Alertmanager, .. } => "format = \"alertmanager\"\n".to_owned(),
        Channel::Http { format: Format::Slack, .. } => "format = \"slack\"\n".to_owned(),
        Channel::Mail(mail) => {
            let (from, to) = mail.people();
            format!("format = \"email\"\nfrom = {from:?}\nto = {to:?}\n")
        }
    }
}
