//! Bulk operations: what is written to `flowdeck.audit`, byte for byte.

use flowdeck_model::CommandId;
use flowdeck_model::HoldBy;
use flowdeck_model::Timestamp;
use flowdeck_model::actor::{ActorKind, ActorView, Via};
use flowdeck_model::bulk::{
    BulkAction, BulkGroupState, BulkOutcome, BulkRequest, BulkState, BulkTarget, GROUPS_MAX,
};
use flowdeck_protocol::wire::{
    AuditRecord, BulkEvent, BulkRecord, LONGEST, bulk_record, check_bulk, read_audit,
};

const ID: &str = "6fa459ea-ee8a-4ca4-894e-db77e160355e";
const CHILD: &str = "0c1c1b4e-5b7a-4a4e-9d4f-2f1f5a9f3c11";

fn id(text: &str) -> CommandId {
    text.parse().unwrap()
}

fn target(group: &str) -> BulkTarget {
    BulkTarget::new(group.into())
}

fn bulk(event: BulkEvent) -> BulkRecord {
    let actor = ActorView { name: "ana".into(), kind: ActorKind::User, via: Via::Page, address: None };
    BulkRecord { id: id(ID), at: Timestamp::from_millis(1_795_270_137_123), actor, event }
}

fn requested(groups: Vec<BulkTarget>, commands: Vec<CommandId>) -> BulkRecord {
    let request = BulkRequest {
        action: BulkAction::Pause,
        groups,
        stop_after: 3,
        undoes: None,
        skips: None,
        reason: "INC-1".to_owned(),
    };
    bulk(BulkEvent::Requested { request, commands })
}

#[test]
fn a_bulk_operation_in_the_audit() {
    let outcome =
        |group, state, note: Option<&str>| BulkOutcome { group, state, note: note.map(str::to_owned) };
    let outcomes =
        vec![outcome(0, BulkGroupState::Confirmed, None), outcome(2, BulkGroupState::Refused, Some("why"))];
    let seen = BulkTarget { seen: Some(id(ID)), for_seconds: Some(60), ..target("a") };
    let again = BulkTarget { by: Some(HoldBy::Stop), ..target("a") };
    for (bulk, want) in [
        (
            requested(vec![again], vec![id(CHILD)]),
            r#"{"requested":{"request":{"action":"pause","groups":[{"group":"a","by":"stop"}],"stopAfter":3,"reason":"INC-1"},"commands":["0c1c1b4e-5b7a-4a4e-9d4f-2f1f5a9f3c11"]}}"#,
        ),
        (
            requested(vec![seen], vec![id(CHILD)]),
            r#"{"requested":{"request":{"action":"pause","groups":[{"group":"a","seen":"6fa459ea-ee8a-4ca4-894e-db77e160355e","forSeconds":60}],"stopAfter":3,"reason":"INC-1"},"commands":["0c1c1b4e-5b7a-4a4e-9d4f-2f1f5a9f3c11"]}}"#,
        ),
        (bulk(BulkEvent::Stop), r#""stop""#),
        (
            bulk(BulkEvent::Progress { state: BulkState::Running, outcomes, notes: vec!["n".to_owned()] }),
            r#"{"progress":{"state":"running","outcomes":[{"group":0,"state":"confirmed"},{"group":2,"state":"refused","note":"why"}],"notes":["n"]}}"#,
        ),
    ] {
        let record = bulk_record(&bulk);
        let around = r#"{"type":"bulk","id":"6fa459ea-ee8a-4ca4-894e-db77e160355e","at":1795270137123,"actor":{"name":"ana","kind":"User","via":"Page"},"event":"#;
        assert_eq!(
            std::str::from_utf8(record.value.as_deref().unwrap()).unwrap(),
            format!("{around}{want}}}")
        );
        assert_eq!(record.key, ID.as_bytes());
        let read = read_audit(&record.headers(), Some(&record.key), record.value.as_deref());
        assert_eq!(read, Ok(AuditRecord::Bulk(Box::new(bulk))));
    }
}

#[test]
fn a_request_that_breaks_a_rule_is_not_read() {
    for bulk in [
        requested(vec![], vec![]),
        requested(vec![target("a")], vec![]),
        requested(vec![target("a"), target("a")], vec![id(CHILD), id(ID)]),
        requested(vec![target(&"x".repeat(10_000))], vec![id(CHILD)]),
    ] {
        let record = bulk_record(&bulk);
        assert!(read_audit(&record.headers(), Some(&record.key), record.value.as_deref()).is_err());
        assert!(check_bulk(&bulk).is_err());
    }
}

#[test]
fn the_longest_are_read() {
    let groups: Vec<BulkTarget> = (0..GROUPS_MAX).map(|n| target(&format!("{n:0100}"))).collect();
    let commands = (0..GROUPS_MAX).map(|n| CommandId::from_uuid(uuid::Uuid::from_u128(n as u128))).collect();
    assert_eq!(check_bulk(&requested(groups, commands)), Ok(()));
    let outcome = |group| BulkOutcome {
        group,
        state: BulkGroupState::PartiallyConfirmed,
        note: Some("\u{1f600}".repeat(1_000)),
    };
    let outcomes = (0..GROUPS_MAX as u32).map(outcome).collect();
    let notes = vec!["\u{1}".repeat(1_000); 100];
    let record = bulk_record(&bulk(BulkEvent::Progress { state: BulkState::Running, outcomes, notes }));
    assert!(record.value.as_ref().unwrap().len() < LONGEST);
    assert!(read_audit(&record.headers(), Some(&record.key), record.value.as_deref()).is_ok());
}
