//! The port of re-drives: checks who asks, fixes what is asked for, writes it to the audit and waits until it is read
//! there. Whoever leads carries it out.

use std::sync::Arc;

use async_trait::async_trait;
use flowdeck_kafka::{Cluster, OffsetSpec};
use flowdeck_model::actor::Pattern;
use flowdeck_model::error::ResourceKind;
use flowdeck_model::redrive::{
    PARTITIONS_MAX, RecordPlace, RedriveOrder, RedriveRecords, RedriveTarget, SubmitRedrive,
};
use flowdeck_model::view::{Mode, RedrivePreview, RedriveRow, RedriveView};
use flowdeck_model::{
    Actor, ClusterName, CommandId, Permission, PortError, RedriveRequest, Redrives, TopicName,
};
use flowdeck_observe::clock;
use flowdeck_observe::core::{ClusterHandle, Core};
use flowdeck_observe::ports::{allowed_on_cluster, cluster_of};
use flowdeck_observe::snapshot::ClusterSnapshot;
use flowdeck_protocol::wire::{RedriveEvent, RedriveRecord};

use super::book::Redrive;
use super::preview::Look;
use super::{run, targets};
use crate::audit::Entry;
use crate::kept::{Desk, Desks, unavailable};

pub(crate) struct BoundRedrives {
    core: Arc<Core>,
    desks: Desks<Redrive>,
    actor: Actor,
}

impl BoundRedrives {
    pub(crate) fn new(core: Arc<Core>, desks: Desks<Redrive>, actor: Actor) -> Self {
        Self { core, desks, actor }
    }

    fn forbidden(cluster: &ClusterName, topic: &TopicName) -> PortError {
        PortError::Forbidden { permission: Permission::Redrive, on: format!("topic {topic} of {cluster}") }
    }

    /// For who may re-drive from the topic, on a cluster that may be written to.
    fn writable(
        &self,
        cluster: &ClusterName,
        topic: &TopicName,
    ) -> Result<(Arc<ClusterSnapshot>, &ClusterHandle, &Desk<Redrive>), PortError> {
        let snapshot = self.core.publisher.current();
        if !self.actor.may_on_topic(Permission::Redrive, cluster, topic) {
            return Err(Self::forbidden(cluster, topic));
        }
        let (one, handle) = cluster_of(&self.core, &snapshot, cluster)?;
        if handle.settings.mode != Mode::Control {
            return Err(PortError::ObserveMode { cluster: cluster.clone() });
        }
        Ok((one, handle, Desk::of(&self.desks, cluster)?))
    }

    fn kafka<'a>(&self, one: &ClusterSnapshot, handle: &'a ClusterHandle) -> Result<&'a Cluster, PortError> {
        handle
            .cluster
            .as_ref()
            .ok_or_else(|| unavailable(&handle.settings.name, one.view.error.clone().unwrap_or_default()))
    }

    fn allowed(&self, cluster: &ClusterName) -> Vec<Pattern> {
        self.actor.topics_with(Permission::Redrive, cluster)
    }

    /// What is known at once to be refused, and the ends where the caller names none.
    async fn fixed(
        &self,
        one: &ClusterSnapshot,
        handle: &ClusterHandle,
        mut request: RedriveRequest,
    ) -> Result<RedriveRequest, PortError> {
        request.check_but_reason()?;
        let cluster = &handle.settings.name;
        let metadata = one.sample.metadata.as_ref();
        let known = metadata.and_then(|metadata| metadata.topic(&request.topic));
        let Some(known) = known else {
            return Err(PortError::not_found(ResourceKind::Topic, request.topic.as_str()));
        };
        if known.partitions.len() > PARTITIONS_MAX {
            let detail =
                format!("{} has more than {PARTITIONS_MAX} partitions: select records", request.topic);
            return Err(PortError::Unprocessable { detail });
        }
        if let RedriveTarget::Topic(to) = &request.to {
            if !targets::is_allowed(&handle.settings, &self.allowed(cluster), &request.topic, to) {
                return Err(Self::forbidden(cluster, to));
            }
            if metadata.and_then(|metadata| metadata.topic(to)).is_none() {
                return Err(PortError::not_found(ResourceKind::Topic, to.as_str()));
            }
        }
        if let RedriveRecords::Matching { ends, .. } = &mut request.records
            && ends.is_empty()
        {
            let kafka = self.kafka(one, handle)?;
            let read = run::offsets(kafka, &request.topic, OffsetSpec::LatestCommitted).await;
            let read = read.map_err(|why| unavailable(cluster, why))?;
            *ends = read.into_iter().map(|(partition, offset)| RecordPlace { partition, offset }).collect();
        }
        Ok(request)
    }

    async fn write(
        &self,
        handle: &ClusterHandle,
        desk: &Desk<Redrive>,
        id: CommandId,
        event: RedriveEvent,
        is_heard: impl Fn(&Redrive) -> bool,
    ) -> Result<Arc<Redrive>, PortError> {
        let record = RedriveRecord { id, at: clock::now(), actor: self.actor.view.clone(), event };
        desk.write(&handle.settings, id, Entry::Redrive(&record), is_heard).await
    }

    fn known(
        &self,
        cluster: &ClusterName,
        id: CommandId,
    ) -> Result<(Arc<ClusterSnapshot>, Arc<Redrive>), PortError> {
        let snapshot = self.core.publisher.current();
        allowed_on_cluster(&self.actor, Permission::View, cluster)?;
        let (one, _) = cluster_of(&self.core, &snapshot, cluster)?;
        let known = self.desks.get(cluster).and_then(|desk| desk.get(id));
        let hint = "no re-drive is remembered under this id";
        let known =
            known.ok_or_else(|| PortError::not_found_because(ResourceKind::Command, id.to_string(), hint))?;
        Ok((one, known))
    }

    /// Without the name of a group that who asks may not view.
    fn view(&self, one: &ClusterSnapshot, redrive: &Redrive) -> RedriveView {
        let mut view = redrive.view(&one.view, clock::now());
        let is_hidden = match &view.request.to {
            RedriveTarget::OriginalFor(group) => !self.actor.may(Permission::View, &one.settings.name, group),
            RedriveTarget::Original | RedriveTarget::Topic(_) => false,
        };
        if is_hidden {
            view.request.to = RedriveTarget::Original;
            view.notes.push(FOR_A_HIDDEN_GROUP.to_owned());
        }
        view
    }
}

