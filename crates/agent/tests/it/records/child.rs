//! One process with an agent, which tells of each call on its standard output and ends with its standard input.

use std::io::{Read as _, Write as _};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use flowdeck_agent::{
    Agent, ClientConfig, DeadLetters, Delivery, Distribution, Handler, HandlerError, OnError, RetryTopics,
    Then, async_trait,
};
use serde::{Deserialize, Serialize};

use crate::common::quick;

pub(super) const CHILD: &str = "FLOWDECK_RECORDS_CHILD";
pub(super) const TEST: &str = "records::child::child";
pub(super) const RETRIES: u32 = 1;
const RETRY_DELAY: Duration = Duration::from_millis(500);
const TIME_LIMIT: Duration = Duration::from_millis(400);

#[derive(Serialize, Deserialize)]
pub(super) struct Settings {
    pub(super) client: Vec<(String, String)>,
    pub(super) group: String,
    pub(super) topic: String,
    pub(super) admin: String,
    pub(super) holds: String,
    pub(super) acks: String,
    pub(super) retry: String,
    pub(super) letters: String,
    pub(super) instance: String,
}

pub(super) fn nanos() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(now.as_nanos()).unwrap_or(u64::MAX)
}

/// A line for the parent: what is written before a kill is read after it.
fn tell(what: &str, value: &str) {
    let line = format!("@{what} {} {value}\n", nanos());
    // A parent that is gone closes standard input, too.
    let _ = std::io::stdout().write_all(line.as_bytes());
}

struct Told;

#[async_trait]
impl Handler for Told {
    async fn handle(&self, record: Delivery<'_>) -> Result<(), HandlerError> {
        let value = String::from_utf8(record.value().unwrap_or_default().to_vec())?;
        tell("begin", &value);
        let (kind, first) = (value.rsplit(':').next().unwrap_or_default(), record.attempt() == 1);
        let outcome = match kind {
            "slow" => {
                tokio::time::sleep(Duration::from_millis(30)).await;
                Ok(())
            }
            "hangs" if first => std::future::pending().await,
            "once" if first => Err("not yet".into()),
            "later" if record.origin().is_none() => Err("not before a while".into()),
            "never" => Err("never".into()),
            "broken" => Err(HandlerError::permanent("broken")),
            _ => Ok(()),
        };
        tell(if outcome.is_ok() { "ok" } else { "failed" }, &value);
        outcome
    }
}

#[test]
#[ignore = "run by the others, as a process of its own"]
fn child() {
    let Ok(settings) = std::env::var(CHILD) else { return };
    let settings: Settings = serde_json::from_str(&settings).unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(run(settings));
}

async fn run(settings: Settings) {
    let mut config = ClientConfig::new();
    for (name, value) in settings.client {
        config.set(name, value);
    }
    let wait = Duration::from_millis(20);
    let on_error =
        OnError { retries: RETRIES, backoff: wait, backoff_max: wait, then: Then::DeadLetter, jitter: false };
    let agent = Agent::builder(config, settings.group)
        .consumer("c")
        .topics([settings.topic])
        .instance(settings.instance)
        .admin_topic(settings.admin, 0)
        .flowdeck_topics(settings.holds, settings.acks)
        .timings(quick())
        .workers(4)
        .distribution(Distribution::ByKey)
        .on_error(on_error)
        .handler_timeout(TIME_LIMIT)
        .retry_topics(RetryTopics::new().topic(settings.retry, RETRY_DELAY))
        .dead_letters(DeadLetters::to(settings.letters))
        .handler(Told)
        .start()
        .await
        .unwrap();
    let end = tokio::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut vec![]));
    let _ = end.await;
    agent.stop().await.unwrap();
}
