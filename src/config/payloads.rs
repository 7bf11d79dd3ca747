//! How records are shown: schemas from files, and the decoders of topics.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use flowdeck_model::Pattern;
use flowdeck_observe::{ConfiguredDecoder, TopicSettings};
use flowdeck_payload::{Choices, NamedSchema, Schema};
use serde::Deserialize;
use toml::Spanned;

use super::error::ConfigError;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SchemaTable {
    avro: Option<PathBuf>,
    protobuf: Option<PathBuf>,
    /// With `protobuf`: the message's full name.
    message: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TopicTable {
    pattern: Pattern,
    key: Option<Spanned<String>>,
    value: Option<Spanned<String>>,
}

/// The decoders of a cluster. `at` makes an error of a place in the file.
pub(super) fn decoders(
    schemas: BTreeMap<String, Spanned<SchemaTable>>,
    at: &impl Fn(usize, String) -> ConfigError,
) -> Result<Choices, ConfigError> {
    let named = schemas.into_iter().map(|(name, table)| {
        let start = table.span().start;
        let schema = schema(table.into_inner()).map_err(|problem| at(start, problem))?;
        Ok(NamedSchema { name, schema })
    });
    Ok(Choices::new(named.collect::<Result<_, _>>()?))
}

pub(super) fn topics(
    tables: Vec<TopicTable>,
    decoders: &Choices,
    at: &impl Fn(usize, String) -> ConfigError,
) -> Result<Vec<TopicSettings>, ConfigError> {
    let decoder = |given: Option<Spanned<String>>| {
        let Some(given) = given else { return Ok(None) };
        let start = given.span().start;
        let name = given.into_inner();
        let decoder = decoders.parse(&name).map_err(|problem| at(start, problem))?;
        Ok(Some(ConfiguredDecoder { name, decoder }))
    };
    let settings = tables.into_iter().map(|table| {
        let (key, value) = (decoder(table.key)?, decoder(table.value)?);
        Ok(TopicSettings { pattern: table.pattern, key, value })
    });
    settings.collect()
}

fn schema(table: SchemaTable) -> Result<Schema, String> {
    match table {
        SchemaTable { avro: Some(path), protobuf: None, message: None } => {
            let text =
                String::from_utf8(read(&path)?).map_err(|_| format!("{} is no text", path.display()))?;
            Schema::avro(&text).map_err(|error| format!("{}: {error}", path.display()))
        }
        SchemaTable { avro: None, protobuf: Some(path), message: Some(message) } => {
            Schema::protobuf(&read(&path)?, &message).map_err(|error| format!("{}: {error}", path.display()))
        }
        _ => {
            Err("write { avro = \"FILE.avsc\" } or { protobuf = \"FILE.desc\", message = \"NAME\" }"
                .to_owned())
        }
    }
}

fn read(path: &Path) -> Result<Vec<u8>, String> {
    std::fs::read(path).map_err(|error| format!("{} could not be read: {error}", path.display()))
}
