//! Bytes of Confluent's own serializers and answers of a real registry (`tests/golden/make.py`).

use std::collections::BTreeMap;

use flowdeck_payload::Kind;
use flowdeck_registry::{Registry, RegistrySettings};
use serde::Deserialize;
use serde_json::Value;

use crate::fake_registry::{FakeRegistry, shown};

#[derive(Deserialize)]
struct Golden {
    records: Vec<Record>,
    answers: BTreeMap<String, (u16, Value)>,
}

#[derive(Deserialize)]
struct Record {
    name: String,
    bytes: String,
    json: Value,
    decoder: String,
}

fn bytes(hex: &str) -> Vec<u8> {
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).expect("hex")).collect()
}

#[test]
fn what_confluents_serializers_wrote_is_read_by_what_a_registry_answers() {
    let golden: Golden = serde_json::from_str(include_str!("../golden/registry.json")).unwrap();
    let answers = golden.answers;
    let fake = FakeRegistry::start(move |path| {
        let (status, body) = answers.get(path).cloned().unwrap_or((500, Value::Null));
        Some((status, body.to_string()))
    });
    let registry = Registry::new("demo", &RegistrySettings::new(&fake.url).unwrap());
    assert!(golden.records.len() > 5);
    for record in &golden.records {
        for decoder in ["auto", "registry"] {
            let bytes = bytes(&record.bytes);
            let decoded = shown(&registry, &bytes, decoder);
            assert_eq!((decoded.problem, decoded.kind), (None, Kind::Json), "{}", record.name);
            let value: Value = serde_json::from_str(&decoded.text).unwrap();
            assert_eq!(value, record.json, "{}", record.name);
            let id = u32::from_be_bytes(bytes[1..5].try_into().unwrap());
            assert_eq!(decoded.decoder, format!("{} · schema id {id}", record.decoder));
        }
    }
    let mut asked = fake.asked();
    let before = asked.len();
    asked.sort_unstable();
    asked.dedup();
    assert_eq!(asked.len(), before, "each once: {asked:?}");
}
