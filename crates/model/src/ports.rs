//! The entry points of the admin service, by job. A port is bound to an actor when it is made
//! (`Bind::bind`), checks that actor's permissions in every call and fails closed; pages, API and stream
//! only parse and show.

use std::sync::Arc;

use async_trait::async_trait;

use crate::actor::Actor;
use crate::bulk::{BulkQuery, SubmitBulk};
use crate::canary::{CanaryOrder, SubmitCanary};
use crate::command::{Submit, Target};
use crate::error::PortError;
use crate::ids::{CommandId, Version};
use crate::names::{ClusterName, GroupId, TopicName};
use crate::offsets::OffsetsQuery;
use crate::produce::{ProduceRequest, ProduceSource, SubmitProduce};
#[cfg(not(target_family = "wasm"))]
use crate::query::GroupsQuery;
use crate::query::{AuditQuery, DeadLettersQuery, FleetQuery, HistoryQuery, MessagesQuery};
use crate::record_place::RecordPlace;
use crate::redrive::{RedriveOrder, RedriveRequest, SubmitRedrive};
use crate::retention::{RetentionQuery, SubmitRetention};
use crate::view::{
    AgentsView, AuditView, BrokersView, BulkPreview, BulkView, CanaryView, ClusterView, CommandView,
    DeadLetterTopicsView, DeadLetterView, DeadLettersView, FleetView, GroupView, HistoryView, MessagesView,
    OffsetsPreview, PreviewView, ProducePreview, ProduceView, RedrivePreview, RedriveRow, RedriveView,
    RetentionPreview, RetentionRow, RetentionView, Submitted, TailView, TelemetryView, TopicView, TopicsView,
};

/// Reads the published snapshot; never waits for Kafka, but for `topic` and `brokers`.
#[async_trait]
pub trait Fleet: Send + Sync {
    fn clusters(&self) -> Vec<ClusterView>;
    fn fleet(&self, query: &FleetQuery) -> Result<FleetView, PortError>;
    /// As `fleet`, with more filters.
    #[cfg(not(target_family = "wasm"))]
    fn groups(&self, query: &GroupsQuery) -> Result<FleetView, PortError>;
    fn group(&self, cluster: &ClusterName, group: &GroupId) -> Result<GroupView, PortError>;
    /// The agents of a group, with what they report of themselves.
    fn agents(&self, cluster: &ClusterName, group: &GroupId) -> Result<AgentsView, PortError>;
    /// Of a group that is there, or was within the history that is kept.
    fn history(
        &self,
        cluster: &ClusterName,
        group: &GroupId,
        query: &HistoryQuery,
    ) -> Result<HistoryView, PortError>;
    /// The consumers that telemetry tells of, of groups that the actor may view.
    fn telemetry(&self, cluster: &ClusterName) -> Result<TelemetryView, PortError>;
    fn topics(&self, cluster: &ClusterName) -> Result<TopicsView, PortError>;
    /// Asks Kafka for offsets and configuration, 1.5 s at most; what did not come is in the notes.
    async fn topic(&self, cluster: &ClusterName, topic: &TopicName) -> Result<TopicView, PortError>;
    /// Brokers and partitions in trouble from the snapshot; asks what the cluster offers, 1.5 s at most, unless it was
    /// asked within the last minute.
    async fn brokers(&self, cluster: &ClusterName) -> Result<BrokersView, PortError>;
    fn version(&self) -> Version;
    /// Returns once another version than `seen` is published.
    async fn changed(&self, seen: Version) -> Version;
}

#[async_trait]
pub trait Control: Send + Sync {
    /// Returns once the command's records are written, by whichever replica, or nothing had to be written.
    async fn submit(&self, cluster: &ClusterName, command: Submit) -> Result<Submitted, PortError>;
    /// What it would do; nothing happens.
    async fn preview(&self, cluster: &ClusterName, command: Submit) -> Result<PreviewView, PortError>;
    /// What setting a group's offsets would do, asked of Kafka now; nothing happens.
    async fn offsets(&self, cluster: &ClusterName, query: OffsetsQuery) -> Result<OffsetsPreview, PortError>;
    /// One that is remembered, or was looked up lately.
    fn command(&self, cluster: &ClusterName, id: CommandId) -> Result<CommandView, PortError>;
    /// The same; one that is not remembered any more is looked up in the audit, 3 s at most.
    async fn find_command(&self, cluster: &ClusterName, id: CommandId) -> Result<CommandView, PortError>;
}

