//! Made-up dead letters.

use async_trait::async_trait;
use flowdeck_model::record_place::RecordPlace;
use flowdeck_model::redrive::*;
use flowdeck_model::view::*;
use flowdeck_model::*;

use crate::fixture::{Made, at, prod};

fn origin(error: &str) -> DeadLetterOrigin {
    DeadLetterOrigin {
        shape: DeadLetterShape::Agent,
        original_topic: Some("orders".to_owned()),
        original_partition: Some(2),
        original_offset: Some(1_042),
        original_timestamp: Some(at(700)),
        group: Some("billing".into()),
        error: Some(error.to_owned()),
        attempts: Some(3),
        failed_at: Some(at(600)),
    }
}

fn record(value: &str, headers: u32) -> MessageView {
    let payload = |text: &str| Payload {
        kind: PayloadKind::Json,
        text: text.to_owned(),
        size: u32::try_from(text.len()).unwrap(),
        cut: false,
        not_utf8: 0,
        decoder: "JSON".to_owned(),
        masked: 1,
        problem: None,
    };
    MessageView {
        partition: Partition::new(0).unwrap(),
        offset: 7,
        timestamp: Some(at(600)),
        timestamp_raw: None,
        timestamp_type: Some("CreateTime".to_owned()),
        aborted: None,
        transaction_open: false,
        key: payload("4711"),
        value: payload(value),
        headers: (0..headers)
            .map(|n| HeaderView { name: format!("Flowdeck-{n}"), value: payload("1") })
            .collect(),
        headers_total: headers,
    }
}

#[async_trait]
impl DeadLetters for Made {
    async fn topics(&self, _: &ClusterName, by_shape: bool) -> Result<DeadLetterTopicsView, PortError> {
        let topic = |name: &str, found_by, count| DeadLetterTopic {
            topic: name.parse().unwrap(),
            found_by,
            partitions: 3,
            count: Some(count),
            last_hour: Some(count / 10),
            last_day: None,
            oldest: Some(at(90_000)),
            newest: (count > 0).then(|| at(40)),
            readers: 0,
        };
        let topics = match self.empty {
            true => vec![],
            false => vec![
                topic("dev-orders.dlq", FoundBy::Name, 12_345),
                topic("convex.failures", FoundBy::Configuration, 3),
                topic(
                    "a-very-long-name-of-a-topic-with-dead-letters-of-some-department-DLT",
                    FoundBy::Name,
                    0,
                ),
            ],
        };
        Ok(DeadLetterTopicsView {
            now: at(0),
            cluster_info: prod(),
            topics,
            looked_at: by_shape.then_some(17),
            notes: vec![],
        })
    }

    async fn letters(
        &self,
        _: &ClusterName,
        topic: &TopicName,
        query: &DeadLettersQuery,
    ) -> Result<DeadLettersView, PortError> {
        let group = |error: Option<&str>, count| DeadLetterGroup {
            original_topic: error.map(|_| "orders".to_owned()),
            error: error.map(str::to_owned),
            shape: if error.is_some() { DeadLetterShape::Agent } else { DeadLetterShape::Unknown },
            count,
            oldest: Some(at(90_000)),
            newest: Some(at(40)),
        };
        let row = |offset| DeadLetterRow {
            partition: Partition::new(0).unwrap(),
            offset,
            timestamp: Some(at(600)),
            origin: origin(
                "no card <b>4711</b>: the bank refused it, and so did the other one, after 3 attempts",
            ),
        };
        Ok(DeadLettersView {
            now: at(0),
            cluster_info: prod(),
            topic: topic.clone(),
            found_by: Some(FoundBy::Name),
            count: 12_345,
            scanned: 5_000,
            complete: false,
            groups: vec![group(Some("no card <b>#</b>"), 4_990), group(None, 10)],
            more_groups: 2,
            letters: if query.original.as_deref() == Some("none") {
                vec![]
            } else {
                (0..4).map(row).collect()
            },
            matching: 4_990,
            notes: vec![],
        })
    }

