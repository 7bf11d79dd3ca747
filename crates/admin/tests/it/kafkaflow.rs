//! Pause and resume with KafkaFlow: its bytes on the admin topic, evidence from telemetry and commits.

use flowdeck_model::view::{CommandView, InstanceKind, Mode};
use flowdeck_model::{Action, CommandId, CommandState, InstanceState, Permission};
use flowdeck_protocol::kafkaflow::{Command, Decoded, Message, decode};
use flowdeck_testkit::{DEADLINE, kafka, unique, wait_for};

use crate::common::{Running, settings, submit};
use crate::voices::{Voice, foreign};

struct Scene {
    running: Running,
    group: String,
    topic: String,
    flow: Voice,
}

async fn scene() -> Scene {
    let kafka = kafka();
    let (topic, group) = (unique("audio"), unique("processor"));
    let settings = settings(Mode::Control);
    kafka.create_topic(&topic, 2).await;
    kafka.produce(&topic, 0, (0..10).map(|n| n.to_string())).await;
    kafka.create_topic(settings.admin_topics[0].telemetry.0.as_str(), 1).await;
    kafka.commit(&group, &[(&topic, 0, 4), (&topic, 1, 0)]);
    let running = Running::start(settings.clone());
    let flow = Voice::new(&settings, &group, &unique("audio"), &topic);
    running.heard(&flow, &[0, 1]).await;
    Scene { running, group, topic, flow }
}

impl Scene {
    /// Speaks until the command is as wanted.
    async fn until(&self, id: CommandId, say: (&[i32], &[i32]), state: CommandState) -> CommandView {
        wait_for(&format!("{state:?}"), DEADLINE, async || {
            self.flow.says(say.0, say.1).await;
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
            let view = self.running.ports.control.command(&self.running.cluster, id).ok()?;
            (view.state == state).then_some(view)
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
        (InstanceKind::KafkaFlow, InstanceState::Silent)
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
    kafka().commit(&scene.group, &[(&scene.topic, 0, 5)]);
    let view = scene.until(resume.id, (&[0, 1], &[]), CommandState::Confirmed).await;
    assert_eq!(view.instances[0].state, InstanceState::Acknowledged);
    assert!(view.instances[0].detail.as_deref().unwrap().starts_with("flows:"), "{view:?}");
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
async fn an_instance_that_joins_later_is_shown_and_sent_the_command_again_up_to_a_cap() {
    let scene = scene().await;
    let pause = submit(Action::Pause, &scene.group, None, &[]);
    scene.running.ports.control.submit(&scene.running.cluster, pause.clone()).await.unwrap();
    scene.until(pause.id, (&[], &[0, 1]), CommandState::Confirmed).await;
    let joiner = scene.flow.clone().named("host-2");
    let view = wait_for("sent again, capped", DEADLINE, async || {
        scene.flow.says(&[], &[0]).await;
        joiner.says(&[1], &[]).await;
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        let group =
            scene.running.ports.fleet.group(&scene.running.cluster, &scene.group.as_str().into()).ok()?;
        group.warnings.iter().any(|warning| warning.contains("not sent again")).then_some(group)
    })
    .await;
    let command = view.commands.iter().find(|one| one.id == pause.id).unwrap();
    let joined = command.instances.iter().find(|one| one.instance.as_str() == "host-2").unwrap();
    assert!(joined.detail.as_deref().unwrap().contains("after the pause: not paused"), "{joined:?}");
    // The first time by group, then three times more by name.
    let sent = scene.commands();
    assert_eq!(sent.len(), 4, "{sent:?}");
    assert!(sent.iter().all(|(key, _)| *key == pause.id.to_string()));
    // Once it obeys, that is evidence as any other.
    let flow = scene.flow.clone();
    wait_for("obeyed", DEADLINE, async || {
        flow.says(&[], &[0]).await;
        joiner.says(&[], &[1]).await;
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        let view = scene.running.ports.control.command(&scene.running.cluster, pause.id).ok()?;
        (view.state == CommandState::Confirmed).then_some(())
    })
    .await;
    scene.running.stop().await;
}

#[tokio::test]
async fn a_foreign_command_becomes_a_hold_by_external_and_is_not_fought() {
    let scene = scene().await;
    let pause =
        Command::PauseConsumerByName { consumer: scene.flow.consumer.as_str().into(), topics: vec![] };
    foreign(&scene.running.settings, pause).await;
    let view = scene.running.group(&scene.group, "held by external", |view| !view.row.holds.is_empty()).await;
    assert_eq!(view.row.holds[0].owner, "external");
    let resume = Command::ResumeConsumersByGroup { group: scene.group.as_str().into(), topics: vec![] };
    foreign(&scene.running.settings, resume).await;
    scene.running.group(&scene.group, "released", |view| view.row.holds.is_empty()).await;
    assert_eq!(scene.commands(), [], "KafkaFlow heard them already");
    scene.running.stop().await;
}

/// An idle Flowdeck leaves foreign commands to the writer for a while. What an operator asks meanwhile comes after
/// them all the same, or they would undo it later.
#[tokio::test]
async fn an_operators_command_comes_after_the_foreign_one_before_it() {
    let mut settings = settings(Mode::Control);
    settings.timing.writer_first = std::time::Duration::from_secs(3_600);
    for topic in [&settings.holds_topic, &settings.acks_topic, &settings.admin_topics[0].telemetry.0] {
        kafka().create_topic(topic.as_str(), 1).await;
    }
    let (topic, group) = (unique("audio"), unique("processor"));
    kafka().create_topic(&topic, 1).await;
    kafka().commit(&group, &[(&topic, 0, 0)]);
    let running = Running::start(settings.clone());
    // Who may not pause makes it no writer by looking.
    let viewer = running.who_may(&[Permission::See]);
    running.heard_by(&viewer, &Voice::new(&settings, &group, &unique("audio"), &topic), &[0]).await;
    foreign(&settings, Command::PauseConsumersByGroup { group: group.as_str().into(), topics: vec![] }).await;
    wait_for("it waits", DEADLINE, async || {
        let waiting = &running.admin.stats().clusters[0].waiting;
        waiting.iter().any(|(queue, count)| (*queue, *count) == ("writes", 1)).then_some(())
    })
    .await;
    let resume = submit(Action::Resume, &group, None, &[]);
    let submitted = running.ports.control.submit(&running.cluster, resume.clone()).await.unwrap();
    running.ports.control.command(&running.cluster, submitted.id).expect("it is there when it is answered");
    let view = viewer.fleet.group(&running.cluster, &group.as_str().into()).unwrap();
    assert!(view.row.holds.is_empty(), "{view:?}");
    let commands: Vec<_> = view.commands.iter().map(|one| (one.action, one.actor.name.as_str())).collect();
    assert_eq!(commands, [(Action::Resume, "anonymous"), (Action::Pause, "external")]);
    running.stop().await;
}
