//! The server's side of the reads: names as they are in the URL become names, the actor's ports
//! are asked. Without ports in the context there is no answer.

use flowdeck_model::error::ResourceKind;
use flowdeck_model::view::{CommandView, FleetView, GroupView, MessagesView, TopicView, TopicsView};
use flowdeck_model::{
    ClusterName, CommandId, FleetQuery, GroupId, HistoryQuery, MessagesQuery, PortError, Ports, TopicName,
    url,
};
use leptos::prelude::*;

use super::PageError;
use crate::chart::{self, Chart};

pub(super) fn ports() -> Result<Ports, PageError> {
    use_context::<Ports>().ok_or(PageError::NoActor)
}

pub(super) fn cluster_name(segment: &str) -> Result<ClusterName, PageError> {
    url::decode(segment)
        .and_then(|name| name.parse().ok())
        .ok_or_else(|| PortError::not_found(ResourceKind::Cluster, segment).into())
}

fn topic_name(segment: &str) -> Result<TopicName, PageError> {
    // A name that no topic can have is answered as any other that does not exist.
    let name = url::decode(segment).unwrap_or_else(|| segment.to_owned());
    name.parse().map_err(|_| PortError::not_found(ResourceKind::Topic, name).into())
}

pub(super) fn fleet(query: &str) -> Result<FleetView, PageError> {
    Ok(ports()?.fleet.fleet(&FleetQuery::parse(query, false)?)?)
}

pub(super) fn group(cluster: &str, group: &str) -> Result<GroupView, PageError> {
    let cluster = cluster_name(cluster)?;
    let name = url::decode(group).ok_or_else(|| PortError::not_found(ResourceKind::Group, group))?;
    Ok(ports()?.fleet.group(&cluster, &GroupId::from(name))?)
}

pub(super) fn history(cluster: &str, group: &str, query: &str, utc_offset: i32) -> Result<Chart, PageError> {
    let cluster = cluster_name(cluster)?;
    let name = url::decode(group).ok_or_else(|| PortError::not_found(ResourceKind::Group, group))?;
    let asked = HistoryQuery::parse(query, false)?;
    let with_table = form_urlencoded::parse(query.as_bytes()).any(|(name, _)| name == "table");
    let view = ports()?.fleet.history(&cluster, &GroupId::from(name), &asked)?;
    Ok(chart::draw(&view, chart::Zone::new(utc_offset), with_table))
}

pub(super) fn topics(cluster: &str) -> Result<TopicsView, PageError> {
    Ok(ports()?.fleet.topics(&cluster_name(cluster)?)?)
}

pub(super) async fn topic(cluster: &str, topic: &str) -> Result<TopicView, PageError> {
    Ok(ports()?.fleet.topic(&cluster_name(cluster)?, &topic_name(topic)?).await?)
}

pub(super) async fn messages(cluster: &str, topic: &str, query: &str) -> Result<MessagesView, PageError> {
    let (cluster, topic) = (cluster_name(cluster)?, topic_name(topic)?);
    let query = MessagesQuery::parse(query, false)?;
    Ok(ports()?.peek.messages(&cluster, &topic, &query).await?)
}

pub(super) async fn command(cluster: &str, id: &str) -> Result<CommandView, PageError> {
    let cluster = cluster_name(cluster)?;
    let id: CommandId = id.parse().map_err(|_| PortError::not_found(ResourceKind::Command, id))?;
    Ok(ports()?.control.find_command(&cluster, id).await?)
}
