//! The record that a request asks for, and what one may not expect of it.

use std::time::Duration;

use flowdeck_kafka::{Cluster, Deadline, NewRecord};
use flowdeck_model::produce::Bytes;
use flowdeck_model::{PortError, ProduceRequest};
use sha2::{Digest as _, Sha256};

/// To ask for a topic's configuration.
const CONFIG: Duration = Duration::from_millis(1_500);

/// By which a request is known again without its bytes.
pub(super) fn digest(request: &ProduceRequest) -> String {
    let json = serde_json::to_vec(request).unwrap_or_default();
    Sha256::digest(&json).iter().map(|byte| format!("{byte:02x}")).collect()
}

pub(super) fn new_record(request: &ProduceRequest) -> Result<NewRecord, PortError> {
    let bytes = |field: &str, part: &Option<Bytes>| {
        part.as_ref().map(|part| part.bytes(field).map(bytes::Bytes::from)).transpose()
    };
    let headers =
        request.headers.iter().map(|header| Ok((header.name.clone(), bytes("headers", &header.value)?)));
    Ok(NewRecord {
        topic: request.topic.clone(),
        partition: request.partition,
        key: bytes("key", &request.key)?,
        value: bytes("value", &request.value)?,
        headers: headers.collect::<Result<_, PortError>>()?,
    })
}

pub(super) async fn notes(cluster: &Cluster, request: &ProduceRequest) -> Vec<String> {
    let Ok(config) = cluster.topic_config(&request.topic, Deadline::after(CONFIG)).await else {
        return vec![];
    };
    let value = |name: &str| config.get(name).and_then(|one| one.value.clone());
    let mut notes = vec![];
    let compacts = value("cleanup.policy").is_some_and(|policy| policy.contains("compact"));
    if compacts && request.key.is_none() {
        notes.push("The topic is compacted: Kafka refuses a record without a key.".to_owned());
    }
    if compacts && request.key.is_some() && request.value.is_none() {
        notes.push("The topic is compacted: a record without a value deletes what has this key.".to_owned());
    }
    let most = value("max.message.bytes").and_then(|most| most.parse::<usize>().ok());
    if let (Some(most), Ok(size)) = (most, request.size())
        && size > most
    {
        notes.push(format!("It is larger than the topic accepts: {size} of {most} bytes."));
    }
    notes
}
