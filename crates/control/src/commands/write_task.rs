//! Writing what a plan says: the holds in one transaction, then KafkaFlow's commands. One job at a
//! time for each cluster, beside the actor, so that a broker that hangs delays no reader.

use std::sync::Arc;
use std::time::Duration;

use flowdeck_kafka::{Deadline, Isolation, ReadRequest, ReadStart};
use flowdeck_model::hold::HoldChange;
use flowdeck_model::view::{OffsetChange, SentRecord, Submitted};
use flowdeck_model::{CommandId, GroupId, Hold, Partition, PortError, Scope};
use flowdeck_protocol::wire::Operation;
use flowdeck_protocol::{Record, kafkaflow, wire};
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use super::kafkaflow::AdminCommand;
use super::plan::Check;
use super::start_task::{start, start_again};
use super::starts::Starts;
use crate::audit::{Entry, TopicSink};
use crate::writer::{WriteError, Writers};
use flowdeck_observe::ClusterSettings;
use flowdeck_observe::clock;
use flowdeck_observe::group_seen::GroupSeen;
use flowdeck_observe::group_watch;
use flowdeck_observe::holds::HoldKey;

/// What is sent again at once does not wait longer for the group's state.
const LOOK: Duration = Duration::from_millis(300);

pub(crate) type Answer = oneshot::Sender<Result<Submitted, PortError>>;

/// Something to write.
#[derive(Debug)]
pub(crate) enum WriteTask {
    /// Flowdeck's own topics, where they are missing.
    Topics { brokers: usize },
    /// Takes over the writer's id.
    Lead,
    Command {
        id: CommandId,
        /// Its request, where it is not in the audit yet: before the first effect.
        audit: Option<Box<Operation>>,
        check: Option<Check>,
        changes: Vec<HoldChange>,
        admin: Vec<AdminCommand>,
        /// Messages of Flowdeck's own, each with the pair of admin topics that it goes to.
        records: Vec<(usize, Record)>,
        starts: Option<Box<Starts>>,
    },
    /// KafkaFlow's commands once more.
    Again {
        id: CommandId,
        admin: Vec<AdminCommand>,
        /// Of a pause, its group: nothing is sent while it rebalances.
        held: Option<GroupId>,
    },
    /// Consumers that were stopped and did not start. `or_restart`: by Restart where Kafka lists members.
    StartAgain { id: CommandId, starts: Starts, or_restart: bool },
}

#[derive(Debug)]
pub(crate) enum WriteOutcome {
    Topics { created: bool, problem: Option<String> },
    Lead { result: Result<Took, WriteError> },
    Command { id: CommandId, written: Written },
    Again { id: CommandId, written: Written, seen: Option<(GroupId, GroupSeen)> },
}

/// The writer's id is taken over: nobody else writes to the holds.
#[derive(Debug)]
pub(crate) struct Took {
    /// The last record that the leaders before wrote, if there is one.
    pub(crate) last_hold: Option<i64>,
}

/// What became of it.
#[derive(Debug, Default)]
pub(crate) struct Written {
    /// Of the request; `None` where it was in the audit before.
    pub(crate) audited: Option<Result<(), WriteError>>,
    /// Each change of a hold with its offset.
    pub(crate) holds: Vec<(HoldKey, Option<Hold>, i64)>,
    pub(crate) sent: Vec<SentRecord>,
    /// Of the holds, or of every KafkaFlow command where there was nothing else.
    pub(crate) error: Option<WriteError>,
    pub(crate) notes: Vec<String>,
    /// Of a reset or rewind, as they were found just before.
    pub(crate) offsets: Vec<OffsetChange>,
}

