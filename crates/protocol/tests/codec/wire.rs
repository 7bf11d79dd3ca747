//! Flowdeck's own records, byte by byte: version 1 is frozen, so these texts never change.

use flowdeck_model::view::{
    AgentCounts, AgentReport, CircuitBreakerView, CircuitState, HandlerFailure, ProcessingTimes,
    RunningHandler,
};
use flowdeck_model::{
    CommandId, Hold, HoldBy, HoldId, Incarnation, InstanceState, Partition, Scope, Timestamp, TopicName,
};
use flowdeck_protocol::kafkaflow::{Decoded, decode};
use flowdeck_protocol::wire::dead_letters::DeadLetter;
use flowdeck_protocol::wire::retries::{Retried, read_retried, retry_headers};
use flowdeck_protocol::wire::{
    Ack, AckRecord, EXCEPTIONS_MAX, HoldRecord, LONGEST, MovedOffset, SetOffset, SetOffsets, TopicPartition,
    ack_record, check_hold, command_of, hold_record, read_ack, read_hold, read_set_offsets, release_record,
    set_offsets_record,
};
use flowdeck_protocol::wire::{
    AgentTelemetry, AgentTelemetryRecord, REPORT_MAX, agent_telemetry_record, read_agent_telemetry,
};
use flowdeck_protocol::wire::{IN_FLIGHT, InFlight, in_flight_header, in_flight_of};
use flowdeck_protocol::{Headers, Malformed, NAME_MAX, PARTITIONS_MAX, Record};
use uuid::Uuid;

pub(crate) const ONE: Uuid = Uuid::from_u128(0x67e55044_10b1_426f_9247_bb680e5fe0c8);
pub(crate) const TWO: Uuid = Uuid::from_u128(0x0b9c9e1c_3f7e_4b43_9d0e_5f8e7d5b1a77);

fn topic(name: &str) -> TopicName {
    name.parse().unwrap()
}

fn partition(number: i32) -> Partition {
    Partition::new(number).unwrap()
}

fn whole_scope() -> Scope {
    Scope {
        group: "pay\"ments 🦀".into(),
        consumer: Some("orders".into()),
        topic: Some(topic("dev-orders")),
        partition: Some(partition(3)),
        instance: Some("web-1-42".into()),
    }
}

fn hold() -> Hold {
    Hold {
        scope: whole_scope(),
        id: HoldId::from_uuid(ONE),
        owner: "ana".into(),
        reason: "INC-1: poison\nrecord".into(),
        since: Timestamp::from_millis(1_795_270_137_123),
        until: Some(Timestamp::from_millis(1_795_273_737_123)),
        by: HoldBy::Pause,
        except: vec![Scope { topic: Some(topic("t")), ..Scope::group("payments".into()) }],
    }
}

fn small_hold() -> Hold {
    Hold { scope: Scope::group("".into()), reason: "".into(), until: None, except: vec![], ..hold() }
}

fn ack() -> Ack {
    Ack {
        command: CommandId::from_uuid(ONE),
        holds_offset: 17,
        group: "payments".into(),
        consumer: "orders".into(),
        instance: "web-1-42".into(),
        incarnation: Incarnation::from_uuid(TWO),
        state: InstanceState::FetchStopped,
        partitions: vec![
            TopicPartition { topic: topic("dev-orders"), partition: partition(0) },
            TopicPartition { topic: topic("dev-orders"), partition: partition(3) },
        ],
        moved: vec![],
        at: Timestamp::from_millis(1_795_270_137_456),
        detail: Some("2 in flight".into()),
    }
}

/// All of a record as text.
pub(crate) fn text(record: &Record) -> String {
    let utf8 = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    let headers: Vec<String> =
        record.headers.iter().map(|(name, value)| format!("{name}: {}", utf8(value))).collect();
    let value = record.value.as_deref().map_or("(tombstone)".to_owned(), utf8);
    format!("{}\n{}\n{value}", headers.join("\n"), utf8(&record.key))
}

