//! Who may see one group of a cluster: its rows and what is said of it, and of the others no row, no
//! number and no name.

use flowdeck_control::AdminSettings;
use flowdeck_model::bulk::{BulkAction, BulkRequest};
use flowdeck_model::ports::Bind as _;
use flowdeck_model::redrive::{RedriveRecords, RedriveRequest, RedriveTarget, SubmitRedrive};
use flowdeck_model::view::{CommandView, FleetView, Mode};
use flowdeck_model::{
    Action, Actor, AuditQuery, BulkQuery, CommandId, FleetQuery, Grant, GroupId, MessagesQuery, Pattern,
    Permission, PortError, Ports, RetentionQuery, RetentionRequest, Submit, SubmitBulk, SubmitRetention, Via,
};
use flowdeck_protocol::kafkaflow::Command;
use flowdeck_testkit::{DEADLINE, kafka, unique, wait_for};

use crate::common::{Running, settings, submit, topic};
use crate::fake_instance::{FakeInstance, external};

/// Two groups on one topic, 3 and 4 records behind; the hidden one 7 more on a topic of its own.
pub(crate) struct Scene {
    pub(crate) running: Running,
    /// The group that may be seen.
    pub(crate) own: String,
    pub(crate) hidden: String,
    shared: String,
    /// The hidden group alone reads it.
    alone: String,
}

fn grant(permissions: &[Permission], cluster: &str, group: &str) -> Grant {
    Grant {
        permissions: permissions.to_vec(),
        clusters: Pattern::new(cluster),
        groups: Pattern::new(group),
        topics: Pattern::any(),
    }
}

impl Scene {
    pub(crate) async fn new() -> Self {
        let kafka = kafka();
        let (own, hidden) = (unique("payments"), unique("secret"));
        let (shared, alone) = (unique("orders"), unique("ledger"));
        let mut settings = settings(Mode::Control);
        settings.timing.external_per_minute = 1;
        settings.ledger_topic = topic(&unique("redriven"));
        for name in [&shared, &alone, settings.admin_topics[0].telemetry.0.as_str()] {
            kafka.create_topic(name, 1).await;
        }
        kafka.produce(&shared, 0, (0..5).map(|n| n.to_string())).await;
        kafka.produce(&alone, 0, (0..7).map(|n| n.to_string())).await;
        kafka.commit(&own, &[(&shared, 0, 2)]);
        kafka.commit(&hidden, &[(&shared, 0, 1), (&alone, 0, 0)]);
        let mut limits = AdminSettings::default();
        limits.observe.telemetry.instances_per_group = 1;
        let running = Running::start_with(settings, limits);
        running.group(&own, "the lag of the one", |view| view.row.lag == Some(3)).await;
        running.group(&hidden, "the lag of the other", |view| view.row.lag == Some(11)).await;
        Self { running, own, hidden, shared, alone }
    }

    fn with(&self, grants: Vec<Grant>) -> Ports {
        let view = Actor::anonymous(Via::Api, None).view;
        self.running.admin.bind(Actor::new(view, grants))
    }

    /// Everything, on one group.
    pub(crate) fn limited(&self) -> Ports {
        self.with(vec![grant(&Permission::ALL, "*", &self.own)])
    }

    /// Everything, on clusters that are others.
    pub(crate) fn elsewhere(&self) -> Ports {
        self.with(vec![grant(&Permission::ALL, "other", "*")])
    }

    /// An agent of the group is heard, so that it can be paused.
    pub(crate) async fn agent(&self, group: &str) -> FakeInstance {
        let agent =
            FakeInstance::new(&self.running.settings, group, &unique("consumer"), &self.shared).agent();
        self.running.heard(&agent, &[0]).await;
        agent
    }

    /// A pause of the group, by who may do everything.
    pub(crate) async fn pause(&self, group: &str) -> CommandView {
        let pause = submit(Action::Pause, group, None, &[]);
        let (control, cluster) = (&self.running.ports.control, &self.running.cluster);
        control.submit(cluster, pause.clone()).await.unwrap();
        control.command(cluster, pause.id).unwrap()
    }
}

