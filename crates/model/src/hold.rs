//! Holds: an operator's durable request that something be paused, and what a pause or a resume changes
//! of those in force. Pure: the caller writes the changes to `flowdeck.holds`.

use serde::{Deserialize, Serialize};

use crate::ids::HoldId;
use crate::names::{ConsumerName, GroupId};
use crate::scope::{Place, Scope};
use crate::time::Timestamp;

/// What is done with the KafkaFlow consumers of a hold. Agents pause either way.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub enum HoldBy {
    #[default]
    Pause,
    /// They leave their group: nothing of it can lock up in a rebalance. Only of whole groups and consumers.
    Stop,
}

impl HoldBy {
    /// In JSON, in forms and on the command line.
    pub fn word(self) -> &'static str {
        match self {
            Self::Pause => "pause",
            Self::Stop => "stop",
        }
    }

    pub fn from_word(word: &str) -> Option<Self> {
        [Self::Pause, Self::Stop].into_iter().find(|one| one.word() == word)
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct Hold {
    pub scope: Scope,
    pub id: HoldId,
    /// Who holds: an actor's name, or `external` for an external command.
    pub owner: String,
    pub reason: String,
    pub since: Timestamp,
    pub until: Option<Timestamp>,
    #[serde(default)]
    pub by: HoldBy,
    /// Parts of the scope that a narrow resume took out again.
    pub except: Vec<Scope>,
}

impl Hold {
    /// Whether the partition is paused by this hold. Expiry is not looked at: a hold is in force
    /// until its tombstone (see `is_overdue`).
    pub fn holds(&self, place: Place<'_>) -> bool {
        self.scope.contains(place) && !self.except.iter().any(|except| except.contains(place))
    }

    /// Whether all of `scope` is already paused by this hold.
    pub fn covers(&self, scope: &Scope) -> bool {
        self.scope.covers(scope) && self.except.iter().all(|except| except.intersect(scope).is_none())
    }

    /// Whether it is in force at least as long as a pause with this end: `None` is one without an end.
    pub fn outlasts(&self, until: Option<Timestamp>) -> bool {
        match (self.until, until) {
            (None, _) => true,
            (Some(_), None) => false,
            (Some(own), Some(until)) => own >= until,
        }
    }

    /// Whether the consumer is kept stopped by this hold, where it is KafkaFlow's.
    pub fn stops(&self, group: &GroupId, consumer: &ConsumerName) -> bool {
        let of = Scope { consumer: Some(consumer.clone()), ..Scope::group(group.clone()) };
        self.by == HoldBy::Stop && self.covers(&of)
    }

    pub fn is_overdue(&self, now: Timestamp) -> bool {
        self.until.is_some_and(|until| until <= now)
    }
}

/// One record on `flowdeck.holds`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HoldChange {
    /// Written under its key; replaces what was there.
    Set(Hold),
    /// A tombstone under the key of this hold.
    Release(Hold),
}

impl HoldChange {
    pub fn hold(&self) -> &Hold {
        match self {
            Self::Set(hold) | Self::Release(hold) => hold,
        }
    }
}

/// What a resume of `scopes` does: holds inside are released, holds around get an exception.
/// Empty where no hold is in force there.
pub fn resume(in_force: &[Hold], scopes: &[Scope]) -> Vec<HoldChange> {
    in_force.iter().filter_map(|hold| resume_one(hold, scopes)).collect()
}

fn resume_one(hold: &Hold, scopes: &[Scope]) -> Option<HoldChange> {
    let mut left = hold.clone();
    for scope in scopes {
        let Some(cut) = hold.scope.intersect(scope) else { continue };
        // A stopped consumer cannot run a part of what it reads.
        if hold.by == HoldBy::Stop && !cut.is_whole() {
            continue;
        }
        if cut == hold.scope {
            return Some(HoldChange::Release(hold.clone()));
        }
        if left.except.iter().any(|except| except.covers(&cut)) {
            continue;
        }
        left.except.retain(|except| !cut.covers(except));
        left.except.push(cut);
    }
    (left != *hold).then_some(HoldChange::Set(left))
}

