//! Requests go through the audit: the first under an id counts, the leader carries it out, and every replica tells
//! what came of it.

use flowdeck_model::PortError;
use flowdeck_model::view::Submitted;
use tokio::sync::oneshot;

use super::*;

type Answer = oneshot::Receiver<Result<Submitted, PortError>>;

fn ask(state: &mut State, number: u128, reason: &str, when: Timestamp) -> Answer {
    let (answer, answered) = oneshot::channel();
    let submit = Submit { reason: reason.into(), ..submit(number, Action::Pause, "g") };
    state.asked(submit, ana(), answer, when);
    answered
}

/// What was asked is written to the audit, at this offset.
fn write_requests(state: &mut State, offset: i64) -> Vec<wire::Operation> {
    let requests: Vec<_> = state.audit_requests.drain(..).collect();
    for operation in &requests {
        state.request_audited(operation.id, Ok(offset), at(0));
    }
    requests
}

/// The states that the leader writes.
fn states(state: &mut State, when: Timestamp) -> Vec<(CommandId, CommandState)> {
    let operations = state.take_unaudited(when);
    state.states_audited(&operations, None);
    operations.iter().map(|one| (one.id, one.state)).collect()
}

#[test]
fn a_request_is_in_the_audit_before_its_first_effect() {
    let mut state = leader();
    hear_now(&mut state, at(1));
    let mut answer = ask(&mut state, 1, "INC-1", at(1));
    state.begin_next(at(1));
    assert!(state.jobs.is_empty() && state.book.get(id(1)).is_none());
    let requests = write_requests(&mut state, 0);
    assert_eq!((requests.len(), requests[0].state), (1, CommandState::Requested));
    state.begin_next(at(1));
    assert_eq!(jobs(&state).len(), 1);
    assert!(answer.try_recv().is_err(), "nothing is written yet");
    write(&mut state, 0, at(2));
    assert!(matches!(answer.try_recv(), Ok(Ok(Submitted { existing: false, .. }))));
    let written = states(&mut state, at(2));
    assert!(matches!(written[..], [(first, CommandState::Sent)] if first == id(1)), "{written:?}");
}

/// What came before it in the topic may be another request under its id.
#[test]
fn the_first_request_under_an_id_counts() {
    let mut state = leader();
    hear_now(&mut state, at(1));
    let mut answer = ask(&mut state, 1, "INC-1", at(1));
    let own = write_requests(&mut state, 5);
    state.begin_next(at(1));
    assert!(state.jobs.is_empty(), "records before its offset are not read yet");
    let other = Submit { reason: "INC-2".into(), ..submit(1, Action::Pause, "g") };
    let first = Command::new(other, ana(), at(1)).to_audit(at(1)).unwrap();
    audited(&mut state, &first, 4, at(1));
    assert!(matches!(answer.try_recv(), Ok(Err(PortError::Conflict { .. }))));
    audited(&mut state, &own[0], 5, at(1));
    assert_eq!(dropped(&state, "request_id_conflict"), 1);
    assert_eq!(state.book.get(id(1)).map(|one| one.reason.as_str()), Some("INC-2"));
    state.begin_next(at(1));
    assert_eq!(jobs(&state).len(), 1);
}

#[test]
fn a_follower_takes_a_request_and_answers_for_it() {
    let (mut follower, mut leader) = (known(), leader());
    hear_now(&mut follower, at(1));
    hear_now(&mut leader, at(1));
    let mut answer = ask(&mut follower, 1, "INC-1", at(1));
    let requests = write_requests(&mut follower, 0);
    for state in [&mut follower, &mut leader] {
        audited(state, &requests[0], 0, at(1));
        state.begin_next(at(1));
    }
    assert!(follower.jobs.is_empty() && answer.try_recv().is_err());
    write(&mut leader, 0, at(2));
    let operations = leader.take_unaudited(at(2));
    for (operation, offset) in operations.iter().zip(1..) {
        audited(&mut follower, operation, offset, at(2));
    }
    assert!(matches!(
        answer.try_recv(),
        Ok(Ok(Submitted { state: CommandState::Sent, existing: false, .. }))
    ));
    let tells = |state: &State| state.book.get(id(1)).map(|one| (one.state, one.instances.len()));
    assert_eq!(tells(&follower), tells(&leader));
}

