//! What is known of a cluster beside the brokers' numbers, and how it changes: telemetry, holds,
//! commands. No I/O and no clock; what is to be written comes out as jobs.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use flowdeck_model::actor::ActorView;
use flowdeck_model::hold::HoldChange;
use flowdeck_model::view::{Mode, Submitted};
use flowdeck_model::{
    Action, ActorKind, CommandId, CommandState, GroupId, Hold, HoldId, InstanceState, PortError, Submit, Target,
    Timestamp, Via,
};

use super::facts::{AdminStream, Source, admin_streams};
use super::sample::Sample;
use super::snapshot::Parts;
use crate::commands::external::{self, Repeats};
use crate::commands::job::{self, Answer, Done, Job, Written};
use crate::commands::lifecycle::{self, Seen};
use crate::commands::plan::{self, Decision, Facts, Plan};
use crate::commands::{Command, CommandBook, CommandIndex};
use crate::holds::writer::{FENCED, WriteError};
use crate::holds::{HoldIndex, HoldStore};
use crate::settings::{AdminSettings, ClusterSettings};
use crate::stats::ClusterStats;
use crate::telemetry::TelemetryIndex;
use crate::telemetry::registry::Registry;

pub(crate) struct State {
    pub(super) settings: Arc<ClusterSettings>,
    pub(super) stats: Arc<ClusterStats>,
    pub(super) streams: Vec<AdminStream>,
    pub(super) sample: Arc<Sample>,
    pub(super) registry: Registry,
    pub(super) telemetry: TelemetryIndex,
    pub(super) holds: HoldStore,
    hold_index: Arc<HoldIndex>,
    pub(super) book: CommandBook,
    command_index: Arc<CommandIndex>,
    pub(super) acks_known: bool,
    pub(super) repeats: Repeats,
    pub(super) jobs: Vec<Job>,
    /// Why a topic cannot be followed.
    pub(super) stands: BTreeMap<Source, String>,
    topics_asked: Option<Timestamp>,
    topics_problem: Option<String>,
    /// Holds whose end is being written, and when that was begun.
    expiring: HashMap<HoldId, Timestamp>,
    pub(crate) fenced: bool,
    pub(super) dirty: bool,
}

/// After a failed attempt Flowdeck's own topics, and the end of a hold, are tried again so much later.
const TRY_AGAIN: std::time::Duration = std::time::Duration::from_secs(10);
/// A settled command is looked at for so long, for evidence that comes late.
const LATE: std::time::Duration = std::time::Duration::from_secs(120);

impl State {
    pub(crate) fn new(settings: Arc<ClusterSettings>, admin: &AdminSettings, stats: Arc<ClusterStats>) -> Self {
        Self {
            streams: admin_streams(&settings),
            sample: Arc::default(),
            registry: Registry::new(admin.telemetry),
            telemetry: TelemetryIndex::default(),
            holds: HoldStore::default(),
            hold_index: Arc::default(),
            book: CommandBook::new(admin.commands_remembered),
            command_index: Arc::default(),
            acks_known: false,
            repeats: Repeats::default(),
            jobs: Vec::new(),
            stands: BTreeMap::new(),
            topics_asked: None,
            topics_problem: None,
            expiring: HashMap::new(),
            fenced: false,
            dirty: true,
            settings,
            stats,
        }
    }

    pub(crate) fn sample(&self) -> &Arc<Sample> {
        &self.sample
    }

    pub(crate) fn is_dirty(&self) -> bool {
        self.dirty
    }

    pub(crate) fn is_telemetry_dirty(&self) -> bool {
        self.registry.is_dirty()
    }

    /// Holds and acks were read to their ends (or are not there), and groups are known.
    pub(crate) fn is_ready(&self) -> bool {
        self.holds.is_known() && self.acks_known && (self.sample.as_of.is_some() || self.sample.error.is_some())
    }

    pub(crate) fn take_jobs(&mut self) -> Vec<Job> {
        std::mem::take(&mut self.jobs)
    }

