//! Which operations the brokers let this client do on the cluster (KIP-430). Without Describe on the
//! cluster they leave groups out of listings silently, so it must be asked and said.

use std::collections::BTreeMap;

use crate::error::{Acl, Error, Operation};
use crate::{Cluster, Deadline};

/// Kafka's ACL operations, as the wire numbers them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum AclOperation {
    Read,
    Write,
    Create,
    Delete,
    Alter,
    Describe,
    ClusterAction,
    DescribeConfigs,
    AlterConfigs,
    IdempotentWrite,
}

impl AclOperation {
    pub(crate) fn from_wire(number: u32) -> Option<Self> {
        Some(match number {
            3 => Self::Read,
            4 => Self::Write,
            5 => Self::Create,
            6 => Self::Delete,
            7 => Self::Alter,
            8 => Self::Describe,
            9 => Self::ClusterAction,
            10 => Self::DescribeConfigs,
            11 => Self::AlterConfigs,
            12 => Self::IdempotentWrite,
            _ => return None,
        })
    }

    /// As Kafka's tools spell it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Read => "Read",
            Self::Write => "Write",
            Self::Create => "Create",
            Self::Delete => "Delete",
            Self::Alter => "Alter",
            Self::Describe => "Describe",
            Self::ClusterAction => "ClusterAction",
            Self::DescribeConfigs => "DescribeConfigs",
            Self::AlterConfigs => "AlterConfigs",
            Self::IdempotentWrite => "IdempotentWrite",
        }
    }
}

/// What this client may do on the cluster as a whole, and what the same answer tells of its brokers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rights {
    /// `None`: the broker did not tell (it is older than KIP-430).
    pub operations: Option<Vec<AclOperation>>,
    /// The rack of each broker that has one.
    pub racks: BTreeMap<i32, String>,
}

impl Rights {
    /// `None` where the broker does not tell.
    pub fn may(&self, operation: AclOperation) -> Option<bool> {
        self.operations.as_ref().map(|all| all.contains(&operation))
    }

    /// The permission without which group listings have silent gaps, where it is known to be missing.
    pub fn missing_describe(&self) -> Option<Acl> {
        (self.may(AclOperation::Describe) == Some(false)).then(|| Acl::cluster("Describe"))
    }
}

pub(crate) fn operations(numbers: Vec<u32>) -> Vec<AclOperation> {
    let mut known: Vec<_> = numbers.into_iter().filter_map(AclOperation::from_wire).collect();
    known.sort_unstable();
    known
}

impl Cluster {
    /// What this client may do on the cluster as a whole.
    pub async fn rights(&self, deadline: impl Into<Deadline>) -> Result<Rights, Error> {
        let call = self.client().call(
            deadline.into(),
            || Acl::cluster("Describe"),
            |ask| {
                ask.describe_cluster();
                Ok(())
            },
            |event| Ok((event.cluster_operations(), event.cluster_racks())),
        );
        let (numbers, racks) = call.await.map_err(|cause| Error::new(Operation::ClusterRights, cause))?;
        Ok(Rights { operations: numbers.map(operations), racks: racks.into_iter().collect() })
    }
}
