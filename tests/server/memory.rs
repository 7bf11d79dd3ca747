//! Ports that live in memory: two clusters, some groups, commands that are remembered, and a group
//! for each error that a port can give.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use flowdeck_model::bulk::{BulkAction, BulkTarget};
use flowdeck_model::canary::CanaryOrder;
use flowdeck_model::error::ResourceKind;
use flowdeck_model::offsets::OffsetsQuery;
use flowdeck_model::ports::{
    AuditLog, Bind, Bulks, Canaries, Control, DeadLetters, Fleet, Peek, Produce, Redrives, Retentions, Tail,
};
use flowdeck_model::produce::ProduceSource;
use flowdeck_model::query::GroupsQuery;
use flowdeck_model::record_place::RecordPlace;
use flowdeck_model::redrive::RedriveOrder;
use flowdeck_model::view::cluster::Colour;
use flowdeck_model::view::fleet::VerdictCount;
use flowdeck_model::view::messages::PayloadKind;
use flowdeck_model::view::{
    AgentsView, AuditView, BrokersView, BulkPlan, BulkPreview, BulkView, CanaryView, ClusterView,
    CommandView, DeadLetterTopicsView, DeadLetterView, DeadLettersView, DecodersView, FleetView, GroupRow,
    GroupView, HistoryStorage, HistoryView, MessageView, MessagesView, Mode, OffsetsPreview, PartitionRow,
    Payload, PreviewView, ProducePreview, ProduceView, RedrivePreview, RedriveRow, RedriveView,
    RetentionPreview, RetentionRow, RetentionView, Submitted, TailView, TelemetryView, TopicView, TopicsView,
};
use flowdeck_model::{
    Actor, AuditQuery, BulkQuery, ClusterName, CommandId, CommandState, DeadLettersQuery, FleetQuery,
    GroupId, GroupState, GroupType, HistoryQuery, Hold, Level, MessagesQuery, Partition, Permission,
    PortError, Ports, ProduceRequest, RedriveRequest, RetentionQuery, Scope, Submit, SubmitBulk,
    SubmitCanary, SubmitProduce, SubmitRedrive, SubmitRetention, Target, Timestamp, TopicName, Verdict,
    Version,
};
use tokio::sync::watch;

/// Names that a path, a router, a proxy or a browser could bend.
pub(crate) const HOSTILE: [&str; 10] =
    ["a%2Fb", "a/b", "..", ".", "with space", "quo\"te'<b>", "🦀", "", "~YS9i", "a?b#c&d=e"];

#[derive(Clone)]
pub(crate) struct Memory(Arc<State>);

struct State {
    version: watch::Sender<Version>,
    groups: Mutex<BTreeMap<(ClusterName, GroupId), u64>>,
    submitted: Mutex<Vec<Submit>>,
    telemetry: Mutex<TelemetryView>,
    /// Topics that the ports were asked for.
    topics_asked: Mutex<Vec<String>>,
    actors: Mutex<Vec<Actor>>,
}

pub(crate) fn cluster(name: &str) -> ClusterName {
    name.parse().unwrap()
}

impl Memory {
    pub(crate) fn new() -> Self {
        let mut groups = BTreeMap::new();
        for group in ["payments", "orders"].into_iter().chain(HOSTILE) {
            groups.insert((cluster("demo"), GroupId::from(group)), 7);
        }
        groups.insert((cluster("prod"), GroupId::from("payments")), 1_000);
        Self(Arc::new(State {
            version: watch::Sender::new(Version { epoch: 1, n: 1 }),
            groups: Mutex::new(groups),
            submitted: Mutex::default(),
            telemetry: Mutex::default(),
            topics_asked: Mutex::default(),
            actors: Mutex::default(),
        }))
    }

    pub(crate) fn set_lag(&self, group: &str, lag: u64) {
        self.0.groups.lock().unwrap().insert((cluster("demo"), group.into()), lag);
        self.publish();
    }

