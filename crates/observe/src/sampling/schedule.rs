//! Which groups' commits a refresh reads, where a cluster has more groups than requests may be made: what somebody looks at
//! and what is about to change first, and every group in turn. Pure.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use flowdeck_kafka::ListedGroup;
use flowdeck_model::{GroupId, GroupState, Timestamp};

use super::failing::{Failing, Failure};
use super::sample::{GroupData, Sample};

/// No group waits longer for its turn, as long as the requests suffice.
const IN_TURN: Duration = Duration::from_secs(15);
/// As long as a group without members commits nothing, or is refused, it is read so often.
pub const AT_REST: Duration = Duration::from_secs(60);
/// A group without members whose commits did not move for so long is at rest.
const RESTS_AFTER: Duration = Duration::from_secs(600);
/// A commit that moved so long ago is about to move again.
const MOVED: Duration = Duration::from_secs(60);
/// OffsetFetch, and the FindCoordinator before it: librdkafka remembers the coordinators of eleven groups.
pub(super) const REQUESTS: u64 = 2;
/// A refresh after a long pause makes no more requests than one after this.
const LONGEST_INTERVAL: Duration = Duration::from_secs(15);

/// Where commits of all groups and as many descriptions as wanted are too much, one in so many is a description.
const DESCRIPTIONS: usize = 8;

/// Where not all can be asked, one in so many is a group that was refused before, at most: after a minute all of them
/// are due.
const REFUSED: usize = 8;

/// What one refresh may ask for, about groups.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Allowed(usize);

impl Allowed {
    /// `since`: how long ago the refresh before began; `None`: there was none, and the first one is whole.
    pub(super) fn of(requests_per_second: u32, since: Option<Duration>) -> Self {
        let Some(since) = since else { return Self(usize::MAX) };
        let millis = u64::try_from(since.min(LONGEST_INTERVAL).as_millis()).unwrap_or(u64::MAX);
        let requests = u64::from(requests_per_second).saturating_mul(millis) / 1_000;
        Self(usize::try_from(requests / REQUESTS).unwrap_or(usize::MAX))
    }

    /// Of a cluster with so many groups.
    pub(super) fn descriptions(self, groups: usize) -> usize {
        self.0.saturating_sub(groups).max(self.0 / DESCRIPTIONS).max(1)
    }

    /// Two at least: one that is looked at, and one of the others.
    pub(super) fn commits(self, descriptions: usize) -> usize {
        self.0.saturating_sub(descriptions).max(2)
    }
}

/// Lower is read first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Turn {
    /// Somebody looks at it, it is held, or an operation is under way.
    Looked,
    /// Never read, or its time has come.
    Due,
    /// Records wait, and members may commit at any moment: a verdict may change.
    Behind,
    Moving,
    Other,
    AtRest,
    /// It was refused, a minute ago or longer; of these only a share is asked as long as there are others.
    Refused,
}

/// When it was asked last; what lies ahead of a clock that was set back is the oldest.
type Asked = Option<(bool, Timestamp)>;

/// Its time has come. A clock that was set back would make it wait for long.
pub(super) fn is_due(asked: Timestamp, every: Duration, now: Timestamp) -> bool {
    asked > now || now.since(asked) >= every
}

/// Whether a refused group may be asked now.
fn is_asked_again(asked: Asked, now: Timestamp) -> bool {
    asked.is_none_or(|(_, asked)| is_due(asked, AT_REST, now))
}

/// How many of the refused groups are asked though others are due.
pub(super) fn refused_share(most: usize) -> usize {
    most / REFUSED
}

/// The groups to read now, at most `most`; the others keep what was read of them.
pub(super) fn choose(
    listed: &[ListedGroup],
    (old, failing): (&Sample, &Failing),
    looked: &HashSet<GroupId>,
    most: usize,
    now: Timestamp,
) -> Vec<GroupId> {
    let groups = listed.iter().filter(|group| group.kind.has_lag());
    if groups.clone().count() <= most {
        return groups.map(|group| group.id.clone()).collect();
    }
    let mut turns: Vec<(Turn, Asked, &GroupId)> = groups
        .map(|group| {
            let former = old.group(&group.id).map(AsRef::as_ref);
            let failure = failing.get(&group.id);
            let is_looked = looked.contains(&group.id);
            let turn = if is_looked { Turn::Looked } else { turn(group, former, failure, now) };
            let read = former.and_then(|former| former.as_of);
            let asked = failure.map(|failure| failure.asked).or(read);
            (turn, asked.map(|asked| (asked <= now, asked)), &group.id)
        })
        .filter(|(turn, asked, _)| *turn != Turn::Refused || is_asked_again(*asked, now))
        .collect();
    turns.sort_unstable();
    // However many are looked at, the others have their turn.
    let looked = turns.partition_point(|(turn, ..)| *turn == Turn::Looked);
    let first = looked.min((most / 2).max(1));
    let refused = turns.partition_point(|(turn, ..)| *turn < Turn::Refused);
    for (turn, ..) in turns[refused..].iter_mut().take(refused_share(most)) {
        *turn = Turn::Due;
    }
    turns[first..].sort_unstable_by_key(|(turn, asked, id)| ((*turn).max(Turn::Due), *asked, *id));
    turns.into_iter().take(most).map(|(_, _, id)| id.clone()).collect()
}

