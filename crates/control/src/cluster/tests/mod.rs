//! What a cluster's state does with what comes in, without a broker: jobs are looked at and not run.

mod audit;
mod external;
mod heal;
mod held;
mod leading;
mod lock_ups_before;
mod many;
mod model;
mod starts;

use std::sync::Arc;

use flowdeck_kafka::{ClusterConfig, Record};
use flowdeck_model::actor::ActorView;
use flowdeck_model::hold::HoldChange;
use flowdeck_model::verdict::LagSum;
use flowdeck_model::view::{Mode, SentRecord};
use flowdeck_model::{
    Action, ActionKind, ActorKind, CommandId, CommandState, GroupId, Hold, HoldId, Partition, Scope, Submit,
    Target, Timestamp, TopicName, Via,
};
use flowdeck_protocol::kafkaflow::Command as External;
use flowdeck_protocol::wire;

use super::state::State;
use crate::commands::Command;
use crate::commands::plan::Plan;
use crate::commands::write_task::{Took, WriteOutcome, WriteTask, Written};
use crate::settings::AdminSettings;
use crate::writer::WriteError;
use flowdeck_observe::ClusterSettings;
use flowdeck_observe::sampling::sample::{GroupData, Sample};
use flowdeck_observe::telemetry::registry::Heard;
use flowdeck_observe::telemetry::trust::Trust;
use flowdeck_observe::topic_events::{Incoming, Source, TopicEvent};

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_millis(1_000_000 + seconds * 1_000)
}

pub(super) fn id(number: u128) -> CommandId {
    CommandId::from_uuid(uuid::Uuid::from_u128(number))
}

fn topics(prefix: &str, count: usize) -> Vec<TopicName> {
    (0..count).map(|n| format!("{prefix}{n}").parse().unwrap()).collect()
}

/// A cluster in control mode that lists the groups `g` and `h` and whose holds are known at 0 s.
fn known() -> State {
    let mut state = unknown();
    for source in [Source::Holds, Source::Acks, Source::Audit] {
        state.heard(Incoming::test(source, TopicEvent::CaughtUp, at(0)));
    }
    state
}

fn unknown() -> State {
    let mut settings = ClusterSettings::new("demo".parse().unwrap(), ClusterConfig::new("localhost:1"));
    settings.mode = Mode::Control;
    let mut state = State::new(Arc::new(settings), &AdminSettings::default(), Arc::default());
    let groups = ["g", "h"].map(|name| Arc::new(group(name))).to_vec();
    state.sampled(Arc::new(Sample { as_of: Some(at(0)), groups, ..Sample::default() }), at(0));
    state
}

fn leader() -> State {
    let mut state = known();
    lead(&mut state, None, at(0));
    state
}

/// It is elected, and has taken over the writer's id.
fn lead(state: &mut State, last_hold: Option<i64>, when: Timestamp) {
    state.elected();
    state.jobs.retain(|task| !matches!(task, WriteTask::Lead));
    state.written(WriteOutcome::Lead { result: Ok(Took { last_hold }) }, when);
}

fn ana() -> ActorView {
    ActorView { name: "ana".into(), kind: ActorKind::User, via: Via::Api, address: None }
}

fn submit(number: u128, action: Action, group: &str) -> Submit {
    let target = Target::group(group.into());
    Submit { id: id(number), action, target, reason: "INC-1".into(), ends: None, offsets: None, by: None }
}

/// A request as the audit has it.
fn requested(group: &str, number: u128, action: Action, when: Timestamp) -> wire::Operation {
    let command = Command::new(submit(number, action, group), ana(), when);
    command.to_audit(when).expect("a request")
}

/// The audit's record is read.
fn audited(state: &mut State, operation: &wire::Operation, offset: i64, when: Timestamp) {
    from_topic(state, Source::Audit, wire::operation_record(operation), offset, when);
}

fn acked(state: &mut State, ack: &wire::Ack, when: Timestamp) {
    from_topic(state, Source::Acks, wire::ack_record(ack), 0, when);
}

/// Taken in with others, and not settled yet.
fn acked_among_others(state: &mut State, ack: &wire::Ack, when: Timestamp) {
    take_in(state, Source::Acks, wire::ack_record(ack), 0, when);
}

/// An instance of the group `g` is heard.
fn hear_now(state: &mut State, when: Timestamp) {
    hear(state, "g", "c", when);
}

fn group(name: &str) -> GroupData {
    let sum = LagSum { lag: Some(0), ..LagSum::default() };
    GroupData { sum, as_of: Some(at(0)), ..GroupData::test(name) }
}

pub(super) fn hold(group: &str, number: u128) -> Hold {
    Hold {
        scope: Scope::group(group.into()),
        id: id(number).into(),
        owner: "ana".into(),
        reason: "INC-1".into(),
        since: at(0),
        until: None,
        by: flowdeck_model::HoldBy::Pause,
        except: vec![],
    }
}

fn read(state: &mut State, record: flowdeck_protocol::Record, offset: i64, when: Timestamp) {
    from_topic(state, Source::Holds, record, offset, when);
}

