//! KafkaFlow's bytes against vectors that another protobuf implementation made.

use std::collections::BTreeSet;

use crate::support::{decode_as, vectors};
use flowdeck_model::{CommandId, Incarnation, Partition, Timestamp};
use flowdeck_protocol::kafkaflow::{
    Command, ConsumerStatus, DateTime, Decoded, Message, Telemetry, command_record, decode,
    external_command_record, telemetry_record,
};
use flowdeck_protocol::wire::{Sender, command_of, sender};
use flowdeck_protocol::{Headers, Malformed, PARTITIONS_MAX, VALUE_MAX};
use uuid::Uuid;

const TELEMETRY: &str = "KafkaFlow.Admin.Messages.ConsumerTelemetryMetric, KafkaFlow.Admin";

#[test]
fn reads_what_another_implementation_writes() {
    let mut kinds = BTreeSet::new();
    for vector in vectors() {
        let decoded = vector.decode();
        let Some(says) = vector.message else { continue };
        kinds.insert(says.kind.clone());
        assert_eq!(decoded, Decoded::Message(says.message()), "{}", vector.name);
    }
    assert_eq!(kinds.len(), 11, "ten commands and the telemetry: {kinds:?}");
}

#[test]
fn writes_the_bytes_of_protobuf_net() {
    let mut compared = 0;
    for vector in vectors().into_iter().filter(|vector| vector.canonical) {
        let bytes = vector.bytes();
        let message = vector.message.unwrap().message();
        assert_eq!(message.encode(), bytes, "{}", vector.name);
        let name = message.message_type();
        assert!(vector.message_type.starts_with(&name), "{name}");
        compared += 1;
    }
    assert!(compared > 45, "{compared}");
}

/// What a real KafkaFlow wrote for each call of its HTTP contracts.
#[test]
fn recorded_commands_are_read_and_written_byte_for_byte() {
    #[derive(serde::Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Recorded {
        from: String,
        message_type: String,
        value_hex: String,
    }
    let all: Vec<Recorded> = serde_json::from_str(include_str!("../vectors/recorded.json")).unwrap();
    let mut types = std::collections::BTreeSet::new();
    for one in &all {
        let digits = |at: usize| u8::from_str_radix(&one.value_hex[at..at + 2], 16).unwrap();
        let value: Vec<u8> = (0..one.value_hex.len()).step_by(2).map(digits).collect();
        let headers: Headers<'_> = [("Message-Type", one.message_type.as_bytes())].into_iter().collect();
        let Decoded::Message(message) = decode(&headers, Some(&value)) else {
            panic!("{}: {}", one.from, one.value_hex)
        };
        assert_eq!(message.message_type(), one.message_type, "{}", one.from);
        assert_eq!(message.encode(), value, "{}", one.from);
        types.insert(&one.message_type);
    }
    assert_eq!(types.len(), 10, "every command: {types:?}");
}

#[test]
fn refuses_the_malformed_with_a_reason() {
    let mut refused = 0;
    for vector in vectors() {
        let decoded = vector.decode();
        let Some(why) = vector.malformed else { continue };
        let Decoded::Malformed(reason) = decoded else { panic!("{}: {decoded:?}", vector.name) };
        assert!(format!("{reason:?}").starts_with(&why), "{}: {reason:?}, not {why}", vector.name);
        refused += 1;
    }
    assert!(refused > 35, "{refused}");
}

#[test]
fn ignores_what_kafkaflow_ignores() {
    let vectors: Vec<_> = vectors().into_iter().filter(|vector| vector.not_ours).collect();
    assert!(!vectors.is_empty());
    for vector in &vectors {
        assert_eq!(vector.decode(), Decoded::NotOurs, "{}", vector.name);
    }
    assert_eq!(decode(&Headers::default(), Some(b"\x0a\x01o")), Decoded::NotOurs);
    let other: Headers<'_> = [("message-type", TELEMETRY.as_bytes())].into_iter().collect();
    assert_eq!(decode(&other, Some(b"\x0a\x01o")), Decoded::NotOurs);
    let not_text: Headers<'_> = [("Message-Type", &b"\xff\xfe"[..])].into_iter().collect();
    assert_eq!(decode(&not_text, Some(b"\x0a\x01o")), Decoded::NotOurs);
}

