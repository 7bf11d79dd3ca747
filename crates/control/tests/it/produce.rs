//! Produced records against a real broker: written once, where Kafka says, and only by whoever may.

use flowdeck_model::produce::{Bytes, ProduceHeader, ProduceSource, ProduceState};
use flowdeck_model::view::{AuditEntry, Mode, ProduceView};
use flowdeck_model::{
    CommandId, Grant, Pattern, Permission, PortError, Ports, ProduceRequest, SubmitProduce,
};
use flowdeck_observe::ClusterSettings;
use flowdeck_testkit::{DEADLINE, kafka, unique, wait_for};

use crate::common::{Running, partition, settings, topic};

fn record(name: &str) -> ProduceRequest {
    let header = |name: &str, value| ProduceHeader { name: name.to_owned(), value };
    ProduceRequest {
        topic: topic(name),
        partition: None,
        key: Some(Bytes::Text("k".to_owned())),
        value: Some(Bytes::Hex("00ff".to_owned())),
        headers: vec![header("trace", Some(Bytes::Text("t-1".to_owned()))), header("none", None)],
        source: None,
        reason: "INC-1".to_owned(),
    }
}

async fn running(settings: ClusterSettings, name: &str) -> Running {
    let running = Running::start(settings);
    wait_for("the topic", DEADLINE, async || {
        running.ports.fleet.topic(&running.cluster, &topic(name)).await.ok()
    })
    .await;
    running
}

async fn submit(running: &Running, ports: &Ports, produce: SubmitProduce) -> Result<ProduceView, PortError> {
    ports.produce.submit(&running.cluster, produce).await
}

fn new(request: ProduceRequest) -> SubmitProduce {
    SubmitProduce { id: CommandId::random(), request }
}

#[tokio::test]
async fn record_is_written_once_where_kafka_says() {
    let kafka = kafka();
    let name = unique("produced");
    kafka.create_topic(&name, 3).await;
    let running = running(settings(Mode::Control), &name).await;
    let cluster = &running.cluster;
    kafka.commit("reader-of-produced", &[(&name, 0, 0)]);
    let preview = wait_for("the group is seen", DEADLINE, async || {
        let preview = running.ports.produce.preview(cluster, record(&name)).await.ok()?;
        (!preview.groups.is_empty()).then_some(preview)
    })
    .await;
    assert_eq!((preview.partitions, preview.key_size, preview.value_size), (3, Some(1), Some(2)));
    assert!(kafka.read_all(&name).is_empty(), "a preview writes nothing");

    let produce = new(record(&name));
    let view = submit(&running, &running.ports, produce.clone()).await.unwrap();
    let place = view.place.expect("its place");
    assert_eq!((view.state, place.offset), (ProduceState::Written, 0), "{view:?}");
    let written = kafka.read_all(&name);
    let [one] = written.as_slice() else { panic!("one record: {written:?}") };
    assert_eq!((one.partition, one.offset), (place.partition.get(), place.offset));
    assert_eq!((one.key.as_deref(), one.value.as_deref()), (Some(&b"k"[..]), Some(&[0x00, 0xff][..])));
    assert_eq!(one.headers().last("trace"), Some(&b"t-1"[..]));

    // The same id is the same record; with another body it is none.
    let again = submit(&running, &running.ports, produce.clone()).await.unwrap();
    assert_eq!(again.place, Some(place));
    let other = ProduceRequest { value: None, ..produce.request.clone() };
    let refused = submit(&running, &running.ports, SubmitProduce { id: produce.id, request: other }).await;
    assert!(matches!(refused, Err(PortError::Conflict { .. })), "{refused:?}");
    assert_eq!(kafka.read_all(&name).len(), 1);

    let events = wait_for("its outcome is in the audit", DEADLINE, async || {
        let view = running.ports.audit.entries(cluster, &flowdeck_model::AuditQuery::default()).await.ok()?;
        let of_it = view.entries.into_iter().filter_map(|entry| match entry {
            AuditEntry::Produced(one) if one.id == produce.id => Some((one.event, one.reason)),
            _ => None,
        });
        let of_it: Vec<_> = of_it.collect();
        (of_it.len() == 2).then_some(of_it)
    })
    .await;
    let pair = |event: &str, reason: &str| (event.to_owned(), reason.to_owned());
    assert_eq!(events, [pair("written", ""), pair("requested", "INC-1")]);

    // Another replica knows it from the audit alone.
    let second = Running::start(running.settings.clone());
    let known = wait_for("another replica knows it", DEADLINE, async || {
        second.ports.produce.produced(&second.cluster, produce.id).ok().filter(|one| one.place.is_some())
    })
    .await;
    assert_eq!((known.state, known.place), (ProduceState::Written, Some(place)));
    second.stop().await;
    running.stop().await;
}

