//! A client that only reads. It belongs to no group, asks no coordinator and commits nothing.

use std::sync::Arc;

use super::Isolation;
use crate::config::{ClusterConfig, ConfigError};
use crate::ffi::ask::NulByte;
use crate::ffi::consume::Consumption;
use crate::ffi::handle::Native;

pub(crate) struct Reader {
    native: Arc<Native>,
    isolation: Isolation,
}

/// For what a reader is opened; it decides how long the broker may keep a fetch waiting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// Short reads of what is there: a new partition must not wait behind an idle fetch.
    Peek,
    /// Waiting for what comes: the broker answers as soon as there is a record.
    Follow,
    /// Reading much of what is there, under a name of its own, to which a broker may give a quota.
    Search,
}

/// The client's name in quotas and logs.
const SEARCH_CLIENT: &str = "flowdeck-search";

impl Reader {
    /// Connects in the background.
    pub(crate) fn open(
        config: &ClusterConfig,
        isolation: Isolation,
        purpose: Purpose,
    ) -> Result<Self, ConfigError> {
        let (wait, queued) = match purpose {
            Purpose::Peek => ("5", "8192"),
            Purpose::Follow => ("500", "2048"),
            Purpose::Search => ("5", "16384"),
        };
        let level = match isolation {
            Isolation::ReadUncommitted => "read_uncommitted",
            Isolation::ReadCommitted => "read_committed",
        };
        let mut own = vec![
            ("enable.auto.commit", "false"),
            ("enable.partition.eof", "true"),
            ("isolation.level", level),
            // Retention may delete the record at which a read begins: then it begins at the log's start.
            ("auto.offset.reset", "earliest"),
            ("fetch.wait.max.ms", wait),
            ("fetch.error.backoff.ms", "50"),
            ("fetch.queue.backoff.ms", "10"),
            ("queued.min.messages", "2000"),
            ("queued.max.messages.kbytes", queued),
            ("fetch.message.max.bytes", "262144"),
        ]
        .into_iter()
        .map(|(name, value)| (name, value.to_owned()))
        .collect::<Vec<_>>();
        if purpose == Purpose::Search {
            own.push(("client.id", SEARCH_CLIENT.to_owned()));
            // A search reads on, and does not wait for the queue to run empty.
            own.extend(
                [("queued.min.messages", "50000"), ("fetch.message.max.bytes", "1048576")]
                    .map(|(name, value)| (name, value.to_owned())),
            );
        }
        let native = Native::new(&config.properties_for(&own)?, false)?;
        Ok(Self { native: Arc::new(native), isolation })
    }

    pub(crate) fn isolation(&self) -> Isolation {
        self.isolation
    }

    pub(crate) fn consume(&self, topic: &str) -> Result<Consumption, NulByte> {
        Consumption::new(&self.native, topic)
    }
}
