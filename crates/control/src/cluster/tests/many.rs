//! As many holds as are taken in, read one by one beside a full book of commands; and a group of a thousand instances.

use std::time::{Duration, Instant};

use flowdeck_model::{Incarnation, InstanceState};

use super::*;

const HOLDS: u128 = 10_000;
/// In a debug build, on a machine that is busy: a look through all holds for each of them takes minutes.
const LONG: Duration = Duration::from_secs(8);

fn timed(what: &str, work: impl FnOnce()) {
    let began = Instant::now();
    work();
    let took = began.elapsed();
    println!("{what}: {took:?}");
    assert!(took < LONG, "{what} took {took:?}");
}

#[test]
fn ten_thousand_holds_are_read_and_looked_after() {
    let mut state = unknown();
    timed("ten thousand holds, each of a command of its own", || {
        for n in 0..HOLDS {
            set(&mut state, &hold(&format!("g{}", n % 40), n), n as i64, at(0));
            if n % 256 == 0 {
                state.restore();
            }
        }
        state.restore();
    });
    state.heard(Incoming::test(Source::Holds, TopicEvent::CaughtUp, at(0)));
    assert_eq!((active(&state, "g0"), state.book.ids().len()), (250, 1_000));
    // In the order of the topic.
    let last: Vec<CommandId> = state.book.iter().take(3).map(|command| command.id).collect();
    assert_eq!(last, [id(HOLDS - 1), id(HOLDS - 2), id(HOLDS - 3)]);
    timed("ten ticks", || (0..10).for_each(|n| state.ticked(at(n))));
    timed("ten snapshots", || {
        for n in 0..10 {
            let changed = Hold { reason: n.to_string(), ..hold("g0", 0) };
            set(&mut state, &changed, (HOLDS + n) as i64, at(1));
            drop(state.parts(at(1)));
        }
    });
}

#[test]
fn ten_thousand_holds_of_one_command_are_read() {
    let mut state = unknown();
    let names = topics("t", 250);
    timed("ten thousand holds of one command", || {
        for n in 0..HOLDS as usize {
            let mut hold = hold(&format!("g{}", n / 250), 1);
            hold.scope.topic = Some(names[n % 250].clone());
            set(&mut state, &hold, n as i64, at(0));
            if n % 256 == 0 {
                state.restore();
            }
        }
        state.restore();
    });
    assert_eq!((active(&state, "g7"), state.book.ids().len()), (250, 1));
}

const INSTANCES: u128 = 1_020;

fn pod(number: u128) -> String {
    format!("dev-orders-7f9c6b5d4-{number:05}")
}

fn incarnation(number: u128) -> Incarnation {
    Incarnation::from_uuid(uuid::Uuid::from_u128(number))
}

/// A leader whose pause of the group is to be answered by all of them.
fn awaiting_a_thousand() -> State {
    let mut state = leader();
    for number in 0..INSTANCES {
        let (instance, incarnation) = (pod(number).as_str().into(), Some(incarnation(number)));
        let heard = Heard { instance, agent: true, incarnation, ..heard("g", "c", "t", at(1)) };
        state.observed.registry.hear(heard, |_| Trust::Unverified).expect("there is space");
    }
    state.observed.fresh_telemetry(at(1));
    operator(&mut state, "g", 1, at(1));
    write(&mut state, 0, at(1));
    state
}

fn acknowledges(number: u128) -> wire::Ack {
    wire::Ack {
        command: id(1),
        holds_offset: 0,
        group: "g".into(),
        consumer: "c".into(),
        instance: pod(number).as_str().into(),
        incarnation: incarnation(number),
        state: InstanceState::Acknowledged,
        partitions: vec![],
        moved: vec![],
        at: at(2),
        detail: None,
    }
}

/// Instances of the pause in this state.
fn count(state: &State, wanted: InstanceState) -> usize {
    state.book.get(id(1)).unwrap().instances.iter().filter(|one| one.state == wanted).count()
}

fn written_state(state: &mut State) -> wire::Operation {
    state.take_unaudited(at(2)).pop().expect("its newest state")
}

/// Another replica, which has read the hold and this of the audit, hears these answers, and leads then.
fn next_leader(written: &wire::Operation, answering: std::ops::Range<u128>) -> State {
    let mut next = unknown();
    set(&mut next, &hold("g", 1), 0, at(1));
    audited(&mut next, written, 0, at(3));
    for number in answering {
        acked_among_others(&mut next, &acknowledges(number), at(3));
    }
    for source in [Source::Holds, Source::Acks, Source::Audit] {
        next.heard(Incoming::test(source, TopicEvent::CaughtUp, at(3)));
    }
    lead(&mut next, Some(0), at(3));
    next
}

#[test]
fn a_thousand_answers_are_taken_in_and_who_is_silent_stays_known() {
    let mut state = awaiting_a_thousand();
    timed("a thousand answers", || {
        for number in 1..INSTANCES {
            acked_among_others(&mut state, &acknowledges(number), at(2));
        }
        state.settle_answered();
    });
    let of = |state: &State| state.book.get(id(1)).unwrap().state;
    assert_eq!((of(&state), count(&state, InstanceState::Waiting)), (CommandState::Sent, 1));
    // Another replica reads of it where there is no space for all, and leads then.
    let mut next = next_leader(&written_state(&mut state), 0..0);
    timed("ten ticks", || (0..10).for_each(|n| next.ticked(at(15 + n))));
    assert_eq!((of(&next), count(&next, InstanceState::NoResponse)), (CommandState::PartiallyConfirmed, 1));
    let shown = next.book.get(id(1)).unwrap().operation();
    assert!(shown.instances.iter().any(|one| one.instance.as_str() == pod(0)));
    let missing = INSTANCES as usize - shown.instances.len();
    let words = format!("{missing} more instances are not listed: the audit has no space for them");
    assert!(missing > 0 && shown.notes.contains(&words), "{missing}: {:?}", shown.notes);
    // The last one answers at last.
    acked(&mut state, &acknowledges(0), at(4));
    assert_eq!(of(&state), CommandState::Confirmed);
}

/// None had answered, so some of those for which there was no space are awaited too: they answer, or nothing is confirmed.
#[test]
fn those_that_the_audit_has_no_space_for_are_awaited_by_the_next_leader() {
    let mut state = awaiting_a_thousand();
    let written = written_state(&mut state);
    for all_answer in [true, false] {
        let mut read = unknown();
        audited(&mut read, &written, 0, at(3));
        let listed = read.book.get(id(1)).unwrap().instances.len() as u128;
        let answering = if all_answer { INSTANCES } else { listed };
        let mut next = next_leader(&written, 0..answering);
        next.ticked(at(15));
        let command = next.book.get(id(1)).unwrap();
        let wanted = if all_answer { CommandState::Confirmed } else { CommandState::PartiallyConfirmed };
        assert!(listed < INSTANCES);
        assert_eq!((command.state, command.instances.len() as u128), (wanted, answering));
    }
}
