//! What nobody waits for: log-ins and looks at records. One after the other is written to the topic; what cannot be
//! written is in the log, and counted.

use std::sync::Arc;
use std::time::Duration;

use flowdeck_kafka::Deadline;
use flowdeck_observe::looks;
use flowdeck_observe::stats::ClusterStats;
use flowdeck_protocol::wire::{LogIn, Look};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::{Entry, TopicSink, log_ins};

/// One of them ends by then.
const WRITE: Duration = Duration::from_secs(5);

/// Where they go, and where it is counted.
pub(crate) struct Writer {
    pub(crate) sink: Arc<TopicSink>,
    pub(crate) stats: Arc<ClusterStats>,
    pub(crate) shutdown: CancellationToken,
}

pub(crate) async fn write_log_ins(mut queue: mpsc::Receiver<LogIn>, writer: Writer) {
    while let Some(log_in) = writer.next(&mut queue).await {
        writer.write(Entry::LogIn(&log_in), log_ins::NOT_AUDITED).await;
    }
}

pub(crate) async fn write_looks(mut queue: mpsc::Receiver<Look>, writer: Writer) {
    while let Some(look) = writer.next(&mut queue).await {
        writer.write(Entry::Look(&look), looks::NOT_AUDITED).await;
    }
}

impl Writer {
    async fn next<T>(&self, queue: &mut mpsc::Receiver<T>) -> Option<T> {
        tokio::select! {
            () = self.shutdown.cancelled() => None,
            next = queue.recv() => next,
        }
    }

    async fn write(&self, entry: Entry<'_>, not_audited: &'static str) {
        if self.sink.write(entry, Deadline::after(WRITE)).await.is_err() {
            self.stats.dropped(not_audited);
        }
    }
}
