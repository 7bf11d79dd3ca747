//! How often a cluster is refreshed. While somebody looks: at the configured interval. While nobody
//! does, a refresh takes a bounded share of the time, so that a cluster with ten thousand groups costs
//! little; a look ends that at once.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use flowdeck_model::GroupId;
use tokio::sync::watch;
use tokio::time::Instant;

/// Whoever looked so long ago may still be there: a page without JavaScript asks once.
const LOOK_COUNTS: Duration = Duration::from_secs(30);
/// While nobody looks, a refresh takes one part in so many of the time.
const IDLE_PARTS: u32 = 8;
/// While nobody looks, a reading is never older than this, so that it is never stale.
const IDLE_MAX: Duration = Duration::from_secs(15);

/// When somebody last asked for what is known of the cluster, and the groups that every refresh reads.
#[derive(Debug, Clone, Default)]
pub struct Viewers {
    looked: Arc<watch::Sender<Option<Instant>>>,
    followed: Arc<Mutex<HashSet<GroupId>>>,
    readers: Arc<Mutex<Arc<HashSet<GroupId>>>>,
}

impl Viewers {
    /// Somebody asks now, or waits for something to happen.
    pub fn look(&self) {
        self.looked.send_replace(Some(Instant::now()));
    }

    /// These are held, or an operation on them waits for evidence: their commits are read in every refresh.
    pub fn follow(&self, groups: HashSet<GroupId>) {
        *self.followed.lock().unwrap_or_else(PoisonError::into_inner) = groups;
    }

    pub(crate) fn followed(&self) -> HashSet<GroupId> {
        self.followed.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Groups that read committed records only, as their agents tell.
    pub fn tell_readers_of_committed(&self, groups: HashSet<GroupId>) {
        *self.readers.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(groups);
    }

    pub(crate) fn readers_of_committed(&self) -> Arc<HashSet<GroupId>> {
        Arc::clone(&self.readers.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub fn pace(&self, refresh: Duration) -> Pace {
        Pace { refresh, viewed: self.looked.subscribe() }
    }
}

/// Waits from one refresh to the next.
pub struct Pace {
    refresh: Duration,
    viewed: watch::Receiver<Option<Instant>>,
}

impl Pace {
    /// Returns once the next refresh is due. The last one began at `started` and is over.
    pub async fn next(&mut self, started: Instant) {
        let ended = Instant::now();
        let took = ended - started;
        // A refresh that takes longer than the interval still leaves the brokers a pause.
        let viewed_at = (started + self.refresh).max(ended + self.refresh / 4);
        let idle_at = (started + idle_interval(self.refresh, took)).max(viewed_at);
        if !self.is_viewed() && viewed_at < idle_at {
            tokio::select! {
                () = tokio::time::sleep_until(idle_at) => return,
                () = self.look() => {}
            }
        }
        tokio::time::sleep_until(viewed_at).await;
    }

    fn is_viewed(&mut self) -> bool {
        self.viewed.borrow_and_update().is_some_and(|at| at.elapsed() < LOOK_COUNTS)
    }

    async fn look(&mut self) {
        if self.viewed.changed().await.is_err() {
            // Nobody is left who could look.
            std::future::pending::<()>().await;
        }
    }
}

/// From the start of a refresh that took so long to the start of the next, while nobody looks.
fn idle_interval(refresh: Duration, took: Duration) -> Duration {
    (took * IDLE_PARTS).min(IDLE_MAX).max(refresh)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn idle_interval_grows_with_the_cost_of_a_refresh_up_to_a_bound() {
        let millis = Duration::from_millis;
        for (refresh, took, want) in [
            (millis(2_000), millis(10), millis(2_000)),
            (millis(2_000), millis(250), millis(2_000)),
            (millis(2_000), millis(1_000), millis(8_000)),
            (millis(2_000), millis(9_000), millis(15_000)),
            (millis(60_000), millis(9_000), millis(60_000)),
        ] {
            assert_eq!(idle_interval(refresh, took), want, "{refresh:?} {took:?}");
        }
    }

    #[tokio::test]
    async fn a_look_ends_the_wait_of_an_idle_refresh() {
        let viewers = Viewers::default();
        let mut pace = viewers.pace(Duration::from_millis(100));
        let began = Instant::now();
        // It took 2 s: without a look the next one is 14 s away.
        let wait = tokio::spawn(async move { pace.next(began - Duration::from_secs(2)).await });
        tokio::time::sleep(Duration::from_millis(50)).await;
        assert!(!wait.is_finished());
        viewers.look();
        wait.await.unwrap();
        assert!(began.elapsed() < Duration::from_secs(8), "{:?}", began.elapsed());
    }

    #[tokio::test]
    async fn while_somebody_looks_the_interval_is_the_configured_one() {
        let viewers = Viewers::default();
        viewers.look();
        let mut pace = viewers.pace(Duration::from_millis(100));
        let began = Instant::now();
        pace.next(began - Duration::from_secs(2)).await;
        assert!(began.elapsed() < Duration::from_secs(8), "{:?}", began.elapsed());
    }
}