    /// What stands beside the brokers' numbers in a snapshot.
    pub(crate) fn parts(&mut self, now: Timestamp) -> Parts {
        self.fresh_telemetry(now);
        if self.holds.take_dirty() {
            self.hold_index = Arc::new(self.holds.index());
        }
        if self.book.take_dirty() {
            self.command_index = Arc::new(self.book.index());
        }
        self.dirty = false;
        self.stats.gauges(self.registry.instances(), self.book.by_state());
        Parts {
            telemetry: self.telemetry.clone(),
            holds: Arc::clone(&self.hold_index),
            commands: Arc::clone(&self.command_index),
            warnings: self.warnings(now),
        }
    }

    fn warnings(&self, now: Timestamp) -> Vec<String> {
        let mut warnings: Vec<String> = self.stands.values().cloned().collect();
        warnings.extend(self.topics_problem.clone());
        warnings.extend(self.holds.warning());
        warnings.extend(self.repeats.warning(now));
        warnings.extend(self.fenced.then(|| FENCED.to_owned()));
        warnings
    }

    pub(super) fn fresh_telemetry(&mut self, now: Timestamp) {
        self.telemetry = self.registry.index(now);
    }

    pub(crate) fn sampled(&mut self, sample: Arc<Sample>, now: Timestamp) {
        self.sample = sample;
        self.dirty = true;
        self.want_topics(now);
    }

    /// In control mode Flowdeck's own topics are created where the full list lacks them.
    fn want_topics(&mut self, now: Timestamp) {
        if self.settings.mode != Mode::Control {
            return;
        }
        let Some(metadata) = &self.sample.metadata else { return };
        let there = [&self.settings.holds_topic, &self.settings.acks_topic]
            .into_iter()
            .all(|topic| metadata.topic(topic).is_some());
        if there || self.topics_asked.is_some_and(|at| now.since(at) < TRY_AGAIN) {
            return;
        }
        self.topics_asked = Some(now);
        self.jobs.push(Job::Topics { brokers: metadata.brokers.len() });
    }

    fn unavailable(&self, detail: impl Into<String>) -> PortError {
        PortError::Unavailable { cluster: self.settings.name.clone(), detail: detail.into() }
    }

    /// A command by an operator.
    pub(crate) fn asked(&mut self, submit: Submit, actor: ActorView, answer: Answer, now: Timestamp) {
        match self.decide(&submit, &actor, now) {
            Err(error) => drop(answer.send(Err(error))),
            Ok(Ready::Existing(submitted)) => drop(answer.send(Ok(submitted))),
            Ok(Ready::Write(plan)) => self.begin(submit, actor, plan, Some(answer), now),
        }
    }

    fn decide(&mut self, submit: &Submit, actor: &ActorView, now: Timestamp) -> Result<Ready, PortError> {
        if let Some(command) = self.book.get(submit.id) {
            if !command.is_same_as(submit) {
                let detail = format!("command {} asked for something else before: use a new id", submit.id);
                return Err(PortError::Conflict { detail });
            }
            // What could not be written at all may be asked again.
            if !(command.state == CommandState::Refused && command.sent.is_empty()) {
                return Ok(Ready::Existing(Submitted { id: command.id, state: command.state, existing: true }));
            }
        }
        if let Some(error) = &self.sample.error {
            return Err(self.unavailable(error.clone()));
        }
        if self.sample.as_of.is_none() {
            return Err(self.unavailable("its first refresh is not over"));
        }
        if !self.holds.is_known() {
            return Err(self.unavailable("the holds are not read to their end yet"));
        }
        if self.fenced {
            return Err(self.unavailable(FENCED));
        }
        self.fresh_telemetry(now);
        let standing = self.holds.of_group(&submit.target.group);
        let decision = plan::decide(submit, &actor.name, &self.facts(&standing, &submit.target.group, now))?;
        Ok(match decision {
            Decision::Write(plan) => Ready::Write(plan),
            Decision::Existing(id) => {
                let state = self.book.get(id).map_or(CommandState::Standing, |command| command.state);
                Ready::Existing(Submitted { id, state, existing: true })
            }
        })
    }

    fn facts<'a>(&'a self, standing: &'a [Hold], group: &GroupId, now: Timestamp) -> Facts<'a> {
        Facts {
            telemetry: &self.telemetry,
            standing,
            book: &self.book,
            group_known: self.sample.group(group).is_some(),
            heard_within: self.settings.timing.heard_within,
            now,
        }
    }

