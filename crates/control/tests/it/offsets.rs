//! Offsets of a group without members: each target as Kafka's own tool finds it, set, read again, and taken back.

use std::collections::BTreeMap;
use std::time::Duration;

use flowdeck_model::bulk::{BulkAction, BulkRequest, BulkTarget, SubmitBulk};
use flowdeck_model::offsets::{OffsetMoves, OffsetScope, OffsetTo, OffsetsQuery, SetOffsets, file_rows};
use flowdeck_model::view::{CommandView, Mode, OffsetsPreview, OffsetsWay};
use flowdeck_model::{
    Action, BulkQuery, CommandId, CommandState, ConsumerName, InstanceState, Pattern, Permission, PortError,
    Submit, Target,
};
use flowdeck_protocol::wire::{AuditRecord, read_audit};
use flowdeck_testkit::{DEADLINE, Tool, kafka, unique, wait_for};
use rdkafka::consumer::{BaseConsumer, Consumer as _};

use crate::common::{Running, settings};

struct Scene {
    running: Running,
    group: String,
    topic: String,
    other: String,
    file: tempfile::TempDir,
}

/// Two topics of three partitions; of `topic` partition 0 has offsets 5 to 40 and partition 1 offsets 0 to 30.
async fn scene() -> Scene {
    let kafka = kafka();
    let (topic, other, group) = (unique("orders"), unique("other"), unique("billing"));
    let mut settings = settings(Mode::Control);
    settings.timing.offsets_quiet = Duration::from_millis(300);
    settings.timing.offsets_settle = Duration::from_millis(200);
    for name in [&topic, &other] {
        kafka.create_topic(name, 3).await;
        kafka.produce(name, 0, (0..40).map(|n| n.to_string())).await;
        kafka.produce(name, 1, (0..30).map(|n| n.to_string())).await;
    }
    kafka.create_topic(settings.admin_topics[0].telemetry.0.as_str(), 1).await;
    kafka.delete_records(&topic, 0, 5).await;
    kafka.commit(&group, &[(&topic, 0, 20), (&topic, 1, 10), (&other, 0, 7)]);
    let running = Running::start(settings);
    running.group(&group, "its commits", |view| view.row.lag.is_some()).await;
    Scene { running, group, topic, other, file: tempfile::tempdir().unwrap() }
}

type Offsets = BTreeMap<(String, i32), i64>;

impl Scene {
    fn query(&self, to: OffsetTo, topics: &[&str]) -> OffsetsQuery {
        let topics: Vec<_> = topics.iter().map(|topic| topic.parse().unwrap()).collect();
        let all = topics.is_empty();
        OffsetsQuery { group: self.group.as_str().into(), to, scope: OffsetScope::of(topics, all).unwrap() }
    }

    async fn preview(&self, to: OffsetTo, topics: &[&str]) -> OffsetsPreview {
        let query = self.query(to, topics);
        self.running.ports.control.offsets(&self.running.cluster, query).await.unwrap()
    }

    fn submit(&self, preview: &OffsetsPreview) -> Submit {
        let moves = preview.moves.clone().expect("something to change");
        self.submit_moves(&preview.to, moves)
    }

    fn submit_moves(&self, to: &str, moves: OffsetMoves) -> Submit {
        let skips = Some(moves.skipped()).filter(|skipped| *skipped > 0);
        let confirm = moves.deletes().then(|| self.group.clone());
        Submit {
            id: CommandId::random(),
            action: Action::SetOffsets,
            target: Target::group(self.group.as_str().into()),
            reason: "INC-1".to_owned(),
            ends: None,
            offsets: Some(Box::new(SetOffsets { to: to.to_owned(), moves, skips, confirm })),
            by: None,
        }
    }

    async fn done(&self, submit: Submit) -> CommandView {
        let id = submit.id;
        self.running.ports.control.submit(&self.running.cluster, submit).await.unwrap();
        wait_for("the operation to end", DEADLINE, async || {
            let view = self.running.ports.control.command(&self.running.cluster, id).ok()?;
            view.state.is_settled().then_some(view)
        })
        .await
    }

