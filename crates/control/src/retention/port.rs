//! The port of raised retentions: checks who asks, finds out what would be done, writes the request to the audit and waits
//! until it is read there. Whoever leads carries it out.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use flowdeck_kafka::{Cause, Deadline};
use flowdeck_model::error::ResourceKind;
use flowdeck_model::pause_end::PauseEnd;
use flowdeck_model::retention::{
    RetentionPause, RetentionRequest, RetentionState, TopicRetention, UNLIMITED, raised_ms,
};
use flowdeck_model::view::{DiskGrowth, Mode, RetentionPreview, RetentionRow, RetentionView};
use flowdeck_model::{
    Actor, ClusterName, CommandId, Fleet as _, GroupId, Hold, Permission, PortError, RetentionQuery,
    Retentions, SubmitRetention, Timestamp, TopicName,
};
use flowdeck_observe::clock;
use flowdeck_observe::core::{ClusterHandle, Core};
use flowdeck_observe::ports::{BoundFleet, allowed, allowed_on_cluster, cluster_of};
use flowdeck_observe::snapshot::ClusterSnapshot;
use flowdeck_protocol::wire::{RetentionEvent, RetentionRecord, RetentionStatus};

use super::book::Raised;
use super::config::{self, Configured};
use super::growth;
use crate::audit::Entry;
use crate::kept::{Desk, Desks, unavailable};

/// To ask for a topic's configuration.
const CONFIG: Duration = Duration::from_secs(3);

pub(crate) struct BoundRetentions {
    core: Arc<Core>,
    desks: Desks<Raised>,
    actor: Actor,
}

type Place<'a> = (Arc<ClusterSnapshot>, &'a ClusterHandle, &'a Desk<Raised>);

impl BoundRetentions {
    pub(crate) fn new(core: Arc<Core>, desks: Desks<Raised>, actor: Actor) -> Self {
        Self { core, desks, actor }
    }

    /// For who may raise the topic's retention, on a cluster that may be written to.
    fn writable(&self, cluster: &ClusterName, topic: &TopicName) -> Result<Place<'_>, PortError> {
        let snapshot = self.core.publisher.current();
        if !self.actor.may_on_topic(Permission::Retention, cluster, topic) {
            let on = format!("topic {topic} of {cluster}");
            return Err(PortError::Forbidden { permission: Permission::Retention, on });
        }
        let (one, handle) = cluster_of(&self.core, &snapshot, cluster)?;
        let settings = &handle.settings;
        if settings.mode != Mode::Control {
            return Err(PortError::ObserveMode { cluster: cluster.clone() });
        }
        if topic.as_str().starts_with("__") || settings.is_own_topic(topic) {
            let detail = format!("{topic} is one of Kafka's, KafkaFlow's or Flowdeck's own topics");
            return Err(PortError::Unprocessable { detail });
        }
        Ok((one, handle, Desk::of(&self.desks, cluster)?))
    }

    fn may_see(&self, cluster: &ClusterName, group: Option<&GroupId>) -> Result<(), PortError> {
        group.map_or(Ok(()), |group| allowed(&self.actor, Permission::View, cluster, group))
    }

    async fn configured(
        &self,
        one: &ClusterSnapshot,
        handle: &ClusterHandle,
        topic: &TopicName,
    ) -> Result<Configured, PortError> {
        let cluster = &handle.settings.name;
        let kafka = handle
            .cluster
            .as_ref()
            .ok_or_else(|| unavailable(cluster, one.view.error.clone().unwrap_or_default()))?;
        let read = config::read(kafka, topic, Deadline::after(CONFIG)).await;
        let configured = read.map_err(|cause| match cause {
            Cause::UnknownTopic => PortError::not_found(ResourceKind::Topic, topic.as_str()),
            cause => unavailable(cluster, format!("the configuration of {topic} could not be read: {cause}")),
        })?;
        match configured.refused {
            Some(why) => Err(PortError::Unprocessable { detail: format!("{topic}: {why}") }),
            None => Ok(configured),
        }
    }

    /// `None`: how much comes to the topic is not known.
    async fn growth(
        &self,
        handle: &ClusterHandle,
        topic: &TopicName,
        span: Duration,
    ) -> Result<Option<DiskGrowth>, PortError> {
        let fleet = BoundFleet::new(Arc::clone(&self.core), self.actor.clone());
        let view = fleet.topic(&handle.settings.name, topic).await?;
        let (Some(rate), Some(kafka)) = (growth::rate(&view.written), &handle.cluster) else {
            return Ok(None);
        };
        let cancel = self.core.shutdown.child_token();
        let _guard = cancel.clone().drop_guard();
        let size = growth::record_size(kafka, topic, cancel).await;
        Ok(size.map(|size| growth::of(rate, size, span, &view)))
    }

    fn known(&self, cluster: &ClusterName, id: CommandId) -> Result<(Place<'_>, Arc<Raised>), PortError> {
        let snapshot = self.core.publisher.current();
        allowed_on_cluster(&self.actor, Permission::View, cluster)?;
        let (one, handle) = cluster_of(&self.core, &snapshot, cluster)?;
        let desk = Desk::of(&self.desks, cluster)?;
        let hint = "no raised retention is remembered under this id";
        let unknown = || PortError::not_found_because(ResourceKind::Command, id.to_string(), hint);
        let known = desk.get(id).ok_or_else(unknown)?;
        Ok(((one, handle, desk), known))
    }

    /// Without the name of a group that who asks may not view.
    fn view(&self, one: &ClusterSnapshot, raised: &Raised) -> RetentionView {
        let mut view = raised.view(&one.view, clock::now());
        if self.may_see(&one.settings.name, view.request.group.as_ref()).is_err() {
            view.request.group = None;
            view.notes.push(BY_A_HIDDEN_GROUP.to_owned());
        }
        view
    }

    async fn write(
        &self,
        (_, handle, desk): &Place<'_>,
        id: CommandId,
        event: RetentionEvent,
        is_heard: impl Fn(&Raised) -> bool,
    ) -> Result<Arc<Raised>, PortError> {
        let record = RetentionRecord { id, at: clock::now(), actor: self.actor.view.clone(), event };
        desk.write(&handle.settings, id, Entry::Retention(&record), is_heard).await
    }
}

