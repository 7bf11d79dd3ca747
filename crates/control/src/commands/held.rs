//! What is remembered of a group while holds cover parts of it: what could be drained of each partition, and which
//! instances run what is held. Pure: `now` is an argument.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use flowdeck_model::scope::Place;
use flowdeck_model::view::SentRecord;
use flowdeck_model::{ConsumerName, GroupId, Hold, Partition, Timestamp, TopicName};

use super::Command;
use super::consumers::Consumers;
use super::flow::{Flow, Proof};
use super::lifecycle::Seen;
use flowdeck_observe::Timing;
use flowdeck_observe::group_seen::Rebalances;
use flowdeck_observe::sampling::sample::GroupData;
use flowdeck_observe::telemetry::InstanceId;
use flowdeck_observe::telemetry::{GroupTelemetry, InstanceTelemetry, TopicStream};

use flowdeck_observe::holds::cover::may_hold;
use flowdeck_observe::not_obeyed::Breach;

type At = (TopicName, Partition);

/// A hold, and since when telemetry may tell that it is not obeyed.
#[derive(Debug, Clone)]
pub(crate) struct InForce {
    pub(crate) hold: Hold,
    pub(crate) told: Told,
}

/// From when on an instance can have obeyed a pause: what it said before speaks of before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Told {
    /// Agents, which answer by themselves, have longer.
    pub(crate) kafkaflow: Timestamp,
    pub(crate) agents: Timestamp,
    /// The command's offset, where telemetry comes on the same partition, by pair of admin topics.
    pub(crate) offsets: BTreeMap<usize, i64>,
}

impl Told {
    /// Since when a pause is told.
    pub(crate) fn of(command: &Command, seen: Seen<'_>) -> Self {
        let first = &command.sent[..command.written.min(command.sent.len())];
        let pairs = seen.admin_topics.iter().enumerate();
        let offsets = pairs.filter_map(|(pair, topics)| {
            let (topic, partition) = &topics.telemetry;
            let same = |record: &&SentRecord| &record.topic == topic && record.partition == *partition;
            Some((pair, first.iter().filter(same).map(|record| record.offset).min()?))
        });
        Self { offsets: offsets.collect(), ..Self::since(command.began(), seen.timing) }
    }

    /// A hold whose command is not remembered.
    pub(crate) fn since(began: Timestamp, timing: &Timing) -> Self {
        let agents = began.plus(timing.agent_deadline);
        Self { kafkaflow: began.plus(timing.obeyed_within), agents, offsets: BTreeMap::new() }
    }

    pub(crate) fn counts(&self, instance: &InstanceTelemetry, stream: &TopicStream) -> bool {
        let since = if instance.agent { self.agents } else { self.kafkaflow };
        stream.heard > since
            && self.offsets.get(&instance.pair).is_none_or(|offset| instance.agent || stream.offset > *offset)
    }
}

#[derive(Debug, Default)]
pub(crate) struct HeldGroup {
    partitions: HashMap<At, HeldPartition>,
    pub(crate) consumers: Consumers,
    pub(crate) rebalances: Rebalances,
}

#[derive(Debug, Default)]
struct HeldPartition {
    /// The highest commit that was read while it was held.
    committed: Option<i64>,
    /// The end of its log, read after telemetry first listed it as paused.
    fetched_to: Option<i64>,
    running: Option<Running>,
}

#[derive(Debug)]
struct Running {
    by: InstanceId,
    agent: bool,
    /// When telemetry first told it.
    since: Timestamp,
    flow: Flow,
    proof: Proof,
}

/// What telemetry last told of a partition.
struct Said<'a> {
    consumer: &'a ConsumerName,
    instance: &'a InstanceTelemetry,
    runs: bool,
    stream: &'a TopicStream,
}