/// Who asked was told that nothing will happen, and asked for something else: the record of the request, which came to the
/// topic all the same, must not make it happen later.
#[test]
fn a_request_that_was_refused_is_not_carried_out_when_its_record_comes_late() {
    let mut state = leader();
    hear_now(&mut state, at(1));
    set(&mut state, &hold("g", 9), 0, at(1));
    let resume = submit(1, Action::Resume, "g");
    let (answer, mut answered) = tokio::sync::oneshot::channel();
    state.asked(resume, ana(), answer, at(2));
    let late = state.audit_requests.pop_front().expect("its request");
    state.request_audited(id(1), Err(WriteError::InDoubt), at(4));
    state.begin_next(at(4));
    let Some(WriteTask::Command { id: begun, .. }) = state.jobs.pop_front() else { panic!("nothing") };
    let error = Some(WriteError::NotWritten("not the elected writer any more".into()));
    state.written(
        WriteOutcome::Command { id: begun, written: Written { error, ..Written::default() } },
        at(5),
    );
    assert!(matches!(answered.try_recv(), Ok(Err(PortError::Unavailable { .. }))));
    state.lost(None);
    // What another replica that leads next must know.
    let told = state.take_unaudited(at(5));
    assert_eq!(
        told.iter().map(|one| (one.id, one.state)).collect::<Vec<_>>(),
        [(id(1), CommandState::Refused)]
    );

    audited(&mut state, &late, 0, at(6));
    lead(&mut state, None, at(7));
    state.begin_next(at(7));
    assert!(state.jobs.is_empty(), "a resume that was refused");
    assert_eq!(state.book.get(id(1)).map(|one| one.state), Some(CommandState::Refused));
}

/// A resume is on its way; who pauses after it is not told that it is paused already, since it will not be.
#[test]
fn a_pause_that_comes_after_a_resume_is_carried_out_after_it() {
    let mut state = leader();
    hear_now(&mut state, at(1));
    set(&mut state, &hold("g", 9), 0, at(1));
    let (answer, _resumed) = oneshot::channel();
    state.asked(submit(1, Action::Resume, "g"), ana(), answer, at(2));
    let mut paused = ask(&mut state, 2, "INC-1", at(3));
    assert!(paused.try_recv().is_err(), "it waits for the resume");
    write_requests(&mut state, 0);
    state.begin_next(at(4));
    write(&mut state, 1, at(4));
    state.begin_next(at(4));
    write(&mut state, 2, at(5));
    assert!(matches!(paused.try_recv(), Ok(Ok(Submitted { existing: false, .. }))));
    let held: Vec<CommandId> =
        state.observed.holds.of_group(&"g".into()).iter().map(|one| one.id.into()).collect();
    assert_eq!(held, [id(2)]);
}

/// As `flowdeck holds release` writes it, on a cluster where a Flowdeck runs all the same.
#[test]
fn what_was_released_without_a_flowdeck_is_followed_by_the_one_that_leads() {
    let mut leader = leader();
    hear_now(&mut leader, at(1));
    let mut released = Command::new(submit(1, Action::Resume, "g"), ana(), at(2));
    (released.state, released.sent_at) = (CommandState::Sent, Some(at(2)));
    audited(&mut leader, &released.to_audit(at(2)).unwrap(), 0, at(2));
    assert_eq!(leader.book.get(id(1)).map(|one| one.instances.len()), Some(1));
}

/// Else the one that is elected would find it in the audit, and could not know that nobody began it.
#[test]
fn what_must_not_be_done_twice_is_asked_for_once_somebody_leads() {
    let restart = || {
        let mut restart = submit(1, Action::Restart, "g");
        restart.target.consumer = Some("c".into());
        restart
    };
    let asked = |state: &mut State| {
        hear_now(state, at(1));
        let (answer, _) = tokio::sync::oneshot::channel();
        state.asked(restart(), ana(), answer, at(1));
    };
    let mut state = known();
    asked(&mut state);
    assert!(state.next_audit_request().is_none(), "nobody is elected yet");
    state.elected();
    assert!(state.next_audit_request().is_none(), "it does not lead yet");
    state.jobs.clear();
    state.written(WriteOutcome::Lead { result: Ok(Took { last_hold: None }) }, at(2));
    let request = state.next_audit_request().expect("its request");
    audited(&mut state, &request, 0, at(2));
    state.begin_next(at(2));
    assert_eq!(state.jobs.len(), 1);

    let mut follower = known();
    asked(&mut follower);
    follower.another_elected();
    assert!(follower.next_audit_request().is_some(), "another one leads");
}

