//! Reads the cluster's metadata, so that nothing is produced to a topic that is not there. The
//! reader's client creates none by asking (`allow.auto.create.topics=false`).

use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, Consumer as _, ConsumerContext};
use rdkafka::error::{KafkaResult, RDKafkaErrorCode};

const LIMIT: Duration = Duration::from_secs(3);

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Presence {
    Here,
    Missing,
    /// The cluster answers, but not about this topic.
    Refused(RDKafkaErrorCode),
}

/// Asks about one topic; an error where the cluster does not answer.
pub(crate) fn presence_of<C: ConsumerContext>(
    client: &BaseConsumer<C>,
    topic: &str,
) -> KafkaResult<Presence> {
    let metadata = client.fetch_metadata(Some(topic), LIMIT)?;
    let Some(found) = metadata.topics().iter().find(|found| found.name() == topic) else {
        return Ok(Presence::Missing);
    };
    Ok(match found.error().map(RDKafkaErrorCode::from) {
        // Without a leader for the moment, or just created: it is there.
        None | Some(RDKafkaErrorCode::LeaderNotAvailable) => Presence::Here,
        Some(
            RDKafkaErrorCode::UnknownTopicOrPartition
            | RDKafkaErrorCode::UnknownTopic
            | RDKafkaErrorCode::UnknownPartition,
        ) => Presence::Missing,
        Some(code) => Presence::Refused(code),
    })
}
