//! Which external commands are taken over: nobody makes holds without bound through the admin topic.

use super::*;
use flowdeck_protocol::kafkaflow::external_command_record;

#[test]
fn groups_that_nobody_has_shown_are_not_taken_over() {
    let mut state = leader();
    for n in 0..1_000 {
        state.external_command(CommandId::random(), pause(&format!("invented {n}"), vec![]), at(1));
    }
    assert!(state.jobs.is_empty() && state.book.is_empty());
    assert_eq!(dropped(&state, "external_command_for_unknown_group"), 1_000);
    assert!(warns(&mut state, "1,000 commands for a group that neither Kafka lists", at(1)));
    // What Kafka lists, or telemetry has shown, is.
    state.external_command(id(1), pause("g", vec![]), at(2));
    hear(&mut state, "heard", "c", at(2));
    state.external_command(id(2), pause("heard", vec![]), at(2));
    let begun: Vec<CommandId> = jobs(&state).into_iter().map(|(id, _)| id).collect();
    assert_eq!(begun, [id(1), id(2)]);
    // A hold of a group that is gone is released all the same.
    set(&mut state, &hold("gone", 9), 0, at(3));
    state.external_command(id(4), resume("gone"), at(3));
    assert!(matches!(jobs(&state)[2].1, [HoldChange::Release(_)]));
}

/// The admin topic came into sight, and is read from its beginning.
#[test]
fn what_was_written_long_ago_changes_no_hold() {
    let mut state = leader();
    set(&mut state, &hold("g", 1), 0, at(1));
    let heard = |state: &mut State, written: Option<i64>| {
        let record = external_command_record(uuid::Uuid::from_u128(9), resume("g"));
        let kind = flowdeck_kafka::TimeKind::Created;
        let time = |seconds: i64| flowdeck_kafka::RecordTime { millis: at(seconds).millis(), kind };
        let record = Record { timestamp: written.map(time), ..kafka_record(record, 0) };
        state.heard(Incoming::test(Source::Admin(0), TopicEvent::Record(record), at(500)));
    };
    heard(&mut state, Some(379));
    assert!(state.jobs.is_empty() && in_force(&state, 1));
    assert_eq!(dropped(&state, "external_command_too_old"), 1);
    assert!(warns(&mut state, "1 command whose time is more than two minutes before", at(500)));
    // One that is new enough, one whose clock is ahead, and one without a time are.
    for written in [Some(380), Some(900), None] {
        let mut state = leader();
        set(&mut state, &hold("g", 1), 0, at(1));
        heard(&mut state, written);
        assert!(matches!(jobs(&state)[..], [(_, [HoldChange::Release(_)])]), "{written:?}");
    }
}

#[test]
fn what_does_not_fit_is_not_taken_over_with_what_is_not_written_yet() {
    let mut state = leader();
    let reason = "external_command_beyond_quota";
    state.external_command(id(1), pause("g", topics("a", 1_000)), at(1));
    assert!(state.jobs.is_empty(), "nothing of it");
    state.external_command(id(2), pause("g", topics("b", 200)), at(1));
    state.external_command(id(3), pause("g", topics("c", 51)), at(1));
    assert_eq!((jobs(&state).len(), dropped(&state, reason)), (1, 2));
    assert!(warns(&mut state, "2 commands that would make more holds than they may (250 of a group", at(1)));
    // The same once more changes nothing, though it is not written yet.
    state.external_command(id(4), pause("g", topics("b", 200)), at(1));
    assert_eq!((jobs(&state).len(), dropped(&state, reason)), (1, 2));
    write(&mut state, 0, at(2));
    state.external_command(id(5), pause("g", topics("d", 51)), at(2));
    assert_eq!((active(&state, "g"), dropped(&state, reason)), (200, 3));
    state.external_command(id(6), pause("g", topics("e", 50)), at(2));
    write(&mut state, 200, at(2));
    assert_eq!(active(&state, "g"), 250);
    // An operator's is, and all is taken in again after a restart, and released by one resume.
    operator(&mut state, "g", 7, at(3));
    write(&mut state, 250, at(3));
    let all = state.observed.holds.of_group(&"g".into());
    let mut again = unknown();
    all.iter().zip(0..).for_each(|(hold, offset)| set(&mut again, hold, offset, at(4)));
    again.heard(Incoming::test(Source::Holds, TopicEvent::CaughtUp, at(4)));
    lead(&mut again, None, at(4));
    assert_eq!((active(&again, "g"), again.observed.holds.warning()), (251, None));
    again.external_command(id(8), resume("g"), at(4));
    assert_eq!(jobs(&again)[0].1.len(), 251);
}

/// All groups of one command count together.
#[test]
fn a_command_by_name_is_bound_over_all_groups_that_it_reaches() {
    let mut state = leader();
    (0..60).for_each(|n| hear(&mut state, &format!("g{n}"), "c", at(0)));
    let pause = |count| External::PauseConsumerByName { consumer: "c".into(), topics: topics("t", count) };
    state.external_command(id(1), pause(84), at(1));
    assert!(state.jobs.is_empty() && warns(&mut state, "1 command that would make more holds", at(1)));
    state.external_command(id(2), pause(83), at(1));
    assert_eq!(state.jobs.len(), 60);
}

