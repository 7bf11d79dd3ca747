//! Ports that answer from a small made-up fleet: every state that a page has words for.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use async_trait::async_trait;
use flowdeck_model::error::ResourceKind;
use flowdeck_model::lag::Precision;
use flowdeck_model::live::Live as _;
use flowdeck_model::offsets::OffsetsQuery;
use flowdeck_model::query::{From as Start, GroupsQuery};
use flowdeck_model::rate::{Rate, Windows};
use flowdeck_model::view::audit::{LookFilter, LookKind};
use flowdeck_model::view::brokers::{BrokerRow, CapabilityRow, Offered, TroubledPartition};
use flowdeck_model::view::cluster::Colour;
use flowdeck_model::view::*;
use flowdeck_model::*;

pub(crate) const NOW: &str = "2026-11-21T14:10:00Z";

pub(crate) fn at(seconds_ago: i64) -> Timestamp {
    let now: Timestamp = NOW.parse().unwrap();
    Timestamp::from_millis(now.millis() - seconds_ago * 1_000)
}

fn id<T: std::str::FromStr>(n: u8) -> T
where
    T::Err: std::fmt::Debug,
{
    format!("00000000-0000-4000-8000-0000000000{n:02x}").parse().unwrap()
}

pub(crate) fn version() -> Version {
    Version { epoch: 7, n: 42 }
}

pub(crate) fn prod() -> ClusterView {
    ClusterView {
        name: "prod-eu".parse().unwrap(),
        label: "PROD-EU".into(),
        colour: Colour::Red,
        mode: Mode::Control,
        as_of: Some(at(2)),
        error: None,
        brokers: Some(3),
        notes: vec![],
        capped: vec![],
    }
}

pub(crate) fn staging() -> ClusterView {
    ClusterView {
        name: "staging".parse().unwrap(),
        label: "Staging".into(),
        colour: Colour::Teal,
        mode: Mode::Observe,
        as_of: Some(at(200)),
        error: Some("staging: no broker answered within 5 s (10.0.0.7:9092: connection refused)".into()),
        brokers: None,
        notes: vec!["Telemetry cannot be read: the ACL Read on topic kafkaflow.admin is missing.".into()],
        capped: vec![],
    }
}

fn topic(name: &str) -> TopicName {
    name.parse().unwrap()
}

fn hold(n: u8, group: &str, name: Option<&str>, owner: &str, until: Option<Timestamp>) -> Hold {
    Hold {
        id: id(n),
        scope: Scope { topic: name.map(topic), ..Scope::group(group.into()) },
        owner: owner.into(),
        reason: "poison record, see INC-2291".into(),
        since: at(840),
        until,
        by: flowdeck_model::HoldBy::Pause,
        except: vec![],
    }
}

fn row(cluster: &ClusterView, group: &str, verdict: Verdict, lag: Option<u64>, topics: &[&str]) -> GroupRow {
    GroupRow {
        cluster: cluster.name.clone(),
        group: group.into(),
        kind: GroupType::Classic,
        state: if verdict == Verdict::NoActiveMembers { GroupState::Empty } else { GroupState::Stable },
        verdict,
        level: verdict.level(),
        why: None,
        verdicts: vec![],
        ignored: false,
        lag,
        lag_at_least: lag,
        deleted_unread: 0,
        unknown_partitions: 0,
        time_lag: None,
        lag_trend: trend(lag),
        flow: Default::default(),
        rebalancing_since: None,
        members: Some(if verdict == Verdict::NoActiveMembers { 0 } else { 3 }),
        topics: topics.iter().map(|name| topic(name)).collect(),
        topic_count: topics.len() as u32,
        partition_count: 6,
        paused_partitions: 0,
        holds: vec![],
        as_of: Some(at(2)),
        labels: GroupLabels {
            values: [("team".to_owned(), "<i>payments".to_owned())].into(),
            runbook: Some("https://wiki.example/runbook".into()),
        },
    }
}

/// Up to this lag, with a gap.
fn trend(lag: Option<u64>) -> Vec<Option<u64>> {
    let Some(lag) = lag else { return vec![] };
    (1..=30).map(|n| (n != 9).then_some(lag * n / 30)).collect()
}