fn found(ports: &Ports, search: &str) -> FleetView {
    let view = ports.fleet.fleet(&FleetQuery { search: search.to_owned(), ..FleetQuery::default() }).unwrap();
    let counted: u32 = view.counts.iter().map(|count| count.groups).sum();
    assert_eq!((view.groups.len(), counted), (view.total as usize, view.total), "{search}");
    view
}

pub(crate) fn is_forbidden<T>(answer: &Result<T, PortError>) -> bool {
    matches!(answer, Err(PortError::Forbidden { .. }))
}

#[tokio::test]
async fn rows_counts_and_lag_are_of_the_groups_that_may_be_seen() {
    let scene = Scene::new().await;
    let (all, limited) = (&scene.running.ports, scene.limited());
    for (search, everything, seen) in [
        (&scene.own, (1, Some(3)), (1, Some(3))),
        (&scene.hidden, (1, Some(11)), (0, None)),
        (&scene.shared, (2, Some(14)), (1, Some(3))),
        (&scene.alone, (1, Some(11)), (0, None)),
    ] {
        for (who, ports, want) in [("all", all, everything), ("limited", &limited, seen)] {
            let view = found(ports, search);
            assert_eq!((view.total, view.lag), want, "{who}: {search}");
        }
    }
    for search in ["", "test"] {
        let whole = found(&limited, search);
        let rows: Vec<&str> = whole.groups.iter().map(|row| row.group.as_str()).collect();
        assert_eq!((rows, whole.lag), (vec![scene.own.as_str()], Some(3)), "{search:?}");
        assert_eq!(whole.clusters.len(), 1);
    }
    let elsewhere = scene.elsewhere();
    let nothing = found(&elsewhere, "");
    assert_eq!((nothing.total, nothing.lag, nothing.clusters), (0, None, vec![]));
    assert_eq!(elsewhere.fleet.clusters(), []);
    let asked = FleetQuery { cluster: Some(scene.running.cluster.clone()), ..FleetQuery::default() };
    assert!(is_forbidden(&elsewhere.fleet.fleet(&asked)));
    scene.running.stop().await;
}

#[tokio::test]
async fn readers_of_a_topic_are_those_that_may_be_seen() {
    let scene = Scene::new().await;
    let (all, limited, cluster) = (&scene.running.ports, scene.limited(), &scene.running.cluster);
    let mut both = vec![scene.own.as_str(), scene.hidden.as_str()];
    both.sort_unstable();
    for (who, ports, shared, alone) in [
        ("all", all, both, vec![scene.hidden.as_str()]),
        ("limited", &limited, vec![scene.own.as_str()], vec![]),
    ] {
        let list = ports.fleet.topics(cluster).unwrap().topics;
        for (name, want) in [(&scene.shared, shared), (&scene.alone, alone)] {
            let row = list.iter().find(|row| row.topic.as_str() == name).expect("the topic");
            assert_eq!(row.readers as usize, want.len(), "{who}: {name}");
            let view = ports.fleet.topic(cluster, &topic(name)).await.unwrap();
            let readers: Vec<&str> = view.readers.iter().map(|row| row.group.as_str()).collect();
            assert_eq!(readers, want, "{who}: {name}");
        }
    }
    let elsewhere = scene.elsewhere();
    assert!(is_forbidden(&elsewhere.fleet.topics(cluster)));
    assert!(is_forbidden(&elsewhere.fleet.topic(cluster, &topic(&scene.shared)).await));
    scene.running.stop().await;
}

