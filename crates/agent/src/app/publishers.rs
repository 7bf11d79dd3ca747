//! The Kafka clients that a service with several consumers publishes with.

use rdkafka::ClientConfig;
use rdkafka::error::KafkaError;

use crate::config::values;
use crate::publish::KafkaPublisher;

/// What the service publishes, and what its consumers send of failed records. It is one client, unless the
/// configuration promises less than failed records need.
#[derive(Debug, Clone)]
pub(crate) struct Publishers {
    pub(crate) events: KafkaPublisher,
    pub(crate) failed: KafkaPublisher,
}

impl Publishers {
    pub(crate) fn new(config: &ClientConfig) -> Result<Self, KafkaError> {
        let failed = KafkaPublisher::safe(config)?;
        let events = if is_weaker(config) { KafkaPublisher::new(config)? } else { failed.clone() };
        Ok(Self { events, failed })
    }
}

/// Than `acks=all` and idempotence.
fn is_weaker(config: &ClientConfig) -> bool {
    let says = |property: &str, safe: &[&str]| values(config, property).any(|value| !safe.contains(&value));
    says("acks", &["all", "-1"]) || says("enable.idempotence", &["true"])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weaker_configuration_has_a_client_of_its_own_for_failed_records() {
        let is_weaker = |properties: &[(&str, &str)]| {
            let mut config = ClientConfig::new();
            for (name, value) in properties {
                config.set(*name, *value);
            }
            is_weaker(&config)
        };
        assert!(!is_weaker(&[]));
        assert!(!is_weaker(&[("acks", "all"), ("enable.idempotence", "true")]));
        assert!(is_weaker(&[("acks", "1")]));
        assert!(is_weaker(&[("request.required.acks", "0")]));
        assert!(is_weaker(&[("enable.idempotence", "false")]));
    }
}
