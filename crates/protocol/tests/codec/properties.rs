//! No bytes make the codec panic, and what it writes it reads.

use std::sync::LazyLock;

use crate::support::{Vector, decode_as, vectors};
use flowdeck_model::actor::{ActorKind, ActorView, Via};
use flowdeck_model::view::{InstanceKind, InstanceOutcome, SentRecord};
use flowdeck_model::{
    Action, CommandId, CommandState, Hold, HoldBy, HoldId, Incarnation, InstanceState, Partition, PauseEnd,
    Scope, Submit, Target, Timestamp, TopicName,
};
use flowdeck_protocol::Headers;
use flowdeck_protocol::kafkaflow::{
    Command, ConsumerStatus, DateTime, Decoded, Message, Telemetry, TelemetryTopic,
};
use flowdeck_protocol::wire::{
    Ack, AckRecord, AuditRecord, HoldRecord, LONGEST, LeftOut, Operation, OperationInstance, Request,
    TopicPartition, ack_record, hold_record, operation_record, read_ack, read_audit, read_hold, read_sample,
};
use proptest::prelude::*;
use proptest::sample::Index;
use uuid::Uuid;

static VECTORS: LazyLock<Vec<Vector>> = LazyLock::new(vectors);

fn message_type() -> impl Strategy<Value = &'static str> {
    any::<Index>().prop_map(|index| index.get(&VECTORS).message_type.as_str())
}

fn topic() -> impl Strategy<Value = TopicName> {
    "[a-zA-Z0-9_-][a-zA-Z0-9._-]{0,40}".prop_map(|name| name.parse().unwrap())
}

fn topics() -> impl Strategy<Value = Vec<TopicName>> {
    prop::collection::vec(topic(), 0..4)
}

fn partition() -> impl Strategy<Value = Partition> {
    (0..=i32::MAX).prop_map(|number| Partition::new(number).unwrap())
}

fn partitions() -> impl Strategy<Value = Vec<Partition>> {
    prop::collection::vec(partition(), 0..20)
}

fn date_time() -> impl Strategy<Value = DateTime> {
    let ticks = DateTime::MIN.ticks()..=DateTime::MAX.ticks();
    let unit =
        prop::sample::select(vec![1, 10_000, 10_000_000, 600_000_000, 36_000_000_000, 864_000_000_000]);
    (ticks, unit).prop_map(|(ticks, unit)| DateTime::from_ticks(ticks / unit * unit).unwrap())
}

fn command() -> impl Strategy<Value = Command> {
    (0..10, any::<String>(), topics(), date_time(), any::<i32>()).prop_map(
        |(kind, name, topics, date_time, workers)| {
            let (consumer, group) = (name.clone().into(), name.into());
            match kind {
                0 => Command::PauseConsumerByName { consumer, topics },
                1 => Command::ResumeConsumerByName { consumer, topics },
                2 => Command::PauseConsumersByGroup { group, topics },
                3 => Command::ResumeConsumersByGroup { group, topics },
                4 => Command::ResetConsumerOffset { consumer, topics },
                5 => Command::RewindConsumerOffsetToDateTime { consumer, date_time, topics },
                6 => Command::RestartConsumerByName { consumer },
                7 => Command::StartConsumerByName { consumer },
                8 => Command::StopConsumerByName { consumer },
                _ => Command::ChangeConsumerWorkersCount { consumer, workers },
            }
        },
    )
}

fn telemetry_topic() -> impl Strategy<Value = TelemetryTopic> {
    prop_oneof![
        topic().prop_map(TelemetryTopic::Name),
        any::<String>().prop_map(|pattern| TelemetryTopic::Pattern(format!("^{pattern}"))),
    ]
}

fn status() -> impl Strategy<Value = ConsumerStatus> {
    prop_oneof![
        Just(ConsumerStatus::Stopped),
        Just(ConsumerStatus::Running),
        Just(ConsumerStatus::PartiallyRunning),
        Just(ConsumerStatus::Paused),
        (4..=i32::MAX).prop_map(ConsumerStatus::Other),
        (i32::MIN..0).prop_map(ConsumerStatus::Other),
    ]
}

