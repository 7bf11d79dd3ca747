//! Pause and resume with agents: holds, acks, and what must not be written twice.

use std::time::Duration;

use flowdeck_model::command::TOPICS_MAX;
use flowdeck_model::ports::Bind as _;
use flowdeck_model::view::{CommandView, Mode};
use flowdeck_model::{
    Action, Actor, CommandId, CommandState, Grant, Hold, InstanceState, Pattern, PauseEnd, Permission,
    PortError, Scope, Submit, Target, Timestamp, Verdict, Via,
};
use flowdeck_observe::ClusterSettings;
use flowdeck_protocol::Record;
use flowdeck_protocol::wire::{HoldRecord, LONGEST, TopicPartition, hold_record, read_hold};
use flowdeck_testkit::{DEADLINE, End, kafka, unique, wait_for};

use crate::common::{Running, partition, settings, submit, topic};
use crate::fake_instance::FakeInstance;

struct Scene {
    running: Running,
    group: String,
    topic: String,
    agent: FakeInstance,
}

/// A group with one agent, heard.
async fn scene() -> Scene {
    scene_with(settings(Mode::Control)).await
}

/// The same with an agent that may take its time: what is awaited is not over before it is looked at.
async fn patient_scene() -> Scene {
    let mut settings = settings(Mode::Control);
    settings.timing.agent_deadline = 2 * DEADLINE;
    scene_with(settings).await
}

async fn scene_with(settings: ClusterSettings) -> Scene {
    let kafka = kafka();
    let (topic, group) = (unique("orders"), unique("payments"));
    kafka.create_topic(&topic, 2).await;
    kafka.create_topic(settings.admin_topics[0].telemetry.0.as_str(), 1).await;
    kafka.commit(&group, &[(&topic, 0, 0), (&topic, 1, 0)]);
    let running = Running::start(settings.clone());
    let agent = FakeInstance::new(&settings, &group, "pay", &topic).agent();
    running.heard(&agent, &[0, 1]).await;
    Scene { running, group, topic, agent }
}

impl Scene {
    async fn command(&self, id: CommandId, what: &str, is: impl Fn(&CommandView) -> bool) -> CommandView {
        wait_for(what, DEADLINE, async || {
            self.running.ports.control.command(&self.running.cluster, id).ok().filter(|view| is(view))
        })
        .await
    }

    async fn submit(&self, submit: Submit) -> Result<flowdeck_model::view::Submitted, PortError> {
        self.running.ports.control.submit(&self.running.cluster, submit).await
    }

    fn holds_written(&self) -> usize {
        kafka().read_all(self.running.settings.holds_topic.as_str()).len()
    }
}

/// As a Flowdeck that is not running any more wrote it.
async fn write_hold(settings: &ClusterSettings, hold: &Hold) {
    let records = vec![hold_record(hold, hold.id.into())];
    let topic = settings.holds_topic.as_str();
    kafka().transact(&settings.writer_id, topic, vec![(records, End::Commit)]).await;
}

/// The newest that the topic tells.
fn last_hold(settings: &ClusterSettings) -> Hold {
    let record = kafka().read_all(settings.holds_topic.as_str()).pop().expect("a hold");
    match read_hold(&record.headers(), record.key.as_deref(), record.value.as_deref()) {
        HoldRecord::Set(hold) => hold,
        other => panic!("{other:?}"),
    }
}

