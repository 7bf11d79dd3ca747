//! A cluster that asks who you are: what is missing is said, with the ACL; with it, all is there.

use std::time::Duration;

use flowdeck_kafka::ClusterConfig;
use flowdeck_model::view::{ClusterView, Mode};
use flowdeck_observe::ClusterSettings;
use flowdeck_testkit::{DEADLINE, NodeOptions, ScramUser, private, unique, wait_for};

use crate::common::Running;

#[tokio::test]
async fn missing_rights_are_said_and_granted_ones_are_used() {
    let watcher = ScramUser::new("watcher", "a secret of this test");
    let broker = private(&NodeOptions { users: vec![watcher.clone()], ..NodeOptions::default() });
    let group = unique("payments");
    broker.create_topic("orders", 1).await;
    broker.produce_at("orders", [(0, "waits")]).await;
    broker.commit(&group, &[("orders", 0, 0)]);
    let mut kafka = ClusterConfig::new(broker.secure().bootstrap.clone());
    kafka.properties = broker.secure().client_properties(&watcher).into_iter().collect();
    kafka.properties.remove("bootstrap.servers");
    let mut settings = ClusterSettings::new("secure".parse().unwrap(), kafka);
    settings.mode = Mode::Control;
    settings.refresh = Duration::from_millis(200);
    settings.metadata_every = Duration::from_millis(400);
    settings.rights_every = Duration::from_millis(400);
    let running = Running::start(settings);
    let says = async |what: &str, is: &dyn Fn(&ClusterView) -> bool| {
        wait_for(what, DEADLINE, async || running.ports.fleet.clusters().into_iter().find(|one| is(one)))
            .await
    };
    let has = |view: &ClusterView, words: &str| view.notes.iter().any(|note| note.contains(words));
    says("the missing Describe", &|view| has(view, "Describe on Cluster:kafka-cluster")).await;
    says("the missing Create", &|view| has(view, "flowdeck.holds could not be created: not permitted")).await;
    broker.allow("watcher", &["Describe", "Create"], &["--cluster"]);
    broker.allow("watcher", &["Describe", "Read"], &["--topic", "*"]);
    broker.allow("watcher", &["Describe"], &["--group", "*"]);
    running.group(&group, "the group", |view| view.row.lag == Some(1)).await;
    let says_why = |facts: &[String], words: &str| facts.iter().any(|fact| fact.contains(words));
    let view =
        running.group(&group, "what cannot be told without rights", |view| view.facts.len() == 2).await;
    for missing in [
        "not known: not permitted: DescribeConfigs on Topic:orders",
        "DescribeConfigs on Cluster:kafka-cluster",
    ] {
        assert!(says_why(&view.facts, missing), "{missing}: {:?}", view.facts);
    }
    says("nothing is missing", &|view| {
        !has(view, "Describe on Cluster") && !has(view, "could not be created")
    })
    .await;
    running.stop().await;
}
