//! The dashboard inside a service: what `UseKafkaFlowDashboard()` is in .NET, as `crates/agent/FROM_KAFKAFLOW.md` has it.

use std::future::IntoFuture as _;
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use flowdeck::config::{Config, Environment, Flags};
use flowdeck::{Options, kafka};
use flowdeck_testkit::{NodeOptions, private, wait_for};
use tokio_util::sync::CancellationToken;

use super::LIMIT;

/// As the guide has it.
fn mounted(bootstrap: &str, stop: &CancellationToken) -> (Router, kafka::Running) {
    let flags = Flags {
        clusters: vec![format!("dev={bootstrap}")],
        base: Some("/ops/kafka".to_owned()),
        ..Flags::default()
    };
    let config = Config::load(&flags, &Environment::default()).expect("a configuration");
    let admin = kafka::start(&config, stop.clone());
    let mut options = Options::from_config(&config);
    options.shutdown = stop.clone();
    let dashboard = flowdeck::service(admin.bind(), options);
    let app = Router::new()
        .route("/", get(|| async { "the service's own page" }))
        .nest_service("/ops/kafka", dashboard);
    (app, admin)
}

#[tokio::test(flavor = "multi_thread")]
async fn dashboard_mounted_in_a_service_shows_its_cluster() {
    let kafka = private(&NodeOptions::default());
    kafka.create_topic("orders", 1).await;
    kafka.produce("orders", 0, ["1", "2"]).await;
    kafka.commit("billing", &[("orders", 0, 1)]);
    let stop = CancellationToken::new();
    let (app, admin) = mounted(kafka.bootstrap(), &stop);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let served = tokio::spawn(
        axum::serve(listener, app).with_graceful_shutdown(stop.clone().cancelled_owned()).into_future(),
    );
    let text = async |path: &str| reqwest::get(format!("{url}{path}")).await.unwrap().text().await.unwrap();
    assert_eq!(text("/").await, "the service's own page");
    let shows = || text("/ops/kafka/c/dev/groups/billing");
    wait_for("the group's page", LIMIT, async || Some(shows().await).filter(|page| page.contains("orders")))
        .await;
    assert!(text("/ops/kafka").await.contains("href=\"/ops/kafka/c/dev/groups/billing"));
    stop.cancel();
    assert!(admin.join(Duration::from_secs(30)).await, "the admin service ends");
    served.await.unwrap().unwrap();
}
