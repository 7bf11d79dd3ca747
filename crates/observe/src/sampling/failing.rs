//! Groups whose commits could not be read when they were asked for last: when that was, and why. What was read of them
//! does not get newer, so that tells nothing of whose turn it is. Pure.

use std::collections::HashMap;

use flowdeck_kafka::{Cause, ListedGroup};
use flowdeck_model::{GroupId, Timestamp};

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Failure {
    pub(super) asked: Timestamp,
    cause: Cause,
}

impl Failure {
    /// For lack of a right, so asking again seldom helps.
    pub(super) fn is_refusal(&self) -> bool {
        matches!(self.cause, Cause::NotPermitted(_))
    }
}

#[derive(Debug, Default)]
pub(super) struct Failing {
    groups: HashMap<GroupId, Failure>,
}

impl Failing {
    pub(super) fn get(&self, group: &GroupId) -> Option<&Failure> {
        self.groups.get(group)
    }

    /// Why it was refused: that counts until it is asked again.
    pub(super) fn refusal(&self, group: &GroupId) -> Option<Cause> {
        self.get(group).filter(|failure| failure.is_refusal()).map(|failure| failure.cause.clone())
    }

    /// `listed`: sorted by id. Groups that are listed no more are forgotten.
    pub(super) fn learn<'a, T: 'a>(
        &mut self,
        listed: &[ListedGroup],
        answers: impl Iterator<Item = (&'a GroupId, &'a Result<T, Cause>)>,
        asked: Timestamp,
    ) {
        for (group, answer) in answers {
            match answer {
                Ok(_) => drop(self.groups.remove(group)),
                Err(cause) => {
                    self.groups.insert(group.clone(), Failure { asked, cause: cause.clone() });
                }
            }
        }
        let is_listed = |id: &GroupId| listed.binary_search_by(|group| group.id.cmp(id)).is_ok();
        self.groups.retain(|id, _| is_listed(id));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use flowdeck_kafka::Acl;
    use flowdeck_model::GroupType;

    #[test]
    fn a_failure_is_kept_until_the_group_answers_or_is_gone() {
        let group =
            |id: &str| ListedGroup { id: id.into(), kind: GroupType::Classic, state: None, simple: false };
        let listed = ["a", "b", "c"].map(group);
        let at = |seconds: i64| Timestamp::from_millis(seconds * 1_000);
        let refused = Cause::NotPermitted(Acl { operation: "Describe", resource: "Group:a".to_owned() });
        let ids = ["a", "b", "c"].map(GroupId::from);
        let mut failing = Failing::default();
        let mut learn = |listed: &[ListedGroup], answers: [Result<(), Cause>; 3], asked| {
            failing.learn(listed, ids.iter().zip(&answers), asked);
            ids.each_ref().map(|id| failing.get(id).map(|one| (one.asked, one.is_refusal())))
        };
        let all = learn(&listed, [Err(refused.clone()), Err(Cause::Timeout), Ok(())], at(1));
        assert_eq!(all, [Some((at(1), true)), Some((at(1), false)), None]);
        let all = learn(&listed, [Err(refused.clone()), Ok(()), Err(Cause::Timeout)], at(2));
        assert_eq!(all, [Some((at(2), true)), None, Some((at(2), false))]);
        let all = learn(&listed[..1], [Err(refused.clone()), Ok(()), Err(Cause::Timeout)], at(3));
        assert_eq!(all, [Some((at(3), true)), None, None]);
        assert_eq!(failing.refusal(&ids[0]), Some(refused));
    }
}
