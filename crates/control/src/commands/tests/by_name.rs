//! Stop, start, restart, workers, reset and rewind: what is sent, what is refused, and what counts as evidence.

use std::sync::Arc;
use std::time::Duration;

use flowdeck_kafka::{Member, Metadata, PartitionMetadata, TopicMetadata};
use flowdeck_model::view::{OffsetChange, OffsetTarget};
use flowdeck_model::{Actor, CommandState, InstanceState as I, Pattern, PortError, Via};
use flowdeck_observe::sampling::sample::{GroupData, Sample};
use flowdeck_observe::time_zones::RewindTimeZones;
use flowdeck_protocol::kafkaflow::Command as C;

use super::lifecycle::{World, commits, flow, owner};
use super::*;
use crate::commands::as_kafkaflow::decide;
use crate::commands::evidence::observe;
use crate::commands::lifecycle::{expected, sent};
use crate::commands::plan::{Check, Decision, Facts, Plan};
use crate::commands::{Command, CommandBook};

fn rewind(seconds: i64) -> Action {
    Action::Rewind { to: at(seconds) }
}

fn workers(count: u32) -> Action {
    Action::ChangeWorkers { workers: count.try_into().unwrap() }
}

/// Topic `a` with three partitions.
fn metadata() -> Metadata {
    let partition = |number| PartitionMetadata {
        partition: Partition::new(number).unwrap(),
        leader: Some(1),
        replicas: vec![1],
        isr: vec![1],
        error: None,
    };
    let topics = ["a", "b"].map(|name| TopicMetadata {
        name: Arc::new(topic(name)),
        partitions: (0..3).map(partition).collect(),
        error: None,
    });
    Metadata { cluster_id: None, controller: None, brokers: vec![], topics: topics.to_vec() }
}

#[derive(Default)]
struct Given {
    telemetry: TelemetryIndex,
    group: Option<GroupData>,
    zones: RewindTimeZones,
    book: Option<CommandBook>,
}

impl Given {
    fn new(groups: Vec<(&str, GroupTelemetry)>) -> Self {
        Self { telemetry: index(groups), ..Self::default() }
    }

    fn decide(&self, action: Action, target: Target) -> Result<Plan, PortError> {
        self.decide_via(Via::Api, action, target)
    }

    fn decide_via(&self, via: Via, action: Action, target: Target) -> Result<Plan, PortError> {
        let book = CommandBook::new(10);
        let (metadata, sample) = (metadata(), Sample::default());
        let facts = Facts {
            offsets_quiet: std::time::Duration::ZERO,
            telemetry: &self.telemetry,
            active: &[],
            book: self.book.as_ref().unwrap_or(&book),
            group_known: true,
            group: self.group.as_ref(),
            offsets_kept: None,
            sample: &sample,
            metadata: Some(&metadata),
            time_zones: &self.zones,
            heard_within: Duration::from_secs(15),
            via: Via::Api,
            hold_by: flowdeck_observe::HoldDefault::default(),
            lock_ups: None,
            now: at(12),
        };
        let actor = Actor::anonymous(via, None).view;
        match decide(&submit(1, action, target), &actor, facts)? {
            Decision::Write(plan) => Ok(plan),
            other => panic!("{other:?}"),
        }
    }

    fn refused(&self, action: Action, target: Target) -> String {
        match self.decide(action, target) {
            Err(error @ PortError::Conflict { .. }) => format!("409 {error}"),
            Err(error @ PortError::Unprocessable { .. }) => format!("422 {error}"),
            other => panic!("{other:?}"),
        }
    }
}

fn audio() -> Target {
    target(Some("audio"), &[])
}

fn without_members() -> GroupData {
    GroupData { members: Some(Arc::from([])), members_at: Some(at(11)), ..GroupData::test("g") }
}

