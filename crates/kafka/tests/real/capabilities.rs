//! The table of what a cluster offers.

use flowdeck_kafka::Capability;
use flowdeck_testkit::{kafka, unique};

use crate::support::{LONG, cluster};

#[tokio::test(flavor = "multi_thread")]
async fn kafka_4_offers_all() {
    let kafka = kafka();
    let cluster = cluster(kafka);
    let name = unique("capable");
    kafka.create_topic(&name, 1).await;
    kafka.produce(&name, 0, ["a"]).await;
    kafka.commit(&unique("capable"), &[(&name, 0, 1)]);
    let topics = kafka.topics();
    let table = cluster.capabilities(LONG).await;
    for (what, found) in table.rows() {
        // Other tests' topics may be empty or half made.
        let fine = matches!(found, Capability::Yes) || what == "read records";
        assert!(fine, "{what}: {found}");
    }
    assert!(kafka.topics().iter().all(|(topic, _)| topic != "flowdeck.probe"), "{topics:?}");
}
