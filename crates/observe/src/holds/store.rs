//! The holds in force, by group, as the topic told them in order of its offsets. What this process
//! wrote counts at once, before the tail brings it back. Pure.

use std::collections::{BTreeMap, HashMap};
use std::hash::{DefaultHasher, Hash, Hasher as _};
use std::sync::{Arc, OnceLock};

use flowdeck_model::{GroupId, Hold, HoldId, Scope, Timestamp};

use super::pending_echoes::PendingEchoes;
use super::quota::HoldQuota;

/// The holds as views and rules read them.
#[derive(Debug, Default, Clone)]
pub struct HoldIndex {
    groups: HashMap<GroupId, Arc<[Hold]>>,
    /// The topic was read to its end, or is not there.
    pub known: bool,
}

impl HoldIndex {
    pub fn count(&self) -> usize {
        self.groups.values().map(|holds| holds.len()).sum()
    }

    pub fn group(&self, group: &GroupId) -> &[Hold] {
        self.groups.get(group).map_or(&[], |holds| holds)
    }
}

pub type HoldKey = (Scope, HoldId);

/// Those that are counted beyond the bounds of `HoldQuota`.
const BEYOND_MAX: usize = 100_000;
/// Flowdeck's own are shorter (`model::command::REASON_MAX`); longer words are cut.
const WORDS_MAX: usize = 1_000;

#[derive(Debug, Default)]
pub struct HoldStore {
    groups: HashMap<GroupId, GroupHolds>,
    /// How many of an id are in force, in each of its groups: in one, but for forged ones.
    ids: HashMap<HoldId, BTreeMap<GroupId, usize>>,
    quota: HoldQuota,
    ahead: PendingEchoes,
    known: bool,
    dirty: bool,
    /// No hold of some id is in force any more.
    released: bool,
    /// Those that are in force and were not taken in: the hash of the key, and of the group.
    beyond: HashMap<u64, u64>,
    /// More than `BEYOND_MAX` of them: they are not counted any more, until the topic is there anew.
    beyond_uncounted: bool,
}

/// Of one group, by scope.
#[derive(Debug, Default)]
struct GroupHolds {
    holds: BTreeMap<HoldKey, Hold>,
    /// The same for readers, made where one asks.
    shared: OnceLock<Arc<[Hold]>>,
}

impl GroupHolds {
    fn shared(&self) -> &Arc<[Hold]> {
        self.shared.get_or_init(|| self.holds.values().cloned().collect())
    }
}

impl HoldStore {
    /// A record from the topic. `hold`: `None` for a tombstone. `own`: whether this process is writing it, which
    /// is asked where it does not fit. Says whether something changed.
    pub fn apply(
        &mut self,
        key: HoldKey,
        hold: Option<Hold>,
        offset: i64,
        own: impl FnOnce(&HoldKey) -> bool,
    ) -> bool {
        self.ahead.read(offset);
        !self.ahead.has_newer(&key) && self.put(key, hold, own)
    }

    /// The tail has come to a record that says nothing of a hold.
    pub fn passed(&mut self, offset: i64) {
        self.ahead.read(offset);
    }

    /// What this process wrote and saw confirmed. Where the tail has been there, it told as much, or more.
    pub fn wrote(&mut self, key: HoldKey, hold: Option<Hold>, offset: i64, own: bool) -> bool {
        self.ahead.wrote(&key, offset) && self.put(key, hold, |_| own)
    }

    /// `own`: an operator's, through this process; no flood keeps it out.
    fn put(&mut self, key: HoldKey, hold: Option<Hold>, own: impl FnOnce(&HoldKey) -> bool) -> bool {
        let changed = match hold.map(cut) {
            None => {
                self.count_beyond(&key, false);
                self.take(&key).is_some()
            }
            Some(hold) if self.get(&key) == Some(&hold) => false,
            Some(hold) => {
                let before = self.take(&key);
                let fits = self.quota.fits(&hold) || own(&key);
                self.count_beyond(&key, !fits);
                // An older wish of the same hold is not the present one: what does not fit takes it away.
                if fits {
                    self.insert(key, hold);
                }
                fits || before.is_some()
            }
        };
        self.dirty |= changed;
        changed
    }

    fn get(&self, key: &HoldKey) -> Option<&Hold> {
        self.groups.get(&key.0.group)?.holds.get(key)
    }

