//! The control port: checks who asks, then hands the command to the cluster's actor and waits for
//! its records to be written, with a deadline.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use flowdeck_model::error::ResourceKind;
use flowdeck_model::offsets::OffsetsQuery;
use flowdeck_model::view::{CommandView, Mode, OffsetsPreview, PreviewView, Submitted};
use flowdeck_model::{Actor, ClusterName, CommandId, Control, GroupId, Permission, PortError, Submit};
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::oneshot;
use tokio::time::Instant;

use flowdeck_kafka::Deadline;
use flowdeck_observe::audit::find_operation;
use flowdeck_observe::clock;
use flowdeck_observe::core::Core;
use flowdeck_observe::ports::{allowed, allowed_on_cluster, cluster_of};

use crate::audit::OldOperations;
use crate::cluster::actor::{Request, Wants};
use crate::commands::Command;
use crate::commands::offsets::Lookup;
use crate::kept::in_doubt;
use crate::service::Requests;

#[derive(Clone)]
pub(crate) struct BoundControl {
    pub(crate) core: Arc<Core>,
    requests: Requests,
    old: Arc<OldOperations>,
    pub(crate) actor: Actor,
}

impl BoundControl {
    pub(crate) fn new(core: Arc<Core>, requests: Requests, old: Arc<OldOperations>, actor: Actor) -> Self {
        Self { core, requests, old, actor }
    }
}

impl BoundControl {
    async fn ask<T>(
        &self,
        cluster: &ClusterName,
        command: Submit,
        wants: Wants,
        answered: oneshot::Receiver<Result<T, PortError>>,
    ) -> Result<T, PortError> {
        let snapshot = self.core.publisher.current();
        for permission in command.action.kind().permissions() {
            allowed(&self.actor, *permission, cluster, &command.target.group)?;
        }
        let (_, handle) = cluster_of(&self.core, &snapshot, cluster)?;
        command.check()?;
        let kind = command.action.kind();
        if kind.moves_offsets() && !kind.sets_commits() && handle.settings.is_protected(&command.target.group)
        {
            return Err(PortError::Unprocessable { detail: PROTECTED.to_owned() });
        }
        if handle.settings.mode != Mode::Control {
            return Err(PortError::ObserveMode { cluster: cluster.clone() });
        }
        let to = self
            .requests
            .get(cluster)
            .ok_or_else(|| PortError::not_found(ResourceKind::Cluster, cluster.as_str()))?;
        let unavailable =
            |detail: &str| PortError::Unavailable { cluster: cluster.clone(), detail: detail.to_owned() };
        // For what comes before it, for the audit, and for its own two writes.
        let patience = handle.settings.timing.write_deadline * 3;
        let until = Instant::now() + patience;
        let id = command.id;
        let is_preview = matches!(wants, Wants::Preview(_));
        let request = Request { submit: command, actor: self.actor.view.clone(), wants, until };
        match to.try_send(request) {
            Ok(()) => {}
            Err(TrySendError::Full(_)) => {
                handle.stats.queue_full();
                let detail = format!("too many commands wait on {cluster}: try again in a moment");
                return Err(PortError::TooMany { detail });
            }
            Err(TrySendError::Closed(_)) => {
                return Err(unavailable("Flowdeck is shutting down, or its configuration cannot work"));
            }
        }
        // It was handed over, and may be carried out yet; of a preview there is nothing to carry out.
        let lost = |detail: &str| match is_preview {
            true => unavailable(detail),
            false => in_doubt(cluster, id, detail),
        };
        let late = handle.settings.timing.write_deadline;
        match tokio::time::timeout(patience + late, answered).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(_)) => Err(lost("Flowdeck is shutting down")),
            Err(_) => Err(lost("no answer in time")),
        }
    }
}

const PROTECTED: &str = "the group is protected, and a reset by the consumer itself asks for no name: stop the consumer and \
    set the group's offsets";
/// A preview waits so long for Kafka at most.
const LOOK_UP: Duration = Duration::from_secs(3);