/// Instead of its name.
const BY_A_HIDDEN_GROUP: &str =
    "The values go back once the pauses of a group that you may not view are over, and the margin.";

/// The group's pauses on the topic.
fn pauses<'a>(
    one: &'a ClusterSnapshot,
    group: Option<&GroupId>,
    topic: &'a TopicName,
) -> impl Iterator<Item = &'a Hold> {
    let holds = group.map(|group| one.holds.group(group)).unwrap_or_default();
    holds.iter().filter(move |hold| hold.scope.topic.as_ref().is_none_or(|of| of == topic))
}

/// The present limit with twice what a partition is estimated to grow by: records need not come evenly.
fn raised_bytes(query: &RetentionQuery, seen: &TopicRetention, growth: Option<&DiskGrowth>) -> i64 {
    let now = seen.bytes.value;
    match (query.bytes, growth) {
        (Some(bytes), _) => bytes,
        (None, _) if now == UNLIMITED => UNLIMITED,
        (None, None) => UNLIMITED,
        (None, Some(growth)) => {
            let more = i64::try_from(growth.of_partition()).unwrap_or(i64::MAX);
            now.saturating_add(more.saturating_mul(2))
        }
    }
}

fn notes(request: &RetentionRequest, growth: Option<&DiskGrowth>, pauses: u32) -> Vec<String> {
    let mut notes = vec!["What Kafka has deleted already does not come back.".to_owned()];
    if growth.is_none() {
        notes.push(
            "How much the disks will need is not known: the rate at which records come is known only where groups read all \
             partitions and Flowdeck has watched for a minute, and a record has to be there. Look at the brokers' disks."
                .to_owned(),
        );
    }
    if request.bytes == UNLIMITED && request.seen.bytes.value != UNLIMITED {
        notes.push("Until then no size limit holds: the disks have to suffice.".to_owned());
    }
    if request.group.is_some() && pauses == 0 {
        notes.push(
            "No pause of the group is in force on the topic. Once one is, and is over, the values go back after the margin."
                .to_owned(),
        );
    }
    notes
}

