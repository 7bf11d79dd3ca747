//! What is done to a cluster, and how it changes: commands, holds that are kept up, this process's part in the writing.
//! No I/O and no clock; what is to be written comes out as jobs.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use flowdeck_model::view::Mode;
use flowdeck_model::{CommandId, CommandState, GroupId, Hold, HoldId, Timestamp, TopicName};
use flowdeck_observe::ClusterSettings;
use flowdeck_observe::observation::Observation;
use flowdeck_observe::operations::OperationIndex;
use flowdeck_observe::sampling::sample::Sample;
use flowdeck_observe::snapshot::{Controlled, Parts};
use flowdeck_observe::stats::ClusterStats;
use flowdeck_protocol::wire::{Ack, Operation};

use super::audit_backlog::AuditBacklog;
use super::election::Election;
use super::external_queue::ExternalQueue;
use super::held::HeldGroups;
use super::intake::RunnerRecords;
use super::lock_ups::GroupsLockedUp;
use super::requests::Pending;
use super::unwritten::Unwritten;
use crate::audit::LogSink;
use crate::commands::lifecycle::Seen;
use crate::commands::write_task::WriteTask;
use crate::commands::{Change, Command, CommandBook};
use crate::offsets::alter::Alteration;
use crate::settings::AdminSettings;

pub(crate) struct State {
    pub(crate) observed: Observation,
    operation_index: Arc<OperationIndex>,
    pub(super) book: CommandBook,
    pub(super) external: ExternalQueue,
    /// What is to be written, in this order.
    pub(super) jobs: VecDeque<WriteTask>,
    pub(super) unwritten: Unwritten,
    /// Commits that are to be set, in this order.
    pub(crate) alterations: VecDeque<Alteration>,
    /// Holds that were read and whose commands are not restored yet, in the order of the topic.
    pub(super) holds_to_restore: Vec<HoldId>,
    /// The commands that the newest records of the holds were written for.
    pub(super) hold_commands: VecDeque<CommandId>,
    pub(super) election: Election,
    /// Requests that this process took, until they are carried out.
    pub(super) pending: HashMap<CommandId, Pending>,
    /// Of these, what is to be written to the audit now.
    pub(crate) audit_requests: VecDeque<Operation>,
    /// Requests that the leader has to carry out, in their order.
    pub(super) to_begin: VecDeque<CommandId>,
    /// Since when each of them waits here, by this process's clock.
    pub(super) waits_since: HashMap<CommandId, Timestamp>,
    pub(super) unaudited: AuditBacklog,
    pub(super) log_sink: LogSink,
    /// Commands with answers that are taken in and not settled yet, and when the last one came.
    pub(super) answered: HashMap<CommandId, Timestamp>,
    /// Answers that came before the audit was read.
    pub(super) early_acks: HashMap<CommandId, Vec<Ack>>,
    topics_asked: Option<Timestamp>,
    pub(super) topics_problem: Option<String>,
    /// Why the holds could not be written when that was last tried.
    pub(super) writer_problem: Option<String>,
    /// Holds whose end is being written, when that was begun, and by which command.
    pub(super) expiring: HashMap<HoldId, (Timestamp, CommandId)>,
    /// When this process began to follow the cluster.
    pub(super) started: Option<Timestamp>,
    pub(super) held: HeldGroups,
    pub(super) locked_up: GroupsLockedUp,
    pub(super) runner_records: RunnerRecords,
    pub(super) dirty: bool,
}

/// After a failed attempt Flowdeck's own topics, and the end of a hold, are tried again so much later.
pub(super) const TRY_AGAIN: Duration = Duration::from_secs(10);

impl State {
    pub(crate) fn new(
        settings: Arc<ClusterSettings>,
        admin: &AdminSettings,
        stats: Arc<ClusterStats>,
    ) -> Self {
        Self {
            operation_index: Arc::default(),
            book: CommandBook::new(admin.commands_remembered),
            external: ExternalQueue::default(),
            jobs: VecDeque::new(),
            unwritten: Unwritten::default(),
            alterations: VecDeque::new(),
            holds_to_restore: Vec::new(),
            hold_commands: VecDeque::new(),
            election: Election::new(settings.mode),
            pending: HashMap::new(),
            audit_requests: VecDeque::new(),
            to_begin: VecDeque::new(),
            waits_since: HashMap::new(),
            unaudited: AuditBacklog::default(),
            log_sink: LogSink { cluster: Some(settings.name.clone()) },
            answered: HashMap::new(),
            early_acks: HashMap::new(),
            topics_asked: None,
            topics_problem: None,
            writer_problem: None,
            expiring: HashMap::new(),
            started: None,
            held: HeldGroups::default(),
            locked_up: GroupsLockedUp::default(),
            runner_records: RunnerRecords::default(),
            dirty: true,
            observed: Observation::new(settings, admin.observe.telemetry, stats),
        }
    }

