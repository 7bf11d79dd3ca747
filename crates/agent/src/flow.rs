//! Tells the Kafka client which partitions to fetch, both ways, in step with the lanes.

use std::sync::PoisonError;

use rdkafka::TopicPartitionList;
use rdkafka::consumer::{BaseConsumer, Consumer as _, ConsumerContext};
use tracing::warn;

use crate::record::Tp;
use crate::shared::Shared;

/// May be called from any thread. Waits for the client's main thread, never for the network.
pub(crate) fn apply<C: ConsumerContext>(shared: &Shared, consumer: &BaseConsumer<C>) {
    let _turn = shared.flow_turn.lock().unwrap_or_else(PoisonError::into_inner);
    let (pause, resume) = shared.lock().lanes.flow_changes();
    for (partitions, result) in [
        (&pause, (!pause.is_empty()).then(|| consumer.pause(&list(&pause)))),
        (&resume, (!resume.is_empty()).then(|| consumer.resume(&list(&resume)))),
    ] {
        if let Some(Err(error)) = result {
            // The gates stand in any case; only the fetch goes on for the moment.
            warn!(group.id = %shared.settings.group, %error, "could not tell the client what to fetch");
            shared.lock().lanes.untold(partitions);
        }
    }
}

fn list(partitions: &[Tp]) -> TopicPartitionList {
    let mut list = TopicPartitionList::with_capacity(partitions.len());
    for at in partitions {
        list.add_partition(at.topic.as_str(), at.partition.get());
    }
    list
}
