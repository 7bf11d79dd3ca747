//! Agents without a broker, for the tests of this module's parts.

use std::sync::Arc;

use rdkafka::ClientConfig;

use super::links::Topics;
use super::reader::Reader;
use super::*;
use crate::config::{self, tests::settings};
use crate::outbox::{Deliveries, Producer};

pub(super) fn base() -> ClientConfig {
    let mut base = ClientConfig::new();
    base.set("bootstrap.servers", "127.0.0.1:1");
    base
}

pub(super) fn offline() -> (Reader, Arc<Producer>) {
    let reader = Reader::new(&config::reader(&base()), Topics::of(&settings()), "g".into()).unwrap();
    (reader, Arc::new(config::writer(&base()).create_with_context(Deliveries).unwrap()))
}

pub(super) fn shared(group: &str) -> Arc<Shared> {
    Arc::new(Shared::new(crate::config::Settings { group: group.into(), ..settings() }))
}

pub(super) fn control(group: &str, producer: &Arc<Producer>) -> Control {
    let shared = shared(group);
    Control::new(Arc::clone(&shared), Outbox::new(shared, Arc::clone(producer)))
}
