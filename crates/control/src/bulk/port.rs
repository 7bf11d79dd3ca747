//! The port of bulk operations: checks who asks, group by group, and what changed since the preview; writes the request to
//! the audit and waits until it is read there. Whoever leads carries it out.

use std::sync::Arc;

use async_trait::async_trait;
use flowdeck_model::bulk::{BulkAction, BulkCounts, BulkRequest};
use flowdeck_model::error::ResourceKind;
use flowdeck_model::view::{BulkGroupView, BulkPreview, BulkView, Mode};
use flowdeck_model::{
    Actor, BulkQuery, Bulks, ClusterName, CommandId, GroupId, Permission, PortError, SubmitBulk,
};
use flowdeck_observe::clock;
use flowdeck_observe::core::{ClusterHandle, Core};
use flowdeck_observe::ports::{allowed, allowed_on_cluster, cluster_of};
use flowdeck_observe::snapshot::ClusterSnapshot;
use flowdeck_protocol::wire::{BulkEvent, BulkRecord, check_bulk};

use super::book::Bulk;
use super::plan::{Planner, Wanted, What};
use super::{changed, undo};
use crate::audit::Entry;
use crate::kept::{Desk, Desks};
use crate::port::BoundControl;

/// Groups that a conflict names.
const NAMED: usize = 5;

pub(crate) struct BoundBulks {
    core: Arc<Core>,
    desks: Desks<Bulk>,
    control: BoundControl,
    actor: Actor,
}

impl BoundBulks {
    pub(crate) fn new(core: Arc<Core>, desks: Desks<Bulk>, control: BoundControl, actor: Actor) -> Self {
        Self { core, desks, control, actor }
    }

    /// On a cluster that may be written to.
    fn writable(
        &self,
        cluster: &ClusterName,
    ) -> Result<(Arc<ClusterSnapshot>, &ClusterHandle, &Desk<Bulk>), PortError> {
        let snapshot = self.core.publisher.current();
        allowed_on_cluster(&self.actor, Permission::View, cluster)?;
        let (one, handle) = cluster_of(&self.core, &snapshot, cluster)?;
        if handle.settings.mode != Mode::Control {
            return Err(PortError::ObserveMode { cluster: cluster.clone() });
        }
        Ok((one, handle, Desk::of(&self.desks, cluster)?))
    }

