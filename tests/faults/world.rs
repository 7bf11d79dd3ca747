//! Everything that is real: the broker and the network before it, the server, the agents, records that come in.

use std::collections::BTreeMap;
use std::time::Duration;

use flowdeck_testkit::{DEADLINE, NodeOptions, PrivateKafka, Proxy, port, private};
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::producer::FutureRecord;
use tokio::task::JoinHandle;

use crate::agents::{self, Agents};
use crate::relay::{self, Relay};
use crate::site::Site;
use crate::support::{Server, cluster, heard};

pub(crate) const PARTITIONS: i32 = 4;
pub(crate) const CLUSTER: &str = "shop";
/// A member that was killed is gone soon, as those of the classic protocols are.
const SESSIONS: [(&str, &str); 4] = [
    ("group.consumer.min.session.timeout.ms", "1000"),
    ("group.consumer.session.timeout.ms", "6000"),
    ("group.consumer.min.heartbeat.interval.ms", "100"),
    ("group.consumer.heartbeat.interval.ms", "500"),
];

pub(crate) struct World {
    pub(crate) proxy: Proxy,
    pub(crate) kafka: PrivateKafka,
    /// Of each group; of one at least.
    pub(crate) groups: Vec<Agents>,
    pub(crate) server: Server,
    pub(crate) site: Site,
    pub(crate) relay: Relay,
    config: String,
    listen: String,
    producing: Vec<JoinHandle<()>>,
}

impl World {
    /// `loses`: also acks.
    pub(crate) async fn start(groups: usize, seed: u64, loses: bool) -> Self {
        let proxy = Proxy::start().await;
        let properties = SESSIONS.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
        let kafka =
            private(&NodeOptions { behind: Some(proxy.port()), properties, ..NodeOptions::default() });
        proxy.to(kafka.proxied());
        for number in 0..groups {
            kafka.create_topic(&agents::topic(number), PARTITIONS).await;
        }
        kafka.create_topic("kafkaflow.admin", 1).await;
        kafka.create_topic(relay::SENT, 1).await;
        let config = cluster(CLUSTER, "control", &proxy.bootstrap());
        let listen = format!("127.0.0.1:{}", port::free(1).unwrap()[0]);
        let server = Server::start_at(&config, &listen).await;
        // Flowdeck has made its topics.
        let relay = Relay::start(&kafka, seed, loses);
        let groups: Vec<_> = (0..groups).map(|number| Agents::start(&kafka, number)).collect();
        let produced = |agents: &Agents| tokio::spawn(produce(kafka.producer(), agents.topic.clone()));
        let producing = groups.iter().map(produced).collect();
        for agents in &groups {
            server.group(CLUSTER, &agents.group, "both agents are heard", heard(2)).await;
        }
        let site = Site::at(&listen);
        Self { proxy, kafka, groups, server, site, relay, config, listen, producing }
    }

    /// SIGKILL, and the same again on the same port.
    pub(crate) async fn kill_server(&mut self) {
        self.server.assert_sound();
        self.site.comes_or_goes();
        self.server.process.kill();
        self.server = Server::start_at(&self.config, &self.listen).await;
        self.site.comes_or_goes();
    }

    pub(crate) async fn stop_server(&mut self) {
        self.server.assert_sound();
        self.site.comes_or_goes();
        let begun = std::time::Instant::now();
        self.server.process.stop().await;
        assert!(begun.elapsed() < Duration::from_secs(6), "SIGTERM took {:?}", begun.elapsed());
        self.server = Server::start_at(&self.config, &self.listen).await;
        self.site.comes_or_goes();
    }

    /// SIGSTOP for a while: what was asked for meanwhile has no answer in time.
    pub(crate) async fn freeze_server(&self, span: Duration) {
        self.site.comes_or_goes();
        self.server.process.signal("-STOP");
        tokio::time::sleep(span).await;
        self.server.process.signal("-CONT");
        self.site.comes_or_goes();
    }

    pub(crate) fn stop_producing(&self) {
        self.producing.iter().for_each(JoinHandle::abort);
    }

    /// None of the agents ended by itself, none panicked.
    pub(crate) fn assert_agents_sound(&mut self) {
        self.groups.iter_mut().for_each(Agents::assert_sound);
    }

    pub(crate) fn handled(&self) -> usize {
        self.groups.iter().map(|agents| agents.ledger.handled()).sum()
    }

    /// The ends of all partitions, by the broker itself.
    pub(crate) fn ends(&self, topic: &str) -> BTreeMap<i32, i64> {
        let client: BaseConsumer = self.kafka.client().create().unwrap();
        let end = |partition| client.fetch_watermarks(topic, partition, DEADLINE).unwrap().1;
        (0..PARTITIONS).map(|partition| (partition, end(partition))).collect()
    }
}

impl Drop for World {
    fn drop(&mut self) {
        self.stop_producing();
    }
}

/// Some 40 records a second, kept and sent later while the broker is away.
async fn produce(producer: rdkafka::producer::FutureProducer, topic: String) {
    for number in 0_u64.. {
        let value = number.to_string();
        let partition = (number % PARTITIONS as u64) as i32;
        let record = FutureRecord::<(), str>::to(&topic).partition(partition).payload(&value);
        // What is still in the queue is sent by librdkafka; nobody waits for the confirmation.
        drop(producer.send_result(record));
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
}