    pub(crate) fn remove(&self, group: &str) {
        self.0.groups.lock().unwrap().remove(&(cluster("demo"), group.into()));
        self.publish();
    }

    /// A new version, whatever it shows.
    pub(crate) fn publish(&self) {
        self.0.version.send_modify(|version| version.n += 1);
    }

    pub(crate) fn submitted(&self) -> Vec<Submit> {
        self.0.submitted.lock().unwrap().clone()
    }

    pub(crate) fn set_telemetry(&self, telemetry: TelemetryView) {
        *self.0.telemetry.lock().unwrap() = telemetry;
    }

    pub(crate) fn topics_asked(&self) -> Vec<String> {
        self.0.topics_asked.lock().unwrap().clone()
    }

    pub(crate) fn last_actor(&self) -> Actor {
        self.0.actors.lock().unwrap().last().unwrap().clone()
    }
}

impl Bind for Memory {
    fn bind(&self, actor: Actor) -> Ports {
        self.0.actors.lock().unwrap().push(actor.clone());
        let ports = Arc::new(MemoryPorts { state: self.0.clone(), actor: actor.clone() });
        Ports {
            actor,
            fleet: ports.clone(),
            control: ports.clone(),
            peek: ports.clone(),
            dead_letters: ports.clone(),
            audit: ports.clone(),
            redrives: ports.clone(),
            bulks: ports.clone(),
            produce: ports.clone(),
            retentions: ports.clone(),
            canaries: ports,
        }
    }
}

struct MemoryPorts {
    state: Arc<State>,
    actor: Actor,
}

fn now() -> Timestamp {
    Timestamp::from_system(std::time::SystemTime::now())
}

fn read_at() -> Timestamp {
    Timestamp::from_millis(1_795_270_137_123)
}

fn cluster_view(name: &ClusterName) -> ClusterView {
    let mode = if name.as_str() == "prod" { Mode::Observe } else { Mode::Control };
    ClusterView {
        name: name.clone(),
        label: name.to_string(),
        colour: Colour::Green,
        mode,
        as_of: Some(read_at()),
        error: None,
        brokers: Some(1),
        notes: vec![],
        capped: vec![],
    }
}

fn row(cluster: &ClusterName, group: &GroupId, lag: u64) -> GroupRow {
    GroupRow {
        cluster: cluster.clone(),
        group: group.clone(),
        kind: GroupType::Classic,
        state: GroupState::Stable,
        verdict: if lag > 100 { Verdict::Behind } else { Verdict::Ok },
        level: if lag > 100 { Level::Warning } else { Level::Ok },
        why: None,
        verdicts: vec![],
        ignored: false,
        lag: Some(lag),
        lag_at_least: Some(lag),
        deleted_unread: 0,
        rebalancing_since: None,
        unknown_partitions: 0,
        time_lag: None,
        lag_trend: vec![],
        flow: Default::default(),
        members: Some(1),
        topics: vec!["orders".parse().unwrap()],
        topic_count: 1,
        partition_count: 2,
        paused_partitions: 0,
        holds: pauses(group),
        as_of: Some(read_at()),
        labels: Default::default(),
    }
}

/// A group with two pauses: of all of it by ana, and of a topic by bob.
pub(crate) const TWICE_PAUSED: &str = "twice-paused";

fn pauses(group: &GroupId) -> Vec<Hold> {
    if group.as_str() != TWICE_PAUSED {
        return vec![];
    }
    let whole = Scope::group(group.clone());
    let topic = Scope { topic: Some("orders".parse().unwrap()), ..whole.clone() };
    let pause = |scope, owner: &str| Hold {
        scope,
        id: CommandId::random().into(),
        owner: owner.into(),
        reason: "INC-1".into(),
        since: read_at(),
        until: None,
        by: Default::default(),
        except: vec![],
    };
    vec![pause(whole, "ana"), pause(topic, "bob")]
}

/// Of an operation whose answer is lost: it is taken.
pub(crate) const LOST: &str = "the answer is lost";

