//! What DescribeConsumerGroups told of each group, and which groups to ask again: the ones whose
//! state changed, then the ones asked longest ago; seldom those that were refused. Empty groups have no
//! members and are not asked.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use flowdeck_kafka::{ListedGroup, Member};
use flowdeck_model::{GroupId, GroupState, GroupType, Timestamp, TopicName};

use super::sample::GroupError;
use super::sampler::{Description, group_error};
use super::schedule::{AT_REST, is_due, refused_share};

#[derive(Default)]
pub(crate) struct Described {
    groups: HashMap<GroupId, GroupKnown>,
    /// Counts refreshes: who was asked longest ago.
    round: u64,
}

#[derive(Default, Clone)]
pub(crate) struct GroupKnown {
    kind: Option<GroupType>,
    pub(crate) state: Option<GroupState>,
    /// `None`: not described yet, or not permitted.
    pub(crate) members: Option<Arc<[Member]>>,
    /// When they were asked for.
    pub(crate) members_at: Option<Timestamp>,
    /// When they were first listed as they are.
    pub(crate) members_since: Option<Timestamp>,
    pub(crate) error: Option<GroupError>,
    listed: Option<GroupState>,
    asked: u64,
    asked_at: Option<Timestamp>,
}

/// Lower is asked first, and within one of them who was asked longest ago.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    New,
    Changed,
    Steady,
    /// Of these only a share is asked as long as there are others.
    Refused,
}

impl GroupKnown {
    /// A description knows more than a listing: Streams, and types on brokers that list none.
    pub(crate) fn kind(&self, listed: GroupType) -> GroupType {
        match self.kind {
            Some(kind) if kind != GroupType::Unknown => kind,
            _ => listed,
        }
    }
}

fn has_nobody(group: &ListedGroup) -> bool {
    matches!(group.state, Some(GroupState::Empty | GroupState::Dead))
}

impl Described {
    pub(crate) fn get(&self, group: &GroupId) -> Option<&GroupKnown> {
        self.groups.get(group)
    }

    /// Every topic that a member owns part of, about once: names are shared, so addresses tell most
    /// doubles apart without comparing a hundred thousand names.
    pub(crate) fn assigned(&self) -> impl Iterator<Item = &TopicName> {
        let mut seen = HashSet::new();
        let members = self.groups.values().filter_map(|group| group.members.as_deref()).flatten();
        members
            .flat_map(|member| member.assignment.iter().map(|(topic, _)| topic.as_ref()))
            .filter(move |topic| seen.insert(std::ptr::from_ref(*topic)))
    }

    /// At most `cap` groups to describe now.
    pub(crate) fn choose(&self, listed: &[ListedGroup], cap: usize, now: Timestamp) -> Vec<GroupId> {
        let mut wanted: Vec<((Rank, u64), &GroupId)> = listed
            .iter()
            .filter(|group| group.kind.has_lag() && !has_nobody(group))
            .map(|group| (self.rank(group), &group.id))
            .collect();
        wanted.sort_unstable();
        if wanted.len() <= cap {
            return wanted.into_iter().map(|(_, id)| id.clone()).collect();
        }
        let refused = wanted.partition_point(|((rank, _), _)| *rank < Rank::Refused);
        let mut refused = wanted.split_off(refused);
        refused.retain(|(_, id)| self.is_asked_again(id, now));
        let share = refused_share(cap).max(cap.saturating_sub(wanted.len())).min(refused.len());
        wanted.truncate(cap - share);
        let refused = refused.into_iter().take(share);
        wanted.into_iter().chain(refused).map(|(_, id)| id.clone()).collect()
    }

    fn rank(&self, group: &ListedGroup) -> (Rank, u64) {
        let Some(known) = self.groups.get(&group.id) else { return (Rank::New, 0) };
        let steady = matches!(known.state, Some(GroupState::Stable));
        let rank = match &known.error {
            Some(error) if error.not_permitted => Rank::Refused,
            // What fails again and again takes turns with those that answer.
            Some(_) if known.members.is_none() => Rank::Steady,
            _ if known.listed != group.state || known.members.is_none() || !steady => Rank::Changed,
            _ => Rank::Steady,
        };
        (rank, known.asked)
    }

    /// Whether a refused group may be asked now.
    fn is_asked_again(&self, group: &GroupId, now: Timestamp) -> bool {
        let asked = self.groups.get(group).and_then(|known| known.asked_at);
        asked.is_none_or(|asked| is_due(asked, AT_REST, now))
    }

    /// `asked`: when the listing, which came first, was asked for.
    pub(crate) fn learn(
        &mut self,
        listed: &[ListedGroup],
        answers: Vec<(GroupId, Description)>,
        asked: Timestamp,
    ) {
        self.round += 1;
        let mut kept = std::mem::take(&mut self.groups);
        for group in listed {
            let mut known = kept.remove(&group.id).unwrap_or_default();
            known.listed = group.state;
            if has_nobody(group) {
                known.members = Some(Arc::from([]));
                known.members_at = Some(asked);
                known.state = group.state;
                known.error = None;
            }
            self.groups.insert(group.id.clone(), known);
        }
        for (id, answer) in answers {
            if let Some(known) = self.groups.get_mut(&id) {
                known.asked = self.round;
                known.asked_at = Some(asked);
                learn_one(known, answer, asked);
            }
        }
    }
}

