//! One cluster of the configuration: how it is reached, what may be done to it, how it is shown.

use std::collections::BTreeMap;
use std::fmt;
use std::num::NonZeroU32;
use std::str::FromStr;
use std::time::Duration;

use flowdeck_model::view::Mode;
use flowdeck_model::view::cluster::Colour;
use flowdeck_model::{ClusterName, Partition, Pattern, TopicName};
use flowdeck_observe::time_zones::RewindTimeZones;
use flowdeck_observe::{HoldDefault, MaskRule, SearchLimits, TopicSettings};
use flowdeck_payload::Choices;
use flowdeck_registry::RegistrySettings;

use super::error::Place;

/// The value of a librdkafka property. It may be a password or a key: it is never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Property(String);

impl Property {
    pub fn new(value: impl Into<String>) -> Self {
        Self(value.into())
    }

    /// For the Kafka client alone.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Property {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("…")
    }
}

/// Properties that are shown as they are; the value of every other one is hidden.
pub(crate) const SHOWN: &[&str] = &[
    "security.protocol",
    "sasl.mechanism",
    "sasl.mechanisms",
    "sasl.username",
    "ssl.ca.location",
    "ssl.certificate.location",
    "ssl.endpoint.identification.algorithm",
    "client.rack",
    "broker.address.family",
    "socket.timeout.ms",
    "debug",
];

/// KafkaFlow's two streams: commands go to one, telemetry comes from the other. Each is one
/// partition; most installs use the same for both.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AdminTopics {
    pub commands: AdminStream,
    pub telemetry: AdminStream,
}

/// `TOPIC` or `TOPIC:PARTITION`; partition 0 where none is said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AdminStream {
    pub topic: TopicName,
    pub partition: Partition,
}

impl FromStr for AdminStream {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let (topic, partition) = text.split_once(':').unwrap_or((text, "0"));
        let topic = topic.parse().map_err(|error: flowdeck_model::names::NameError| error.to_string())?;
        let partition =
            partition.parse().map_err(|error: flowdeck_model::names::PartitionError| error.to_string())?;
        Ok(Self { topic, partition })
    }
}

impl fmt::Display for AdminStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.topic, self.partition)
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClusterConfig {
    pub name: ClusterName,
    pub label: Option<String>,
    pub colour: Colour,
    pub mode: Mode,
    /// `host:port`, several separated by commas.
    pub bootstrap: String,
    pub properties: BTreeMap<String, Property>,
    /// Where each property was set.
    places: BTreeMap<String, Place>,
    /// Empty: KafkaFlow's usual pair.
    pub admin_topics: Vec<AdminTopics>,
    /// In which the hosts of KafkaFlow consumers read the time of a rewind.
    pub rewind_time_zones: RewindTimeZones,
    /// How a pause of a whole group or consumer is kept with KafkaFlow.
    pub hold_by: HoldDefault,
    /// Lag up to which a group is ok, in records; the admin service's default where absent.
    pub allowed_lag: Option<u64>,
    /// How often the cluster is read; the admin service's default where absent.
    pub refresh: Option<Duration>,
    /// For commits and descriptions of groups; the admin service's default where absent.
    pub requests_per_second: Option<NonZeroU32>,
    /// Groups that read up to the last stable offset.
    pub read_committed: Vec<Pattern>,
    /// No commit of a group moves for so long before its offsets are set; the default where absent.
    pub offsets_quiet: Option<Duration>,
    /// Groups whose name is typed before their offsets are changed.
    pub protected: Vec<Pattern>,
    /// How records are decoded that a reader looks at.
    pub decoders: Choices,
    pub schema_registry: Option<RegistrySettings>,
    pub topics: Vec<TopicSettings>,
    /// Whether records are shown at all.
    pub payloads: bool,
    pub mask_secrets: bool,
    pub masks: Vec<MaskRule>,
    pub search: SearchLimits,
    /// Topics of dead letters, beside those that are known by their names.
    pub dead_letters: Vec<Pattern>,
}

impl ClusterConfig {
    pub fn new(name: ClusterName) -> Self {
        Self {
            name,
            label: None,
            colour: Colour::default(),
            mode: Mode::Observe,
            bootstrap: String::new(),
            properties: BTreeMap::new(),
            places: BTreeMap::new(),
            admin_topics: vec![],
            rewind_time_zones: RewindTimeZones::default(),
            hold_by: HoldDefault::default(),
            allowed_lag: None,
            refresh: None,
            requests_per_second: None,
            read_committed: Vec::new(),
            offsets_quiet: None,
            protected: vec![],
            decoders: Choices::default(),
            schema_registry: None,
            topics: vec![],
            payloads: true,
            mask_secrets: true,
            masks: vec![],
            search: SearchLimits::default(),
            dead_letters: vec![],
        }
    }

    pub(super) fn set(&mut self, property: &str, value: Property, place: Place) {
        self.properties.insert(property.to_owned(), value);
        self.places.insert(property.to_owned(), place);
    }

    /// Where the property was set, for a message about it.
    pub(crate) fn place_of(&self, property: &str) -> Place {
        self.places.get(property).cloned().unwrap_or_else(|| Place::Cluster(self.name.clone()))
    }
}

/// Refuses what cannot be a list of brokers before librdkafka quietly retries it for ever.
pub(super) fn bootstrap_servers(text: &str) -> Result<(), String> {
    let server = |server: &str| {
        let Some((host, port)) = server.trim().rsplit_once(':') else { return false };
        let host = host.rsplit("://").next().unwrap_or(host);
        !host.is_empty()
            && !host.contains(char::is_whitespace)
            && port.parse::<u16>().is_ok_and(|port| port > 0)
    };
    if !text.is_empty() && text.split(',').all(server) {
        return Ok(());
    }
    Err(format!("{text:?} is no list of brokers: write HOST:PORT, several separated by commas"))
}
