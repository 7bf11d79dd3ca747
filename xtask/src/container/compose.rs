//! compose.yaml: its services as they are started. A key that is not known here is an error, so that nothing is
//! in the file that no test has seen.

use std::collections::BTreeMap;
use std::fs;

use anyhow::{Context, Result, ensure};
use serde::Deserialize;

use crate::workspace::root;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Compose {
    #[serde(rename = "name")]
    _name: String,
    services: Services,
    #[serde(default, rename = "volumes")]
    volumes: BTreeMap<String, Option<()>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Services {
    kafka: Service,
    flowdeck: Service,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Service {
    image: Option<String>,
    build: Option<String>,
    pub(super) environment: BTreeMap<String, String>,
    #[serde(default)]
    ports: Vec<String>,
    #[serde(default)]
    volumes: Vec<String>,
    #[serde(default)]
    depends_on: Vec<String>,
    #[serde(default)]
    read_only: bool,
    #[serde(default)]
    cap_drop: Vec<String>,
    #[serde(default)]
    security_opt: Vec<String>,
    #[serde(rename = "restart")]
    _restart: Option<String>,
}

impl Compose {
    pub(super) fn read() -> Result<Self> {
        let text = fs::read_to_string(root().join("compose.yaml")).context("read compose.yaml")?;
        let compose: Self = serde_saphyr::from_str(&text).context("read compose.yaml")?;
        compose.check()?;
        Ok(compose)
    }

    pub(super) fn flowdeck(&self) -> &Service {
        &self.services.flowdeck
    }

    pub(super) fn kafka(&self) -> &Service {
        &self.services.kafka
    }

    fn check(&self) -> Result<()> {
        let (kafka, flowdeck) = (self.kafka(), self.flowdeck());
        let version = flowdeck_broker::kafka_version();
        ensure!(
            kafka.image == Some(format!("apache/kafka:{version}")) && kafka.build.is_none(),
            "compose.yaml starts {:?}, and our tests Kafka {version}",
            kafka.image
        );
        ensure!(flowdeck.build.as_deref() == Some("."), "compose.yaml does not build this Flowdeck");
        ensure!(
            flowdeck.read_only
                && flowdeck.cap_drop == ["ALL"]
                && flowdeck.security_opt == ["no-new-privileges:true"],
            "compose.yaml gives Flowdeck more than it needs"
        );
        ensure!(flowdeck.depends_on == ["kafka"], "compose.yaml starts Flowdeck without Kafka");
        let beyond = [&kafka.ports, &flowdeck.ports]
            .into_iter()
            .flatten()
            .find(|port| !port.starts_with("127.0.0.1:"));
        ensure!(beyond.is_none(), "compose.yaml opens {beyond:?} to the network");
        for volume in kafka.volumes.iter().chain(&flowdeck.volumes) {
            let name = volume.split(':').next().unwrap_or_default();
            ensure!(self.volumes.contains_key(name), "compose.yaml does not declare the volume {name}");
        }
        Ok(())
    }

    /// The port of this machine that is Flowdeck's.
    pub(super) fn published(&self) -> Result<(u16, String)> {
        let [port] = &self.flowdeck().ports[..] else { anyhow::bail!("compose.yaml: one port for Flowdeck") };
        let mut parts = port.split(':').skip(1);
        let (here, there) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
        Ok((here.parse().with_context(|| format!("the port {port}"))?, there.to_owned()))
    }
}

/// Kafka's properties from the variables of its image: `KAFKA_LOG_DIRS` means `log.dirs`. What names no property
/// is left out.
pub(super) fn properties(kafka: &Service) -> BTreeMap<String, String> {
    let property = |(name, value): (&String, &String)| {
        Some((name.strip_prefix("KAFKA_")?.to_lowercase().replace('_', "."), value.clone()))
    };
    kafka.environment.iter().filter_map(property).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ours_is_as_it_should_be() {
        let compose = Compose::read().unwrap();
        assert_eq!(compose.published().unwrap(), (8077, "8077".to_owned()));
        assert_eq!(properties(compose.kafka())["process.roles"], "broker,controller");
        let bootstrap = &compose.flowdeck().environment["KAFKA_BOOTSTRAP_SERVERS"];
        assert!(properties(compose.kafka())["advertised.listeners"].contains(bootstrap), "{bootstrap}");
    }

    #[test]
    fn a_key_that_nobody_knows_is_refused() {
        let text = fs::read_to_string(root().join("compose.yaml")).unwrap();
        assert!(serde_saphyr::from_str::<Compose>(&text.replace("read_only", "readonly")).is_err());
    }
}
