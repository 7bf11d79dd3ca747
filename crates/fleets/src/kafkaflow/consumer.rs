//! One KafkaFlow consumer: a client, the thread that feeds its workers, its commits. Start and stop
//! make and drop the client, as KafkaFlow does.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use flowdeck_model::ConsumerName;
use flowdeck_protocol::kafkaflow::ConsumerStatus;
use rdkafka::client::ClientContext;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer as _, ConsumerContext, Rebalance};
use rdkafka::error::KafkaResult;
use rdkafka::message::{BorrowedMessage, Message};
use rdkafka::{Offset, TopicPartitionList};
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::flow::{Flow, Place};
use super::lock_up::{LockUp, Revoked};
use super::offsets::Offsets;
use super::workers::{Job, Pool, Work};
use super::{Identity, Options, Protocol};

const POLL: Duration = Duration::from_millis(100);
const OFFSETS_TIMEOUT: Duration = Duration::from_secs(5);
const LAG_TIMEOUT: Duration = Duration::from_secs(1);

type Client = BaseConsumer<Session>;

pub(super) struct Consumer {
    options: Options,
    identity: Identity,
    shared: Arc<Shared>,
    life: Mutex<Option<Life>>,
}

/// From a start to the next stop.
struct Life {
    stop: CancellationToken,
    feeder: thread::JoinHandle<()>,
}

struct Shared {
    flow: Mutex<Flow>,
    offsets: Arc<Mutex<Offsets>>,
    pool: Mutex<Option<Pool>>,
    client: Mutex<Option<Arc<Client>>>,
    workers: Mutex<usize>,
    /// What a reset or rewind commits once the workers have stopped.
    moved: Mutex<Vec<(Place, i64)>>,
    assigned: watch::Sender<bool>,
    lock_up: LockUp,
    /// A record waits for space in the workers' buffers.
    waits: AtomicBool,
    /// Of the present life.
    stop: Mutex<CancellationToken>,
    runtime: Handle,
    /// The process ends.
    end: CancellationToken,
    options: Options,
}