    /// Enters the command and hands its records to be written; or, where there are none, says so.
    fn begin(&mut self, submit: Submit, actor: ActorView, plan: Plan, answer: Option<Answer>, now: Timestamp) {
        let nothing = plan.changes.is_empty() && plan.admin.is_empty();
        let mut command = Command::new(submit, actor, now);
        command.notes = plan.notes;
        command.holds = plan.changes.iter().map(hold_id).collect();
        command.holds.dedup();
        self.audit(&command);
        let standing = self.holds.of_group(&command.target.group);
        let after = plan::apply(&standing, &plan.changes);
        command.instances = lifecycle::expected(&command, self.seen(&command.target.group, &after, now));
        let id = command.id;
        if nothing {
            for tracked in &mut command.instances {
                if tracked.state == InstanceState::Waiting {
                    tracked.state = InstanceState::NothingToDo;
                }
            }
            let states: Vec<InstanceState> = command.instances.iter().map(|one| one.state).collect();
            command.state = flowdeck_model::command::outcome(&states);
            let submitted = Submitted { id, state: command.state, existing: true };
            self.enter(command);
            if let Some(answer) = answer {
                let _ = answer.send(Ok(submitted));
            }
            return;
        }
        self.enter(command);
        self.jobs.push(Job::Command { id, changes: plan.changes, admin: plan.admin, answer });
    }

    pub(super) fn enter(&mut self, command: Command) {
        let holds = &self.holds;
        self.book.put(command, |one| holds.stands(HoldId::from(one.id)));
        self.dirty = true;
    }

    /// Before anything is sent.
    fn audit(&self, command: &Command) {
        tracing::info!(
            target: "audit",
            cluster = %self.settings.name,
            command.id = %command.id,
            command.action = command.action.words(),
            command.target = command.target.words(),
            command.reason = command.reason,
            actor.name = command.actor.name,
            actor.kind = ?command.actor.kind,
            actor.via = ?command.actor.via,
            actor.address = command.actor.address.as_deref().unwrap_or(""),
            "command"
        );
    }

    pub(super) fn seen<'a>(&'a self, group: &GroupId, holds: &'a [Hold], now: Timestamp) -> Seen<'a> {
        Seen {
            telemetry: self.telemetry.group(group),
            group: self.sample.group(group).map(Arc::as_ref),
            holds,
            timing: &self.settings.timing,
            admin_topics: &self.settings.admin_topics,
            now,
        }
    }

    pub(crate) fn written(&mut self, done: Done, now: Timestamp) {
        self.dirty = true;
        match done {
            Done::Topics { problem, .. } => self.topics_problem = problem,
            Done::Command { id, answer, written } => self.command_written(id, answer, written, now),
            Done::Again { id, written } => {
                self.fresh_telemetry(now);
                self.change(id, now, |command, seen| {
                    command.sent.extend(written.sent);
                    if let Some(error) = written.error {
                        note(command, format!("could not be sent again: {}", job::words(&error)));
                    }
                    lifecycle::sent_again(command, seen);
                });
            }
        }
    }

    fn command_written(&mut self, id: CommandId, answer: Option<Answer>, written: Written, now: Timestamp) {
        for (key, hold, offset) in written.holds {
            self.holds.wrote(key, hold, offset);
        }
        self.fresh_telemetry(now);
        let error = written.error;
        self.change(id, now, |command, seen| {
            command.sent.extend(written.sent);
            command.notes.extend(written.notes);
            match &error {
                None => lifecycle::sent(command, seen),
                Some(WriteError::InDoubt) => {
                    note(command, job::words(&WriteError::InDoubt));
                    lifecycle::sent(command, seen);
                }
                Some(error) => {
                    note(command, format!("not written: {}", job::words(error)));
                    command.state = CommandState::Refused;
                }
            }
        });
        let by_system = self.book.get(id).is_some_and(|command| command.actor.kind == ActorKind::System);
        if by_system && matches!(&error, Some(error) if *error != WriteError::InDoubt) {
            // It is tried again under another id until it is written: one entry for one expiry.
            self.book.remove(id);
        }
        let state = self.book.get(id).map_or(CommandState::Sent, |command| command.state);
        let result = match error {
            None | Some(WriteError::InDoubt) => Ok(Submitted { id, state, existing: false }),
            Some(error) => Err(self.unavailable(job::words(&error))),
        };
        if let Some(answer) = answer {
            let _ = answer.send(result);
        }
    }

