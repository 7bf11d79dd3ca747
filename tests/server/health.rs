//! Paths for machines.

use std::sync::Arc;
use std::time::Duration;

use flowdeck::config::Limits;
use flowdeck::config::{Exporter, Metrics};
use flowdeck::{Figures, GroupFigures, Number, PartitionFigures, TopicFigures, Work};
use flowdeck_model::rate::{Drain, Rate};
use flowdeck_model::verdict::Finding;
use flowdeck_model::{GroupId, GroupState, Partition, Timestamp, TopicName, Verdict};
use http::StatusCode;

use crate::memory::cluster;
use crate::support::{options, site, site_with};

struct Busy {
    ready: bool,
}

impl Work for Busy {
    fn ready(&self) -> bool {
        self.ready
    }

    fn figures(&self) -> Arc<dyn Figures> {
        Arc::new(SomeGroups)
    }

    fn numbers(&self) -> Vec<Number> {
        let labels = vec![("cluster", "demo".to_owned())];
        let brokers =
            Number { name: "brokers", help: "Brokers", counter: false, labels: labels.clone(), value: 3.0 };
        vec![
            brokers,
            Number { name: "refresh_seconds", help: "Time spent", counter: true, labels, value: 1.5 },
        ]
    }
}

struct SomeGroups;

