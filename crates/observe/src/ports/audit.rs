//! The audit's port: entries that the actor may see, newest first, each operation once.

use std::collections::HashSet;
use std::sync::Arc;

use async_trait::async_trait;
use flowdeck_kafka::{Deadline, Filter};
use flowdeck_model::actor::ActorView;
use flowdeck_model::bulk::{BulkCounts, BulkGroupState};
use flowdeck_model::produce::ProduceState;
use flowdeck_model::query::AuditKind;
use flowdeck_model::redrive::RedriveTarget;
use flowdeck_model::view::{AuditEntry, AuditLogIn, AuditLook, AuditOperation, AuditRun, AuditView, Mode};
use flowdeck_model::{Actor, AuditLog, AuditQuery, ClusterName, GroupId, Permission, PortError, Timestamp};
use flowdeck_protocol::wire::{
    AuditRecord, BulkEvent, BulkRecord, LogIn, Look, Operation, ProduceEvent, ProduceRecord, RedriveEvent,
    RedriveRecord, RetentionEvent, RetentionRecord,
};
use uuid::Uuid;

use super::{allowed_on_cluster, cluster_of};
use crate::audit::{self, Found, LOOK};
use crate::clock;
use crate::core::{ClusterHandle, Core};
use crate::snapshot::ClusterSnapshot;

/// Records of each operation that are looked through for one entry: what it became, step by step.
const RECORDS_EACH: usize = 4;
/// So many offsets after `before` are looked at for operations that the page before has shown.
const OVERLAP: i64 = 2_000;

pub struct BoundAudit {
    core: Arc<Core>,
    actor: Actor,
}

impl BoundAudit {
    pub fn new(core: Arc<Core>, actor: Actor) -> Self {
        Self { core, actor }
    }
}

#[async_trait]
impl AuditLog for BoundAudit {
    async fn entries(&self, cluster: &ClusterName, query: &AuditQuery) -> Result<AuditView, PortError> {
        let snapshot = self.core.publisher.current();
        allowed_on_cluster(&self.actor, Permission::View, cluster)?;
        let (one, handle) = cluster_of(&self.core, &snapshot, cluster)?;
        let mut view = AuditView {
            now: clock::now(),
            cluster_info: one.view.clone(),
            entries: vec![],
            older: None,
            scanned: 0,
            notes: vec![],
        };
        if let Some(why) = nothing_kept(&one) {
            view.notes.push(why);
            return Ok(view);
        }
        self.read(&one, handle, query, &mut view).await?;
        Ok(view)
    }
}

/// Why there is no audit to read.
fn nothing_kept(one: &ClusterSnapshot) -> Option<String> {
    let topic = &one.settings.audit_topic;
    let metadata = one.sample.metadata.as_ref()?;
    if metadata.topic(topic).is_some() {
        return None;
    }
    Some(match one.settings.mode {
        Mode::Observe => {
            "Flowdeck only observes this cluster, so nothing is done to it and no audit is kept.".to_owned()
        }
        Mode::Control => format!("The topic {topic} is not there yet, or Flowdeck may not see it."),
    })
}