#[tokio::test]
async fn records_are_for_who_may_read_them_of_a_group_that_reads_the_topic() {
    let scene = Scene::new().await;
    let cluster = &scene.running.cluster;
    let see = [Permission::View];
    let read = [Permission::View, Permission::ReadPayloads];
    for (who, grants, of_shared, of_alone) in [
        ("all", vec![grant(&read, "*", "*")], true, true),
        ("own", vec![grant(&read, "*", &scene.own)], true, false),
        ("hidden", vec![grant(&read, "*", &scene.hidden)], true, true),
        ("own, and sees all", vec![grant(&see, "*", "*"), grant(&read, "*", &scene.own)], true, false),
        ("sees", vec![grant(&see, "*", "*")], false, false),
        ("elsewhere", vec![grant(&read, "other", "*")], false, false),
    ] {
        let ports = scene.with(grants);
        for (name, may) in [(scene.shared.as_str(), of_shared), (scene.alone.as_str(), of_alone)] {
            let answer = ports.peek.messages(cluster, &topic(name), &MessagesQuery::default()).await;
            match answer {
                Ok(view) => assert!(may && !view.records.is_empty(), "{who}: {name}"),
                Err(error) => assert!(!may && is_forbidden(&Err::<(), _>(error)), "{who}: {name}"),
            }
        }
    }
    // And whether a topic is there is not told by the refusal.
    let limited = scene.limited();
    let mut said = vec![];
    for name in [scene.alone.as_str(), "no-such-topic"] {
        let refused = limited.peek.messages(cluster, &topic(name), &MessagesQuery::default()).await;
        said.push(refused.expect_err("a refusal").to_string().replace(name, "TOPIC"));
    }
    assert_eq!(said[0], said[1]);
    scene.running.stop().await;
}

/// The holds, their acks and KafkaFlow's telemetry name every group: that one's own group reads them, as
/// KafkaFlow's consumers of commands do, is no right to the others.
#[tokio::test]
async fn topics_that_name_every_group_are_for_who_may_read_all() {
    let scene = Scene::new().await;
    let (settings, cluster) = (&scene.running.settings, &scene.running.cluster);
    let admin = settings.admin_topics[0].telemetry.0.clone();
    scene.agent(&scene.hidden).await;
    scene.pause(&scene.hidden).await;
    kafka().commit(&scene.own, &[(admin.as_str(), 0, 0), (settings.holds_topic.as_str(), 0, 0)]);
    scene.running.group(&scene.own, "it reads them", |view| view.row.topic_count == 3).await;
    let limited = scene.limited();
    for name in [&admin, &settings.holds_topic] {
        let refused = limited.peek.messages(cluster, name, &MessagesQuery::default()).await;
        assert!(is_forbidden(&refused), "{name}: {refused:?}");
        let read = scene.running.ports.peek.messages(cluster, name, &MessagesQuery::default()).await.unwrap();
        assert!(!read.records.is_empty(), "{name}");
    }
    scene.running.stop().await;
}

#[tokio::test]
async fn a_hidden_group_and_its_commands_are_as_what_is_not_there() {
    let scene = Scene::new().await;
    let (limited, cluster) = (scene.limited(), &scene.running.cluster);
    let mut commands = vec![];
    for group in [&scene.own, &scene.hidden] {
        scene.agent(group).await;
        commands.push(scene.pause(group).await.id);
    }
    assert_eq!(limited.control.command(cluster, commands[0]).unwrap().id, commands[0]);
    let said = [commands[1], CommandId::random()].map(|id| {
        let refused = limited.control.command(cluster, id).expect_err("a refusal");
        assert!(matches!(refused, PortError::NotFound { .. }), "{refused}");
        refused.to_string().replace(&id.to_string(), "ID")
    });
    assert_eq!(said[0], said[1]);
    assert!(is_forbidden(&scene.elsewhere().control.command(cluster, commands[0])));
    limited.fleet.group(cluster, &scene.own.as_str().into()).unwrap();
    assert!(is_forbidden(&limited.fleet.group(cluster, &scene.hidden.as_str().into())));
    let resume = submit(Action::Resume, &scene.hidden, None, &[]);
    assert!(is_forbidden(&limited.control.submit(cluster, resume).await));
    let same_id = Submit { id: commands[1], ..submit(Action::Pause, &scene.own, None, &[]) };
    let taken = limited.control.submit(cluster, same_id).await.expect_err("a refusal");
    assert!(matches!(taken, PortError::Conflict { .. }), "{taken}");
    assert!(!taken.to_string().contains(&scene.hidden), "{taken}");
    assert!(is_forbidden(&scene.elsewhere().fleet.group(cluster, &scene.own.as_str().into())));
    scene.running.stop().await;
}

