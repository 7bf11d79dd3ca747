//! Whether this process writes on the cluster. Of several replicas one is elected; it takes over the writer's id, and
//! writes once it has read the holds to where the one before it ended.

use std::collections::VecDeque;
use std::time::Duration;

use flowdeck_model::view::InstanceKind;
use flowdeck_model::{CommandId, CommandState, HoldBy, PortError, Timestamp};
use flowdeck_observe::topic_events::Source;

use super::state::State;
use crate::commands::write_task::{Took, WriteTask};
use crate::commands::{lifecycle, write_task};
use crate::writer::{FENCED, WriteError};

/// A leader that was fenced takes the id over again, since the election is what counts; fenced once more within this
/// time, it leaves the id to whoever takes it without being elected.
const FENCED_TWICE: Duration = Duration::from_secs(30);
/// After a failure to take over the writer's id.
const TRY_AGAIN: Duration = Duration::from_secs(2);

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Role {
    /// Observe mode: nothing is written.
    Observing,
    /// Another replica is elected, or nobody is yet.
    Following,
    /// It is elected, and does not write yet. `failed`: when taking over was last tried, and why it failed.
    Elected { failed: Option<(Timestamp, String)> },
    /// `last_hold`: up to this record the holds have to be read first.
    Leading { last_hold: Option<i64> },
    /// Another Flowdeck has the id, though it is not elected with this one.
    Fenced,
}

/// Holds were written, and no confirmation came: they may be there, or come yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Doubt {
    /// The writer's id is being taken over once more, which decides it.
    Deciding,
    /// That failed, and is tried again.
    Failed { at: Timestamp, why: String },
}

const DOUBT: &str = "whether the last pause or resume was written is being found out";

/// Why this process can take no part in the election.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ElectionProblem {
    pub(crate) words: String,
    /// It does not pass by itself.
    pub(crate) lasts: bool,
}

/// Of what must not be sent twice.
const MAY_BE_SENT: &str = "the replica that writes changed before it was begun, and the one before may have sent it: \
     look at the group, then ask again";

impl State {
    /// Elected, with the writer's id taken over.
    pub(crate) fn leads(&self) -> bool {
        matches!(self.role, Role::Leading { .. })
    }

    /// The election's result.
    pub(crate) fn elected(&mut self) {
        if matches!(self.role, Role::Following | Role::Fenced) {
            self.begin_to_lead();
            (self.election_problem, self.another_leads) = (None, false);
            self.dirty = true;
        }
    }

    fn begin_to_lead(&mut self) {
        self.doubt = None;
        self.role = Role::Elected { failed: None };
        self.jobs.push_back(WriteTask::Lead);
    }

    /// Another replica is elected.
    pub(crate) fn another_elected(&mut self) {
        self.lost(None);
        self.another_leads = true;
    }

    /// It is elected no more. What was not begun is left to the next.
    pub(crate) fn lost(&mut self, problem: Option<ElectionProblem>) {
        self.election_problem = problem;
        self.another_leads = false;
        self.dirty = true;
        if matches!(self.role, Role::Observing | Role::Following) {
            return;
        }
        self.role = Role::Following;
        self.doubt = None;
        self.to_begin.clear();
        self.alterations.clear();
        for task in std::mem::take(&mut self.jobs) {
            match task {
                WriteTask::Topics { .. } => self.jobs.push_back(task),
                WriteTask::Lead | WriteTask::Again { .. } | WriteTask::StartAgain { .. } => {}
                WriteTask::Command { id, audit, .. } => {
                    self.unwritten.done(id);
                    // Nobody but this process knows of it.
                    if audit.is_some() {
                        self.book.remove(id);
                    }
                }
            }
        }
    }