impl BoundAudit {
    async fn read(
        &self,
        one: &ClusterSnapshot,
        handle: &ClusterHandle,
        query: &AuditQuery,
        view: &mut AuditView,
    ) -> Result<(), PortError> {
        let cluster = &one.settings.name;
        let unavailable = |detail| PortError::Unavailable { cluster: cluster.clone(), detail };
        let Some(kafka) = &handle.cluster else {
            return Err(unavailable(one.view.error.clone().unwrap_or_default()));
        };
        let Ok(_permit) = Arc::clone(&handle.peeks).try_acquire_owned() else {
            let detail = format!("too many others read {cluster}: try again in a moment");
            return Err(PortError::TooMany { detail });
        };
        let deadline = Deadline::after(LOOK);
        // Dropping this future drops the guard, which ends the read.
        let cancel = self.core.shutdown.child_token();
        let _guard = cancel.clone().drop_guard();
        let may = MaySee { actor: self.actor.clone(), cluster: cluster.clone() };
        let mut seen = HashSet::new();
        let mut before = query.before;
        if let Some(cut) = before {
            let later: Filter = Arc::new(move |record| record.offset >= cut);
            let from = Some(cut.saturating_add(OVERLAP));
            let limit = usize::try_from(OVERLAP).unwrap_or(usize::MAX);
            let found = audit::backwards(kafka, handle, from, limit, later, deadline, cancel.clone()).await;
            seen.extend(found.map_err(unavailable)?.records.iter().filter_map(|(_, record)| id_of(record)));
        }
        let wanted = query.clone();
        let filter: Filter = Arc::new(move |record| {
            audit::parse(record).is_some_and(|record| may.sees(&record) && matches(&wanted, &record, &may))
        });
        let limit = query.limit as usize;
        loop {
            let most = (limit - view.entries.len()) * RECORDS_EACH;
            let found =
                audit::backwards(kafka, handle, before, most, Arc::clone(&filter), deadline, cancel.clone());
            let Found { records, scanned, from } = found.await.map_err(unavailable)?;
            view.scanned += scanned;
            for (offset, record) in records {
                if id_of(&record).is_none_or(|id| seen.insert(id)) {
                    view.entries.extend(entry(offset, record));
                }
            }
            if view.entries.len() > limit {
                view.entries.truncate(limit);
                view.older = view.entries.last().map(AuditEntry::offset);
                return Ok(());
            }
            view.older = from;
            if from.is_none() || view.entries.len() == limit {
                return Ok(());
            }
            if deadline.passed() {
                view.notes
                    .push("There was no time to look through all of it: continue with Older.".to_owned());
                return Ok(());
            }
            before = from;
        }
    }
}

struct MaySee {
    actor: Actor,
    cluster: ClusterName,
}

impl MaySee {
    fn sees(&self, record: &AuditRecord) -> bool {
        match record {
            AuditRecord::Operation(operation) => match operation.request.group() {
                Some(group) => self.views(&group),
                None => self.actor.may_all(&self.cluster),
            },
            AuditRecord::LogIn(_) | AuditRecord::Look(_) => self.actor.may_all(&self.cluster),
            AuditRecord::Bulk(bulk) => self.sees_bulk(&bulk.event),
            AuditRecord::Redrive(redrive) => self.sees_of(group_of_redrive(&redrive.event)),
            AuditRecord::Retention(retention) => self.sees_of(group_of_retention(&retention.event)),
            AuditRecord::Produce(_) => self.sees_of(None),
            AuditRecord::NewerVersion | AuditRecord::UnknownType => false,
        }
    }

    fn views(&self, group: &GroupId) -> bool {
        self.actor.may(Permission::View, &self.cluster, group)
    }

    /// Of the group that it names; what names none is for who may view any.
    fn sees_of(&self, group: Option<&GroupId>) -> bool {
        match group {
            Some(group) => self.views(group),
            None => self.actor.may_on_cluster(Permission::View, &self.cluster),
        }
    }

    /// For who may view one of its groups. Orders and ends name none.
    fn sees_bulk(&self, event: &BulkEvent) -> bool {
        match event {
            BulkEvent::Requested { request, .. } => {
                let mut groups = request.groups.iter().map(|target| &target.group);
                groups.any(|group| self.views(group))
            }
            BulkEvent::Stop | BulkEvent::Progress { .. } => self.sees_of(None),
        }
    }
}

/// Of what has several records, each with the whole state.
fn id_of(record: &AuditRecord) -> Option<Uuid> {
    match record {
        AuditRecord::Operation(operation) => Some(operation.id.uuid()),
        AuditRecord::Retention(retention) if retention.event != RetentionEvent::End => {
            Some(retention.id.uuid())
        }
        _ => None,
    }
}