    async fn confirmed(&self, submit: Submit) {
        let view = self.done(submit).await;
        assert_eq!(view.state, CommandState::Confirmed, "{view:?}");
        assert!(view.instances.iter().all(|one| one.state == InstanceState::Acknowledged), "{view:?}");
    }

    fn committed(&self) -> Offsets {
        let rows = kafka().judge(&self.group).into_iter();
        rows.filter_map(|row| Some(((row.topic, row.partition), row.committed?))).collect()
    }

    /// What Kafka's own tool would set.
    fn tool(&self, args: &[&str]) -> Offsets {
        let mut all = vec!["--group", &self.group, "--reset-offsets", "--dry-run"];
        all.extend(args);
        let text = kafka().tool(Tool::ConsumerGroups, &all);
        let row = |line: &str| {
            let words: Vec<&str> = line.split_whitespace().collect();
            match words[..] {
                [group, topic, partition, offset] if group == self.group => {
                    Some(((topic.to_owned(), partition.parse().ok()?), offset.parse().ok()?))
                }
                _ => None,
            }
        };
        text.lines().filter_map(row).collect()
    }

    fn csv(&self, rows: &[(&str, i32, i64)]) -> (OffsetTo, String) {
        let text: String =
            rows.iter().map(|(topic, at, offset)| format!("{topic},{at},{offset}\n")).collect();
        let path = self.file.path().join("offsets.csv");
        std::fs::write(&path, &text).unwrap();
        let rows = file_rows(&text, &self.group.as_str().into()).unwrap();
        (OffsetTo::File(rows), path.to_str().unwrap().to_owned())
    }
}

fn planned(preview: &OffsetsPreview) -> Offsets {
    let rows = preview.partitions.iter();
    rows.filter_map(|row| Some(((row.topic.to_string(), row.partition.get()), row.to?))).collect()
}

#[tokio::test]
async fn each_target_is_what_kafkas_own_tool_finds() {
    let scene = scene().await;
    let topic = scene.topic.as_str();
    let one = format!("{topic}:1");
    let two = format!("{topic}:0,1");
    let (file, path) = scene.csv(&[(topic, 0, 2), (topic, 1, 12), (&scene.other, 1, 99)]);
    let (early, late) = ("2020-01-01T00:00:00.000", "2100-01-01T00:00:00.000");
    let time = |text: &str| format!("{text}Z").parse().unwrap();
    for (to, topics, args) in [
        (OffsetTo::Earliest, vec![topic], vec!["--to-earliest", "--topic", topic]),
        (OffsetTo::Earliest, vec![], vec!["--to-earliest", "--all-topics"]),
        (OffsetTo::Latest, vec![topic], vec!["--to-latest", "--topic", topic]),
        (OffsetTo::Latest, vec![&one], vec!["--to-latest", "--topic", &one]),
        (OffsetTo::Offset(12), vec![topic], vec!["--to-offset", "12", "--topic", topic]),
        (OffsetTo::Offset(2), vec![topic], vec!["--to-offset", "2", "--topic", topic]),
        (OffsetTo::Shift(-9), vec![&two], vec!["--shift-by", "-9", "--topic", &two]),
        (OffsetTo::Shift(15), vec![], vec!["--shift-by", "15", "--all-topics"]),
        (time(early), vec![topic], vec!["--to-datetime", early, "--topic", topic]),
        (time(late), vec![topic], vec!["--to-datetime", late, "--topic", topic]),
        (file, vec![], vec!["--from-file", &path]),
    ] {
        let preview = scene.preview(to.clone(), &topics).await;
        assert_eq!(preview.way, OffsetsWay::Empty);
        assert_eq!(planned(&preview), scene.tool(&args), "{to:?} {args:?}");
    }
    scene.running.stop().await;
}

