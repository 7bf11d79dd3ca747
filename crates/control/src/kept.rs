//! What is kept in the audit by id: bulk operations, re-drives, produced records and raised retentions. Every replica folds the same records, so
//! all know the same.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use flowdeck_kafka::Deadline;
use flowdeck_model::error::ResourceKind;
use flowdeck_model::{ClusterName, CommandId, PortError};
use flowdeck_observe::ClusterSettings;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

use crate::audit::{Entry, TopicSink};
use crate::commands::write_task;
use crate::writer::WriteError;

/// What was written is read back by then.
const HEARD: Duration = Duration::from_secs(10);

pub(crate) trait Kept: Clone + PartialEq {
    /// So many are remembered; of those that may be forgotten the oldest are first.
    const REMEMBERED: usize;

    fn id(&self) -> CommandId;
    fn is_over(&self) -> bool;

    /// What is not over is kept for whoever carries it on.
    fn may_be_forgotten(&self) -> bool {
        self.is_over()
    }
}

/// Those of one cluster. Pure.
#[derive(Debug, Clone)]
pub(crate) struct Book<T> {
    all: BTreeMap<CommandId, Arc<T>>,
    /// In the order of the audit.
    order: Vec<CommandId>,
}

impl<T> Default for Book<T> {
    fn default() -> Self {
        Self { all: BTreeMap::new(), order: Vec::new() }
    }
}

impl<T: Kept> Book<T> {
    /// The first request under an id decides what it means. Says whether this was the first.
    pub(crate) fn requested(&mut self, one: T) -> bool {
        let id = one.id();
        if self.all.contains_key(&id) {
            return false;
        }
        self.all.insert(id, Arc::new(one));
        self.order.push(id);
        self.forget();
        true
    }

    fn forget(&mut self) {
        if self.order.len() <= T::REMEMBERED {
            return;
        }
        let may_be_forgotten = |id: &CommandId| self.all.get(id).is_none_or(|one| one.may_be_forgotten());
        if let Some(at) = self.order.iter().position(may_be_forgotten) {
            let id = self.order.remove(at);
            self.all.remove(&id);
        }
    }

    /// Says whether anything changed. What is over stays as it is.
    pub(crate) fn change(&mut self, id: CommandId, change: impl FnOnce(&mut T)) -> bool {
        let Some(known) = self.all.get_mut(&id).filter(|one| !one.is_over()) else { return false };
        let mut changed = known.as_ref().clone();
        change(&mut changed);
        if changed == **known {
            return false;
        }
        *known = Arc::new(changed);
        true
    }

    pub(crate) fn get(&self, id: CommandId) -> Option<&Arc<T>> {
        self.all.get(&id)
    }

    /// In the order of the audit.
    pub(crate) fn iter(&self) -> impl DoubleEndedIterator<Item = &Arc<T>> {
        self.order.iter().filter_map(|id| self.all.get(id))
    }

    /// Entries of the map, and of the order.
    #[cfg(test)]
    pub(crate) fn sizes(&self) -> (usize, usize) {
        (self.all.len(), self.order.len())
    }

    /// Those that are not over, in the order of the audit.
    pub(crate) fn open(&self) -> impl Iterator<Item = &Arc<T>> {
        self.iter().filter(|one| !one.is_over())
    }
}

/// By cluster: what the port needs.
pub(crate) type Desks<T> = Arc<HashMap<ClusterName, Desk<T>>>;

pub(crate) struct Desk<T> {
    book: watch::Receiver<Arc<Book<T>>>,
    sink: Arc<TopicSink>,
    /// One preview at a time on one cluster.
    previews: Arc<Semaphore>,
}

impl<T: Kept> Desk<T> {
    /// And what the cluster's actor tells it by.
    pub(crate) fn new(sink: Arc<TopicSink>) -> (watch::Sender<Arc<Book<T>>>, Self) {
        let (told, book) = watch::channel(Arc::default());
        (told, Self { book, sink, previews: Arc::new(Semaphore::new(1)) })
    }