fn matches(query: &AuditQuery, record: &AuditRecord, may: &MaySee) -> bool {
    match record {
        AuditRecord::Operation(operation) => matches_operation(query, operation),
        AuditRecord::LogIn(log_in) => matches_log_in(query, log_in),
        AuditRecord::Redrive(redrive) => matches_redrive(query, redrive),
        AuditRecord::Bulk(bulk) => matches_bulk(query, bulk, may),
        AuditRecord::Produce(produce) => matches_produce(query, produce),
        AuditRecord::Look(look) => matches_look(query, look),
        AuditRecord::Retention(retention) => matches_retention(query, retention),
        AuditRecord::NewerVersion | AuditRecord::UnknownType => false,
    }
}

fn matches_operation(query: &AuditQuery, operation: &Operation) -> bool {
    let request = &operation.request;
    let group = request.group();
    matches!(query.kind, AuditKind::All | AuditKind::Operations)
        && contains(group.as_ref().map_or("", GroupId::as_str), &query.group)
        && contains(&operation.actor.name, &query.actor)
        && contains(&request.reason(), &query.search)
        && query.action.is_none_or(|action| action.word() == request.action())
        && query.state.is_none_or(|state| state == operation.state)
        && is_within(query, operation.requested_at)
}

fn matches_log_in(query: &AuditQuery, log_in: &LogIn) -> bool {
    let of_operations = !query.group.is_empty()
        || !query.search.is_empty()
        || query.action.is_some()
        || query.state.is_some();
    matches!(query.kind, AuditKind::All | AuditKind::LogIns)
        && !of_operations
        && contains(&log_in.actor.name, &query.actor)
        && is_within(query, log_in.at)
}

/// A text that is looked for is found in the topic's name: looks have no reason.
fn matches_look(query: &AuditQuery, look: &Look) -> bool {
    matches!(query.kind, AuditKind::All | AuditKind::Looks)
        && query.group.is_empty()
        && query.action.is_none()
        && query.state.is_none()
        && contains(&look.actor.name, &query.actor)
        && contains(look.topic.as_deref().unwrap_or_default(), &query.search)
        && is_within(query, look.at)
}

/// Of what goes on in the audit by itself: it has neither an action nor a state of commands. `is_of_group` and `is_found`: it
/// is one of the groups and the texts that are looked for.
fn matches_run(
    query: &AuditQuery,
    (actor, at): (&ActorView, Timestamp),
    is_of_group: bool,
    is_found: bool,
) -> bool {
    matches!(query.kind, AuditKind::All | AuditKind::Operations)
        && is_of_group
        && query.action.is_none()
        && query.state.is_none()
        && contains(&actor.name, &query.actor)
        && is_found
        && is_within(query, at)
}

fn matches_redrive(query: &AuditQuery, redrive: &RedriveRecord) -> bool {
    let is_found = contains(redrive_reason(&redrive.event), &query.search);
    matches_run(query, (&redrive.actor, redrive.at), query.group.is_empty(), is_found)
}

/// Its id finds it as it finds the commands of its groups, in whose reasons it is; a group, where that may be viewed.
fn matches_bulk(query: &AuditQuery, bulk: &BulkRecord, may: &MaySee) -> bool {
    let (reason, is_of_group) = match &bulk.event {
        BulkEvent::Requested { request, .. } => {
            let mut groups = request.groups.iter().map(|target| &target.group);
            let is_of = |group: &GroupId| contains(group.as_str(), &query.group) && may.views(group);
            (request.reason.as_str(), groups.any(is_of))
        }
        BulkEvent::Stop | BulkEvent::Progress { .. } => ("", query.group.is_empty()),
    };
    let is_found = contains(reason, &query.search) || contains(&bulk.id.to_string(), &query.search);
    matches_run(query, (&bulk.actor, bulk.at), is_of_group, is_found)
}

