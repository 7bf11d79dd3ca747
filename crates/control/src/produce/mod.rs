//! Records that operators produce. The replica that is asked writes the request to the audit, without its bytes, reads it
//! back, produces the record if its request is the first one under that id, and writes what came of it. Nobody does it a
//! second time: where no outcome is written, it is not known, and that is said.

mod book;
mod letter;
mod port;
mod record;
mod run;
mod source;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use flowdeck_kafka::{Cluster, Producer, ProducerKind};
use flowdeck_model::ClusterName;
use tokio::sync::{Semaphore, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub(crate) use book::ProduceBook;
use book::Produced;
pub(crate) use port::BoundProduce;

use crate::audit::TopicSink;
use crate::kept::Desk;

/// At a time on one cluster.
const AT_ONCE: usize = 4;

/// By cluster.
pub(crate) type ProduceDesks = Arc<HashMap<ClusterName, Arc<ProduceDesk>>>;

/// The records that are produced on one cluster.
pub(crate) struct ProduceDesk {
    kept: Desk<Produced>,
    /// What the cluster's actor tells it by, too: an outcome is known here before it is read in the audit.
    book: watch::Sender<Arc<ProduceBook>>,
    cluster: Cluster,
    places: Arc<Semaphore>,
    producer: Mutex<Option<Producer>>,
    tracker: TaskTracker,
    shutdown: CancellationToken,
}

impl ProduceDesk {
    /// And what the cluster's actor tells it by.
    pub(crate) fn new(
        cluster: Cluster,
        sink: Arc<TopicSink>,
        tracker: TaskTracker,
        shutdown: CancellationToken,
    ) -> (watch::Sender<Arc<ProduceBook>>, Arc<Self>) {
        let (book, kept) = Desk::new(sink);
        let desk = Self {
            kept,
            book: book.clone(),
            cluster,
            places: Arc::new(Semaphore::new(AT_ONCE)),
            producer: Mutex::new(None),
            tracker,
            shutdown,
        };
        (book, Arc::new(desk))
    }

    /// Made when it is needed first: most clusters never get a record.
    fn producer(&self) -> Result<Producer, String> {
        let mut kept = self.producer.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(producer) = &*kept {
            return Ok(producer.clone());
        }
        let made = self.cluster.producer(ProducerKind::Idempotent).map_err(|error| error.with_cause())?;
        Ok(kept.insert(made).clone())
    }

    /// After a failure the next record begins with a producer of its own.
    fn forget_producer(&self) {
        *self.producer.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}
