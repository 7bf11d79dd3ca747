//! `flowdeck.toml`: its keys, and errors that name file, line and column.

use std::collections::BTreeMap;
use std::fmt;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::time::Duration;

use flowdeck_model::view::Mode;
use flowdeck_model::view::cluster::Colour;
use flowdeck_model::{ClusterName, Pattern};
use flowdeck_observe::HoldDefault;
use flowdeck_observe::time_zones::{NoSuchZone, RewindTimeZones, Zone};
use serde::Deserialize;
use serde::de::{Error as _, MapAccess, SeqAccess, Visitor};
use toml::Spanned;

use crate::auth::AuthTable;

use super::alerts::{self, AlertTable};
use super::cluster::{self, AdminStream, AdminTopics, ClusterConfig, Property};
use super::env::Environment;
use super::error::{ConfigError, Place};
use super::labels::Labels;
use super::limits::Limits;
use super::metrics::Metrics;
use super::payloads::{self, MaskTable, SchemaTable, SearchTable, TopicTable};
use super::rebalancing::Rebalancing;
use super::registry::{self, RegistryTable};
use super::schema::{Config, TlsFiles};
use super::values::{Base, Cidr, HostName, Listen, LogFormat, LogLevel, PublicUrl};
use super::verdicts::Verdicts;

/// The file in the working directory that is read where none is named.
const USUAL: &str = "flowdeck.toml";

/// A file that was named must be there; the usual one may be absent.
pub(super) fn find(flag: Option<&Path>, environment: &Environment) -> Result<Option<PathBuf>, ConfigError> {
    let named = match flag {
        Some(path) => Some((path.to_owned(), Place::Flag("--config"))),
        None => environment
            .get("FLOWDECK_CONFIG")
            .map(|path| (PathBuf::from(path), Place::Variable("FLOWDECK_CONFIG".to_owned()))),
    };
    match named {
        Some((path, _)) if path.is_file() => Ok(Some(path)),
        Some((path, place)) => Err(ConfigError::new(place, format!("there is no file {}", path.display()))),
        None => Ok(Some(PathBuf::from(USUAL)).filter(|path| path.is_file())),
    }
}

pub(super) fn read(path: &Path) -> Result<Config, ConfigError> {
    let text = std::fs::read_to_string(path).map_err(|error| {
        ConfigError::new(Place::Path(path.to_owned()), format!("it could not be read: {error}"))
    })?;
    parse(path, &text)
}

/// `path` is for messages only.
pub(super) fn parse(path: &Path, text: &str) -> Result<Config, ConfigError> {
    let file: File = toml::from_str(text).map_err(|error| {
        let place = place(path, text, error.span().map_or(0, |span| span.start));
        ConfigError::new(place, error.message().to_owned())
    })?;
    file.into_config(path, text)
}