#[async_trait]
impl Retentions for BoundRetentions {
    async fn preview(
        &self,
        cluster: &ClusterName,
        topic: &TopicName,
        query: RetentionQuery,
    ) -> Result<RetentionPreview, PortError> {
        let (one, handle, desk) = self.writable(cluster, topic)?;
        self.may_see(cluster, query.group.as_ref())?;
        query.check()?;
        let Configured { retention: seen, notes: more, .. } = self.configured(&one, handle, topic).await?;
        let now = clock::now();
        let pauses: Vec<&Hold> = pauses(&one, query.group.as_ref(), topic).collect();
        let last = pauses
            .iter()
            .map(|hold| hold.until)
            .max_by_key(|until| until.unwrap_or(Timestamp::from_millis(i64::MAX)));
        let until = query.end(now, last.flatten())?;
        let growth = self.growth(handle, topic, until.since(now)).await?;
        let request = RetentionRequest {
            topic: topic.clone(),
            ms: raised_ms(seen.ms.value, now, until),
            bytes: raised_bytes(&query, &seen, growth.as_ref()),
            seen,
            until,
            margin_seconds: query.margin(),
            group: query.group,
            reason: String::new(),
        };
        request.check_but_reason()?;
        let count = u32::try_from(pauses.len()).unwrap_or(u32::MAX);
        let mut notes = notes(&request, growth.as_ref(), count);
        notes.extend(more);
        let book = desk.book();
        let same = book.open().filter(|one| one.status.request.topic == *topic);
        let replaces = same.last().map(|one| one.row());
        Ok(RetentionPreview { request, now, growth, replaces, pauses: count, notes })
    }

    async fn submit(
        &self,
        cluster: &ClusterName,
        retention: SubmitRetention,
    ) -> Result<RetentionView, PortError> {
        let SubmitRetention { id, request } = retention;
        let place = self.writable(cluster, &request.topic)?;
        self.may_see(cluster, request.group.as_ref())?;
        request.check()?;
        let (one, handle, desk) = &place;
        let conflict = || PortError::Conflict { detail: format!("{id} is the id of another request") };
        if let Some(known) = desk.get(id) {
            return match known.status.request == request {
                true => Ok(self.view(one, &known)),
                false => Err(conflict()),
            };
        }
        PauseEnd::At(request.until).check_from(clock::now())?;
        let now = self.configured(one, handle, &request.topic).await?.retention;
        if now != request.seen {
            let detail = format!(
                "the retention of {} is not as it was in the preview any more: look at a new one",
                request.topic
            );
            return Err(PortError::Conflict { detail });
        }
        let status = RetentionStatus {
            request: request.clone(),
            requested_at: clock::now(),
            state: RetentionState::Requested,
            before: None,
            pause: RetentionPause::NotSeen,
            ended_by: None,
            notes: vec![],
        };
        let event = RetentionEvent::State(Box::new(status));
        let known = self.write(&place, id, event, |_| true).await?;
        match known.status.request == request {
            true => Ok(self.view(&place.0, &known)),
            false => Err(conflict()),
        }
    }

    async fn end(&self, cluster: &ClusterName, id: CommandId) -> Result<RetentionView, PortError> {
        let (_, known) = self.known(cluster, id)?;
        let place = self.writable(cluster, &known.status.request.topic)?;
        if known.state().is_over() {
            return Err(PortError::Conflict { detail: format!("it is over: {}", known.state().label()) });
        }
        let is_heard = |one: &Raised| one.status.ended_by.is_some() || one.state().is_over();
        let known = self.write(&place, id, RetentionEvent::End, is_heard).await?;
        Ok(self.view(&place.0, &known))
    }

    fn retention(&self, cluster: &ClusterName, id: CommandId) -> Result<RetentionView, PortError> {
        let ((one, ..), known) = self.known(cluster, id)?;
        Ok(self.view(&one, &known))
    }

    fn open(&self, cluster: &ClusterName) -> Result<Vec<RetentionRow>, PortError> {
        allowed_on_cluster(&self.actor, Permission::View, cluster)?;
        Ok(Desk::of(&self.desks, cluster)?.book().open().map(|one| one.row()).collect())
    }
}
