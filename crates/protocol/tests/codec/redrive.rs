//! Re-drives: what is written to `flowdeck.audit` and `flowdeck.ledger`, byte for byte.

use flowdeck_model::actor::{ActorKind, ActorView, Pattern, Via};
use flowdeck_model::redrive::{
    NotCopied, RecordPlace, RedriveOrder, RedriveProgress, RedriveRecords, RedriveRequest, RedriveState,
    RedriveTarget,
};
use flowdeck_model::{CommandId, Partition, Timestamp, TopicName};
use flowdeck_protocol::Record;
use flowdeck_protocol::wire::{
    AuditRecord, LedgerEntry, LedgerKey, LedgerRecord, LedgerTopic, RedriveEvent, RedriveRecord,
    ledger_begun, ledger_record, read_audit, read_ledger, redrive_record,
};

const ID: &str = "6fa459ea-ee8a-4ca4-894e-db77e160355e";

fn topic(name: &str) -> TopicName {
    name.parse().unwrap()
}

fn partition(number: i32) -> Partition {
    Partition::new(number).unwrap()
}

fn id() -> CommandId {
    ID.parse().unwrap()
}

fn at() -> Timestamp {
    Timestamp::from_millis(1_795_270_137_123)
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

fn request() -> RedriveRequest {
    RedriveRequest {
        topic: topic("orders.dlq"),
        records: RedriveRecords::Matching {
            original: Some("orders".to_owned()),
            error: None,
            ends: vec![RecordPlace { partition: partition(0), offset: 7 }],
        },
        to: RedriveTarget::OriginalFor("billing".into()),
        rate: 100,
        other_groups: true,
        reason: "INC-1".to_owned(),
    }
}

#[test]
fn a_redrive_in_the_audit() {
    let mut progress = RedriveProgress { copied: 5, percent: 50, ..RedriveProgress::default() };
    progress.add(NotCopied::TooLarge, 2);
    for (event, want) in [
        (
            RedriveEvent::Requested { request: request(), allowed: vec![Pattern::new("orders*")] },
            r#"{"requested":{"request":{"topic":"orders.dlq","records":{"matching":{"original":"orders","ends":[{"partition":0,"offset":7}]}},"to":{"originalFor":"billing"},"rate":100,"otherGroups":true,"reason":"INC-1"},"allowed":["orders*"]}}"#,
        ),
        (RedriveEvent::Ordered(RedriveOrder::Pause), r#"{"ordered":"pause"}"#),
        (
            RedriveEvent::Progress { state: RedriveState::Running, progress, notes: vec!["n".to_owned()] },
            r#"{"progress":{"state":"running","progress":{"copied":5,"notCopied":[{"why":"tooLarge","count":2}],"percent":50},"notes":["n"]}}"#,
        ),
    ] {
        let actor = ActorView { name: "ana".into(), kind: ActorKind::User, via: Via::Page, address: None };
        let redrive = RedriveRecord { id: id(), at: at(), actor, event };
        let record = redrive_record(&redrive);
        let around = r#"{"type":"redrive","id":"6fa459ea-ee8a-4ca4-894e-db77e160355e","at":1795270137123,"actor":{"name":"ana","kind":"User","via":"Page"},"event":"#;
        assert_eq!(text(record.value.as_deref().unwrap()), format!("{around}{want}}}"));
        assert_eq!(text(&record.key), ID);
        let read = read_audit(&record.headers(), Some(&record.key), record.value.as_deref());
        assert_eq!(read, Ok(AuditRecord::Redrive(Box::new(redrive))));
    }
}

#[test]
fn a_request_that_breaks_a_rule_is_not_read() {
    let actor = ActorView { name: "ana".into(), kind: ActorKind::User, via: Via::Page, address: None };
    let event = RedriveEvent::Requested { request: RedriveRequest { rate: 0, ..request() }, allowed: vec![] };
    let record = redrive_record(&RedriveRecord { id: id(), at: at(), actor, event });
    assert!(read_audit(&record.headers(), Some(&record.key), record.value.as_deref()).is_err());
}

fn read(record: &Record) -> Result<LedgerRecord, flowdeck_protocol::Malformed> {
    read_ledger(&record.headers(), Some(&record.key), record.value.as_deref())
}

#[test]
fn an_entry_of_the_ledger() {
    for (named, key) in [
        (
            LedgerTopic::TopicId("0123456789abcdef0123456789abcdef".to_owned()),
            r#"{"topicId":"0123456789abcdef0123456789abcdef","partition":3,"offset":17}"#,
        ),
        (LedgerTopic::Name(topic("orders.dlq")), r#"{"name":"orders.dlq","partition":3,"offset":17}"#),
    ] {
        let key_of = LedgerKey { topic: named, partition: partition(3), offset: 17 };
        let entry = LedgerEntry { key: key_of, redrive: id(), to: topic("orders"), at: at() };
        let record = ledger_record(&entry);
        assert_eq!(text(&record.key), key);
        let value = format!(r#"{{"redrive":"{ID}","to":"orders","at":1795270137123}}"#);
        assert_eq!(text(record.value.as_deref().unwrap()), value);
        assert_eq!(record.headers, [("Flowdeck-Version".to_owned(), b"1".to_vec())]);
        assert_eq!(read(&record), Ok(LedgerRecord::Entry(entry)));
    }
    let begun = ledger_begun(id(), at());
    assert_eq!(text(&begun.key), format!(r#"{{"redrive":"{ID}"}}"#));
    assert_eq!(text(begun.value.as_deref().unwrap()), r#"{"at":1795270137123}"#);
    assert_eq!(read(&begun), Ok(LedgerRecord::Begun(id())));
    let newer = Record { headers: vec![("Flowdeck-Version".to_owned(), b"2".to_vec())], ..begun.clone() };
    assert_eq!(read(&newer), Ok(LedgerRecord::NewerVersion));
    for key in ["", "{}", "[]", r#"{"topicId":"a","partition":-1,"offset":0}"#] {
        assert!(read(&Record { key: key.as_bytes().to_vec(), ..begun.clone() }).is_err(), "{key}");
    }
}
