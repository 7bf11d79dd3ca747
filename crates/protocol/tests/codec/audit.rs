//! `flowdeck.audit`, byte by byte: version 1 is frozen, so these texts never change.

use flowdeck_model::actor::{ActorKind, ActorView, Via};
use flowdeck_model::command::{REASON_MAX, TOPICS_MAX};
use flowdeck_model::offsets::SetOffsets;
use flowdeck_model::pause_end::FOR_SECONDS_MAX;
use flowdeck_model::verdict::lock_up::MustEnd;
use flowdeck_model::view::{InstanceKind, InstanceOutcome, OffsetChange, OffsetTarget, SentRecord};
use flowdeck_model::{
    Action, CommandId, CommandState, Hold, HoldBy, HoldId, Incarnation, InstanceState, Partition, PauseEnd,
    Scope, Submit, Target, Timestamp, TopicName,
};
use flowdeck_protocol::wire::{
    AuditRecord, LONGEST, LeftOut, LogIn, LogInOutcome, MustBeEnded, Operation, OperationInstance,
    REQUEST_MAX, Request, log_in_record, operation_record, read_audit,
};
use flowdeck_protocol::{Headers, Malformed, NAME_MAX, Record};
use serde_json::{Value, json};

use crate::wire::{ONE, TWO, text};

fn at(second: i64) -> Timestamp {
    Timestamp::from_millis(1_795_270_137_000 + second * 1_000)
}

fn topic(name: &str) -> TopicName {
    name.parse().unwrap()
}

pub(crate) fn submit() -> Submit {
    Submit {
        id: CommandId::from_uuid(ONE),
        action: Action::Pause,
        target: Target {
            group: "payments".into(),
            consumer: Some("orders".into()),
            topics: vec![topic("dev-orders")],
            partitions: vec![],
        },
        reason: "INC-1: poison \"record\"".into(),
        ends: Some(PauseEnd::After(3_600)),
        offsets: None,
        by: None,
    }
}

fn actor() -> ActorView {
    ActorView { name: "ana".into(), kind: ActorKind::User, via: Via::Page, address: Some("192.0.2.7".into()) }
}

fn instance(name: &str) -> OperationInstance {
    OperationInstance {
        outcome: InstanceOutcome {
            instance: name.into(),
            consumer: Some("orders".into()),
            kind: InstanceKind::Agent,
            incarnation: Some(Incarnation::from_uuid(TWO)),
            state: InstanceState::Drained,
            at: at(3),
            detail: Some("2 partitions".into()),
        },
        deadline: Some(at(7)),
    }
}

fn plain_member() -> OperationInstance {
    let outcome = InstanceOutcome {
        instance: "rdkafka on 10.0.0.7".into(),
        consumer: None,
        kind: InstanceKind::Member,
        incarnation: None,
        state: InstanceState::NotControllable,
        at: at(1),
        detail: None,
    };
    OperationInstance { outcome, deadline: None }
}

fn earlier_hold() -> Hold {
    Hold {
        scope: Scope { topic: Some(topic("dev-orders")), ..Scope::group("payments".into()) },
        id: HoldId::from_uuid(TWO),
        owner: "ben".into(),
        reason: "deploy".into(),
        since: at(-600),
        until: Some(at(600)),
        by: HoldBy::Pause,
        except: vec![Scope { consumer: Some("audit".into()), ..Scope::group("payments".into()) }],
    }
}

pub(crate) fn operation() -> Operation {
    Operation {
        id: CommandId::from_uuid(ONE),
        at: at(4),
        actor: actor(),
        request: Request::of(&submit()).unwrap(),
        state: CommandState::PartiallyConfirmed,
        requested_at: at(0),
        sent_at: Some(at(1)),
        until: Some(at(3_600)),
        sent: vec![SentRecord {
            topic: topic("flowdeck.holds"),
            partition: Partition::new(0).unwrap(),
            offset: 17,
            at: at(1),
        }],
        written: Some(1),
        holds: vec![HoldId::from_uuid(ONE)],
        before: vec![earlier_hold()],
        offsets: vec![],
        instances: vec![instance("web-1-42"), plain_member()],
        notes: vec!["up to 300 records may still finish".into()],
        brings_back: vec![],
        must_end: vec![],
        left_out: LeftOut::default(),
    }
}

