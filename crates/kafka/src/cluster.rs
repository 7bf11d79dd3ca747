//! The handle on a cluster.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use flowdeck_model::TopicName;

use crate::client::{Client, lock};
use crate::config::{ClusterConfig, ConfigError};
use crate::error::{Cause, Error, Operation};
use crate::records::pool::Pool;
use crate::records::reader::Purpose;
use crate::{Deadline, Metadata};

/// A cluster; cheap to clone. Dropping the last clone ends its threads, without blocking.
#[derive(Clone)]
pub struct Cluster {
    inner: Arc<Inner>,
}

struct Inner {
    client: Client,
    pool: Arc<Pool>,
    searches: Arc<Pool>,
    /// The last full metadata, for checks that may be a little old.
    seen: Mutex<Option<(Instant, Arc<Metadata>)>>,
}

/// How old metadata may be for the question whether a topic exists.
const FRESH: Duration = Duration::from_secs(10);

impl Cluster {
    /// Connects in the background: neither blocks nor needs a broker to be there. A wrong property is
    /// named in the error.
    pub fn new(config: ClusterConfig) -> Result<Self, ConfigError> {
        let client = Client::new(config)?;
        let [pool, searches] = [Purpose::Peek, Purpose::Search].map(|purpose| Arc::new(Pool::new(purpose)));
        Ok(Self { inner: Arc::new(Inner { client, pool, searches, seen: Mutex::new(None) }) })
    }

    pub fn config(&self) -> &ClusterConfig {
        self.inner.client.config()
    }

    /// Requests that the brokers have not answered yet. Bounded by what asks: each group has at most one of
    /// each kind that nobody waits for any more.
    pub fn unanswered(&self) -> usize {
        self.client().unanswered()
    }

    pub(crate) fn client(&self) -> &Client {
        &self.inner.client
    }

    pub(crate) fn pool(&self) -> &Arc<Pool> {
        &self.inner.pool
    }

    pub(crate) fn searches(&self) -> &Arc<Pool> {
        &self.inner.searches
    }

    pub(crate) fn saw(&self, metadata: Arc<Metadata>) {
        *lock(&self.inner.seen) = Some((Instant::now(), metadata));
    }

    /// Metadata in which `topic` exists: what was read a moment ago, else read anew. `Err` with
    /// `Cause::UnknownTopic` where a fresh full list does not hold it.
    pub(crate) async fn metadata_with(
        &self,
        topic: &TopicName,
        operation: Operation,
        deadline: Deadline,
    ) -> Result<Arc<Metadata>, Error> {
        let seen = lock(&self.inner.seen).clone();
        if let Some((at, metadata)) = seen
            && at.elapsed() < FRESH
            && metadata.topic(topic).is_some_and(|topic| topic.error.is_none())
        {
            return Ok(metadata);
        }
        let fresh = self.metadata(deadline).await;
        let fresh = fresh.map_err(|error| Error::new(operation, error.cause))?;
        match fresh.topic(topic) {
            None => Err(Error::new(operation, Cause::UnknownTopic)),
            Some(found) => match &found.error {
                Some(cause) => Err(Error::new(operation, cause.clone())),
                None => Ok(fresh),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio_util::sync::CancellationToken;

    use super::*;
    use crate::{Isolation, OffsetSpec, ReadRequest, ReadStart};

    fn may_be_spawned<T: Send>(_: T) {}

    #[test]
    fn calls_may_be_made_from_any_task() {
        let cluster = Cluster::new(ClusterConfig::new("127.0.0.1:1")).unwrap();
        let (limit, topic) = (Duration::from_secs(1), "t".parse::<TopicName>().unwrap());
        may_be_spawned(cluster.metadata(limit));
        may_be_spawned(cluster.rights(limit));
        may_be_spawned(cluster.capabilities(limit));
        may_be_spawned(cluster.list_groups(limit));
        may_be_spawned(cluster.list_other_groups(limit));
        may_be_spawned(cluster.describe_groups(&[], 1, limit));
        may_be_spawned(cluster.committed(&[], 1, limit, |_, _| {}));
        may_be_spawned(cluster.offsets(&[], OffsetSpec::Latest, limit));
        may_be_spawned(cluster.topic_ids(&[], limit));
        may_be_spawned(cluster.topic_config(&topic, limit));
        may_be_spawned(cluster.create_topics(&[], limit));
        may_be_spawned(cluster.set_committed(&"g".into(), &[], limit));
        let request = ReadRequest {
            topic,
            partitions: None,
            start: ReadStart::Newest,
            limit_records: 1,
            limit_bytes: 1,
            max_value_bytes: 1,
            isolation: Isolation::ReadCommitted,
            neighbours: true,
            transactions: true,
            deadline: Deadline::after(limit),
        };
        may_be_spawned(cluster.read(request, CancellationToken::new()));
    }
}