pub(crate) async fn run(
    mut writers: Writers,
    sink: Arc<TopicSink>,
    settings: Arc<ClusterSettings>,
    task: WriteTask,
) -> (Writers, WriteOutcome) {
    let done = match task {
        WriteTask::Topics { brokers } => topics(&writers, &settings, brokers).await,
        WriteTask::Lead => WriteOutcome::Lead { result: lead(&mut writers, &settings).await },
        WriteTask::Command { id, audit, check, changes, admin, records, starts } => {
            let audited = match audit {
                Some(operation) => Some(write_request(&sink, &settings, &operation).await),
                None => None,
            };
            let written = match checked(&writers, &settings, check).await {
                Ok(offsets) => {
                    let messages = messages(id, admin, records);
                    let mut written = write(&mut writers, &settings, id, changes, messages).await;
                    if let Some(starts) = starts.filter(|_| written.error.is_none()) {
                        start(&mut writers, &settings, id, *starts, &mut written).await;
                        unsent_later(&mut written);
                    }
                    Written { offsets, ..written }
                }
                Err(error) => Written { error: Some(error), ..Written::default() },
            };
            WriteOutcome::Command { id, written: Written { audited, ..written } }
        }
        WriteTask::StartAgain { id, starts, or_restart } => {
            let mut written = Written::default();
            match or_restart {
                true => start(&mut writers, &settings, id, starts, &mut written).await,
                false => start_again(&mut writers, &settings, id, starts, &mut written).await,
            }
            WriteOutcome::Again { id, written, seen: None }
        }
        WriteTask::Again { id, admin, held } => {
            let mut written = Written::default();
            let seen = match held {
                Some(group) => look(&writers, group).await,
                None => None,
            };
            if !seen.as_ref().is_some_and(|(_, seen)| seen.is_rebalancing()) {
                send(&mut writers, &settings, messages(id, admin, vec![]), &mut written).await;
            }
            WriteOutcome::Again { id, written, seen }
        }
    };
    (writers, done)
}

/// Takes over the writer's id, and then finds out where the leaders before ended: nobody else writes any more.
async fn lead(writers: &mut Writers, settings: &ClusterSettings) -> Result<Took, WriteError> {
    let deadline = Deadline::after(settings.timing.write_deadline);
    writers.prepare(deadline).await?;
    let request = ReadRequest {
        topic: settings.holds_topic.clone(),
        partitions: Some(vec![Partition::FIRST]),
        start: ReadStart::Newest,
        limit_records: 1,
        limit_bytes: 1,
        max_value_bytes: 0,
        isolation: Isolation::ReadCommitted,
        transactions: false,
        neighbours: false,
        deadline,
    };
    let read = writers.cluster().read(request, CancellationToken::new()).await;
    let read = read.map_err(|error| WriteError::NotWritten(error.with_cause()))?;
    Ok(Took { last_hold: read.records.iter().map(|record| record.offset).max() })
}

/// What has to be done is done without an audit as well; it is written later then.
async fn write_request(
    sink: &TopicSink,
    settings: &ClusterSettings,
    operation: &Operation,
) -> Result<(), WriteError> {
    let deadline = Deadline::after(settings.timing.audit_patience);
    sink.write(Entry::Operation(operation), deadline).await.map(drop)
}

/// What Kafka tells of the group now. Where it does not tell in time, the last refresh counts.
async fn look(writers: &Writers, group: GroupId) -> Option<(GroupId, GroupSeen)> {
    group_watch::ask(writers.cluster(), &[group], Deadline::after(LOOK)).await.pop()
}

/// What has to hold just before anything is sent.
async fn checked(
    writers: &Writers,
    settings: &ClusterSettings,
    check: Option<Check>,
) -> Result<Vec<OffsetChange>, WriteError> {
    let deadline = Deadline::after(settings.timing.write_deadline);
    match check {
        None => Ok(vec![]),
        Some(Check::NoMembers(group)) => {
            let answers = group_watch::ask(writers.cluster(), &[group], deadline).await;
            let members = answers.first().map(|(_, seen)| seen.members.len());
            match members {
                Some(0) => Ok(vec![]),
                Some(_) => Err(WriteError::NotWritten(super::plan::RUNS_ALREADY.to_owned())),
                None => Err(WriteError::NotWritten("Kafka did not tell the members of the group".to_owned())),
            }
        }
        Some(Check::Offsets(lookup)) => {
            lookup.run(writers.cluster(), deadline).await.map_err(WriteError::NotWritten)
        }
    }
}

