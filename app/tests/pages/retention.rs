//! The pages that raise a topic's retention: of a group, the form with its preview, and what became of one.

use async_trait::async_trait;
use flowdeck_model::retention::{
    RetentionPause, RetentionRequest, RetentionState, RetentionValue, TopicRetention,
};
use flowdeck_model::view::{DiskGrowth, RetentionPreview, RetentionRow, RetentionView};
use flowdeck_model::{
    Actor, ClusterName, CommandId, PortError, RetentionQuery, Retentions, SubmitRetention, TopicName, Via,
};

use crate::fixture::{self, Made, at};
use crate::{page, site};

const ID: &str = "6fa459ea-ee8a-4ca4-894e-db77e160355e";

fn request(topic: TopicName, query: &RetentionQuery) -> RetentionRequest {
    RetentionRequest {
        topic,
        seen: TopicRetention {
            ms: RetentionValue { value: 604_800_000, own: false },
            bytes: RetentionValue { value: 1_000_000, own: true },
        },
        ms: 691_200_000,
        bytes: query.bytes.unwrap_or(5_000_000),
        until: at(-86_400),
        group: query.group.clone(),
        margin_seconds: query.margin(),
        reason: String::new(),
    }
}

impl Made {
    fn raised(&self) -> RetentionRow {
        RetentionRow {
            id: ID.parse().unwrap(),
            topic: "audio-events".parse().unwrap(),
            actor: Actor::anonymous(Via::Page, None).view,
            state: RetentionState::Raised,
            until: at(-86_400),
            requested_at: at(60),
        }
    }
}

#[async_trait]
impl Retentions for Made {
    async fn preview(
        &self,
        cluster: &ClusterName,
        topic: &TopicName,
        query: RetentionQuery,
    ) -> Result<RetentionPreview, PortError> {
        let cluster = self.cluster(cluster)?;
        if cluster.mode == flowdeck_model::view::Mode::Observe {
            return Err(PortError::ObserveMode { cluster: cluster.name });
        }
        let growth = DiskGrowth {
            bytes: 3_000_000_000,
            records: 1_000_000,
            record_bytes: 1_000,
            sampled: 200,
            minutes: 15,
            replicas: 3,
            partitions: 6,
        };
        Ok(RetentionPreview {
            request: request(topic.clone(), &query),
            now: at(0),
            growth: (!self.empty).then_some(growth),
            replaces: self.empty.then(|| self.raised()),
            pauses: 0,
            notes: vec!["What Kafka has deleted already does not come back.".to_owned()],
        })
    }

    async fn submit(&self, _: &ClusterName, one: SubmitRetention) -> Result<RetentionView, PortError> {
        Err(PortError::Conflict { detail: one.id.to_string() })
    }

    async fn end(&self, cluster: &ClusterName, id: CommandId) -> Result<RetentionView, PortError> {
        self.retention(cluster, id)
    }

    fn retention(&self, cluster: &ClusterName, id: CommandId) -> Result<RetentionView, PortError> {
        let query = RetentionQuery { group: Some("payments".into()), ..RetentionQuery::default() };
        let request = RetentionRequest {
            reason: "<b>INC-1</b>".to_owned(),
            ..request("orders".parse().unwrap(), &query)
        };
        Ok(RetentionView {
            id,
            cluster_info: self.cluster(cluster)?,
            actor: Actor::anonymous(Via::Page, None).view,
            state: if self.empty { RetentionState::Changed } else { RetentionState::Raised },
            before: Some(request.seen),
            pause: RetentionPause::Over(at(30)),
            ended_by: None,
            due: (!self.empty).then(|| at(-3_570)),
            notes: if self.empty {
                vec!["It was changed meanwhile and left as it is.".into()]
            } else {
                vec![]
            },
            request,
            now: at(0),
            requested_at: at(600),
            changed_at: at(30),
        })
    }

    fn open(&self, cluster: &ClusterName) -> Result<Vec<RetentionRow>, PortError> {
        self.cluster(cluster)?;
        Ok(vec![self.raised()])
    }
}

#[tokio::test]
async fn retention_is_raised_by_plain_forms() {
    let raised = ["/c/prod-eu/retentions/", ID].concat();
    for (path, wanted, unwanted) in [
        (
            "/c/prod-eu/groups/prod-audio-processor/retention",
            &[
                "A pause stops no retention",
                "/topics/audio-events/retention?group=prod-audio-processor",
                "raised",
            ][..],
            "id=\"no-such\"",
        ),
        (
            "/c/prod-eu/groups/prod-audio-processor/pause",
            &["/groups/prod-audio-processor/retention", "Keep unread records meanwhile…"],
            "id=\"no-such\"",
        ),
        (
            "/c/prod-eu/topics/orders/retention?group=%3Cb%3E&length=14400",
            &[
                "7 d (604800000)",
                "8 d (691200000)",
                "the brokers' default",
                "set on the topic",
                "An estimate",
                "1,000,000 records",
                "What Kafka has deleted already",
                "name=\"group\" value=\"&lt;b&gt;\"",
                "name=\"request\"",
                "name=\"reason\"",
                "Margin after the last pause",
            ],
            "<b>",
        ),
        (
            "/c/prod-eu/topics/orders/retention?length=until&until=soon",
            &["a time in UTC"],
            "name=\"request\"",
        ),
        (
            &raised,
            &["Raised: Kafka has the new values", "Put back now", "over since", "Values go back", "refresh"],
            "<b>INC",
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
    let empty = async |path: &str| crate::render(path, Some(fixture::ports(true)), site()).await.html;
    let replaces = empty("/c/prod-eu/topics/orders/retention").await.replace("<!>", "");
    assert!(replaces.contains("It is raised already by") && replaces.contains("not known"), "{replaces}");
    let over = empty(&raised).await.replace("<!>", "");
    assert!(over.contains("was left as it is") && !over.contains("Put back now"), "{over}");
    assert!(!over.contains("http-equiv=\"refresh\""), "{over}");
    let observed = page("/c/staging/topics/orders/retention").await;
    assert!(observed.html.contains("observe mode"), "{}", observed.html);
}
