//! The record of which an edited copy is made, whole and as it is: refused where any of it is masked or left out for
//! whoever asks, since what they send on would not be what it was.

use flowdeck_model::error::ResourceKind;
use flowdeck_model::ports::Peek;
use flowdeck_model::produce::{Bytes, ProduceHeader, ProduceRequest, ProduceSource};
use flowdeck_model::query::From as Start;
use flowdeck_model::view::messages::{MessageView, Payload, PayloadKind};
use flowdeck_model::{ClusterName, MessagesQuery, PortError, Timestamp};

/// And when it was written. Reads with the rights of the peek's actor.
pub(super) async fn draft(
    peek: &dyn Peek,
    cluster: &ClusterName,
    source: &ProduceSource,
) -> Result<(ProduceRequest, Option<Timestamp>), PortError> {
    let usual = one(peek, cluster, source, "").await?;
    check_whole(&usual, source)?;
    // Their bytes: what a decoder shows need not be what was sent.
    let raw = one(peek, cluster, source, "keyDecoder=hex&valueDecoder=hex").await?;
    check_whole(&raw, source)?;
    let headers = usual.headers.iter().map(|header| ProduceHeader {
        name: header.name.clone(),
        value: match header.value.kind {
            PayloadKind::Null => None,
            PayloadKind::Binary => Some(Bytes::Hex(header.value.text.clone())),
            PayloadKind::Json | PayloadKind::Text => Some(Bytes::Text(header.value.text.clone())),
        },
    });
    let request = ProduceRequest {
        topic: source.topic.clone(),
        partition: None,
        key: bytes("key", &raw.key)?,
        value: bytes("value", &raw.value)?,
        headers: headers.collect(),
        source: Some(source.clone()),
        reason: String::new(),
    };
    Ok((request, usual.timestamp))
}

async fn one(
    peek: &dyn Peek,
    cluster: &ClusterName,
    source: &ProduceSource,
    decoders: &str,
) -> Result<MessageView, PortError> {
    let query = MessagesQuery {
        partition: Some(source.partition),
        from: Start::Offset(source.offset),
        limit: 1,
        full: true,
        ..MessagesQuery::parse(decoders, true)?
    };
    let view = peek.messages(cluster, &source.topic, &query).await?;
    let found = view.records.into_iter().find(|record| record.offset == source.offset);
    let gone = || PortError::not_found(ResourceKind::Record, source.to_string());
    match (found, view.complete) {
        (Some(record), _) => Ok(record),
        (None, true) => Err(gone()),
        (None, false) => Err(PortError::Unavailable {
            cluster: cluster.clone(),
            detail: view.note.unwrap_or_else(|| "the record was not read in time".to_owned()),
        }),
    }
}

fn check_whole(record: &MessageView, source: &ProduceSource) -> Result<(), PortError> {
    let refused =
        |why: &str| Err(PortError::Unprocessable { detail: format!("{source} cannot be edited: {why}") });
    let parts =
        || [&record.key, &record.value].into_iter().chain(record.headers.iter().map(|header| &header.value));
    if parts().any(|part| part.masked > 0) {
        return refused("parts of it are masked for you, and would be lost in the copy");
    }
    if parts().any(|part| part.cut) || usize::try_from(record.headers_total) != Ok(record.headers.len()) {
        return refused("it is too large to be shown whole");
    }
    let is_odd = |part: &Payload| part.not_utf8 > 0;
    if record.headers.iter().any(|header| is_odd(&header.value)) {
        return refused("a header is neither text nor shown by its bytes");
    }
    Ok(())
}

fn bytes(field: &str, part: &Payload) -> Result<Option<Bytes>, PortError> {
    match part.kind {
        PayloadKind::Null => Ok(None),
        PayloadKind::Binary => {
            let bytes = Bytes::Hex(part.text.clone()).bytes(field)?;
            Ok(Some(Bytes::of(&bytes)))
        }
        PayloadKind::Json | PayloadKind::Text => {
            let detail = format!("the bytes of its {field} are not shown");
            Err(PortError::Unprocessable { detail })
        }
    }
}
