//! The thread of a link: polls the reader for all its agents, gives each what was read, and lets each say what it has to.
//! Nothing here waits for one agent while another one has work: one that ends says its last words and is let go once they
//! were sent. A panic ends the control of one agent alone.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rdkafka::error::KafkaError;
use tokio::sync::oneshot;
use tracing::{debug, error};

use crate::outbox::{Outbox, Producer, serve_deliveries};
use crate::shared::Shared;
use crate::workers::panicked;

use super::links::Membership;
use super::reader::{Event, Reader};
use super::{Control, INSTANT, POLL};

/// Records that are taken before the gates are set.
const BATCH: usize = 1_000;
/// What the last words of an agent may take.
const GOODBYE: Duration = Duration::from_secs(1);

/// An agent that wants to be controlled.
pub(super) struct Newcomer {
    pub(super) shared: Arc<Shared>,
    /// Dropped when its control has ended.
    pub(super) ended: oneshot::Sender<()>,
}

pub(super) struct Link {
    membership: Membership,
    members: Vec<Member>,
    reader: Reader,
    producer: Arc<Producer>,
    /// Of members that were let go last; told once the clients are closed, should no other come. Dropped after them.
    ended: Vec<oneshot::Sender<()>>,
}

struct Member {
    control: Control,
    ended: oneshot::Sender<()>,
    /// It has said its last words, and leaves at this time at the latest.
    leaves_at: Option<Instant>,
}

impl Link {
    pub(super) fn new(membership: Membership, reader: Reader, producer: Arc<Producer>) -> Self {
        Self { membership, members: vec![], reader, producer, ended: vec![] }
    }

    pub(super) fn run(mut self) {
        loop {
            self.let_in();
            if self.members.is_empty() && self.membership.end_unless_joined() {
                return;
            }
            self.turn();
            self.let_go();
        }
    }

    fn let_in(&mut self) {
        for Newcomer { shared, ended } in self.membership.newcomers() {
            let outbox = Outbox::new(Arc::clone(&shared), Arc::clone(&self.producer));
            let control = Control::new(shared, outbox);
            self.members.push(Member { control, ended, leaves_at: None });
            // Others are here: who ended needs not wait for the clients' end.
            self.ended.clear();
        }
    }

    fn turn(&mut self) {
        self.each(Control::keep_up_with_assignments);
        let now = Instant::now();
        if self.active().any(|control| control.is_check_due(now)) {
            self.check_metadata();
        }
        self.reader.assign_if_due();
        self.read();
        serve_deliveries(&self.producer);
        self.each(|control, _| control.after_poll());
    }

    fn active(&self) -> impl Iterator<Item = &Control> {
        self.members.iter().filter(|member| member.leaves_at.is_none()).map(|member| &member.control)
    }

    /// For each agent that is not about to end.
    fn each(&mut self, mut does: impl FnMut(&mut Control, &mut Reader)) {
        let reader = &mut self.reader;
        self.members.retain_mut(|member| {
            member.leaves_at.is_some() || guarded(&mut member.control, |control| does(control, reader))
        });
    }

    fn check_metadata(&mut self) {
        self.each(|control, _| control.check_begins());
        let mut found = self.reader.look();
        self.each(|control, reader| control.checked(found.as_mut().map_err(|error| &*error), reader));
    }

    fn read(&mut self) {
        let mut wait = self.patience();
        for _ in 0..BATCH {
            let Some(event) = self.reader.poll(wait) else { break };
            wait = Duration::ZERO;
            match event {
                Event::Record(record) => {
                    if let Some(record) = self.reader.take(record) {
                        self.each(|control, _| control.record(&record));
                    }
                }
                Event::Error(KafkaError::PartitionEOF(_)) => {
                    let round = self.reader.at_end();
                    self.each(|control, _| control.at_end(round));
                }
                Event::Error(error) => self.reader_failed(&error),
            }
        }
        for _ in 0..BATCH {
            let Some(record) = self.reader.poll_commands() else { break };
            self.each(|control, _| control.command(&record));
        }
    }

    fn patience(&self) -> Duration {
        let now = Instant::now();
        let leaving = self.members.iter().any(|member| member.leaves_at.is_some());
        let usual = if leaving { INSTANT } else { POLL };
        self.active().map(|control| control.patience(now)).fold(usual, Duration::min)
    }

    fn reader_failed(&mut self, error: &KafkaError) {
        debug!(%error, "the reader of holds reports");
        self.each(|control, reader| {
            if reader.concerns(error, &control.shared.settings.group) {
                control.reader_failed(error);
            }
        });
    }

    /// Agents that end say their last words; those whose words Kafka has, or whose time is over, go.
    fn let_go(&mut self) {
        let now = Instant::now();
        self.members.retain_mut(|member| {
            if member.leaves_at.is_some() {
                return guarded(&mut member.control, |control| control.outbox.serve());
            }
            if !member.control.shared.finishing.is_cancelled() {
                return true;
            }
            member.leaves_at = Some(now + GOODBYE);
            guarded(&mut member.control, Control::good_bye)
        });
        let is_over = |member: &mut Member| {
            member.leaves_at.is_some_and(|limit| now >= limit || member.control.outbox.is_sent())
        };
        for Member { control, ended, .. } in self.members.extract_if(.., is_over) {
            if !control.outbox.is_sent() {
                let group = &control.shared.settings.group;
                debug!(group.id = %group, "the last telemetry and answers were not all taken");
            }
            self.ended.push(ended);
        }
        if !self.members.is_empty() {
            self.ended.clear();
        }
    }
}

/// An agent whose control panics loses it, and others keep theirs.
fn guarded(control: &mut Control, does: impl FnOnce(&mut Control)) -> bool {
    let done = catch_unwind(AssertUnwindSafe(|| does(&mut *control)));
    if let Err(panic) = &done {
        let why = panicked("its control", panic.as_ref());
        error!(group.id = %control.shared.settings.group, why, "this consumer obeys no command any more");
    }
    done.is_ok()
}

#[cfg(test)]
mod tests;
