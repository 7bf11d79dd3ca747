//! Links inside Flowdeck, with the base path before them. Every `href` of a page comes from here.

use flowdeck_model::query::{FleetQuery, MessagesQuery};
use flowdeck_model::{ClusterName, CommandId, GroupId, Partition, TopicName, url};

use crate::site;

/// `path` begins with `/`; `/` alone is the fleet, whose URL is the base itself.
pub(crate) fn to(path: &str) -> String {
    match (site::base(), path) {
        ("", path) => path.to_owned(),
        (base, "/") => base.to_owned(),
        (base, path) if path.starts_with("/?") => join(base, &path[1..]),
        (base, path) => join(base, path),
    }
}

fn join(a: &str, b: &str) -> String {
    let mut out = String::with_capacity(a.len() + b.len());
    out.push_str(a);
    out.push_str(b);
    out
}

pub(crate) fn with_query(path: &str, query: &str) -> String {
    if query.is_empty() { path.to_owned() } else { join(&join(path, "?"), query) }
}

pub(crate) fn fleet(query: &FleetQuery) -> String {
    to(&with_query("/", &query.to_query()))
}

/// The table of groups, with filters and columns.
#[cfg(not(target_family = "wasm"))]
pub(crate) fn groups(query: &flowdeck_model::query::GroupsQuery) -> String {
    to(&with_query("/all-groups", &query.to_query()))
}

#[cfg(not(target_family = "wasm"))]
pub(crate) fn groups_file(query: &flowdeck_model::query::GroupsQuery, format: &str) -> String {
    let query = query.to_query();
    let more = if query.is_empty() { query } else { join("&", &query) };
    to(&join(&join("/api/v1/groups/download?format=", format), &more))
}

pub(crate) fn group(cluster: &ClusterName, group: &GroupId) -> String {
    to(&url::group_path(cluster, group))
}

pub(crate) fn tail(cluster: &ClusterName, topic: &TopicName, query: &MessagesQuery) -> String {
    with_query(&to(&url::tail_path(cluster, topic)), &query.to_query())
}

/// The form that produces to the topic.
pub(crate) fn produce(cluster: &ClusterName, topic: &TopicName) -> String {
    to(&url::produce_path(cluster, topic))
}

/// Where the retention of a topic is raised; `group`: for whose pauses.
#[cfg(not(target_family = "wasm"))]
pub(crate) fn retention(cluster: &ClusterName, topic: &TopicName, group: Option<&GroupId>) -> String {
    let pair = group.map(|group| ("group", group.as_str()));
    let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(pair).finish();
    to(&with_query(&url::retention_path(cluster, topic), &query))
}

#[cfg(not(target_family = "wasm"))]
pub(crate) fn raised(cluster: &ClusterName, id: CommandId) -> String {
    to(&url::raised_path(cluster, id))
}

/// The topics of a group, to raise their retention.
#[cfg(not(target_family = "wasm"))]
pub(crate) fn group_retention(cluster: &ClusterName, id: &GroupId) -> String {
    join(&group(cluster, id), "/retention")
}

/// The same, filled with a copy of a record. What is in the names of topics needs no escape.
pub(crate) fn republish(
    cluster: &ClusterName,
    topic: &TopicName,
    partition: Partition,
    offset: i64,
) -> String {
    let source = [topic.as_str(), "+", &partition.to_string(), "@", &offset.to_string()].concat();
    [&produce(cluster, topic), "?source=", &source].concat()
}

/// The same, filled with a copy of a record as the dead letter of a group.
#[cfg(not(target_family = "wasm"))]
pub(crate) fn give_up(
    cluster: &ClusterName,
    letters: &TopicName,
    (topic, partition, offset): (&TopicName, Partition, i64),
    group: &GroupId,
) -> String {
    let source = format!("{topic} {partition}@{offset}");
    let pairs = [("source", source.as_str()), ("skip", group.as_str())];
    let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
    with_query(&produce(cluster, letters), &query)
}

/// The form that sets the group's offset in one partition.
#[cfg(not(target_family = "wasm"))]
pub(crate) fn skip(
    cluster: &ClusterName,
    group: &GroupId,
    topic: &TopicName,
    partition: Partition,
    to: i64,
) -> String {
    let file = format!("{topic},{partition},{to}");
    let pairs = [("to", "file"), ("file", file.as_str())];
    let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
    with_query(&offsets(cluster, group), &query)
}

#[cfg(not(target_family = "wasm"))]
pub(crate) fn produced(cluster: &ClusterName, id: CommandId) -> String {
    to(&url::produced_path(cluster, id))
}

/// The record at which a partition of the group waits; `group`: the path of its page.
pub(crate) fn stuck(group: &str, topic: &TopicName, partition: Partition) -> String {
    [group, "/stuck?topic=", topic.as_str(), "&partition=", &partition.to_string()].concat()
}

/// Of the partition that waits the longest.
pub(crate) fn longest_wait(cluster: &ClusterName, id: &GroupId) -> String {
    join(&group(cluster, id), "/stuck")
}

pub(crate) fn agents(cluster: &ClusterName, group: &GroupId) -> String {
    to(&url::agents_path(cluster, group))
}

/// Where partitions of the group are paused.
pub(crate) fn pause_parts(cluster: &ClusterName, id: &GroupId) -> String {
    join(&group(cluster, id), "/pause")
}

