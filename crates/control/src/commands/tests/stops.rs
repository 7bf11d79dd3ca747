//! Holds by stop: what is written for them, and what their release starts.

use flowdeck_model::hold::HoldChange;
use flowdeck_model::view::{OffsetChange, OffsetTarget};
use flowdeck_model::{Action, Actor, Hold, HoldBy, PortError, Submit, Via};
use flowdeck_observe::sampling::details::{Details, Retention};
use flowdeck_observe::sampling::merge::{Commit, compact};
use flowdeck_observe::sampling::sample::{Ends, GroupData, LogRow, Mark, Sample};
use flowdeck_protocol::kafkaflow::Command as C;

use super::lifecycle::owner;
use super::plan::{kafkaflow_and_agent, plan, run, with_facts};
use super::*;
use crate::commands::plan::{Decision, Facts, Plan};
use crate::commands::{Command, CommandBook, as_kafkaflow};

fn by_stop(number: u128, consumer: Option<&str>) -> Hold {
    Hold { by: HoldBy::Stop, ..hold(number, consumer, None) }
}

fn pause(by: HoldBy, consumer: Option<&str>) -> Submit {
    Submit { by: Some(by), ..submit(9, Action::Pause, target(consumer, &[])) }
}

#[test]
fn a_pause_by_stop_stops_kafkaflow_by_name_and_holds_the_agents() {
    let plan = plan(&pause(HoldBy::Stop, None), kafkaflow_and_agent(), &[]);
    let sent: Vec<C> = plan.admin.into_iter().map(|one| one.message).collect();
    assert_eq!(sent, [C::StopConsumerByName { consumer: "audio".into() }]);
    let [HoldChange::Set(set)] = &plan.changes[..] else { panic!("{:?}", plan.changes) };
    assert!(set.stops(&"g".into(), &"audio".into()) && set.scope.is_whole());
}

/// A pause by the other way is not the same request.
#[test]
fn what_is_paused_already_can_be_stopped() {
    let paused = hold(1, None, None);
    assert_eq!(
        plan(&pause(HoldBy::Stop, None), kafkaflow_and_agent(), std::slice::from_ref(&paused)).changes.len(),
        1
    );
    let book = CommandBook::new(10);
    let again =
        run(&pause(HoldBy::Pause, None), &index(vec![("g", kafkaflow_and_agent())]), &[paused], &book);
    assert!(matches!(again, Ok(crate::commands::plan::Decision::Existing(_))), "{again:?}");
}

#[test]
fn a_resume_starts_who_no_hold_keeps_stopped_any_more() {
    let resume = submit(9, Action::Resume, target(None, &[]));
    let whole = plan(&resume, kafkaflow_and_agent(), &[by_stop(1, None)]);
    let started: Vec<_> = whole.starts.into_iter().flat_map(|one| one.consumers).collect();
    assert_eq!((started, whole.admin.len()), (vec![(0, "audio".into())], 0));
    // Another hold covers the consumer as well: it is kept stopped in its place, and not started into a pause.
    let resume = submit(9, Action::Resume, target(Some("audio"), &[]));
    let holds = [by_stop(1, Some("audio")), by_stop(2, None)];
    let both = plan(&resume, kafkaflow_and_agent(), &holds);
    let started = |plan: &crate::commands::plan::Plan| plan.starts.is_some();
    assert!(started(&both), "the hold on the group got an exception");
    let timed =
        crate::commands::tests::plan::release(&holds[..1], &[hold(2, None, None)], kafkaflow_and_agent());
    let heir = timed.changes.iter().map(HoldChange::hold).find(|hold| hold.id == holds[1].id).unwrap();
    assert_eq!((heir.by, started(&timed)), (HoldBy::Stop, false));
}

#[test]
fn a_part_of_a_stopped_consumer_is_not_resumed_and_a_start_is_refused() {
    let book = CommandBook::new(10);
    let refused = |submit: &Submit| match run(
        submit,
        &index(vec![("g", kafkaflow_and_agent())]),
        &[by_stop(1, None)],
        &book,
    ) {
        Err(PortError::Unprocessable { detail } | PortError::Conflict { detail }) => detail,
        other => panic!("{other:?}"),
    };
    let part = refused(&submit(9, Action::Resume, target(Some("audio"), &["a"])));
    assert!(part.contains("resume the whole consumer"), "{part}");
    let start = refused(&submit(9, Action::Start, target(Some("audio"), &[])));
    assert!(start.contains("resume it instead"), "{start}");
}

/// It would join its group and run. An agent pauses under the hold, also after a restart.
#[test]
fn what_a_hold_keeps_stopped_is_not_restarted() {
    let (telemetry, book) = (index(vec![("g", kafkaflow_and_agent())]), CommandBook::new(10));
    let holds = [by_stop(1, None)];
    for action in [Action::Restart, Action::ChangeWorkers { workers: 5_u32.try_into().unwrap() }] {
        let asked = |consumer| submit(9, action, target(Some(consumer), &[]));
        let refused = run(&asked("audio"), &telemetry, &holds, &book);
        let is_told =
            matches!(&refused, Err(PortError::Conflict { detail }) if detail.contains("resume it instead"));
        assert!(is_told, "{refused:?}");
        assert!(run(&asked("video"), &telemetry, &holds, &book).is_ok());
        // KafkaFlow's own contract knows no hold.
        let sent = by_kafkaflow(&asked("audio"), &telemetry, &holds, None);
        assert_eq!((sent.admin.len(), sent.changes.len()), (1, 0));
        assert!(sent.notes.iter().any(|note| note.contains("it is stopped again")), "{:?}", sent.notes);
        for (holds, said) in [(vec![hold(1, None, None)], true), (vec![], false)] {
            let notes = plan(&asked("audio"), kafkaflow_and_agent(), &holds).notes;
            let is_said = notes.iter().any(|note| note.contains("A pause of ana is in force. "));
            assert_eq!(is_said, said, "{notes:?}");
        }
    }
}

