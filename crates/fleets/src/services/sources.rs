//! Troubles that come from outside a consumer: a record that nobody can read, a flood of one key, a member that comes
//! and goes.

use std::time::Duration;

use flowdeck_agent::{KafkaPublisher, Outgoing, Publisher as _};
use futures::future::join_all;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use tokio::task::spawn_blocking;
use tracing::warn;

use super::{Runtime, Trouble};

/// Between two events of the one key.
const HOT: Duration = Duration::from_millis(10);
const AT_ONCE: usize = 3;
/// How long the member of a storm stays, and is away.
const STAYS: Duration = Duration::from_secs(3);
const POLL: Duration = Duration::from_millis(100);

/// No JSON, as a producer with a bug writes it.
pub const POISON: &[u8] = b"\x00\x01 not what was agreed on";

/// One for each time that the trouble begins.
pub fn poison_records(runtime: &Runtime, publisher: KafkaPublisher, topic: String, poison: &'static [u8]) {
    let (runtime, tasks) = (runtime.clone(), runtime.tasks.clone());
    tasks.spawn(async move {
        let begins = || runtime.stop.run_until_cancelled(runtime.troubles.until(Trouble::PoisonRecord, true));
        while begins().await.is_some() {
            let poison = Outgoing::to(&topic).key("poison").value(poison);
            if let Err(error) = publisher.publish(poison).await {
                warn!("the poison record was not written: {error}");
            }
            let over = runtime.troubles.until(Trouble::PoisonRecord, false);
            runtime.stop.run_until_cancelled(over).await;
        }
    });
}

/// Copies of one event, with one key, while the trouble lasts.
pub fn hot_key(
    runtime: &Runtime,
    publisher: KafkaPublisher,
    event: impl Fn() -> Outgoing + Send + Sync + 'static,
) {
    let troubles = runtime.troubles.clone();
    let event = std::sync::Arc::new(event);
    runtime.every(HOT, move || {
        let (troubles, publisher, event) = (troubles.clone(), publisher.clone(), event.clone());
        async move {
            troubles.until(Trouble::HotKey, true).await;
            // More than one partition's handler gets done.
            let written = join_all((0..AT_ONCE).map(|_| publisher.publish(event()))).await;
            if let Some(error) = written.into_iter().find_map(Result::err) {
                warn!("an event of the hot key was not written: {error}");
            }
        }
    });
}

/// A member of the group that reads nothing and commits nothing, while the trouble lasts.
pub fn rebalance_storm(runtime: &Runtime, group: String, topic: String) {
    let mut config = runtime.consumer(&[]);
    config
        .set("group.id", &group)
        .set("client.id", "restless")
        .set("enable.auto.commit", "false")
        .set("allow.auto.create.topics", "false");
    let (troubles, stop) = (runtime.troubles.clone(), runtime.stop.clone());
    runtime.every(STAYS, move || {
        let (troubles, stop, config, topic) = (troubles.clone(), stop.clone(), config.clone(), topic.clone());
        async move {
            troubles.until(Trouble::RebalanceStorm, true).await;
            let visit = spawn_blocking(move || {
                let member: BaseConsumer = config.create()?;
                member.subscribe(&[&topic])?;
                let begun = std::time::Instant::now();
                while begun.elapsed() < STAYS && !stop.is_cancelled() {
                    let _ = member.poll(POLL);
                }
                Ok::<(), rdkafka::error::KafkaError>(())
            });
            if let Ok(Err(error)) = visit.await {
                warn!("the restless member: {error}");
            }
        }
    });
}
