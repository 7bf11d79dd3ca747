//! A record in a registry's frame, by the schema that its id names.

use prost_reflect::{FileDescriptor, MessageDescriptor};

use super::NoSchema;
use super::schema::{Format, RegisteredSchema};
use crate::avro;
use crate::decode::{
    Bytes, Decoded, Kind, Part, Problem, Source, framed, hex, json_text, made, message_indexes, problem,
    protobuf_text, written,
};
use crate::input::{Result, Stop};

/// The zero and the id.
const FRAME: usize = 5;
/// Registries count within a signed number.
const ID_MAX: u32 = i32::MAX as u32;
/// Of problems with a registry; what they say holds nothing of a record but the id.
pub(crate) const LABEL: &str = "Schema registry";

/// Where the reader or the configuration says that it is framed.
pub(crate) fn chosen(source: &Source<'_>, given: Bytes<'_>) -> Decoded {
    let refused = |at, why: &str| {
        hex(given, Some(Problem { decoder: LABEL.to_owned(), at: Some(at), why: why.to_owned() }))
    };
    let Some(id) = framed(given.bytes) else {
        return refused(0, "it does not begin with a zero and the four bytes of a schema id");
    };
    let Some(schemas) = source.schemas else {
        return refused(1, "no schema registry is configured for this cluster");
    };
    match schemas.schema(id) {
        Ok(schema) => decode(given, &schema, id).unwrap_or_else(|stop| misfit(given, &schema, id, stop)),
        Err(why) => refused(1, why.why()),
    }
}

/// Where it looks framed. `None`: it is taken for something else. The problem is worth telling where it is nothing else.
pub(crate) fn detected(
    source: &Source<'_>,
    given: Bytes<'_>,
) -> Option<std::result::Result<Decoded, Problem>> {
    let schemas = source.schemas.filter(|_| source.part != Part::Header)?;
    let id = framed(given.bytes).filter(|id| (1..=ID_MAX).contains(id) && given.bytes.len() > FRAME)?;
    // Eight bytes are a number more often than a record with a schema.
    let is_number = given.whole && given.bytes.len() == 8;
    let schema = match schemas.schema(id) {
        Ok(schema) => schema,
        Err(NoSchema::Unknown(_)) if is_number => return None,
        Err(why) => {
            let why = why.why().to_owned();
            return Some(Err(Problem { decoder: LABEL.to_owned(), at: Some(1), why }));
        }
    };
    match decode(given, &schema, id) {
        Ok(decoded) => Some(Ok(decoded)),
        Err(_) if is_number => None,
        Err(stop) => Some(Err(problem(&label(&schema, None, id), stop, given.bytes.len()))),
    }
}

fn misfit(given: Bytes<'_>, schema: &RegisteredSchema, id: u32, stop: Stop) -> Decoded {
    hex(given, Some(problem(&label(schema, None, id), stop, given.bytes.len())))
}

fn decode(given: Bytes<'_>, schema: &RegisteredSchema, id: u32) -> Result<Decoded> {
    let label = |message: Option<&str>| label(schema, message, id);
    match &schema.format {
        Format::Avro(avro) => {
            let text = written(given, |out| avro::write(avro, given.bytes, FRAME, out))?;
            Ok(made(Kind::Json, text, &label(None)))
        }
        Format::Protobuf(file) => {
            let (indexes, at) = message_indexes(given.bytes, FRAME)?;
            let Some(message) = message(file, &indexes) else {
                let why = format!("the schema has no message at {indexes:?}");
                return Err(Stop::fault(FRAME, why));
            };
            let decoded = protobuf_text(given, &message, at)?;
            Ok(Decoded { decoder: label(Some(message.full_name())), ..decoded })
        }
        Format::Json => {
            let inner = Bytes { bytes: &given.bytes[FRAME..], ..given };
            let decoded = json_text(inner);
            if let Some(problem) = decoded.problem {
                let at = problem.at.map_or(FRAME, |at| at + FRAME);
                return Err(Stop::fault(at, problem.why));
            }
            Ok(Decoded { decoder: label(None), ..decoded })
        }
    }
}

/// The first index is of the file, each further one of the message before it.
fn message(file: &FileDescriptor, indexes: &[usize]) -> Option<MessageDescriptor> {
    let (first, inner) = indexes.split_first().unwrap_or((&0, &[]));
    let outer = file.messages().nth(*first)?;
    inner.iter().try_fold(outer, |message, index| message.child_messages().nth(*index))
}

fn label(schema: &RegisteredSchema, message: Option<&str>, id: u32) -> String {
    let format = match schema.format {
        Format::Avro(_) => "Avro",
        Format::Protobuf(_) => "Protobuf",
        Format::Json => "JSON Schema",
    };
    match message.or(schema.title.as_deref()) {
        Some(title) => format!("{format} {title} · schema id {id}"),
        None => format!("{format} · schema id {id}"),
    }
}
