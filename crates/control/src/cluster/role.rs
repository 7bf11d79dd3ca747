//! What follows from this process's part in the election: of several replicas one is elected; it takes over the writer's
//! id, and writes once it has read the holds to where the one before it ended.

use std::collections::VecDeque;

use flowdeck_model::view::InstanceKind;
use flowdeck_model::{CommandId, CommandState, HoldBy, PortError, Timestamp};
use flowdeck_observe::topic_events::Source;

use super::election::{Attempt, ElectionProblem};
use super::state::State;
use crate::commands::lifecycle;
use crate::commands::write_task::{Took, WriteTask};
use crate::writer::WriteError;

/// Of what must not be sent twice.
const MAY_BE_SENT: &str = "the replica that writes changed before it was begun, and the one before may have sent it: \
     look at the group, then ask again";

impl State {
    /// Elected, with the writer's id taken over.
    pub(crate) fn leads(&self) -> bool {
        self.election.leads()
    }

    /// The election's result.
    pub(crate) fn elected(&mut self) {
        if self.election.elected() {
            self.jobs.push_back(WriteTask::Lead);
            self.dirty = true;
        }
    }

    fn begin_to_lead(&mut self) {
        self.election.take_over();
        self.jobs.push_back(WriteTask::Lead);
    }

    /// Another replica is elected.
    pub(crate) fn another_elected(&mut self) {
        self.lost(None);
        self.election.another_elected();
    }

    /// It is elected no more. What was not begun is left to the next.
    pub(crate) fn lost(&mut self, problem: Option<ElectionProblem>) {
        self.dirty = true;
        if !self.election.lost(problem) {
            return;
        }
        self.to_begin.clear();
        self.alterations.clear();
        for task in std::mem::take(&mut self.jobs) {
            match task {
                WriteTask::Topics { .. } => self.jobs.push_back(task),
                WriteTask::Lead | WriteTask::Again { .. } | WriteTask::StartAgain { .. } => {}
                WriteTask::Command { id, audit, .. } => {
                    self.unwritten.done(id);
                    // Nobody but this process knows of it.
                    if audit.is_some() && self.book.get(id).is_some_and(|one| !one.audited) {
                        self.book.remove(id);
                    }
                }
            }
        }
    }

    /// The writer's id is taken over, or not.
    pub(super) fn took_over(&mut self, result: Result<Took, WriteError>, now: Timestamp) {
        self.dirty = true;
        match self.election.took_over(result, now) {
            Attempt::Leads => self.take_over_commands(now),
            Attempt::Failed => {
                // Nobody else may write: who asked is told why.
                let error = self.unavailable(self.why_not_leading());
                let waiting: Vec<CommandId> = self.pending.keys().copied().collect();
                waiting.into_iter().for_each(|id| self.refuse(id, &error, now));
            }
            Attempt::Fenced => drop(self.fenced(now)),
            Attempt::Settled => {}
        }
    }

    /// Somebody took the id over from this process, which is elected. Says whether it is taken over again.
    pub(super) fn fenced(&mut self, now: Timestamp) -> bool {
        if !self.leads() {
            return false;
        }
        self.dirty = true;
        self.to_begin.clear();
        self.alterations.clear();
        let again = self.election.fenced(now);
        if again {
            self.jobs.push_back(WriteTask::Lead);
        }
        again
    }

    /// Holds may have been written, or may be yet. Taking the id over once more decides that; until it is decided and
    /// read, nothing is planned on what is known of the holds.
    pub(super) fn in_doubt(&mut self) {
        if self.election.in_doubt() {
            self.jobs.push_front(WriteTask::Lead);
            self.dirty = true;
        }
    }

    /// Taking over is tried again.
    pub(super) fn lead_again(&mut self, now: Timestamp) {
        if self.election.decides_again(now) {
            self.in_doubt();
        } else if self.election.takes_over_again(now) {
            self.begin_to_lead();
        }
    }