/// What it is, in words and in one, and its reason.
fn bulk_words(event: &BulkEvent) -> (String, &'static str, String) {
    match event {
        BulkEvent::Requested { request, .. } => (request.title(), "requested", request.reason.clone()),
        BulkEvent::Stop => ("Bulk operation".to_owned(), "stop", String::new()),
        BulkEvent::Progress { state, outcomes, .. } => {
            let counts = BulkCounts::of(outcomes.iter().map(|one| one.state));
            let done = outcomes.iter().filter(|one| one.state != BulkGroupState::InForce).count();
            let words = format!(
                "Bulk operation: {done} groups begun, {} confirmed, {} failed",
                counts.confirmed,
                counts.failed()
            );
            (words, state.label(), String::new())
        }
    }
}

fn matches_produce(query: &AuditQuery, produce: &ProduceRecord) -> bool {
    let is_found = contains(produce_reason(&produce.event), &query.search);
    matches_run(query, (&produce.actor, produce.at), query.group.is_empty(), is_found)
}

fn produce_reason(event: &ProduceEvent) -> &str {
    match event {
        ProduceEvent::Requested(request) => &request.reason,
        ProduceEvent::Written(_) | ProduceEvent::Failed { .. } => "",
    }
}

fn produced(offset: i64, produce: ProduceRecord) -> AuditRun {
    let reason = produce_reason(&produce.event).to_owned();
    let (title, state, note) = match produce.event {
        ProduceEvent::Requested(request) => {
            let copy = request.source.map(|source| format!(", edited from {source}")).unwrap_or_default();
            (format!("Produce a record to {}{copy}", request.topic), ProduceState::Requested, None)
        }
        ProduceEvent::Written(place) => (format!("Record written at {place}"), ProduceState::Written, None),
        ProduceEvent::Failed { why, in_doubt: false } => {
            ("Record not written".to_owned(), ProduceState::Failed, Some(why))
        }
        ProduceEvent::Failed { why, in_doubt: true } => {
            ("Record perhaps written".to_owned(), ProduceState::InDoubt, Some(why))
        }
    };
    AuditRun {
        offset,
        at: produce.at,
        id: produce.id,
        title,
        actor: produce.actor,
        reason,
        event: state.label().to_owned(),
        notes: note.into_iter().collect(),
    }
}

/// The one by whose pauses it ends.
fn group_of_retention(event: &RetentionEvent) -> Option<&GroupId> {
    match event {
        RetentionEvent::State(status) => status.request.group.as_ref(),
        RetentionEvent::End => None,
    }
}

/// A group finds it by whose pauses it ends.
fn matches_retention(query: &AuditQuery, retention: &RetentionRecord) -> bool {
    let (reason, is_of_group) = match &retention.event {
        RetentionEvent::State(status) => {
            let group = group_of_retention(&retention.event).map_or("", GroupId::as_str);
            (status.request.reason.as_str(), contains(group, &query.group))
        }
        RetentionEvent::End => ("", query.group.is_empty()),
    };
    let is_found = contains(reason, &query.search);
    matches_run(query, (&retention.actor, retention.at), is_of_group, is_found)
}

fn retention(offset: i64, retention: RetentionRecord) -> AuditRun {
    let (title, event, reason, notes) = match retention.event {
        RetentionEvent::State(status) => {
            let title = format!("Raise the retention of {}", status.request.topic);
            (title, status.state.label(), status.request.reason, status.notes)
        }
        RetentionEvent::End => ("Put the retention back".to_owned(), "end", String::new(), vec![]),
    };
    AuditRun {
        offset,
        at: retention.at,
        id: retention.id,
        title,
        actor: retention.actor,
        reason,
        event: event.to_owned(),
        notes,
    }
}

/// The one that the copies are for.
fn group_of_redrive(event: &RedriveEvent) -> Option<&GroupId> {
    match event {
        RedriveEvent::Requested { request, .. } => match &request.to {
            RedriveTarget::OriginalFor(group) => Some(group),
            RedriveTarget::Original | RedriveTarget::Topic(_) => None,
        },
        RedriveEvent::Ordered(_) | RedriveEvent::Progress { .. } => None,
    }
}

