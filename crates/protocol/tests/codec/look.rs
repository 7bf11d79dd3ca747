//! A look at records on `flowdeck.audit`, byte by byte: version 1 is frozen, so these texts never change.

use flowdeck_model::Timestamp;
use flowdeck_model::actor::{ActorKind, ActorView, Via};
use flowdeck_protocol::wire::{AuditRecord, LONGEST, Look, LookFilter, LookKind, look_record, read_audit};
use flowdeck_protocol::{Headers, Malformed};

use crate::audit::read;
use crate::wire::{ONE, text};

fn look() -> Look {
    Look {
        id: ONE,
        at: Timestamp::from_millis(1_795_270_137_000),
        actor: ActorView {
            name: "ana".into(),
            kind: ActorKind::User,
            via: Via::Page,
            address: Some("192.0.2.7".into()),
        },
        kind: LookKind::Search,
        topic: Some("dev-orders".into()),
        partition: Some(3),
        from: "earliest".into(),
        until: Some(Timestamp::from_millis(1_795_270_140_000)),
        filter: vec![LookFilter::Text, LookFilter::Path],
        unmasked: true,
        records: Some(2),
        scanned: Some(70_000),
        missed: 5,
    }
}

/// With nothing that may be absent.
fn least() -> Look {
    Look {
        kind: LookKind::Tail,
        partition: None,
        from: "latest".into(),
        until: None,
        filter: vec![],
        unmasked: false,
        records: None,
        scanned: None,
        missed: 0,
        ..look()
    }
}

#[test]
fn look_is_these_bytes() {
    let actor = r#"{"name":"ana","kind":"User","via":"Page","address":"192.0.2.7"}"#;
    for (look, rest) in [
        (
            look(),
            r#""look":"search","topic":"dev-orders","partition":3,"from":"earliest","until":1795270140000,"filter":["text","path"],"unmasked":true,"records":2,"scanned":70000,"missed":5}"#,
        ),
        (least(), r#""look":"tail","topic":"dev-orders","from":"latest"}"#),
    ] {
        let record = look_record(&look);
        assert_eq!(record.key, ONE.to_string().as_bytes());
        let want = format!(
            "Flowdeck-Version: 1\n{ONE}\n{{\"type\":\"look\",\"at\":1795270137000,\"actor\":{actor},{rest}"
        );
        assert_eq!(text(&record), want);
        assert_eq!(read(&record), Ok(AuditRecord::Look(Box::new(look))));
    }
}

#[test]
fn what_is_too_long_is_cut() {
    let name = "x".repeat(1 << 20);
    let long = Look { topic: Some(name.clone()), from: name, ..look() };
    let record = look_record(&long);
    assert!(record.value.as_ref().unwrap().len() < LONGEST / 10);
    let Ok(AuditRecord::Look(cut)) = read(&record) else { panic!("not read") };
    assert!(cut.topic.unwrap().len() <= 249 && cut.from.chars().count() <= 1_001);
}

#[test]
fn words_of_later_versions_are_read() {
    let value = |look: &str| {
        format!(
            r#"{{"type":"look","at":1,"actor":{{"name":"a","kind":"User","via":"Page"}},"look":{look},"from":"x","filter":["text","moon"],"more":1}}"#
        )
    };
    let headers: Headers<'_> = [("Flowdeck-Version", &b"1"[..])].into_iter().collect();
    let read = |value: &str| read_audit(&headers, Some(ONE.to_string().as_bytes()), Some(value.as_bytes()));
    let Ok(AuditRecord::Look(look)) = read(&value("\"dream\"")) else { panic!("not read") };
    assert_eq!((look.kind, look.filter), (LookKind::Other, vec![LookFilter::Text, LookFilter::Other]));
    assert_eq!(read(&value("7")), Err(Malformed::ValueJson));
}
