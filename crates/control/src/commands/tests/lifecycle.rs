use std::collections::HashMap;
use std::sync::Arc;

use flowdeck_model::view::SentRecord;
use flowdeck_model::{Action, Actor, CommandState, InstanceState as I, Via};
use flowdeck_protocol::wire::Ack;

use super::*;
use crate::commands::evidence::observe;
use crate::commands::follow_up::{follow_up, sent_again};
use crate::commands::held::{HeldGroup, InForce, Told};
use crate::commands::lifecycle::{self, Seen, expected, sent};
use crate::commands::{Command, kafkaflow};
use flowdeck_observe::group_seen::GroupSeen;
use flowdeck_observe::sampling::merge::{Commit, compact};
use flowdeck_observe::sampling::sample::{Ends, GroupData, LogRow, Mark};
use flowdeck_observe::{AdminTopics, Timing};

pub(super) struct World {
    timing: Timing,
    pairs: Vec<AdminTopics>,
    pub(super) holds: Vec<Hold>,
    pub(super) telemetry: GroupTelemetry,
    pub(super) group: Option<GroupData>,
    held: HeldGroup,
}

impl World {
    pub(super) fn new(telemetry: GroupTelemetry) -> Self {
        let pairs = vec![AdminTopics::one(topic("admin"))];
        let (timing, held) = (Timing::default(), HeldGroup::default());
        Self { timing, pairs, holds: vec![hold(1, None, None)], telemetry, group: None, held }
    }

    pub(super) fn seen(&self, seconds: i64) -> Seen<'_> {
        Seen {
            telemetry: Some(&self.telemetry),
            group: self.group.as_ref(),
            holds: &self.holds,
            held: Some(&self.held),
            timing: &self.timing,
            admin_topics: &self.pairs,
            now: at(seconds),
        }
    }

    fn sent(&self, action: Action, seconds: i64) -> Command {
        let view = Actor::anonymous(Via::Api, None).view;
        let mut command = Command::new(submit(1, action, target(None, &[])), view, at(seconds));
        command.instances = expected(&command, self.seen(seconds));
        sent(&mut command, self.seen(seconds));
        command
    }
}

/// One KafkaFlow instance.
pub(super) fn flow(heard: i64, running: &[i32], paused: &[i32]) -> GroupTelemetry {
    group(vec![("audio", vec![instance("host-1", false, heard, &[("a", running, paused)])])])
}

pub(super) fn commits(as_of: i64, committed: i64, end: i64) -> GroupData {
    let name: flowdeck_kafka::Topic = Arc::new(topic("a"));
    let zero = Partition::new(0).unwrap();
    let row = LogRow::new(zero, None, Some(0), Some(end));
    let commit = Commit { topic: name.clone(), partition: zero, offset: Some(committed), mark: Mark::Fine };
    GroupData {
        rows: compact(vec![commit]).into(),
        ends: Arc::new(Ends::test([(name, row)])),
        as_of: Some(at(as_of)),
        ..GroupData::test("g")
    }
}

/// A member that owns partitions of topic a.
pub(super) fn owner(client: &str, partitions: &[i32]) -> flowdeck_kafka::Member {
    flowdeck_kafka::Member {
        member_id: client.into(),
        client_id: client.into(),
        host: "/10.0.0.7".into(),
        group_instance_id: None,
        assignment: parts(partitions).into_iter().map(|one| (Arc::new(topic("a")), one)).collect(),
        target_assignment: None,
    }
}

#[test]
fn evidence_of_a_pause() {
    type Case<'a> = (i64, &'a [i32], &'a [i32], i64, I, CommandState);
    // (heard at, running, paused, looked at, the instance's state, the command's)
    let cases: [Case<'_>; 7] = [
        // Said before the command, or while it still runs: no evidence.
        (9, &[], &[0], 11, I::Waiting, CommandState::Sent),
        (12, &[0], &[], 13, I::Waiting, CommandState::Sent),
        (12, &[0], &[1], 13, I::Waiting, CommandState::Sent),
        (12, &[], &[0, 1], 13, I::FetchStopped, CommandState::Confirmed),
        (12, &[], &[], 13, I::NothingToDo, CommandState::Confirmed),
        (12, &[0], &[], 26, I::NoResponse, CommandState::TimedOut),
        // Late evidence counts.
        (40, &[], &[0], 41, I::FetchStopped, CommandState::Confirmed),
    ];
    for (heard, running, paused, now, state, whole) in cases {
        let mut world = World::new(flow(9, &[0, 1], &[]));
        let mut command = world.sent(Action::Pause, 10);
        world.telemetry = flow(heard, running, paused);
        observe(&mut command, world.seen(now), false);
        assert_eq!(
            (command.instances[0].state, command.state),
            (state, whole),
            "{heard} {running:?} {paused:?}"
        );
    }
}