/// To who may not see a group it is as one that is not there, and so are its commands.
#[tokio::test]
async fn what_may_not_be_seen_is_as_what_is_not_there() {
    let scene = scene().await;
    let pause = submit(Action::Pause, &scene.group, None, &[]);
    scene.submit(pause.clone()).await.unwrap();
    scene.command(pause.id, "sent", |_| true).await;
    let grant = Grant {
        permissions: vec![Permission::View, Permission::Control],
        clusters: Pattern::any(),
        groups: Pattern::new("others-*"),
        topics: Pattern::any(),
    };
    let view = Actor::anonymous(Via::Api, None).view;
    let limited = scene.running.admin.bind(Actor::new(view, vec![grant]));
    let cluster = &scene.running.cluster;
    let never = CommandId::random();
    let said = [pause.id, never].map(|id| {
        let refused = limited.control.command(cluster, id).expect_err("a refusal").to_string();
        refused.replace(&id.to_string(), "ID")
    });
    assert_eq!(said[0], said[1]);
    assert!(said[0].contains("there is no command") && !said[0].contains(&scene.group), "{}", said[0]);
    let said = [scene.group.as_str(), "no-such-group"].map(|group| {
        let refused = limited.fleet.group(cluster, &group.into()).expect_err("a refusal").to_string();
        refused.replace(group, "GROUP")
    });
    assert_eq!(said[0], said[1]);
    for group in [scene.group.as_str(), "no-such-group"] {
        let refused = limited.control.submit(cluster, submit(Action::Resume, group, None, &[])).await;
        assert!(matches!(refused, Err(PortError::Forbidden { .. })), "{refused:?}");
    }
    scene.running.stop().await;
}

#[tokio::test]
async fn offsets_are_moved_by_who_may_change_them_too() {
    let scene = patient_scene().await;
    let cluster = &scene.running.cluster;
    let operator = scene.running.who_may(&[Permission::View, Permission::Control]);
    for action in [Action::Reset, Action::Rewind { to: Timestamp::from_millis(0) }] {
        let asked = submit(action, &scene.group, Some("pay"), &[]);
        let needs_offsets =
            |error: PortError| matches!(error, PortError::Forbidden { permission: Permission::Offsets, .. });
        assert!(operator.control.preview(cluster, asked.clone()).await.is_err_and(needs_offsets));
        assert!(operator.control.submit(cluster, asked).await.is_err_and(needs_offsets));
    }
    let restart = submit(Action::Restart, &scene.group, Some("pay"), &[]);
    assert!(operator.control.preview(cluster, restart).await.is_ok());
    scene.running.stop().await;
}

#[tokio::test]
async fn a_pause_is_confirmed_by_the_agents_ack_and_never_before() {
    let scene = patient_scene().await;
    let pause = submit(Action::Pause, &scene.group, None, &[]);
    let answer = scene.submit(pause.clone()).await.unwrap();
    assert_eq!((answer.state, answer.existing), (CommandState::Sent, false));
    let view = scene.command(pause.id, "sent", |_| true).await;
    assert_eq!((view.instances.len(), view.instances[0].state), (1, InstanceState::Waiting));
    assert_eq!(view.sent.len(), 1, "the hold, and nothing on the admin topic");
    scene.agent.acks(pause.id, InstanceState::Acknowledged).await;
    let view = scene.command(pause.id, "confirmed", |view| view.state == CommandState::Confirmed).await;
    assert_eq!(view.instances[0].state, InstanceState::Acknowledged);
    let group = scene.running.group(&scene.group, "held", |view| view.row.paused_partitions == 2).await;
    assert_eq!((group.row.verdict, group.row.why.as_deref()), (Verdict::Paused, Some("by anonymous")));
    // The same form twice, another form for what is paused already: nothing more is written.
    let again = scene.submit(pause.clone()).await.unwrap();
    assert_eq!((again.id, again.existing), (pause.id, true));
    let other =
        scene.submit(submit(Action::Pause, &scene.group, Some("pay"), &[&scene.topic])).await.unwrap();
    assert_eq!((other.id, other.existing), (pause.id, true));
    assert_eq!(scene.holds_written(), 1);
    // Another body under the id.
    let mut twisted = pause.clone();
    twisted.reason = "something else".to_owned();
    assert!(matches!(scene.submit(twisted).await, Err(PortError::Conflict { .. })));
    // A joiner is appended from its ack.
    let joiner = scene.agent.clone().named("host-2").agent();
    joiner.acks(pause.id, InstanceState::NothingToDo).await;
    scene.command(pause.id, "the joiner", |view| view.instances.len() == 2).await;
    let resume = submit(Action::Resume, &scene.group, None, &[]);
    scene.submit(resume.clone()).await.unwrap();
    scene.agent.acks(resume.id, InstanceState::Acknowledged).await;
    scene.command(resume.id, "resumed", |view| view.state == CommandState::Confirmed).await;
    scene.running.group(&scene.group, "free", |view| view.row.paused_partitions == 0).await;
    let once_more = scene.submit(submit(Action::Resume, &scene.group, None, &[])).await.unwrap();
    assert_eq!((once_more.id, once_more.existing), (resume.id, true));
    assert_eq!(scene.holds_written(), 2);
    scene.running.stop().await;
}

