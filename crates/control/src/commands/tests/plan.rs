use std::time::Duration;

use flowdeck_model::hold::HoldChange;
use flowdeck_model::{Action, Actor, CommandState, Hold, PauseEnd, PortError, Submit, Target, Via};
use flowdeck_observe::sampling::sample::{GroupData, Sample};
use flowdeck_protocol::kafkaflow::Command as C;
use flowdeck_protocol::wire::EXCEPTIONS_MAX;

use super::*;
use crate::commands::lock_up::LockUps;
use crate::commands::plan::{Decision, Facts, Plan, decide};
use crate::commands::{Command, CommandBook};

/// `audio` on KafkaFlow with two topics, `video` with an agent.
pub(super) fn kafkaflow_and_agent() -> GroupTelemetry {
    group(vec![
        ("audio", vec![instance("host-1", false, 10, &[("a", &[0, 1], &[]), ("b", &[0], &[])])]),
        ("video", vec![instance("pod-1", true, 10, &[("v", &[0], &[])])]),
    ])
}

fn paused() -> GroupTelemetry {
    group(vec![("audio", vec![instance("host-1", false, 10, &[("a", &[], &[0, 1]), ("b", &[], &[0])])])])
}

pub(super) fn run(
    submit: &Submit,
    telemetry: &TelemetryIndex,
    active: &[Hold],
    book: &CommandBook,
) -> Result<Decision, PortError> {
    with_facts(telemetry, active, book, None, |facts| decide(submit, "ana", facts))
}

