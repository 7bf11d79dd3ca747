//! What became of the topics that groups read, and how a group's lag goes: from one refresh to the next.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use flowdeck_kafka::{Cause, ListedGroup, Member, Topic, TopicId};
use flowdeck_model::verdict::LagSum;
use flowdeck_model::{Timestamp, TopicName, trend};

use super::sample::{CommitRow, Ends, GroupData, Mark, Sample, TopicRows};
use super::sampler::Commits;

/// What became of topics since the last refresh.
#[derive(Default)]
pub(super) struct Changes {
    /// Their id is another than before.
    pub(super) recreated: HashSet<TopicName>,
    /// The newest list lacks them; why, as precisely as the brokers tell.
    pub(super) gone: HashMap<TopicName, Mark>,
    /// So many partitions more than before.
    pub(super) added: HashMap<TopicName, usize>,
}

impl Changes {
    /// What was committed on it speaks of a log that is not there any more.
    pub(super) fn concern(&self, topic: &TopicName) -> bool {
        self.recreated.contains(topic) || self.gone.contains_key(topic)
    }
}

/// A broker that is asked for a topic by its name tells one that is not there from one that may not be seen.
pub(super) fn why_gone(answer: Option<&Result<TopicId, Cause>>) -> Mark {
    match answer {
        Some(Err(Cause::UnknownTopic)) => Mark::TopicDeleted,
        Some(Err(Cause::NotPermitted(_))) => Mark::NotPermitted,
        _ => Mark::TopicNotFound,
    }
}