#[test]
fn a_leader_does_not_begin_what_was_withdrawn() {
    let mut leader = leader();
    hear_now(&mut leader, at(1));
    let request = requested("g", 1, Action::Pause, at(1));
    audited(&mut leader, &request, 0, at(1));
    let mut refused = Command::new(submit(1, Action::Pause, "g"), ana(), at(1));
    refused.state = CommandState::Refused;
    audited(&mut leader, &refused.to_audit(at(2)).unwrap(), 1, at(2));
    leader.begin_next(at(3));
    assert!(leader.jobs.is_empty());
}

/// Emergency control does not need the audit; a follower has no other way to the leader.
#[test]
fn a_pause_is_not_refused_for_want_of_the_audit() {
    let failed = || Err(WriteError::NotWritten("not enough in-sync replicas".into()));
    let mut state = leader();
    hear_now(&mut state, at(1));
    let mut answer = ask(&mut state, 1, "INC-1", at(1));
    state.audit_requests.clear();
    state.request_audited(id(1), failed(), at(1));
    assert!(warns(&mut state, "flowdeck.audit could not be written when last tried", at(2)));
    state.begin_next(at(2));
    // Once more, before the holds are written.
    assert!(matches!(state.jobs.front(), Some(WriteTask::Command { audit: Some(_), .. })));
    write(&mut state, 0, at(3));
    assert!(matches!(answer.try_recv(), Ok(Ok(_))));
    let notes = &state.book.get(id(1)).unwrap().notes;
    assert!(notes.iter().any(|note| note.contains("before it could be written to the audit")), "{notes:?}");
    // Later both are there, in their order.
    assert_eq!(states(&mut state, at(4)), [(id(1), CommandState::Requested), (id(1), CommandState::Sent)]);
    assert_eq!(states(&mut state, at(5)), []);

    let follower = || {
        let mut state = known();
        hear_now(&mut state, at(1));
        state
    };
    // Nobody leads yet: it may be this one.
    let mut state = follower();
    let mut answer = ask(&mut state, 1, "INC-1", at(1));
    state.request_audited(id(1), failed(), at(1));
    assert!(answer.try_recv().is_err());
    lead(&mut state, None, at(3));
    state.begin_next(at(3));
    assert_eq!(jobs(&state).len(), 1);
    // Another one does, and has no way to know of it.
    let mut state = follower();
    state.another_elected();
    let mut answer = ask(&mut state, 1, "INC-1", at(1));
    state.request_audited(id(1), failed(), at(1));
    let error = answer.try_recv().unwrap().unwrap_err().to_string();
    assert!(error.contains("not enough in-sync replicas") && error.contains("another replica"), "{error}");
}

/// Whether its clock is behind or the request is old cannot be known; what is told has both times.
#[test]
fn a_request_that_only_its_stamp_makes_old_is_refused_with_both_times() {
    let mut state = leader();
    hear_now(&mut state, at(20));
    audited(&mut state, &requested("g", 1, Action::Pause, at(0)), 0, at(20));
    state.begin_next(at(20));
    let command = state.book.get(id(1)).unwrap();
    assert!(state.jobs.is_empty() && command.state == CommandState::Refused);
    let (asked, read) = (at(0).to_string(), at(20).to_string());
    for words in [asked.as_str(), &read, "20 s ago", "was not begun", "If their clocks differ"] {
        assert!(command.notes.iter().any(|note| note.contains(words)), "{words}: {:?}", command.notes);
    }
}

