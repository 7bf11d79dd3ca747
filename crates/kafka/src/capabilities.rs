//! What this cluster offers, found by what the brokers say of themselves (ApiVersions) and one harmless
//! probe each, not by brand or version number.

use std::collections::BTreeMap;

use flowdeck_model::{GroupId, GroupType, TopicName};
use tokio_util::sync::CancellationToken;

use crate::blocking::off_thread;
use crate::error::{Acl, Cause};
use crate::ffi::apis::{self, ApiVersions};
use crate::{
    Cluster, Deadline, GroupListing, Isolation, Metadata, NewTopic, OffsetSpec, ReadRequest, ReadStart,
};

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Capability {
    Yes,
    /// Why not, in words.
    No(String),
    NotPermitted(Acl),
    /// The probe did not come to an answer, or there is nothing yet to probe; why, in words.
    Unknown(String),
}

impl std::fmt::Display for Capability {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Yes => f.write_str("yes"),
            Self::No(why) => write!(f, "no: {why}"),
            Self::NotPermitted(acl) => write!(f, "not permitted: {acl} is missing"),
            Self::Unknown(why) => write!(f, "not known: {why}"),
        }
    }
}

/// The table that the brokers' page and `--check` show.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Capabilities {
    /// `NotPermitted` where listings have silent gaps.
    pub list_groups: Capability,
    pub describe_groups: Capability,
    /// Groups of the KIP-848 protocol.
    pub consumer_protocol: Capability,
    pub committed_offsets: Capability,
    pub log_offsets: Capability,
    /// Reading records, which following a topic needs too.
    pub read_records: Capability,
    pub topic_ids: Capability,
    pub create_topics: Capability,
    pub transactions: Capability,
    pub delete_offsets: Capability,
    /// Commits can be followed as they arrive.
    pub follow_commits: Capability,
}

impl Capabilities {
    /// Names for people, with the finding of each, in the order to show.
    pub fn rows(&self) -> [(&'static str, &Capability); 11] {
        [
            ("list groups", &self.list_groups),
            ("describe groups", &self.describe_groups),
            ("KIP-848 groups", &self.consumer_protocol),
            ("read committed offsets", &self.committed_offsets),
            ("read log offsets", &self.log_offsets),
            ("read records", &self.read_records),
            ("topic ids", &self.topic_ids),
            ("create topics", &self.create_topics),
            ("transactions", &self.transactions),
            ("delete committed offsets", &self.delete_offsets),
            ("follow commits", &self.follow_commits),
        ]
    }
}

/// Keys of Kafka's requests.
mod key {
    pub(super) const METADATA: i16 = 3;
    pub(super) const CREATE_TOPICS: i16 = 19;
    pub(super) const INIT_PRODUCER_ID: i16 = 22;
    pub(super) const END_TXN: i16 = 26;
    pub(super) const OFFSET_DELETE: i16 = 47;
    pub(super) const CONSUMER_GROUP_HEARTBEAT: i16 = 68;
    pub(super) const CONSUMER_GROUP_DESCRIBE: i16 = 69;
}

/// More replicas than there can be brokers, and as many as librdkafka sends.
const IMPOSSIBLE: i16 = 10_000;
const COMMITS: &str = "__consumer_offsets";

impl Cluster {
    /// Probes that write nothing and create nothing. Each is bounded by the deadline and answers for
    /// itself.
    pub async fn capabilities(&self, deadline: impl Into<Deadline>) -> Capabilities {
        let deadline = deadline.into();
        let (apis, rights, groups, metadata) = tokio::join!(
            self.apis(deadline),
            self.rights(deadline),
            self.list_groups(deadline),
            self.metadata(deadline)
        );
        let groups = groups.map_err(|error| error.cause);
        let metadata = metadata.map_err(|error| error.cause);
        let (describe_groups, committed_offsets) = self.probe_groups(&groups, deadline).await;
        let (log_offsets, read_records, topic_ids) = self.probe_topics(&metadata, deadline).await;
        let (create_topics, follow_commits) = tokio::join!(
            self.probe_creation(apis.as_ref(), deadline),
            self.probe_commits(&metadata, deadline)
        );
        let missing = rights.ok().and_then(|rights| rights.missing_describe());
        Capabilities {
            list_groups: match (&groups, missing) {
                (Err(cause), _) => refused(cause),
                (Ok(_), Some(acl)) => Capability::NotPermitted(acl),
                (Ok(_), None) => Capability::Yes,
            },
            describe_groups,
            consumer_protocol: consumer_protocol(apis.as_ref(), &groups),
            committed_offsets,
            log_offsets,
            read_records,
            topic_ids: match offers(apis.as_ref(), &[(key::METADATA, 10)]) {
                Capability::No(why) => Capability::No(why),
                _ => topic_ids,
            },
            create_topics,
            transactions: offers(apis.as_ref(), &[(key::INIT_PRODUCER_ID, 0), (key::END_TXN, 0)]),
            delete_offsets: offers(apis.as_ref(), &[(key::OFFSET_DELETE, 0)]),
            follow_commits,
        }
    }