pub(crate) fn rows() -> Vec<GroupRow> {
    let (prod, staging) = (prod(), staging());
    let mut paused = row(&prod, "prod-deletion-processor", Verdict::Paused, Some(812), &["track-deletions"]);
    paused.holds = vec![hold(1, "prod-deletion-processor", None, "ana", Some(at(-1_200)))];
    let of_topic = hold(4, "prod-deletion-processor", Some("track-deletions"), "bob", None);
    let mut of_partition = Hold { id: id(5), ..of_topic.clone() };
    of_partition.scope.partition = Some(partition(1));
    paused.holds.extend([of_topic, of_partition]);
    paused.paused_partitions = 6;
    paused.why = Some("by ana".into());
    let mut part =
        row(&prod, "prod-audio-processor", Verdict::Paused, Some(14_102), &["audio-events", "audio-retries"]);
    part.holds = vec![hold(2, "prod-audio-processor", Some("audio-retries"), "deploy", None)];
    part.paused_partitions = 2;
    part.kind = GroupType::Consumer;
    let mut unknown = row(&staging, "legacy/exporter \"x\"", Verdict::Unknown, None, &["a", "b"]);
    unknown.why = Some("2 partitions: not permitted to read".into());
    unknown.unknown_partitions = 2;
    unknown.members = None;
    unknown.as_of = Some(at(200));
    let mut other = row(&prod, "share-things", Verdict::Unknown, None, &[]);
    other.kind = GroupType::Other;
    other.why = Some("other, not a consumer group: it has no lag".into());
    let mut not_obeyed = row(&prod, "prod-invoices", Verdict::PauseNotObeyed, Some(509), &["invoices"]);
    not_obeyed.holds = vec![hold(3, "prod-invoices", None, "ana", None)];
    not_obeyed.paused_partitions = 6;
    not_obeyed.why = Some(
        "vm-2 runs 3 partitions for 12 s (invoices partition 2 committed 612); sent again 4 times".into(),
    );
    vec![
        row(&prod, "convex-bus", Verdict::NoActiveMembers, Some(1_240_113), &["convex.order-placed"]),
        row(
            &prod,
            "prod.sales.customers",
            Verdict::Behind,
            Some(92_481),
            &["prod.sales.public.customers.v1"],
        ),
        part,
        paused,
        unknown,
        other,
        row(&prod, "convex-notifications", Verdict::Ok, Some(3), &["convex.notification"]),
        row(&prod, "customservice-item-deleted", Verdict::Ok, Some(0), &["customservice.item.deleted"]),
        not_obeyed,
    ]
}

fn partition(n: i32) -> Partition {
    Partition::new(n).unwrap()
}

