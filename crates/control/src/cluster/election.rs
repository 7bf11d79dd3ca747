//! This process's part in the election of the writer: whether it writes, and why not. What follows for commands and
//! holds is in `role.rs`.

use std::time::Duration;

use flowdeck_model::Timestamp;
use flowdeck_model::view::Mode;

use crate::commands::write_task::{self, Took};
use crate::writer::{FENCED, WriteError};

/// A leader that was fenced takes the id over again, since the election is what counts; fenced once more within this
/// time, it leaves the id to whoever takes it without being elected.
const FENCED_TWICE: Duration = Duration::from_secs(30);
/// After a failure to take over the writer's id.
const TRY_AGAIN: Duration = Duration::from_secs(2);

const DOUBT: &str = "whether the last pause or resume was written is being found out";

#[derive(Debug)]
enum Role {
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
#[derive(Debug)]
enum Doubt {
    /// The writer's id is being taken over once more, which decides it.
    Deciding,
    /// That failed, and is tried again.
    Failed { at: Timestamp, why: String },
}

/// Why this process can take no part in the election.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ElectionProblem {
    pub(crate) words: String,
    /// It does not pass by itself.
    pub(crate) lasts: bool,
}

/// What follows from an attempt to take over the writer's id.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Attempt {
    /// It leads from now on.
    Leads,
    /// Nobody writes until it is tried again.
    Failed,
    /// Somebody took the id from this process.
    Fenced,
    /// Nothing else.
    Settled,
}

#[derive(Debug)]
pub(super) struct Election {
    role: Role,
    /// Of a leader.
    doubt: Option<Doubt>,
    /// Why nobody can be elected.
    problem: Option<ElectionProblem>,
    /// Another replica is the elected one, as far as the election tells.
    another_leads: bool,
    /// When another Flowdeck last took the writer's id from this one.
    fenced_at: Option<Timestamp>,
}

impl Election {
    pub(super) fn new(mode: Mode) -> Self {
        let role = match mode {
            Mode::Control => Role::Following,
            Mode::Observe => Role::Observing,
        };
        Self { role, doubt: None, problem: None, another_leads: false, fenced_at: None }
    }

    /// Elected, with the writer's id taken over.
    pub(super) fn leads(&self) -> bool {
        matches!(self.role, Role::Leading { .. })
    }

    /// It leads, or is about to.
    pub(super) fn is_elected(&self) -> bool {
        matches!(self.role, Role::Leading { .. } | Role::Elected { .. })
    }

    pub(super) fn another_leads(&self) -> bool {
        self.another_leads
    }

    /// For all that this process knows another one may lead, or be elected yet.
    pub(super) fn another_may_lead(&self) -> bool {
        self.problem.is_none() && matches!(self.role, Role::Following)
    }

    /// As far as this process knows. Where it is fenced, somebody writes.
    pub(super) fn nobody_leads(&self) -> bool {
        match self.role {
            Role::Elected { .. } => true,
            Role::Following => !self.another_leads,
            Role::Observing | Role::Leading { .. } | Role::Fenced => false,
        }
    }

    /// To be said on the pages.
    pub(super) fn is_failing(&self) -> bool {
        self.problem.is_some() || self.has_failed() || matches!(self.role, Role::Fenced)
    }

    /// Nobody can write, and waiting does not help.
    pub(super) fn fails_for_good(&self) -> bool {
        match &self.role {
            Role::Fenced => true,
            Role::Following => self.problem.as_ref().is_some_and(|problem| problem.lasts),
            Role::Elected { .. } | Role::Leading { .. } | Role::Observing => false,
        }
    }

    /// Taking over the id failed when it was last tried.
    pub(super) fn has_failed(&self) -> bool {
        matches!(self.role, Role::Elected { failed: Some(_) })
    }

    /// Up to which record the holds have to be read before something is written; or why nothing may be written.
    /// `topics_problem`: why Flowdeck's own topics could not be created.
    pub(super) fn may_write(&self, topics_problem: Option<&str>) -> Result<Option<i64>, String> {
        let Role::Leading { last_hold } = self.role else {
            return Err(self.why_not_leading(topics_problem));
        };
        match &self.doubt {
            None => Ok(last_hold),
            Some(Doubt::Deciding) => Err(DOUBT.to_owned()),
            Some(Doubt::Failed { why, .. }) => Err(format!("{DOUBT}: {why}")),
        }
    }

    pub(super) fn why_not_leading(&self, topics_problem: Option<&str>) -> String {
        match (&self.role, &self.problem) {
            (Role::Fenced, _) => FENCED.to_owned(),
            (Role::Elected { failed: Some((_, why)) }, _) => {
                format!("the writer's id could not be taken over: {why}")
            }
            (Role::Elected { failed: None }, _) => "the writer's id is being taken over".to_owned(),
            (_, Some(problem)) => format!("no writer is elected: {}", problem.words),
            _ if self.another_leads => "another replica is the elected writer".to_owned(),
            _ => match topics_problem {
                Some(problem) => format!("no writer is elected: {problem}"),
                None => "no writer is elected yet".to_owned(),
            },
        }
    }

    /// This process is elected. Says whether the id is to be taken over now.
    pub(super) fn elected(&mut self) -> bool {
        if !matches!(self.role, Role::Following | Role::Fenced) {
            return false;
        }
        self.take_over();
        (self.problem, self.another_leads) = (None, false);
        true
    }

    /// The id is being taken over.
    pub(super) fn take_over(&mut self) {
        self.doubt = None;
        self.role = Role::Elected { failed: None };
    }