    pub(crate) fn of<'a>(desks: &'a Desks<T>, cluster: &ClusterName) -> Result<&'a Self, PortError> {
        desks.get(cluster).ok_or_else(|| PortError::not_found(ResourceKind::Cluster, cluster.as_str()))
    }

    pub(crate) fn get(&self, id: CommandId) -> Option<Arc<T>> {
        self.book.borrow().get(id).cloned()
    }

    pub(crate) fn book(&self) -> Arc<Book<T>> {
        Arc::clone(&self.book.borrow())
    }

    pub(crate) fn begin_preview(&self) -> Result<OwnedSemaphorePermit, PortError> {
        let permit = Arc::clone(&self.previews).try_acquire_owned();
        let detail = || "another preview runs: try again in a moment".to_owned();
        permit.map_err(|_| PortError::TooMany { detail: detail() })
    }

    /// Writes to the audit.
    pub(crate) async fn tell(&self, settings: &ClusterSettings, entry: Entry<'_>) -> Result<(), WriteError> {
        let deadline = Deadline::after(settings.timing.write_deadline);
        self.sink.write(entry, deadline).await.map(drop)
    }

    /// Writes to the audit, and returns once it is read there.
    pub(crate) async fn write(
        &self,
        settings: &ClusterSettings,
        id: CommandId,
        entry: Entry<'_>,
        is_heard: impl Fn(&T) -> bool,
    ) -> Result<Arc<T>, PortError> {
        let cluster = &settings.name;
        let mut book = self.book.clone();
        self.tell(settings, entry).await.map_err(|error| not_written(settings, id, &error))?;
        let heard = book.wait_for(|book| book.get(id).is_some_and(|one| is_heard(one)));
        match tokio::time::timeout(HEARD, heard).await {
            Ok(Ok(book)) => {
                let forgotten = || in_doubt(cluster, id, "it was taken, and is not remembered any more");
                book.get(id).cloned().ok_or_else(forgotten)
            }
            Ok(Err(_)) => Err(in_doubt(cluster, id, "it is in the audit, and Flowdeck is shutting down")),
            Err(_) => Err(in_doubt(cluster, id, "it is in the audit, and was not read back in time")),
        }
    }
}

/// Folds what the audit tells into the book that ports look at.
pub(crate) fn fold<T: Kept, R>(
    book: &watch::Sender<Arc<Book<T>>>,
    records: Vec<R>,
    heard: impl Fn(&mut Book<T>, R) -> bool,
) {
    book.send_if_modified(|book| {
        let book = Arc::make_mut(book);
        records.into_iter().fold(false, |changed, record| heard(book, record) | changed)
    });
}

/// Who asked is told that nothing is done only where that is sure.
fn not_written(settings: &ClusterSettings, id: CommandId, error: &WriteError) -> PortError {
    let (cluster, topic) = (&settings.name, &settings.audit_topic);
    let why = write_task::words(error);
    match error {
        WriteError::InDoubt => in_doubt(cluster, id, format!("{topic} gave {why}")),
        WriteError::Fenced | WriteError::NotWritten(_) => {
            let detail = format!("{topic} could not be written, and without it nothing is done: {why}");
            unavailable(cluster, detail)
        }
    }
}

pub(crate) fn in_doubt(cluster: &ClusterName, id: CommandId, detail: impl Into<String>) -> PortError {
    PortError::InDoubt { cluster: cluster.clone(), id, detail: detail.into() }
}

pub(crate) fn unavailable(cluster: &ClusterName, detail: impl Into<String>) -> PortError {
    PortError::Unavailable { cluster: cluster.clone(), detail: detail.into() }
}

#[cfg(test)]
mod tests {
    use flowdeck_kafka::ClusterConfig;

    use super::*;

    #[test]
    fn what_may_have_been_written_is_not_said_to_be_undone() {
        let settings =
            ClusterSettings::new("test".parse().unwrap(), ClusterConfig::new("127.0.0.1:1".to_owned()));
        let id = CommandId::random();
        let lost = not_written(&settings, id, &WriteError::InDoubt);
        let words = lost.to_string();
        assert!(matches!(lost, PortError::InDoubt { id: of, .. } if of == id), "{lost:?}");
        assert!(words.contains(&id.to_string()) && !words.contains("nothing is done"), "{words}");
        for sure in [WriteError::Fenced, WriteError::NotWritten("no rights".to_owned())] {
            let refused = not_written(&settings, id, &sure);
            assert!(matches!(refused, PortError::Unavailable { .. }), "{refused:?}");
            assert!(refused.to_string().contains("nothing is done"), "{refused}");
        }
    }
}
