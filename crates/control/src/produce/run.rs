//! One record from its request to its outcome. It goes on to its end whether or not whoever asked waits for it.

use std::sync::Arc;
use std::time::Duration;

use flowdeck_kafka::{Deadline, NewRecord, SendError};
use flowdeck_model::actor::ActorView;
use flowdeck_model::record_place::RecordPlace;
use flowdeck_model::{CommandId, PortError};
use flowdeck_observe::{ClusterSettings, clock};
use flowdeck_protocol::wire::{ProduceEvent, ProduceRecord, ProduceRequested};

use super::ProduceDesk;
use super::book::{ProduceBook, Produced};
use crate::audit::Entry;
use crate::commands::write_task;
use crate::kept::{self, in_doubt, unavailable};

/// As long as the client tries.
const SEND: Duration = Duration::from_secs(12);
/// To write the outcome.
const ATTEMPTS: usize = 5;
const AGAIN: Duration = Duration::from_secs(1);

pub(super) struct Work {
    pub(super) id: CommandId,
    pub(super) actor: ActorView,
    pub(super) requested: ProduceRequested,
    pub(super) record: NewRecord,
}

impl ProduceDesk {
    pub(super) async fn carry_out(
        &self,
        settings: &ClusterSettings,
        work: Work,
    ) -> Result<Arc<Produced>, PortError> {
        let Work { id, actor, requested, record } = work;
        let attempt = requested.attempt;
        let asked = ProduceEvent::Requested(requested);
        let asked = ProduceRecord { id, at: clock::now(), actor: actor.clone(), event: asked };
        let known = self.kept.write(settings, id, Entry::Produce(&asked), |_| true).await;
        let known = known.map_err(not_produced)?;
        // Another request under this id came first: it decides.
        if known.request.attempt != attempt {
            return Ok(known);
        }
        let event = self.send(record).await;
        let outcome = ProduceRecord { id, at: clock::now(), actor, event };
        // Shown here at once, also where the audit cannot be written now.
        kept::fold(&self.book, vec![outcome.clone()], ProduceBook::heard);
        self.tell(settings, &outcome).await;
        let cluster = &settings.name;
        self.kept.get(id).ok_or_else(|| in_doubt(cluster, id, "it is not remembered any more"))
    }

    async fn send(&self, record: NewRecord) -> ProduceEvent {
        let failed = |why: String| ProduceEvent::Failed { why, in_doubt: false };
        let producer = match self.producer() {
            Ok(producer) => producer,
            Err(why) => return failed(why),
        };
        match producer.send(record, Deadline::after(SEND)).await {
            Ok(placed) => {
                ProduceEvent::Written(RecordPlace { partition: placed.partition, offset: placed.offset })
            }
            Err(error) => {
                self.forget_producer();
                let in_doubt = error == SendError::InDoubt;
                ProduceEvent::Failed { why: words(&error), in_doubt }
            }
        }
    }

    /// Other replicas, and this one after a restart, know the outcome from the audit alone.
    async fn tell(&self, settings: &ClusterSettings, outcome: &ProduceRecord) {
        for attempt in 1..=ATTEMPTS {
            let Err(error) = self.kept.tell(settings, Entry::Produce(outcome)).await else { return };
            let is_last = attempt == ATTEMPTS || self.shutdown.is_cancelled();
            if is_last {
                let error = write_task::words(&error);
                tracing::warn!(id = %outcome.id, %error, "the outcome of a produced record is not in the audit");
                return;
            }
            tokio::select! {
                () = self.shutdown.cancelled() => {}
                () = tokio::time::sleep(AGAIN) => {}
            }
        }
    }
}

/// Nobody but this process produces it, and only once its request is read back.
fn not_produced(error: PortError) -> PortError {
    match error {
        PortError::InDoubt { cluster, detail, .. } => {
            let detail = format!("no record was produced; its request may be in the audit: {detail}");
            unavailable(&cluster, detail)
        }
        error => error,
    }
}

fn words(error: &SendError) -> String {
    match error {
        SendError::Failed(cause) | SendError::Aborted(cause) => format!("{error}: {cause}"),
        _ => error.to_string(),
    }
}