/// Line and column of a byte.
fn place(path: &Path, text: &str, at: usize) -> Place {
    let before = text.get(..at).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    Place::File { path: path.to_owned(), line, column }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    listen: Option<Listen>,
    insecure_listen: Option<bool>,
    base: Option<Base>,
    public_url: Option<PublicUrl>,
    #[serde(default)]
    allowed_hosts: Vec<HostName>,
    #[serde(default)]
    trusted_proxies: Vec<Cidr>,
    tls: Option<TlsFiles>,
    #[serde(default)]
    log: LogTable,
    #[serde(default)]
    auth: AuthTable,
    #[serde(default)]
    limits: LimitsTable,
    #[serde(default)]
    rebalancing: Rebalancing,
    #[serde(default)]
    verdicts: Verdicts,
    #[serde(default)]
    metrics: Metrics,
    #[serde(default)]
    labels: Vec<Labels>,
    #[serde(default)]
    alerts: Vec<AlertTable>,
    #[serde(default)]
    clusters: Clusters,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct LogTable {
    level: Option<LogLevel>,
    format: Option<LogFormat>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct LimitsTable {
    streams: Option<Spanned<usize>>,
    streams_per_session: Option<Spanned<usize>>,
    streams_per_client: Option<Spanned<usize>>,
    connections: Option<Spanned<usize>>,
    requests: Option<Spanned<usize>>,
    body: Option<Spanned<usize>>,
    request_seconds: Option<Spanned<u64>>,
    head_seconds: Option<Spanned<u64>>,
    stall_seconds: Option<Spanned<u64>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ClusterTable {
    /// In `[[clusters]]` only.
    name: Option<Spanned<Name>>,
    label: Option<String>,
    colour: Option<Colour>,
    mode: Option<Mode>,
    bootstrap: Option<Spanned<String>>,
    #[serde(default)]
    properties: BTreeMap<String, Spanned<Value>>,
    #[serde(default)]
    admin_topics: Vec<Pair>,
    #[serde(default)]
    rewind_time_zones: Vec<ZoneTable>,
    #[serde(default)]
    hold_by: HoldDefault,
    allowed_lag: Option<u64>,
    refresh: Option<Refresh>,
    requests_per_second: Option<NonZeroU32>,
    #[serde(default)]
    read_committed: Vec<Pattern>,
    offsets_quiet: Option<Refresh>,
    protected: Option<Protected>,
    #[serde(default)]
    schemas: BTreeMap<String, Spanned<SchemaTable>>,
    #[serde(default)]
    topics: Vec<TopicTable>,
    schema_registry: Option<RegistryTable>,
    payloads: Option<bool>,
    mask_secrets: Option<bool>,
    #[serde(default)]
    masks: Vec<MaskTable>,
    search: Option<SearchTable>,
    #[serde(default)]
    dead_letters: Vec<Pattern>,
}

/// Of the consumers whose name matches.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ZoneTable {
    consumer: Pattern,
    zone: ZoneName,
}

#[derive(Deserialize)]
#[serde(try_from = "String")]
struct ZoneName(Zone);

impl TryFrom<String> for ZoneName {
    type Error = NoSuchZone;
    fn try_from(name: String) -> Result<Self, NoSuchZone> {
        name.parse().map(Self)
    }
}

/// `"TOPIC:PARTITION"` for both streams, or a table that names each.
struct Pair(AdminTopics);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PairTable {
    commands: AdminStream,
    telemetry: AdminStream,
}

impl<'de> Deserialize<'de> for Pair {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Words;
        impl<'de> Visitor<'de> for Words {
            type Value = Pair;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("\"TOPIC:PARTITION\", or { commands = \"…\", telemetry = \"…\" }")
            }
            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Pair, E> {
                let one: AdminStream = text.parse().map_err(E::custom)?;
                Ok(Pair(AdminTopics { commands: one.clone(), telemetry: one }))
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Pair, A::Error> {
                let table = PairTable::deserialize(serde::de::value::MapAccessDeserializer::new(map))?;
                Ok(Pair(AdminTopics { commands: table.commands, telemetry: table.telemetry }))
            }
        }
        deserializer.deserialize_any(Words)
    }
}

impl<'de> Deserialize<'de> for AdminStream {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

struct Name(ClusterName);

impl<'de> Deserialize<'de> for Name {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        ClusterName::try_from(String::deserialize(deserializer)?).map(Self).map_err(D::Error::custom)
    }
}

/// The whole cluster, or groups whose name matches.
#[derive(Deserialize)]
#[serde(untagged)]
enum Protected {
    All(bool),
    Groups(Vec<Pattern>),
}

impl Protected {
    fn patterns(self) -> Vec<Pattern> {
        match self {
            Self::All(true) => vec![Pattern::any()],
            Self::All(false) => vec![],
            Self::Groups(groups) => groups,
        }
    }
}

/// `"5s"`, from one second to one hour.
struct Refresh(Duration);

impl<'de> Deserialize<'de> for Refresh {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        match humantime::parse_duration(&text) {
            Ok(time) if (Duration::from_secs(1)..=Duration::from_secs(3600)).contains(&time) => {
                Ok(Self(time))
            }
            _ => Err(D::Error::custom(format!("{text:?} is no time from 1s to 1h, such as \"5s\""))),
        }
    }
}

/// A property's value: as it is, or from an environment variable or a file, so that the configuration
/// need not hold a secret.
#[derive(Clone)]
pub(super) enum Value {
    Plain(String),
    Env(String),
    File(PathBuf),
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Words;
        impl<'de> Visitor<'de> for Words {
            type Value = Value;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string, a number, true or false, { env = \"NAME\" } or { file = \"PATH\" }")
            }
            fn visit_str<E>(self, text: &str) -> Result<Value, E> {
                Ok(Value::Plain(text.to_owned()))
            }
            fn visit_i64<E>(self, number: i64) -> Result<Value, E> {
                Ok(Value::Plain(number.to_string()))
            }
            fn visit_u64<E>(self, number: u64) -> Result<Value, E> {
                Ok(Value::Plain(number.to_string()))
            }
            fn visit_bool<E>(self, truth: bool) -> Result<Value, E> {
                Ok(Value::Plain(truth.to_string()))
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
                let value = match map.next_entry::<String, String>()? {
                    Some((key, name)) if key == "env" => Value::Env(name),
                    Some((key, path)) if key == "file" => Value::File(path.into()),
                    _ => return Err(A::Error::custom("write { env = \"NAME\" } or { file = \"PATH\" }")),
                };
                match map.next_key::<String>()? {
                    None => Ok(value),
                    Some(_) => Err(A::Error::custom("one of env and file")),
                }
            }
        }
        deserializer.deserialize_any(Words)
    }
}