#[test]
fn what_lies_before_the_command_on_its_partition_is_older_whenever_it_comes() {
    let mut world = World::new(flow(9, &[0], &[]));
    let mut command = world.sent(Action::Pause, 10);
    let record = |topic| SentRecord { topic, partition: Partition::new(0).unwrap(), offset: 50, at: at(10) };
    command.written = 1;
    command.sent = vec![record(topic("admin"))];
    // Offsets are the seconds here: 12 lies before 50.
    world.telemetry = flow(12, &[], &[0]);
    observe(&mut command, world.seen(13), false);
    assert_eq!(command.instances[0].state, I::Waiting);
    command.sent = vec![record(topic("elsewhere"))];
    observe(&mut command, world.seen(13), false);
    assert_eq!(command.instances[0].state, I::FetchStopped);
}

#[test]
fn evidence_of_a_resume_is_a_commit_beyond_what_could_be_drained() {
    // (commits read at, committed, end) in turn, looked at, want
    type Case<'a> = (&'a [(i64, i64, i64)], i64, I);
    let cases: [Case<'_>; 7] = [
        (&[(9, 6, 10)], 13, I::Waiting),
        (&[(13, 5, 10)], 14, I::Waiting),
        // It may be what was buffered under the pause; the next one is not.
        (&[(13, 6, 10)], 14, I::Waiting),
        (&[(13, 6, 10), (18, 6, 10)], 19, I::Waiting),
        (&[(13, 6, 10), (18, 8, 10)], 19, I::Acknowledged),
        (&[(13, 5, 5)], 14, I::NothingToRead),
        (&[(13, 6, 10)], 41, I::NoResponse),
    ];
    for (reads, now, want) in cases {
        let mut world = World::new(flow(9, &[], &[0]));
        world.holds.clear();
        world.group = Some(commits(9, 5, 10));
        let mut command = world.sent(Action::Resume, 10);
        world.telemetry = flow(12, &[0], &[]);
        for (as_of, committed, end) in reads {
            world.group = Some(commits(*as_of, *committed, *end));
            observe(&mut command, world.seen(now), false);
        }
        assert_eq!(command.instances[0].state, want, "{reads:?}");
        let detail = command.instances[0].detail.as_deref().unwrap_or_default();
        if want == I::Acknowledged {
            assert_eq!(detail, "records flow: partition 0 committed 8");
        }
    }
    // The log ended at 6 when fetching had stopped: nothing beyond it was buffered.
    let mut world = World::new(flow(9, &[], &[0]));
    let holds = [InForce { hold: hold(1, None, None), told: Told::since(at(0), &world.timing) }];
    let (telemetry, group) = (world.telemetry.clone(), commits(10, 5, 6));
    let within = world.timing.heard_within;
    world.held.observe(&"g".into(), &holds, Some(&telemetry), Some(&group), within, at(10));
    world.holds.clear();
    world.group = Some(group);
    let mut command = world.sent(Action::Resume, 10);
    world.telemetry = flow(12, &[0], &[]);
    for (committed, want) in [(6, I::Waiting), (7, I::Acknowledged)] {
        world.group = Some(commits(13, committed, 10));
        observe(&mut command, world.seen(14), false);
        assert_eq!(command.instances[0].state, want, "{committed}");
    }
    // Listed as paused still: no commit counts.
    let mut world = World::new(flow(9, &[], &[0]));
    world.holds.clear();
    world.group = Some(commits(9, 5, 10));
    let mut command = world.sent(Action::Resume, 10);
    world.telemetry = flow(12, &[], &[0]);
    world.group = Some(commits(13, 9, 10));
    observe(&mut command, world.seen(14), false);
    assert_eq!(command.instances[0].state, I::Waiting);
}