#[test]
fn each_kind_sends_its_message_by_name() {
    let consumer = || ConsumerName::from("audio");
    let given = Given { group: Some(without_members()), ..Given::new(vec![("g", flow(10, &[0, 1], &[]))]) };
    for (action, target, want) in [
        (Action::Stop, audio(), C::StopConsumerByName { consumer: consumer() }),
        (Action::Start, audio(), C::StartConsumerByName { consumer: consumer() }),
        (Action::Restart, audio(), C::RestartConsumerByName { consumer: consumer() }),
        (workers(5), audio(), C::ChangeConsumerWorkersCount { consumer: consumer(), workers: 5 }),
        (
            Action::Reset,
            target(Some("audio"), &["a"]),
            C::ResetConsumerOffset { consumer: consumer(), topics: vec![topic("a")] },
        ),
        (
            rewind(5),
            audio(),
            C::RewindConsumerOffsetToDateTime {
                consumer: consumer(),
                date_time: at(5).into(),
                topics: vec![],
            },
        ),
    ] {
        let plan = given.decide(action, target).unwrap();
        assert!(plan.changes.is_empty() && !plan.notes.is_empty(), "{action:?}");
        let sent: Vec<_> = plan.admin.into_iter().map(|one| one.message).collect();
        assert_eq!(sent, [want]);
    }
}

#[test]
fn agents_are_reached_as_kafkaflow_is() {
    let telemetry = group(vec![("audio", vec![instance("pod-1", true, 10, &[("a", &[0], &[])])])]);
    let given = Given::new(vec![("g", telemetry)]);
    assert_eq!(given.decide(Action::Restart, audio()).unwrap().admin.len(), 1);
}

#[test]
fn a_name_that_is_unknown_silent_or_ambiguous_is_refused() {
    let heard = || flow(10, &[0], &[]);
    let given = Given::new(vec![("g", heard())]);
    let never = given.refused(Action::Restart, target(Some("ghost"), &[]));
    assert!(never.starts_with("422") && never.contains("never shown"), "{never}");
    let ambiguous = Given::new(vec![("g", heard()), ("h", heard())]).refused(Action::Restart, audio());
    assert!(ambiguous.starts_with("422") && ambiguous.contains("several groups (2)"), "{ambiguous}");
    let silent = Given::new(vec![("g", flow(-100, &[0], &[]))]).refused(Action::Stop, audio());
    assert!(silent.contains("listens"), "{silent}");
}

#[test]
fn a_start_is_sent_only_where_kafka_lists_no_member() {
    let mut given = Given::new(vec![("g", flow(10, &[], &[]))]);
    // Nothing is known of its members yet.
    given.group = Some(GroupData::test("g"));
    assert!(given.refused(Action::Start, audio()).contains("has not told"));
    let members = vec![owner("c1", &[0])];
    given.group = Some(GroupData { members: Some(members.into()), ..without_members() });
    let running = given.refused(Action::Start, audio());
    assert!(running.starts_with("409") && running.contains("restart it instead"), "{running}");
    given.group = Some(without_members());
    let plan = given.decide(Action::Start, audio()).unwrap();
    assert!(matches!(plan.check, Some(Check::NoMembers(_))), "{:?}", plan.check);
}

#[test]
fn one_reset_or_rewind_of_a_consumer_at_a_time() {
    let mut given = Given::new(vec![("g", flow(10, &[0], &[]))]);
    let view = Actor::anonymous(Via::Api, None).view;
    for (state, consumer, refused) in [
        (CommandState::Sent, "audio", true),
        (CommandState::Confirmed, "audio", false),
        (CommandState::Sent, "video", false),
    ] {
        let mut other =
            Command::new(submit(7, Action::Reset, target(Some(consumer), &[])), view.clone(), at(1));
        other.state = state;
        let mut book = CommandBook::new(10);
        book.put(other, |_| false);
        given.book = Some(book);
        for action in [Action::Reset, rewind(5)] {
            let answer = given.decide(action, audio());
            assert_eq!(matches!(answer, Err(PortError::Conflict { .. })), refused, "{state:?} {answer:?}");
        }
        assert!(given.decide(Action::Restart, audio()).is_ok());
    }
}