/// Instead of its name.
const FOR_A_HIDDEN_GROUP: &str =
    "The copies are for a group that you may not view: agents of other groups skip them.";

#[async_trait]
impl Redrives for BoundRedrives {
    async fn preview(
        &self,
        cluster: &ClusterName,
        request: RedriveRequest,
    ) -> Result<RedrivePreview, PortError> {
        let (one, handle, desk) = self.writable(cluster, &request.topic)?;
        let _permit = desk.begin_preview()?;
        let request = self.fixed(&one, handle, request).await?;
        // Dropping the future drops the guard, which ends the reads.
        let stop = self.core.shutdown.child_token();
        let _guard = stop.clone().drop_guard();
        let look = Look {
            cluster: self.kafka(&one, handle)?.clone(),
            settings: Arc::clone(&handle.settings),
            sample: Arc::clone(&one.sample),
            allowed: self.allowed(cluster),
            stop,
        };
        let may_view = |group: &_| self.actor.may(Permission::View, cluster, group);
        look.preview(request, may_view).await.map_err(|why| unavailable(cluster, why))
    }

    async fn submit(&self, cluster: &ClusterName, redrive: SubmitRedrive) -> Result<RedriveView, PortError> {
        let SubmitRedrive { id, request } = redrive;
        let (one, handle, desk) = self.writable(cluster, &request.topic)?;
        if let Some(known) = desk.get(id) {
            return match is_same(&known.request, &request) {
                true => Ok(self.view(&one, &known)),
                false => Err(PortError::Conflict { detail: format!("{id} is the id of another re-drive") }),
            };
        }
        request.check()?;
        let request = self.fixed(&one, handle, request).await?;
        let event = RedriveEvent::Requested { request: request.clone(), allowed: self.allowed(cluster) };
        let heard = self.write(handle, desk, id, event, |_| true).await?;
        // Of two requests under one id the first one counts.
        match is_same(&heard.request, &request) {
            true => Ok(self.view(&one, &heard)),
            false => Err(PortError::Conflict { detail: format!("{id} is the id of another re-drive") }),
        }
    }

    async fn order(
        &self,
        cluster: &ClusterName,
        id: CommandId,
        order: RedriveOrder,
    ) -> Result<RedriveView, PortError> {
        let (one, known) = self.known(cluster, id)?;
        let (_, handle, desk) = self.writable(cluster, &known.request.topic)?;
        if known.state.is_over() || known.order == RedriveOrder::Stop {
            let detail = format!(
                "the re-drive is {}: it takes no orders any more",
                match known.state.is_over() {
                    true => known.state.label(),
                    false => "being stopped",
                }
            );
            return Err(PortError::Conflict { detail });
        }
        let event = RedriveEvent::Ordered(order);
        let heard =
            self.write(handle, desk, id, event, |one| one.order == order || one.state.is_over()).await?;
        Ok(self.view(&one, &heard))
    }

    fn redrive(&self, cluster: &ClusterName, id: CommandId) -> Result<RedriveView, PortError> {
        let (one, known) = self.known(cluster, id)?;
        Ok(self.view(&one, &known))
    }

    fn of_topic(&self, cluster: &ClusterName, topic: &TopicName) -> Result<Vec<RedriveRow>, PortError> {
        let snapshot = self.core.publisher.current();
        allowed_on_cluster(&self.actor, Permission::View, cluster)?;
        cluster_of(&self.core, &snapshot, cluster)?;
        Ok(self.desks.get(cluster).map(|desk| desk.book().of_topic(topic)).unwrap_or_default())
    }
}

/// The ends are the server's where the caller names none.
fn is_same(known: &RedriveRequest, asked: &RedriveRequest) -> bool {
    let mut asked = asked.clone();
    if let (RedriveRecords::Matching { ends: known, .. }, RedriveRecords::Matching { ends, .. }) =
        (&known.records, &mut asked.records)
        && ends.is_empty()
    {
        ends.clone_from(known);
    }
    *known == asked
}
