//! Several brokers as one cluster, each of them a controller too: for what one broker cannot show, such as
//! leaders and coordinators that move. Two of three may vote without the third.

use std::path::Path;

use anyhow::{Context, Result, bail, ensure};

use crate::broker::Broker;
use crate::cache::KafkaHome;
use crate::node::{Member, NodeOptions, cluster_id};
use crate::port;

/// What holds a cluster's own state is replicated, and a broker that is gone is noticed soon.
const PROPERTIES: [(&str, &str); 6] = [
    ("offsets.topic.replication.factor", "3"),
    ("transaction.state.log.replication.factor", "3"),
    ("transaction.state.log.min.isr", "2"),
    ("broker.session.timeout.ms", "6000"),
    ("broker.heartbeat.interval.ms", "1000"),
    // A second loss must not find a replica that is still on its way back.
    ("unclean.leader.election.enable", "false"),
];

/// Three or more brokers of one cluster, by their ids from 1.
pub struct Brokers {
    all: Vec<Broker>,
}

impl Brokers {
    /// Prepares `count` nodes under `dir`, starts them together and waits until each answers. Of the options,
    /// ports, users and proxies are one broker's: they must not be set.
    pub fn start(home: &KafkaHome, dir: &Path, count: usize, options: &NodeOptions) -> Result<Self> {
        ensure!(count >= 3, "{count} brokers cannot lose one: ask for three");
        if options.port.is_some() || options.behind.is_some() || !options.users.is_empty() {
            bail!("ports, users and proxies are for one broker alone");
        }
        let (cluster, controllers) = (cluster_id(), port::free(count)?);
        let own = PROPERTIES.map(|(key, value)| (key.to_owned(), value.to_owned()));
        let options_of = |id: usize| NodeOptions {
            member: Some(Member { id, cluster: cluster.clone(), controllers: controllers.clone() }),
            properties: own.iter().chain(&options.properties).cloned().collect(),
            ..options.clone()
        };
        let mut all = Vec::with_capacity(count);
        for id in 1..=count {
            let broker = Broker::prepare(home, &dir.join(format!("broker-{id}")), &options_of(id));
            all.push(broker.with_context(|| format!("prepare broker {id}"))?);
        }
        let mut brokers = Self { all };
        for broker in &mut brokers.all {
            broker.spawn()?;
        }
        for broker in &mut brokers.all {
            broker.wait_ready()?;
        }
        Ok(brokers)
    }

    /// All addresses, separated by commas.
    pub fn bootstrap(&self) -> String {
        self.all.iter().map(Broker::bootstrap).collect::<Vec<_>>().join(",")
    }

    /// A broker by its id. Panics where there is none.
    pub fn broker(&mut self, id: usize) -> &mut Broker {
        &mut self.all[id - 1]
    }
}
