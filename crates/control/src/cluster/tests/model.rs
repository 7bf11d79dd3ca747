//! Any order of pauses, resumes, ends and changes of the leader, against a model: a partition is paused until the latest end
//! that was asked for it, and no longer once a resume named it. Leaders are lost before and after they write.

use std::collections::BTreeMap;

use flowdeck_model::scope::Place;
use flowdeck_model::{ConsumerName, Incarnation, PauseEnd};
use proptest::prelude::*;
use tokio::sync::oneshot;

use super::*;

const CONSUMERS: [&str; 2] = ["c", "d"];
const TOPICS: [&str; 2] = ["t", "u"];
const PARTITIONS: [i32; 2] = [0, 1];
/// Ends and waits are multiples of it: a pause that ends a minute sooner is as good as the one that is asked for.
const STEP: i64 = 100;

/// `None`: all of them. Partitions are of one topic.
#[derive(Debug, Clone, Copy)]
struct Part {
    consumer: Option<usize>,
    topic: Option<(usize, Option<usize>)>,
}

#[derive(Debug, Clone, Copy)]
enum Lost {
    Never,
    BeforeItWrote,
    AfterItWrote,
}

#[derive(Debug, Clone, Copy)]
enum Step {
    /// For so many steps; `None`: until resumed.
    Pause(Part, Option<i64>, Lost),
    Resume(Part, Lost),
    Wait(i64),
}

fn part() -> impl Strategy<Value = Part> {
    let topic = prop::option::of((0..2_usize, prop::option::of(0..2_usize)));
    (prop::option::of(0..2_usize), topic).prop_map(|(consumer, topic)| Part { consumer, topic })
}

fn step() -> impl Strategy<Value = Step> {
    let lost =
        || prop::sample::select(vec![Lost::Never, Lost::Never, Lost::BeforeItWrote, Lost::AfterItWrote]);
    prop_oneof![
        3 => (part(), prop::option::of(1..5_i64), lost()).prop_map(|(part, span, lost)| Step::Pause(part, span, lost)),
        2 => (part(), lost()).prop_map(|(part, lost)| Step::Resume(part, lost)),
        1 => (1..3_i64).prop_map(Step::Wait),
    ]
}

impl Part {
    fn target(self) -> Target {
        let topic = self.topic.map(|(topic, _)| TOPICS[topic].parse().unwrap());
        let partition = self.topic.and_then(|(_, partition)| Partition::new(PARTITIONS[partition?]));
        Target {
            consumer: self.consumer.map(|one| CONSUMERS[one].into()),
            topics: topic.into_iter().collect(),
            partitions: partition.into_iter().collect(),
            ..Target::group("g".into())
        }
    }

    fn has(self, (consumer, topic, partition): At) -> bool {
        self.consumer.is_none_or(|one| one == consumer)
            && self
                .topic
                .is_none_or(|(one, number)| one == topic && number.is_none_or(|one| one == partition))
    }
}

/// Consumer, topic and partition.
type At = (usize, usize, usize);

fn places() -> impl Iterator<Item = At> {
    (0..8).map(|n| (n & 1, (n >> 1) & 1, n >> 2))
}

/// Until when each is paused: `i64::MAX` for ever.
#[derive(Default)]
struct Model(BTreeMap<At, i64>);

impl Model {
    fn pause(&mut self, part: Part, until: i64) {
        for at in places().filter(|at| part.has(*at)) {
            let end = self.0.entry(at).or_insert(until);
            *end = until.max(*end);
        }
    }

    fn resume(&mut self, part: Part) {
        self.0.retain(|at, _| !part.has(*at));
    }
}

/// The cluster's two topics, and the replica that leads.
struct World {
    leader: State,
    holds: Vec<flowdeck_protocol::Record>,
    audit: Vec<wire::Operation>,
    now: i64,
}

impl World {
    fn new() -> Self {
        Self { leader: leader(), holds: vec![], audit: vec![], now: 0 }
    }

    /// Another replica, which has read what is on the topics.
    fn fail_over(&mut self) {
        let mut next = unknown();
        for (record, offset) in self.holds.iter().zip(0..) {
            read(&mut next, record.clone(), offset, at(self.now));
        }
        for (operation, offset) in self.audit.iter().zip(0..) {
            audited(&mut next, operation, offset, at(self.now));
        }
        for source in [Source::Holds, Source::Acks, Source::Audit] {
            next.heard(Incoming::test(source, TopicEvent::CaughtUp, at(self.now)));
        }
        let last = i64::try_from(self.holds.len()).unwrap() - 1;
        self.leader = next;
        self.hear();
        lead(&mut self.leader, (last >= 0).then_some(last), at(self.now));
    }