/// A stamp of a clock that is ahead does not keep a request from growing old where it waits.
#[test]
fn a_request_grows_old_by_the_clock_of_the_one_that_leads() {
    for (waited, begun) in [(10, true), (20, false)] {
        let mut state = leader();
        hear_now(&mut state, at(waited));
        let job = WriteTask::Topics { brokers: 1 };
        state.jobs.push_back(job);
        audited(&mut state, &requested("g", 1, Action::Pause, at(3_600)), 0, at(0));
        // Something else is being written.
        state.begin_next(at(0));
        state.jobs.clear();
        state.begin_next(at(waited));
        assert_eq!(jobs(&state).len(), usize::from(begun), "{waited} s");
        let state = state.book.get(id(1)).unwrap().state;
        assert_eq!(state == CommandState::Refused, !begun, "{waited} s");
    }
}

/// Killed between the request and its first effect.
#[test]
fn the_next_leader_carries_out_what_was_requested_lately() {
    for (age, begun) in [(10, true), (20, false)] {
        let mut state = known();
        hear_now(&mut state, at(age));
        audited(&mut state, &requested("g", 1, Action::Pause, at(0)), 0, at(age));
        lead(&mut state, None, at(age));
        state.begin_next(at(age));
        assert_eq!(jobs(&state).len(), usize::from(begun), "{age} s");
        let command = state.book.get(id(1)).unwrap();
        assert_eq!(command.state == CommandState::Refused, !begun);
        assert_eq!(
            command.notes.iter().any(|note| note.contains("was not begun")),
            !begun,
            "{:?}",
            command.notes
        );
    }
    // Its hold was written, and nobody could say so.
    let mut state = known();
    hear_now(&mut state, at(5));
    audited(&mut state, &requested("g", 1, Action::Pause, at(0)), 0, at(5));
    set(&mut state, &hold("g", 1), 0, at(5));
    lead(&mut state, None, at(5));
    state.begin_next(at(5));
    assert!(state.jobs.is_empty());
    assert_eq!(state.book.get(id(1)).map(|one| one.state), Some(CommandState::Sent));
}

/// Killed after its records on the holds, and before it could say so: however long nobody led, it is done.
#[test]
fn a_request_that_was_written_to_the_holds_is_taken_over_at_any_age() {
    let age = 60;
    for is_read_later in [false, true] {
        let mut state = known();
        hear_now(&mut state, at(age));
        audited(&mut state, &requested("g", 1, Action::Pause, at(0)), 0, at(age));
        if is_read_later {
            lead(&mut state, Some(0), at(age));
            state.begin_next(at(age));
            let known = state.book.get(id(1)).map(|one| one.state);
            assert_eq!(known, Some(CommandState::Requested), "the record at 0 is not read yet");
            set(&mut state, &hold("g", 1), 0, at(age));
        } else {
            set(&mut state, &hold("g", 1), 0, at(age));
            lead(&mut state, Some(0), at(age));
        }
        state.begin_next(at(age));
        let command = state.book.get(id(1)).unwrap();
        assert!(state.jobs.is_empty());
        assert_eq!((command.state, command.instances.len()), (CommandState::Sent, 1), "{:?}", command.notes);
    }
    // A resume is known by the record that releases the hold.
    for resumed in [true, false] {
        let mut state = known();
        hear_now(&mut state, at(age));
        let held = hold("g", 9);
        set(&mut state, &held, 0, at(age));
        if resumed {
            read(&mut state, wire::release_record(&held.scope, held.id, id(1)), 1, at(age));
        }
        audited(&mut state, &requested("g", 1, Action::Resume, at(0)), 0, at(age));
        lead(&mut state, None, at(age));
        state.begin_next(at(age));
        assert!(state.jobs.is_empty());
        let is_refused = state.book.get(id(1)).map(|one| one.state) == Some(CommandState::Refused);
        assert_eq!(is_refused, !resumed);
    }
}

/// Nobody leads for a while after the hold was written: who waits is told that the request is accepted.
#[test]
fn a_request_whose_hold_is_in_force_is_not_refused_for_want_of_a_leader() {
    let mut state = known();
    hear_now(&mut state, at(1));
    let mut answer = ask(&mut state, 1, "INC-1", at(1));
    write_requests(&mut state, 0);
    set(&mut state, &hold("g", 1), 0, at(2));
    state.answer_overdue(at(30));
    assert!(matches!(answer.try_recv(), Ok(Ok(Submitted { state: CommandState::Requested, .. }))));
    lead(&mut state, None, at(31));
    state.begin_next(at(31));
    assert_eq!(state.book.get(id(1)).map(|one| one.state), Some(CommandState::Sent));
}

