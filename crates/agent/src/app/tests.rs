use super::*;
use crate::dead_letters::DeadLetters;
use crate::failure::Then;
use crate::health::HealthStatus;
use crate::producer::TopicFields;
use crate::record::{Record, TopicPartition};
use crate::testing::RecordingPublisher;
use crate::{Json, Router};

fn config() -> ClientConfig {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", "127.0.0.1:1");
    config
}

fn app() -> App {
    App::new(config()).unwrap()
}

fn router() -> Router<()> {
    Router::new(()).fallback(async |Json(_): Json<u32>| {})
}

/// Of one topic, named as it.
fn orders(consumer: AgentBuilder) -> AgentBuilder<Router<()>> {
    consumer.topics(["orders"]).handler(router())
}

async fn refused(app: App) -> String {
    app.start().await.err().unwrap().to_string()
}

#[tokio::test]
async fn consumers_of_one_name_are_refused_with_what_to_do() {
    assert!(refused(app()).await.contains("call consumer(...)"));
    let same_group = refused(app().consumer("g", orders).consumer("g", orders)).await;
    assert!(same_group.contains("\"g\" and \"g\": give one of them another name"), "{same_group}");
    let named = |consumer: AgentBuilder| orders(consumer.consumer("c"));
    let other_group = refused(app().consumer("g", named).consumer("h", named)).await;
    assert!(other_group.contains("are named \"c\", of the groups \"g\" and \"h\""), "{other_group}");
}

#[tokio::test]
async fn consumer_that_can_never_work_is_named_before_anything_starts() {
    let app = app().wait_for_cluster(1, Duration::ZERO).consumer("orders", orders);
    let error = app.consumer("payments", |consumer| consumer.handler(router())).start().await.err().unwrap();
    let AppError::NotStarted { consumer, group, source } = error else { panic!("{error}") };
    assert_eq!((consumer.as_str(), group.as_str()), ("payments", "payments"));
    assert!(matches!(*source, AgentError::NoTopics { .. }), "{source}");
}

#[tokio::test]
async fn defaults_behind_a_consumer_are_refused() {
    let error = refused(app().consumer("orders", orders).defaults(|all| all.workers(3))).await;
    assert!(error.contains("its consumer \"orders\"") && error.contains("before consumer"), "{error}");
}

#[tokio::test]
async fn retry_topic_belongs_to_one_consumer_of_a_group() {
    let retries = |topic: &'static str| crate::RetryTopics::new().topic(topic, Duration::from_secs(60));
    let payments = |consumer: AgentBuilder| {
        consumer.consumer("payments").topics(["payments"]).then(Then::PausePartition).handler(router())
    };
    let shared = app().defaults(|all| all.retry_topics(retries("retry")));
    let error = refused(shared.consumer("g", orders).consumer("g", payments)).await;
    assert!(error.contains("\"g\" and \"payments\"") && error.contains("\"retry\" in common"), "{error}");
    let options = crate::bus::BusOptions::default().defaults(|all| all.retry_topics(retries("retry")));
    let bus = crate::bus::Bus::new(config(), "g", options).err().unwrap();
    assert!(bus.to_string().contains("a bus has no retry topics"), "{bus}");
}

#[tokio::test]
async fn topic_is_created_in_one_way() {
    let spec = || TopicSpec::new("orders").partitions(3);
    let twice_alike = app().create_topics([spec(), spec()]).topics_to_create().unwrap();
    assert_eq!(twice_alike, [spec()]);
    let app = app().create_topics([spec()]);
    let error =
        refused(app.consumer("orders", |consumer| orders(consumer.create_topics([spec().partitions(4)]))));
    assert_eq!(
        error.await,
        "the app is to create \"orders\" in two ways: name the topic once, or twice alike"
    );
    let error = refused(self::app().create_topics([TopicSpec::new("a/b")]).consumer("g", orders)).await;
    assert!(error.contains("a/b"), "{error}");
}

#[tokio::test]
async fn failed_records_are_sent_by_the_app_unless_a_consumer_says_otherwise() {
    let (of_app, own) = (RecordingPublisher::default(), RecordingPublisher::default());
    let at = TopicPartition::parse("orders", 0).unwrap();
    let record = Record::made_up(at, 7, None, None, None, vec![]);
    for (letters, of_both) in
        [(DeadLetters::to("dlq"), (1, 0)), (DeadLetters::to("dlq").by(own.clone()), (1, 1))]
    {
        let builder = AgentBuilder::template().topics(["orders"]).dead_letters(letters);
        let checked = builder.failed_records_by(&of_app).checked().unwrap();
        let letters = checked.settings.dead_letters.unwrap();
        letters.send("g", &record, None, 1, &"no".into()).await.unwrap();
        assert_eq!((of_app.messages().len(), own.messages().len()), of_both);
    }
}