    /// The topics are followed from now on.
    pub(crate) fn started(&mut self, now: Timestamp) {
        self.started = Some(now);
    }

    /// Something changed that somebody waits for.
    pub(crate) fn is_dirty(&self) -> bool {
        self.dirty || self.observed.is_dirty()
    }

    /// For a snapshot.
    pub(crate) fn parts(&mut self, now: Timestamp) -> Parts {
        if self.book.take_dirty() {
            self.operation_index = Arc::new(self.book.index());
        }
        self.dirty = false;
        let registry = &self.observed.registry;
        self.observed.stats.gauges(registry.instances(), registry.instances_dropped(), self.book.by_state());
        self.observed.stats.another_leads(self.election.another_leads());
        self.observed.fresh_telemetry(now);
        let controlled = Controlled {
            operations: Arc::clone(&self.operation_index),
            not_obeying: self.not_obeying(now),
            locked_up: self.locked_up.for_views(),
            repeated: self.external.capped(now).cloned().collect(),
            warnings: self.warnings(now),
        };
        self.observed.parts(controlled, now)
    }

    fn warnings(&self, now: Timestamp) -> Vec<String> {
        let mut warnings: Vec<String> = self.topics_problem.iter().cloned().collect();
        let writer = self.writer_problem.as_ref();
        warnings.extend(writer.map(|why| format!("a pause could not be written when last tried: {why}")));
        warnings.extend(self.external.warnings(now));
        let topic = &self.observed.settings.audit_topic;
        warnings.extend(self.unaudited.problem().map(|why| {
            format!("{topic} could not be written when last tried: {why}; pauses and resumes go on, and are in the log")
        }));
        warnings.extend(self.election.is_failing().then(|| self.why_not_leading()));
        warnings
    }

    pub(crate) fn sampled(&mut self, sample: Arc<Sample>, now: Timestamp) {
        self.observed.sampled(sample);
        self.want_topics(now);
    }

    /// In control mode Flowdeck's own topics are created where the full list lacks them.
    fn want_topics(&mut self, now: Timestamp) {
        if self.observed.settings.mode != Mode::Control {
            return;
        }
        let Some(metadata) = &self.observed.sample.metadata else { return };
        let there =
            self.observed.settings.own_topics().into_iter().all(|topic| metadata.topic(topic).is_some());
        if there || self.topics_asked.is_some_and(|at| now.since(at) < TRY_AGAIN) {
            return;
        }
        self.topics_asked = Some(now);
        self.jobs.push_back(WriteTask::Topics { brokers: metadata.brokers.len() });
    }

    pub(super) fn enter(&mut self, command: Command) {
        if self.observed.holds.take_released() {
            self.book.look_again();
        }
        let (id, restored) = (command.id, command.restored);
        let holds = &self.observed.holds;
        // One whose outcome is awaited is not forgotten for what others claim to hold.
        let kept = |one: &Command| !one.state.is_settled() || holds.is_in_force(HoldId::from(one.id));
        let change = self.book.put(command, kept);
        self.dirty = true;
        if change == Change::Nothing {
            return;
        }
        if self.leads() && !restored {
            self.unaudited.changed(id);
            self.log_state(id, change);
        }
        self.answer_settled(id);
    }

    /// What came of a command.
    fn log_state(&self, id: CommandId, change: Change) {
        let Some(command) = self.book.get(id).filter(|_| change == Change::State) else { return };
        if command.state != CommandState::Requested
            && let Ok(operation) = command.to_audit(command.requested_at)
        {
            self.log(&operation);
        }
    }

    /// Whether a pause of the group is in force on the topic. `None`: that is not known now.
    pub(crate) fn is_paused_on(&self, group: &GroupId, topic: &TopicName) -> Option<bool> {
        self.may_write().ok()?;
        let holds = self.observed.holds.of_group(group);
        Some(holds.iter().any(|hold| hold.scope.topic.as_ref().is_none_or(|of| of == topic)))
    }

    pub(super) fn seen<'a>(&'a self, group: &GroupId, holds: &'a [Hold], now: Timestamp) -> Seen<'a> {
        Seen {
            telemetry: self.observed.telemetry.group(group),
            group: self.observed.sample.group(group).map(Arc::as_ref),
            holds,
            held: self.held.of(group),
            timing: &self.observed.settings.timing,
            admin_topics: &self.observed.settings.admin_topics,
            now,
        }
    }

    /// Changes a command with what is seen of its group.
    pub(super) fn change(
        &mut self,
        id: CommandId,
        now: Timestamp,
        change: impl FnOnce(&mut Command, Seen<'_>),
    ) {
        let Some(mut command) = self.book.get(id).cloned() else { return };
        let group = command.target.group.clone();
        let active = self.observed.holds.of_group(&group);
        change(&mut command, self.seen(&group, &active, now));
        self.enter(command);
    }
}
