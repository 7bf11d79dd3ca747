//! The consumers of a group as telemetry tells of them, beside what Kafka says of it: who may write to the
//! admin topic can claim to be an instance, and claim any partitions.

use std::collections::BTreeSet;
use std::sync::Arc;

use flowdeck_model::shown::exact;
use flowdeck_model::view::{ConsumerView, InstanceView, TopicPartitions};
use flowdeck_model::{Partition, Timestamp, TopicName};

use super::agents;
use super::group::Owners;
use crate::operations::Operation;
use crate::rebalance::owns_nothing;
use crate::sampling::sample::GroupData;
use crate::snapshot::{ClusterSnapshot, by_topic};
use crate::telemetry::matching::{NO_MEMBER, is_no_member};
use crate::telemetry::trust::{confirmed, was_member};
use crate::telemetry::{ConsumerTelemetry, InstanceTelemetry, TopicStream};

/// Partition numbers in a view of instances that Kafka does not confirm; those that it confirms are shown whole.
const NUMBERS_MAX: usize = 3_000;
/// Of one such instance.
const NUMBERS_OF_ONE: usize = 100;
/// Topics of one consumer that are shown, beside those that confirmed instances name.
const TOPICS_MAX: usize = 100;

/// What telemetry says of a group, each instance judged once.
pub(super) struct Claims<'a> {
    cluster: &'a ClusterSnapshot,
    group: &'a GroupData,
    consumers: Vec<Claim<'a>>,
    unkept: usize,
}

struct Claim<'a> {
    consumer: &'a ConsumerTelemetry,
    /// Whether Kafka confirms it.
    instances: Vec<(&'a InstanceTelemetry, Option<bool>)>,
    topics: Vec<TopicName>,
    /// Topics beside these.
    unnamed: usize,
}