pub(crate) fn group_view(row: GroupRow, cluster: ClusterView) -> GroupView {
    let topics: Vec<TopicName> = row.topics.clone();
    let holds: Vec<HoldId> = row.holds.iter().map(|hold| hold.id).collect();
    let partitions = (0..6)
        .map(|n| {
            let name =
                topics.get(usize::from(n >= 4) % topics.len().max(1)).cloned().unwrap_or_else(|| topic("t"));
            let unknown =
                (n == 3 && row.unknown_partitions > 0).then_some(flowdeck_model::Unknown::NeverCommitted);
            let lag = [2, 0, 7, 1_376, 11_373, 1_344][n as usize];
            PartitionRow {
                topic: name,
                partition: partition(n),
                start: Some(80_000),
                committed: unknown.is_none().then_some(86_001),
                end: Some(86_001 + lag),
                lag: unknown.is_none().then_some(lag as u64),
                unknown,
                time_lag: None,
                written: Default::default(),
                lag_trend: trend(unknown.is_none().then_some(lag as u64)),
                last_commit: None,
                owner: (row.members != Some(0)).then(|| format!("web-{}", 2 + n % 3)),
                holds: if n >= 4 || row.paused_partitions == 6 { holds.clone() } else { vec![] },
                paused: n >= 4 && !holds.is_empty(),
                last_stable: None,
                kept_until: None,
            }
        })
        .collect();
    let instance = |name: &str, kind, partitions: &[i32], paused: &[i32]| InstanceView {
        instance: name.into(),
        kind,
        incarnation: None,
        ambiguous: false,
        confirmed: Some(true),
        workers: Some(3),
        holds: (kind == InstanceKind::Agent).then_some(InstanceHolds::Known),
        running: vec![TopicPartitions {
            topic: topic("audio-events"),
            partitions: partitions.iter().map(|n| partition(*n)).collect(),
        }],
        paused: match paused {
            [] => vec![],
            paused => vec![TopicPartitions {
                topic: topic("audio-retries"),
                partitions: paused.iter().map(|n| partition(*n)).collect(),
            }],
        },
        last_heard: at(1),
        lost: false,
        note: None,
    };
    let mut web7 = instance("web-7", InstanceKind::Agent, &[2], &[]);
    web7.holds = Some(InstanceHolds::Unknown);
    web7.note = Some("joined 14 s after the pause: not paused".into());
    let mut gone = instance("web-9", InstanceKind::KafkaFlow, &[], &[]);
    gone.lost = true;
    gone.last_heard = at(95);
    let consumers = vec![ConsumerView {
        name: "audio".into(),
        topics: topics.clone(),
        instances: vec![
            instance("web-2", InstanceKind::KafkaFlow, &[0, 1], &[4]),
            InstanceView {
                holds: Some(InstanceHolds::Reading),
                ..instance("web-3", InstanceKind::Agent, &[3], &[5])
            },
            web7,
            gone,
        ],
        rewind_time_zone: "Europe/Berlin".into(),
    }];
    let member = |n: u8, matched: Option<&str>| MemberView {
        member_id: format!("rdkafka-00{n}-2f1c"),
        client_id: "rdkafka".into(),
        host: format!("/10.0.0.{n}"),
        static_id: (n == 3).then(|| "static-3".to_owned()),
        partitions: vec![TopicPartitions {
            topic: topic("audio-events"),
            partitions: vec![partition(i32::from(n))],
        }],
        instance: matched.map(InstanceName::from),
    };
    let quiet = row.members == Some(0);
    GroupView {
        version: version(),
        now: at(0),
        commands: vec![command_view(2, CommandState::PartiallyConfirmed)],
        warnings: if row.group.as_str() == "prod-audio-processor" {
            vec!["One instance does not know its holds.".into()]
        } else {
            vec![]
        },
        facts: vec![
            "Retention (7 d) keeps the oldest unread record of audio-events partition 5 for another 2 h."
                .into(),
        ],
        offsets_expire: None,
        cluster_info: cluster,
        row,
        partitions,
        consumers: if quiet { vec![] } else { consumers },
        group_members: if quiet {
            vec![]
        } else {
            vec![member(1, Some("web-2")), member(2, Some("web-3")), member(3, None)]
        },
    }
}

pub(crate) fn command_view(n: u8, state: CommandState) -> CommandView {
    let outcome = |name: &str, kind, state, ago, detail: Option<&str>| InstanceOutcome {
        instance: name.into(),
        consumer: Some("audio".into()),
        kind,
        incarnation: None,
        state,
        at: at(ago),
        detail: detail.map(str::to_owned),
    };
    let waits = state == CommandState::Sent;
    CommandView {
        id: id(n),
        cluster_info: prod(),
        action: Action::Pause,
        target: Target {
            group: "prod-audio-processor".into(),
            consumer: Some("audio".into()),
            topics: vec![topic("audio-retries")],
            partitions: vec![],
        },
        actor: Actor::anonymous(Via::Page, Some("127.0.0.1".into())).view,
        reason: "poison record, see INC-2291".into(),
        state,
        now: at(0),
        requested_at: at(62),
        until: Some(at(-1_200)),
        sent: vec![
            SentRecord { topic: topic("flowdeck.holds"), partition: partition(0), offset: 12, at: at(62) },
            SentRecord {
                topic: topic("kafkaflow.admin"),
                partition: partition(0),
                offset: 20_114,
                at: at(61),
            },
        ],
        holds: vec![id(n)],
        offsets: vec![],
        instances: vec![
            outcome(
                "web-2",
                InstanceKind::KafkaFlow,
                InstanceState::FetchStopped,
                60,
                Some("telemetry lists audio-retries/4 as paused"),
            ),
            outcome("web-3", InstanceKind::Agent, InstanceState::Drained, 60, None),
            outcome(
                "web-7",
                InstanceKind::Agent,
                if waits { InstanceState::Waiting } else { InstanceState::NoResponse },
                2,
                None,
            ),
            outcome("rdkafka /10.0.0.3", InstanceKind::Member, InstanceState::NotControllable, 62, None),
        ],
        sent_again: waits.then_some(SentAgain { times: 2, last_at: at(-20) }),
        notes: vec!["Up to 300 records may still finish on web-2.".into()],
    }
}

