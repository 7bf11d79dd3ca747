//! One group's view: the brokers' rows with owner and holds, the consumers that telemetry tells of,
//! the members, and the group's newest commands.

use std::collections::BTreeSet;
use std::sync::Arc;

use flowdeck_kafka::{Member, Metadata};
use flowdeck_model::view::{GroupView, MemberView, PartitionRow};
use flowdeck_model::{Hold, HoldId, Lag, Partition, TimeLag, Timestamp, TopicName, Version, shown};

use super::claims::{Claims, is_lost};
use super::facts;
use super::fleet::group_row;
use crate::holds::cover::{holds_now, place_of};
use crate::operations::{Operation, repeated};
use crate::sampling::sample::{GroupData, PartitionData};
use crate::snapshot::{ClusterSnapshot, Judged, by_topic};
use crate::telemetry::matching::{instance_of, member_words};
use crate::telemetry::{GroupTelemetry, InstanceTelemetry};
use crate::unread;

/// Commands shown with a group.
const COMMANDS_SHOWN: usize = 20;
/// Fewer where they have more instances than this together: each has all of its own, and every page of the group is sent them
/// with each change.
const COMMAND_INSTANCES_SHOWN: usize = 4_000;

pub(super) fn view(
    version: Version,
    cluster: &ClusterSnapshot,
    group: &GroupData,
    judged: &Judged,
    now: Timestamp,
) -> GroupView {
    let owners = Owners::new(cluster, group);
    let claims = Claims::new(cluster, group);
    let commands: Vec<_> = cluster.operations.of_group(&group.id).take(COMMANDS_SHOWN).collect();
    GroupView {
        version,
        now,
        cluster_info: cluster.view.clone(),
        row: group_row(cluster, group, judged),
        partitions: group.partitions(judged.stale).map(|one| row(cluster, group, &owners, &one)).collect(),
        consumers: claims.consumers(&commands, &owners),
        group_members: group
            .members
            .iter()
            .flat_map(|all| all.iter())
            .zip(&owners.instances)
            .map(|(one, instance)| member(one, *instance))
            .collect(),
        commands: few(&commands).map(|command| command.view(&cluster.view, now)).collect(),
        warnings: warnings(cluster, group, &claims, &commands),
        facts: facts::of(cluster, group, judged, now),
        offsets_expire: facts::offsets_expire(cluster, group).map(|expiry| expiry.at),
    }
}

/// The newest in any case.
fn few<'a>(commands: &'a [&Arc<Operation>]) -> impl Iterator<Item = &'a Operation> {
    let mut instances = 0;
    let fits = move |(at, command): &(usize, &&Arc<Operation>)| {
        instances += command.instances.len();
        *at == 0 || instances <= COMMAND_INSTANCES_SHOWN
    };
    commands.iter().enumerate().take_while(fits).map(|(_, command)| command.as_ref())
}

fn row(
    cluster: &ClusterSnapshot,
    group: &GroupData,
    owners: &Owners<'_>,
    data: &PartitionData<'_>,
) -> PartitionRow {
    let (topic, partition, reading) = (data.topic.as_ref(), data.commit.partition, data.reading);
    let read_at = group.ends.read_at;
    let told = owners.telemetry.and_then(|telemetry| telemetry.owner(topic, partition));
    let (lag, unknown) = match reading.lag() {
        Lag::Known(lag) => (Some(lag), None),
        Lag::Unknown(_) if reading.is_empty_and_untouched() => (Some(0), None),
        Lag::Unknown(why) => (None, Some(why)),
    };
    PartitionRow {
        topic: topic.clone(),
        partition,
        start: reading.start,
        committed: reading.committed,
        end: reading.end,
        lag,
        unknown,
        time_lag: time_lag(cluster, data, read_at),
        written: data.written(read_at),
        lag_trend: Vec::new(),
        last_commit: data.commit.last_commit(),
        owner: owners.words(topic, partition),
        holds: held_by(cluster, group, owners.telemetry, topic, partition),
        paused: told.is_some_and(|(_, instance)| {
            let stream = instance.stream(topic);
            !is_lost(cluster, instance.last_heard)
                && owners.speaks_for(instance, topic, partition)
                && stream.is_some_and(|stream| stream.paused.binary_search(&partition).is_ok())
        }),
        last_stable: facts::last_stable(cluster, data),
        kept_until: unread::kept_until(&cluster.sample, group, data),
    }
}