/// Nothing is owned in a rebalance, and by a process that the group has lost: that is not nothing to do.
#[test]
fn an_instance_without_partitions_is_not_always_done() {
    let members = |owners: &[(&str, &[i32])]| -> Option<Arc<[flowdeck_kafka::Member]>> {
        Some(owners.iter().map(|(client, own)| owner(client, own)).collect())
    };
    let idle = |heard| instance("host-1", false, heard, &[("a", &[], &[])]);
    let other = |heard| instance("host-2", false, heard, &[("a", &[0], &[])]);
    let rebalancing = GroupData { rebalancing_since: Some(at(5)), ..commits(13, 5, 10) };
    let listed =
        |owners| GroupData { members: members(owners), members_at: Some(at(13)), ..commits(13, 5, 10) };
    let both = || vec![idle(12), other(12)];
    for (action, what, group_data, instances, want, says) in [
        (Action::Resume, "rebalance", rebalancing, vec![idle(12)], I::Waiting, Some("rebalance")),
        (Action::Resume, "all others", listed(&[("c2", &[0])]), both(), I::Waiting, Some("does not list it")),
        (Action::Pause, "all others", listed(&[("c2", &[0])]), both(), I::Waiting, Some("does not list it")),
        (Action::Resume, "nobody", listed(&[]), vec![idle(12)], I::Waiting, Some("does not list it")),
        // A member that owns nothing may be this one.
        (Action::Resume, "spare", listed(&[("c2", &[0]), ("c1", &[])]), both(), I::NothingToDo, None),
        (Action::Pause, "spare", listed(&[("c2", &[0]), ("c1", &[])]), both(), I::NothingToDo, None),
    ] {
        let mut world = World::new(flow(9, &[], &[0]));
        if action == Action::Resume {
            world.holds.clear();
        }
        let mut command = world.sent(action, 10);
        world.telemetry = group(vec![("audio", instances)]);
        world.group = Some(group_data);
        observe(&mut command, world.seen(14), false);
        let one = &command.instances[0];
        assert_eq!(one.state, want, "{action:?}, {what}");
        let detail = one.detail.as_deref();
        assert_eq!(
            says.is_some(),
            says.is_some_and(|says| detail.unwrap_or_default().contains(says)),
            "{detail:?}"
        );
    }
}

#[test]
fn a_joiner_is_noted_and_sent_the_pause_again_and_again() {
    let mut world = World::new(flow(9, &[0], &[]));
    let mut command = world.sent(Action::Pause, 10);
    let joiner = |heard: i64| InstanceTelemetry {
        first_heard: at(24),
        ..instance("host-2", false, heard, &[("a", &[1], &[])])
    };
    let mut resent = Vec::new();
    for now in 25..45 {
        // Each speaks every 5 s.
        let heard = now / 5 * 5;
        let stopped = instance("host-1", false, heard, &[("a", &[], &[0])]);
        world.telemetry = group(vec![("audio", vec![stopped, joiner(heard)])]);
        observe(&mut command, world.seen(now), false);
        let holds = world.holds.clone();
        if !follow_up(&mut command, &holds, world.seen(now)).is_empty() {
            sent_again(&mut command, world.seen(now));
            resent.push(now);
        }
    }
    assert_eq!(resent, [25, 26, 28, 33, 38, 43]);
    assert!(!command.resends.capped);
    let joined = command.instances.iter().find(|one| one.key.instance.as_str() == "host-2").unwrap();
    assert_eq!(joined.detail.as_deref(), Some("joined 14 s after the pause: not paused"));
    assert_eq!((joined.state, command.state), (I::NoResponse, CommandState::PartiallyConfirmed));
}

/// It was told when the rebalance ended in which it joined.
#[test]
fn a_joiner_that_obeys_is_shown() {
    let mut world = World::new(flow(9, &[0], &[]));
    let mut command = world.sent(Action::Pause, 10);
    let holds = world.holds.clone();
    for now in [25, 26] {
        let joiner =
            InstanceTelemetry { first_heard: at(24), ..instance("host-2", false, now, &[("a", &[], &[1])]) };
        let stopped = instance("host-1", false, now, &[("a", &[], &[0])]);
        let idle =
            InstanceTelemetry { first_heard: at(24), ..instance("host-3", false, now, &[("a", &[], &[])]) };
        world.telemetry = group(vec![("audio", vec![stopped, joiner, idle])]);
        observe(&mut command, world.seen(now), false);
        assert!(follow_up(&mut command, &holds, world.seen(now)).is_empty());
    }
    assert_eq!(command.instances.len(), 2, "one without partitions has nothing to obey");
    let joined = &command.instances[1];
    assert_eq!(
        (joined.state, joined.detail.as_deref()),
        (I::FetchStopped, Some("joined 14 s after the pause; 1 partition paused"))
    );
    assert_eq!(command.state, CommandState::Confirmed);
}

