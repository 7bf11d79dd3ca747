//! The port of produced records: checks who asks, and for what.

use std::sync::Arc;

use async_trait::async_trait;
use flowdeck_model::error::ResourceKind;
use flowdeck_model::produce::{Bytes, ProduceRequest, ProduceSource, SubmitProduce};
use flowdeck_model::view::{Mode, ProducePreview, ProduceView};
use flowdeck_model::{
    Actor, ClusterName, CommandId, Fleet as _, GroupId, Permission, PortError, Produce, TopicName,
};
use flowdeck_observe::clock;
use flowdeck_observe::core::Core;
use flowdeck_observe::ports::{BoundFleet, BoundPeek, allowed_on_cluster, cluster_of};
use flowdeck_observe::snapshot::ClusterSnapshot;
use flowdeck_protocol::wire::ProduceRequested;
use uuid::Uuid;

use super::record::{digest, new_record, notes};
use super::run::Work;
use super::{ProduceDesk, ProduceDesks, letter, source};
use crate::kept::in_doubt;

pub(crate) struct BoundProduce {
    core: Arc<Core>,
    desks: ProduceDesks,
    actor: Actor,
}

impl BoundProduce {
    pub(crate) fn new(core: Arc<Core>, desks: ProduceDesks, actor: Actor) -> Self {
        Self { core, desks, actor }
    }

    /// For who may produce to the topic, on a cluster that takes records from here.
    fn writable(
        &self,
        cluster: &ClusterName,
        topic: &TopicName,
    ) -> Result<(Arc<ClusterSnapshot>, &Arc<ProduceDesk>), PortError> {
        let snapshot = self.core.publisher.current();
        if !self.actor.may_on_topic(Permission::Produce, cluster, topic) {
            let on = format!("topic {topic} of {cluster}");
            return Err(PortError::Forbidden { permission: Permission::Produce, on });
        }
        let (one, _) = cluster_of(&self.core, &snapshot, cluster)?;
        let settings = &one.settings;
        if settings.mode != Mode::Control {
            return Err(PortError::ObserveMode { cluster: cluster.clone() });
        }
        let refused = |detail: String| Err(PortError::Unprocessable { detail });
        if settings.is_all_protected() {
            return refused(format!(
                "cluster {cluster} is protected, so no record is produced to it by hand"
            ));
        }
        if topic.as_str().starts_with("__") || settings.is_own_topic(topic) {
            return refused(format!("{topic} is one of Kafka's, KafkaFlow's or Flowdeck's own topics"));
        }
        let desk = self.desks.get(cluster);
        let desk = desk.ok_or_else(|| PortError::not_found(ResourceKind::Cluster, cluster.as_str()))?;
        Ok((one, desk))
    }

    /// How many partitions the topic has. `Err`: there is no such topic, or not that partition.
    fn partitions(one: &ClusterSnapshot, request: &ProduceRequest) -> Result<usize, PortError> {
        let known = one.sample.metadata.as_ref().and_then(|metadata| metadata.topic(&request.topic));
        let known = known.ok_or_else(|| PortError::not_found(ResourceKind::Topic, request.topic.as_str()))?;
        match request.partition {
            Some(partition) if !known.partitions.iter().any(|one| one.partition == partition) => {
                let hint = format!("{} has {} partitions", request.topic, known.partitions.len());
                Err(PortError::not_found_because(ResourceKind::Partition, partition.to_string(), hint))
            }
            _ => Ok(known.partitions.len()),
        }
    }

    fn peek(&self) -> BoundPeek {
        BoundPeek::new(Arc::clone(&self.core), self.actor.clone())
    }

    /// What the record is a copy of can be read by whoever asks.
    async fn check_source(&self, cluster: &ClusterName, request: &ProduceRequest) -> Result<(), PortError> {
        match &request.source {
            Some(from) => source::draft(&self.peek(), cluster, from).await.map(drop),
            None => Ok(()),
        }
    }

    fn view(&self, cluster: &ClusterName, id: CommandId) -> Result<ProduceView, PortError> {
        let snapshot = self.core.publisher.current();
        allowed_on_cluster(&self.actor, Permission::View, cluster)?;
        let (one, _) = cluster_of(&self.core, &snapshot, cluster)?;
        let known = self.desks.get(cluster).and_then(|desk| desk.kept.get(id));
        let hint = "no produced record is remembered under this id";
        let known =
            known.ok_or_else(|| PortError::not_found_because(ResourceKind::Command, id.to_string(), hint))?;
        Ok(known.view(&one.view, clock::now()))
    }
}

