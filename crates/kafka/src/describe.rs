//! Groups in detail: protocol, state, members and what each member owns.

use flowdeck_model::{GroupId, GroupState, GroupType, Partition};

use crate::error::Cause;
use crate::{AclOperation, Cluster, Deadline, Topic};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupDescription {
    /// `Streams` is a classic group whose assignor is `stream`.
    pub kind: GroupType,
    pub state: GroupState,
    pub assignor: String,
    /// The broker that coordinates the group.
    pub coordinator: Option<i32>,
    pub members: Vec<Member>,
    /// Asked for by KIP-430; `None` where the broker did not tell.
    pub operations: Option<Vec<AclOperation>>,
}

/// One client's session with the group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    pub member_id: String,
    pub client_id: String,
    /// As the broker saw it, such as `/10.0.0.7`.
    pub host: String,
    /// The static member id (`group.instance.id`), where set.
    pub group_instance_id: Option<String>,
    pub assignment: Vec<(Topic, Partition)>,
    /// KIP-848 only: what it will own once the rebalance is over.
    pub target_assignment: Option<Vec<(Topic, Partition)>>,
}

impl Cluster {
    /// At most `in_flight` groups are asked for at a time. One answer for each group, in the order asked.
    pub async fn describe_groups(
        &self,
        groups: &[GroupId],
        _in_flight: usize,
        _deadline: impl Into<Deadline>,
    ) -> Vec<(GroupId, Result<GroupDescription, Cause>)> {
        groups.iter().map(|group| (group.clone(), Err(Cause::Unsupported("being built".into())))).collect()
    }
}