    /// The writer's id is taken over, or not.
    pub(super) fn took_over(&mut self, result: Result<Took, WriteError>, now: Timestamp) {
        self.dirty = true;
        if self.leads() && self.doubt.is_some() {
            return self.decided(result, now);
        }
        if !matches!(self.role, Role::Elected { .. }) {
            return;
        }
        match result {
            Ok(Took { last_hold }) => {
                self.role = Role::Leading { last_hold };
                self.take_over_commands(now);
            }
            Err(error) => {
                self.role = Role::Elected { failed: Some((now, write_task::words(&error))) };
                // Nobody else may write: who asked is told why.
                let error = self.unavailable(self.why_not_leading());
                let waiting: Vec<CommandId> = self.pending.keys().copied().collect();
                waiting.into_iter().for_each(|id| self.refuse(id, &error, now));
            }
        }
    }

    /// Somebody took the id over from this process, which is elected. Says whether it is taken over again.
    pub(super) fn fenced(&mut self, now: Timestamp) -> bool {
        if !self.leads() {
            return false;
        }
        self.dirty = true;
        let again = self.fenced_at.is_some_and(|at| now.since(at) < FENCED_TWICE);
        self.fenced_at = Some(now);
        self.to_begin.clear();
        self.alterations.clear();
        if again {
            self.role = Role::Fenced;
            return false;
        }
        self.begin_to_lead();
        true
    }

    /// Holds may have been written, or may be yet. Taking the id over once more decides that; until it is decided and
    /// read, nothing is planned on what is known of the holds.
    pub(super) fn in_doubt(&mut self) {
        if self.leads() {
            self.doubt = Some(Doubt::Deciding);
            self.jobs.push_front(WriteTask::Lead);
            self.dirty = true;
        }
    }

    /// The id is taken over once more, so what was in doubt is written now, or never will be.
    fn decided(&mut self, result: Result<Took, WriteError>, now: Timestamp) {
        match result {
            Ok(Took { last_hold }) => {
                self.role = Role::Leading { last_hold };
                self.doubt = None;
            }
            Err(WriteError::Fenced) => drop(self.fenced(now)),
            Err(error) => self.doubt = Some(Doubt::Failed { at: now, why: write_task::words(&error) }),
        }
    }

    /// Taking over is tried again.
    pub(super) fn lead_again(&mut self, now: Timestamp) {
        if matches!(self.doubt, Some(Doubt::Failed { at, .. }) if now.since(at) >= TRY_AGAIN) {
            return self.in_doubt();
        }
        let due = match &self.role {
            Role::Elected { failed: Some((at, _)) } => now.since(*at) >= TRY_AGAIN,
            // The other one may be gone.
            Role::Fenced => self.fenced_at.is_none_or(|at| now.since(at) >= FENCED_TWICE),
            _ => false,
        };
        if due {
            self.begin_to_lead();
        }
    }

    /// Somebody waits for it: what failed may be mended.
    pub(super) fn lead_now(&mut self) {
        if matches!(self.role, Role::Elected { failed: Some(_) }) {
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
        let Role::Leading { last_hold } = &self.role else {
            return unavailable(self.why_not_leading());
        };
        match &self.doubt {
            None => {}
            Some(Doubt::Deciding) => return unavailable(DOUBT.to_owned()),
            Some(Doubt::Failed { why, .. }) => return unavailable(format!("{DOUBT}: {why}")),
        }
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
        match (&self.role, &self.election_problem) {
            (Role::Fenced, _) => FENCED.to_owned(),
            (Role::Elected { failed: Some((_, why)) }, _) => {
                format!("the writer's id could not be taken over: {why}")
            }
            (Role::Elected { failed: None }, _) => "the writer's id is being taken over".to_owned(),
            (_, Some(problem)) => format!("no writer is elected: {}", problem.words),
            _ if self.another_leads => "another replica is the elected writer".to_owned(),
            _ => match &self.topics_problem {
                Some(problem) => format!("no writer is elected: {problem}"),
                None => "no writer is elected yet".to_owned(),
            },
        }
    }

    /// Nobody can write, and waiting does not help.
    pub(super) fn check_somebody_leads(&self) -> Result<(), PortError> {
        let lasts = match &self.role {
            Role::Fenced => true,
            Role::Following => self.election_problem.as_ref().is_some_and(|problem| problem.lasts),
            Role::Elected { .. } | Role::Leading { .. } | Role::Observing => false,
        };
        if lasts { Err(self.unavailable(self.why_not_leading())) } else { Ok(()) }
    }
}