/// What a test cannot poison: no lock here is held over a call that panics.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Consumer {
    /// Must be called inside the runtime.
    pub(super) fn new(options: Options, identity: Identity, end: CancellationToken) -> Self {
        let shared = Arc::new(Shared {
            flow: Mutex::new(Flow::new(options.protocol)),
            offsets: Arc::default(),
            pool: Mutex::default(),
            client: Mutex::default(),
            workers: Mutex::new(options.workers),
            moved: Mutex::default(),
            assigned: watch::Sender::new(false),
            lock_up: LockUp::default(),
            waits: AtomicBool::new(false),
            stop: Mutex::default(),
            runtime: Handle::current(),
            end,
            options: options.clone(),
        });
        Self { options, identity, shared, life: Mutex::default() }
    }

    pub(super) fn name(&self) -> &ConsumerName {
        &self.identity.consumer
    }

    pub(super) fn identity(&self) -> &Identity {
        &self.identity
    }

    pub(super) fn workers(&self) -> usize {
        *lock(&self.shared.workers)
    }

    pub(super) fn set_workers(&self, workers: usize) {
        *lock(&self.shared.workers) = workers;
    }

    pub(super) fn flow(&self) -> MutexGuard<'_, Flow> {
        lock(&self.shared.flow)
    }

    /// Until the first assignment, an empty one too.
    pub(super) async fn assigned(&self) {
        let mut assigned = self.shared.assigned.subscribe();
        // The sender lives in `shared`, so the wait ends by the value only.
        let _ = assigned.wait_for(|assigned| *assigned).await;
    }

    pub(super) fn start(&self) -> KafkaResult<()> {
        let mut life = lock(&self.life);
        if life.is_some() || self.shared.end.is_cancelled() {
            return Ok(());
        }
        let client = Arc::new(self.client()?);
        *lock(&self.shared.client) = Some(client.clone());
        let stop = self.shared.end.child_token();
        lock(&self.shared.stop).clone_from(&stop);
        let feeder = thread::spawn({
            let (shared, stop) = (self.shared.clone(), stop.clone());
            move || feed(&shared, client, &stop)
        });
        self.shared.runtime.spawn(commit_now_and_then(self.shared.clone(), stop.clone()));
        *life = Some(Life { stop, feeder });
        Ok(())
    }

    /// Blocks until the workers are done and the group is left.
    pub(super) fn stop(&self) {
        let Some(life) = lock(&self.life).take() else { return };
        life.stop.cancel();
        self.shared.lock_up.stopped();
        if life.feeder.join().is_err() {
            tracing::error!("the feeding thread panicked");
        }
    }

    fn client(&self) -> KafkaResult<Client> {
        let strategy = match self.options.protocol {
            Protocol::ClassicEager => "range",
            Protocol::ClassicCooperative => "cooperative-sticky",
        };
        // Its defaults, where KafkaFlow has latest: the demo wants to read what is there.
        let mut config = self.options.cluster.consumer();
        config
            .set("group.id", &self.options.group)
            .set("client.id", self.identity.instance.as_str())
            .set("enable.auto.commit", "false")
            .set("enable.auto.offset.store", "false")
            .set("partition.assignment.strategy", strategy);
        // What the command line says wins.
        for (name, value) in &self.options.cluster.properties {
            config.set(name, value);
        }
        let client: Client = config.create_with_context(Session(self.shared.clone()))?;
        let topics: Vec<&str> = self.options.topics.iter().map(String::as_str).collect();
        client.subscribe(&topics)?;
        Ok(client)
    }

    pub(super) fn pause(&self, places: BTreeSet<Place>) -> KafkaResult<()> {
        let Some(client) = lock(&self.shared.client).clone() else { return Ok(()) };
        let mut flow = lock(&self.shared.flow);
        let new = flow.pause(places);
        if flow.status() == ConsumerStatus::Paused {
            self.shared.lock_up.paused(self.shared.waits.load(Ordering::SeqCst));
        }
        if new.is_empty() { Ok(()) } else { client.pause(&list(&new)) }
    }

    pub(super) fn resume(&self, places: BTreeSet<Place>) -> KafkaResult<()> {
        let Some(client) = lock(&self.shared.client).clone() else { return Ok(()) };
        let mut flow = lock(&self.shared.flow);
        let resumed = flow.resume(places);
        self.shared.lock_up.resumed();
        if resumed.is_empty() { Ok(()) } else { client.resume(&list(&resumed)) }
    }

    /// To the first record at or after a time, in milliseconds; committed by the stop that follows. Sharp edge:
    /// partitions without such a record are skipped, and so is what is not assigned.
    pub(super) fn move_offsets(&self, topics: &[&str], time: i64) -> KafkaResult<()> {
        let Some(client) = lock(&self.shared.client).clone() else { return Ok(()) };
        let mut asked = TopicPartitionList::new();
        for (topic, partition) in lock(&self.shared.flow).filter(topics) {
            asked.add_partition_offset(&topic, partition, Offset::Offset(time))?;
        }
        let found = client.offsets_for_times(asked, OFFSETS_TIMEOUT)?;
        let moved = found.elements().into_iter().filter_map(|element| match element.offset() {
            Offset::Offset(offset) => Some(((element.topic().to_owned(), element.partition()), offset)),
            _ => None,
        });
        *lock(&self.shared.moved) = moved.collect();
        Ok(())
    }

    /// The lag as KafkaFlow reports it: from its own commits, and 0 wherever that position is 0.
    pub(super) fn lag(&self, topic: &str) -> i64 {
        let Some(client) = lock(&self.shared.client).clone() else { return 0 };
        let places = lock(&self.shared.flow).filter(&[topic]);
        places.iter().map(|place| self.lag_of(&client, place)).sum()
    }

    fn lag_of(&self, client: &Client, place: &Place) -> i64 {
        let committed = lock(&self.shared.offsets).position(place);
        let position = committed.or_else(|| position(client, place)).unwrap_or(0).max(0);
        if position == 0 {
            return 0;
        }
        match client.fetch_watermarks(&place.0, place.1, LAG_TIMEOUT) {
            Ok((_, high)) => high.max(0) - position,
            Err(_) => 0,
        }
    }
}

fn position(client: &Client, place: &Place) -> Option<i64> {
    let positions = client.position().ok()?;
    match positions.find_partition(&place.0, place.1)?.offset() {
        Offset::Offset(offset) => Some(offset),
        _ => None,
    }
}

/// KafkaFlow's WorkerPoolFeeder. A full channel blocks it, and with it the polling.
fn feed(shared: &Shared, client: Arc<Client>, stop: &CancellationToken) {
    while !stop.is_cancelled() {
        match client.poll(POLL) {
            None => {}
            Some(Ok(message)) => enqueue(shared, &message, stop),
            Some(Err(error)) => tracing::warn!(%error, "Kafka Consumer Error"),
        }
    }
    shared.stop_pool();
    shared.commit(&client);
    shared.commit_moved(&client);
    *lock(&shared.client) = None;
    // Leaves the group; the rebalance callback runs inside.
    drop(client);
    lock(&shared.flow).stop();
}

