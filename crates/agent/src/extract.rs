//! What a function's arguments may be, each taken from the message.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::failure::HandlerError;
use crate::message::{Context, Message};
use crate::message_type;

/// An argument of a handler function, and so the trait for deserializers: implemented for a type of one's own, functions take
/// values in any format. What cannot be taken from a message is an error of that message, and as a rule a permanent one:
/// the same bytes would fail again. The other way round is [`crate::producer::EventSerializer`].
///
/// ```
/// use flowdeck_agent::{FromMessage, HandlerError, Message, Router};
///
/// /// Numbers with commas between.
/// struct Csv(Vec<f64>);
///
/// impl<S> FromMessage<S> for Csv {
///     fn from_message(message: &Message, _: &S) -> Result<Self, HandlerError> {
///         let text = std::str::from_utf8(message.record().value().unwrap_or_default());
///         let numbers = text.map_err(HandlerError::permanent)?.split(',').map(str::parse);
///         Ok(Self(numbers.collect::<Result<_, _>>().map_err(HandlerError::permanent)?))
///     }
/// }
///
/// async fn sum(Csv(numbers): Csv) {
///     println!("{}", numbers.iter().sum::<f64>());
/// }
///
/// let router = Router::new(()).topic("numbers", sum);
/// ```
pub trait FromMessage<S>: Sized {
    /// # Errors
    /// Where the message is not what the function takes.
    fn from_message(message: &Message, state: &S) -> Result<Self, HandlerError>;
}

/// The value as JSON. A tombstone is an error; `Option<Json<T>>` takes it as `None`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Json<T>(pub T);

/// The value as a Protobuf message. A tombstone is an error; `Option<Protobuf<T>>` takes it as `None`.
#[cfg(feature = "prost")]
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Protobuf<T>(pub T);

/// The value as it is. A tombstone is an error; `Option<Raw>` takes it as `None`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Raw(pub Vec<u8>);

/// The state that the router was given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct State<S>(pub S);

/// A CloudEvent 1.0 with JSON data, in binary mode (headers `ce_…`) or in structured mode (`content-type:
/// application/cloudevents+json`). A tombstone is an error; `Option<CloudEvent<T>>` takes it as `None`.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct CloudEvent<T> {
    /// `ce_id`.
    pub id: String,
    /// `ce_source`.
    pub source: String,
    /// `ce_type`.
    pub r#type: String,
    /// `ce_subject`.
    pub subject: Option<String>,
    /// `ce_time`, as it was written (RFC 3339).
    pub time: Option<String>,
    /// All other attributes, by their names without `ce_`.
    pub extensions: BTreeMap<String, String>,
    /// What happened.
    pub data: T,
}

impl<S> FromMessage<S> for Message {
    fn from_message(message: &Message, _: &S) -> Result<Self, HandlerError> {
        Ok(message.clone())
    }
}

impl<S> FromMessage<S> for Context {
    fn from_message(message: &Message, _: &S) -> Result<Self, HandlerError> {
        Ok(Self(message.clone()))
    }
}

impl<S: Clone> FromMessage<S> for State<S> {
    fn from_message(_: &Message, state: &S) -> Result<Self, HandlerError> {
        Ok(Self(state.clone()))
    }
}

/// What is made of a value.
trait FromValue: Sized {
    fn from_value(message: &Message, value: &[u8]) -> Result<Self, HandlerError>;
}

macro_rules! from_the_value {
    ($($name:ty $(, $t:ident: $bound:path)?;)*) => {$(
        impl<S, $($t: $bound)?> FromMessage<S> for $name {
            fn from_message(message: &Message, _: &S) -> Result<Self, HandlerError> {
                match message.record().value() {
                    Some(value) => Self::from_value(message, value),
                    None => Err(HandlerError::permanent("the record is a tombstone: it has no value")),
                }
            }
        }

        impl<S, $($t: $bound)?> FromMessage<S> for Option<$name> {
            fn from_message(message: &Message, _: &S) -> Result<Self, HandlerError> {
                message.record().value().map(|value| FromValue::from_value(message, value)).transpose()
            }
        }
    )*};
}

from_the_value! {
    Raw;
    Json<T>, T: DeserializeOwned;
    CloudEvent<T>, T: DeserializeOwned;
}

#[cfg(feature = "prost")]
from_the_value! {
    Protobuf<T>, T: ProtobufMessage;
}

/// What prost derives.
#[cfg(feature = "prost")]
trait ProtobufMessage: prost::Message + Default {}

#[cfg(feature = "prost")]
impl<T: prost::Message + Default> ProtobufMessage for T {}

#[cfg(feature = "prost")]
impl<T: prost::Message + Default> FromValue for Protobuf<T> {
    fn from_value(_: &Message, value: &[u8]) -> Result<Self, HandlerError> {
        let message = T::decode(value);
        message.map(Self).map_err(|error| {
            HandlerError::permanent(format!(
                "the value is not the Protobuf message that is expected: {error}"
            ))
        })
    }
}

impl FromValue for Raw {
    fn from_value(_: &Message, value: &[u8]) -> Result<Self, HandlerError> {
        Ok(Self(value.to_vec()))
    }
}

impl<T: DeserializeOwned> FromValue for Json<T> {
    fn from_value(_: &Message, value: &[u8]) -> Result<Self, HandlerError> {
        Ok(Self(json(value)?))
    }
}

fn json<T: DeserializeOwned>(value: &[u8]) -> Result<T, HandlerError> {
    serde_json::from_slice(value).map_err(|error| {
        HandlerError::permanent(format!("the value is not the JSON that is expected: {error}"))
    })
}

#[derive(Deserialize)]
struct Structured<T> {
    id: String,
    source: String,
    r#type: String,
    subject: Option<String>,
    time: Option<String>,
    data: T,
    #[serde(flatten)]
    rest: BTreeMap<String, serde_json::Value>,
}

impl<T: DeserializeOwned> FromValue for CloudEvent<T> {
    fn from_value(message: &Message, value: &[u8]) -> Result<Self, HandlerError> {
        if message_type::is_structured(message.record()) {
            return Ok(structured(json(value)?));
        }
        let mut attributes = attributes(message);
        let mut take = |name: &str| attributes.remove(name);
        let required = |name: &str, value: Option<String>| {
            value.ok_or_else(|| {
                HandlerError::permanent(format!("no CloudEvent: the header ce_{name} is missing"))
            })
        };
        Ok(Self {
            id: required("id", take("id"))?,
            source: required("source", take("source"))?,
            r#type: required("type", take("type"))?,
            subject: take("subject"),
            time: take("time"),
            data: json(value)?,
            extensions: attributes,
        })
    }
}

/// Of a CloudEvent in binary mode, without `ce_`.
fn attributes(message: &Message) -> BTreeMap<String, String> {
    let attribute = |(name, value): (&str, Option<&[u8]>)| {
        let text = std::str::from_utf8(value?).ok()?;
        Some((name.strip_prefix("ce_")?.to_owned(), text.to_owned()))
    };
    let mut attributes: BTreeMap<_, _> = message.record().headers().filter_map(attribute).collect();
    attributes.remove("specversion");
    attributes
}

fn structured<T>(event: Structured<T>) -> CloudEvent<T> {
    let Structured { id, source, r#type, subject, time, data, mut rest } = event;
    rest.remove("specversion");
    rest.remove("datacontenttype");
    let text = |value| match value {
        serde_json::Value::String(text) => text,
        other => other.to_string(),
    };
    let extensions = rest.into_iter().map(|(name, value)| (name, text(value))).collect();
    CloudEvent { id, source, r#type, subject, time, extensions, data }
}
