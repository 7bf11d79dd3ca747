//! From the configuration to the admin service and back: the only place that knows both.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::{Duration, Instant};

use flowdeck_control::{Admin, AdminSettings, Audit, HoldsOnKafka};
use flowdeck_kafka::{Capability, Cluster, ClusterConfig as Reach, ConfigError, Deadline};
use flowdeck_model::CommandState;
use flowdeck_model::ports::Bind;
use flowdeck_observe::{AdminTopics, ClusterNumbers, ClusterSettings, NotObeyedNumbers};
use flowdeck_payload::Schemas;
use flowdeck_registry::Registry;
use tokio_util::sync::CancellationToken;

use crate::config::{self, ClusterConfig, Config};
use crate::metrics::snake_case;
use crate::work::{ClusterStatus, Figures, Number, Work};

/// Of librdkafka: a file of certificates in PEM.
const CA_LOCATION: &str = "ssl.ca.location";

fn reach(cluster: &ClusterConfig) -> Reach {
    let mut reach = Reach::new(cluster.bootstrap.clone());
    reach.properties =
        cluster.properties.iter().map(|(name, value)| (name.clone(), value.expose().to_owned())).collect();
    reach
}

fn settings(cluster: &ClusterConfig, config: &Config) -> ClusterSettings {
    let (rebalancing, verdicts) = (&config.rebalancing, &config.verdicts);
    let mut settings = ClusterSettings::new(cluster.name.clone(), reach(cluster));
    if let Some(label) = &cluster.label {
        settings.label = label.clone();
    }
    settings.colour = cluster.colour;
    settings.mode = cluster.mode;
    if !cluster.admin_topics.is_empty() {
        let streams = cluster.admin_topics.iter().map(|pair| AdminTopics {
            commands: (pair.commands.topic.clone(), pair.commands.partition),
            telemetry: (pair.telemetry.topic.clone(), pair.telemetry.partition),
        });
        settings.admin_topics = streams.collect();
    }
    settings.rewind_time_zones = cluster.rewind_time_zones.clone();
    settings.hold_by = cluster.hold_by;
    settings.allowed_lag = cluster.allowed_lag.unwrap_or(settings.allowed_lag);
    settings.refresh = cluster.refresh.unwrap_or(settings.refresh);
    settings.requests_per_second =
        cluster.requests_per_second.map_or(settings.requests_per_second, NonZeroU32::get);
    settings.read_committed = cluster.read_committed.clone();
    settings.timing.offsets_quiet = cluster.offsets_quiet.unwrap_or(settings.timing.offsets_quiet);
    settings.protected = cluster.protected.clone();
    settings.decoders = cluster.decoders.clone();
    // What cannot be read of its certificates is refused by `validate`.
    settings.schemas = registry(cluster).ok().flatten();
    settings.topics = cluster.topics.clone();
    settings.payloads = cluster.payloads;
    settings.mask_secrets = cluster.mask_secrets;
    settings.masks = cluster.masks.clone();
    settings.search = cluster.search;
    settings.dead_letters = cluster.dead_letters.clone();
    settings.rebalancing = rebalancing.limits;
    settings.rebalancing_of = rebalancing.groups.clone();
    settings.verdicts = verdicts.of_all.over(settings.verdicts);
    settings.verdicts_of = verdicts.groups.clone();
    settings.ignore = verdicts.ignore.clone();
    settings.mutes = verdicts.mutes.clone();
    settings.verify_stalls = verdicts.verify_stalls;
    settings.labels_of = config::pairs_of_labels(&config.labels);
    settings
}

/// The cluster's schema registry. Certificates are those of its own setting, else those that the cluster's brokers have.
fn registry(cluster: &ClusterConfig) -> Result<Option<Arc<dyn Schemas>>, config::ConfigError> {
    let Some(settings) = cluster.schema_registry.clone() else { return Ok(None) };
    let of_brokers = cluster.properties.get(CA_LOCATION).filter(|_| settings.is_tls() && !settings.has_ca());
    let settings = match of_brokers {
        None => settings,
        Some(path) => {
            let told = |problem: String| {
                let problem = format!(
                    "{} {problem}: schema_registry of this cluster needs certificates, name a file of them as its ca",
                    path.expose()
                );
                config::ConfigError::new(cluster.place_of(CA_LOCATION), problem)
            };
            let pem =
                std::fs::read(path.expose()).map_err(|error| told(format!("could not be read: {error}")))?;
            settings.with_ca(&pem).map_err(|error| told(error.to_string()))?
        }
    };
    Ok(Some(Arc::new(Registry::new(cluster.name.as_str(), &settings))))
}