/// A secret, and where it is.
pub(super) fn secret(
    value: Spanned<Value>,
    at: &impl Fn(usize, String) -> ConfigError,
) -> Result<(String, usize), ConfigError> {
    let start = value.span().start;
    let value = value.into_inner().resolve().map_err(|problem| at(start, problem))?;
    Ok((value.expose().to_owned(), start))
}

/// What a file of certificates makes.
pub(super) fn certificates<T, E: fmt::Display>(
    file: Spanned<PathBuf>,
    at: &impl Fn(usize, String) -> ConfigError,
    make: impl FnOnce(&[u8]) -> Result<T, E>,
) -> Result<T, ConfigError> {
    let (start, path) = (file.span().start, file.into_inner());
    let told = |problem: String| at(start, format!("{} {problem}", path.display()));
    let pem = std::fs::read(&path).map_err(|error| told(format!("could not be read: {error}")))?;
    make(&pem).map_err(|error| told(format!("cannot be used: {error}")))
}

impl Value {
    pub(super) fn resolve(self) -> Result<Property, String> {
        match self {
            Self::Plain(text) => Ok(Property::new(text)),
            Self::Env(name) => std::env::var(&name)
                .map(Property::new)
                .map_err(|_| format!("the environment variable {name} is not set")),
            Self::File(path) => std::fs::read_to_string(&path)
                .map(|text| Property::new(text.trim_end_matches(['\r', '\n'])))
                .map_err(|error| format!("{} could not be read: {error}", path.display())),
        }
    }
}

/// `[[clusters]]`, each with its name, or `[clusters.NAME]`.
#[derive(Default)]
struct Clusters(Vec<(Option<Name>, Spanned<ClusterTable>)>);

impl<'de> Deserialize<'de> for Clusters {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Words;
        impl<'de> Visitor<'de> for Words {
            type Value = Clusters;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("[[clusters]] with a name each, or [clusters.NAME]")
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Clusters, A::Error> {
                let mut all = vec![];
                while let Some(table) = seq.next_element()? {
                    all.push((None, table));
                }
                Ok(Clusters(all))
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Clusters, A::Error> {
                let mut all: Vec<(Option<Name>, Spanned<ClusterTable>)> = vec![];
                while let Some((name, table)) = map.next_entry::<Name, Spanned<ClusterTable>>()? {
                    all.push((Some(name), table));
                }
                // In the order of the file: the first cluster is the default one.
                all.sort_by_key(|(_, table)| table.span().start);
                Ok(Clusters(all))
            }
        }
        deserializer.deserialize_any(Words)
    }
}

impl File {
    fn into_config(self, path: &Path, text: &str) -> Result<Config, ConfigError> {
        let at = |byte: usize, problem: String| ConfigError::new(place(path, text, byte), problem);
        let defaults = Config::default();
        let mut clusters = vec![];
        for (key, table) in self.clusters.0 {
            let start = table.span().start;
            clusters.push(into_cluster(key, table.into_inner(), start, &at)?);
        }
        Ok(Config {
            listen: self.listen.map_or(defaults.listen, |listen| listen.0),
            insecure_listen: self.insecure_listen.unwrap_or(false),
            base: self.base.unwrap_or_default(),
            public_url: self.public_url,
            allowed_hosts: self.allowed_hosts,
            trusted_proxies: self.trusted_proxies,
            tls: self.tls,
            log_level: self.log.level.unwrap_or_default(),
            log_format: self.log.format.unwrap_or_default(),
            limits: self.limits.into_limits(&at)?,
            rebalancing: self.rebalancing,
            verdicts: self.verdicts,
            metrics: self.metrics,
            labels: self.labels,
            alerts: alerts::receivers(self.alerts, &at)?,
            auth: self
                .auth
                .check()
                .map_err(|error| ConfigError::new(Place::Path(path.to_owned()), error.to_string()))?,
            clusters,
            ..defaults
        })
    }
}

