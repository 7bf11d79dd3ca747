//! The start and the end: waiting for the cluster, topics that are created, health, `run_until`.

use std::time::{Duration, Instant};

use crate::common::{Agents as _, noting, quick, settled};
use flowdeck_agent::health::{HealthStatus, router};
use flowdeck_agent::{Agent, AgentError, ClientConfig, Timings, TopicSpec};
use flowdeck_testkit::{DEADLINE, Kafka, NodeOptions, World, kafka, private, unique, wait_for};
use tower::ServiceExt as _;

/// How long there is no broker; `cargo xtask soak agent-start` says a minute.
fn absent() -> Duration {
    let seconds = std::env::var("FLOWDECK_ABSENT_SECONDS").ok().and_then(|text| text.parse().ok());
    Duration::from_secs(seconds.unwrap_or(3))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_waits_for_a_broker_that_is_absent() {
    let mut broker = private(&NodeOptions::default());
    let kafka = Kafka::at(broker.bootstrap());
    let topic = unique("topic");
    kafka.create_topic(&topic, 1).await;
    kafka.produce(&topic, 0, ["one"]).await;
    broker.stop();
    let (seen, handler) = noting(0);
    let mut config = kafka.client();
    config.set("auto.offset.reset", "earliest");
    let absent = absent();
    let tries = 60 + u32::try_from(absent.as_secs()).unwrap() * 2;
    let starts = Agent::builder(config, unique("group"))
        .topics([&*topic])
        .wait_for_cluster(tries, Duration::from_millis(500))
        .handler(handler)
        .start();
    let comes = async {
        tokio::time::sleep(absent).await;
        tokio::task::block_in_place(|| broker.start_again());
    };
    let (agent, ()) = tokio::join!(starts, comes);
    let agent = agent.unwrap();
    agent.ready().await;
    seen.wait_for(1).await;
    agent.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_ends_with_an_error_after_its_tries() {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", "127.0.0.1:1");
    let (_, handler) = noting(0);
    let begin = Instant::now();
    let agent = Agent::builder(config, "g").topics(["t"]).wait_for_cluster(2, Duration::from_millis(10));
    let error = agent.handler(handler).start().await.err().unwrap();
    assert!(matches!(error, AgentError::NotPrepared { tries: 2, .. }), "{error}");
    assert!(begin.elapsed() < Duration::from_secs(25), "{:?}", begin.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn missing_topics_are_created_and_others_stay_as_they_are() {
    let world = World::new(2).await;
    let (new, kept) = (unique("new"), Duration::from_secs(7_200));
    let (_, handler) = noting(0);
    let topics = [
        TopicSpec::new(&*new).partitions(4).replication(1).retention(kept),
        TopicSpec::new(&*world.topic).partitions(9),
    ];
    let agent = world.agent("i-1").create_topics(topics).handler(handler).start().await.unwrap();
    let listed = kafka().topics();
    let partitions = |topic: &str| listed.iter().find(|(name, _)| name == topic).map(|(_, count)| *count);
    assert_eq!((partitions(&new), partitions(&world.topic)), (Some(4), Some(2)));
    let described = ["--describe", "--entity-type", "topics", "--entity-name", &*new];
    let described = kafka().tool(flowdeck_testkit::Tool::Configs, &described);
    assert!(described.contains("retention.ms=7200000"), "{described}");
    agent.stop().await.unwrap();
    let (_, handler) = noting(0);
    let bad = world.agent("i-1").create_topics([TopicSpec::new("a/b")]).handler(handler).start().await;
    assert!(matches!(bad.err(), Some(AgentError::Topic { .. })));
}

#[tokio::test(flavor = "multi_thread")]
async fn health_is_503_while_the_broker_is_away_and_life_goes_on() {
    let mut broker = private(&NodeOptions::default());
    let world = World::on(Kafka::at(broker.bootstrap()), 1).await;
    let (_, handler) = noting(0);
    let agent = world.agent("i-1").handler(handler).start().await.unwrap();
    settled(&agent, 1, 0).await;
    let routes = router(agent.health());
    let ask = async |path: &str| {
        let request = axum::http::Request::get(path).body(axum::body::Body::empty()).unwrap();
        let answer = routes.clone().oneshot(request).await.unwrap();
        let status = answer.status().as_u16();
        (status, axum::body::to_bytes(answer.into_body(), 10_000).await.unwrap())
    };
    let status = async |want: u16| {
        wait_for(&format!("{want}"), 2 * DEADLINE, async || (ask("/health").await.0 == want).then_some(()))
            .await;
    };
    status(200).await;
    let json: serde_json::Value = serde_json::from_slice(&ask("/health/ready").await.1).unwrap();
    assert_eq!((&json["status"], &json["checks"]["kafka"]["status"]), (&"Healthy".into(), &"Healthy".into()));
    broker.stop();
    status(503).await;
    assert_eq!(ask("/health/live").await.0, 200);
    assert_eq!(agent.health().health().checks["kafka"].status, HealthStatus::Unhealthy);
    broker.start_again();
    status(200).await;
    agent.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn it_runs_until_its_signal() {
    let world = World::new(1).await;
    world.produce(0, 3).await;
    let (seen, handler) = noting(0);
    let agent = world.agent("i-1").handler(handler).start().await.unwrap();
    agent.run_until(seen.wait_for(3)).await.unwrap();
    assert_eq!(crate::runtime::committed(&world, 0), Some(3));
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_broker_it_is_not_ready_and_not_healthy() {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", "127.0.0.1:1");
    let (_, handler) = noting(0);
    let timings = Timings { holds: Duration::from_millis(200), ..quick() };
    let agent = Agent::builder(config, "g").topics(["t"]).timings(timings).handler(handler);
    let agent = agent.start().await.unwrap();
    wait_for("the holds to be given up", DEADLINE, async || agent.holds_unknown()).await;
    assert!(tokio::time::timeout(Duration::from_secs(2), agent.ready()).await.is_err());
    let health = agent.health();
    assert_eq!((health.health().status, health.is_live()), (HealthStatus::Unhealthy, true));
    drop(agent);
}
