//! Commits that are set and deleted, and groups that are deleted: as Kafka's own tool then tells them.

use flowdeck_kafka::{Cause, Topic};
use flowdeck_testkit::{DEADLINE, kafka, unique, wait_for};

use crate::groups::Alive;
use crate::support::{LONG, asked, cluster, partition, topic};

fn committed(group: &str) -> Vec<(i32, Option<i64>)> {
    kafka().judge(group).into_iter().map(|row| (row.partition, row.committed)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn commits_are_set_and_deleted() {
    let (kafka, name, group) = (kafka(), unique("alter"), unique("alter"));
    let cluster = cluster(kafka);
    kafka.create_topic(&name, 3).await;
    kafka.produce(&name, 0, (0..9).map(|n| n.to_string())).await;
    kafka.commit(&group, &[(&name, 0, 7)]);
    let shared = Topic::new(topic(&name));
    let set = [(shared.clone(), partition(0), 2), (shared.clone(), partition(1), 0)];
    let answers = cluster.set_committed(&group.as_str().into(), &set, LONG).await;
    assert_eq!(answers, Ok(vec![Ok(()), Ok(())]));
    assert_eq!(committed(&group), [(0, Some(2)), (1, Some(0))]);
    let deleted = cluster.delete_committed(&group.as_str().into(), &asked(&name, 3), LONG).await;
    assert_eq!(deleted.map(|all| all[..2].to_vec()), Ok(vec![Ok(()), Ok(())]));
    let missing = asked(&unique("missing"), 1).remove(0);
    let unknown = [(missing.0, missing.1, 1)];
    let answers = cluster.set_committed(&group.as_str().into(), &unknown, LONG).await.unwrap();
    assert_eq!(answers, vec![Err(Cause::UnknownTopic)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_is_deleted_but_not_with_members() {
    let (kafka, name, group) = (kafka(), unique("alter"), unique("alter"));
    let cluster = cluster(kafka);
    kafka.create_topic(&name, 1).await;
    kafka.commit(&group, &[(&name, 0, 0)]);
    let alive = Alive::join(kafka, &group, &name, "classic", "alive");
    let id = group.as_str().into();
    wait_for("a member", DEADLINE, async || {
        let told = cluster.describe_groups(std::slice::from_ref(&id), 1, LONG).await;
        let (_, told) = told.into_iter().next()?;
        (!told.ok()?.members.is_empty()).then_some(())
    })
    .await;
    let refused = cluster.delete_group(&id, LONG).await;
    assert!(matches!(&refused, Err(Cause::Kafka { name, .. }) if name == "NON_EMPTY_GROUP"), "{refused:?}");
    let set = [(Topic::new(topic(&name)), partition(0), 0)];
    let refused = cluster.set_committed(&id, &set, LONG).await.unwrap();
    assert!(
        matches!(&refused[0], Err(Cause::Kafka { name, .. }) if name == "UNKNOWN_MEMBER_ID"),
        "{refused:?}"
    );
    drop(alive);
    wait_for("the group to be deleted", DEADLINE, async || cluster.delete_group(&id, LONG).await.ok()).await;
    assert_eq!(committed(&group), []);
}

#[tokio::test(flavor = "multi_thread")]
async fn entries_of_a_topic_are_changed_and_no_others() {
    let (kafka, name) = (kafka(), unique("alter"));
    let cluster = cluster(kafka);
    kafka.create_topic_with(&name, 1, &[("retention.bytes", "1000"), ("segment.bytes", "2000000")]).await;
    let entry = async |key: &str| {
        let config = cluster.topic_config(&topic(&name), LONG).await.expect("its configuration");
        let entry = &config[key];
        (entry.value.clone().unwrap_or_default(), entry.own)
    };
    let before = entry("retention.ms").await;
    assert!(!before.1, "the brokers': {before:?}");
    let raised = [("retention.ms", Some("864000000")), ("retention.bytes", Some("-1"))];
    assert_eq!(cluster.alter_topic_config(&topic(&name), &raised, LONG).await, Ok(()));
    wait_for("both are set", DEADLINE, async || {
        let set = (entry("retention.ms").await, entry("retention.bytes").await);
        (set == (("864000000".to_owned(), true), ("-1".to_owned(), true))).then_some(())
    })
    .await;
    let back = [("retention.ms", None), ("retention.bytes", Some("1000"))];
    assert_eq!(cluster.alter_topic_config(&topic(&name), &back, LONG).await, Ok(()));
    wait_for("both are as they were", DEADLINE, async || {
        (entry("retention.ms").await == before && entry("retention.bytes").await.0 == "1000").then_some(())
    })
    .await;
    assert_eq!(entry("segment.bytes").await, ("2000000".to_owned(), true), "others stay");
    let wrong = [("retention.ms", Some("soon"))];
    let refused = cluster.alter_topic_config(&topic(&name), &wrong, LONG).await;
    assert!(matches!(&refused, Err(Cause::Kafka { name, .. }) if name == "INVALID_CONFIG"), "{refused:?}");
    let missing = cluster.alter_topic_config(&topic(&unique("missing")), &back, LONG).await;
    assert_eq!(missing, Err(Cause::UnknownTopic));
}