fn set_offsets(n: u8, state: CommandState, to: OffsetTarget) -> CommandView {
    let change = OffsetChange { topic: topic("audio-retries"), partition: partition(1), from: Some(40), to };
    CommandView { action: Action::SetOffsets, offsets: vec![change], ..command_view(n, state) }
}

pub(crate) fn json_payload(text: &str) -> Payload {
    Payload {
        kind: PayloadKind::Json,
        text: text.into(),
        size: text.len() as u32,
        cut: false,
        not_utf8: 0,
        decoder: "JSON".into(),
        masked: 0,
        problem: None,
    }
}

fn text_payload(text: &str) -> Payload {
    Payload { kind: PayloadKind::Text, decoder: "Text".into(), ..json_payload(text) }
}

fn record(n: i64) -> MessageView {
    let value = format!(
        r#"{{"type":"AudioUploaded","trackId":"trk_{n:06x}","durationMs":{},"tags":["a","<script>"],"userId":null}}"#,
        90_000 + n
    );
    MessageView {
        partition: partition(3),
        offset: 86_009 - n,
        timestamp: (n != 6).then(|| at(60 + n * 7)),
        timestamp_raw: (n == 6).then_some(1_795_270_137_123_000),
        timestamp_type: Some("CreateTime".into()),
        aborted: Some(n == 7),
        transaction_open: n == 0,
        key: text_payload(&format!("trk_{n:06x}")),
        value: match n {
            4 => Payload { kind: PayloadKind::Null, decoder: String::new(), ..json_payload("") },
            5 => Payload {
                kind: PayloadKind::Binary,
                text: "00 1f 8b ff".into(),
                size: 4,
                decoder: "Hexadecimal".into(),
                ..json_payload("")
            },
            _ => json_payload(&value),
        },
        headers: vec![HeaderView {
            name: "Message-Type".into(),
            value: text_payload("NovaTune.Events.AudioUploadedEvent, NovaTune"),
        }],
        headers_total: if n == 6 { 5_000 } else { 1 },
    }
}

/// One whose circuit breaker is open, and of which a handler hangs.
fn agent() -> AgentView {
    let at_place =
        |ago, offset| (at(ago), "dev-audio-events".parse().unwrap(), Partition::new(2).unwrap(), offset);
    let failure = |ago, attempt, error: &str| {
        let (at, topic, partition, offset) = at_place(ago, 4_711);
        HandlerFailure { at, topic, partition, offset, attempt, error: error.into() }
    };
    let (since, topic, partition, offset) = at_place(754, 4_690);
    AgentView {
        consumer: "dev-audio-processor".into(),
        instance: "audio-7d9f-42".into(),
        incarnation: None,
        confirmed: Some(true),
        lost: false,
        heard: at(3),
        report: AgentReport {
            at: at(3),
            version: "0.1.0".into(),
            host: "audio-7d9f".into(),
            started_at: Some(at(9_000)),
            labels: [("region".into(), "eu-1".into()), ("<b>".into(), "not markup".into())].into(),
            workers: 3,
            read_committed: Some(true),
            cpu_millicores: Some(420),
            memory_bytes: Some(48_000_000),
            processing: Some(ProcessingTimes {
                seconds: 60,
                calls: 1_204,
                p50_micros: 850,
                p95_micros: 12_400,
                p99_micros: 230_000,
                max_micros: 754_000_000,
            }),
            counts: AgentCounts { handled: 120_400, failed: 37, dead_lettered: 2, ..AgentCounts::default() },
            buffered: 214,
            buffer_size: 300,
            in_flight: 1,
            running: vec![RunningHandler { topic, partition, offset, since }],
            errors_kept: 37,
            errors: vec![
                failure(20, 3, "the database does not respond: connection refused (os error 111)"),
                failure(25, 2, "the handler panicked: index out of bounds: the len is 0 but the index is 0"),
            ],
            circuit_breaker: Some(CircuitBreakerView {
                state: CircuitState::Open,
                since: at(20),
                retry_at: Some(at(-10)),
                opened: 4,
                error: Some("the database does not respond".into()),
            }),
        },
    }
}

