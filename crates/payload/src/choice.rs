//! Which decoder is asked for, and by which names.

use std::sync::Arc;

use encoding_rs::{Encoding, UTF_8};

use crate::numbers::Number;
use crate::schema::NamedSchema;

/// A decoder that was chosen, by a reader or by the configuration. The default detects.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Decoder(pub(crate) Choice);

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) enum Choice {
    #[default]
    Auto,
    Json,
    Text(&'static Encoding),
    Hex,
    MessagePack,
    Cbor,
    /// By field numbers.
    Protobuf,
    Number(Number),
    /// One block of Snappy without a frame, and what it holds detected.
    Snappy,
    Schema(Arc<NamedSchema>),
    /// In the frame of the cluster's schema registry.
    Registry,
}

const PLAIN: [(&str, Choice); 8] = [
    ("auto", Choice::Auto),
    ("json", Choice::Json),
    ("text", Choice::Text(UTF_8)),
    ("hex", Choice::Hex),
    ("messagepack", Choice::MessagePack),
    ("cbor", Choice::Cbor),
    ("protobuf", Choice::Protobuf),
    ("snappy", Choice::Snappy),
];
const SCHEMA: &str = "schema:";
const TEXT: &str = "text:";
const REGISTRY: &str = "registry";

/// The decoders of one cluster: all that need no schema, its schemas, and its registry if it has one.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Choices {
    schemas: Vec<Arc<NamedSchema>>,
    has_registry: bool,
}

impl Choices {
    pub fn new(schemas: Vec<NamedSchema>) -> Self {
        Self { schemas: schemas.into_iter().map(Arc::new).collect(), has_registry: false }
    }

    pub fn with_registry(self, has_registry: bool) -> Self {
        Self { has_registry, ..self }
    }

    pub fn schemas(&self) -> impl Iterator<Item = &NamedSchema> {
        self.schemas.iter().map(|one| &**one)
    }

    /// As a page lists them. `text:` with the label of an encoding is one, too.
    pub fn names(&self) -> Vec<String> {
        let plain = PLAIN.iter().map(|(name, _)| (*name).to_owned());
        let numbers = Number::ALL.iter().map(|number| number.key().to_owned());
        let registry = self.has_registry.then(|| REGISTRY.to_owned());
        plain
            .chain(numbers)
            .chain(registry)
            .chain(self.schemas.iter().map(|one| [SCHEMA, &one.name].concat()))
            .collect()
    }

    /// `Err` says which there are.
    pub fn parse(&self, name: &str) -> Result<Decoder, String> {
        if let Some((_, plain)) = PLAIN.iter().find(|(known, _)| *known == name) {
            return Ok(Decoder(plain.clone()));
        }
        if let Some(number) = Number::ALL.into_iter().find(|number| number.key() == name) {
            return Ok(Decoder(Choice::Number(number)));
        }
        if let Some(label) = name.strip_prefix(TEXT) {
            let known = Encoding::for_label(label.as_bytes());
            let unknown =
                || format!("{label} is no encoding; write one such as text:windows-1252 or text:utf-16le");
            return known.map(|encoding| Decoder(Choice::Text(encoding))).ok_or_else(unknown);
        }
        if name == REGISTRY && self.has_registry {
            return Ok(Decoder(Choice::Registry));
        }
        let given = name.strip_prefix(SCHEMA);
        match given.and_then(|given| self.schemas.iter().find(|one| one.name == given)) {
            Some(schema) => Ok(Decoder(Choice::Schema(Arc::clone(schema)))),
            None => Err(format!("one of {}, text:ENCODING", self.names().join(", "))),
        }
    }
}
