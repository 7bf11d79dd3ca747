//! Four services as their designs have them, each a real small service on `flowdeck-agent`: topics, names, events,
//! settings, retries and dead letters. Troubles come by command (HTTP) and on a schedule.

pub mod convex;
pub mod custom_service;
pub mod http;
pub mod managed;
pub mod metrics;
pub mod momentum;
pub mod novatune;
pub mod options;
pub mod runtime;
pub mod schedule;
pub mod sources;
pub mod supervisor;
pub mod troubles;

use anyhow::Result;
use axum::Router;
use clap::ValueEnum;

pub use runtime::Runtime;
pub use troubles::{Trouble, Troubles};

/// Which service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub enum Fleet {
    /// Music: uploads, deletions, events of the object store
    Novatune,
    /// Items by HTTP commands, and three services that read their events
    CustomService,
    /// A bus of topics and queues
    Convex,
    /// CloudEvents by topic patterns
    Momentum,
}

impl Fleet {
    /// As on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Novatune => "novatune",
            Self::CustomService => "custom-service",
            Self::Convex => "convex",
            Self::Momentum => "momentum",
        }
    }

    /// The consumer group that troubles are about.
    pub fn troubled_group(self) -> &'static str {
        match self {
            Self::Novatune => "dev-deletion-processor",
            Self::CustomService => "audit-service",
            Self::Convex => "convex-group",
            Self::Momentum => "dev.sales-api",
        }
    }

    /// Its variables of the environment where the machine's own say nothing.
    pub fn variables(self, bootstrap: &str) -> Vec<(String, String)> {
        let variables: &[(&str, &str)] = match self {
            Self::Novatune => {
                &[("ConnectionStrings__messaging", bootstrap), ("NovaTune__TopicPrefix", "dev")]
            }
            Self::CustomService => &[
                ("Kafka__BootstrapServers", bootstrap),
                ("Kafka__ClientId", "customservice-producer"),
                ("Kafka__EnableIdempotence", "true"),
                ("Kafka__Acks", "-1"),
                ("Kafka__MaxInFlight", "5"),
                ("Kafka__MessageTimeoutMs", "30000"),
                ("Kafka__RequestTimeoutMs", "30000"),
                ("Kafka__RetryBackoffMs", "1000"),
            ],
            Self::Convex => &[
                ("KAFKA_BOOTSTRAP_SERVERS", bootstrap),
                ("KAFKA_SECURITY_PROTOCOL", "PLAINTEXT"),
                ("KAFKA_CONSUMER_GROUP", "convex-group"),
                ("KAFKA_TOPIC_PREFIX", "convex"),
                ("ConvexMessaging__MaxRetryAttempts", "3"),
                ("ConvexMessaging__RetryDelaySeconds", "5"),
                ("ConvexMessaging__AutoCommitIntervalMs", "5000"),
                ("ConvexMessaging__SessionTimeoutMs", "30000"),
                ("ConvexMessaging__MessageRetentionMs", "604800000"),
            ],
            Self::Momentum => &[("ConnectionStrings__Messaging", bootstrap)],
        };
        variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    /// Starts its producers and consumers; gives what it serves over HTTP.
    pub async fn start(self, runtime: &Runtime) -> Result<Router> {
        match self {
            Self::Novatune => novatune::start(runtime).await,
            Self::CustomService => custom_service::start(runtime).await,
            Self::Convex => convex::start(runtime).await,
            Self::Momentum => momentum::start(runtime).await,
        }
    }
}

/// Of the groups, with what each shows.
pub fn plan(fleets: &[Fleet]) -> String {
    let lines = fleets.iter().map(|fleet| match fleet {
        Fleet::Novatune => {
            "novatune: topics dev-audio-events, dev-track-deletions, dev-minio-events and two of dead letters; groups \
             dev-audio-processor, dev-deletion-processor, dev-lifecycle-worker, dev-upload-ingestor\n"
        }
        Fleet::CustomService => {
            "custom-service: topics customservice.item.created, .updated, .deleted; groups analytics-service, \
             notification-service, audit-service\n"
        }
        Fleet::Convex => {
            "convex: topics convex.user.created, convex.bet.placed, convex.user.notifications, convex.dlq; groups \
             convex-group, convex.user.notifications\n"
        }
        Fleet::Momentum => {
            "momentum: topics dev.sales.public.customers.v1, dev.sales.internal.customer-updates.v1, \
             dev.ecommerce.public.order-payments.v2, one of retries and one of dead letters; group dev.sales-api\n"
        }
    });
    lines.collect()
}
