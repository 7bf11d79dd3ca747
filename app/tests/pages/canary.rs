//! The page of a canary resume: its steps, the orders that it takes, and the preview of one.

use async_trait::async_trait;
use flowdeck_model::canary::{CanaryOrder, CanaryState, orders};
use flowdeck_model::view::{CanaryPartition, CanaryView, CommandView, PreviewView};
use flowdeck_model::{
    Action, Canaries, ClusterName, CommandId, CommandState, Control, Partition, PortError, Submit,
    SubmitCanary, Target,
};

use crate::fixture::{self, Made, at};
use crate::{page, site};

const ID: &str = "00000000-0000-4000-8000-000000000002";

impl Made {
    fn step(&self, cluster: &ClusterName, id: CommandId, action: Action) -> Result<CommandView, PortError> {
        let view = self.command(cluster, ID.parse().unwrap())?;
        let target = Target {
            topics: vec!["audio-events".parse().unwrap()],
            partitions: vec![Partition::new(5).unwrap()],
            ..Target::group("prod-audio-processor".into())
        };
        Ok(CommandView {
            id,
            action,
            target,
            state: CommandState::Confirmed,
            reason: "<b>INC-1</b>".into(),
            ..view
        })
    }
}

fn resume(target: Target) -> Submit {
    let (id, reason) = (CommandId::random(), "preview".to_owned());
    Submit { id, action: Action::Resume, target, reason, ends: None, offsets: None, by: None }
}

#[async_trait]
impl Canaries for Made {
    async fn preview(&self, cluster: &ClusterName, part: Target) -> Result<PreviewView, PortError> {
        Control::preview(self, cluster, resume(part)).await
    }

    async fn submit(&self, cluster: &ClusterName, canary: SubmitCanary) -> Result<CanaryView, PortError> {
        self.canary(cluster, canary.id).await
    }

    async fn preview_order(
        &self,
        cluster: &ClusterName,
        id: CommandId,
        _: CanaryOrder,
    ) -> Result<PreviewView, PortError> {
        let part = self.step(cluster, id, Action::Resume)?.target;
        Control::preview(self, cluster, resume(part)).await
    }

    async fn order(
        &self,
        cluster: &ClusterName,
        id: CommandId,
        _: CanaryOrder,
        _: String,
    ) -> Result<CanaryView, PortError> {
        self.canary(cluster, id).await
    }

    async fn canary(&self, cluster: &ClusterName, id: CommandId) -> Result<CanaryView, PortError> {
        let first = self.step(cluster, id, Action::Resume)?;
        let rest = self.step(cluster, CanaryOrder::Rest.id(id), Action::Resume)?;
        let rest = self.empty.then_some(rest);
        let of_rest = rest.as_ref().map(|rest| rest.state);
        Ok(CanaryView {
            state: CanaryState::of(first.state, of_rest, None),
            orders: orders(first.state, of_rest, None),
            partitions: vec![CanaryPartition {
                topic: "audio-events".parse().unwrap(),
                partition: Partition::new(5).unwrap(),
                committed: Some(86_017),
                lag: Some(12),
                last_commit: Some(at(3)),
                paused: false,
            }],
            holds: if self.empty {
                vec![]
            } else {
                vec!["prod-audio-processor, paused by <i>ana".to_owned()]
            },
            first,
            rest,
            back: None,
        })
    }
}

#[tokio::test]
async fn canary_resume_is_ordered_by_plain_forms() {
    let path = ["/c/prod-eu/canaries/", ID].concat();
    let asked = [&path, "?order=back"].concat();
    for (path, wanted, unwanted) in [
        (
            path.as_str(),
            &[
                "The part is resumed; the rest is paused.",
                "?order=rest#preview",
                "?order=back#preview",
                "not ordered",
                "86,017",
                "paused by &lt;i",
                "http-equiv=\"refresh\"",
            ][..],
            "name=\"order\"",
        ),
        (
            &asked,
            &[
                "name=\"order\" value=\"back\"",
                "value=\"&lt;b&gt;INC-1",
                "method=\"post\"",
                "Pause the part again",
            ],
            "http-equiv=\"refresh\"",
        ),
        (
            "/c/prod-eu/groups/prod-audio-processor/pause?action=resume&topic=audio-events&partition=5",
            &["formaction=\"", "/c/prod-eu/canaries\"", "Resume as a canary"],
            "<i>ana",
        ),
    ] {
        let page = page(path).await;
        assert_eq!(page.status.as_u16(), 200, "{path}");
        let html = page.html.replace("<!>", "");
        for text in wanted {
            assert!(html.contains(text), "{path}: {text}\n{html}");
        }
        assert!(!html.contains(unwanted), "{path}: {unwanted}\n{html}");
    }
    let over = crate::render(&asked, Some(fixture::ports(true)), site()).await.html;
    assert!(over.contains("All is resumed."), "{over}");
    assert!(!over.contains("name=\"order\"") && !over.contains("#preview"), "{over}");
}
