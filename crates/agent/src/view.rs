//! What the agent knows of the holds: pure, with the time as an argument. Reading them is the
//! control thread's work.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use flowdeck_model::hold::{self, HoldChange};
use flowdeck_model::scope::Place;
use flowdeck_model::{Hold, HoldBy, HoldId, Partition, Scope, Timestamp};

use crate::config::{OnUnknown, Settings};
use crate::record::TopicPartition;

/// Keys of a higher version that are remembered; a topic with more than these stays unknown.
const UNREADABLE_MAX: usize = 10_000;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum HoldsStatus {
    /// Not read yet: every gate is shut.
    Reading,
    /// The cluster has no topic of holds: admin commands are obeyed directly.
    Absent,
    /// Read to the end, and followed since.
    Known,
    /// They cannot be read; the text says why.
    Unknown(String),
}

#[derive(Debug)]
pub(crate) struct View {
    status: HoldsStatus,
    on_unknown: OnUnknown,
    /// How long after its end a hold that nobody released still counts.
    expiry: Duration,
    /// By the record's key, as Kafka compacts them. Only those of this group.
    holds: BTreeMap<Vec<u8>, Hold>,
    /// Keys of records of a higher version.
    unreadable: BTreeSet<Vec<u8>>,
    /// Made by admin commands where there is no topic of holds.
    local: Vec<Hold>,
    /// What the service itself started with: nothing, or a pause of this consumer.
    start: Vec<Hold>,
}

impl View {
    pub(crate) fn new(settings: &Settings) -> Self {
        Self {
            status: HoldsStatus::Reading,
            on_unknown: settings.on_unknown,
            expiry: settings.timings.expiry,
            holds: BTreeMap::new(),
            unreadable: BTreeSet::new(),
            local: vec![],
            start: settings.start_paused.then(|| started_paused(settings)).into_iter().collect(),
        }
    }

    pub(crate) fn status(&self) -> &HoldsStatus {
        &self.status
    }

    /// Says whether that is a change.
    pub(crate) fn set_status(&mut self, status: HoldsStatus) -> bool {
        let changed = status != self.status;
        self.status = status;
        changed
    }

    /// Why the holds are not known, where they are not.
    pub(crate) fn unknown(&self) -> Option<String> {
        match &self.status {
            HoldsStatus::Unknown(why) => Some(why.clone()),
            _ if !self.unreadable.is_empty() => {
                Some(format!("{} holds of a newer version", self.unreadable.len()))
            }
            _ => None,
        }
    }

    /// Whether a partition is held.
    pub(crate) fn holds(&self, settings: &Settings, at: &TopicPartition, now: Timestamp) -> bool {
        if self.start.iter().any(|hold| covers(settings, hold, at)) {
            return true;
        }
        match self.status {
            HoldsStatus::Reading => return true,
            HoldsStatus::Absent => return self.local.iter().any(|hold| covers(settings, hold, at)),
            HoldsStatus::Known | HoldsStatus::Unknown(_) => {}
        }
        if self.unknown().is_some() && self.on_unknown == OnUnknown::Pause {
            return true;
        }
        self.active_holds(now).any(|hold| covers(settings, hold, at))
    }

    /// The holds in force: those that did not end by the agent's own clock.
    pub(crate) fn active_holds(&self, now: Timestamp) -> impl Iterator<Item = &Hold> {
        self.holds.values().filter(move |hold| !self.is_over(hold, now))
    }

    /// Ended, and nobody released it: no Flowdeck is heard.
    fn is_over(&self, hold: &Hold, now: Timestamp) -> bool {
        hold.until.is_some_and(|until| until.plus(self.expiry) <= now)
    }

    /// A hold was written. Gives the one that was there under its key.
    pub(crate) fn set(&mut self, key: &[u8], hold: Hold) -> Option<Hold> {
        self.unreadable.remove(key);
        self.holds.insert(key.to_vec(), hold)
    }

    /// A tombstone was read, of whatever version: what was under the key is gone.
    pub(crate) fn release(&mut self, key: &[u8]) -> Option<Hold> {
        self.unreadable.remove(key);
        self.holds.remove(key)
    }

    /// A record of a higher version: what it holds is not known. What was under its key stays in force.
    pub(crate) fn unreadable(&mut self, key: &[u8]) {
        if self.unreadable.len() < UNREADABLE_MAX {
            self.unreadable.insert(key.to_vec());
        }
    }

    /// Holds that nobody released in time, and so ended by the agent's own clock.
    pub(crate) fn overdue(&self, now: Timestamp) -> Vec<Hold> {
        self.holds.values().filter(|hold| self.is_over(hold, now)).cloned().collect()
    }

    /// The topic is read from its beginning again.
    pub(crate) fn forget(&mut self) {
        self.holds.clear();
        self.unreadable.clear();
        self.local.clear();
    }

