//! Leaders that moved while all brokers answer.

use flowdeck_kafka::OffsetSpec;
use flowdeck_testkit::{NodeOptions, private_cluster};

use crate::support::{LONG, asked, cluster};

#[tokio::test(flavor = "multi_thread")]
async fn offsets_are_asked_of_the_leaders_of_now() {
    let kafka = private_cluster(3, &NodeOptions::default());
    kafka.create_replicated("t", 6).await;
    let (cluster, all) = (cluster(&kafka), asked("t", 6));
    let read = async || cluster.offsets(&all, OffsetSpec::Latest, LONG).await;
    assert_eq!(read().await, vec![Ok(0); 6]);
    let before = kafka.leaders("t");
    tokio::task::block_in_place(|| kafka.move_leaders("t"));
    let after = kafka.leaders("t");
    assert!(before.iter().all(|(partition, leader)| after[partition] != *leader), "{before:?} {after:?}");
    // At once, and not when somebody reads the metadata.
    assert_eq!(read().await, vec![Ok(0); 6]);
}