impl BoundControl {
    /// Where the offsets would go. What Kafka does not tell in time is said.
    async fn look_up(
        &self,
        cluster: &ClusterName,
        lookup: &Lookup,
        view: &mut PreviewView,
    ) -> Result<(), PortError> {
        let snapshot = self.core.publisher.current();
        let (_, handle) = cluster_of(&self.core, &snapshot, cluster)?;
        let Some(kafka) = &handle.cluster else { return Ok(()) };
        match lookup.look(kafka, Deadline::after(LOOK_UP)).await {
            Ok(mut offsets) => {
                if offsets.len() > OFFSETS_SHOWN {
                    view.notes.push(format!("{OFFSETS_SHOWN} of {} partitions are shown.", offsets.len()));
                    offsets.truncate(OFFSETS_SHOWN);
                }
                view.offsets = offsets;
            }
            Err(why) => view.notes.push(format!("Where the offsets would go is not known: {why}.")),
        }
        Ok(())
    }
}

/// In a preview.
const OFFSETS_SHOWN: usize = 1_000;

#[async_trait]
impl Control for BoundControl {
    async fn submit(&self, cluster: &ClusterName, command: Submit) -> Result<Submitted, PortError> {
        if command.action.kind().sets_commits() {
            self.check_offsets(cluster, &command).await?;
        }
        let (answer, answered) = oneshot::channel();
        self.ask(cluster, command, Wants::Outcome(answer), answered).await
    }

    async fn preview(&self, cluster: &ClusterName, command: Submit) -> Result<PreviewView, PortError> {
        let (answer, answered) = oneshot::channel();
        let (mut view, lookup) = self.ask(cluster, command, Wants::Preview(answer), answered).await?;
        if let Some(lookup) = lookup {
            self.look_up(cluster, &lookup, &mut view).await?;
        }
        Ok(view)
    }

    async fn offsets(&self, cluster: &ClusterName, query: OffsetsQuery) -> Result<OffsetsPreview, PortError> {
        self.preview_offsets(cluster, &query, true).await
    }

    fn command(&self, cluster: &ClusterName, id: CommandId) -> Result<CommandView, PortError> {
        let snapshot = self.core.publisher.current();
        allowed_on_cluster(&self.actor, Permission::View, cluster)?;
        let (one, _) = cluster_of(&self.core, &snapshot, cluster)?;
        // That it is there, and for which group, is for who may see the group.
        let seen = |group: &GroupId| self.actor.may(Permission::View, cluster, group);
        let remembered = one.operations.get(id).cloned().or_else(|| self.old.get(cluster, id));
        let Some(command) = remembered.filter(|command| seen(&command.target.group)) else {
            let hint = format!("not in {}", one.settings.audit_topic);
            return Err(PortError::not_found_because(ResourceKind::Command, id.to_string(), hint));
        };
        Ok(command.view(&one.view, clock::now()))
    }

    async fn find_command(&self, cluster: &ClusterName, id: CommandId) -> Result<CommandView, PortError> {
        match self.command(cluster, id) {
            Err(PortError::NotFound { what: ResourceKind::Command, .. }) => {
                self.look_up_in_audit(cluster, id).await?;
                self.command(cluster, id)
            }
            answer => answer,
        }
    }
}

impl BoundControl {
    /// Whether it is among the newest operations, which are kept in memory.
    pub(crate) fn remembers(&self, cluster: &ClusterName, id: CommandId) -> Result<bool, PortError> {
        let snapshot = self.core.publisher.current();
        let (one, _) = cluster_of(&self.core, &snapshot, cluster)?;
        Ok(one.operations.get(id).is_some())
    }

    /// One that is older than what is remembered.
    async fn look_up_in_audit(&self, cluster: &ClusterName, id: CommandId) -> Result<(), PortError> {
        let snapshot = self.core.publisher.current();
        let (one, handle) = cluster_of(&self.core, &snapshot, cluster)?;
        let metadata = one.sample.metadata.as_ref();
        let is_there = metadata.is_some_and(|all| all.topic(&one.settings.audit_topic).is_some());
        // Of one that is remembered, who asks may not see the group.
        if !is_there || one.operations.get(id).is_some() {
            return Ok(());
        }
        // Dropping this future drops the guard, which ends the read.
        let cancel = self.core.shutdown.child_token();
        let _guard = cancel.clone().drop_guard();
        let found = find_operation(handle, id, cancel).await;
        let found = found.map_err(|detail| PortError::Unavailable { cluster: cluster.clone(), detail })?;
        if let Some(command) = found.and_then(|found| Command::from_audit(*found)) {
            self.old.keep(cluster, Arc::new(command.operation()));
        }
        Ok(())
    }
}
