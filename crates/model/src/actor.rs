//! Who asks, and what they may do. Ports are bound to an actor and fail closed.

use serde::{Deserialize, Serialize};
use wildmatch::WildMatchPattern;

use crate::names::{ClusterName, GroupId, TopicName};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub enum Permission {
    /// Fleet, groups, topics, commands: everything but payloads.
    View,
    /// Keys, values and headers of records.
    ReadPayloads,
    /// Pause and resume.
    Control,
    /// Change committed offsets.
    Offsets,
    /// Produce to an application's topic.
    Produce,
    /// What is masked in payloads, on request.
    ReadUnmasked,
    /// Copy dead letters to the topics from which they came.
    Redrive,
    /// Raise a topic's retention for a while.
    Retention,
}

impl Permission {
    pub const ALL: [Self; 8] = [
        Self::View,
        Self::ReadPayloads,
        Self::Control,
        Self::Offsets,
        Self::Produce,
        Self::ReadUnmasked,
        Self::Redrive,
        Self::Retention,
    ];

    pub fn label(self) -> &'static str {
        match self {
            Self::View => "view",
            Self::ReadPayloads => "read payloads",
            Self::Control => "control",
            Self::Offsets => "offsets",
            Self::Produce => "produce",
            Self::ReadUnmasked => "read unmasked",
            Self::Redrive => "re-drive",
            Self::Retention => "raise retention",
        }
    }
}

/// `*` is any run of characters. There is no wildcard for a single one: NUL, which no pattern needs, is named in
/// its place.
type Wildcards = WildMatchPattern<'*', '\0'>;

/// A name or a part of it: `*` matches any run of characters.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub struct Pattern {
    text: String,
    wildcards: Wildcards,
}

impl Pattern {
    pub fn new(pattern: impl Into<String>) -> Self {
        let text = pattern.into();
        Self { wildcards: Wildcards::new(&text), text }
    }

    pub fn any() -> Self {
        Self::new("*")
    }

    /// As it is written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Written as `*`, or as many of them.
    pub fn is_any(&self) -> bool {
        self.wildcards.pattern_chars() == ['*']
    }

    pub fn matches(&self, name: &str) -> bool {
        self.wildcards.matches(name)
    }
}

impl From<String> for Pattern {
    fn from(text: String) -> Self {
        Self::new(text)
    }
}

impl From<Pattern> for String {
    fn from(pattern: Pattern) -> Self {
        pattern.text
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Pattern {}

/// Permissions on the groups that match, on the clusters that match; of those about topics (payloads, produce,
/// re-drive, retention), on the topics that match.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    pub permissions: Vec<Permission>,
    pub clusters: Pattern,
    pub groups: Pattern,
    pub topics: Pattern,
}

impl Grant {
    fn covers(&self, permission: Permission, cluster: &ClusterName, topic: &TopicName) -> bool {
        self.permissions.contains(&permission)
            && self.clusters.matches(cluster.as_str())
            && self.topics.matches(topic.as_str())
    }

    /// On all clusters, groups and topics.
    pub fn everywhere(permissions: &[Permission]) -> Self {
        let permissions = permissions.to_vec();
        Self { permissions, clusters: Pattern::any(), groups: Pattern::any(), topics: Pattern::any() }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum ActorKind {
    Anonymous,
    User,
    Token,
    /// An external command on the admin topic.
    External,
    /// Flowdeck itself, for a hold whose time is over.
    System,
}

/// How the actor reached the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum Via {
    Page,
    Api,
    Cli,
    /// KafkaFlow's own HTTP contracts: such a request is carried out as KafkaFlow would.
    KafkaFlow,
}

/// How an actor is written in views, records and logs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ActorView {
    pub name: String,
    pub kind: ActorKind,
    pub via: Via,
    /// The peer's address as the server saw it.
    pub address: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Actor {
    pub view: ActorView,
    grants: Vec<Grant>,
}

impl Actor {
    pub fn new(view: ActorView, grants: Vec<Grant>) -> Self {
        Self { view, grants }
    }

    /// Until there is sign-in: everybody who reaches the loopback listener, with all permissions.
    pub fn anonymous(via: Via, address: Option<String>) -> Self {
        let view = ActorView { name: "anonymous".to_owned(), kind: ActorKind::Anonymous, via, address };
        Self::new(view, vec![Grant::everywhere(&Permission::ALL)])
    }

    pub fn name(&self) -> &str {
        &self.view.name
    }

    pub fn may(&self, permission: Permission, cluster: &ClusterName, group: &GroupId) -> bool {
        self.grants.iter().any(|grant| {
            grant.permissions.contains(&permission)
                && grant.clusters.matches(cluster.as_str())
                && grant.groups.matches(group.as_str())
        })
    }

    /// For what speaks of all groups of all clusters at once.
    pub fn may_everywhere(&self, permission: Permission) -> bool {
        self.grants.iter().any(|grant| {
            grant.permissions.contains(&permission) && grant.clusters.is_any() && grant.groups.is_any()
        })
    }

    /// On every group of the cluster, also those that are not there yet.
    pub fn may_on_all_groups(&self, permission: Permission, cluster: &ClusterName) -> bool {
        self.grants.iter().any(|grant| {
            grant.permissions.contains(&permission)
                && grant.clusters.matches(cluster.as_str())
                && grant.groups.is_any()
        })
    }