impl HeldGroup {
    /// Takes in what is known now; says whether an instance begins or ends to run what is held, or is proven to.
    pub(crate) fn observe(
        &mut self,
        id: &GroupId,
        holds: &[InForce],
        telemetry: Option<&GroupTelemetry>,
        group: Option<&GroupData>,
        heard_within: Duration,
        now: Timestamp,
    ) -> bool {
        let before = self.shape();
        let said = said(telemetry, heard_within, now);
        let mut kept = std::mem::take(&mut self.partitions);
        let readings = readings(group);
        let as_of = group.and_then(|group| group.as_of);
        for (at, said) in said {
            let place = Place {
                group: id,
                consumer: Some(said.consumer),
                topic: &at.0,
                partition: at.1,
                instance: Some(&said.instance.instance),
            };
            let mut covering = holds.iter().filter(|one| one.hold.holds(place)).peekable();
            if covering.peek().is_none() {
                kept.remove(&at);
                continue;
            }
            let not_obeyed = said.runs && covering.any(|one| one.told.counts(said.instance, said.stream));
            let mut partition = kept.remove(&at).unwrap_or_default();
            let (committed, end) = readings.get(&(&at.0, at.1)).copied().unwrap_or_default();
            let read_since = |since: Timestamp| as_of.is_some_and(|as_of| as_of > since);
            if not_obeyed {
                partition.found_running(&said, committed);
                if let (Some(running), Some(committed)) = (&mut partition.running, committed)
                    && read_since(running.since)
                {
                    running.sees(committed);
                }
            } else if !said.runs {
                partition.found_paused(end.filter(|_| read_since(said.stream.heard)));
            }
            partition.committed = partition.committed.max(committed);
            self.partitions.insert(at, partition);
        }
        // Of what nobody lists now, what could be drained is still known. Telemetry can name any partition: those that
        // the group reads are kept.
        for (at, mut partition) in kept {
            let place = Place { group: id, consumer: None, topic: &at.0, partition: at.1, instance: None };
            let exists = readings.contains_key(&(&at.0, at.1));
            if exists && holds.iter().any(|one| may_hold(&one.hold, place)) {
                partition.running = None;
                self.partitions.insert(at, partition);
            }
        }
        before != self.shape()
    }

    /// What may have been drained under the pause: for the proof of a resume.
    pub(crate) fn flow(&self, at: &At, committed: Option<i64>) -> Flow {
        match self.partitions.get(at) {
            None => Flow::new(committed, None),
            Some(partition) => Flow::new(partition.committed.max(committed), partition.fetched_to),
        }
    }

    /// Who runs what is held, worst first.
    pub(crate) fn breaches(&self) -> Vec<Breach> {
        let mut by: HashMap<&InstanceId, Breach> = HashMap::new();
        for (at, running) in self.running() {
            let breach = by.entry(&running.by).or_insert_with(|| Breach {
                by: running.by.clone(),
                agent: running.agent,
                since: running.since,
                partitions: 0,
                flowing: 0,
                proof: None,
                drains: false,
            });
            breach.partitions += 1;
            breach.since = breach.since.min(running.since);
            match running.proof {
                Proof::Nothing => {}
                Proof::MayBeDrained(_) => breach.drains = true,
                Proof::Flows(offset) => {
                    breach.flowing += 1;
                    let proof = (at.0.clone(), at.1, offset);
                    breach.proof = Some(breach.proof.take().map_or(proof.clone(), |one| one.min(proof)));
                }
            }
        }
        let mut all: Vec<Breach> = by.into_values().collect();
        all.sort_by(|a, b| {
            let rank = |one: &Breach| (one.proof.is_none(), one.since, one.by.instance.clone());
            rank(a).cmp(&rank(b))
        });
        all
    }

    fn running(&self) -> impl Iterator<Item = (&At, &Running)> {
        self.partitions.iter().filter_map(|(at, partition)| Some((at, partition.running.as_ref()?)))
    }

    /// Partitions that are run, and those of them that a commit proves to flow.
    fn shape(&self) -> (usize, usize) {
        let flowing = self.running().filter(|(_, one)| matches!(one.proof, Proof::Flows(_))).count();
        (self.running().count(), flowing)
    }
}

impl HeldPartition {
    fn found_running(&mut self, said: &Said<'_>, committed: Option<i64>) {
        let by = InstanceId::of(said.consumer, said.instance);
        if self.running.as_ref().is_some_and(|running| running.by == by) {
            return;
        }
        let flow = Flow::new(self.committed.max(committed), self.fetched_to);
        let (agent, since) = (said.instance.agent, said.stream.heard);
        self.running = Some(Running { by, agent, since, flow, proof: Proof::Nothing });
    }

    /// `end`: of its log, read after it was listed as paused.
    fn found_paused(&mut self, end: Option<i64>) {
        if self.running.take().is_some() {
            // More was fetched meanwhile.
            self.fetched_to = None;
        }
        self.fetched_to = self.fetched_to.or(end);
    }
}

