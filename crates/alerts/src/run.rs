//! The tasks: one that looks, and one for each receiver.

use std::sync::Arc;
use std::time::{Duration, Instant};

use flowdeck_model::GroupId;
use flowdeck_model::view::GroupLabels;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::alert::Look;
use crate::pending::{Batch, Pending};
use crate::receiver::Receiver;
use crate::send::{Failure, Sender};
use crate::status::Status;

/// Between two looks of a server.
pub const INTERVAL: Duration = Duration::from_secs(5);
/// After failures: the first time as long as between two looks, then twice as long each time.
const LONGEST_WAIT: Duration = Duration::from_secs(300);

/// Messages at one look.
const OF_A_LOOK: usize = 100;

type Labels = Arc<dyn Fn(&GroupId) -> GroupLabels + Send + Sync>;

/// Those that run.
#[derive(Clone, Default)]
pub struct Alerts(Arc<[Arc<Status>]>);

impl Alerts {
    /// Inside a runtime. `look` gives the findings of now; `pages` is where Flowdeck's pages lie, without a slash at the end.
    pub fn start(
        receivers: Vec<Receiver>,
        look: impl Fn() -> Look + Send + 'static,
        labels: Labels,
        pages: Option<String>,
        every: Duration,
        shutdown: CancellationToken,
    ) -> Self {
        if receivers.is_empty() {
            return Self::default();
        }
        let (looks, seen) = watch::channel(None);
        tokio::spawn(shutdown.clone().run_until_cancelled_owned(async move {
            let mut ticks = tokio::time::interval(every);
            ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
            loop {
                ticks.tick().await;
                looks.send_replace(Some(Arc::new(look())));
            }
        }));
        let started = receivers.into_iter().map(|receiver| {
            let status = Arc::new(Status::new(&receiver.name));
            let telling = Telling {
                pending: Pending::default(),
                status: Arc::clone(&status),
                labels: Arc::clone(&labels),
                pages: pages.clone(),
                every,
                wait: every,
                not_before: None,
                receiver: Arc::new(receiver),
            };
            tokio::spawn(shutdown.clone().run_until_cancelled_owned(telling.run(seen.clone())));
            status
        });
        Self(started.collect())
    }

    pub fn statuses(&self) -> &[Arc<Status>] {
        &self.0
    }
}

struct Telling {
    receiver: Arc<Receiver>,
    pending: Pending,
    status: Arc<Status>,
    labels: Labels,
    pages: Option<String>,
    every: Duration,
    /// How long the next failure makes it wait.
    wait: Duration,
    not_before: Option<Instant>,
}

impl Telling {
    async fn run(mut self, mut looks: watch::Receiver<Option<Arc<Look>>>) {
        let receiver = Arc::clone(&self.receiver);
        let Ok(sender) = tokio::task::spawn_blocking(move || Sender::new(&receiver)).await else { return };
        let sender = Arc::new(sender);
        while looks.changed().await.is_ok() {
            let Some(look) = looks.borrow_and_update().clone() else { continue };
            self.pending.look(&self.receiver, &look);
            self.status.looked(self.pending.firing(&self.receiver, look.now), self.pending.left_out());
            self.tell_all(&sender, &look).await;
        }
    }

    async fn tell_all(&mut self, sender: &Arc<Sender>, look: &Look) {
        for _ in 0..OF_A_LOOK {
            let Some(batch) = self.pending.due(&self.receiver.channel, &*self.labels) else {
                // What it did not take is over meanwhile.
                self.status.nothing_waits();
                (self.wait, self.not_before) = (self.every, None);
                return;
            };
            if self.not_before.is_some_and(|at| Instant::now() < at) {
                return;
            }
            self.tell(sender, batch, look).await;
        }
    }

    async fn tell(&mut self, sender: &Arc<Sender>, batch: Batch, look: &Look) {
        let (sender, alerts, pages) = (Arc::clone(sender), batch.alerts.clone(), self.pages.clone());
        let sent = tokio::task::spawn_blocking(move || sender.send(&alerts, pages.as_deref())).await;
        let sent = sent
            .unwrap_or_else(|error| Err(Failure { words: error.to_string(), after: None, is_final: false }));
        let receiver = &self.receiver.name;
        match sent {
            Ok(()) => {
                self.pending.told(&batch, look.now);
                if self.status.figures().trouble.is_some() {
                    tracing::info!(receiver, "alerts reach their receiver again");
                }
                self.status.sent();
                (self.wait, self.not_before) = (self.every, None);
            }
            Err(Failure { words, after, is_final }) => {
                if self.status.failed(look.now, &words) {
                    let (at, alerts) = (self.receiver.channel.origin(), batch.alerts.len());
                    tracing::warn!(receiver, at, alerts, error = words, "alerts do not reach their receiver");
                }
                if is_final {
                    // It would be refused again, and keep back all others.
                    return self.pending.told(&batch, look.now);
                }
                let wait = after.unwrap_or(self.wait).clamp(self.every, LONGEST_WAIT);
                self.not_before = Some(Instant::now() + wait);
                self.wait = (self.wait * 2).min(LONGEST_WAIT);
            }
        }
    }
}
