//! Re-drives against a real broker: each dead letter once, what is left is counted, orders are obeyed.

use std::collections::BTreeMap;

use flowdeck_model::redrive::{
    NotCopied, RecordPlace, RedriveOrder, RedriveRecords, RedriveRequest, RedriveState, RedriveTarget,
    SubmitRedrive,
};
use flowdeck_model::view::{Mode, RedriveView};
use flowdeck_model::{CommandId, Grant, Pattern, Permission, PortError};
use flowdeck_testkit::{DEADLINE, kafka, unique, wait_for};

use crate::common::{Running, partition, settings, topic};

struct Scene {
    running: Running,
    letters: String,
    original: String,
}

/// As Convex writes it.
fn letter(original: &str, message: u32) -> String {
    format!(
        r#"{{"OriginalTopic":"{original}","OriginalMessage":{message},"ErrorMessage":"no card","FailedAt":"2026-11-21T14:08:57Z"}}"#
    )
}

impl Scene {
    async fn new(count: u32) -> Self {
        let original = unique("orders");
        let letters = [&original, ".dlq"].concat();
        kafka().create_topic(&original, 2).await;
        kafka().create_topic(&letters, 2).await;
        let records = (0..count).map(|n| ((n % 2) as i32, letter(&original, n)));
        kafka().produce_at(&letters, records).await;
        let mut settings = settings(Mode::Control);
        settings.ledger_topic = topic(&unique("ledger"));
        let running = Running::start(settings);
        let scene = Self { running, letters, original };
        wait_for("the topics", DEADLINE, async || scene.preview(scene.all()).await.ok()).await;
        scene
    }

    fn all(&self) -> RedriveRequest {
        RedriveRequest {
            topic: topic(&self.letters),
            records: RedriveRecords::Matching { original: None, error: None, ends: vec![] },
            to: RedriveTarget::Original,
            rate: 50_000,
            other_groups: false,
            reason: "INC-1".to_owned(),
        }
    }

    async fn preview(
        &self,
        request: RedriveRequest,
    ) -> Result<flowdeck_model::view::RedrivePreview, PortError> {
        self.running.ports.redrives.preview(&self.running.cluster, request).await
    }

    async fn submit(&self, request: RedriveRequest) -> Result<RedriveView, PortError> {
        let redrive = SubmitRedrive { id: CommandId::random(), request };
        self.running.ports.redrives.submit(&self.running.cluster, redrive).await
    }

    async fn when(&self, id: CommandId, what: &str, is: impl Fn(&RedriveView) -> bool) -> RedriveView {
        wait_for(what, DEADLINE, async || {
            self.running.ports.redrives.redrive(&self.running.cluster, id).ok().filter(|view| is(view))
        })
        .await
    }

    async fn done(&self, request: RedriveRequest) -> RedriveView {
        let id = self.submit(request).await.expect("it is taken").id;
        self.when(id, "it is over", |view| view.state.is_over()).await
    }

    /// How often each message is on the original topic, for readers of committed records.
    fn copied(&self) -> BTreeMap<String, usize> {
        let mut counts = BTreeMap::new();
        for record in kafka().read_all(&self.original) {
            let value = String::from_utf8(record.value.expect("a value")).expect("text");
            *counts.entry(value).or_default() += 1;
        }
        counts
    }
}

fn count(view: &RedriveView, why: NotCopied) -> u64 {
    view.progress.not_copied.iter().find(|one| one.why == why).map_or(0, |one| one.count)
}