#[tokio::test]
async fn copy_of_a_record_is_whole_or_refused() {
    let kafka = kafka();
    let name = unique("copied");
    kafka.create_topic(&name, 1).await;
    kafka.send(&name, b"k", b"{\"n\": 1}", &[("trace", b"t-1")]).await;
    kafka.send(&name, b"k", b"{\"password\": \"hunter2\"}", &[]).await;
    let running = running(settings(Mode::Control), &name).await;
    let source = |offset| ProduceSource { topic: topic(&name), partition: partition(0), offset };
    let draft = running.ports.produce.draft(&running.cluster, &source(0)).await.unwrap();
    assert_eq!(draft.value, Some(Bytes::Text("{\"n\": 1}".to_owned())), "byte for byte");
    assert_eq!((draft.headers.len(), draft.partition), (1, None));
    let edited = ProduceRequest {
        value: Some(Bytes::Text("{\"n\": 2}".to_owned())),
        reason: "INC-1".to_owned(),
        ..draft
    };
    let view = submit(&running, &running.ports, new(edited.clone())).await.unwrap();
    assert_eq!((view.state, view.source), (ProduceState::Written, Some(source(0))));

    let masked = running.ports.produce.draft(&running.cluster, &source(1)).await;
    assert!(
        matches!(&masked, Err(PortError::Unprocessable { detail }) if detail.contains("masked")),
        "{masked:?}"
    );
    let masked = ProduceRequest { source: Some(source(1)), ..edited.clone() };
    let refused = submit(&running, &running.ports, new(masked)).await;
    assert!(matches!(refused, Err(PortError::Unprocessable { .. })), "{refused:?}");
    let blind = running.who_may(&[Permission::View, Permission::Produce]);
    let refused = submit(&running, &blind, new(edited)).await;
    assert!(matches!(refused, Err(PortError::Forbidden { .. })), "who may not read it: {refused:?}");
    let gone = running.ports.produce.draft(&running.cluster, &source(99)).await;
    assert!(matches!(gone, Err(PortError::NotFound { .. })), "{gone:?}");
    assert_eq!(kafka.read_all(&name).len(), 3);
    running.stop().await;
}

#[tokio::test]
async fn nothing_is_produced_where_that_is_not_allowed() {
    let kafka = kafka();
    let (name, other) = (unique("allowed"), unique("forbidden"));
    for name in [&name, &other] {
        kafka.create_topic(name, 1).await;
    }
    let running = running(settings(Mode::Control), &name).await;
    let grant = Grant {
        topics: Pattern::new("allowed*"),
        ..Grant::everywhere(&[Permission::View, Permission::Produce])
    };
    let some = running.who(vec![grant]);
    let operator = running.who_may(&[Permission::View, Permission::ReadPayloads, Permission::Control]);
    for (ports, name) in [(&some, &other), (&operator, &name)] {
        let refused = submit(&running, ports, new(record(name))).await;
        let produce = Permission::Produce;
        assert!(
            matches!(&refused, Err(PortError::Forbidden { permission, .. }) if *permission == produce),
            "{refused:?}"
        );
    }
    assert!(submit(&running, &some, new(record(&name))).await.is_ok());
    let own = running.settings.audit_topic.to_string();
    for name in ["__consumer_offsets", own.as_str()] {
        let refused = submit(&running, &running.ports, new(record(name))).await;
        assert!(matches!(refused, Err(PortError::Unprocessable { .. })), "{name}: {refused:?}");
    }
    let missing = ProduceRequest { partition: Some(partition(7)), ..record(&name) };
    let refused = submit(&running, &running.ports, new(missing)).await;
    assert!(matches!(refused, Err(PortError::NotFound { .. })), "{refused:?}");
    running.stop().await;

    let protected = ClusterSettings { protected: vec![Pattern::new("*")], ..settings(Mode::Control) };
    for (settings, is_protected) in [(settings(Mode::Observe), false), (protected, true)] {
        let running = self::running(settings, &name).await;
        let refused = submit(&running, &running.ports, new(record(&name))).await;
        match is_protected {
            true => assert!(matches!(refused, Err(PortError::Unprocessable { .. })), "{refused:?}"),
            false => assert!(matches!(refused, Err(PortError::ObserveMode { .. })), "{refused:?}"),
        }
        running.stop().await;
    }
    assert_eq!((kafka.read_all(&name).len(), kafka.read_all(&other).len()), (1, 0));
}