/// KafkaFlow writes its record whatever still runs and whoever listens; a name of several groups stays refused.
#[test]
fn kafkaflows_own_contract_sends_what_kafkaflow_sends() {
    let by_kafkaflow = |given: &Given, action, target| given.decide_via(Via::KafkaFlow, action, target);
    let mut given = Given::new(vec![("g", flow(10, &[0], &[]))]);
    let members = vec![owner("c1", &[0])];
    given.group = Some(GroupData { members: Some(members.into()), ..without_members() });
    let mut under_way =
        Command::new(submit(7, Action::Reset, audio()), Actor::anonymous(Via::Api, None).view, at(1));
    under_way.state = CommandState::Sent;
    let mut book = CommandBook::new(10);
    book.put(under_way, |_| false);
    given.book = Some(book);
    let start = by_kafkaflow(&given, Action::Start, audio()).unwrap();
    assert!(start.check.is_none() && start.notes[0].contains("restart it instead"), "{start:?}");
    assert_eq!(start.admin[0].message, C::StartConsumerByName { consumer: "audio".into() });
    // What it moves is looked up, as without the other one.
    let reset = by_kafkaflow(&given, Action::Reset, audio()).unwrap();
    assert!(matches!(reset.check, Some(Check::Offsets(_))), "{:?}", reset.check);

    let silent = Given::new(vec![("g", flow(-100, &[0], &[]))]);
    let plan = by_kafkaflow(&silent, Action::Stop, audio()).unwrap();
    assert_eq!((plan.admin.len(), plan.notes.len()), (1, 1));
    let nobody = Target { group: "nobody".into(), ..target(None, &["a"]) };
    let plan = by_kafkaflow(&given, Action::Pause, nobody).unwrap();
    let message = C::PauseConsumersByGroup { group: "nobody".into(), topics: vec![topic("a")] };
    assert_eq!((&plan.admin[0].message, plan.changes.len()), (&message, 0));
    assert!(plan.notes[0].contains("no instance"), "{:?}", plan.notes);

    let twice = Given::new(vec![("g", flow(10, &[0], &[])), ("h", flow(10, &[0], &[]))]);
    let ambiguous = by_kafkaflow(&twice, Action::Restart, audio());
    assert!(matches!(ambiguous, Err(PortError::Unprocessable { .. })), "{ambiguous:?}");
}

#[test]
fn offsets_of_what_nobody_has_are_not_moved() {
    let given = Given::new(vec![("g", flow(10, &[], &[]))]);
    assert!(given.refused(Action::Reset, audio()).contains("no offset would be moved"));
    let given = Given::new(vec![("g", flow(10, &[0], &[]))]);
    let other = given.refused(Action::Reset, target(Some("audio"), &["b"]));
    assert!(other.contains("no instance of topic b"), "{other}");
    let ahead = given.decide(rewind(600), audio());
    assert!(matches!(ahead, Err(PortError::Invalid { ref field, .. }) if field == "to"), "{ahead:?}");
}

#[test]
fn the_time_of_a_rewind_is_sent_in_the_zone_of_the_consumer() {
    let mut given = Given::new(vec![("g", flow(10, &[0], &[]))]);
    given.zones = RewindTimeZones(vec![(Pattern::new("aud*"), "Asia/Tokyo".parse().unwrap())]);
    let plan = given.decide(rewind(5), audio()).unwrap();
    let ahead = at(5).plus(Duration::from_secs(9 * 3_600));
    let want = C::RewindConsumerOffsetToDateTime {
        consumer: "audio".into(),
        date_time: ahead.into(),
        topics: vec![],
    };
    assert_eq!(plan.admin[0].message, want);
    assert!(plan.notes.iter().any(|note| note.contains("Asia/Tokyo")), "{:?}", plan.notes);
    // An agent of the same name would read it as UTC.
    let both = vec![
        instance("host-1", false, 10, &[("a", &[0], &[])]),
        instance("pod-1", true, 10, &[("a", &[1], &[])]),
    ];
    given.telemetry = index(vec![("g", group(vec![("audio", both)]))]);
    assert!(given.refused(rewind(5), audio()).contains("cannot mean the same"));
}

/// A command to `audio`, sent at 10 s, when its member `c1` owned partitions 0 and 1.
fn begin(world: &mut World, action: Action) -> Command {
    world.group = Some(members(9, &[owner("c1", &[0, 1])], commits(9, 10, 20)));
    let view = Actor::anonymous(Via::Api, None).view;
    let mut command = Command::new(submit(1, action, audio()), view, at(10));
    command.instances = expected(&command, world.seen(10));
    if action.kind().moves_offsets() {
        let change = |partition, from, to| OffsetChange {
            topic: topic("a"),
            partition: Partition::new(partition).unwrap(),
            from,
            to,
        };
        command.offsets =
            vec![change(0, Some(10), OffsetTarget::Offset(3)), change(1, Some(4), OffsetTarget::NoRecord)];
    }
    sent(&mut command, world.seen(10));
    command
}