/// An agent that answered and then resumed by its own clock does not obey any more.
#[tokio::test]
async fn an_answer_that_is_taken_back_confirms_nothing() {
    let scene = patient_scene().await;
    let pause = submit(Action::Pause, &scene.group, None, &[]);
    scene.submit(pause.clone()).await.unwrap();
    scene.agent.acks(pause.id, InstanceState::Drained).await;
    scene.command(pause.id, "confirmed", |view| view.state == CommandState::Confirmed).await;
    scene.agent.acks(pause.id, InstanceState::Refused).await;
    let view = scene.command(pause.id, "refused", |view| view.state == CommandState::Refused).await;
    assert_eq!(view.instances[0].state, InstanceState::Refused);
    scene.running.stop().await;
}

#[tokio::test]
async fn an_answer_that_lists_thousands_of_partitions_confirms_a_pause() {
    let scene = patient_scene().await;
    let pause = submit(Action::Pause, &scene.group, None, &[]);
    scene.submit(pause.clone()).await.unwrap();
    let topic = topic(&"x".repeat(249));
    let owned: Vec<TopicPartition> =
        (0..10_000).map(|n| TopicPartition { topic: topic.clone(), partition: partition(n) }).collect();
    scene.agent.acks_owning(pause.id, InstanceState::Acknowledged, owned).await;
    let view = scene.command(pause.id, "confirmed", |view| view.state == CommandState::Confirmed).await;
    let detail = view.instances[0].detail.as_deref().unwrap();
    assert!(detail.ends_with("of 10000 partitions are listed"), "{detail}");
    scene.running.stop().await;
}

/// What agents obey must not be overlooked here: all read up to the same bound.
#[tokio::test]
async fn the_longest_hold_that_agents_take_is_taken_in_at_the_start() {
    let scene = scene().await;
    scene.submit(submit(Action::Pause, &scene.group, None, &[])).await.unwrap();
    let (settings, group) = (scene.running.settings.clone(), scene.group.clone());
    scene.running.stop().await;
    let mut hold = last_hold(&settings);
    let length = |hold: &Hold| hold_record(hold, hold.id.into()).value.unwrap().len();
    while length(&hold) < LONGEST - 1_000 {
        let name = format!("{:x<200}", hold.except.len());
        hold.except.push(Scope { topic: Some(topic(&name)), ..hold.scope.clone() });
    }
    hold.reason = "x".repeat(LONGEST - length(&hold) + hold.reason.len());
    assert_eq!(length(&hold), LONGEST);
    write_hold(&settings, &hold).await;
    let running = Running::start(settings);
    running
        .group(&group, "the hold", |view| {
            let excepted = view.row.holds.first().map_or(0, |one| one.except.len());
            view.row.paused_partitions == 2 && excepted == hold.except.len()
        })
        .await;
    running.stop().await;
}

