//! One replica leads and writes; the others follow, and take over what it left.

use super::*;

#[test]
fn only_the_leader_ends_a_pause() {
    for leads in [true, false] {
        let mut state = if leads { leader() } else { known() };
        set(&mut state, &Hold { until: Some(at(10)), ..hold("g", 1) }, 0, at(0));
        state.ticked(at(9));
        assert!(state.jobs.is_empty());
        state.ticked(at(100));
        assert_eq!(matches!(jobs(&state)[..], [(_, [HoldChange::Release(_)])]), leads, "leads: {leads}");
    }
}

#[test]
fn what_the_leader_before_ended_is_not_ended_again() {
    let mut state = known();
    let timed = Hold { until: Some(at(10)), ..hold("g", 1) };
    set(&mut state, &timed, 0, at(0));
    read(&mut state, wire::release_record(&timed.scope, timed.id, id(2)), 1, at(11));
    lead(&mut state, None, at(12));
    state.ticked(at(100));
    assert!(state.jobs.is_empty());
}

/// The end of a pause that could not be written is tried again, as the same command.
#[test]
fn the_end_of_a_pause_is_tried_again_under_one_id() {
    let mut state = leader();
    set(&mut state, &Hold { until: Some(at(10)), ..hold("g", 1) }, 0, at(0));
    state.ticked(at(10));
    let first = jobs(&state)[0].0;
    fail(&mut state, at(11));
    state.ticked(at(15));
    assert!(state.jobs.is_empty(), "not at once");
    state.ticked(at(30));
    assert_eq!(jobs(&state).iter().map(|(id, _)| *id).collect::<Vec<_>>(), [first]);
}

/// Who has to be told of the end is heard by then.
#[test]
fn an_overdue_hold_ends_once_telemetry_is_followed_for_a_while() {
    let ends = |hold: &Hold, followed: Option<i64>, now: i64| {
        let mut state = leader();
        state.started(at(100));
        state.observed.follow_since(followed.map(at));
        set(&mut state, hold, 0, at(100));
        state.ticked(at(now));
        !jobs(&state).is_empty()
    };
    let before = Hold { until: Some(at(10)), ..hold("g", 1) };
    for (followed, now, want) in
        [(Some(101), 106, false), (Some(101), 107, true), (None, 114, false), (None, 115, true)]
    {
        assert_eq!(ends(&before, followed, now), want, "{followed:?} {now}");
    }
    let since = Hold { since: at(102), until: Some(at(103)), ..hold("g", 1) };
    assert!(ends(&since, Some(101), 104), "made while telemetry is followed");
}

/// Whoever is elected knows what the leader before it wrote before it writes itself.
#[test]
fn a_new_leader_reads_the_holds_to_where_the_last_one_ended() {
    let mut state = known();
    set(&mut state, &Hold { until: Some(at(10)), ..hold("g", 1) }, 0, at(0));
    lead(&mut state, Some(1), at(12));
    state.ticked(at(12));
    assert!(state.jobs.is_empty(), "the record at 1 is not read yet");
    set(&mut state, &Hold { until: Some(at(50)), ..hold("g", 1) }, 1, at(13));
    state.ticked(at(14));
    assert!(state.jobs.is_empty(), "the pause was made longer");
    state.ticked(at(50));
    assert_eq!(jobs(&state).len(), 1);
}

#[test]
fn an_external_command_is_the_leaders() {
    let mut state = leader();
    state.external_command(id(1), pause("g", vec![]), at(1));
    assert_eq!(jobs(&state).len(), 1);
    // Nobody leads: it waits, and what comes after it as well.
    let mut state = known();
    state.external_command(id(1), pause("g", vec![]), at(1));
    state.external_command(id(2), pause("h", vec![]), at(2));
    state.ticked(at(20));
    assert!(state.jobs.is_empty());
    lead(&mut state, None, at(21));
    state.external_command(id(3), resume("h"), at(21));
    assert!(state.jobs.is_empty(), "not before those that came before");
    state.ticked(at(21));
    assert_eq!(jobs(&state).iter().map(|(id, _)| *id).collect::<Vec<_>>(), [id(1), id(2), id(3)]);
}

/// Another Flowdeck took a pause and its resume over: nothing is left of them, and nothing is made of them.
#[test]
fn an_external_command_that_another_took_over_is_not_done_again() {
    let mut state = known();
    state.external_command(id(1), pause("g", vec![]), at(1));
    let theirs = hold("g", 1);
    set(&mut state, &theirs, 0, at(2));
    state.external_command(id(2), resume("g"), at(3));
    read(&mut state, wire::release_record(&theirs.scope, theirs.id, id(2)), 1, at(4));
    state.ticked(at(5));
    lead(&mut state, None, at(6));
    state.ticked(at(7));
    assert!(state.jobs.is_empty() && state.external.is_empty());
    assert_eq!(dropped(&state, "external_command_taken_over"), 2);
}

