//! Log-ins: to the log, and to the audit topic of the default cluster where that is in control mode.

use std::sync::Arc;
use std::time::Duration;

use flowdeck_kafka::Deadline;
use flowdeck_observe::stats::ClusterStats;
use flowdeck_protocol::wire::LogIn;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::{Entry, LogSink, TopicSink};

/// Log-ins that wait for the topic; more are in the log alone, and counted.
const WAITING: usize = 256;
/// One of them ends by then.
const WRITE: Duration = Duration::from_secs(5);

/// Where log-ins are recorded; cheap to clone.
#[derive(Clone, Default)]
pub struct Audit {
    topic: Option<(mpsc::Sender<LogIn>, Arc<ClusterStats>)>,
}

impl Audit {
    /// To the log alone.
    pub fn log_alone() -> Self {
        Self::default()
    }

    pub(crate) fn new(stats: Arc<ClusterStats>) -> (Self, mpsc::Receiver<LogIn>) {
        let (sender, receiver) = mpsc::channel(WAITING);
        (Self { topic: Some((sender, stats)) }, receiver)
    }

    /// Never waits.
    pub fn log_in(&self, log_in: LogIn) {
        LogSink { cluster: None }.write(Entry::LogIn(&log_in));
        if let Some((topic, stats)) = &self.topic
            && topic.try_send(log_in).is_err()
        {
            stats.dropped("log_in_not_audited");
        }
    }
}

/// Writes them one after the other; what cannot be written is in the log, and counted.
pub(crate) async fn write_log_ins(
    mut log_ins: mpsc::Receiver<LogIn>,
    sink: Arc<TopicSink>,
    stats: Arc<ClusterStats>,
    shutdown: CancellationToken,
) {
    loop {
        let log_in = tokio::select! {
            () = shutdown.cancelled() => return,
            log_in = log_ins.recv() => match log_in {
                None => return,
                Some(log_in) => log_in,
            },
        };
        if sink.write(Entry::LogIn(&log_in), Deadline::after(WRITE)).await.is_err() {
            stats.dropped("log_in_not_audited");
        }
    }
}