fn turn(listed: &ListedGroup, former: Option<&GroupData>, failure: Option<&Failure>, now: Timestamp) -> Turn {
    // Who may not be described has no commits that may be read.
    let is_unseen = |former: &GroupData| {
        former.as_of.is_none() && former.error.as_ref().is_some_and(|error| error.not_permitted)
    };
    if failure.is_some_and(Failure::is_refusal) || former.is_some_and(is_unseen) {
        return Turn::Refused;
    }
    if let Some(failure) = failure {
        return if is_due(failure.asked, IN_TURN, now) { Turn::Due } else { Turn::Other };
    }
    let Some((former, read)) = former.and_then(|former| Some((former, former.as_of?))) else {
        return Turn::Due;
    };
    let rests = at_rest(listed.state, former, now);
    if is_due(read, if rests { AT_REST } else { IN_TURN }, now) {
        return Turn::Due;
    }
    if rests {
        return Turn::AtRest;
    }
    let has_members = former.members.as_deref().is_some_and(|members| !members.is_empty());
    if has_members && former.sum.at_least.is_some_and(|lag| lag > 0) {
        return Turn::Behind;
    }
    if former.last_commit.is_some_and(|at| now.since(at) < MOVED) { Turn::Moving } else { Turn::Other }
}

/// Said where the requests do not suffice for every group's turn.
pub(super) fn behind(groups: &[Arc<GroupData>], requests_per_second: u32, now: Timestamp) -> Option<String> {
    let read = groups.iter().filter(|group| !at_rest(Some(group.state), group, now));
    let oldest = read.filter(|group| group.error.is_none()).filter_map(|group| group.as_of).min()?;
    let age = now.since(oldest);
    (age > IN_TURN + LONGEST_INTERVAL).then(|| {
        format!(
            "{requests_per_second} requests a second do not suffice for {} groups: the commits of some were read {} s ago",
            groups.len(),
            age.as_secs()
        )
    })
}

/// Whether it has no members, and has committed nothing for long.
pub(super) fn at_rest(state: Option<GroupState>, former: &GroupData, now: Timestamp) -> bool {
    let last = former.last_commit.or(former.watched_since);
    matches!(state, Some(GroupState::Empty | GroupState::Dead))
        && former.error.is_none()
        && last.is_some_and(|last| now.since(last) >= RESTS_AFTER)
}

#[cfg(test)]
mod tests {
    use flowdeck_kafka::{Acl, Cause};
    use flowdeck_model::GroupType;
    use flowdeck_model::verdict::LagSum;