fn members(asked: i64, list: &[Member], group: GroupData) -> GroupData {
    GroupData {
        members: Some(list.to_vec().into()),
        members_at: Some(at(asked)),
        members_since: Some(at(0)),
        ..group
    }
}

struct Step {
    now: i64,
    /// What telemetry says, heard a second before.
    running: &'static [i32],
    /// Kafka's members, and the commit of partition 0.
    members: &'static [&'static str],
    committed: i64,
    state: I,
    detail: &'static str,
}

fn follow(action: Action, steps: &[Step]) {
    let mut world = World::new(flow(9, &[0, 1], &[]));
    world.telemetry.consumers[0].instances[0].member_at = Some(at(9));
    let mut command = begin(&mut world, action);
    for step in steps {
        let Step { now, running, members: list, committed, state, detail } = step;
        world.telemetry = flow(now - 1, running, &[]);
        world.telemetry.consumers[0].instances[0].member_at = Some(at(9));
        if let Action::ChangeWorkers { workers } = action {
            world.telemetry.consumers[0].instances[0].workers = Some(workers.get());
        }
        let list: Vec<Member> = list.iter().map(|id| owner(id, &[0, 1])).collect();
        world.group = Some(members(*now, &list, commits(*now, *committed, 20)));
        observe(&mut command, world.seen(*now), false);
        let one = &command.instances[0];
        let said = one.detail.as_deref().unwrap_or_default();
        assert_eq!(one.state, *state, "{action:?} at {now}: {said}");
        assert!(said.contains(detail), "{action:?} at {now}: {said}");
    }
}

const BOTH: &[i32] = &[0, 1];

#[test]
fn a_restart_is_proven_by_other_members_and_partitions_that_run_on() {
    follow(
        Action::Restart,
        &[
            // Said after the command, but it has not left: no evidence.
            Step {
                now: 12,
                running: BOTH,
                members: &["c1"],
                committed: 10,
                state: I::Waiting,
                detail: "as before",
            },
            Step {
                now: 14,
                running: &[],
                members: &[],
                committed: 10,
                state: I::Waiting,
                detail: "left the group",
            },
            Step {
                now: 20,
                running: BOTH,
                members: &["c2"],
                committed: 10,
                state: I::Waiting,
                detail: "stays alive",
            },
            Step {
                now: 25,
                running: BOTH,
                members: &["c2"],
                committed: 10,
                state: I::Waiting,
                detail: "stays alive",
            },
            Step {
                now: 32,
                running: BOTH,
                members: &["c2"],
                committed: 10,
                state: I::Acknowledged,
                detail: "2 partitions",
            },
        ],
    );
}

#[test]
fn a_restart_without_evidence_times_out() {
    let nothing = |now, state| Step {
        now,
        running: BOTH,
        members: &["c1"],
        committed: 10,
        state,
        detail: "not left the group yet",
    };
    follow(Action::Restart, &[nothing(60, I::Waiting), nothing(71, I::NoResponse)]);
}

#[test]
fn an_instance_that_goes_silent_on_a_restart_is_never_confirmed() {
    let mut world = World::new(flow(9, &[0, 1], &[]));
    let mut command = begin(&mut world, Action::Restart);
    // It runs again at 20 s, and is heard last at 22 s.
    for (now, heard) in [(14, 13), (20, 19), (22, 21)] {
        let running: &[i32] = if now == 14 { &[] } else { BOTH };
        world.telemetry = flow(heard, running, &[]);
        world.telemetry.consumers[0].instances[0].member_at = Some(at(9));
        let list = if now == 14 { vec![] } else { vec![owner("c2", BOTH)] };
        world.group = Some(members(now, &list, commits(now, 10, 20)));
        observe(&mut command, world.seen(now), false);
    }
    assert_eq!(command.instances[0].state, I::Waiting);
    observe(&mut command, world.seen(30), false);
    assert_eq!(command.instances[0].state, I::Waiting, "not silent for long");
    observe(&mut command, world.seen(38), false);
    let said = command.instances[0].detail.clone().unwrap_or_default();
    assert_eq!((command.instances[0].state, command.state), (I::NoResponse, CommandState::TimedOut));
    assert!(said.contains("silent 11 s after the command") && said.contains("crashed or hung"), "{said}");
    // Another process comes under its name.
    for now in [45, 58] {
        world.telemetry = flow(now - 1, BOTH, &[]);
        world.telemetry.consumers[0].instances[0].member_at = Some(at(9));
        world.group = Some(members(now, &[owner("c3", &[0, 1])], commits(now, 10, 20)));
        observe(&mut command, world.seen(now), false);
    }
    assert_eq!(command.instances[0].state, I::NoResponse, "never confirmed");
}