#[test]
fn what_an_instance_says_as_the_pause_comes_is_no_reason_to_send_it_again() {
    let mut world = World::new(flow(9, &[0], &[]));
    let mut command = world.sent(Action::Pause, 10);
    let holds = world.holds.clone();
    for (heard, now, again) in [(9, 10, false), (11, 11, false), (12, 12, true)] {
        world.telemetry = flow(heard, &[0], &[]);
        assert_eq!(!follow_up(&mut command, &holds, world.seen(now)).is_empty(), again, "{heard}");
    }
}

#[test]
fn a_pause_is_sent_again_when_a_rebalance_ends_and_never_while_it_goes_on() {
    use flowdeck_model::GroupState::{CompletingRebalance, PreparingRebalance, Stable};
    let mut world = World::new(flow(9, &[0], &[]));
    world.group = Some(commits(9, 5, 10));
    let mut command = world.sent(Action::Pause, 10);
    let holds = world.holds.clone();
    let before = [owner("x", &[0])];
    let after = [owner("x", &[0]), owner("y", &[])];
    let mut resent = Vec::new();
    for (now, state, members, running) in [
        (15, Stable, &before[..], false),
        (16, PreparingRebalance, &before[..], false),
        // It runs by its own words: the pause would be forgotten with the next assignment.
        (17, PreparingRebalance, &before[..], true),
        (18, CompletingRebalance, &after[..], true),
        (19, Stable, &after[..], false),
        (20, Stable, &after[..], false),
        (21, Stable, &after[..], true),
    ] {
        world.telemetry = if running { flow(now, &[0], &[]) } else { flow(now, &[], &[]) };
        world.held.rebalances.note(GroupSeen::new(at(now), state, members), at(now));
        let wanted = follow_up(&mut command, &holds, world.seen(now));
        if !wanted.is_empty() {
            assert_eq!(wanted.topics.values().flatten().collect::<Vec<_>>(), [&topic("a")]);
            sent_again(&mut command, world.seen(now));
            resent.push(now);
        }
    }
    // At its end also where nothing is told of what runs.
    assert_eq!(resent, [19, 21]);
    assert_eq!(command.resends.count, 2);
}

#[test]
fn one_that_forgets_its_pause_is_seen() {
    let mut world = World::new(flow(9, &[0], &[]));
    let mut command = world.sent(Action::Pause, 10);
    for (heard, running, paused, want) in
        [(12, &[][..], &[0][..], I::FetchStopped), (17, &[0][..], &[][..], I::Waiting)]
    {
        world.telemetry = flow(heard, running, paused);
        observe(&mut command, world.seen(heard), false);
        assert_eq!(command.instances[0].state, want);
    }
    // Once the hold is gone, what it does says nothing of the pause.
    world.telemetry = flow(22, &[], &[]);
    observe(&mut command, world.seen(22), true);
    assert_ne!(command.instances[0].state, I::NothingToDo);
}

#[test]
fn what_cannot_be_told_apart_is_no_evidence() {
    let mut world = World::new(flow(9, &[0], &[]));
    let mut command = world.sent(Action::Pause, 10);
    let mut ambiguous = instance("host-1", false, 12, &[("a", &[], &[0])]);
    ambiguous.ambiguous = true;
    world.telemetry = group(vec![("audio", vec![ambiguous])]);
    observe(&mut command, world.seen(13), false);
    assert_eq!(command.instances[0].state, I::Waiting);
    assert!(command.instances[0].detail.as_deref().unwrap().starts_with("ambiguous"));
    let mut pattern = instance("host-1", false, 14, &[]);
    pattern.pattern = Some("^t.*".into());
    world.telemetry = group(vec![("audio", vec![pattern])]);
    observe(&mut command, world.seen(15), false);
    assert_eq!(command.instances[0].state, I::Waiting);
}

