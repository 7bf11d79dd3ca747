//! A resume that starts what a hold kept stopped, over the death of its leader: what the audit has before the release, and
//! how the next leader goes on.

use flowdeck_kafka::Member;
use flowdeck_model::HoldBy;

use super::*;
use crate::commands::starts::Starts;

/// At 0 s a hold keeps the consumer `c` of `g` stopped, and an instance of it lists nothing.
fn kept_stopped(state: &mut State) {
    set(state, &Hold { by: HoldBy::Stop, ..hold("g", 1) }, 0, at(0));
    idle(state, at(5));
    lists(state, &[], at(5));
}

fn idle(state: &mut State, when: Timestamp) {
    let idle = Heard { running: vec![], ..heard("g", "c", "t", when) };
    state.observed.registry.hear(idle, |_| Trust::UnknownGroup).expect("within the limits");
}

/// What Kafka lists of the group: of each member its partitions of the topic `t`.
fn lists(state: &mut State, members: &[&[i32]], when: Timestamp) {
    let member = |owns: &&[i32]| Member {
        member_id: "m".into(),
        client_id: "m".into(),
        host: "/10.0.0.7".into(),
        group_instance_id: None,
        assignment: owns
            .iter()
            .filter_map(|one| Some((Arc::new("t".parse().ok()?), Partition::new(*one)?)))
            .collect(),
        target_assignment: None,
    };
    let one = GroupData {
        members: Some(members.iter().map(member).collect()),
        members_at: Some(when),
        ..group("g")
    };
    let groups = vec![Arc::new(one), Arc::new(group("h"))];
    state.sampled(Arc::new(Sample { as_of: Some(when), groups, ..Sample::default() }), when);
}

/// The records of the audit that a leader wrote until it released the hold: the request, and what it wrote ahead.
fn of_the_leader_before() -> [wire::Operation; 2] {
    let mut state = leader();
    kept_stopped(&mut state);
    let request = requested("g", 9, Action::Resume, at(5));
    audited(&mut state, &request, 1, at(5));
    state.begin_next(at(5));
    let Some(WriteTask::Command { audit: Some(ahead), starts: Some(_), .. }) = state.jobs.pop_front() else {
        panic!("nothing is written ahead")
    };
    [request, *ahead]
}

/// Another replica leads from 20 s on, and read all that the one before wrote until it was killed after the release.
fn next_leader() -> State {
    let mut state = known();
    kept_stopped(&mut state);
    for (offset, operation) in (1..).zip(of_the_leader_before()) {
        audited(&mut state, &operation, offset, at(6));
    }
    let held = Hold { by: HoldBy::Stop, ..hold("g", 1) };
    read(&mut state, wire::release_record(&held.scope, held.id, id(9)), 1, at(6));
    lead(&mut state, Some(1), at(20));
    state.begin_next(at(20));
    state
}

/// What it sends from then on.
fn starts(state: &mut State, when: i64) -> Vec<(Starts, bool)> {
    state.ticked(at(when));
    let tasks = std::mem::take(&mut state.jobs).into_iter();
    tasks
        .filter_map(|task| match task {
            WriteTask::StartAgain { starts, or_restart, .. } => Some((starts, or_restart)),
            _ => None,
        })
        .collect()
}

#[test]
fn whom_a_resume_starts_is_in_the_audit_before_the_release() {
    let [_, ahead] = of_the_leader_before();
    assert_eq!((ahead.id, ahead.state), (id(9), CommandState::Requested));
    assert!(matches!(&ahead.before[..], [before] if before.by == HoldBy::Stop), "{:?}", ahead.before);
    let named: Vec<_> = ahead.instances.iter().filter_map(|one| one.outcome.consumer.clone()).collect();
    assert_eq!(named, ["c".into()]);
}

#[test]
fn the_next_leader_starts_what_was_released_and_not_started() {
    let mut state = next_leader();
    assert_eq!(state.book.get(id(9)).map(|one| one.state), Some(CommandState::Sent));
    idle(&mut state, at(28));
    lists(&mut state, &[], at(28));
    assert!(starts(&mut state, 29).is_empty(), "a start may be under way");
    let all = starts(&mut state, 30);
    let [(one, false)] = &all[..] else { panic!("{all:?}") };
    assert_eq!(one.consumers.iter().map(|(_, name)| name.clone()).collect::<Vec<_>>(), ["c".into()]);
}