async fn write(
    writers: &mut Writers,
    settings: &ClusterSettings,
    id: CommandId,
    changes: Vec<HoldChange>,
    messages: Vec<(usize, Record)>,
) -> Written {
    let mut written = Written::default();
    if !changes.is_empty() {
        let records = changes.iter().map(|change| record(change, id)).collect();
        let deadline = Deadline::after(settings.timing.write_deadline);
        match writers.write_holds(&settings.holds_topic, records, deadline).await {
            Ok(places) => {
                for (change, place) in changes.into_iter().zip(places) {
                    let (topic, at) = (settings.holds_topic.clone(), clock::now());
                    let (partition, offset) = (place.partition, place.offset);
                    written.sent.push(SentRecord { topic, partition, offset, at });
                    let (key, hold) = keyed(change);
                    written.holds.push((key, hold, offset));
                }
            }
            Err(error) => {
                written.error = Some(error);
                return written;
            }
        }
    }
    send(writers, settings, messages, &mut written).await;
    unsent_later(&mut written);
    written
}

/// Where holds changed, a KafkaFlow command that was not written is no failure of the whole: it is sent again later.
fn unsent_later(written: &mut Written) {
    if written.holds.is_empty() {
        return;
    }
    if let Some(error) = written.error.take() {
        written.notes.push(format!("KafkaFlow's command was not written: {}", words(&error)));
    }
}

/// As they are written to the admin topics.
pub(super) fn messages(
    id: CommandId,
    admin: Vec<AdminCommand>,
    records: Vec<(usize, Record)>,
) -> Vec<(usize, Record)> {
    let admin = admin.into_iter().map(|one| (one.pair, kafkaflow::command_record(id, one.message)));
    admin.chain(records).collect()
}

pub(super) async fn send(
    writers: &mut Writers,
    settings: &ClusterSettings,
    messages: Vec<(usize, Record)>,
    written: &mut Written,
) {
    // One for all: the actor, and whoever asked, waits for the whole of it.
    let deadline = Deadline::after(settings.timing.write_deadline);
    let mut first_error = None;
    let mut any = false;
    for (pair, record) in messages {
        let Some(pair) = settings.admin_topics.get(pair) else { continue };
        let (topic, partition): (_, Partition) = pair.commands.clone();
        if deadline.passed() {
            let late = "no time was left after the ones before it".to_owned();
            first_error = first_error.or(Some(WriteError::NotWritten(late)));
            break;
        }
        match writers.send_command(&topic, partition, record, deadline).await {
            Ok(place) => {
                any = true;
                written.sent.push(SentRecord {
                    topic,
                    partition: place.partition,
                    offset: place.offset,
                    at: clock::now(),
                });
            }
            Err(error) => first_error = first_error.or(Some(error)),
        }
    }
    match first_error {
        Some(error) if any => {
            written.notes.push(format!("one of KafkaFlow's commands was not written: {}", words(&error)));
        }
        error => written.error = error,
    }
}

fn record(change: &HoldChange, command: CommandId) -> Record {
    match change {
        HoldChange::Set(hold) => wire::hold_record(hold, command),
        HoldChange::Release(hold) => wire::release_record(&hold.scope, hold.id, command),
    }
}

fn keyed(change: HoldChange) -> (HoldKey, Option<Hold>) {
    let key = |hold: &Hold| -> (Scope, _) { (hold.scope.clone(), hold.id) };
    match change {
        HoldChange::Set(hold) => (key(&hold), Some(hold)),
        HoldChange::Release(hold) => (key(&hold), None),
    }
}

pub(crate) fn words(error: &WriteError) -> String {
    match error {
        WriteError::Fenced => crate::writer::FENCED.to_owned(),
        WriteError::InDoubt => "no confirmation in time: it may have been written".to_owned(),
        WriteError::NotWritten(words) => words.clone(),
    }
}

/// Creates `flowdeck.holds` and `flowdeck.acks` (design, "Topics that Flowdeck owns").
async fn topics(writers: &Writers, settings: &ClusterSettings, brokers: usize) -> WriteOutcome {
    let wanted = crate::own_topics::wanted(settings, brokers);
    let deadline = Deadline::after(settings.call_deadline);
    let answers = writers.cluster().create_topics(&wanted, deadline).await;
    let failed = answers.iter().find_map(|(topic, answer)| answer.as_ref().err().map(|cause| (topic, cause)));
    let problem = failed.map(|(topic, cause)| format!("topic {topic} could not be created: {cause}"));
    WriteOutcome::Topics { created: problem.is_none(), problem }
}