fn in_doubt(cluster: &ClusterName, id: CommandId) -> PortError {
    PortError::InDoubt { cluster: cluster.clone(), id, detail: "no confirmation in time".into() }
}

/// One error of each kind, by the name of the group that is asked for.
fn fails(name: &str) -> Option<PortError> {
    Some(match name {
        "error-forbidden" => PortError::Forbidden { permission: Permission::View, on: "demo".into() },
        "error-invalid" => PortError::invalid("group", "no good"),
        "error-conflict" => PortError::Conflict { detail: "another body".into() },
        "error-observe" => PortError::ObserveMode { cluster: cluster("demo") },
        "error-unprocessable" => PortError::Unprocessable { detail: "nobody listens".into() },
        "error-unavailable" => PortError::Unavailable { cluster: cluster("demo"), detail: "away".into() },
        "error-in-doubt" => in_doubt(&cluster("demo"), CommandId::random()),
        "error-too-many" => PortError::TooMany { detail: "too many".into() },
        "error-panic" => panic!("a handler's own mistake"),
        _ => return None,
    })
}

fn conflicting() -> GroupId {
    "error-conflict".into()
}

fn bulk_preview(cluster_info: ClusterView, to: &str) -> BulkPreview {
    let target = BulkTarget {
        group: conflicting(),
        seen: None,
        for_seconds: None,
        by: None,
        to: Some(to.to_owned()),
        offsets: Some("orders 0*9*0".parse().unwrap()),
    };
    let plan = BulkPlan {
        group: conflicting(),
        target: Some(target),
        existing: None,
        refused: None,
        plan: "moves 1 partition".to_owned(),
        notes: vec![],
    };
    BulkPreview {
        cluster_info,
        now: read_at(),
        action: BulkAction::SetOffsets,
        undoes: None,
        groups: vec![plan],
        ready: 1,
        nothing_to_do: 0,
        refused: 0,
        replayed: 9,
        skipped: 0,
        notes: vec![],
    }
}

/// What becomes of a command, by the group that it is for.
fn state_of(name: &str) -> CommandState {
    let ends = CommandState::ALL.into_iter().find(|state| name.strip_prefix("ends-") == Some(state.key()));
    ends.unwrap_or(CommandState::Sent)
}

impl MemoryPorts {
    fn known(&self, name: &ClusterName) -> Result<ClusterView, PortError> {
        match name.as_str() {
            "demo" | "prod" => Ok(cluster_view(name)),
            _ => Err(PortError::not_found(ResourceKind::Cluster, name.as_str())),
        }
    }

    fn version_now(&self) -> Version {
        *self.state.version.borrow()
    }
}

#[async_trait]
impl Fleet for MemoryPorts {
    fn clusters(&self) -> Vec<ClusterView> {
        ["demo", "prod"].map(|name| cluster_view(&cluster(name))).into()
    }

    fn fleet(&self, query: &FleetQuery) -> Result<FleetView, PortError> {
        let groups = self.state.groups.lock().unwrap();
        let matching: Vec<GroupRow> = groups
            .iter()
            .filter(|((cluster, group), _)| {
                query.cluster.as_ref().is_none_or(|wanted| wanted == cluster)
                    && group.as_str().contains(&query.search)
            })
            .map(|((cluster, group), lag)| row(cluster, group, *lag))
            .collect();
        let total = u32::try_from(matching.len()).unwrap();
        let page = matching.into_iter().skip(query.offset as usize).take(query.limit as usize);
        Ok(FleetView {
            version: self.version_now(),
            now: now(),
            total,
            partial: false,
            clusters: self.clusters(),
            counts: vec![VerdictCount { verdict: Verdict::Ok, groups: total }],
            ignored: 0,
            lag: Some(7),
            unknown_partitions: 0,
            groups: page.collect(),
        })
    }

    fn groups(&self, query: &GroupsQuery) -> Result<FleetView, PortError> {
        self.fleet(&query.fleet)
    }