fn enqueue(shared: &Shared, message: &BorrowedMessage<'_>, stop: &CancellationToken) {
    let Some(lane) = lock(&shared.pool).as_ref().map(|pool| pool.lane(message.key())) else { return };
    let place = (message.topic().to_owned(), message.partition());
    lock(&shared.offsets).begin(&place, message.offset());
    let job = Job { place, offset: message.offset() };
    // The workers outlive their channel: a send fails only when the pool is being dropped.
    shared.waits.store(lane.capacity() == 0, Ordering::SeqCst);
    let _ = shared.runtime.block_on(stop.run_until_cancelled(lane.send(job)));
}

async fn commit_now_and_then(shared: Arc<Shared>, stop: CancellationToken) {
    let mut ticks = tokio::time::interval(Duration::from_millis(shared.options.commit_ms.max(1)));
    while stop.run_until_cancelled(ticks.tick()).await.is_some() {
        let Some(client) = lock(&shared.client).clone() else { continue };
        let shared = shared.clone();
        let commit = tokio::task::spawn_blocking(move || shared.commit(&client));
        if commit.await.is_err() {
            tracing::error!("a commit panicked");
        }
    }
}

impl Shared {
    fn stop_pool(&self) {
        let pool = lock(&self.pool).take();
        if let Some(pool) = pool {
            self.runtime.block_on(pool.stop(&self.end));
        }
    }

    fn start_pool(&self) {
        let _inside = self.runtime.enter();
        let work = Work {
            handle: Duration::from_millis(self.options.handle_ms),
            trace: self.options.trace,
            offsets: self.offsets.clone(),
        };
        let pool = Pool::start(*lock(&self.workers), self.options.buffer, &work);
        *lock(&self.pool) = Some(pool);
    }

    /// Sharp edge: it polls in a task that waits for the resume, and the revocation waits for that task.
    fn answer_or_lock_up(&self, revoked: &BTreeSet<Place>) {
        let stop = lock(&self.stop).clone();
        if !self.options.locks_up || stop.is_cancelled() {
            return;
        }
        let until = match self.lock_up.revoked() {
            Revoked::Answered => return,
            Revoked::Locked => stop,
            Revoked::Lost => self.end.clone(),
        };
        lock(&self.flow).revoke(revoked);
        tracing::warn!("locked up");
        self.runtime.block_on(until.cancelled());
    }

    fn commit(&self, client: &Client) {
        let offsets = lock(&self.offsets).to_commit();
        if commit(client, &offsets) {
            lock(&self.offsets).committed(&offsets);
        }
    }

    fn commit_moved(&self, client: &Client) {
        let moved = std::mem::take(&mut *lock(&self.moved));
        commit(client, &moved);
    }
}

/// Whether there was anything, and Kafka took it.
fn commit(client: &Client, offsets: &[(Place, i64)]) -> bool {
    if offsets.is_empty() {
        return false;
    }
    let mut list = TopicPartitionList::new();
    for ((topic, partition), offset) in offsets {
        if let Err(error) = list.add_partition_offset(topic, *partition, Offset::Offset(*offset)) {
            tracing::warn!(%error, topic, partition, offset, "no offset to commit");
        }
    }
    let committed = client.commit(&list, CommitMode::Sync);
    if let Err(error) = &committed {
        tracing::warn!(%error, "Error Commiting Offsets");
    }
    committed.is_ok()
}

fn list(places: &BTreeSet<Place>) -> TopicPartitionList {
    let mut list = TopicPartitionList::new();
    for (topic, partition) in places {
        list.add_partition(topic, *partition);
    }
    list
}

fn places(list: &TopicPartitionList) -> BTreeSet<Place> {
    list.elements().iter().map(|element| (element.topic().to_owned(), element.partition())).collect()
}

/// The client's callbacks; they run inside `poll`, on the feeding thread.
struct Session(Arc<Shared>);

impl ClientContext for Session {}

impl ConsumerContext for Session {
    fn pre_rebalance(&self, client: &Client, rebalance: &Rebalance<'_>) {
        let Rebalance::Revoke(revoked) = rebalance else { return };
        let revoked = places(revoked);
        tracing::warn!(?revoked, "Partitions revoked");
        self.0.answer_or_lock_up(&revoked);
        self.0.stop_pool();
        self.0.commit(client);
        lock(&self.0.offsets).forget(&revoked);
        let mut flow = lock(&self.0.flow);
        flow.revoke(&revoked);
        if flow.has_assignment() {
            self.0.start_pool();
        }
    }

    fn post_rebalance(&self, client: &Client, rebalance: &Rebalance<'_>) {
        let Rebalance::Assign(assigned) = rebalance else { return };
        let assigned = places(assigned);
        tracing::info!(?assigned, "Partitions assigned");
        self.0.stop_pool();
        self.0.commit(client);
        lock(&self.0.flow).assign(assigned);
        self.0.start_pool();
        self.0.assigned.send_replace(true);
    }
}
