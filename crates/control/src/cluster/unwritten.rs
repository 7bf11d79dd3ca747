//! Changes of holds that were handed over to be written and whose outcome is not known yet. Pure.

use std::sync::Arc;

use flowdeck_model::hold::HoldChange;
use flowdeck_model::{CommandId, GroupId, Hold};

use crate::commands::plan;
use flowdeck_observe::holds::HoldKey;
use flowdeck_observe::holds::quota::HoldQuota;

#[derive(Debug, Default)]
pub(super) struct Unwritten {
    /// In the order in which they are written.
    commands: Vec<Handed>,
    quota: HoldQuota,
}

#[derive(Debug)]
struct Handed {
    id: CommandId,
    external: bool,
    changes: Vec<HoldChange>,
}

impl Unwritten {
    pub(super) fn add(&mut self, id: CommandId, external: bool, changes: &[HoldChange]) {
        sets(changes).for_each(|hold| self.quota.add(hold));
        self.commands.push(Handed { id, external, changes: changes.to_vec() });
    }

    /// Its outcome is known; says whether it was an external one.
    pub(super) fn done(&mut self, id: CommandId) -> bool {
        let Some(at) = self.commands.iter().position(|one| one.id == id) else { return false };
        let done = self.commands.remove(at);
        sets(&done.changes).for_each(|hold| self.quota.remove(hold));
        done.external
    }

    /// Its outcome is not known yet.
    pub(super) fn is_handed(&self, id: CommandId) -> bool {
        self.commands.iter().any(|one| one.id == id)
    }

    /// What they take; a hold that is replaced counts once more.
    pub(super) fn quota(&self) -> &HoldQuota {
        &self.quota
    }

    /// The holds of a group as they will be, where all goes well.
    pub(super) fn over(&self, group: &GroupId, active: Arc<[Hold]>) -> Arc<[Hold]> {
        self.commands
            .iter()
            .filter(|one| one.changes.iter().any(|change| &change.hold().scope.group == group))
            .fold(active, |active, one| plan::apply(&active, &one.changes).into())
    }

    /// Whether this process is writing to the key.
    pub(super) fn has(&self, key: &HoldKey) -> bool {
        self.commands.iter().any(|one| one.writes(key))
    }

    /// The same, for an operator or for the end of a pause.
    pub(super) fn has_own(&self, key: &HoldKey) -> bool {
        self.commands.iter().any(|one| !one.external && one.writes(key))
    }
}

impl Handed {
    fn writes(&self, (scope, id): &HoldKey) -> bool {
        self.changes.iter().map(HoldChange::hold).any(|hold| hold.id == *id && hold.scope == *scope)
    }
}

fn sets(changes: &[HoldChange]) -> impl Iterator<Item = &Hold> {
    changes.iter().filter_map(|change| match change {
        HoldChange::Set(hold) => Some(hold),
        HoldChange::Release(_) => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::tests::{hold, id};

    #[test]
    fn what_is_not_written_yet_counts_as_if_it_were() {
        let mut unwritten = Unwritten::default();
        unwritten.add(id(1), true, &[HoldChange::Set(hold("g", 1))]);
        unwritten.add(id(2), false, &[HoldChange::Release(hold("g", 1)), HoldChange::Set(hold("g", 2))]);
        let over = |unwritten: &Unwritten| unwritten.over(&"g".into(), Arc::default());
        assert_eq!(over(&unwritten)[..], [hold("g", 2)]);
        assert!(unwritten.over(&"h".into(), Arc::default()).is_empty());
        let key = |number| (hold("g", number).scope, hold("g", number).id);
        assert!(unwritten.has(&key(2)) && unwritten.has_own(&key(2)) && !unwritten.has(&key(3)));
        assert!(!unwritten.done(id(2)) && unwritten.done(id(1)) && !unwritten.done(id(1)));
        assert!(!unwritten.has(&key(1)));
        assert_eq!(format!("{:?}", unwritten.quota), format!("{:?}", HoldQuota::default()));
    }
}
