//! What the agent's threads and workers share: the lanes and the view of the holds behind one lock
//! that is held for microseconds, the signals between them, and the counts.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use flowdeck_model::Timestamp;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::admin::AdminCommands;
use crate::arrivals::Arrivals;
use crate::config::Settings;
use crate::health::Vitals;
use crate::history::History;
use crate::lanes::{Gate, Lanes, Retry, Run, RunOutcome, Seen};
use crate::observed::Observed;
use crate::per_worker::PerWorker;
use crate::record::TopicPartition;
use crate::running::Counts;
use crate::source::{Errors, Source};
use crate::view::{HoldsStatus, View};
use crate::workers::Pool;

pub(crate) struct Shared {
    pub(crate) settings: Settings,
    state: Mutex<State>,
    /// A lane came back, or the view is settled.
    moved: Condvar,
    pub(crate) arrivals: Arc<Arrivals>,
    /// Lanes that wait for a worker.
    ready: Arc<AtomicUsize>,
    /// Workers that wait for a lane.
    idle: AtomicUsize,
    pub(crate) errors: Arc<Errors>,
    /// No handler shall start any more; workers end.
    pub(crate) draining: CancellationToken,
    /// The consumer shall commit and leave its group.
    pub(crate) closing: CancellationToken,
    /// The control thread shall say good-bye for this agent.
    pub(crate) finishing: CancellationToken,
    /// Something changed that telemetry or an answer may have to tell.
    news: AtomicBool,
    pub(crate) counts: Counting,
    pub(crate) pool: Pool,
    pub(crate) history: History,
    pub(crate) observed: Observed,
    pub(crate) vitals: Vitals,
    /// The view is settled, for those who wait without a thread.
    pub(crate) settled: Notify,
    pub(crate) admin: AdminCommands,
}

pub(crate) struct State {
    pub(crate) lanes: Lanes,
    pub(crate) view: View,
    /// Threads that wait for `moved`.
    waiters: usize,
}

/// Of lanes that wait for a worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Queue {
    Empty,
    /// For each lane a worker was woken, which has not come yet.
    Woken,
    /// More lanes than workers wait.
    Lanes,
}

/// Monotonic counts since the start.
#[derive(Debug, Default)]
pub(crate) struct Counting {
    pub(crate) handled: PerWorker,
    pub(crate) failed: AtomicU64,
    pub(crate) skipped: AtomicU64,
    pub(crate) redrives_of_others: AtomicU64,
    pub(crate) dead_lettered: AtomicU64,
    pub(crate) retry_topics: AtomicU64,
    pub(crate) dropped_uncommitted: AtomicU64,
    pub(crate) telemetry_dropped: AtomicU64,
    pub(crate) answers_dropped: AtomicU64,
    pub(crate) records_not_understood: AtomicU64,
}

impl Counting {
    pub(crate) fn read(&self) -> Counts {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        Counts {
            handled: self.handled.sum(),
            failed: read(&self.failed),
            skipped: read(&self.skipped),
            redrives_of_others: read(&self.redrives_of_others),
            dead_lettered: read(&self.dead_lettered),
            retry_topics: read(&self.retry_topics),
            dropped_uncommitted: read(&self.dropped_uncommitted),
            telemetry_dropped: read(&self.telemetry_dropped),
            answers_dropped: read(&self.answers_dropped),
            records_not_understood: read(&self.records_not_understood),
        }
    }
}

pub(crate) fn add(count: &AtomicU64, n: usize) {
    count.fetch_add(u64::try_from(n).unwrap_or(u64::MAX), Ordering::Relaxed);
}

pub(crate) fn now() -> Timestamp {
    Timestamp::from_system(SystemTime::now())
}

impl Shared {
    pub(crate) fn new(settings: Settings) -> Self {
        let arrivals = Arc::<Arrivals>::default();
        let lanes =
            Lanes::new(settings.distribution, settings.workers, settings.buffer, Arc::clone(&arrivals));
        Self {
            ready: lanes.ready_length(),
            state: Mutex::new(State { lanes, view: View::new(&settings), waiters: 0 }),
            idle: AtomicUsize::new(0),
            moved: Condvar::new(),
            arrivals,
            errors: Arc::new(Errors::new(settings.group.clone())),
            pool: Pool::new(settings.workers),
            history: History::default(),
            observed: Observed::new(&settings.group),
            vitals: Vitals::new(),
            settled: Notify::new(),
            admin: AdminCommands::default(),
            settings,
            draining: CancellationToken::new(),
            closing: CancellationToken::new(),
            finishing: CancellationToken::new(),
            news: AtomicBool::new(false),
            counts: Counting::default(),
        }
    }

