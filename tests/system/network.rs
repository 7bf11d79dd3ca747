//! The network between Flowdeck and a broker that was fine before: it stalls, is cut, forgets its connections,
//! crawls. Pages answer at once with the age of what they show, other clusters are as always, and it comes back
//! by itself.

use std::time::{Duration, Instant};

use flowdeck_testkit::{Kafka, Network, NodeOptions, PrivateKafka, Proxy, kafka, private, unique};
use serde_json::Value;

use crate::support::{Server, cluster};

/// What stays silent is noticed by the call's own deadline; a half-open connection by librdkafka's 15 s.
const BACK: Duration = Duration::from_secs(45);

struct Watched {
    server: Server,
    proxy: Proxy,
    behind: PrivateKafka,
    /// Topic and group of the cluster that nothing happens to.
    well: (&'static Kafka, String, String),
    lag: i64,
}

impl Watched {
    async fn start() -> Self {
        let proxy = Proxy::start().await;
        let behind = private(&NodeOptions { behind: Some(proxy.port()), ..NodeOptions::default() });
        proxy.to(behind.proxied());
        let (topic, group) = (unique("orders"), unique("readers"));
        for (kafka, topic, group) in [(&*behind, "orders", "readers"), (kafka(), &*topic, &*group)] {
            kafka.create_topic(topic, 1).await;
            kafka.produce(topic, 0, ["a", "b"]).await;
            kafka.commit(group, &[(topic, 0, 0)]);
        }
        let config = cluster("behind", "observe", &proxy.bootstrap())
            + &cluster("well", "observe", kafka().bootstrap());
        let server = Server::start(&config).await;
        server.group("behind", "readers", "read through the proxy", |view| view["lag"] == 2).await;
        server.group("well", &group, "read", |view| view["lag"] == 2).await;
        assert!(proxy.accepted() > 0, "Flowdeck went round the proxy");
        Self { server, proxy, behind, well: (kafka(), topic, group), lag: 2 }
    }

    async fn asked(&self) {
        for path in ["", "/c/behind/groups/readers", "/c/behind/topics", "/c/well/topics", "/metrics"] {
            let answer = self.server.soon(path).await;
            assert_eq!(answer.status, 200, "{path}: {}\n{}", answer.text, self.server.process.log());
        }
    }

    /// Until the cluster says that it does not respond, pages being asked all the while.
    async fn noticed(&self, network: Network) -> Value {
        let begun = Instant::now();
        loop {
            self.asked().await;
            let said = self.server.says("behind").await;
            if !said["error"].is_null() {
                return said;
            }
            assert!(begun.elapsed() < BACK, "{network:?} is not noticed");
        }
    }

    /// The other cluster is read again and again, as if it were alone.
    async fn others_are_untouched(&mut self) {
        let (kafka, topic, group) = &self.well;
        let stamp = self.server.says("well").await["asOf"].clone();
        kafka.produce(topic, 0, ["c"]).await;
        self.lag += 1;
        let lag = self.lag;
        let view = self.server.group("well", group, "its new lag", |view| view["lag"] == lag).await;
        assert_ne!(view["asOf"], stamp);
        assert!(self.server.says("well").await["error"].is_null());
    }

    /// The stamp stays, our clock goes on, and the page says how long ago.
    async fn age_grows(&self, stamp: &Value) {
        let then = self.server.soon("/api/v1/clusters/behind/groups/readers").await.json();
        assert_eq!(then["asOf"], *stamp);
        assert!(!then["lag"].is_null(), "what was known is still shown");
        tokio::time::sleep(Duration::from_millis(1_200)).await;
        let later = self.server.soon("/api/v1/clusters/behind/groups/readers").await.json();
        assert_eq!(later["asOf"], *stamp);
        assert!(later["now"].as_str() > then["now"].as_str());
        let page = self.server.soon("/c/behind/groups/readers").await.text;
        assert!(page.contains("does not respond") && page.contains(" ago"), "{page}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_network_that_stalls_is_cut_or_forgets_its_connections_comes_back_without_a_restart() {
    let mut watched = Watched::start().await;
    for (lag, network) in (3..).zip([Network::Stall, Network::Cut, Network::HalfOpen]) {
        watched.proxy.set(network);
        let said = watched.noticed(network).await;
        watched.others_are_untouched().await;
        watched.age_grows(&said["asOf"]).await;
        watched.asked().await;

        watched.proxy.set(Network::Pass);
        let begun = Instant::now();
        watched.behind.produce("orders", 0, ["d"]).await;
        let fresh = |view: &Value| view["lag"] == lag && view["clusterInfo"]["error"].is_null();
        watched.server.group("behind", "readers", &format!("back after {network:?}"), fresh).await;
        println!("back {:?} after {network:?} was over", begun.elapsed());
        assert!(begun.elapsed() < BACK);
    }
    watched.server.assert_sound();
}

/// Nothing fails, and all takes long: pages do not.
#[tokio::test(flavor = "multi_thread")]
async fn a_slow_network_makes_no_slow_page() {
    let mut watched = Watched::start().await;
    watched.proxy.set(Network::Slow(2_000));
    let until = Instant::now() + Duration::from_secs(12);
    while Instant::now() < until {
        watched.asked().await;
    }
    watched.others_are_untouched().await;
    watched.proxy.set(Network::Pass);
    watched.behind.produce("orders", 0, ["c"]).await;
    let fresh = |view: &Value| view["lag"] == 3 && view["clusterInfo"]["error"].is_null();
    watched.server.group("behind", "readers", "as fast as before", fresh).await;
    watched.server.assert_sound();
}