/// All that these ports tell, without being asked for a group by its name, but for `own`.
async fn everything(scene: &Scene, ports: &Ports, command: CommandId) -> String {
    let cluster = &scene.running.cluster;
    let fleet = &ports.fleet;
    let mut said = vec![
        serde_json::to_string(&fleet.clusters()),
        serde_json::to_string(&found(ports, &scene.shared)),
        serde_json::to_string(&fleet.group(cluster, &scene.own.as_str().into()).unwrap()),
        serde_json::to_string(&fleet.topics(cluster).unwrap()),
        serde_json::to_string(&ports.control.command(cluster, command).unwrap()),
    ];
    for name in [&scene.shared, &scene.alone] {
        said.push(serde_json::to_string(&fleet.topic(cluster, &topic(name)).await.unwrap()));
    }
    let query = MessagesQuery::default();
    let messages = ports.peek.messages(cluster, &topic(&scene.shared), &query).await.unwrap();
    said.push(serde_json::to_string(&messages));
    said.into_iter().map(Result::unwrap).collect()
}

/// Whatever goes on in a hidden group: the cluster's notes tell of it without its name.
#[tokio::test]
async fn what_a_cluster_says_of_itself_names_no_group() {
    let scene = Scene::new().await;
    let (settings, limited) = (&scene.running.settings, scene.limited());
    scene.agent(&scene.own).await;
    let command = scene.pause(&scene.own).await.id;
    let unlisted = unique("unlisted");
    let again = "again and again";
    let agent = scene.agent(&scene.hidden).await;
    let second = agent.clone().named("host-2");
    wait_for("the repeats, and more instances than are kept, are said", DEADLINE, async || {
        for group in [&scene.hidden, &unlisted] {
            let (pause, resume) = (
                Command::PauseConsumersByGroup { group: group.as_str().into(), topics: vec![] },
                Command::ResumeConsumersByGroup { group: group.as_str().into(), topics: vec![] },
            );
            external(settings, pause).await;
            external(settings, resume).await;
        }
        agent.says(&[0], &[]).await;
        second.says(&[0], &[]).await;
        let cluster = limited.fleet.clusters().remove(0);
        let repeats = cluster.notes.iter().any(|note| note.contains(again));
        (repeats && !cluster.capped.is_empty()).then_some(())
    })
    .await;
    let said = everything(&scene, &limited, command).await;
    for told in [again, "than are kept", "that neither Kafka lists nor telemetry has shown"] {
        assert!(said.contains(told), "{told}: {said}");
    }
    assert!(!said.contains(&scene.hidden) && !said.contains(&unlisted), "{said}");
    // Who sees the group reads it there, by its name.
    let all = everything(&scene, &scene.running.ports, command).await;
    assert!(all.contains(&scene.hidden));
    let named = |ports: &Ports, group: &str| {
        let view = ports.fleet.group(&scene.running.cluster, &group.into()).unwrap();
        view.warnings.into_iter().filter(|warning| warning.contains(again)).collect::<Vec<_>>()
    };
    let warnings = named(&scene.running.ports, &scene.hidden);
    assert!(matches!(&warnings[..], [one] if one.contains(&scene.hidden)), "{warnings:?}");
    assert_eq!(named(&limited, &scene.own), Vec::<String>::new());
    scene.running.stop().await;
}

