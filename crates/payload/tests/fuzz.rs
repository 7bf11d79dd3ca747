//! Bytes that nobody wrote, for every decoder: the golden vectors with bytes changed, cut, doubled and put together, by a
//! seed. Whatever they are, something is shown, within its bound, in a bounded time, and without a panic.
//!
//! `cargo xtask soak decoders` runs it for longer (`FLOWDECK_DECODERS_SECONDS`); `FLOWDECK_DECODERS_SEED` repeats one.

use std::sync::Arc;
use std::time::{Duration, Instant};

use flowdeck_payload::{
    Choices, Decoder, HeaderList, How, Kind, Mask, NamedSchema, NoSchema, Part, RegisteredSchema, Schema,
    Schemas, Source, dead_letter, decode, original, show,
};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde::Deserialize;
use serde_json::Value;

/// In the usual run.
const SECONDS: u64 = 5;
/// Of one value of at most [`LONGEST`] bytes, in a build without optimisation on a machine that does much else. What it is
/// for is work without end: a count that no bytes back, nesting, an unpacked bomb.
const SLOWEST: Duration = Duration::from_secs(30);
const LONGEST: usize = 64 * 1024;
/// Of a number as text, which is shown as a whole; what is masked is shorter.
const NUMBER_MAX: usize = 400;

#[derive(Deserialize)]
struct Vector {
    bytes: String,
    schema: Option<Value>,
}

#[derive(Deserialize)]
struct Registered {
    records: Vec<Vector>,
}

/// Of the schemas by ids of a registry: one of each format.
#[derive(Debug)]
struct Known([Arc<RegisteredSchema>; 3]);

impl Schemas for Known {
    fn schema(&self, id: u32) -> Result<Arc<RegisteredSchema>, NoSchema> {
        let place = usize::try_from(id).unwrap_or_default();
        self.0.get(place % 4).cloned().ok_or_else(|| NoSchema::Unknown("there is none".to_owned()))
    }
}

fn known() -> Known {
    let avro = r#"{"type":"record","name":"A","fields":[{"name":"a","type":["null","A"]},
        {"name":"b","type":{"type":"map","values":{"type":"array","items":"double"}}},
        {"name":"c","type":{"type":"bytes","logicalType":"decimal","scale":3}}]}"#;
    let proto = r#"syntax = "proto3"; import "google/protobuf/struct.proto";
        message A { A a = 1; repeated sint64 b = 2; map<string, A> c = 3; google.protobuf.Struct d = 4; }
        message B { message C { bytes a = 1; } repeated C c = 1; }"#;
    let schemas = [
        RegisteredSchema::avro(avro, &[]).unwrap(),
        RegisteredSchema::protobuf(proto, vec![]).unwrap(),
        RegisteredSchema::json("{\"title\":\"a\"}"),
    ];
    Known(schemas.map(Arc::new))
}

fn bytes(hex: &str) -> Vec<u8> {
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).expect("hex")).collect()
}

/// What others wrote, and what is hostile by itself.
fn beginnings() -> (Vec<Vec<u8>>, Vec<NamedSchema>) {
    let vectors: Vec<Vector> = serde_json::from_str(include_str!("golden/vectors.json")).unwrap();
    let registered: Registered =
        serde_json::from_str(include_str!("../../registry/tests/golden/registry.json")).unwrap();
    let protobuf = Schema::protobuf(include_bytes!("golden/shop.desc"), "shop.Order").unwrap();
    let mut schemas = vec![NamedSchema { name: "shop.Order".to_owned(), schema: protobuf }];
    for schema in vectors.iter().filter_map(|vector| vector.schema.as_ref()) {
        let schema = Schema::avro(&schema.to_string()).unwrap();
        if !schemas.iter().any(|known| known.schema == schema) {
            schemas.push(NamedSchema { name: schemas.len().to_string(), schema });
        }
    }
    let golden = vectors.iter().chain(&registered.records).map(|vector| bytes(&vector.bytes));
    let own: [&[u8]; 8] = [
        b"{\"OriginalTopic\":\"a\",\"OriginalMessage\":\"b\",\"ErrorMessage\":\"c\",\"FailedAt\":\"2026-11-21T14:08:57Z\"}",
        b"{\"password\":\"hunter2\",\"a\":[{\"token\":1}]}",
        b"password=hunter2&a=\xff",
        b"\0\x01\0\x04ping\0\x05topic\0\0\0\x01",
        b"\x9f\x9f\x9f\x9f\x9f\x9f",
        b"\xdd\xff\xff\xff\xff",
        b"\xff\xfe{\0",
        b"",
    ];
    (golden.chain(own.map(<[u8]>::to_vec)).collect(), schemas)
}