pub(crate) fn topics(cluster: &ClusterName) -> String {
    to(&join(&join("/c/", &url::encode(cluster.as_str())), "/topics"))
}

pub(crate) fn brokers(cluster: &ClusterName) -> String {
    to(&join(&join("/c/", &url::encode(cluster.as_str())), "/brokers"))
}

pub(crate) fn topic(cluster: &ClusterName, topic: &TopicName, query: &MessagesQuery) -> String {
    to(&with_query(&url::topic_path(cluster, topic), &query.to_query()))
}

/// The records of a query as a file.
pub(crate) fn download(
    cluster: &ClusterName,
    topic: &TopicName,
    query: &MessagesQuery,
    format: &str,
) -> String {
    let path =
        join(&join("/api/v1/clusters", &url::topic_path(cluster, topic)[2..]), "/messages/download?format=");
    let query = query.to_query();
    let more = if query.is_empty() { query } else { join("&", &query) };
    to(&join(&join(&path, format), &more))
}

/// Pages that the server alone renders.
pub(crate) fn dead_letters(cluster: &ClusterName, by_shape: bool) -> String {
    let path = join(&join("/c/", &url::encode(cluster.as_str())), "/dead-letters");
    to(&with_query(&path, if by_shape { "shape=true" } else { "" }))
}

#[cfg(not(target_family = "wasm"))]
pub(crate) fn dead_letters_of(
    cluster: &ClusterName,
    topic: &TopicName,
    query: &flowdeck_model::DeadLettersQuery,
) -> String {
    to(&with_query(&url::dead_letters_path(cluster, topic), &query.to_query()))
}

#[cfg(not(target_family = "wasm"))]
pub(crate) fn dead_letter(
    cluster: &ClusterName,
    topic: &TopicName,
    place: flowdeck_model::record_place::RecordPlace,
) -> String {
    to(&format!("{}/{}/{}", url::dead_letters_path(cluster, topic), place.partition, place.offset))
}

/// A page that the server alone renders; `query` as its own query has it.
pub(crate) fn audit(cluster: &ClusterName, query: &str) -> String {
    let path = join(&join("/c/", &url::encode(cluster.as_str())), "/audit");
    to(&with_query(&path, query))
}

/// What was done to a group.
pub(crate) fn audit_of(cluster: &ClusterName, group: &GroupId) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    audit(cluster, &query.append_pair("group", group.as_str()).finish())
}

/// What the page of this query shows, as a file.
#[cfg(not(target_family = "wasm"))]
pub(crate) fn audit_download(cluster: &ClusterName, query: &str, format: &'static str) -> String {
    let path =
        ["/api/v1/clusters/", &url::encode(cluster.as_str()), "/audit/download?format=", format].concat();
    let more = if query.is_empty() { String::new() } else { join("&", query) };
    to(&join(&path, &more))
}

#[cfg(not(target_family = "wasm"))]
pub(crate) fn redrive_form(cluster: &ClusterName, topic: &TopicName, query: &str) -> String {
    to(&with_query(&join(&url::dead_letters_path(cluster, topic), "/redrive"), query))
}

#[cfg(not(target_family = "wasm"))]
pub(crate) fn redrive(cluster: &ClusterName, id: CommandId) -> String {
    to(&url::redrive_path(cluster, id))
}

/// Where forms send re-drives, and orders to one.
#[cfg(not(target_family = "wasm"))]
pub(crate) fn redrives(cluster: &ClusterName) -> String {
    to(&join(&join("/c/", &url::encode(cluster.as_str())), "/redrives"))
}

#[cfg(not(target_family = "wasm"))]
pub(crate) fn redrive_orders(cluster: &ClusterName, id: CommandId) -> String {
    redrive(cluster, id)
}

/// The page that previews a bulk operation.
#[cfg(not(target_family = "wasm"))]
pub(crate) fn bulk_form(cluster: &ClusterName, query: &str) -> String {
    to(&with_query(&join(&join("/c/", &url::encode(cluster.as_str())), "/bulk"), query))
}

/// Where forms send bulk operations.
#[cfg(not(target_family = "wasm"))]
pub(crate) fn bulks(cluster: &ClusterName) -> String {
    to(&join(&join("/c/", &url::encode(cluster.as_str())), "/bulks"))
}

#[cfg(not(target_family = "wasm"))]
pub(crate) fn bulk(cluster: &ClusterName, id: CommandId) -> String {
    to(&url::bulk_path(cluster, id))
}

/// The canary resume that began with this command.
#[cfg(not(target_family = "wasm"))]
pub(crate) fn canary(cluster: &ClusterName, id: CommandId) -> String {
    to(&url::canary_path(cluster, id))
}

/// Where forms send canary resumes.
#[cfg(not(target_family = "wasm"))]
pub(crate) fn canaries(cluster: &ClusterName) -> String {
    to(&join(&join("/c/", &url::encode(cluster.as_str())), "/canaries"))
}

pub(crate) fn command(cluster: &ClusterName, id: CommandId) -> String {
    to(&url::command_path(cluster, id))
}

/// The page that previews and sets a group's offsets.
pub(crate) fn offsets(cluster: &ClusterName, group: &GroupId) -> String {
    join(&self::group(cluster, group), "/offsets")
}

/// Where forms send a command.
pub(crate) fn commands(cluster: &ClusterName) -> String {
    to(&join(&join("/c/", &url::encode(cluster.as_str())), "/commands"))
}