    fn group(&self, cluster: &ClusterName, group: &GroupId) -> Result<GroupView, PortError> {
        let cluster_info = self.known(cluster)?;
        if let Some(error) = fails(group.as_str()) {
            return Err(error);
        }
        let groups = self.state.groups.lock().unwrap();
        let lag = groups
            .get(&(cluster.clone(), group.clone()))
            .ok_or_else(|| PortError::not_found(ResourceKind::Group, group.as_str()))?;
        let partition = |number| PartitionRow {
            topic: "orders".parse().unwrap(),
            partition: Partition::new(number).unwrap(),
            start: Some(0),
            committed: Some(10),
            end: Some(10 + i64::try_from(*lag).unwrap()),
            lag: Some(*lag),
            unknown: None,
            time_lag: None,
            written: Default::default(),
            lag_trend: vec![],
            last_commit: None,
            owner: None,
            holds: vec![],
            paused: false,
            last_stable: None,
            kept_until: None,
        };
        Ok(GroupView {
            version: self.version_now(),
            now: now(),
            cluster_info,
            row: row(cluster, group, *lag),
            partitions: vec![partition(0), partition(1)],
            consumers: vec![],
            group_members: vec![],
            commands: vec![],
            warnings: vec![],
            facts: vec![],
            offsets_expire: None,
        })
    }

    fn agents(&self, cluster: &ClusterName, group: &GroupId) -> Result<AgentsView, PortError> {
        let GroupView { version, now, cluster_info, .. } = self.group(cluster, group)?;
        Ok(AgentsView { version, now, cluster_info, group: group.clone(), agents: vec![] })
    }

    fn history(
        &self,
        cluster: &ClusterName,
        group: &GroupId,
        query: &HistoryQuery,
    ) -> Result<HistoryView, PortError> {
        self.group(cluster, group)?;
        let (from, to) = query.window.bounds(now());
        Ok(HistoryView {
            now: now(),
            cluster: cluster.clone(),
            group: group.clone(),
            partition: None,
            from,
            to,
            step_seconds: 10,
            points: vec![],
            events: vec![],
            known_since: None,
            storage: HistoryStorage::Memory,
            notes: vec![],
        })
    }

    fn telemetry(&self, cluster: &ClusterName) -> Result<TelemetryView, PortError> {
        self.known(cluster)?;
        Ok(self.state.telemetry.lock().unwrap().clone())
    }

    fn topics(&self, cluster: &ClusterName) -> Result<TopicsView, PortError> {
        let cluster_info = self.known(cluster)?;
        Ok(TopicsView { version: self.version_now(), now: now(), cluster_info, topics: vec![] })
    }

    async fn topic(&self, cluster: &ClusterName, topic: &TopicName) -> Result<TopicView, PortError> {
        let cluster_info = self.known(cluster)?;
        self.state.topics_asked.lock().unwrap().push(topic.to_string());
        if topic.as_str() != "orders" {
            return Err(PortError::not_found(ResourceKind::Topic, topic.as_str()));
        }
        Ok(TopicView {
            version: self.version_now(),
            now: now(),
            cluster_info,
            topic: topic.clone(),
            as_of: Some(read_at()),
            partitions: vec![],
            written: Default::default(),
            readers: vec![],
            config: vec![],
            decoders: DecodersView::default(),
            notes: vec![],
        })
    }

    async fn brokers(&self, cluster: &ClusterName) -> Result<BrokersView, PortError> {
        let cluster_info = self.known(cluster)?;
        Ok(BrokersView {
            version: self.version_now(),
            now: now(),
            cluster_info,
            as_of: Some(read_at()),
            cluster_id: None,
            brokers: vec![],
            partitions: 0,
            offline_partitions: 0,
            under_replicated_partitions: 0,
            troubled: vec![],
            capabilities: vec![],
            notes: vec![],
        })
    }

    fn version(&self) -> Version {
        self.version_now()
    }

    async fn changed(&self, seen: Version) -> Version {
        let mut changes = self.state.version.subscribe();
        *changes.wait_for(|version| *version != seen).await.unwrap()
    }
}

