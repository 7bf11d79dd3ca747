//! The row Convex.

use flowdeck_fleets::services::{Fleet, Trouble};

use super::{header, json, start};

const QUICK: [(&str, &str); 2] =
    [("ConvexMessaging__RetryDelaySeconds", "1"), ("ConvexMessaging__AutoCommitIntervalMs", "250")];

#[tokio::test(flavor = "multi_thread")]
async fn convex_topics_groups_and_consumers() {
    let service = start(Fleet::Convex, &[]).await;
    for topic in ["convex.user.created", "convex.bet.placed", "convex.user.notifications", "convex.dlq"] {
        assert_eq!(service.partitions(topic), Some(3), "{topic}");
    }
    let consumers = [
        ("convex-group", "convex.user.created", 1),
        ("convex-group", "convex.bet.placed", 1),
        // A queue's own group.
        ("convex.user.notifications", "convex.user.notifications", 1),
    ];
    service.wait_consumers(&consumers).await;
    service.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn convex_events_are_json_and_carry_their_correlation_on() {
    let service = start(Fleet::Convex, &[]).await;
    let sent = service.records("convex.user.notifications", 2).await;
    let users = service.kafka.read_all("convex.user.created");
    for record in sent {
        let (message, id) = (json(&record), header(&record, "correlation-id"));
        let user = users.iter().find(|user| header(user, "correlation-id") == id).expect("its user");
        assert_eq!(message["UserId"], json(user)["UserId"]);
        assert_eq!(message["Type"], "Welcome");
    }
    service.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn convex_settings_of_the_environment() {
    let variables = [
        ("KAFKA_SECURITY_PROTOCOL", "PLAINTEXT"),
        ("KAFKA_CONSUMER_GROUP", "bets"),
        ("KAFKA_TOPIC_PREFIX", "vegas"),
        ("ConvexMessaging__MessageRetentionMs", "3600000"),
    ];
    let service = start(Fleet::Convex, &variables).await;
    assert_eq!(service.partitions("vegas.bet.placed"), Some(3));
    assert_eq!(service.partitions("convex.bet.placed"), None);
    service
        .wait_consumers(&[
            ("bets", "vegas.user.created", 1),
            ("bets", "vegas.bet.placed", 1),
            ("vegas.user.notifications", "vegas.user.notifications", 1),
        ])
        .await;
    service.end().await;
}

/// `{OriginalTopic, OriginalMessage, ErrorMessage, FailedAt}`, after as many tries as the settings say.
#[tokio::test(flavor = "multi_thread")]
async fn convex_message_that_fails_is_tried_again_and_then_lies_in_convex_dlq() {
    let service = start(Fleet::Convex, &QUICK).await;
    service.runtime.troubles.begin(Trouble::PoisonRecord);
    let letters = service.records("convex.dlq", 1).await;
    let letter = json(&letters[0]);
    assert_eq!(letter["OriginalTopic"], "convex.bet.placed");
    assert_eq!(letter["OriginalMessage"]["BetId"], 0, "{letter}");
    assert_eq!(letter["ErrorMessage"], "there is no market for bet 0");
    assert!(letter["FailedAt"].is_string());
    assert_eq!(header(&letters[0], "Flowdeck-Attempts"), Some("3"), "MaxRetryAttempts");
    service.end().await;
}