/// The first refresh and the first reading of the holds take a moment.
#[test]
fn what_comes_before_the_holds_are_known_waits_for_them() {
    let mut state = unknown();
    lead(&mut state, None, at(0));
    state.external_command(id(1), pause("g", vec![]), at(1));
    state.ticked(at(20));
    assert_eq!((state.external.len(), state.jobs.len()), (1, 0));
    state.heard(Incoming::test(Source::Holds, TopicEvent::CaughtUp, at(21)));
    state.ticked(at(21));
    assert_eq!(jobs(&state).len(), 1);
}

#[test]
fn nothing_is_written_while_the_holds_cannot_be_followed() {
    let mut state = leader();
    set(&mut state, &Hold { until: Some(at(10)), ..hold("g", 1) }, 0, at(0));
    state.heard(Incoming::test(Source::Holds, TopicEvent::Failing("away".into()), at(5)));
    state.external_command(id(2), pause("h", vec![]), at(10));
    state.ticked(at(30));
    assert!(state.jobs.is_empty());
    state.heard(Incoming::test(Source::Holds, TopicEvent::CaughtUp, at(40)));
    state.ticked(at(40));
    assert_eq!(jobs(&state).len(), 2);
}

/// What came before an operator's command is done before it, or it would undo it later.
#[test]
fn an_operators_command_comes_after_what_came_before_it() {
    let mut state = known();
    state.external_command(id(1), pause("g", vec![]), at(1));
    audited(&mut state, &requested("g", 7, Action::Resume, at(2)), 0, at(2));
    lead(&mut state, None, at(3));
    state.begin_next(at(3));
    assert_eq!(jobs(&state).iter().map(|(id, _)| *id).collect::<Vec<_>>(), [id(1)]);
    write(&mut state, 0, at(3));
    state.begin_next(at(3));
    assert!(matches!(jobs(&state)[..], [(first, [HoldChange::Release(_)])] if first == id(7)));
}

/// Each heard all of them: what the leader left alone is not left over for the others.
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
    lead(&mut state, None, at(4));
    state.ticked(at(4));
    assert_eq!(jobs(&state).len(), 10);
    // The pauses beyond it; a resume of what is not paused changes nothing.
    assert_eq!(dropped(&state, "external_command_repeated"), 10);
    // Another wrote after the first ten.
    let mut state = known();
    flapping(&mut state, 1);
    let theirs = hold("g", 9);
    read(&mut state, wire::release_record(&theirs.scope, theirs.id, id(9)), 0, at(2));
    lead(&mut state, None, at(4));
    state.ticked(at(4));
    assert!(jobs(&state).is_empty());
    // What changes nothing is no repeat.
    let mut state = known();
    set(&mut state, &hold("g", 9), 0, at(0));
    for seconds in 1..=20 {
        state.external_command(CommandId::random(), pause("g", vec![]), at(seconds));
    }
    state.external_command(id(1), resume("g"), at(21));
    lead(&mut state, None, at(22));
    state.ticked(at(22));
    assert_eq!(jobs(&state).iter().map(|(id, _)| *id).collect::<Vec<_>>(), [id(1)]);
}

#[test]
fn those_that_wait_are_bounded() {
    let mut state = known();
    state.external_command(id(0), pause("g", topics("t", 1)), at(1));
    for n in 1..200 {
        state.external_command(id(n), resume(&format!("other {n}")), at(1));
    }
    assert_eq!(state.external.len(), 128);
    assert_eq!(dropped(&state, "external_command_queue_full"), 72);
    assert!(warns(&mut state, "72 commands that came faster than they can be written", at(1)));
    lead(&mut state, None, at(2));
    state.ticked(at(2));
    assert_eq!((state.external.len(), jobs(&state).len()), (0, 1));
    fail(&mut state, at(3));
    assert_eq!(
        format!("{:?}", state.unwritten.quota()),
        format!("{:?}", flowdeck_observe::holds::quota::HoldQuota::default())
    );
}

/// One that was elected before has no part in what is written after it.
#[test]
fn what_was_not_begun_is_left_to_the_next_leader() {
    let mut state = leader();
    hear_now(&mut state, at(1));
    audited(&mut state, &requested("g", 7, Action::Pause, at(1)), 0, at(1));
    state.begin_next(at(1));
    state.external_command(id(2), pause("h", vec![]), at(1));
    assert_eq!(jobs(&state).len(), 2);
    state.lost(None);
    assert!(jobs(&state).is_empty());
    assert_eq!(state.book.get(id(7)).map(|one| one.state), Some(CommandState::Requested), "the audit has it");
    assert!(state.book.get(id(2)).is_none(), "nobody else knows of it");
    assert_eq!(
        format!("{:?}", state.unwritten.quota()),
        format!("{:?}", flowdeck_observe::holds::quota::HoldQuota::default())
    );
}