#[test]
fn a_hold_byte_by_byte() {
    insta::assert_snapshot!(text(&hold_record(&hold(), CommandId::from_uuid(TWO))), @r#"
    Flowdeck-Version: 1
    Flowdeck-Command: 0b9c9e1c-3f7e-4b43-9d0e-5f8e7d5b1a77
    {"scope":{"group":"pay\"ments 🦀","consumer":"orders","topic":"dev-orders","partition":3,"instance":"web-1-42"},"id":"67e55044-10b1-426f-9247-bb680e5fe0c8"}
    {"owner":"ana","reason":"INC-1: poison\nrecord","since":1795270137123,"until":1795273737123,"except":[{"group":"payments","topic":"t"}]}
    "#);
    insta::assert_snapshot!(text(&hold_record(&small_hold(), CommandId::from_uuid(ONE))), @r#"
    Flowdeck-Version: 1
    Flowdeck-Command: 67e55044-10b1-426f-9247-bb680e5fe0c8
    {"scope":{"group":""},"id":"67e55044-10b1-426f-9247-bb680e5fe0c8"}
    {"owner":"ana","reason":"","since":1795270137123,"except":[]}
    "#);
    let by_stop = Hold { by: HoldBy::Stop, ..small_hold() };
    insta::assert_snapshot!(text(&hold_record(&by_stop, CommandId::from_uuid(ONE))), @r#"
    Flowdeck-Version: 1
    Flowdeck-Command: 67e55044-10b1-426f-9247-bb680e5fe0c8
    {"scope":{"group":""},"id":"67e55044-10b1-426f-9247-bb680e5fe0c8"}
    {"owner":"ana","reason":"","since":1795270137123,"by":"stop","except":[]}
    "#);
}

/// Of whole groups and consumers only; and a word of a later version is a pause, as agents take it either way.
#[test]
fn a_hold_by_stop_is_of_a_whole_consumer() {
    let read_by = |scope: Scope, by: &str| {
        let record = hold_record(&Hold { scope, ..small_hold() }, CommandId::from_uuid(ONE));
        let value = String::from_utf8(record.value.clone().unwrap()).unwrap();
        let value = value.replace(r#""except""#, &format!(r#""by":{by},"except""#));
        match read_hold(&record.headers(), Some(&record.key), Some(value.as_bytes())) {
            HoldRecord::Set(hold) => Ok(hold.by),
            other => Err(format!("{other:?}")),
        }
    };
    let consumer = || Scope { consumer: Some("orders".into()), ..Scope::group("g".into()) };
    let one_topic = || Scope { topic: Some(topic("t")), ..consumer() };
    for (scope, by, want) in [
        (consumer(), r#""stop""#, HoldBy::Stop),
        (consumer(), r#""pause""#, HoldBy::Pause),
        (consumer(), r#""later""#, HoldBy::Pause),
        (consumer(), "null", HoldBy::Pause),
        (one_topic(), r#""stop""#, HoldBy::Pause),
    ] {
        assert_eq!(read_by(scope.clone(), by), Ok(want), "{scope:?} {by}");
    }
    let malformed = HoldRecord::Malformed(Malformed::ValueJson);
    assert_eq!(read_by(consumer(), "1"), Err(format!("{malformed:?}")));
}

#[test]
fn a_release_byte_by_byte() {
    let scope = Scope { consumer: Some("orders".into()), ..Scope::group("payments".into()) };
    let record = release_record(&scope, HoldId::from_uuid(ONE), CommandId::from_uuid(TWO));
    insta::assert_snapshot!(text(&record), @r#"
    Flowdeck-Version: 1
    Flowdeck-Command: 0b9c9e1c-3f7e-4b43-9d0e-5f8e7d5b1a77
    {"scope":{"group":"payments","consumer":"orders"},"id":"67e55044-10b1-426f-9247-bb680e5fe0c8"}
    (tombstone)
    "#);
}

#[test]
fn an_ack_byte_by_byte() {
    insta::assert_snapshot!(text(&ack_record(&ack())), @r#"
    Flowdeck-Version: 1
    67e55044-10b1-426f-9247-bb680e5fe0c8
    {"command":"67e55044-10b1-426f-9247-bb680e5fe0c8","holdsOffset":17,"group":"payments","consumer":"orders","instance":"web-1-42","incarnation":"0b9c9e1c-3f7e-4b43-9d0e-5f8e7d5b1a77","state":"fetchStopped","partitions":[{"topic":"dev-orders","partition":0},{"topic":"dev-orders","partition":3}],"at":1795270137456,"detail":"2 in flight"}
    "#);
    let small = Ack { partitions: vec![], detail: None, state: InstanceState::NothingToDo, ..ack() };
    insta::assert_snapshot!(text(&ack_record(&small)), @r#"
    Flowdeck-Version: 1
    67e55044-10b1-426f-9247-bb680e5fe0c8
    {"command":"67e55044-10b1-426f-9247-bb680e5fe0c8","holdsOffset":17,"group":"payments","consumer":"orders","instance":"web-1-42","incarnation":"0b9c9e1c-3f7e-4b43-9d0e-5f8e7d5b1a77","state":"nothingToDo","partitions":[],"at":1795270137456}
    "#);
}

#[test]
fn every_state_has_its_name() {
    use InstanceState::*;
    let states = [
        Waiting,
        Acknowledged,
        FetchStopped,
        Drained,
        NothingToDo,
        NothingToRead,
        Refused,
        NoResponse,
        NotControllable,
    ];
    let names: Vec<String> = states
        .map(|state| {
            let value: serde_json::Value =
                serde_json::from_slice(&ack_record(&Ack { state, ..ack() }).value.unwrap()).unwrap();
            value["state"].as_str().unwrap().to_owned()
        })
        .to_vec();
    assert_eq!(
        names.join(" "),
        "waiting acknowledged fetchStopped drained nothingToDo nothingToRead refused noResponse notControllable"
    );
}

fn telemetry() -> AgentTelemetry {
    let at = |millis: i64| Timestamp::from_millis(1_795_270_137_000 + millis);
    let place = |offset| ("dev-orders".parse::<TopicName>().unwrap(), partition(3), offset);
    let (topic, partition, offset) = place(17);
    let running = RunningHandler { topic, partition, offset, since: at(-40_000) };
    let (topic, partition, offset) = place(16);
    let error =
        HandlerFailure { at: at(-7), topic, partition, offset, attempt: 2, error: "a time-out".into() };
    AgentTelemetry {
        group: "payments".into(),
        consumer: "orders".into(),
        instance: "web-1-42".into(),
        incarnation: Incarnation::from_uuid(TWO),
        report: AgentReport {
            at: at(456),
            version: "0.1.0".into(),
            host: "web-1".into(),
            started_at: Some(at(-60_000)),
            labels: [("region".into(), "eu-1".into())].into(),
            workers: 3,
            read_committed: Some(true),
            cpu_millicores: Some(420),
            memory_bytes: Some(48_000_000),
            processing: Some(ProcessingTimes {
                seconds: 60,
                calls: 7,
                p50_micros: 1,
                p95_micros: 2,
                p99_micros: 3,
                max_micros: 4,
            }),
            counts: AgentCounts {
                handled: 7,
                failed: 6,
                skipped: 5,
                dead_lettered: 4,
                retry_topics: 3,
                dropped_uncommitted: 2,
            },
            buffered: 214,
            buffer_size: 300,
            in_flight: 1,
            running: vec![running],
            errors_kept: 50,
            errors: vec![error],
            circuit_breaker: Some(CircuitBreakerView {
                state: CircuitState::HalfOpen,
                since: at(0),
                retry_at: None,
                opened: 2,
                error: Some("a time-out".into()),
            }),
        },
    }
}

fn report_of(record: &Record) -> AgentTelemetryRecord {
    read_agent_telemetry(&record.headers(), record.value.as_deref())
}

#[test]
fn agent_telemetry_byte_by_byte() {
    let record = agent_telemetry_record(telemetry()).unwrap();
    insta::assert_snapshot!(text(&record), @r#"
    Flowdeck-Version: 1
    Message-Type: Flowdeck.AgentTelemetry
    Flowdeck-Agent: 1;0b9c9e1c-3f7e-4b43-9d0e-5f8e7d5b1a77
    0b9c9e1c-3f7e-4b43-9d0e-5f8e7d5b1a77
    {"group":"payments","consumer":"orders","instance":"web-1-42","incarnation":"0b9c9e1c-3f7e-4b43-9d0e-5f8e7d5b1a77","at":"2026-11-21T14:08:57.456Z","version":"0.1.0","host":"web-1","startedAt":"2026-11-21T14:07:57.000Z","labels":{"region":"eu-1"},"workers":3,"readCommitted":true,"cpuMillicores":420,"memoryBytes":48000000,"processing":{"seconds":60,"calls":7,"p50Micros":1,"p95Micros":2,"p99Micros":3,"maxMicros":4},"counts":{"handled":7,"failed":6,"skipped":5,"deadLettered":4,"retryTopics":3,"droppedUncommitted":2},"buffered":214,"bufferSize":300,"inFlight":1,"running":[{"topic":"dev-orders","partition":3,"offset":17,"since":"2026-11-21T14:08:17.000Z"}],"errorsKept":50,"errors":[{"at":"2026-11-21T14:08:56.993Z","topic":"dev-orders","partition":3,"offset":16,"attempt":2,"error":"a time-out"}],"circuitBreaker":{"state":"halfOpen","since":"2026-11-21T14:08:57.000Z","retryAt":null,"opened":2,"error":"a time-out"}}
    "#);
    assert_eq!(report_of(&record), AgentTelemetryRecord::Telemetry(Box::new(telemetry())));
}

#[test]
fn agent_telemetry_fits_into_16_kib_and_keeps_the_newest_errors() {
    let mut long = telemetry();
    let error = long.report.errors[0].clone();
    long.report.errors = (0..50)
        .map(|attempt| HandlerFailure { attempt, error: "\u{1}\u{e9}".repeat(2_000), ..error.clone() })
        .collect();
    long.report.labels = (0..100).map(|n| (format!("{n}{}", "x".repeat(200)), "x".repeat(200))).collect();
    let record = agent_telemetry_record(long.clone()).unwrap();
    assert!(record.value.as_ref().unwrap().len() <= REPORT_MAX);
    let AgentTelemetryRecord::Telemetry(read) = report_of(&record) else { panic!("telemetry") };
    let attempts: Vec<u32> = read.report.errors.iter().map(|error| error.attempt).collect();
    assert!(!attempts.is_empty() && attempts.iter().copied().eq(0..attempts.len() as u32), "{attempts:?}");
    assert_eq!(read.report.errors[0].error.chars().count(), 400);
    assert_eq!((read.report.labels.len(), read.report.errors_kept), (16, 50));
    long.group = "\u{1}".repeat(NAME_MAX).as_str().into();
    long.consumer = "\u{1}".repeat(NAME_MAX).as_str().into();
    long.instance = "\u{1}".repeat(NAME_MAX).as_str().into();
    assert!(agent_telemetry_record(long).is_none(), "no more than its names would fit");
}

#[test]
fn agent_telemetry_of_others_is_read_as_far_as_it_goes() {
    let record = agent_telemetry_record(telemetry()).unwrap();
    let least = format!(
        r#"{{"group":"g","consumer":"c","instance":"i","incarnation":"{TWO}","at":"2026-11-21T14:08:57Z","new":{{"a":1}}}}"#
    );
    let read = |headers: &Headers<'_>, value: &[u8]| read_agent_telemetry(headers, Some(value));
    let AgentTelemetryRecord::Telemetry(read_least) = read(&record.headers(), least.as_bytes()) else {
        panic!("telemetry")
    };
    assert_eq!((read_least.group.as_str(), read_least.report.counts), ("g", AgentCounts::default()));
    let malformed =
        |value: &[u8]| matches!(read(&record.headers(), value), AgentTelemetryRecord::Malformed(_));
    assert!(malformed(b"{}") && malformed(b"") && malformed(&vec![b' '; REPORT_MAX + 1]));
    let other = Record { headers: vec![("Message-Type".into(), b"Other".to_vec())], ..record.clone() };
    assert_eq!(report_of(&other), AgentTelemetryRecord::Other);
    let mut newer = record;
    newer.headers[0].1 = b"2".to_vec();
    assert_eq!(report_of(&newer), AgentTelemetryRecord::NewerVersion);
}

fn read_back(record: &Record) -> HoldRecord {
    read_hold(&record.headers(), Some(&record.key), record.value.as_deref())
}

#[test]
fn what_is_written_is_read() {
    for hold in [hold(), small_hold(), Hold { by: HoldBy::Stop, ..small_hold() }] {
        let record = hold_record(&hold, CommandId::from_uuid(TWO));
        assert_eq!(command_of(&record.headers()), Some(CommandId::from_uuid(TWO)));
        assert_eq!(read_back(&record), HoldRecord::Set(hold.clone()));
        let release = release_record(&hold.scope, hold.id, CommandId::from_uuid(TWO));
        assert_eq!(release.key, record.key, "a tombstone lies under the hold's own key");
        assert_eq!(read_back(&release), HoldRecord::Released { scope: hold.scope, id: hold.id });
    }
    let record = ack_record(&ack());
    assert_eq!(read_ack(&record.headers(), record.value.as_deref()), AckRecord::Ack(ack()));
}

#[test]
fn other_versions_are_left_alone() {
    let record = hold_record(&hold(), CommandId::from_uuid(ONE));
    let ack = ack_record(&ack());
    for version in [None, Some("2"), Some("10"), Some(""), Some("1.0"), Some("one")] {
        let headers: Headers<'_> =
            version.iter().map(|version| ("Flowdeck-Version", version.as_bytes())).collect();
        let read = read_hold(&headers, Some(&record.key), record.value.as_deref());
        assert_eq!(read, HoldRecord::NewerVersion, "{version:?}");
        assert_eq!(read_ack(&headers, ack.value.as_deref()), AckRecord::NewerVersion, "{version:?}");
    }
}

#[test]
fn malformed_holds_are_refused() {
    let key = r#"{"scope":{"group":"g"},"id":"67e55044-10b1-426f-9247-bb680e5fe0c8"}"#;
    let value = r#"{"owner":"o","reason":"r","since":1,"except":[]}"#;
    let long = format!(r#"{{"scope":{{"group":"{}"}},"id":"{ONE}"}}"#, "g".repeat(1025));
    let many = format!(
        r#"{{"owner":"o","reason":"r","since":1,"except":[{}]}}"#,
        vec![r#"{"group":"g"}"#; 1001].join(",")
    );
    let deep = "[".repeat(100_000);
    let narrowed = key.replace(r#""g""#, r#""g","shard":1"#);
    let bad_id = key.replace("67e5", "xyzt");
    let bad_topic = key.replace(r#""g""#, r#""g","topic":"a/b""#);
    let bad_partition = key.replace(r#""g""#, r#""g","partition":-1"#);
    for (key, value, want) in [
        (key, r#"{"owner":"o"}"#, Malformed::ValueJson),
        (key, r#"{"owner":"o","reason":"r","since":1e300,"except":[]}"#, Malformed::ValueJson),
        (key, &value[..20], Malformed::ValueJson),
        (key, "", Malformed::ValueJson),
        (key, &deep, Malformed::ValueJson),
        (key, &many, Malformed::TooManyExceptions),
        (&narrowed, value, Malformed::KeyJson),
        (&bad_id, value, Malformed::KeyJson),
        (&bad_topic, value, Malformed::KeyJson),
        (&bad_partition, value, Malformed::KeyJson),
        (&long, value, Malformed::NameTooLong("group")),
        ("null", value, Malformed::KeyJson),
        ("\u{0}", value, Malformed::KeyJson),
    ] {
        let headers: Headers<'_> = [("Flowdeck-Version", &b"1"[..])].into_iter().collect();
        let read = read_hold(&headers, Some(key.as_bytes()), Some(value.as_bytes()));
        assert_eq!(read, HoldRecord::Malformed(want), "{key:.100} {value:.100}");
    }
    let headers: Headers<'_> = [("Flowdeck-Version", &b"1"[..])].into_iter().collect();
    assert_eq!(read_hold(&headers, None, None), HoldRecord::Malformed(Malformed::NoKey));
    for (length, taken) in [(LONGEST, true), (LONGEST + 1, false)] {
        let padded = |text: &str| format!("{text}{}", " ".repeat(length - text.len())).into_bytes();
        let read = read_hold(&headers, Some(key.as_bytes()), Some(&padded(value)));
        assert_eq!(matches!(read, HoldRecord::Set(_)), taken, "{length}: {read:?}");
        let read = read_hold(&headers, Some(&padded(key)), Some(value.as_bytes()));
        assert_eq!(matches!(read, HoldRecord::Set(_)), taken, "{length}: {read:?}");
        let ack = String::from_utf8(ack_record(&ack()).value.unwrap()).unwrap();
        let read = read_ack(&headers, Some(&padded(&ack)));
        assert_eq!(matches!(read, AckRecord::Ack(_)), taken, "{length}: {read:?}");
    }
    assert_eq!(read_ack(&headers, None), AckRecord::Malformed(Malformed::NoValue));
}

/// The writer asks by the readers' own rules.
#[test]
fn what_no_reader_takes_is_refused_before_it_is_written() {
    let except = |count: usize, name: usize| -> Vec<Scope> {
        let scope = |n| Scope {
            topic: Some(topic(&format!("t-{n}"))),
            ..Scope::group("g".repeat(name).as_str().into())
        };
        (0..count).map(scope).collect()
    };
    let group = |length| Scope::group("g".repeat(length).as_str().into());
    for (hold, want) in [
        (hold(), Ok(())),
        (Hold { except: except(EXCEPTIONS_MAX, 1), ..hold() }, Ok(())),
        (Hold { except: except(EXCEPTIONS_MAX + 1, 1), ..hold() }, Err(Malformed::TooManyExceptions)),
        (Hold { except: except(100, NAME_MAX), ..hold() }, Ok(())),
        (Hold { except: except(200, NAME_MAX), ..hold() }, Err(Malformed::TooLong)),
        (Hold { scope: group(NAME_MAX), ..hold() }, Ok(())),
        (Hold { scope: group(NAME_MAX + 1), ..hold() }, Err(Malformed::NameTooLong("group"))),
    ] {
        assert_eq!(check_hold(&hold), want);
        let read = read_back(&hold_record(&hold, CommandId::from_uuid(TWO)));
        assert_eq!(read, want.map_or_else(HoldRecord::Malformed, |()| HoldRecord::Set(hold)));
    }
}

/// As many as telemetry lists, under the longest names there are.
#[test]
fn an_answer_of_any_number_of_partitions_is_read() {
    let named = |name: &str, count: usize| -> Vec<TopicPartition> {
        let numbers = (0..count).map(|n| partition(i32::MAX - i32::try_from(n).unwrap()));
        numbers.map(|partition| TopicPartition { topic: topic(name), partition }).collect()
    };
    // A control character takes six bytes.
    let name = "\u{1}".repeat(NAME_MAX);
    for (partitions, listed) in [
        (named(&"x".repeat(249), PARTITIONS_MAX), 344),
        (named("dev-orders", PARTITIONS_MAX), 2_137),
        (named("dev-orders", 2_137), 2_137),
    ] {
        let count = partitions.len();
        let ack = Ack {
            group: name.as_str().into(),
            consumer: name.as_str().into(),
            instance: name.as_str().into(),
            detail: Some("\u{1}".repeat(10_000)),
            partitions,
            ..ack()
        };
        let record = ack_record(&ack);
        let length = record.value.as_ref().unwrap().len();
        assert!(length <= LONGEST, "{count} partitions: {length} bytes");
        let AckRecord::Ack(read) = read_ack(&record.headers(), record.value.as_deref()) else {
            panic!("{count} partitions are not read")
        };
        assert_eq!(read.partitions, ack.partitions[..listed]);
        let counted = format!("; {listed} of {count} partitions are listed");
        assert_eq!(read.detail.unwrap().ends_with(&counted), listed < count);
    }
}

/// A later agent may say more in an ack and a later Flowdeck more about a hold; neither changes
/// what is held.
#[test]
fn more_words_about_the_same_are_ignored() {
    let more = |record: &Record| {
        let value = String::from_utf8(record.value.clone().unwrap()).unwrap();
        format!("{},\"more\":[1,{{}}]}}", value.strip_suffix('}').unwrap()).into_bytes()
    };
    let record = hold_record(&hold(), CommandId::from_uuid(ONE));
    let read = read_hold(&record.headers(), Some(&record.key), Some(&more(&record)));
    assert_eq!(read, HoldRecord::Set(hold()));
    let record = ack_record(&ack());
    assert_eq!(read_ack(&record.headers(), Some(&more(&record))), AckRecord::Ack(ack()));
}

#[test]
fn hostile_times_stay_printable() {
    let headers: Headers<'_> = [("Flowdeck-Version", &b"1"[..])].into_iter().collect();
    let key = format!(r#"{{"scope":{{"group":"g"}},"id":"{ONE}"}}"#);
    let value =
        r#"{"owner":"o","reason":"r","since":-9223372036854775808,"until":9223372036854775807,"except":[]}"#;
    let HoldRecord::Set(hold) = read_hold(&headers, Some(key.as_bytes()), Some(value.as_bytes())) else {
        panic!("not read")
    };
    assert_eq!(hold.since.to_string(), "1970-01-01T00:00:00.000Z");
    assert_eq!(hold.until.unwrap().to_string(), "9999-12-31T23:59:59.999Z");
}

fn dead_letter(topic: &TopicName) -> DeadLetter<'_> {
    DeadLetter {
        topic,
        partition: partition(3),
        offset: 17,
        timestamp: Some(Timestamp::from_millis(1_795_270_137_000)),
        group: "billing",
        error: "no \"stock\"",
        attempts: 4,
        failed_at: Timestamp::from_millis(1_795_270_137_123),
    }
}

#[test]
fn a_dead_letter_says_where_it_came_from_and_why() {
    let topic = topic("dev-orders");
    let headers = dead_letter(&topic).headers();
    let read: Vec<_> = headers.iter().map(|(name, value)| format!("{name}: {value}")).collect();
    let want = [
        "Flowdeck-Original-Topic: dev-orders",
        "Flowdeck-Original-Partition: 3",
        "Flowdeck-Original-Offset: 17",
        "Flowdeck-Original-Timestamp: 1795270137000",
        "Flowdeck-Original-Group: billing",
        "Flowdeck-Error: no \"stock\"",
        "Flowdeck-Attempts: 4",
        "Flowdeck-Failed-At: 1795270137123",
    ];
    assert_eq!(read, want);
    let long = "x".repeat(5_000);
    let cut = DeadLetter { error: &long, timestamp: None, ..dead_letter(&topic) }.headers();
    assert_eq!((cut.len(), cut[4].1.len()), (7, 1_000));
}

#[test]
fn a_record_on_a_retry_topic_says_where_it_came_from_and_when_it_is_tried() {
    let topic = topic("dev-orders");
    let retry_at = Timestamp::from_millis(1_795_270_197_123);
    let headers = retry_headers(&dead_letter(&topic), retry_at);
    let read: Vec<_> = headers.iter().skip(4).map(|(name, value)| format!("{name}: {value}")).collect();
    let want = [
        "Flowdeck-Original-Group: billing",
        "Flowdeck-Error: no \"stock\"",
        "Flowdeck-Attempts: 4",
        "Flowdeck-Failed-At: 1795270137123",
        "Flowdeck-Retry-At: 1795270197123",
    ];
    assert_eq!(read, want);
    let last = |left_out: &'static str| {
        let headers = &headers;
        move |name: &str| {
            let found = headers.iter().find(|(key, _)| *key == name && *key != left_out)?;
            Some(found.1.as_bytes())
        }
    };
    let retried = Retried {
        topic: topic.clone(),
        partition: partition(3),
        offset: 17,
        timestamp: Some(Timestamp::from_millis(1_795_270_137_000)),
        attempts: 4,
        retry_at,
        group: "billing".into(),
    };
    assert_eq!(read_retried(last("")), Some(retried.clone()));
    let without_time = Retried { timestamp: None, ..retried };
    assert_eq!(read_retried(last("Flowdeck-Original-Timestamp")), Some(without_time));
    for needed in
        ["Original-Topic", "Original-Partition", "Original-Offset", "Original-Group", "Attempts", "Retry-At"]
    {
        let name: &'static str = Box::leak(format!("Flowdeck-{needed}").into_boxed_str());
        assert_eq!(read_retried(last(name)), None, "{name}");
    }
}

#[test]
fn a_dead_letter_in_convexs_shape() {
    let topic = topic("dev-orders");
    let convex = |value: Option<&[u8]>| String::from_utf8(dead_letter(&topic).convex(value)).unwrap();
    let around = |message: &str| {
        let failed = r#""ErrorMessage":"no \"stock\"","FailedAt":"2026-11-21T14:08:57.123Z""#;
        format!(r#"{{"OriginalTopic":"dev-orders","OriginalMessage":{message},{failed}}}"#)
    };
    assert_eq!(convex(Some(br#"{"id": 7}"#)), around(r#"{"id": 7}"#));
    assert_eq!(convex(Some(b"no json")), around(r#""no json""#));
    assert_eq!(convex(None), around("null"));
}

#[test]
fn a_handler_that_runs_for_long() {
    let one =
        InFlight { since: Timestamp::from_millis(1_795_270_137_123), partition: partition(3), offset: 17 };
    let header = in_flight_header(one);
    assert_eq!(header, b"1795270137123;3;17");
    let read = |value: &[u8]| in_flight_of(&[(IN_FLIGHT, value)].into_iter().collect());
    assert_eq!(read(&header), Some(one));
    for bad in ["", "1", "1;2", "1;-2;3", "a;2;3", "1;2;"] {
        assert_eq!(read(bad.as_bytes()), None, "{bad}");
    }
}

#[test]
fn offsets_of_a_running_agent() {
    let command = SetOffsets {
        group: "payments".into(),
        consumer: "orders".into(),
        partitions: vec![
            SetOffset { topic: topic("dev-orders"), partition: partition(0), from: Some(17), to: 3 },
            SetOffset { topic: topic("dev-orders"), partition: partition(1), from: None, to: 0 },
        ],
    };
    let record = set_offsets_record(CommandId::from_uuid(ONE), &command);
    assert_eq!(
        text(&record).lines().last().unwrap(),
        r#"{"group":"payments","consumer":"orders","partitions":[{"topic":"dev-orders","partition":0,"from":17,"to":3},{"topic":"dev-orders","partition":1,"to":0}]}"#
    );
    let (headers, value) = (record.headers(), record.value.as_deref());
    assert_eq!(read_set_offsets(&headers, value), Some(Ok(command)));
    // KafkaFlow skips it, and so does who reads KafkaFlow's commands.
    assert_eq!(decode(&headers, value), Decoded::NotOurs);
    let negative = br#"{"group":"g","consumer":"c","partitions":[{"topic":"t","partition":0,"to":-1}]}"#;
    for wrong in [&b"{}"[..], negative, b"\xff"] {
        assert_eq!(read_set_offsets(&headers, Some(wrong)), Some(Err(Malformed::ValueJson)));
    }
    // The answer says from where it went.
    let moved = MovedOffset { topic: topic("dev-orders"), partition: partition(0), from: Some(19), to: 3 };
    let answer = Ack { moved: vec![moved], partitions: vec![], ..ack() };
    let record = ack_record(&answer);
    assert!(
        text(&record).contains(r#""partitions":[{"topic":"dev-orders","partition":0,"from":19,"to":3}]"#)
    );
    assert_eq!(read_ack(&record.headers(), record.value.as_deref()), AckRecord::Ack(answer));
}