    /// What a permission about records gives on a topic through one group that reads it.
    pub fn may_read_for(
        &self,
        permission: Permission,
        cluster: &ClusterName,
        group: &GroupId,
        topic: &TopicName,
    ) -> bool {
        self.grants
            .iter()
            .any(|grant| grant.covers(permission, cluster, topic) && grant.groups.matches(group.as_str()))
    }

    /// On a topic, whoever reads it.
    pub fn may_on_topic(&self, permission: Permission, cluster: &ClusterName, topic: &TopicName) -> bool {
        self.grants.iter().any(|grant| grant.covers(permission, cluster, topic) && grant.groups.is_any())
    }

    /// The patterns of topics on which the actor has the permission, whoever reads them.
    pub fn topics_with(&self, permission: Permission, cluster: &ClusterName) -> Vec<Pattern> {
        let grants = self.grants.iter().filter(|grant| {
            grant.permissions.contains(&permission)
                && grant.clusters.matches(cluster.as_str())
                && grant.groups.is_any()
        });
        grants.map(|grant| grant.topics.clone()).collect()
    }

    /// Every permission on every group of the cluster: for who signs in and out.
    pub fn may_all(&self, cluster: &ClusterName) -> bool {
        Permission::ALL.into_iter().all(|permission| self.may_on_all_groups(permission, cluster))
    }

    /// For what belongs to no group (a cluster's topics): a grant on any group of the cluster is enough.
    pub fn may_on_cluster(&self, permission: Permission, cluster: &ClusterName) -> bool {
        self.grants
            .iter()
            .any(|grant| grant.permissions.contains(&permission) && grant.clusters.matches(cluster.as_str()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns() {
        for (pattern, name, want) in [
            ("*", "", true),
            ("*", "anything", true),
            ("a", "a", true),
            ("a", "ab", false),
            ("dev-*", "dev-x", true),
            ("dev-*", "prod-x", false),
            ("*-x", "dev-x", true),
            ("a*a", "a", false),
            ("a*b*c", "a1b2c", true),
            ("a*b*c", "a1c2b", false),
            ("", "", true),
            ("", "x", false),
            ("a?", "a?", true),
            ("a?", "ab", false),
            ("*ab*b", "aab-abb", true),
        ] {
            assert_eq!(Pattern::new(pattern).matches(name), want, "{pattern} {name}");
        }
    }

    #[test]
    fn without_a_grant_nothing_is_allowed() {
        let view = Actor::anonymous(Via::Api, None).view;
        let grant = |permissions: &[Permission]| Grant {
            permissions: permissions.to_vec(),
            clusters: Pattern::new("demo"),
            groups: Pattern::new("dev-*"),
            topics: Pattern::any(),
        };
        let nobody = Actor::new(view.clone(), vec![]);
        let viewer = Actor::new(view, vec![grant(&[Permission::View])]);
        let (demo, other) = ("demo".parse().unwrap(), "prod".parse().unwrap());
        assert!(!viewer.may_everywhere(Permission::View) && !nobody.may_everywhere(Permission::View));
        assert!(Actor::anonymous(Via::Api, None).may_everywhere(Permission::View));
        assert!(!nobody.may(Permission::View, &demo, &"dev-a".into()));
        assert!(viewer.may(Permission::View, &demo, &"dev-a".into()));
        assert!(!viewer.may(Permission::Control, &demo, &"dev-a".into()));
        assert!(!viewer.may(Permission::View, &demo, &"qa-a".into()));
        assert!(!viewer.may(Permission::View, &other, &"dev-a".into()));
    }

    #[test]
    fn permissions_about_records_are_by_topic() {
        let grant = |groups: &str, topics: &str| Grant {
            permissions: vec![Permission::ReadPayloads, Permission::Redrive],
            clusters: Pattern::new("demo"),
            groups: Pattern::new(groups),
            topics: Pattern::new(topics),
        };
        let actor = |grants| Actor::new(Actor::anonymous(Via::Api, None).view, grants);
        let (demo, orders, other) =
            ("demo".parse().unwrap(), "orders.dlq".parse().unwrap(), "secret".parse().unwrap());
        let by_topic = actor(vec![grant("*", "orders*")]);
        assert!(by_topic.may_on_topic(Permission::Redrive, &demo, &orders));
        assert!(!by_topic.may_on_topic(Permission::Redrive, &demo, &other));
        assert!(!by_topic.may_on_topic(Permission::Produce, &demo, &orders));
        assert_eq!(by_topic.topics_with(Permission::Redrive, &demo), [Pattern::new("orders*")]);
        let by_both = actor(vec![grant("billing", "orders*")]);
        assert!(!by_both.may_on_topic(Permission::Redrive, &demo, &orders));
        assert!(by_both.may_read_for(Permission::ReadPayloads, &demo, &"billing".into(), &orders));
        assert!(!by_both.may_read_for(Permission::ReadPayloads, &demo, &"billing".into(), &other));
        assert!(!by_both.may_read_for(Permission::ReadPayloads, &demo, &"audit".into(), &orders));
    }
}
