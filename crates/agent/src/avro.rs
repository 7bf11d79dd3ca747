//! The value as Avro, by the schema that it was written with.

use std::collections::HashMap;
use std::sync::Arc;

use apache_avro::Schema;
use apache_avro::reader::datum::GenericDatumReader;
use serde::de::DeserializeOwned;

use crate::extract::FromMessage;
use crate::failure::HandlerError;
use crate::message::Message;

/// The value as Avro as Confluent's serializers write it: a zero byte, the id of its schema in four bytes, the record. The
/// router's state knows the schemas by their ids. A schema that it does not know is an error that is tried again, since
/// the state may come to know it; a value that is not of its schema, or not of `T`, is a permanent error. A tombstone is
/// an error; `Option<Avro<T>>` takes it as `None`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Avro<T>(pub T);

/// Schemas by the ids of a schema registry; the router's state.
pub trait AvroSchemas {
    /// `None`: not known, or not yet. It must not wait for a registry: read the schemas before, or in a task of one's own.
    fn schema(&self, id: u32) -> Option<Arc<Schema>>;
}

impl AvroSchemas for HashMap<u32, Arc<Schema>> {
    fn schema(&self, id: u32) -> Option<Arc<Schema>> {
        self.get(&id).cloned()
    }
}

impl<S: AvroSchemas> AvroSchemas for Arc<S> {
    fn schema(&self, id: u32) -> Option<Arc<Schema>> {
        S::schema(self, id)
    }
}

impl<S: AvroSchemas, T: DeserializeOwned> FromMessage<S> for Avro<T> {
    fn from_message(message: &Message, schemas: &S) -> Result<Self, HandlerError> {
        match message.record().value() {
            Some(value) => read(value, schemas).map(Self),
            None => Err(HandlerError::permanent("the record is a tombstone: it has no value")),
        }
    }
}

impl<S: AvroSchemas, T: DeserializeOwned> FromMessage<S> for Option<Avro<T>> {
    fn from_message(message: &Message, schemas: &S) -> Result<Self, HandlerError> {
        message.record().value().map(|value| read(value, schemas).map(Avro)).transpose()
    }
}

fn read<T: DeserializeOwned>(value: &[u8], schemas: &impl AvroSchemas) -> Result<T, HandlerError> {
    let [0, a, b, c, d, rest @ ..] = value else {
        return Err(HandlerError::permanent(
            "the value does not begin with a zero byte and the id of its schema",
        ));
    };
    let id = u32::from_be_bytes([*a, *b, *c, *d]);
    let schema = schemas.schema(id);
    let schema = schema.ok_or_else(|| HandlerError::retry(format!("the schema {id} is not known")))?;
    let is_not = |error| {
        HandlerError::permanent(format!("the value is not the Avro of schema {id} that is expected: {error}"))
    };
    let reader = GenericDatumReader::builder(&schema).build().map_err(is_not)?;
    let mut rest = rest;
    let read = reader.read_deser(&mut rest).map_err(is_not)?;
    match rest.len() {
        0 => Ok(read),
        left => Err(HandlerError::permanent(format!("{left} bytes are left after the Avro of schema {id}"))),
    }
}