    /// Who may not do it with one of the groups does it with none.
    fn allowed<'a>(
        &self,
        cluster: &ClusterName,
        action: BulkAction,
        groups: impl IntoIterator<Item = &'a GroupId>,
    ) -> Result<(), PortError> {
        groups.into_iter().try_for_each(|group| {
            let needed = action.kind().permissions();
            needed.iter().try_for_each(|permission| allowed(&self.actor, *permission, cluster, group))
        })
    }

    /// The same of groups that who asks has not named: the refusal names none that they may not view.
    fn allowed_unnamed<'a>(
        &self,
        cluster: &ClusterName,
        action: BulkAction,
        groups: impl IntoIterator<Item = &'a GroupId>,
    ) -> Result<(), PortError> {
        groups.into_iter().try_for_each(|group| match self.allowed(cluster, action, [group]) {
            Err(PortError::Forbidden { permission, .. }) if !self.sees(cluster, group) => {
                let on = format!("a group of {cluster} that you may not view");
                Err(PortError::Forbidden { permission, on })
            }
            answer => answer,
        })
    }

    fn known(
        &self,
        cluster: &ClusterName,
        id: CommandId,
    ) -> Result<(Arc<ClusterSnapshot>, Arc<Bulk>), PortError> {
        let snapshot = self.core.publisher.current();
        allowed_on_cluster(&self.actor, Permission::View, cluster)?;
        let (one, _) = cluster_of(&self.core, &snapshot, cluster)?;
        let known = self.desks.get(cluster).and_then(|desk| desk.get(id));
        // That it is there is for who may view one of its groups.
        let sees =
            |bulk: &Arc<Bulk>| bulk.request.groups.iter().any(|target| self.sees(cluster, &target.group));
        let hint = "no bulk operation is remembered under this id";
        let known = known
            .filter(sees)
            .ok_or_else(|| PortError::not_found_because(ResourceKind::Command, id.to_string(), hint))?;
        Ok((one, known))
    }

    fn sees(&self, cluster: &ClusterName, group: &GroupId) -> bool {
        self.actor.may(Permission::View, cluster, group)
    }

    /// One that is over, and may be taken back.
    fn to_undo(&self, cluster: &ClusterName, id: CommandId) -> Result<Arc<Bulk>, PortError> {
        let (_, bulk) = self.known(cluster, id)?;
        if !bulk.state.is_over() {
            let detail = "the bulk operation is not over: stop it, and take back what it did then";
            return Err(PortError::Conflict { detail: detail.to_owned() });
        }
        Ok(bulk)
    }

    /// What nobody can do, said before anything is asked for.
    fn check(
        &self,
        one: &ClusterSnapshot,
        cluster: &ClusterName,
        request: &BulkRequest,
    ) -> Result<(), PortError> {
        request.check()?;
        if request.action == BulkAction::SetOffsets
            && let Some(target) =
                request.groups.iter().find(|target| one.settings.is_protected(&target.group))
        {
            let problem =
                format!("group {} is protected: set its offsets on its own page", target.group.shown());
            return Err(PortError::invalid("groups", problem));
        }
        if let Some(id) = request.undoes {
            self.to_undo(cluster, id)?;
        }
        let now = clock::now();
        let changes: Vec<String> = request
            .groups
            .iter()
            .filter_map(|target| changed::changed(&one.operations, target, None, now))
            .map(|operation| changed::words(operation))
            .collect();
        if changes.is_empty() {
            return Ok(());
        }
        let more = if changes.len() > NAMED {
            format!(" and {} more", changes.len() - NAMED)
        } else {
            String::new()
        };
        let named = changes.iter().take(NAMED).cloned().collect::<Vec<_>>().join("; ");
        let detail = format!(
            "{} of {} groups changed since the preview, so nothing was done: {named}{more}. Look at a new preview",
            changes.len(),
            request.groups.len()
        );
        Err(PortError::Conflict { detail })
    }

    async fn write(
        &self,
        handle: &ClusterHandle,
        desk: &Desk<Bulk>,
        record: BulkRecord,
        is_heard: impl Fn(&Bulk) -> bool,
    ) -> Result<Arc<Bulk>, PortError> {
        desk.write(&handle.settings, record.id, Entry::Bulk(&record), is_heard).await
    }

    fn view(&self, one: &ClusterSnapshot, bulk: &Bulk) -> BulkView {
        let cluster = &one.settings.name;
        let rows = bulk.request.groups.iter().zip(&bulk.commands).zip(&bulk.groups);
        let rows = rows.map(|((target, id), outcome)| BulkGroupView {
            group: target.group.clone(),
            command: *id,
            state: undo::state(one, *id, outcome.state),
            note: outcome.note.clone(),
        });
        let (groups, hidden): (Vec<_>, Vec<_>) = rows.partition(|row| self.sees(cluster, &row.group));
        BulkView {
            id: bulk.id,
            cluster_info: one.view.clone(),
            action: bulk.request.action,
            undoes: bulk.request.undoes,
            actor: bulk.actor.clone(),
            reason: bulk.request.reason.clone(),
            stop_after: bulk.request.stop_after,
            state: bulk.state,
            stopping: bulk.stopped && !bulk.state.is_over(),
            now: clock::now(),
            requested_at: bulk.requested_at,
            changed_at: bulk.changed_at,
            counts: BulkCounts::of(groups.iter().chain(&hidden).map(|row| row.state)),
            hidden: u32::try_from(hidden.len()).unwrap_or(u32::MAX),
            groups,
            notes: bulk.notes.clone(),
        }
    }
}

fn each(groups: Vec<GroupId>, what: impl Fn() -> What) -> Vec<Wanted> {
    groups.into_iter().map(|group| Wanted { group, what: what() }).collect()
}