/// From some bytes to others.
fn changed(random: &mut StdRng, all: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = all[random.random_range(0..all.len())].clone();
    for _ in 0..random.random_range(0..6) {
        let at = random.random_range(0..=bytes.len());
        match random.random_range(0..8) {
            0 => bytes.truncate(at),
            1 => bytes.insert(at, random.random()),
            2 => bytes.splice(at..at, [0xff; 9]).for_each(drop),
            3 => {
                let other = &all[random.random_range(0..all.len())];
                let from = random.random_range(0..=other.len());
                bytes.splice(at.., other[from..].iter().copied()).for_each(drop);
            }
            // Over and over, as hostile nesting is.
            4 => {
                let part = bytes[at..bytes.len().min(at + random.random_range(1..9))].to_vec();
                let times = random.random_range(1..4_000);
                bytes.splice(at..at, part.repeat(times)).for_each(drop);
            }
            5 => bytes = [&[0, 0, 0, 0, random.random_range(0..5)][..], &bytes].concat(),
            _ if !bytes.is_empty() => {
                let at = at.min(bytes.len() - 1);
                bytes[at] = if random.random() {
                    random.random()
                } else {
                    bytes[at] ^ (1 << random.random_range(0..8))
                };
            }
            _ => {}
        }
        bytes.truncate(LONGEST);
    }
    bytes
}

struct Run<'a> {
    known: &'a Known,
    decoders: Vec<(String, Decoder)>,
    mask: Mask,
}

impl Run<'_> {
    fn one(&self, random: &mut StdRng, bytes: &[u8], other: &[u8]) {
        let (name, decoder) = &self.decoders[random.random_range(0..self.decoders.len())];
        let size = if random.random_bool(0.8) { bytes.len() } else { bytes.len() + 100 };
        let shown = *[0, 1, 7, 200, 4_096, 1 << 20].get(random.random_range(0..6)).unwrap_or(&200);
        let words = ["content-type", "Message-Type", "ce_id", "ce_specversion", "dlt-original-topic", "x"];
        let word = words[random.random_range(0..words.len())];
        let headers: &HeaderList<'_> =
            &[(word, Some(other)), ("content-type", Some(b"text/plain; charset=utf-16"))];
        let headers = &headers[..random.random_range(0..=2)];
        let topic = if random.random_bool(0.2) { "__consumer_offsets" } else { "orders" };
        let part = [Part::Key, Part::Value, Part::Value, Part::Header][random.random_range(0..4)];
        let source = Source { topic, part, key: Some(other), headers, schemas: Some(self.known) };
        let decoded = decode(&source, Some(bytes), size, decoder, shown);
        assert!(decoded.text.len() <= shown.max(NUMBER_MAX), "{name}: {} of {shown}", decoded.text.len());
        if decoded.kind == Kind::Json && !decoded.cut && size == bytes.len() && decoded.problem.is_none() {
            let json: Result<serde::de::IgnoredAny, _> = serde_json::from_str(&decoded.text);
            // Its depth is serde_json's bound too.
            let is_deep = |error: &serde_json::Error| error.to_string().contains("recursion");
            assert!(json.is_ok() || json.as_ref().is_err_and(is_deep), "{name}: {json:?}");
        }
        let _ = dead_letter(headers, Some(bytes));
        let _ = original(headers, Some(bytes));
        let how = How { usual: Decoder::default(), chosen: Some(decoder.clone()) };
        let masked = show(&source, Some(bytes), size, &how, &self.mask, shown);
        assert!(
            masked.decoded.text.len() <= shown.max(NUMBER_MAX),
            "{name} masked: {}",
            masked.decoded.text.len()
        );
    }
}

#[test]
fn no_bytes_panic_or_take_long_in_any_decoder() {
    let setting = |name: &str| std::env::var(name).ok().and_then(|value| value.parse::<u64>().ok());
    let seconds = setting("FLOWDECK_DECODERS_SECONDS").unwrap_or(SECONDS);
    // The usual run is the same each time; the long one is another each time.
    let usual = setting("FLOWDECK_DECODERS_SECONDS").is_none();
    let seed = setting("FLOWDECK_DECODERS_SEED").unwrap_or_else(|| if usual { 1 } else { rand::random() });
    // Shown where it fails.
    println!("FLOWDECK_DECODERS_SEED={seed}");
    let (mut all, schemas) = beginnings();
    let golden = all.len();
    let choices = Choices::new(schemas).with_registry(true);
    let names = choices.names().into_iter().chain(["text:utf-16le".to_owned(), "text:shift_jis".to_owned()]);
    let decoders = names.map(|name| (name.clone(), choices.parse(&name).unwrap())).collect();
    let known = known();
    let run = Run { known: &known, decoders, mask: Mask::usual() };
    let mut random = StdRng::seed_from_u64(seed);
    let (end, mut count) = (Instant::now() + Duration::from_secs(seconds), 0_u64);
    while Instant::now() < end {
        let bytes = changed(&mut random, &all);
        let other = changed(&mut random, &all);
        let began = Instant::now();
        run.one(&mut random, &bytes, &other);
        let took = began.elapsed();
        assert!(
            took < SLOWEST,
            "{took:?} for {} bytes that begin {:x?}",
            bytes.len(),
            &bytes[..bytes.len().min(80)]
        );
        count += 1;
        // Some of them are where others begin.
        if random.random_bool(0.01) {
            all.truncate(golden + 200);
            all.push(bytes);
        }
    }
    println!("{count} values in {seconds} s");
    assert!(count > 0);
}
