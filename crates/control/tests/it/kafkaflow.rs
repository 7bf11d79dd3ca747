//! Pause and resume with KafkaFlow: its bytes on the admin topic, evidence from telemetry and commits.

use std::time::{Duration, SystemTime};

use flowdeck_model::view::{CommandView, GroupView, InstanceKind, Mode};
use flowdeck_model::{
    Action, CommandId, CommandState, GroupState, InstanceState, Permission, Timestamp, Verdict,
};
use flowdeck_observe::ClusterSettings;
use flowdeck_protocol::kafkaflow::{Command, Decoded, Message, decode};
use flowdeck_testkit::{DEADLINE, kafka, unique, wait_for};
use rdkafka::consumer::{BaseConsumer, Consumer as _};

use crate::common::{Running, settings, submit};
use crate::fake_instance::{FakeInstance, external};

fn now() -> Timestamp {
    Timestamp::from_system(SystemTime::now())
}

struct Scene {
    running: Running,
    group: String,
    topic: String,
    flow: FakeInstance,
}

async fn scene() -> Scene {
    scene_with(|_| ()).await
}

async fn scene_with(change: impl FnOnce(&mut ClusterSettings)) -> Scene {
    let kafka = kafka();
    let (topic, group) = (unique("audio"), unique("processor"));
    let mut settings = settings(Mode::Control);
    change(&mut settings);
    kafka.create_topic(&topic, 2).await;
    kafka.produce(&topic, 0, (0..10).map(|n| n.to_string())).await;
    kafka.create_topic(settings.admin_topics[0].telemetry.0.as_str(), 1).await;
    kafka.commit(&group, &[(&topic, 0, 4), (&topic, 1, 0)]);
    let running = Running::start(settings.clone());
    let flow = FakeInstance::new(&settings, &group, &unique("audio"), &topic);
    running.heard(&flow, &[0, 1]).await;
    Scene { running, group, topic, flow }
}

impl Scene {
    /// Sends telemetry until the command is as wanted.
    async fn until(&self, id: CommandId, say: (&[i32], &[i32]), state: CommandState) -> CommandView {
        wait_for(&format!("{state:?}"), DEADLINE, async || {
            self.flow.says(say.0, say.1).await;
            tokio::time::sleep(Duration::from_millis(100)).await;
            let view = self.running.ports.control.command(&self.running.cluster, id).ok()?;
            (view.state == state).then_some(view)
        })
        .await
    }

    /// Sends telemetry until an instance has the words.
    async fn detail(&self, id: CommandId, say: (&[i32], &[i32]), words: &str) -> CommandView {
        wait_for(words, DEADLINE, async || {
            self.flow.says(say.0, say.1).await;
            tokio::time::sleep(Duration::from_millis(100)).await;
            let view = self.running.ports.control.command(&self.running.cluster, id).ok()?;
            let mut details = view.instances.iter().filter_map(|one| one.detail.as_deref());
            details.any(|detail| detail.contains(words)).then_some(view)
        })
        .await
    }

    async fn pause(&self) -> CommandId {
        let pause = submit(Action::Pause, &self.group, None, &[]);
        self.running.ports.control.submit(&self.running.cluster, pause.clone()).await.unwrap();
        self.until(pause.id, (&[], &[0, 1]), CommandState::Confirmed).await;
        pause.id
    }

    /// Sends telemetry until the group is as wanted.
    async fn group(&self, say: (&[i32], &[i32]), what: &str, is: impl Fn(&GroupView) -> bool) -> GroupView {
        let group = self.group.as_str().into();
        wait_for(what, DEADLINE, async || {
            self.flow.says(say.0, say.1).await;
            tokio::time::sleep(Duration::from_millis(100)).await;
            self.running.ports.fleet.group(&self.running.cluster, &group).ok().filter(|view| is(view))
        })
        .await
    }

