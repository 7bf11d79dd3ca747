//! The one task of a cluster that changes its state: it takes in samples, facts and commands, keeps
//! time, and publishes snapshots. Everything is serialised here, and nothing here waits for Kafka:
//! what is written is written by one job at a time, beside it.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Weak};
use std::time::Duration;

use flowdeck_kafka::Cluster;
use flowdeck_model::actor::ActorView;
use flowdeck_model::view::Mode;
use flowdeck_model::{GroupId, PortError, Submit};
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::state::State;
use crate::commands::job::{self, Answer, WriteOutcome, WriteTask};
use crate::settings::AdminSettings;
use crate::writer::Writers;
use flowdeck_observe::ClusterSettings;
use flowdeck_observe::clock;
use flowdeck_observe::core::{Core, LastLook};
use flowdeck_observe::group_watch::{self, Answers};
use flowdeck_observe::sampling::pace::Viewers;
use flowdeck_observe::sampling::sample::Sample;
use flowdeck_observe::snapshot::ClusterSnapshot;
use flowdeck_observe::stats::ClusterStats;
use flowdeck_observe::topic_events::{self, Incoming};

/// A command on its way to the actor.
pub(crate) struct Request {
    pub(crate) submit: Submit,
    pub(crate) actor: ActorView,
    pub(crate) answer: Answer,
    /// Nobody waits for the answer after this: it is not begun any more.
    pub(crate) until: Instant,
}

/// Telemetry alone is published so often at most.
const TELEMETRY_PACE: Duration = Duration::from_millis(500);
/// The writer is made ready once; after a failure it is tried again so often at most.
const PREPARE_PACE: Duration = Duration::from_secs(60);
/// Records taken in before the rest gets its turn.
const RECORDS_AT_ONCE: usize = 256;
const RECORDS_FOR: Duration = Duration::from_millis(50);

type Running = Pin<Box<dyn Future<Output = (Writers, WriteOutcome)> + Send>>;

pub(crate) struct ClusterActor {
    at: usize,
    core: Weak<Core>,
    settings: Arc<ClusterSettings>,
    stats: Arc<ClusterStats>,
    cluster: Cluster,
    samples: watch::Receiver<Arc<Sample>>,
    requests: mpsc::Receiver<Request>,
    /// One that waits for what came before it.
    next_request: Option<Request>,
    looked: Arc<LastLook>,
    viewers: Viewers,
    /// Bumped when Flowdeck's own topics were created.
    again: watch::Sender<u64>,
    state: State,
    /// `None` in observe mode, and while a job has them.
    writers: Option<Writers>,
    running: Option<Running>,
    /// When the writer was last made ready, and whether that is what runs.
    prepared: Option<Instant>,
    prepares: bool,
    started: Instant,
    published: Instant,
}

/// What the actor is made of.
pub(crate) struct Inputs {
    pub(crate) at: usize,
    pub(crate) core: Weak<Core>,
    pub(crate) cluster: Cluster,
    pub(crate) settings: Arc<ClusterSettings>,
    pub(crate) stats: Arc<ClusterStats>,
    pub(crate) samples: watch::Receiver<Arc<Sample>>,
    pub(crate) requests: mpsc::Receiver<Request>,
    pub(crate) looked: Arc<LastLook>,
    pub(crate) viewers: Viewers,
}

impl ClusterActor {
    pub(crate) fn new(inputs: Inputs, admin: &AdminSettings) -> Self {
        let Inputs { at, core, cluster, settings, stats, samples, requests, looked, viewers } = inputs;
        let mut state = State::new(Arc::clone(&settings), admin, Arc::clone(&stats));
        state.patience = patience(settings.timing.writer_first);
        let writers = (settings.mode == Mode::Control)
            .then(|| Writers::new(cluster.clone(), settings.writer_id.clone()));
        Self {
            at,
            core,
            settings,
            stats,
            cluster,
            samples,
            requests,
            next_request: None,
            looked,
            viewers,
            again: watch::Sender::new(0),
            state,
            writers,
            running: None,
            prepared: None,
            prepares: false,
            started: Instant::now(),
            published: Instant::now(),
        }
    }

