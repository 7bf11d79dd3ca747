//! `Flowdeck.SetOffsets` on the admin topic: a running agent sets the offsets of partitions that it owns. KafkaFlow skips
//! messages of a type that it does not know.

use flowdeck_model::{CommandId, ConsumerName, GroupId, Partition, TopicName};
use serde::{Deserialize, Serialize};

use super::{COMMAND, LONGEST, VERSION, is_version_1, own_headers};
use crate::kafkaflow::MESSAGE_TYPE;
use crate::{Headers, Malformed, NAME_MAX, Record};

const TYPE: &str = "Flowdeck.SetOffsets";

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SetOffsets {
    pub group: GroupId,
    pub consumer: ConsumerName,
    pub partitions: Vec<SetOffset>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SetOffset {
    pub topic: TopicName,
    pub partition: Partition,
    /// Where it is given, the owner refuses a partition whose commit is another one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<i64>,
    pub to: i64,
}

pub fn set_offsets_record(id: CommandId, command: &SetOffsets) -> Record {
    let id = id.to_string().into_bytes();
    let mut headers = own_headers();
    headers.push((MESSAGE_TYPE.to_owned(), TYPE.as_bytes().to_vec()));
    headers.push((COMMAND.to_owned(), id.clone()));
    Record { key: id, value: Some(super::json(command)), headers }
}

/// `None`: a message of another type, or of a newer version.
pub fn read_set_offsets(
    headers: &Headers<'_>,
    value: Option<&[u8]>,
) -> Option<Result<SetOffsets, Malformed>> {
    let is_ours = headers.last_text(MESSAGE_TYPE) == Some(TYPE);
    if !is_ours || (headers.last(VERSION).is_some() && !is_version_1(headers)) {
        return None;
    }
    Some(read(value))
}

fn read(value: Option<&[u8]>) -> Result<SetOffsets, Malformed> {
    let value = value.ok_or(Malformed::NoValue)?;
    if value.len() > LONGEST {
        return Err(Malformed::TooLong);
    }
    let command: SetOffsets = serde_json::from_slice(value).map_err(|_| Malformed::ValueJson)?;
    if command.group.as_str().len() > NAME_MAX {
        return Err(Malformed::NameTooLong("group"));
    }
    if command.consumer.as_str().len() > NAME_MAX {
        return Err(Malformed::NameTooLong("consumer"));
    }
    match command.partitions.iter().any(|one| one.to < 0) {
        true => Err(Malformed::ValueJson),
        false => Ok(command),
    }
}