#[tokio::test]
async fn offsets_are_set_and_taken_back_exactly() {
    let scene = scene().await;
    let before = scene.committed();
    let preview = scene.preview(OffsetTo::Earliest, &[&scene.topic]).await;
    assert_eq!((preview.changed, preview.replayed, preview.skipped), (3, 25, 0));
    let first = preview.partitions[0].clone();
    assert_eq!(first.first.map(|record| record.offset), Some(5));
    assert_eq!(first.last.map(|record| record.offset), Some(19));
    assert!(preview.command.contains("--to-earliest"), "{}", preview.command);
    let submit = scene.submit(&preview);
    scene.confirmed(submit.clone()).await;
    let set = [(0, 5), (1, 0), (2, 0)].map(|(at, offset)| ((scene.topic.clone(), at), offset));
    let other = ((scene.other.clone(), 0), 7);
    assert_eq!(scene.committed(), set.into_iter().chain([other]).collect());
    // The third partition had no commit, and has none again.
    let undo = scene.preview(OffsetTo::Undo(submit.id), &[]).await;
    assert!(undo.confirm && undo.notes.iter().any(|note| note.contains("stays handled")), "{undo:?}");
    scene.confirmed(scene.submit(&undo)).await;
    assert_eq!(scene.committed(), before);
    // Its request is in the audit before its first change, with all that was moved.
    let audit = scene.running.settings.audit_topic.to_string();
    let operations = kafka().read_all(&audit).into_iter().filter_map(|record| {
        match read_audit(&record.headers(), record.key.as_deref(), record.value.as_deref()) {
            Ok(AuditRecord::Operation(one)) if one.id == submit.id => Some(one),
            _ => None,
        }
    });
    let states: Vec<CommandState> = operations.map(|one| one.state).collect();
    assert_eq!(
        (states.first(), states.last()),
        (Some(&CommandState::Requested), Some(&CommandState::Confirmed))
    );
    scene.running.stop().await;
}

#[tokio::test]
async fn what_cannot_be_put_back_is_named() {
    let scene = scene().await;
    let preview = scene.preview(OffsetTo::Latest, &[&scene.topic]).await;
    assert_eq!(preview.skipped, 40);
    let mut submit = scene.submit(&preview);
    // The number of skipped records is asked for.
    submit.offsets.as_mut().unwrap().skips = Some(39);
    let refused = scene.running.ports.control.submit(&scene.running.cluster, submit.clone()).await;
    assert!(matches!(&refused, Err(PortError::Invalid { field, .. }) if field == "skips"), "{refused:?}");
    submit.offsets.as_mut().unwrap().skips = Some(40);
    scene.confirmed(submit.clone()).await;
    kafka().delete_records(&scene.topic, 0, 25).await;
    let undo = scene.preview(OffsetTo::Undo(submit.id), &[]).await;
    let zero = undo.partitions.iter().find(|row| row.partition.get() == 0).unwrap();
    assert_eq!(zero.to, Some(25));
    assert!(zero.note.as_deref().unwrap().contains("offset 20 is not in the log any more"), "{zero:?}");
    assert!(undo.notes.iter().any(|note| note.contains("cannot be put")), "{undo:?}");
    scene.running.stop().await;
}

#[tokio::test]
async fn what_moved_since_the_preview_is_a_conflict() {
    let scene = scene().await;
    let preview = scene.preview(OffsetTo::Earliest, &[&scene.topic]).await;
    kafka().commit(&scene.group, &[(&scene.topic, 1, 11)]);
    let before = scene.committed();
    let refused = scene.running.ports.control.submit(&scene.running.cluster, scene.submit(&preview)).await;
    let Err(PortError::Conflict { detail }) = refused else { panic!("{refused:?}") };
    assert!(detail.contains("partition 1: committed is 11, and was 10"), "{detail}");
    assert_eq!(scene.committed(), before);
    scene.running.stop().await;
}

