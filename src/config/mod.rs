//! What the server is told: file, environment, flags, each overriding the one before, parsed into
//! types that cannot hold a wrong value. It owns the names and defaults of all settings; it opens
//! no connection and no listener.

mod alerts;
mod check;
mod cluster;
mod env;
mod error;
mod file;
mod flags;
mod labels;
mod limits;
mod load;
mod metrics;
mod payloads;
mod rebalancing;
mod registry;
mod schema;
mod values;
mod verdicts;

pub use cluster::{AdminStream, AdminTopics, ClusterConfig, Property};
pub use env::{Environment, VARIABLES, Variable, documentation};
pub use error::{ConfigError, Place};
pub use flags::Flags;
pub use labels::Labels;
pub(crate) use labels::pairs_of_labels;
pub use limits::Limits;
pub use metrics::{Exporter, Metrics};
pub use rebalancing::Rebalancing;
pub use schema::{Config, TlsFiles};
pub(crate) use values::host_of;
pub use values::{Base, Cidr, HostName, Listen, LogFormat, LogLevel, PublicUrl};
pub use verdicts::Verdicts;
