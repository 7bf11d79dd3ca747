//! What a record says of itself as a dead letter, as a reader may see it: masked before anything is grouped or matched,
//! so that neither a group's name nor a hit tells what is masked.

use bytes::Bytes;
use flowdeck_kafka::Record;
use flowdeck_model::view::{DeadLetterOrigin, DeadLetterShape};
use flowdeck_model::{Timestamp, TopicName};
use flowdeck_payload::{DeadLetter, FailedAt, NoOriginal, Original, Part, Shape, dead_letter, original};

use crate::find::SEARCHED;
use crate::payload::{Parts, Reading};
use crate::settings::ClusterSettings;

/// In characters.
const NAME_MAX: usize = 300;
const ERROR_MAX: usize = 500;
/// Of an error's first line, for its group.
const ERROR_KEY_MAX: usize = 200;

/// How the dead letters of one topic are read.
#[derive(Debug, Clone)]
pub struct LetterReading(pub(crate) Reading);

impl LetterReading {
    pub fn new(settings: &ClusterSettings, topic: &TopicName) -> Self {
        Self(Reading { mask: settings.mask(topic), most: SEARCHED, ..Reading::default() })
    }
}

/// What a reader may know of it.
pub fn origin(record: &Record, reading: &LetterReading) -> DeadLetterOrigin {
    let reading = &reading.0;
    let parts = Parts::new(record, reading);
    let raw = parts.dead_letter();
    let masked_headers: Vec<(&str, Option<Bytes>)> = parts
        .headers(SEARCHED)
        .zip(&record.headers)
        .map(|((name, shown, _), (_, raw))| {
            (name, if shown.masked > 0 { Some(Bytes::from(shown.decoded.text)) } else { raw.clone() })
        })
        .collect();
    let masked_value = (raw.shape == Shape::Convex).then(|| parts.value(SEARCHED));
    let value = masked_value.and_then(|shown| match shown.masked {
        0 => record.value.clone(),
        _ => Some(Bytes::from(shown.decoded.text)),
    });
    let headers: Vec<(&str, Option<&[u8]>)> =
        masked_headers.iter().map(|(name, value)| (*name, value.as_deref())).collect();
    view(dead_letter(&headers, value.as_deref()), raw.shape)
}

impl Parts<'_> {
    /// Unmasked: for its shape, and for who copies it.
    pub(crate) fn dead_letter(&self) -> DeadLetter<'_> {
        dead_letter(self.source(Part::Value).headers, self.raw_value())
    }

    /// Unmasked: for who copies it, or masks it.
    pub(crate) fn original(&self) -> Result<Original<'_>, NoOriginal> {
        original(self.source(Part::Value).headers, self.raw_value())
    }
}

fn view(letter: DeadLetter<'_>, shape: Shape) -> DeadLetterOrigin {
    let text = |text: Option<std::borrow::Cow<'_, str>>, most: usize| {
        text.map(|text| text.chars().take(most).collect::<String>())
    };
    DeadLetterOrigin {
        shape: shape_of(shape),
        original_topic: text(letter.topic, NAME_MAX),
        original_partition: letter.partition,
        original_offset: letter.offset,
        original_timestamp: letter.timestamp.and_then(Timestamp::from_millis_exact),
        group: text(letter.group, NAME_MAX).map(Into::into),
        error: text(letter.error, ERROR_MAX),
        attempts: letter.attempts,
        failed_at: letter.failed_at.and_then(|at| match at {
            FailedAt::Millis(millis) => Timestamp::from_millis_exact(millis),
            FailedAt::Text(text) => Timestamp::parse_given(&text),
        }),
    }
}

fn shape_of(shape: Shape) -> DeadLetterShape {
    match shape {
        Shape::Agent => DeadLetterShape::Agent,
        Shape::Convex => DeadLetterShape::Convex,
        Shape::Spring => DeadLetterShape::Spring,
        Shape::Connect => DeadLetterShape::Connect,
        Shape::KafkaFlowRetry => DeadLetterShape::KafkaFlowRetry,
        Shape::Unknown => DeadLetterShape::Unknown,
    }
}

/// What errors have in common that differ in an id alone: the first line, with `#` for numbers and hexadecimal ids.
pub fn error_key(error: &str) -> String {
    let line = error.lines().next().unwrap_or_default();
    let mut key = String::new();
    let mut word = String::new();
    for c in line.chars().take(ERROR_MAX) {
        if c.is_ascii_alphanumeric() {
            word.push(c);
            continue;
        }
        push_word(&mut key, &mut word);
        key.push(c);
    }
    push_word(&mut key, &mut word);
    key.chars().take(ERROR_KEY_MAX).collect()
}