#[tokio::test]
async fn a_commit_while_the_group_has_to_be_quiet_stops_it() {
    let mut scene = scene().await;
    let mut settings = scene.running.settings.clone();
    scene.running.stop().await;
    settings.timing.offsets_quiet = Duration::from_secs(3_600);
    scene.running = Running::start(settings);
    scene.running.group(&scene.group, "its commits", |view| view.row.lag.is_some()).await;
    let preview = scene.preview(OffsetTo::Earliest, &[&scene.topic]).await;
    let submit = scene.submit(&preview);
    let id = submit.id;
    scene.running.ports.control.submit(&scene.running.cluster, submit).await.unwrap();
    // Another one of the same group waits for its end.
    let second = scene.running.ports.control.submit(&scene.running.cluster, scene.submit(&preview)).await;
    assert!(
        matches!(&second, Err(PortError::Conflict { detail }) if detail.contains("under way")),
        "{second:?}"
    );
    kafka().commit(&scene.group, &[(&scene.topic, 1, 11)]);
    let before = scene.committed();
    let view = wait_for("refused", DEADLINE, async || {
        let view = scene.running.ports.control.command(&scene.running.cluster, id).ok()?;
        view.state.is_settled().then_some(view)
    })
    .await;
    assert_eq!(view.state, CommandState::Refused);
    let detail = view.instances[0].detail.as_deref().unwrap();
    assert!(detail.contains("partition 1: committed is 11, and was 10"), "{detail}");
    assert_eq!(scene.committed(), before);
    scene.running.stop().await;
}

#[tokio::test]
async fn a_live_group_is_refused_with_what_to_do() {
    let scene = scene().await;
    let live: BaseConsumer = kafka().client().set("group.id", &scene.group).create().unwrap();
    live.subscribe(&[&scene.topic]).unwrap();
    let group = scene.group.as_str().into();
    wait_for("a member", DEADLINE, async || {
        drop(live.poll(Duration::from_millis(50)));
        let view = scene.running.ports.fleet.group(&scene.running.cluster, &group).ok()?;
        (view.row.members == Some(1)).then_some(())
    })
    .await;
    let preview = scene.preview(OffsetTo::Earliest, &[&scene.topic]).await;
    assert_eq!(preview.way, OffsetsWay::None);
    let why = preview.refused.clone().expect("a reason");
    assert!(why.contains("1 active member") && why.contains("Stop them all"), "{why}");
    let before = scene.committed();
    let Some(moves) = preview.moves.clone() else { panic!("{preview:?}") };
    let submit = scene.submit_moves("earliest", moves);
    let refused = scene.running.ports.control.submit(&scene.running.cluster, submit).await;
    assert!(
        matches!(refused, Err(PortError::Unprocessable { .. } | PortError::Conflict { .. })),
        "{refused:?}"
    );
    let now = scene.committed();
    assert!(before.iter().all(|(place, offset)| now.get(place).is_none_or(|now| now >= offset)), "{now:?}");
    drop(live);
    scene.running.stop().await;
}

#[tokio::test]
async fn offsets_are_copied_deleted_and_a_group_is_deleted_and_brought_back() {
    let scene = scene().await;
    let (from, before) = (unique("from"), scene.committed());
    kafka().commit(&from, &[(&scene.topic, 0, 30), (&scene.topic, 2, 0), (&scene.other, 1, 4)]);
    let copy = scene.preview(OffsetTo::Group(from.as_str().into()), &[&scene.topic]).await;
    assert_eq!(copy.changed, 2);
    scene.confirmed(scene.submit(&copy)).await;
    let now = scene.committed();
    assert_eq!((now[&(scene.topic.clone(), 0)], now[&(scene.topic.clone(), 2)]), (30, 0));
    // The commits of a topic.
    let delete = scene.preview(OffsetTo::None, &[&scene.topic]).await;
    let mut submit = scene.submit(&delete);
    submit.offsets.as_mut().unwrap().confirm = None;
    let refused = scene.running.ports.control.submit(&scene.running.cluster, submit.clone()).await;
    assert!(matches!(&refused, Err(PortError::Invalid { field, .. }) if field == "confirm"), "{refused:?}");
    scene.confirmed(scene.submit(&delete)).await;
    assert_eq!(scene.committed().len(), 1);
    // The whole group, and back.
    let rest = scene.preview(OffsetTo::None, &[]).await;
    let delete = Submit { action: Action::DeleteGroup, ..scene.submit(&rest) };
    scene.confirmed(delete.clone()).await;
    assert_eq!(scene.committed(), Offsets::new());
    let undo = scene.preview(OffsetTo::Undo(delete.id), &[]).await;
    scene.confirmed(scene.submit(&undo)).await;
    assert_eq!(
        scene.committed(),
        Offsets::from([((scene.other.clone(), 0), before[&(scene.other.clone(), 0)])])
    );
    scene.running.stop().await;
}