/// The holds of a cluster, without a server. Inside a tokio runtime.
pub fn holds(config: &Config, cluster: &ClusterConfig) -> Result<HoldsOnKafka, ConfigError> {
    HoldsOnKafka::new(settings(cluster, config))
}

/// Whether librdkafka takes these properties. Nothing is sent to the brokers.
pub fn validate(cluster: &ClusterConfig) -> Result<(), config::ConfigError> {
    registry(cluster)?;
    // Made and dropped: a client that was told no brokers yet connects to none.
    let Err(error) = Cluster::new(reach(cluster)) else { return Ok(()) };
    let place = match &error {
        ConfigError::UnknownProperty { name }
        | ConfigError::InvalidValue { name }
        | ConfigError::Reserved { name } => cluster.place_of(name),
        ConfigError::NoBootstrap | ConfigError::Client { .. } => config::Place::Cluster(cluster.name.clone()),
    };
    Err(config::ConfigError::new(place, error.to_string()))
}

/// The admin service as the server sees it.
pub struct Running(Arc<Shared>);

struct Shared {
    admin: Admin,
    started: Instant,
}

/// Connects in the background: a broker that is away is normal. Inside a tokio runtime.
pub fn start(config: &Config, shutdown: CancellationToken) -> Running {
    let clusters = config.clusters.iter().map(|one| settings(one, config)).collect();
    let admin = Admin::start(AdminSettings::default(), clusters, shutdown);
    Running(Arc::new(Shared { admin, started: Instant::now() }))
}

impl Running {
    pub fn bind(&self) -> Arc<dyn Bind> {
        Arc::new(self.0.admin.clone())
    }

    /// Where log-ins are recorded.
    pub fn audit(&self) -> Audit {
        self.0.admin.audit()
    }

    pub fn work(&self) -> Arc<dyn Work> {
        self.0.clone()
    }

    /// After the shutdown; `false` where it took longer.
    pub async fn join(&self, deadline: Duration) -> bool {
        self.0.admin.join(deadline).await
    }
}

/// Pages are served from the start. A moment of grace lets the first ones have something to show;
/// a broker that never answers must not hold them back.
const FIRST_LOOK: Duration = Duration::from_secs(2);

impl Work for Shared {
    fn ready(&self) -> bool {
        self.admin.ready().first_snapshot || self.started.elapsed() > FIRST_LOOK
    }

    fn figures(&self) -> Arc<dyn Figures> {
        self.admin.figures()
    }

    fn clusters(&self) -> Vec<ClusterStatus> {
        let clusters = self.admin.stats().clusters.into_iter();
        let all = clusters.map(|one| ClusterStatus {
            cluster: one.cluster,
            read_at: one.as_of,
            another_leads: one.another_leads,
        });
        all.collect()
    }

    fn numbers(&self) -> Vec<Number> {
        let calls = Number {
            name: "blocking_calls",
            help: "Calls of the Kafka client that hold a thread",
            counter: false,
            labels: vec![],
            value: flowdeck_kafka::blocking_calls() as f64,
        };
        let clusters = self.admin.stats().clusters;
        clusters.iter().flat_map(numbers).chain([calls]).collect()
    }
}

