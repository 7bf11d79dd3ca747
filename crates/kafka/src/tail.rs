//! Following a topic: from its beginning, its end, an offset or a time, for as long as the [`Tail`] lives.
//!
//! A task finds out where the partitions begin and end and whether the topic is (still) there; a
//! thread of its own takes the records and waits where the receiver is slow: nothing is dropped and no
//! more than the channel's bound is held.

mod place;

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use flowdeck_model::{Partition, Timestamp, TopicName};
use tokio::sync::mpsc;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::client::lock;
use crate::error::{Acl, Cause, Error, Operation};
use crate::ffi::codes;
use crate::ffi::consume::{Consumption, Message};
use crate::metadata::TopicId;
use crate::records::reader::{Purpose, Reader};
use crate::{Cluster, Deadline, Isolation, OffsetSpec, Record, Topic};
use place::{Former, Log, Span};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TailFrom {
    Beginning,
    /// Only what is written after the tail began.
    End,
    Offset(i64),
    /// The first record at or after this time; the end where there is none.
    Time(Timestamp),
    /// So many offsets before the end: as many records, where none was compacted away.
    Last(i64),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TailRequest {
    pub topic: TopicName,
    /// `None`: all, those that are added later too.
    pub partitions: Option<Vec<Partition>>,
    pub from: TailFrom,
    pub isolation: Isolation,
    /// A longer key or value is cut to this.
    pub max_value_bytes: usize,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TailEvent {
    Record(Record),
    /// Everything that was in the topic when the tail began has been handed over. Comes once after each
    /// start, with the end offsets of that moment.
    Reached(Vec<(Partition, i64)>),
    /// The tail goes on by itself; this says why it is stopped at the moment.
    Error(Error),
    /// The topic is not there (any more), or may not be seen. The tail looks again, less and less often; it never
    /// creates the topic. Where it is there again and the same, a tail that does not follow from the
    /// beginning goes on where it was; else all that is in it is new.
    Gone,
}

/// A running tail. Dropping it stops its task and thread.
pub struct Tail {
    events: mpsc::Receiver<TailEvent>,
    _stop: DropGuard,
}

impl Tail {
    /// The next event; waits as long as there is none. `None`: the tail has ended for good (its
    /// runtime is shutting down).
    pub async fn next(&mut self) -> Option<TailEvent> {
        self.events.recv().await
    }
}

/// Events that may wait for the receiver.
const WAITING: usize = 256;
/// How long one look at the cluster may take.
const LOOK: Duration = Duration::from_secs(5);
/// How often a running tail looks whether its topic is still the same and has the same partitions.
const RECHECK: Duration = Duration::from_secs(10);
const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

impl Cluster {
    /// Starts following at once, in the background; needs no broker to be there. Call within a runtime.
    pub fn tail(&self, request: TailRequest) -> Tail {
        let (sender, events) = mpsc::channel(WAITING);
        let stop = CancellationToken::new();
        let positions = Positions::default();
        let follower = Follower { cluster: self.clone(), request, sender, stop: stop.clone(), positions };
        let stopped = stop.clone().cancelled_owned();
        tokio::spawn(async move {
            tokio::select! {
                () = stopped => {}
                () = follower.run() => {}
            }
        });
        Tail { events, _stop: stop.drop_guard() }
    }
}

/// The next offset of each partition that was handed over: where to go on after trouble that passes.
type Positions = Arc<Mutex<HashMap<i32, i64>>>;

struct Follower {
    cluster: Cluster,
    request: TailRequest,
    sender: mpsc::Sender<TailEvent>,
    stop: CancellationToken,
    positions: Positions,
}

/// Where a tail begins.
struct Start {
    topic: Topic,
    id: Option<TopicId>,
    log: Log,
    /// Partition, first offset to read, end at this moment.
    partitions: Vec<(Partition, i64, i64)>,
}

/// Why a following ended, to begin anew.
enum Ended {
    /// Nobody listens any more.
    Unheard,
    Failed {
        cause: Cause,
        /// It had come to the end before: new trouble, not the same once more.
        reached: bool,
    },
    /// The list of topics lacks it.
    OutOfSight,
    /// Another topic has its name, and whoever listens was told.
    MadeAnew,
}

impl Follower {
    async fn run(self) {
        let mut pause = FIRST_PAUSE;
        let mut said: Option<TailEvent> = None;
        let mut former = Former::default();
        loop {
            let cause = match self.start(&former).await {
                Ok(start) => {
                    // Whoever keeps what was read must know that it no longer counts.
                    let is_news = start.log == Log::Other && !former.told;
                    if is_news && self.sender.send(TailEvent::Gone).await.is_err() {
                        return;
                    }
                    former = former.following(start.log, start.id);
                    let ended = self.follow(start, &mut former.id).await;
                    match ended {
                        Ended::Unheard => return,
                        // Looks again at once: a list may have been incomplete.
                        Ended::OutOfSight => {
                            former.away = true;
                            pause = FIRST_PAUSE;
                            said = None;
                            continue;
                        }
                        Ended::MadeAnew => {
                            former = Former::made_anew();
                            pause = FIRST_PAUSE;
                            said = None;
                            continue;
                        }
                        Ended::Failed { cause, reached } => {
                            if reached {
                                pause = FIRST_PAUSE;
                                said = None;
                            }
                            cause
                        }
                    }
                }
                Err(cause) => cause,
            };
            let event = match cause {
                Cause::UnknownTopic => {
                    former = former.gone(self.request.from);
                    TailEvent::Gone
                }
                cause => TailEvent::Error(Error::new(Operation::Tail, cause)),
            };
            // The same trouble is said once.
            if said.as_ref() != Some(&event) {
                if self.sender.send(event.clone()).await.is_err() {
                    return;
                }
                said = Some(event);
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    async fn start(&self, former: &Former) -> Result<Start, Cause> {
        let deadline = Deadline::after(LOOK);
        let (topic, partitions) = self.partitions(deadline).await?;
        let asked: Vec<_> = partitions.iter().map(|&partition| (topic.clone(), partition)).collect();
        let end = match self.request.isolation {
            Isolation::ReadUncommitted => OffsetSpec::Latest,
            Isolation::ReadCommitted => OffsetSpec::LatestCommitted,
        };
        // One for each partition, or none where no time is asked for.
        let at = async {
            match self.request.from {
                TailFrom::Time(time) => self.cluster.offsets(&asked, OffsetSpec::At(time), deadline).await,
                _ => vec![],
            }
        };
        let (starts, ends, at, id) = tokio::join!(
            self.cluster.offsets(&asked, OffsetSpec::Earliest, deadline),
            self.cluster.offsets(&asked, end, deadline),
            at,
            self.topic_id(deadline)
        );
        let at = at.into_iter().map(Some).chain(std::iter::repeat(None));
        let handed_over = lock(&self.positions).clone();
        let mut spans = Vec::with_capacity(partitions.len());
        for (((partition, start), end), at) in partitions.into_iter().zip(starts).zip(ends).zip(at) {
            let (start, end, at) = (start?, end?, at.transpose()?);
            let next = handed_over.get(&partition.get()).copied();
            spans.push(Span { partition, start, end, next, at });
        }
        let log = former.log(id, &spans);
        let from = self.request.from;
        let partitions = spans.iter().map(|span| (span.partition, span.first(log, from), span.end)).collect();
        Ok(Start { topic, id, log, partitions })
    }

    /// The partitions to follow, as a full list shows them now.
    async fn partitions(&self, deadline: Deadline) -> Result<(Topic, Vec<Partition>), Cause> {
        let read = self.cluster.metadata_with(&self.request.topic, Operation::Tail, deadline).await;
        let metadata = read.map_err(|error| error.cause)?;
        let topic = metadata.topic(&self.request.topic).ok_or(Cause::UnknownTopic)?;
        let known: Vec<_> = topic.partitions.iter().map(|partition| partition.partition).collect();
        match &self.request.partitions {
            None => Ok((topic.name.clone(), known)),
            Some(some) if some.iter().all(|partition| known.contains(partition)) => {
                Ok((topic.name.clone(), some.clone()))
            }
            Some(_) => Err(Cause::UnknownTopic),
        }
    }

    /// `None`: not to be had; then a topic made anew shows by its offsets only.
    async fn topic_id(&self, deadline: Deadline) -> Option<TopicId> {
        let ids = self.cluster.topic_ids(std::slice::from_ref(&self.request.topic), deadline).await;
        ids.ok()?.remove(&self.request.topic)?.ok()
    }

    /// Follows until something changes. `id`: of what is followed, learnt later where it was not to be had.
    async fn follow(&self, start: Start, id: &mut Option<TopicId>) -> Ended {
        let (done, mut ended) = mpsc::channel(1);
        let stop = self.stop.child_token();
        let running = stop.clone().drop_guard();
        let mut known: Vec<Partition> = start.partitions.iter().map(|&(partition, _, _)| partition).collect();
        *lock(&self.positions) =
            start.partitions.iter().map(|&(partition, first, _)| (partition.get(), first)).collect();
        let follow = Following::new(self, start, stop);
        let (more, added) = std::sync::mpsc::channel();
        let thread = std::thread::Builder::new().name("kafka-tail".to_owned());
        let started = thread.spawn(move || {
            // The receiver is gone where the tail was dropped.
            let _ = done.blocking_send(follow.run(&added));
        });
        if started.is_err() {
            let cause = Cause::Unsupported("no thread could be started".to_owned());
            return Ended::Failed { cause, reached: false };
        }
        let why = loop {
            tokio::select! {
                end = ended.recv() => return end.unwrap_or(Ended::Unheard),
                () = tokio::time::sleep(RECHECK) => {}
            }
            match self.partitions(Deadline::after(LOOK)).await {
                Ok((_, now)) => {
                    let new =
                        now.into_iter().filter(|partition| !known.contains(partition)).collect::<Vec<_>>();
                    for partition in new {
                        known.push(partition);
                        // Its thread has ended where this fails, which the next turn sees.
                        let _ = more.send(partition);
                    }
                }
                Err(Cause::UnknownTopic) => break Ended::OutOfSight,
                // The thread goes on as long as brokers answer it.
                Err(_) => continue,
            }
            let now = self.topic_id(Deadline::after(LOOK)).await;
            if id.is_some() && now.is_some() && now != *id {
                break Ended::MadeAnew;
            }
            *id = id.or(now);
        };
        // What the thread still hands over comes before what follows from this.
        drop(running);
        ended.recv().await;
        // Whoever keeps what was read must know that it no longer counts.
        if matches!(why, Ended::MadeAnew) && self.sender.send(TailEvent::Gone).await.is_err() {
            return Ended::Unheard;
        }
        why
    }
}

/// The thread's side.
struct Following {
    cluster: Cluster,
    topic: Topic,
    isolation: Isolation,
    most: usize,
    sender: mpsc::Sender<TailEvent>,
    stop: CancellationToken,
    partitions: Vec<(Partition, i64, i64)>,
    positions: Positions,
    /// Partitions that have not come to their end yet, with that end. An empty one, too, has to be read: only
    /// that shows that it may be.
    behind: HashMap<i32, i64>,
}

/// How long the thread waits before it looks whether it is still wanted.
const TICK: Duration = Duration::from_millis(100);

impl Following {
    fn new(follower: &Follower, start: Start, stop: CancellationToken) -> Self {
        Self {
            behind: start.partitions.iter().map(|(partition, _, end)| (partition.get(), *end)).collect(),
            cluster: follower.cluster.clone(),
            topic: start.topic,
            isolation: follower.request.isolation,
            most: follower.request.max_value_bytes,
            sender: follower.sender.clone(),
            stop,
            partitions: start.partitions,
            positions: follower.positions.clone(),
        }
    }

    fn run(mut self, added: &std::sync::mpsc::Receiver<Partition>) -> Ended {
        let reader = match Reader::open(self.cluster.config(), self.isolation, Purpose::Follow) {
            Ok(reader) => reader,
            Err(error) => {
                let cause = Cause::Unsupported(format!("a reader could not be made: {error}"));
                return Ended::Failed { cause, reached: false };
            }
        };
        let Ok(mut consumption) = reader.consume(self.topic.as_str()) else {
            return Ended::Failed { cause: Cause::UnknownTopic, reached: false };
        };
        for &(partition, first, _) in &self.partitions {
            if let Err(code) = consumption.start(partition.get(), first) {
                return self.failed(code);
            }
        }
        if self.behind.is_empty() && !self.reached() {
            return Ended::Unheard;
        }
        while !self.stop.is_cancelled() {
            if let Err(ended) = self.step(&mut consumption, added) {
                return ended;
            }
        }
        Ended::Unheard
    }

    fn step(
        &mut self,
        consumption: &mut Consumption,
        added: &std::sync::mpsc::Receiver<Partition>,
    ) -> Result<(), Ended> {
        while let Ok(partition) = added.try_recv() {
            // A partition that was added is new as a whole.
            const LOG_START: i64 = -2;
            consumption.start(partition.get(), LOG_START).map_err(|code| self.failed(code))?;
        }
        for message in consumption.poll(TICK, WAITING) {
            if !self.take(&message)? {
                return Err(Ended::Unheard);
            }
        }
        Ok(())
    }

    /// Whether somebody still listens.
    fn take(&mut self, message: &Message) -> Result<bool, Ended> {
        let (number, offset) = (message.partition(), message.offset());
        match message.code() {
            codes::NO_ERROR => {
                let Some(partition) = Partition::new(number) else { return Ok(true) };
                let behind = self.behind.get(&number).copied();
                // Records after the end of the start's moment come after the word that it was reached.
                if behind.is_some_and(|end| offset >= end) && !self.came_to(number, offset) {
                    return Ok(false);
                }
                let record = Record::copy(&self.topic, partition, message, self.most);
                if self.sender.blocking_send(TailEvent::Record(record)).is_err() {
                    return Ok(false);
                }
                lock(&self.positions).insert(number, offset + 1);
                Ok(self.came_to(number, offset + 1))
            }
            // The log's end of a moment after the start: markers of transactions leave no record to count.
            codes::PARTITION_EOF => Ok(self.came_to(number, i64::MAX)),
            codes::AUTO_OFFSET_RESET => Ok(true),
            code => Err(self.failed(code)),
        }
    }

    /// Notes that everything before `next` was handed over; at the last end says so.
    fn came_to(&mut self, partition: i32, next: i64) -> bool {
        if self.behind.get(&partition).is_none_or(|&end| next < end) {
            return true;
        }
        self.behind.remove(&partition);
        !self.behind.is_empty() || self.reached()
    }

    fn reached(&self) -> bool {
        let ends = self.partitions.iter().map(|&(partition, _, end)| (partition, end)).collect();
        self.sender.blocking_send(TailEvent::Reached(ends)).is_ok()
    }

    fn failed(&self, code: i32) -> Ended {
        let cause = Cause::from_code(code, Acl::topic("Read", self.topic.as_str()));
        Ended::Failed { cause, reached: self.behind.is_empty() }
    }
}