    /// Flowdeck's own commands on the admin topic, with their keys.
    fn commands(&self) -> Vec<(String, Command)> {
        let admin = self.running.settings.admin_topics[0].commands.0.to_string();
        let ours = |record: &flowdeck_testkit::Read| {
            record.headers.iter().any(|(name, _)| name == "Flowdeck-Command")
        };
        kafka()
            .read_all(&admin)
            .into_iter()
            .filter(ours)
            .map(|record| {
                let decoded = decode(&record.headers(), record.value.as_deref());
                let Decoded::Message(Message::Command(command)) = decoded else {
                    panic!("not one of KafkaFlow's commands");
                };
                (String::from_utf8(record.key.unwrap()).unwrap(), command)
            })
            .collect()
    }
}

#[tokio::test]
async fn a_pause_is_seen_in_the_partition_lists_and_a_resume_in_the_commits() {
    let scene = scene().await;
    let pause = submit(Action::Pause, &scene.group, None, &[]);
    scene.running.ports.control.submit(&scene.running.cluster, pause.clone()).await.unwrap();
    let group = Command::PauseConsumersByGroup { group: scene.group.as_str().into(), topics: vec![] };
    assert_eq!(scene.commands(), [(pause.id.to_string(), group)]);
    // It still runs: no evidence.
    let view = scene.until(pause.id, (&[0, 1], &[]), CommandState::TimedOut).await;
    assert_eq!(
        (view.instances[0].kind, view.instances[0].state),
        (InstanceKind::KafkaFlow, InstanceState::NoResponse)
    );
    let view = scene.until(pause.id, (&[], &[0, 1]), CommandState::Confirmed).await;
    assert_eq!(view.instances[0].state, InstanceState::FetchStopped);
    let resume = submit(Action::Resume, &scene.group, None, &[]);
    scene.running.ports.control.submit(&scene.running.cluster, resume.clone()).await.unwrap();
    assert!(matches!(scene.commands().last(), Some((_, Command::ResumeConsumersByGroup { .. }))));
    // Listed as running, and no commit moves: not proven.
    scene.flow.says(&[0, 1], &[]).await;
    let before = scene.running.ports.control.command(&scene.running.cluster, resume.id).unwrap();
    assert_ne!(before.state, CommandState::Confirmed);
    // What was buffered under the pause may be committed after the resume: the log ended at 10 when fetching stopped.
    kafka().commit(&scene.group, &[(&scene.topic, 0, 6)]);
    let drained = scene.detail(resume.id, (&[0, 1], &[]), "may be what was buffered").await;
    assert_eq!(drained.instances[0].state, InstanceState::Waiting, "{drained:?}");
    assert_ne!(drained.state, CommandState::Confirmed);
    kafka().commit(&scene.group, &[(&scene.topic, 0, 7)]);
    let view = scene.until(resume.id, (&[0, 1], &[]), CommandState::Confirmed).await;
    assert_eq!(view.instances[0].state, InstanceState::Acknowledged);
    assert_eq!(view.instances[0].detail.as_deref(), Some("records flow: partition 0 committed 7"));
    scene.running.stop().await;
}

#[tokio::test]
async fn a_resume_with_nothing_to_read_says_so() {
    let scene = scene().await;
    kafka().commit(&scene.group, &[(&scene.topic, 0, 10)]);
    let pause = submit(Action::Pause, &scene.group, Some(&scene.flow.consumer), &[&scene.topic]);
    scene.running.ports.control.submit(&scene.running.cluster, pause.clone()).await.unwrap();
    assert!(
        matches!(&scene.commands()[0].1, Command::PauseConsumerByName { topics, .. } if topics.len() == 1)
    );
    scene.until(pause.id, (&[], &[0, 1]), CommandState::Confirmed).await;
    let resume = submit(Action::Resume, &scene.group, Some(&scene.flow.consumer), &[&scene.topic]);
    scene.running.ports.control.submit(&scene.running.cluster, resume.clone()).await.unwrap();
    let view = scene.until(resume.id, (&[0, 1], &[]), CommandState::Confirmed).await;
    assert_eq!(view.instances[0].state, InstanceState::NothingToRead);
    scene.running.stop().await;
}