fn from_topic(
    state: &mut State,
    source: Source,
    record: flowdeck_protocol::Record,
    offset: i64,
    when: Timestamp,
) {
    take_in(state, source, record, offset, when);
    state.settle_answered();
}

fn take_in(
    state: &mut State,
    source: Source,
    record: flowdeck_protocol::Record,
    offset: i64,
    when: Timestamp,
) {
    state.heard(Incoming::test(source, TopicEvent::Record(kafka_record(record, offset)), when));
}

/// A record without a time.
fn kafka_record(record: flowdeck_protocol::Record, offset: i64) -> Record {
    Record {
        topic: Arc::new("t".parse().unwrap()),
        partition: Partition::new(0).unwrap(),
        offset,
        timestamp: None,
        key_size: record.key.len(),
        key: Some(record.key.into()),
        value_size: record.value.as_ref().map_or(0, Vec::len),
        value: record.value.map(Into::into),
        headers: record.headers.into_iter().map(|(name, value)| (name, Some(value.into()))).collect(),
        transaction: flowdeck_kafka::Transaction::Unknown,
    }
}

fn set(state: &mut State, hold: &Hold, offset: i64, when: Timestamp) {
    read(state, wire::hold_record(hold, hold.id.into()), offset, when);
}

fn pause(group: &str, topics: Vec<TopicName>) -> External {
    External::PauseConsumersByGroup { group: group.into(), topics }
}

fn resume(group: &str) -> External {
    External::ResumeConsumersByGroup { group: group.into(), topics: vec![] }
}

/// What waits to be written.
fn jobs(state: &State) -> Vec<(CommandId, &[HoldChange])> {
    let changes = state.jobs.iter().filter_map(|job| match job {
        WriteTask::Command { id, changes, .. } => Some((*id, &changes[..])),
        _ => None,
    });
    changes.collect()
}

/// The first of them is written, from `offset` on.
fn write(state: &mut State, offset: i64, when: Timestamp) {
    let Some(WriteTask::Command { id, changes, .. }) = state.jobs.pop_front() else { panic!("nothing") };
    let sent = changes.iter().zip(offset..).map(|(_, offset)| SentRecord {
        topic: "flowdeck.holds".parse().unwrap(),
        partition: Partition::new(0).unwrap(),
        offset,
        at: when,
    });
    let sent = sent.collect();
    let holds = changes.into_iter().zip(offset..).map(|(change, offset)| match change {
        HoldChange::Set(hold) => ((hold.scope.clone(), hold.id), Some(hold), offset),
        HoldChange::Release(hold) => ((hold.scope.clone(), hold.id), None, offset),
    });
    let written = Written { holds: holds.collect(), sent, ..Written::default() };
    state.written(WriteOutcome::Command { id, written }, when);
}

fn fail(state: &mut State, when: Timestamp) {
    let Some(WriteTask::Command { id, .. }) = state.jobs.pop_front() else { panic!("nothing") };
    let error = Some(WriteError::NotWritten("a test".into()));
    state.written(WriteOutcome::Command { id, written: Written { error, ..Written::default() } }, when);
}

/// An operator's pause of a whole group, as it is begun.
fn operator(state: &mut State, group: &str, number: u128, when: Timestamp) {
    let changes = vec![HoldChange::Set(hold(group, number))];
    let mut command = Command::new(submit(number, Action::Pause, group), ana(), when);
    command.audited = true;
    state.begin_own(command, Plan { changes, ..Plan::default() }, when);
}

/// What an instance of KafkaFlow tells of the consumer.
fn heard(group: &str, consumer: &str, topic: &str, when: Timestamp) -> Heard {
    Heard {
        pair: 0,
        group: group.into(),
        consumer: consumer.into(),
        instance: "i".into(),
        agent: false,
        incarnation: None,
        topic: flowdeck_protocol::kafkaflow::TelemetryTopic::Name(topic.parse().unwrap()),
        status: flowdeck_model::view::ConsumerStatus::Running,
        running: vec![Partition::new(0).unwrap()],
        paused: vec![],
        cut: 0,
        workers: None,
        holds: None,
        sent_at: None,
        offset: 0,
        at: when,
    }
}

/// An instance of the consumer is heard, in a group that no broker lists.
fn hear(state: &mut State, group: &str, consumer: &str, when: Timestamp) {
    let heard = heard(group, consumer, "t", when);
    state.observed.registry.hear(heard, |_| Trust::UnknownGroup).expect("within the limits");
}

fn dropped(state: &State, reason: &str) -> u64 {
    let numbers = state.observed.stats.read("demo".parse().unwrap(), 0, 0, 0);
    numbers.records_dropped.get(reason).copied().unwrap_or(0)
}

fn warns(state: &mut State, words: &str, now: Timestamp) -> bool {
    let parts = state.parts(now);
    let mut all = parts.warnings.iter().chain(&parts.controlled.warnings);
    all.any(|warning| warning.contains(words))
}

fn active(state: &State, group: &str) -> usize {
    state.observed.holds.of_group(&GroupId::from(group)).len()
}

fn in_force(state: &State, number: u128) -> bool {
    state.observed.holds.is_in_force(HoldId::from(id(number)))
}