fn numbers(one: &ClusterNumbers) -> Vec<Number> {
    let labels = |more: Option<(&'static str, String)>| {
        std::iter::once(("cluster", one.cluster.to_string())).chain(more).collect::<Vec<_>>()
    };
    let counter = |name, help, value: f64| Number { name, help, counter: true, labels: labels(None), value };
    let gauge = |name, help, value: f64| Number { name, help, counter: false, labels: labels(None), value };
    let mut all = vec![
        counter("refreshes", "Refreshes of a cluster", one.refreshes as f64),
        counter("refreshes_failed", "Refreshes that did not come to an end", one.refreshes_failed as f64),
        counter("refresh_seconds", "Time spent in refreshes", one.refresh_total.as_secs_f64()),
        gauge("refresh_last_seconds", "Time that the last refresh took", one.refresh_last.as_secs_f64()),
        counter(
            "sampling_requests",
            "OffsetFetch and group descriptions asked for by refreshes, with a FindCoordinator for each",
            (2 * (one.commits_asked + one.descriptions_asked)) as f64,
        ),
        gauge("groups", "Groups in the newest snapshot", one.groups as f64),
        gauge("group_partitions", "Partitions of all groups in the newest snapshot", one.partitions as f64),
        counter("snapshots_published", "Snapshots published", one.snapshots_published as f64),
        counter(
            "commands_refused_full",
            "Commands refused because the queue was full",
            one.queue_drops as f64,
        ),
        gauge("instances_heard", "Instances that telemetry tells of", one.instances_heard as f64),
        counter(
            "instances_dropped",
            "Instances beyond the limits of telemetry",
            one.instances_dropped as f64,
        ),
        gauge("holds", "Holds in force", one.holds as f64),
        gauge("locked_up_instances", "KafkaFlow instances that are locked up", one.locked_up as f64),
        counter("peeks", "Reads of records for a user", one.peeks as f64),
    ];
    let read_at = one.as_of.map(|at| {
        let help = "When the newest complete refresh read the commits";
        gauge("last_refresh_timestamp_seconds", help, at.millis() as f64 / 1_000.0)
    });
    let oldest = one.oldest_reading.map(|at| {
        let help = "When the commits were read of the group that was read the longest ago";
        gauge("oldest_reading_timestamp_seconds", help, at.millis() as f64 / 1_000.0)
    });
    let brokers = one.brokers.map(|count| gauge("brokers", "Brokers of the cluster", f64::from(count)));
    let health = one.health.iter().flat_map(|health| {
        [
            gauge("offline_partitions", "Partitions without a leader", f64::from(health.offline)),
            gauge(
                "under_replicated_partitions",
                "Partitions with replicas that are not in sync",
                f64::from(health.under_replicated),
            ),
        ]
    });
    all.extend(read_at.into_iter().chain(oldest).chain(brokers).chain(health));
    all.extend(not_obeyed(one));
    let dropped = "Records of telemetry, acks, holds and commands that were skipped, by reason";
    all.extend(one.records_dropped.iter().map(|(reason, count)| Number {
        name: "records_dropped",
        help: dropped,
        counter: true,
        labels: labels(Some(("reason", (*reason).to_owned()))),
        value: *count as f64,
    }));
    all.extend(one.queue_depth.iter().map(|(queue, count)| Number {
        name: "queue_depth",
        help: "Entries that wait, by queue; each queue is bounded",
        counter: false,
        labels: labels(Some(("queue", (*queue).to_owned()))),
        value: *count as f64,
    }));
    all.extend(one.commands.iter().map(|(state, count)| Number {
        name: "commands",
        help: "Remembered commands by state",
        counter: false,
        labels: labels(Some(("state", state_label(*state)))),
        value: *count as f64,
    }));
    all
}

/// As in the API's JSON, in snake_case.
fn state_label(state: CommandState) -> String {
    let json = serde_json::to_value(state).unwrap_or_default();
    snake_case(json.as_str().unwrap_or_default())
}

/// What the brokers of a cluster offer, by probes that write nothing.
pub struct Probe {
    /// The brokers answered: what is listed was found, not guessed.
    pub reached: bool,
    pub rows: Vec<(&'static str, String)>,
}

pub async fn probe(cluster: &ClusterConfig, deadline: Duration) -> Result<Probe, ConfigError> {
    let kafka = Cluster::new(reach(cluster))?;
    let found = kafka.capabilities(Deadline::after(deadline)).await;
    let reached = matches!(found.list_groups, Capability::Yes | Capability::NotPermitted(_));
    Ok(Probe {
        reached,
        rows: found.rows().into_iter().map(|(name, found)| (name, found.to_string())).collect(),
    })
}

/// By what it is known: a commit beyond what could be drained, or telemetry alone.
fn not_obeyed(one: &ClusterNumbers) -> impl Iterator<Item = Number> {
    let NotObeyedNumbers { by_commit, by_telemetry } = one.pauses_not_obeyed;
    let cluster = one.cluster.to_string();
    [("commit", by_commit), ("telemetry", by_telemetry)].into_iter().flat_map(move |(known_by, count)| {
        let labels = vec![("cluster", cluster.clone()), ("known_by", known_by.to_owned())];
        let gauge = |name, help, value: u64| Number {
            name,
            help,
            counter: false,
            labels: labels.clone(),
            value: value as f64,
        };
        [
            gauge("pauses_not_obeyed", "Groups in which instances run what a hold covers", count.groups),
            gauge(
                "pauses_not_obeyed_partitions",
                "Partitions that run though a hold covers them",
                count.partitions,
            ),
        ]
    })
}