impl<'a> Claims<'a> {
    pub(super) fn new(cluster: &'a ClusterSnapshot, group: &'a GroupData) -> Self {
        let telemetry = cluster.telemetry.group(&group.id);
        let judged = |instance| (instance, confirmed(group.listed(), instance, cluster.made_at));
        let claim = |consumer: &'a ConsumerTelemetry| {
            let instances: Vec<_> = consumer.instances.iter().map(judged).collect();
            let (topics, unnamed) = topics(&instances);
            Claim { consumer, instances, topics, unnamed }
        };
        Self {
            cluster,
            group,
            consumers: telemetry.into_iter().flat_map(|all| &all.consumers).map(claim).collect(),
            unkept: telemetry.map_or(0, |all| all.unkept),
        }
    }

    /// Those with an instance that Kafka confirms come first, and in each the confirmed ones.
    pub(super) fn consumers(&self, commands: &[&Arc<Operation>], owners: &Owners<'_>) -> Vec<ConsumerView> {
        let mut space = NUMBERS_MAX;
        let mut consumers: Vec<ConsumerView> = self
            .consumers
            .iter()
            .map(|claim| {
                let there = claim.instances.iter().filter(|(instance, _)| !instance.superseded);
                let mut instances: Vec<InstanceView> = there
                    .map(|judged| self.instance_view(claim.consumer, *judged, commands, owners, &mut space))
                    .collect();
                instances.sort_by_key(rank);
                let name = claim.consumer.name.clone();
                let rewind_time_zone = self.cluster.settings.rewind_time_zones.of(&name).to_string();
                ConsumerView { name, topics: claim.topics.clone(), instances, rewind_time_zone }
            })
            .collect();
        consumers.sort_by_key(|consumer| consumer.instances.first().map(rank));
        consumers
    }

    fn instance_view(
        &self,
        consumer: &ConsumerTelemetry,
        (instance, confirmed): (&InstanceTelemetry, Option<bool>),
        commands: &[&Arc<Operation>],
        owners: &Owners<'_>,
        space: &mut usize,
    ) -> InstanceView {
        let (cluster, group) = (self.cluster, self.group);
        let lost = is_lost(cluster, instance.last_heard);
        let whole = confirmed == Some(true) || was_member(instance, cluster.made_at);
        let mut cut: u64 = instance.topics.iter().map(|stream| stream.cut).sum();
        let (mut before, mut elsewhere) = (0, 0);
        let mut list = |pick: fn(&TopicStream) -> &Vec<Partition>| -> Vec<TopicPartitions> {
            let mut most = if whole { usize::MAX } else { NUMBERS_OF_ONE.min(*space) };
            let mut told = Vec::new();
            for stream in &instance.topics {
                // Kafka was asked since: its word is the newer one.
                let newer = group.members_at.is_some_and(|at| at > stream.heard);
                let all = pick(stream);
                if lost {
                    before += all.len();
                    continue;
                }
                let own = |one: &&Partition| !(newer && owners.is_of_another(instance, &stream.topic, **one));
                let few: Vec<&Partition> = all.iter().filter(own).collect();
                elsewhere += all.len() - few.len();
                let shown = few.len().min(most);
                cut += (few.len() - shown) as u64;
                most -= shown;
                told.extend(few[..shown].iter().map(|one| (&stream.topic, **one)));
            }
            if !whole {
                *space -= told.len();
            }
            by_topic(told.into_iter())
        };
        let (running, paused) = (list(|stream| &stream.running), list(|stream| &stream.paused));
        let beyond = match cut {
            _ if lost => None,
            0 => instance.left_out.then(|| "it lists more than is kept of it".to_owned()),
            cut => Some(format!("it lists {} more partitions than are shown", exact(cut))),
        };
        let notes = [
            note(consumer, instance, commands),
            beyond,
            (before > 0).then(|| format!("owned {} when it was last heard", partitions(before))),
            (elsewhere > 0).then(|| format!("lists {} that Kafka gives to others", partitions(elsewhere))),
            (!lost && self.is_no_member(instance)).then(|| NO_MEMBER.to_owned()),
        ];
        let reported = agents::notes(instance).filter(|_| !lost);
        let notes: Vec<String> = notes.into_iter().flatten().chain(reported).collect();
        InstanceView {
            instance: instance.instance.clone(),
            kind: instance.kind(),
            incarnation: instance.incarnation,
            ambiguous: instance.ambiguous,
            confirmed,
            workers: instance.workers,
            holds: instance.holds,
            running,
            paused,
            last_heard: instance.last_heard,
            lost,
            note: (!notes.is_empty()).then(|| notes.join("; ")),
        }
    }

    /// It speaks and owns nothing, and Kafka's members are all others.
    fn is_no_member(&self, instance: &InstanceTelemetry) -> bool {
        let telemetry = self.cluster.telemetry.group(&self.group.id);
        self.group.rebalancing_since.is_none()
            && owns_nothing(instance)
            && telemetry.is_some_and(|all| is_no_member(self.group.listed(), all, instance))
    }

    /// Who is heard of the group, where it cannot be as it is said.
    pub(super) fn warnings(&self) -> Vec<String> {
        [self.unkept(), self.unnamed(), self.forged()].into_iter().flatten().collect()
    }

    fn unkept(&self) -> Option<String> {
        let count = self.unkept;
        (count > 0).then(|| {
            let who = match count {
                1 => "1 instance that says it is in this group is".to_owned(),
                n => format!("{} instances that say they are in this group are", exact(n as u64)),
            };
            format!("{who} not shown: more are heard than are kept.")
        })
    }

    fn unnamed(&self) -> Option<String> {
        let cut: usize = self.consumers.iter().map(|claim| claim.unnamed).sum();
        (cut > 0).then(|| {
            let topics =
                if cut == 1 { "topic that telemetry names is" } else { "topics that telemetry names are" };
            let why = "there are too many, or only instances name them that Kafka does not confirm";
            format!("{} {topics} not shown: {why}.", exact(cut as u64))
        })
    }

    /// More are heard all the while than Kafka has members: the pages cannot tell which of them are true.
    fn forged(&self) -> Option<String> {
        let (group, now) = (self.group, self.cluster.made_at);
        let members = group.members.as_deref()?;
        let owners = members.iter().filter(|member| !member.assignment.is_empty()).count();
        // Who was last heard before its partitions went to another may have ended in good order.
        let since_then = |instance: &InstanceTelemetry| {
            group.members_since.is_none_or(|since| instance.last_heard > since)
        };
        let speaks = |instance: &InstanceTelemetry| {
            instance.heard_within(now, TURNOVER)
                && since_then(instance)
                && instance.last_heard.since(instance.first_heard) > TURNOVER
        };
        let (mut good, mut bad) = (0, 0);
        for (instance, confirmed) in self.consumers.iter().flat_map(|claim| &claim.instances) {
            match confirmed {
                Some(true) if speaks(instance) => good += 1,
                Some(false) if speaks(instance) => bad += 1,
                _ => {}
            }
        }
        if owners == 0 || (bad == 0 && good <= owners) {
            return None;
        }
        let listed =
            if owners == 1 { "1 member".to_owned() } else { format!("{} members", exact(owners as u64)) };
        let said = match (good > owners, bad) {
            (true, _) => {
                let it = if owners == 1 { "it" } else { "them" };
                format!("{} instances say that they are {it}", exact(good as u64))
            }
            (false, 1) => "1 instance says that it owns what is not its own".to_owned(),
            (false, _) => format!("{} instances say that they own what is not theirs", exact(bad as u64)),
        };
        // A process that Kafka threw out, and that does not know it yet, is a member as before.
        let lost = if bad > 0 { "; one that Kafka put out of the group looks like this, too" } else { "" };
        Some(format!(
            "Kafka lists {listed} with partitions, and {said}. Whoever may write to the admin topic can claim to be an \
             instance{lost}. Lag, offsets and members are the brokers' own."
        ))
    }
}