/// With what a read at the committed offset found.
fn time_lag(cluster: &ClusterSnapshot, data: &PartitionData<'_>, read_at: Timestamp) -> Option<TimeLag> {
    data.proven_time_lag(&cluster.sample.proofs, read_at)
}

/// The holds that cover a partition, as the consumer and instance that own it read it.
fn held_by(
    cluster: &ClusterSnapshot,
    group: &GroupData,
    telemetry: Option<&GroupTelemetry>,
    topic: &TopicName,
    partition: Partition,
) -> Vec<HoldId> {
    let holds = cluster.holds.group(&group.id);
    if holds.is_empty() {
        return Vec::new();
    }
    let place = place_of(&group.id, telemetry, topic, partition);
    holds.iter().filter(|hold| hold.holds(place)).map(|hold| hold.id).collect()
}

pub(crate) fn paused_partitions(cluster: &ClusterSnapshot, group: &GroupData) -> u32 {
    if cluster.holds.group(&group.id).is_empty() {
        return 0;
    }
    let telemetry = cluster.telemetry.group(&group.id);
    let held = group
        .readings(false)
        .filter(|(topic, partition, _)| !held_by(cluster, group, telemetry, topic, *partition).is_empty())
        .count();
    u32::try_from(held).unwrap_or(u32::MAX)
}

/// Who owns a partition: the group's members say it; telemetry gives the name.
pub(super) struct Owners<'a> {
    cluster: &'a ClusterSnapshot,
    telemetry: Option<&'a GroupTelemetry>,
    by_partition: std::collections::HashMap<(&'a TopicName, Partition), usize>,
    /// Of each member.
    instances: Vec<Option<&'a InstanceTelemetry>>,
    words: Vec<String>,
}

impl<'a> Owners<'a> {
    pub(super) fn new(cluster: &'a ClusterSnapshot, group: &'a GroupData) -> Self {
        let telemetry = cluster.telemetry.group(&group.id);
        let mut by_partition = std::collections::HashMap::new();
        let (mut words, mut instances) = (Vec::new(), Vec::new());
        for (at, member) in group.members.iter().flat_map(|all| all.iter()).enumerate() {
            let matched = telemetry.and_then(|telemetry| instance_of(telemetry, member));
            words.push(match matched {
                Some((_, instance)) => instance.instance.to_string(),
                None => member_words(member),
            });
            instances.push(matched.map(|(_, instance)| instance));
            for (topic, partition) in &member.assignment {
                by_partition.insert((topic.as_ref(), *partition), at);
            }
        }
        Self { cluster, telemetry, by_partition, instances, words }
    }

    /// Whether it is the member that owns the partition, where Kafka lists who does.
    fn speaks_for(&self, instance: &InstanceTelemetry, topic: &TopicName, partition: Partition) -> bool {
        let Some(at) = self.by_partition.get(&(topic, partition)) else {
            return self.by_partition.is_empty();
        };
        self.instances.get(*at).copied().flatten().is_some_and(|one| std::ptr::eq(one, instance))
    }

    /// Kafka gives the partition to a member that is another instance.
    pub(super) fn is_of_another(
        &self,
        instance: &InstanceTelemetry,
        topic: &TopicName,
        partition: Partition,
    ) -> bool {
        let at = self.by_partition.get(&(topic, partition));
        let owner = at.and_then(|at| self.instances.get(*at).copied().flatten());
        owner.is_some_and(|owner| !std::ptr::eq(owner, instance))
    }

    pub(super) fn words(&self, topic: &TopicName, partition: Partition) -> Option<String> {
        if let Some(at) = self.by_partition.get(&(topic, partition)) {
            return self.words.get(*at).cloned();
        }
        // Kafka lists who owns what, and of this partition nobody; or nothing is known since it was lost.
        let known = !self.by_partition.is_empty();
        let (_, instance) = self.telemetry?.owner(topic, partition).filter(|_| !known)?;
        (!is_lost(self.cluster, instance.last_heard)).then(|| instance.instance.to_string())
    }
}