#[async_trait]
impl Bulks for BoundBulks {
    async fn preview(&self, cluster: &ClusterName, query: BulkQuery) -> Result<BulkPreview, PortError> {
        query.check()?;
        match &query {
            BulkQuery::Pause { groups, .. } => self.allowed(cluster, BulkAction::Pause, groups)?,
            BulkQuery::Resume { groups } => self.allowed(cluster, BulkAction::Resume, groups)?,
            BulkQuery::SetOffsets { groups, .. } => self.allowed(cluster, BulkAction::SetOffsets, groups)?,
            // Of which groups, its book tells.
            BulkQuery::Undo(_) => {}
        }
        let (one, _, desk) = self.writable(cluster)?;
        let _permit = desk.begin_preview()?;
        let (action, undoes, wanted) = match query {
            BulkQuery::Pause { groups, for_seconds } => {
                (BulkAction::Pause, None, each(groups, || What::Pause { for_seconds, by: None }))
            }
            BulkQuery::Resume { groups } => (BulkAction::Resume, None, each(groups, || What::Resume)),
            BulkQuery::SetOffsets { groups, to, scope } => {
                let what = || What::Offsets { to: to.clone(), scope: scope.clone() };
                (BulkAction::SetOffsets, None, each(groups, what))
            }
            BulkQuery::Undo(id) => {
                let bulk = self.to_undo(cluster, id)?;
                (undo::action(bulk.request.action), Some(id), undo::wanted(&bulk, &one, clock::now()))
            }
        };
        self.allowed_unnamed(cluster, action, wanted.iter().map(|one| &one.group))?;
        let planner = Planner { control: &self.control, cluster, snapshot: Arc::clone(&one) };
        let groups = planner.plans(wanted).await?;
        let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        let ready = groups.iter().filter(|one| one.target.is_some()).count();
        let refused = groups.iter().filter(|one| one.refused.is_some()).count();
        let moves = || groups.iter().filter_map(|one| one.target.as_ref()?.offsets.as_ref());
        Ok(BulkPreview {
            cluster_info: one.view.clone(),
            now: clock::now(),
            action,
            undoes,
            ready: count(ready),
            refused: count(refused),
            nothing_to_do: count(groups.len() - ready - refused),
            replayed: moves().map(|moves| moves.replayed()).sum(),
            skipped: moves().map(|moves| moves.skipped()).sum(),
            notes: vec![],
            groups,
        })
    }

    async fn submit(&self, cluster: &ClusterName, bulk: SubmitBulk) -> Result<BulkView, PortError> {
        let SubmitBulk { id, request } = bulk;
        self.allowed(cluster, request.action, request.groups.iter().map(|one| &one.group))?;
        let (one, handle, desk) = self.writable(cluster)?;
        let conflict = || PortError::Conflict { detail: format!("{id} is the id of another operation") };
        if let Some(known) = desk.get(id) {
            return if known.request == request { Ok(self.view(&one, &known)) } else { Err(conflict()) };
        }
        if one.operations.get(id).is_some() {
            return Err(conflict());
        }
        self.check(&one, cluster, &request)?;
        let commands = request.groups.iter().map(|_| CommandId::random()).collect();
        let event = BulkEvent::Requested { request: request.clone(), commands };
        let record = BulkRecord { id, at: clock::now(), actor: self.actor.view.clone(), event };
        check_bulk(&record).map_err(|cause| PortError::Unprocessable {
            detail: format!("the request cannot be kept in the audit ({cause}): select fewer groups"),
        })?;
        let heard = self.write(handle, desk, record, |_| true).await?;
        // Of two requests under one id the first one counts.
        if heard.request == request { Ok(self.view(&one, &heard)) } else { Err(conflict()) }
    }

    async fn stop(&self, cluster: &ClusterName, id: CommandId) -> Result<BulkView, PortError> {
        let (one, known) = self.known(cluster, id)?;
        let groups = known.request.groups.iter().map(|one| &one.group);
        self.allowed_unnamed(cluster, known.request.action, groups)?;
        let (_, handle, desk) = self.writable(cluster)?;
        if known.state.is_over() {
            let detail =
                format!("the bulk operation is {}: it cannot be stopped any more", known.state.label());
            return Err(PortError::Conflict { detail });
        }
        let record =
            BulkRecord { id, at: clock::now(), actor: self.actor.view.clone(), event: BulkEvent::Stop };
        let heard = self.write(handle, desk, record, |one| one.stopped || one.state.is_over()).await?;
        Ok(self.view(&one, &heard))
    }

    fn bulk(&self, cluster: &ClusterName, id: CommandId) -> Result<BulkView, PortError> {
        let (one, known) = self.known(cluster, id)?;
        Ok(self.view(&one, &known))
    }
}
