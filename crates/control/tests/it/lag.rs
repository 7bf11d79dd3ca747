//! Lag of every group: the same numbers as Kafka's own tool, and the unknown is said.

use std::time::Duration;

use flowdeck_model::rate::Rate;
use flowdeck_model::view::{GroupView, Mode};
use flowdeck_model::{FleetQuery, Level, TimeLag, Unknown, Verdict};
use flowdeck_observe::ClusterSettings;
use flowdeck_observe::clock::now;
use flowdeck_testkit::{DEADLINE, kafka, unique, wait_for};

use crate::common::{Running, settings};

#[tokio::test]
async fn the_same_numbers_as_kafkas_own_tool() {
    let kafka = kafka();
    let (topic, group, empty) = (unique("orders"), unique("pay ments/ü"), unique("idle"));
    kafka.create_topic(&topic, 3).await;
    for n in 0..30 {
        kafka.send(&topic, format!("k{n}").as_bytes(), b"{}", &[]).await;
    }
    kafka.commit(&group, &[(&topic, 0, 2), (&topic, 1, 0)]);
    kafka.commit(&empty, &[(&topic, 2, 1)]);
    let running = Running::start(settings(Mode::Observe));
    for group in [&group, &empty] {
        let judge = kafka.judge(group);
        assert!(!judge.is_empty(), "the tool knows {group}");
        let view = running.group(group, "the group", |view| !view.partitions.is_empty()).await;
        let committed: Vec<_> = view.partitions.iter().filter(|row| row.committed.is_some()).collect();
        assert_eq!(committed.len(), judge.len());
        for (ours, theirs) in committed.iter().zip(&judge) {
            assert_eq!(
                (ours.topic.as_str(), ours.partition.get()),
                (theirs.topic.as_str(), theirs.partition)
            );
            assert_eq!((ours.committed, ours.end), (theirs.committed, theirs.end));
            assert_eq!(ours.lag.map(|lag| lag as i64), theirs.lag);
        }
        assert_eq!(view.row.verdict, Verdict::NoActiveMembers);
        assert_eq!(view.row.members, Some(0));
    }
    running.stop().await;
}

#[tokio::test]
async fn the_unknown_is_said_and_the_search_finds() {
    let kafka = kafka();
    let (topic, group) = (unique("logs"), unique("reader"));
    kafka.create_topic(&topic, 2).await;
    for n in 0..20 {
        kafka.send(&topic, format!("k{n}").as_bytes(), b"x", &[]).await;
    }
    kafka.commit(&group, &[(&topic, 0, 1), (&topic, 1, 1)]);
    kafka.delete_records(&topic, 0, 3).await;
    let running = Running::start(settings(Mode::Observe));
    let view = running.group(&group, "out of range", |view| {
        view.partitions.first().is_some_and(|row| row.unknown == Some(Unknown::OutOfRange))
    });
    assert_eq!(view.await.partitions[0].lag, None);
    let query = FleetQuery { search: topic.to_uppercase(), ..FleetQuery::default() };
    let fleet = running.ports.fleet.fleet(&query).unwrap();
    assert_eq!((fleet.total, fleet.groups[0].group.as_str()), (1, group.as_str()));
    let mut rows = 0;
    running.admin.figures().partitions(&mut |one| rows += usize::from(one.group.as_str() == group));
    assert_eq!(rows, 2);
    let seen = running.ports.fleet.version();
    let next = tokio::time::timeout(DEADLINE, running.ports.fleet.changed(seen)).await.unwrap();
    assert!(next.n > seen.n && next.epoch == seen.epoch);
    wait_for("ready", DEADLINE, async || running.admin.ready().first_snapshot.then_some(())).await;
    running.stop().await;
}

/// Partition 0 committed 40 and has lost all that it had, of partition 1 30 records are left, partition 2 is caught up.
#[tokio::test]
async fn what_waits_at_least_and_what_was_deleted_unread() {
    let kafka = kafka();
    let (topic, group) = (unique("logs"), unique("gone"));
    kafka.create_topic(&topic, 3).await;
    for partition in 0..3 {
        kafka.produce(&topic, partition, vec!["x"; 100]).await;
    }
    kafka.commit(&group, &[(&topic, 0, 40), (&topic, 1, 40), (&topic, 2, 100)]);
    kafka.delete_records(&topic, 0, 100).await;
    kafka.delete_records(&topic, 1, 70).await;
    let running = Running::start(settings(Mode::Observe));
    let view = running.group(&group, "two out of range", |view| view.row.unknown_partitions == 2).await;
    let row = &view.row;
    assert_eq!((row.lag, row.lag_at_least, row.deleted_unread), (Some(0), Some(30), 90));
    assert_eq!((row.verdict, row.level), (Verdict::LosingData, Level::Critical));
    let deleted: Vec<u64> = view.partitions.iter().map(|row| row.deleted_unread()).collect();
    assert_eq!(deleted, [60, 30, 0]);
    running.stop().await;
}

