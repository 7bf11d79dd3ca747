//! Readers of pages, API and streams: every answer within its time, whatever happens behind the server.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::site::Site;
use crate::support::soon;
use crate::world::World;

/// Beside these a group may be unknown (404, 503) to a server that has just begun.
const ALWAYS: [&str; 5] =
    ["/kafkaflow", "/kafkaflow/api/v1/groups", "/health/live", "/metrics", "/kafkaflow/c/shop/topics"];
const OF_THE_GROUP: [&str; 2] =
    ["/kafkaflow/c/shop/groups/payments", "/kafkaflow/api/v1/clusters/shop/groups/payments"];
const STREAMS: [&str; 2] =
    ["/kafkaflow/events?view=fleet", "/kafkaflow/events?view=group&cluster=shop&group=payments"];
/// A page greys after 10 s without a word; a busy machine has a little more.
const SILENCE: Duration = Duration::from_secs(12);

#[derive(Default)]
struct Counts {
    answers: AtomicUsize,
    slowest_ms: AtomicUsize,
    streams: AtomicUsize,
    events: AtomicUsize,
}

pub(crate) struct Watching {
    stop: CancellationToken,
    tasks: Vec<JoinHandle<()>>,
    counts: Arc<Counts>,
}

pub(crate) fn start(world: &World) -> Watching {
    let (stop, counts) = (CancellationToken::new(), Arc::<Counts>::default());
    let mut tasks = vec![tokio::spawn(pages(world.site.clone(), Arc::clone(&counts), stop.clone()))];
    for path in STREAMS {
        tasks.push(tokio::spawn(streams(path, world.site.clone(), Arc::clone(&counts), stop.clone())));
    }
    Watching { stop, tasks, counts }
}

impl Watching {
    /// Ends the readers; what one of them found wrong is this test's end, too.
    pub(crate) async fn end(self) -> impl fmt::Display {
        self.stop.cancel();
        for task in self.tasks {
            task.await.expect("a reader");
        }
        let count = |number: &AtomicUsize| number.load(Ordering::Relaxed);
        let Counts { answers, slowest_ms, streams, events } = &*self.counts;
        assert!(count(answers) > 0 && count(events) > 0, "nothing was read");
        format!(
            "{} pages and answers, the slowest in {} ms; {} streams with {} events",
            count(answers),
            count(slowest_ms),
            count(streams),
            count(events)
        )
    }
}

async fn pages(site: Site, counts: Arc<Counts>, stop: CancellationToken) {
    for turn in 0.. {
        if stop.is_cancelled() {
            return;
        }
        let of_the_group = turn % 3 == 2;
        let path = if of_the_group { OF_THE_GROUP[turn / 3 % 2] } else { ALWAYS[turn % ALWAYS.len()] };
        if let Some(said) = site.get(path).await {
            let most = soon();
            assert!(said.took < most, "{path} took {:?}, where {most:?} were allowed", said.took);
            let good = said.status == 200 || (of_the_group && [404, 503].contains(&said.status));
            assert!(good, "{path}: {} {}", said.status, said.text);
            counts.answers.fetch_add(1, Ordering::Relaxed);
            counts.slowest_ms.fetch_max(said.took.as_millis() as usize, Ordering::Relaxed);
        }
        tokio::time::sleep(Duration::from_millis(150)).await;
    }
}

/// Reads a stream for some time and opens it again, as pages do that come and go.
async fn streams(path: &'static str, site: Site, counts: Arc<Counts>, stop: CancellationToken) {
    while !stop.is_cancelled() {
        let life = site.life();
        let Some(mut response) = site.open(path).await.filter(|response| response.status() == 200) else {
            tokio::time::sleep(Duration::from_millis(300)).await;
            continue;
        };
        counts.streams.fetch_add(1, Ordering::Relaxed);
        let until = Instant::now() + Duration::from_secs(20);
        while Instant::now() < until && !stop.is_cancelled() {
            let chunk = tokio::time::timeout(SILENCE, response.chunk()).await;
            if site.life() != life {
                break;
            }
            let chunk = chunk.unwrap_or_else(|_| panic!("{path}: no word for {SILENCE:?}"));
            // Ended with a `bye`, as where the group is not known any more.
            let Ok(Some(_)) = chunk else { break };
            counts.events.fetch_add(1, Ordering::Relaxed);
        }
    }
}
