//! A broker of a test's own.

use std::collections::BTreeSet;
use std::ops::Deref;
use std::time::{Duration, Instant};

use flowdeck_broker::{Broker, NodeOptions, SecureEndpoint};
use tempfile::TempDir;

use crate::acls::{self, Rule};
use crate::records::Kafka;
use crate::shared::home;
use crate::wait::DEADLINE;

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
        let (kind, name) = match *resource {
            ["--cluster"] => ("Cluster", "kafka-cluster"),
            ["--topic", name] => ("Topic", name),
            ["--group", name] => ("Group", name),
            ["--transactional-id", name] => ("TransactionalId", name),
            _ => panic!("{resource:?} is no resource"),
        };
        self.grant(user, &operations.iter().map(|operation| Rule::new(operation, kind, name)).collect());
    }

    /// Lets `user` do all of this, beside what the user may do already; the broker knows it on return.
    pub fn grant(&self, user: &str, rules: &BTreeSet<Rule>) {
        acls::create(self.bootstrap(), user, rules);
        self.wait_rules(user, |now| rules.is_subset(now));
    }

    /// Takes back what was given just so; the broker knows it on return.
    pub fn revoke(&self, user: &str, rule: &Rule) {
        acls::delete(self.bootstrap(), user, rule);
        self.wait_rules(user, |now| !now.contains(rule));
    }

    fn wait_rules(&self, user: &str, are: impl Fn(&BTreeSet<Rule>) -> bool) {
        let end = Instant::now() + DEADLINE;
        while !are(&self.rules(user)) {
            assert!(Instant::now() < end, "the broker does not know the ACLs of {user}");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// What the broker lets `user` do.
    pub fn rules(&self, user: &str) -> BTreeSet<Rule> {
        acls::describe(self.bootstrap(), user)
    }

    /// What the broker refused to `user` so far, in its authorizer's words, each once. What it leaves out of a
    /// list silently is not among it.
    pub fn denied(&self, user: &str) -> BTreeSet<String> {
        let log = std::fs::read_to_string(self.broker.node().log()).expect("the broker's log");
        let words = format!("Principal = User:{user} is Denied ");
        log.lines().filter_map(|line| Some(line.split_once(&words)?.1.to_owned())).collect()
    }
}

impl Deref for PrivateKafka {
    type Target = Kafka;

    fn deref(&self) -> &Kafka {
        &self.kafka
    }
}
