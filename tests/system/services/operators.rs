//! What CustomService's operators expect of one web page: topics, messages, consumer groups and the brokers' health; and
//! Prometheus.

use super::Scene;

#[tokio::test(flavor = "multi_thread")]
async fn topics_messages_groups_and_brokers_are_on_pages_and_in_metrics() {
    let scene = Scene::start("custom-service").await;
    let page = async |path: &str, wanted: &[&str]| {
        let page = scene.server.get(path).await;
        assert_eq!(page.status, 200, "{path}: {}", page.text);
        for text in wanted {
            assert!(page.text.contains(text), "{path}: {text} is not in {}", page.text);
        }
    };
    page("", &["analytics-service", "notification-service", "audit-service"]).await;
    page("/c/shop/groups/audit-service", &["audit-service-item-deleted", "customservice.item.deleted"]).await;
    page("/c/shop/topics/customservice.item.created", &["correlationId", "Sample Item"]).await;
    page("/c/shop/brokers", &["Brokers"]).await;
    let metrics = scene.server.get("/metrics").await.text;
    let lag =
        metrics.lines().find(|line| line.starts_with("flowdeck_") && line.contains("analytics-service"));
    assert!(lag.is_some(), "{metrics}");
    let health = scene.server.get("/health").await;
    assert!(health.status == 200 && health.text.contains("kafka"), "{}", health.text);
    scene.stop().await;
}