#[tokio::test]
async fn an_instance_that_joins_later_is_shown_and_sent_the_pause_again_until_it_obeys() {
    let scene = scene().await;
    let pause = scene.pause().await;
    let joiner = scene.flow.clone().named("host-2");
    let view = wait_for("sent again three times", DEADLINE, async || {
        scene.flow.says(&[], &[0]).await;
        joiner.says(&[1], &[]).await;
        tokio::time::sleep(Duration::from_millis(100)).await;
        let view = scene.running.ports.control.command(&scene.running.cluster, pause).ok()?;
        view.sent_again.is_some_and(|again| again.times >= 3).then_some(view)
    })
    .await;
    let joined = view.instances.iter().find(|one| one.instance.as_str() == "host-2").unwrap();
    assert!(joined.detail.as_deref().unwrap().contains("after the pause: not paused"), "{joined:?}");
    // The first time by group, then by name: at once, after 1 s, after 2 s.
    let sent = scene.commands();
    let times: Vec<i64> = view.sent.iter().skip(1).map(|record| record.at.millis()).collect();
    let again: Vec<i64> = times[times.len() - 3..].windows(2).map(|two| two[1] - two[0]).collect();
    assert!(again[0] >= 1_000 && again[1] >= 2_000, "{again:?}");
    assert!(sent.iter().all(|(key, _)| *key == pause.to_string()));
    assert!(sent[1..].iter().all(|(_, one)| matches!(one, Command::PauseConsumerByName { .. })), "{sent:?}");
    // Once it obeys, that is evidence as any other, and nothing more is sent.
    wait_for("obeyed", DEADLINE, async || {
        scene.flow.says(&[], &[0]).await;
        joiner.says(&[], &[1]).await;
        tokio::time::sleep(Duration::from_millis(100)).await;
        let view = scene.running.ports.control.command(&scene.running.cluster, pause).ok()?;
        (view.state == CommandState::Confirmed).then_some(())
    })
    .await;
    scene.running.stop().await;
}

/// By what comes in, and not by the tick.
#[tokio::test]
async fn a_pause_is_sent_again_within_half_a_second_of_the_telemetry_that_shows_it_running() {
    let scene = scene_with(|settings| settings.timing.tick = Duration::from_secs(600)).await;
    let pause = submit(Action::Pause, &scene.group, None, &[]);
    scene.running.ports.control.submit(&scene.running.cluster, pause.clone()).await.unwrap();
    let times = || {
        let view = scene.running.ports.control.command(&scene.running.cluster, pause.id).unwrap();
        (view.sent_again.map_or(0, |again| again.times), view.sent.last().map(|record| record.at))
    };
    let mut took = Vec::new();
    for round in 0..5 {
        // It obeys, for longer than the least time between two sends.
        tokio::time::sleep(Duration::from_millis(1_200)).await;
        scene.flow.says(&[], &[0, 1]).await;
        tokio::time::sleep(Duration::from_millis(300)).await;
        let before = times().0;
        let began = now();
        scene.flow.says(&[0, 1], &[]).await;
        let written = wait_for("sent again", DEADLINE, async || {
            let (count, written) = times();
            (count > before).then_some(written).flatten()
        })
        .await;
        took.push(written.since(began));
        assert!(round > 0 || before == 0, "it was sent again before");
    }
    eprintln!("from telemetry to the command written: {took:?}");
    // The quickest: the others tell of the machine.
    assert!(took.iter().min().unwrap() <= &Duration::from_millis(500), "{took:?}");
    scene.running.stop().await;
}

