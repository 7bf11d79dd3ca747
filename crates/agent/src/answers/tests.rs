use super::*;
use crate::config::tests::settings;
use crate::view::tests::hold as hold_on;
use flowdeck_model::InstanceState::{Acknowledged, Drained, NothingToDo, Refused};
use flowdeck_model::{CommandState, command};

fn lane(topic: &str, gate: Gate, in_flight: bool) -> Seen {
    Seen { at: TopicPartition::parse(topic, 0).unwrap(), gate, stopped: false, in_flight, lag: 0, waiting: 0 }
}

fn due(answers: &mut Answers, seen: &[Seen]) -> Vec<Answer> {
    let snapshot = LaneSnapshot { seen: seen.to_vec(), ..LaneSnapshot::default() };
    answers.due(&settings(), &snapshot, Instant::now())
}

fn hold(topic: Option<&str>, id: HoldId) -> Hold {
    let scope = Scope { topic: topic.map(|t| t.parse().unwrap()), ..Scope::group("g".into()) };
    Hold { id, ..hold_on(scope) }
}

fn said(answers: &[Answer]) -> Vec<(CommandId, InstanceState, usize)> {
    answers.iter().map(|answer| (answer.command, answer.state, answer.partitions.len())).collect()
}

#[test]
fn acknowledged_then_drained_each_once() {
    let (settings, mut answers, id) = (settings(), Answers::default(), HoldId::random());
    answers.set(&settings, &hold(None, id), None, None, 7);
    let busy = [lane("t", Gate::Held, true), lane("u", Gate::Held, false)];
    let first = due(&mut answers, &busy);
    assert_eq!(said(&first), vec![(id.into(), Acknowledged, 2)]);
    assert_eq!(first[0].holds_offset, 7);
    assert_eq!(due(&mut answers, &busy), vec![]);
    let idle = [lane("t", Gate::Held, false), lane("u", Gate::Held, false)];
    assert_eq!(said(&due(&mut answers, &idle)), vec![(id.into(), Drained, 2)]);
    assert_eq!(due(&mut answers, &idle), vec![]);
}

#[test]
fn nothing_is_said_before_the_gates_are_set() {
    let (settings, mut answers, id) = (settings(), Answers::default(), HoldId::random());
    answers.set(&settings, &hold(None, id), None, None, 7);
    assert_eq!(due(&mut answers, &[lane("t", Gate::Pending, false)]), vec![]);
    assert_eq!(due(&mut answers, &[lane("t", Gate::Open, false)]), vec![]);
    let all = due(&mut answers, &[lane("t", Gate::Held, false)]);
    assert_eq!(said(&all), vec![(id.into(), Acknowledged, 1), (id.into(), Drained, 1)]);
}

#[test]
fn one_that_owns_nothing_says_so_and_answers_again_when_partitions_come() {
    let (settings, mut answers, id) = (settings(), Answers::default(), HoldId::random());
    answers.set(&settings, &hold(Some("t"), id), None, None, 7);
    let other = lane("u", Gate::Open, false);
    assert_eq!(said(&due(&mut answers, std::slice::from_ref(&other))), vec![(id.into(), NothingToDo, 0)]);
    let both = [other, lane("t", Gate::Held, false)];
    assert_eq!(said(&due(&mut answers, &both)), vec![(id.into(), Acknowledged, 1), (id.into(), Drained, 1)]);
}

#[test]
fn another_group_or_consumer_is_not_answered() {
    let (settings, mut answers) = (settings(), Answers::default());
    let seen = [lane("t", Gate::Open, false)];
    for scope in [
        Scope::group("h".into()),
        Scope { consumer: Some("other".into()), ..Scope::group("g".into()) },
        Scope { instance: Some("i-2".into()), ..Scope::group("g".into()) },
    ] {
        let id = HoldId::random();
        answers.set(&settings, &Hold { scope: scope.clone(), ..hold(None, id) }, None, None, 0);
        answers.release(&settings, &scope, id, None, 1);
    }
    assert_eq!(due(&mut answers, &seen), vec![]);
}

#[test]
fn a_release_and_a_split_are_answered_with_the_resumes_id() {
    let (settings, mut answers, id) = (settings(), Answers::default(), HoldId::random());
    let (split, release) = (CommandId::random(), CommandId::random());
    let whole = hold(None, id);
    answers.set(&settings, &whole, None, None, 1);
    due(&mut answers, &[lane("t", Gate::Held, false), lane("u", Gate::Held, false)]);

    let cut = Scope { topic: Some("t".parse().unwrap()), ..Scope::group("g".into()) };
    let left = Hold { except: vec![cut], ..whole.clone() };
    answers.set(&settings, &left, Some(&whole), Some(split), 2);
    let seen = [lane("t", Gate::Open, false), lane("u", Gate::Held, false)];
    assert_eq!(said(&due(&mut answers, &seen)), vec![(split, Acknowledged, 1)]);

    answers.release(&settings, &left.scope, id, Some(release), 3);
    let seen = [lane("t", Gate::Open, false), lane("u", Gate::Open, false)];
    let last = due(&mut answers, &seen);
    assert_eq!(said(&last), vec![(release, Acknowledged, 2)]);
    assert_eq!((last[0].holds_offset, &last[0].detail), (3, &None));
}

