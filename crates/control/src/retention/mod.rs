//! Retention of topics, raised for a while. Any replica takes a request and writes it to the audit; the elected writer notes
//! there what was before, raises the values, and puts them back at the end. What it has to put back is in the newest record
//! of each, which is written again before newer records could push it out of what is read at a start.

mod book;
mod config;
mod growth;
mod port;
mod step;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use flowdeck_kafka::{Cluster, Leadership};
use flowdeck_model::{CommandId, GroupId, TopicName};
use flowdeck_observe::{ClusterSettings, clock};
use flowdeck_protocol::wire::RetentionRecord;
use futures::FutureExt as _;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_util::task::TaskTracker;

use book::Step;
pub(crate) use book::{Raised, RetentionBook};
pub(crate) use port::BoundRetentions;
use step::{Stepped, Work};

use crate::audit::TopicSink;
use crate::kept;

/// After a failure.
const AGAIN: Duration = Duration::from_secs(2);
/// The newest record of each is written again after so many others, a quarter of what is read at a start, and after so long:
/// the audit has a retention, too.
const RETOLD_AFTER: i64 = 5_000;
const RETOLD_EVERY: Duration = Duration::from_secs(6 * 3600);

/// The raised retentions of one cluster, in its actor.
pub(crate) struct RetentionRunner {
    cluster: Cluster,
    settings: Arc<ClusterSettings>,
    sink: Arc<TopicSink>,
    /// `None` in observe mode.
    leadership: Option<Leadership>,
    book: watch::Sender<Arc<RetentionBook>>,
    /// One step of one of them at a time.
    running: Option<(CommandId, JoinHandle<Stepped>)>,
    not_before: HashMap<CommandId, Instant>,
    /// Where this process wrote the newest record of each, and when.
    told: HashMap<CommandId, (i64, Instant)>,
}

impl RetentionRunner {
    pub(crate) fn new(
        cluster: Cluster,
        settings: Arc<ClusterSettings>,
        sink: Arc<TopicSink>,
        leadership: Option<Leadership>,
        book: watch::Sender<Arc<RetentionBook>>,
    ) -> Self {
        Self {
            cluster,
            settings,
            sink,
            leadership,
            book,
            running: None,
            not_before: HashMap::new(),
            told: HashMap::new(),
        }
    }

    pub(crate) fn heard(&mut self, records: Vec<RetentionRecord>) {
        if !records.is_empty() {
            kept::fold(&self.book, records, RetentionBook::heard);
        }
    }

    /// Begins the next step. `leads`: with the audit read to its end. `position`: the next offset of the audit. `is_paused`:
    /// whether a pause of the group is in force on the topic, where that is known.
    pub(crate) fn ticked(
        &mut self,
        leads: bool,
        position: i64,
        is_paused: impl Fn(&GroupId, &TopicName) -> Option<bool>,
        tracker: &TaskTracker,
    ) {
        if !self.take_step() {
            return;
        }
        let Some(leadership) = self.leadership.clone().filter(|_| leads) else {
            self.not_before.clear();
            self.told.clear();
            return;
        };
        let book = Arc::clone(&self.book.borrow());
        self.told.retain(|id, _| book.get(*id).is_some_and(|one| !one.state().is_over()));
        let now = clock::now();
        let next = book.open().find_map(|one| {
            if self.not_before.get(&one.id).is_some_and(|at| *at > Instant::now()) {
                return None;
            }
            let request = &one.status.request;
            let paused = request.group.as_ref().and_then(|group| is_paused(group, &request.topic));
            let step = book.next(one, now, paused);
            step.or_else(|| self.is_to_be_retold(one.id, position).then(|| Step::tell(one.status.clone())))
                .map(|step| (one, step))
        });
        let Some((one, step)) = next else { return };
        let work = Work {
            cluster: self.cluster.clone(),
            settings: Arc::clone(&self.settings),
            sink: Arc::clone(&self.sink),
            leadership,
            raised: Arc::clone(one),
            before_it: book.before_it(one).map(|other| other.status.clone()).collect(),
        };
        self.running = Some((one.id, tracker.spawn(work.carry_out(step))));
    }

    /// What came of the step that ran. `false`: it runs still.
    fn take_step(&mut self) -> bool {
        let Some((id, task)) = &mut self.running else { return true };
        let Some(ended) = task.now_or_never() else { return false };
        let id = *id;
        self.running = None;
        self.not_before.remove(&id);
        // A task that panicked is begun again, as after a crash.
        let Ok(Stepped { told, is_done }) = ended else {
            self.not_before.insert(id, Instant::now() + AGAIN);
            return true;
        };
        for (record, offset) in told {
            self.told.insert(id, (offset, Instant::now()));
            // Known here before it is read in the audit, so that nothing is done twice.
            kept::fold(&self.book, vec![record], RetentionBook::heard);
        }
        if !is_done {
            self.not_before.insert(id, Instant::now() + AGAIN);
        }
        true
    }

    fn is_to_be_retold(&self, id: CommandId, position: i64) -> bool {
        self.told.get(&id).is_none_or(|(offset, at)| {
            position.saturating_sub(*offset) > RETOLD_AFTER || at.elapsed() > RETOLD_EVERY
        })
    }
}
