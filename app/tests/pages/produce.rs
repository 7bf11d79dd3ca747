//! The form that produces a record, its preview, and what came of one.

use async_trait::async_trait;
use flowdeck_model::produce::{Bytes, ProduceSource, ProduceState};
use flowdeck_model::record_place::RecordPlace;
use flowdeck_model::view::{ProducePreview, ProduceView};
use flowdeck_model::{
    Actor, ClusterName, CommandId, GroupId, Partition, PortError, Produce, ProduceRequest, SubmitProduce, Via,
};

use crate::fixture::{self, Made, at};
use crate::{page, site};

#[async_trait]
impl Produce for Made {
    async fn draft(
        &self,
        cluster: &ClusterName,
        source: &ProduceSource,
    ) -> Result<ProduceRequest, PortError> {
        self.cluster(cluster)?;
        Ok(ProduceRequest {
            topic: source.topic.clone(),
            partition: None,
            key: Some(Bytes::Text("</textarea><script>alert(1)</script>".into())),
            value: Some(Bytes::Text("\n{\"a\":1}".into())),
            headers: vec![],
            source: Some(source.clone()),
            reason: String::new(),
        })
    }

    async fn dead_letter(
        &self,
        cluster: &ClusterName,
        source: &ProduceSource,
        _: &GroupId,
    ) -> Result<ProduceRequest, PortError> {
        self.draft(cluster, source).await
    }

    async fn preview(
        &self,
        cluster: &ClusterName,
        request: ProduceRequest,
    ) -> Result<ProducePreview, PortError> {
        self.cluster(cluster)?;
        Ok(ProducePreview {
            topic: request.topic.clone(),
            partitions: 6,
            partition: request.partition,
            key_size: Some(3),
            value_size: None,
            headers: 1,
            groups: vec!["billing".into()],
            other_groups: 1,
            notes: vec!["The topic is compacted: Kafka refuses a record without a key.".into()],
        })
    }

    async fn submit(&self, cluster: &ClusterName, produce: SubmitProduce) -> Result<ProduceView, PortError> {
        self.produced(cluster, produce.id)
    }

    fn produced(&self, cluster: &ClusterName, id: CommandId) -> Result<ProduceView, PortError> {
        let cluster_info = self.cluster(cluster)?;
        Ok(ProduceView {
            id,
            cluster_info,
            topic: "orders".parse().unwrap(),
            partition: None,
            source: Some("orders 2@7".parse().unwrap()),
            size: 40,
            reason: "INC-1".into(),
            actor: Actor::anonymous(Via::Page, None).view,
            state: if self.empty { ProduceState::InDoubt } else { ProduceState::Written },
            place: (!self.empty)
                .then(|| RecordPlace { partition: Partition::new(2).unwrap(), offset: 86_017 }),
            note: self.empty.then(|| "no confirmation in time".into()),
            now: at(0),
            requested_at: at(5),
            changed_at: at(4),
        })
    }
}

#[tokio::test]
async fn record_is_produced_by_plain_forms() {
    let produced = "/c/prod-eu/produced/6fa459ea-ee8a-4ca4-894e-db77e160355e";
    for (path, wanted, unwanted) in [
        (
            "/c/prod-eu/topics/orders/produce",
            &["<h1>Produce to orders</h1>", "action=\"/kafkaflow/c/prod-eu/topics/orders/produce\""][..],
            "id=\"preview\"",
        ),
        (
            "/c/prod-eu/topics/orders/produce?source=orders+2@7",
            // The first line break of a text area is not part of its text.
            &[
                "orders 2@7",
                "\n&lt;/textarea>&lt;script>alert(1)&lt;/script></textarea>",
                "spellcheck=\"false\">\n\n{\"a\":1}</textarea>",
            ],
            "<script>alert",
        ),
        (
            "/c/prod-eu/topics/orders.dlq/produce?source=orders+2@7&skip=%3Cb%3E",
            &["The dead letter of group &lt;b&gt; for", "name=\"skip\" value=\"&lt;b&gt;\""],
            "<b>",
        ),
        (
            "/c/prod-eu/groups/payments/offsets?to=file&file=%3C/textarea%3E%3Cscript%3E%26lt;",
            &["&lt;/textarea>&lt;script>&amp;lt;</textarea>"],
            "<script>&",
        ),
        (
            "/c/prod-eu/produced/6fa459ea-ee8a-4ca4-894e-db77e160355e?skip=billing",
            &[
                "Past the record, for billing",
                "Skip it: set offset 8",
                "groups/billing/offsets?to=file&amp;file=orders%2C2%2C8",
            ],
            "http-equiv=\"refresh\"",
        ),
        (
            "/c/prod-eu/topics/orders/produce?key=%3Cb%3E&keyAs=text&value=x&valueAs=text",
            &[
                "by the key, one of 6",
                "null: a tombstone",
                "billing",
                "and 1 group that you may not view",
                "Kafka refuses a record without a key",
                "name=\"key\" value=\"&lt;b&gt;\"",
                "name=\"send\" value=\"true\"",
                "name=\"reason\"",
            ],
            "<b>",
        ),
        (
            "/c/prod-eu/topics/orders/produce?value=x&valueAs=text&partition=first",
            &["id=\"preview\"", "a number of a partition"],
            "name=\"send\"",
        ),
        (
            produced,
            &["Written", "Kafka confirmed it at", "partition 2, offset 86,017", "INC-1"],
            "http-equiv=\"refresh\"",
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
    let doubt = [produced, "?skip=billing"].concat();
    let doubt = crate::render(&doubt, Some(fixture::ports(true)), site()).await.html;
    assert!(doubt.contains("In doubt") && doubt.contains("Look into the topic before"), "{doubt}");
    assert!(!doubt.contains("Kafka confirmed") && !doubt.contains("Skip it"), "{doubt}");
}
