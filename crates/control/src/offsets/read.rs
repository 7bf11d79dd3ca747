//! What Kafka tells of the partitions that are asked for.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use flowdeck_kafka::{Cluster, Deadline, Metadata, OffsetSpec, Topic};
use flowdeck_model::error::ResourceKind;
use flowdeck_model::offsets::{OffsetMoves, OffsetScope, OffsetTo, OffsetsQuery, PARTITIONS_MAX, TopicScope};
use flowdeck_model::view::OffsetPlan;
use flowdeck_model::{ClusterName, GroupId, Partition, PortError, TopicName};

use super::resolve::{Known, Wanted, resolve};

pub(crate) type Place = (TopicName, Partition);
pub(crate) type Commits = HashMap<Place, i64>;

/// Of an operation that is taken back: what it changed.
pub(super) struct Reader<'a> {
    pub(super) cluster: &'a Cluster,
    pub(super) name: &'a ClusterName,
    pub(super) undone: Option<&'a OffsetMoves>,
    pub(super) deadline: Deadline,
}

impl Reader<'_> {
    fn unavailable(&self, detail: String) -> PortError {
        PortError::Unavailable { cluster: self.name.clone(), detail }
    }

    /// Every partition that is asked for, by topic and partition.
    pub(super) async fn plans(&self, query: &OffsetsQuery) -> Result<Vec<OffsetPlan>, PortError> {
        let committed = self.committed(&query.group).await?;
        let named = self.named(query, &committed).await?;
        let metadata = self.cluster.metadata(self.deadline).await;
        let metadata = metadata.map_err(|error| self.unavailable(error.with_cause()))?;
        let places = places(&query.scope, named.as_ref(), &committed, &metadata)?;
        if places.len() > PARTITIONS_MAX {
            let detail =
                format!("{} partitions are more than {PARTITIONS_MAX}: name some topics", places.len());
            return Err(PortError::Unprocessable { detail });
        }
        let asked: Vec<(Topic, Partition)> =
            places.iter().map(|(topic, partition)| (Arc::new(topic.clone()), *partition)).collect();
        let (starts, ends, found) = tokio::join!(
            self.cluster.offsets(&asked, OffsetSpec::Earliest, self.deadline),
            self.cluster.offsets(&asked, OffsetSpec::Latest, self.deadline),
            self.found(&query.to, &asked),
        );
        let plans = places.iter().enumerate().map(|(at, place)| {
            let told = |all: &[Result<i64, _>]| all.get(at).and_then(|one| one.as_ref().ok().copied());
            let known =
                Known { committed: committed.get(place).copied(), start: told(&starts), end: told(&ends) };
            let wanted = wanted(&query.to, place, named.as_ref(), found.get(at).copied());
            resolve(&place.0, place.1, known, wanted)
        });
        Ok(plans.collect())
    }

    /// What is committed of the group.
    pub(super) async fn committed(&self, group: &GroupId) -> Result<Commits, PortError> {
        committed(self.cluster, group, self.deadline).await.map_err(|why| self.unavailable(why))
    }

    /// Where the target itself names partitions: what for each of them.
    async fn named(
        &self,
        query: &OffsetsQuery,
        committed: &Commits,
    ) -> Result<Option<HashMap<Place, Wanted>>, PortError> {
        Ok(match &query.to {
            OffsetTo::File(rows) => {
                let rows = rows.iter();
                Some(
                    rows.map(|one| ((one.topic.clone(), one.partition), Wanted::Offset(one.offset)))
                        .collect(),
                )
            }
            OffsetTo::Group(other) => {
                let others = self.committed(other).await?;
                Some(others.into_iter().map(|(place, offset)| (place, Wanted::Offset(offset))).collect())
            }
            OffsetTo::Undo(_) => {
                let moves = self.undone.into_iter().flat_map(OffsetMoves::iter);
                Some(moves.map(|one| ((one.topic.clone(), one.partition), Wanted::Back(one.from))).collect())
            }
            OffsetTo::None => Some(committed.keys().map(|place| (place.clone(), Wanted::Delete)).collect()),
            _ => None,
        })
    }

    async fn found(&self, to: &OffsetTo, asked: &[(Topic, Partition)]) -> Vec<Wanted> {
        let OffsetTo::Time(time) = to else { return vec![] };
        let found = self.cluster.offsets(asked, OffsetSpec::At(*time), self.deadline).await;
        found
            .into_iter()
            .map(|one| match one {
                Ok(offset) => Wanted::Found((offset >= 0).then_some(offset)),
                Err(_) => Wanted::Unknown,
            })
            .collect()
    }
}

