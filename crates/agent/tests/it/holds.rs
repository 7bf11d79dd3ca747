//! Holds against a real broker: read before the first record, obeyed at once, answered, released.

use std::time::Duration;

use crate::common::{Agents as _, a_while, noting, quick, settled, slow};
use flowdeck_agent::{OnUnknown, Timings};
use flowdeck_model::InstanceState::{Acknowledged, Drained, NothingToDo, Refused};
use flowdeck_model::{CommandId, Hold, Scope, Timestamp};
use flowdeck_protocol::wire::hold_record;
use flowdeck_testkit::{DEADLINE, Kafka, NodeOptions, ScramUser, World, private, wait_for};

#[tokio::test(flavor = "multi_thread")]
async fn a_pause_is_answered_and_kept_and_a_resume_loses_nothing() {
    let world = World::new(2).await;
    world.produce(0, 300).await;
    world.produce(1, 300).await;
    // Half a minute for all of them: the pause needs a second to be written, on a good day.
    let (seen, handler, pace) = slow(100);
    let agent = world.agent("i-1").workers(2).buffer(20).handler(handler).start().await.unwrap();
    seen.wait_for(4).await;

    let hold = world.pause(world.scope()).await;
    let ack = world.ack(hold.id.into(), "i-1", Acknowledged).await;
    assert_eq!(ack.partitions.len(), 2);
    let drained = world.ack(hold.id.into(), "i-1", Drained).await;
    assert_eq!((drained.partitions.len(), drained.holds_offset), (2, ack.holds_offset));
    let then = seen.count();
    assert!(then < 600, "all was handled before the pause: {then}");
    a_while().await;
    assert_eq!(seen.count(), then, "a handler started after the pause was drained");

    pace.let_go();
    let resume = world.release(&hold).await;
    world.ack(resume, "i-1", Acknowledged).await;
    seen.wait_for(600).await;
    // One agent, no rebalance, no failure: each record once and in order.
    for partition in 0..2 {
        let offsets: Vec<i64> =
            seen.all().into_iter().filter(|(p, _)| *p == partition).map(|(_, o)| o).collect();
        assert_eq!(offsets, (0..300).collect::<Vec<_>>());
    }
    agent.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_instance_that_starts_paused_runs_once_it_is_resumed() {
    let world = World::new(2).await;
    world.produce(0, 50).await;
    // A release of before its start resumes nothing.
    let earlier = world.pause(world.scope()).await;
    world.release(&earlier).await;
    let (seen, handler) = noting(0);
    let agent = world.agent("i-1").start_paused().handler(handler).start().await.unwrap();
    settled(&agent, 0, 2).await;
    a_while().await;
    assert_eq!(seen.count(), 0);
    // A pause that ends by itself is no operator's resume.
    let short = Hold { until: Some(Timestamp::from_millis(1)), ..world.hold(world.scope()) };
    world.write(vec![hold_record(&short, short.id.into())]).await;
    let ended = world.release(&short).await;
    world.ack(ended, "i-1", Acknowledged).await;
    a_while().await;
    assert_eq!(seen.count(), 0);
    // There is no hold: the resume is a tombstone of one that never was.
    let resume = world.release(&world.hold(world.scope())).await;
    world.ack(resume, "i-1", Acknowledged).await;
    seen.wait_for(50).await;
    settled(&agent, 2, 0).await;
    agent.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_instance_that_starts_under_a_hold_handles_nothing() {
    let world = World::new(2).await;
    world.produce(0, 50).await;
    let hold = world.pause(world.scope()).await;
    let (seen, handler) = noting(0);
    let agent = world.agent("late").handler(handler).start().await.unwrap();
    settled(&agent, 0, 2).await;
    world.ack(hold.id.into(), "late", Drained).await;
    a_while().await;
    assert_eq!(seen.count(), 0);
    let resume = world.release(&hold).await;
    world.ack(resume, "late", Acknowledged).await;
    seen.wait_for(50).await;
    agent.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_narrow_resume_under_a_broad_hold_frees_one_partition() {
    let world = World::new(2).await;
    world.produce(0, 10).await;
    world.produce(1, 10).await;
    let hold = world.pause(world.scope()).await;
    let (seen, handler) = noting(0);
    let agent = world.agent("i-1").handler(handler).start().await.unwrap();
    world.ack(hold.id.into(), "i-1", Drained).await;

    let cut =
        Scope { topic: Some(world.topic.parse().unwrap()), partition: 1.try_into().ok(), ..world.scope() };
    let command = CommandId::random();
    let left = Hold { except: vec![cut], ..hold };
    world.write(vec![hold_record(&left, command)]).await;
    let ack = world.ack(command, "i-1", Acknowledged).await;
    assert_eq!(ack.partitions.len(), 1);
    seen.wait_for(10).await;
    settled(&agent, 1, 1).await;
    a_while().await;
    assert!(seen.all().iter().all(|(partition, _)| *partition == 1));
    agent.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_owns_nothing_in_scope_says_so() {
    let world = World::new(1).await;
    let (_, handler) = noting(0);
    let agent = world.agent("i-1").handler(handler).start().await.unwrap();
    settled(&agent, 1, 0).await;
    let other = Scope { topic: Some("another".parse().unwrap()), ..world.scope() };
    let hold = world.pause(other).await;
    world.ack(hold.id.into(), "i-1", NothingToDo).await;
    settled(&agent, 1, 0).await;
    agent.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hold_of_one_instance_leaves_the_other() {
    let world = World::new(2).await;
    let scope = Scope { instance: Some("i-1".into()), ..world.scope() };
    world.pause(scope).await;
    let ((_, one), (_, two)) = (noting(0), noting(0));
    let first = world.agent("i-1").handler(one).start().await.unwrap();
    let second = world.agent("i-2").handler(two).start().await.unwrap();
    settled(&first, 0, 1).await;
    settled(&second, 1, 0).await;
    first.stop().await.unwrap();
    second.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hold_of_a_newer_version_makes_the_holds_unknown() {
    for (policy, running, paused) in [(OnUnknown::Run, 1, 0), (OnUnknown::Pause, 0, 1)] {
        let world = World::new(1).await;
        let hold = world.hold(world.scope());
        let mut newer = hold_record(&hold, hold.id.into());
        newer.headers[0].1 = b"2".to_vec();
        world.write(vec![newer]).await;
        let (_, handler) = noting(0);
        let agent = world.agent("i-1").on_unknown(policy).handler(handler).start().await.unwrap();
        settled(&agent, running, paused).await;
        assert!(agent.holds_unknown().is_some());
        assert_eq!(agent.counts().records_not_understood, 1);
        // Its release, in any version, makes them known again.
        world.release(&hold).await;
        settled(&agent, 1, 0).await;
        wait_for("the holds to be known", DEADLINE, async || agent.holds_unknown().is_none().then_some(()))
            .await;
        agent.stop().await.unwrap();
    }
}

/// An application that may do its own work, and may not read the holds.
#[tokio::test(flavor = "multi_thread")]
async fn while_the_holds_may_not_be_read_the_policy_decides() {
    let user = ScramUser::new("app", "app-secret");
    let broker = private(&NodeOptions { users: vec![user.clone()], ..NodeOptions::default() });
    let world = World::on(Kafka::at(broker.bootstrap()), 1).await;
    broker.allow("app", &["Read", "Describe"], &["--topic", &world.topic]);
    broker.allow("app", &["Read", "Describe"], &["--group", &world.group]);
    world.produce(0, 5).await;
    world.pause(world.scope()).await;
    for (policy, running, paused) in [(OnUnknown::Pause, 0, 1), (OnUnknown::Run, 1, 0)] {
        let mut config = flowdeck_agent::ClientConfig::new();
        for (name, value) in broker.secure().client_properties(&user) {
            config.set(name, value);
        }
        config.set("auto.offset.reset", "earliest");
        let (seen, handler) = noting(0);
        let agent =
            world.agent_with(config, "i-1").on_unknown(policy).handler(handler).start().await.unwrap();
        settled(&agent, running, paused).await;
        let why = agent.holds_unknown().expect("unknown");
        assert!(why.contains("grant Describe and Read"), "{why}");
        if running == 1 {
            seen.wait_for(5).await;
        } else {
            a_while().await;
            assert_eq!(seen.count(), 0);
        }
        agent.stop().await.unwrap();
    }
}

/// That records of the other partition are handled shows that the agent is back and would handle these too.
#[tokio::test(flavor = "multi_thread")]
async fn a_pause_outlives_a_restart_of_the_broker() {
    let mut broker = private(&NodeOptions::default());
    let world = World::on(Kafka::at(broker.bootstrap()), 2).await;
    world.produce(0, 200).await;
    let (seen, handler, pace) = slow(100);
    let agent = world.agent("i-1").workers(2).buffer(10).handler(handler).start().await.unwrap();
    seen.wait_for(5).await;
    let held =
        Scope { topic: Some(world.topic.parse().unwrap()), partition: 0.try_into().ok(), ..world.scope() };
    let hold = world.pause(held).await;
    world.ack(hold.id.into(), "i-1", Drained).await;
    let then = seen.count();
    assert!(then < 200, "all was handled before the pause: {then}");
    pace.let_go();
    broker.stop();
    a_while().await;
    broker.start_again();
    world.produce(1, 10).await;
    // The session may have ended with the broker's restart: the group settles again first.
    let patience = 3 * flowdeck_testkit::DEADLINE;
    flowdeck_testkit::wait_for("the partition that runs", patience, async || {
        (seen.distinct().iter().filter(|(partition, _)| *partition == 1).count() == 10).then_some(())
    })
    .await;
    world.produce(0, 10).await;
    settled(&agent, 1, 1).await;
    a_while().await;
    assert_eq!(seen.all().iter().filter(|(partition, _)| *partition == 0).count(), then);
    let resume = world.release(&hold).await;
    // It owns nothing for a moment if its session ended with the broker's restart.
    flowdeck_testkit::wait_for("an answer to the resume", flowdeck_testkit::DEADLINE, async || {
        let answers = world.acks();
        answers
            .into_iter()
            .find(|ack| ack.command == resume && [Acknowledged, NothingToDo].contains(&ack.state))
    })
    .await;
    flowdeck_testkit::wait_for("220 records", patience, async || {
        (seen.distinct().len() >= 220).then_some(())
    })
    .await;
    agent.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hold_that_nobody_releases_ends_by_the_own_clock_and_is_reported() {
    let world = World::new(1).await;
    world.produce(0, 5).await;
    let hold = world.pause(world.scope()).await;
    let (seen, handler) = noting(0);
    let agent = world
        .agent("i-1")
        .timings(Timings { expiry: Duration::from_secs(3), ..quick() })
        .handler(handler)
        .start()
        .await
        .unwrap();
    settled(&agent, 0, 1).await;
    world.ack(hold.id.into(), "i-1", Drained).await;
    // Its end is written only now: by then a machine may have needed any time.
    let until = now();
    world.write(vec![hold_record(&Hold { until: Some(until), ..hold.clone() }, hold.id.into())]).await;
    seen.wait_for(5).await;
    let late = now().since(until);
    assert!(late >= Duration::from_secs(3), "it ran {late:?} after the end");
    let report = world.ack(hold.id.into(), "i-1", Refused).await;
    assert!(report.detail.unwrap().starts_with("resumed by its own clock"));
    assert_eq!(report.partitions.len(), 1);
    agent.stop().await.unwrap();
}

/// By its clock the hold was over before it was written, so its gates never shut.
#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_is_ahead_is_no_evidence_of_a_pause() {
    let world = World::new(1).await;
    let (seen, handler) = noting(0);
    let agent = world.agent("ahead").handler(handler).start().await.unwrap();
    settled(&agent, 1, 0).await;
    let long_ago = Timestamp::from_millis(now().millis() - 3_600_000);
    let hold = Hold { until: Some(long_ago), ..world.hold(world.scope()) };
    world.write(vec![hold_record(&hold, hold.id.into())]).await;
    world.ack(hold.id.into(), "ahead", Refused).await;
    world.produce(0, 5).await;
    seen.wait_for(5).await;
    let answers = world.acks();
    assert!(answers.iter().all(|ack| !ack.state.is_done()), "{answers:?}");
    agent.stop().await.unwrap();
}

fn now() -> Timestamp {
    Timestamp::from_system(std::time::SystemTime::now())
}