/// Exceptions count as well: a hold that grows beyond what readers take would be in force here alone.
#[test]
fn exceptions_are_bounded() {
    let mut state = leader();
    set(&mut state, &hold("g", 1), 0, at(0));
    hear(&mut state, "g", "c", at(0));
    for n in 0..8 {
        let topics = topics(&format!("a{n}-"), 200);
        state.external_command(
            id(10 + n),
            External::ResumeConsumerByName { consumer: "c".into(), topics },
            at(1),
        );
        if !state.jobs.is_empty() {
            write(&mut state, 1 + n as i64, at(1));
        }
    }
    let except = state.observed.holds.of_group(&"g".into())[0].except.len();
    assert_eq!(except, 1_000);
    assert!(wire::check_hold(&state.observed.holds.of_group(&"g".into())[0]).is_ok());
    assert!(warns(&mut state, "that would make more holds", at(1)));
}

/// Others fill the topic after the quota was checked and before the hold is known to be written.
#[test]
fn beyond_the_quota_only_holds_of_operators_are_taken_in() {
    let mut state = leader();
    state.external_command(id(1), pause("g", vec![]), at(1));
    operator(&mut state, "g", 2, at(1));
    for n in 0..500 {
        set(&mut state, &hold("g", 100 + n), n as i64, at(1));
    }
    write(&mut state, 1_000, at(2));
    write(&mut state, 1_001, at(2));
    assert_eq!((in_force(&state, 1), in_force(&state, 2)), (false, true));
    assert!(warns(&mut state, "1 more holds are in force", at(2)));
    // The tail brings it before it is known to be written.
    operator(&mut state, "g", 3, at(3));
    set(&mut state, &hold("g", 3), 1_002, at(3));
    assert!(in_force(&state, 3));
    write(&mut state, 1_002, at(3));
    assert!(in_force(&state, 3));
    // A resume says that it may not reach all.
    state.external_command(id(4), resume("g"), at(4));
    let notes = &state.book.get(id(4)).unwrap().notes;
    assert!(notes[0].contains("what it holds stays paused"), "{notes:?}");
    assert_eq!(state.book.get(id(2)).unwrap().notes, Vec::<String>::new());
}

#[test]
fn nothing_is_written_where_the_holds_cannot_be_read_any_more() {
    let mut state = leader();
    set(&mut state, &Hold { until: Some(at(1)), ..hold("g", 1) }, 0, at(0));
    state.heard(Incoming::test(Source::Holds, TopicEvent::Failing("no Read".into()), at(5)));
    state.external_command(id(2), pause("h", vec![]), at(10));
    state.ticked(at(69));
    assert!(state.jobs.is_empty());
    let reason = "external_command_write_timeout";
    assert_eq!((state.external.len(), dropped(&state, reason)), (1, 0));
    state.ticked(at(70));
    assert_eq!((state.external.len(), dropped(&state, reason)), (0, 1));
    assert!(warns(
        &mut state,
        "1 command that waited for a minute, in which nothing could be written",
        at(70)
    ));
    // They can be read again: what waits is done, and the pause ends.
    state.external_command(id(3), pause("h", vec![]), at(71));
    state.ticked(at(71));
    assert!(state.jobs.is_empty());
    state.heard(Incoming::test(Source::Holds, TopicEvent::CaughtUp, at(72)));
    state.ticked(at(72));
    assert!(matches!(jobs(&state)[..], [(one, _), (_, [HoldChange::Release(_)])] if one == id(3)));
}

/// Agents read the first partition alone.
#[test]
fn nothing_is_written_to_holds_of_several_partitions() {
    use flowdeck_kafka::{Metadata, PartitionMetadata, TopicMetadata};
    let mut state = leader();
    for (partitions, is_written) in [(1, true), (2, false)] {
        let partition = |n| PartitionMetadata {
            partition: Partition::new(n).unwrap(),
            leader: Some(1),
            replicas: vec![1],
            isr: vec![1],
            error: None,
        };
        let name = Arc::new(state.observed.settings.holds_topic.clone());
        let topic = TopicMetadata { name, partitions: (0..partitions).map(partition).collect(), error: None };
        let metadata = Metadata { cluster_id: None, controller: None, brokers: vec![], topics: vec![topic] };
        let sample = Sample { as_of: Some(at(1)), metadata: Some(Arc::new(metadata)), ..Sample::default() };
        state.sampled(Arc::new(sample), at(1));
        assert_eq!(state.may_write().is_ok(), is_written);
    }
    assert!(state.may_write().unwrap_err().to_string().contains("flowdeck.holds has 2 partitions"));
}

/// Everything but pause and resume holds nothing; what comes of it is followed and shown.
#[test]
fn other_external_commands_are_followed_as_operations() {
    let mut state = leader();
    hear_now(&mut state, at(1));
    for (number, command, action) in [
        (1, External::RestartConsumerByName { consumer: "c".into() }, Action::Restart),
        (2, External::ResetConsumerOffset { consumer: "c".into(), topics: vec![] }, Action::Reset),
    ] {
        state.external_command(id(number), command, at(2));
        let shown = state.book.iter().next().unwrap();
        assert_eq!((shown.action, shown.actor.name.as_str()), (action, "external"));
        assert_eq!((shown.state, shown.instances.len()), (CommandState::Sent, 1));
    }
    assert!(state.jobs.is_empty(), "nothing is written to the admin topic");
    assert!(state.has_unaudited());
    // A count that no consumer can have, and a name that nobody has.
    for command in [
        External::ChangeConsumerWorkersCount { consumer: "c".into(), workers: 0 },
        External::RestartConsumerByName { consumer: "ghost".into() },
    ] {
        state.external_command(id(9), command, at(3));
    }
    assert_eq!(state.book.ids().len(), 2);
}
