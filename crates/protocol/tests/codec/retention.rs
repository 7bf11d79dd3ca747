//! Raised retentions: what is written to `flowdeck.audit`, byte for byte.

use flowdeck_model::Timestamp;
use flowdeck_model::actor::{ActorKind, ActorView, Via};
use flowdeck_model::retention::{
    RetentionPause, RetentionRequest, RetentionState, RetentionValue, TopicRetention,
};
use flowdeck_protocol::Record;
use flowdeck_protocol::wire::{
    AuditRecord, RetentionEvent, RetentionRecord, RetentionStatus, read_audit, retention_record,
};

const ID: &str = "6fa459ea-ee8a-4ca4-894e-db77e160355e";

fn seen() -> TopicRetention {
    TopicRetention {
        ms: RetentionValue { value: 604_800_000, own: false },
        bytes: RetentionValue { value: 1_000, own: true },
    }
}

fn status(state: RetentionState) -> RetentionStatus {
    RetentionStatus {
        request: RetentionRequest {
            topic: "orders".parse().unwrap(),
            seen: seen(),
            ms: 608_400_000,
            bytes: -1,
            until: Timestamp::from_millis(1_795_273_737_123),
            group: Some("payments".into()),
            margin_seconds: 3_600,
            reason: "INC-1".to_owned(),
        },
        requested_at: Timestamp::from_millis(1_795_270_137_000),
        state,
        before: None,
        pause: RetentionPause::NotSeen,
        ended_by: None,
        notes: vec![],
    }
}

fn record(event: RetentionEvent) -> RetentionRecord {
    let actor = ActorView { name: "ana".into(), kind: ActorKind::User, via: Via::Page, address: None };
    RetentionRecord { id: ID.parse().unwrap(), at: Timestamp::from_millis(1_795_270_137_123), actor, event }
}

fn read(record: &Record) -> Result<AuditRecord, flowdeck_protocol::Malformed> {
    read_audit(&record.headers(), Some(&record.key), record.value.as_deref())
}

#[test]
fn a_raised_retention_in_the_audit() {
    let request = r#"{"topic":"orders","seen":{"ms":{"value":604800000,"own":false},"bytes":{"value":1000,"own":true}},"ms":608400000,"bytes":-1,"until":"2026-11-21T15:08:57.123Z","group":"payments","marginSeconds":3600,"reason":"INC-1"}"#;
    let common = format!(r#""request":{request},"requestedAt":"2026-11-21T14:08:57.000Z""#);
    let over = RetentionStatus {
        before: Some(seen()),
        pause: RetentionPause::Over(Timestamp::from_millis(1_795_270_137_123)),
        ended_by: Some("ben".to_owned()),
        notes: vec!["a note".to_owned()],
        ..status(RetentionState::PutBack)
    };
    for (event, want) in [
        (
            RetentionEvent::State(Box::new(status(RetentionState::Requested))),
            format!(r#"{{"state":{{{common},"state":"requested","pause":"notSeen"}}}}"#),
        ),
        (
            RetentionEvent::State(Box::new(over)),
            format!(
                r#"{{"state":{{{common},"state":"putBack","before":{{"ms":{{"value":604800000,"own":false}},"bytes":{{"value":1000,"own":true}}}},"pause":{{"over":"2026-11-21T14:08:57.123Z"}},"endedBy":"ben","notes":["a note"]}}}}"#
            ),
        ),
        (RetentionEvent::End, r#""end""#.to_owned()),
    ] {
        let retention = record(event);
        let written = retention_record(&retention);
        let around = format!(
            r#"{{"type":"retention","id":"{ID}","at":1795270137123,"actor":{{"name":"ana","kind":"User","via":"Page"}},"event":"#
        );
        let value = String::from_utf8(written.value.clone().unwrap()).unwrap();
        assert_eq!(value, format!("{around}{want}}}"));
        assert_eq!(written.key, ID.as_bytes());
        assert_eq!(read(&written), Ok(AuditRecord::Retention(Box::new(retention))));
    }
}

#[test]
fn what_is_too_long_is_cut_and_what_is_malformed_is_not_read() {
    let notes = vec!["x".repeat(5_000); 9];
    let long = RetentionStatus { notes, ..status(RetentionState::Raised) };
    let written = retention_record(&record(RetentionEvent::State(Box::new(long))));
    let Ok(AuditRecord::Retention(read_back)) = read(&written) else { panic!("it is read") };
    let RetentionEvent::State(status) = read_back.event else { panic!("its kind") };
    assert_eq!((status.notes.len(), status.notes[0].chars().count()), (5, 501), "with its ellipsis");
    let other = "0c1c1b4e-5b7a-4a4e-9d4f-2f1f5a9f3c11";
    assert!(read(&Record { key: other.as_bytes().to_vec(), ..written.clone() }).is_err());
    assert!(read(&Record { value: Some(br#"{"type":"retention"}"#.to_vec()), ..written }).is_err());
}