#[test]
fn start_and_end_may_run_on_any_thread() {
    fn is_send<T: Send>(_: &T) {}
    fn until_stopped(running: RunningApp) -> impl Future<Output = Result<(), AppError>> + Send {
        running.run_until(std::future::pending())
    }
    is_send(&app().start());
    let _ = until_stopped;
}

#[test]
fn each_consumer_has_the_defaults_unless_it_says_otherwise() {
    let defaults = AgentBuilder::template().workers(4).buffer(7).start_paused().label("region", "eu-1");
    let defaults = defaults.property("session.timeout.ms", "6000");
    let of_group = || orders(defaults.clone().of_group(&config(), "orders".into()));
    let plain = of_group().checked().unwrap();
    assert_eq!((plain.settings.workers, plain.settings.buffer, plain.settings.start_paused), (4, 7, true));
    assert_eq!((plain.settings.group.as_str(), plain.settings.consumer.as_str()), ("orders", "orders"));
    assert_eq!(plain.settings.labels["region"], "eu-1");
    let property = |config: &ClientConfig, name: &str| config.get(name).map(str::to_owned);
    assert_eq!(property(&plain.config, "session.timeout.ms").as_deref(), Some("6000"));
    assert_eq!(property(&plain.config, "bootstrap.servers").as_deref(), Some("127.0.0.1:1"));
    let own = of_group().workers(1).start_running().property("session.timeout.ms", "9000").checked().unwrap();
    assert_eq!((own.settings.workers, own.settings.buffer, own.settings.start_paused), (1, 7, false));
    assert_eq!(property(&own.config, "session.timeout.ms").as_deref(), Some("9000"));
}

#[test]
fn environment_names_events_and_sets_tries_and_commits() {
    let settings = |more: &[(&str, &str)]| {
        let brokers = [("KAFKA_BOOTSTRAP_SERVERS", "127.0.0.1:1")];
        let all = brokers.iter().chain(more).map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        KafkaSettings::from_variables(all).unwrap()
    };
    let topic = TopicFields::new("orders");
    let bare = App::of(&settings(&[])).unwrap();
    assert_eq!(bare.naming.name(&topic).unwrap(), "orders");
    assert_eq!(bare.defaults.policy(), OnError::default());
    let app = App::of(&settings(&[
        ("KAFKA_TOPIC_PREFIX", "dev"),
        ("Kafka__MaxRetryAttempts", "4"),
        ("Kafka__RetryDelaySeconds", "2"),
        ("Kafka__AutoCommitIntervalMs", "250"),
        ("Kafka__MessageRetentionMs", "60000"),
    ]));
    let mut app = app.unwrap().create_topics([TopicSpec::new("orders")]);
    assert_eq!(app.naming.name(&topic).unwrap(), "dev-orders");
    let policy = app.defaults.policy();
    assert_eq!((policy.retries, policy.backoff.as_secs(), policy.then), (3, 2, Then::PausePartition));
    let kept = TopicSpec::new("orders").retention(Duration::from_secs(60));
    assert_eq!(app.topics_to_create().unwrap(), [kept]);
    let checked = orders(app.defaults.clone()).checked().unwrap();
    assert_eq!(checked.settings.timings.commit.as_millis(), 250);
}

#[tokio::test]
async fn consumers_of_one_group_run_under_names_of_their_own() {
    let app = app().defaults(|all| {
        all.timings(crate::Timings { shutdown_timeout: Duration::ZERO, ..crate::Timings::default() })
    });
    let second = |consumer: AgentBuilder| consumer.consumer("returns").topics(["returns"]).handler(router());
    let running = app.consumer("orders", orders).consumer("orders", second).start().await.unwrap();
    let names: Vec<&str> = running.consumers().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["orders", "returns"]);
    assert!(running.consumer("returns").is_some() && running.consumer("other").is_none());
    let health = running.health();
    assert_eq!((health.health().status, health.is_live()), (HealthStatus::Unhealthy, true));
    assert_eq!(
        health.health().checks["kafka"].detail,
        "orders: the cluster has not answered yet; returns: the cluster has not answered yet"
    );
    drop(running);
}
