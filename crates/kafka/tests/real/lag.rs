//! The same numbers as Kafka's own tool.

use std::collections::BTreeMap;

use flowdeck_kafka::{Cause, Cluster, OffsetSpec};
use flowdeck_model::{GroupId, Timestamp};
use flowdeck_testkit::judge::Row;
use flowdeck_testkit::{kafka, unique, wait_for};

use crate::groups::Alive;
use crate::support::{LONG, asked, cluster};

/// Committed and end of each partition of the group, as the judge prints them.
async fn ours(cluster: &Cluster, group: &str) -> BTreeMap<(String, i32), (Option<i64>, Option<i64>)> {
    let mut commits = Vec::new();
    cluster.committed(&[GroupId::from(group)], 1, LONG, |_, rows| commits = rows.expect("commits")).await;
    let partitions: Vec<_> = commits.iter().map(|row| (row.topic.clone(), row.partition)).collect();
    let ends = cluster.offsets(&partitions, OffsetSpec::Latest, LONG).await;
    let rows = commits.iter().zip(ends);
    rows.map(|(row, end)| {
        let place = (row.topic.to_string(), row.partition.get());
        (place, (row.offset().expect("an offset"), Some(end.expect("an end"))))
    })
    .collect()
}

fn theirs(rows: Vec<Row>) -> BTreeMap<(String, i32), (Option<i64>, Option<i64>)> {
    // The judge lists assigned partitions without a commit, too.
    let committed = rows.into_iter().filter(|row| row.committed.is_some());
    committed.map(|row| ((row.topic, row.partition), (row.committed, row.end))).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn as_kafkas_own_tool_says() {
    let kafka = kafka();
    let cluster = cluster(kafka);
    let (one, two) = (unique("lag-one"), unique("lag-two"));
    kafka.create_topic(&one, 3).await;
    kafka.create_topic(&two, 2).await;
    for partition in 0..3 {
        kafka.produce(&one, partition, (0..10 * (partition + 1)).map(|n| n.to_string())).await;
    }
    kafka.produce(&two, 1, (0..50).map(|n| n.to_string())).await;
    let (empty, classic, modern) = (unique("empty"), unique("classic"), unique("modern"));
    kafka.commit(&empty, &[(&one, 0, 4), (&one, 2, 30), (&two, 1, 12), (&two, 0, 0)]);
    // Records are deleted beyond what was committed: out of range.
    kafka.delete_records(&two, 1, 20).await;
    let _classic = Alive::join(kafka, &classic, &one, "classic", "c");
    let _modern = Alive::join(kafka, &modern, &one, "consumer", "m");
    for group in [&classic, &modern] {
        wait_for("everything committed", LONG, async || {
            let rows = ours(&cluster, group).await;
            (rows.values().filter_map(|(committed, _)| *committed).sum::<i64>() == 60).then_some(())
        })
        .await;
    }
    for group in [&empty, &classic, &modern] {
        assert_eq!(ours(&cluster, group).await, theirs(kafka.judge(group)), "{group}");
    }
    let starts = cluster.offsets(&asked(&two, 2), OffsetSpec::Earliest, LONG).await;
    assert_eq!(starts, [Ok(0), Ok(20)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn offsets_keep_their_places_and_fail_alone() {
    let kafka = kafka();
    let cluster = cluster(kafka);
    let (name, missing) = (unique("places"), unique("missing"));
    kafka.create_topic(&name, 3).await;
    kafka.produce(&name, 1, ["a", "b"]).await;
    let mut partitions = asked(&name, 4);
    partitions.extend(asked(&missing, 1));
    partitions.extend(asked(&name, 2));
    let ends = cluster.offsets(&partitions, OffsetSpec::Latest, LONG).await;
    let unknown = || Err(Cause::UnknownTopic);
    assert_eq!(ends, [Ok(0), Ok(2), Ok(0), unknown(), unknown(), Ok(0), Ok(2)]);
    assert_eq!(cluster.offsets(&[], OffsetSpec::Latest, LONG).await, []);
}

#[tokio::test(flavor = "multi_thread")]
async fn offsets_of_more_partitions_than_one_call_takes() {
    let kafka = kafka();
    let cluster = cluster(kafka);
    let name = unique("wide");
    kafka.create_topic(&name, 300).await;
    kafka.produce(&name, 299, ["a"]).await;
    // Just made: some leaders do not know yet that they lead.
    let ends = wait_for("all leaders", LONG, async || {
        let ends = cluster.offsets(&asked(&name, 300), OffsetSpec::Latest, LONG).await;
        assert_eq!(ends.len(), 300);
        ends.into_iter().collect::<Result<Vec<i64>, _>>().ok()
    });
    let mut want = vec![0; 300];
    want[299] = 1;
    assert_eq!(ends.await, want);
}

#[tokio::test(flavor = "multi_thread")]
async fn offsets_by_time() {
    let kafka = kafka();
    let cluster = cluster(kafka);
    let name = unique("times");
    kafka.create_topic(&name, 1).await;
    kafka.produce(&name, 0, ["a", "b", "c"]).await;
    let at = |millis| OffsetSpec::At(Timestamp::from_millis(millis));
    assert_eq!(cluster.offsets(&asked(&name, 1), at(0), LONG).await, [Ok(0)]);
    assert_eq!(cluster.offsets(&asked(&name, 1), at(i64::MAX), LONG).await, [Ok(-1)]);
}
