//! KafkaFlow instances that are locked up, by what telemetry and Kafka tell from one look to the next, and what remains of
//! it: a consumer that was restarted, or stopped, out of a lock-up locks up again in its next rebalance, unless all its
//! partitions are paused and resumed before. Pure: `now` is an argument.

use std::collections::HashMap;
use std::time::Duration;

use flowdeck_model::verdict::lock_up::{Idle, locked_up};
use flowdeck_model::view::InstanceKind;
use flowdeck_model::{ConsumerName, Timestamp};
use flowdeck_observe::locked_up::{Locked, MustEnd};
use flowdeck_observe::sampling::sample::GroupData;
use flowdeck_observe::telemetry::matching::is_no_member;
use flowdeck_observe::telemetry::{GroupTelemetry, InstanceId, InstanceTelemetry};
use flowdeck_protocol::wire::MustBeEnded;

/// An instance that lists no partition by then is stopped: its workers have 30 s to finish, and telemetry comes every 5 s.
/// Whatever lists partitions later runs again.
const STOPS_WITHIN: Duration = Duration::from_secs(60);

/// Of one group.
#[derive(Debug, Default)]
pub(crate) struct LockUps {
    instances: HashMap<InstanceId, Seen>,
}

#[derive(Debug, Default)]
struct Seen {
    /// All that it last listed was paused, here or as far as is known from before this process.
    was_paused: bool,
    /// Since when it lists no partition.
    idle_since: Option<Timestamp>,
    /// Kafka went on without it.
    is_unlisted: bool,
    locked_since: Option<Timestamp>,
    defect: Option<Defect>,
}

/// It was locked up, and its process lives on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Defect {
    /// Its consumer was stopped or restarted since.
    is_moved: bool,
    /// It listed partitions again since.
    came_back: bool,
    /// All that it lists is paused, since it came back: a resume heals it.
    is_paused: bool,
    /// Nothing brings it back.
    must_end: Option<MustEnd>,
}

/// What a consumer was last told.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Told {
    /// A hold keeps it stopped at present.
    pub(crate) is_stopped: bool,
    /// When it was stopped by a command alone. That is over once an instance lists partitions again.
    pub(crate) stopped_at: Option<Timestamp>,
    /// When it was last told to leave its group, or is being brought back.
    pub(crate) moved_at: Option<Timestamp>,
    /// Since when it was paused as a whole, by what is known from before this process heard it.
    pub(crate) paused_since: Option<Timestamp>,
}

impl LockUps {
    pub(crate) fn is_empty(&self) -> bool {
        self.instances.is_empty()
    }

    /// Takes in what is known now. `told`: what the instance was last told. `named`: whose processes must be ended, by the
    /// audit.
    pub(crate) fn observe(
        &mut self,
        telemetry: &GroupTelemetry,
        group: Option<&GroupData>,
        told: impl Fn(&ConsumerName, &InstanceTelemetry) -> Told,
        named: &[MustBeEnded],
        heard_within: Duration,
        now: Timestamp,
    ) {
        let mut before = std::mem::take(&mut self.instances);
        for (consumer, instance) in telemetry.instances() {
            let is_told =
                instance.heard_within(now, heard_within) && !instance.ambiguous && !instance.left_out;
            if instance.kind() != InstanceKind::KafkaFlow || !is_told || instance.pattern.is_some() {
                continue;
            }
            let id = InstanceId::of(consumer, instance);
            let mut seen = before.remove(&id).unwrap_or_default();
            // Of one that runs or is paused as it should be, it makes no difference.
            let told = match seen.defect.is_none() && lists_any(instance) {
                true => Told::default(),
                false => told(consumer, instance),
            };
            seen.look(instance, telemetry, group, told, now);
            if let Some(one) = named.iter().find(|one| names(one, &id)) {
                seen.recall(one);
            }
            // One that runs as it should needs no place.
            if seen.was_paused || seen.idle_since.is_some() || seen.defect.is_some() {
                self.instances.insert(id, seen);
            }
        }
    }

    pub(crate) fn locked(&self) -> Vec<Locked> {
        let all = self.instances.iter().filter_map(|(id, seen)| {
            let must_end = seen.defect.and_then(|defect| defect.must_end);
            Some(Locked { id: id.clone(), since: seen.locked_since?, must_end })
        });
        let mut all: Vec<Locked> = all.collect();
        all.sort_by(|a, b| (a.since, &a.id.instance).cmp(&(b.since, &b.id.instance)));
        all
    }

    /// Its process must still be ended.
    pub(crate) fn must_be_ended(&self, one: &MustBeEnded) -> bool {
        self.instances.iter().any(|(id, seen)| names(one, id) && seen.must_end())
    }

    /// An instance of the consumer has to be paused and resumed after it started, or it locks up again.
    pub(crate) fn is_defect(&self, consumer: &ConsumerName) -> bool {
        let own = |id: &InstanceId| id.consumer.as_ref() == Some(consumer);
        self.instances
            .iter()
            .any(|(id, seen)| own(id) && seen.defect.is_some_and(|one| one.must_end.is_none()))
    }