    /// An admin command, where it is obeyed directly.
    pub(crate) fn pause_locally(&mut self, scopes: Vec<Scope>, now: Timestamp) {
        for scope in hold::not_yet_held(&self.local, &scopes, None) {
            self.local.push(Hold {
                scope,
                id: HoldId::random(),
                owner: "external".into(),
                reason: String::new(),
                since: now,
                until: None,
                by: HoldBy::Pause,
                except: vec![],
            });
        }
    }

    pub(crate) fn resume_locally(&mut self, scopes: &[Scope]) {
        resume(&mut self.local, scopes);
        self.resume_start(scopes);
    }

    /// An operator resumed: what the service started with is over there.
    pub(crate) fn resume_start(&mut self, scopes: &[Scope]) {
        resume(&mut self.start, scopes);
    }
}

fn resume(holds: &mut Vec<Hold>, scopes: &[Scope]) {
    for change in hold::resume(holds, scopes) {
        match change {
            HoldChange::Release(gone) => holds.retain(|hold| hold.id != gone.id),
            HoldChange::Set(left) => {
                holds.retain(|hold| hold.id != left.id);
                holds.push(left);
            }
        }
    }
}

fn started_paused(settings: &Settings) -> Hold {
    Hold {
        scope: Scope {
            consumer: Some(settings.consumer.clone()),
            instance: Some(settings.instance.clone()),
            ..Scope::group(settings.group.clone())
        },
        id: HoldId::random(),
        owner: "application".into(),
        reason: "started paused".into(),
        since: Timestamp::from_millis(0),
        until: None,
        by: HoldBy::Pause,
        except: vec![],
    }
}

pub(crate) fn place<'a>(settings: &'a Settings, at: &'a TopicPartition) -> Place<'a> {
    Place {
        group: &settings.group,
        consumer: Some(&settings.consumer),
        topic: &at.topic,
        partition: at.partition,
        instance: Some(&settings.instance),
    }
}

/// Whether a hold reaches a partition. One on a topic of the consumer's, or on a part of it, reaches its retry topics
/// whole: what waits there may come from what is held.
pub(crate) fn covers(settings: &Settings, hold: &Hold, at: &TopicPartition) -> bool {
    let here = place(settings, at);
    if hold.holds(here) || hold.scope.topic.is_none() || !settings.is_retry_topic(&at.topic) {
        return hold.holds(here);
    }
    // A partition that no exception names alone.
    let Some(partition) = hold.scope.partition.or(Partition::new(i32::MAX)) else { return false };
    settings.sources.iter().any(|topic| hold.holds(Place { topic, partition, ..here }))
}

