//! What is known of a cluster beside the brokers' numbers, and how it changes: telemetry, holds,
//! commands. No I/O and no clock; what is to be written comes out as jobs.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use flowdeck_model::view::Mode;
use flowdeck_model::{CommandId, GroupId, Hold, HoldId, Timestamp};
use flowdeck_observe::ClusterSettings;
use flowdeck_observe::observation::Observation;
use flowdeck_observe::operations::OperationIndex;
use flowdeck_observe::sampling::sample::Sample;
use flowdeck_observe::snapshot::{Controlled, Parts};
use flowdeck_observe::stats::ClusterStats;

use super::external::Waiting;
use super::held::Held;
use super::unwritten::Unwritten;
use crate::commands::external::Repeats;
use crate::commands::job::WriteTask;
use crate::commands::lifecycle::Seen;
use crate::commands::rejected::RejectedCommands;
use crate::commands::{Command, CommandBook};
use crate::settings::AdminSettings;
use crate::writer::FENCED;

pub(crate) struct State {
    pub(crate) observed: Observation,
    operation_index: Arc<OperationIndex>,
    pub(super) book: CommandBook,
    pub(super) repeats: Repeats,
    pub(super) rejected: RejectedCommands,
    /// Foreign commands that are left to another Flowdeck first.
    pub(super) waiting: VecDeque<Waiting>,
    /// What is to be written, in this order.
    pub(super) jobs: VecDeque<WriteTask>,
    pub(super) unwritten: Unwritten,
    /// Holds that were read and whose commands are not restored yet, in the order of the topic.
    pub(super) holds_to_restore: Vec<HoldId>,
    /// This process took over the writer's id.
    pub(crate) is_writer: bool,
    /// What nobody asks for is left to another Flowdeck for so long.
    pub(crate) patience: Duration,
    /// Since when something can be written, but for moments, and since when nothing can.
    pub(super) writable_since: Option<Timestamp>,
    pub(super) unwritable_since: Option<Timestamp>,
    /// When another Flowdeck last wrote to the holds.
    pub(super) others_wrote: Option<Timestamp>,
    topics_asked: Option<Timestamp>,
    pub(super) topics_problem: Option<String>,
    /// Why the holds could not be written when that was last tried.
    pub(super) writer_problem: Option<String>,
    /// Holds whose end is being written, and when that was begun.
    pub(super) expiring: HashMap<HoldId, Timestamp>,
    /// Groups that are held.
    pub(super) held: HashMap<GroupId, Held>,
    /// Of these, those of which something came in that is not looked at yet, and when that was last done.
    pub(super) touched: HashSet<GroupId>,
    pub(super) followed: Option<Timestamp>,
    /// Holds whose exceptions cover all that is read, and when that was found.
    pub(super) ended_at: HashMap<HoldId, Timestamp>,
    pub(crate) fenced: bool,
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
            patience: settings.timing.writer_first,
            observed: Observation::new(settings, admin.observe.telemetry, stats),
            operation_index: Arc::default(),
            book: CommandBook::new(admin.commands_remembered),
            repeats: Repeats::default(),
            rejected: RejectedCommands::default(),
            waiting: VecDeque::new(),
            jobs: VecDeque::new(),
            unwritten: Unwritten::default(),
            holds_to_restore: Vec::new(),
            is_writer: false,
            writable_since: None,
            unwritable_since: None,
            others_wrote: None,
            topics_asked: None,
            topics_problem: None,
            writer_problem: None,
            expiring: HashMap::new(),
            held: HashMap::new(),
            touched: HashSet::new(),
            followed: None,
            ended_at: HashMap::new(),
            fenced: false,
            dirty: true,
        }
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
        self.observed.fresh_telemetry(now);
        let controlled = Controlled {
            operations: Arc::clone(&self.operation_index),
            not_obeying: self.not_obeying(now),
            repeated: self.repeats.capped(now).cloned().collect(),
            warnings: self.warnings(now),
        };
        self.observed.parts(controlled, now)
    }

    fn warnings(&self, now: Timestamp) -> Vec<String> {
        let mut warnings: Vec<String> = self.topics_problem.iter().cloned().collect();
        let writer = self.writer_problem.as_ref();
        warnings.extend(writer.map(|why| format!("a pause could not be written when last tried: {why}")));
        warnings.extend(self.repeats.warning(now));
        warnings.extend(self.rejected.warnings(now));
        warnings.extend(self.fenced.then(|| FENCED.to_owned()));
        warnings
    }

    pub(crate) fn sampled(&mut self, sample: Arc<Sample>, now: Timestamp) {
        self.observed.sampled(sample);
        self.note_writable(now);
        self.want_topics(now);
    }

    /// In control mode Flowdeck's own topics are created where the full list lacks them.
    fn want_topics(&mut self, now: Timestamp) {
        if self.observed.settings.mode != Mode::Control {
            return;
        }
        let Some(metadata) = &self.observed.sample.metadata else { return };
        let there = [&self.observed.settings.holds_topic, &self.observed.settings.acks_topic]
            .into_iter()
            .all(|topic| metadata.topic(topic).is_some());
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
        let holds = &self.observed.holds;
        // One whose outcome is awaited is not forgotten for what others claim to hold.
        self.book.put(command, |one| !one.state.is_settled() || holds.stands(HoldId::from(one.id)));
        self.dirty = true;
    }

    pub(super) fn seen<'a>(&'a self, group: &GroupId, holds: &'a [Hold], now: Timestamp) -> Seen<'a> {
        Seen {
            telemetry: self.observed.telemetry.group(group),
            group: self.observed.sample.group(group).map(Arc::as_ref),
            holds,
            held: self.held.get(group).map(|held| &held.group),
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
        let standing = self.observed.holds.of_group(&group);
        change(&mut command, self.seen(&group, &standing, now));
        self.enter(command);
    }
}
