//! What is known of a cluster beside the brokers' numbers, and how it changes: telemetry, holds,
//! commands. No I/O and no clock; what is to be written comes out as jobs.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use flowdeck_model::view::Mode;
use flowdeck_model::{CommandId, GroupId, Hold, HoldId, Timestamp};

use super::facts::{AdminStream, Source, admin_streams};
use super::foreign::Waiting;
use super::held::Held;
use super::sample::Sample;
use super::snapshot::Parts;
use super::unwritten::Unwritten;
use crate::commands::external::Repeats;
use crate::commands::job::Job;
use crate::commands::lifecycle::Seen;
use crate::commands::untaken::Untaken;
use crate::commands::{Command, CommandBook, CommandIndex};
use crate::holds::unread::Unread;
use crate::holds::writer::FENCED;
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
    pub(super) unread: Unread,
    hold_index: Arc<HoldIndex>,
    pub(super) book: CommandBook,
    command_index: Arc<CommandIndex>,
    pub(super) acks_known: bool,
    pub(super) repeats: Repeats,
    pub(super) untaken: Untaken,
    /// Foreign commands that are left to another Flowdeck first.
    pub(super) waiting: VecDeque<Waiting>,
    /// What is to be written, in this order.
    pub(super) jobs: VecDeque<Job>,
    pub(super) unwritten: Unwritten,
    /// Holds that were read and whose commands are not rebuilt yet, in the order of the topic.
    pub(super) unbuilt: Vec<HoldId>,
    /// This process took over the writer's id.
    pub(crate) is_writer: bool,
    /// What nobody asks for is left to another Flowdeck for so long.
    pub(crate) patience: Duration,
    /// Since when something can be written, but for moments, and since when nothing can.
    pub(super) writable_since: Option<Timestamp>,
    pub(super) unwritable_since: Option<Timestamp>,
    /// When another Flowdeck last wrote to the holds.
    pub(super) others_wrote: Option<Timestamp>,
    /// Why a topic cannot be followed.
    pub(super) stands: BTreeMap<Source, String>,
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
    /// Since when telemetry is followed.
    pub(super) following_since: Option<Timestamp>,
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
            streams: admin_streams(&settings),
            sample: Arc::default(),
            registry: Registry::new(admin.telemetry),
            telemetry: TelemetryIndex::default(),
            holds: HoldStore::default(),
            unread: Unread::default(),
            hold_index: Arc::default(),
            book: CommandBook::new(admin.commands_remembered),
            command_index: Arc::default(),
            acks_known: false,
            repeats: Repeats::default(),
            untaken: Untaken::default(),
            waiting: VecDeque::new(),
            jobs: VecDeque::new(),
            unwritten: Unwritten::default(),
            unbuilt: Vec::new(),
            is_writer: false,
            patience: settings.timing.writer_first,
            writable_since: None,
            unwritable_since: None,
            others_wrote: None,
            stands: BTreeMap::new(),
            topics_asked: None,
            topics_problem: None,
            writer_problem: None,
            expiring: HashMap::new(),
            held: HashMap::new(),
            touched: HashSet::new(),
            followed: None,
            ended_at: HashMap::new(),
            following_since: None,
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
        self.holds.is_known()
            && self.acks_known
            && (self.sample.as_of.is_some() || self.sample.error.is_some())
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
        self.stats.gauges(self.registry.instances(), self.registry.unkept(), self.book.by_state());
        Parts {
            telemetry: self.telemetry.clone(),
            holds: Arc::clone(&self.hold_index),
            commands: Arc::clone(&self.command_index),
            not_obeying: self.not_obeying(now),
            repeated: self.repeats.capped(now).cloned().collect(),
            warnings: self.warnings(now),
        }
    }

    fn warnings(&self, now: Timestamp) -> Vec<String> {
        let mut warnings: Vec<String> = self.stands.values().cloned().collect();
        warnings.extend(self.topics_problem.clone());
        let writer = self.writer_problem.as_ref();
        warnings.extend(writer.map(|why| format!("a pause could not be written when last tried: {why}")));
        warnings.extend(self.holds.warning());
        warnings.extend(self.unread.warning(self.settings.holds_topic.as_str()));
        warnings.extend(self.repeats.warning(now));
        warnings.extend(self.untaken.warnings(now));
        warnings.extend(self.fenced.then(|| FENCED.to_owned()));
        warnings
    }

    pub(super) fn fresh_telemetry(&mut self, now: Timestamp) {
        self.telemetry = self.registry.index(now);
    }

    pub(crate) fn sampled(&mut self, sample: Arc<Sample>, now: Timestamp) {
        self.sample = sample;
        self.dirty = true;
        self.note_writable(now);
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
        self.jobs.push_back(Job::Topics { brokers: metadata.brokers.len() });
    }

    pub(super) fn enter(&mut self, command: Command) {
        if self.holds.take_released() {
            self.book.look_again();
        }
        let holds = &self.holds;
        // One whose outcome is awaited is not forgotten for what others claim to hold.
        self.book.put(command, |one| !one.state.is_settled() || holds.stands(HoldId::from(one.id)));
        self.dirty = true;
    }

    pub(super) fn seen<'a>(&'a self, group: &GroupId, holds: &'a [Hold], now: Timestamp) -> Seen<'a> {
        Seen {
            telemetry: self.telemetry.group(group),
            group: self.sample.group(group).map(Arc::as_ref),
            holds,
            held: self.held.get(group).map(|held| &held.group),
            timing: &self.settings.timing,
            admin_topics: &self.settings.admin_topics,
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
        let standing = self.holds.of_group(&group);
        change(&mut command, self.seen(&group, &standing, now));
        self.enter(command);
    }
}