fn member(member: &Member, instance: Option<&InstanceTelemetry>) -> MemberView {
    MemberView {
        member_id: member.member_id.clone(),
        client_id: member.client_id.clone(),
        host: member.host.trim_start_matches('/').to_owned(),
        static_id: member.group_instance_id.clone(),
        partitions: by_topic(member.assignment.iter().map(|(topic, partition)| (topic.as_ref(), *partition))),
        instance: instance.map(|instance| instance.instance.clone()),
    }
}

/// Pauses of topics that the brokers do not have: they hold nothing, and would hold a topic that is created anew.
fn vanished_topics(holds: &[Hold], metadata: &Metadata) -> Vec<String> {
    let topics = holds.iter().filter_map(|hold| hold.scope.topic.as_ref());
    let gone: BTreeSet<&TopicName> = topics.filter(|topic| metadata.topic(topic).is_none()).collect();
    let words = |topic: &TopicName| {
        format!(
            "topic {topic}, which a pause of this group names, is not there any more, or may not be seen: resume it to \
             end that pause"
        )
    };
    gone.into_iter().map(words).collect()
}

fn warnings(
    cluster: &ClusterSnapshot,
    group: &GroupData,
    claims: &Claims<'_>,
    commands: &[&Arc<Operation>],
) -> Vec<String> {
    let mut warnings = claims.warnings();
    if let Some(error) = &group.error {
        warnings.push(format!("the last refresh of this group failed: {}", error.words));
    }
    if !cluster.holds.known && cluster.view.as_of.is_some() {
        warnings.push("the holds are not read yet: what is paused is not known".to_owned());
    }
    if cluster.repeated.contains(&group.id) {
        warnings.push(repeated(&group.id.shown()));
    }
    let holds = cluster.holds.group(&group.id).iter();
    let telemetry = cluster.telemetry.group(&group.id);
    for hold in holds.filter(|hold| !hold.except.is_empty() && !holds_now(hold, group, telemetry)) {
        warnings.push(format!(
            "no partition is held now by the pause of {}: all that reads is excepted from it. What is not excepted \
             would be paused once it reads; resume the group to end it",
            shown::name(&hold.owner)
        ));
    }
    if let Some(metadata) = &cluster.sample.metadata {
        warnings.extend(vanished_topics(cluster.holds.group(&group.id), metadata));
    }
    for command in commands.iter().filter(|command| command.gave_up) {
        warnings.push(format!(
            "{} of {} was sent again {} times and is not obeyed: it is not sent again",
            command.action.label(),
            command.target,
            command.sent_again.map_or(0, |again| again.times)
        ));
    }
    warnings
}

#[cfg(test)]
mod tests {
    use flowdeck_kafka::TopicMetadata;
    use flowdeck_model::{HoldBy, Scope};

    use super::*;

    #[test]
    fn pauses_of_topics_that_are_not_there_are_named() {
        let metadata = Metadata {
            cluster_id: None,
            controller: None,
            brokers: vec![],
            topics: vec![TopicMetadata {
                name: Arc::new("orders".parse().unwrap()),
                partitions: vec![],
                error: None,
            }],
        };
        let hold = |topic: Option<&str>| Hold {
            scope: Scope { topic: topic.map(|name| name.parse().unwrap()), ..Scope::group("g".into()) },
            id: HoldId::from_uuid(uuid::Uuid::nil()),
            owner: "ana".into(),
            reason: String::new(),
            since: Timestamp::from_millis(0),
            until: None,
            by: HoldBy::Pause,
            except: vec![],
        };
        assert!(vanished_topics(&[hold(None), hold(Some("orders"))], &metadata).is_empty());
        let words = vanished_topics(&[hold(Some("refunds")), hold(Some("refunds"))], &metadata);
        assert_eq!(words.len(), 1);
        assert!(words[0].starts_with("topic refunds, which a pause of this group names"), "{words:?}");
    }
}