    /// `None`: no broker answered in time.
    async fn apis(&self, deadline: Deadline) -> Option<ApiVersions> {
        let properties = self.config().properties_for(&[]).ok()?;
        let left = deadline.left();
        let work = off_thread(move || apis::ask(&properties, left));
        tokio::time::timeout_at(deadline.instant(), work).await.ok()??.ok()?
    }

    async fn probe_groups(
        &self,
        groups: &Result<GroupListing, Cause>,
        deadline: Deadline,
    ) -> (Capability, Capability) {
        let groups = match groups {
            Ok(listing) => &listing.groups,
            Err(cause) => return (refused(cause), refused(cause)),
        };
        let Some(group) = groups.first() else {
            let none = || Capability::Unknown("there is no group yet to ask about".to_owned());
            return (none(), none());
        };
        let group: [GroupId; 1] = [group.id.clone()];
        let mut committed = Capability::Unknown("no answer".to_owned());
        let described = self.describe_groups(&group, 1, deadline).await;
        self.committed(&group, 1, deadline, |_, answer| committed = of(answer.map(|_| ()))).await;
        let described =
            described.into_iter().next().map_or(Err(Cause::Timeout), |(_, answer)| answer.map(|_| ()));
        (of(described), committed)
    }

    async fn probe_topics(
        &self,
        metadata: &Result<std::sync::Arc<Metadata>, Cause>,
        deadline: Deadline,
    ) -> (Capability, Capability, Capability) {
        let metadata = match metadata {
            Ok(metadata) => metadata,
            Err(cause) => return (refused(cause), refused(cause), refused(cause)),
        };
        let readable =
            |topic: &&crate::TopicMetadata| topic.error.is_none() && !topic.name.as_str().starts_with("__");
        let Some(topic) = metadata.topics.iter().find(readable) else {
            let none = || Capability::Unknown("there is no topic yet to ask about".to_owned());
            return (none(), none(), none());
        };
        let Some(partition) = topic.partitions.iter().find(|partition| partition.leader.is_some()) else {
            let none = || Capability::Unknown(format!("no partition of {} has a leader", topic.name));
            return (none(), none(), none());
        };
        let asked = [(topic.name.clone(), partition.partition)];
        let name = std::slice::from_ref(topic.name.as_ref());
        let (offsets, ids, read) = tokio::join!(
            self.offsets(&asked, OffsetSpec::Latest, deadline),
            self.topic_ids(name, deadline),
            self.probe_read(topic.name.as_ref(), deadline)
        );
        let offsets = offsets.into_iter().next().unwrap_or(Err(Cause::Timeout));
        let ids = match ids {
            Ok(ids) if ids.is_empty() => Capability::No("the brokers give topics no ids".to_owned()),
            Ok(ids) => of(ids.into_values().next().unwrap_or(Err(Cause::Timeout))),
            Err(error) => refused(&error.cause),
        };
        (of(offsets), read, ids)
    }