    /// The process of an instance of the consumer must be ended.
    pub(crate) fn is_final(&self, consumer: &ConsumerName) -> bool {
        let own = |id: &InstanceId| id.consumer.as_ref() == Some(consumer);
        self.instances
            .iter()
            .any(|(id, seen)| own(id) && seen.defect.is_some_and(|one| one.must_end.is_some()))
    }

    /// It lists no partition, though it was restarted a while ago. Says whether that is new.
    pub(crate) fn did_not_come_back(&mut self, id: &InstanceId, now: Timestamp) -> bool {
        let is_out = |seen: &Seen| seen.idle_since.is_some();
        self.end(id, is_out, MustEnd::DidNotComeBack, now)
    }

    /// It was resumed after its restart, and before its pause.
    pub(crate) fn resumed_too_soon(&mut self, id: &InstanceId, now: Timestamp) {
        self.end(id, |_| true, MustEnd::ResumedTooSoon, now);
    }

    fn end(&mut self, id: &InstanceId, is: impl Fn(&Seen) -> bool, why: MustEnd, now: Timestamp) -> bool {
        let Some(seen) = self.instances.get_mut(id) else { return false };
        let is_meant = is(seen);
        let Some(defect) = seen.defect.as_mut().filter(|one| is_meant && one.must_end.is_none()) else {
            return false;
        };
        defect.must_end = Some(why);
        seen.locked_since.get_or_insert(now);
        true
    }
}

fn names(one: &MustBeEnded, id: &InstanceId) -> bool {
    id.consumer.as_ref() == Some(&one.consumer) && id.instance == one.instance
}

fn lists_any(instance: &InstanceTelemetry) -> bool {
    instance.topics.iter().any(|stream| !stream.running.is_empty() || !stream.paused.is_empty())
}

impl Seen {
    fn look(
        &mut self,
        instance: &InstanceTelemetry,
        telemetry: &GroupTelemetry,
        group: Option<&GroupData>,
        told: Told,
        now: Timestamp,
    ) {
        let is_moved = self.locked_since.is_some_and(|since| told.moved_at.is_some_and(|at| at >= since));
        if let Some(defect) = &mut self.defect {
            defect.is_moved |= is_moved || told.is_stopped;
        }
        if lists_any(instance) {
            return self.lists(instance.topics.iter().all(|stream| stream.running.is_empty()));
        }
        let since = *self.idle_since.get_or_insert(instance.last_heard);
        let is_stopped = told.is_stopped || told.stopped_at.is_some_and(|at| since <= at.plus(STOPS_WITHIN));
        let listed = group.map(GroupData::listed);
        let rebalancing = group.and_then(|group| group.rebalancing_since);
        if let Some(listed) = listed
            && rebalancing.is_none()
            && listed.at.is_some_and(|at| at > since)
            && listed.members.is_some_and(|members| !members.is_empty())
        {
            self.is_unlisted = is_no_member(listed, telemetry, instance);
        }
        // Who was heard to list partitions told itself what was paused.
        self.was_paused |= !instance.has_listed && told.paused_since.is_some_and(|at| at <= since);
        let again = self.defect.is_some_and(|defect| defect.came_back);
        let idle =
            Idle { since, was_paused: self.was_paused || again, is_stopped, is_unlisted: self.is_unlisted };
        match locked_up(idle, rebalancing, now) {
            Some(since) => {
                self.locked_since = self.locked_since.or(Some(since));
                let former = self.defect.unwrap_or_default();
                let must_end = former.must_end.or(former.came_back.then_some(MustEnd::LockedUpAgain));
                self.defect = Some(Defect { must_end, ..former });
            }
            // Once locked up it stays so, until it is stopped or lists partitions again.
            None if is_stopped && !self.must_end() => self.locked_since = None,
            None => {}
        }
    }

    /// Another process saw why. Whatever lists partitions since came back; but one that was resumed too soon obeys nothing.
    fn recall(&mut self, one: &MustBeEnded) {
        if self.idle_since.is_none() && one.why != MustEnd::ResumedTooSoon {
            return;
        }
        let defect = self.defect.get_or_insert_default();
        defect.must_end.get_or_insert(one.why);
        self.locked_since.get_or_insert(one.since);
    }

    fn must_end(&self) -> bool {
        self.defect.is_some_and(|defect| defect.must_end.is_some())
    }

    fn lists(&mut self, is_paused: bool) {
        self.was_paused = is_paused;
        self.idle_since = None;
        self.is_unlisted = false;
        // It obeys neither a pause nor a stop, whatever it lists.
        if self.defect.is_some_and(|defect| defect.must_end == Some(MustEnd::ResumedTooSoon)) {
            return;
        }
        self.locked_since = None;
        self.defect = self.defect.take().and_then(|defect| match defect {
            // The rebalance that it waited for was another's: nothing got it out.
            Defect { is_moved: false, .. } => None,
            // Paused, and now resumed.
            Defect { is_paused: true, .. } if !is_paused => None,
            defect => Some(Defect { came_back: true, is_paused, must_end: None, ..defect }),
        });
    }
}
