//! A broker of a test's own.

use std::ops::Deref;

use flowdeck_broker::{Broker, NodeOptions, SecureEndpoint, Tool};
use tempfile::TempDir;

use crate::records::Kafka;
use crate::shared::home;

/// Runs until dropped; its data goes with it. All of [`Kafka`] is there too.
pub struct PrivateKafka {
    kafka: Kafka,
    broker: Broker,
    _dir: TempDir,
}

/// Starts a broker for this test alone; some 3 s. Options: its port, users of a secure listener, and broker
/// properties, such as `auto.create.topics.enable=true`.
pub fn private(options: &NodeOptions) -> PrivateKafka {
    let dir =
        tempfile::Builder::new().prefix("flowdeck-private-kafka-").tempdir().expect("a directory for Kafka");
    let broker = Broker::start(home(), dir.path(), options).expect("a Kafka of the test's own");
    PrivateKafka { kafka: Kafka::at(&broker.bootstrap()), broker, _dir: dir }
}

impl PrivateKafka {
    /// A clean stop; the data stays for [`Self::start_again`].
    pub fn stop(&mut self) {
        self.broker.stop();
    }

    /// SIGKILL.
    pub fn kill(&mut self) {
        self.broker.kill();
    }

    /// On the same ports and data.
    pub fn start_again(&mut self) {
        self.broker.start_again().expect("Kafka starts again");
    }

    /// The listener that a proxy is to connect to. Panics where none was announced.
    pub fn proxied(&self) -> std::net::SocketAddr {
        self.broker.node().proxied().expect("a broker behind a proxy")
    }

    /// The SASL_SSL listener. Panics where no users were asked for.
    pub fn secure(&self) -> &SecureEndpoint {
        self.broker.secure().expect("a broker with users")
    }

    /// Lets `user` do `operations` (`Read`, `Describe`, …) on a resource, given as kafka-acls takes it:
    /// `["--topic", "orders"]`, `["--group", "*"]`, `["--cluster"]`.
    pub fn allow(&self, user: &str, operations: &[&str], resource: &[&str]) {
        let principal = format!("User:{user}");
        let bootstrap = self.bootstrap();
        let mut args = vec!["--bootstrap-server", bootstrap, "--add", "--allow-principal", &principal];
        args.extend(operations.iter().flat_map(|operation| ["--operation", operation]));
        args.extend(resource);
        Tool::Acls.run(home(), &args).expect("an ACL");
    }
}

impl Deref for PrivateKafka {
    type Target = Kafka;

    fn deref(&self) -> &Kafka {
        &self.kafka
    }
}