fn telemetry() -> impl Strategy<Value = Telemetry> {
    let names = (any::<String>(), any::<String>(), telemetry_topic(), any::<String>());
    let numbers = (any::<i32>(), status(), any::<i64>());
    (names, partitions(), partitions(), date_time(), numbers).prop_map(
        |((group, consumer, topic, instance), running, paused, sent_at, (workers, status, lag))| Telemetry {
            group: group.into(),
            consumer: consumer.into(),
            topic,
            instance: instance.into(),
            running,
            paused,
            sent_at,
            workers,
            status,
            lag,
            dropped_partitions: 0,
        },
    )
}

fn message() -> impl Strategy<Value = Message> {
    prop_oneof![command().prop_map(Message::from), telemetry().prop_map(Message::from)]
}

fn timestamp() -> impl Strategy<Value = Timestamp> {
    any::<i64>().prop_map(Timestamp::from_millis)
}

fn uuid() -> impl Strategy<Value = Uuid> {
    any::<u128>().prop_map(Uuid::from_u128)
}

fn scope() -> impl Strategy<Value = Scope> {
    let name = || prop::option::of(any::<String>());
    (any::<String>(), name(), prop::option::of(topic()), prop::option::of(partition()), name()).prop_map(
        |(group, consumer, topic, partition, instance)| Scope {
            group: group.into(),
            consumer: consumer.map(Into::into),
            topic,
            partition,
            instance: instance.map(Into::into),
        },
    )
}

fn hold() -> impl Strategy<Value = Hold> {
    let words = (any::<String>(), any::<String>(), any::<bool>());
    let times = (timestamp(), prop::option::of(timestamp()));
    (scope(), uuid(), words, times, prop::collection::vec(scope(), 0..3)).prop_map(
        |(scope, id, (owner, reason, by_stop), (since, until), except)| {
            let is_whole = scope.is_whole();
            Hold {
                scope,
                id: HoldId::from_uuid(id),
                owner,
                reason,
                since,
                until,
                by: if by_stop && is_whole { HoldBy::Stop } else { HoldBy::Pause },
                except,
            }
        },
    )
}

fn ack() -> impl Strategy<Value = Ack> {
    let names = (any::<String>(), any::<String>(), any::<String>(), prop::option::of(any::<String>()));
    let state = prop::sample::select(vec![
        InstanceState::Acknowledged,
        InstanceState::Drained,
        InstanceState::NothingToDo,
        InstanceState::Refused,
    ]);
    let partitions = prop::collection::vec((topic(), partition()), 0..5);
    (uuid(), any::<i64>(), names, uuid(), state, partitions, timestamp()).prop_map(
        |(command, holds_offset, (group, consumer, instance, detail), incarnation, state, owned, at)| Ack {
            command: CommandId::from_uuid(command),
            holds_offset,
            group: group.into(),
            consumer: consumer.into(),
            instance: instance.into(),
            incarnation: Incarnation::from_uuid(incarnation),
            state,
            partitions: owned
                .into_iter()
                .map(|(topic, partition)| TopicPartition { topic, partition })
                .collect(),
            moved: vec![],
            at,
            detail,
        },
    )
}

fn actor() -> impl Strategy<Value = ActorView> {
    let kind = prop::sample::select(vec![ActorKind::Anonymous, ActorKind::User, ActorKind::External]);
    let via = prop::sample::select(vec![Via::Page, Via::Api, Via::Cli, Via::KafkaFlow]);
    (any::<String>(), kind, via, prop::option::of(any::<String>()))
        .prop_map(|(name, kind, via, address)| ActorView { name, kind, via, address })
}

