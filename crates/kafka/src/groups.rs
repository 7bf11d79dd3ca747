//! Which groups exist. Consumer groups come from ListConsumerGroups; groups of other kinds (share,
//! Connect, Streams' new protocol), which it drops, from the classic list.

use flowdeck_model::{GroupId, GroupState, GroupType};

use crate::error::{Cause, Error, Operation};
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
    /// Its protocol type as the broker words it, such as `connect` or `share`; may be empty.
    pub protocol_type: String,
}

impl Cluster {
    pub async fn list_groups(&self, _deadline: impl Into<Deadline>) -> Result<GroupListing, Error> {
        Err(Error::new(Operation::ListGroups, Cause::Unsupported("being built".into())))
    }

    /// Groups absent from [`Cluster::list_groups`]. Slow (about a second, a request for each group):
    /// ask seldom.
    pub async fn list_other_groups(&self, _deadline: impl Into<Deadline>) -> Result<Vec<OtherGroup>, Error> {
        Err(Error::new(Operation::ListOtherGroups, Cause::Unsupported("being built".into())))
    }
}
