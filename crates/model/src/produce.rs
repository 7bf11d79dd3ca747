//! A record that an operator produces: written by hand, or an edited copy of one.

pub mod form;

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::command::{REASON_MAX, reason_fits, reason_is_given};
use crate::error::PortError;
use crate::ids::CommandId;
use crate::names::{Partition, TopicName};
use crate::record_place::RecordPlace;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ProduceRequest {
    pub topic: TopicName,
    /// Absent: by the key, as Kafka's own producers choose.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub partition: Option<Partition>,
    /// Absent: no key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<Bytes>,
    /// Absent: a tombstone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<Bytes>,
    #[serde(default)]
    pub headers: Vec<ProduceHeader>,
    /// The record of which it is an edited copy: whoever asks must be able to read all of it, unmasked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<ProduceSource>,
    pub reason: String,
}

/// Of a key, a value or a header.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub enum Bytes {
    Text(String),
    /// Two digits a byte.
    Hex(String),
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ProduceHeader {
    pub name: String,
    /// Absent: null.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<Bytes>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ProduceSource {
    pub topic: TopicName,
    pub partition: Partition,
    pub offset: i64,
}

impl ProduceSource {
    pub fn place(&self) -> RecordPlace {
        RecordPlace { partition: self.partition, offset: self.offset }
    }
}

impl fmt::Display for ProduceSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.topic, self.place())
    }
}

impl std::str::FromStr for ProduceSource {
    type Err = PortError;
    /// `orders 3@1042`
    fn from_str(text: &str) -> Result<Self, PortError> {
        let wrong = || PortError::invalid("source", "TOPIC PARTITION@OFFSET, such as orders 3@1042");
        let (topic, place) = text.split_once(' ').ok_or_else(wrong)?;
        let place: RecordPlace = place.parse().map_err(|_| wrong())?;
        let topic = topic.parse().map_err(|_| wrong())?;
        Ok(Self { topic, partition: place.partition, offset: place.offset })
    }
}

/// Of a record, all together.
pub const PRODUCE_MAX: usize = 1024 * 1024;
pub const PRODUCE_HEADERS_MAX: usize = 100;
const HEADER_NAME_MAX: usize = 1_000;

impl Bytes {
    /// As text where it can be written as one.
    pub fn of(bytes: &[u8]) -> Self {
        let is_plain = |c: char| !c.is_control() || matches!(c, '\n' | '\t');
        match std::str::from_utf8(bytes) {
            Ok(text) if text.chars().all(is_plain) => Self::Text(text.to_owned()),
            _ => Self::Hex(bytes.iter().map(|byte| format!("{byte:02x}")).collect()),
        }
    }

    pub fn is_hex(&self) -> bool {
        matches!(self, Self::Hex(_))
    }

    /// As it is written.
    pub fn written(&self) -> &str {
        match self {
            Self::Text(text) | Self::Hex(text) => text,
        }
    }

    /// `field`: whose it is.
    pub fn bytes(&self, field: &str) -> Result<Vec<u8>, PortError> {
        let digits: Vec<u8> = match self {
            Self::Text(text) => return Ok(text.clone().into_bytes()),
            Self::Hex(text) => text.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect(),
        };
        let wrong = || PortError::invalid(field, "hexadecimal: two digits for each byte");
        let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
        let pair = |pair: &[u8]| match pair {
            [high, low] => Some(digit(*high)? << 4 | digit(*low)?),
            _ => None,
        };
        digits.chunks(2).map(pair).collect::<Option<_>>().ok_or_else(wrong)
    }
}

impl ProduceRequest {
    /// The rules that need nothing but the request; names the field that breaks one.
    pub fn check(&self) -> Result<(), PortError> {
        reason_is_given(&self.reason)?;
        self.check_but_reason()
    }