    /// Changes a command with what is seen of its group.
    fn change(&mut self, id: CommandId, now: Timestamp, change: impl FnOnce(&mut Command, Seen<'_>)) {
        let Some(mut command) = self.book.get(id).cloned() else { return };
        let group = command.target.group.clone();
        let standing = self.holds.of_group(&group);
        change(&mut command, self.seen(&group, &standing, now));
        self.enter(command);
    }

    /// Deadlines, evidence, sending again, expiry.
    pub(crate) fn ticked(&mut self, now: Timestamp) {
        self.registry.expire(now);
        if self.book.is_empty() && self.holds.is_empty() {
            return;
        }
        self.fresh_telemetry(now);
        for id in self.book.ids() {
            self.tick_command(id, now);
        }
        if self.settings.mode == Mode::Control && self.holds.is_known() && !self.fenced {
            self.expire_holds(now);
        }
    }

    fn tick_command(&mut self, id: CommandId, now: Timestamp) {
        let Some(command) = self.book.get(id) else { return };
        let stands = self.holds.stands(HoldId::from(id));
        let late = command.sent_at.is_none_or(|at| now.since(at) > LATE);
        let done = command.instances.iter().all(|one| one.state.is_done());
        let pause_stands = command.action == Action::Pause && stands;
        if !pause_stands && command.state.is_settled() && (late || done) {
            return;
        }
        let retired = match command.action {
            Action::Pause => !stands,
            Action::Resume => self.is_undone(command),
        };
        let mut command = command.clone();
        let group = command.target.group.clone();
        let standing = self.holds.of_group(&group);
        let own: Vec<Hold> = standing.iter().filter(|hold| hold.id == HoldId::from(id)).cloned().collect();
        let seen = self.seen(&group, &standing, now);
        let tracked = (command.instances.len(), command.resends.count, command.resends.capped);
        let mut changed = lifecycle::observe(&mut command, seen, retired);
        let may_send = self.settings.mode == Mode::Control && !self.fenced && !retired;
        if may_send && (command.sent_at.is_some() || command.rebuilt) {
            let wanted = lifecycle::follow_up(&mut command, &own, seen);
            if !wanted.is_empty() {
                let admin = plan::again(command.action, wanted);
                self.jobs.push(Job::Again { id, admin });
            }
        }
        changed |= tracked != (command.instances.len(), command.resends.count, command.resends.capped);
        if changed {
            self.enter(command);
        }
    }

    /// Something newer was asked for the same.
    fn is_undone(&self, command: &Command) -> bool {
        let scopes = command.scopes();
        self.book
            .iter()
            .take_while(|newer| newer.id != command.id)
            .any(|newer| {
                newer.target.group == command.target.group
                    && newer.scopes().iter().any(|one| scopes.iter().any(|scope| one.intersect(scope).is_some()))
            })
    }

    fn expire_holds(&mut self, now: Timestamp) {
        self.expiring.retain(|_, at| now.since(*at) < TRY_AGAIN);
        let mut by_id: BTreeMap<HoldId, Vec<Hold>> = BTreeMap::new();
        for hold in self.holds.overdue(now) {
            if !self.expiring.contains_key(&hold.id) {
                by_id.entry(hold.id).or_default().push(hold);
            }
        }
        for (id, holds) in by_id {
            self.expiring.insert(id, now);
            let Some(target) = target_of(&holds) else { continue };
            let changes: Vec<HoldChange> = holds.into_iter().map(HoldChange::Release).collect();
            let standing = self.holds.of_group(&target.group);
            let after = plan::apply(&standing, &changes);
            let (admin, notes) = plan::release(&target, &after, &self.facts(&standing, &target.group, now));
            let submit = Submit {
                id: CommandId::random(),
                action: Action::Resume,
                target,
                reason: "the time of the pause is over".to_owned(),
                for_seconds: None,
            };
            let actor =
                ActorView { name: "flowdeck".to_owned(), kind: ActorKind::System, via: Via::Api, address: None };
            self.begin(submit, actor, Plan { changes, admin, notes }, None, now);
        }
    }

    /// A foreign pause or resume.
    pub(super) fn foreign(&mut self, id: CommandId, command: &flowdeck_protocol::kafkaflow::Command, now: Timestamp) {
        if self.settings.mode != Mode::Control || self.fenced || !self.holds.is_known() {
            return;
        }
        self.fresh_telemetry(now);
        let Some((action, targets)) = external::targets(command, &self.telemetry) else { return };
        if targets.is_empty() {
            self.stats.dropped("foreign command for a consumer that was never heard");
        }
        for (nth, target) in targets.into_iter().enumerate() {
            // One command for each group that a by-name command reaches.
            let id = if nth == 0 { id } else { CommandId::random() };
            let standing = self.holds.of_group(&target.group);
            let changes = external::changes(action, &target, id, &standing, now);
            if changes.is_empty() || self.book.get(id).is_some() {
                continue;
            }
            if !self.repeats.admit(&target.group, self.settings.timing.external_per_minute, now) {
                self.stats.dropped("foreign commands repeated too often");
                self.dirty = true;
                continue;
            }
            let submit = Submit { id, action, target, reason: external::reason(), for_seconds: None };
            self.begin(submit, external::actor(), Plan { changes, ..Plan::default() }, None, now);
        }
    }

    /// A hold whose command is not remembered: it was made before this process, or by another.
    pub(super) fn rebuild(&mut self, id: HoldId) {
        if self.book.get(id.into()).is_some_and(|command| !command.rebuilt) {
            return;
        }
        let holds: Vec<Hold> = self.holds.all().filter(|hold| hold.id == id).cloned().collect();
        let (Some(target), Some(first)) = (target_of(&holds), holds.first()) else { return };
        let submit = Submit {
            id: id.into(),
            action: Action::Pause,
            target,
            reason: first.reason.clone(),
            for_seconds: None,
        };
        let mut command = Command::new(submit, owner(&first.owner), first.since);
        command.until = first.until;
        command.state = CommandState::Standing;
        command.holds = vec![id];
        command.rebuilt = true;
        if let Some(former) = self.book.get(id.into()) {
            command.instances = former.instances.clone();
            command.resends = former.resends.clone();
        }
        self.enter(command);
    }

    /// A hold went: a command that was rebuilt from it alone, while the topic was read, never stood.
    pub(super) fn released(&mut self, id: HoldId) {
        let rebuilt = self.book.get(id.into()).is_some_and(|command| command.rebuilt);
        if rebuilt && !self.holds.stands(id) && !self.holds.is_known() {
            self.book.remove(id.into());
        }
    }
}

enum Ready {
    Existing(Submitted),
    Write(Plan),
}

fn note(command: &mut Command, words: String) {
    if !command.notes.contains(&words) {
        command.notes.push(words);
    }
}

fn hold_id(change: &HoldChange) -> HoldId {
    match change {
        HoldChange::Set(hold) | HoldChange::Release(hold) => hold.id,
    }
}

/// The target of a command that made these holds: the same group and consumer, all their topics.
fn target_of(holds: &[Hold]) -> Option<Target> {
    let first = holds.first()?;
    let mut topics: Vec<_> = holds.iter().filter_map(|hold| hold.scope.topic.clone()).collect();
    topics.sort();
    topics.dedup();
    Some(Target { group: first.scope.group.clone(), consumer: first.scope.consumer.clone(), topics })
}

/// Of a hold only the owner's name is known; what kind of actor he was follows from the two names
/// that Flowdeck gives itself.
fn owner(name: &str) -> ActorView {
    let kind = match name {
        external::OWNER => ActorKind::External,
        "anonymous" => ActorKind::Anonymous,
        _ => ActorKind::User,
    };
    ActorView { name: name.to_owned(), kind, via: Via::Api, address: None }
}