#[test]
fn last_header_counts_and_value_is_required() {
    let headers: Headers<'_> =
        [("Message-Type", &b"Shop.Order, Shop"[..]), ("Message-Type", TELEMETRY.as_bytes())]
            .into_iter()
            .collect();
    assert_eq!(decode(&headers, None), Decoded::Malformed(Malformed::NoValue));
}

fn telemetry() -> Telemetry {
    Telemetry {
        group: "payments".into(),
        consumer: "orders".into(),
        topic: "dev-orders".parse::<flowdeck_model::TopicName>().unwrap().into(),
        instance: "web-1-42".into(),
        running: vec![],
        paused: vec![],
        sent_at: DateTime::from(Timestamp::from_millis(1_795_270_137_123)),
        workers: 4,
        status: ConsumerStatus::of(true, true),
        lag: 0,
        dropped_partitions: 0,
    }
}

fn partitions(count: i32) -> Vec<Partition> {
    (0..count).map(|number| Partition::new(number).unwrap()).collect()
}

#[test]
fn million_partitions_are_truncated_and_counted() {
    let sent = Telemetry { running: partitions(1_000_000), paused: partitions(3), ..telemetry() };
    let Decoded::Message(Message::Telemetry(read)) = decode_as(TELEMETRY, &Message::from(sent).encode())
    else {
        panic!("not read")
    };
    assert_eq!(read.running, partitions(PARTITIONS_MAX as i32));
    assert_eq!(read.paused, partitions(3));
    assert_eq!(read.dropped_partitions, 1_000_000 - PARTITIONS_MAX as u64);
}

#[test]
fn packed_million_of_zeros_is_truncated_and_counted() {
    let mut value = Message::from(telemetry()).encode();
    // Field 5, length-delimited, 1,000,000 bytes.
    value.extend([0x2a, 0xc0, 0x84, 0x3d]);
    value.extend(std::iter::repeat_n(0, 1_000_000));
    let Decoded::Message(Message::Telemetry(read)) = decode_as(TELEMETRY, &value) else { panic!("not read") };
    assert_eq!((read.running.len(), read.dropped_partitions), (PARTITIONS_MAX, 990_000));
}

#[test]
fn huge_names_and_values_are_refused() {
    let huge = Telemetry { instance: "x".repeat(200_000).into(), ..telemetry() };
    let decoded = decode_as(TELEMETRY, &Message::from(huge).encode());
    assert_eq!(decoded, Decoded::Malformed(Malformed::NameTooLong("instanceName")));
    let decoded = decode_as(TELEMETRY, &vec![0; VALUE_MAX + 1]);
    assert_eq!(decoded, Decoded::Malformed(Malformed::TooLong));
}

#[test]
fn records_carry_what_tells_ours_from_external() {
    let uuid = Uuid::from_u128(0x67e55044_10b1_426f_9247_bb680e5fe0c8);
    let text = "67e55044-10b1-426f-9247-bb680e5fe0c8";
    let command = Command::StopConsumerByName { consumer: "orders".into() };

    let ours = command_record(CommandId::from_uuid(uuid), command.clone());
    assert_eq!(ours.key, text.as_bytes());
    assert_eq!(command_of(&ours.headers()), Some(CommandId::from_uuid(uuid)));
    assert_eq!(decode(&ours.headers(), ours.value.as_deref()), Decoded::Message(command.clone().into()));

    let external = external_command_record(uuid, command);
    assert_eq!((external.key, external.value.clone()), (ours.key, ours.value));
    assert_eq!(external.headers.len(), 1);

    let agent = telemetry_record(uuid, telemetry(), Some(Incarnation::from_uuid(uuid)));
    assert_eq!(agent.key, uuid.as_bytes());
    assert_eq!(agent.headers[1], ("Flowdeck-Agent".to_owned(), format!("1;{text}").into_bytes()));
    assert_eq!(sender(&agent.headers()), Sender::Agent(Incarnation::from_uuid(uuid)));
    assert_eq!(sender(&telemetry_record(uuid, telemetry(), None).headers()), Sender::KafkaFlow);
    for other in ["2;67e55044-10b1-426f-9247-bb680e5fe0c8", "1;", "", "1"] {
        let headers: Headers<'_> = [("Flowdeck-Agent", other.as_bytes())].into_iter().collect();
        assert_eq!(sender(&headers), Sender::OtherAgent, "{other}");
    }
}