/// A lag that rises, with a gap and some events.
fn history(cluster: &ClusterName, group: &GroupId, query: &HistoryQuery) -> HistoryView {
    let (from, to) = query.window.bounds(at(0));
    let empty = group.as_str() == "convex-bus";
    let step = |n: i64| Timestamp::from_millis(from.millis() / 10_000 * 10_000 + n * 10_000);
    let steps = ((to.millis() - from.millis()) / 10_000).min(90);
    let points = (0..=steps).filter(|n| !empty && !(20..28).contains(n)).map(|n| HistoryPoint {
        at: step(n),
        lag: Some(500 + (n * n) as u64 + if n % 7 == 0 { 300 } else { 0 }),
        time_lag_millis: Some(2_000 + (n * 6_000) as u64),
        in_per_second: Some(Rate::from(12.0 + (n % 5) as f64)),
        out_per_second: (n > 0).then_some(Rate::from(if n < 60 { 12.4 } else { 0.0 })),
    });
    let event =
        |ago, kind, text: &str, command| HistoryEvent { at: at(ago), kind, text: text.into(), command };
    HistoryView {
        now: at(0),
        cluster: cluster.clone(),
        group: group.clone(),
        partition: None,
        from,
        to,
        step_seconds: 10,
        points: points.collect(),
        events: if empty {
            vec![]
        } else {
            vec![
                event(840, HistoryEventKind::Operation, "Pause by ana", Some(id(2))),
                event(600, HistoryEventKind::Operation, "Resume by <b>ana</b>", Some(id(3))),
                event(420, HistoryEventKind::Rebalance, "Rebalance", None),
                event(
                    300,
                    HistoryEventKind::Deployment,
                    "Deployment of worker: version <b>1.5</b> after 1.4",
                    None,
                ),
                event(290, HistoryEventKind::Errors, "12 calls of handlers failed in 3 min", None),
            ]
        },
        known_since: (!empty).then(|| at(3_600)),
        storage: HistoryStorage::Memory,
        notes: vec![],
    }
}

pub(crate) struct Made {
    pub(crate) empty: bool,
    /// Previews of commands that were asked for.
    pub(crate) previews: AtomicU32,
}

pub(crate) fn ports(empty: bool) -> Ports {
    ports_of(Arc::new(Made { empty, previews: AtomicU32::new(0) }))
}

pub(crate) fn ports_of(made: Arc<Made>) -> Ports {
    Ports {
        actor: Actor::anonymous(Via::Page, None),
        fleet: made.clone(),
        control: made.clone(),
        peek: made.clone(),
        dead_letters: made.clone(),
        audit: made.clone(),
        redrives: made.clone(),
        bulks: made.clone(),
        produce: made.clone(),
        retentions: made.clone(),
        canaries: made,
    }
}

impl Made {
    pub(crate) fn cluster(&self, name: &ClusterName) -> Result<ClusterView, PortError> {
        [prod(), staging()]
            .into_iter()
            .find(|cluster| cluster.name == *name)
            .ok_or_else(|| PortError::not_found(ResourceKind::Cluster, name.as_str()))
    }
}

#[async_trait]
impl Fleet for Made {
    fn clusters(&self) -> Vec<ClusterView> {
        vec![prod(), staging()]
    }

    fn fleet(&self, query: &FleetQuery) -> Result<FleetView, PortError> {
        let all = if self.empty { vec![] } else { rows() };
        let found: Vec<GroupRow> =
            all.into_iter().filter(|row| row.group.as_str().contains(&query.search)).collect();
        let counts = Verdict::WORST_FIRST
            .map(|verdict| VerdictCount {
                verdict,
                groups: found.iter().filter(|row| row.verdict == verdict).count() as u32,
            })
            .to_vec();
        let groups: Vec<GroupRow> = found
            .into_iter()
            .filter(|row| query.verdicts.is_empty() || query.verdicts.contains(&row.verdict))
            .collect();
        let view = FleetView {
            version: version(),
            now: at(0),
            total: groups.len() as u32,
            partial: true,
            clusters: self.clusters(),
            counts,
            ignored: 0,
            lag: groups.iter().filter_map(|row| row.lag).reduce(|a, b| a + b),
            unknown_partitions: 0,
            groups: vec![],
        };
        Ok(view.with_rows(groups))
    }

    fn groups(&self, query: &GroupsQuery) -> Result<FleetView, PortError> {
        self.fleet(&query.fleet)
    }

    fn group(&self, cluster: &ClusterName, group: &GroupId) -> Result<GroupView, PortError> {
        let cluster = self.cluster(cluster)?;
        let row = rows()
            .into_iter()
            .find(|row| row.group == *group && row.cluster == cluster.name)
            .ok_or_else(|| PortError::not_found(ResourceKind::Group, group.as_str()))?;
        Ok(group_view(row, cluster))
    }

