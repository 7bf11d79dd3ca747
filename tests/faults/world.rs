//! Everything that is real: the broker and the network before it, the server, the agents, records that come in.

use std::collections::BTreeMap;
use std::time::Duration;

use flowdeck_testkit::{DEADLINE, NodeOptions, PrivateKafka, Proxy, port, private};
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::producer::FutureRecord;
use tokio::task::JoinHandle;

use crate::agents::{Agents, GROUP, TOPIC};
use crate::site::Site;
use crate::support::{Server, cluster, heard};

pub(crate) const PARTITIONS: i32 = 4;
pub(crate) const CLUSTER: &str = "shop";

pub(crate) struct World {
    pub(crate) proxy: Proxy,
    pub(crate) kafka: PrivateKafka,
    pub(crate) agents: Agents,
    pub(crate) server: Server,
    pub(crate) site: Site,
    config: String,
    listen: String,
    producing: JoinHandle<()>,
}

impl World {
    pub(crate) async fn start() -> Self {
        let proxy = Proxy::start().await;
        let kafka = private(&NodeOptions { behind: Some(proxy.port()), ..NodeOptions::default() });
        proxy.to(kafka.proxied());
        kafka.create_topic(TOPIC, PARTITIONS).await;
        kafka.create_topic("kafkaflow.admin", 1).await;
        let config = cluster(CLUSTER, "control", &proxy.bootstrap());
        let listen = format!("127.0.0.1:{}", port::free(1).unwrap()[0]);
        let server = Server::start_at(&config, &listen).await;
        let agents = Agents::start(&kafka);
        let producing = tokio::spawn(produce(kafka.producer()));
        server.group(CLUSTER, GROUP, "both agents are heard", heard(2)).await;
        Self { proxy, kafka, agents, server, site: Site::at(&listen), config, listen, producing }
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
        self.producing.abort();
    }

    /// The ends of all partitions, by the broker itself.
    pub(crate) fn ends(&self) -> BTreeMap<i32, i64> {
        let client: BaseConsumer = self.kafka.client().create().unwrap();
        let end = |partition| client.fetch_watermarks(TOPIC, partition, DEADLINE).unwrap().1;
        (0..PARTITIONS).map(|partition| (partition, end(partition))).collect()
    }
}

impl Drop for World {
    fn drop(&mut self) {
        self.producing.abort();
    }
}

/// Some 40 records a second, kept and sent later while the broker is away.
async fn produce(producer: rdkafka::producer::FutureProducer) {
    for number in 0_u64.. {
        let value = number.to_string();
        let partition = (number % PARTITIONS as u64) as i32;
        let record = FutureRecord::<(), str>::to(TOPIC).partition(partition).payload(&value);
        // What is still in the queue is sent by librdkafka; nobody waits for the confirmation.
        drop(producer.send_result(record));
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
}