#[async_trait]
pub trait Peek: Send + Sync {
    /// Bounded in records, bytes and time. Dropping the future ends the work.
    async fn messages(
        &self,
        cluster: &ClusterName,
        topic: &TopicName,
        query: &MessagesQuery,
    ) -> Result<MessagesView, PortError>;
    /// Follows the topic: from now on where the query starts at the latest records, else from its offsets. Its limit
    /// is of records a second.
    async fn tail(
        &self,
        cluster: &ClusterName,
        topic: &TopicName,
        query: &MessagesQuery,
    ) -> Result<Box<dyn Tail>, PortError>;
}

/// A topic that is followed. Nothing is read between two looks, and nothing is kept.
#[async_trait]
pub trait Tail: Send {
    /// What came since the look before, 1.5 s at most; what is more than the limit is left out and counted.
    async fn next(&mut self) -> Result<TailView, PortError>;
}

/// Reads dead letters, within bounds and without a group.
#[async_trait]
pub trait DeadLetters: Send + Sync {
    /// The cluster's dead-letter topics. `by_shape`: also looks at the newest record of the other topics.
    async fn topics(&self, cluster: &ClusterName, by_shape: bool) -> Result<DeadLetterTopicsView, PortError>;
    /// The newest dead letters of a topic, grouped.
    async fn letters(
        &self,
        cluster: &ClusterName,
        topic: &TopicName,
        query: &DeadLettersQuery,
    ) -> Result<DeadLettersView, PortError>;
    async fn letter(
        &self,
        cluster: &ClusterName,
        topic: &TopicName,
        place: RecordPlace,
    ) -> Result<DeadLetterView, PortError>;
}

/// Who asked for what, and what came of it.
#[async_trait]
pub trait AuditLog: Send + Sync {
    /// Reads the audit backwards, 3 s at most. Dropping the future ends the work.
    async fn entries(&self, cluster: &ClusterName, query: &AuditQuery) -> Result<AuditView, PortError>;
}

/// Copies dead letters back. On clusters in control mode alone.
#[async_trait]
pub trait Redrives: Send + Sync {
    /// What it would do; nothing happens.
    async fn preview(
        &self,
        cluster: &ClusterName,
        request: RedriveRequest,
    ) -> Result<RedrivePreview, PortError>;
    /// Returns once the request is in the audit.
    async fn submit(&self, cluster: &ClusterName, redrive: SubmitRedrive) -> Result<RedriveView, PortError>;
    /// Returns once the order is in the audit.
    async fn order(
        &self,
        cluster: &ClusterName,
        id: CommandId,
        order: RedriveOrder,
    ) -> Result<RedriveView, PortError>;
    fn redrive(&self, cluster: &ClusterName, id: CommandId) -> Result<RedriveView, PortError>;
    /// Those of a dead-letter topic, newest first.
    fn of_topic(&self, cluster: &ClusterName, topic: &TopicName) -> Result<Vec<RedriveRow>, PortError>;
}

/// One operation over many groups. On clusters in control mode alone.
#[async_trait]
pub trait Bulks: Send + Sync {
    /// What it would do with each group; nothing happens.
    async fn preview(&self, cluster: &ClusterName, query: BulkQuery) -> Result<BulkPreview, PortError>;
    /// Returns once the request is in the audit.
    async fn submit(&self, cluster: &ClusterName, bulk: SubmitBulk) -> Result<BulkView, PortError>;
    /// No other group is begun. Returns once that is in the audit.
    async fn stop(&self, cluster: &ClusterName, id: CommandId) -> Result<BulkView, PortError>;
    fn bulk(&self, cluster: &ClusterName, id: CommandId) -> Result<BulkView, PortError>;
}

