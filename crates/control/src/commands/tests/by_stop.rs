//! Offsets of a live KafkaFlow group: who may ask for it, and what is due at which time.

use flowdeck_model::offsets::SetOffsets;
use flowdeck_model::view::InstanceKind;
use flowdeck_model::{Action, Actor, Hold, HoldBy, InstanceState as I, PortError, Submit, Via};
use flowdeck_observe::sampling::sample::GroupData;
use flowdeck_protocol::kafkaflow::Command as C;

use super::lifecycle::{World, flow, owner};
use super::plan::with_facts;
use super::*;
use crate::commands::by_stop::{self, Next};
use crate::commands::lifecycle::{expected, sent};
use crate::commands::plan::{Decision, Facts, Plan, decide};
use crate::commands::{Command, CommandBook};

fn asked(by: Option<HoldBy>) -> Submit {
    let offsets =
        SetOffsets { to: "2".to_owned(), moves: "a 0*5*2".parse().unwrap(), skips: None, confirm: None };
    Submit { by, offsets: Some(Box::new(offsets)), ..submit(1, Action::SetOffsets, target(None, &[])) }
}

fn listed(asked: i64, members: Vec<flowdeck_kafka::Member>) -> GroupData {
    GroupData { members: Some(members.into()), members_at: Some(at(asked)), ..GroupData::test("g") }
}

fn planned(submit: &Submit, telemetry: &TelemetryIndex, holds: &[Hold]) -> Result<Plan, PortError> {
    let group = listed(11, vec![owner("host-1", &[0, 1])]);
    with_facts(telemetry, holds, &CommandBook::new(10), None, |facts| {
        let facts = Facts { group: Some(&group), ..*facts };
        match decide(submit, "ana", &facts)? {
            Decision::Write(plan) => Ok(plan),
            other => panic!("{other:?}"),
        }
    })
}

#[test]
fn it_has_to_be_asked_for_and_reaches_one_group() {
    let own = || flow(10, &[0, 1], &[]);
    let telemetry = index(vec![("g", own())]);
    let stop = asked(Some(HoldBy::Stop));
    let plan = planned(&stop, &telemetry, &[]).unwrap();
    let sent: Vec<C> = plan.admin.into_iter().map(|one| one.message).collect();
    assert_eq!(sent, [C::StopConsumerByName { consumer: "audio".into() }]);
    assert!(plan.stopped.contains(&"audio".into()) && plan.alter.is_none());
    let why =
        |submit: &Submit, telemetry: &TelemetryIndex, holds: &[Hold]| match planned(submit, telemetry, holds)
        {
            Err(PortError::Unprocessable { detail } | PortError::Conflict { detail }) => detail,
            other => panic!("{other:?}"),
        };
    let unasked = why(&asked(None), &telemetry, &[]);
    assert!(unasked.contains("audio") && unasked.contains(r#""by": "stop""#), "{unasked}");
    let held = why(&stop, &telemetry, &[hold(2, None, None)]);
    assert!(held.contains("a pause of ana is in force"), "{held}");
    // Its name would reach the other group, too.
    let ambiguous = why(&stop, &index(vec![("g", own()), ("h", own())]), &[]);
    assert!(ambiguous.contains("runs in several groups (2)"), "{ambiguous}");
}

struct Stopped {
    world: World,
    command: Command,
}

impl Stopped {
    /// The stop is written at 10 s.
    fn new() -> Self {
        let mut world = World::new(flow(9, &[0, 1], &[]));
        world.holds.clear();
        let actor = Actor::anonymous(Via::Api, None).view;
        let mut command = Command::new(asked(Some(HoldBy::Stop)), actor, at(10));
        command.instances = expected(&command, world.seen(10));
        by_stop::begin(&mut command, ["audio".into()].into());
        sent(&mut command, world.seen(10));
        Self { world, command }
    }

    fn next(&mut self, now: i64) -> Next {
        by_stop::next(&mut self.command, self.world.seen(now))
    }

    fn lists(&mut self, asked: i64, members: usize) {
        let members = (0..members).map(|_| owner("host-1", &[0, 1])).collect();
        self.world.group = Some(listed(asked, members));
    }
}

#[test]
fn commits_are_set_once_kafka_lists_no_member_and_left_where_it_goes_on_to() {
    let mut one = Stopped::new();
    one.lists(9, 0);
    assert_eq!(one.next(11), Next::Nothing, "asked before the stop");
    one.lists(12, 1);
    assert_eq!((one.next(12), one.next(13)), (Next::Nothing, Next::StopAgain));
    one.lists(15, 0);
    assert_eq!(one.next(16), Next::Set);

    let mut late = Stopped::new();
    late.lists(99, 1);
    assert_eq!(late.next(100), Next::GiveUp);
    by_stop::give_up(&mut late.command, late.world.seen(100));
    by_stop::start(&mut late.command, late.world.seen(100));
    let flow = late.command.instances.iter().find(|one| one.kind == InstanceKind::KafkaFlow).unwrap();
    // It may stop yet: what it says now is no proof that it runs.
    assert!(by_stop::is_unclear(&late.command, flow, at(130)) && flow.deadline > at(150));
}

#[test]
fn a_start_is_sent_again_while_kafka_lists_no_member_and_none_under_a_hold() {
    let mut one = Stopped::new();
    by_stop::set(&mut one.command);
    assert_eq!(one.next(20), Next::Nothing);
    by_stop::start(&mut one.command, one.world.seen(30));
    one.lists(29, 0);
    assert_eq!(one.next(45), Next::Nothing, "asked before the start");
    one.lists(35, 0);
    assert_eq!((one.next(39), one.next(40), one.next(41)), (Next::Nothing, Next::StartAgain, Next::Nothing));
    one.lists(52, 1);
    assert_eq!(one.next(52), Next::Nothing);
    one.lists(60, 0);
    one.world.holds = vec![Hold { by: HoldBy::Stop, ..hold(2, None, None) }];
    assert_eq!((one.next(60), one.command.instances[0].state), (Next::Nothing, I::NothingToDo));
}
