//! The one registry of environment variables: name, meaning, default. Its documentation is made
//! from it (`docs/CONFIG.md`), and what is not in it does nothing.

use std::collections::BTreeMap;
use std::path::PathBuf;

use flowdeck_model::view::Mode;

use super::cluster::{self, Property};
use super::error::{ConfigError, Place};
use super::flags;
use super::schema::{Config, TlsFiles};
use super::values::{self, Listen};

pub struct Variable {
    pub name: &'static str,
    /// Other spellings of the same setting.
    pub also: &'static [&'static str],
    pub meaning: &'static str,
    pub default: &'static str,
}

const fn variable(
    name: &'static str,
    also: &'static [&'static str],
    meaning: &'static str,
    default: &'static str,
) -> Variable {
    Variable { name, also, meaning, default }
}

/// `Kafka__X` is how .NET writes the key `Kafka:X` in an environment.
pub const VARIABLES: &[Variable] = &[
    variable("FLOWDECK_CONFIG", &[], "The configuration file.", "`flowdeck.toml`, if it is there"),
    variable("FLOWDECK_LISTEN", &[], "IP:PORT to listen on.", "`127.0.0.1:8077`"),
    variable(
        "FLOWDECK_INSECURE_LISTEN",
        &[],
        "`true` lets the server listen beyond loopback although there is no sign-in.",
        "`false`",
    ),
    variable("FLOWDECK_BASE", &[], "Path under which the pages lie; may be empty.", "`/kafkaflow`"),
    variable("FLOWDECK_PUBLIC_URL", &[], "Scheme and host under which browsers reach the server.", "none"),
    variable("FLOWDECK_ALLOWED_HOSTS", &[], "More host names that browsers may use, by commas.", "none"),
    variable(
        "FLOWDECK_TRUSTED_PROXIES",
        &[],
        "Addresses or networks whose `X-Forwarded-For` is trusted, by commas.",
        "none",
    ),
    variable(
        "FLOWDECK_TLS_CERTIFICATE",
        &[],
        "`tls.certificate`: a PEM file, for TLS by the server itself.",
        "none",
    ),
    variable("FLOWDECK_TLS_KEY", &[], "`tls.key`: the PEM file with its key.", "none"),
    variable("FLOWDECK_LOG", &[], "Log level, or directives such as `info,flowdeck_kafka=debug`.", "`info`"),
    variable("FLOWDECK_LOG_FORMAT", &[], "`text` or `json`.", "`text`"),
    variable(
        "FLOWDECK_SITE",
        &[],
        "Directory with the site that `cargo xtask build` made.",
        "`target/site/debug`",
    ),
    variable(
        "FLOWDECK_ONE_TIME_PASSWORD",
        &[],
        "`true`: sign-in with one user, `admin`, whose password is made and printed at each start; nothing where the file names users.",
        "`false`",
    ),
    variable("FLOWDECK_CLUSTERS", &[], "Clusters as NAME=HOST:PORT, by semicolons.", "none"),
    variable("FLOWDECK_MODE", &[], "`observe` or `control`, for every cluster.", "as configured"),
    variable(
        "FLOWDECK_KAFKA_NAME",
        &[],
        "Name of the cluster that the variables below speak of; it is made where the file has none of that name.",
        "`kafka`",
    ),
    variable(
        "KAFKA_BOOTSTRAP_SERVERS",
        &["Kafka__BootstrapServers", "Kafka:BootstrapServers"],
        "Its brokers, HOST:PORT by commas.",
        "none",
    ),
    variable("KAFKA_SECURITY_PROTOCOL", &[], "Its `security.protocol`.", "librdkafka's: `plaintext`"),
    variable(
        "SaslEnabled",
        &["Kafka__SaslEnabled", "Kafka:SaslEnabled"],
        "`true`: SASL_SSL (unless KAFKA_SECURITY_PROTOCOL says otherwise) with SCRAM-SHA-256.",
        "`false`",
    ),
    variable("SaslUsername", &["Kafka__SaslUsername", "Kafka:SaslUsername"], "Its `sasl.username`.", "none"),
    variable("SaslPassword", &["Kafka__SaslPassword", "Kafka:SaslPassword"], "Its `sasl.password`.", "none"),
    variable(
        "TopicPrefix",
        &["Kafka__TopicPrefix", "Kafka:TopicPrefix", "KAFKA_TOPIC_PREFIX"],
        "Read and left alone: a service's own topics. Flowdeck shows all topics; search for the prefix.",
        "none",
    ),
    variable(
        "KAFKA_CONSUMER_GROUP",
        &[],
        "Read and left alone: a service's own group. Flowdeck joins no group and shows all.",
        "none",
    ),
];

