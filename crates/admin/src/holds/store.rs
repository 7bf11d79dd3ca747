//! The holds that stand, by key, as the topic told them in order of its offsets. What this process
//! wrote counts at once, before the tail brings it back. Pure.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
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

/// Anybody who may write to the topic can claim any number of holds, with any reason. Beyond these bounds
/// they are not taken in, which is said: in all, of one group, and bytes of all together.
const HOLDS_MAX: usize = 10_000;
const GROUP_MAX: usize = 500;
const BYTES_MAX: usize = 16 * 1024 * 1024;
/// Those that are counted beyond these bounds.
const BEYOND_MAX: usize = 100_000;
/// Flowdeck's own are shorter (`model::command::REASON_MAX`); longer words are cut.
const WORDS_MAX: usize = 1_000;

#[derive(Debug, Default)]
pub(crate) struct HoldStore {
    standing: BTreeMap<HoldKey, Hold>,
    /// Of each group that has some.
    counts: HashMap<GroupId, usize>,
    /// Of all that stand.
    bytes: usize,
    /// Keys that this process wrote, until the tail has come to that record.
    written: HashMap<HoldKey, i64>,
    known: bool,
    dirty: bool,
    /// Those that stand and were not taken in, by their keys' hashes.
    beyond: HashSet<u64>,
    /// More than `BEYOND_MAX` of them: they are not counted any more, until the topic is there anew.
    beyond_uncounted: bool,
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
        self.put(key, hold, false)
    }

    /// What this process wrote and saw confirmed.
    pub(crate) fn wrote(&mut self, key: HoldKey, hold: Option<Hold>, offset: i64) -> bool {
        self.written.insert(key.clone(), offset);
        self.put(key, hold, true)
    }

    /// `own`: an operator's, through this process; no flood keeps it out.
    fn put(&mut self, key: HoldKey, hold: Option<Hold>, own: bool) -> bool {
        let changed = match hold.map(cut) {
            None => {
                self.count_beyond(&key, false);
                self.take(&key).is_some()
            }
            Some(hold) if self.standing.get(&key) == Some(&hold) => false,
            Some(hold) => {
                let before = self.take(&key);
                let fits = own || self.fits(&hold);
                self.count_beyond(&key, !fits);
                // An older wish of the same hold is not the present one: what does not fit takes it away.
                if fits {
                    self.bytes += weight(&hold);
                    *self.counts.entry(key.0.group.clone()).or_default() += 1;
                    self.standing.insert(key, hold);
                }
                fits || before.is_some()
            }
        };
        self.dirty |= changed;
        changed
    }

    /// For the warning; it changes nothing of what stands.
    fn count_beyond(&mut self, key: &HoldKey, beyond: bool) {
        if !beyond {
            self.dirty |= self.beyond.remove(&hash(key));
        } else if self.beyond.len() < BEYOND_MAX {
            self.dirty |= self.beyond.insert(hash(key));
        } else {
            self.beyond_uncounted = true;
        }
    }

    fn fits(&self, hold: &Hold) -> bool {
        self.standing.len() < HOLDS_MAX
            && self.counts.get(&hold.scope.group).is_none_or(|count| *count < GROUP_MAX)
            && self.bytes + weight(hold) <= BYTES_MAX
    }

    fn take(&mut self, key: &HoldKey) -> Option<Hold> {
        let hold = self.standing.remove(key)?;
        self.bytes -= weight(&hold);
        if let Some(count) = self.counts.get_mut(&key.0.group) {
            *count -= 1;
            if *count == 0 {
                self.counts.remove(&key.0.group);
            }
        }
        Some(hold)
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
        self.counts.clear();
        self.bytes = 0;
        self.written.clear();
        self.beyond.clear();
        self.beyond_uncounted = false;
        self.known = true;
    }

    pub(crate) fn is_known(&self) -> bool {
        self.known
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.standing.is_empty()
    }

    pub(crate) fn warning(&self) -> Option<String> {
        if self.beyond.is_empty() && !self.beyond_uncounted {
            return None;
        }
        let holds = match self.beyond_uncounted {
            true => format!("more than {BEYOND_MAX} more holds were read"),
            false => format!("{} more holds stand", self.beyond.len()),
        };
        Some(format!(
            "{holds} than are taken in ({GROUP_MAX} of a group, {HOLDS_MAX} and {} MB in all); \
             the ones beyond are not shown",
            BYTES_MAX / (1024 * 1024)
        ))
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

fn cut(mut hold: Hold) -> Hold {
    for words in [&mut hold.owner, &mut hold.reason] {
        if let Some((end, _)) = words.char_indices().nth(WORDS_MAX) {
            words.truncate(end);
            words.push('…');
        }
    }
    hold
}

fn hash(key: &HoldKey) -> u64 {
    let mut hasher = DefaultHasher::new();
    key.hash(&mut hasher);
    hasher.finish()
}

/// About what it takes of memory.
fn weight(hold: &Hold) -> usize {
    let name = |name: Option<&str>| name.map_or(0, str::len);
    let scope = |scope: &Scope| {
        size_of::<Scope>()
            + scope.group.as_str().len()
            + name(scope.consumer.as_ref().map(AsRef::as_ref))
            + name(scope.topic.as_ref().map(AsRef::as_ref))
            + name(scope.instance.as_ref().map(AsRef::as_ref))
    };
    let words = hold.owner.len() + hold.reason.len();
    // The key has the scope once more.
    size_of::<Hold>() + words + 2 * scope(&hold.scope) + hold.except.iter().map(scope).sum::<usize>()
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
            assert!(store.apply(key, hold, n as i64));
        }
        assert_eq!(store.warning(), None);
        let (key, hold) = forged("g", "one too many");
        assert!(!store.apply(key.clone(), hold.clone(), 1_000));
        assert!(store.warning().unwrap().starts_with("1 more holds stand"), "{:?}", store.warning());
        assert!(!store.apply(key.clone(), hold, 1_001), "the same again changes nothing");
        assert_eq!(store.of_group(&"g".into()).len(), GROUP_MAX);
        // It was released, though it was never taken in.
        assert!(!store.apply(key, None, 1_002));
        assert_eq!(store.warning(), None);
        let (key, hold) = forged("g", "ours");
        assert!(store.wrote(key, hold, 1_003));
        // Other groups are not shut out by it, until all together are too many.
        for n in 0..200_000 {
            let (key, hold) = forged(&format!("other {n}"), &"🦀".repeat(10_000));
            store.apply(key, hold, 2_000 + n);
        }
        assert!(store.standing.len() > 3_000 && store.bytes <= BYTES_MAX, "{}", store.standing.len());
        assert!(store.warning().unwrap().starts_with("more than 100000 more"));
        let longest = store.all().map(|hold| hold.reason.chars().count()).max();
        assert_eq!(longest, Some(WORDS_MAX + 1));
        // What is released makes room again.
        for (key, _) in store.standing.clone() {
            store.apply(key, None, 1_000_000);
        }
        assert_eq!((store.bytes, store.counts.len()), (0, 0));
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
