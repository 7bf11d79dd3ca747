//! Starting consumers that a hold kept stopped: commits that are missing are put back, then KafkaFlow is told. By Start
//! while Kafka lists no member of the group: it damages a consumer that runs.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use flowdeck_kafka::{Cause, Cluster, Deadline, Topic};
use flowdeck_model::{CommandId, GroupId, Partition};
use flowdeck_observe::{ClusterSettings, group_watch};
use flowdeck_protocol::kafkaflow;

use super::kafkaflow::AdminCommand;
use super::starts::Starts;
use super::write_task::{Written, messages, send};
use crate::writer::Writers;

/// For two answers of the group's coordinator.
const PUT_BACK: Duration = Duration::from_secs(5);

/// By Restart where Kafka lists a member, or does not tell.
pub(super) async fn start(
    writers: &mut Writers,
    settings: &ClusterSettings,
    id: CommandId,
    starts: Starts,
    written: &mut Written,
) {
    let deadline = Deadline::after(settings.timing.write_deadline);
    let is_empty = has_no_member(writers, &starts.group, deadline).await;
    if is_empty {
        put_back(writers, &starts, written).await;
    } else {
        let words = "Kafka lists members of the group, or did not tell: started by Restart".to_owned();
        written.notes.push(words);
    }
    send(writers, settings, messages(id, commands(starts, is_empty), vec![]), written).await;
}

/// Only by Start: who restarts under way would begin anew.
pub(super) async fn start_again(
    writers: &mut Writers,
    settings: &ClusterSettings,
    id: CommandId,
    starts: Starts,
    written: &mut Written,
) {
    let deadline = Deadline::after(settings.timing.write_deadline);
    if has_no_member(writers, &starts.group, deadline).await {
        put_back(writers, &starts, written).await;
        send(writers, settings, messages(id, commands(starts, true), vec![]), written).await;
    }
}

/// A start is not kept waiting for it: the consumer may begin where its configuration says.
async fn put_back(writers: &Writers, starts: &Starts, written: &mut Written) {
    let kept = starts.kept.iter();
    let kept = kept.filter_map(|one| Some((Arc::new(one.topic.clone()), one.partition, one.from?)));
    match put_back_missing(writers.cluster(), &starts.group, kept.collect()).await {
        Ok(0) => {}
        Ok(1) => written.notes.push("1 commit that Kafka had deleted was put back".to_owned()),
        Ok(count) => written.notes.push(format!("{count} commits that Kafka had deleted were put back")),
        Err(why) => written.notes.push(format!("commits that are missing were not put back: {why}")),
    }
}

/// Those that the group has no commit of; how many they were.
async fn put_back_missing(
    cluster: &Cluster,
    group: &GroupId,
    kept: Vec<(Topic, Partition, i64)>,
) -> Result<usize, Cause> {
    if kept.is_empty() {
        return Ok(0);
    }
    let deadline = Deadline::after(PUT_BACK);
    let mut answer = Err(Cause::Timeout);
    cluster.committed(std::slice::from_ref(group), 1, deadline, |_, one| answer = one).await;
    // What is not known is not missing.
    let known: HashSet<(Topic, Partition)> = answer?
        .into_iter()
        .filter(|one| !matches!(one.offset(), Ok(None)))
        .map(|one| (one.topic, one.partition))
        .collect();
    let is_missing =
        |(topic, partition, _): &(Topic, Partition, i64)| !known.contains(&(topic.clone(), *partition));
    let missing: Vec<_> = kept.into_iter().filter(is_missing).collect();
    if missing.is_empty() {
        return Ok(0);
    }
    let answers = cluster.set_committed(group, &missing, deadline).await?;
    answers.into_iter().collect::<Result<Vec<()>, Cause>>().map(|all| all.len())
}

async fn has_no_member(writers: &Writers, group: &GroupId, deadline: Deadline) -> bool {
    let answers = group_watch::ask(writers.cluster(), std::slice::from_ref(group), deadline).await;
    answers.first().is_some_and(|(_, seen)| seen.members.is_empty())
}

pub(crate) fn commands(starts: Starts, is_empty: bool) -> Vec<AdminCommand> {
    let message = |consumer| match is_empty {
        true => kafkaflow::Command::StartConsumerByName { consumer },
        false => kafkaflow::Command::RestartConsumerByName { consumer },
    };
    let all = starts.consumers.into_iter();
    all.map(|(pair, consumer)| AdminCommand { pair, message: message(consumer) }).collect()
}