/// What is committed of a group.
pub(crate) async fn committed(
    cluster: &Cluster,
    group: &GroupId,
    deadline: Deadline,
) -> Result<Commits, String> {
    let mut rows = Err("Kafka did not tell the group's committed offsets in time".to_owned());
    cluster
        .committed(std::slice::from_ref(group), 1, deadline, |_, answer| {
            rows = answer.map_err(|cause| format!("the group's committed offsets: {cause}"));
        })
        .await;
    let mut known = Commits::new();
    for row in rows? {
        match row.offset() {
            Ok(Some(offset)) => drop(known.insert((row.topic.as_ref().clone(), row.partition), offset)),
            Ok(None) => {}
            Err(cause) => {
                return Err(format!("the committed offset of {} {}: {cause}", row.topic, row.partition));
            }
        }
    }
    Ok(known)
}

fn places(
    scope: &OffsetScope,
    named: Option<&HashMap<Place, Wanted>>,
    committed: &Commits,
    metadata: &Metadata,
) -> Result<BTreeSet<Place>, PortError> {
    if let Some(named) = named {
        return Ok(named.keys().filter(|(topic, partition)| scope.has(topic, *partition)).cloned().collect());
    }
    match scope {
        OffsetScope::AllTopics => Ok(committed.keys().cloned().collect()),
        OffsetScope::Topics(topics) => {
            let each = topics.iter().map(|one| of_topic(one, metadata));
            Ok(each.collect::<Result<Vec<_>, _>>()?.into_iter().flatten().collect())
        }
    }
}

fn of_topic(scope: &TopicScope, metadata: &Metadata) -> Result<Vec<Place>, PortError> {
    let there = metadata.topic(&scope.topic);
    let there = there.ok_or_else(|| PortError::not_found(ResourceKind::Topic, scope.topic.as_str()))?;
    let all: Vec<Partition> = there.partitions.iter().map(|one| one.partition).collect();
    if let Some(missing) = scope.partitions.iter().find(|one| !all.contains(one)) {
        return Err(PortError::not_found(ResourceKind::Partition, format!("{} {missing}", scope.topic)));
    }
    let chosen = all.into_iter().filter(|one| scope.partitions.is_empty() || scope.partitions.contains(one));
    Ok(chosen.map(|partition| (scope.topic.clone(), partition)).collect())
}

fn wanted(
    to: &OffsetTo,
    place: &Place,
    named: Option<&HashMap<Place, Wanted>>,
    found: Option<Wanted>,
) -> Wanted {
    match to {
        OffsetTo::Earliest => Wanted::Start,
        OffsetTo::Latest => Wanted::End,
        OffsetTo::Offset(offset) => Wanted::Offset(*offset),
        OffsetTo::Shift(by) => Wanted::Shift(*by),
        OffsetTo::Time(_) => found.unwrap_or(Wanted::Unknown),
        OffsetTo::None => Wanted::Delete,
        OffsetTo::File(_) | OffsetTo::Group(_) | OffsetTo::Undo(_) => {
            named.and_then(|named| named.get(place)).copied().unwrap_or(Wanted::Unknown)
        }
    }
}
