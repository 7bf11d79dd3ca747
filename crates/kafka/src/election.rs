//! One leader among several processes: the member of a consumer group to which the group gives partition 0 of a
//! topic. No record is fetched and no offset committed.
//!
//! What this relies on, by librdkafka 2.12 (`rdkafka_cgrp.c`) and the broker's group coordinator:
//! - The group gives a partition to one member at a time. The strategy is `cooperative-sticky`: a leader stays
//!   the leader when another process joins or leaves. With `range` every such rebalance takes the partition away
//!   first and gives it to whoever comes first by a random id.
//! - A member that leaves is replaced at the others' next heartbeat, within a second; one that was killed, after
//!   its session (6 s) and that heartbeat.
//! - A member that the coordinator has removed is told by its next heartbeat, and librdkafka then revokes. Where
//!   it hears nothing, librdkafka revokes as well, but one session after the last *answer came*, where the broker
//!   counts from when the heartbeat was *sent*; only in the state STEADY, so not while a join is under way
//!   (a cooperative member keeps its partition then); and only when its thread runs.
//!
//! So [`Leadership`] has its own limit: a session, less a sixth, after the last answered heartbeat was *sent*. It
//! ends by the clock, also where all threads of the process were frozen, and before the coordinator can give the
//! partition to another. A limit that has passed is never extended: the membership is given up and a new one
//! begun. What is left: an answer that refuses (the member was removed before its session ended) extends the
//! limit until it was read, some milliseconds later; and a coordinator that has just moved begins all sessions
//! anew. A writer therefore still needs a fence of its own, such as a `transactional.id`.
//!
//! The client is one of its own. librdkafka's faults with coordinators (see `connection`) are in the requests of
//! its admin API, of which a member makes none.

mod leadership;
mod member;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use flowdeck_model::{GroupId, TopicName};
use tokio::sync::mpsc;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::client::lock;
use crate::error::{Cause, Error, Operation};
use crate::{Cluster, Deadline};

pub use leadership::Leadership;
use leadership::Term;
use member::{Ended, Member};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ElectionRequest {
    pub group: GroupId,
    /// Who is given its partition 0 leads; other partitions count for nothing. It is never created here.
    pub topic: TopicName,
    /// After so long without a heartbeat the broker gives a member up. Brokers accept 6 s and more.
    pub session: Duration,
}

impl ElectionRequest {
    /// With the shortest session that brokers accept by default.
    pub fn new(group: impl Into<GroupId>, topic: TopicName) -> Self {
        Self { group: group.into(), topic, session: Duration::from_secs(6) }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ElectionEvent {
    Elected,
    /// It leads no more, at the latest when another can be elected. It goes on to take part.
    Lost(Lost),
    /// It takes part, and another leads.
    Standby,
    /// It cannot take part at the moment, and tries again by itself; this says why. The same cause is said once.
    Failing(Error),
}

/// Why leadership ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Lost {
    #[error("the group took it back")]
    Revoked,
    #[error("the group's coordinator gave no answer for as long as a session lasts")]
    NoAnswer,
    /// The client cannot go on.
    #[error("the client failed")]
    Failed,
}

/// Taking part in an election. Dropping it gives leadership up at once and leaves the group in the background.
pub struct Election {
    events: mpsc::Receiver<ElectionEvent>,
    leadership: Leadership,
    _stop: DropGuard,
}

impl Election {
    /// The next event; may be dropped and called again. `None`: it has ended for good (its runtime is shutting
    /// down).
    pub async fn next(&mut self) -> Option<ElectionEvent> {
        self.events.recv().await
    }

    /// To be asked before each effect that only a leader may have.
    pub fn leadership(&self) -> Leadership {
        self.leadership.clone()
    }

