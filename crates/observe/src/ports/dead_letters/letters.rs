//! The newest dead letters of a topic, in groups by original topic and error.

use std::collections::HashMap;
use std::time::Duration;

use flowdeck_kafka::{Cluster, ReadEnd, ReadStart, Record};
use flowdeck_model::view::{
    DeadLetterGroup, DeadLetterOrigin, DeadLetterRow, DeadLetterShape, DeadLettersView, FoundBy,
};
use flowdeck_model::{DeadLettersQuery, PortError, TopicName};

use super::{BoundDeadLetters, Look, time_of};
use crate::clock;
use crate::dead_letters::{LetterReading, error_key, origin};
use crate::snapshot::ClusterSnapshot;

/// Records that are read at most, their bytes, and the bytes of one.
const READ_MAX: usize = 5_000;
const BYTES_MAX: usize = 16 * 1024 * 1024;
const VALUE_MAX: usize = 256 * 1024;
const TIME: Duration = Duration::from_secs(3);
/// Groups and letters that are listed.
const GROUPS_MAX: usize = 50;
const LETTERS_MAX: usize = 100;

impl BoundDeadLetters {
    pub(super) async fn newest(
        &self,
        one: &ClusterSnapshot,
        kafka: &Cluster,
        topic: &TopicName,
        query: &DeadLettersQuery,
    ) -> Result<DeadLettersView, PortError> {
        let unavailable = |detail: String| Self::unavailable(&one.settings.name, detail);
        let look = Look {
            partitions: None,
            start: ReadStart::Newest,
            records: READ_MAX,
            bytes: BYTES_MAX,
            value: VALUE_MAX,
            time: TIME,
        };
        let outcome = look.read(&self.core, kafka, topic).await.map_err(unavailable)?;
        let mut notes: Vec<String> = outcome
            .partitions
            .iter()
            .filter_map(|part| {
                part.error.as_ref().map(|cause| format!("partition {}: {cause}", part.partition))
            })
            .collect();
        notes.truncate(3);
        let count =
            outcome.partitions.iter().map(|part| u64::try_from(part.end - part.start).unwrap_or(0)).sum();
        let complete = notes.is_empty() && outcome.end == ReadEnd::Complete && !outcome.older;
        let scanned = u32::try_from(outcome.records.len()).unwrap_or(u32::MAX);
        let (reading, query) = (LetterReading::new(&one.settings, topic), query.clone());
        // Decoding takes time: it has a thread of its own.
        let work = tokio::task::spawn_blocking(move || summed(outcome.records, &reading, &query));
        let summed = work.await.map_err(|_| unavailable("the records could not be decoded".to_owned()))?;
        let by_shape = summed.known_shapes.then_some(FoundBy::Shape);
        Ok(DeadLettersView {
            now: clock::now(),
            cluster_info: one.view.clone(),
            topic: topic.clone(),
            found_by: one.settings.dead_letters_by_name(topic).or(by_shape),
            count,
            scanned,
            complete,
            more_groups: u32::try_from(summed.groups.len().saturating_sub(GROUPS_MAX)).unwrap_or(u32::MAX),
            groups: summed.groups.into_iter().take(GROUPS_MAX).collect(),
            letters: summed.letters,
            matching: summed.matching,
            notes,
        })
    }
}

struct Summed {
    groups: Vec<DeadLetterGroup>,
    letters: Vec<DeadLetterRow>,
    matching: u32,
    /// At least one says that it is a dead letter.
    known_shapes: bool,
}

type GroupKey = (Option<String>, Option<String>, DeadLetterShape);

/// Of records that are newest first.
fn summed(records: Vec<Record>, reading: &LetterReading, query: &DeadLettersQuery) -> Summed {
    let mut groups: HashMap<GroupKey, DeadLetterGroup> = HashMap::new();
    let mut summed = Summed { groups: vec![], letters: vec![], matching: 0, known_shapes: false };
    for record in records {
        let origin = origin(&record, reading);
        summed.known_shapes |= origin.shape != DeadLetterShape::Unknown;
        let error = origin.error.as_deref().map(error_key);
        let is_match = query.matches(origin.original_topic.as_deref(), error.as_deref());
        count(&mut groups, &record, &origin, error);
        if !is_match {
            continue;
        }
        summed.matching += 1;
        if summed.letters.len() < LETTERS_MAX {
            let timestamp = time_of(&record);
            let (partition, offset) = (record.partition, record.offset);
            summed.letters.push(DeadLetterRow { partition, offset, timestamp, origin });
        }
    }
    summed.groups = groups.into_values().collect();
    summed.groups.sort_by(|one, other| {
        (other.count, &one.original_topic, &one.error).cmp(&(one.count, &other.original_topic, &other.error))
    });
    summed
}

fn count(
    groups: &mut HashMap<GroupKey, DeadLetterGroup>,
    record: &Record,
    origin: &DeadLetterOrigin,
    error: Option<String>,
) {
    let key = (origin.original_topic.clone(), error.clone(), origin.shape);
    let group = groups.entry(key).or_insert_with(|| DeadLetterGroup {
        original_topic: origin.original_topic.clone(),
        error,
        shape: origin.shape,
        count: 0,
        oldest: None,
        newest: None,
    });
    group.count += 1;
    let Some(at) = time_of(record) else { return };
    group.oldest = Some(group.oldest.map_or(at, |oldest| oldest.min(at)));
    group.newest = Some(group.newest.map_or(at, |newest| newest.max(at)));
}