/// As it was said when the hold was not read yet.
#[test]
fn a_hold_of_a_request_that_was_refused_is_kept_up() {
    let mut refused = Command::new(submit(1, Action::Pause, "g"), ana(), at(0));
    refused.state = CommandState::Refused;
    let refused = refused.to_audit(at(20)).unwrap();
    for is_read_before in [true, false] {
        let mut state = leader();
        if is_read_before {
            audited(&mut state, &refused, 0, at(20));
        }
        set(&mut state, &hold("g", 1), 0, at(30));
        state.restore();
        if !is_read_before {
            audited(&mut state, &refused, 0, at(30));
        }
        let known = state.book.get(id(1)).map(|one| (one.state, one.restored));
        assert_eq!(known, Some((CommandState::Restored, true)), "{is_read_before}");
    }
}

/// A drained instance's answer.
fn drained(number: u128) -> wire::Ack {
    wire::Ack {
        command: id(number),
        holds_offset: 0,
        group: "g".into(),
        consumer: "c".into(),
        instance: "i".into(),
        incarnation: flowdeck_model::Incarnation::from_uuid(uuid::Uuid::from_u128(1)),
        state: flowdeck_model::InstanceState::Drained,
        partitions: vec![],
        moved: vec![],
        at: at(2),
        detail: None,
    }
}

/// Answers that came while another replica led, or before the audit was read.
#[test]
fn answers_count_for_the_next_leader() {
    let sent = |number| {
        let mut command = Command::new(submit(number, Action::Pause, "g"), ana(), at(0));
        (command.state, command.sent_at) = (CommandState::Sent, Some(at(1)));
        command.to_audit(at(1)).unwrap()
    };
    let mut state = unknown();
    acked(&mut state, &drained(1), at(2));
    audited(&mut state, &sent(1), 0, at(2));
    audited(&mut state, &sent(2), 1, at(2));
    acked(&mut state, &drained(2), at(2));
    assert_eq!(state.book.get(id(2)).map(|one| one.state), Some(CommandState::Sent), "the leader says it");
    state.heard(Incoming::test(Source::Holds, TopicEvent::CaughtUp, at(3)));
    lead(&mut state, None, at(3));
    for number in [1, 2] {
        let command = state.book.get(id(number)).unwrap();
        assert_eq!((command.state, command.instances.len()), (CommandState::Confirmed, 1), "{number}");
    }
}

/// Its hold was written, it was obeyed, and the leader ended before it could say either. The answer comes before the audit
/// is read, or after the hold alone is known.
#[test]
fn answers_count_for_a_request_whose_leader_ended_after_the_hold() {
    for restored in [false, true] {
        let mut state = unknown();
        set(&mut state, &hold("g", 1), 0, at(1));
        if restored {
            state.restore();
        }
        acked(&mut state, &drained(1), at(2));
        audited(&mut state, &requested("g", 1, Action::Pause, at(0)), 0, at(2));
        for source in [Source::Holds, Source::Acks, Source::Audit] {
            state.heard(Incoming::test(source, TopicEvent::CaughtUp, at(3)));
        }
        lead(&mut state, None, at(3));
        state.begin_next(at(3));
        assert_eq!(state.book.get(id(1)).map(|one| one.state), Some(CommandState::Confirmed), "{restored}");
    }
}

#[test]
fn a_command_is_told_after_a_restart_as_it_was_before() {
    let mut before = leader();
    hear_now(&mut before, at(1));
    let _answer = ask(&mut before, 1, "INC-1", at(1));
    let mut records = write_requests(&mut before, 0);
    before.begin_next(at(1));
    write(&mut before, 0, at(2));
    before.ticked(at(60));
    records.extend(before.take_unaudited(at(60)));
    let mut after = unknown();
    for (operation, offset) in records.iter().zip(0..) {
        audited(&mut after, operation, offset, at(70));
    }
    let shown = |state: &State| state.book.get(id(1)).map(Command::operation);
    assert_eq!(shown(&after), shown(&before));
    assert!(shown(&after).is_some_and(|one| one.state.is_settled()), "{:?}", shown(&after));
}