    /// Somebody waits for it: what failed may be mended.
    pub(super) fn lead_now(&mut self) {
        if self.election.has_failed() {
            self.begin_to_lead();
        }
    }

    /// What the leader before left: it is followed from here on, and what was not begun is begun.
    fn take_over_commands(&mut self, now: Timestamp) {
        let (mut to_begin, mut unclear) = (VecDeque::new(), Vec::new());
        for id in self.book.ids() {
            let Some(command) = self.book.get(id) else { continue };
            if command.restored {
                continue;
            }
            let by_agents = command.instances.iter().any(|one| one.kind == InstanceKind::Agent);
            if command.action.kind().sets_commits() && !by_agents && !command.state.is_settled() {
                match command.by {
                    Some(HoldBy::Stop) => self.take_over_by_stop(id, now),
                    _ => self.look_at_commits(id, now),
                }
                continue;
            }
            if command.state == CommandState::Requested {
                // A hold is found again; whether a consumer was told to restart is not.
                if command.action.kind().is_about_holds() {
                    to_begin.push_back(id);
                } else {
                    unclear.push(id);
                }
                continue;
            }
            let late = command.sent_at.is_none_or(|at| now.since(at) > super::upkeep::LATE);
            if command.acks.is_empty() && (command.state.is_settled() || late) {
                continue;
            }
            self.change(id, now, |command, seen| {
                lifecycle::take_acks(command, now);
                lifecycle::await_anew(command, seen);
            });
        }
        self.to_begin = to_begin;
        let error = self.unavailable(MAY_BE_SENT);
        for id in unclear {
            self.refuse(id, &error, now);
        }
        self.begin_unaudited();
    }

    /// Whoever writes leads, and has read the holds to their end before, on a cluster that answers.
    pub(crate) fn may_write(&self) -> Result<(), PortError> {
        self.answers()?;
        let unavailable = |detail: String| Err(self.unavailable(detail));
        let last_hold = match self.election.may_write(self.topics_problem.as_deref()) {
            Ok(last_hold) => last_hold,
            Err(why) => return unavailable(why),
        };
        self.holds_are_followed()?;
        if !last_hold.is_none_or(|last| self.observed.holds.has_read(last)) {
            return unavailable("the holds are not read to where the last writer ended".to_owned());
        }
        // Records are placed by their keys, and agents read the first partition.
        let topic = &self.observed.settings.holds_topic;
        let metadata = self.observed.sample.metadata.as_ref();
        match metadata.and_then(|metadata| metadata.topic(topic)).map_or(1, |there| there.partitions.len()) {
            0 | 1 => Ok(()),
            many => unavailable(format!("topic {topic} has {many} partitions, and must have one")),
        }
    }

    /// What is known of the holds is true now.
    pub(super) fn holds_are_followed(&self) -> Result<(), PortError> {
        let failing = self.observed.failing(Source::Holds);
        if !self.observed.holds.is_known() {
            let why = failing.map(|why| format!(": {why}")).unwrap_or_default();
            return Err(self.unavailable(format!("the holds are not read to their end yet{why}")));
        }
        // An empty topic has an end that nobody need read.
        match failing {
            Some(why) => Err(self.unavailable(format!("the holds cannot be followed: {why}"))),
            None => Ok(()),
        }
    }

    /// The cluster answers.
    pub(super) fn answers(&self) -> Result<(), PortError> {
        if let Some(error) = &self.observed.sample.error {
            return Err(self.unavailable(error.clone()));
        }
        if self.observed.sample.as_of.is_none() {
            return Err(self.unavailable("its first refresh is not over"));
        }
        Ok(())
    }

    pub(super) fn why_not_leading(&self) -> String {
        self.election.why_not_leading(self.topics_problem.as_deref())
    }

    /// Nobody can write, and waiting does not help.
    pub(super) fn check_somebody_leads(&self) -> Result<(), PortError> {
        if self.election.fails_for_good() { Err(self.unavailable(self.why_not_leading())) } else { Ok(()) }
    }
}
