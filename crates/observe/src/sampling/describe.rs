//! What DescribeConsumerGroups told of each group, and which groups to ask again: the ones whose
//! state changed, then the ones asked longest ago. Empty groups have no members and are not asked.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use flowdeck_kafka::{ListedGroup, Member};
use flowdeck_model::{GroupId, GroupState, GroupType, Timestamp, TopicName};

use super::sample::GroupError;
use super::sampler::{Description, group_error};

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
    pub(crate) fn choose(&self, listed: &[ListedGroup], cap: usize) -> Vec<GroupId> {
        let mut wanted: Vec<(u64, &GroupId)> = listed
            .iter()
            .filter(|group| group.kind.has_lag() && !has_nobody(group))
            .map(|group| (self.rank(group), &group.id))
            .collect();
        wanted.sort_unstable();
        wanted.into_iter().take(cap).map(|(_, id)| id.clone()).collect()
    }

    /// Lower is asked first.
    fn rank(&self, group: &ListedGroup) -> u64 {
        let Some(known) = self.groups.get(&group.id) else { return 0 };
        let changed = known.listed != group.state || known.members.is_none();
        let steady = matches!(known.state, Some(GroupState::Stable));
        if changed || !steady { 1 } else { 2 + known.asked }
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
    use flowdeck_kafka::{Cause, GroupDescription};

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
        described.choose(listed, cap).into_iter().map(|id| id.to_string()).collect()
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
