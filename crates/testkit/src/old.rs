//! A broker of an old release, with ZooKeeper, of a test's own.

use std::ops::Deref;
use std::time::{Duration, Instant};

use flowdeck_broker::{OldBroker, OldRelease};
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use tempfile::TempDir;

use crate::records::Kafka;
use crate::wait::DEADLINE;

/// Runs until dropped; its data goes with it. All of [`Kafka`] is there too.
pub struct OldKafka {
    kafka: Kafka,
    _broker: OldBroker,
    _dir: TempDir,
}

/// Starts ZooKeeper and a broker of this release; some 5 s, and a download where the release is not cached.
pub fn old(release: OldRelease) -> OldKafka {
    let dir =
        tempfile::Builder::new().prefix("flowdeck-old-kafka-").tempdir().expect("a directory for Kafka");
    let broker =
        OldBroker::start(release, dir.path(), &mut |line| eprintln!("{line}")).expect("an old Kafka");
    let kafka = Kafka::at(&broker.bootstrap());
    wait_controller(&kafka);
    OldKafka { kafka, _broker: broker, _dir: dir }
}

/// A broker with ZooKeeper answers before it has a controller, which then tells it of itself. librdkafka asks for
/// the controller once, and what needs one waits in vain.
fn wait_controller(kafka: &Kafka) {
    let end = Instant::now() + DEADLINE;
    loop {
        let client: BaseConsumer = kafka.client().create().expect("a consumer");
        let metadata = client.fetch_metadata(None, Duration::from_secs(5));
        if metadata.is_ok_and(|metadata| !metadata.brokers().is_empty()) {
            return;
        }
        assert!(Instant::now() < end, "the broker has no controller");
        std::thread::sleep(Duration::from_millis(50));
    }
}

impl Deref for OldKafka {
    type Target = Kafka;

    fn deref(&self) -> &Kafka {
        &self.kafka
    }
}