/// Resumes a part of what is paused first, then the rest, or pauses the part again. On clusters in control mode alone.
#[async_trait]
pub trait Canaries: Send + Sync {
    /// What the resume of the part would do; nothing happens.
    async fn preview(&self, cluster: &ClusterName, part: Target) -> Result<PreviewView, PortError>;
    /// Returns once the records of the resume of the part are written.
    async fn submit(&self, cluster: &ClusterName, canary: SubmitCanary) -> Result<CanaryView, PortError>;
    /// What the order would do; nothing happens.
    async fn preview_order(
        &self,
        cluster: &ClusterName,
        id: CommandId,
        order: CanaryOrder,
    ) -> Result<PreviewView, PortError>;
    /// Returns once its records are written. Without a reason that of the first step counts.
    async fn order(
        &self,
        cluster: &ClusterName,
        id: CommandId,
        order: CanaryOrder,
        reason: String,
    ) -> Result<CanaryView, PortError>;
    async fn canary(&self, cluster: &ClusterName, id: CommandId) -> Result<CanaryView, PortError>;
}

/// Produces records that operators write. On clusters in control mode alone, and not on those that are protected.
#[async_trait]
pub trait Produce: Send + Sync {
    /// A record as it would have to be written again; refused where the actor does not see all of it.
    async fn draft(&self, cluster: &ClusterName, source: &ProduceSource)
    -> Result<ProduceRequest, PortError>;
    /// The same as the dead letter of a group that does not get past it, with the headers that agents write.
    async fn dead_letter(
        &self,
        cluster: &ClusterName,
        source: &ProduceSource,
        group: &GroupId,
    ) -> Result<ProduceRequest, PortError>;
    /// What it would do; nothing happens.
    async fn preview(
        &self,
        cluster: &ClusterName,
        request: ProduceRequest,
    ) -> Result<ProducePreview, PortError>;
    /// Returns once it is known what came of it.
    async fn submit(&self, cluster: &ClusterName, produce: SubmitProduce) -> Result<ProduceView, PortError>;
    fn produced(&self, cluster: &ClusterName, id: CommandId) -> Result<ProduceView, PortError>;
}

/// Raises the retention of topics for a while. On clusters in control mode alone.
#[async_trait]
pub trait Retentions: Send + Sync {
    /// What it would do, asked of Kafka now; nothing happens.
    async fn preview(
        &self,
        cluster: &ClusterName,
        topic: &TopicName,
        query: RetentionQuery,
    ) -> Result<RetentionPreview, PortError>;
    /// Returns once the request is in the audit.
    async fn submit(
        &self,
        cluster: &ClusterName,
        retention: SubmitRetention,
    ) -> Result<RetentionView, PortError>;
    /// The values are put back at once. Returns once the order is in the audit.
    async fn end(&self, cluster: &ClusterName, id: CommandId) -> Result<RetentionView, PortError>;
    fn retention(&self, cluster: &ClusterName, id: CommandId) -> Result<RetentionView, PortError>;
    /// Those that are not over, of all topics, oldest first.
    fn open(&self, cluster: &ClusterName) -> Result<Vec<RetentionRow>, PortError>;
}

/// All ports of one actor, for one request or one stream.
#[derive(Clone)]
pub struct Ports {
    pub actor: Actor,
    pub fleet: Arc<dyn Fleet>,
    pub control: Arc<dyn Control>,
    pub peek: Arc<dyn Peek>,
    pub dead_letters: Arc<dyn DeadLetters>,
    pub audit: Arc<dyn AuditLog>,
    pub redrives: Arc<dyn Redrives>,
    pub bulks: Arc<dyn Bulks>,
    pub produce: Arc<dyn Produce>,
    pub retentions: Arc<dyn Retentions>,
    pub canaries: Arc<dyn Canaries>,
}

/// The only way to a port.
pub trait Bind: Send + Sync {
    fn bind(&self, actor: Actor) -> Ports;
}