#[tokio::test]
async fn letters_are_redriven_once_and_what_is_left_is_counted() {
    let scene = Scene::new(500).await;
    kafka().send(&scene.letters, b"", b"says nothing", &[]).await;
    kafka().send(&scene.letters, b"", letter("no-such-topic-at-all", 1).as_bytes(), &[]).await;
    kafka().send(&scene.letters, b"", letter("__consumer_offsets", 1).as_bytes(), &[]).await;
    let preview = scene.preview(scene.all()).await.unwrap();
    assert_eq!((preview.copies, preview.complete, preview.progress.left_out()), (500, true, 3));
    assert!(
        preview.notes.iter().any(|note| note.contains("nobody would get the copies")),
        "{:?}",
        preview.notes
    );
    assert!(scene.copied().is_empty(), "a preview writes nothing");

    let view = scene.done(scene.all()).await;
    assert_eq!(
        (view.state, view.progress.copied, view.progress.percent),
        (RedriveState::Completed, 500, 100),
        "{view:?}"
    );
    for why in [NotCopied::OriginalUnknown, NotCopied::TargetMissing, NotCopied::TargetNotAllowed] {
        assert_eq!(count(&view, why), 1, "{why:?}");
    }
    let copied = scene.copied();
    assert!(copied.len() == 500 && copied.values().all(|times| *times == 1));
    let one = kafka().read_all(&scene.original).remove(0);
    assert_eq!(one.headers().last("Flowdeck-Redrive-Id"), Some(view.id.to_string().as_bytes()));

    let query = flowdeck_model::AuditQuery::default();
    let audit = wait_for("its end is in the audit", DEADLINE, async || {
        let view = scene.running.ports.audit.entries(&scene.running.cluster, &query).await.ok()?;
        let of_it = view.entries.into_iter().filter_map(|entry| match entry {
            flowdeck_model::view::AuditEntry::Redrive(one) => Some((one.event, one.reason)),
            _ => None,
        });
        let of_it: Vec<_> = of_it.collect();
        (of_it.len() == 2).then_some(of_it)
    });
    let pair = |event: &str, reason: &str| (event.to_owned(), reason.to_owned());
    assert_eq!(audit.await, [pair("done", ""), pair("requested", "INC-1")]);

    // The ledger has them: nothing is copied again, by whomever.
    let again = scene.done(scene.all()).await;
    assert_eq!((again.progress.copied, count(&again, NotCopied::Redriven)), (0, 500));
    assert_eq!(scene.copied().len(), 500);
    let rows = scene.running.ports.redrives.of_topic(&scene.running.cluster, &topic(&scene.letters)).unwrap();
    assert_eq!(rows.iter().map(|row| row.copied).collect::<Vec<_>>(), [0, 500]);
    scene.running.stop().await;
}

#[tokio::test]
async fn selected_letters_go_to_a_retry_topic_and_deleted_ones_are_counted() {
    let scene = Scene::new(20).await;
    let retry = unique("retry");
    kafka().create_topic(&retry, 1).await;
    kafka().delete_records(&scene.letters, 0, 3).await;
    let place = |number, offset| RecordPlace { partition: partition(number), offset };
    let request = RedriveRequest {
        records: RedriveRecords::Selected(vec![
            place(0, 1),
            place(0, 3),
            place(0, 5),
            place(1, 9),
            place(1, 99),
        ]),
        to: RedriveTarget::Topic(topic(&retry)),
        ..scene.all()
    };
    let refused = wait_for("the topic", DEADLINE, async || match scene.preview(request.clone()).await {
        Err(PortError::NotFound { .. }) => None,
        other => Some(other),
    })
    .await;
    assert_eq!(refused.unwrap().copies, 3);
    let view = scene.done(request.clone()).await;
    assert_eq!((view.progress.copied, count(&view, NotCopied::Deleted)), (3, 2), "{view:?}");
    let values: Vec<_> = kafka().read_all(&retry).into_iter().map(|record| record.value.unwrap()).collect();
    assert_eq!(values, [b"6".to_vec(), b"10".to_vec(), b"19".to_vec()]);
    // The same id with the same body is the same re-drive; with another it is none.
    let port = &scene.running.ports.redrives;
    let known = SubmitRedrive { id: view.id, request: request.clone() };
    assert_eq!(port.submit(&scene.running.cluster, known).await.unwrap().state, RedriveState::Completed);
    let other = SubmitRedrive { id: view.id, request: RedriveRequest { rate: 1, ..request } };
    let refused = port.submit(&scene.running.cluster, other).await;
    assert!(matches!(refused, Err(PortError::Conflict { .. })), "{refused:?}");
    scene.running.stop().await;
}

