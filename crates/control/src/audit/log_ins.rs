//! Log-ins: to the log, and to the audit topic of the default cluster where that is in control mode.

use std::sync::Arc;

use flowdeck_observe::stats::ClusterStats;
use flowdeck_protocol::wire::LogIn;
use tokio::sync::mpsc;

use super::{Entry, LogSink};

/// Log-ins that wait for the topic; more are in the log alone, and counted.
const WAITING: usize = 256;
/// Why a log-in is counted as dropped.
pub(super) const NOT_AUDITED: &str = "log_in_not_audited";

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
            stats.dropped(NOT_AUDITED);
        }
    }
}
