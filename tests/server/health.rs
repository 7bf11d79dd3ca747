//! Paths for machines.

use std::sync::Arc;

use flowdeck::config::Limits;
use flowdeck::{LagVisitor, Number, Work};
use flowdeck_model::Partition;
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

    fn lag(&self, visit: LagVisitor<'_>) {
        let partition = |number| Partition::new(number).unwrap();
        let (topic, hostile) = ("orders".parse().unwrap(), "a\"} 1\nflowdeck_lag_records{group=\"b".into());
        visit(&cluster("demo"), &"payments".into(), &topic, partition(0), Some(42));
        visit(&cluster("demo"), &"payments".into(), &topic, partition(1), None);
        visit(&cluster("demo"), &hostile, &topic, partition(0), Some(1));
        let long = "g".repeat(249);
        for group in ["g\u{1}", "g\u{2}", "g\u{fffd}", &format!("{long}a"), &format!("{long}b")] {
            visit(&cluster("demo"), &group.into(), &topic, partition(0), Some(1));
            visit(&cluster("demo"), &group.into(), &topic, partition(1), None);
        }
    }

    fn numbers(&self) -> Vec<Number> {
        let label = vec![("cluster", "demo".to_owned())];
        vec![Number { name: "refresh_seconds", help: "Time spent", counter: true, labels: label, value: 1.5 }]
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
}
