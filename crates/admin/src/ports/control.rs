//! The control port: checks who asks, then hands the command to the cluster's keeper and waits for
//! its records to be written, with a deadline.

use std::sync::Arc;

use async_trait::async_trait;
use flowdeck_model::error::Thing;
use flowdeck_model::view::{CommandView, Mode, Submitted};
use flowdeck_model::{Actor, ClusterName, CommandId, Control, GroupId, Permission, PortError, Submit};
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::{allowed, cluster_of};
use crate::clock;
use crate::cluster::keeper::Ask;
use crate::service::Core;

pub(crate) struct BoundControl {
    core: Arc<Core>,
    actor: Actor,
}

impl BoundControl {
    pub(crate) fn new(core: Arc<Core>, actor: Actor) -> Self {
        Self { core, actor }
    }
}

#[async_trait]
impl Control for BoundControl {
    async fn submit(&self, cluster: &ClusterName, command: Submit) -> Result<Submitted, PortError> {
        let snapshot = self.core.publisher.current();
        allowed(&self.actor, Permission::Control, cluster, &command.target.group)?;
        let (_, handle) = cluster_of(&self.core, &snapshot, cluster)?;
        command.check()?;
        if handle.settings.mode != Mode::Control {
            return Err(PortError::ObserveMode { cluster: cluster.clone() });
        }
        let unavailable =
            |detail: &str| PortError::Unavailable { cluster: cluster.clone(), detail: detail.to_owned() };
        // Room for what stands before it, and for its own two writes.
        let patience = handle.settings.timing.write_deadline * 3;
        let (answer, answered) = oneshot::channel();
        let ask =
            Ask { submit: command, actor: self.actor.view.clone(), answer, until: Instant::now() + patience };
        match handle.asks.try_send(ask) {
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
        let late = handle.settings.timing.write_deadline;
        match tokio::time::timeout(patience + late, answered).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(_)) => Err(unavailable("Flowdeck is shutting down")),
            Err(_) => Err(unavailable("no answer in time; the command's page tells what became of it")),
        }
    }

    fn command(&self, cluster: &ClusterName, id: CommandId) -> Result<CommandView, PortError> {
        let snapshot = self.core.publisher.current();
        super::allowed_on_cluster(&self.actor, Permission::See, cluster)?;
        let (one, _) = cluster_of(&self.core, &snapshot, cluster)?;
        // That it is there, and for which group, is for who may see the group.
        let seen = |group: &GroupId| self.actor.may(Permission::See, cluster, group);
        let Some(command) = one.commands.get(id).filter(|command| seen(&command.target.group)) else {
            let hint = format!("not remembered since the restart at {}", self.core.started_at);
            return Err(PortError::not_found_because(Thing::Command, id.to_string(), hint));
        };
        Ok(command.view(&one.view, clock::now()))
    }
}
