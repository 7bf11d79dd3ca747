//! A cluster in observe mode: nothing is created, not one record is produced, whatever is called.

use flowdeck_kafka::ClusterConfig;
use flowdeck_model::view::Mode;
use flowdeck_model::{Action, CommandId, FleetQuery, MessagesQuery, PortError};
use flowdeck_observe::ClusterSettings;
use flowdeck_testkit::{DEADLINE, NodeOptions, kafka, private, unique, wait_for};

use crate::common::{Running, settings, submit, topic};
use crate::fake_instance::{FakeInstance, external};

#[tokio::test]
async fn nothing_is_written() {
    let kafka = kafka();
    let (name, group) = (unique("orders"), unique("payments"));
    let settings = settings(Mode::Observe);
    let admin = settings.admin_topics[0].telemetry.0.to_string();
    kafka.create_topic(&name, 1).await;
    kafka.create_topic(&admin, 1).await;
    kafka.commit(&group, &[(&name, 0, 0)]);
    let running = Running::start(settings.clone());
    running.heard(&FakeInstance::new(&settings, &group, "pay", &name), &[0]).await;
    let command = flowdeck_protocol::kafkaflow::Command::PauseConsumersByGroup {
        group: group.as_str().into(),
        topics: vec![],
    };
    external(&settings, command).await;
    let own = |topics: Vec<(String, usize)>| {
        let mine =
            [settings.holds_topic.as_str(), settings.acks_topic.as_str(), admin.as_str(), name.as_str()];
        topics
            .into_iter()
            .filter(|(topic, _)| mine.contains(&topic.as_str()) || topic.starts_with("ghost"))
            .collect::<Vec<_>>()
    };
    let before = (own(kafka.topics()), kafka.read_all(&admin).len(), kafka.read_all(&name).len());
    let (fleet, cluster) = (&running.ports.fleet, &running.cluster);
    fleet.fleet(&FleetQuery::default()).unwrap();
    fleet.group(cluster, &group.as_str().into()).unwrap();
    fleet.topics(cluster).unwrap();
    fleet.topic(cluster, &topic(&name)).await.unwrap();
    let ghost = topic(&unique("ghost"));
    assert!(matches!(fleet.topic(cluster, &ghost).await, Err(PortError::NotFound { .. })));
    let messages = running.ports.peek.messages(cluster, &ghost, &MessagesQuery::default()).await;
    assert!(matches!(messages, Err(PortError::NotFound { .. })));
    running.ports.peek.messages(cluster, &topic(&name), &MessagesQuery::default()).await.unwrap();
    for action in [Action::Pause, Action::Resume] {
        let refused = running.ports.control.submit(cluster, submit(action, &group, None, &[])).await;
        assert!(matches!(refused, Err(PortError::ObserveMode { .. })));
    }
    assert!(running.ports.control.command(cluster, CommandId::random()).is_err());
    let after = (own(kafka.topics()), kafka.read_all(&admin).len(), kafka.read_all(&name).len());
    assert_eq!(before, after);
    running.stop().await;
}

/// A broker that is away at the start and later: pages with ages, and recovery by itself.
#[tokio::test]
async fn a_broker_that_comes_goes_and_comes_back() {
    let mut broker = private(&NodeOptions::default());
    let group = unique("g");
    broker.create_topic("t", 1).await;
    broker.commit(&group, &[("t", 0, 0)]);
    let mut config = ClusterSettings::new("test".parse().unwrap(), ClusterConfig::new(broker.bootstrap()));
    broker.stop();
    config.refresh = std::time::Duration::from_millis(200);
    config.call_deadline = std::time::Duration::from_secs(2);
    let running = Running::start(config);
    let ready = wait_for("the error", DEADLINE, async || {
        let ready = running.admin.ready();
        ready.clusters[0].error.is_some().then_some(ready)
    });
    assert!(ready.await.clusters[0].as_of.is_none());
    assert!(running.ports.fleet.fleet(&FleetQuery::default()).unwrap().partial);
    broker.start_again();
    running.group(&group, "the group", |view| view.cluster_info.error.is_none()).await;
    broker.stop();
    let view = running.group(&group, "age and error", |view| view.cluster_info.error.is_some()).await;
    assert_eq!((view.row.lag, view.row.as_of.is_some()), (Some(0), true));
    let pause =
        running.ports.control.submit(&running.cluster, submit(Action::Pause, &group, None, &[])).await;
    assert!(matches!(pause, Err(PortError::ObserveMode { .. })));
    broker.start_again();
    running.group(&group, "recovered", |view| view.cluster_info.error.is_none()).await;
    running.stop().await;
}