/// Confirmed, not to be told, not confirmed, not heard any more.
fn rank(instance: &InstanceView) -> u8 {
    match (instance.confirmed, instance.lost) {
        (Some(true), _) => 0,
        (None, false) => 1,
        (Some(false), false) => 2,
        (_, true) => 3,
    }
}

/// Those that confirmed instances name, and some of those that instances name of whom Kafka tells nothing; what
/// only others name where nobody else speaks. How many are left out.
fn topics(instances: &[(&InstanceTelemetry, Option<bool>)]) -> (Vec<TopicName>, usize) {
    let mut named: [BTreeSet<&TopicName>; 3] = Default::default();
    for (instance, confirmed) in instances {
        let at = match confirmed {
            Some(true) => 0,
            None => 1,
            Some(false) => 2,
        };
        named[at].extend(instance.topics.iter().map(|stream| &stream.topic));
    }
    let all = named.iter().flatten().collect::<BTreeSet<_>>().len();
    let [mut shown, unknown, doubtful] = named;
    let more = if shown.is_empty() && unknown.is_empty() { doubtful } else { unknown };
    for topic in more {
        if shown.len() < TOPICS_MAX {
            shown.insert(topic);
        }
    }
    let cut = all - shown.len();
    (shown.into_iter().cloned().collect(), cut)
}

fn partitions(count: usize) -> String {
    if count == 1 { "1 partition".to_owned() } else { format!("{} partitions", exact(count as u64)) }
}

pub(super) fn is_lost(cluster: &ClusterSnapshot, heard: Timestamp) -> bool {
    cluster.made_at.since(heard) > cluster.settings.timing.heard_within
}

/// What the newest command that tracks this instance says of it, where it is out of the ordinary.
fn note(
    consumer: &ConsumerTelemetry,
    instance: &InstanceTelemetry,
    commands: &[&Arc<Operation>],
) -> Option<String> {
    let tracked = commands.iter().find_map(|command| {
        command.instances.iter().find(|tracked| {
            tracked.instance == instance.instance
                && tracked.incarnation == instance.incarnation
                && tracked.consumer.as_ref() == Some(&consumer.name)
        })
    })?;
    if tracked.state.is_done() { None } else { tracked.detail.clone() }
}