#[async_trait]
impl Control for MemoryPorts {
    async fn submit(&self, cluster: &ClusterName, command: Submit) -> Result<Submitted, PortError> {
        command.check()?;
        if self.known(cluster)?.mode == Mode::Observe {
            return Err(PortError::ObserveMode { cluster: cluster.clone() });
        }
        if let Some(error) = fails(command.target.group.as_str()) {
            return Err(error);
        }
        let mut submitted = self.state.submitted.lock().unwrap();
        let before = submitted.iter().find(|before| before.id == command.id);
        let existing = match before {
            Some(before) if *before == command => true,
            Some(_) => {
                return Err(PortError::Conflict { detail: "this id belongs to another command".into() });
            }
            None => false,
        };
        let id = command.id;
        if !existing {
            let is_lost = command.reason == LOST;
            submitted.push(command);
            if is_lost {
                return Err(in_doubt(cluster, id));
            }
        }
        Ok(Submitted { id, state: CommandState::Sent, existing })
    }

    async fn preview(&self, cluster: &ClusterName, command: Submit) -> Result<PreviewView, PortError> {
        command.check()?;
        self.known(cluster)?;
        Ok(PreviewView {
            by: None,
            existing: None,
            holds: vec![],
            messages: vec![],
            offsets: vec![],
            instances: vec![],
            notes: vec!["nothing is written here".into()],
            undo: None,
        })
    }

    async fn find_command(&self, cluster: &ClusterName, id: CommandId) -> Result<CommandView, PortError> {
        self.command(cluster, id)
    }

    async fn offsets(&self, cluster: &ClusterName, query: OffsetsQuery) -> Result<OffsetsPreview, PortError> {
        if self.known(cluster)?.mode == Mode::Observe {
            return Err(PortError::ObserveMode { cluster: cluster.clone() });
        }
        if let Some(error) =
            fails(query.group.as_str()).filter(|error| !matches!(error, PortError::Conflict { .. }))
        {
            return Err(error);
        }
        Ok(crate::offsets::preview(&query))
    }

    fn command(&self, cluster: &ClusterName, id: CommandId) -> Result<CommandView, PortError> {
        let cluster_info = self.known(cluster)?;
        let submitted = self.state.submitted.lock().unwrap();
        let command = submitted
            .iter()
            .find(|command| command.id == id)
            .ok_or_else(|| PortError::not_found(ResourceKind::Command, id.to_string()))?;
        Ok(CommandView {
            id,
            cluster_info,
            action: command.action,
            target: command.target.clone(),
            actor: self.actor.view.clone(),
            reason: command.reason.clone(),
            state: state_of(command.target.group.as_str()),
            now: now(),
            requested_at: read_at(),
            until: None,
            sent: vec![],
            holds: vec![],
            offsets: vec![],
            instances: vec![],
            sent_again: None,
            notes: vec![],
        })
    }
}

#[async_trait]
impl AuditLog for MemoryPorts {
    async fn entries(&self, cluster: &ClusterName, _: &AuditQuery) -> Result<AuditView, PortError> {
        let cluster_info = self.known(cluster)?;
        Ok(AuditView { now: now(), cluster_info, entries: vec![], older: None, scanned: 0, notes: vec![] })
    }
}

#[async_trait]
impl Peek for MemoryPorts {
    async fn messages(
        &self,
        cluster: &ClusterName,
        topic: &TopicName,
        query: &MessagesQuery,
    ) -> Result<MessagesView, PortError> {
        let cluster_info = self.known(cluster)?;
        if topic.as_str() != "orders" {
            return Err(PortError::not_found(ResourceKind::Topic, topic.as_str()));
        }
        let payload = || Payload {
            kind: PayloadKind::Text,
            text: "<script>alert(1)</script>".into(),
            size: 25,
            cut: false,
            not_utf8: 0,
            decoder: "Text".into(),
            masked: 0,
            problem: None,
        };
        let record = MessageView {
            partition: query.partition.unwrap_or(Partition::new(0).unwrap()),
            offset: 41,
            timestamp: Some(read_at()),
            timestamp_raw: None,
            timestamp_type: Some("CreateTime".into()),
            aborted: Some(false),
            transaction_open: false,
            key: payload(),
            value: payload(),
            headers: vec![],
            headers_total: 0,
        };
        Ok(MessagesView {
            now: now(),
            cluster_info,
            topic: topic.clone(),
            records: vec![record],
            scanned: 1,
            took_millis: 1,
            complete: true,
            note: None,
            older: None,
            newer: None,
            too_many_partitions: false,
            partitions_not_shown: vec![],
            search: None,
            readers: vec![],
        })
    }

