//! A topic that is followed: one look after the other at what came since. Between two looks nothing is read and nothing
//! is kept, so that who reads slowly or leaves costs nothing; what is more than the limit is left out and counted.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use flowdeck_kafka::{
    Cluster, Deadline, Filter, OffsetSpec, PartitionRead, ReadEnd, ReadOutcome, ReadRequest, ReadStart,
};
use flowdeck_model::query::{self, From as Start, Positions};
use flowdeck_model::view::TailView;
use flowdeck_model::view::audit::LookKind;
use flowdeck_model::{Actor, ClusterName, MessagesQuery, Partition, PortError, Tail, TopicName};

use super::{Allowed, allowed, decoded, look_at, request, search, topic};
use crate::core::{ClusterHandle, Core};
use crate::find::{self, Unjudged};
use crate::looks::Looking;
use crate::payload::Reading;
use crate::snapshot::ClusterSnapshot;

type Offsets = BTreeMap<Partition, i64>;

pub(super) struct BoundTail {
    core: Arc<Core>,
    actor: Actor,
    cluster: ClusterName,
    topic: TopicName,
    query: MessagesQuery,
    reading: Reading,
    filter: Filter,
    unjudged: Arc<Mutex<Unjudged>>,
    /// Where the next look begins. Of a partition that is not named: at its end.
    at: Offsets,
}

impl BoundTail {
    pub(super) fn open(
        core: Arc<Core>,
        actor: Actor,
        cluster: &ClusterName,
        topic: &TopicName,
        query: &MessagesQuery,
    ) -> Result<Self, PortError> {
        let Allowed { start, reading, handle, .. } = allowed(&core, &actor, cluster, topic, query)?;
        let at = match (&query.from, start) {
            (Start::Latest, _) => Offsets::new(),
            (Start::Offsets(_), ReadStart::From(at)) => at.into_iter().collect(),
            _ => return Err(PortError::invalid("from", "latest, or the position of an event")),
        };
        if query.full || query.find.until.is_some() {
            let field = if query.full { "full" } else { "until" };
            return Err(PortError::invalid(field, "not for a topic that is followed"));
        }
        let (filter, unjudged) = search::filter(query, &reading)?;
        // Recorded as it begins: it may go on for hours.
        drop(Looking::begin(&handle.looks, &actor, &look_at(LookKind::Tail, cluster, topic, query)));
        let (cluster, topic, query) = (cluster.clone(), topic.clone(), query.clone());
        Ok(Self { core, actor, cluster, topic, query, reading, filter, unjudged, at })
    }

    fn unavailable(&self, detail: String) -> PortError {
        PortError::Unavailable { cluster: self.cluster.clone(), detail }
    }

    async fn ends(&self, one: &ClusterSnapshot, kafka: &Cluster) -> Result<Offsets, PortError> {
        let topic = Arc::new(self.topic.clone());
        let known = topic::known(one, &self.topic)?.partitions.iter().map(|known| known.partition);
        let wanted = known.filter(|partition| self.query.partition.is_none_or(|only| only == *partition));
        let places: Vec<_> = wanted.map(|partition| (Arc::clone(&topic), partition)).collect();
        let spec = match self.query.isolation {
            query::Isolation::ReadUncommitted => OffsetSpec::Latest,
            query::Isolation::ReadCommitted => OffsetSpec::LatestCommitted,
        };
        let deadline = Deadline::after(self.core.settings.peek_time);
        let ends = kafka.offsets(&places, spec, deadline).await;
        let mut known = Offsets::new();
        let mut failed = None;
        for ((_, partition), end) in places.iter().zip(ends) {
            match end {
                Ok(end) => drop(known.insert(*partition, end)),
                Err(cause) => failed = Some(format!("partition {partition}: {cause}")),
            }
        }
        match failed {
            Some(why) if known.is_empty() => Err(self.unavailable(why)),
            _ => Ok(known),
        }
    }

    fn position(&self) -> Option<String> {
        let offsets = self.at.values().copied().collect();
        Positions::new(offsets).map(|positions| Start::Offsets(positions).to_string())
    }

    async fn read(
        &self,
        kafka: &Cluster,
        handle: &ClusterHandle,
        plan: &Plan,
    ) -> Result<ReadOutcome, PortError> {
        let start =
            ReadStart::From(plan.from.iter().map(|(partition, offset)| (*partition, *offset)).collect());
        let mut request = ReadRequest {
            partitions: Some(plan.from.keys().copied().collect()),
            neighbours: false,
            transactions: self.query.isolation == query::Isolation::ReadUncommitted && !self.is_search(),
            ..request(&self.core.settings, &self.topic, &self.query, start)
        };
        request.limit_records = self.query.limit as usize;
        let cancel = self.core.shutdown.child_token();
        let _guard = cancel.clone().drop_guard();
        let read = match self.is_search() {
            true => {
                request.max_value_bytes = find::SEARCHED;
                let (filter, rate) = (Arc::clone(&self.filter), Arc::clone(&handle.search_rate));
                kafka.scan(request, None, filter, rate, cancel).await
            }
            false => kafka.read(request, cancel).await,
        };
        read.map_err(|error| self.unavailable(error.with_cause()))
    }

    fn is_search(&self) -> bool {
        search::is_search(&self.query)
    }
}

