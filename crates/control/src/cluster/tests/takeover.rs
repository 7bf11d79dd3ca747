//! A Flowdeck that is not the writer leaves what has to be written to the one that is: whoever writes first
//! takes the writing over from the other.

use super::*;

/// `Timing::writer_first`, in seconds.
const FIRST: i64 = 6;

#[test]
fn the_writer_ends_a_pause_at_once_and_another_one_later() {
    for (is_writer, ends_at) in [(true, 10), (false, 10 + FIRST)] {
        let mut state = known();
        state.is_writer = is_writer;
        set(&mut state, &Hold { until: Some(at(10)), ..hold("g", 1) }, 0, at(0));
        state.ticked(at(ends_at - 1));
        assert!(state.jobs.is_empty());
        state.ticked(at(ends_at));
        assert!(matches!(jobs(&state)[..], [(_, [HoldChange::Release(_)])]), "writer: {is_writer}");
    }
}

#[test]
fn what_the_writer_ended_is_not_ended_again() {
    let mut state = known();
    let timed = Hold { until: Some(at(10)), ..hold("g", 1) };
    set(&mut state, &timed, 0, at(0));
    read(&mut state, wire::release_record(&timed.scope, timed.id, id(2)), 1, at(11));
    state.ticked(at(100));
    assert!(state.jobs.is_empty());
}

/// The writer ends one pause after the other: while it does, nobody else begins.
#[test]
fn nobody_takes_over_while_another_writes() {
    let mut state = known();
    set(&mut state, &Hold { until: Some(at(10)), ..hold("g", 1) }, 0, at(0));
    let other = hold("h", 2);
    read(&mut state, wire::release_record(&other.scope, other.id, id(3)), 1, at(15));
    state.ticked(at(10 + FIRST));
    assert!(state.jobs.is_empty());
    state.ticked(at(15 + FIRST));
    assert_eq!(jobs(&state).len(), 1);
}

/// What is overdue at the start may be what the writer is ending.
#[test]
fn a_start_is_no_reason_to_hurry() {
    let mut state = unknown();
    set(&mut state, &Hold { until: Some(at(1)), ..hold("g", 1) }, 0, at(100));
    state.heard(Incoming::test(Source::Holds, TopicEvent::CaughtUp, at(100)));
    state.ticked(at(100 + FIRST - 1));
    assert!(state.jobs.is_empty());
    state.ticked(at(100 + FIRST));
    assert_eq!(jobs(&state).len(), 1);
}

#[test]
fn a_foreign_command_is_the_writers_first() {
    // This process is the writer.
    let mut state = writer();
    state.external_command(id(1), pause("g", vec![]), at(1));
    assert_eq!(jobs(&state).len(), 1);
    // Nobody is: later, in their order.
    let mut state = known();
    state.external_command(id(1), pause("g", vec![]), at(1));
    state.external_command(id(2), resume("g"), at(2));
    state.ticked(at(FIRST));
    assert!(state.jobs.is_empty());
    state.ticked(at(2 + FIRST));
    assert_eq!(jobs(&state).iter().map(|(id, _)| *id).collect::<Vec<_>>(), [id(1), id(2)]);
    // This process becomes it: at once, and what comes then as well.
    let mut state = known();
    state.external_command(id(1), pause("g", vec![]), at(1));
    state.is_writer = true;
    state.external_command(id(2), pause("h", vec![]), at(1));
    assert!(state.jobs.is_empty(), "not before the one that came before");
    state.ticked(at(1));
    assert_eq!(jobs(&state).iter().map(|(id, _)| *id).collect::<Vec<_>>(), [id(1), id(2)]);
}

/// Another Flowdeck took a pause and its resume over: nothing is left of them, and nothing is made of them.
#[test]
fn a_foreign_command_that_another_took_over_is_not_done_again() {
    let mut state = known();
    state.external_command(id(1), pause("g", vec![]), at(1));
    let theirs = hold("g", 1);
    set(&mut state, &theirs, 0, at(2));
    state.external_command(id(2), resume("g"), at(3));
    read(&mut state, wire::release_record(&theirs.scope, theirs.id, id(2)), 1, at(4));
    state.ticked(at(60));
    assert!(state.jobs.is_empty());
    assert_eq!(dropped(&state, "external_command_taken_over"), 2);
}

/// What this process writes is nobody else's.
#[test]
fn ones_own_records_do_not_tell_of_another() {
    let mut state = known();
    operator(&mut state, "h", 7, at(1));
    state.external_command(id(1), pause("g", vec![]), at(1));
    set(&mut state, &hold("h", 7), 0, at(2));
    write(&mut state, 0, at(2));
    state.ticked(at(1 + FIRST));
    assert_eq!(jobs(&state).len(), 1);
}

/// The first refresh and the first reading of the holds take a moment.
#[test]
fn what_comes_before_the_holds_are_known_waits_for_them() {
    let mut state = unknown();
    state.external_command(id(1), pause("g", vec![]), at(1));
    state.ticked(at(20));
    assert_eq!((state.waiting.len(), state.jobs.len()), (1, 0));
    state.heard(Incoming::test(Source::Holds, TopicEvent::CaughtUp, at(21)));
    state.ticked(at(21 + FIRST - 1));
    assert!(state.jobs.is_empty(), "another may have begun to write just now, too");
    state.ticked(at(21 + FIRST));
    assert_eq!(jobs(&state).len(), 1);
}