/// Its list was too long, and was kept as an empty one.
#[test]
fn a_list_that_was_left_out_is_no_evidence() {
    let mut world = World::new(flow(9, &[0], &[]));
    let mut command = world.sent(Action::Pause, 10);
    let mut cut = instance("host-1", false, 12, &[("a", &[], &[])]);
    cut.left_out = true;
    world.telemetry = group(vec![("audio", vec![cut])]);
    observe(&mut command, world.seen(13), false);
    assert_eq!(command.instances[0].state, I::Waiting);
    assert!(command.instances[0].detail.as_deref().unwrap().contains("more than is kept"));
}

/// Anybody who may write to the admin topic can say that all is paused.
#[test]
fn an_instance_that_is_no_member_confirms_nothing_and_hides_nobody() {
    let all: Vec<i32> = (0..100).collect();
    let mut world = World::new(flow(9, &[], &all));
    let members = vec![owner("x", &[0, 1]), owner("y", &[2, 3])];
    world.group =
        Some(GroupData { members: Some(members.into()), members_at: Some(at(9)), ..commits(9, 5, 10) });
    let mut command = world.sent(Action::Pause, 10);
    for seconds in 11..90 {
        world.telemetry = flow(seconds, &[], &all);
        world.group.as_mut().unwrap().members_at = Some(at(seconds));
        observe(&mut command, world.seen(seconds), false);
    }
    let states: HashMap<&str, I> =
        command.instances.iter().map(|one| (one.key.instance.as_str(), one.state)).collect();
    let want = [
        ("host-1", I::NoResponse),
        ("x on 10.0.0.7", I::NotControllable),
        ("y on 10.0.0.7", I::NotControllable),
    ];
    assert_eq!((states, command.state), (HashMap::from(want), CommandState::TimedOut));
}

#[test]
fn plain_members_cannot_be_controlled_and_are_said() {
    let mut world = World::new(flow(9, &[0], &[]));
    let members = vec![owner("flow", &[0]), owner("plain", &[1])];
    world.group = Some(GroupData { members: Some(members.into()), ..commits(9, 5, 10) });
    let mut command = world.sent(Action::Pause, 10);
    world.telemetry = flow(12, &[], &[0]);
    observe(&mut command, world.seen(13), false);
    let states: HashMap<&str, I> =
        command.instances.iter().map(|one| (one.key.instance.as_str(), one.state)).collect();
    assert_eq!(
        states,
        HashMap::from([("host-1", I::FetchStopped), ("plain on 10.0.0.7", I::NotControllable)])
    );
    assert_eq!(command.state, CommandState::PartiallyConfirmed);
}

#[test]
fn a_violation_is_a_running_partition_that_a_hold_covers() {
    let all = target(None, &[]);
    let heard = instance("host-1", false, 20, &[("a", &[0], &[]), ("b", &[0], &[])]);
    let consumer = ConsumerName::from("audio");
    let topics = |holds: &[Hold], since| {
        kafkaflow::violated(&all, holds, &consumer, &heard, |one| one.heard > at(since)).len()
    };
    assert_eq!(topics(&[hold(1, None, None)], 10), 2);
    assert_eq!(topics(&[hold(1, None, Some("a"))], 10), 1);
    assert_eq!(topics(&[hold(1, Some("video"), None)], 10), 0);
    assert_eq!(topics(&[hold(1, None, None)], 20), 0, "not said since");
    let mut split = hold(1, None, None);
    split.except = vec![hold(2, None, Some("a")).scope];
    assert_eq!(topics(&[split], 10), 1);
}

fn ack(command: &Command, instance: &str, incarnation: u128) -> Ack {
    Ack {
        command: command.id,
        holds_offset: 0,
        group: "g".into(),
        consumer: "audio".into(),
        instance: instance.into(),
        incarnation: Incarnation::from_uuid(uuid::Uuid::from_u128(incarnation)),
        state: I::Acknowledged,
        partitions: vec![],
        moved: vec![],
        at: at(10),
        detail: None,
    }
}

/// Two agents, heard last at 9 and at `other`; the second says what it owns then.
fn agents(other: i64, owns: &[i32]) -> GroupTelemetry {
    let life = |number| Some(Incarnation::from_uuid(uuid::Uuid::from_u128(number)));
    let one = InstanceTelemetry { incarnation: life(1), ..instance("one", true, 9, &[("a", &[], &[0])]) };
    let two = InstanceTelemetry { incarnation: life(2), ..instance("two", true, other, &[("a", &[], owns)]) };
    group(vec![("audio", vec![one, two])])
}

