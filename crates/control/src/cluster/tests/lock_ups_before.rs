//! Lock-ups that began before this process: what the holds and the audit tell of them.

use flowdeck_model::view::{InstanceKind, InstanceOutcome};
use flowdeck_model::{HoldBy, InstanceState};
use flowdeck_observe::locked_up::MustEnd;
use flowdeck_protocol::wire::{MustBeEnded, Operation, OperationInstance};

use super::*;
use crate::audit::system;

/// It leads, and follows telemetry since 100 s; the group `g` has been in a rebalance since before.
fn started() -> State {
    let mut state = leader();
    state.started(at(100));
    state.observed.follow_since(Some(at(100)));
    rebalances(&mut state, true, at(100));
    state
}

fn rebalances(state: &mut State, is: bool, when: Timestamp) {
    let one = GroupData { rebalancing_since: is.then(|| at(100)), as_of: Some(when), ..group("g") };
    let groups = vec![Arc::new(one), Arc::new(group("h"))];
    state.sampled(Arc::new(Sample { as_of: Some(when), groups, ..Sample::default() }), when);
}

/// An instance speaks, and lists these partitions.
fn speaks(state: &mut State, instance: &str, paused: &[i32], when: Timestamp) {
    let paused = paused.iter().filter_map(|one| Partition::new(*one)).collect();
    let heard = Heard { instance: instance.into(), running: vec![], paused, ..heard("g", "c", "t", when) };
    state.observed.registry.hear(heard, |_| Trust::UnknownGroup).expect("within the limits");
}

/// Each second until then.
fn looked_at(state: &mut State, instances: &[&str], from: i64, to: i64) {
    for seconds in from..=to {
        for one in instances {
            speaks(state, one, &[], at(seconds));
        }
        state.ticked(at(seconds));
    }
}

fn locked(state: &mut State, now: i64) -> Vec<(String, Option<MustEnd>)> {
    let all = state.parts(at(now)).controlled.locked_up.remove(&GroupId::from("g")).unwrap_or_default();
    all.into_iter().map(|one| (one.id.instance.to_string(), one.must_end)).collect()
}

/// The pause of the group, by an operation that saw these instances paused.
fn paused(state: &mut State, instances: &[&str]) {
    let line = |name: &&str| OperationInstance {
        outcome: InstanceOutcome {
            instance: (*name).into(),
            consumer: Some("c".into()),
            kind: InstanceKind::KafkaFlow,
            incarnation: None,
            state: InstanceState::FetchStopped,
            at: at(3),
            detail: None,
        },
        deadline: None,
    };
    let operation = Operation {
        state: CommandState::Confirmed,
        sent_at: Some(at(1)),
        holds: vec![id(1).into()],
        instances: instances.iter().map(line).collect(),
        ..requested("g", 1, Action::Pause, at(0))
    };
    audited(state, &operation, 0, at(99));
    set(state, &hold("g", 1), 0, at(99));
}

fn by_stop(state: &State) -> bool {
    jobs(state).iter().any(|(_, changes)| {
        matches!(changes, [HoldChange::Set(set)] if set.id == id(1).into() && set.by == HoldBy::Stop)
    })
}

#[test]
fn an_instance_that_locked_up_before_the_start_is_said_and_its_hold_becomes_one_by_stop() {
    let mut state = started();
    paused(&mut state, &["i"]);
    looked_at(&mut state, &["i"], 101, 115);
    assert!(locked(&mut state, 115).is_empty() && !by_stop(&state), "a rebalance may take its time");
    looked_at(&mut state, &["i"], 116, 116);
    assert_eq!(locked(&mut state, 116), [("i".to_owned(), None)]);
    assert!(by_stop(&state), "{:?}", jobs(&state));
}

/// Both list no partition, and one of them waits for the other.
#[test]
fn who_joined_under_the_pause_is_not_said_to_be_locked_up() {
    let mut state = started();
    paused(&mut state, &["i"]);
    looked_at(&mut state, &["i", "joiner"], 101, 120);
    assert_eq!(locked(&mut state, 120), [("i".to_owned(), None)]);
}

#[test]
fn where_no_operation_tells_whom_the_hold_paused_who_is_heard_from_the_first_counts() {
    let mut state = started();
    set(&mut state, &hold("g", 1), 0, at(99));
    state.restore();
    looked_at(&mut state, &["i"], 101, 107);
    looked_at(&mut state, &["i", "joiner"], 108, 130);
    assert_eq!(locked(&mut state, 130), [("i".to_owned(), None)]);
    // A hold that is younger than this process tells nothing: it heard itself what was paused.
    let mut state = started();
    set(&mut state, &Hold { since: at(101), ..hold("g", 1) }, 0, at(101));
    state.restore();
    looked_at(&mut state, &["i"], 102, 130);
    assert!(locked(&mut state, 130).is_empty());
}

#[test]
fn an_idle_instance_of_a_stable_group_or_of_one_that_is_not_held_is_not_locked_up() {
    let mut state = started();
    paused(&mut state, &["i"]);
    rebalances(&mut state, false, at(101));
    looked_at(&mut state, &["i"], 101, 130);
    assert!(locked(&mut state, 130).is_empty());
    let mut state = started();
    looked_at(&mut state, &["i"], 101, 130);
    assert!(locked(&mut state, 130).is_empty());
}