#[test]
fn release_under_another_hold_reports_what_stays_paused() {
    let (settings, mut answers) = (settings(), Answers::default());
    let (a, b) = (HoldId::random(), HoldId::random());
    answers.set(&settings, &hold(None, a), None, None, 1);
    answers.set(&settings, &hold(Some("t"), b), None, None, 2);
    let held = [lane("t", Gate::Held, false), lane("u", Gate::Held, false)];
    due(&mut answers, &held);
    answers.release(&settings, &hold(None, a).scope, a, None, 3);
    let seen = [lane("t", Gate::Held, false), lane("u", Gate::Open, false)];
    let answer = due(&mut answers, &seen).remove(0);
    assert_eq!(answer.detail.as_deref(), Some("1 of 2 partitions stay paused by another hold"));
}

#[test]
fn a_command_of_several_topics_is_answered_as_one() {
    let (settings, mut answers, id) = (settings(), Answers::default(), HoldId::random());
    answers.set(&settings, &hold(Some("t"), id), None, None, 1);
    answers.set(&settings, &hold(Some("u"), id), None, None, 2);
    let held = [lane("t", Gate::Held, false), lane("u", Gate::Held, false)];
    assert_eq!(said(&due(&mut answers, &held)), vec![(id.into(), Acknowledged, 2), (id.into(), Drained, 2)]);
    // Written again is asked again.
    answers.set(&settings, &hold(Some("t"), id), Some(&hold(Some("t"), id)), None, 3);
    assert_eq!(due(&mut answers, &held).len(), 2);
}

#[test]
fn an_answer_to_a_pause_waits_for_handlers_that_begin_in_this_instant() {
    let (settings, id) = (settings(), HoldId::random());
    let (t, u) = (TopicPartition::parse("t", 0).unwrap(), TopicPartition::parse("u", 0).unwrap());
    let start = Instant::now();
    let after = |ms| start + Duration::from_millis(ms);
    let held = [lane("t", Gate::Held, true)];
    // Its partition may have gone since: then nothing else is owned.
    for (seen, state) in [(&held[..], Acknowledged), (&[], NothingToDo)] {
        let mut answers = Answers::default();
        answers.set(&settings, &hold(Some("t"), id), None, None, 7);
        let mut due = |starting: &[TopicPartition], now| {
            let snapshot =
                LaneSnapshot { seen: seen.to_vec(), starting: starting.to_vec(), ..LaneSnapshot::default() };
            (answers.due(&settings, &snapshot, now), answers.wait(now))
        };
        assert_eq!(due(std::slice::from_ref(&t), after(0)), (vec![], true));
        assert_eq!(due(std::slice::from_ref(&t), after(1_999)), (vec![], true));
        // Elsewhere handlers may begin.
        let (all, waits) = due(std::slice::from_ref(&u), after(1_999));
        assert_eq!((said(&all), waits), (vec![(id.into(), state, seen.len())], false));
        assert_eq!(all[0].detail, None);
    }
}

#[test]
fn a_blocked_handler_is_reported_and_does_not_delay_the_answer() {
    let (settings, mut answers, id) = (settings(), Answers::default(), HoldId::random());
    answers.set(&settings, &hold(None, id), None, None, 7);
    let snapshot = LaneSnapshot {
        seen: vec![lane("t", Gate::Held, true)],
        starting: vec![TopicPartition::parse("t", 0).unwrap()],
        ..LaneSnapshot::default()
    };
    let now = Instant::now();
    assert_eq!(answers.due(&settings, &snapshot, now), vec![]);
    let now = now + CALLED;
    assert!(answers.wait(now), "nothing else asks for the answer then");
    let all = answers.due(&settings, &snapshot, now);
    assert_eq!(said(&all), vec![(id.into(), Acknowledged, 1)]);
    assert!(all[0].detail.as_deref().unwrap().starts_with("1 called more than 2 s ago"));
    assert!(!answers.wait(now));
}

