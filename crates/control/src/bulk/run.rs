//! One bulk operation, carried out by the elected writer: a few groups at a time, each by a command of its own, until all
//! have their outcomes, an operator stops it, or too many failed. A leader that comes later finds in the audit which
//! commands were asked for, asks for the others, and for those of which it is not known: under the same id they are the
//! same commands.

use std::sync::{Arc, Weak};
use std::time::Duration;

use flowdeck_kafka::{Deadline, Leadership};
use flowdeck_model::bulk::{BulkAction, BulkGroupState, BulkOutcome, BulkState};
use flowdeck_model::view::Submitted;
use flowdeck_model::{CommandId, CommandState, PortError, Submit};
use flowdeck_observe::core::Core;
use flowdeck_observe::operations::Operation;
use flowdeck_observe::snapshot::ClusterSnapshot;
use flowdeck_observe::{ClusterSettings, clock};
use flowdeck_protocol::wire::{BulkEvent, BulkRecord};
use futures::StreamExt as _;
use futures::stream::FuturesUnordered;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::book::{Bulk, Outcome};
use super::changed;
use crate::audit::{Entry, TopicSink, system};
use crate::cluster::actor::{Request, Wants};

/// Groups that are under way at once. Never more than may still fail.
const AT_ONCE: usize = 8;
/// How far it came is written so often at most.
const TELL: Duration = Duration::from_secs(1);
/// A command that has no outcome after so long has none for its bulk operation.
const OUTCOME: Duration = Duration::from_secs(300);
/// What cannot be written at the moment is asked for again, so often.
const ATTEMPTS: u32 = 5;
const AGAIN: Duration = Duration::from_secs(2);
/// Leadership is looked at so often while nothing happens.
const NAP: Duration = Duration::from_millis(200);

pub(super) struct Run {
    pub(super) core: Weak<Core>,
    pub(super) at: usize,
    pub(super) settings: Arc<ClusterSettings>,
    pub(super) sink: Arc<TopicSink>,
    pub(super) leadership: Leadership,
    pub(super) requests: mpsc::Sender<Request>,
    pub(super) stopped: watch::Receiver<bool>,
    pub(super) bulk: Arc<Bulk>,
    pub(super) stop: CancellationToken,
}

impl Run {
    /// Returns whether it is over; else another replica goes on with it, or this one once it leads again.
    pub(super) async fn run(self) -> bool {
        let mut groups = self.bulk.groups.clone();
        // Before the first effect.
        if !self.tell_surely(BulkState::Running, &groups).await {
            return false;
        }
        // What was under way when the leader changed is under way, whatever an operator says.
        let mut begun: Vec<usize> = places(&groups, BulkGroupState::Sent);
        begun.reverse();
        let mut under_way = FuturesUnordered::new();
        let (mut told, mut is_told) = (Instant::now(), true);
        loop {
            if !self.is_leading() {
                return false;
            }
            while under_way.len() < AT_ONCE {
                let Some(next) = begun.pop().or_else(|| self.next(&groups, under_way.len())) else { break };
                if let Some(group) = groups.get_mut(next) {
                    group.state = BulkGroupState::Sent;
                }
                is_told = false;
                under_way.push(self.carry_out(next));
            }
            if under_way.is_empty() {
                break;
            }
            tokio::select! {
                () = self.stop.cancelled() => return false,
                Some((place, outcome)) = under_way.next() => {
                    if let Some(group) = groups.get_mut(place) {
                        *group = outcome;
                    }
                    is_told = false;
                }
                () = tokio::time::sleep(NAP) => {}
            }
            if !is_told && told.elapsed() >= TELL {
                is_told = self.tell(BulkState::Running, &groups).await;
                told = Instant::now();
            }
        }
        // It is over once the audit says so.
        self.tell_surely(self.end(&groups), &groups).await
    }

    /// The next group that may be begun, with so many under way.
    fn next(&self, groups: &[Outcome], under_way: usize) -> Option<usize> {
        let may_fail = self.stop_after().saturating_sub(failures(groups));
        if *self.stopped.borrow() || under_way >= may_fail {
            return None;
        }
        groups.iter().position(|one| one.state == BulkGroupState::Waiting)
    }

    fn stop_after(&self) -> usize {
        usize::try_from(self.bulk.request.stop_after).unwrap_or(usize::MAX)
    }

    fn end(&self, groups: &[Outcome]) -> BulkState {
        match groups.iter().all(|one| one.state.is_settled()) {
            true => BulkState::Completed,
            false if failures(groups) >= self.stop_after() => BulkState::StoppedByFailures,
            false => BulkState::Stopped,
        }
    }

    fn is_leading(&self) -> bool {
        self.leadership.is_held() && !self.stop.is_cancelled()
    }

    async fn tell_surely(&self, state: BulkState, groups: &[Outcome]) -> bool {
        while !self.tell(state, groups).await {
            tokio::select! {
                () = self.stop.cancelled() => {}
                () = tokio::time::sleep(AGAIN) => {}
            }
            if !self.is_leading() {
                return false;
            }
        }
        true
    }