fn redrive_reason(event: &RedriveEvent) -> &str {
    match event {
        RedriveEvent::Requested { request, .. } => &request.reason,
        RedriveEvent::Ordered(_) | RedriveEvent::Progress { .. } => "",
    }
}

/// What it is, in words and in one.
fn redrive_words(event: &RedriveEvent) -> (String, &'static str) {
    match event {
        RedriveEvent::Requested { request, .. } => {
            (format!("Re-drive {} to {}", request.topic, request.to), "requested")
        }
        RedriveEvent::Ordered(order) => ("Re-drive".to_owned(), order.word()),
        RedriveEvent::Progress { state, progress, .. } => {
            let words = format!("Re-drive: {} copied, {} not", progress.copied, progress.left_out());
            (words, state.label())
        }
    }
}

fn title(operation: &Operation) -> String {
    let request = &operation.request;
    match (request.submit(operation.id), request.group()) {
        (Some(submit), _) => submit.action.title(&submit.target),
        (None, Some(group)) => format!("{} {}", request.action(), group.shown()),
        (None, None) => request.action(),
    }
}

fn is_within(query: &AuditQuery, at: Timestamp) -> bool {
    query.from.is_none_or(|from| at >= from) && query.to.is_none_or(|to| at < to)
}

fn contains(text: &str, part: &str) -> bool {
    part.is_empty() || text.to_lowercase().contains(&part.to_lowercase())
}

fn entry(offset: i64, record: AuditRecord) -> Option<AuditEntry> {
    match record {
        AuditRecord::Operation(operation) => Some(AuditEntry::Operation(AuditOperation {
            offset,
            at: operation.at,
            id: operation.id,
            action: operation.request.action(),
            title: title(&operation),
            group: operation.request.group(),
            reason: operation.request.reason(),
            actor: operation.actor,
            state: operation.state,
            requested_at: operation.requested_at,
            until: operation.until,
            notes: operation.notes,
        })),
        AuditRecord::LogIn(log_in) => Some(AuditEntry::LogIn(AuditLogIn {
            offset,
            at: log_in.at,
            actor: log_in.actor,
            outcome: log_in.outcome,
            detail: log_in.detail,
        })),
        AuditRecord::Produce(produce) => Some(AuditEntry::Produced(produced(offset, *produce))),
        AuditRecord::Look(look) => Some(AuditEntry::Look(AuditLook {
            offset,
            at: look.at,
            actor: look.actor,
            look: look.kind,
            topic: look.topic,
            partition: look.partition,
            from: look.from,
            until: look.until,
            filter: look.filter,
            unmasked: look.unmasked,
            records: look.records,
            scanned: look.scanned,
            missed: look.missed,
        })),
        AuditRecord::Retention(one) => Some(AuditEntry::Retention(retention(offset, *one))),
        AuditRecord::Redrive(redrive) => {
            let (title, event) = redrive_words(&redrive.event);
            let reason = redrive_reason(&redrive.event).to_owned();
            let notes = match redrive.event {
                RedriveEvent::Progress { notes, .. } => notes,
                RedriveEvent::Requested { .. } | RedriveEvent::Ordered(_) => vec![],
            };
            Some(AuditEntry::Redrive(AuditRun {
                offset,
                at: redrive.at,
                id: redrive.id,
                title,
                actor: redrive.actor,
                reason,
                event: event.to_owned(),
                notes,
            }))
        }
        AuditRecord::Bulk(bulk) => {
            let (title, event, reason) = bulk_words(&bulk.event);
            let notes = match bulk.event {
                BulkEvent::Progress { notes, .. } => notes,
                BulkEvent::Requested { .. } | BulkEvent::Stop => vec![],
            };
            let event = event.to_owned();
            let (id, at, actor) = (bulk.id, bulk.at, bulk.actor);
            Some(AuditEntry::Bulk(AuditRun { offset, at, id, title, actor, reason, event, notes }))
        }
        AuditRecord::NewerVersion | AuditRecord::UnknownType => None,
    }
}
