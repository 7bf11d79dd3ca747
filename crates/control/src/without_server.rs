//! Holds straight on Kafka, where no Flowdeck runs, or none can be reached: listing them, and releasing them.

use std::collections::BTreeMap;
use std::time::Duration;

use flowdeck_kafka::{
    Cluster, ConfigError, Deadline, Isolation, ProducerKind, SendError, TailEvent, TailFrom, TailRequest,
};
use flowdeck_model::actor::ActorView;
use flowdeck_model::{Action, CommandId, CommandState, Hold, HoldId, Partition, Scope, Submit, Target};
use flowdeck_observe::{ClusterSettings, clock};
use flowdeck_protocol::Headers;
use flowdeck_protocol::wire::{self, HoldRecord};

use crate::audit::{Entry, TopicSink};
use crate::commands::Command;
use crate::commands::write_task::words;
use crate::writer::{WriteError, new_record};

/// Each of its steps ends by then.
const STEP: Duration = Duration::from_secs(15);

/// The holds of one cluster.
pub struct HoldsOnKafka {
    cluster: Cluster,
    settings: ClusterSettings,
}

/// A hold that was released.
#[derive(Debug)]
pub struct Released {
    pub hold: Hold,
    /// Where the release lies.
    pub offset: i64,
    /// Why it is not in the audit.
    pub not_audited: Option<String>,
}

impl HoldsOnKafka {
    pub fn new(settings: ClusterSettings) -> Result<Self, ConfigError> {
        Ok(Self { cluster: Cluster::new(settings.kafka.clone())?, settings })
    }

    /// Those in force, by group.
    pub async fn list(&self) -> Result<Vec<Hold>, String> {
        let topic = &self.settings.holds_topic;
        let mut tail = self.cluster.tail(TailRequest {
            topic: topic.clone(),
            // As agents do: what they do not read holds nobody.
            partitions: Some(vec![Partition::FIRST]),
            from: TailFrom::Beginning,
            isolation: Isolation::ReadCommitted,
            max_value_bytes: wire::LONGEST,
        });
        let mut holds: BTreeMap<(Scope, HoldId), Hold> = BTreeMap::new();
        let read = async {
            while let Some(event) = tail.next().await {
                match event {
                    TailEvent::Record(record) => {
                        let headers: Headers<'_> = record.headers_with_values().collect();
                        match wire::read_hold(&headers, record.key.as_deref(), record.value.as_deref()) {
                            HoldRecord::Set(hold) => drop(holds.insert((hold.scope.clone(), hold.id), hold)),
                            HoldRecord::Released { scope, id } => drop(holds.remove(&(scope, id))),
                            HoldRecord::NewerVersion | HoldRecord::Malformed(_) => {}
                        }
                    }
                    TailEvent::Reached(_) => return Ok(()),
                    TailEvent::Gone => {
                        return Err(format!("there is no topic {topic}, or it may not be seen"));
                    }
                    TailEvent::Error(error) => return Err(error.with_cause()),
                }
            }
            Err("the read ended early".to_owned())
        };
        match tokio::time::timeout(STEP, read).await {
            Ok(Ok(())) => Ok(holds.into_values().collect()),
            Ok(Err(why)) => Err(why),
            Err(_) => Err(format!("{topic} was not read to its end within {STEP:?}")),
        }
    }

    /// Releases those that `which` names. A Flowdeck that runs is fenced meanwhile, and takes over again by itself.
    pub async fn release(
        &self,
        actor: &ActorView,
        reason: &str,
        which: impl Fn(&Hold) -> bool,
    ) -> Result<Vec<Released>, String> {
        let kind = ProducerKind::Transactional { id: self.settings.writer_id.clone() };
        let producer = self.cluster.producer(kind).map_err(|error| error.with_cause())?;
        producer.init(Deadline::after(STEP)).await.map_err(why)?;
        // Nobody else writes any more: what is read now is what is in force.
        let holds: Vec<Hold> = self.list().await?.into_iter().filter(|hold| which(hold)).collect();
        if holds.is_empty() {
            return Ok(vec![]);
        }
        let commands: Vec<Command> = holds.iter().map(|hold| resume(hold, actor, reason)).collect();
        let records = holds.iter().zip(&commands).map(|(hold, command)| {
            let record = wire::release_record(&hold.scope, hold.id, command.id);
            new_record(&self.settings.holds_topic, None, record)
        });
        let written = producer.transaction(records.collect(), Deadline::after(STEP)).await;
        let places = written.map_err(why)?;
        let sink = TopicSink::new(self.cluster.clone(), self.settings.audit_topic.clone());
        let mut released = vec![];
        for ((hold, mut command), place) in holds.into_iter().zip(commands).zip(places) {
            command.state = CommandState::Sent;
            command.sent_at = Some(clock::now());
            command.before = vec![hold.clone()];
            let not_audited = audit(&sink, &command).await.err();
            released.push(Released { hold, offset: place.offset, not_audited });
        }
        Ok(released)
    }
}

/// What it is in the audit. A target has no instance: the holds before it say which.
fn resume(hold: &Hold, actor: &ActorView, reason: &str) -> Command {
    let Scope { group, consumer, topic, partition, .. } = hold.scope.clone();
    let (topics, partitions) = (topic.into_iter().collect(), partition.into_iter().collect());
    let target = Target { group, consumer, topics, partitions };
    let submit = Submit {
        id: CommandId::random(),
        action: Action::Resume,
        target,
        reason: reason.to_owned(),
        ends: None,
        offsets: None,
        by: None,
    };
    Command::new(submit, actor.clone(), clock::now())
}

async fn audit(sink: &TopicSink, command: &Command) -> Result<(), String> {
    let operation = command.to_audit(clock::now()).map_err(|error| error.to_string())?;
    let written = sink.write(Entry::Operation(&operation), Deadline::after(STEP)).await;
    written.map(drop).map_err(|error| words(&error))
}

fn why(error: SendError) -> String {
    words(&WriteError::from(error))
}