    use super::super::sample::GroupError;
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_millis(seconds * 1_000)
    }

    fn listed(id: &str, state: GroupState) -> ListedGroup {
        ListedGroup { id: id.into(), kind: GroupType::Classic, state: Some(state), simple: false }
    }

    fn read(id: &str, seconds: i64) -> GroupData {
        GroupData { as_of: Some(at(seconds)), watched_since: Some(at(0)), ..GroupData::test(id) }
    }

    fn sample(groups: Vec<GroupData>) -> Sample {
        Sample { as_of: Some(at(0)), groups: groups.into_iter().map(Arc::new).collect(), ..Sample::default() }
    }

    /// Where nothing failed.
    fn choose(
        listed: &[ListedGroup],
        old: &Sample,
        looked: &HashSet<GroupId>,
        most: usize,
        now: Timestamp,
    ) -> Vec<GroupId> {
        super::choose(listed, (old, &Failing::default()), looked, most, now)
    }

    fn refused(id: &GroupId) -> Cause {
        Cause::NotPermitted(Acl { operation: "Describe", resource: format!("Group:{id}") })
    }

    /// In the order in which they are read.
    fn order(listed: &[ListedGroup], old: &Sample, looked: &[&str], now: i64) -> Vec<String> {
        let looked = looked.iter().map(|id| GroupId::from(*id)).collect();
        let mut all: Vec<String> = Vec::new();
        for most in 1..listed.len() {
            let chosen = choose(listed, old, &looked, most, at(now));
            assert_eq!(chosen.len(), most);
            let next = chosen.iter().map(ToString::to_string).find(|id| !all.contains(id));
            all.extend(next);
        }
        all
    }

    #[test]
    fn requests_bound_the_groups_of_a_refresh() {
        let seconds = Duration::from_secs;
        for (per_second, since, groups, want) in [
            (1_500, Some(seconds(2)), 300, (1_200, 1_000)),
            (1_500, Some(seconds(2)), 10_000, (187, 1_313)),
            (1_500, Some(seconds(3_600)), 10_000, (1_406, 10_750)),
            (1, Some(seconds(1)), 500, (1, 2)),
        ] {
            let allowed = Allowed::of(per_second, since);
            let descriptions = allowed.descriptions(groups);
            let got = (descriptions, allowed.commits(descriptions.min(500)));
            assert_eq!(got, want, "{per_second} {since:?} {groups}");
        }
        assert!(Allowed::of(1, None).commits(500) > 1_000_000, "the first reading is whole");
    }

    #[test]
    fn all_groups_are_read_where_the_requests_suffice() {
        let groups = [listed("a", GroupState::Stable), listed("b", GroupState::Empty)];
        let count = |old: &Sample, most| choose(&groups, old, &HashSet::new(), most, at(700)).len();
        assert_eq!(count(&sample(vec![]), 2), 2);
        assert_eq!(count(&sample(vec![]), 1), 1);
    }

    #[test]
    fn what_is_looked_at_and_what_is_due_comes_before_what_moves_and_what_rests() {
        use GroupState::{Empty, Stable};
        let member = flowdeck_kafka::Member {
            member_id: "m".into(),
            client_id: "c".into(),
            host: "/h".into(),
            group_instance_id: None,
            assignment: vec![],
            target_assignment: None,
        };
        let behind = GroupData {
            members: Some(Arc::from([member])),
            sum: LagSum { lag: Some(3), at_least: Some(3), ..LagSum::default() },
            ..read("behind", 995)
        };
        let old = sample(vec![
            behind,
            read("due", 985),
            read("looked", 999),
            GroupData { last_commit: Some(at(980)), ..read("moving", 998) },
            read("other", 990),
            read("rests", 950),
        ]);
        let names = ["behind", "due", "looked", "moving", "never", "other"];
        let mut groups: Vec<ListedGroup> = names.iter().map(|id| listed(id, Stable)).collect();
        groups.push(listed("rests", Empty));
        let order = order(&groups, &old, &["looked"], 1_000);
        assert_eq!(order, ["looked", "never", "due", "behind", "moving", "other"]);
    }

    #[test]
    fn the_others_have_their_turn_however_many_are_looked_at() {
        let names: Vec<String> = (0..10).map(|n| format!("g{n}")).collect();
        let groups: Vec<ListedGroup> = names.iter().map(|id| listed(id, GroupState::Stable)).collect();
        let old = sample(names.iter().map(|id| read(id, if id == "g9" { 980 } else { 999 })).collect());
        let looked = names[..9].iter().map(|id| GroupId::from(id.as_str())).collect();
        let chosen = choose(&groups, &old, &looked, 4, at(1_000));
        assert!(chosen.contains(&"g9".into()), "{chosen:?}");
    }

    #[test]
    fn every_group_has_its_turn() {
        let count = 100;
        let groups: Vec<ListedGroup> =
            (0..count).map(|n| listed(&format!("g{n:03}"), GroupState::Stable)).collect();
        let mut seen: Vec<i64> = vec![0; count];
        for second in (2..120).step_by(2) {
            let old = sample((0..count).map(|n| read(&format!("g{n:03}"), seen[n])).collect());
            let chosen = choose(&groups, &old, &HashSet::new(), 14, at(second));
            for (n, group) in groups.iter().enumerate() {
                if chosen.contains(&group.id) {
                    seen[n] = second;
                }
                assert!(second - seen[n] <= 17, "{} was read {} s ago", group.id, second - seen[n]);
            }
        }
    }

    /// Refused groups are never read, and have no `as_of`.
    fn with_refused(refused: usize, permitted: usize) -> (Vec<ListedGroup>, Vec<GroupData>) {
        let names: Vec<String> = (0..refused).map(|n| format!("a{n:05}")).collect();
        let words = "not permitted".to_owned();
        let error = Some(GroupError { words, not_permitted: true });
        let mut data: Vec<GroupData> =
            names.iter().map(|id| GroupData { error: error.clone(), ..GroupData::test(id) }).collect();
        data.extend((0..permitted).map(|n| read(&format!("z{n:05}"), 0)));
        let listed = data.iter().map(|data| listed(data.id.as_str(), GroupState::Stable)).collect();
        (listed, data)
    }

    #[test]
    fn groups_that_are_refused_take_no_turn_of_those_that_may_be_read() {
        let (groups, data) = with_refused(1_500, 100);
        let old = sample(data);
        let mut failing = Failing::default();
        // Not asked yet, asked just now, and asked long ago.
        for (asked, count) in [(None, 1_313), (Some(19), 100), (Some(-600), 1_313)] {
            if let Some(asked) = asked {
                let answers: Vec<_> =
                    groups[..1_500].iter().map(|one| Err::<(), _>(refused(&one.id))).collect();
                let ids = groups.iter().map(|group| &group.id);
                failing.learn(&groups, ids.zip(&answers), Timestamp::from_millis((1_000 + asked) * 1_000));
            }
            let chosen = super::choose(&groups, (&old, &failing), &HashSet::new(), 1_313, at(1_020));
            let permitted = chosen.iter().filter(|id| id.as_str().starts_with('z')).count();
            assert_eq!((chosen.len(), permitted), (count, 100), "{asked:?}");
        }
    }

    /// More permitted groups than may be read: the refused ones are asked seldom, but each of them.
    #[test]
    fn a_refused_group_has_its_turn_too() {
        let (groups, mut data) = with_refused(40, 100);
        let mut failing = Failing::default();
        let mut asked: Vec<i64> = vec![0; groups.len()];
        for second in (60..400).step_by(2) {
            let old = sample(data);
            let chosen = super::choose(&groups, (&old, &failing), &HashSet::new(), 16, at(second));
            data = (0..groups.len()).map(|n| copy(&old.groups[n])).collect();
            let answers: Vec<Result<(), Cause>> = chosen
                .iter()
                .map(|id| if id.as_str().starts_with('a') { Err(refused(id)) } else { Ok(()) })
                .collect();
            failing.learn(&groups, chosen.iter().zip(&answers), at(second));
            for (n, group) in groups.iter().enumerate() {
                let is_refused = n < 40;
                if chosen.contains(&group.id) {
                    asked[n] = second;
                    data[n].as_of = (!is_refused).then(|| at(second));
                }
                let (waited, longest) = (second - asked[n], if is_refused { 120 } else { 24 });
                assert!(second < 200 || waited <= longest, "{} waited {waited} s at {second}", group.id);
            }
        }
    }

    fn copy(of: &GroupData) -> GroupData {
        GroupData { as_of: of.as_of, error: of.error.clone(), ..read(of.id.as_str(), 0) }
    }

    #[test]
    fn groups_whose_commits_fail_take_turns_with_the_others() {
        let names: Vec<String> = (0..100).map(|n| format!("g{n:03}")).collect();
        let groups: Vec<ListedGroup> = names.iter().map(|id| listed(id, GroupState::Stable)).collect();
        let old =
            sample(names.iter().enumerate().map(|(n, id)| read(id, if n < 50 { 0 } else { 980 })).collect());
        let answers: Vec<Result<(), Cause>> = vec![Err(Cause::Timeout); 50];
        let mut failing = Failing::default();
        failing.learn(&groups, groups.iter().map(|group| &group.id).zip(&answers), at(998));
        let chosen = super::choose(&groups, (&old, &failing), &HashSet::new(), 50, at(1_000));
        assert!(chosen.iter().all(|id| id.as_str() >= "g050"), "{chosen:?}");
    }

    #[test]
    fn every_group_has_its_turn_where_the_clock_is_set_back() {
        let count = 100;
        let groups: Vec<ListedGroup> =
            (0..count).map(|n| listed(&format!("g{n:03}"), GroupState::Stable)).collect();
        // By the clock, and by the time that went by.
        let (mut told, mut seen): (Vec<i64>, Vec<i64>) = (vec![1_000; count], vec![1_000; count]);
        for second in (1_002..1_200).step_by(2) {
            let clock = if second < 1_060 { second } else { second - 300 };
            let old = sample((0..count).map(|n| read(&format!("g{n:03}"), told[n])).collect());
            let chosen = choose(&groups, &old, &HashSet::new(), 14, at(clock));
            for (n, group) in groups.iter().enumerate() {
                if chosen.contains(&group.id) {
                    (told[n], seen[n]) = (clock, second);
                }
                assert!(second - seen[n] <= 17, "{} was read {} s ago", group.id, second - seen[n]);
            }
        }
    }
}