#[async_trait]
impl Tail for BoundTail {
    async fn next(&mut self) -> Result<TailView, PortError> {
        let core = Arc::clone(&self.core);
        // Whoever loses the right to read loses the stream.
        let Allowed { one, handle, .. } =
            allowed(&core, &self.actor, &self.cluster, &self.topic, &self.query)?;
        let Some(kafka) = &handle.cluster else {
            return Err(self.unavailable(one.view.error.clone().unwrap_or_default()));
        };
        let places = if self.is_search() { &handle.searches } else { &handle.peeks };
        let Ok(_permit) = Arc::clone(places).try_acquire_owned() else {
            let note = Some("as many others read this cluster as may at a time".to_owned());
            return Ok(TailView { note, position: self.position(), ..TailView::default() });
        };
        let ends = self.ends(&one, kafka).await?;
        let limit = (!self.is_search()).then_some(u64::from(self.query.limit));
        let plan = Plan::new(&mut self.at, &ends, limit);
        if plan.from.is_empty() {
            return Ok(TailView { position: self.position(), ..TailView::default() });
        }
        handle.stats.peeked();
        let mut outcome = self.read(kafka, handle, &plan).await?;
        let unread = go_on(&mut self.at, &outcome.partitions);
        let records = std::mem::take(&mut outcome.records);
        let records = decoded(records, self.reading.clone()).await.map_err(|why| self.unavailable(why))?;
        Ok(TailView {
            records,
            scanned: outcome.scanned,
            left_out: plan.left_out + unread,
            position: self.position(),
            note: failure(&outcome).or_else(|| search::note(&self.unjudged)),
        })
    }
}

fn failure(outcome: &ReadOutcome) -> Option<String> {
    let failed = outcome.partitions.iter().find_map(|part| Some((part.partition, part.error.as_ref()?)));
    match (failed, outcome.end) {
        (Some((partition, cause)), _) => Some(format!("partition {partition}: {cause}")),
        (None, ReadEnd::TimedOut) => Some("more came than could be read in time".to_owned()),
        (None, _) => None,
    }
}

/// What one look reads.
#[derive(Debug, PartialEq, Eq)]
struct Plan {
    /// Partitions to which something came, from where on they are read.
    from: Offsets,
    /// Offsets that are passed over, so that what is shown is new.
    left_out: u64,
}

impl Plan {
    /// `limit`: of records; what is more than that is passed over, of each partition its share.
    fn new(at: &mut Offsets, ends: &Offsets, limit: Option<u64>) -> Self {
        for (partition, end) in ends {
            let position = at.entry(*partition).or_insert(*end);
            // A log that was truncated or made anew is followed from its end.
            *position = (*position).min(*end);
        }
        let behind =
            |partition: &Partition, end: &i64| at.get(partition).map_or(0, |at| (end - at).unsigned_abs());
        let all: u64 = ends.iter().map(|(partition, end)| behind(partition, end)).sum();
        let mut plan = Self { from: Offsets::new(), left_out: 0 };
        for (partition, end) in ends {
            let own = behind(partition, end);
            if own == 0 {
                continue;
            }
            let kept = match limit {
                Some(limit) if all > limit => {
                    let share = u128::from(limit) * u128::from(own);
                    u64::try_from(share.div_ceil(u128::from(all))).unwrap_or(own)
                }
                _ => own,
            };
            plan.left_out += own - kept;
            plan.from.insert(*partition, end.saturating_sub_unsigned(kept));
        }
        plan
    }
}

/// Behind what was read. What was not reached is left out, and counted: a follower is never late.
fn go_on(at: &mut Offsets, parts: &[PartitionRead]) -> u64 {
    let mut unread = 0;
    for part in parts.iter().filter(|part| part.error.is_none()) {
        unread += (part.end - part.next).max(0).unsigned_abs();
        at.insert(part.partition, part.end.max(part.next));
    }
    unread
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offsets(of: &[(i32, i64)]) -> Offsets {
        of.iter().map(|(partition, offset)| (Partition::new(*partition).unwrap(), *offset)).collect()
    }

    #[test]
    fn a_look_reads_what_came_and_leaves_out_the_oldest() {
        let mut at = Offsets::new();
        let ends = offsets(&[(0, 100), (1, 50)]);
        assert_eq!(Plan::new(&mut at, &ends, Some(10)), Plan { from: Offsets::new(), left_out: 0 });
        assert_eq!(at, ends, "it begins at the ends");
        let plan = Plan::new(&mut at, &offsets(&[(0, 104), (1, 50), (2, 3)]), Some(10));
        assert_eq!(plan, Plan { from: offsets(&[(0, 100)]), left_out: 0 });
        let plan = Plan::new(&mut at, &offsets(&[(0, 180), (1, 70)]), Some(10));
        assert_eq!(plan, Plan { from: offsets(&[(0, 172), (1, 68)]), left_out: 90 });
        let plan = Plan::new(&mut at, &offsets(&[(0, 180), (1, 70)]), None);
        assert_eq!(plan, Plan { from: offsets(&[(0, 100), (1, 50)]), left_out: 0 });
    }

    #[test]
    fn a_truncated_log_is_followed_from_its_end() {
        let mut at = offsets(&[(0, 100)]);
        assert_eq!(Plan::new(&mut at, &offsets(&[(0, 40)]), Some(10)).from, Offsets::new());
        assert_eq!(Plan::new(&mut at, &offsets(&[(0, 42)]), Some(10)).from, offsets(&[(0, 40)]));
    }
}
