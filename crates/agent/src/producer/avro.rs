//! Events as Avro.

use std::collections::BTreeMap;
use std::sync::Arc;

use apache_avro::Schema;
use apache_avro::writer::datum::GenericDatumWriter;
use serde::Serialize;

use super::serializer::json_field;
use super::{Event, EventSerializer};
use crate::failure::BoxError;

/// As Avro as Confluent's serializers write it: a zero byte, the id of the schema in four bytes, the event by its schema.
/// [`crate::Avro`] reads it. The schemas are registered elsewhere: the agent has no client of a registry.
#[derive(Debug, Clone, Default)]
pub struct AvroSerializer {
    schemas: BTreeMap<&'static str, (u32, Arc<Schema>)>,
}

impl AvroSerializer {
    /// Without any schema yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The schema of one type of events, and its id in the registry. An event without one is refused
    /// ([`super::EventError::Serialize`]).
    #[must_use]
    pub fn schema<E: Event>(mut self, id: u32, schema: impl Into<Arc<Schema>>) -> Self {
        self.schemas.insert(E::TYPE, (id, schema.into()));
        self
    }
}

impl<E: Event + Serialize> EventSerializer<E> for AvroSerializer {
    fn content_type(&self) -> &str {
        "application/vnd.apache.avro"
    }

    fn serialize(&self, event: &E) -> Result<Vec<u8>, BoxError> {
        let (id, schema) = self.schemas.get(E::TYPE).ok_or("the serializer has no Avro schema for it")?;
        let mut bytes = vec![0];
        bytes.extend(id.to_be_bytes());
        GenericDatumWriter::builder(schema).build()?.write_ser(&mut bytes, event)?;
        Ok(bytes)
    }

    fn field(&self, event: &E, field: &str) -> Result<Option<String>, BoxError> {
        json_field(event, field)
    }
}