/// An instance that restarts under another name is there twice for so long.
const TURNOVER: std::time::Duration = std::time::Duration::from_secs(15);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sampling::sample::Sample;
    use crate::settings::ClusterSettings;
    use crate::snapshot::Parts;
    use crate::telemetry::{GroupTelemetry, TelemetryIndex};
    use flowdeck_kafka::{ClusterConfig, Member};
    use std::collections::HashMap;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_millis(1_000_000 + seconds * 1_000)
    }

    fn parts(numbers: &[i32]) -> Vec<Partition> {
        numbers.iter().filter_map(|number| Partition::new(*number)).collect()
    }

    fn instance(name: &str, heard: i64, running: &[i32], paused: &[i32]) -> InstanceTelemetry {
        let stream = TopicStream {
            topic: "t".parse().unwrap(),
            running: parts(running),
            paused: parts(paused),
            cut: 0,
            heard: at(heard),
            offset: 0,
        };
        InstanceTelemetry {
            member_at: Some(at(heard)),
            ..InstanceTelemetry::test(name, vec![stream], at(heard))
        }
    }

    /// Running, paused, lost, note.
    type Shown = (Vec<i32>, Vec<i32>, bool, Option<String>);

    /// Each instance at 100 s, as Kafka lists the members then.
    fn shown(instances: Vec<InstanceTelemetry>, members: &[&[i32]]) -> Vec<Shown> {
        let cluster = cluster(instances, members);
        let (group, _) = cluster.group(&"g".into()).unwrap();
        let claims = Claims::new(&cluster, group);
        let mut views = claims.consumers(&[], &Owners::new(&cluster, group)).remove(0).instances;
        views.sort_by(|a, b| a.instance.cmp(&b.instance));
        let numbers = |topics: &[TopicPartitions]| -> Vec<i32> {
            topics.iter().flat_map(|topic| &topic.partitions).map(|one| one.get()).collect()
        };
        views
            .into_iter()
            .map(|one| (numbers(&one.running), numbers(&one.paused), one.lost, one.note))
            .collect()
    }

    /// At 100 s, with members that own these partitions.
    fn cluster(instances: Vec<InstanceTelemetry>, members: &[&[i32]]) -> ClusterSnapshot {
        let member = |(n, own): (usize, &&[i32])| Member {
            member_id: format!("m{n}"),
            client_id: format!("c{n}"),
            host: "/h".into(),
            group_instance_id: None,
            assignment: parts(own).into_iter().map(|one| (Arc::new("t".parse().unwrap()), one)).collect(),
            target_assignment: None,
        };
        let data = GroupData {
            members: Some(members.iter().enumerate().map(member).collect()),
            members_at: Some(at(99)),
            as_of: Some(at(99)),
            ..GroupData::test("g")
        };
        let sample = Sample { groups: vec![Arc::new(data)], as_of: Some(at(99)), ..Sample::default() };
        let consumers = vec![ConsumerTelemetry { name: "c".into(), instances }];
        let telemetry = Arc::new(GroupTelemetry { consumers, unkept: 0 });
        let groups = Arc::new(HashMap::from([("g".into(), telemetry)]));
        let parts = Parts { telemetry: TelemetryIndex { groups, warnings: vec![] }, ..Parts::default() };
        let settings = ClusterSettings::new("demo".parse().unwrap(), ClusterConfig::new("localhost:1"));
        ClusterSnapshot::compose(Arc::new(settings), Arc::new(sample), parts, at(100))
    }

    #[test]
    fn lists_end_where_an_instance_is_lost_or_others_own_what_it_lists() {
        let words = |text: &str| Some(text.to_owned());
        // Heard 16 s ago: lost. The other has taken over all of it.
        let both = vec![instance("vm-1", 84, &[0, 1], &[2]), instance("vm-2", 97, &[0, 1, 2], &[])];
        assert_eq!(
            shown(both, &[&[0, 1, 2]]),
            [
                (vec![], vec![], true, words("owned 3 partitions when it was last heard")),
                (vec![0, 1, 2], vec![], false, None)
            ]
        );
        // Heard still, and Kafka has given one of its partitions away since.
        let both = vec![instance("vm-1", 95, &[0, 1], &[]), instance("vm-2", 97, &[1, 2, 3], &[])];
        assert_eq!(
            shown(both, &[&[0], &[1, 2, 3]]),
            [
                (vec![0], vec![], false, words("lists 1 partition that Kafka gives to others")),
                (vec![1, 2, 3], vec![], false, None)
            ]
        );
        // What it said after Kafka was asked counts.
        let both = vec![instance("vm-1", 99, &[0, 1], &[]), instance("vm-2", 97, &[1, 2, 3], &[])];
        assert_eq!(shown(both, &[&[0], &[1, 2, 3]])[0], (vec![0, 1], vec![], false, None));
    }

    #[test]
    fn a_lost_instance_owns_no_partition() {
        for (heard, want) in [(84, None), (97, Some("vm-1"))] {
            let cluster = cluster(vec![instance("vm-1", heard, &[0], &[])], &[]);
            let (group, _) = cluster.group(&"g".into()).unwrap();
            let owner = Owners::new(&cluster, group).words(&"t".parse().unwrap(), Partition::new(0).unwrap());
            assert_eq!(owner.as_deref(), want, "heard at {heard} s");
        }
    }

    #[test]
    fn an_instance_that_speaks_and_is_no_member_is_said() {
        let both = || vec![instance("vm-1", 98, &[], &[]), instance("vm-2", 97, &[0, 1], &[])];
        assert_eq!(shown(both(), &[&[0, 1]])[0], (vec![], vec![], false, Some(NO_MEMBER.to_owned())));
        assert_eq!(shown(both(), &[&[0, 1], &[]])[0], (vec![], vec![], false, None), "a spare member");
    }
}
