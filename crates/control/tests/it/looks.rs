//! Looks at records in the audit: who looked at which, and never what was looked for.

use flowdeck_model::query::AuditKind;
use flowdeck_model::view::audit::{LookFilter, LookKind};
use flowdeck_model::view::{AuditEntry, AuditLook, Mode};
use flowdeck_model::{AuditQuery, MessagesQuery, Ports};
use flowdeck_testkit::{DEADLINE, kafka, unique, wait_for};

use crate::common::{Running, settings, topic};
use crate::limited::Scene;

fn query(text: &str) -> MessagesQuery {
    MessagesQuery::parse(text, true).unwrap()
}

fn looks_query() -> AuditQuery {
    AuditQuery { kind: AuditKind::Looks, ..AuditQuery::default() }
}

/// Of one topic, newest first.
async fn looks(running: &Running, ports: &Ports, name: &str) -> Vec<AuditLook> {
    let query = AuditQuery { search: name.to_owned(), ..looks_query() };
    let view = ports.audit.entries(&running.cluster, &query).await.unwrap();
    let looks = view.entries.into_iter().map(|entry| match entry {
        AuditEntry::Look(look) => look,
        other => panic!("{other:?}"),
    });
    looks.collect()
}

#[tokio::test]
async fn looks_at_records_are_in_the_audit() {
    let kafka = kafka();
    let scene = Scene::new().await;
    let (running, name) = (&scene.running, unique("looked-at"));
    kafka.create_topic(&name, 1).await;
    kafka.produce(&name, 0, ["hunter2", "b", "c"]).await;
    let peek = &running.ports.peek;
    wait_for("a read", DEADLINE, async || {
        peek.messages(&running.cluster, &topic(&name), &query("from=offset:1")).await.ok()
    })
    .await;
    let search = query("from=earliest&text=hunter2&key=other");
    peek.messages(&running.cluster, &topic(&name), &search).await.unwrap();
    drop(peek.tail(&running.cluster, &topic(&name), &query("text=hunter2")).await.unwrap());
    let found = wait_for("the looks are in the audit", DEADLINE, async || {
        let found = looks(running, &running.ports, &name).await;
        found.first().is_some_and(|one| one.look == LookKind::Tail).then_some(found)
    })
    .await;
    // There may be more, of reads that failed before the topic was known.
    let told: Vec<_> = found[..3]
        .iter()
        .map(|one| (one.look, one.from.as_str(), one.filter.clone(), one.records, one.scanned.is_some()))
        .collect();
    let want = [
        (LookKind::Tail, "latest", vec![LookFilter::Text], None, false),
        (LookKind::Search, "earliest", vec![LookFilter::Text, LookFilter::Key], Some(0), true),
        (LookKind::Read, "offset:1", vec![], Some(2), true),
    ];
    assert_eq!(told, want);
    assert_eq!((found[0].topic.as_deref(), found[0].actor.name.as_str()), (Some(name.as_str()), "anonymous"));
    let audit = kafka.read_all(running.settings.audit_topic.as_str());
    let hunted = |value: &Option<Vec<u8>>| {
        value.as_ref().is_some_and(|value| String::from_utf8_lossy(value).contains("hunter2"))
    };
    assert!(!audit.iter().any(|read| hunted(&read.value)), "what was looked for is in the audit");

    // Not for who sees some groups only, and not among operations.
    assert_eq!(looks(running, &scene.limited(), &name).await, []);
    let operations = AuditQuery { kind: AuditKind::Operations, ..AuditQuery::default() };
    let view = running.ports.audit.entries(&running.cluster, &operations).await.unwrap();
    assert!(!view.entries.iter().any(|entry| matches!(entry, AuditEntry::Look(_))));
    scene.running.stop().await;
}

#[tokio::test]
async fn looks_at_an_observed_cluster_write_nothing() {
    let kafka = kafka();
    let name = unique("observed");
    kafka.create_topic(&name, 1).await;
    kafka.produce(&name, 0, ["a"]).await;
    let running = Running::start(settings(Mode::Observe));
    wait_for("a read", DEADLINE, async || {
        running.ports.peek.messages(&running.cluster, &topic(&name), &query("")).await.ok()
    })
    .await;
    let audit = running.settings.audit_topic.to_string();
    running.stop().await;
    assert!(!kafka.topics().iter().any(|(topic, _)| *topic == audit));
}