/// As it is requested: nothing is known yet.
fn requested() -> Operation {
    Operation {
        at: at(0),
        state: CommandState::Requested,
        sent_at: None,
        until: None,
        sent: vec![],
        written: None,
        holds: vec![],
        before: vec![],
        offsets: vec![],
        instances: vec![],
        notes: vec![],
        ..operation()
    }
}

fn log_in() -> LogIn {
    LogIn { id: TWO, at: at(0), actor: actor(), outcome: LogInOutcome::Accepted, detail: None }
}

pub(crate) fn read(record: &Record) -> Result<AuditRecord, Malformed> {
    read_audit(&record.headers(), Some(&record.key), record.value.as_deref())
}

fn version_1() -> Headers<'static> {
    [("Flowdeck-Version", &b"1"[..])].into_iter().collect()
}

fn read_value(value: &Value) -> Result<AuditRecord, Malformed> {
    read_audit(&version_1(), Some(ONE.to_string().as_bytes()), Some(value.to_string().as_bytes()))
}

fn value(record: &Record) -> Value {
    serde_json::from_slice(record.value.as_deref().unwrap()).unwrap()
}

#[test]
fn operation_byte_by_byte() {
    insta::assert_snapshot!(text(&operation_record(&operation())), @r#"
    Flowdeck-Version: 1
    67e55044-10b1-426f-9247-bb680e5fe0c8
    {"type":"operation","id":"67e55044-10b1-426f-9247-bb680e5fe0c8","at":1795270141000,"actor":{"name":"ana","kind":"User","via":"Page","address":"192.0.2.7"},"request":{"action":"pause","target":{"group":"payments","consumer":"orders","topics":["dev-orders"]},"reason":"INC-1: poison \"record\"","forSeconds":3600},"state":"partiallyConfirmed","requestedAt":1795270137000,"sentAt":1795270138000,"until":1795273737000,"sent":[{"topic":"flowdeck.holds","partition":0,"offset":17,"at":1795270138000}],"written":1,"holds":["67e55044-10b1-426f-9247-bb680e5fe0c8"],"before":[{"scope":{"group":"payments","topic":"dev-orders"},"id":"0b9c9e1c-3f7e-4b43-9d0e-5f8e7d5b1a77","owner":"ben","reason":"deploy","since":1795269537000,"until":1795270737000,"except":[{"group":"payments","consumer":"audit"}]}],"instances":[{"consumer":"orders","instance":"web-1-42","incarnation":"0b9c9e1c-3f7e-4b43-9d0e-5f8e7d5b1a77","kind":"agent","state":"drained","at":1795270140000,"deadline":1795270144000,"detail":"2 partitions"},{"instance":"rdkafka on 10.0.0.7","kind":"member","state":"notControllable","at":1795270138000}],"notes":["up to 300 records may still finish"]}
    "#);
}

#[test]
fn a_resume_that_brings_consumers_back_names_them() {
    let resume = Operation { brings_back: vec!["orders".into(), "a b".into()], ..requested() };
    let record = operation_record(&resume);
    assert_eq!(value(&record)["bringsBack"], serde_json::json!(["orders", "a b"]));
    assert!(matches!(read(&record), Ok(AuditRecord::Operation(one)) if *one == resume));
}

#[test]
fn an_operation_names_processes_that_must_be_ended() {
    let one = |why| MustBeEnded { consumer: "orders".into(), instance: "web-1".into(), why, since: at(9) };
    let all = vec![one(MustEnd::LockedUpAgain), one(MustEnd::DidNotComeBack), one(MustEnd::ResumedTooSoon)];
    let restart = Operation { must_end: all, ..requested() };
    let record = operation_record(&restart);
    let mut value = value(&record);
    assert_eq!(
        value["mustEnd"][0],
        json!({ "consumer": "orders", "instance": "web-1", "why": "lockedUpAgain", "since": at(9).millis() })
    );
    assert!(matches!(read(&record), Ok(AuditRecord::Operation(one)) if *one == restart));
    // For a reason of a newer version.
    value["mustEnd"][1]["why"] = json!("hangs");
    let Ok(AuditRecord::Operation(read)) = read_value(&value) else { panic!("not read") };
    assert_eq!(read.must_end, [one(MustEnd::LockedUpAgain), one(MustEnd::ResumedTooSoon)]);
}

#[test]
fn requested_operation_byte_by_byte() {
    insta::assert_snapshot!(text(&operation_record(&requested())), @r#"
    Flowdeck-Version: 1
    67e55044-10b1-426f-9247-bb680e5fe0c8
    {"type":"operation","id":"67e55044-10b1-426f-9247-bb680e5fe0c8","at":1795270137000,"actor":{"name":"ana","kind":"User","via":"Page","address":"192.0.2.7"},"request":{"action":"pause","target":{"group":"payments","consumer":"orders","topics":["dev-orders"]},"reason":"INC-1: poison \"record\"","forSeconds":3600},"state":"requested","requestedAt":1795270137000,"sent":[],"holds":[],"instances":[],"notes":[]}
    "#);
}

#[test]
fn log_ins_byte_by_byte() {
    insta::assert_snapshot!(text(&log_in_record(&log_in())), @r#"
    Flowdeck-Version: 1
    0b9c9e1c-3f7e-4b43-9d0e-5f8e7d5b1a77
    {"type":"logIn","at":1795270137000,"actor":{"name":"ana","kind":"User","via":"Page","address":"192.0.2.7"},"outcome":"accepted"}
    "#);
    let claimed = ActorView { name: "ro\not".into(), address: None, via: Via::Api, ..actor() };
    let refused = LogIn {
        actor: claimed,
        outcome: LogInOutcome::Refused,
        detail: Some("wrong password".into()),
        ..log_in()
    };
    insta::assert_snapshot!(text(&log_in_record(&refused)), @r#"
    Flowdeck-Version: 1
    0b9c9e1c-3f7e-4b43-9d0e-5f8e7d5b1a77
    {"type":"logIn","at":1795270137000,"actor":{"name":"ro\not","kind":"User","via":"Api"},"outcome":"refused","detail":"wrong password"}
    "#);
    let words = [
        LogInOutcome::Accepted,
        LogInOutcome::Refused,
        LogInOutcome::SignedOut,
        LogInOutcome::SignedOutEverywhere,
    ]
    .map(|outcome| {
        value(&log_in_record(&LogIn { outcome, ..log_in() }))["outcome"].as_str().unwrap().to_owned()
    });
    assert_eq!(words.join(" "), "accepted refused signedOut signedOutEverywhere");
}

#[test]
fn every_operation_state_has_its_name() {
    use CommandState::{Confirmed, PartiallyConfirmed, Refused, Requested, Restored, Sent, TimedOut};
    let names = [Requested, Sent, Confirmed, PartiallyConfirmed, TimedOut, Refused, Restored].map(|state| {
        value(&operation_record(&Operation { state, ..operation() }))["state"].as_str().unwrap().to_owned()
    });
    assert_eq!(names.join(" "), "requested sent confirmed partiallyConfirmed timedOut refused restored");
}

#[test]
fn written_records_are_read_back() {
    for operation in [operation(), requested()] {
        let read = read(&operation_record(&operation)).unwrap();
        let AuditRecord::Operation(it) = &read else { panic!("{read:?}") };
        assert_eq!(it.request.submit(it.id), Some(submit()));
        assert_eq!(read, AuditRecord::Operation(Box::new(operation)));
    }
    assert_eq!(read(&log_in_record(&log_in())), Ok(AuditRecord::LogIn(log_in())));
}

#[test]
fn actions_with_data_and_offsets_are_written_as_the_wire_page_says() {
    let change = |partition, from, to| OffsetChange {
        topic: topic("dev-orders"),
        partition: Partition::new(partition).unwrap(),
        from,
        to,
    };
    let target = json!({ "group": "payments", "consumer": "orders", "topics": ["dev-orders"] });
    for (action, asked) in [
        (Action::Rewind { to: at(-60) }, json!({ "action": "rewind", "to": 1_795_270_077_000_i64 })),
        (
            Action::ChangeWorkers { workers: 5.try_into().unwrap() },
            json!({ "action": "changeWorkers", "workers": 5 }),
        ),
        (Action::Restart, json!({ "action": "restart" })),
    ] {
        let asked_for = Submit { action, ends: None, ..submit() };
        let operation = Operation {
            request: Request::of(&asked_for).unwrap(),
            offsets: vec![
                change(0, Some(17), OffsetTarget::Offset(3)),
                change(1, None, OffsetTarget::NoRecord),
            ],
            ..operation()
        };
        let record = operation_record(&operation);
        let mut want = asked;
        want["target"] = target.clone();
        want["reason"] = json!(asked_for.reason);
        let written = value(&record);
        assert_eq!(written["request"], want);
        assert_eq!(
            written["offsets"],
            json!([
                { "topic": "dev-orders", "partition": 0, "from": 17, "to": { "offset": 3 } },
                { "topic": "dev-orders", "partition": 1, "to": "noRecord" },
            ])
        );
        let AuditRecord::Operation(back) = read(&record).unwrap() else { panic!("{record:?}") };
        assert_eq!(back.request.submit(back.id), Some(asked_for));
        assert_eq!(*back, operation);
    }
    for wrong in [json!({ "action": "rewind" }), json!({ "action": "restart", "workers": 5 })] {
        let mut asked = wrong;
        (asked["target"], asked["reason"]) = (target.clone(), json!("x"));
        assert_eq!(Request::new(&asked).unwrap().submit(CommandId::from_uuid(ONE)), None, "{asked}");
    }
}

#[test]
fn a_request_for_offsets_has_all_that_it_moves() {
    let moves = "dev-orders 0*17*3 1*-*0\nother 2*5*-";
    let offsets = SetOffsets {
        to: "earliest".into(),
        moves: moves.parse().unwrap(),
        skips: None,
        confirm: Some("payments".into()),
    };
    let target = Target::group("payments".into());
    let asked = Submit {
        action: Action::SetOffsets,
        target,
        reason: "INC-1".into(),
        ends: None,
        offsets: Some(Box::new(offsets)),
        ..submit()
    };
    let request = Request::of(&asked).unwrap();
    let want = r#"{"action":"setOffsets","target":{"group":"payments"},"reason":"INC-1","offsets":{"to":"earliest","moves":"dev-orders 0*17*3 1*-*0\nother 2*5*-","confirm":"payments"}}"#;
    assert_eq!(request.text(), want);
    assert_eq!(request.submit(asked.id), Some(asked.clone()));
    // With other moves it asks for something else.
    let mut other = asked;
    other.offsets.as_mut().unwrap().moves = "dev-orders 0*17*4".parse().unwrap();
    assert!(!Request::of(&other).unwrap().is_same_as(&request));
}

#[test]
fn other_versions_and_types_are_skipped() {
    let record = operation_record(&operation());
    for version in [None, Some("2"), Some("10"), Some(""), Some("1.0")] {
        let headers: Headers<'_> =
            version.iter().map(|version| ("Flowdeck-Version", version.as_bytes())).collect();
        let read = read_audit(&headers, Some(&record.key), record.value.as_deref());
        assert_eq!(read, Ok(AuditRecord::NewerVersion), "{version:?}");
    }
    assert_eq!(read_value(&json!({ "type": "incident", "at": 1 })), Ok(AuditRecord::UnknownType));
}

#[test]
fn unknown_actions_are_kept_with_their_group() {
    let asked = json!({
        "action": "resetOffsets",
        "target": { "group": "payments", "partition": 3 },
        "to": { "time": 17 }, "from": [1, 2.5, null],
    });
    let operation = Operation { request: Request::new(&asked).unwrap(), ..operation() };
    let read = read(&operation_record(&operation)).unwrap();
    let AuditRecord::Operation(it) = &read else { panic!("{read:?}") };
    assert_eq!((it.request.action().as_str(), it.request.group()), ("resetOffsets", Some("payments".into())));
    assert_eq!(it.request.submit(it.id), None);
    assert_eq!(it.request.decode(), Some(asked));
    assert_eq!(
        operation_record(it),
        operation_record(&operation),
        "a replica that does not know it changes nothing"
    );
    // A pause that is narrower in a way that is not known here is none that is known here.
    for narrowed in [
        json!({ "action": "pause", "target": { "group": "g", "shard": 1 }, "reason": "x" }),
        json!({ "action": "pause", "target": { "group": "g" }, "reason": "x", "dryRun": true }),
    ] {
        assert_eq!(Request::new(&narrowed).unwrap().submit(operation.id), None, "{narrowed}");
    }
}

#[test]
fn same_requests_are_recognized() {
    let of = |topics: &[&str], ends| {
        let target = Target { topics: topics.iter().copied().map(topic).collect(), ..submit().target };
        Request::of(&Submit { target, ends, ..submit() }).unwrap()
    };
    let one = of(&["a", "b"], None);
    assert!(one.is_same_as(&of(&["b", "a"], None)));
    assert!(
        !one.is_same_as(&of(&["a"], None)) && !one.is_same_as(&of(&["a", "b"], Some(PauseEnd::After(1))))
    );
    let parts = |all: [i32; 2]| {
        let partitions = all.map(|one| Partition::new(one).unwrap()).to_vec();
        let target = Target { topics: vec![topic("a")], partitions, ..submit().target };
        Request::of(&Submit { target, ..submit() }).unwrap()
    };
    assert!(parts([0, 2]).is_same_as(&parts([2, 0])) && !parts([0, 2]).is_same_as(&parts([0, 1])));
    assert!(parts([0, 2]).text().contains(r#""topics":["a"],"partitions":[0,2]}"#));
    let until = of(&["a", "b"], Some(PauseEnd::At(at(1))));
    assert!(until.is_same_as(&of(&["b", "a"], Some(PauseEnd::At(at(1))))));
    assert!(!until.is_same_as(&of(&["a", "b"], Some(PauseEnd::At(at(2))))) && !until.is_same_as(&one));
    let reordered = json!({
        "reason": submit().reason, "action": "pause",
        "target": { "topics": ["b", "a"], "consumer": "orders", "group": "payments" },
    });
    assert!(one.is_same_as(&Request::new(&reordered).unwrap()));
}

#[test]
fn malformed_audit_records_are_refused() {
    let good = value(&operation_record(&operation()));
    let with = |field: &str, value: Value| {
        let mut changed = good.clone();
        *changed.pointer_mut(field).unwrap() = value;
        changed
    };
    let long = "n".repeat(NAME_MAX + 1);
    for (value, want) in [
        (json!({}), Malformed::ValueJson),
        (json!([]), Malformed::ValueJson),
        (json!({ "type": "operation" }), Malformed::ValueJson),
        (json!({ "type": "logIn", "at": 1 }), Malformed::ValueJson),
        (with("/id", json!(TWO)), Malformed::KeyId),
        (with("/state", json!("partly")), Malformed::ValueJson),
        (with("/at", json!("2026")), Malformed::ValueJson),
        (with("/request", json!(null)), Malformed::Missing("action")),
        (with("/request", json!({ "action": 1 })), Malformed::Missing("action")),
        (with("/request/reason", json!("x".repeat(REQUEST_MAX))), Malformed::RequestTooLong),
        (with("/instances/0/instance", json!(long)), Malformed::NameTooLong("instance")),
        (with("/instances/0/consumer", json!(long)), Malformed::NameTooLong("consumer")),
        (with("/instances/0/kind", json!("robot")), Malformed::ValueJson),
        (with("/before/0/scope/group", json!(long)), Malformed::NameTooLong("group")),
        (with("/before/0/scope", json!({ "group": "g", "shard": 1 })), Malformed::ValueJson),
        (with("/sent/0/topic", json!("a/b")), Malformed::ValueJson),
        (with("/sent/0/partition", json!(-1)), Malformed::ValueJson),
    ] {
        assert_eq!(read_value(&value), Err(want), "{:.200}", value.to_string());
    }
    let (key, good) = (ONE.to_string(), good.to_string());
    for (key, value, want) in [
        (None, Some(&good), Malformed::NoKey),
        (Some(""), Some(&good), Malformed::KeyId),
        (Some("67E55044-10B1-426F-9247-BB680E5FE0C8"), Some(&good), Malformed::KeyId),
        (Some(key.as_str()), None, Malformed::NoValue),
        (Some(key.as_str()), Some(&"[".repeat(100_000)), Malformed::ValueJson),
        (Some(key.as_str()), Some(&format!("{good}{}", " ".repeat(LONGEST))), Malformed::TooLong),
    ] {
        let read = read_audit(&version_1(), key.map(str::as_bytes), value.map(String::as_bytes));
        assert_eq!(read, Err(want), "{key:?}");
    }
    assert_eq!(read_audit(&version_1(), Some(b"\xff"), Some(b"{}")), Err(Malformed::Utf8));
}

/// The longest request that is accepted, under names of which each byte takes six in JSON.
fn longest_submit() -> Submit {
    let name = "\u{1}".repeat(NAME_MAX);
    Submit {
        target: Target {
            group: name.as_str().into(),
            consumer: Some(name.as_str().into()),
            topics: (0..TOPICS_MAX).map(|n| topic(&format!("{n:0>249}"))).collect(),
            partitions: vec![],
        },
        reason: "\u{1}".repeat(REASON_MAX),
        ends: Some(PauseEnd::After(FOR_SECONDS_MAX)),
        by: Some(HoldBy::Pause),
        ..submit()
    }
}

#[test]
fn records_of_any_operation_are_read() {
    let name = "\u{1}".repeat(NAME_MAX);
    let hold = Hold { reason: "\u{1}".repeat(REASON_MAX), ..earlier_hold() };
    let mut huge = Operation {
        actor: ActorView { name: "\u{1}".repeat(1_000_000), address: Some("x".repeat(1_000)), ..actor() },
        request: Request::of(&longest_submit()).unwrap(),
        sent: vec![SentRecord { topic: topic(&"x".repeat(249)), ..operation().sent[0].clone() }; 1_000],
        holds: vec![HoldId::from_uuid(ONE); 1_000],
        before: vec![hold; 1_000],
        instances: vec![instance(&name); 1_000],
        notes: vec!["\u{1}".repeat(10_000); 1_000],
        ..operation()
    };
    let record = operation_record(&huge);
    assert!(record.value.as_ref().unwrap().len() <= LONGEST);
    let AuditRecord::Operation(read_back) = read(&record).unwrap() else { panic!("not an operation") };
    assert_eq!(read_back.request.submit(huge.id), Some(longest_submit()));
    let left_out = read_back.left_out;
    assert_eq!(read_back.instances.len() + left_out.instances as usize, 1_000);
    assert!(
        left_out.sent > 0 && left_out.holds > 0 && left_out.before > 0 && left_out.notes > 0,
        "{left_out:?}"
    );
    assert!(!read_back.instances.is_empty() && !read_back.holds.is_empty(), "{left_out:?}");
    // Hundreds under usual names: all of them, and nothing is left out.
    let instances = (0..512).map(|n| instance(&format!("dev-orders-7f9c6b5d4-{n:05}")));
    huge = Operation { instances: instances.collect(), ..operation() };
    assert_eq!(read(&operation_record(&huge)), Ok(AuditRecord::Operation(Box::new(huge))));
    // Where there are too many, those that have not obeyed are never left out for those that have.
    let mut instances: Vec<_> =
        (0..2_000).map(|n| instance(&format!("dev-orders-7f9c6b5d4-{n:05}"))).collect();
    for one in &mut instances {
        one.outcome.state = InstanceState::Drained;
    }
    for silent in [700, 1_999] {
        instances[silent].outcome.state = InstanceState::NoResponse;
    }
    let many = Operation { instances: instances.clone(), ..operation() };
    let AuditRecord::Operation(cut) = read(&operation_record(&many)).unwrap() else {
        panic!("not an operation")
    };
    assert_eq!(cut.instances[..3], [instances[700].clone(), instances[1_999].clone(), instances[0].clone()]);
    assert_eq!(cut.instances.len() + cut.left_out.instances as usize, 2_000);
    // A client calls itself as it likes.
    let long = Operation { instances: vec![instance(&"n".repeat(100_000))], ..operation() };
    let AuditRecord::Operation(cut) = read(&operation_record(&long)).unwrap() else {
        panic!("not an operation")
    };
    assert_eq!(cut.instances[0].outcome.instance.as_str().len(), NAME_MAX);
    let claimed = ActorView { name: "n".repeat(100_000), ..actor() };
    let refused = LogIn { actor: claimed, detail: Some("d".repeat(100_000)), ..log_in() };
    assert!(matches!(read(&log_in_record(&refused)), Ok(AuditRecord::LogIn(_))));
}

#[test]
fn requests_that_no_reader_takes_are_refused_before_they_are_written() {
    let long = Target { group: "g".repeat(NAME_MAX + 1).as_str().into(), ..submit().target };
    let long = Request::of(&Submit { target: long, ..submit() });
    assert_eq!(long.err(), Some(Malformed::NameTooLong("target")));
    let long = Request::of(&Submit { reason: "x".repeat(REQUEST_MAX), ..submit() });
    assert_eq!(long.err(), Some(Malformed::RequestTooLong));
    assert_eq!(Request::new(&json!({ "target": {} })).err(), Some(Malformed::Missing("action")));
}

#[test]
fn later_fields_are_ignored() {
    for (record, want) in [
        (operation_record(&operation()), AuditRecord::Operation(Box::new(operation()))),
        (log_in_record(&log_in()), AuditRecord::LogIn(log_in())),
    ] {
        let text = String::from_utf8(record.value.clone().unwrap()).unwrap();
        let more = format!("{},\"more\":[1,{{}}]}}", text.strip_suffix('}').unwrap());
        assert_eq!(read(&Record { value: Some(more.into_bytes()), ..record }), Ok(want));
    }
}