#[test]
fn an_instance_that_kafka_lists_no_more_has_nothing_to_do_and_silence_alone_says_nothing() {
    use CommandState as C;
    type Case<'a> = (i64, Vec<flowdeck_kafka::Member>, i64, &'a [i32], I, CommandState);
    // (members asked at, members, the other heard at, it owns, the state of the one that is gone, the command's)
    let cases: [Case<'_>; 8] = [
        // Its session runs still, or Kafka was asked before the command.
        (15, vec![owner("x", &[0]), owner("y", &[1])], 15, &[1], I::NoResponse, C::PartiallyConfirmed),
        (9, vec![owner("y", &[0, 1])], 15, &[0, 1], I::NoResponse, C::PartiallyConfirmed),
        (15, vec![owner("y", &[0, 1])], 15, &[0, 1], I::NothingToDo, C::Confirmed),
        // Heard before Kafka was asked: what it owned may be the silent one's by then.
        (15, vec![owner("y", &[0, 1])], 14, &[0, 1], I::NoResponse, C::PartiallyConfirmed),
        // A member that owns nothing may be the one that is silent; so may one of two for one instance.
        (15, vec![owner("y", &[0, 1]), owner("x", &[])], 15, &[0, 1], I::NoResponse, C::PartiallyConfirmed),
        (15, vec![owner("y", &[0]), owner("x", &[1])], 15, &[0, 1], I::NoResponse, C::PartiallyConfirmed),
        // What the other said before the command does not tell who is there now.
        (15, vec![owner("y", &[0, 1])], 9, &[0, 1], I::NoResponse, C::PartiallyConfirmed),
        (15, vec![], 14, &[0, 1], I::NothingToDo, C::Confirmed),
    ];
    for (asked, members, heard, owns, state, whole) in cases {
        let mut world = World::new(agents(9, &[1]));
        let mut command = world.sent(Action::Resume, 10);
        let words = format!("asked at {asked}: {members:?}, heard at {heard}");
        let known = GroupData { members_at: Some(at(asked)), ..commits(9, 5, 10) };
        world.group = Some(GroupData { members: Some(members.into()), ..known });
        world.telemetry = agents(heard, owns);
        let (one, two) = (ack(&command, "one", 1), ack(&command, "two", 2));
        assert!(lifecycle::acknowledged(&mut command, &two, at(11)));
        observe(&mut command, world.seen(15), false);
        assert_eq!(command.instances[0].state, I::Waiting, "within its time: {words}");
        observe(&mut command, world.seen(16), false);
        assert_eq!((command.instances[0].state, command.state), (state, whole), "{words}");
        let detail = command.instances[0].detail.as_deref().unwrap();
        assert!(detail.contains("last heard 1 s before the command"), "{detail}");
        assert_eq!(detail.starts_with("left the group: "), state == I::NothingToDo, "{detail}");
        // It was there after all.
        assert!(lifecycle::acknowledged(&mut command, &one, at(17)));
        assert_eq!(command.instances[0].state, I::Acknowledged);
    }
}

/// A process that Kafka lost may still run what it has.
#[test]
fn that_an_instance_left_is_no_evidence_of_a_pause() {
    let mut world = World::new(agents(9, &[1]));
    let mut command = world.sent(Action::Pause, 10);
    let known = GroupData { members_at: Some(at(15)), ..commits(9, 5, 10) };
    world.group = Some(GroupData { members: Some(vec![].into()), ..known });
    observe(&mut command, world.seen(16), false);
    assert_eq!((command.instances[0].state, command.state), (I::NoResponse, CommandState::TimedOut));
}

#[test]
fn one_that_speaks_and_does_not_answer_has_not_left() {
    let mut world = World::new(agents(9, &[1]));
    let mut command = world.sent(Action::Resume, 10);
    world.group =
        Some(GroupData { members: Some(vec![].into()), members_at: Some(at(15)), ..commits(9, 5, 10) });
    world.telemetry = agents(16, &[1]);
    observe(&mut command, world.seen(17), false);
    let two = &command.instances[1];
    assert_eq!(
        (two.state, two.detail.as_deref()),
        (I::NoResponse, Some("it is heard, but gives no evidence of this"))
    );
}