/// After an outage every Flowdeck comes back in its own moment.
#[test]
fn an_outage_is_no_reason_to_hurry() {
    let mut state = known();
    set(&mut state, &Hold { until: Some(at(10)), ..hold("g", 1) }, 0, at(0));
    state.external_command(id(2), pause("h", vec![]), at(10));
    state.heard(Incoming::test(Source::Holds, TopicEvent::Failing("away".into()), at(5)));
    for seconds in 6..40 {
        state.ticked(at(seconds));
    }
    state.heard(Incoming::test(Source::Holds, TopicEvent::CaughtUp, at(40)));
    state.ticked(at(40 + FIRST - 1));
    assert!(state.jobs.is_empty());
    state.ticked(at(40 + FIRST));
    assert_eq!(jobs(&state).len(), 2);
}

/// What came before an operator's command is done before it, or it would undo it later.
#[test]
fn an_operators_command_comes_after_what_came_before_it() {
    let mut state = known();
    state.external_command(id(1), pause("g", vec![]), at(1));
    assert!(state.precedes(at(2)), "there is something to write first");
    assert_eq!(jobs(&state).iter().map(|(id, _)| *id).collect::<Vec<_>>(), [id(1)]);
    assert!(state.waiting.is_empty());
    // What another did is not done again, and where nothing can be written the operator is told.
    let mut state = known();
    state.external_command(id(1), pause("g", vec![]), at(1));
    set(&mut state, &hold("g", 9), 0, at(2));
    assert!(!state.precedes(at(3)) && state.waiting.is_empty());
    let mut state = unknown();
    state.external_command(id(1), pause("g", vec![]), at(1));
    assert!(!state.precedes(at(2)) && state.waiting.len() == 1);
}

/// Each heard all of them: what the writer left alone is not left over for the others.
#[test]
fn the_cap_is_the_same_for_who_waits() {
    let flapping = |state: &mut State, from: i64| {
        for n in 0..30 {
            let command = if n % 2 == 0 { pause("g", vec![]) } else { resume("g") };
            state.external_command(CommandId::random(), command, at(from + n / 10));
        }
    };
    let mut state = known();
    flapping(&mut state, 1);
    state.ticked(at(3 + FIRST));
    assert_eq!(jobs(&state).len(), 10);
    // The pauses beyond it; a resume of what does not stand changes nothing.
    assert_eq!(dropped(&state, "external_command_repeated"), 10);
    // Another wrote after the first ten.
    let mut state = known();
    flapping(&mut state, 1);
    let theirs = hold("g", 9);
    read(&mut state, wire::release_record(&theirs.scope, theirs.id, id(9)), 0, at(2));
    state.ticked(at(3 + FIRST));
    assert!(jobs(&state).is_empty());
    // What changes nothing is no repeat.
    let mut state = known();
    set(&mut state, &hold("g", 9), 0, at(0));
    for seconds in 1..=20 {
        state.external_command(CommandId::random(), pause("g", vec![]), at(seconds));
    }
    state.external_command(id(1), resume("g"), at(21));
    state.ticked(at(21 + FIRST));
    assert_eq!(jobs(&state).iter().map(|(id, _)| *id).collect::<Vec<_>>(), [id(1)]);
}

/// One refresh that fails now and then is no outage.
#[test]
fn a_moment_in_which_nothing_can_be_written_changes_nothing() {
    let mut state = known();
    set(&mut state, &Hold { until: Some(at(10)), ..hold("g", 1) }, 0, at(0));
    for seconds in (1..10 + FIRST).step_by(3) {
        state.heard(Incoming::test(Source::Holds, TopicEvent::Failing("away".into()), at(seconds)));
        state.ticked(at(seconds));
        state.heard(Incoming::test(Source::Holds, TopicEvent::CaughtUp, at(seconds + 1)));
    }
    state.ticked(at(10 + FIRST));
    assert_eq!(jobs(&state).len(), 1);
}

/// On a cluster without Flowdeck's topics nothing stands, and that is known before the next tick.
#[test]
fn what_came_before_is_done_where_the_topics_are_not_there_yet() {
    let mut state = unknown();
    state.external_command(id(1), pause("g", vec![]), at(1));
    state.heard(Incoming::test(Source::Holds, TopicEvent::Missing, at(2)));
    assert!(state.precedes(at(2)));
    assert_eq!(jobs(&state).len(), 1);
}

/// In doubt, and written after all.
#[test]
fn what_was_in_doubt_is_ones_own() {
    let mut state = known();
    operator(&mut state, "h", 7, at(1));
    let Some(WriteTask::Command { id: doubted, .. }) = state.jobs.pop_front() else { panic!("nothing") };
    let written = Written { error: Some(WriteError::InDoubt), ..Written::default() };
    state.written(WriteOutcome::Command { id: doubted, answer: None, written }, at(2));
    state.external_command(id(1), pause("g", vec![]), at(3));
    set(&mut state, &hold("h", 7), 0, at(4));
    state.ticked(at(3 + FIRST));
    assert_eq!(jobs(&state).len(), 1);
}

#[test]
fn those_that_wait_are_bounded() {
    let mut state = known();
    state.external_command(id(0), pause("g", topics("t", 1)), at(1));
    for n in 1..200 {
        state.external_command(id(n), resume(&format!("other {n}")), at(1));
    }
    assert_eq!(state.waiting.len(), 128);
    assert_eq!(dropped(&state, "external_command_queue_full"), 72);
    assert!(warns(&mut state, "72 commands that came faster than they can be written", at(1)));
    state.ticked(at(1 + FIRST));
    assert_eq!((state.waiting.len(), jobs(&state).len()), (0, 1));
    fail(&mut state, at(2 + FIRST));
    assert_eq!(
        format!("{:?}", state.unwritten.room()),
        format!("{:?}", flowdeck_observe::holds::quota::HoldQuota::default())
    );
}