pub(super) fn with_facts<T>(
    telemetry: &TelemetryIndex,
    active: &[Hold],
    book: &CommandBook,
    lock_ups: Option<&LockUps>,
    with: impl FnOnce(&Facts<'_>) -> T,
) -> T {
    with(&Facts {
        offsets_quiet: std::time::Duration::ZERO,
        telemetry,
        active,
        book,
        group_known: true,
        group: None,
        offsets_kept: Some(Duration::from_secs(7 * 86_400)),
        sample: &Sample::default(),
        metadata: None,
        time_zones: &flowdeck_observe::time_zones::RewindTimeZones::default(),
        heard_within: Duration::from_secs(15),
        via: Via::Api,
        hold_by: flowdeck_observe::HoldDefault::default(),
        lock_ups,
        now: at(12),
    })
}

pub(super) fn plan(submit: &Submit, telemetry: GroupTelemetry, active: &[Hold]) -> Plan {
    match run(submit, &index(vec![("g", telemetry)]), active, &CommandBook::new(10)) {
        Ok(Decision::Write(plan)) => plan,
        other => panic!("{other:?}"),
    }
}

fn messages(plan: &Plan) -> Vec<C> {
    plan.admin.iter().map(|command| command.message.clone()).collect()
}

fn names(names: &[&str]) -> Vec<TopicName> {
    names.iter().map(|name| topic(name)).collect()
}

#[test]
fn what_a_pause_sends_to_kafkaflow() {
    let by_name =
        |topics: &[&str]| C::PauseConsumerByName { consumer: "audio".into(), topics: names(topics) };
    let cases: [(Target, usize, Vec<C>); 6] = [
        (target(None, &[]), 1, vec![C::PauseConsumersByGroup { group: "g".into(), topics: vec![] }]),
        (target(Some("audio"), &[]), 1, vec![by_name(&[])]),
        (target(Some("audio"), &["a", "b"]), 2, vec![by_name(&["a", "b"])]),
        // Group commands with topics are by-name commands.
        (target(None, &["a"]), 1, vec![by_name(&["a"])]),
        // Only an agent listens: nothing for the admin topic.
        (target(Some("video"), &[]), 1, vec![]),
        (target(None, &["v"]), 1, vec![]),
    ];
    for (target, holds, want) in cases {
        let plan = plan(&submit(1, Action::Pause, target.clone()), kafkaflow_and_agent(), &[]);
        assert_eq!((plan.changes.len(), messages(&plan)), (holds, want), "{target:?}");
    }
}

#[test]
fn a_command_goes_where_the_telemetry_came_from() {
    let mut elsewhere = instance("host-2", false, 10, &[("a", &[1], &[])]);
    elsewhere.pair = 2;
    let telemetry =
        group(vec![("audio", vec![instance("host-1", false, 10, &[("a", &[0], &[])]), elsewhere])]);
    let plan = plan(&submit(1, Action::Pause, target(None, &[])), telemetry, &[]);
    assert_eq!(plan.admin.iter().map(|command| command.pair).collect::<Vec<_>>(), [0, 2]);
}

#[test]
fn a_pause_of_what_is_held_in_part_writes_the_rest() {
    let pause = submit(2, Action::Pause, target(Some("audio"), &["a", "b"]));
    let plan = plan(&pause, kafkaflow_and_agent(), &[hold(1, None, Some("a"))]);
    assert_eq!(plan.changes.len(), 1);
    assert_eq!(messages(&plan), [C::PauseConsumerByName { consumer: "audio".into(), topics: names(&["b"]) }]);
}

#[test]
fn what_is_in_force_is_not_written_again() {
    let telemetry = index(vec![("g", kafkaflow_and_agent())]);
    let book = CommandBook::new(10);
    let pause = submit(2, Action::Pause, target(Some("audio"), &["a"]));
    let decision = run(&pause, &telemetry, &[hold(1, None, None)], &book).unwrap();
    assert!(matches!(decision, Decision::Existing(id) if id.uuid().as_u128() == 1));
    // A resume that went through, and nothing was paused since.
    let mut book = CommandBook::new(10);
    let view = Actor::anonymous(Via::Api, None).view;
    let mut former = Command::new(submit(3, Action::Resume, target(None, &[])), view, at(1));
    former.state = CommandState::Sent;
    book.put(former.clone(), |_| false);
    let resume = submit(4, Action::Resume, target(Some("audio"), &[]));
    let decision = run(&resume, &index(vec![("g", paused())]), &[], &book).unwrap();
    assert!(matches!(decision, Decision::Existing(id) if id.uuid().as_u128() == 3));
    // One that was confirmed, and then the application paused by itself; or it was said before.
    former.state = CommandState::Confirmed;
    for (sent_at, is_written) in [(9, true), (10, false)] {
        former.sent_at = Some(at(sent_at));
        book.put(former.clone(), |_| false);
        let decision = run(&resume, &index(vec![("g", paused())]), &[], &book).unwrap();
        let written = matches!(&decision, Decision::Write(plan) if !plan.admin.is_empty());
        assert_eq!(written, is_written, "heard at 10, resumed at {sent_at}: {decision:?}");
    }
    // One that went through in part is sent again by who asks again.
    former.state = CommandState::PartiallyConfirmed;
    book.put(former, |_| false);
    let decision = run(&resume, &index(vec![("g", paused())]), &[], &book).unwrap();
    assert!(matches!(decision, Decision::Write(plan) if !plan.admin.is_empty()));
}

/// A resume of part after part adds an exception each; one too many and every reader would skip the hold.
#[test]
fn a_hold_that_no_reader_would_take_is_not_written() {
    let mut split = hold(1, None, None);
    split.except = (0..EXCEPTIONS_MAX).map(|n| hold(2, None, Some(&format!("t-{n}"))).scope).collect();
    let telemetry = index(vec![("g", kafkaflow_and_agent())]);
    let resume = submit(3, Action::Resume, target(None, &["a"]));
    let refused = run(&resume, &telemetry, std::slice::from_ref(&split), &CommandBook::new(10)).unwrap_err();
    assert!(
        matches!(&refused, PortError::Unprocessable { detail } if detail.contains("more exceptions")),
        "{refused:?}"
    );
    // The whole of it can be resumed.
    let resume = submit(4, Action::Resume, target(None, &[]));
    let decision = run(&resume, &telemetry, &[split], &CommandBook::new(10)).unwrap();
    assert!(
        matches!(decision, Decision::Write(plan) if matches!(plan.changes[..], [HoldChange::Release(_)]))
    );
}

/// Over a pause that ends soon, one without an end is a hold of its own.
#[test]
fn a_longer_pause_is_written_over_one_that_ends_sooner() {
    let timed = Hold { until: Some(at(60)), ..hold(1, None, None) };
    let pause = |ends| Submit { ends, ..submit(2, Action::Pause, target(None, &[])) };
    let after = |seconds| Some(PauseEnd::After(seconds));
    // It has 48 s left.
    for (ends, is_written) in [
        (None, true),
        (after(54), true),
        (after(53), false),
        (after(48), false),
        (Some(PauseEnd::At(at(66))), true),
        (Some(PauseEnd::At(at(65))), false),
    ] {
        let telemetry = index(vec![("g", kafkaflow_and_agent())]);
        let decision = run(&pause(ends), &telemetry, std::slice::from_ref(&timed), &CommandBook::new(10));
        match decision.unwrap() {
            Decision::Write(plan) => assert!(is_written && plan.changes.len() == 1, "{ends:?}"),
            Decision::Existing(id) => assert!(!is_written && id == timed.id.into(), "{ends:?}"),
        }
    }
}

#[test]
fn a_pause_until_a_time_ends_then_and_not_in_the_past() {
    let telemetry = index(vec![("g", kafkaflow_and_agent())]);
    let until = |end| Submit { ends: Some(PauseEnd::At(end)), ..submit(2, Action::Pause, target(None, &[])) };
    // It is second 12.
    let decision = run(&until(at(60)), &telemetry, &[], &CommandBook::new(10)).unwrap();
    let Decision::Write(plan) = decision else { panic!("nothing is in force") };
    assert_eq!(plan.changes[0].hold().until, Some(at(60)));
    for past in [at(0), at(12)] {
        match run(&until(past), &telemetry, &[], &CommandBook::new(10)) {
            Err(PortError::Invalid { field, problem }) => {
                assert!(field == "until" && problem.contains("past"))
            }
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn what_a_resume_sends_to_kafkaflow() {
    let by_name =
        |topics: &[&str]| C::ResumeConsumerByName { consumer: "audio".into(), topics: names(topics) };
    let group_wide = C::ResumeConsumersByGroup { group: "g".into(), topics: vec![] };
    let cases: [(Target, Vec<Hold>, Vec<C>); 5] = [
        (target(None, &[]), vec![hold(1, None, None)], vec![group_wide.clone()]),
        // Nothing is held, but telemetry shows that it is paused.
        (target(None, &[]), vec![], vec![group_wide]),
        (target(Some("audio"), &[]), vec![hold(1, Some("audio"), None)], vec![by_name(&[])]),
        // A narrow resume under a broad hold.
        (target(None, &["a"]), vec![hold(1, None, None)], vec![by_name(&["a"])]),
        (
            target(None, &["b"]),
            vec![hold(1, None, Some("b")), hold(2, None, Some("a"))],
            vec![by_name(&["b"])],
        ),
    ];
    for (target, active, want) in cases {
        let plan = plan(&submit(9, Action::Resume, target.clone()), paused(), &active);
        assert_eq!(messages(&plan), want, "{target:?}");
    }
}

/// The end of holds on a consumer whose time is over.
pub(super) fn release(over: &[Hold], others: &[Hold], telemetry: GroupTelemetry) -> Plan {
    let active = [over, others].concat();
    let (telemetry, book) = (index(vec![("g", telemetry)]), CommandBook::new(10));
    let facts = Facts {
        offsets_quiet: std::time::Duration::ZERO,
        telemetry: &telemetry,
        active: &active,
        book: &book,
        group_known: true,
        group: None,
        offsets_kept: Some(Duration::from_secs(7 * 86_400)),
        sample: &Sample::default(),
        metadata: None,
        time_zones: &flowdeck_observe::time_zones::RewindTimeZones::default(),
        heard_within: Duration::from_secs(15),
        via: Via::Api,
        hold_by: flowdeck_observe::HoldDefault::default(),
        lock_ups: None,
        now: at(12),
    };
    let changes = over.iter().cloned().map(HoldChange::Release).collect();
    crate::kinds::release(&target(Some("audio"), &[]), changes, &facts)
}

#[test]
fn another_hold_on_the_same_partitions_keeps_them_paused() {
    // Two holds cover topic a; the consumer's alone is released by its end.
    let facts_holds = [hold(2, None, Some("a"))];
    let Plan { admin, notes, .. } = release(&[], &facts_holds, paused());
    let sent: Vec<C> = admin.into_iter().map(|command| command.message).collect();
    assert_eq!(sent, [C::ResumeConsumerByName { consumer: "audio".into(), topics: names(&["b"]) }]);
    assert_eq!(notes, ["a of audio stays paused: another hold covers it"]);
}

#[test]
fn refusals() {
    let book = CommandBook::new(10);
    let twice = index(vec![
        ("g", kafkaflow_and_agent()),
        ("h", group(vec![("audio", vec![instance("x", false, 10, &[("a", &[0], &[])])])])),
    ]);
    let once = index(vec![("g", kafkaflow_and_agent())]);
    let silent = index(vec![("g", group(vec![("audio", vec![instance("host-1", false, -30, &[])])]))]);
    let cases = [
        (target(Some("audio"), &[]), &twice, Some("runs in several groups (2)")),
        (target(None, &["a"]), &twice, Some("runs in several groups (2)")),
        // The whole group needs no names, and an agent's topic needs no by-name command.
        (target(None, &[]), &twice, None),
        (target(None, &["v"]), &twice, None),
        // Not heard yet: it is paused when it starts.
        (target(Some("ghost"), &[]), &once, None),
        (target(None, &["unread"]), &once, Some("no instance of topic unread in g listens")),
        (target(None, &["a"]), &silent, Some("no instance of topic a in g listens")),
    ];
    for (target, telemetry, want) in cases {
        let result = run(&submit(1, Action::Pause, target.clone()), telemetry, &[], &book);
        match (result, want) {
            (Ok(_), None) => {}
            (Err(PortError::Unprocessable { detail }), Some(want)) => {
                assert!(detail.contains(want), "{detail}")
            }
            (other, _) => panic!("{target:?}: {other:?}"),
        }
    }
}

/// Nobody is heard: the hold waits for who starts, and the plan says so. Where members run that take no commands, it is
/// refused with what can be done.
#[test]
fn a_pause_before_the_start_is_written_with_a_warning() {
    let silent = index(vec![("g", group(vec![("audio", vec![instance("host-1", false, -30, &[])])]))]);
    let book = CommandBook::new(10);
    for (target, warnings) in
        [(target(None, &[]), 1), (target(Some("audio"), &[]), 1), (target(Some("new"), &[]), 2)]
    {
        let Ok(Decision::Write(plan)) = run(&submit(1, Action::Pause, target.clone()), &silent, &[], &book)
        else {
            panic!("{target} is refused");
        };
        assert!(plan.changes.len() == 1 && plan.admin.is_empty(), "{plan:?}");
        assert_eq!(plan.notes.len(), warnings, "{plan:?}");
        assert!(plan.notes[0].starts_with("No instance is heard: nothing is paused now"));
    }
    let plain = GroupData {
        members: Some(Arc::from([super::lifecycle::owner("plain", &[0])])),
        ..GroupData::test("g")
    };
    let refused = with_facts(&TelemetryIndex::default(), &[], &book, None, |facts| {
        let facts = Facts { group: Some(&plain), ..*facts };
        decide(&submit(1, Action::Pause, target(None, &[])), "ana", &facts).unwrap_err().to_string()
    });
    assert!(
        refused.contains("its 1 member runs neither") && refused.contains("scale the service down"),
        "{refused}"
    );
}

/// KafkaFlow cannot pause a part of a topic: it is told nothing, and refused where it is alone.
#[test]
fn partitions_are_for_agents() {
    let book = CommandBook::new(10);
    let parts = |topic: &str, all: &[i32]| Target { partitions: super::parts(all), ..target(None, &[topic]) };
    let telemetry = index(vec![("g", kafkaflow_and_agent())]);
    let pause = |target| run(&submit(1, Action::Pause, target), &telemetry, &[], &book);
    let Ok(Decision::Write(plan)) = pause(parts("v", &[0, 2])) else { panic!("refused") };
    let scopes: Vec<Option<i32>> = plan
        .changes
        .iter()
        .map(|change| change.hold().scope.partition.map(flowdeck_model::Partition::get))
        .collect();
    assert_eq!((scopes, plan.admin.len()), (vec![Some(0), Some(2)], 0));
    let refused = pause(parts("a", &[0])).unwrap_err().to_string();
    assert!(refused.contains("KafkaFlow pauses and resumes whole topics only"), "{refused}");

    // Of two that are held, one is resumed; and under a hold on the topic a part becomes an exception.
    let holds: Vec<Hold> = plan.changes.iter().map(|change| change.hold().clone()).collect();
    let resume = submit(2, Action::Resume, parts("v", &[2]));
    let Ok(Decision::Write(plan)) = run(&resume, &telemetry, &holds, &book) else { panic!("refused") };
    assert!(
        matches!(&plan.changes[..], [HoldChange::Release(gone)] if gone.scope == holds[1].scope),
        "{plan:?}"
    );
    let broad = hold(3, None, Some("v"));
    let Ok(Decision::Write(plan)) = run(&resume, &telemetry, &[broad], &book) else { panic!("refused") };
    assert!(
        matches!(&plan.changes[..], [HoldChange::Set(left)] if left.except == holds[1..].iter().map(|one| one.scope.clone()).collect::<Vec<_>>()),
        "{plan:?}"
    );
}

/// No hold covers what an agent lists as paused: it started so, and a tombstone of its own resumes it.
#[test]
fn what_started_paused_is_resumed_by_a_tombstone() {
    let telemetry =
        index(vec![("g", group(vec![("video", vec![instance("pod-1", true, 10, &[("v", &[], &[0])])])]))]);
    let book = CommandBook::new(10);
    let resume = submit(7, Action::Resume, target(Some("video"), &[]));
    let Ok(Decision::Write(plan)) = run(&resume, &telemetry, &[], &book) else { panic!("refused") };
    let [HoldChange::Release(gone)] = &plan.changes[..] else { panic!("{plan:?}") };
    assert!(gone.id == resume.id.into() && gone.scope == resume.target.scopes()[0], "{gone:?}");
}

#[test]
fn a_hold_can_be_released_when_nobody_listens() {
    let book = CommandBook::new(10);
    let resume = submit(1, Action::Resume, target(Some("audio"), &[]));
    let nobody = TelemetryIndex::default();
    let Ok(Decision::Write(plan)) = run(&resume, &nobody, &[hold(2, Some("audio"), None)], &book) else {
        panic!("refused");
    };
    assert!(matches!(plan.changes[..], [HoldChange::Release(_)]) && plan.admin.is_empty());
    assert!(plan.notes[0].starts_with("no instance listens at the moment"));
}