    async fn letter(
        &self,
        _: &ClusterName,
        topic: &TopicName,
        place: RecordPlace,
    ) -> Result<DeadLetterView, PortError> {
        if place.offset > 7 {
            return Err(PortError::not_found(flowdeck_model::error::ResourceKind::Record, place.to_string()));
        }
        Ok(DeadLetterView {
            now: at(0),
            cluster_info: prod(),
            topic: topic.clone(),
            origin: origin("no card"),
            record: record("{\"id\":4711,\"token\":\"***\"}", 7),
            original: Some(record("{\"id\":4711,\"token\":\"***\"}", 1)),
            note: None,
        })
    }
}

fn redrive(state: RedriveState) -> RedriveView {
    let mut progress = RedriveProgress { copied: 4_321, percent: 87, ..RedriveProgress::default() };
    progress.add(NotCopied::TooLarge, 2);
    progress.add(NotCopied::Redriven, 1_200);
    RedriveView {
        id: "6fa459ea-ee8a-4ca4-894e-db77e160355e".parse().unwrap(),
        cluster_info: prod(),
        request: RedriveRequest {
            topic: "dev-orders.dlq".parse().unwrap(),
            records: RedriveRecords::Matching { original: None, error: None, ends: vec![] },
            to: RedriveTarget::Original,
            rate: 100,
            other_groups: false,
            reason: "INC-1 <b>cards</b>".to_owned(),
        },
        actor: Actor::anonymous(Via::Page, None).view,
        state,
        order: RedriveOrder::Run,
        progress,
        now: at(0),
        requested_at: at(90),
        changed_at: at(2),
        notes: vec![],
    }
}

#[async_trait]
impl Redrives for Made {
    async fn preview(&self, _: &ClusterName, request: RedriveRequest) -> Result<RedrivePreview, PortError> {
        if request.rate == 1 {
            return Err(PortError::Unprocessable { detail: "it cannot be done".to_owned() });
        }
        let mut progress = RedriveProgress { percent: 100, ..RedriveProgress::default() };
        progress.add(NotCopied::OriginalUnknown, 10);
        Ok(RedrivePreview {
            request,
            copies: 4_990,
            progress,
            targets: vec![RedriveTargetPreview {
                topic: "orders".parse().unwrap(),
                copies: 4_990,
                groups: vec!["billing".into(), "audit".into()],
                other_groups: 1,
                needs_consent: true,
            }],
            complete: true,
            notes: vec!["no consumer group reads x: nobody would get the copies".to_owned()],
        })
    }

    async fn submit(&self, _: &ClusterName, _: SubmitRedrive) -> Result<RedriveView, PortError> {
        Ok(redrive(RedriveState::Requested))
    }

    async fn order(&self, _: &ClusterName, _: CommandId, _: RedriveOrder) -> Result<RedriveView, PortError> {
        Ok(redrive(RedriveState::Running))
    }

    fn redrive(&self, _: &ClusterName, id: CommandId) -> Result<RedriveView, PortError> {
        let known = redrive(if self.empty { RedriveState::Completed } else { RedriveState::Running });
        let absent = || PortError::not_found(flowdeck_model::error::ResourceKind::Command, id.to_string());
        (known.id == id).then_some(known).ok_or_else(absent)
    }

    fn of_topic(&self, _: &ClusterName, _: &TopicName) -> Result<Vec<RedriveRow>, PortError> {
        let view = redrive(RedriveState::Running);
        Ok(vec![RedriveRow {
            id: view.id,
            actor: view.actor,
            state: view.state,
            copied: view.progress.copied,
            not_copied: 1_202,
            requested_at: view.requested_at,
        }])
    }
}

