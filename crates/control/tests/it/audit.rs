//! Reading the audit: each operation once, by who may see its group, and what is older than what is remembered.

use std::collections::HashSet;

use flowdeck_model::query::AuditKind;
use flowdeck_model::view::{AuditEntry, AuditOperation, AuditView};
use flowdeck_model::{Action, AuditQuery, CommandId, CommandState, Ports};
use flowdeck_testkit::{DEADLINE, kafka, wait_for};

use crate::common::{Running, submit};
use crate::limited::{Scene, is_forbidden};

/// More records than are read at the start.
const MORE_THAN_REMEMBERED: usize = 20_100;

fn operations(view: &AuditView) -> Vec<&AuditOperation> {
    let operations = view.entries.iter().filter_map(|entry| match entry {
        AuditEntry::Operation(operation) => Some(operation),
        AuditEntry::LogIn(_)
        | AuditEntry::Redrive(_)
        | AuditEntry::Bulk(_)
        | AuditEntry::Produced(_)
        | AuditEntry::Look(_)
        | AuditEntry::Retention(_) => None,
    });
    operations.collect()
}

fn ids(view: &AuditView) -> Vec<CommandId> {
    operations(view).iter().map(|one| one.id).collect()
}

async fn read(scene: &Scene, ports: &Ports, query: AuditQuery) -> AuditView {
    ports.audit.entries(&scene.running.cluster, &query).await.unwrap()
}

/// A pause of each group, until the audit tells their outcome.
async fn two_pauses(scene: &Scene) -> [CommandId; 2] {
    scene.agent(&scene.own).await;
    scene.agent(&scene.hidden).await;
    let own = scene.pause(&scene.own).await.id;
    let hidden = scene.pause(&scene.hidden).await.id;
    wait_for("their outcome is in the audit", DEADLINE, async || {
        let view = read(scene, &scene.running.ports, AuditQuery::default()).await;
        let settled = operations(&view).iter().filter(|one| one.state.is_settled()).count();
        (settled == 2).then_some(())
    })
    .await;
    [own, hidden]
}

#[tokio::test]
async fn each_operation_is_there_once_by_its_last_record() {
    let scene = Scene::new().await;
    let [own, hidden] = two_pauses(&scene).await;
    let ports = &scene.running.ports;
    let view = read(&scene, ports, AuditQuery::default()).await;
    assert_eq!(ids(&view).into_iter().collect::<HashSet<_>>(), HashSet::from([own, hidden]));
    assert!(view.older.is_none() && view.scanned >= 4, "{view:?}");
    let first = operations(&view)[0];
    // No agent answers: it is only heard.
    assert_eq!((first.state, &*first.action, &*first.reason), (CommandState::TimedOut, "pause", "INC-1"));

    // The one whose outcome came last need not be the one that was asked for last.
    let last_asked = operations(&view).iter().map(|one| one.requested_at).max();

    // Page by page, each of them once.
    let mut paged = vec![];
    let mut query = AuditQuery { limit: 1, ..AuditQuery::default() };
    for _ in 0..10 {
        let page = read(&scene, ports, query.clone()).await;
        paged.extend(ids(&page));
        let Some(older) = page.older else { break };
        query.before = Some(older);
    }
    assert_eq!(paged, ids(&view));

    for (query, want) in [
        (AuditQuery { group: scene.own.to_uppercase(), ..AuditQuery::default() }, vec![own]),
        (AuditQuery { search: "inc-1".into(), ..AuditQuery::default() }, ids(&view)),
        (AuditQuery { search: "INC-2".into(), ..AuditQuery::default() }, vec![]),
        (AuditQuery { state: Some(CommandState::Confirmed), ..AuditQuery::default() }, vec![]),
        (AuditQuery { to: last_asked, ..AuditQuery::default() }, vec![own]),
        (AuditQuery { kind: AuditKind::LogIns, ..AuditQuery::default() }, vec![]),
    ] {
        assert_eq!(ids(&read(&scene, ports, query.clone()).await), want, "{query:?}");
    }
    scene.running.stop().await;
}

#[tokio::test]
async fn operations_of_hidden_groups_are_not_told() {
    let scene = Scene::new().await;
    let [own, _] = two_pauses(&scene).await;
    let limited = scene.limited();
    assert_eq!(ids(&read(&scene, &limited, AuditQuery::default()).await), [own]);
    let hidden = AuditQuery { group: scene.hidden.clone(), ..AuditQuery::default() };
    assert_eq!(ids(&read(&scene, &limited, hidden).await), []);
    let elsewhere = scene.elsewhere().audit.entries(&scene.running.cluster, &AuditQuery::default()).await;
    assert!(is_forbidden(&elsewhere));
    scene.running.stop().await;
}

#[tokio::test]
async fn an_operation_that_is_not_remembered_is_looked_up() {
    let scene = Scene::new().await;
    let [own, hidden] = two_pauses(&scene).await;
    let resume = submit(Action::Resume, &scene.own, None, &[]);
    scene.running.ports.control.submit(&scene.running.cluster, resume).await.unwrap();
    let audit = scene.running.settings.audit_topic.clone();
    kafka().produce(audit.as_str(), 0, (0..MORE_THAN_REMEMBERED).map(|n| n.to_string())).await;

    let mut settings = scene.running.settings.clone();
    settings.mode = flowdeck_model::view::Mode::Observe;
    let later = Running::start(settings);
    later.group(&scene.own, "it is there", |_| true).await;
    let control = &later.ports.control;
    assert!(control.command(&later.cluster, own).is_err(), "it is not remembered");
    let found = control.find_command(&later.cluster, own).await.unwrap();
    assert_eq!((found.id, found.state), (own, CommandState::TimedOut));
    // What a page asks for again and again.
    assert_eq!(control.command(&later.cluster, own).unwrap().id, own);
    assert!(control.find_command(&later.cluster, CommandId::random()).await.is_err());
    // On the page of the audit too, whatever lies after it.
    assert!(ids(&read(&scene, &later.ports, AuditQuery::default()).await).contains(&hidden));
    later.stop().await;
    scene.running.stop().await;
}