/// A leader that is fenced takes the id over again, once; then somebody has it who is not elected.
#[test]
fn a_leader_that_is_fenced_takes_over_once() {
    let fence = |state: &mut State, when: Timestamp| {
        operator(state, "g", 7, when);
        let Some(WriteTask::Command { id, .. }) = state.jobs.pop_front() else { panic!("nothing") };
        let written = Written { error: Some(WriteError::Fenced), ..Written::default() };
        state.written(WriteOutcome::Command { id, written }, when);
    };
    let mut state = leader();
    fence(&mut state, at(1));
    assert!(matches!(state.jobs.pop_front(), Some(WriteTask::Lead)));
    assert_eq!(
        state.book.get(id(7)).map(|one| one.state),
        Some(CommandState::Requested),
        "it is carried out later"
    );
    lead(&mut state, None, at(2));
    fence(&mut state, at(3));
    assert!(state.jobs.is_empty());
    assert!(state.may_write().unwrap_err().to_string().contains("another Flowdeck writes on this cluster"));
    assert!(warns(&mut state, "another Flowdeck writes on this cluster", at(4)));
    // It may be gone.
    state.lead_again(at(40));
    assert!(matches!(state.jobs.pop_front(), Some(WriteTask::Lead)));
}

/// A resume that may have been written: a pause after it must not be answered with the hold that may be gone.
#[test]
fn after_a_write_in_doubt_nothing_is_planned_before_its_outcome_is_read() {
    let mut state = leader();
    hear_now(&mut state, at(1));
    set(&mut state, &hold("g", 1), 0, at(1));
    audited(&mut state, &requested("g", 7, Action::Resume, at(2)), 0, at(2));
    state.begin_next(at(2));
    let Some(WriteTask::Command { id: resumed, .. }) = state.jobs.pop_front() else { panic!("nothing") };
    let written = Written { error: Some(WriteError::InDoubt), ..Written::default() };
    state.written(WriteOutcome::Command { id: resumed, written }, at(12));
    assert!(matches!(state.jobs.pop_front(), Some(WriteTask::Lead)));

    audited(&mut state, &requested("g", 8, Action::Pause, at(13)), 1, at(13));
    state.begin_next(at(13));
    assert!(state.jobs.is_empty() && state.leads(), "the id is being taken over");
    let failed = Err(WriteError::NotWritten("no answer in time".into()));
    state.written(WriteOutcome::Lead { result: failed }, at(13));
    assert!(state.may_write().unwrap_err().to_string().contains("is being found out: no answer in time"));
    state.lead_again(at(14));
    assert!(state.jobs.is_empty(), "not at once");
    state.lead_again(at(16));
    assert!(matches!(state.jobs.pop_front(), Some(WriteTask::Lead)));
    state.written(WriteOutcome::Lead { result: Ok(Took { last_hold: Some(1) }) }, at(16));
    state.begin_next(at(16));
    assert!(state.jobs.is_empty(), "the record at 1 is not read yet");
    let gone = hold("g", 1);
    read(&mut state, wire::release_record(&gone.scope, gone.id, id(7)), 1, at(16));
    state.begin_next(at(16));
    assert!(matches!(jobs(&state)[..], [(pause, [HoldChange::Set(_)])] if pause == id(8)));
}

/// A hold is found again on its topic; whether a consumer was told to restart cannot be known.
#[test]
fn what_may_have_been_sent_is_not_sent_again_by_the_next_leader() {
    let mut state = known();
    hear_now(&mut state, at(1));
    for (number, action) in [(7, Action::Restart), (8, Action::Reset)] {
        let mut asked = submit(number, action, "g");
        asked.target.consumer = Some("c".into());
        let request = Command::new(asked, ana(), at(1)).to_audit(at(1)).unwrap();
        audited(&mut state, &request, 0, at(1));
    }
    lead(&mut state, None, at(2));
    state.begin_next(at(2));
    assert!(state.jobs.is_empty());
    for number in [7, 8] {
        let command = state.book.get(id(number)).unwrap();
        assert_eq!(command.state, CommandState::Refused);
        assert!(command.notes[0].contains("may have sent it"), "{:?}", command.notes);
    }
    // One that comes while it leads is begun.
    let mut asked = submit(9, Action::Restart, "g");
    asked.target.consumer = Some("c".into());
    audited(&mut state, &Command::new(asked, ana(), at(2)).to_audit(at(2)).unwrap(), 1, at(2));
    state.begin_next(at(2));
    assert_eq!(state.jobs.len(), 1);
}