#[test]
fn an_instance_that_goes_silent_soon_after_it_was_confirmed_is_confirmed_no_more() {
    let mut world = World::new(flow(9, &[0, 1], &[]));
    let mut command = begin(&mut world, Action::Restart);
    command.instances[0].anew.left_at = Some(at(14));
    for now in [20, 32] {
        world.telemetry = flow(now - 1, BOTH, &[]);
        world.telemetry.consumers[0].instances[0].member_at = Some(at(9));
        world.group = Some(members(now, &[owner("c2", BOTH)], commits(now, 10, 20)));
        observe(&mut command, world.seen(now), false);
    }
    assert_eq!(command.state, CommandState::Confirmed);
    observe(&mut command, world.seen(50), false);
    assert_eq!((command.instances[0].state, command.state), (I::NoResponse, CommandState::TimedOut));
}

#[test]
fn a_stop_is_proven_by_kafkas_members_alone() {
    follow(
        Action::Stop,
        &[
            // Telemetry that lists nothing: idle or stopped.
            Step {
                now: 12,
                running: &[],
                members: &["c1"],
                committed: 10,
                state: I::Waiting,
                detail: "still lists its member",
            },
            Step {
                now: 15,
                running: &[],
                members: &[],
                committed: 10,
                state: I::Acknowledged,
                detail: "none of the consumer's members",
            },
        ],
    );
}

#[test]
fn a_start_is_proven_by_partitions_that_run() {
    follow(
        Action::Start,
        &[
            Step { now: 12, running: &[], members: &[], committed: 10, state: I::Waiting, detail: "" },
            Step {
                now: 16,
                running: BOTH,
                members: &["c2"],
                committed: 10,
                state: I::Waiting,
                detail: "stays alive",
            },
            Step {
                now: 28,
                running: BOTH,
                members: &["c2"],
                committed: 10,
                state: I::Acknowledged,
                detail: "2 partitions",
            },
        ],
    );
}

#[test]
fn workers_are_proven_by_their_count() {
    follow(
        workers(5),
        &[
            Step {
                now: 12,
                running: &[],
                members: &[],
                committed: 10,
                state: I::Waiting,
                detail: "5 workers",
            },
            Step {
                now: 16,
                running: BOTH,
                members: &["c2"],
                committed: 10,
                state: I::Waiting,
                detail: "stays alive",
            },
            Step {
                now: 28,
                running: BOTH,
                members: &["c2"],
                committed: 10,
                state: I::Acknowledged,
                detail: "5 workers",
            },
        ],
    );
    let mut world = World::new(flow(9, BOTH, &[]));
    let mut command = begin(&mut world, workers(5));
    world.telemetry = flow(12, BOTH, &[]);
    observe(&mut command, world.seen(13), false);
    assert_eq!(command.instances[0].detail.as_deref(), Some("it has 3 workers"));
}

#[test]
fn a_rewind_is_proven_by_commits_that_moved_and_partitions_that_run_on() {
    for action in [rewind(5), Action::Reset] {
        follow(
            action,
            &[
                Step {
                    now: 12,
                    running: BOTH,
                    members: &["c1"],
                    committed: 12,
                    state: I::Waiting,
                    detail: "0 of 1 commits moved; a partition 0 not yet",
                },
                Step {
                    now: 14,
                    running: &[],
                    members: &[],
                    committed: 3,
                    state: I::Waiting,
                    detail: "1 commit moved",
                },
                // It reads on, beyond where it was before.
                Step {
                    now: 20,
                    running: BOTH,
                    members: &["c2"],
                    committed: 15,
                    state: I::Waiting,
                    detail: "stays alive",
                },
                Step {
                    now: 32,
                    running: BOTH,
                    members: &["c2"],
                    committed: 20,
                    state: I::Acknowledged,
                    detail: "1 commit moved; 2 partitions",
                },
            ],
        );
    }
}