    fn insert(&mut self, key: HoldKey, hold: Hold) {
        let group = key.0.group.clone();
        self.quota.add(&hold);
        *self.ids.entry(key.1).or_default().entry(group.clone()).or_default() += 1;
        let there = self.groups.entry(group).or_default();
        there.shared = OnceLock::new();
        there.holds.insert(key, hold);
    }

    fn take(&mut self, key: &HoldKey) -> Option<Hold> {
        let group = &key.0.group;
        let there = self.groups.get_mut(group)?;
        let hold = there.holds.remove(key)?;
        there.shared = OnceLock::new();
        if there.holds.is_empty() {
            self.groups.remove(group);
        }
        self.quota.remove(&hold);
        if let Some(groups) = self.ids.get_mut(&key.1) {
            if let Some(count) = groups.get_mut(group) {
                *count -= 1;
                if *count == 0 {
                    groups.remove(group);
                }
            }
            if groups.is_empty() {
                self.ids.remove(&key.1);
                self.released = true;
            }
        }
        Some(hold)
    }

    /// For the warning; it changes nothing of what is in force.
    fn count_beyond(&mut self, key: &HoldKey, beyond: bool) {
        if !beyond {
            self.dirty |= self.beyond.remove(&hash(key)).is_some();
        } else if self.beyond.len() < BEYOND_MAX {
            self.dirty |= self.beyond.insert(hash(key), hash(&key.0.group)).is_none();
        } else {
            self.beyond_uncounted = true;
        }
    }

    /// The topic was read to its end.
    pub fn reached(&mut self) {
        self.dirty |= !self.known;
        self.known = true;
    }

    /// The topic is not there: nothing is held, and its offsets begin anew.
    pub fn gone(&mut self) {
        let changed = !self.known || !self.groups.is_empty();
        *self = Self { known: true, dirty: self.dirty || changed, released: true, ..Self::default() };
    }

    /// Whether the record at this offset, and so every one before it, was read.
    pub fn has_read(&self, offset: i64) -> bool {
        self.ahead.next() > offset
    }

    pub fn is_known(&self) -> bool {
        self.known
    }

    pub fn is_empty(&self) -> bool {
        self.groups.is_empty()
    }

    pub fn quota(&self) -> &HoldQuota {
        &self.quota
    }

    pub fn warning(&self) -> Option<String> {
        if self.beyond.is_empty() && !self.beyond_uncounted {
            return None;
        }
        let holds = match self.beyond_uncounted {
            true => format!("more than {BEYOND_MAX} more holds were read"),
            false => format!("{} more holds are in force", self.beyond.len()),
        };
        let bounds = HoldQuota::bounds();
        Some(format!("{holds} than are taken in ({bounds}); the ones beyond are not shown"))
    }

    /// Whether a hold of the group may be in force that was not taken in.
    pub fn may_be_held_beyond(&self, group: &GroupId) -> bool {
        let group = hash(group);
        self.beyond_uncounted || self.beyond.values().any(|one| *one == group)
    }

    /// By scope.
    pub fn of_group(&self, group: &GroupId) -> Arc<[Hold]> {
        self.groups.get(group).map(|there| Arc::clone(there.shared())).unwrap_or_default()
    }

    /// Whether a hold of this id is in force.
    /// Those in which something is held.
    pub fn groups(&self) -> impl Iterator<Item = &GroupId> {
        self.groups.keys()
    }

    pub fn is_in_force(&self, id: HoldId) -> bool {
        self.ids.contains_key(&id)
    }

    pub fn of_id(&self, id: HoldId) -> Vec<Hold> {
        let groups = self.ids.get(&id).into_iter().flat_map(BTreeMap::keys);
        let holds = groups.filter_map(|group| self.groups.get(group)).flat_map(|there| &there.holds);
        holds.filter(|((_, one), _)| *one == id).map(|(_, hold)| hold.clone()).collect()
    }

    pub fn overdue(&self, now: Timestamp) -> impl Iterator<Item = &Hold> {
        self.groups.values().flat_map(|there| there.holds.values()).filter(move |hold| hold.is_overdue(now))
    }

    pub fn take_dirty(&mut self) -> bool {
        std::mem::take(&mut self.dirty)
    }

    /// Whether an id is in force no more, since this was last asked.
    pub fn take_released(&mut self) -> bool {
        std::mem::take(&mut self.released)
    }

