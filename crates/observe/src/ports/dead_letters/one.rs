//! One dead letter with its original: as a re-drive would copy it, masked by the rules of both topics.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use flowdeck_kafka::{Cluster, ReadStart, Record};
use flowdeck_model::error::ResourceKind;
use flowdeck_model::record_place::RecordPlace;
use flowdeck_model::view::messages::PAYLOAD_FULL;
use flowdeck_model::view::{DeadLetterView, MessageView};
use flowdeck_model::{PortError, TopicName};
use flowdeck_payload::{How, Shape};

use super::{BoundDeadLetters, Look};
use crate::clock;
use crate::dead_letters::{LetterReading, origin};
use crate::payload::{self, Parts, Reading};
use crate::settings::ClusterSettings;
use crate::snapshot::ClusterSnapshot;

const TIME: Duration = Duration::from_secs(3);
/// Of one record: Kafka's usual limit is below it.
const BYTES_MAX: usize = 16 * 1024 * 1024;

impl BoundDeadLetters {
    pub(super) async fn one(
        &self,
        one: &ClusterSnapshot,
        kafka: &Cluster,
        topic: &TopicName,
        place: RecordPlace,
    ) -> Result<DeadLetterView, PortError> {
        let unavailable = |detail: String| Self::unavailable(&one.settings.name, detail);
        let look = Look {
            partitions: Some(vec![place.partition]),
            start: ReadStart::Offset(place.offset),
            records: 1,
            bytes: BYTES_MAX,
            value: BYTES_MAX,
            time: TIME,
        };
        let mut outcome = look.read(&self.core, kafka, topic).await.map_err(unavailable)?;
        let found = outcome.records.pop().filter(|record| record.offset == place.offset);
        let Some(record) = found else {
            let hint = "it was deleted, or its transaction was aborted";
            return Err(PortError::not_found_because(ResourceKind::Record, place.to_string(), hint));
        };
        let settings = Arc::clone(&one.settings);
        let work = tokio::task::spawn_blocking(move || shown(&record, &settings));
        let shown = work.await.map_err(|_| unavailable("the record could not be decoded".to_owned()))?;
        Ok(DeadLetterView {
            now: clock::now(),
            cluster_info: one.view.clone(),
            topic: topic.clone(),
            origin: shown.origin,
            record: shown.record,
            original: shown.original,
            note: shown.note,
        })
    }
}

struct ShownLetter {
    origin: flowdeck_model::view::DeadLetterOrigin,
    record: MessageView,
    original: Option<MessageView>,
    note: Option<String>,
}

fn shown(record: &Record, settings: &ClusterSettings) -> ShownLetter {
    let plain = Reading { most: PAYLOAD_FULL, mask: settings.mask(&record.topic), ..Reading::default() };
    let parts = Parts::new(record, &plain);
    let letter = parts.dead_letter();
    let topic = letter.topic.as_deref().and_then(|name| name.parse::<TopicName>().ok());
    // What is masked on the original topic is masked in its copies.
    let mut reading = reading(settings, &record.topic, topic.as_ref());
    let whole = parts.original();
    let (original, note) = match whole {
        Ok(original) => {
            let note = (letter.shape == Shape::Convex).then(|| CONVEX.to_owned());
            let copy = Record {
                topic: Arc::new(topic.unwrap_or_else(|| record.topic.as_ref().clone())),
                value_size: original.value.as_ref().map_or(0, |value| value.len()),
                value: original.value.map(|value| Bytes::from(value.into_owned())),
                headers: owned(&original.headers),
                ..record.clone()
            };
            (Some(payload::message(&copy, &reading)), note)
        }
        Err(why) => (None, Some(why.to_string())),
    };
    // The letter itself is decoded as its own topic's records are.
    let own = reading_of(settings, &record.topic);
    (reading.key, reading.value) = (own.key, own.value);
    let origin = origin(record, &LetterReading(reading.clone()));
    ShownLetter { origin, record: payload::message(record, &reading), original, note }
}

const CONVEX: &str =
    "Convex's letters hold the message as JSON or as text: bytes of it that were not UTF-8 are lost.";

fn owned(headers: &[(&str, Option<&[u8]>)]) -> Vec<(String, Option<Bytes>)> {
    headers.iter().map(|(name, value)| ((*name).to_owned(), value.map(Bytes::copy_from_slice))).collect()
}

fn reading(settings: &ClusterSettings, letters: &TopicName, original: Option<&TopicName>) -> Reading {
    let of = reading_of(settings, original.unwrap_or(letters));
    let mask = settings.mask(letters);
    let mask = original.map_or_else(|| mask.clone(), |original| mask.clone().and(&settings.mask(original)));
    Reading { mask, ..of }
}

/// Decoders as configured.
fn reading_of(settings: &ClusterSettings, topic: &TopicName) -> Reading {
    let configured = settings.topic(topic);
    let how = |one: Option<&crate::settings::ConfiguredDecoder>| How {
        usual: one.map(|one| one.decoder.clone()).unwrap_or_default(),
        chosen: None,
    };
    Reading {
        key: how(configured.and_then(|one| one.key.as_ref())),
        value: how(configured.and_then(|one| one.value.as_ref())),
        schemas: settings.schemas.clone(),
        most: PAYLOAD_FULL,
        ..Reading::default()
    }
}
