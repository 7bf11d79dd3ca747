//! KafkaFlow's worker pool: a bounded channel for each worker, keys bound to workers. A pause stops
//! the fetching only: what lies in the channels goes on, up to workers × buffer records.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::flow::Place;
use super::offsets::Offsets;
use super::{LAST_RECORDS, say};

/// KafkaFlow's WorkerStopTimeout.
const STOP_TIMEOUT: Duration = Duration::from_secs(30);

#[derive(Debug)]
pub(super) struct Job {
    pub(super) place: Place,
    pub(super) offset: i64,
}

/// What a worker does with a record.
#[derive(Debug, Clone)]
pub(super) struct Work {
    pub(super) handle: Duration,
    pub(super) trace: bool,
    pub(super) offsets: Arc<Mutex<Offsets>>,
}

#[derive(Debug)]
pub(super) struct Pool {
    lanes: Vec<mpsc::Sender<Job>>,
    tasks: TaskTracker,
    discard: CancellationToken,
}

impl Pool {
    /// Must be called inside the runtime.
    pub(super) fn start(workers: usize, buffer: usize, work: &Work) -> Self {
        let (tasks, discard) = (TaskTracker::new(), CancellationToken::new());
        let lanes = (0..workers.max(1)).map(|_| {
            let (lane, jobs) = mpsc::channel(buffer.max(1));
            tasks.spawn(worker(jobs, work.clone(), discard.clone()));
            lane
        });
        Self { lanes: lanes.collect(), tasks, discard }
    }

    /// KafkaFlow's BytesSum distribution: records without a key all go to the first worker.
    pub(super) fn lane(&self, key: Option<&[u8]>) -> mpsc::Sender<Job> {
        let sum: usize = key.unwrap_or_default().iter().map(|byte| usize::from(*byte)).sum();
        self.lanes[sum % self.lanes.len()].clone()
    }

    /// Lets the channels run empty, for 30 s, or for a moment where the process ends; then drops
    /// what is left, uncommitted.
    pub(super) async fn stop(self, end: &CancellationToken) {
        drop(self.lanes);
        self.tasks.close();
        let hurry = async {
            end.cancelled().await;
            tokio::time::sleep(LAST_RECORDS).await;
        };
        tokio::select! {
            () = self.tasks.wait() => return,
            () = tokio::time::sleep(STOP_TIMEOUT) => {}
            () = hurry => {}
        }
        self.discard.cancel();
        self.tasks.wait().await;
    }
}

async fn worker(mut jobs: mpsc::Receiver<Job>, work: Work, discard: CancellationToken) {
    let all = async {
        while let Some(job) = jobs.recv().await {
            handle(&job, &work).await;
        }
    };
    discard.run_until_cancelled(all).await;
}

async fn handle(job: &Job, work: &Work) {
    line("started", job, work);
    if !work.handle.is_zero() {
        tokio::time::sleep(work.handle).await;
    }
    line("handled", job, work);
    work.offsets.lock().unwrap_or_else(PoisonError::into_inner).end(&job.place, job.offset);
}

fn line(what: &str, job: &Job, work: &Work) {
    if work.trace {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
        say(&format!("{what} {} {} {} {now}", job.place.0, job.place.1, job.offset));
    }
}