/// Whether a scope speaks to this consumer of this instance, whatever it owns.
pub(crate) fn speaks_to(settings: &Settings, scope: &Scope) -> bool {
    scope.group == settings.group
        && scope.consumer.as_ref().is_none_or(|consumer| *consumer == settings.consumer)
        && scope.instance.as_ref().is_none_or(|instance| *instance == settings.instance)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::config::tests::settings;

    fn at(topic: &str, partition: i32) -> TopicPartition {
        TopicPartition::parse(topic, partition).unwrap()
    }

    pub(crate) fn hold(scope: Scope) -> Hold {
        Hold {
            scope,
            id: HoldId::random(),
            owner: "ana".into(),
            reason: "INC-1".into(),
            since: Timestamp::from_millis(0),
            until: None,
            by: HoldBy::Pause,
            except: vec![],
        }
    }

    fn now() -> Timestamp {
        Timestamp::from_millis(1_000_000)
    }

    #[test]
    fn what_started_paused_runs_where_it_is_resumed() {
        let settings = Settings { start_paused: true, ..settings() };
        let mut view = View::new(&settings);
        view.set_status(HoldsStatus::Known);
        let held = |view: &View| [at("t", 0), at("t", 1)].map(|at| view.holds(&settings, &at, now()));
        assert_eq!(held(&view), [true, true]);
        let group = Scope::group("g".into());
        view.resume_start(&[
            Scope::group("h".into()),
            Scope { consumer: Some("other".into()), ..group.clone() },
        ]);
        assert_eq!(held(&view), [true, true]);
        let part = Scope { topic: Some("t".parse().unwrap()), partition: 1.try_into().ok(), ..group.clone() };
        view.resume_start(&[part]);
        assert_eq!(held(&view), [true, false]);
        // The topic of holds is read anew: what was resumed stays so.
        view.forget();
        assert_eq!(held(&view), [true, false]);
        view.resume_start(&[group]);
        assert_eq!(held(&view), [false, false]);
    }

    #[test]
    fn each_kind_of_scope_is_understood() {
        let settings = settings();
        let group = Scope::group("g".into());
        let cases = [
            (group.clone(), [true, true, true]),
            (Scope { consumer: Some("c".into()), ..group.clone() }, [true, true, true]),
            (Scope { consumer: Some("other".into()), ..group.clone() }, [false, false, false]),
            (Scope { topic: Some("t".parse().unwrap()), ..group.clone() }, [true, true, false]),
            (
                Scope { topic: Some("t".parse().unwrap()), partition: 1.try_into().ok(), ..group.clone() },
                [false, true, false],
            ),
            (Scope { instance: Some("i-1".into()), ..group.clone() }, [true, true, true]),
            (Scope { instance: Some("i-2".into()), ..group.clone() }, [false, false, false]),
            (Scope::group("h".into()), [false, false, false]),
        ];
        for (scope, want) in cases {
            let mut view = View::new(&settings);
            view.set_status(HoldsStatus::Known);
            view.set(b"k", hold(scope.clone()));
            let got = [at("t", 0), at("t", 1), at("u", 0)].map(|at| view.holds(&settings, &at, now()));
            assert_eq!(got, want, "{scope:?}");
        }
    }

    #[test]
    fn a_hold_reaches_the_retry_topics_of_what_it_holds() {
        let retries = crate::RetryTopics::new().topic("t.retry", Duration::from_secs(60));
        let settings = Settings { retry_topics: Some(retries), ..settings() };
        let group = Scope::group("g".into());
        let topic = |name: &str| Scope { topic: Some(name.parse().unwrap()), ..group.clone() };
        let part = Scope { partition: 1.try_into().ok(), ..topic("t") };
        for (scope, except, want) in [
            (group.clone(), None, true),
            (topic("t"), None, true),
            (part.clone(), None, true),
            (topic("t.retry"), None, true),
            (topic("other"), None, false),
            (Scope { instance: Some("i-2".into()), ..topic("t") }, None, false),
            (topic("t"), Some(part), true),
            (topic("t"), Some(topic("t")), false),
            (group.clone(), Some(topic("t.retry")), false),
        ] {
            let hold = Hold { except: except.into_iter().collect(), ..hold(scope.clone()) };
            assert_eq!(covers(&settings, &hold, &at("t.retry", 0)), want, "{scope:?}");
        }
        assert!(!covers(&settings, &hold(topic("t")), &at("u", 0)));
    }

    #[test]
    fn releasing_one_leaves_the_others() {
        let settings = settings();
        let mut view = View::new(&settings);
        view.set_status(HoldsStatus::Known);
        let (a, b) = (hold(Scope::group("g".into())), hold(Scope::group("g".into())));
        view.set(b"a", a.clone());
        view.set(b"b", b);
        assert_eq!(view.release(b"a"), Some(a));
        assert!(view.holds(&settings, &at("t", 0), now()));
        view.release(b"b");
        assert!(!view.holds(&settings, &at("t", 0), now()));
    }

    #[test]
    fn unknown_holds_follow_the_policy_and_known_holds_stay_in_force() {
        for (policy, unheld_partition_is_paused) in [(OnUnknown::Run, false), (OnUnknown::Pause, true)] {
            let settings = Settings { on_unknown: policy, ..settings() };
            let mut view = View::new(&settings);
            assert!(view.holds(&settings, &at("u", 0), now()), "shut until known");
            view.set_status(HoldsStatus::Known);
            view.set(b"k", hold(Scope { topic: Some("t".parse().unwrap()), ..Scope::group("g".into()) }));
            view.unreadable(b"newer");
            assert!(view.unknown().is_some());
            assert!(view.holds(&settings, &at("t", 0), now()));
            assert_eq!(view.holds(&settings, &at("u", 0), now()), unheld_partition_is_paused);
            view.release(b"newer");
            assert!(view.unknown().is_none());
            assert!(!view.holds(&settings, &at("u", 0), now()));
            view.set_status(HoldsStatus::Unknown("no rights".into()));
            assert_eq!(view.holds(&settings, &at("u", 0), now()), unheld_partition_is_paused);
        }
    }

    #[test]
    fn a_hold_ends_by_the_own_clock_once_flowdeck_is_late() {
        let settings = settings();
        let mut view = View::new(&settings);
        view.set_status(HoldsStatus::Known);
        let until = Timestamp::from_millis(1_000_000);
        view.set(b"k", Hold { until: Some(until), ..hold(Scope::group("g".into())) });
        let expiry = settings.timings.expiry;
        for (now, want) in [
            (until, true),
            (until.plus(expiry - Duration::from_millis(1)), true),
            (until.plus(expiry), false),
        ] {
            assert_eq!(view.holds(&settings, &at("t", 0), now), want, "{now}");
        }
    }

    #[test]
    fn without_the_topic_admin_commands_are_obeyed() {
        let settings = settings();
        let mut view = View::new(&settings);
        view.set_status(HoldsStatus::Absent);
        let topic = |name: &str| Scope { topic: Some(name.parse().unwrap()), ..Scope::group("g".into()) };
        view.pause_locally(vec![Scope::group("g".into())], now());
        view.resume_locally(&[topic("u")]);
        assert!(view.holds(&settings, &at("t", 0), now()));
        assert!(!view.holds(&settings, &at("u", 0), now()));
        view.resume_locally(&[Scope::group("g".into())]);
        assert!(!view.holds(&settings, &at("t", 0), now()));
    }
}
