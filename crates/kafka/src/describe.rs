//! Groups in detail: protocol, state, members and what each member owns.

use flowdeck_model::{GroupId, GroupState, GroupType, Partition};
use futures::{FutureExt, StreamExt};

use crate::error::{Acl, Cause};
use crate::ffi::answers::{Description, MemberRow};
use crate::ffi::ask::NulByte;
use crate::ffi::codes;
use crate::{AclOperation, Cluster, Deadline, Topic, groups, rights};

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
    /// At most `in_flight` (at least 1) groups are asked for at a time. One answer for each group, in
    /// the order asked.
    pub async fn describe_groups(
        &self,
        groups: &[GroupId],
        in_flight: usize,
        deadline: impl Into<Deadline>,
    ) -> Vec<(GroupId, Result<GroupDescription, Cause>)> {
        let deadline = deadline.into();
        // Boxed, or the compiler cannot tell that this future may be sent to another thread.
        let each = groups
            .iter()
            .map(|group| self.describe(group, deadline).map(|described| (group.clone(), described)).boxed());
        let each: Vec<_> = each.collect();
        futures::stream::iter(each).buffered(in_flight.max(1)).collect().await
    }

    async fn describe(&self, group: &GroupId, deadline: Deadline) -> Result<GroupDescription, Cause> {
        let acl = || Acl::group("Describe", group.as_str());
        let call = self.client().call_coordinator(
            deadline,
            ("describe", group.as_str().to_owned()),
            acl,
            |ask| ask.describe_group(group.as_str()).map_err(nul_byte),
            |event| match event.described_group() {
                Some(row) if row.code == codes::NO_ERROR => Ok(row),
                Some(row) => Err(row.code),
                None => Err(codes::DESTROY),
            },
        );
        let row = call.await?;
        Ok(described(row, |name| self.client().topic(name)))
    }
}

pub(crate) fn nul_byte(NulByte: NulByte) -> Cause {
    Cause::Unsupported("a group's name with a NUL byte cannot be asked for".to_owned())
}

fn described(row: Description, topic: impl Fn(&str) -> Option<Topic>) -> GroupDescription {
    let kind = match groups::kind(row.kind) {
        // Kafka Streams on the first protocol is a classic group with an assignor of its own.
        GroupType::Classic | GroupType::Unknown if row.assignor == "stream" => GroupType::Streams,
        kind => kind,
    };
    GroupDescription {
        kind,
        state: groups::state(row.state).unwrap_or(GroupState::RebalancingOrUnknown),
        assignor: row.assignor,
        coordinator: row.coordinator,
        members: row.members.into_iter().map(|row| member(row, &topic)).collect(),
        operations: row.operations.map(rights::operations),
    }
}

fn member(row: MemberRow, topic: impl Fn(&str) -> Option<Topic>) -> Member {
    let rows = |rows: Vec<(String, i32)>| -> Vec<(Topic, Partition)> {
        let known =
            rows.into_iter().filter_map(|(name, number)| Some((topic(&name)?, Partition::new(number)?)));
        known.collect()
    };
    Member {
        member_id: row.member_id,
        client_id: row.client_id,
        host: row.host,
        group_instance_id: row.instance_id,
        assignment: rows(row.assignment),
        target_assignment: row.target.map(rows),
    }
}
