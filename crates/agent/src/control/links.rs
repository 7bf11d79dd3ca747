//! The links of this process: one for each cluster and set of Flowdeck's topics. All agents whose clients for control and
//! telemetry would be the same share one.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use flowdeck_model::TopicName;
use rdkafka::ClientConfig;
use rdkafka::error::KafkaError;
use tokio::sync::oneshot;

use crate::config::{self, Settings, Stream};
use crate::outbox::{Deliveries, Producer};
use crate::shared::Shared;

use super::link::{Link, Newcomer};
use super::reader::Reader;

/// Flowdeck's topics, as one agent has them.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Topics {
    pub(super) holds: TopicName,
    pub(super) acks: TopicName,
    pub(super) commands: Stream,
    pub(super) telemetry: Stream,
}

impl Topics {
    pub(super) fn of(settings: &Settings) -> Self {
        Self {
            holds: settings.holds.clone(),
            acks: settings.acks.clone(),
            commands: settings.commands.clone(),
            telemetry: settings.telemetry.clone(),
        }
    }
}

/// What agents of one link have in common.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    topics: Topics,
    reader: Properties,
    writer: Properties,
}

#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Properties {
    properties: BTreeMap<String, String>,
    log_level: i32,
}

impl Properties {
    fn of(config: &ClientConfig) -> Self {
        let owned = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
        Self {
            properties: config.config_map().into_iter().map(owned).collect(),
            log_level: config.log_level as i32,
        }
    }
}

/// Why an agent could not be controlled.
#[derive(Debug)]
pub(crate) enum NoLink {
    Client(KafkaError),
    Thread(std::io::Error),
}

/// Agents that have come and that the thread has not seen yet. `None`: it has ended, or is about to.
#[derive(Default)]
struct Joining(Mutex<Option<Vec<Newcomer>>>);

static LINKS: Mutex<BTreeMap<Key, Arc<Joining>>> = Mutex::new(BTreeMap::new());

/// No code panics while it has one of these locks.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Joining {
    fn open(first: Newcomer) -> Self {
        Self(Mutex::new(Some(vec![first])))
    }

    /// Gives the agent back where nobody is there to let it in.
    fn enter(&self, newcomer: Newcomer) -> Option<Newcomer> {
        match &mut *lock(&self.0) {
            Some(newcomers) => {
                newcomers.push(newcomer);
                None
            }
            None => Some(newcomer),
        }
    }
}

/// Of the link's thread. However it ends, nobody joins it any more, and who comes then makes another link.
pub(super) struct Membership {
    key: Key,
    joining: Arc<Joining>,
}

impl Membership {
    pub(super) fn newcomers(&self) -> Vec<Newcomer> {
        lock(&self.joining.0).as_mut().map(std::mem::take).unwrap_or_default()
    }

    /// Nobody joins any more, unless somebody has already.
    pub(super) fn end_unless_joined(&self) -> bool {
        let mut newcomers = lock(&self.joining.0);
        let ends = newcomers.as_ref().is_none_or(Vec::is_empty);
        if ends {
            *newcomers = None;
        }
        ends
    }
}

impl Drop for Membership {
    fn drop(&mut self) {
        let left = lock(&self.joining.0).take();
        drop(left);
        let mut links = lock(&LINKS);
        if links.get(&self.key).is_some_and(|joining| Arc::ptr_eq(joining, &self.joining)) {
            links.remove(&self.key);
        }
    }
}

/// Has the agent controlled until it is `finishing`, by the link that there is or by a new one. The receiver is told (by
/// its sender's end) once its last words were said; of the link's last agent once the clients are closed, too. Making
/// clients may read certificates, which others that come meanwhile wait for: not for an async thread.
pub(crate) fn join(base: &ClientConfig, shared: &Arc<Shared>) -> Result<oneshot::Receiver<()>, NoLink> {
    let (ended, wait) = oneshot::channel();
    let (reader, writer) = (config::reader(base), config::writer(base));
    let topics = Topics::of(&shared.settings);
    let key = Key { topics, reader: Properties::of(&reader), writer: Properties::of(&writer) };
    let newcomer = Newcomer { shared: Arc::clone(shared), ended };
    let mut links = lock(&LINKS);
    let newcomer = match links.get(&key) {
        Some(joining) => joining.enter(newcomer),
        None => Some(newcomer),
    };
    if let Some(first) = newcomer {
        let joining = start(&key, &reader, &writer, first)?;
        links.insert(key, joining);
    }
    Ok(wait)
}

fn start(
    key: &Key,
    reader: &ClientConfig,
    writer: &ClientConfig,
    first: Newcomer,
) -> Result<Arc<Joining>, NoLink> {
    let group = first.shared.settings.group.clone();
    let reader = Reader::new(reader, key.topics.clone(), group).map_err(NoLink::Client)?;
    let producer: Producer = writer.create_with_context(Deliveries).map_err(NoLink::Client)?;
    let joining = Arc::new(Joining::open(first));
    let (key, its) = (key.clone(), Arc::clone(&joining));
    let thread = thread::Builder::new().name("flowdeck-control".to_owned());
    // The membership ends under the lock that the caller has: it begins on the thread.
    let run = move || Link::new(Membership { key, joining: its }, reader, Arc::new(producer)).run();
    thread.spawn(run).map_err(NoLink::Thread)?;
    Ok(joining)
}

#[cfg(test)]
pub(super) mod tests;