    /// Gives leadership up and waits until the group knows it, so that another leads when this process ends.
    pub async fn leave(self, limit: impl Into<Deadline>) {
        let Self { mut events, _stop: stop, .. } = self;
        drop(stop);
        let limit = limit.into().instant();
        // Both senders are gone once the group was left.
        while let Ok(Some(_)) = tokio::time::timeout_at(limit, events.recv()).await {}
    }
}

/// Events that may wait for the receiver. Beyond them nothing goes on, and leadership ends by its limit.
const WAITING: usize = 64;
/// How long one look at the cluster may take.
const METADATA_LIMIT: Duration = Duration::from_secs(5);
const FIRST_PAUSE: Duration = Duration::from_millis(250);
/// Not longer: nobody may lead meanwhile.
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

impl Cluster {
    /// Takes part at once, in the background; needs no broker to be there. Joins a group: only for clusters in
    /// control mode. Call within a runtime.
    pub fn elect(&self, request: ElectionRequest) -> Election {
        let (sender, events) = mpsc::channel(WAITING);
        let stop = CancellationToken::new();
        let term = Arc::new(Term::new());
        let leadership = Leadership::of(term.clone());
        let candidate = Candidate {
            cluster: self.clone(),
            request,
            announcer: Announcer { sender, failing: Arc::default() },
            term,
            stop: stop.clone(),
        };
        tokio::spawn(candidate.run());
        Election { events, leadership, _stop: stop.drop_guard() }
    }
}

/// Tells what happened: to whoever receives the events.
#[derive(Clone)]
struct Announcer {
    sender: mpsc::Sender<ElectionEvent>,
    /// What was last said to be failing.
    failing: Arc<Mutex<Option<Cause>>>,
}

impl Announcer {
    /// `None`: it was said already.
    fn failing(&self, cause: Cause) -> Option<ElectionEvent> {
        let mut failing = lock(&self.failing);
        if failing.as_ref() == Some(&cause) {
            return None;
        }
        *failing = Some(cause.clone());
        Some(ElectionEvent::Failing(Error::new(Operation::Election, cause)))
    }

    fn recovered(&self) {
        lock(&self.failing).take();
    }
}

struct Candidate {
    cluster: Cluster,
    request: ElectionRequest,
    announcer: Announcer,
    term: Arc<Term>,
    stop: CancellationToken,
}

impl Candidate {
    async fn run(self) {
        let mut pause = FIRST_PAUSE;
        let mut topic_seen = false;
        loop {
            // The client of a member finds out by itself, and by connections of its own.
            let found = if topic_seen {
                Ok(())
            } else {
                tokio::select! {
                    () = self.stop.cancelled() => return,
                    found = self.topic_exists() => found,
                }
            };
            let failed = match found {
                // Not to be cut short: it leaves the group when it is stopped.
                Ok(()) => match self.member().await {
                    Ended::Stopped => return,
                    Ended::Failed { cause, was_assigned } => {
                        topic_seen = was_assigned && cause.is_none();
                        if was_assigned {
                            pause = FIRST_PAUSE;
                        }
                        cause
                    }
                },
                Err(cause) => Some(cause),
            };
            if let Some(event) = failed.and_then(|cause| self.announcer.failing(cause))
                && self.announcer.sender.send(event).await.is_err()
            {
                return;
            }
            tokio::select! {
                () = self.stop.cancelled() => return,
                () = tokio::time::sleep(pause) => pause = (pause * 2).min(LONGEST_PAUSE),
            }
        }
    }

    /// librdkafka would look for a topic that is not there seldom.
    async fn topic_exists(&self) -> Result<(), Cause> {
        let deadline = Deadline::after(METADATA_LIMIT);
        let found = self.cluster.metadata_with(&self.request.topic, Operation::Election, deadline).await;
        found.map(drop).map_err(|error| error.cause)
    }

    /// One membership, until it is stopped or a new one has to begin.
    async fn member(&self) -> Ended {
        let (done, mut ended) = mpsc::channel(1);
        let stop = self.stop.child_token();
        let _stop = stop.clone().drop_guard();
        let config = self.cluster.config().clone();
        let member =
            Member::new(config, self.request.clone(), self.announcer.clone(), self.term.clone(), stop);
        let thread = std::thread::Builder::new().name("kafka-election".to_owned());
        // The receiver is gone where the runtime is shutting down.
        let started = thread.spawn(move || drop(done.blocking_send(member.run())));
        if started.is_err() {
            let cause = Some(Cause::Unsupported("no thread could be started".to_owned()));
            return Ended::Failed { cause, was_assigned: false };
        }
        ended.recv().await.unwrap_or(Ended::Failed { cause: None, was_assigned: false })
    }
}