#[tokio::test]
async fn other_groups_need_consent_and_orders_are_obeyed() {
    let scene = Scene::new(400).await;
    kafka().commit("others-of-redrive", &[(&scene.original, 0, 0)]);
    let preview = wait_for("the group is seen", DEADLINE, async || {
        let preview = scene.preview(scene.all()).await.ok()?;
        preview.targets.iter().any(|target| target.needs_consent).then_some(preview)
    })
    .await;
    assert_eq!(preview.targets[0].groups, ["others-of-redrive".into()]);
    let view = scene.done(scene.all()).await;
    assert_eq!((view.progress.copied, count(&view, NotCopied::OtherGroups)), (0, 400));

    let slow = RedriveRequest { rate: 20, other_groups: true, ..scene.all() };
    let id = scene.submit(slow).await.unwrap().id;
    scene.when(id, "some are copied", |view| view.progress.copied > 0).await;
    let (port, cluster) = (&scene.running.ports.redrives, &scene.running.cluster);
    port.order(cluster, id, RedriveOrder::Pause).await.unwrap();
    let paused = scene.when(id, "it is paused", |view| view.state == RedriveState::Paused).await;
    let copied = scene.copied().len();
    assert_eq!(paused.progress.copied as usize, copied);
    tokio::time::sleep(std::time::Duration::from_millis(800)).await;
    assert_eq!(scene.copied().len(), copied, "nothing is copied while it is paused");
    port.order(cluster, id, RedriveOrder::Run).await.unwrap();
    wait_for("it goes on", DEADLINE, async || (scene.copied().len() > copied).then_some(())).await;
    port.order(cluster, id, RedriveOrder::Stop).await.unwrap();
    let stopped = scene.when(id, "it is stopped", |view| view.state.is_over()).await;
    assert_eq!(stopped.state, RedriveState::Stopped);
    assert_eq!(scene.copied().len() as u64, stopped.progress.copied);
    let over = port.order(cluster, id, RedriveOrder::Run).await;
    assert!(matches!(over, Err(PortError::Conflict { .. })), "{over:?}");
    scene.running.stop().await;
}

#[tokio::test]
async fn permission_is_by_topic_and_observe_mode_writes_nothing() {
    let scene = Scene::new(4).await;
    let cluster = &scene.running.cluster;
    let of = |topics: &str| {
        let grant = Grant {
            topics: Pattern::new(topics),
            ..Grant::everywhere(&[Permission::View, Permission::Redrive])
        };
        scene.running.who(vec![grant])
    };
    let refused = of("elsewhere*").redrives.preview(cluster, scene.all()).await.unwrap_err();
    assert!(matches!(refused, PortError::Forbidden { permission: Permission::Redrive, .. }), "{refused}");
    // From the topic, but to none.
    let half = of("*.dlq").redrives.preview(cluster, scene.all()).await.unwrap();
    assert_eq!((half.copies, half.progress.not_copied[0].why), (0, NotCopied::TargetNotAllowed));
    let to = RedriveRequest { to: RedriveTarget::Topic(topic(&scene.original)), ..scene.all() };
    let refused = of("*.dlq").redrives.preview(cluster, to).await.unwrap_err();
    assert!(matches!(refused, PortError::Forbidden { .. }), "{refused}");
    let viewer = scene.running.who_may(&[Permission::View, Permission::ReadPayloads]);
    let redrive = SubmitRedrive { id: CommandId::random(), request: scene.all() };
    assert!(matches!(viewer.redrives.submit(cluster, redrive).await, Err(PortError::Forbidden { .. })));
    scene.running.stop().await;

    let observing = Running::start(settings(Mode::Observe));
    let refused = wait_for("the topic", DEADLINE, async || {
        observing.ports.redrives.preview(&observing.cluster, scene_request(&scene.letters)).await.err()
    })
    .await;
    assert!(matches!(refused, PortError::ObserveMode { .. }), "{refused}");
    observing.stop().await;
}

fn scene_request(letters: &str) -> RedriveRequest {
    RedriveRequest {
        topic: topic(letters),
        records: RedriveRecords::Matching { original: None, error: None, ends: vec![] },
        to: RedriveTarget::Original,
        rate: 1,
        other_groups: false,
        reason: "INC-1".to_owned(),
    }
}
