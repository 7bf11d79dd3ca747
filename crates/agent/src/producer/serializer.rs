//! How the data of an event becomes bytes.

use serde::Serialize;
use serde_json::Value;

use crate::failure::BoxError;

/// Makes bytes of events of the type `E`, for a [`super::Producer`]: [`JsonSerializer`], [`RawSerializer`],
/// `ProtobufSerializer` (feature `prost`), `AvroSerializer` (feature `avro`), or one of the service's own. One that is for
/// several types of events implements it for each of them, or for all that have a trait.
///
/// The other way round is [`crate::FromMessage`]: an extractor reads the value.
///
/// ```
/// use flowdeck_agent::BoxError;
/// use flowdeck_agent::producer::EventSerializer;
///
/// struct Csv;
///
/// impl<E: AsRef<[f64]>> EventSerializer<E> for Csv {
///     fn content_type(&self) -> &str {
///         "text/csv"
///     }
///
///     fn serialize(&self, event: &E) -> Result<Vec<u8>, BoxError> {
///         let numbers: Vec<_> = event.as_ref().iter().map(ToString::to_string).collect();
///         Ok(numbers.join(",").into_bytes())
///     }
/// }
/// # assert_eq!(Csv.serialize(&vec![1.5, 2.0]).unwrap(), b"1.5,2");
/// ```
pub trait EventSerializer<E: ?Sized>: Send + Sync + 'static {
    /// The media type of what [`Self::serialize`] gives: the header `content-type`, and the attribute `datacontenttype` of
    /// a CloudEvent in structured mode. Where it is JSON's (`application/json`, or with the suffix `+json`), the data is
    /// part of such an event as it is; anything else is in base64.
    fn content_type(&self) -> &str;

    /// The bytes of the event alone; attributes of a CloudEvent are none of its affair.
    ///
    /// # Errors
    /// Where the event has no such bytes: [`super::EventError::Serialize`].
    fn serialize(&self, event: &E) -> Result<Vec<u8>, BoxError>;

    /// The text of a field of the event, for [`super::Event::KEY_FIELD`]: names with dots between. `None` unless told
    /// otherwise: such an event is refused ([`super::EventError::Key`]), and has its key by [`super::Event::key`].
    ///
    /// # Errors
    /// Where the event cannot be read: [`super::EventError::Serialize`].
    fn field(&self, event: &E, field: &str) -> Result<Option<String>, BoxError> {
        let _ = (event, field);
        Ok(None)
    }
}

/// As JSON, by serde.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct JsonSerializer;

impl<E: Serialize + ?Sized> EventSerializer<E> for JsonSerializer {
    fn content_type(&self) -> &str {
        JSON
    }

    fn serialize(&self, event: &E) -> Result<Vec<u8>, BoxError> {
        Ok(serde_json::to_vec(event)?)
    }

    fn field(&self, event: &E, field: &str) -> Result<Option<String>, BoxError> {
        json_field(event, field)
    }
}

/// Bytes that the event has already (`AsRef<[u8]>`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RawSerializer {
    content_type: String,
}

impl RawSerializer {
    /// Bytes of this media type, such as `image/png`.
    pub fn new(content_type: impl Into<String>) -> Self {
        Self { content_type: content_type.into() }
    }
}

impl Default for RawSerializer {
    /// `application/octet-stream`.
    fn default() -> Self {
        Self::new("application/octet-stream")
    }
}

impl<E: AsRef<[u8]> + ?Sized> EventSerializer<E> for RawSerializer {
    fn content_type(&self) -> &str {
        &self.content_type
    }

    fn serialize(&self, event: &E) -> Result<Vec<u8>, BoxError> {
        Ok(event.as_ref().to_vec())
    }
}

/// As a Protobuf message, by prost; without the bytes by which a schema registry names its schema. `Protobuf<T>` reads it.
#[cfg(feature = "prost")]
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ProtobufSerializer;

#[cfg(feature = "prost")]
impl<E: prost::Message> EventSerializer<E> for ProtobufSerializer {
    fn content_type(&self) -> &str {
        "application/protobuf"
    }

    fn serialize(&self, event: &E) -> Result<Vec<u8>, BoxError> {
        Ok(event.encode_to_vec())
    }
}

pub(super) const JSON: &str = "application/json";

/// Of a media type, with or without parameters.
pub(super) fn is_json(content_type: &str) -> bool {
    let media = content_type.split(';').next().unwrap_or(content_type).trim().to_ascii_lowercase();
    media == JSON || media.ends_with("+json")
}

/// A field by its name in the event's JSON.
pub(super) fn json_field<E: Serialize + ?Sized>(event: &E, field: &str) -> Result<Option<String>, BoxError> {
    let json = serde_json::to_value(event)?;
    let found = field.split('.').try_fold(&json, |value, name| value.get(name));
    Ok(match found {
        Some(Value::String(text)) => Some(text.clone()),
        Some(Value::Number(number)) => Some(number.to_string()),
        Some(Value::Bool(truth)) => Some(truth.to_string()),
        _ => None,
    })
}
