//! How a cluster is reached: bootstrap servers and librdkafka properties, which may hold secrets and
//! are never printed.

use std::collections::BTreeMap;
use std::fmt;

/// How to reach one cluster.
#[derive(Clone, PartialEq, Eq)]
pub struct ClusterConfig {
    /// `host:port`, several separated by commas.
    pub bootstrap: String,
    /// Any librdkafka property, such as `security.protocol` or `sasl.password`.
    pub properties: BTreeMap<String, String>,
    /// How the brokers' logs and quotas know this client.
    pub client_id: String,
}

impl ClusterConfig {
    pub fn new(bootstrap: impl Into<String>) -> Self {
        Self { bootstrap: bootstrap.into(), properties: BTreeMap::new(), client_id: "flowdeck".to_owned() }
    }
}

impl fmt::Debug for ClusterConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClusterConfig")
            .field("bootstrap", &self.bootstrap)
            .field("client_id", &self.client_id)
            // Values may be passwords or keys: names only.
            .field("properties", &self.properties.keys())
            .finish()
    }
}

/// A cluster's configuration cannot work. Values are left out: they may be secrets.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    #[error("no bootstrap servers are given: name at least one host:port")]
    NoBootstrap,
    #[error("`{name}` is no property of this Kafka client")]
    UnknownProperty { name: String },
    #[error("property `{name}` has a value that this Kafka client does not accept")]
    InvalidValue { name: String },
    #[error("property `{name}` is set by Flowdeck itself and cannot be given")]
    Reserved { name: String },
    #[error("the Kafka client could not be made: {words}")]
    Client { words: String },
}

/// Properties with meanings that Flowdeck relies on: never create a topic by asking, never commit,
/// never have librdkafka call back where nobody listens.
const RESERVED: &[&str] = &[
    "allow.auto.create.topics",
    "enable.auto.commit",
    "enable.auto.offset.store",
    "enable.partition.eof",
    "group.id",
    "group.instance.id",
    "isolation.level",
    "log.queue",
    "transactional.id",
    "enable.idempotence",
    "plugin.library.paths",
    "opaque",
];

/// librdkafka's bounds in milliseconds for what it does by itself; a call's own deadline cuts shorter.
const DEFAULTS: &[(&str, &str)] = &[
    ("socket.connection.setup.timeout.ms", "5000"),
    ("socket.timeout.ms", "15000"),
    ("reconnect.backoff.ms", "100"),
    ("reconnect.backoff.max.ms", "3000"),
    ("socket.nagle.disable", "true"),
    ("socket.keepalive.enable", "true"),
    ("topic.metadata.refresh.interval.ms", "60000"),
    // Connections to be made "when needed" are made without any pause by librdkafka 2.12 while a request waits for
    // a broker that refuses: ten thousand attempts a second, on a whole core.
    ("enable.sparse.connections", "false"),
    // An idle connection to each broker that once answered is cheaper than losing the first call.
    ("log.connection.close", "false"),
];

impl ClusterConfig {
    /// The properties of a client of this cluster: defaults, then the operator's, then `own`, which
    /// the kind of client needs.
    pub(crate) fn properties_for(
        &self,
        own: &[(&str, String)],
    ) -> Result<BTreeMap<String, String>, ConfigError> {
        if self.bootstrap.split(',').all(|server| server.trim().is_empty()) {
            return Err(ConfigError::NoBootstrap);
        }
        if let Some(name) = self.properties.keys().find(|name| RESERVED.contains(&name.as_str())) {
            return Err(ConfigError::Reserved { name: name.clone() });
        }
        let mut all = BTreeMap::new();
        for (name, value) in DEFAULTS {
            all.insert((*name).to_owned(), (*value).to_owned());
        }
        all.extend(self.properties.iter().map(|(name, value)| (name.clone(), value.clone())));
        all.insert("bootstrap.servers".to_owned(), self.bootstrap.clone());
        all.insert("client.id".to_owned(), self.client_id.clone());
        all.insert("allow.auto.create.topics".to_owned(), "false".to_owned());
        for (name, value) in own {
            all.insert((*name).to_owned(), value.clone());
        }
        Ok(all)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(name: &str, value: &str) -> ClusterConfig {
        let mut config = ClusterConfig::new("localhost:9092");
        config.properties.insert(name.to_owned(), value.to_owned());
        config
    }

    #[test]
    fn debug_tells_no_value() {
        let text = format!("{:?}", config("sasl.password", "hunter2"));
        assert!(text.contains("sasl.password") && !text.contains("hunter2"), "{text}");
    }

    #[test]
    fn what_flowdeck_relies_on_cannot_be_changed() {
        for name in RESERVED {
            let refused = config(name, "x").properties_for(&[]);
            assert_eq!(refused, Err(ConfigError::Reserved { name: (*name).to_owned() }));
        }
    }

    #[test]
    fn nothing_to_connect_to() {
        for bootstrap in ["", " ", ",", " , "] {
            assert_eq!(ClusterConfig::new(bootstrap).properties_for(&[]), Err(ConfigError::NoBootstrap));
        }
    }

    #[test]
    fn the_operator_wins_over_defaults_and_never_over_auto_creation() {
        let all = config("socket.timeout.ms", "2000")
            .properties_for(&[("fetch.wait.max.ms", "10".into())])
            .unwrap();
        assert_eq!(all["socket.timeout.ms"], "2000");
        assert_eq!(all["allow.auto.create.topics"], "false");
        assert_eq!(all["fetch.wait.max.ms"], "10");
    }
}
