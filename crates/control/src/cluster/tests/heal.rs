//! A resume that first brings consumers back: what becomes of it where it fails, and what is asked for meanwhile.

use flowdeck_model::HoldBy;

use super::*;
use crate::audit::system;

/// A hold that was made one by stop for a lock-up, and an instance of a consumer under it.
fn contained(paused: Hold) -> State {
    let mut state = leader();
    set(&mut state, &Hold { by: HoldBy::Stop, ..paused.clone() }, 0, at(0));
    let asked = Submit { by: Some(HoldBy::Stop), ..submit(2, Action::Pause, "g") };
    let mut contains = Command::new(asked, system(), at(1));
    contains.state = CommandState::Confirmed;
    contains.before = vec![paused];
    state.enter(contains);
    hear(&mut state, "g", "c", at(5));
    state
}

fn resumes(state: &mut State, number: u128, consumer: Option<&str>, when: Timestamp) {
    let mut asked = submit(number, Action::Resume, "g");
    asked.target.consumer = consumer.map(Into::into);
    let operation = Command::new(asked, ana(), when).to_audit(when).expect("a request");
    audited(state, &operation, i64::try_from(number).unwrap(), when);
    state.begin_next(when);
}

fn heals(state: &State, number: u128) -> bool {
    state.book.get(id(number)).is_some_and(|command| command.heal.is_some())
}

#[test]
fn a_resume_that_was_not_written_does_not_answer_the_next_one() {
    let mut state = contained(hold("g", 1));
    resumes(&mut state, 9, None, at(5));
    assert!(heals(&state, 9));
    fail(&mut state, at(5));
    assert!(!heals(&state, 9));
    resumes(&mut state, 10, None, at(6));
    assert_eq!(jobs(&state).first().map(|(id, _)| *id), Some(id(10)));
}

#[test]
fn a_resume_under_way_answers_the_next_one() {
    let mut state = contained(hold("g", 1));
    resumes(&mut state, 9, None, at(5));
    write(&mut state, 1, at(5));
    resumes(&mut state, 10, None, at(6));
    assert!(jobs(&state).is_empty() && heals(&state, 9) && !heals(&state, 10));
}

#[test]
fn the_end_of_a_pause_that_was_not_written_is_tried_again() {
    let mut state = contained(Hold { until: Some(at(4)), ..hold("g", 1) });
    state.ticked(at(6));
    let first = jobs(&state).first().map(|(id, _)| *id).expect("the end");
    assert!(state.book.get(first).is_some_and(|command| command.heal.is_some()));
    fail(&mut state, at(6));
    state.ticked(at(17));
    assert_eq!(jobs(&state).first().map(|(id, _)| *id), Some(first));
}

#[test]
fn the_end_of_a_pause_leaves_what_another_hold_covers_stopped() {
    let mut state = contained(Hold { until: Some(at(4)), ..hold("g", 1) });
    set(&mut state, &hold("g", 3), 1, at(0));
    state.ticked(at(6));
    let all = jobs(&state);
    let [(end, changes)] = &all[..] else { panic!("{all:?}") };
    assert!(
        matches!(changes, [HoldChange::Release(gone), HoldChange::Set(left)]
            if gone.id == id(1).into() && left.id == id(3).into() && left.by == HoldBy::Stop),
        "{changes:?}"
    );
    assert!(state.book.get(*end).is_some_and(|command| command.heal.is_none()));
}

#[test]
fn an_external_pause_during_the_resume_stays_in_force() {
    let mut state = contained(hold("g", 1));
    resumes(&mut state, 9, None, at(5));
    write(&mut state, 1, at(5));
    state.external_command(id(20), pause("g", vec![]), at(6));
    assert_eq!(jobs(&state).first().map(|(id, _)| *id), Some(id(20)));
    write(&mut state, 2, at(6));
    let command = state.book.get(id(9)).expect("the resume");
    let active = state.observed.holds.of_group(&"g".into());
    let released = crate::commands::heal::releases(command, &active, at(30));
    assert!(released.iter().any(|change| change.hold().id == id(1).into()), "{released:?}");
    assert!(released.iter().all(|change| change.hold().id != id(20).into()), "{released:?}");
}

/// Also where nothing could be written in the moment in which its time was over.
#[test]
fn what_was_held_to_bring_a_consumer_back_is_released_where_that_fails() {
    for blocked in [false, true] {
        let mut state = contained(hold("g", 1));
        resumes(&mut state, 9, Some("c"), at(5));
        write(&mut state, 1, at(5));
        assert!(in_force(&state, 9) && heals(&state, 9));
        hear(&mut state, "g", "c", at(95));
        if blocked {
            state.jobs.push_back(WriteTask::Lead);
            state.ticked(at(96));
            state.jobs.clear();
            hear(&mut state, "g", "c", at(130));
            state.ticked(at(131));
        } else {
            state.ticked(at(96));
        }
        let all = jobs(&state);
        let own = all.iter().find(|(command, _)| *command == id(9)).map(|(_, changes)| *changes);
        assert!(
            matches!(own, Some([HoldChange::Release(gone)]) if gone.id == id(9).into()),
            "{blocked} {all:?}"
        );
        state.jobs.retain(|job| matches!(job, WriteTask::Command { .. }));
        write(&mut state, 10, at(132));
        assert!(!in_force(&state, 9) && !heals(&state, 9), "{blocked}");
        let notes = &state.book.get(id(9)).expect("the resume").notes;
        assert!(notes.iter().any(|words| words.contains("did not come back")), "{notes:?}");
    }
}

/// As where another one paused it on the admin topic before Flowdeck followed it.
#[test]
fn a_resume_of_what_no_hold_pauses_is_sent() {
    let mut state = leader();
    let one = Partition::new(0).unwrap();
    let paused = Heard { running: vec![], paused: vec![one], ..heard("g", "c", "t", at(5)) };
    state.observed.registry.hear(paused, |_| Trust::UnknownGroup).expect("within the limits");
    resumes(&mut state, 9, None, at(5));
    assert_eq!(jobs(&state).first().map(|(id, _)| *id), Some(id(9)));
}
