//! A schema as a registry has it: its text, and the texts of what it refers to.

use std::sync::Arc;

use prost_reflect::FileDescriptor;
use serde_json::Value;

use super::protobuf;
use crate::avro::Avro;
use crate::schema::SchemaError;
use crate::text::cut;

/// Bytes of a name that is shown.
const TITLE_MAX: usize = 200;

/// What records with one schema id are decoded by.
#[derive(Debug, Clone)]
pub struct RegisteredSchema {
    pub(super) format: Format,
    pub(super) title: Option<String>,
}

#[derive(Debug, Clone)]
pub(super) enum Format {
    Avro(Arc<Avro>),
    Protobuf(FileDescriptor),
    Json,
}

impl RegisteredSchema {
    /// `referred`: the schemas whose types it names, each after those that it names itself.
    pub fn avro(text: &str, referred: &[String]) -> Result<Self, SchemaError> {
        let format = Format::Avro(Arc::new(Avro::parse_with(text, referred)?));
        let parsed: Option<Value> = serde_json::from_str(text).ok();
        let text_at = |name: &str| parsed.as_ref()?.get(name)?.as_str();
        let title = text_at("name").map(|name| match text_at("namespace") {
            Some(namespace) if !name.contains('.') => [namespace, ".", name].concat(),
            _ => name.to_owned(),
        });
        Ok(Self { format, title: title.as_deref().and_then(shown) })
    }

    /// `imports`: by the paths under which they are imported. Google's own are known.
    pub fn protobuf(text: &str, imports: Vec<(String, String)>) -> Result<Self, SchemaError> {
        Ok(Self { format: Format::Protobuf(protobuf::compile(text, imports)?), title: None })
    }

    /// A JSON Schema says what its records may be, and is not needed to read them.
    pub fn json(text: &str) -> Self {
        let parsed: Option<Value> = serde_json::from_str(text).ok();
        let text_at = |name: &str| parsed.as_ref()?.get(name)?.as_str();
        let title = text_at("title").or_else(|| text_at("$id")).and_then(shown);
        Self { format: Format::Json, title }
    }
}

/// What others wrote, on one line.
fn shown(title: &str) -> Option<String> {
    let title: String = cut(title, TITLE_MAX).chars().filter(|c| !c.is_control()).collect();
    (!title.is_empty()).then_some(title)
}