    /// A poisoned lock is used on: no code panics while it is held but by a bug, and the host must
    /// not be taken down by one.
    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn tell(&self) {
        self.news.store(true, Ordering::Release);
    }

    pub(crate) fn take_news(&self) -> bool {
        self.news.swap(false, Ordering::AcqRel)
    }

    /// Takes back what a worker had, and gives it the next lane; `None` once the agent drains, or where there are
    /// more workers than there shall be.
    pub(crate) async fn next_run(&self, mut back: Option<Run>) -> Option<Run> {
        loop {
            let work = self.arrivals.work.notified();
            if self.pool.may_end() {
                if let Some(run) = back.take() {
                    self.finish_run(run);
                }
                // It may have been woken for a lane, which another one takes now.
                self.arrivals.work.notify_one();
                return None;
            }
            let (run, more) = self.exchange(back.take());
            if more {
                // A permit wakes one worker; each wakes the next.
                self.arrivals.work.notify_one();
            }
            if run.is_some() {
                return run;
            }
            if self.draining.is_cancelled() {
                return None;
            }
            self.idle.fetch_add(1, Ordering::Relaxed);
            tokio::select! {
                () = work => {}
                () = self.draining.cancelled() => {}
            }
            self.idle.fetch_sub(1, Ordering::Relaxed);
        }
    }

    /// The next lane, and whether there are more. What is to be tried again is given back by `finish_run`.
    fn exchange(&self, back: Option<Run>) -> (Option<Run>, bool) {
        let mut state = self.lock();
        let given = back.map(|run| state.lanes.finish_run(run));
        let (run, more, waiters) = (state.lanes.take(), state.lanes.any_ready(), state.waiters);
        drop(state);
        if let Some(given) = given {
            self.after_run(given, waiters);
        }
        (run, more)
    }

    pub(crate) fn finish_run(&self, run: Run) -> Option<Retry> {
        let (given, waiters) = self.change(|state| (state.lanes.finish_run(run), state.waiters));
        self.after_run(given, waiters)
    }

    fn after_run(&self, given: RunOutcome, waiters: usize) -> Option<Retry> {
        if given.dropped > 0 {
            add(&self.counts.dropped_uncommitted, given.dropped);
        }
        if waiters > 0 {
            self.moved.notify_all();
        }
        if given.news {
            self.tell();
        }
        given.retry
    }

    /// Who waits for what.
    pub(crate) fn queue(&self) -> Queue {
        let waits = self.ready.load(Ordering::Relaxed) + usize::from(self.arrivals.any());
        if waits == 0 {
            Queue::Empty
        } else if waits <= self.idle.load(Ordering::Relaxed) {
            Queue::Woken
        } else {
            Queue::Lanes
        }
    }

    pub(crate) fn backed_off(&self, retry: &Retry) {
        self.change(|state| state.lanes.backed_off(retry));
    }

