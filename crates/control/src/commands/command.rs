//! One command, and what is known of each instance in its scope.

use std::collections::{BTreeSet, HashMap};

use flowdeck_model::actor::ActorView;
use flowdeck_model::offsets::{OffsetMove, OffsetMoves, SetOffsets};
use flowdeck_model::view::{
    InstanceKind, InstanceOutcome, OffsetChange, OffsetTarget, SentAgain, SentRecord,
};
use flowdeck_model::{
    Action, CommandId, CommandState, Hold, HoldBy, HoldId, InstanceState, Partition, PauseEnd, Scope, Submit,
    Target, Timestamp, TopicName,
};
use flowdeck_observe::operations::Operation;
use flowdeck_observe::telemetry::InstanceId;
use flowdeck_protocol::wire::{Ack, MustBeEnded};

use super::by_stop::ByStop;
use super::flow::Flow;
use super::heal::Heal;
use super::resend::Resends;
use super::stops::Stops;

/// Records that are remembered of one command, beside those that were written first.
const SENT_MAX: usize = 30;

#[derive(Debug, Clone)]
pub(crate) struct Command {
    pub(crate) id: CommandId,
    pub(crate) action: Action,
    pub(crate) target: Target,
    pub(crate) reason: String,
    /// Its end, as it was asked for.
    pub(crate) ends: Option<PauseEnd>,
    /// Of what sets commits: exactly what was asked for.
    pub(crate) asked_offsets: Option<Box<SetOffsets>>,
    pub(crate) by: Option<HoldBy>,
    pub(crate) actor: ActorView,
    pub(crate) requested_at: Timestamp,
    pub(crate) until: Option<Timestamp>,
    pub(crate) state: CommandState,
    pub(crate) sent: Vec<SentRecord>,
    /// So many of them were written first: what comes after was sent again.
    pub(crate) written: usize,
    /// When its first record was confirmed.
    pub(crate) sent_at: Option<Timestamp>,
    pub(crate) holds: Vec<HoldId>,
    pub(crate) instances: Vec<Tracked>,
    /// Instances for which its record in the audit had no space.
    pub(crate) left_out: u32,
    /// That record listed none that had obeyed, so these may have been awaited too.
    pub(crate) left_out_awaited: bool,
    pub(crate) notes: Vec<String>,
    /// The holds that it changes or releases, as they were.
    pub(crate) before: Vec<Hold>,
    /// Of a reset or rewind: where each commit was, and where it is moved. Of a hold by stop: the commits that are kept.
    pub(crate) offsets: Vec<OffsetChange>,
    /// Its request is in the audit.
    pub(crate) audited: bool,
    /// What agents answered while another replica led.
    pub(crate) acks: Vec<Ack>,
    /// Restored from its hold; who it is for is not known.
    pub(crate) restored: bool,
    pub(crate) resends: Resends,
    /// What of a resume comes before it, until that is done.
    pub(crate) heal: Option<Heal>,
    /// Instances that nothing brought back after it, until their processes are gone.
    pub(crate) must_end: Vec<MustBeEnded>,
    /// Of a hold by stop, and of what stops consumers for a while.
    pub(crate) stops: Stops,
    /// Of offsets that are set while KafkaFlow consumers are stopped.
    pub(crate) by_stop: Option<ByStop>,
}

#[derive(Debug, Clone)]
pub(crate) struct Tracked {
    pub(crate) key: InstanceId,
    pub(crate) kind: InstanceKind,
    pub(crate) state: InstanceState,
    pub(crate) at: Timestamp,
    pub(crate) detail: Option<String>,
    /// Evidence counts from here on: the last send.
    pub(crate) since: Timestamp,
    /// `NoResponse` after this.
    pub(crate) deadline: Timestamp,
    /// A KafkaFlow resume is proven by a commit beyond what could be drained under the pause.
    pub(crate) flows: HashMap<(TopicName, Partition), Flow>,
    /// When, where it was after the command; in words.
    pub(crate) joined: Option<String>,
    /// Counts the changes of `flows`.
    pub(crate) moved: u32,
    /// Where its consumer leaves the group and comes back.
    pub(crate) anew: Anew,
    /// It went silent on the command: it is never confirmed, whoever is heard under its name after that.
    pub(crate) is_silent: bool,
}