#[test]
fn a_handler_that_outlasts_the_revocation_of_its_partition_is_waited_for_and_said() {
    let (settings, now) = (settings(), Instant::now());
    let outlasting = vec![TopicPartition::parse("t", 0).unwrap()];
    for (seen, owned) in [(vec![], 0), (vec![lane("t", Gate::Held, false)], 1)] {
        let (mut answers, id) = (Answers::default(), HoldId::random());
        answers.set(&settings, &hold(Some("t"), id), None, None, 7);
        let mut snapshot = LaneSnapshot { seen, outlasting: outlasting.clone(), ..LaneSnapshot::default() };
        let all = answers.due(&settings, &snapshot, now);
        assert_eq!(said(&all), vec![(id.into(), Acknowledged, owned)]);
        assert!(all[0].detail.as_deref().unwrap().starts_with("1 of the partitions that were revoked"));
        assert_eq!(answers.due(&settings, &snapshot, now), vec![]);
        snapshot.outlasting.clear();
        let all = answers.due(&settings, &snapshot, now);
        assert_eq!((said(&all), &all[0].detail), (vec![(id.into(), Drained, owned)], &None));
    }
    // Of what the hold does not cover nothing is waited for.
    let (mut answers, id) = (Answers::default(), HoldId::random());
    answers.set(&settings, &hold(Some("u"), id), None, None, 7);
    let snapshot = LaneSnapshot { outlasting, ..LaneSnapshot::default() };
    assert_eq!(said(&answers.due(&settings, &snapshot, now)), vec![(id.into(), NothingToDo, 0)]);
}

/// With a clock that is ahead the gates never shut.
#[test]
fn what_ended_by_the_own_clock_is_no_evidence_of_a_pause() {
    let (settings, mut answers, id) = (settings(), Answers::default(), HoldId::random());
    let (t, u) = (hold(Some("t"), id), hold(Some("u"), id));
    for one in [&t, &u] {
        answers.set(&settings, one, None, None, 7);
    }
    for one in [&t, &u] {
        answers.expired(&settings, one, "resumed by its own clock".into());
    }
    let open = [lane("t", Gate::Open, true), lane("u", Gate::Open, false)];
    let all = due(&mut answers, &open);
    assert_eq!(said(&all), vec![(id.into(), Refused, 2)]);
    assert_eq!((all[0].holds_offset, all[0].detail.as_deref()), (7, Some("resumed by its own clock")));
    assert_eq!(command::outcome(&[all[0].state]), CommandState::Refused);
    assert_eq!(command::outcome(&[Drained, all[0].state]), CommandState::PartiallyConfirmed);
    assert_eq!(due(&mut answers, &open), vec![]);
    // A release without a header of its own speaks of the pause as well.
    answers.release(&settings, &t.scope, id, None, 8);
    assert_eq!(said(&due(&mut answers, &open)), vec![(id.into(), Refused, 2)]);
}

#[test]
fn what_was_said_of_a_pause_is_taken_back_once_it_ended_by_the_own_clock() {
    let held = [lane("t", Gate::Held, false)];
    let elsewhere = [lane("u", Gate::Open, false)];
    let free = [lane("t", Gate::Open, false)];
    for (before, after, want) in [
        (Some(&held), &free, vec![Refused]),
        (Some(&held), &elsewhere, vec![Refused]),
        (Some(&elsewhere), &elsewhere, vec![Refused]),
        (Some(&elsewhere), &free, vec![Refused]),
        // Nothing was said, and there is nothing to say: no partition is concerned.
        (None, &elsewhere, vec![]),
    ] {
        let (settings, mut answers, id) = (settings(), Answers::default(), HoldId::random());
        let hold = hold(Some("t"), id);
        answers.set(&settings, &hold, None, None, 7);
        if let Some(before) = before {
            assert!(!due(&mut answers, before).is_empty());
        }
        answers.expired(&settings, &hold, "over".into());
        // Not before it is known what is owned.
        assert_eq!(due(&mut answers, &[lane("t", Gate::Pending, false)]), vec![]);
        let states: Vec<_> = due(&mut answers, after).iter().map(|answer| answer.state).collect();
        assert_eq!(states, want, "{before:?} {after:?}");
        assert_eq!(due(&mut answers, after), vec![]);
    }
}

#[test]
fn what_a_resume_took_out_did_not_end_by_the_own_clock() {
    let (settings, mut answers, id) = (settings(), Answers::default(), HoldId::random());
    let cut = hold(Some("t"), id).scope;
    let split = Hold { except: vec![cut], ..hold(None, id) };
    answers.set(&settings, &split, None, None, 7);
    answers.expired(&settings, &split, "over".into());
    assert_eq!(due(&mut answers, &[lane("t", Gate::Open, false)]), vec![]);
    answers.expired(&settings, &split, "over".into());
    let both = [lane("t", Gate::Open, false), lane("u", Gate::Open, false)];
    assert_eq!(said(&due(&mut answers, &both)), vec![(id.into(), Refused, 1)]);
}
