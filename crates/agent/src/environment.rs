//! The Kafka of a service, by the names of environment variables that services use.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use rdkafka::ClientConfig;

use crate::config::Timings;
use crate::failure::OnError;

/// A variable that is not understood, or is missing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SettingsError {
    /// None of these is set.
    #[error("set one of {names}: the brokers, such as localhost:9092")]
    NoBrokers {
        /// By commas.
        names: String,
    },
    /// Two variables say different things of the same setting.
    #[error("{one} and {other} differ: set one of them")]
    Differ {
        /// The one.
        one: String,
        /// The other.
        other: String,
    },
    /// A value that cannot be meant.
    #[error("{name}: {problem}")]
    Value {
        /// The variable.
        name: String,
        /// What it must be. Never the value, which may be a secret.
        problem: &'static str,
    },
}

/// How the brokers are reached.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Security {
    /// Neither encrypted nor authenticated.
    Plaintext,
    /// TLS.
    Ssl,
    /// A name and a password without TLS.
    SaslPlaintext(Sasl),
    /// TLS, and a name and a password.
    SaslSsl(Sasl),
}

/// A name and a password.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Sasl {
    /// `PLAIN`, `SCRAM-SHA-256` or `SCRAM-SHA-512`.
    pub mechanism: String,
    /// Who.
    pub username: String,
    password: String,
}

impl fmt::Debug for Sasl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sasl({}, {}, ***)", self.mechanism, self.username)
    }
}

impl fmt::Debug for Security {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Plaintext => f.write_str("Plaintext"),
            Self::Ssl => f.write_str("Ssl"),
            Self::SaslPlaintext(sasl) => write!(f, "SaslPlaintext({sasl:?})"),
            Self::SaslSsl(sasl) => write!(f, "SaslSsl({sasl:?})"),
        }
    }
}

/// What the environment says of Kafka. Names are compared without case; an empty value is as if it were absent.
///
/// | setting | names |
/// |---|---|
/// | brokers | `KAFKA_BOOTSTRAP_SERVERS`, `Kafka__BootstrapServers`, `ConvexMessaging__BootstrapServers`, `ConnectionStrings__Messaging` |
/// | protocol | `KAFKA_SECURITY_PROTOCOL`, `…__SecurityProtocol`; `Kafka__SaslEnabled=true` is `SASL_SSL` |
/// | name, password, mechanism | `KAFKA_SASL_USERNAME`, `…__SaslUsername` and so on; `SCRAM-SHA-256` with `SaslEnabled`, else `PLAIN` |
/// | authority | `KAFKA_SSL_CA_LOCATION`, `…__SslCaLocation` |
/// | consumer group, prefix of topics | `KAFKA_CONSUMER_GROUP`, `…__ConsumerGroup`; `KAFKA_TOPIC_PREFIX`, `…__TopicPrefix`, `NovaTune__TopicPrefix` |
/// | client | `…__ClientId`, `…__Acks`, `…__EnableIdempotence`, `…__MaxInFlight`, `…__MessageTimeoutMs`, `…__RequestTimeoutMs`, `…__RetryBackoffMs`, `…__SessionTimeoutMs`, `…__AutoOffsetReset` |
/// | retries | `…__MaxRetryAttempts`, `…__RetryDelaySeconds` |
/// | commits | `…__AutoCommitIntervalMs`; `…__EnableAutoCommit` changes nothing: what was handled is committed |
/// | retention of topics that are created | `…__MessageRetentionMs` |
/// | topics | `Kafka__Topics__NAME=topic` |
/// | any other property of librdkafka | `KAFKA_PROPERTY_NAME`, with `_` for `.`: `KAFKA_PROPERTY_LINGER_MS` is `linger.ms` |
///
/// `…` is `Kafka` or `ConvexMessaging`.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct KafkaSettings {
    /// `HOST:PORT`, by commas.
    pub brokers: String,
    /// How they are reached.
    pub security: Security,
    /// The file of the authority that signed the brokers' certificates.
    pub ca: Option<String>,
    /// The consumer group.
    pub group: Option<String>,
    /// What the names of topics begin with.
    pub topic_prefix: Option<String>,
    /// Topics by the name that the service gives them.
    pub topics: BTreeMap<String, String>,
    /// Tries of a message in all. What follows the last one, [`crate::AgentBuilder::then`] says; on a bus it is a dead letter.
    pub max_retry_attempts: Option<u32>,
    /// Between two tries, in seconds.
    pub retry_delay_seconds: Option<u32>,
    /// Between two commits, for [`crate::Timings::commit`].
    pub commit_interval: Option<Duration>,
    /// How long topics keep records that the service creates, for [`crate::TopicSpec::retention`].
    pub retention: Option<Duration>,
    /// Of librdkafka, by their names.
    pub properties: BTreeMap<String, String>,
}