/// A member that does not answer a rebalance keeps the group in it.
#[tokio::test]
async fn a_pause_is_not_sent_again_while_the_group_rebalances_and_is_when_that_ends() {
    let scene = scene().await;
    let kafka = kafka();
    let joined = |name: &str| {
        let mut config = kafka.client();
        config.set("group.id", &scene.group).set("client.id", name).set("session.timeout.ms", "30000");
        let consumer: BaseConsumer = config.create().expect("a consumer");
        consumer.subscribe(&[&scene.topic]).expect("a subscription");
        consumer
    };
    let first = joined("first");
    wait_for("the first is a member", DEADLINE, async || {
        first.poll(Duration::from_millis(50));
        (!first.assignment().unwrap().elements().is_empty()).then_some(())
    })
    .await;
    let pause = scene.pause().await;
    // It does not poll any more, so the second one waits for it.
    let second = joined("second");
    let rebalances = |view: &GroupView| matches!(view.row.state, GroupState::PreparingRebalance);
    wait_for("the group rebalances", DEADLINE, async || {
        second.poll(Duration::from_millis(50));
        let view =
            scene.running.ports.fleet.group(&scene.running.cluster, &scene.group.as_str().into()).ok()?;
        rebalances(&view).then_some(())
    })
    .await;
    let times = || {
        let view = scene.running.ports.control.command(&scene.running.cluster, pause).unwrap();
        view.sent_again.map_or(0, |again| again.times)
    };
    let before = times();
    for _ in 0..30 {
        scene.flow.says(&[0, 1], &[]).await;
        second.poll(Duration::from_millis(50));
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(times(), before, "it was sent in a rebalance");
    drop(first);
    wait_for("sent again when the rebalance has ended", DEADLINE, async || {
        second.poll(Duration::from_millis(50));
        (times() > before).then_some(())
    })
    .await;
    scene.running.stop().await;
}

#[tokio::test]
async fn a_pause_that_is_not_obeyed_is_the_headline_and_red_only_with_a_commit_beyond_the_drain() {
    let scene = scene().await;
    let pause = scene.pause().await;
    let verdict = |want: Verdict| move |view: &GroupView| view.row.verdict == want;
    scene.group((&[], &[0, 1]), "paused", verdict(Verdict::Paused)).await;
    let view = scene.group((&[0, 1], &[]), "amber", verdict(Verdict::PauseUnconfirmed)).await;
    let words = |view: &GroupView| view.row.why.clone().unwrap();
    assert!(words(&view).starts_with("host-1 reports 2 partitions running for "), "{view:?}");
    assert!(words(&view).contains("nothing committed"), "{view:?}");
    scene
        .group((&[0, 1], &[]), "it is said that it is sent again", |view| {
            words(view).contains("; sent again")
        })
        .await;
    // It may be what was buffered.
    kafka().commit(&scene.group, &[(&scene.topic, 0, 6)]);
    scene
        .group((&[0, 1], &[]), "amber", |view| words(view).contains("no commit beyond what was buffered"))
        .await;
    kafka().commit(&scene.group, &[(&scene.topic, 0, 7)]);
    let view = scene.group((&[0, 1], &[]), "red", verdict(Verdict::PauseNotObeyed)).await;
    let place = format!("({} partition 0 committed 7)", scene.topic);
    assert!(
        words(&view).starts_with("host-1 runs 2 partitions for ") && words(&view).contains(&place),
        "{view:?}"
    );
    let numbers = scene.running.admin.stats().clusters[0].pauses_not_obeyed;
    assert_eq!((numbers.by_commit.groups, numbers.by_commit.partitions), (1, 1));
    assert_eq!((numbers.by_telemetry.groups, numbers.by_telemetry.partitions), (0, 1));
    // Once it obeys, it is paused as before.
    scene.group((&[], &[0, 1]), "paused again", verdict(Verdict::Paused)).await;
    let view = scene.running.ports.control.command(&scene.running.cluster, pause).unwrap();
    assert!(view.sent_again.unwrap().times > 0);
    assert_eq!(scene.running.admin.stats().clusters[0].pauses_not_obeyed, Default::default());
    scene.running.stop().await;
}

#[tokio::test]
async fn a_hold_whose_exceptions_cover_every_consumer_is_released() {
    let scene = scene().await;
    scene.pause().await;
    let consumer = || scene.flow.consumer.as_str().into();
    external(&scene.running.settings, Command::ResumeConsumerByName { consumer: consumer(), topics: vec![] })
        .await;
    let view = scene.group((&[0, 1], &[]), "released", |view| view.row.holds.is_empty()).await;
    assert_ne!(view.row.verdict, Verdict::Paused);
    let release = &view.commands[0];
    assert_eq!((release.action, release.actor.name.as_str()), (Action::Resume, "external"));
    let holds = scene.running.settings.holds_topic.to_string();
    wait_for("a tombstone", DEADLINE, async || {
        kafka().read_all(&holds).last().filter(|record| record.value.is_none()).map(|_| ())
    })
    .await;
    scene.running.stop().await;
}

#[tokio::test]
async fn a_hold_that_another_consumer_was_heard_under_stays_and_the_verdict_follows_what_is_held() {
    let scene = scene().await;
    let pause = scene.pause().await;
    // Of another topic that the group reads no partition of now; then silent.
    let mut other = scene.flow.clone().named("host-9");
    (other.consumer, other.topic) = (unique("video"), unique("video"));
    other.says(&[], &[]).await;
    scene
        .group((&[], &[0, 1]), "it is heard", |view| {
            view.consumers.iter().any(|one| one.name.as_str() == other.consumer)
        })
        .await;
    let consumer = || scene.flow.consumer.as_str().into();
    external(&scene.running.settings, Command::ResumeConsumerByName { consumer: consumer(), topics: vec![] })
        .await;
    let view = scene
        .group((&[0, 1], &[]), "nothing is held now", |view| {
            view.row.holds.iter().any(|hold| !hold.except.is_empty())
        })
        .await;
    let view = scene.group((&[0, 1], &[]), "it is said", |_| !view.warnings.is_empty()).await;
    // As it is without a hold: nobody is a member.
    assert_eq!((view.row.verdict, view.row.paused_partitions), (Verdict::NoActiveMembers, 0), "{view:?}");
    assert!(
        view.warnings.iter().any(|one| one.starts_with("no partition is held now by the pause of ")),
        "{view:?}"
    );
    assert_eq!(view.row.holds[0].id.to_string(), pause.to_string());
    scene.running.stop().await;
}

#[tokio::test]
async fn an_external_command_becomes_a_hold_and_is_not_fought() {
    let scene = scene().await;
    let pause =
        Command::PauseConsumerByName { consumer: scene.flow.consumer.as_str().into(), topics: vec![] };
    external(&scene.running.settings, pause).await;
    let view = scene.running.group(&scene.group, "held by external", |view| !view.row.holds.is_empty()).await;
    assert_eq!(view.row.holds[0].owner, "external");
    let resume = Command::ResumeConsumersByGroup { group: scene.group.as_str().into(), topics: vec![] };
    external(&scene.running.settings, resume).await;
    scene.running.group(&scene.group, "released", |view| view.row.holds.is_empty()).await;
    assert_eq!(scene.commands(), [], "KafkaFlow heard them already");
    scene.running.stop().await;
}

/// Or it would undo it later.
#[tokio::test]
async fn an_operators_command_comes_after_the_external_one_before_it() {
    let settings = settings(Mode::Control);
    for topic in [&settings.holds_topic, &settings.acks_topic, &settings.admin_topics[0].telemetry.0] {
        kafka().create_topic(topic.as_str(), 1).await;
    }
    let (topic, group) = (unique("audio"), unique("processor"));
    kafka().create_topic(&topic, 1).await;
    kafka().commit(&group, &[(&topic, 0, 0)]);
    let running = Running::start(settings.clone());
    // Who may not pause makes it no writer by looking.
    let viewer = running.who_may(&[Permission::View]);
    running.heard_by(&viewer, &FakeInstance::new(&settings, &group, &unique("audio"), &topic), &[0]).await;
    external(&settings, Command::PauseConsumersByGroup { group: group.as_str().into(), topics: vec![] })
        .await;
    let resume = submit(Action::Resume, &group, None, &[]);
    let submitted = running.ports.control.submit(&running.cluster, resume.clone()).await.unwrap();
    running.ports.control.command(&running.cluster, submitted.id).expect("it is there when it is answered");
    let view = viewer.fleet.group(&running.cluster, &group.as_str().into()).unwrap();
    assert!(view.row.holds.is_empty(), "{view:?}");
    // They are read from two topics: which of them was heard first is not said.
    let mut commands: Vec<_> =
        view.commands.iter().map(|one| (one.actor.name.as_str(), one.action)).collect();
    commands.sort_by_key(|(actor, _)| *actor);
    assert_eq!(commands, [("anonymous", Action::Resume), ("external", Action::Pause)]);
    running.stop().await;
}
