//! What is written for holds though nobody asks: pauses that are not obeyed, and holds that have ended.

use super::*;

/// A hold of the group, read from the topic, and an instance of the consumer that runs a partition under it.
fn not_obeyed(state: &mut State, except: Vec<Scope>) {
    set(state, &Hold { except, ..hold("g", 1) }, 0, at(0));
    state.restore();
    hear(state, "g", "c", at(5));
}

fn sent_again(state: &State) -> usize {
    state.jobs.iter().filter(|job| matches!(job, WriteTask::Again { .. })).count()
}

/// It came while nobody led.
#[test]
fn an_external_resume_that_is_not_taken_over_yet_is_not_fought() {
    for (resumed, want) in [(false, 1), (true, 0)] {
        let mut state = known();
        not_obeyed(&mut state, vec![]);
        if resumed {
            state.external_command(id(9), resume("g"), at(5));
        }
        lead(&mut state, None, at(5));
        state.ticked(at(5));
        assert_eq!(sent_again(&state), want, "{resumed}");
    }
}

/// Stopped at 195 s; at 200 s it lists what is paused, from 205 s on nothing, while its group rebalances.
#[test]
fn a_stop_without_proof_does_not_keep_a_lock_up_from_being_said() {
    for (outcome, now, locked_up) in [
        (CommandState::TimedOut, 220, false),
        (CommandState::TimedOut, 320, true),
        (CommandState::Confirmed, 320, false),
    ] {
        let mut state = known();
        let rebalances = GroupData { rebalancing_since: Some(at(205)), ..group("g") };
        let sample = Sample { as_of: Some(at(205)), groups: vec![Arc::new(rebalances)], ..Sample::default() };
        state.sampled(Arc::new(sample), at(195));
        let mut stop = submit(1, Action::Stop, "g");
        stop.target.consumer = Some("c".into());
        let mut stop = Command::new(stop, ana(), at(195));
        (stop.state, stop.sent_at) = (outcome, Some(at(195)));
        state.enter(stop);
        for (when, paused) in [(200, vec![Partition::FIRST]), (205, vec![]), (now, vec![])] {
            let heard = Heard { running: vec![], paused, ..heard("g", "c", "t", at(when)) };
            state.observed.registry.hear(heard, |_| Trust::Unverified).expect("within the limits");
            state.observed.fresh_telemetry(at(when));
            state.look_at_lock_ups(at(when));
        }
        let is_said = state.locked_up.of(&"g".into()).is_some_and(|all| !all.locked().is_empty());
        assert_eq!(is_said, locked_up, "{outcome:?} at {now}");
    }
}

/// Two pauses of the same: it is sent for one of them.
#[test]
fn what_several_holds_cover_is_sent_again_once() {
    let mut state = leader();
    set(&mut state, &hold("g", 2), 0, at(0));
    not_obeyed(&mut state, vec![]);
    state.ticked(at(5));
    assert_eq!(sent_again(&state), 1);
}

#[test]
fn a_hold_is_released_where_all_that_was_heard_since_it_began_is_excepted() {
    let consumer = Scope { consumer: Some("c".into()), ..hold("g", 1).scope };
    // Telemetry is followed since; another consumer is heard; released.
    for (since, other, want) in [
        (Some(at(0)), false, true),
        (Some(at(0)), true, false),
        (Some(at(1)), false, false),
        (None, false, false),
    ] {
        let mut state = leader();
        let nobody = GroupData { members: Some(vec![].into()), ..group("g") };
        let sample = Sample { as_of: Some(at(0)), groups: vec![Arc::new(nobody)], ..Sample::default() };
        state.sampled(Arc::new(sample), at(0));
        state.observed.follow_since(since);
        not_obeyed(&mut state, vec![consumer.clone()]);
        if other {
            hear(&mut state, "g", "d", at(5));
        }
        state.ticked(at(6));
        let released = jobs(&state).iter().any(|(_, changes)| matches!(changes, [HoldChange::Release(_)]));
        assert_eq!((released, sent_again(&state)), (want, usize::from(other)), "{since:?} {other}");
        let by = state.book.iter().next().map(|command| command.actor.name.clone());
        assert_eq!(by.as_deref(), Some(if want { "external" } else { "ana" }));
    }
}
