//! Produced records: what is written to `flowdeck.audit`, byte for byte.

use flowdeck_model::actor::{ActorKind, ActorView, Via};
use flowdeck_model::produce::ProduceSource;
use flowdeck_model::record_place::RecordPlace;
use flowdeck_model::{Partition, Timestamp};
use flowdeck_protocol::Record;
use flowdeck_protocol::wire::{
    AuditRecord, ProduceEvent, ProduceRecord, ProduceRequested, produce_record, read_audit,
};

const ID: &str = "6fa459ea-ee8a-4ca4-894e-db77e160355e";
const ATTEMPT: &str = "0c1c1b4e-5b7a-4a4e-9d4f-2f1f5a9f3c11";

fn partition(number: i32) -> Partition {
    Partition::new(number).unwrap()
}

fn record(event: ProduceEvent) -> ProduceRecord {
    let actor = ActorView { name: "ana".into(), kind: ActorKind::User, via: Via::Page, address: None };
    ProduceRecord { id: ID.parse().unwrap(), at: Timestamp::from_millis(1_795_270_137_123), actor, event }
}

fn requested() -> ProduceRequested {
    ProduceRequested {
        attempt: ATTEMPT.parse().unwrap(),
        topic: "orders".parse().unwrap(),
        partition: None,
        source: None,
        size: 3,
        digest: "ab".repeat(32),
        reason: "INC-1".to_owned(),
    }
}

fn read(record: &Record) -> Result<AuditRecord, flowdeck_protocol::Malformed> {
    read_audit(&record.headers(), Some(&record.key), record.value.as_deref())
}

#[test]
fn a_produced_record_in_the_audit() {
    let digest = "ab".repeat(32);
    let source = ProduceSource { topic: "orders.dlq".parse().unwrap(), partition: partition(1), offset: 7 };
    let copy = ProduceRequested { partition: Some(partition(2)), source: Some(source), ..requested() };
    for (event, want) in [
        (
            ProduceEvent::Requested(requested()),
            format!(
                r#"{{"requested":{{"attempt":"{ATTEMPT}","topic":"orders","size":3,"digest":"{digest}","reason":"INC-1"}}}}"#
            ),
        ),
        (
            ProduceEvent::Requested(copy),
            format!(
                r#"{{"requested":{{"attempt":"{ATTEMPT}","topic":"orders","partition":2,"source":{{"topic":"orders.dlq","partition":1,"offset":7}},"size":3,"digest":"{digest}","reason":"INC-1"}}}}"#
            ),
        ),
        (
            ProduceEvent::Written(RecordPlace { partition: partition(2), offset: 86_017 }),
            r#"{"written":{"partition":2,"offset":86017}}"#.to_owned(),
        ),
        (
            ProduceEvent::Failed { why: "no confirmation".to_owned(), in_doubt: true },
            r#"{"failed":{"why":"no confirmation","inDoubt":true}}"#.to_owned(),
        ),
    ] {
        let produce = record(event);
        let written = produce_record(&produce);
        let around = format!(
            r#"{{"type":"produce","id":"{ID}","at":1795270137123,"actor":{{"name":"ana","kind":"User","via":"Page"}},"event":"#
        );
        let value = String::from_utf8(written.value.clone().unwrap()).unwrap();
        assert_eq!(value, format!("{around}{want}}}"));
        assert_eq!(written.key, ID.as_bytes());
        assert_eq!(read(&written), Ok(AuditRecord::Produce(Box::new(produce))));
    }
}

#[test]
fn what_is_too_long_is_cut_and_another_key_is_not_read() {
    let long = record(ProduceEvent::Failed { why: "x".repeat(5_000), in_doubt: false });
    let written = produce_record(&long);
    let Ok(AuditRecord::Produce(read_back)) = read(&written) else { panic!("it is read") };
    let ProduceEvent::Failed { why, .. } = read_back.event else { panic!("its kind") };
    assert_eq!(why.chars().count(), 501, "with its ellipsis");
    assert!(read(&Record { key: ATTEMPT.as_bytes().to_vec(), ..written.clone() }).is_err());
    assert!(read(&Record { value: Some(br#"{"type":"produce"}"#.to_vec()), ..written }).is_err());
}
