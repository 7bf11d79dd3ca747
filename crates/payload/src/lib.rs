//! Keys, values and headers of records as a person reads them: bytes to JSON, text or hexadecimal, by a decoder that
//! was chosen or detected. Payloads are hostile input: the work, the depth and what is made of it are bounded, nothing
//! panics, and what cannot be decoded says why and at which byte, with the bytes beside it. No I/O and no clock.

mod avro;
mod cbor;
mod choice;
mod cloud_events;
mod condition;
mod consumer_offsets;
mod dead_letter;
mod decode;
mod detect;
mod find;
mod input;
mod json;
mod kafkaflow;
mod mask;
mod message_pack;
mod numbers;
mod protobuf;
mod registry;
mod schema;
mod show;
mod text;
mod unwrap;
mod writer;

#[cfg(test)]
mod tests;

pub use choice::{Choices, Decoder};
pub use condition::{CelCondition, CelRecord, Judged};
pub use dead_letter::{
    DeadLetter, FailedAt, HeaderList, NoOriginal, Original, Shape, dead_letter, is_usual_name, original,
};
pub use decode::{Decoded, Kind, Part, Problem, Source, decode};
pub use find::{Needle, PathCondition};
pub use mask::{MASKED, Mask, MaskPath};
pub use registry::{NoSchema, RegisteredSchema, Schemas};
pub use schema::{NamedSchema, Schema, SchemaError};
pub use show::{How, Shown, show};

/// Levels of nesting that are decoded.
pub(crate) const DEPTH_MAX: usize = 128;