    /// Reads one record, where there is one.
    async fn probe_read(&self, topic: &TopicName, deadline: Deadline) -> Capability {
        let request = ReadRequest {
            topic: topic.clone(),
            partitions: None,
            start: ReadStart::Newest,
            limit_records: 1,
            limit_bytes: 1,
            max_value_bytes: 0,
            isolation: Isolation::ReadUncommitted,
            neighbours: false,
            transactions: false,
            deadline,
        };
        match self.read(request, CancellationToken::new()).await {
            Ok(outcome) => match outcome.partitions.into_iter().find_map(|partition| partition.error) {
                Some(cause) => refused(&cause),
                None if outcome.scanned == 0 => Capability::Unknown(format!("{topic} is empty")),
                None => Capability::Yes,
            },
            Err(error) => refused(&error.cause),
        }
    }

    /// Asks to validate a topic that cannot be created, since it wants more replicas than there can be.
    async fn probe_creation(&self, apis: Option<&ApiVersions>, deadline: Deadline) -> Capability {
        if let no @ Capability::No(_) = offers(apis, &[(key::CREATE_TOPICS, 1)]) {
            return no;
        }
        let Ok(name) = "flowdeck.probe".parse::<TopicName>() else {
            return Capability::Unknown(String::new());
        };
        let impossible = NewTopic { name, partitions: 1, replication: IMPOSSIBLE, configs: BTreeMap::new() };
        match self.create_topic(&impossible, true, deadline).await {
            Err(Cause::Kafka { name, .. }) if name == "INVALID_REPLICATION_FACTOR" => Capability::Yes,
            Err(Cause::NotPermitted(_)) => Capability::NotPermitted(Acl::cluster("Create")),
            Err(cause) => refused(&cause),
            Ok(_) => Capability::Yes,
        }
    }

    async fn probe_commits(
        &self,
        metadata: &Result<std::sync::Arc<Metadata>, Cause>,
        deadline: Deadline,
    ) -> Capability {
        let Ok(name) = COMMITS.parse::<TopicName>() else { return Capability::Unknown(String::new()) };
        match metadata {
            Err(cause) => refused(cause),
            Ok(metadata) if metadata.topic(&name).is_none() => {
                Capability::Unknown(format!("{COMMITS} is not there, or may not be described"))
            }
            Ok(_) => self.probe_read(&name, deadline).await,
        }
    }
}

/// Whether the brokers offer these requests, each in at least this version.
fn offers(apis: Option<&ApiVersions>, wanted: &[(i16, i16)]) -> Capability {
    let Some(apis) = apis else {
        return Capability::Unknown("the brokers did not say in time which requests they offer".to_owned());
    };
    let lacks =
        wanted.iter().any(|(key, version)| apis.get(key).is_none_or(|(_, highest)| highest < version));
    if lacks { Capability::No("the brokers do not offer the request".to_owned()) } else { Capability::Yes }
}

fn consumer_protocol(apis: Option<&ApiVersions>, groups: &Result<GroupListing, Cause>) -> Capability {
    let has_one =
        |listing: &GroupListing| listing.groups.iter().any(|group| group.kind == GroupType::Consumer);
    if groups.as_ref().is_ok_and(has_one) {
        return Capability::Yes;
    }
    offers(apis, &[(key::CONSUMER_GROUP_HEARTBEAT, 0), (key::CONSUMER_GROUP_DESCRIBE, 0)])
}

fn of<T>(answer: Result<T, Cause>) -> Capability {
    match answer {
        Ok(_) => Capability::Yes,
        Err(cause) => refused(&cause),
    }
}

fn refused(cause: &Cause) -> Capability {
    match cause {
        Cause::NotPermitted(acl) => Capability::NotPermitted(acl.clone()),
        Cause::Unsupported(why) => Capability::No(why.clone()),
        cause => Capability::Unknown(cause.to_string()),
    }
}