/// What is known of an instance whose consumer leaves its group, or starts anew in it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Anew {
    /// Its members of the group as Kafka listed them before the command.
    pub(crate) members: BTreeSet<String>,
    /// What it owned then.
    pub(crate) owned: BTreeSet<(TopicName, Partition)>,
    /// When these members were first seen to be gone.
    pub(crate) left_at: Option<Timestamp>,
    /// Partitions whose commit was seen where it should be.
    pub(crate) moved: BTreeSet<(TopicName, Partition)>,
    /// When the last piece of evidence came; it counts once the instance is heard on.
    pub(crate) proven_at: Option<Timestamp>,
    /// As the audit has it, which does not tell what was seen of each partition.
    pub(crate) is_from_audit: bool,
}

impl Tracked {
    pub(crate) fn become_(&mut self, state: InstanceState, detail: Option<String>, now: Timestamp) -> bool {
        if self.state == state && self.detail == detail {
            return false;
        }
        self.state = state;
        self.detail = detail;
        self.at = now;
        true
    }
}

impl Command {
    pub(crate) fn new(submit: Submit, actor: ActorView, now: Timestamp) -> Self {
        let until = submit.ends.map(|end| end.time(now));
        Self {
            id: submit.id,
            action: submit.action,
            target: submit.target,
            reason: submit.reason,
            ends: submit.ends,
            offsets: submit.offsets.as_deref().map(|asked| offset_changes(&asked.moves)).unwrap_or_default(),
            asked_offsets: submit.offsets,
            by: submit.by,
            actor,
            requested_at: now,
            until,
            state: CommandState::Requested,
            sent: vec![],
            written: 0,
            sent_at: None,
            holds: vec![],
            instances: vec![],
            left_out: 0,
            left_out_awaited: false,
            notes: vec![],
            before: vec![],
            audited: false,
            acks: vec![],
            restored: false,
            resends: Resends::default(),
            heal: None,
            must_end: vec![],
            stops: Stops::default(),
            by_stop: None,
        }
    }

    /// Commits that were to be moved or deleted, and were not.
    pub(crate) fn leave_offsets(&mut self, is_left: impl Fn(&OffsetChange) -> bool) {
        for change in &mut self.offsets {
            if is_left(change) {
                change.to = OffsetTarget::NotSet;
            }
        }
    }

    /// No member said that a commit was elsewhere before, and none is known to be left.
    pub(crate) fn offsets_as_asked(&self) -> bool {
        self.asked_offsets.as_deref().is_some_and(|asked| self.offsets == offset_changes(&asked.moves))
    }

    /// Whether `submit` is this very command sent again. Of one that was restored from its hold, only
    /// what the hold tells can be compared.
    pub(crate) fn is_same_as(&self, submit: &Submit) -> bool {
        let parts = |target: &Target| {
            let (mut topics, mut partitions) = (target.topics.clone(), target.partitions.clone());
            topics.sort();
            partitions.sort();
            (topics, partitions)
        };
        self.action == submit.action
            && self.target.group == submit.target.group
            && self.target.consumer == submit.target.consumer
            && parts(&self.target) == parts(&submit.target)
            && self.reason == submit.reason
            && (self.restored || self.asked_offsets == submit.offsets)
            && (self.restored || (self.ends == submit.ends && self.by == submit.by))
    }

    /// It was refused before anything was written: it may be asked again under its id.
    pub(crate) fn wrote_nothing(&self) -> bool {
        self.state == CommandState::Refused && self.sent.is_empty()
    }

    /// Whether `later` is this very request, asked again. Not one that the audit tells once more.
    pub(crate) fn is_asked_again_by(&self, later: &Self) -> bool {
        self.wrote_nothing() && later.requested_at > self.requested_at
    }