    pub(crate) async fn run(mut self, shutdown: CancellationToken, tracker: TaskTracker) {
        let again = self.again.subscribe();
        let mut incoming = topic_events::follow(&self.cluster, &self.settings, &again, &shutdown, &tracker);
        let (watched, groups) = watch::channel(Arc::<[GroupId]>::default());
        let mut seen = group_watch::start(&self.cluster, &self.settings, groups, &shutdown, &tracker);
        let mut tick = tokio::time::interval(self.settings.timing.tick);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            self.start_job();
            let takes_requests = self.running.is_none() && self.state.jobs.is_empty() && self.is_ready();
            if takes_requests && let Some(request) = self.next_request.take() {
                self.asked(request);
            } else {
                tokio::select! {
                    biased;
                    () = shutdown.cancelled() => break,
                    (writers, done) = running(&mut self.running), if self.running.is_some() => {
                        self.running = None;
                        self.written(writers, done);
                    }
                    Some(request) = self.requests.recv(), if takes_requests => self.asked(request),
                    changed = self.samples.changed() => {
                        if changed.is_err() {
                            break;
                        }
                        self.sampled();
                    }
                    // Before the records: a flood of them must not keep deadlines and evidence waiting.
                    _ = tick.tick() => {
                        self.ticked();
                        self.watch_groups(&watched);
                    }
                    Some(answers) = seen.recv() => self.saw_groups(answers),
                    Some(one) = incoming.recv() => self.heard(one, &mut incoming),
                }
            }
            let writes = self.state.jobs.len() + self.state.waiting.len();
            let requests = self.requests.len() + usize::from(self.next_request.is_some());
            self.stats.waiting(requests, incoming.len(), writes);
            self.publish_if_due();
        }
        // A write that is under way ends by its deadline; its outcome is on the cluster.
        if let Some(job) = self.running.take()
            && !self.prepares
        {
            let _ = tokio::time::timeout(self.settings.timing.write_deadline, job).await;
        }
    }

    /// Commands wait until holds and acks are read, but not for ever: they are refused with the reason.
    fn is_ready(&self) -> bool {
        self.state.observed.is_ready() || self.started.elapsed() > self.settings.timing.write_deadline
    }

    /// Only one who writes, and not before it could: a new writer fences the one before. So no Flowdeck
    /// takes over that nobody looks at, such as one that never becomes ready.
    fn wants_writer(&self) -> bool {
        let wanted = self.writers.as_ref().is_some_and(|writers| !writers.are_settled());
        let due = self.prepared.is_none_or(|at| at.elapsed() >= PREPARE_PACE);
        wanted && due && self.state.may_write().is_ok()
    }

    fn prepare(&mut self) {
        self.prepared = Some(Instant::now());
        self.state.jobs.push_back(WriteTask::Writer);
    }

    fn start_job(&mut self) {
        if self.running.is_some() || self.state.jobs.is_empty() {
            return;
        }
        let Some(writers) = self.writers.take() else {
            // Observe mode: there is nobody who could write.
            self.state.jobs.clear();
            return;
        };
        if let Some(job) = self.state.jobs.pop_front() {
            self.prepares = matches!(job, WriteTask::Writer);
            self.running = Some(Box::pin(job::run(writers, Arc::clone(&self.settings), job)));
        } else {
            self.writers = Some(writers);
        }
    }

    fn written(&mut self, writers: Writers, done: WriteOutcome) {
        self.state.fenced = writers.is_fenced();
        self.state.is_writer = writers.has_taken_over();
        self.writers = Some(writers);
        if let WriteOutcome::Topics { created: true, .. } = &done {
            self.again.send_modify(|round| *round += 1);
        }
        self.state.written(done, clock::now());
    }

    fn asked(&mut self, request: Request) {
        if request.until <= Instant::now() || request.answer.is_closed() {
            let detail = "it waited too long behind other commands and was not begun".to_owned();
            let cluster = self.settings.name.clone();
            let _ = request.answer.send(Err(PortError::Unavailable { cluster, detail }));
            return;
        }
        let now = clock::now();
        if self.state.precedes(now) {
            self.next_request = Some(request);
            return;
        }
        self.state.asked(request.submit, request.actor, request.answer, now);
    }

    fn sampled(&mut self) {
        let sample = Arc::clone(&self.samples.borrow_and_update());
        self.state.sampled(sample, clock::now());
    }

    fn heard(&mut self, first: Incoming, incoming: &mut mpsc::Receiver<Incoming>) {
        let began = Instant::now();
        let mut next = Some(first);
        let mut taken = 0;
        while let Some(one) = next.take() {
            self.state.heard(one);
            taken += 1;
            if taken < RECORDS_AT_ONCE && began.elapsed() < RECORDS_FOR {
                next = incoming.try_recv().ok();
            }
        }
        self.state.restore();
        self.follow_touched();
    }

    fn saw_groups(&mut self, answers: Answers) {
        let now = clock::now();
        for (group, seen) in answers {
            self.state.saw_group(&group, seen, now);
        }
        self.follow_touched();
    }

    fn watch_groups(&self, watched: &watch::Sender<Arc<[GroupId]>>) {
        let groups = self.state.watched_groups(clock::now());
        watched.send_if_modified(|known| {
            let changed = known[..] != groups[..];
            if changed {
                *known = groups.into();
            }
            changed
        });
    }

    /// Not at the next tick: what is not obeyed is told again at once. While something is being written, after it.
    fn follow_touched(&mut self) {
        if self.running.is_none() && self.state.jobs.is_empty() {
            self.state.follow_touched(clock::now());
        }
    }

    fn ticked(&mut self) {
        // While something is being written its outcome is not known yet: time waits for it.
        if self.running.is_some() || !self.state.jobs.is_empty() {
            return;
        }
        let now = clock::now();
        self.state.ticked(now);
        if self.state.awaits_evidence() {
            self.viewers.look();
        }
        if self.looked.is_recent(now) && self.wants_writer() {
            self.prepare();
        }
    }

    /// At once for what a person waits for; at a pace for telemetry; and always now and then, so that
    /// ages stay true.
    fn publish_if_due(&mut self) {
        let since = self.published.elapsed();
        let due = self.state.is_dirty()
            || (self.state.observed.is_telemetry_dirty() && since >= TELEMETRY_PACE)
            || since >= self.settings.refresh.max(TELEMETRY_PACE);
        if !due {
            return;
        }
        let Some(core) = self.core.upgrade() else { return };
        let now = clock::now();
        let parts = self.state.parts(now);
        let sample = Arc::clone(&self.state.observed.sample);
        let snapshot = ClusterSnapshot::compose(Arc::clone(&self.settings), sample, parts, now);
        core.publisher.publish(self.at, snapshot);
        self.published = Instant::now();
        self.stats.published();
    }
}

/// Up to three times as long, by chance: of several Flowdecks that nobody looks at one is the first, and the
/// others see what it wrote before it is their turn.
fn patience(least: Duration) -> Duration {
    let (random, _) = uuid::Uuid::new_v4().as_u64_pair();
    let part = f64::from((random >> 32) as u32) / f64::from(u32::MAX);
    least + (least * 2).mul_f64(part)
}

async fn running(job: &mut Option<Running>) -> (Writers, WriteOutcome) {
    match job {
        Some(job) => job.await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn several_that_are_idle_are_not_idle_for_the_same_time() {
        let least = Duration::from_secs(6);
        let drawn: std::collections::BTreeSet<Duration> = (0..100).map(|_| patience(least)).collect();
        assert!(drawn.iter().all(|one| (least..=3 * least).contains(one)), "{drawn:?}");
        assert!(drawn.len() > 90, "{drawn:?}");
    }
}