/// A re-drive for the hidden group, a raised retention until its pauses are over, and a pause of both groups; by who may do
/// everything.
async fn operations(scene: &Scene) -> [CommandId; 3] {
    let (ports, cluster) = (&scene.running.ports, &scene.running.cluster);
    let [redrive, retention, bulk]: [CommandId; 3] = std::array::from_fn(|_| CommandId::random());
    let request = RedriveRequest {
        topic: topic(&scene.shared),
        records: RedriveRecords::Matching { original: None, error: None, ends: vec![] },
        to: RedriveTarget::OriginalFor(scene.hidden.as_str().into()),
        rate: 100,
        other_groups: true,
        reason: "INC-1".to_owned(),
    };
    ports.redrives.submit(cluster, SubmitRedrive { id: redrive, request }).await.expect("a re-drive");

    let group = Some(scene.hidden.as_str().into());
    let query = RetentionQuery { for_seconds: Some(3_600), group, ..RetentionQuery::default() };
    let preview = ports.retentions.preview(cluster, &topic(&scene.shared), query).await.expect("a preview");
    let request = RetentionRequest { reason: "INC-1".to_owned(), ..preview.request };
    let retention_request = SubmitRetention { id: retention, request };
    ports.retentions.submit(cluster, retention_request).await.expect("a retention");

    for group in [&scene.own, &scene.hidden] {
        scene.agent(group).await;
    }
    let groups = [&scene.own, &scene.hidden].map(|group| GroupId::from(group.as_str())).to_vec();
    let query = BulkQuery::Pause { groups, for_seconds: Some(3_600) };
    let preview = ports.bulks.preview(cluster, query).await.expect("a preview");
    assert_eq!(preview.ready, 2, "{preview:?}");
    let request = BulkRequest {
        action: BulkAction::Pause,
        groups: preview.targets(),
        stop_after: 100,
        undoes: None,
        skips: None,
        reason: "INC-1".to_owned(),
    };
    ports.bulks.submit(cluster, SubmitBulk { id: bulk, request }).await.expect("a bulk operation");
    wait_for("the bulk operation is over", DEADLINE, async || {
        ports.bulks.bulk(cluster, bulk).ok().filter(|view| view.state.is_over())
    })
    .await;
    [redrive, retention, bulk]
}

/// What is for a group, or for several, is said to who may view another one without the name.
#[tokio::test]
async fn operations_name_no_hidden_group() {
    let scene = Scene::new().await;
    let (all, limited, cluster) = (&scene.running.ports, scene.limited(), &scene.running.cluster);
    let [redrive, retention, bulk] = operations(&scene).await;
    let said = async |ports: &Ports| {
        let audit = ports.audit.entries(cluster, &AuditQuery::default()).await.expect("the audit");
        [
            serde_json::to_string(&audit.entries),
            serde_json::to_string(&ports.redrives.redrive(cluster, redrive).expect("the re-drive")),
            serde_json::to_string(&ports.retentions.retention(cluster, retention).expect("the retention")),
            serde_json::to_string(&ports.bulks.bulk(cluster, bulk).expect("the bulk operation")),
        ]
        .map(Result::unwrap)
    };
    let told = wait_for("the audit has all of them", DEADLINE, async || {
        let told = said(all).await;
        [redrive, retention, bulk].iter().all(|id| told[0].contains(&id.to_string())).then_some(told)
    })
    .await;
    assert!(told.iter().all(|part| part.contains(&scene.hidden)), "{told:?}");
    for part in said(&limited).await {
        assert!(!part.contains(&scene.hidden), "{part}");
    }
    let view = limited.redrives.redrive(cluster, redrive).unwrap();
    assert!(view.notes.iter().any(|note| note.contains("a group that you may not view")), "{view:?}");
    let view = limited.retentions.retention(cluster, retention).unwrap();
    assert_eq!(view.request.group, None);
    assert!(view.notes.iter().any(|note| note.contains("a group that you may not view")), "{view:?}");
    // Nor does looking for the name find anything.
    let of_group = AuditQuery { group: scene.hidden.clone(), ..AuditQuery::default() };
    assert_eq!(limited.audit.entries(cluster, &of_group).await.unwrap().entries, []);
    assert!(!all.audit.entries(cluster, &of_group).await.unwrap().entries.is_empty());

    let stop = limited.bulks.stop(cluster, bulk).await.map(drop);
    let undo = limited.bulks.preview(cluster, BulkQuery::Undo(bulk)).await.map(drop);
    for refused in [stop, undo] {
        assert!(is_forbidden(&refused), "{refused:?}");
        let words = refused.unwrap_err().to_string();
        assert!(words.contains("that you may not view") && !words.contains(&scene.hidden), "{words}");
    }
    scene.running.stop().await;
}