/// Records that came at two known moments: the age of the oldest that waits, whichever it is, and on a quiet topic.
#[tokio::test]
async fn time_lag_rates_and_last_commit_as_the_producers_clock_has_them() {
    let kafka = kafka();
    let (topic, group) = (unique("timed"), unique("timed"));
    kafka.create_topic(&topic, 1).await;
    kafka.commit(&group, &[(&topic, 0, 0)]);
    let running = Running::start(settings(Mode::Observe));
    let view = running.group(&group, "nothing waits", |view| view.row.lag == Some(0)).await;
    assert_eq!(view.row.time_lag, Some(TimeLag::NONE));
    assert_eq!((view.row.flow.last_commit, view.row.flow.drain), (None, None));
    let watched = view.row.flow.watched_since.expect("it is watched");
    let mut moments = Vec::new();
    for _ in 0..2 {
        let seen = running.ports.fleet.version();
        tokio::time::timeout(DEADLINE, running.ports.fleet.changed(seen)).await.unwrap();
        kafka.produce(&topic, 0, vec!["x"; 10]).await;
        moments.push(now());
        tokio::time::sleep(Duration::from_secs(4)).await;
    }
    for (committed, since) in [(0, moments[0]), (9, moments[0]), (10, moments[1]), (19, moments[1])] {
        kafka.commit(&group, &[(&topic, 0, committed)]);
        let view =
            running.group(&group, "the commit", |view| view.row.lag == Some(20 - committed as u64)).await;
        for said in [view.row.time_lag, view.partitions[0].time_lag] {
            let said = said.expect("it is known");
            let truth = view.now.since(since).as_millis() as u64;
            // An estimate, until the record itself was looked at: the group is in view.
            assert!(said.millis.abs_diff(truth) < 1_000 + truth / 10, "{committed}: {said:?}, {truth} ms");
        }
    }
    let rated =
        |view: &GroupView| view.row.flow.written.one_minute.is_some_and(|rate| rate > Rate::default());
    let view = running.group(&group, "rates", rated).await;
    let flow = &view.row.flow;
    // 20 in and 19 out, since it is watched.
    let seconds = view.row.as_of.unwrap().since(watched).as_secs_f64();
    for (rate, records) in [(flow.written, 20.0), (flow.committed, 19.0)] {
        let rate = rate.one_minute.unwrap().per_second();
        assert!(
            (rate - records / seconds).abs() < 0.3 * records / seconds,
            "{rate} of {records} in {seconds} s"
        );
        assert_eq!(flow.written.five_minutes, None, "it is not watched for so long");
    }
    assert!(flow.last_commit.is_some_and(|at| at > moments[1]));
    assert!(view.partitions[0].last_commit.is_some());
    running.stop().await;
}

#[tokio::test]
async fn no_members_and_no_lag_is_inactive() {
    let kafka = kafka();
    let (topic, group) = (unique("logs"), unique("done"));
    kafka.create_topic(&topic, 1).await;
    kafka.produce(&topic, 0, ["a", "b"]).await;
    kafka.commit(&group, &[(&topic, 0, 2)]);
    let running = Running::start(settings(Mode::Observe));
    let view = running.group(&group, "no members", |view| view.row.members == Some(0)).await;
    assert_eq!((view.row.verdict, view.row.level), (Verdict::Inactive, Level::Ok));
    kafka.produce(&topic, 0, ["c"]).await;
    let view = running.group(&group, "one waits", |view| view.row.lag == Some(1)).await;
    assert_eq!((view.row.verdict, view.row.level), (Verdict::NoActiveMembers, Level::Critical));
    running.stop().await;
}

/// Two groups may be read in each refresh, of 20 and those of other tests.
#[tokio::test]
async fn where_requests_do_not_suffice_what_is_looked_at_is_read_first_and_all_in_turn() {
    let kafka = kafka();
    let topic = unique("orders");
    kafka.create_topic(&topic, 1).await;
    kafka.produce(&topic, 0, vec!["x"; 10]).await;
    let groups: Vec<String> = (0..20).map(|n| unique(&format!("g{n}"))).collect();
    for group in &groups {
        kafka.commit(group, &[(&topic, 0, 1)]);
    }
    let running = Running::start(ClusterSettings { requests_per_second: 4, ..settings(Mode::Observe) });
    let looked = &groups[7];
    running.group(looked, "the group is read", |view| view.row.lag == Some(9)).await;
    for group in &groups {
        kafka.commit(group, &[(&topic, 0, 6)]);
    }
    let view = running.group(looked, "its new commit", |view| view.row.lag == Some(4)).await;
    let fleet = |search: &str| {
        let query = FleetQuery { search: search.to_owned(), ..FleetQuery::default() };
        running.ports.fleet.fleet(&query).unwrap().groups
    };
    let as_of = |row: &flowdeck_model::view::GroupRow| row.as_of.unwrap();
    let rows: Vec<_> = groups.iter().filter_map(|group| fleet(group).into_iter().next()).collect();
    assert!(rows.iter().any(|row| as_of(row) < as_of(&view.row)), "not all are read in each refresh");
    wait_for("each group has its turn", DEADLINE, async || {
        groups.iter().all(|group| fleet(group).iter().any(|row| row.lag == Some(4))).then_some(())
    })
    .await;
    running.stop().await;
}