/// Agents may obey what it holds: an operator must know that the page may lack a pause.
#[tokio::test]
async fn holds_that_cannot_be_read_are_said_until_they_are_released() {
    let scene = scene().await;
    let (settings, running) = (&scene.running.settings, &scene.running);
    let scope = Scope::group(scene.group.as_str().into());
    let hold = Hold {
        scope: scope.clone(),
        id: CommandId::random().into(),
        owner: "ana".to_owned(),
        reason: "INC-1".to_owned(),
        since: Timestamp::from_millis(0),
        until: None,
        by: flowdeck_model::HoldBy::Pause,
        except: vec![],
    };
    // Not under the writer's id: the Flowdeck that runs takes it over once somebody looks.
    let other = unique("other-writer");
    let write = async |records| {
        let topic = settings.holds_topic.as_str();
        kafka().transact(&other, topic, vec![(records, End::Commit)]).await;
    };
    let said = |words: &str| {
        let notes = running.ports.fleet.clusters().remove(0).notes;
        notes.iter().any(|note| note.contains(words))
    };
    let [mut malformed, mut too_long, mut newer] = [1, 2, 3].map(|number| {
        let id = CommandId::from_uuid(uuid::Uuid::from_u128(number));
        hold_record(&Hold { id: id.into(), ..hold.clone() }, id)
    });
    malformed.value = Some(b"{}".to_vec());
    too_long.value.as_mut().unwrap().resize(LONGEST + 1, b' ');
    newer.headers[0].1 = b"2".to_vec();
    let tombstones = [&malformed, &too_long, &newer].map(|one| Record { value: None, ..one.clone() });
    write(vec![malformed, too_long, newer]).await;
    wait_for("three of them", DEADLINE, async || said("3 records on").then_some(())).await;
    write(tombstones.to_vec()).await;
    wait_for("none of them", DEADLINE, async || (!said("cannot be read")).then_some(())).await;
    scene.running.stop().await;
}

#[tokio::test]
async fn silence_times_out_and_late_evidence_counts() {
    let scene = scene().await;
    let pause = submit(Action::Pause, &scene.group, Some("pay"), &[]);
    scene.submit(pause.clone()).await.unwrap();
    let view = scene.command(pause.id, "timed out", |view| view.state == CommandState::TimedOut).await;
    assert_eq!(view.instances[0].state, InstanceState::NoResponse);
    scene.agent.acks(pause.id, InstanceState::Drained).await;
    scene.command(pause.id, "late", |view| view.state == CommandState::Confirmed).await;
    scene.running.stop().await;
}

#[tokio::test]
async fn a_narrow_resume_splits_the_hold_and_a_restart_rebuilds_it() {
    let scene = scene().await;
    let pause = submit(Action::Pause, &scene.group, None, &[]);
    scene.submit(pause.clone()).await.unwrap();
    let resume = submit(Action::Resume, &scene.group, None, &[&scene.topic]);
    scene.submit(resume).await.unwrap();
    let view = scene.running.group(&scene.group, "split", |view| {
        view.row.holds.first().is_some_and(|hold| hold.except.len() == 1)
    });
    assert_eq!(view.await.row.paused_partitions, 0);
    let settings = scene.running.settings.clone();
    let group = scene.group.clone();
    scene.running.stop().await;
    let running = Running::start(settings);
    let is_told = |view: &flowdeck_model::view::GroupView| {
        view.commands.iter().any(|one| one.id == pause.id && !one.sent.is_empty())
    };
    let view = running.group(&group, "told as before", is_told).await;
    let told = view.commands.iter().find(|one| one.id == pause.id).unwrap();
    assert_eq!((&told.reason, told.actor.name.as_str()), (&pause.reason, "anonymous"));
    let unknown = running.ports.control.command(&running.cluster, CommandId::random());
    assert!(unknown.unwrap_err().to_string().contains("not in "));
    running.stop().await;
}

#[tokio::test]
async fn a_pause_with_an_end_ends_by_itself() {
    let scene = scene().await;
    let mut pause = submit(Action::Pause, &scene.group, None, &[]);
    pause.ends = Some(PauseEnd::After(1));
    scene.submit(pause).await.unwrap();
    let view = scene.running.group(&scene.group, "ended", |view| {
        view.row.holds.is_empty() && view.commands.iter().any(|one| one.action == Action::Resume)
    });
    let view = view.await;
    let ended = view.commands.iter().find(|one| one.action == Action::Resume).unwrap();
    assert_eq!(format!("{:?}", ended.actor.kind), "System");
    scene.running.stop().await;
}