fn submit() -> impl Strategy<Value = Submit> {
    let data = prop_oneof![
        timestamp().prop_map(|to| Action::Rewind { to }),
        (1..=1_000_u32).prop_map(|count| Action::ChangeWorkers { workers: count.try_into().unwrap() }),
    ];
    let plain = prop::sample::select(vec![Action::Pause, Action::Resume, Action::Stop, Action::Reset]);
    let action = prop_oneof![plain, data];
    let partitions = prop::collection::vec(partition(), 0..3);
    let target = (any::<String>(), prop::option::of(any::<String>()), topics(), partitions);
    let end = prop_oneof![any::<u32>().prop_map(PauseEnd::After), timestamp().prop_map(PauseEnd::At)];
    (uuid(), action, target, any::<String>(), (prop::option::of(end), any::<bool>())).prop_map(
        |(id, action, (group, consumer, topics, partitions), reason, (ends, by_stop))| Submit {
            id: CommandId::from_uuid(id),
            action,
            target: Target { group: group.into(), consumer: consumer.map(Into::into), topics, partitions },
            reason,
            ends,
            offsets: None,
            by: by_stop.then_some(HoldBy::Stop),
        },
    )
}

fn instance() -> impl Strategy<Value = OperationInstance> {
    let names = (any::<String>(), prop::option::of(any::<String>()), prop::option::of(any::<String>()));
    let kind = prop::sample::select(vec![InstanceKind::Agent, InstanceKind::KafkaFlow, InstanceKind::Member]);
    let state = prop::sample::select(vec![InstanceState::Waiting, InstanceState::NoResponse]);
    let times = (timestamp(), prop::option::of(timestamp()));
    (names, prop::option::of(uuid()), kind, state, times).prop_map(
        |((instance, consumer, detail), incarnation, kind, state, (at, deadline))| OperationInstance {
            outcome: InstanceOutcome {
                instance: instance.into(),
                consumer: consumer.map(Into::into),
                kind,
                incarnation: incarnation.map(Incarnation::from_uuid),
                state,
                at,
                detail,
            },
            deadline,
        },
    )
}

fn sent() -> impl Strategy<Value = SentRecord> {
    (topic(), partition(), any::<i64>(), timestamp()).prop_map(|(topic, partition, offset, at)| SentRecord {
        topic,
        partition,
        offset,
        at,
    })
}

fn operation() -> impl Strategy<Value = Operation> {
    let optional = || prop::option::of(timestamp());
    let times = (timestamp(), timestamp(), optional(), optional());
    let state = prop::sample::select(vec![CommandState::Requested, CommandState::TimedOut]);
    let written = (prop::collection::vec(sent(), 0..3), prop::option::of(any::<u32>()));
    let holds = (prop::collection::vec(uuid(), 0..3), prop::collection::vec(hold(), 0..3));
    let said = (prop::collection::vec(instance(), 0..4), prop::collection::vec(any::<String>(), 0..3));
    (submit(), actor(), times, state, written, holds, said).prop_map(
        |(submit, actor, (at, requested_at, sent_at, until), state, (sent, written), holds, said)| {
            Operation {
                id: submit.id,
                at,
                actor,
                request: Request::of(&submit).unwrap(),
                state,
                requested_at,
                sent_at,
                until,
                sent,
                written,
                holds: holds.0.into_iter().map(HoldId::from_uuid).collect(),
                before: holds.1,
                offsets: vec![],
                instances: said.0,
                notes: said.1,
                brings_back: vec![],
                must_end: vec![],
                left_out: LeftOut::default(),
            }
        },
    )
}

fn version_1() -> Headers<'static> {
    [("Flowdeck-Version", &b"1"[..])].into_iter().collect()
}

/// One damage to good bytes: a byte changed, a piece cut out, doubled, or garbage put in.
fn damage(bytes: &mut Vec<u8>, (at, length, kind, garbage): (Index, u8, u8, Vec<u8>)) {
    if bytes.is_empty() {
        return bytes.extend(garbage);
    }
    let from = at.index(bytes.len());
    let to = bytes.len().min(from + usize::from(length));
    match kind % 4 {
        0 => bytes[from] ^= length,
        1 => drop(bytes.drain(from..to)),
        2 => bytes.extend_from_within(from..to),
        _ => drop(bytes.splice(from..from, garbage)),
    }
}

