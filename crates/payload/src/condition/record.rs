//! What an expression sees of a record, and how large that is.

use std::collections::HashMap;
use std::sync::Arc;

use cel::Value;
use cel::objects::{Key, Map};
use chrono::DateTime;

use crate::decode::{Decoded, Kind};

/// A record as its reader may see it. What the condition does not use may be left out.
#[derive(Debug, Clone, Default)]
pub struct CelRecord<'a> {
    pub key: Option<Decoded>,
    pub value: Option<Decoded>,
    pub headers: Vec<(&'a str, Option<String>)>,
    /// Milliseconds.
    pub timestamp: Option<i64>,
    pub partition: i32,
    pub offset: i64,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Size {
    /// Of lists and objects.
    pub(super) elements: u64,
    /// Bytes of the longest text.
    pub(super) longest: usize,
}

impl Size {
    pub(super) const NONE: Self = Self { elements: 0, longest: 0 };

    pub(super) fn and(self, other: Self) -> Self {
        Self { elements: self.elements + other.elements, longest: self.longest.max(other.longest) }
    }
}

impl CelRecord<'_> {
    /// JSON by its structure, everything else as its text.
    pub(super) fn value(&self) -> Result<(Value, Size), String> {
        let Some(decoded) = self.value.as_ref().filter(|one| one.kind != Kind::Null) else {
            return Ok((Value::Null, Size::NONE));
        };
        if decoded.kind != Kind::Json {
            return Ok(text(&decoded.text));
        }
        if decoded.cut {
            return Err("too large a value to be read as JSON".to_owned());
        }
        let json = serde_json::from_str(&decoded.text).map_err(|_| "the value is no JSON".to_owned())?;
        let mut size = Size::NONE;
        let value = from_json(json, &mut size);
        Ok((value, size))
    }

    /// Of everything but the value.
    pub(super) fn texts(&self) -> Size {
        let key = self.key.as_ref().map_or(0, |key| key.text.len());
        let headers = self.headers.iter().map(|(_, value)| value.as_ref().map_or(0, String::len));
        Size { elements: self.headers.len() as u64, longest: headers.max().unwrap_or(0).max(key) }
    }

    /// All but the value.
    pub(super) fn others(&self, uses: impl Fn(&str) -> bool) -> Vec<(&'static str, Value)> {
        let mut others =
            vec![("partition", Value::Int(self.partition.into())), ("offset", Value::Int(self.offset))];
        if uses("key") {
            let key = self.key.as_ref().filter(|key| key.kind != Kind::Null);
            others.push(("key", key.map_or(Value::Null, |key| text(&key.text).0)));
        }
        if uses("headers") {
            others.push(("headers", self.header_map()));
        }
        if uses("timestamp") {
            let at = self.timestamp.and_then(DateTime::from_timestamp_millis);
            others.push(("timestamp", at.map_or(Value::Null, |at| Value::Timestamp(at.fixed_offset()))));
        }
        others
    }

    /// The last one of a name, as consumers read them.
    fn header_map(&self) -> Value {
        let entries = self.headers.iter().map(|(name, value)| {
            let value = value.as_ref().map_or(Value::Null, |value| text(value).0);
            (Key::String(Arc::new((*name).to_owned())), value)
        });
        Value::Map(Map { map: Arc::new(entries.collect()) })
    }
}

fn text(text: &str) -> (Value, Size) {
    (Value::String(Arc::new(text.to_owned())), Size { elements: 0, longest: text.len() })
}

fn from_json(json: serde_json::Value, size: &mut Size) -> Value {
    match json {
        serde_json::Value::Null => Value::Null,
        serde_json::Value::Bool(value) => Value::Bool(value),
        serde_json::Value::Number(number) => match (number.as_i64(), number.as_u64()) {
            (Some(number), _) => Value::Int(number),
            (None, Some(number)) => Value::UInt(number),
            (None, None) => Value::Float(number.as_f64().unwrap_or(f64::NAN)),
        },
        serde_json::Value::String(text) => {
            size.longest = size.longest.max(text.len());
            Value::String(Arc::new(text))
        }
        serde_json::Value::Array(list) => {
            size.elements += list.len() as u64;
            Value::List(Arc::new(list.into_iter().map(|one| from_json(one, size)).collect()))
        }
        serde_json::Value::Object(object) => {
            size.elements += object.len() as u64;
            let mut entries = HashMap::with_capacity(object.len());
            for (name, inner) in object {
                size.longest = size.longest.max(name.len());
                entries.insert(Key::String(Arc::new(name)), from_json(inner, size));
            }
            Value::Map(Map { map: Arc::new(entries) })
        }
    }
}