#[tokio::test]
async fn who_may_not_change_offsets_sees_no_preview() {
    let scene = scene().await;
    let query = scene.query(OffsetTo::Earliest, &[&scene.topic]);
    for permissions in
        [&[Permission::View, Permission::Control][..], &[Permission::View, Permission::Offsets]]
    {
        let ports = scene.running.who_may(permissions);
        let refused = ports.control.offsets(&scene.running.cluster, query.clone()).await;
        assert!(matches!(refused, Err(PortError::Forbidden { .. })), "{refused:?}");
    }
    scene.running.stop().await;
}

#[tokio::test]
async fn offsets_of_a_protected_group_ask_for_its_name() {
    let mut scene = scene().await;
    let mut settings = scene.running.settings.clone();
    scene.running.stop().await;
    settings.protected = vec![Pattern::new(format!("{}*", &scene.group[..scene.group.len() - 1]))];
    scene.running = Running::start(settings);
    scene.running.group(&scene.group, "its commits", |view| view.row.lag.is_some()).await;
    let (ports, cluster) = (&scene.running.ports, &scene.running.cluster);
    let preview = scene.preview(OffsetTo::Earliest, &[&scene.topic]).await;
    assert!(preview.confirm, "{preview:?}");
    let before = scene.committed();
    let submit = scene.submit(&preview);
    for typed in [None, Some("billing".to_owned())] {
        let mut submit = submit.clone();
        submit.offsets.as_mut().unwrap().confirm = typed;
        let refused = ports.control.submit(cluster, submit).await;
        assert!(
            matches!(&refused, Err(PortError::Invalid { field, .. }) if field == "confirm"),
            "{refused:?}"
        );
    }
    // What asks for no name is not done at all: by the consumer itself, and in bulk.
    let by_consumer = Submit {
        action: Action::Reset,
        target: Target { consumer: Some(ConsumerName::from("orders")), ..submit.target.clone() },
        offsets: None,
        ..submit.clone()
    };
    let refused = ports.control.submit(cluster, by_consumer).await;
    assert!(
        matches!(&refused, Err(PortError::Unprocessable { detail }) if detail.contains("protected")),
        "{refused:?}"
    );
    let group = scene.group.as_str().into();
    let query =
        BulkQuery::SetOffsets { groups: vec![group], to: OffsetTo::Earliest, scope: OffsetScope::AllTopics };
    let plan = ports.bulks.preview(cluster, query).await.unwrap().groups.remove(0);
    assert!(plan.refused.as_deref().is_some_and(|why| why.contains("typed")), "{plan:?}");
    let target = BulkTarget {
        to: Some(preview.to.clone()),
        offsets: preview.moves.clone(),
        ..BulkTarget::new(scene.group.as_str().into())
    };
    let request = BulkRequest {
        action: BulkAction::SetOffsets,
        groups: vec![target],
        stop_after: 1,
        undoes: None,
        skips: None,
        reason: "INC-1".to_owned(),
    };
    let refused = ports.bulks.submit(cluster, SubmitBulk { id: CommandId::random(), request }).await;
    assert!(
        matches!(&refused, Err(PortError::Invalid { problem, .. }) if problem.contains("protected")),
        "{refused:?}"
    );
    assert_eq!(scene.committed(), before);
    let mut submit = submit;
    submit.offsets.as_mut().unwrap().confirm = Some(scene.group.clone());
    scene.confirmed(submit).await;
    assert_ne!(scene.committed(), before);
    scene.running.stop().await;
}