fn damages() -> impl Strategy<Value = Vec<(Index, u8, u8, Vec<u8>)>> {
    let one = (any::<Index>(), any::<u8>(), any::<u8>(), prop::collection::vec(any::<u8>(), 0..12));
    prop::collection::vec(one, 1..5)
}

/// Whatever was read can be written, and is then read as the same.
fn reads_back(decoded: Decoded) -> Result<(), TestCaseError> {
    let Decoded::Message(message) = decoded else { return Ok(()) };
    let again = decode_as(&message.message_type(), &message.encode());
    prop_assert_eq!(again, Decoded::Message(message));
    Ok(())
}

proptest! {
    #[test]
    fn arbitrary_bytes_do_not_panic(
        message_type in message_type(),
        value in prop::collection::vec(any::<u8>(), 0..400),
    ) {
        reads_back(decode_as(message_type, &value))?;
    }

    #[test]
    fn arbitrary_headers_do_not_panic(header in "(KafkaFlow.Admin.Messages.)?.{0,40}(, KafkaFlow.Admin)?") {
        decode_as(&header, b"\x0a\x01o");
    }

    #[test]
    fn damaged_vectors_do_not_panic(at in any::<Index>(), damages in damages()) {
        let vector = at.get(&VECTORS);
        let mut bytes = vector.bytes();
        damages.into_iter().for_each(|one| damage(&mut bytes, one));
        reads_back(decode_as(&vector.message_type, &bytes))?;
    }

    #[test]
    fn what_is_encoded_is_decoded(message in message()) {
        let decoded = decode_as(&message.message_type(), &message.encode());
        prop_assert_eq!(decoded, Decoded::Message(message));
    }

    #[test]
    fn arbitrary_bytes_do_not_panic_on_own_wire(
        key in prop::collection::vec(any::<u8>(), 0..200),
        value in prop::collection::vec(any::<u8>(), 0..200),
    ) {
        read_hold(&version_1(), Some(&key), Some(&value));
        read_ack(&version_1(), Some(&value));
        let _ = read_audit(&version_1(), Some(&key), Some(&value));
        read_sample(&version_1(), Some(&value));
    }

    #[test]
    fn holds_come_back(hold in hold(), damages in damages()) {
        let record = hold_record(&hold, hold.id.into());
        let read = read_hold(&record.headers(), Some(&record.key), record.value.as_deref());
        prop_assert_eq!(read, HoldRecord::Set(hold));
        let (mut key, mut value) = (record.key, record.value.unwrap());
        for one in damages {
            damage(&mut key, one.clone());
            damage(&mut value, one);
        }
        read_hold(&version_1(), Some(&key), Some(&value));
    }

    #[test]
    fn acks_come_back(ack in ack(), damages in damages()) {
        let record = ack_record(&ack);
        prop_assert_eq!(read_ack(&record.headers(), record.value.as_deref()), AckRecord::Ack(ack));
        let mut value = record.value.unwrap();
        damages.into_iter().for_each(|one| damage(&mut value, one));
        read_ack(&version_1(), Some(&value));
    }

    #[test]
    fn operations_are_read_back(operation in operation(), damages in damages()) {
        let record = operation_record(&operation);
        prop_assert!(record.value.as_ref().unwrap().len() <= LONGEST);
        let read = read_audit(&record.headers(), Some(&record.key), record.value.as_deref());
        prop_assert_eq!(read, Ok(AuditRecord::Operation(Box::new(operation))));
        let (mut key, mut value) = (record.key, record.value.unwrap());
        for one in damages {
            let _ = read_audit(&version_1(), Some(&key), Some(&value));
            damage(&mut value, one.clone());
            let _ = read_audit(&version_1(), Some(&key), Some(&value));
            damage(&mut key, one);
        }
    }
}