/// The variables that a process was started with. Values may be secrets: never printed.
#[derive(Clone, Default)]
pub struct Environment(BTreeMap<String, String>);

impl std::fmt::Debug for Environment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

impl<K: Into<String>, V: Into<String>> FromIterator<(K, V)> for Environment {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(pairs: I) -> Self {
        Self(pairs.into_iter().map(|(name, value)| (name.into(), value.into())).collect())
    }
}

impl Environment {
    /// Variables that are not UTF-8 are left out: none of ours can be.
    pub fn of_process() -> Self {
        std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect()
    }

    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// Present, even if empty: `FLOWDECK_BASE=` means the empty base.
    fn get_or_empty(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// The value under the registered name or another spelling, with the spelling that was used.
    fn find(&self, name: &'static str) -> Option<(&'static str, &str)> {
        let known = VARIABLES.iter().find(|variable| variable.name == name)?;
        std::iter::once(&known.name).chain(known.also).find_map(|name| Some((*name, self.get(name)?)))
    }
}

pub(super) fn apply(config: &mut Config, environment: &Environment) -> Result<(), ConfigError> {
    let place = |name: &str| Place::Variable(name.to_owned());
    if let Some(text) = environment.get("FLOWDECK_LISTEN") {
        config.listen = values::parse::<Listen>(place("FLOWDECK_LISTEN"), text)?.0;
    }
    if let Some(text) = environment.get("FLOWDECK_INSECURE_LISTEN") {
        config.insecure_listen = values::truth(place("FLOWDECK_INSECURE_LISTEN"), text)?;
    }
    if let Some(text) = environment.get_or_empty("FLOWDECK_BASE") {
        config.base = values::parse(place("FLOWDECK_BASE"), text)?;
    }
    if let Some(text) = environment.get("FLOWDECK_PUBLIC_URL") {
        config.public_url = Some(values::parse(place("FLOWDECK_PUBLIC_URL"), text)?);
    }
    if let Some(text) = environment.get("FLOWDECK_ALLOWED_HOSTS") {
        config.allowed_hosts = list(place("FLOWDECK_ALLOWED_HOSTS"), text)?;
    }
    if let Some(text) = environment.get("FLOWDECK_TRUSTED_PROXIES") {
        config.trusted_proxies = list(place("FLOWDECK_TRUSTED_PROXIES"), text)?;
    }
    tls(config, environment)?;
    if let Some(text) = environment.get("FLOWDECK_LOG") {
        config.log_level = values::parse(place("FLOWDECK_LOG"), text)?;
    }
    if let Some(text) = environment.get("FLOWDECK_LOG_FORMAT") {
        config.log_format = values::parse(place("FLOWDECK_LOG_FORMAT"), text)?;
    }
    if let Some(text) = environment.get("FLOWDECK_SITE") {
        config.site = Some(text.into());
    }
    if let Some(text) = environment.get("FLOWDECK_ONE_TIME_PASSWORD")
        && values::truth(place("FLOWDECK_ONE_TIME_PASSWORD"), text)?
        && !config.auth.ask_one_time_password()
    {
        config.notes.push("FLOWDECK_ONE_TIME_PASSWORD does nothing: the file names users".to_owned());
    }
    for given in environment.get("FLOWDECK_CLUSTERS").into_iter().flat_map(|text| text.split(';')) {
        if !given.trim().is_empty() {
            flags::set_bootstrap(config, place("FLOWDECK_CLUSTERS"), given.trim())?;
        }
    }
    services(config, environment)?;
    if let Some(text) = environment.get("FLOWDECK_MODE") {
        let mode = match text {
            "observe" => Mode::Observe,
            "control" => Mode::Control,
            _ => return Err(ConfigError::new(place("FLOWDECK_MODE"), "neither observe nor control")),
        };
        config.clusters.iter_mut().for_each(|cluster| cluster.mode = mode);
    }
    config.notes.extend(unknown_names(environment));
    Ok(())
}

fn tls(config: &mut Config, environment: &Environment) -> Result<(), ConfigError> {
    const NAMES: [&str; 2] = ["FLOWDECK_TLS_CERTIFICATE", "FLOWDECK_TLS_KEY"];
    let [certificate, key] = NAMES.map(|name| environment.get(name).map(PathBuf::from));
    let alone = |given: &str, missing: &str| {
        let problem = format!("a certificate and its key belong together: set {missing}, too");
        ConfigError::new(Place::Variable(given.to_owned()), problem)
    };
    config.tls = match (config.tls.take(), certificate, key) {
        (before, None, None) => before,
        (Some(before), certificate, key) => Some(TlsFiles {
            certificate: certificate.unwrap_or(before.certificate),
            key: key.unwrap_or(before.key),
        }),
        (None, Some(certificate), Some(key)) => Some(TlsFiles { certificate, key }),
        (None, Some(_), None) => return Err(alone(NAMES[0], NAMES[1])),
        (None, None, Some(_)) => return Err(alone(NAMES[1], NAMES[0])),
    };
    Ok(())
}

/// The variables of the services whose consumers Flowdeck serves: all speak of one cluster.
fn services(config: &mut Config, environment: &Environment) -> Result<(), ConfigError> {
    let place = |name: &str| Place::Variable(name.to_owned());
    let name = environment.get("FLOWDECK_KAFKA_NAME").unwrap_or("kafka");
    let name: flowdeck_model::ClusterName =
        name.parse().map_err(|error| ConfigError::new(place("FLOWDECK_KAFKA_NAME"), format!("{error}")))?;
    if let Some((spelling, servers)) = environment.find("KAFKA_BOOTSTRAP_SERVERS") {
        cluster::bootstrap_servers(servers).map_err(|problem| ConfigError::new(place(spelling), problem))?;
        config.cluster_mut(name.clone()).bootstrap = servers.to_owned();
    }
    // Without brokers from anywhere the rest speaks of no cluster of ours.
    if !config.clusters.iter().any(|cluster| cluster.name == name) {
        return Ok(());
    }
    let sasl = match environment.find("SaslEnabled") {
        Some((spelling, text)) => values::truth(place(spelling), text)?.then_some(spelling),
        None => None,
    };
    let cluster = config.cluster_mut(name);
    if let Some(spelling) = sasl {
        cluster.set("security.protocol", Property::new("SASL_SSL"), place(spelling));
        cluster.set("sasl.mechanism", Property::new("SCRAM-SHA-256"), place(spelling));
    }
    for (variable, property) in [
        ("KAFKA_SECURITY_PROTOCOL", "security.protocol"),
        ("SaslUsername", "sasl.username"),
        ("SaslPassword", "sasl.password"),
    ] {
        if let Some((spelling, value)) = environment.find(variable) {
            cluster.set(property, Property::new(value), place(spelling));
        }
    }
    Ok(())
}

fn list<T: std::str::FromStr<Err = String>>(place: Place, text: &str) -> Result<Vec<T>, ConfigError> {
    text.split(',')
        .filter(|part| !part.trim().is_empty())
        .map(|part| values::parse(place.clone(), part))
        .collect()
}

/// Names that look like ours and are not. Said, not refused: Kubernetes puts `FLOWDECK_PORT` and
/// the like into every pod beside a service of that name, and the build has variables of its own.
fn unknown_names(environment: &Environment) -> Vec<String> {
    let known = |name: &str| VARIABLES.iter().any(|variable| variable.name == name);
    let names = environment.0.keys().filter(|name| name.starts_with("FLOWDECK_") && !known(name));
    names.map(|name| format!("environment variable {name} is none of Flowdeck's settings")).collect()
}

/// The table of `docs/CONFIG.md`.
pub fn documentation() -> String {
    let mut out = String::from("| variable | meaning | default |\n|---|---|---|\n");
    for variable in VARIABLES {
        let names: Vec<String> =
            std::iter::once(&variable.name).chain(variable.also).map(|name| format!("`{name}`")).collect();
        out.push_str(&format!("| {} | {} | {} |\n", names.join(", "), variable.meaning, variable.default));
    }
    out
}
