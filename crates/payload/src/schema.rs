//! Schemas that were given: Avro's, and messages of Protobuf.

use std::fmt;
use std::sync::Arc;

use prost_reflect::{DescriptorPool, MessageDescriptor};

use crate::avro::Avro;

/// A schema and the name by which it is chosen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedSchema {
    pub name: String,
    pub schema: Schema,
}

#[derive(Clone)]
pub enum Schema {
    Avro(Arc<Avro>),
    Protobuf(MessageDescriptor),
}

/// Why a schema cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SchemaError(pub(crate) String);

impl fmt::Display for SchemaError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for SchemaError {}

impl Schema {
    /// `json`: an Avro schema, as in an `.avsc` file.
    pub fn avro(json: &str) -> Result<Self, SchemaError> {
        Avro::parse(json).map(Arc::new).map(Self::Avro)
    }

    /// `descriptors`: a FileDescriptorSet, as `protoc --include_imports --descriptor_set_out` writes it.
    pub fn protobuf(descriptors: &[u8], message: &str) -> Result<Self, SchemaError> {
        let failed = |error: prost_reflect::DescriptorError| {
            SchemaError(format!("it is no set of Protobuf descriptors with all that they import: {error}"))
        };
        let pool = DescriptorPool::decode(descriptors).map_err(failed)?;
        let found = pool.get_message_by_name(message);
        found.map(Self::Protobuf).ok_or_else(|| SchemaError(format!("it has no message {message}")))
    }

    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Avro(_) => "Avro",
            Self::Protobuf(_) => "Protobuf",
        }
    }
}

impl fmt::Debug for Schema {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind())
    }
}

impl PartialEq for Schema {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Avro(one), Self::Avro(other)) => one == other,
            (Self::Protobuf(one), Self::Protobuf(other)) => one == other,
            _ => false,
        }
    }
}

impl Eq for Schema {}
