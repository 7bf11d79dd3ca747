//! How much of holds is taken in. Pure.

use std::collections::HashMap;

use flowdeck_model::shown::exact;
use flowdeck_model::{GroupId, Hold, Scope};

/// Anybody who may write to the topic can claim any number of holds, with any reason. Beyond these bounds
/// they are not taken in, which is said: in all, of one group, and bytes of all together.
const HOLDS_MAX: usize = 10_000;
pub const GROUP_MAX: usize = 500;
const BYTES_MAX: usize = 16 * 1024 * 1024;
/// External commands fill half of it at most: what an operator pauses beside them is taken in again after a
/// restart.
const EXTERNAL_PART: usize = 2;
/// So many holds of a group can come of external commands.
pub const EXTERNAL_GROUP_MAX: usize = GROUP_MAX / EXTERNAL_PART;
pub const EXTERNAL_MAX: usize = HOLDS_MAX / EXTERNAL_PART;

/// What some holds take.
#[derive(Debug, Default)]
pub struct HoldQuota {
    holds: usize,
    bytes: usize,
    /// Of each group that has some.
    groups: HashMap<GroupId, usize>,
}

impl HoldQuota {
    pub fn add(&mut self, hold: &Hold) {
        self.holds += 1;
        self.bytes += weight(hold);
        *self.groups.entry(hold.scope.group.clone()).or_default() += 1;
    }

    /// One that was added.
    pub fn remove(&mut self, hold: &Hold) {
        self.holds -= 1;
        self.bytes -= weight(hold);
        if let Some(count) = self.groups.get_mut(&hold.scope.group) {
            *count -= 1;
            if *count == 0 {
                self.groups.remove(&hold.scope.group);
            }
        }
    }

    /// One that is in force already becomes another.
    pub fn grow(&mut self, from: &Hold, to: &Hold) {
        self.bytes += weight(to).saturating_sub(weight(from));
    }

    /// Whether one more fits.
    pub fn fits(&self, hold: &Hold) -> bool {
        self.holds < HOLDS_MAX
            && self.group(&hold.scope.group) < GROUP_MAX
            && self.bytes + weight(hold) <= BYTES_MAX
    }

    /// Whether external commands may add `wanted` to all of `there`. What holds nothing more may take the whole.
    pub fn fits_external(wanted: &Self, there: [&Self; 2]) -> bool {
        let sum = |of: &dyn Fn(&Self) -> usize| of(wanted) + there.into_iter().map(of).sum::<usize>();
        let part = if wanted.holds == 0 { 1 } else { EXTERNAL_PART };
        (wanted.holds == 0 || sum(&|quota| quota.holds) <= EXTERNAL_MAX)
            && wanted.groups.keys().all(|group| sum(&|quota| quota.group(group)) <= EXTERNAL_GROUP_MAX)
            && sum(&|quota| quota.bytes) <= BYTES_MAX / part
    }

    fn group(&self, group: &GroupId) -> usize {
        self.groups.get(group).copied().unwrap_or(0)
    }

    pub fn bounds() -> String {
        words(GROUP_MAX, HOLDS_MAX, BYTES_MAX)
    }

    pub fn external_bounds() -> String {
        words(EXTERNAL_GROUP_MAX, EXTERNAL_MAX, BYTES_MAX / EXTERNAL_PART)
    }
}

fn words(group: usize, all: usize, bytes: usize) -> String {
    format!("{group} of a group, {} and {} MB in all", exact(all as u64), bytes / (1024 * 1024))
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
    use flowdeck_model::{HoldId, Timestamp};

    fn quota(group: &str, holds: usize) -> HoldQuota {
        let mut quota = HoldQuota::default();
        (0..holds).for_each(|_| quota.add(&hold(group)));
        quota
    }

    fn hold(group: &str) -> Hold {
        Hold {
            scope: Scope::group(group.into()),
            id: HoldId::from_uuid(uuid::Uuid::nil()),
            owner: "external".into(),
            reason: "x".into(),
            since: Timestamp::from_millis(0),
            until: None,
            by: flowdeck_model::HoldBy::Pause,
            except: vec![],
        }
    }

    #[test]
    fn external_commands_fill_half_of_it() {
        let none = HoldQuota::default();
        let fits = |wanted: &HoldQuota, in_force: &HoldQuota, unwritten: &HoldQuota| {
            HoldQuota::fits_external(wanted, [in_force, unwritten])
        };
        let one = quota("g", 1);
        assert!(fits(&one, &quota("g", 200), &quota("g", 49)));
        assert!(!fits(&one, &quota("g", 200), &quota("g", 50)), "what is not written yet counts");
        assert!(fits(&one, &quota("h", 4_999), &none) && !fits(&one, &quota("h", 5_000), &none));
        assert!(!fits(&quota("g", 251), &none, &none));
        // What releases, or makes an exception, is no more holds.
        let mut grown = HoldQuota::default();
        grown.grow(&hold("g"), &Hold { except: vec![Scope::group("g".into())], ..hold("g") });
        assert!(grown.bytes > 0 && fits(&grown, &quota("g", 400), &none));
        let mut back = quota("g", 1);
        back.remove(&hold("g"));
        assert!(back.holds == 0 && back.bytes == 0 && back.groups.is_empty());
    }
}