    /// It is elected no more, or nobody can be. Says whether it was, or was fenced.
    pub(super) fn lost(&mut self, problem: Option<ElectionProblem>) -> bool {
        self.problem = problem;
        self.another_leads = false;
        if matches!(self.role, Role::Observing | Role::Following) {
            return false;
        }
        self.role = Role::Following;
        self.doubt = None;
        true
    }

    /// After `lost`: it is known who is elected instead.
    pub(super) fn another_elected(&mut self) {
        self.another_leads = true;
    }

    /// The writer's id is taken over, or not.
    pub(super) fn took_over(&mut self, result: Result<Took, WriteError>, now: Timestamp) -> Attempt {
        if self.leads() && self.doubt.is_some() {
            return self.decided(result, now);
        }
        if !matches!(self.role, Role::Elected { .. }) {
            return Attempt::Settled;
        }
        match result {
            Ok(Took { last_hold }) => {
                self.role = Role::Leading { last_hold };
                Attempt::Leads
            }
            Err(error) => {
                self.role = Role::Elected { failed: Some((now, write_task::words(&error))) };
                Attempt::Failed
            }
        }
    }

    /// The id is taken over once more, so what was in doubt is written now, or never will be.
    fn decided(&mut self, result: Result<Took, WriteError>, now: Timestamp) -> Attempt {
        match result {
            Ok(Took { last_hold }) => {
                self.role = Role::Leading { last_hold };
                self.doubt = None;
            }
            Err(WriteError::Fenced) => return Attempt::Fenced,
            Err(error) => self.doubt = Some(Doubt::Failed { at: now, why: write_task::words(&error) }),
        }
        Attempt::Settled
    }

    /// Somebody took the id from this process, which leads. Says whether it is to be taken over again.
    pub(super) fn fenced(&mut self, now: Timestamp) -> bool {
        let again = self.fenced_at.is_some_and(|at| now.since(at) < FENCED_TWICE);
        self.fenced_at = Some(now);
        if again {
            self.role = Role::Fenced;
        } else {
            self.take_over();
        }
        !again
    }

    /// Holds may have been written, or may be yet. Says whether the id is to be taken over once more, which decides it.
    pub(super) fn in_doubt(&mut self) -> bool {
        if self.leads() {
            self.doubt = Some(Doubt::Deciding);
        }
        self.leads()
    }

    /// What is in doubt could not be decided, and it is time to try again.
    pub(super) fn decides_again(&self, now: Timestamp) -> bool {
        matches!(self.doubt, Some(Doubt::Failed { at, .. }) if now.since(at) >= TRY_AGAIN)
    }

    /// It is time to try again to take over the id.
    pub(super) fn takes_over_again(&self, now: Timestamp) -> bool {
        match &self.role {
            Role::Elected { failed: Some((at, _)) } => now.since(*at) >= TRY_AGAIN,
            // The other one may be gone.
            Role::Fenced => self.fenced_at.is_none_or(|at| now.since(at) >= FENCED_TWICE),
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_millis(seconds * 1_000)
    }

    fn failed() -> Result<Took, WriteError> {
        Err(WriteError::NotWritten("no answer".to_owned()))
    }

    #[test]
    fn an_elected_replica_writes_once_it_has_the_writers_id() {
        let mut election = Election::new(Mode::Control);
        assert!(election.nobody_leads() && election.another_may_lead());
        assert!(election.elected() && !election.elected(), "taken over once");
        assert_eq!(election.may_write(None), Err("the writer's id is being taken over".to_owned()));
        assert_eq!(election.took_over(failed(), at(1)), Attempt::Failed);
        assert!(election.is_failing() && election.is_elected() && !election.leads());
        assert!(!election.takes_over_again(at(2)) && election.takes_over_again(at(3)));
        election.take_over();
        assert_eq!(election.took_over(Ok(Took { last_hold: Some(7) }), at(3)), Attempt::Leads);
        assert_eq!(election.may_write(None), Ok(Some(7)));
        assert!(election.lost(None) && !election.lost(None), "what it had begun is left to the next once");
        election.another_elected();
        assert!(!election.nobody_leads() && election.another_leads());
    }

    #[test]
    fn a_fenced_leader_takes_the_id_over_again_once() {
        let mut election = Election::new(Mode::Control);
        for (fenced_at, again) in [(1, true), (20, false)] {
            election.elected();
            election.took_over(Ok(Took { last_hold: None }), at(0));
            assert_eq!(election.fenced(at(fenced_at)), again);
        }
        assert!(election.fails_for_good() && !election.nobody_leads());
        assert!(!election.takes_over_again(at(49)) && election.takes_over_again(at(50)));
    }

    #[test]
    fn nothing_is_written_before_a_doubt_is_decided() {
        let mut election = Election::new(Mode::Control);
        assert!(!election.in_doubt(), "who does not lead has written nothing");
        election.elected();
        election.took_over(Ok(Took { last_hold: None }), at(0));
        assert!(election.in_doubt() && election.leads() && election.may_write(None).is_err());
        assert_eq!(election.took_over(failed(), at(1)), Attempt::Settled);
        assert!(!election.decides_again(at(2)) && election.decides_again(at(3)));
        assert_eq!(election.took_over(Ok(Took { last_hold: Some(1) }), at(12)), Attempt::Settled);
        assert_eq!(election.may_write(None), Ok(Some(1)));
    }

    #[test]
    fn why_nobody_leads_is_said() {
        let mut election = Election::new(Mode::Control);
        assert_eq!(election.why_not_leading(None), "no writer is elected yet");
        assert_eq!(election.why_not_leading(Some("no right")), "no writer is elected: no right");
        election.lost(Some(ElectionProblem { words: "not permitted".to_owned(), lasts: true }));
        assert_eq!(election.why_not_leading(None), "no writer is elected: not permitted");
        assert!(election.fails_for_good() && !election.another_may_lead());
    }
}