#[tokio::test]
async fn a_pause_that_came_to_its_end_while_no_flowdeck_ran_ends_at_the_start() {
    let scene = scene().await;
    let mut pause = submit(Action::Pause, &scene.group, None, &[]);
    pause.ends = Some(PauseEnd::After(3_600));
    scene.submit(pause.clone()).await.unwrap();
    let (settings, group) = (scene.running.settings.clone(), scene.group.clone());
    scene.running.stop().await;
    // An hour goes by: the same hold, but for its times.
    let mut hold = last_hold(&settings);
    assert_eq!(
        (hold.id, hold.until.unwrap().since(hold.since)),
        (pause.id.into(), Duration::from_secs(3_600))
    );
    let back = |time: Timestamp| Timestamp::from_millis(time.millis() - 3_600_000);
    (hold.since, hold.until) = (back(hold.since), hold.until.map(back));
    write_hold(&settings, &hold).await;
    let running = Running::start(settings);
    running
        .group(&group, "ended at start", |view| {
            view.row.holds.is_empty() && view.commands.iter().any(|one| one.action == Action::Resume)
        })
        .await;
    running.stop().await;
}

#[tokio::test]
async fn what_cannot_be_is_refused_with_its_reason() {
    let scene = scene().await;
    let words =
        |result: Result<_, PortError>| result.map(|_: flowdeck_model::view::Submitted| ()).unwrap_err();
    let unknown = words(scene.submit(submit(Action::Pause, "no-such-group", None, &[])).await);
    assert!(matches!(unknown, PortError::NotFound { .. }), "{unknown}");
    let never = words(scene.submit(submit(Action::Resume, &scene.group, Some("ghost"), &[])).await);
    assert!(never.to_string().contains("never shown a consumer ghost"), "{never}");
    let silent = unique("silent");
    kafka().commit(&silent, &[(&scene.topic, 0, 0)]);
    scene.running.group(&silent, "the silent group", |_| true).await;
    let nobody = words(scene.submit(submit(Action::Pause, &silent, None, &["t"])).await);
    assert_eq!(nobody.to_string(), format!("no instance of topic t in {silent} listens"));
    let mut reasonless = submit(Action::Pause, &scene.group, None, &[]);
    reasonless.reason = String::new();
    assert!(matches!(words(scene.submit(reasonless).await), PortError::Invalid { .. }));
    let names: Vec<String> = (0..=TOPICS_MAX).map(|n| format!("t-{n}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let many = words(scene.submit(submit(Action::Pause, &scene.group, None, &names)).await);
    assert!(many.to_string().starts_with("target.topics: at most 100"), "{many}");
    // The same consumer name in another group: by-name commands would reach both.
    let twin = FakeInstance { group: silent.clone(), ..scene.agent.clone() };
    scene.running.heard(&twin, &[0]).await;
    let twice = words(scene.submit(submit(Action::Pause, &scene.group, Some("pay"), &[])).await);
    assert!(twice.to_string().contains("runs in several groups"), "{twice}");
    let target = Target::group(scene.group.as_str().into());
    assert_eq!(target.to_string(), scene.group);
    scene.running.stop().await;
}

#[tokio::test]
async fn another_writer_fences_this_one_and_it_is_said() {
    let scene = scene().await;
    let pause = submit(Action::Pause, &scene.group, None, &[]);
    scene.submit(pause).await.unwrap();
    // The first time it takes the writer's id over again: it is elected.
    let settings = scene.running.settings.clone();
    let take = async || {
        kafka().transact(&settings.writer_id, &scene.topic, vec![]).await;
    };
    take().await;
    scene.submit(submit(Action::Resume, &scene.group, None, &[])).await.unwrap();
    take().await;
    let fenced = scene.submit(submit(Action::Pause, &scene.group, None, &[])).await.unwrap_err();
    assert!(fenced.to_string().contains("another Flowdeck writes on this cluster"), "{fenced}");
    wait_for("the warning", DEADLINE, async || {
        let notes = scene.running.ports.fleet.clusters().remove(0).notes;
        notes.iter().any(|note| note.contains("another Flowdeck")).then_some(())
    })
    .await;
    scene.running.stop().await;
}
