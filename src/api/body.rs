//! A body of JSON to a type. An error names the field, and repeats nothing of what was sent but that name.

use std::fmt;
use std::marker::PhantomData;

use flowdeck_model::PortError;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserialize, DeserializeOwned, Deserializer, MapAccess, Visitor};
use serde_json::error::Category;

/// In characters: a name of a field in an error.
const FIELD_CHARS: usize = 80;

pub(super) fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, PortError> {
    let json = &mut serde_json::Deserializer::from_slice(bytes);
    let parsed = serde_path_to_error::deserialize(&mut *json).map_err(|error| {
        let field = match error.path().iter().next() {
            None => "body".to_owned(),
            Some(_) => error.path().to_string().chars().take(FIELD_CHARS).collect(),
        };
        PortError::invalid(field, problem(error.inner()))
    })?;
    json.end().map_err(|error| PortError::invalid("body", problem(&error)))?;
    Ok(parsed)
}

/// serde's words without the value: `invalid type: string "x", expected u32` becomes `expected u32`.
fn problem(error: &serde_json::Error) -> String {
    let text = error.to_string();
    if error.classify() != Category::Data {
        return format!("no JSON: {text}");
    }
    let text = text.rsplit_once(" at line ").map_or(text.as_str(), |(text, _)| text);
    if text.starts_with("unknown field") {
        return "no such field".to_owned();
    }
    text.rsplit_once(", expected ")
        .map_or_else(|| text.to_owned(), |(_, expected)| format!("expected {expected}"))
}

/// A JSON object: serde alone would take an array for a struct, too.
pub(super) struct Object<T>(pub(super) T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(ObjectVisitor(PhantomData))
    }
}

struct ObjectVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for ObjectVisitor<T> {
    type Value = Object<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Object<T>, A::Error> {
        T::deserialize(MapAccessDeserializer::new(map)).map(Object)
    }
}