    async fn tail(
        &self,
        cluster: &ClusterName,
        topic: &TopicName,
        query: &MessagesQuery,
    ) -> Result<Box<dyn Tail>, PortError> {
        let records = self.messages(cluster, topic, query).await?.records;
        Ok(Box::new(MemoryTail { records }))
    }
}

/// One record, then one that is left out at each look.
struct MemoryTail {
    records: Vec<MessageView>,
}

#[async_trait]
impl Tail for MemoryTail {
    async fn next(&mut self) -> Result<TailView, PortError> {
        let records = std::mem::take(&mut self.records);
        let left_out = u64::from(records.is_empty());
        Ok(TailView { records, scanned: 1, left_out, position: Some("offsets:42".into()), note: None })
    }
}

#[async_trait]
impl DeadLetters for MemoryPorts {
    async fn topics(&self, cluster: &ClusterName, _: bool) -> Result<DeadLetterTopicsView, PortError> {
        Err(PortError::not_found(ResourceKind::Cluster, cluster.as_str()))
    }

    async fn letters(
        &self,
        _: &ClusterName,
        topic: &TopicName,
        _: &DeadLettersQuery,
    ) -> Result<DeadLettersView, PortError> {
        Err(PortError::not_found(ResourceKind::Topic, topic.as_str()))
    }

    async fn letter(
        &self,
        _: &ClusterName,
        topic: &TopicName,
        _: RecordPlace,
    ) -> Result<DeadLetterView, PortError> {
        Err(PortError::not_found(ResourceKind::Topic, topic.as_str()))
    }
}

#[async_trait]
impl Produce for MemoryPorts {
    async fn draft(&self, _: &ClusterName, source: &ProduceSource) -> Result<ProduceRequest, PortError> {
        Err(PortError::not_found(ResourceKind::Record, source.to_string()))
    }

    async fn dead_letter(
        &self,
        _: &ClusterName,
        source: &ProduceSource,
        _: &GroupId,
    ) -> Result<ProduceRequest, PortError> {
        Err(PortError::not_found(ResourceKind::Record, source.to_string()))
    }

    async fn preview(&self, _: &ClusterName, request: ProduceRequest) -> Result<ProducePreview, PortError> {
        Err(PortError::not_found(ResourceKind::Topic, request.topic.as_str()))
    }

    async fn submit(&self, _: &ClusterName, produce: SubmitProduce) -> Result<ProduceView, PortError> {
        Err(PortError::not_found(ResourceKind::Topic, produce.request.topic.as_str()))
    }

    fn produced(&self, _: &ClusterName, id: CommandId) -> Result<ProduceView, PortError> {
        Err(PortError::not_found(ResourceKind::Command, id.to_string()))
    }
}

#[async_trait]
impl Canaries for MemoryPorts {
    async fn preview(&self, _: &ClusterName, part: Target) -> Result<PreviewView, PortError> {
        Err(PortError::Unprocessable { detail: format!("{part} is no part of what a pause holds") })
    }

    async fn submit(&self, _: &ClusterName, canary: SubmitCanary) -> Result<CanaryView, PortError> {
        let part = canary.target;
        Err(PortError::Unprocessable { detail: format!("{part} is no part of what a pause holds") })
    }

    async fn preview_order(
        &self,
        _: &ClusterName,
        id: CommandId,
        _: CanaryOrder,
    ) -> Result<PreviewView, PortError> {
        Err(PortError::not_found(ResourceKind::Command, id.to_string()))
    }