    /// Whether it is in the audit.
    async fn tell(&self, state: BulkState, groups: &[Outcome]) -> bool {
        let outcomes = groups.iter().zip(0..).filter(|(one, _)| one.state != BulkGroupState::Waiting);
        let outcome =
            |(one, group): (&Outcome, u32)| BulkOutcome { group, state: one.state, note: one.note.clone() };
        let event = BulkEvent::Progress { state, outcomes: outcomes.map(outcome).collect(), notes: vec![] };
        let record = BulkRecord { id: self.bulk.id, at: clock::now(), actor: system(), event };
        let deadline = Deadline::after(self.settings.timing.write_deadline);
        self.is_leading() && self.sink.write(Entry::Bulk(&record), deadline).await.is_ok()
    }

    async fn carry_out(&self, place: usize) -> (usize, Outcome) {
        let request = &self.bulk.request;
        let (Some(target), Some(id)) = (request.groups.get(place), self.bulk.commands.get(place).copied())
        else {
            return (place, refused("it is not in the request"));
        };
        // The leader before asked for it. Of one that was refused before anything was written, it is not known whether that
        // one only had no time: it is asked for once more.
        if self.operation(id).is_some() {
            let outcome = self.outcome(id).await;
            let wrote_nothing =
                |one: Arc<Operation>| one.state == CommandState::Refused && one.sent.is_empty();
            if !self.operation(id).is_some_and(wrote_nothing) {
                return (place, outcome);
            }
        }
        let changed = self.snapshot().and_then(|one| {
            let changed = changed::changed(&one.operations, target, Some(id), self.bulk.requested_at);
            changed.map(|one| changed::words(one))
        });
        if let Some(words) = changed {
            return (place, refused(format!("changed since the preview, so nothing was done: {words}")));
        }
        let silent =
            || self.snapshot().and_then(|one| changed::nobody_listens(&one, &target.group, clock::now()));
        if let Some(why) = (request.action == BulkAction::Pause).then(silent).flatten() {
            return (place, refused(why));
        }
        let submit = request.submit(self.bulk.id, id, target);
        let outcome = match self.submit(submit).await {
            Ok(submitted) if submitted.id == id => self.outcome(id).await,
            Ok(submitted) => Outcome {
                state: BulkGroupState::InForce,
                note: Some(format!("operation {} had asked for the same", submitted.id)),
            },
            Err(error) => refused(error.to_string()),
        };
        (place, outcome)
    }

    async fn submit(&self, submit: Submit) -> Result<Submitted, PortError> {
        let mut attempt = 1;
        loop {
            match self.ask(submit.clone()).await {
                Err(PortError::Unavailable { .. } | PortError::TooMany { .. }) if attempt < ATTEMPTS => {
                    attempt += 1;
                    tokio::time::sleep(AGAIN).await;
                }
                answer => return answer,
            }
        }
    }

    async fn ask(&self, submit: Submit) -> Result<Submitted, PortError> {
        let unavailable = |detail: &str| PortError::Unavailable {
            cluster: self.settings.name.clone(),
            detail: detail.to_owned(),
        };
        let (answer, answered) = oneshot::channel();
        let patience = self.settings.timing.write_deadline * 3;
        let until = Instant::now() + patience;
        let (actor, wants) = (self.bulk.actor.clone(), Wants::Outcome(answer));
        let request = Request { submit, actor, wants, until };
        let sent = tokio::time::timeout_at(until, self.requests.send(request)).await;
        if !matches!(sent, Ok(Ok(()))) {
            return Err(unavailable("too many commands wait"));
        }
        match tokio::time::timeout_at(until + self.settings.timing.write_deadline, answered).await {
            Ok(Ok(answer)) => answer,
            _ => Err(unavailable("no answer in time")),
        }
    }

    /// Once the command has one. Evidence that comes later is on the command's own page.
    async fn outcome(&self, id: CommandId) -> Outcome {
        let until = Instant::now() + OUTCOME;
        loop {
            let settled = self.operation(id).filter(|one| one.state.is_settled());
            if let Some(operation) = settled {
                let state = BulkGroupState::from(operation.state);
                let note = operation.notes.last().filter(|_| state.is_failure()).cloned();
                return Outcome { state, note };
            }
            if Instant::now() > until {
                let note =
                    format!("no outcome within {} s; the operation's page tells more", OUTCOME.as_secs());
                return Outcome { state: BulkGroupState::TimedOut, note: Some(note) };
            }
            tokio::time::sleep(NAP).await;
        }
    }

    fn snapshot(&self) -> Option<Arc<ClusterSnapshot>> {
        self.core.upgrade()?.publisher.current().clusters.get(self.at).cloned()
    }

    fn operation(&self, id: CommandId) -> Option<Arc<Operation>> {
        self.snapshot()?.operations.get(id).cloned()
    }
}

fn places(groups: &[Outcome], state: BulkGroupState) -> Vec<usize> {
    groups.iter().enumerate().filter(|(_, one)| one.state == state).map(|(place, _)| place).collect()
}

fn failures(groups: &[Outcome]) -> usize {
    groups.iter().filter(|one| one.state.is_failure()).count()
}

fn refused(note: impl Into<String>) -> Outcome {
    Outcome { state: BulkGroupState::Refused, note: Some(note.into()) }
}