impl Figures for SomeGroups {
    fn groups(&self, visit: &mut dyn FnMut(&GroupFigures<'_>)) {
        let finding = |verdict: Verdict| Finding {
            verdict,
            level: verdict.level(),
            since: Timestamp::from_millis(0),
            evidence: None,
            last: None,
        };
        let findings = [finding(Verdict::LosingData), finding(Verdict::Paused)];
        let (cluster, ok) = (cluster("demo"), [finding(Verdict::Ok)]);
        let quiet = GroupFigures {
            cluster: &cluster,
            group: &"quiet".into(),
            counted: true,
            state: GroupState::Empty,
            findings: &ok,
            lag: Some(0),
            unknown_partitions: 0,
            deleted_unread: 0,
            time_lag: None,
            written: None,
            committed: None,
            drain: None,
            members: None,
            paused_partitions: 0,
            pause_age: None,
            pause_overdue: None,
        };
        visit(&GroupFigures {
            group: &"payments".into(),
            state: GroupState::Stable,
            findings: &findings,
            lag: Some(42),
            unknown_partitions: 1,
            drain: Some(Drain { soonest_seconds: Some(5), latest_seconds: None }),
            written: Some(Rate::of_thousandths(12_500)),
            members: Some(2),
            paused_partitions: 1,
            pause_age: Some(Duration::from_secs(90)),
            pause_overdue: Some(Duration::from_secs(30)),
            ..quiet
        });
        visit(&quiet);
        visit(&GroupFigures { group: &"console-consumer-1".into(), counted: false, ..quiet });
    }

    fn partitions(&self, visit: &mut dyn FnMut(&PartitionFigures<'_>)) {
        let (cluster, topic): (_, TopicName) = (cluster("demo"), "orders".parse().unwrap());
        let mut visit = |group: &GroupId, number, lag, committed| {
            let partition = Partition::new(number).unwrap();
            visit(&PartitionFigures { cluster: &cluster, group, topic: &topic, partition, lag, committed });
        };
        visit(&"payments".into(), 0, Some(42), Some(58));
        visit(&"payments".into(), 1, None, None);
        visit(&"a\"} 1\nflowdeck_lag_records{group=\"b".into(), 0, Some(1), Some(1));
        let long = "g".repeat(249);
        for group in ["g\u{1}", "g\u{2}", "g\u{fffd}", &format!("{long}a"), &format!("{long}b")] {
            visit(&group.into(), 0, Some(1), None);
            visit(&group.into(), 1, None, None);
        }
    }

    fn topics(&self, visit: &mut dyn FnMut(&TopicFigures<'_>)) {
        let (cluster, orders, audit): (_, TopicName, TopicName) =
            (cluster("demo"), "orders".parse().unwrap(), "audit".parse().unwrap());
        let of = |topic, number, end| TopicFigures {
            cluster: &cluster,
            topic,
            partition: Partition::new(number).unwrap(),
            leader: Some(2),
            replicas: &[1, 2, 3],
            in_sync: &[2, 3],
            start: Some(0),
            end,
        };
        visit(&of(&audit, 0, None));
        visit(&of(&orders, 0, Some(100)));
        visit(&of(&orders, 1, Some(7)));
    }
}

#[tokio::test]
async fn live_is_unconditional_and_ready_reports_kafka() {
    let site = site();
    assert_eq!(site.get("/health/live").await.json()["status"], "healthy");
    for path in ["/health", "/health/ready", "/health/ready?strict"] {
        let health = site.get(path).await;
        assert_eq!(health.status, StatusCode::OK);
        assert_eq!(health.json()["checks"]["kafka"]["clusters"][0]["name"], "demo");
    }
    assert_eq!(site.get("/kafkaflow/health").await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn unready_before_pages_can_be_served() {
    let site = site_with(flowdeck::Options { work: Arc::new(Busy { ready: false }), ..options() });
    let health = site.get("/health/ready").await;
    assert_eq!(
        (health.status, &health.json()["status"]),
        (StatusCode::SERVICE_UNAVAILABLE, &"unhealthy".into())
    );
    assert_eq!(site.get("/health/live").await.status, StatusCode::OK);
}

/// A probe that takes a busy server for a dead one has it restarted, by whoever keeps it busy.
#[tokio::test]
async fn a_server_that_is_busy_lives() {
    let limits = Limits { requests: 0, ..Limits::default() };
    let site = site_with(flowdeck::Options { limits, ..options() });
    for (path, status) in [("/health/live", 200), ("/health/ready", 503), ("/kafkaflow", 503)] {
        assert_eq!(site.get(path).await.status.as_u16(), status, "{path}");
    }
}

#[tokio::test]
async fn metrics_for_prometheus() {
    let site = site_with(flowdeck::Options { work: Arc::new(Busy { ready: true }), ..options() });
    site.get("/kafkaflow/api/v1/groups").await;
    let metrics = site.get("/metrics").await;
    let lines: Vec<&str> = metrics.body.lines().collect();
    for line in [
        r#"flowdeck_lag_records{cluster="demo",group="payments",topic="orders",partition="0"} 42"#,
        r#"flowdeck_lag_unknown_partitions{cluster="demo",group="payments"} 1"#,
        r#"flowdeck_group_lag_records{cluster="demo",group="payments"} 42"#,
        r#"flowdeck_group_written_records_per_second{cluster="demo",group="payments"} 12.5"#,
        r#"flowdeck_group_drain_seconds{cluster="demo",group="payments"} inf"#,
        r#"flowdeck_group_drain_seconds{cluster="demo",group="quiet"} 0.0"#,
        r#"flowdeck_group_paused_partitions{cluster="demo",group="payments"} 1"#,
        r#"flowdeck_group_pause_age_seconds{cluster="demo",group="payments"} 90.0"#,
        r#"flowdeck_group_pause_overdue_seconds{cluster="demo",group="payments"} 30.0"#,
        r#"flowdeck_group_verdict{cluster="demo",group="payments",verdict="losing_data",level="critical"} 1"#,
        r#"flowdeck_group_verdict{cluster="demo",group="quiet",verdict="ok",level="ok"} 1"#,
        r#"flowdeck_group_finding{cluster="demo",group="payments",verdict="losing_data",level="critical"} 1"#,
        r#"flowdeck_group_finding{cluster="demo",group="payments",verdict="paused",level="info"} 1"#,
        r#"flowdeck_refresh_seconds_total{cluster="demo"} 1.5"#,
        r#"flowdeck_http_requests_total{method="GET",route="/kafkaflow/api/v1/groups",status="200"} 1"#,
        "flowdeck_streams_open 0",
        "# EOF",
    ] {
        assert!(lines.contains(&line), "{line}\n{}", metrics.body);
    }
    // Two groups are never one series: a strict reader refuses the whole scrape.
    let series: Vec<&str> = lines.iter().filter_map(|line| Some(line.rsplit_once(' ')?.0)).collect();
    let different: std::collections::HashSet<&str> = series.iter().copied().collect();
    assert_eq!(different.len(), series.len(), "{}", metrics.body);
    assert_eq!(series.iter().filter(|one| one.starts_with("flowdeck_lag_records{")).count(), 7);
    // A partition without a known lag has no number, and a hostile name no series of its own.
    assert!(!metrics.body.contains(r#"partition="1""#));
    assert!(!lines.iter().any(|line| line.starts_with("flowdeck_lag_records{group")));
    // One verdict a group; what has none to say has no finding; a group that is not counted has nothing of its own.
    let of = |name: &str| series.iter().filter(|one| one.starts_with(&format!("{name}{{"))).count();
    assert_eq!((of("flowdeck_group_verdict"), of("flowdeck_group_finding")), (2, 2));
    assert!(!series.iter().any(|one| one.contains("console-consumer-1")));
    // What is not known has no series, and other exporters' names are there only where they are asked for.
    assert_eq!((of("flowdeck_group_time_lag_seconds"), of("flowdeck_group_members")), (0, 1));
    assert!(!metrics.body.contains("kminion") && !metrics.body.contains("# TYPE kafka_"));
}

#[tokio::test]
async fn names_of_other_exporters() {
    let metrics = Metrics { names_of: vec![Exporter::Kminion, Exporter::KafkaExporter], series: 10_000 };
    let work = Arc::new(Busy { ready: true });
    let body = site_with(flowdeck::Options { work, metrics, ..options() }).get("/metrics").await.body;
    let lines: Vec<&str> = body.lines().collect();
    for line in [
        r#"kminion_kafka_consumer_group_info{cluster="demo",group_id="payments",state="Stable"} 1"#,
        r#"kminion_kafka_consumer_group_info{cluster="demo",group_id="quiet",state="Empty"} 0"#,
        r#"kminion_kafka_consumer_group_members{cluster="demo",group_id="payments"} 2"#,
        r#"kminion_kafka_consumer_group_topic_lag{cluster="demo",group_id="payments",topic_name="orders"} 42"#,
        r#"kminion_kafka_consumer_group_topic_offset_sum{cluster="demo",group_id="payments",topic_name="orders"} 58"#,
        r#"kminion_kafka_consumer_group_topic_partition_lag{cluster="demo",group_id="payments",topic_name="orders",partition_id="0"} 42"#,
        r#"kminion_kafka_topic_info{cluster="demo",topic_name="orders",partition_count="2",replication_factor="3"} 1"#,
        r#"kminion_kafka_topic_high_water_mark_sum{cluster="demo",topic_name="orders"} 107"#,
        r#"kminion_kafka_topic_partition_high_water_mark{cluster="demo",topic_name="orders",partition_id="1"} 7"#,
        r#"kminion_kafka_topic_partition_low_water_mark{cluster="demo",topic_name="orders",partition_id="1"} 0"#,
        r#"kafka_brokers{cluster="demo"} 3.0"#,
        r#"kafka_topic_partitions{cluster="demo",topic="orders"} 2"#,
        r#"kafka_topic_partition_current_offset{cluster="demo",topic="orders",partition="0"} 100"#,
        r#"kafka_topic_partition_leader{cluster="demo",topic="orders",partition="0"} 2"#,
        r#"kafka_topic_partition_leader_is_preferred{cluster="demo",topic="orders",partition="0"} 0"#,
        r#"kafka_topic_partition_in_sync_replica{cluster="demo",topic="orders",partition="0"} 2"#,
        r#"kafka_topic_partition_under_replicated_partition{cluster="demo",topic="audit",partition="0"} 1"#,
        r#"kafka_consumergroup_members{cluster="demo",consumergroup="payments"} 2"#,
        r#"kafka_consumergroup_lag_sum{cluster="demo",consumergroup="payments",topic="orders"} 42"#,
        r#"kafka_consumergroup_lag{cluster="demo",consumergroup="payments",topic="orders",partition="0"} 42"#,
        r#"kafka_consumergroup_current_offset{cluster="demo",consumergroup="payments",topic="orders",partition="0"} 58"#,
    ] {
        assert!(lines.contains(&line), "{line}\n{body}");
    }
    // An end that is not known makes the sum unknown.
    assert!(!body.contains(r#"high_water_mark_sum{cluster="demo",topic_name="audit"}"#));
}

#[tokio::test]
async fn series_beyond_the_bound_are_counted_by_name() {
    let metrics = |series| async move {
        let metrics = Metrics { series, ..Metrics::default() };
        let work = Arc::new(Busy { ready: true });
        site_with(flowdeck::Options { work, metrics, ..options() }).get("/metrics").await.body
    };
    let all = metrics(10_000).await;
    let count = |body: &str, name: &str| body.lines().filter(|line| line.starts_with(name)).count();
    let groups = count(&all, "flowdeck_group_") + count(&all, "flowdeck_lag_unknown_partitions{");
    assert!(!all.contains("series_left_out{"), "{all}");
    // All series of groups, and two of seven partitions.
    let body = metrics(groups + 2).await;
    assert_eq!(count(&body, "flowdeck_lag_records{"), 2);
    assert!(body.contains(&format!("flowdeck_metrics_series {}\n", groups + 2)), "{body}");
    assert!(body.contains("flowdeck_metrics_series_left_out{name=\"flowdeck_lag_records\"} 5\n"), "{body}");
}