    async fn order(
        &self,
        _: &ClusterName,
        id: CommandId,
        _: CanaryOrder,
        _: String,
    ) -> Result<CanaryView, PortError> {
        Err(PortError::not_found(ResourceKind::Command, id.to_string()))
    }

    async fn canary(&self, _: &ClusterName, id: CommandId) -> Result<CanaryView, PortError> {
        Err(PortError::not_found(ResourceKind::Command, id.to_string()))
    }
}

#[async_trait]
impl Retentions for MemoryPorts {
    async fn preview(
        &self,
        _: &ClusterName,
        topic: &TopicName,
        _: RetentionQuery,
    ) -> Result<RetentionPreview, PortError> {
        Err(PortError::not_found(ResourceKind::Topic, topic.as_str()))
    }

    async fn submit(&self, _: &ClusterName, retention: SubmitRetention) -> Result<RetentionView, PortError> {
        Err(PortError::not_found(ResourceKind::Topic, retention.request.topic.as_str()))
    }

    async fn end(&self, _: &ClusterName, id: CommandId) -> Result<RetentionView, PortError> {
        Err(PortError::not_found(ResourceKind::Command, id.to_string()))
    }

    fn retention(&self, _: &ClusterName, id: CommandId) -> Result<RetentionView, PortError> {
        Err(PortError::not_found(ResourceKind::Command, id.to_string()))
    }

    fn open(&self, _: &ClusterName) -> Result<Vec<RetentionRow>, PortError> {
        Ok(vec![])
    }
}

#[async_trait]
impl Redrives for MemoryPorts {
    async fn preview(&self, _: &ClusterName, request: RedriveRequest) -> Result<RedrivePreview, PortError> {
        Err(PortError::not_found(ResourceKind::Topic, request.topic.as_str()))
    }

    async fn submit(&self, _: &ClusterName, redrive: SubmitRedrive) -> Result<RedriveView, PortError> {
        Err(PortError::not_found(ResourceKind::Topic, redrive.request.topic.as_str()))
    }

    async fn order(&self, _: &ClusterName, id: CommandId, _: RedriveOrder) -> Result<RedriveView, PortError> {
        Err(PortError::not_found(ResourceKind::Command, id.to_string()))
    }

    fn redrive(&self, _: &ClusterName, id: CommandId) -> Result<RedriveView, PortError> {
        Err(PortError::not_found(ResourceKind::Command, id.to_string()))
    }

    fn of_topic(&self, _: &ClusterName, _: &TopicName) -> Result<Vec<RedriveRow>, PortError> {
        Ok(vec![])
    }
}

#[async_trait]
impl Bulks for MemoryPorts {
    async fn preview(&self, cluster: &ClusterName, query: BulkQuery) -> Result<BulkPreview, PortError> {
        match query {
            BulkQuery::SetOffsets { groups, to, .. } if groups.contains(&conflicting()) => {
                Ok(bulk_preview(self.known(cluster)?, &to.to_string()))
            }
            _ => Err(PortError::ObserveMode { cluster: cluster.clone() }),
        }
    }

    async fn submit(&self, cluster: &ClusterName, bulk: SubmitBulk) -> Result<BulkView, PortError> {
        if bulk.request.reason == LOST {
            return Err(in_doubt(cluster, bulk.id));
        }
        let failed = bulk.request.groups.iter().find_map(|one| fails(one.group.as_str()));
        Err(failed.unwrap_or_else(|| PortError::ObserveMode { cluster: cluster.clone() }))
    }

    async fn stop(&self, _: &ClusterName, id: CommandId) -> Result<BulkView, PortError> {
        Err(PortError::not_found(ResourceKind::Command, id.to_string()))
    }

    fn bulk(&self, _: &ClusterName, id: CommandId) -> Result<BulkView, PortError> {
        Err(PortError::not_found(ResourceKind::Command, id.to_string()))
    }
}