    /// When the last instance's state changed: what was said before may speak of a time before it obeyed.
    pub(crate) fn last_change(&self) -> Timestamp {
        self.instances.iter().map(|one| one.at).chain(self.sent_at).max().unwrap_or(self.requested_at)
    }

    /// It was sent, and brings consumers back before it resumes.
    pub(crate) fn is_healing(&self) -> bool {
        self.heal.is_some() && self.sent_at.is_some() && !self.state.is_settled()
    }

    /// It starts consumers that a hold kept stopped.
    pub(crate) fn starts(&self) -> bool {
        self.action == Action::Resume && self.before.iter().any(|hold| hold.by == HoldBy::Stop)
    }

    /// From when on it can be obeyed.
    pub(crate) fn began(&self) -> Timestamp {
        self.sent_at.unwrap_or(self.requested_at)
    }

    /// Adds what was written. Of what is sent again and again, the newest is kept.
    pub(crate) fn wrote(&mut self, mut records: Vec<SentRecord>) {
        self.sent.append(&mut records);
        let kept = self.written.max(SENT_MAX);
        if self.sent.len() > kept {
            self.sent.drain(self.written..self.sent.len() - (kept - self.written));
        }
    }

    fn sent_again(&self) -> Option<SentAgain> {
        let last = self.resends.last.filter(|_| self.resends.count > 0)?;
        Some(SentAgain { times: self.resends.count, last_at: last })
    }

    /// So many more instances are known again.
    pub(crate) fn listed(&mut self, count: usize) {
        self.left_out = self.left_out.saturating_sub(u32::try_from(count).unwrap_or(u32::MAX));
    }

    /// There may be instances that did not answer and that are not listed.
    pub(crate) fn may_lack_awaited(&self) -> bool {
        self.left_out > 0 && self.left_out_awaited
    }

    fn shown_notes(&self) -> Vec<String> {
        let mut notes = self.notes.clone();
        notes.extend((self.left_out > 0).then(|| {
            format!("{} more instances are not listed: the audit has no space for them", self.left_out)
        }));
        notes
    }

    pub(crate) fn scopes(&self) -> Vec<Scope> {
        self.target.scopes()
    }

    /// It concerns one of them, or a part of one.
    pub(crate) fn touches(&self, scopes: &[Scope]) -> bool {
        self.scopes().iter().any(|one| scopes.iter().any(|scope| one.intersect(scope).is_some()))
    }

    /// As pages read it.
    pub(crate) fn operation(&self) -> Operation {
        Operation {
            id: self.id,
            action: self.action,
            target: self.target.clone(),
            reason: self.reason.clone(),
            actor: self.actor.clone(),
            requested_at: self.requested_at,
            sent_at: self.sent_at,
            until: self.until,
            state: self.state,
            sent: self.sent.clone(),
            sent_again: self.sent_again(),
            gave_up: self.resends.capped,
            holds: self.holds.clone(),
            before: self.before.clone(),
            offsets: self.offsets.clone(),
            instances: self.instances.iter().map(Tracked::view).collect(),
            notes: self.shown_notes(),
        }
    }
}

pub(crate) fn offset_changes(moves: &OffsetMoves) -> Vec<OffsetChange> {
    let change = |one: &OffsetMove| OffsetChange {
        topic: one.topic.clone(),
        partition: one.partition,
        from: one.from,
        to: one.to.map_or(OffsetTarget::Deleted, OffsetTarget::Offset),
    };
    moves.iter().map(change).collect()
}

impl Tracked {
    pub(crate) fn view(&self) -> InstanceOutcome {
        InstanceOutcome {
            instance: self.key.instance.clone(),
            consumer: self.key.consumer.clone(),
            kind: self.kind,
            incarnation: self.key.incarnation,
            state: self.state,
            at: self.at,
            detail: self.detail.clone(),
        }
    }
}