impl Running {
    fn sees(&mut self, committed: i64) {
        if !matches!(self.proof, Proof::Flows(_)) {
            self.proof = self.flow.see(committed);
        }
    }
}

/// The last word on each partition: of several instances that list it, one that Kafka bears out, then the latest.
fn said<'a>(
    telemetry: Option<&'a GroupTelemetry>,
    within: Duration,
    now: Timestamp,
) -> HashMap<At, Said<'a>> {
    let heard = telemetry.into_iter().flat_map(GroupTelemetry::instances);
    let mut heard: Vec<_> =
        heard.filter(|(_, one)| one.heard_within(now, within) && !one.ambiguous && !one.left_out).collect();
    heard.sort_by_key(|(_, one)| (one.is_member(), one.last_heard));
    let mut said = HashMap::new();
    for (consumer, instance) in heard {
        for stream in &instance.topics {
            let lists = [(&stream.running, true), (&stream.paused, false)];
            for (partition, runs) in
                lists.into_iter().flat_map(|(list, runs)| list.iter().map(move |one| (*one, runs)))
            {
                said.insert((stream.topic.clone(), partition), Said { consumer, instance, runs, stream });
            }
        }
    }
    said
}

/// Committed offset and end.
type Offsets = (Option<i64>, Option<i64>);