/// A process that was started since knows the instance by the audit alone.
#[test]
fn who_is_heard_only_later_is_started_too() {
    let mut state = known();
    for (offset, operation) in (1..).zip(of_the_leader_before()) {
        audited(&mut state, &operation, offset, at(6));
    }
    let held = Hold { by: HoldBy::Stop, ..hold("g", 1) };
    set(&mut state, &held, 0, at(6));
    read(&mut state, wire::release_record(&held.scope, held.id, id(9)), 1, at(6));
    lead(&mut state, Some(1), at(20));
    state.begin_next(at(20));
    idle(&mut state, at(28));
    lists(&mut state, &[], at(28));
    assert_eq!(starts(&mut state, 30).len(), 1);
}

#[test]
fn what_runs_is_not_started_again() {
    let mut state = next_leader();
    hear(&mut state, "g", "c", at(28));
    lists(&mut state, &[&[0]], at(28));
    assert!(starts(&mut state, 30).is_empty());
    // One that nobody speaks for may be its.
    let mut state = next_leader();
    idle(&mut state, at(28));
    lists(&mut state, &[&[7]], at(28));
    assert!(starts(&mut state, 30).is_empty());
}

/// By Restart, as the release would have.
#[test]
fn where_another_consumer_runs_in_the_group_it_is_restarted() {
    let mut state = next_leader();
    idle(&mut state, at(28));
    let other = Heard { instance: "j".into(), ..heard("g", "d", "t", at(28)) };
    state.observed.registry.hear(other, |_| Trust::UnknownGroup).expect("within the limits");
    lists(&mut state, &[&[0]], at(28));
    let all = starts(&mut state, 30);
    assert!(matches!(&all[..], [(one, true)] if one.consumers.len() == 1), "{all:?}");
}

#[test]
fn what_was_stopped_or_held_since_is_not_started() {
    // By a hold.
    let mut state = next_leader();
    set(&mut state, &Hold { by: HoldBy::Stop, ..hold("g", 3) }, 2, at(22));
    idle(&mut state, at(28));
    lists(&mut state, &[], at(28));
    assert!(starts(&mut state, 30).is_empty());
    // By a pause.
    let mut state = next_leader();
    let mut pause = Command::new(submit(3, Action::Pause, "g"), ana(), at(22));
    (pause.sent_at, pause.state) = (Some(at(22)), CommandState::Sent);
    state.enter(pause);
    idle(&mut state, at(28));
    lists(&mut state, &[], at(28));
    assert!(starts(&mut state, 30).is_empty());
    // By one command.
    let mut state = next_leader();
    let mut stop = submit(3, Action::Stop, "g");
    stop.target.consumer = Some("c".into());
    let mut stop = Command::new(stop, ana(), at(22));
    (stop.sent_at, stop.state) = (Some(at(22)), CommandState::Sent);
    state.enter(stop);
    idle(&mut state, at(28));
    lists(&mut state, &[], at(28));
    assert!(starts(&mut state, 30).is_empty());
}

/// The hold is in force: the request is carried out as if nobody had begun it.
#[test]
fn what_was_not_released_is_planned_anew() {
    let mut state = known();
    kept_stopped(&mut state);
    for (offset, operation) in (1..).zip(of_the_leader_before()) {
        audited(&mut state, &operation, offset, at(6));
    }
    lead(&mut state, Some(0), at(12));
    state.begin_next(at(12));
    assert!(matches!(jobs(&state)[..], [(first, [HoldChange::Release(_)])] if first == id(9)));
    let notes = &state.book.get(id(9)).expect("the resume").notes;
    assert!((1..notes.len()).all(|at| !notes[..at].contains(&notes[at])), "{notes:?}");
}

/// A leader that was stalled writes it when another one has gone on.
#[test]
fn what_is_written_ahead_too_late_changes_nothing() {
    let [request, ahead] = of_the_leader_before();
    let mut state = known();
    audited(&mut state, &request, 1, at(5));
    let done = wire::Operation { state: CommandState::Confirmed, sent_at: Some(at(8)), ..request };
    audited(&mut state, &done, 2, at(9));
    audited(&mut state, &ahead, 3, at(10));
    assert_eq!(state.book.get(id(9)).map(|one| one.state), Some(CommandState::Confirmed));
}

/// Nothing was written: the next leader has the request.
#[test]
fn a_leader_that_is_replaced_before_the_release_keeps_the_request() {
    let mut state = leader();
    kept_stopped(&mut state);
    audited(&mut state, &requested("g", 9, Action::Resume, at(5)), 1, at(5));
    state.begin_next(at(5));
    state.lost(None);
    assert_eq!(state.book.get(id(9)).map(|one| one.state), Some(CommandState::Requested));
}