/// The scopes of a pause with this end that no hold in force covers for as long.
pub fn not_yet_held(in_force: &[Hold], scopes: &[Scope], until: Option<Timestamp>) -> Vec<Scope> {
    let lasting: Vec<&Hold> = in_force.iter().filter(|hold| hold.outlasts(until)).collect();
    scopes.iter().filter(|scope| !lasting.iter().any(|hold| hold.covers(scope))).cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::names::{Partition, TopicName};
    use proptest::prelude::*;

    fn scope(consumer: Option<&str>, topic: Option<&str>) -> Scope {
        Scope {
            consumer: consumer.map(ConsumerName::from),
            topic: topic.map(|topic| topic.parse().unwrap()),
            ..Scope::group("g".into())
        }
    }

    fn hold(scope: Scope) -> Hold {
        Hold {
            scope,
            id: HoldId::from_uuid(uuid::Uuid::nil()),
            owner: "ana".into(),
            reason: "INC-1".into(),
            since: Timestamp::from_millis(0),
            until: None,
            by: HoldBy::Pause,
            except: vec![],
        }
    }

    #[test]
    fn a_narrow_resume_under_a_broad_hold_splits_it() {
        let broad = hold(scope(None, None));
        let cut = scope(Some("c"), Some("t"));
        let changes = resume(std::slice::from_ref(&broad), std::slice::from_ref(&cut));
        let [HoldChange::Set(left)] = &changes[..] else { panic!("{changes:?}") };
        assert_eq!(left.except, vec![cut.clone()]);
        assert!(!left.covers(&scope(Some("c"), None)));
        assert!(left.covers(&scope(Some("d"), None)));
        // Again: nothing changes, so nothing is written.
        assert_eq!(resume(std::slice::from_ref(left), &[cut]), vec![]);
    }

    #[test]
    fn a_broad_resume_releases_all_that_lie_inside() {
        let holds = [hold(scope(Some("c"), None)), hold(scope(None, Some("t"))), hold(scope(None, None))];
        let changes = resume(&holds, &[scope(None, None)]);
        assert!(changes.iter().all(|change| matches!(change, HoldChange::Release(_))));
        assert_eq!(changes.len(), 3);
    }

    #[test]
    fn a_scope_is_not_held_twice() {
        let broad = hold(scope(None, None));
        assert_eq!(not_yet_held(&[broad], &[scope(Some("c"), None)], None), vec![]);
        let other = hold(scope(Some("d"), None));
        assert_eq!(not_yet_held(&[other], &[scope(Some("c"), None)], None).len(), 1);
    }

    /// A pause until resumed is not replaced by one that ends in a minute.
    #[test]
    fn a_shorter_hold_does_not_replace_a_longer_pause() {
        let at = Timestamp::from_millis;
        for (until, wanted, missing) in [
            (None, None, 0),
            (None, Some(at(9)), 0),
            (Some(at(9)), Some(at(9)), 0),
            (Some(at(9)), Some(at(10)), 1),
            (Some(at(9)), None, 1),
        ] {
            let timed = Hold { until, ..hold(scope(None, None)) };
            let found = not_yet_held(&[timed], &[scope(Some("c"), None)], wanted).len();
            assert_eq!(found, missing, "{until:?} {wanted:?}");
        }
    }

    fn any_scope() -> impl Strategy<Value = Scope> {
        let name = || prop::option::of(prop::sample::select(vec!["a", "b"]));
        (name(), name()).prop_map(|(consumer, topic)| scope(consumer, topic))
    }

    proptest! {
        /// After a resume nothing in its scope is paused, and nothing outside of it changed.
        #[test]
        fn a_resume_frees_its_scope_and_no_more(
            scopes in prop::collection::vec(any_scope(), 1..5),
            target in any_scope(),
            consumer in prop::sample::select(vec!["a", "b"]),
            topic in prop::sample::select(vec!["a", "b"]),
        ) {
            let before: Vec<Hold> = scopes.into_iter().map(hold).collect();
            let after: Vec<Hold> = before.iter().filter_map(|one| {
                match resume_one(one, std::slice::from_ref(&target)) {
                    None => Some(one.clone()),
                    Some(HoldChange::Set(left)) => Some(left),
                    Some(HoldChange::Release(_)) => None,
                }
            }).collect();
            let (group, consumer) = (GroupId::from("g"), ConsumerName::from(consumer));
            let topic: TopicName = topic.parse().unwrap();
            let place = Place {
                group: &group, consumer: Some(&consumer), topic: &topic,
                partition: Partition::new(0).unwrap(), instance: None,
            };
            let was_paused = before.iter().any(|one| one.holds(place));
            let is_paused = after.iter().any(|one| one.holds(place));
            prop_assert_eq!(is_paused, was_paused && !target.contains(place));
        }
    }
}
