//! What can go wrong when a cluster is asked, and Kafka's error codes as causes.
//!
//! An [`Error`] names the operation; its source, a [`Cause`], says why. Parts of an answer that
//! failed alone (a partition, a group, a topic) carry a `Cause` in their place in the answer.

use std::fmt;

use crate::ffi::codes;

/// What was being done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Operation {
    Metadata,
    TopicIds,
    ClusterRights,
    ListGroups,
    ListOtherGroups,
    DescribeGroups,
    Committed,
    Offsets,
    TopicConfig,
    BrokerConfig,
    CreateTopics,
    Read,
    Tail,
    Producer,
    Election,
}

impl Operation {
    fn label(self) -> &'static str {
        match self {
            Self::Metadata => "read the cluster's metadata",
            Self::TopicIds => "read topic ids",
            Self::ClusterRights => "ask which operations are authorized",
            Self::ListGroups => "list consumer groups",
            Self::ListOtherGroups => "list other groups",
            Self::DescribeGroups => "describe groups",
            Self::Committed => "read committed offsets",
            Self::Offsets => "read log offsets",
            Self::TopicConfig => "read a topic's configuration",
            Self::BrokerConfig => "read a broker's configuration",
            Self::CreateTopics => "create topics",
            Self::Read => "read records",
            Self::Tail => "follow a topic",
            Self::Producer => "start a producer",
            Self::Election => "take part in an election",
        }
    }
}

/// A call on a cluster failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("could not {}", operation.label())]
pub struct Error {
    pub operation: Operation,
    #[source]
    pub cause: Cause,
}

impl Error {
    pub fn new(operation: Operation, cause: Cause) -> Self {
        Self { operation, cause }
    }

    /// Operation and cause in one line, for a page or a log line.
    pub fn with_cause(&self) -> String {
        format!("{self}: {}", self.cause)
    }
}

/// Why something failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Cause {
    #[error("no answer in time")]
    Timeout,
    #[error("no broker can be reached")]
    Unreachable,
    /// TLS or SASL was refused: the credentials or certificates are wrong.
    #[error("the broker refused the connection's credentials")]
    Authentication,
    #[error("not permitted: {0} is missing")]
    NotPermitted(Acl),
    #[error("the topic or partition does not exist")]
    UnknownTopic,
    #[error("the offset lies outside the log")]
    OutOfRange,
    #[error("not supported: {0}")]
    Unsupported(String),
    #[error("a newer producer with the same transactional id has taken over")]
    Fenced,
    #[error("cancelled")]
    Cancelled,
    /// This side's handle on the cluster is shutting down.
    #[error("the connection to the cluster is closing")]
    Closing,
    /// Anything else, under Kafka's own name for it, such as `COORDINATOR_LOAD_IN_PROGRESS`.
    #[error("{name}: {message}")]
    Kafka { code: i32, name: String, message: String },
}

impl Cause {
    /// From Kafka's (or librdkafka's, negative) error code. `acl` is what the operation needs, for
    /// the codes that say that it was not permitted.
    pub(crate) fn from_code(code: i32, acl: Acl) -> Self {
        match code {
            codes::TIMED_OUT | codes::TIMED_OUT_QUEUE | codes::REQUEST_TIMED_OUT | codes::MSG_TIMED_OUT => {
                Self::Timeout
            }
            codes::TRANSPORT | codes::ALL_BROKERS_DOWN | codes::RESOLVE => Self::Unreachable,
            codes::AUTHENTICATION | codes::SSL | codes::SASL_AUTHENTICATION_FAILED => Self::Authentication,
            codes::TOPIC_AUTHORIZATION_FAILED
            | codes::GROUP_AUTHORIZATION_FAILED
            | codes::CLUSTER_AUTHORIZATION_FAILED
            | codes::TRANSACTIONAL_ID_AUTHORIZATION_FAILED => Self::NotPermitted(acl),
            codes::UNKNOWN_TOPIC_OR_PART
            | codes::UNKNOWN_TOPIC
            | codes::UNKNOWN_PARTITION
            | codes::UNKNOWN_TOPIC_ID
            | codes::NO_ENTRY => Self::UnknownTopic,
            codes::OFFSET_OUT_OF_RANGE => Self::OutOfRange,
            codes::UNSUPPORTED_FEATURE | codes::UNSUPPORTED_VERSION => {
                Self::Unsupported("the broker does not offer this request".to_owned())
            }
            codes::FENCED | codes::PRODUCER_FENCED | codes::INVALID_PRODUCER_EPOCH => Self::Fenced,
            codes::DESTROY => Self::Closing,
            _ => Self::Kafka { code, name: codes::name(code), message: codes::message(code) },
        }
    }

    /// Whether asking again may help without anybody changing anything.
    pub fn may_pass(&self) -> bool {
        matches!(self, Self::Timeout | Self::Unreachable | Self::Kafka { .. })
    }

    /// The client asked by a leader, or an epoch of one, that is not the present one.
    pub(crate) fn is_of_an_old_leader(&self) -> bool {
        let old = [codes::NOT_LEADER, codes::FENCED_LEADER_EPOCH, codes::UNKNOWN_LEADER_EPOCH];
        matches!(self, Self::Kafka { code, .. } if old.contains(code))
    }
}

/// A permission as Kafka words it: an operation on a resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Acl {
    pub operation: &'static str,
    /// Such as `Cluster:kafka-cluster`, `Topic:orders`, `Group:billing`.
    pub resource: String,
}

impl Acl {
    pub(crate) fn cluster(operation: &'static str) -> Self {
        Self { operation, resource: "Cluster:kafka-cluster".to_owned() }
    }

    pub(crate) fn topic(operation: &'static str, topic: &str) -> Self {
        Self { operation, resource: format!("Topic:{topic}") }
    }

    pub(crate) fn group(operation: &'static str, group: &str) -> Self {
        Self { operation, resource: format!("Group:{group}") }
    }
}

impl fmt::Display for Acl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} on {}", self.operation, self.resource)
    }
}