    /// Both consumers, by agents.
    fn hear(&mut self) {
        for (consumer, number) in CONSUMERS.into_iter().zip(1..) {
            for topic in TOPICS {
                let heard = Heard {
                    instance: consumer.into(),
                    agent: true,
                    incarnation: Some(Incarnation::from_uuid(uuid::Uuid::from_u128(number))),
                    running: PARTITIONS.iter().filter_map(|one| Partition::new(*one)).collect(),
                    ..heard("g", consumer, topic, at(self.now))
                };
                self.leader
                    .observed
                    .registry
                    .hear(heard, |_| Trust::UnknownGroup)
                    .expect("within the limits");
            }
        }
    }

    fn ask(&mut self, number: u128, action: Action, part: Part, ends: Option<PauseEnd>, lost: Lost) {
        let submit = Submit { target: part.target(), ends, ..submit(number, action, "g") };
        let (answer, mut answered) = oneshot::channel();
        self.leader.asked(submit, ana(), answer, at(self.now));
        if let Ok(answer) = answered.try_recv() {
            assert!(answer.is_ok_and(|one| one.existing), "nothing was written for it");
            return;
        }
        for request in self.leader.audit_requests.drain(..).collect::<Vec<_>>() {
            let offset = i64::try_from(self.audit.len()).unwrap();
            self.audit.push(request.clone());
            audited(&mut self.leader, &request, offset, at(self.now));
        }
        if matches!(lost, Lost::BeforeItWrote) {
            self.fail_over();
        }
        self.leader.begin_next(at(self.now));
        if matches!(lost, Lost::AfterItWrote) {
            // It cannot say so any more.
            self.append();
            self.fail_over();
            self.leader.begin_next(at(self.now));
        }
        self.write();
    }

    /// What the leader has to write comes to the topic of holds.
    fn append(&mut self) {
        for job in &self.leader.jobs {
            let WriteTask::Command { id, changes, .. } = job else { continue };
            self.holds.extend(changes.iter().map(|change| match change {
                HoldChange::Set(hold) => wire::hold_record(hold, *id),
                HoldChange::Release(hold) => wire::release_record(&hold.scope, hold.id, *id),
            }));
        }
    }

    /// The same, and the leader tells it in the audit.
    fn write(&mut self) {
        let first = i64::try_from(self.holds.len()).unwrap();
        self.append();
        let mut next = first;
        while let Some(job) = self.leader.jobs.front() {
            let WriteTask::Command { changes, .. } = job else {
                self.leader.jobs.pop_front();
                continue;
            };
            let count = i64::try_from(changes.len()).unwrap();
            write(&mut self.leader, next, at(self.now));
            next += count;
        }
        let states = self.leader.take_unaudited(at(self.now));
        self.leader.states_audited(&states, None);
        self.audit.extend(states);
    }

    fn is_paused(&self, (consumer, topic, partition): At) -> bool {
        let (group, consumer) = (GroupId::from("g"), ConsumerName::from(CONSUMERS[consumer]));
        let topic: TopicName = TOPICS[topic].parse().unwrap();
        let partition = Partition::new(PARTITIONS[partition]).unwrap();
        let place =
            Place { group: &group, consumer: Some(&consumer), topic: &topic, partition, instance: None };
        self.leader.observed.holds.of_group(&group).iter().any(|hold| hold.holds(place))
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn the_holds_are_what_was_asked_for(steps in prop::collection::vec(step(), 1..25)) {
        let (mut world, mut model) = (World::new(), Model::default());
        for (number, step) in steps.iter().enumerate() {
            world.now += 1;
            world.hear();
            let number = number as u128 + 1;
            match *step {
                Step::Pause(part, span, lost) => {
                    let end = span.map(|steps| (world.now / STEP + steps) * STEP);
                    let ends = end.map(|end| PauseEnd::At(at(end)));
                    world.ask(number, Action::Pause, part, ends, lost);
                    model.pause(part, end.unwrap_or(i64::MAX));
                }
                Step::Resume(part, lost) => {
                    world.ask(number, Action::Resume, part, None, lost);
                    model.resume(part);
                }
                Step::Wait(steps) => {
                    world.now = (world.now / STEP + steps) * STEP;
                    world.hear();
                    world.leader.ticked(at(world.now));
                    world.write();
                    model.0.retain(|_, until| *until > world.now);
                }
            }
            for place in places() {
                let wanted = model.0.contains_key(&place);
                prop_assert_eq!(world.is_paused(place), wanted, "{:?} after step {}", place, number);
            }
        }
    }
}