    fn agents(&self, cluster: &ClusterName, group: &GroupId) -> Result<AgentsView, PortError> {
        let GroupView { version, now, cluster_info, .. } = self.group(cluster, group)?;
        let agents = if group.as_str() == "convex-bus" { vec![] } else { vec![agent()] };
        Ok(AgentsView { version, now, cluster_info, group: group.clone(), agents })
    }

    fn history(
        &self,
        cluster: &ClusterName,
        group: &GroupId,
        query: &HistoryQuery,
    ) -> Result<HistoryView, PortError> {
        self.group(cluster, group)?;
        Ok(history(cluster, group, query))
    }

    fn telemetry(&self, cluster: &ClusterName) -> Result<TelemetryView, PortError> {
        self.cluster(cluster)?;
        Ok(TelemetryView::default())
    }

    fn topics(&self, cluster: &ClusterName) -> Result<TopicsView, PortError> {
        let cluster_info = self.cluster(cluster)?;
        let row = |name: &str, internal| TopicRow {
            topic: topic(name),
            partitions: 6,
            replication: 3,
            readers: 2,
            groups: vec!["prod-audio-processor".into(), "audit".into()],
            lag: Some(1_240),
            lag_at_least: Some(1_300),
            unknown_partitions: 1,
            internal,
        };
        let topics =
            vec![row("audio-events", false), row("audio-retries", false), row("flowdeck.holds", true)];
        Ok(TopicsView { version: version(), now: at(0), cluster_info, topics })
    }

    async fn topic(&self, cluster: &ClusterName, topic: &TopicName) -> Result<TopicView, PortError> {
        let cluster_info = self.cluster(cluster)?;
        if topic.as_str() != "audio-events" {
            return Err(PortError::not_found(ResourceKind::Topic, topic.as_str()));
        }
        let partitions = (0..6)
            .map(|n| TopicPartitionRow {
                partition: partition(n),
                leader: (n != 5).then_some(n % 3),
                replicas: vec![0, 1, 2],
                in_sync: if n == 5 { vec![0] } else { vec![0, 1, 2] },
                start: Some(80_000),
                end: Some(86_010 + i64::from(n)),
            })
            .collect();
        let reader = |group: &str, verdict, lag| ReaderRow {
            group: group.into(),
            verdict,
            level: verdict.level(),
            lag,
            lag_at_least: lag,
            unknown_partitions: 0,
            time_lag: Some(TimeLag { millis: 64_000, precision: Precision::Estimate }),
            members: Some(3),
        };
        let config = |name: &str, value: &str, default| ConfigRow {
            name: name.into(),
            value: Some(value.into()),
            default,
        };
        Ok(TopicView {
            version: version(),
            now: at(0),
            cluster_info,
            topic: topic.clone(),
            as_of: Some(at(0)),
            partitions,
            written: Windows {
                one_minute: Some(Rate::of_thousandths(7_600)),
                five_minutes: None,
                fifteen_minutes: Some(Rate::of_thousandths(8_100)),
            },
            readers: vec![
                reader("prod-audio-processor", Verdict::Paused, Some(14_102)),
                reader("convex-bus", Verdict::Ok, None),
            ],
            config: vec![
                config("cleanup.policy", "delete", true),
                config("retention.ms", "604800000", false),
            ],
            decoders: DecodersView {
                names: ["auto", "json", "hex", "messagepack", "schema:track"].map(str::to_owned).into(),
                key: None,
                value: Some("schema:track".into()),
            },
            notes: vec![],
        })
    }

