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
    let kept = if same { &lags[lags.len().saturating_sub(trend::KEPT - 1)..] } else { &[] };
    kept.iter().copied().chain([(at, lag)]).collect()
}
