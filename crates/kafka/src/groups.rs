//! Which groups exist. Consumer groups come from ListConsumerGroups; groups of other kinds (share,
//! Connect, Streams' new protocol), which it drops, from the classic list.

use std::collections::HashSet;

use flowdeck_model::{GroupId, GroupState, GroupType};

use crate::error::{Acl, Cause, Error, Operation};
use crate::ffi::answers::Listing;
use crate::{Cluster, Deadline};

/// All consumer groups that the brokers told of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupListing {
    pub groups: Vec<ListedGroup>,
    /// Brokers whose part is missing: the listing is partial where this is not empty.
    pub errors: Vec<Cause>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedGroup {
    pub id: GroupId,
    /// `Unknown` where the broker does not tell types (before Kafka 3.8).
    pub kind: GroupType,
    pub state: Option<GroupState>,
    /// Commits by hand, without membership: its protocol type is empty.
    pub simple: bool,
}

/// A group that is no consumer group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OtherGroup {
    pub id: GroupId,
    /// Its protocol type as the broker words it, such as `connect`; empty for groups that the classic
    /// request does not know, such as share groups.
    pub protocol_type: String,
}

impl Cluster {
    /// Consumer groups of every broker. Without Describe on the cluster, brokers leave out groups on
    /// which this client has no Describe, and do not say so: see [`Cluster::rights`].
    pub async fn list_groups(&self, deadline: impl Into<Deadline>) -> Result<GroupListing, Error> {
        let call = self.client().call(
            deadline.into(),
            || Acl::cluster("Describe"),
            |ask| {
                ask.list_groups();
                Ok(())
            },
            |event| {
                let (groups, codes) = event.listed_groups();
                // Nothing but failures: that is no empty cluster.
                match codes.first() {
                    Some(&code) if groups.is_empty() => Err(code),
                    _ => Ok((groups, codes)),
                }
            },
        );
        let (groups, codes) = call.await.map_err(|cause| Error::new(Operation::ListGroups, cause))?;
        let errors = codes.into_iter().map(|code| Cause::from_code(code, Acl::cluster("Describe")));
        Ok(GroupListing { groups: groups.into_iter().map(listed).collect(), errors: errors.collect() })
    }

    /// Groups that are there and absent from [`Cluster::list_groups`]: of another kind. Slow (about a
    /// second, a request for each group): ask seldom.
    pub async fn list_other_groups(&self, deadline: impl Into<Deadline>) -> Result<Vec<OtherGroup>, Error> {
        let deadline = deadline.into();
        let failed = |cause| Error::new(Operation::ListOtherGroups, cause);
        // Before and after: a consumer group that comes or goes meanwhile is in one of them.
        let before = self.list_groups(deadline).await.map_err(|error| failed(error.cause))?;
        let read = self.client().blocking(
            deadline,
            || Acl::cluster("Describe"),
            |native, span| native.classic_groups(span),
        );
        let all = read.await.map_err(failed)?;
        let after = self.list_groups(deadline).await.map_err(|error| failed(error.cause))?;
        let consumers = before.groups.iter().chain(&after.groups).map(|group| group.id.as_str());
        let consumers: HashSet<&str> = consumers.collect();
        // A partial listing would make other groups of consumer groups.
        if let Some(cause) = before.errors.into_iter().chain(after.errors).next() {
            return Err(failed(cause));
        }
        let others = all.into_iter().filter(|group| !consumers.contains(group.id.as_str()));
        let others = others.filter(|group| group.protocol_type != "consumer");
        Ok(others
            .map(|group| OtherGroup { id: group.id.into(), protocol_type: group.protocol_type })
            .collect())
    }
}

fn listed(row: Listing) -> ListedGroup {
    ListedGroup { id: row.id.into(), kind: kind(row.kind), state: state(row.state), simple: row.simple }
}

/// librdkafka's numbers for group types.
pub(crate) fn kind(number: u32) -> GroupType {
    match number {
        1 => GroupType::Consumer,
        2 => GroupType::Classic,
        _ => GroupType::Unknown,
    }
}

/// librdkafka's numbers for group states; `None`: not told, or one that it cannot name (KIP-848's
/// Assigning and Reconciling).
pub(crate) fn state(number: u32) -> Option<GroupState> {
    Some(match number {
        1 => GroupState::PreparingRebalance,
        2 => GroupState::CompletingRebalance,
        3 => GroupState::Stable,
        4 => GroupState::Dead,
        5 => GroupState::Empty,
        _ => return None,
    })
}