impl LimitsTable {
    fn into_limits(self, at: &impl Fn(usize, String) -> ConfigError) -> Result<Limits, ConfigError> {
        let usual = Limits::default();
        let or = |given: Option<Spanned<usize>>, usual: usize, most: usize| match given {
            None => Ok(usual),
            Some(given) if (1..=most).contains(given.get_ref()) => Ok(given.into_inner()),
            Some(given) => Err(at(given.span().start, format!("a whole number from 1 to {most}"))),
        };
        let seconds = |given: Option<Spanned<u64>>, usual: u64| match given {
            None => Ok(usual),
            Some(given) if (1..=600).contains(given.get_ref()) => Ok(given.into_inner()),
            Some(given) => Err(at(given.span().start, "a whole number from 1 to 600".to_owned())),
        };
        Ok(Limits {
            streams: or(self.streams, usual.streams, 100_000)?,
            streams_per_session: or(self.streams_per_session, usual.streams_per_session, 100_000)?,
            streams_per_client: or(self.streams_per_client, usual.streams_per_client, 100_000)?,
            connections: or(self.connections, usual.connections, 1_000_000)?,
            requests: or(self.requests, usual.requests, 100_000)?,
            body: or(self.body, usual.body, 16 * 1024 * 1024)?,
            request_seconds: seconds(self.request_seconds, usual.request_seconds)?,
            head_seconds: seconds(self.head_seconds, usual.head_seconds)?,
            stall_seconds: seconds(self.stall_seconds, usual.stall_seconds)?,
        })
    }
}

fn into_cluster(
    key: Option<Name>,
    table: ClusterTable,
    start: usize,
    at: &impl Fn(usize, String) -> ConfigError,
) -> Result<ClusterConfig, ConfigError> {
    let name = match (key, table.name) {
        (Some(key), None) => key.0,
        (None, Some(name)) => name.into_inner().0,
        (Some(_), Some(name)) => {
            return Err(at(
                name.span().start,
                "unknown field `name`: it is in the table's header".to_owned(),
            ));
        }
        (None, None) => return Err(at(start, "missing field `name` of this cluster".to_owned())),
    };
    let mut made = ClusterConfig::new(name);
    if let Some(bootstrap) = table.bootstrap {
        cluster::bootstrap_servers(bootstrap.get_ref())
            .map_err(|problem| at(bootstrap.span().start, problem))?;
        made.bootstrap = bootstrap.into_inner();
    }
    for (property, value) in table.properties {
        let span = value.span();
        let value = value.into_inner().resolve().map_err(|problem| at(span.start, problem))?;
        if property == "bootstrap.servers" {
            return Err(at(span.start, "write it as `bootstrap` of the cluster".to_owned()));
        }
        made.set(&property, value, at(span.start, String::new()).place);
    }
    made.label = table.label;
    made.colour = table.colour.unwrap_or_default();
    made.mode = table.mode.unwrap_or(Mode::Observe);
    made.admin_topics = table.admin_topics.into_iter().map(|pair| pair.0).collect();
    let zones = table.rewind_time_zones.into_iter().map(|one| (one.consumer, one.zone.0));
    made.rewind_time_zones = RewindTimeZones(zones.collect());
    made.hold_by = table.hold_by;
    made.allowed_lag = table.allowed_lag;
    made.refresh = table.refresh.map(|refresh| refresh.0);
    made.requests_per_second = table.requests_per_second;
    made.read_committed = table.read_committed;
    made.offsets_quiet = table.offsets_quiet.map(|quiet| quiet.0);
    made.protected = table.protected.map(Protected::patterns).unwrap_or_default();
    made.decoders = payloads::decoders(table.schemas, at)?.with_registry(table.schema_registry.is_some());
    made.schema_registry = table.schema_registry.map(|table| registry::registry(table, at)).transpose()?;
    made.topics = payloads::topics(table.topics, &made.decoders, at)?;
    made.payloads = table.payloads.unwrap_or(true);
    made.mask_secrets = table.mask_secrets.unwrap_or(true);
    made.masks = payloads::masks(table.masks, at)?;
    made.search = payloads::search(table.search, at)?;
    made.dead_letters = table.dead_letters;
    Ok(made)
}