/// An incarnation belongs to one instance: nobody answers in another's life.
#[test]
fn an_answer_counts_for_the_instance_that_it_names() {
    let world = World::new(agents(9, &[1]));
    let mut command = world.sent(Action::Pause, 10);
    let (true_one, false_one) = (ack(&command, "one", 1), ack(&command, "two", 1));
    assert!(lifecycle::is_borrowed(&command, &false_one) && !lifecycle::is_borrowed(&command, &true_one));
    lifecycle::acknowledged(&mut command, &false_one, at(11));
    assert_eq!(command.instances[0].state, I::Waiting, "another instance's answer was counted for it");
    lifecycle::acknowledged(&mut command, &true_one, at(11));
    assert_eq!(command.instances[0].state, I::Acknowledged);
    // One that was not expected joins.
    let joiner = ack(&command, "three", 3);
    assert!(!lifecycle::is_borrowed(&command, &joiner));
}

/// An agent that said good-bye owns nothing by its own words, and is a plain member until Kafka is asked anew.
#[test]
fn a_plain_member_that_kafka_lists_no_more_left() {
    for (action, asked, want) in [
        (Action::Resume, 9, CommandState::PartiallyConfirmed),
        (Action::Resume, 12, CommandState::Confirmed),
        (Action::Pause, 12, CommandState::PartiallyConfirmed),
    ] {
        let mut world = World::new(agents(9, &[1]));
        let members = |all: Vec<flowdeck_kafka::Member>, asked| {
            let known = GroupData { members_at: Some(at(asked)), ..commits(9, 5, 10) };
            Some(GroupData { members: Some(all.into()), ..known })
        };
        world.group = members(vec![owner("plain", &[7])], 8);
        let mut command = world.sent(action, 10);
        assert!(command.instances.iter().any(|one| one.state == I::NotControllable));
        for (name, number) in [("one", 1), ("two", 2)] {
            let answer = ack(&command, name, number);
            lifecycle::acknowledged(&mut command, &answer, at(11));
        }
        world.group = members(vec![], asked);
        observe(&mut command, world.seen(13), false);
        assert_eq!(command.state, want, "{action:?} {asked}");
    }
}

/// Heard, and what it owns not yet: the member is nobody's until it is told.
#[test]
fn a_member_that_turns_out_to_be_an_instance_is_counted_once() {
    let mut world = World::new(agents(9, &[]));
    let members = vec![owner("one", &[0]), owner("two", &[1])];
    world.group = Some(GroupData { members: Some(members.into()), ..commits(9, 5, 10) });
    let mut command = world.sent(Action::Pause, 10);
    let plain = |command: &Command| command.instances.iter().any(|one| one.state == I::NotControllable);
    assert!(plain(&command));
    for (name, number) in [("one", 1), ("two", 2)] {
        let answer = ack(&command, name, number);
        lifecycle::acknowledged(&mut command, &answer, at(11));
    }
    // Said before the command, it speaks of what was.
    world.telemetry = agents(9, &[1]);
    observe(&mut command, world.seen(12), false);
    assert!(plain(&command) && command.state == CommandState::PartiallyConfirmed);
    world.telemetry = agents(12, &[1]);
    observe(&mut command, world.seen(13), false);
    assert!(!plain(&command));
    assert_eq!(command.state, CommandState::Confirmed);
}

/// Nobody was heard before the pause: others may have the partitions, and may not have read it yet.
#[test]
fn an_instance_without_partitions_alone_confirms_no_pause() {
    let world = World::new(group(vec![]));
    let mut command = world.sent(Action::Pause, 10);
    command.holds = vec![HoldId::from(command.id)];
    let idle = Ack { state: I::NothingToDo, ..ack(&command, "one", 1) };
    lifecycle::acknowledged(&mut command, &idle, at(11));
    let state = |command: &Command, seconds| {
        let mut command = command.clone();
        observe(&mut command, world.seen(seconds), false);
        command.state
    };
    assert_eq!(state(&command, 11), CommandState::Sent);
    assert_eq!(state(&command, 16), CommandState::Confirmed, "nobody else answers");
    let other = ack(&command, "two", 2);
    lifecycle::acknowledged(&mut command, &other, at(12));
    assert_eq!(state(&command, 12), CommandState::Confirmed);
}