/// Else what it starts would be stopped again.
#[test]
fn a_start_by_kafkaflows_own_route_ends_the_hold_where_the_group_has_other_members() {
    let members = vec![owner("video-1", &[0])];
    let group = GroupData { members: Some(members.into()), members_at: Some(at(11)), ..GroupData::test("g") };
    let start = submit(9, Action::Start, target(Some("audio"), &[]));
    let telemetry = index(vec![("g", kafkaflow_and_agent())]);
    let sent = by_kafkaflow(&start, &telemetry, &[by_stop(1, Some("audio"))], Some(&group));
    assert!(matches!(&sent.changes[..], [HoldChange::Release(_)]), "{:?}", sent.changes);
    let messages: Vec<C> = sent.admin.into_iter().map(|one| one.message).collect();
    assert_eq!(messages, [C::StartConsumerByName { consumer: "audio".into() }]);
}

/// What a request by KafkaFlow's own contract writes.
fn by_kafkaflow(
    submit: &Submit,
    telemetry: &TelemetryIndex,
    holds: &[Hold],
    group: Option<&GroupData>,
) -> Plan {
    let actor = Actor::anonymous(Via::KafkaFlow, None).view;
    let decision = with_facts(telemetry, holds, &CommandBook::new(10), None, |facts| {
        as_kafkaflow::decide(submit, &actor, Facts { group, ..*facts })
    });
    match decision {
        Ok(Decision::Write(plan)) => plan,
        other => panic!("{other:?}"),
    }
}

fn command(number: u128, action: Action, offsets: &[(i32, OffsetTarget)]) -> Command {
    let actor = Actor::anonymous(Via::Api, None).view;
    let change = |&(partition, to): &(i32, OffsetTarget)| OffsetChange {
        topic: topic("a"),
        partition: parts(&[partition])[0],
        from: Some(7),
        to,
    };
    let of = submit(number, action, target(None, &[]));
    Command { offsets: offsets.iter().map(change).collect(), ..Command::new(of, actor, at(number as i64)) }
}

#[test]
fn commits_that_were_deleted_on_purpose_are_not_put_back() {
    let mut book = CommandBook::new(10);
    book.put(command(1, Action::Pause, &[(0, OffsetTarget::Kept), (1, OffsetTarget::Kept)]), |_| true);
    book.put(command(2, Action::SetOffsets, &[(1, OffsetTarget::Deleted)]), |_| true);
    let resume = submit(9, Action::Resume, target(None, &[]));
    let plan = run(&resume, &index(vec![("g", kafkaflow_and_agent())]), &[by_stop(1, None)], &book).unwrap();
    let crate::commands::plan::Decision::Write(plan) = plan else { panic!("{plan:?}") };
    let kept: Vec<i32> = plan.starts.unwrap().kept.iter().map(|one| one.partition.get()).collect();
    assert_eq!(kept, [0]);
}

/// A group that has read all of topic a but its last record, which came at 10 s.
fn behind_by_one() -> GroupData {
    let name: flowdeck_kafka::Topic = Arc::new(topic("a"));
    let zero = parts(&[0])[0];
    let log = |end| [(Arc::clone(&name), LogRow::new(zero, None, Some(0), Some(end)))];
    let ends = Ends::new(log(11), &Ends::new(log(10), &Ends::default(), at(0)), at(10));
    let commit = Commit { topic: Arc::clone(&name), partition: zero, offset: Some(10), mark: Mark::Fine };
    GroupData { rows: compact(vec![commit]).into(), ends: Arc::new(ends), ..GroupData::test("g") }
}

fn notes(time: Option<u64>, consumer: Option<&str>) -> Vec<String> {
    let retention = Retention { time: time.map(std::time::Duration::from_secs), by_size: true };
    let retention = std::iter::once((Arc::new(topic("a")), Ok(retention))).collect();
    let sample =
        Sample { details: Arc::new(Details { retention, ..Details::default() }), ..Sample::default() };
    let group = behind_by_one();
    let telemetry = index(vec![("g", kafkaflow_and_agent())]);
    let actor = Actor::anonymous(Via::Api, None).view;
    let decision = with_facts(&telemetry, &[], &CommandBook::new(10), None, |facts| {
        let facts = Facts { group: Some(&group), sample: &sample, ..*facts };
        as_kafkaflow::decide(&pause(HoldBy::Stop, consumer), &actor, facts)
    });
    let Ok(Decision::Write(plan)) = decision else { panic!("{decision:?}") };
    plan.notes
}

/// As the group's page, of which the form is a part.
#[test]
fn a_pause_by_stop_says_from_when_on_unread_records_are_deleted() {
    let day = 86_400;
    let says = |notes: &[String], words: &str| notes.iter().any(|note| note.contains(words));
    let until = at(10).plus(std::time::Duration::from_secs(day));
    let known = notes(Some(day), None);
    assert!(says(&known, &format!("Records that are not read are deleted from {until} on")), "{known:?}");
    assert!(says(&known, "a partition 0, unless the log's size limit deletes it before"), "{known:?}");
    assert!(says(&known, "offsets of a group without members from"), "{known:?}");
    let over = notes(Some(1), None);
    assert!(says(&over, "it may be deleted at any moment"), "{over:?}");
    // Records of this topic are not deleted by their age.
    let unknown = notes(None, None);
    assert!(says(&unknown, "by each topic's retention"), "{unknown:?}");
}
