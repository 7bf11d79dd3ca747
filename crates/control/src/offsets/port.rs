//! Offsets in the control port: the preview, and what is compared before an operation is even asked for.

use std::sync::Arc;

use flowdeck_kafka::{Cluster, Deadline};
use flowdeck_model::error::ResourceKind;
use flowdeck_model::offsets::{OffsetMove, OffsetTo, OffsetsQuery, SetOffsets, undone};
use flowdeck_model::query::{HistoryQuery, Range, Window};
use flowdeck_model::view::{HistoryView, Mode, OffsetsPreview};
use flowdeck_model::{
    ClusterName, CommandId, Control as _, Fleet as _, GroupId, Permission, PortError, Submit,
};
use flowdeck_observe::group_watch;
use flowdeck_observe::ports::{BoundFleet, allowed, cluster_of};
use flowdeck_observe::snapshot::ClusterSnapshot;

use super::alter::moved;
use super::preview::Previewer;
use super::read::committed;
use super::set_by::{SetBy, set_by};
use crate::port::BoundControl;

impl BoundControl {
    /// `records`: with the first and last record that is replayed or skipped.
    pub(crate) async fn preview_offsets(
        &self,
        cluster: &ClusterName,
        query: &OffsetsQuery,
        records: bool,
    ) -> Result<OffsetsPreview, PortError> {
        let (snapshot, kafka) = self.for_offsets(cluster, &query.group)?;
        if let OffsetTo::Group(other) = &query.to {
            allowed(&self.actor, Permission::View, cluster, other)?;
        }
        let (undone, unknown) = match undone(&query.to) {
            Some(id) => {
                let SetBy { moves, notes } = self.changed_by(cluster, id, &query.group).await?;
                (Some(moves), notes)
            }
            None => (None, vec![]),
        };
        let history = self.last_day(cluster, &query.group);
        let protected = snapshot.settings.is_protected(&query.group);
        let previewer = Previewer {
            cluster: &kafka,
            name: cluster,
            history,
            undone,
            telemetry: &snapshot.telemetry,
            protected,
            records,
        };
        let mut preview = previewer.preview(query).await?;
        preview.notes.extend(unknown);
        Ok(preview)
    }

    /// Who may change offsets, on a cluster in control mode.
    fn for_offsets(
        &self,
        cluster: &ClusterName,
        group: &GroupId,
    ) -> Result<(Arc<ClusterSnapshot>, Cluster), PortError> {
        let snapshot = self.core.publisher.current();
        for permission in [Permission::Control, Permission::Offsets] {
            allowed(&self.actor, permission, cluster, group)?;
        }
        let (one, handle) = cluster_of(&self.core, &snapshot, cluster)?;
        if handle.settings.mode != Mode::Control {
            return Err(PortError::ObserveMode { cluster: cluster.clone() });
        }
        let unavailable = || PortError::Unavailable {
            cluster: cluster.clone(),
            detail: "its configuration cannot work".to_owned(),
        };
        Ok((one, handle.cluster.clone().ok_or_else(unavailable)?))
    }

    /// What an operation changed, or may have changed, to be taken back.
    async fn changed_by(
        &self,
        cluster: &ClusterName,
        id: CommandId,
        group: &GroupId,
    ) -> Result<SetBy, PortError> {
        let operation = self.find_command(cluster, id).await?;
        if &operation.target.group != group {
            return Err(PortError::not_found(ResourceKind::Command, id.to_string()));
        }
        set_by(&operation)
    }

    fn last_day(&self, cluster: &ClusterName, group: &GroupId) -> Option<HistoryView> {
        let query = HistoryQuery { window: Window::Last(Range::Day), ..HistoryQuery::default() };
        BoundFleet::new(Arc::clone(&self.core), self.actor.clone()).history(cluster, group, &query).ok()
    }

    /// What moved since the preview is said before anything is asked for.
    pub(crate) async fn check_offsets(
        &self,
        cluster: &ClusterName,
        command: &Submit,
    ) -> Result<(), PortError> {
        let (snapshot, kafka) = self.for_offsets(cluster, &command.target.group)?;
        command.check()?;
        if snapshot.settings.is_protected(&command.target.group)
            && command
                .offsets
                .as_deref()
                .is_some_and(|asked| asked.confirm.as_deref() != Some(command.target.group.as_str()))
        {
            let problem = "the group is protected: give its name once more";
            return Err(PortError::invalid("confirm", problem));
        }
        let known = snapshot.operations.get(command.id).is_some();
        let Some(asked) = command.offsets.as_deref().filter(|_| !known) else { return Ok(()) };
        let deadline = Deadline::after(snapshot.settings.timing.write_deadline);
        let group = [command.target.group.clone()];
        let seen = group_watch::ask(&kafka, &group, deadline).await;
        // Commits of a live group move on; its agents say from where they moved each.
        if seen.first().is_some_and(|(_, seen)| !seen.members.is_empty()) {
            return Ok(());
        }
        let commits = committed(&kafka, &command.target.group, deadline).await;
        let commits =
            commits.map_err(|detail| PortError::Unavailable { cluster: cluster.clone(), detail })?;
        let now = |one: &OffsetMove| commits.get(&(one.topic.clone(), one.partition)).copied();
        match asked.moves.iter().find(|one| now(one) != one.from) {
            None => Ok(()),
            Some(one) => Err(PortError::Conflict { detail: changed_since(asked, &moved(one, now(one))) }),
        }
    }
}

fn changed_since(asked: &SetOffsets, moved: &str) -> String {
    format!(
        "offsets moved since the preview, so nothing was changed: {moved}. Look at a new preview (target {})",
        asked.to
    )
}
