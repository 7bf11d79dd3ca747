//! Operations as pages read them.

use std::collections::HashMap;
use std::sync::Arc;

use flowdeck_model::actor::ActorView;
use flowdeck_model::view::{ClusterView, CommandView, InstanceOutcome, OffsetChange, SentAgain, SentRecord};
use flowdeck_model::{Action, CommandId, CommandState, GroupId, Hold, HoldId, Target, Timestamp};

/// One operation, and what is known of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Operation {
    pub id: CommandId,
    pub action: Action,
    pub target: Target,
    pub reason: String,
    pub actor: ActorView,
    pub requested_at: Timestamp,
    /// When its first record was confirmed.
    pub sent_at: Option<Timestamp>,
    pub until: Option<Timestamp>,
    pub state: CommandState,
    pub sent: Vec<SentRecord>,
    pub sent_again: Option<SentAgain>,
    /// It is not sent again any more.
    pub gave_up: bool,
    pub holds: Vec<HoldId>,
    /// The holds that it changed or released, as they were, as far as the audit has them.
    pub before: Vec<Hold>,
    pub offsets: Vec<OffsetChange>,
    pub instances: Vec<InstanceOutcome>,
    pub notes: Vec<String>,
}

impl Operation {
    pub fn view(&self, cluster: &ClusterView, now: Timestamp) -> CommandView {
        CommandView {
            id: self.id,
            cluster_info: cluster.clone(),
            action: self.action,
            target: self.target.clone(),
            actor: self.actor.clone(),
            reason: self.reason.clone(),
            state: self.state,
            now,
            requested_at: self.requested_at,
            until: self.until,
            sent: self.sent.clone(),
            holds: self.holds.clone(),
            offsets: self.offsets.clone(),
            instances: self.instances.clone(),
            sent_again: self.sent_again,
            notes: self.notes.clone(),
        }
    }
}

/// All that are remembered.
#[derive(Debug, Default, Clone)]
pub struct OperationIndex {
    by_id: HashMap<CommandId, Arc<Operation>>,
    /// Newest last.
    order: Vec<CommandId>,
}

impl OperationIndex {
    /// Ordered by when they were asked for: what waited for a leader may be entered after what came later.
    pub fn new(operations: impl Iterator<Item = Arc<Operation>>) -> Self {
        let mut operations: Vec<_> = operations.collect();
        operations.sort_by_key(|one| one.requested_at);
        let order = operations.iter().map(|one| one.id).collect();
        let by_id = operations.into_iter().map(|one| (one.id, one)).collect();
        Self { by_id, order }
    }

    pub fn get(&self, id: CommandId) -> Option<&Arc<Operation>> {
        self.by_id.get(&id)
    }

    /// When each group was last resumed: what telemetry said before speaks of the pause.
    pub fn resumed(&self) -> HashMap<&GroupId, Timestamp> {
        let resumes = self.by_id.values().filter(|one| one.action == Action::Resume);
        let mut newest = HashMap::new();
        for (group, at) in resumes.filter_map(|one| Some((&one.target.group, one.sent_at?))) {
            let known = newest.entry(group).or_insert(at);
            *known = at.max(*known);
        }
        newest
    }

    /// Newest first.
    pub fn of_group(&self, group: &GroupId) -> impl Iterator<Item = &Arc<Operation>> {
        self.order
            .iter()
            .rev()
            .filter_map(|id| self.by_id.get(id))
            .filter(move |one| &one.target.group == group)
    }
}

/// What is said of a group that external commands pause and resume again and again.
pub fn repeated(group: &str) -> String {
    format!(
        "commands on the admin topic pause and resume {group} again and again; the newest were not taken over"
    )
}