/// The topics that groups read, and those that they read in the refresh before; of a group that reads nothing any more
/// those that are known to be deleted, too.
pub(super) fn names_to_ask(listed: &[ListedGroup], read: &[Commits], old: &Sample) -> Vec<TopicName> {
    let mut names: HashSet<&TopicName> = HashSet::new();
    for (group, read) in listed.iter().zip(read) {
        let Some(rows) = read.newest(&group.id, old) else { continue };
        names.extend(rows.iter().map(|rows| rows.topic.as_ref()));
        let Some(former) = old.group(&group.id) else { continue };
        let is_missing = |topic: &&Topic| rows.binary_search_by(|one| one.topic.cmp(topic)).is_err();
        let missing = former.rows.iter().map(|rows| &rows.topic).filter(is_missing);
        names.extend(missing.map(AsRef::as_ref));
        if rows.is_empty() {
            names.extend(former.deleted_topics.iter().map(AsRef::as_ref));
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

/// What became of the group's topics and offsets since it was read before, a sentence each.
pub(super) fn sentences(
    former: &GroupData,
    rows: &[TopicRows],
    ends: &Ends,
    changes: &Changes,
) -> Vec<String> {
    let known = rows.iter().chain(former.rows.iter()).map(|topic| &topic.topic);
    let known: BTreeSet<&Topic> = known.chain(former.deleted_topics.iter()).collect();
    let anew = known.into_iter().filter(|topic| changes.recreated.contains(topic.as_ref()));
    let mut all: Vec<String> = anew.map(|topic| format!("Topic {topic} was created anew")).collect();
    for topic in rows {
        let name = &topic.topic;
        if let Some(added) = changes.added.get(name.as_ref()) {
            all.push(format!("{} added to {name}", counted(*added, "partition was", "partitions were")));
        }
        let before = former.rows.binary_search_by(|one| one.topic.cmp(name)).ok().map(|at| &former.rows[at]);
        let Some(before) = before else { continue };
        let is_deleted = |all: &TopicRows| all.rows.iter().any(|row| row.mark == Mark::TopicDeleted);
        if is_deleted(topic) && !is_deleted(before) {
            all.push(format!("Topic {name} was deleted; the group's committed offsets are left"));
        }
        all.extend(vanished(topic, before));
        if ends.are_stable == former.ends.are_stable {
            all.extend(lost(name, ends, &former.ends));
        }
    }
    let had_commits =
        |topic: &&TopicRows| topic.rows.iter().any(|row| row.mark == Mark::Fine && row.committed().is_some());
    for topic in former.rows.iter().filter(had_commits) {
        let is_there = rows.binary_search_by(|one| one.topic.cmp(&topic.topic)).is_ok();
        if is_there {
            continue;
        }
        let name = &topic.topic;
        all.push(match changes.gone.get(name.as_ref()) {
            Some(Mark::TopicDeleted) => {
                format!("Topic {name} was deleted, and the group's committed offsets with it")
            }
            Some(_) => {
                format!("Topic {name} is not visible any more, and neither are the group's committed offsets")
            }
            None => format!("All committed offsets of {name} expired or were deleted"),
        });
    }
    all
}

fn counted(number: usize, one: &str, many: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { many })
}

fn vanished(topic: &TopicRows, before: &TopicRows) -> Option<String> {
    let is_gone = |before: &&CommitRow| {
        let now = topic.partition(before.partition);
        let had = before.mark == Mark::Fine && before.committed().is_some();
        had && now.is_none_or(|now| now.mark == Mark::CommitGone)
    };
    let count = before.rows.iter().filter(is_gone).count();
    let partitions = counted(count, "partition", "partitions");
    (count > 0)
        .then(|| format!("Committed offsets of {partitions} of {} expired or were deleted", topic.topic))
}

/// Logs whose end went back.
fn lost(topic: &Topic, ends: &Ends, before: &Ends) -> Option<String> {
    let (logs, before) = (ends.topic(topic)?, before.topic(topic)?);
    let found = logs.iter().find_map(|log| {
        let was = before.partition(log.partition)?;
        let from = log.lost_from.filter(|_| was.lost_from.is_none())?;
        Some((log.partition, from, log.end?))
    });
    let (partition, from, to) = found?;
    Some(format!(
        "The log of {topic} partition {partition} went back from {from} to {to}: records were lost, as by an unclean leader election"
    ))
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

    #[test]
    fn what_became_of_topics_and_offsets_is_said_once() {
        use crate::sampling::merge::{Commit, compact, settle};
        use crate::sampling::sample::LogRow;
        let topic = |name: &str| -> Topic { Arc::new(name.parse().unwrap()) };
        let partition = |n| flowdeck_model::Partition::new(n).unwrap();
        let commit = |name: &str, n, offset: i64| Commit {
            topic: topic(name),
            partition: partition(n),
            offset: (offset >= 0).then_some(offset),
            mark: Mark::Fine,
        };
        let ends = |end, before: &Ends, second| {
            Ends::new([(topic("a"), LogRow::new(partition(0), None, Some(0), Some(end)))], before, at(second))
        };
        let first = ends(900, &Ends::default(), 0);
        let former = GroupData {
            rows: settle(
                compact(vec![commit("a", 0, 700), commit("a", 1, 7), commit("b", 0, 1)]),
                None,
                &HashSet::new(),
                at(0),
            ),
            ends: Arc::new(first),
            ..GroupData::test("g")
        };
        let now = ends(500, &former.ends, 2);
        let mut rows = compact(vec![commit("a", 0, 700), commit("a", 1, -1)]);
        rows = settle(rows, Some(&former.rows), &HashSet::new(), at(2)).to_vec();
        let changes = Changes { added: HashMap::from([("a".parse().unwrap(), 2)]), ..Changes::default() };
        let said = sentences(&former, &rows, &now, &changes);
        assert_eq!(
            said,
            [
                "2 partitions were added to a",
                "Committed offsets of 1 partition of a expired or were deleted",
                "The log of a partition 0 went back from 900 to 500: records were lost, as by an unclean leader election",
                "All committed offsets of b expired or were deleted",
            ]
        );
        // Meanwhile it has no leader that tells its end.
        let mut between = ends(900, &Ends::default(), 0);
        for second in [1, 2] {
            let row = LogRow::new(partition(0), Some(Unknown::Stale), None, None);
            between = Ends::new([(topic("a"), row)], &between, at(second));
        }
        let back = ends(500, &between, 3);
        let between =
            GroupData { ends: Arc::new(between), rows: rows.clone().into(), ..GroupData::test("g") };
        let said_after = sentences(&between, &rows, &back, &Changes::default());
        assert_eq!(said_after, [said[2].clone()]);
        let later = GroupData { rows: rows.clone().into(), ends: Arc::new(now), ..GroupData::test("g") };
        let reading = later.partitions(false).next().unwrap().reading;
        assert_eq!(reading.lag(), flowdeck_model::Lag::Unknown(Unknown::Truncated));
        let same = ends(510, &later.ends, 4);
        assert!(sentences(&later, &rows, &same, &Changes::default()).is_empty());
        let caught_up = ends(900, &same, 6);
        assert_eq!(caught_up.topic(&topic("a")).unwrap().partition(partition(0)).unwrap().lost_from, None);
    }
}
