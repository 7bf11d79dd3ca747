//! The ports, bound to an actor. Each call checks the actor's permissions first and fails closed. They are judged by the
//! name that is asked for, before anybody looks whether it is there: who may not see a cluster or group gets the
//! same answer for one that exists and one that does not.

mod agents;
mod audit;
pub(crate) mod brokers;
mod claims;
mod dead_letters;
mod facts;
mod fleet;
mod group;
mod order;
mod peek;
mod telemetry;
mod topic;

use std::sync::Arc;

use flowdeck_model::error::ResourceKind;
use flowdeck_model::{Actor, ClusterName, GroupId, Permission, PortError, TopicName};

pub use audit::BoundAudit;
pub use dead_letters::BoundDeadLetters;
pub use fleet::BoundFleet;
pub(crate) use fleet::flow;
pub(crate) use group::paused_partitions;
pub use peek::BoundPeek;

use crate::core::{ClusterHandle, Core};
use crate::snapshot::{ClusterSnapshot, Snapshot};

/// The cluster's part of the snapshot, and its handle. Whoever asks for them looks at the cluster.
pub fn cluster_of<'a>(
    core: &'a Core,
    snapshot: &Snapshot,
    name: &ClusterName,
) -> Result<(Arc<ClusterSnapshot>, &'a ClusterHandle), PortError> {
    let at = core.clusters.iter().position(|one| &one.settings.name == name);
    let found = at.and_then(|at| Some((Arc::clone(snapshot.clusters.get(at)?), core.clusters.get(at)?)));
    let found = found.ok_or_else(|| PortError::not_found(ResourceKind::Cluster, name.as_str()))?;
    found.1.viewers.look();
    Ok(found)
}

pub fn allowed(
    actor: &Actor,
    permission: Permission,
    cluster: &ClusterName,
    group: &GroupId,
) -> Result<(), PortError> {
    if actor.may(permission, cluster, group) {
        return Ok(());
    }
    Err(PortError::Forbidden { permission, on: format!("group {} of {cluster}", group.shown()) })
}

pub fn allowed_on_cluster(
    actor: &Actor,
    permission: Permission,
    cluster: &ClusterName,
) -> Result<(), PortError> {
    if actor.may_on_cluster(permission, cluster) {
        return Ok(());
    }
    Err(PortError::Forbidden { permission, on: format!("cluster {cluster}") })
}

/// A topic's records belong to the groups that read it: who may read payloads for one of them may
/// read the topic. What no such group reads needs the right for all groups, and so do internal topics: their
/// records name every group. `there`: the cluster, if there is one.
fn allowed_payloads(
    actor: &Actor,
    name: &ClusterName,
    there: Option<&ClusterSnapshot>,
    topic: &TopicName,
) -> Result<(), PortError> {
    let permission = Permission::ReadPayloads;
    let may = |group: &GroupId| actor.may_read_for(permission, name, group, topic);
    let by_a_reader = || {
        there.is_some_and(|all| {
            let mut readers = all.groups().filter(|(group, _)| group.reads(topic));
            !topic::is_internal(all, topic) && readers.any(|(group, _)| may(&group.id))
        })
    };
    if actor.may_on_topic(permission, name, topic) || by_a_reader() {
        return Ok(());
    }
    Err(PortError::Forbidden { permission, on: format!("topic {topic} of {name}") })
}