    /// Changes the state, and wakes a worker if there is work then.
    pub(crate) fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let (result, work) = {
            let mut state = self.lock();
            let result = change(&mut state);
            (result, state.lanes.any_ready())
        };
        if work {
            self.arrivals.work.notify_one();
        }
        result
    }

    /// New partitions. Their gates stay shut until the holds were read up to their present end (or
    /// until a check said that there still are none): an older view may lack a pause that another
    /// instance has already acknowledged.
    pub(crate) fn assign(&self, partitions: Vec<(Arc<TopicPartition>, Option<Source>)>) {
        let now = now();
        self.change(|state| {
            let State { lanes, view, .. } = state;
            lanes.assign(partitions, |at| match view.status() {
                HoldsStatus::Reading | HoldsStatus::Known | HoldsStatus::Absent => Gate::Pending,
                HoldsStatus::Unknown(_) if view.holds(&self.settings, at, now) => Gate::Held,
                HoldsStatus::Unknown(_) => Gate::Open,
            });
        });
        self.tell();
    }

    /// Sets the gates by the view; pending lanes up to `ticket`. Says whether a gate moved.
    pub(crate) fn regate(&self, ticket: u64) -> bool {
        let now = now();
        let moved = self.change(|state| {
            let State { lanes, view, .. } = state;
            lanes.regate(ticket, |at| view.holds(&self.settings, at, now))
        });
        if moved {
            self.tell();
        }
        moved
    }

    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.lock().lanes.seen()
    }

    /// Waits until nothing of `partitions` is in flight. False where that took longer.
    pub(crate) fn wait_idle(&self, partitions: &[TopicPartition], limit: Duration) -> bool {
        self.wait(limit, |state| !state.lanes.any_in_flight(partitions))
    }

    /// Waits until the holds are known, absent, or given up. False where that took longer.
    pub(crate) fn wait_settled(&self, limit: Duration) -> bool {
        self.wait(limit, |state| *state.view.status() != HoldsStatus::Reading)
    }

    /// The cluster answered, and what it holds is known as far as it can be.
    pub(crate) fn is_ready(&self) -> bool {
        let connected = !self.vitals.brokers_down.load(Ordering::Acquire);
        connected && *self.lock().view.status() != HoldsStatus::Reading
    }

    pub(crate) fn set_connected(&self, connected: bool) {
        self.vitals.brokers_down.store(!connected, Ordering::Release);
        self.settled.notify_waiters();
    }

    pub(crate) fn settled(&self) {
        self.settled.notify_waiters();
        self.moved.notify_all();
    }

    fn wait(&self, limit: Duration, over: impl Fn(&State) -> bool) -> bool {
        let end = Instant::now() + limit;
        let mut state = self.lock();
        loop {
            if over(&state) {
                return true;
            }
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            state.waiters += 1;
            state = self.moved.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
            state.waiters -= 1;
        }
    }

    /// No handler starts any more.
    pub(crate) fn drain(&self) {
        self.lock().lanes.close();
        self.draining.cancel();
    }

    /// Everything ends by itself, without waiting.
    pub(crate) fn abandon(&self) {
        self.drain();
        self.closing.cancel();
        self.finishing.cancel();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::tests::settings;

    /// The view may be older than an ack that another instance has sent for the partition.
    #[test]
    fn an_assignment_waits_for_fresh_holds_unless_they_are_unknown() {
        for (status, gate) in [
            (HoldsStatus::Reading, Gate::Pending),
            (HoldsStatus::Known, Gate::Pending),
            (HoldsStatus::Absent, Gate::Pending),
            (HoldsStatus::Unknown("no rights".into()), Gate::Open),
        ] {
            let shared = Shared::new(settings());
            shared.lock().view.set_status(status.clone());
            shared.assign(vec![(Arc::new(TopicPartition::parse("t", 0).unwrap()), None)]);
            assert_eq!(shared.seen()[0].gate, gate, "{status:?}");
        }
    }

    #[tokio::test]
    async fn a_lane_waits_for_the_worker_that_was_woken_or_for_a_turn_to_end() {
        let shared = Shared::new(settings());
        shared.lock().view.set_status(HoldsStatus::Unknown("no rights".into()));
        let partitions =
            (0..2).map(|partition| (Arc::new(TopicPartition::parse("t", partition).unwrap()), None));
        shared.assign(partitions.collect());
        for partition in 0..2 {
            shared.change(|state| state.lanes.push(crate::Record::test("t", partition, 0)));
        }
        let run = shared.next_run(None).await.unwrap();
        assert_eq!(shared.queue(), Queue::Lanes, "one of two");
        let other = shared.next_run(None).await.unwrap();
        assert_eq!(shared.queue(), Queue::Empty);
        let (idle, ()) = tokio::join!(shared.next_run(None), async {
            // The idle worker was polled first, and waits.
            shared.finish_run(run);
            assert_eq!(shared.queue(), Queue::Woken);
        });
        assert!(idle.is_some());
        shared.finish_run(other);
        assert_eq!(shared.queue(), Queue::Lanes);
    }

    #[tokio::test]
    async fn draining_ends_the_workers_at_once() {
        let shared = Shared::new(settings());
        let (run, ()) = tokio::join!(shared.next_run(None), async { shared.drain() });
        assert!(run.is_none());
    }
}
