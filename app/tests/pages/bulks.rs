//! Bulk operations, as the server alone renders them.

use async_trait::async_trait;
use flowdeck_model::bulk::*;
use flowdeck_model::error::ResourceKind;
use flowdeck_model::view::*;
use flowdeck_model::*;

use crate::fixture::{self, Made, at, prod};
use crate::{page, site};

const ID: &str = "6fa459ea-ee8a-4ca4-894e-db77e160355e";

fn bulk(state: BulkState) -> BulkView {
    let row = |group: &str, state, note: Option<&str>| BulkGroupView {
        group: group.into(),
        command: ID.parse().unwrap(),
        state,
        note: note.map(str::to_owned),
    };
    let groups = vec![
        row("payments <b>", BulkGroupState::Confirmed, None),
        row("billing", BulkGroupState::TimedOut, Some("no evidence within 15 s")),
        row("shipping", BulkGroupState::Sent, None),
        row("emails", BulkGroupState::InForce, Some("operation 7 had asked for the same")),
        row("search-indexer", BulkGroupState::Waiting, None),
    ];
    BulkView {
        id: ID.parse().unwrap(),
        cluster_info: prod(),
        action: BulkAction::Pause,
        undoes: None,
        actor: Actor::anonymous(Via::Page, None).view,
        reason: "INC-1 <b>".to_owned(),
        stop_after: 3,
        state,
        stopping: false,
        now: at(0),
        requested_at: at(60),
        changed_at: at(2),
        counts: BulkCounts::of(groups.iter().map(|one| one.state)),
        groups,
        hidden: 2,
        notes: vec![],
    }
}

#[async_trait]
impl Bulks for Made {
    async fn preview(&self, cluster: &ClusterName, query: BulkQuery) -> Result<BulkPreview, PortError> {
        let (action, undoes) = match query {
            BulkQuery::Pause { .. } => (BulkAction::Pause, None),
            BulkQuery::Resume { .. } => (BulkAction::Resume, None),
            BulkQuery::SetOffsets { .. } => (BulkAction::SetOffsets, None),
            BulkQuery::Undo(id) => (BulkAction::Resume, Some(id)),
        };
        if cluster.as_str() == "staging" {
            return Err(PortError::ObserveMode { cluster: cluster.clone() });
        }
        let skips = action == BulkAction::SetOffsets;
        let target = BulkTarget {
            group: "payments \"<b>".into(),
            seen: Some(ID.parse().unwrap()),
            for_seconds: (action == BulkAction::Pause).then_some(600),
            by: None,
            to: skips.then(|| "latest".to_owned()),
            offsets: skips.then(|| "orders 0*3*1237".parse().unwrap()),
        };
        let plan = |group: &str| BulkPlan {
            group: group.into(),
            target: None,
            existing: None,
            refused: None,
            plan: String::new(),
            notes: vec![],
        };
        let ready = !self.empty;
        Ok(BulkPreview {
            cluster_info: prod(),
            now: at(0),
            action,
            undoes,
            groups: vec![
                BulkPlan {
                    target: ready.then_some(target),
                    plan: "pauses 3 instances; 1 member cannot be controlled".to_owned(),
                    notes: vec!["KafkaFlow stops fetching; what is buffered still runs".to_owned()],
                    ..plan("payments \"<b>")
                },
                BulkPlan { existing: Some(ID.parse().unwrap()), ..plan("emails") },
                BulkPlan { refused: Some("no instance of billing listens".to_owned()), ..plan("billing") },
            ],
            ready: u32::from(ready),
            nothing_to_do: 1,
            refused: 1,
            replayed: 0,
            skipped: if skips { 1_234 } else { 0 },
            notes: vec![],
        })
    }

    async fn submit(&self, _: &ClusterName, _: SubmitBulk) -> Result<BulkView, PortError> {
        Ok(bulk(BulkState::Requested))
    }

    async fn stop(&self, _: &ClusterName, _: CommandId) -> Result<BulkView, PortError> {
        Ok(bulk(BulkState::Running))
    }

    fn bulk(&self, _: &ClusterName, id: CommandId) -> Result<BulkView, PortError> {
        let known = bulk(if self.empty { BulkState::StoppedByFailures } else { BulkState::Running });
        let found = (known.id == id).then_some(known);
        found.ok_or_else(|| PortError::not_found(ResourceKind::Command, id.to_string()))
    }
}

#[tokio::test]
async fn bulk_operations_are_plain_forms() {
    for (path, wanted) in [
        (
            "/c/prod-eu/bulk?group=convex-bus&group=a%22b",
            &["2 groups selected", "value=\"a&quot;b\"", "action=\"/kafkaflow/c/prod-eu/bulk\""][..],
        ),
        (
            "/c/prod-eu/bulk?group=payments&action=pause&minutes=10",
            &[
                "1 group is changed, 1 has nothing to do, 1 is left out",
                "name=\"group\" value=\"payments &quot;&lt;b&gt;\"",
                "name=\"forSeconds\" value=\"600\"",
                "name=\"seen\"",
                "Pause 1 group",
                "action=\"/kafkaflow/c/prod-eu/bulks\"",
                "no instance of billing listens",
            ],
        ),
        (
            "/c/prod-eu/bulk?group=payments&action=setOffsets&to=latest&allTopics=true",
            &["1,234 records skipped", "name=\"skips\"", "name=\"offsets\" value=\"orders 0*3*1237\""],
        ),
        (
            "/c/prod-eu/bulk?undo=6fa459ea-ee8a-4ca4-894e-db77e160355e",
            &["Take back a bulk operation", "name=\"undoes\"", "Resume 1 group"],
        ),
        (
            "/c/prod-eu/bulks/6fa459ea-ee8a-4ca4-894e-db77e160355e",
            &[
                "Pause 7 groups",
                "payments &lt;b&gt;",
                "INC-1 &lt;b&gt;",
                "no evidence within 15 s",
                "http-equiv=\"refresh\"",
                "2 groups",
                ">Stop<",
            ],
        ),
        ("/all-groups?cluster=prod-eu", &["type=\"checkbox\" name=\"group\"", "selected=all"]),
    ] {
        let page = page(path).await;
        assert_eq!(page.status.as_u16(), 200, "{path}");
        for text in wanted {
            assert!(page.html.replace("<!>", "").contains(text), "{path}: {text}\n{}", page.html);
        }
    }
    for (path, status) in [
        ("/c/prod-eu/bulk", 400),
        ("/c/prod-eu/bulk?group=a&action=explode", 400),
        ("/c/prod-eu/bulk?group=a&action=setOffsets&to=latest", 400),
        ("/c/prod-eu/bulks/6fa459ea-ee8a-4ca4-894e-db77e1603550", 404),
    ] {
        assert_eq!(page(path).await.status.as_u16(), status, "{path}");
    }
    let over = "/c/prod-eu/bulks/6fa459ea-ee8a-4ca4-894e-db77e160355e";
    let over = crate::render(over, Some(fixture::ports(true)), site()).await.html;
    assert!(over.contains("Take it back") && over.contains("1 group was not begun"), "{over}");
    assert!(!over.contains("http-equiv=\"refresh\""));
    let several = page("/all-groups").await.html;
    assert!(!several.contains("name=\"group\"") && several.contains("choose a cluster above"));
}