    async fn brokers(&self, cluster: &ClusterName) -> Result<BrokersView, PortError> {
        let cluster_info = self.cluster(cluster)?;
        let broker = |id, rack: Option<&str>, out_of_sync| BrokerRow {
            id,
            address: rack.map(|_| format!("kafka-{id}.example:9093")),
            rack: rack.map(str::to_owned),
            leaders: if rack.is_some() { 412 } else { 0 },
            preferred_leaders: 275,
            replicas: 824,
            out_of_sync,
        };
        let troubled = |n, leader, in_sync: &[i32]| TroubledPartition {
            topic: topic("audio-events"),
            partition: partition(n),
            leader,
            replicas: vec![1, 2, 3],
            in_sync: in_sync.to_vec(),
        };
        let offered = |name: &str, offered, why: Option<&str>| CapabilityRow {
            name: name.into(),
            offered,
            why: why.map(str::to_owned),
        };
        Ok(BrokersView {
            version: version(),
            now: at(0),
            cluster_info,
            as_of: Some(at(-4)),
            cluster_id: Some("Zk9rYmVhY2h-Lw".into()),
            brokers: vec![
                broker(1, Some("eu-1a"), 0),
                broker(2, Some("<b>eu-1b</b>"), 2),
                broker(3, None, 824),
            ],
            partitions: 824,
            offline_partitions: 1,
            under_replicated_partitions: 824,
            troubled: vec![troubled(5, None, &[]), troubled(0, Some(1), &[1, 2])],
            capabilities: vec![
                offered("list groups", Offered::NotPermitted, Some("Describe on the cluster")),
                offered("KIP-848 groups", Offered::No, Some("the brokers do not offer it")),
                offered("transactions", Offered::Yes, None),
                offered("follow commits", Offered::Unknown, Some("nothing was committed yet")),
            ],
            notes: vec![],
        })
    }

    fn version(&self) -> Version {
        version()
    }

    async fn changed(&self, _: Version) -> Version {
        std::future::pending().await
    }
}

#[async_trait]
impl Control for Made {
    async fn submit(&self, cluster: &ClusterName, _: Submit) -> Result<Submitted, PortError> {
        Err(PortError::ObserveMode { cluster: cluster.clone() })
    }

    async fn preview(&self, cluster: &ClusterName, asked: Submit) -> Result<PreviewView, PortError> {
        self.previews.fetch_add(1, Ordering::Relaxed);
        if cluster.as_str() != "prod-eu" {
            return Err(PortError::ObserveMode { cluster: cluster.clone() });
        }
        if asked.action == Action::Start {
            return Err(PortError::Conflict { detail: "it runs: restart it instead".into() });
        }
        let moves = asked.action.kind().moves_offsets();
        let change = |partition: i32, to| OffsetChange {
            topic: topic("audio-retries"),
            partition: self::partition(partition),
            from: Some(40),
            to,
        };
        // As a resume of its topic.
        let released = |hold: Hold| {
            let is_whole = hold.scope.is_whole();
            let part = Scope { topic: Some(topic("track-deletions")), ..hold.scope.clone() };
            HoldPreview {
                id: hold.id,
                scope: hold.scope,
                change: if is_whole { HoldChangeKind::Set } else { HoldChangeKind::Release },
                owner: hold.owner,
                reason: "<b>double charges".into(),
                except: vec![],
                taken_out: if is_whole { vec![part] } else { vec![] },
            }
        };
        let is_asked = asked.action == Action::Resume;
        let is_of = |row: &GroupRow| is_asked && row.verdict == Verdict::Paused && row.holds.len() > 1;
        let of_group = rows().into_iter().find(|row| row.group == asked.target.group && is_of(row));
        Ok(PreviewView {
            by: None,
            existing: None,
            holds: of_group.into_iter().flat_map(|row| row.holds).map(released).collect(),
            messages: vec![MessagePreview {
                topic: topic("kafkaflow.admin"),
                partition: partition(0),
                message: "TheMessage".into(),
                name: "audio".into(),
                topics: asked.target.topics,
                argument: None,
            }],
            offsets: if moves {
                vec![change(0, OffsetTarget::Offset(20)), change(1, OffsetTarget::NoRecord)]
            } else {
                vec![]
            },
            instances: vec![],
            notes: vec!["A note <b>of the kind</b>.".into()],
            undo: None,
        })
    }

    async fn find_command(&self, cluster: &ClusterName, id: CommandId) -> Result<CommandView, PortError> {
        self.command(cluster, id)
    }

    async fn offsets(&self, cluster: &ClusterName, _: OffsetsQuery) -> Result<OffsetsPreview, PortError> {
        Err(PortError::ObserveMode { cluster: cluster.clone() })
    }