    /// Of one that is only looked at.
    pub fn check_but_reason(&self) -> Result<(), PortError> {
        let invalid = |field: &str, problem: String| Err(PortError::invalid(field, problem));
        reason_fits(&self.reason, REASON_MAX)?;
        if self.headers.len() > PRODUCE_HEADERS_MAX {
            return invalid("headers", format!("at most {PRODUCE_HEADERS_MAX}"));
        }
        let name = |header: &ProduceHeader| header.name.is_empty() || header.name.len() > HEADER_NAME_MAX;
        if self.headers.iter().any(name) {
            return invalid("headers", format!("a name of 1 to {HEADER_NAME_MAX} bytes"));
        }
        if self.size()? > PRODUCE_MAX {
            return invalid("value", format!("at most {PRODUCE_MAX} bytes with key and headers"));
        }
        Ok(())
    }

    /// Of key, value and headers.
    pub fn size(&self) -> Result<usize, PortError> {
        let length = |field: &str, part: &Option<Bytes>| match part {
            Some(bytes) => bytes.bytes(field).map(|bytes| bytes.len()),
            None => Ok(0),
        };
        let mut size = length("key", &self.key)? + length("value", &self.value)?;
        for header in &self.headers {
            size += header.name.len() + length("headers", &header.value)?;
        }
        Ok(size)
    }
}

/// A request under the id that its caller gave it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubmitProduce {
    pub id: CommandId,
    pub request: ProduceRequest,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub enum ProduceState {
    /// In the audit; whether it was written is not known yet.
    Requested,
    /// Kafka confirmed it: its place is known.
    Written,
    /// Surely not written.
    Failed,
    /// No confirmation came: it may have been written.
    InDoubt,
}

impl ProduceState {
    pub fn label(self) -> &'static str {
        match self {
            Self::Requested => "requested",
            Self::Written => "written",
            Self::Failed => "failed",
            Self::InDoubt => "in doubt",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request() -> ProduceRequest {
        ProduceRequest {
            topic: "orders".parse().unwrap(),
            partition: None,
            key: Some(Bytes::Text("k".to_owned())),
            value: Some(Bytes::Hex("00 ff".to_owned())),
            headers: vec![],
            source: None,
            reason: "INC-1".to_owned(),
        }
    }

    #[test]
    fn bytes_are_text_where_they_can_be() {
        for (bytes, hex) in
            [(&b"a\n{\"b\":1}"[..], false), (b"a\x00", true), (b"\xff", true), (b"a\r\n", true)]
        {
            let made = Bytes::of(bytes);
            assert_eq!((made.is_hex(), made.bytes("value")), (hex, Ok(bytes.to_vec())));
        }
        for wrong in ["0", "0g", "00f", "é0"] {
            assert!(Bytes::Hex(wrong.to_owned()).bytes("key").is_err(), "{wrong}");
        }
    }

    #[test]
    fn request_is_checked_field_by_field() {
        assert_eq!((request().check(), request().size()), (Ok(()), Ok(3)));
        let header = |name: &str| ProduceHeader { name: name.to_owned(), value: None };
        for (request, field) in [
            (ProduceRequest { reason: " ".to_owned(), ..request() }, "reason"),
            (ProduceRequest { key: Some(Bytes::Hex("x".to_owned())), ..request() }, "key"),
            (ProduceRequest { headers: vec![header("")], ..request() }, "headers"),
            (ProduceRequest { headers: vec![header("h"); 101], ..request() }, "headers"),
            (ProduceRequest { value: Some(Bytes::Text("x".repeat(PRODUCE_MAX))), ..request() }, "value"),
        ] {
            let refused = request.check();
            assert!(
                matches!(&refused, Err(PortError::Invalid { field: found, .. }) if found == field),
                "{refused:?}"
            );
        }
        let source: ProduceSource = "orders 3@7".parse().unwrap();
        assert_eq!(source.to_string(), "orders 3@7");
        assert!("orders".parse::<ProduceSource>().is_err());
    }
}