#[async_trait]
impl Produce for BoundProduce {
    async fn draft(&self, cluster: &ClusterName, from: &ProduceSource) -> Result<ProduceRequest, PortError> {
        source::draft(&self.peek(), cluster, from).await.map(|(request, _)| request)
    }

    async fn dead_letter(
        &self,
        cluster: &ClusterName,
        from: &ProduceSource,
        group: &GroupId,
    ) -> Result<ProduceRequest, PortError> {
        let agents = BoundFleet::new(Arc::clone(&self.core), self.actor.clone()).agents(cluster, group)?;
        let (draft, timestamp) = source::draft(&self.peek(), cluster, from).await?;
        Ok(letter::of(draft, from, timestamp, group, &agents.agents, clock::now()))
    }

    async fn preview(
        &self,
        cluster: &ClusterName,
        request: ProduceRequest,
    ) -> Result<ProducePreview, PortError> {
        let (one, desk) = self.writable(cluster, &request.topic)?;
        request.check_but_reason()?;
        let partitions = Self::partitions(&one, &request)?;
        self.check_source(cluster, &request).await?;
        let size = |field: &str, part: &Option<Bytes>| {
            part.as_ref().map(|part| part.bytes(field).map(|bytes| bytes.len() as u64)).transpose()
        };
        let readers = one.sample.groups.iter().filter(|group| group.reads(&request.topic));
        let (seen, hidden): (Vec<_>, Vec<_>) = readers
            .map(|group| group.id.clone())
            .partition(|group| self.actor.may(Permission::View, cluster, group));
        Ok(ProducePreview {
            partitions: u32::try_from(partitions).unwrap_or(u32::MAX),
            partition: request.partition,
            key_size: size("key", &request.key)?,
            value_size: size("value", &request.value)?,
            headers: u32::try_from(request.headers.len()).unwrap_or(u32::MAX),
            groups: seen,
            other_groups: u32::try_from(hidden.len()).unwrap_or(u32::MAX),
            notes: notes(&desk.cluster, &request).await,
            topic: request.topic,
        })
    }

    async fn submit(&self, cluster: &ClusterName, produce: SubmitProduce) -> Result<ProduceView, PortError> {
        let SubmitProduce { id, request } = produce;
        let (one, desk) = self.writable(cluster, &request.topic)?;
        request.check()?;
        Self::partitions(&one, &request)?;
        let digest = digest(&request);
        let conflict = || PortError::Conflict { detail: format!("{id} is the id of another record") };
        if let Some(known) = desk.kept.get(id) {
            return match known.request.digest == digest {
                true => Ok(known.view(&one.view, clock::now())),
                false => Err(conflict()),
            };
        }
        self.check_source(cluster, &request).await?;
        let Ok(permit) = Arc::clone(&desk.places).try_acquire_owned() else {
            let detail =
                "several records are being produced to this cluster: try again in a moment".to_owned();
            return Err(PortError::TooMany { detail });
        };
        let record = new_record(&request)?;
        let requested = ProduceRequested {
            attempt: Uuid::new_v4(),
            topic: request.topic.clone(),
            partition: request.partition,
            source: request.source.clone(),
            size: request.size()? as u64,
            digest: digest.clone(),
            reason: request.reason.clone(),
        };
        let work = Work { id, actor: self.actor.view.clone(), requested, record };
        let (carrier, settings) = (Arc::clone(desk), Arc::clone(&one.settings));
        // It goes on where whoever asked leaves.
        let task = desk.tracker.spawn(async move {
            let _permit = permit;
            carrier.carry_out(&settings, work).await
        });
        let ended = |_| in_doubt(cluster, id, "it ended unexpectedly");
        let produced = task.await.map_err(ended)??;
        match produced.request.digest == digest {
            true => Ok(produced.view(&one.view, clock::now())),
            false => Err(conflict()),
        }
    }

    fn produced(&self, cluster: &ClusterName, id: CommandId) -> Result<ProduceView, PortError> {
        self.view(cluster, id)
    }
}