/// Sections of .NET's configuration that name Kafka.
const SECTIONS: [&str; 2] = ["kafka__", "convexmessaging__"];
/// Settings of a section that are librdkafka's.
const PROPERTIES: [(&str, &str); 9] = [
    ("clientid", "client.id"),
    ("acks", "acks"),
    ("enableidempotence", "enable.idempotence"),
    ("maxinflight", "max.in.flight"),
    ("messagetimeoutms", "message.timeout.ms"),
    ("requesttimeoutms", "request.timeout.ms"),
    ("retrybackoffms", "retry.backoff.ms"),
    ("sessiontimeoutms", "session.timeout.ms"),
    ("autooffsetreset", "auto.offset.reset"),
];
const PROPERTY: &str = "kafka_property_";
const TOPICS: &str = "kafka__topics__";

impl KafkaSettings {
    /// Of this process.
    ///
    /// # Errors
    /// Where no brokers are named, two variables differ, or a value cannot be meant.
    pub fn from_env() -> Result<Self, SettingsError> {
        let variables = std::env::vars_os();
        Self::from_variables(
            variables.filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?))),
        )
    }

    /// Of these variables.
    ///
    /// # Errors
    /// As [`KafkaSettings::from_env`].
    pub fn from_variables(
        variables: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, SettingsError> {
        let all = variables.into_iter().filter(|(_, value)| !value.trim().is_empty());
        let all = Variables(all.map(|(name, value)| (name.to_ascii_lowercase(), (name, value))).collect());
        let brokers =
            all.one("bootstrapservers", &["KAFKA_BOOTSTRAP_SERVERS", "ConnectionStrings__Messaging"])?;
        let brokers = brokers.ok_or_else(|| SettingsError::NoBrokers {
            names: "KAFKA_BOOTSTRAP_SERVERS, Kafka__BootstrapServers, ConnectionStrings__Messaging"
                .to_owned(),
        })?;
        let mut properties = all.properties();
        for (setting, property) in PROPERTIES {
            if let Some(value) = all.one(setting, &[])? {
                properties.insert(property.to_owned(), librdkafka(setting, value));
            }
        }
        Ok(Self {
            brokers: brokers.to_owned(),
            security: all.security()?,
            ca: all.one("sslcalocation", &["KAFKA_SSL_CA_LOCATION"])?.map(str::to_owned),
            group: all.one("consumergroup", &["KAFKA_CONSUMER_GROUP"])?.map(str::to_owned),
            topic_prefix: all
                .one("topicprefix", &["KAFKA_TOPIC_PREFIX", "NovaTune__TopicPrefix"])?
                .map(str::to_owned),
            topics: all.topics(),
            max_retry_attempts: all.number("maxretryattempts")?,
            retry_delay_seconds: all.number("retrydelayseconds")?,
            commit_interval: all.number("autocommitintervalms")?.map(Duration::from_millis),
            retention: all.number("messageretentionms")?.map(Duration::from_millis),
            properties,
        })
    }

    /// For [`crate::Agent::builder`] and [`crate::KafkaPublisher::new`].
    pub fn client(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", &self.brokers);
        let (protocol, sasl) = match &self.security {
            Security::Plaintext => ("PLAINTEXT", None),
            Security::Ssl => ("SSL", None),
            Security::SaslPlaintext(sasl) => ("SASL_PLAINTEXT", Some(sasl)),
            Security::SaslSsl(sasl) => ("SASL_SSL", Some(sasl)),
        };
        config.set("security.protocol", protocol);
        if let Some(sasl) = sasl {
            config.set("sasl.mechanism", &sasl.mechanism);
            config.set("sasl.username", &sasl.username).set("sasl.password", &sasl.password);
        }
        if let Some(ca) = &self.ca {
            config.set("ssl.ca.location", ca);
        }
        for (name, value) in &self.properties {
            config.set(name, value);
        }
        config
    }

    /// With the tries and the delay of the environment, where it says them.
    pub(crate) fn on_error(&self, usual: OnError) -> OnError {
        let retries = self.max_retry_attempts.map_or(usual.retries, |tries| tries.saturating_sub(1));
        let usual = OnError { retries, ..usual };
        match self.retry_delay_seconds.map(|seconds| Duration::from_secs(seconds.into())) {
            Some(delay) => OnError { backoff: delay, backoff_max: delay, jitter: false, ..usual },
            None => usual,
        }
    }

    /// With the interval between commits of the environment, where it says one.
    pub(crate) fn timings(&self) -> Timings {
        let usual = Timings::default();
        Timings { commit: self.commit_interval.unwrap_or(usual.commit), ..usual }
    }
}

