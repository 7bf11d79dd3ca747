//! Dead letters as their producers write them (`golden/dead_letters.py`), and hostile ones.

use flowdeck_payload::{DeadLetter, FailedAt, dead_letter, original};
use proptest::prelude::*;
use serde::Deserialize;

#[derive(Deserialize)]
struct Vector {
    name: String,
    headers: Vec<(String, Option<String>)>,
    value: Option<String>,
    letter: Letter,
    original: Option<Original>,
}

#[derive(Deserialize, Debug, PartialEq)]
struct Letter {
    shape: String,
    topic: Option<String>,
    partition: Option<i32>,
    offset: Option<i64>,
    timestamp: Option<i64>,
    group: Option<String>,
    error: Option<String>,
    attempts: Option<u32>,
    failed_at: Option<String>,
}

#[derive(Deserialize, Debug, PartialEq)]
struct Original {
    value: Option<String>,
    headers: Vec<String>,
}

fn bytes(hex: &str) -> Vec<u8> {
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).expect("hex")).collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn letter(found: &DeadLetter<'_>) -> Letter {
    let text = |text: &Option<std::borrow::Cow<'_, str>>| text.as_ref().map(ToString::to_string);
    Letter {
        shape: format!("{:?}", found.shape),
        topic: text(&found.topic),
        partition: found.partition,
        offset: found.offset,
        timestamp: found.timestamp,
        group: text(&found.group),
        error: text(&found.error),
        attempts: found.attempts,
        failed_at: found.failed_at.as_ref().map(|at| match at {
            FailedAt::Millis(millis) => millis.to_string(),
            FailedAt::Text(text) => text.to_string(),
        }),
    }
}

#[test]
fn reads_what_producers_write_and_gives_back_the_original() {
    let vectors: Vec<Vector> =
        serde_json::from_str(include_str!("golden/dead_letters.json")).expect("vectors");
    assert!(vectors.len() > 10);
    for vector in vectors {
        let headers: Vec<(&str, Option<Vec<u8>>)> =
            vector.headers.iter().map(|(name, value)| (name.as_str(), value.as_deref().map(bytes))).collect();
        let headers: Vec<(&str, Option<&[u8]>)> =
            headers.iter().map(|(name, value)| (*name, value.as_deref())).collect();
        let value = vector.value.as_deref().map(bytes);
        assert_eq!(letter(&dead_letter(&headers, value.as_deref())), vector.letter, "{}", vector.name);
        let original = original(&headers, value.as_deref()).ok().map(|original| Original {
            value: original.value.as_deref().map(hex),
            headers: original.headers.iter().map(|(name, _)| (*name).to_owned()).collect(),
        });
        assert_eq!(original, vector.original, "{}", vector.name);
    }
}

proptest! {
    #[test]
    fn nothing_panics(
        names in prop::collection::vec(prop::sample::select(vec![
            "Flowdeck-Original-Topic", "Flowdeck-Attempts", "kafka_dlt-original-topic", "kafka_dlt-original-offset",
            "retry_topic-attempts", "__connect.errors.topic", "Kafka-Flow-Retry-Durable-Queue-Id", "other",
        ]), 0..6),
        content in prop::option::of(prop::collection::vec(any::<u8>(), 0..20)),
        value in prop::option::of("\\PC{0,30}|\\{\"OriginalTopic\":\"a\",\"OriginalMessage\":.{0,9}\\}"),
    ) {
        let headers: Vec<(&str, Option<&[u8]>)> = names.iter().map(|name| (*name, content.as_deref())).collect();
        let value = value.as_deref().map(str::as_bytes);
        let _ = dead_letter(&headers, value);
        if let Ok(original) = original(&headers, value) {
            prop_assert!(original.headers.len() <= headers.len());
        }
    }
}