#[tokio::test]
async fn redrives_are_plain_forms() {
    for (path, wanted) in [
        (
            "/c/prod-eu/dead-letters/dev-orders.dlq",
            &["/c/prod-eu/dead-letters/dev-orders.dlq/redrive", "value=\"0@3\"", "4,321 copied, 1,202 not"][..],
        ),
        (
            "/c/prod-eu/dead-letters/dev-orders.dlq/redrive?original=orders&error=no+card+%23",
            &[
                "4,990 records would be copied.",
                "10 records would not be copied: original topic unknown",
                "1 group that you may not view",
                "name=\"otherGroups\"",
                "name=\"error\" value=\"no card #\"",
                "value=\"billing\"",
                "action=\"/kafkaflow/c/prod-eu/redrives\"",
            ],
        ),
        ("/c/prod-eu/dead-letters/dev-orders.dlq/redrive?rate=1&record=0%401", &["It cannot be done."]),
        (
            "/c/prod-eu/redrives/6fa459ea-ee8a-4ca4-894e-db77e160355e",
            &[
                "Running",
                "http-equiv=\"refresh\"",
                "INC-1 &lt;b&gt;cards",
                "2 records were not copied: larger",
                "value=\"pause\"",
                "value=\"stop\"",
            ],
        ),
    ] {
        let page = crate::page(path).await;
        assert_eq!(page.status, 200, "{path}");
        for wanted in wanted {
            assert!(page.html.contains(wanted), "{path}: {wanted}\n{}", page.html);
        }
    }
    for (path, status) in [
        ("/c/prod-eu/dead-letters/dev-orders.dlq/redrive?record=1", 400),
        ("/c/prod-eu/redrives/6fa459ea-ee8a-4ca4-894e-db77e1603550", 404),
        ("/c/prod-eu/redrives/1", 404),
    ] {
        assert_eq!(crate::page(path).await.status, status, "{path}");
    }
    let over = crate::render(
        "/c/prod-eu/redrives/6fa459ea-ee8a-4ca4-894e-db77e160355e",
        Some(crate::fixture::ports(true)),
        crate::site(),
    );
    let over = over.await;
    assert!(!over.html.contains("http-equiv=\"refresh\"") && !over.html.contains("value=\"stop\""));
}

#[tokio::test]
async fn dead_letters_are_plain_pages_that_escape_what_records_say() {
    for (path, wanted) in [
        ("/c/prod-eu/dead-letters", &["dev-orders.dlq", "12,345", "not read", "Look at the records"][..]),
        ("/c/prod-eu/dead-letters?shape=true", &["newest record of 17 other topics"]),
        (
            "/c/prod-eu/dead-letters/dev-orders.dlq",
            &[
                "no card &lt;b&gt;#&lt;/b&gt;",
                "newest 5,000 records of at most 12,345",
                "2 more groups are",
                "?original=orders&amp;error=no+card+%3Cb%3E%23%3C%2Fb%3E",
                "/c/prod-eu/dead-letters/dev-orders.dlq/0/3",
            ],
        ),
        ("/c/prod-eu/dead-letters/dev-orders.dlq?original=none", &["Nothing matches", "Show all"]),
        (
            "/c/prod-eu/dead-letters/dev-orders.dlq/0/7",
            &["The original", "billing", "1 value is", "Attempts"],
        ),
    ] {
        let page = crate::page(path).await;
        assert_eq!(page.status, 200, "{path}");
        for wanted in wanted {
            assert!(page.html.contains(wanted), "{path}: {wanted}\n{}", page.html);
        }
        assert!(!page.html.contains("flowdeck.js"), "{path}: the server alone renders it");
        assert!(!page.html.contains("<b>4711"), "{path}");
    }
    for path in ["/c/prod-eu/dead-letters/dev-orders.dlq/0/8", "/c/prod-eu/dead-letters/dev-orders.dlq/0/-1"]
    {
        assert_eq!(crate::page(path).await.status, 404, "{path}");
    }
    assert_eq!(crate::page("/c/prod-eu/dead-letters?shape=1").await.status, 400);
}
