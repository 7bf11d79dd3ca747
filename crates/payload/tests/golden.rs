//! Vectors of other implementations (`tests/golden/make.py`): what they wrote is read as they meant it.

use flowdeck_payload::{Choices, Decoded, Kind, NamedSchema, Part, Schema, Source, decode};
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;

#[derive(Deserialize)]
struct Vector {
    name: String,
    decoder: String,
    bytes: String,
    #[serde(default)]
    json: Value,
    text: Option<String>,
    schema: Option<Value>,
    #[serde(default)]
    headers: BTreeMap<String, String>,
}

fn vectors() -> Vec<Vector> {
    serde_json::from_str(include_str!("golden/vectors.json")).expect("vectors.json")
}

fn bytes(hex: &str) -> Vec<u8> {
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).expect("hex")).collect()
}

fn choices(vector: &Vector) -> Choices {
    let descriptors = include_bytes!("golden/shop.desc");
    let protobuf = Schema::protobuf(descriptors, "shop.Order").expect("shop.desc");
    let mut schemas = vec![NamedSchema { name: "shop.Order".to_owned(), schema: protobuf }];
    if let Some(schema) = &vector.schema {
        let schema = Schema::avro(&schema.to_string()).expect("a schema of Avro");
        schemas.push(NamedSchema { name: "order".to_owned(), schema });
    }
    Choices::new(schemas)
}

fn decoded(vector: &Vector, bytes: &[u8], size: usize, shown: usize) -> Decoded {
    let headers: Vec<(&str, Option<&[u8]>)> =
        vector.headers.iter().map(|(name, value)| (name.as_str(), Some(value.as_bytes()))).collect();
    let source = Source { topic: "orders", part: Part::Value, key: None, headers: &headers, schemas: None };
    let decoder = choices(vector).parse(&vector.decoder).expect("a decoder");
    decode(&source, Some(bytes), size, &decoder, shown)
}

#[test]
fn reads_what_others_wrote() {
    for vector in vectors() {
        let bytes = bytes(&vector.bytes);
        let decoded = decoded(&vector, &bytes, bytes.len(), 1 << 20);
        assert_eq!(decoded.problem, None, "{}", vector.name);
        match &vector.text {
            Some(text) => assert_eq!(&decoded.text, text, "{}", vector.name),
            None => {
                assert_eq!(decoded.kind, Kind::Json, "{}", vector.name);
                let value: Value = serde_json::from_str(&decoded.text).expect(&vector.name);
                assert_eq!(value, vector.json, "{}", vector.name);
            }
        }
    }
}

/// Cut anywhere, or with any byte changed, it is shown in some way, within its bound.
#[test]
fn no_part_and_no_change_of_a_vector_panics() {
    for vector in vectors() {
        let bytes = bytes(&vector.bytes);
        let step = bytes.len() / 60 + 1;
        for at in (0..bytes.len()).step_by(step) {
            for (given, size) in [
                (bytes[..at].to_vec(), at),
                (bytes[..at].to_vec(), bytes.len()),
                (changed(&bytes, at), bytes.len()),
            ] {
                let decoded = decoded(&vector, &given, size, 200);
                assert!(decoded.text.len() <= 200, "{} at {at}", vector.name);
            }
        }
    }
}

fn changed(bytes: &[u8], at: usize) -> Vec<u8> {
    let mut changed = bytes.to_vec();
    changed[at] ^= 0xff;
    changed
}
