//! `flowdeck.acks`: what one agent did about one command, one record for each change of state.

use flowdeck_model::{
    CommandId, ConsumerName, GroupId, Incarnation, InstanceName, InstanceState, Partition, Timestamp,
    TopicName,
};
use serde::{Deserialize, Serialize};

use super::{LONGEST, is_version_1, own_headers};
use crate::{Headers, Malformed, NAME_MAX, Record};

/// How much of [`LONGEST`] the list of partitions takes, in bytes: 344 under the longest name, some 2,000
/// under a usual one. The rest is counted in `detail`.
const LISTED: usize = 96 * 1024;
/// Of one partition, beside its topic's name.
const AROUND: usize = r#"{"topic":"","partition":2147483647},"#.len();
const OFFSETS: usize = r#","from":9223372036854775807,"to":9223372036854775807"#.len();
/// In characters.
const DETAIL_MAX: usize = 1_000;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ack {
    pub command: CommandId,
    /// The offset on `flowdeck.holds` up to which the agent had read.
    pub holds_offset: i64,
    pub group: GroupId,
    pub consumer: ConsumerName,
    pub instance: InstanceName,
    pub incarnation: Incarnation,
    pub state: InstanceState,
    /// What of the scope the instance owns; as much of it as a record lists.
    pub partitions: Vec<TopicPartition>,
    /// Partitions whose offset it set.
    pub moved: Vec<MovedOffset>,
    /// The agent's clock.
    pub at: Timestamp,
    pub detail: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TopicPartition {
    pub topic: TopicName,
    pub partition: Partition,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MovedOffset {
    pub topic: TopicName,
    pub partition: Partition,
    /// What was committed before; `None`: nothing.
    pub from: Option<i64>,
    pub to: i64,
}

/// On the wire: `to` says that its offset was set.
#[derive(Clone, Serialize, Deserialize)]
struct PartitionJson {
    topic: TopicName,
    partition: Partition,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    from: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    to: Option<i64>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AckRecord {
    Ack(Ack),
    /// Without our version header or with another version: skipped and counted.
    NewerVersion,
    Malformed(Malformed),
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct AckJson {
    command: CommandId,
    holds_offset: i64,
    group: String,
    consumer: String,
    instance: String,
    incarnation: Incarnation,
    state: InstanceState,
    partitions: Vec<PartitionJson>,
    at: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
}

/// However many partitions there are, the record is one that is read.
pub fn ack_record(ack: &Ack) -> Record {
    let all = partitions(ack);
    let listed = listed(&all);
    let value = super::json(&AckJson {
        command: ack.command,
        holds_offset: ack.holds_offset,
        group: ack.group.to_string(),
        consumer: ack.consumer.to_string(),
        instance: ack.instance.to_string(),
        incarnation: ack.incarnation,
        state: ack.state,
        partitions: listed.to_vec(),
        at: ack.at.millis(),
        detail: detail(ack, listed.len(), all.len()),
    });
    Record { key: ack.command.to_string().into_bytes(), value: Some(value), headers: own_headers() }
}

fn partitions(ack: &Ack) -> Vec<PartitionJson> {
    let moved = ack.moved.iter().map(|one| PartitionJson {
        topic: one.topic.clone(),
        partition: one.partition,
        from: one.from,
        to: Some(one.to),
    });
    let others = ack.partitions.iter().map(|one| PartitionJson {
        topic: one.topic.clone(),
        partition: one.partition,
        from: None,
        to: None,
    });
    moved.chain(others).collect()
}

/// The first of them, as many as fit.
fn listed(partitions: &[PartitionJson]) -> &[PartitionJson] {
    let mut space = LISTED;
    let fit = partitions.iter().take_while(|one| {
        let offsets = if one.to.is_some() { OFFSETS } else { 0 };
        let left = space.checked_sub(one.topic.as_str().len() + AROUND + offsets);
        space = left.unwrap_or(0);
        left.is_some()
    });
    &partitions[..fit.count()]
}

fn detail(ack: &Ack, listed: usize, all: usize) -> Option<String> {
    let words = ack.detail.as_ref().map(|words| words.chars().take(DETAIL_MAX).collect::<String>());
    if listed == all {
        return words;
    }
    let counted = format!("{listed} of {all} partitions are listed");
    Some(words.map_or_else(|| counted.clone(), |words| format!("{words}; {counted}")))
}

/// The key is not looked at: the value says the same.
pub fn read_ack(headers: &Headers<'_>, value: Option<&[u8]>) -> AckRecord {
    if !is_version_1(headers) {
        return AckRecord::NewerVersion;
    }
    read(value).map_or_else(AckRecord::Malformed, AckRecord::Ack)
}

fn read(value: Option<&[u8]>) -> Result<Ack, Malformed> {
    let value = value.ok_or(Malformed::NoValue)?;
    if value.len() > LONGEST {
        return Err(Malformed::TooLong);
    }
    let json: AckJson = serde_json::from_slice(value).map_err(|_| Malformed::ValueJson)?;
    for (name, field) in [(&json.group, "group"), (&json.consumer, "consumer"), (&json.instance, "instance")]
    {
        if name.len() > NAME_MAX {
            return Err(Malformed::NameTooLong(field));
        }
    }
    let mut ack = Ack {
        command: json.command,
        holds_offset: json.holds_offset,
        group: GroupId::new(json.group),
        consumer: ConsumerName::new(json.consumer),
        instance: InstanceName::new(json.instance),
        incarnation: json.incarnation,
        state: json.state,
        partitions: vec![],
        moved: vec![],
        at: Timestamp::from_millis(json.at),
        detail: json.detail,
    };
    for PartitionJson { topic, partition, from, to } in json.partitions {
        match to {
            Some(to) => ack.moved.push(MovedOffset { topic, partition, from, to }),
            None => ack.partitions.push(TopicPartition { topic, partition }),
        }
    }
    Ok(ack)
}