fn readings(group: Option<&GroupData>) -> HashMap<(&TopicName, Partition), Offsets> {
    let all = group.into_iter().flat_map(|group| group.readings(false));
    all.map(|(topic, partition, reading)| ((topic.as_ref(), partition), (reading.committed, reading.end)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::tests::{at, group, hold, instance, parts, topic};
    use flowdeck_observe::holds::cover::holds_now;
    use flowdeck_observe::sampling::merge::{Commit, compact};
    use flowdeck_observe::sampling::sample::{Ends, LogRow, Mark};
    use std::sync::Arc;

    /// Topic a: (partition, committed, end), read at `as_of`.
    fn read(as_of: i64, rows: &[(i32, i64, i64)]) -> GroupData {
        let name: flowdeck_kafka::Topic = Arc::new(topic("a"));
        let ends = rows.iter().map(|(partition, _, end)| {
            let row = LogRow::new(parts(&[*partition])[0], None, Some(0), Some(*end));
            (Arc::clone(&name), row)
        });
        let commits = rows.iter().map(|(partition, committed, _)| Commit {
            topic: Arc::clone(&name),
            partition: parts(&[*partition])[0],
            offset: Some(*committed),
            mark: Mark::Fine,
        });
        GroupData {
            ends: Arc::new(Ends::test(ends)),
            rows: compact(commits.collect()).into(),
            as_of: Some(at(as_of)),
            ..GroupData::test("g")
        }
    }

    fn in_force(hold: Hold, since: i64) -> InForce {
        InForce { hold, told: Told { kafkaflow: at(since), agents: at(since + 4), offsets: BTreeMap::new() } }
    }

    struct World {
        held: HeldGroup,
        holds: Vec<InForce>,
    }

    impl World {
        fn new() -> Self {
            Self { held: HeldGroup::default(), holds: vec![in_force(hold(1, None, None), 10)] }
        }

        /// One KafkaFlow instance says, at `now`; then the group is read.
        fn says(&mut self, now: i64, running: &[i32], paused: &[i32], rows: &[(i32, i64, i64)]) -> bool {
            let telemetry =
                group(vec![("audio", vec![instance("vm-2", false, now, &[("a", running, paused)])])]);
            let data = read(now + 1, rows);
            let within = Duration::from_secs(15);
            self.held.observe(&"g".into(), &self.holds, Some(&telemetry), Some(&data), within, at(now + 1))
        }

        fn breach(&self) -> Option<(u32, i64, Option<i64>, bool)> {
            let all = self.held.breaches();
            let since = |one: &Breach| (one.since.millis() - at(0).millis()) / 1_000;
            all.first().map(|one| {
                (one.partitions, since(one), one.proof.as_ref().map(|(_, _, offset)| *offset), one.drains)
            })
        }
    }

    #[test]
    fn what_runs_under_a_hold_is_a_breach_and_a_commit_beyond_the_drain_proves_it() {
        let mut world = World::new();
        // Said before the pause could be obeyed.
        assert!(!world.says(9, &[0, 1], &[], &[(0, 5, 100), (1, 5, 100)]));
        assert!(!world.says(15, &[], &[0, 1], &[(0, 8, 100), (1, 5, 100)]));
        // It drains.
        assert!(!world.says(20, &[], &[0, 1], &[(0, 20, 130), (1, 5, 100)]));
        assert_eq!(world.breach(), None);
        // It forgot its pause; nothing is committed.
        assert!(world.says(25, &[0, 1], &[], &[(0, 20, 130), (1, 5, 100)]));
        assert_eq!(world.breach(), Some((2, 25, None, false)));
        assert!(!world.says(30, &[0, 1], &[], &[(0, 30, 130), (1, 5, 100)]));
        assert_eq!(world.breach(), Some((2, 25, None, true)), "it may be what was buffered");
        assert!(world.says(35, &[0, 1], &[], &[(0, 40, 130), (1, 5, 100)]));
        assert_eq!(world.breach(), Some((2, 25, Some(40), false)));
        // It obeys.
        assert!(world.says(40, &[], &[0, 1], &[(0, 45, 130), (1, 5, 100)]));
        assert_eq!(world.breach(), None);
    }

    #[test]
    fn what_lies_beyond_the_end_of_the_log_under_the_pause_cannot_have_been_drained() {
        let mut world = World::new();
        world.says(15, &[], &[0], &[(0, 8, 20)]);
        world.says(20, &[0], &[], &[(0, 20, 50)]);
        assert_eq!(world.breach(), Some((1, 20, None, false)));
        world.says(25, &[0], &[], &[(0, 21, 50)]);
        assert_eq!(world.breach(), Some((1, 20, Some(21), false)));
        let resumed = world.held.flow(&(topic("a"), parts(&[0])[0]), Some(9));
        assert_eq!(resumed, Flow::new(Some(21), Some(20)), "the highest that was seen under the pause");
    }

    #[test]
    fn partitions_that_the_group_does_not_read_are_not_remembered() {
        let mut world = World::new();
        for n in 0..50 {
            world.says(20 + n, &[1_000 + n as i32], &[2_000 + n as i32], &[(0, 8, 20)]);
        }
        assert_eq!(world.held.partitions.len(), 2, "those that are listed now");
    }

    #[test]
    fn an_instance_that_is_silent_or_excepted_is_no_breach() {
        let mut world = World::new();
        world.says(20, &[0], &[], &[(0, 8, 20)]);
        assert!(world.breach().is_some());
        let telemetry = group(vec![("audio", vec![instance("vm-2", false, 20, &[("a", &[0], &[])])])]);
        let within = Duration::from_secs(15);
        let look = |held: &mut HeldGroup, holds: &[InForce], now| {
            held.observe(&"g".into(), holds, Some(&telemetry), None, within, at(now))
        };
        assert!(look(&mut world.held, &world.holds, 40));
        assert_eq!(world.breach(), None);
        assert!(look(&mut world.held, &world.holds, 21));
        let excepted = Hold { except: vec![hold(2, Some("audio"), None).scope], ..hold(1, None, None) };
        assert!(look(&mut world.held, &[in_force(excepted, 10)], 21));
        assert_eq!(world.breach(), None);
    }

    #[test]
    fn a_hold_whose_exceptions_cover_all_that_is_owned_holds_nothing_now() {
        let data = read(9, &[(0, 1, 2), (1, 1, 2)]);
        let telemetry = group(vec![
            ("audio", vec![instance("vm-1", false, 9, &[("a", &[0], &[])])]),
            ("video", vec![instance("vm-2", false, 9, &[("a", &[1], &[])])]),
        ]);
        let of = |consumer: Option<&str>, except: &[&str]| Hold {
            except: except.iter().map(|name| hold(2, Some(name), None).scope).collect(),
            ..hold(1, consumer, None)
        };
        for (hold, told, want) in [
            (of(None, &[]), true, true),
            (of(None, &["audio"]), true, true),
            (of(None, &["audio", "video"]), true, false),
            // Who reads it is not known: the group's hold may cover it.
            (of(None, &["audio", "video"]), false, true),
            (of(Some("audio"), &[]), true, true),
            (of(Some("other"), &[]), true, false),
            (of(Some("other"), &[]), false, true),
        ] {
            let telemetry = told.then_some(&telemetry);
            assert_eq!(holds_now(&hold, &data, telemetry), want, "{:?} except {:?}", hold.scope, hold.except);
        }
        let unread = GroupData::test("g");
        assert!(holds_now(&of(None, &[]), &unread, None) && !holds_now(&of(None, &["audio"]), &unread, None));
    }
}
