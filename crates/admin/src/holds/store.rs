//! The holds that stand, by key, as the topic told them in order of its offsets. What this process
//! wrote counts at once, before the tail brings it back. Pure.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use flowdeck_model::{GroupId, Hold, HoldId, Scope, Timestamp};

/// The holds as views and rules read them.
#[derive(Debug, Default, Clone)]
pub(crate) struct HoldIndex {
    groups: HashMap<GroupId, Arc<[Hold]>>,
    /// The topic was read to its end, or is not there.
    pub(crate) known: bool,
}

impl HoldIndex {
    pub(crate) fn count(&self) -> usize {
        self.groups.values().map(|holds| holds.len()).sum()
    }

    pub(crate) fn group(&self, group: &GroupId) -> &[Hold] {
        self.groups.get(group).map_or(&[], |holds| holds)
    }
}

pub(crate) type HoldKey = (Scope, HoldId);

/// Holds beyond this are not taken in.
const HOLDS_MAX: usize = 10_000;

#[derive(Debug, Default)]
pub(crate) struct HoldStore {
    standing: BTreeMap<HoldKey, Hold>,
    /// Keys that this process wrote, until the tail has come to that record.
    written: HashMap<HoldKey, i64>,
    known: bool,
    dirty: bool,
    too_many: bool,
}

impl HoldStore {
    /// A record from the topic. `hold`: `None` for a tombstone. Says whether something changed.
    pub(crate) fn apply(&mut self, key: HoldKey, hold: Option<Hold>, offset: i64) -> bool {
        if let Some(written) = self.written.get(&key) {
            if offset < *written {
                return false;
            }
            self.written.remove(&key);
        }
        self.put(key, hold)
    }

    /// What this process wrote and saw confirmed.
    pub(crate) fn wrote(&mut self, key: HoldKey, hold: Option<Hold>, offset: i64) -> bool {
        self.written.insert(key.clone(), offset);
        self.put(key, hold)
    }

    fn put(&mut self, key: HoldKey, hold: Option<Hold>) -> bool {
        let changed = match hold {
            None => self.standing.remove(&key).is_some(),
            Some(_) if !self.standing.contains_key(&key) && self.standing.len() >= HOLDS_MAX => {
                self.too_many = true;
                false
            }
            Some(hold) => {
                self.standing.get(&key) != Some(&hold) && {
                    self.standing.insert(key, hold);
                    true
                }
            }
        };
        self.dirty |= changed;
        changed
    }

    /// The topic was read to its end.
    pub(crate) fn reached(&mut self) {
        self.dirty |= !self.known;
        self.known = true;
    }

    /// The topic is not there: nothing is held.
    pub(crate) fn gone(&mut self) {
        self.dirty |= !self.known || !self.standing.is_empty();
        self.standing.clear();
        self.written.clear();
        self.known = true;
    }

    pub(crate) fn is_known(&self) -> bool {
        self.known
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.standing.is_empty()
    }

    pub(crate) fn warning(&self) -> Option<String> {
        self.too_many.then(|| format!("more than {HOLDS_MAX} holds stand; the ones beyond are not shown"))
    }

    pub(crate) fn of_group(&self, group: &GroupId) -> Vec<Hold> {
        self.standing.values().filter(|hold| &hold.scope.group == group).cloned().collect()
    }

    pub(crate) fn all(&self) -> impl Iterator<Item = &Hold> {
        self.standing.values()
    }

    /// Whether a hold of this id stands.
    pub(crate) fn stands(&self, id: HoldId) -> bool {
        self.standing.keys().any(|(_, hold)| *hold == id)
    }

    pub(crate) fn overdue(&self, now: Timestamp) -> Vec<Hold> {
        self.standing.values().filter(|hold| hold.is_overdue(now)).cloned().collect()
    }

    pub(crate) fn take_dirty(&mut self) -> bool {
        std::mem::take(&mut self.dirty)
    }

    pub(crate) fn index(&self) -> HoldIndex {
        let mut groups: HashMap<GroupId, Vec<Hold>> = HashMap::new();
        for hold in self.standing.values() {
            groups.entry(hold.scope.group.clone()).or_default().push(hold.clone());
        }
        let groups = groups.into_iter().map(|(group, holds)| (group, holds.into())).collect();
        HoldIndex { groups, known: self.known }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hold(reason: &str) -> Hold {
        Hold {
            scope: Scope::group("g".into()),
            id: HoldId::from_uuid(uuid::Uuid::nil()),
            owner: "ana".into(),
            reason: reason.into(),
            since: Timestamp::from_millis(0),
            until: Some(Timestamp::from_millis(10)),
            except: vec![],
        }
    }

    fn key() -> HoldKey {
        (hold("").scope, hold("").id)
    }

    #[test]
    fn an_older_record_does_not_undo_what_was_written_since() {
        let mut store = HoldStore::default();
        assert!(store.apply(key(), Some(hold("a")), 1));
        assert!(store.wrote(key(), None, 5));
        assert!(!store.apply(key(), Some(hold("b")), 3), "older than the tombstone");
        assert!(!store.apply(key(), None, 5));
        assert!(store.apply(key(), Some(hold("c")), 6));
        assert!(!store.apply(key(), Some(hold("c")), 7), "the same again changes nothing");
    }

    #[test]
    fn a_topic_that_went_holds_nothing() {
        let mut store = HoldStore::default();
        assert!(!store.is_known());
        store.apply(key(), Some(hold("a")), 1);
        assert_eq!(store.overdue(Timestamp::from_millis(10)).len(), 1);
        assert!(store.overdue(Timestamp::from_millis(9)).is_empty());
        store.gone();
        assert!(store.is_known() && store.of_group(&"g".into()).is_empty());
    }
}