    fn command(&self, _: &ClusterName, id: CommandId) -> Result<CommandView, PortError> {
        match id.uuid().as_bytes()[15] {
            2 => Ok(command_view(2, CommandState::PartiallyConfirmed)),
            3 => Ok(command_view(3, CommandState::Sent)),
            4 => Ok(CommandView { until: Some(at(31)), ..command_view(4, CommandState::Confirmed) }),
            5 => Ok(set_offsets(5, CommandState::Refused, OffsetTarget::Offset(20))),
            6 => Ok(set_offsets(6, CommandState::PartiallyConfirmed, OffsetTarget::NotSet)),
            7 => Ok(set_offsets(7, CommandState::Confirmed, OffsetTarget::Offset(20))),
            _ => Err(PortError::not_found_because(
                ResourceKind::Command,
                id.to_string(),
                "not in flowdeck.audit",
            )),
        }
    }
}

#[async_trait]
impl AuditLog for Made {
    async fn entries(&self, cluster: &ClusterName, query: &AuditQuery) -> Result<AuditView, PortError> {
        let actor = |name: &str| actor::ActorView {
            name: name.into(),
            kind: ActorKind::User,
            via: Via::Page,
            address: Some("10.0.0.7".into()),
        };
        let operation = |n: u8, title: &str, state, minutes: i64| {
            AuditEntry::Operation(AuditOperation {
                offset: 100 - i64::from(n),
                at: at(minutes * 60 - 1),
                id: id(n),
                action: "pause".into(),
                title: title.into(),
                group: Some("prod-audio-processor".into()),
                actor: actor("ana"),
                reason: "INC-1: <b>disk full</b>".into(),
                state,
                requested_at: at(minutes * 60),
                until: None,
                notes: vec!["up to 300 records may still finish".into()],
            })
        };
        let refused = AuditLogIn {
            offset: 90,
            at: at(3_000),
            actor: actor("mallory"),
            outcome: LogInOutcome::Refused,
            detail: Some("wrong name or password".into()),
        };
        let look = AuditLook {
            offset: 89,
            at: at(3_100),
            actor: actor("ana"),
            look: LookKind::Search,
            topic: Some("audio-events".into()),
            partition: Some(3),
            from: "earliest".into(),
            until: None,
            filter: vec![LookFilter::Text, LookFilter::Path],
            unmasked: false,
            records: Some(2),
            scanned: Some(70_000),
            missed: 1,
        };
        let entries = match query.group.as_str() {
            "nobody" => vec![],
            _ => vec![
                operation(2, "Pause prod-audio-processor", CommandState::PartiallyConfirmed, 5),
                operation(3, "Resume consumer audio in prod-audio-processor", CommandState::Confirmed, 12),
                AuditEntry::LogIn(refused),
                AuditEntry::Look(look),
            ],
        };
        let cluster_info = self.cluster(cluster)?;
        Ok(AuditView { now: at(0), cluster_info, entries, older: Some(88), scanned: 1_204, notes: vec![] })
    }
}

#[async_trait]
impl Peek for Made {
    async fn messages(
        &self,
        cluster: &ClusterName,
        topic: &TopicName,
        query: &MessagesQuery,
    ) -> Result<MessagesView, PortError> {
        let cluster_info = self.cluster(cluster)?;
        let records: Vec<MessageView> = match &query.from {
            _ if query.find.text == "absent" => vec![],
            Start::Offset(offset) => (0..20)
                .rev()
                .map(record)
                .filter(|record| record.offset >= *offset)
                .take(query.limit as usize)
                .collect(),
            _ => (0..14).map(record).collect(),
        };
        Ok(MessagesView {
            now: at(0),
            cluster_info,
            topic: topic.clone(),
            scanned: records.len() as u32,
            records,
            took_millis: 38,
            complete: false,
            note: Some("1.5 s were over before partition 2 answered".into()),
            older: Some("from=before%3A3.4.5.86000".into()),
            newer: matches!(query.from, Start::Offset(_)).then(|| "from=offset%3A86011".into()),
            too_many_partitions: false,
            partitions_not_shown: vec![partition(1), partition(7)],
            search: (!query.find.is_none()).then(|| SearchView {
                scanned: 120_000,
                bytes: 24_000_000,
                percent: 43,
                next: Some("from=before%3A5&text=audio&seen=120000".into()),
            }),
            readers: vec![RecordReader { group: "audio-worker".into(), committed: 86_000, is_past: false }],
        })
    }

    async fn tail(
        &self,
        cluster: &ClusterName,
        _: &TopicName,
        _: &MessagesQuery,
    ) -> Result<Box<dyn Tail>, PortError> {
        self.cluster(cluster)?;
        Err(PortError::Unavailable {
            cluster: cluster.clone(),
            detail: "nothing is followed here".to_owned(),
        })
    }
}