fn learn_one(known: &mut GroupKnown, answer: Description, asked: Timestamp) {
    match answer {
        Ok(description) => {
            known.kind = Some(description.kind);
            known.state = Some(description.state);
            known.error = None;
            known.members_at = Some(asked);
            // Shared with the former snapshot where nothing moved.
            if known.members.as_deref() != Some(&description.members[..]) {
                known.members = Some(description.members.into());
                known.members_since = Some(asked);
            }
        }
        Err(cause) => {
            let error = group_error(&cause);
            if error.not_permitted {
                known.members = None;
            }
            known.error = Some(error);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use flowdeck_kafka::{Acl, Cause, GroupDescription};

    fn listed(id: &str, state: GroupState) -> ListedGroup {
        ListedGroup { id: id.into(), kind: GroupType::Classic, state: Some(state), simple: false }
    }

    fn at() -> Timestamp {
        Timestamp::from_millis(0)
    }

    fn description() -> GroupDescription {
        GroupDescription {
            kind: GroupType::Classic,
            state: GroupState::Stable,
            assignor: "range".into(),
            coordinator: Some(1),
            members: vec![],
            operations: None,
        }
    }

    fn chosen(described: &Described, listed: &[ListedGroup], cap: usize) -> Vec<String> {
        described.choose(listed, cap, at()).into_iter().map(|id| id.to_string()).collect()
    }

    #[test]
    fn the_changed_first_then_the_longest_ago() {
        use GroupState::{Empty, Stable};
        let mut described = Described::default();
        let groups = [listed("a", Stable), listed("b", Stable), listed("e", Empty)];
        assert_eq!(chosen(&described, &groups, 1), ["a"]);
        described.learn(&groups, vec![("a".into(), Ok(description()))], at());
        assert_eq!(chosen(&described, &groups, 1), ["b"], "never described comes first");
        described.learn(&groups, vec![("b".into(), Ok(description()))], at());
        assert_eq!(chosen(&described, &groups, 9), ["a", "b"]);
        let moved = [listed("a", Stable), listed("b", GroupState::PreparingRebalance)];
        assert_eq!(chosen(&described, &moved, 1), ["b"]);
    }

    /// They are asked once a minute or more seldom, and take no turn of the others.
    #[test]
    fn groups_that_are_refused_do_not_starve_those_that_answer() {
        let at = |second: i64| Timestamp::from_millis(second * 1_000);
        let mut names: Vec<String> = (0..500).map(|n| format!("a{n:03}")).collect();
        names.extend((0..300).map(|n| format!("z{n:03}")));
        let groups: Vec<ListedGroup> = names.iter().map(|id| listed(id, GroupState::Stable)).collect();
        let answer = |id: &GroupId| {
            let acl = Acl { operation: "Describe", resource: format!("Group:{id}") };
            if id.as_str().starts_with('a') { Err(Cause::NotPermitted(acl)) } else { Ok(description()) }
        };
        let mut described = Described::default();
        let mut asked: HashMap<GroupId, Vec<i64>> = HashMap::new();
        for second in (0..400).step_by(2) {
            let chosen = described.choose(&groups, 187, at(second));
            assert!(chosen.len() <= 187);
            let answers = chosen.iter().map(|id| (id.clone(), answer(id))).collect();
            described.learn(&groups, answers, at(second));
            chosen.into_iter().for_each(|id| asked.entry(id).or_default().push(second));
        }
        for id in groups.iter().map(|group| &group.id) {
            let times = &asked[id];
            let longest = times.windows(2).map(|two| two[1] - two[0]).max().unwrap();
            let shortest = times.windows(2).map(|two| two[1] - two[0]).min().unwrap();
            if id.as_str().starts_with('a') {
                assert!(shortest >= 60 && longest <= 120, "{id}: {times:?}");
            } else {
                assert!(longest <= 10, "{id}: {times:?}");
            }
        }
        let one = [&groups[..500], &groups[799..]].concat();
        assert!(described.choose(&one, 187, at(1_000)).contains(&"z299".into()), "one among them");
    }

    #[test]
    fn an_empty_group_has_no_members_and_one_not_permitted_is_unknown() {
        let mut described = Described::default();
        let groups = [listed("e", GroupState::Empty), listed("x", GroupState::Stable)];
        described.learn(&groups, vec![("x".into(), Err(Cause::Timeout))], at());
        assert_eq!(described.get(&"e".into()).unwrap().members.as_deref(), Some(&[][..]));
        assert!(described.get(&"x".into()).unwrap().members.is_none());
        assert!(!described.get(&"x".into()).unwrap().error.as_ref().unwrap().not_permitted);
        described.learn(&groups[..1], vec![], at());
        assert!(described.get(&"x".into()).is_none(), "what vanished is forgotten");
    }
}