/// A restart of its consumer, in whose record the leader before named the process.
fn named(why: MustEnd) -> Operation {
    let asked = Submit {
        target: Target { consumer: Some("c".into()), ..Target::group("g".into()) },
        ..submit(7, Action::Restart, "g")
    };
    let mut command = Command::new(asked, ana(), at(50));
    command.sent_at = Some(at(50));
    command.state = CommandState::TimedOut;
    command.must_end = vec![MustBeEnded { consumer: "c".into(), instance: "i".into(), why, since: at(60) }];
    command.to_audit(at(60)).expect("a record")
}

fn names(state: &State) -> usize {
    state.book.get(id(7)).expect("the restart").must_end.len()
}

#[test]
fn who_must_be_ended_is_known_to_the_next_leader_until_it_lists_partitions_again() {
    let mut state = started();
    audited(&mut state, &named(MustEnd::DidNotComeBack), 0, at(99));
    looked_at(&mut state, &["i"], 101, 120);
    assert_eq!(locked(&mut state, 120), [("i".to_owned(), Some(MustEnd::DidNotComeBack))]);
    assert_eq!(names(&state), 1);
    speaks(&mut state, "i", &[0], at(121));
    state.ticked(at(121));
    assert!(locked(&mut state, 121).is_empty());
    assert_eq!(names(&state), 0, "and the audit says so");
    assert!(state.take_unaudited(at(121)).iter().any(|one| one.id == id(7) && one.must_end.is_empty()));
}

#[test]
fn who_must_be_ended_is_forgotten_once_it_is_gone() {
    for why in [MustEnd::DidNotComeBack, MustEnd::ResumedTooSoon] {
        let mut state = started();
        audited(&mut state, &named(why), 0, at(99));
        state.ticked(at(110));
        assert_eq!(names(&state), 1, "it may not be heard yet");
        speaks(&mut state, "i", &[0], at(112));
        state.ticked(at(112));
        let obeys_nothing = why == MustEnd::ResumedTooSoon;
        assert_eq!(locked(&mut state, 112).len(), usize::from(obeys_nothing), "{why:?}");
        state.ticked(at(200));
        assert!(locked(&mut state, 200).is_empty());
        assert_eq!(names(&state), 0, "{why:?}");
    }
}

/// The leader finds it without an operation: the one that moved its consumer names it.
#[test]
fn who_locks_up_again_is_named_in_the_audit() {
    let mut state = started();
    rebalances(&mut state, false, at(100));
    for seconds in 101..104 {
        speaks(&mut state, "i", &[0], at(seconds));
        state.ticked(at(seconds));
    }
    let rebalancing = |state: &mut State, since: i64| {
        let one = GroupData { rebalancing_since: Some(at(since)), ..group("g") };
        let groups = vec![Arc::new(one)];
        state.sampled(Arc::new(Sample { as_of: Some(at(since)), groups, ..Sample::default() }), at(since));
    };
    rebalancing(&mut state, 105);
    looked_at(&mut state, &["i"], 105, 121);
    assert_eq!(locked(&mut state, 121), [("i".to_owned(), None)]);
    let asked = Submit {
        target: Target { consumer: Some("c".into()), ..Target::group("g".into()) },
        ..submit(7, Action::Restart, "g")
    };
    let mut restart = Command::new(asked, system(), at(122));
    (restart.sent_at, restart.state) = (Some(at(122)), CommandState::Sent);
    state.enter(restart);
    looked_at(&mut state, &["i"], 122, 124);
    let mut runs = heard("g", "c", "t", at(130));
    runs.running = vec![Partition::new(0).unwrap()];
    state.observed.registry.hear(runs, |_| Trust::UnknownGroup).expect("within the limits");
    state.ticked(at(130));
    rebalancing(&mut state, 135);
    looked_at(&mut state, &["i"], 135, 151);
    assert_eq!(locked(&mut state, 151), [("i".to_owned(), Some(MustEnd::LockedUpAgain))]);
    let command = state.book.get(id(7)).expect("the restart");
    assert_eq!(command.must_end.len(), 1);
    assert!(
        command.notes.iter().any(|words| words.contains("locked up again after it")),
        "{:?}",
        command.notes
    );
}

/// The leader before it wrote the resume's own hold; whether it came to the restart is not known.
#[test]
fn a_process_that_may_not_have_been_told_to_restart_is_not_named() {
    let mut state = known();
    state.observed.follow_since(Some(at(100)));
    rebalances(&mut state, true, at(100));
    paused(&mut state, &["i"]);
    looked_at(&mut state, &["i"], 101, 116);
    let resume = requested("g", 9, Action::Resume, at(117));
    let ahead = Operation { brings_back: vec!["c".into()], ..resume };
    audited(&mut state, &ahead, 1, at(117));
    let scope = Scope { consumer: Some("c".into()), ..Scope::group("g".into()) };
    read(&mut state, wire::hold_record(&Hold { scope, ..hold("g", 9) }, id(9)), 1, at(117));
    lead(&mut state, Some(1), at(120));
    state.begin_next(at(120));
    looked_at(&mut state, &["i"], 121, 155);
    assert_eq!(locked(&mut state, 155), [("i".to_owned(), None)]);
    assert!(state.book.get(id(9)).is_some_and(|one| one.heal.is_some() && one.must_end.is_empty()));
}