/// .NET writes `Earliest` and `True`; librdkafka wants small letters.
fn librdkafka(setting: &str, value: &str) -> String {
    match setting {
        "clientid" => value.to_owned(),
        _ => value.to_ascii_lowercase(),
    }
}

/// By their names in lower case, with the names as they were.
struct Variables(BTreeMap<String, (String, String)>);

impl Variables {
    /// The value of a setting, under whatever names it has.
    fn one(&self, setting: &str, names: &[&str]) -> Result<Option<&str>, SettingsError> {
        let sections = SECTIONS.iter().map(|section| format!("{section}{setting}"));
        let named = names.iter().map(|name| name.to_ascii_lowercase());
        let mut found: Option<&(String, String)> = None;
        for here in named.chain(sections).filter_map(|name| self.0.get(&name)) {
            match found {
                Some(there) if there.1 != here.1 => {
                    return Err(SettingsError::Differ { one: there.0.clone(), other: here.0.clone() });
                }
                _ => found = Some(here),
            }
        }
        Ok(found.map(|(_, value)| value.trim()))
    }

    fn number<N: FromStr>(&self, setting: &str) -> Result<Option<N>, SettingsError> {
        let Some(value) = self.one(setting, &[])? else { return Ok(None) };
        let problem = SettingsError::Value { name: setting.to_owned(), problem: "a whole number" };
        value.parse().map(Some).map_err(|_| problem)
    }

    fn security(&self) -> Result<Security, SettingsError> {
        let is_sasl =
            matches!(self.one("saslenabled", &[])?, Some(value) if value.eq_ignore_ascii_case("true"));
        let named = self.one("securityprotocol", &["KAFKA_SECURITY_PROTOCOL"])?;
        // `SaslSsl` as .NET writes it, `SASL_SSL` as Kafka does.
        let protocol = named.map(|name| name.replace('_', "").to_ascii_lowercase());
        match protocol.as_deref() {
            None if is_sasl => self.sasl("SCRAM-SHA-256").map(Security::SaslSsl),
            None | Some("plaintext") => Ok(Security::Plaintext),
            Some("ssl") => Ok(Security::Ssl),
            Some("saslplaintext") => self.sasl("PLAIN").map(Security::SaslPlaintext),
            Some("saslssl") if is_sasl => self.sasl("SCRAM-SHA-256").map(Security::SaslSsl),
            Some("saslssl") => self.sasl("PLAIN").map(Security::SaslSsl),
            Some(_) => Err(SettingsError::Value {
                name: "KAFKA_SECURITY_PROTOCOL".to_owned(),
                problem: "PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL",
            }),
        }
    }

    fn sasl(&self, mechanism: &str) -> Result<Sasl, SettingsError> {
        let needed = |setting: &str, name: &str| {
            let missing = SettingsError::Value { name: name.to_owned(), problem: "needed with SASL" };
            self.one(setting, &[name])?.map(str::to_owned).ok_or(missing)
        };
        let named = self.one("saslmechanism", &["KAFKA_SASL_MECHANISM"])?;
        Ok(Sasl {
            // `ScramSha256` as .NET writes it.
            mechanism: match named.map(|name| name.replace(['-', '_'], "").to_ascii_lowercase()).as_deref() {
                None => mechanism.to_owned(),
                Some("scramsha256") => "SCRAM-SHA-256".to_owned(),
                Some("scramsha512") => "SCRAM-SHA-512".to_owned(),
                Some(_) => named.unwrap_or_default().to_ascii_uppercase(),
            },
            username: needed("saslusername", "KAFKA_SASL_USERNAME")?,
            password: needed("saslpassword", "KAFKA_SASL_PASSWORD")?,
        })
    }

    fn properties(&self) -> BTreeMap<String, String> {
        let property = |(name, (_, value)): (&String, &(String, String))| {
            Some((name.strip_prefix(PROPERTY)?.replace('_', "."), value.trim().to_owned()))
        };
        self.0.iter().filter_map(property).collect()
    }

    fn topics(&self) -> BTreeMap<String, String> {
        let topic = |(name, (written, value)): (&String, &(String, String))| {
            let of = name.starts_with(TOPICS).then(|| written[TOPICS.len()..].to_owned())?;
            Some((of, value.trim().to_owned()))
        };
        self.0.iter().filter_map(topic).collect()
    }
}
