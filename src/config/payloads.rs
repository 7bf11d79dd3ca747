//! How records are shown: schemas from files, the decoders of topics, what is masked, what a search may take.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use flowdeck_model::Pattern;
use flowdeck_observe::{ConfiguredDecoder, MaskRule, SearchLimits, TopicSettings};
use flowdeck_payload::{Choices, Mask, NamedSchema, Schema};
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
    payloads: Option<bool>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct MaskTable {
    #[serde(default = "Pattern::any")]
    topics: Pattern,
    #[serde(default)]
    paths: Vec<Spanned<String>>,
    #[serde(default)]
    headers: Vec<String>,
    #[serde(default)]
    patterns: Vec<Spanned<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SearchTable {
    at_once: Option<Spanned<usize>>,
    megabytes_per_second: Option<Spanned<u64>>,
}

pub(super) fn search(
    table: Option<SearchTable>,
    at: &impl Fn(usize, String) -> ConfigError,
) -> Result<SearchLimits, ConfigError> {
    let mut limits = SearchLimits::default();
    let Some(table) = table else { return Ok(limits) };
    if let Some(given) = table.at_once {
        // The Kafka client has no more readers for searches.
        if !(1..=8).contains(given.get_ref()) {
            return Err(at(given.span().start, "a whole number from 1 to 8".to_owned()));
        }
        limits.at_once = given.into_inner();
    }
    if let Some(given) = table.megabytes_per_second {
        if !(1..=10_000).contains(given.get_ref()) {
            return Err(at(given.span().start, "a whole number from 1 to 10000".to_owned()));
        }
        limits.bytes_per_second = given.into_inner() * 1_000_000;
    }
    Ok(limits)
}

pub(super) fn masks(
    tables: Vec<MaskTable>,
    at: &impl Fn(usize, String) -> ConfigError,
) -> Result<Vec<MaskRule>, ConfigError> {
    tables.into_iter().map(|table| mask(table, at)).collect()
}

fn mask(table: MaskTable, at: &impl Fn(usize, String) -> ConfigError) -> Result<MaskRule, ConfigError> {
    let mut mask = Mask::none();
    for path in table.paths {
        let parsed = path.get_ref().parse().map_err(|problem| at(path.span().start, problem))?;
        mask = mask.with_path(parsed);
    }
    for header in &table.headers {
        mask = mask.with_header(header);
    }
    for pattern in table.patterns {
        let problem = |error: regex::Error| {
            let text = error.to_string();
            at(pattern.span().start, text.lines().last().unwrap_or_default().to_owned())
        };
        let built =
            regex::RegexBuilder::new(pattern.get_ref()).size_limit(1 << 20).build().map_err(problem)?;
        if built.is_match("") {
            return Err(at(pattern.span().start, "it matches the empty text".to_owned()));
        }
        mask = mask.with_pattern(built);
    }
    Ok(MaskRule { topics: table.topics, mask })
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
        let payloads = table.payloads.unwrap_or(true);
        Ok(TopicSettings { pattern: table.pattern, key, value, payloads })
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