fn push_word(key: &mut String, word: &mut String) {
    let has_digit = word.bytes().any(|byte| byte.is_ascii_digit());
    let is_id = has_digit && word.len() >= 4 && word.bytes().all(|byte| byte.is_ascii_hexdigit());
    if is_id {
        key.push('#');
    } else if has_digit {
        let mut in_number = false;
        for c in word.chars() {
            if !c.is_ascii_digit() {
                key.push(c);
            } else if !in_number {
                key.push('#');
            }
            in_number = c.is_ascii_digit();
        }
    } else {
        key.push_str(word);
    }
    word.clear();
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use flowdeck_kafka::{ClusterConfig, Transaction};
    use flowdeck_model::{Partition, Pattern};
    use flowdeck_payload::Mask;
    use flowdeck_protocol::wire::dead_letters::DeadLetter as Written;

    use super::*;
    use crate::settings::MaskRule;

    fn record(headers: Vec<(String, Option<Bytes>)>, value: &[u8]) -> Record {
        Record {
            topic: Arc::new("orders.dlq".parse().unwrap()),
            partition: Partition::new(0).unwrap(),
            offset: 7,
            timestamp: None,
            key: None,
            key_size: 0,
            value: Some(Bytes::copy_from_slice(value)),
            value_size: value.len(),
            headers,
            transaction: Transaction::Unknown,
        }
    }

    fn settings(mask: Mask) -> ClusterSettings {
        let mut settings = ClusterSettings::new("demo".parse().unwrap(), ClusterConfig::new("localhost:1"));
        settings.masks = vec![MaskRule { topics: Pattern::any(), mask }];
        settings
    }

    fn written(error: &str) -> Vec<(String, Option<Bytes>)> {
        let topic = "orders".parse().unwrap();
        let letter = Written {
            topic: &topic,
            partition: Partition::new(2).unwrap(),
            offset: 42,
            timestamp: Some(Timestamp::from_millis(1_000)),
            group: "billing",
            error,
            attempts: 3,
            failed_at: Timestamp::from_millis(2_000),
        };
        let headers = letter.headers().into_iter();
        headers.map(|(name, value)| (name.to_owned(), Some(Bytes::from(value)))).collect()
    }

    #[test]
    fn what_an_agent_writes_is_read() {
        let settings = settings(Mask::none());
        let reading = LetterReading::new(&settings, &"orders.dlq".parse().unwrap());
        let found = origin(&record(written("no card"), b"{}"), &reading);
        assert_eq!(
            found,
            DeadLetterOrigin {
                shape: DeadLetterShape::Agent,
                original_topic: Some("orders".to_owned()),
                original_partition: Some(2),
                original_offset: Some(42),
                original_timestamp: Some(Timestamp::from_millis(1_000)),
                group: Some("billing".into()),
                error: Some("no card".to_owned()),
                attempts: Some(3),
                failed_at: Some(Timestamp::from_millis(2_000)),
            }
        );
    }

    #[test]
    fn errors_are_masked_before_they_are_grouped() {
        let pattern = Mask::none().with_pattern("[0-9]{4}-[0-9]{4}".parse().unwrap());
        let reading = LetterReading::new(&settings(pattern), &"orders.dlq".parse().unwrap());
        let error = origin(&record(written("card 1234-5678 refused"), b"{}"), &reading).error;
        assert_eq!(error.as_deref(), Some("card *** refused"));
        let hidden = Mask::none().with_header("Flowdeck-Error");
        let reading = LetterReading::new(&settings(hidden), &"orders.dlq".parse().unwrap());
        assert_eq!(origin(&record(written("card"), b"{}"), &reading).error.as_deref(), Some("***"));
        let convex =
            br#"{"OriginalTopic":"orders","OriginalMessage":{},"ErrorMessage":"card","FailedAt":"x"}"#;
        let path = Mask::none().with_path("$.ErrorMessage".parse().unwrap());
        let reading = LetterReading::new(&settings(path), &"orders.dlq".parse().unwrap());
        let found = origin(&record(vec![], convex), &reading);
        assert_eq!((found.shape, found.error.as_deref()), (DeadLetterShape::Convex, Some("***")));
    }

    #[test]
    fn errors_that_differ_in_an_id_are_one() {
        for (error, want) in [
            ("no card 4711", "no card #"),
            ("order 7b8f4f6e-6f4c-4a56-9f0b-0d9c1f2f3a4b failed\n\tat x", "order #-#-#-#-# failed"),
            ("v2 of http2 at 10.0.0.7:443", "v# of http# at #.#.#.#:#"),
            ("dead beef", "dead beef"),
            ("", ""),
        ] {
            assert_eq!(error_key(error), want);
        }
        assert_eq!(error_key(&"x".repeat(10_000)).len(), ERROR_KEY_MAX);
    }
}