/// What it would write, and nothing of it happens.
#[test]
fn a_preview_tells_the_plan_and_changes_nothing() {
    let mut state = leader();
    hear_now(&mut state, at(1));
    let pause = submit(1, Action::Pause, "g");
    let (preview, _) = state.preview(&pause, &ana(), at(1)).unwrap();
    assert_eq!((preview.holds.len(), preview.holds[0].scope.clone()), (1, hold("g", 1).scope));
    assert_eq!(
        preview.messages.iter().map(|one| &*one.message).collect::<Vec<_>>(),
        ["PauseConsumersByGroup"]
    );
    assert_eq!((preview.instances.len(), preview.undo), (1, Some(ActionKind::Resume)));
    assert!(state.audit_requests.is_empty() && state.jobs.is_empty() && state.book.get(id(1)).is_none());
    set(&mut state, &hold("g", 9), 0, at(2));
    assert_eq!(state.preview(&pause, &ana(), at(2)).unwrap().0.existing, Some(id(9)));
    let unknown = submit(2, Action::Pause, "nobody");
    assert!(matches!(state.preview(&unknown, &ana(), at(2)), Err(PortError::NotFound { .. })));
}

/// Elected, and it may not take the writer's id over: who asks is told why, and it is tried anew each time.
#[test]
fn what_keeps_the_elected_one_from_writing_is_told() {
    let mut state = known();
    hear_now(&mut state, at(1));
    state.elected();
    for second in [1, 2] {
        let mut answer = ask(&mut state, second, "INC-1", at(1));
        write_requests(&mut state, second as i64);
        assert!(matches!(state.jobs.pop_front(), Some(WriteTask::Lead)) && state.jobs.is_empty());
        let result = Err(WriteError::NotWritten("not permitted".into()));
        state.written(WriteOutcome::Lead { result }, at(2));
        let error = answer.try_recv().unwrap().unwrap_err().to_string();
        assert!(error.contains("could not be taken over: not permitted"), "{error}");
    }
    assert!(warns(&mut state, "could not be taken over: not permitted", at(2)));
}

/// What was known may be true no more: not even what is in force already is told.
#[test]
fn nothing_is_said_to_be_in_force_where_the_holds_cannot_be_followed() {
    let mut state = leader();
    hear_now(&mut state, at(1));
    set(&mut state, &hold("g", 9), 0, at(1));
    state.heard(Incoming::test(Source::Holds, TopicEvent::Failing("not permitted".into()), at(2)));
    let error = ask(&mut state, 1, "INC-1", at(2)).try_recv().unwrap().unwrap_err().to_string();
    assert!(error.contains("the holds cannot be followed") && error.contains("not permitted"), "{error}");
}

/// A form that is sent again keeps its id. The audit tells the leader's own requests once more, which asks for nothing.
#[test]
fn what_was_refused_before_anything_was_written_can_be_asked_again() {
    let mut state = leader();
    hear_now(&mut state, at(1));
    let mut answer = ask(&mut state, 1, "INC-1", at(1));
    let first = write_requests(&mut state, 0);
    state.begin_next(at(1));
    fail(&mut state, at(2));
    assert!(answer.try_recv().unwrap().is_err());
    audited(&mut state, &first[0], 0, at(2));
    state.begin_next(at(2));
    assert!(state.jobs.is_empty(), "the same record, read from the topic");
    let mut answer = ask(&mut state, 1, "INC-1", at(3));
    write_requests(&mut state, 1);
    state.begin_next(at(3));
    assert_eq!(jobs(&state).len(), 1);
    write(&mut state, 0, at(4));
    assert!(matches!(answer.try_recv(), Ok(Ok(_))));
    // Through another replica.
    let mut state = leader();
    hear_now(&mut state, at(1));
    for (second, offset) in [(1, 0), (3, 1)] {
        audited(&mut state, &requested("g", 1, Action::Pause, at(second)), offset, at(second));
        state.begin_next(at(second));
        assert_eq!(jobs(&state).len(), 1, "asked at {second} s");
        fail(&mut state, at(second));
    }
}