    /// Only groups that changed are made anew.
    pub fn index(&self) -> HoldIndex {
        let groups = self.groups.iter().map(|(group, there)| (group.clone(), Arc::clone(there.shared())));
        HoldIndex { groups: groups.collect(), known: self.known }
    }
}

fn cut(mut hold: Hold) -> Hold {
    for words in [&mut hold.owner, &mut hold.reason] {
        if let Some((end, _)) = words.char_indices().nth(WORDS_MAX) {
            words.truncate(end);
            words.push('…');
        }
    }
    hold
}

fn hash(of: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    of.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::holds::quota::GROUP_MAX;

    impl HoldStore {
        fn read(&mut self, key: HoldKey, hold: Option<Hold>, offset: i64) -> bool {
            self.apply(key, hold, offset, |_| false)
        }

        fn all(&self) -> impl Iterator<Item = (&HoldKey, &Hold)> {
            self.groups.values().flat_map(|there| &there.holds)
        }
    }

    fn hold(reason: &str) -> Hold {
        Hold {
            scope: Scope::group("g".into()),
            id: HoldId::from_uuid(uuid::Uuid::nil()),
            owner: "ana".into(),
            reason: reason.into(),
            since: Timestamp::from_millis(0),
            until: Some(Timestamp::from_millis(10)),
            by: flowdeck_model::HoldBy::Pause,
            except: vec![],
        }
    }

    fn key() -> HoldKey {
        (hold("").scope, hold("").id)
    }

    #[test]
    fn an_older_record_does_not_undo_what_was_written_since() {
        let mut store = HoldStore::default();
        assert!(store.read(key(), Some(hold("a")), 1));
        assert!(store.wrote(key(), None, 5, true));
        assert!(!store.read(key(), Some(hold("b")), 3), "older than the tombstone");
        assert!(!store.read(key(), None, 5));
        assert!(store.read(key(), Some(hold("c")), 6));
        assert!(!store.read(key(), Some(hold("c")), 7), "the same again changes nothing");
    }

    /// The tail can be quicker than the word that a record was written.
    #[test]
    fn what_was_read_since_is_not_undone_by_what_was_written_before() {
        let mut store = HoldStore::default();
        assert!(store.read(key(), Some(hold("ours")), 5));
        assert!(store.read(key(), None, 7), "another Flowdeck released it");
        assert!(!store.wrote(key(), Some(hold("ours")), 5, true));
        assert!(!store.is_in_force(key().1));
        assert!(store.read(key(), Some(hold("theirs")), 8));
        assert!(store.ahead.is_empty(), "nothing is kept that the tail has passed");
        // A record of another key, or one that says nothing, passes it as well.
        let (other, _) = forged("g", "x");
        assert!(store.wrote(key(), None, 10, true));
        store.passed(10);
        assert!(store.ahead.is_empty());
        assert!(store.wrote(key(), Some(hold("a")), 12, true));
        assert!(store.wrote(key(), Some(hold("b")), 13, true));
        assert!(!store.read(key(), Some(hold("a")), 12));
        assert!(!store.read(other, None, 15));
        assert!(store.ahead.is_empty());
        assert_eq!(store.of_group(&"g".into())[0].reason, "b");
    }

    #[test]
    fn a_topic_made_anew_begins_at_its_first_offset() {
        let mut store = HoldStore::default();
        assert!(store.read(key(), Some(hold("former")), 500));
        assert!(store.wrote(key(), Some(hold("ours, of former")), 510, true));
        store.gone();
        assert!(store.wrote(key(), Some(hold("ours")), 0, true));
        assert!(!store.read(key(), Some(hold("ours")), 0));
        assert!(store.read(key(), None, 1));
        // Where nobody said that it went, its offsets do.
        assert!(store.wrote(key(), Some(hold("of the second")), 40, true));
        assert!(store.read(key(), Some(hold("of the third")), 0));
        assert!(store.ahead.is_empty());
    }

    #[test]
    fn a_external_command_is_bound_and_an_operators_is_not_whoever_tells_first() {
        let mut store = HoldStore::default();
        for n in 0..GROUP_MAX {
            let (key, hold) = forged("g", "x");
            store.read(key, hold, n as i64);
        }
        let (key, hold) = forged("g", "external");
        assert!(!store.wrote(key, hold, 1_000, false));
        let (key, hold) = forged("g", "ours");
        assert!(store.wrote(key, hold, 1_001, true));
        // The tail brings it before it is known to be written.
        let (key, hold) = forged("g", "ours");
        assert!(store.apply(key.clone(), hold.clone(), 1_002, |_| true));
        assert!(!store.wrote(key.clone(), hold, 1_002, true));
        assert!(store.is_in_force(key.1));
        assert!(store.may_be_held_beyond(&"g".into()) && !store.may_be_held_beyond(&"h".into()));
    }

    #[test]
    fn holds_are_found_by_their_id_in_every_group() {
        let mut store = HoldStore::default();
        let one = |group: &str, number: u128| {
            let id = HoldId::from_uuid(uuid::Uuid::from_u128(number));
            Hold { scope: Scope::group(group.into()), id, ..hold("x") }
        };
        for (n, hold) in [one("g", 1), one("h", 1), one("g", 2)].into_iter().enumerate() {
            store.read((hold.scope.clone(), hold.id), Some(hold), n as i64);
        }
        let id = one("g", 1).id;
        assert_eq!(store.of_id(id), [one("g", 1), one("h", 1)]);
        store.read((one("g", 1).scope, id), None, 3);
        assert_eq!(store.of_id(id), [one("h", 1)]);
        assert!(store.is_in_force(id));
        assert_eq!(store.of_group(&"g".into())[..], [one("g", 2)]);
        assert_eq!(store.index().group(&"g".into()), [one("g", 2)]);
        store.read((one("h", 1).scope, id), None, 4);
        assert!(!store.is_in_force(id) && store.of_id(id).is_empty());
    }

    /// As anybody could write them who may write to the topic.
    fn forged(group: &str, reason: &str) -> (HoldKey, Option<Hold>) {
        let id = HoldId::from_uuid(uuid::Uuid::new_v4());
        let hold = Hold { scope: Scope::group(group.into()), id, ..hold(reason) };
        ((hold.scope.clone(), id), Some(hold))
    }

    #[test]
    fn a_flood_of_holds_is_bounded_and_said() {
        let mut store = HoldStore::default();
        for n in 0..GROUP_MAX {
            let (key, hold) = forged("g", "x");
            assert!(store.read(key, hold, n as i64));
        }
        assert_eq!(store.warning(), None);
        let (key, hold) = forged("g", "one too many");
        assert!(!store.read(key.clone(), hold.clone(), 1_000));
        assert!(store.warning().unwrap().starts_with("1 more holds are in force"), "{:?}", store.warning());
        assert!(!store.read(key.clone(), hold, 1_001), "the same again changes nothing");
        assert_eq!(store.of_group(&"g".into()).len(), GROUP_MAX);
        // It was released, though it was never taken in.
        assert!(!store.read(key, None, 1_002));
        assert_eq!(store.warning(), None);
        let (key, hold) = forged("g", "ours");
        assert!(store.wrote(key, hold, 1_003, true));
        // Other groups are not shut out by it, until all together are too many.
        for n in 0..200_000 {
            let (key, hold) = forged(&format!("other {n}"), &"🦀".repeat(10_000));
            store.read(key, hold, 2_000 + n);
        }
        let taken = store.all().count();
        assert!((3_001..=10_000).contains(&taken), "{taken}");
        assert!(store.may_be_held_beyond(&"any".into()));
        assert!(store.warning().unwrap().starts_with("more than 100000 more"));
        let longest = store.all().map(|(_, hold)| hold.reason.chars().count()).max();
        assert_eq!(longest, Some(WORDS_MAX + 1));
        // What is released makes space again.
        let keys: Vec<HoldKey> = store.all().map(|(key, _)| key.clone()).collect();
        for (key, n) in keys.into_iter().zip(1_000_000..) {
            store.read(key, None, n);
        }
        assert!(store.is_empty() && store.ids.is_empty());
        assert_eq!(format!("{:?}", store.quota), format!("{:?}", HoldQuota::default()));
    }

    #[test]
    fn a_topic_that_went_holds_nothing() {
        let mut store = HoldStore::default();
        assert!(!store.is_known());
        store.read(key(), Some(hold("a")), 1);
        assert_eq!(store.overdue(Timestamp::from_millis(10)).count(), 1);
        assert_eq!(store.overdue(Timestamp::from_millis(9)).count(), 0);
        store.gone();
        assert!(store.is_known() && store.of_group(&"g".into()).is_empty());
    }
}
