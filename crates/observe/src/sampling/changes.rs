//! What became of the topics that groups read, and how a group's lag goes: from one refresh to the next.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use flowdeck_kafka::{Cause, ListedGroup, Member, Topic, TopicId};
use flowdeck_model::verdict::LagSum;
use flowdeck_model::{Timestamp, TopicName, trend};

use super::sample::{GroupData, Mark, Sample, TopicRows};
use super::sampler::GroupRead;

/// What became of topics since the last refresh.
#[derive(Default)]
pub(super) struct Changes {
    /// Their id is another than before.
    pub(super) recreated: HashSet<TopicName>,
    /// The newest list lacks them; why, as precisely as the brokers tell.
    pub(super) gone: HashMap<TopicName, Mark>,
}

/// A broker that is asked for a topic by its name tells one that is not there from one that may not be seen.
pub(super) fn why_gone(answer: Option<&Result<TopicId, Cause>>) -> Mark {
    match answer {
        Some(Err(Cause::UnknownTopic)) => Mark::TopicDeleted,
        Some(Err(Cause::NotPermitted(_))) => Mark::NotPermitted,
        _ => Mark::TopicNotFound,
    }
}

/// The topics that groups read, and of a group that reads nothing now those that it read before.
pub(super) fn names_to_ask(listed: &[ListedGroup], read: &[GroupRead], old: &Sample) -> Vec<TopicName> {
    let mut names: HashSet<&TopicName> = HashSet::new();
    for (group, read) in listed.iter().zip(read) {
        match &read.rows {
            Ok(rows) if rows.is_empty() => {
                let former = old.group(&group.id).into_iter();
                names.extend(former.flat_map(|former| former_topics(former)).map(AsRef::as_ref));
            }
            Ok(rows) => names.extend(rows.iter().map(|rows| rows.topic.as_ref())),
            Err(_) => {}
        }
    }
    names.into_iter().cloned().collect()
}

fn former_topics(former: &GroupData) -> impl Iterator<Item = &Topic> {
    former.rows.iter().map(|rows| &rows.topic).chain(former.deleted_topics.iter())
}

pub(super) fn deleted_topics(
    rows: &[TopicRows],
    former: Option<&Arc<GroupData>>,
    changes: &Changes,
) -> Arc<[Topic]> {
    let Some(former) = former.filter(|_| rows.is_empty()) else { return Arc::from([]) };
    let deleted = |topic: &&Topic| changes.gone.get(topic.as_ref()) == Some(&Mark::TopicDeleted);
    former_topics(former).filter(deleted).cloned().collect()
}

/// The group's last lags with the one that was read now. They begin anew where other partitions count.
pub(super) fn with_lag(
    lags: &[(Timestamp, u64)],
    members: &[Member],
    former: Option<&Arc<GroupData>>,
    sum: LagSum,
    at: Timestamp,
) -> Arc<[(Timestamp, u64)]> {
    let Some(lag) = sum.at_least.filter(|lag| *lag > 0 && !members.is_empty()) else { return Arc::from([]) };
    let same = former.is_some_and(|former| former.sum.unknown == sum.unknown);
    if same && lags.last().is_some_and(|(last, _)| at.since(*last) < trend::APART) {
        return lags.into();
    }
    let kept = if same { &lags[lags.len().saturating_sub(trend::KEPT - 1)..] } else { &[] };
    kept.iter().copied().chain([(at, lag)]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use flowdeck_model::Unknown;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_millis(seconds * 1_000)
    }

    fn members(count: usize) -> Vec<Member> {
        let member = |n| Member {
            member_id: format!("m{n}"),
            client_id: "c".into(),
            host: "/h".into(),
            group_instance_id: None,
            assignment: vec![],
            target_assignment: None,
        };
        (0..count).map(member).collect()
    }

    #[test]
    fn lags_are_kept_while_they_can_be_compared() {
        let known = |lag| LagSum { lag: Some(lag), at_least: Some(lag), ..LagSum::default() };
        let former = |sum| Arc::new(GroupData { sum, ..GroupData::test("g") });
        let before: Vec<(Timestamp, u64)> = (0..12).map(|n| (at(n * 2), 100)).collect();
        let with = |owners: usize, was: LagSum, is: LagSum| {
            with_lag(&before, &members(owners), Some(&former(was)), is, at(24))
        };
        let kept = with(1, known(100), known(90));
        assert_eq!((kept.len(), kept.first(), kept.last()), (12, Some(&(at(2), 100)), Some(&(at(24), 90))));
        let other = LagSum { unknown: 1, ..known(90) };
        assert_eq!(&with(1, known(100), other)[..], [(at(24), 90)], "other partitions count");
        let soon = with_lag(&before, &members(1), Some(&former(known(100))), known(90), at(23));
        assert_eq!(soon[..], before[..], "too soon after the last one");
        assert!(with(0, known(100), known(90)).is_empty(), "nobody drains it");
        assert!(with(1, known(100), known(0)).is_empty(), "nothing waits");
        assert_eq!(with_lag(&[], &members(1), None, known(5), at(0)).len(), 1);
    }

    #[test]
    fn a_broker_tells_a_deleted_topic_from_a_hidden_one() {
        use flowdeck_kafka::Acl;
        let refused = Cause::NotPermitted(Acl { operation: "Describe", resource: "Topic:t".into() });
        for (answer, want) in [
            (Some(Err(Cause::UnknownTopic)), Mark::TopicDeleted),
            (Some(Err(refused)), Mark::NotPermitted),
            (Some(Err(Cause::Timeout)), Mark::TopicNotFound),
            (None, Mark::TopicNotFound),
        ] {
            assert_eq!(why_gone(answer.as_ref()), want);
        }
        let words = [Unknown::TopicDeleted, Unknown::TopicNotFound].map(Unknown::label);
        assert!(words[0].contains("was deleted") && words[1].contains("not visible"));
    }
}
