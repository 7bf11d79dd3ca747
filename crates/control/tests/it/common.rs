//! A running service on the tests' broker, and what tests wait for.

use std::time::Duration;

use flowdeck_control::{Admin, AdminSettings};
use flowdeck_kafka::ClusterConfig;
use flowdeck_model::ports::Bind;
use flowdeck_model::view::{GroupView, Mode};
use flowdeck_model::{
    Action, Actor, ClusterName, CommandId, Grant, Partition, Permission, Ports, Submit, Target, TopicName,
    Via,
};
use flowdeck_observe::{AdminTopics, ClusterSettings};
use flowdeck_testkit::{DEADLINE, kafka, unique, wait_for};
use tokio_util::sync::CancellationToken;

use crate::fake_instance::FakeInstance;

pub(crate) struct Running {
    pub(crate) admin: Admin,
    pub(crate) cluster: ClusterName,
    pub(crate) ports: Ports,
    pub(crate) settings: ClusterSettings,
    shutdown: CancellationToken,
}

pub(crate) fn topic(name: &str) -> TopicName {
    name.parse().expect("a topic's name")
}

/// Settings with intervals for tests, and with topics of the test's own.
pub(crate) fn settings(mode: Mode) -> ClusterSettings {
    let mut settings = ClusterSettings::new("test".parse().unwrap(), ClusterConfig::new(kafka().bootstrap()));
    settings.mode = mode;
    settings.admin_topics = vec![AdminTopics::one(topic(&unique("admin")))];
    settings.holds_topic = topic(&unique("holds"));
    settings.acks_topic = topic(&unique("acks"));
    settings.writer_id = unique("writer");
    settings.refresh = Duration::from_millis(200);
    settings.metadata_every = Duration::from_millis(400);
    settings.timing.tick = Duration::from_millis(50);
    settings.timing.agent_deadline = Duration::from_millis(1_500);
    settings.timing.kafkaflow_deadline = Duration::from_millis(2_500);
    settings.timing.kafkaflow_resume_deadline = Duration::from_secs(4);
    settings.timing.resend_every = Duration::from_secs(1);
    settings.audit_topic = topic(&unique("audit"));
    settings.samples_topic = topic(&unique("samples"));
    settings
}

impl Running {
    pub(crate) fn start(settings: ClusterSettings) -> Self {
        Self::start_with(settings, AdminSettings::default())
    }

    pub(crate) fn start_with(settings: ClusterSettings, admin: AdminSettings) -> Self {
        let shutdown = CancellationToken::new();
        let admin = Admin::start(admin, vec![settings.clone()], shutdown.clone());
        let ports = admin.bind(Actor::anonymous(Via::Api, None));
        Self { admin, cluster: settings.name.clone(), ports, settings, shutdown }
    }

    pub(crate) async fn stop(self) {
        self.shutdown.cancel();
        assert!(self.admin.join(Duration::from_secs(10)).await, "a task did not end");
    }

    /// Sends telemetry until it shows the instance in a group that the brokers know.
    pub(crate) async fn heard(&self, instance: &FakeInstance, running: &[i32]) {
        self.heard_by(&self.ports, instance, running).await;
    }

    pub(crate) async fn heard_by(&self, ports: &Ports, instance: &FakeInstance, running: &[i32]) {
        wait_for("the instance is heard", DEADLINE, async || {
            instance.says(running, &[]).await;
            let view = ports.fleet.group(&self.cluster, &instance.group.as_str().into()).ok()?;
            let mut instances = view.consumers.iter().flat_map(|consumer| &consumer.instances);
            instances.any(|one| one.instance.as_str() == instance.instance).then_some(())
        })
        .await;
    }

    /// Somebody who may do just this, everywhere.
    pub(crate) fn who_may(&self, permissions: &[Permission]) -> Ports {
        self.who(vec![Grant::everywhere(permissions)])
    }

    pub(crate) fn who(&self, grants: Vec<Grant>) -> Ports {
        self.admin.bind(Actor::new(Actor::anonymous(Via::Page, None).view, grants))
    }

    /// The group's view, once it is as wanted.
    pub(crate) async fn group(&self, group: &str, what: &str, is: impl Fn(&GroupView) -> bool) -> GroupView {
        let group = group.into();
        wait_for(what, DEADLINE, async || {
            self.ports.fleet.group(&self.cluster, &group).ok().filter(|view| is(view))
        })
        .await
    }
}

pub(crate) fn submit(action: Action, group: &str, consumer: Option<&str>, topics: &[&str]) -> Submit {
    let target = Target {
        consumer: consumer.map(Into::into),
        topics: topics.iter().map(|name| topic(name)).collect(),
        ..Target::group(group.into())
    };
    Submit {
        id: CommandId::random(),
        action,
        target,
        reason: "INC-1".to_owned(),
        ends: None,
        offsets: None,
        by: None,
    }
}

pub(crate) fn partition(number: i32) -> Partition {
    Partition::new(number).expect("0 or more")
}
