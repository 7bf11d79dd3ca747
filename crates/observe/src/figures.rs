//! One published snapshot as figures for `/metrics`: of groups, of their partitions, of topics. It names no metric.

use std::sync::Arc;
use std::time::Duration;

use flowdeck_model::rate::{Drain, Rate};
use flowdeck_model::verdict::Finding;
use flowdeck_model::{ClusterName, GroupId, GroupState, Hold, Lag, Partition, Timestamp, TopicName};

use crate::clock;
use crate::core::Core;
use crate::ports::{flow, paused_partitions};
use crate::sampling::sample::GroupData;
use crate::snapshot::{ClusterSnapshot, Judged, Snapshot};

/// A group. What is not known is `None`, and never 0.
#[derive(Debug)]
pub struct GroupFigures<'a> {
    pub cluster: &'a ClusterName,
    pub group: &'a GroupId,
    /// `false`: its name matches a pattern of groups that are not counted.
    pub counted: bool,
    pub state: GroupState,
    /// The headline first.
    pub findings: &'a [Finding],
    /// Of the partitions whose lag is known.
    pub lag: Option<u64>,
    pub unknown_partitions: u32,
    pub deleted_unread: u64,
    pub time_lag: Option<Duration>,
    /// Records a second over the last minute: those that come, and those that are committed.
    pub written: Option<Rate>,
    pub committed: Option<Rate>,
    pub drain: Option<Drain>,
    pub members: Option<u32>,
    pub paused_partitions: u32,
    /// Of the oldest hold.
    pub pause_age: Option<Duration>,
    /// How long ago the first planned end was; zero before it, `None` where no hold has one.
    pub pause_overdue: Option<Duration>,
}

/// A partition that a group reads.
#[derive(Debug)]
pub struct PartitionFigures<'a> {
    pub cluster: &'a ClusterName,
    pub group: &'a GroupId,
    pub topic: &'a TopicName,
    pub partition: Partition,
    pub lag: Option<u64>,
    pub committed: Option<i64>,
}

/// A partition of a topic. Its offsets are known where a group reads it.
#[derive(Debug)]
pub struct TopicFigures<'a> {
    pub cluster: &'a ClusterName,
    pub topic: &'a TopicName,
    pub partition: Partition,
    pub leader: Option<i32>,
    pub replicas: &'a [i32],
    pub in_sync: &'a [i32],
    pub start: Option<i64>,
    pub end: Option<i64>,
}

/// All of one moment. Groups come by cluster and name; partitions by group, topic and number; topics by cluster and name.
pub trait Figures: Send + Sync {
    fn groups(&self, _visit: &mut dyn FnMut(&GroupFigures<'_>)) {}

    fn partitions(&self, _visit: &mut dyn FnMut(&PartitionFigures<'_>)) {}

    fn topics(&self, _visit: &mut dyn FnMut(&TopicFigures<'_>)) {}
}

impl Core {
    pub fn figures(&self) -> Arc<dyn Figures> {
        Arc::new(Published { snapshot: self.publisher.current(), now: clock::now() })
    }
}

struct Published {
    snapshot: Arc<Snapshot>,
    now: Timestamp,
}

impl Figures for Published {
    fn groups(&self, visit: &mut dyn FnMut(&GroupFigures<'_>)) {
        for one in &self.snapshot.clusters {
            for (group, judged) in one.groups() {
                visit(&of_group(one, group, judged, self.now));
            }
        }
    }

    fn partitions(&self, visit: &mut dyn FnMut(&PartitionFigures<'_>)) {
        for one in &self.snapshot.clusters {
            for (group, judged) in one.groups() {
                for (topic, partition, reading) in group.readings(judged.stale) {
                    let lag = match reading.lag() {
                        Lag::Known(lag) => Some(lag),
                        Lag::Unknown(_) => reading.is_empty_and_untouched().then_some(0),
                    };
                    // An offset of another log, or an old one, is no figure of now.
                    let committed = reading.committed.filter(|_| reading.refused.is_none());
                    let (cluster, group) = (&one.settings.name, &group.id);
                    visit(&PartitionFigures { cluster, group, topic, partition, lag, committed });
                }
            }
        }
    }

    fn topics(&self, visit: &mut dyn FnMut(&TopicFigures<'_>)) {
        for one in &self.snapshot.clusters {
            for topic in one.sample.metadata.iter().flat_map(|metadata| &metadata.topics) {
                let logs = one.sample.ends.topic(&topic.name);
                for partition in &topic.partitions {
                    let log = logs.and_then(|logs| logs.partition(partition.partition));
                    let log = log.filter(|log| log.refused.is_none());
                    visit(&TopicFigures {
                        cluster: &one.settings.name,
                        topic: &topic.name,
                        partition: partition.partition,
                        leader: partition.leader,
                        replicas: &partition.replicas,
                        in_sync: &partition.isr,
                        start: log.and_then(|log| log.start),
                        end: log.and_then(|log| log.end),
                    });
                }
            }
        }
    }
}

fn of_group<'a>(
    cluster: &'a ClusterSnapshot,
    group: &'a GroupData,
    judged: &'a Judged,
    now: Timestamp,
) -> GroupFigures<'a> {
    let flow = flow(group, judged);
    let holds = cluster.holds.group(&group.id);
    GroupFigures {
        cluster: &cluster.settings.name,
        group: &group.id,
        counted: !judged.ignored,
        state: group.state,
        findings: &judged.findings,
        lag: judged.lag,
        unknown_partitions: judged.unknown_partitions,
        deleted_unread: judged.deleted_unread,
        time_lag: judged.time_lag.map(|lag| Duration::from_millis(lag.millis)),
        written: flow.written.one_minute,
        committed: flow.committed.one_minute,
        drain: flow.drain,
        members: group.members.as_ref().map(|all| u32::try_from(all.len()).unwrap_or(u32::MAX)),
        paused_partitions: paused_partitions(cluster, group),
        pause_age: holds.iter().map(|hold| hold.since).min().map(|since| now.since(since)),
        pause_overdue: overdue(holds, now),
    }
}

fn overdue(holds: &[Hold], now: Timestamp) -> Option<Duration> {
    holds.iter().filter_map(|hold| hold.until).min().map(|until| now.since(until))
}

#[cfg(test)]
mod tests {
    use super::*;
    use flowdeck_model::{HoldId, Scope};

    #[test]
    fn a_pause_is_overdue_from_its_planned_end_on() {
        let at = Timestamp::from_millis;
        let hold = |until| Hold {
            scope: Scope::group("g".into()),
            id: HoldId::from_uuid(uuid::Uuid::nil()),
            owner: "ana".into(),
            reason: String::new(),
            since: at(0),
            until,
            by: flowdeck_model::HoldBy::Pause,
            except: vec![],
        };
        let seconds = |holds: &[Hold]| overdue(holds, at(10_000)).map(|time| time.as_secs());
        assert_eq!(seconds(&[]), None);
        assert_eq!(seconds(&[hold(None)]), None, "no end was planned");
        assert_eq!(seconds(&[hold(Some(at(20_000)))]), Some(0));
        assert_eq!(seconds(&[hold(Some(at(20_000))), hold(Some(at(4_000))), hold(None)]), Some(6));
    }
}
