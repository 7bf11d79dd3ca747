//! Answers to commands: what this instance can say as evidence, and when. Pure.
//!
//! A hold in force is answered when it is written, when partitions under it come to this instance,
//! and once nothing under it is in flight. A resume is answered once, when the gates are open. A hold
//! that ended by the own clock is not obeyed any more, or never was: that is a refusal of its pause.
//!
//! No handler begins after the answer to a pause: what a worker took before the gates shut is waited
//! for until its handler has begun, wherever its partition went since. And nothing is drained, or was
//! not concerned, while a handler of a partition that was revoked still runs.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::{Duration, Instant};

use flowdeck_model::{CommandId, Hold, HoldId, InstanceState, Scope};
use flowdeck_protocol::wire::MovedOffset;

use crate::config::Settings;
use crate::lanes::{Gate, LaneSnapshot, Seen};
use crate::record::TopicPartition;
use crate::view::{covers, place, speaks_to};

/// Resumes that are remembered, so that records of one command that arrive apart are answered as one.
const RESUMES: usize = 64;
/// A handler that was called so long ago has begun, though it gives its thread back to nobody. Well
/// within the time in which Flowdeck expects an answer.
const CALLED: Duration = Duration::from_secs(2);

/// One record for `flowdeck.acks`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) command: CommandId,
    pub(crate) holds_offset: i64,
    pub(crate) state: InstanceState,
    pub(crate) partitions: Vec<TopicPartition>,
    /// Offsets that were set.
    pub(crate) moved: Vec<MovedOffset>,
    pub(crate) detail: Option<String>,
}

#[derive(Debug, Default)]
pub(crate) struct Answers {
    pauses: BTreeMap<CommandId, Pause>,
    resumes: VecDeque<Resume>,
}

/// The holds that one command made.
#[derive(Debug)]
struct Pause {
    offset: i64,
    holds: BTreeMap<Scope, Hold>,
    /// What was acknowledged.
    told: BTreeSet<TopicPartition>,
    last: Option<InstanceState>,
    /// Since when handlers are waited for that were taken before the gates shut.
    waits_since: Option<Instant>,
    /// That some were only called was said; nothing is waited for any more.
    called_said: bool,
}

#[derive(Debug)]
struct Resume {
    command: CommandId,
    offset: i64,
    scopes: Vec<Scope>,
    /// Parts of the scopes that ran before.
    except: Vec<Scope>,
    told: bool,
    why: Why,
}

#[derive(Debug)]
enum Why {
    /// A record says so.
    Written,
    /// The hold is past its end by the own clock, in words. The answer goes to the pause, of which it must
    /// not be taken as evidence. `answered`: something was said to that before, and is not so any more.
    OwnClock { detail: String, answered: bool },
}

impl Answers {
    /// A hold was written at `offset`; `command` is the header of a resume that split it.
    pub(crate) fn set(
        &mut self,
        settings: &Settings,
        hold: &Hold,
        before: Option<&Hold>,
        command: Option<CommandId>,
        offset: i64,
    ) {
        if !speaks_to(settings, &hold.scope) {
            return;
        }
        let made_by = CommandId::from(hold.id);
        let freed = freed(hold, before);
        let split = command.filter(|command| *command != made_by && !freed.is_empty());
        let pause = self.pauses.entry(made_by).or_insert_with(|| Pause::new(offset));
        pause.holds.insert(hold.scope.clone(), hold.clone());
        match split {
            Some(command) => self.resume(settings, Resume::written(command, freed, offset)),
            None => {
                pause.offset = offset;
                // Written again is asked again.
                pause.last = None;
                pause.told.clear();
                (pause.waits_since, pause.called_said) = (None, false);
            }
        }
    }

    /// A hold was released at `offset`.
    pub(crate) fn release(
        &mut self,
        settings: &Settings,
        scope: &Scope,
        id: HoldId,
        command: Option<CommandId>,
        offset: i64,
    ) {
        self.drop_hold(scope, id);
        let command = command.unwrap_or(id.into());
        self.resume(settings, Resume::written(command, vec![scope.clone()], offset));
    }

    /// A hold ended by this instance's own clock.
    pub(crate) fn expired(&mut self, settings: &Settings, hold: &Hold, detail: String) {
        let command = CommandId::from(hold.id);
        let pause = self.pauses.get(&command);
        let offset = pause.map_or(-1, |pause| pause.offset);
        let answered = pause.is_some_and(|pause| pause.last.is_some());
        self.drop_hold(&hold.scope, hold.id);
        let resume = Resume::written(command, vec![hold.scope.clone()], offset);
        let why = Why::OwnClock { detail, answered };
        self.resume(settings, Resume { except: hold.except.clone(), why, ..resume });
    }

    /// The holds are read from the beginning again.
    pub(crate) fn forget_pauses(&mut self) {
        self.pauses.clear();
    }

    fn drop_hold(&mut self, scope: &Scope, id: HoldId) {
        let command = CommandId::from(id);
        if let Some(pause) = self.pauses.get_mut(&command) {
            pause.holds.remove(scope);
            if pause.holds.is_empty() {
                self.pauses.remove(&command);
            }
        }
    }

    fn resume(&mut self, settings: &Settings, mut new: Resume) {
        new.scopes.retain(|scope| speaks_to(settings, scope));
        if new.scopes.is_empty() {
            return;
        }
        if let Some(resume) = self.resumes.iter_mut().find(|resume| resume.command == new.command) {
            resume.join(new);
            return;
        }
        self.resumes.push_back(new);
        if self.resumes.len() > RESUMES {
            self.resumes.pop_front();
        }
    }

    /// What is to be said now.
    pub(crate) fn due(&mut self, settings: &Settings, snapshot: &LaneSnapshot, now: Instant) -> Vec<Answer> {
        let mut answers = vec![];
        for resume in self.resumes.iter_mut().filter(|resume| !resume.told) {
            answers.extend(resume.answer(settings, &snapshot.seen));
        }
        for (command, pause) in &mut self.pauses {
            pause.answer(*command, settings, snapshot, now, &mut answers);
        }
        answers
    }

    /// Whether an answer waits for a handler that begins in this instant.
    pub(crate) fn wait(&self, now: Instant) -> bool {
        let soon = |since: Instant| now.saturating_duration_since(since) < CALLED + CALLED;
        self.pauses.values().any(|pause| !pause.called_said && pause.waits_since.is_some_and(soon))
    }
}

/// What a record of a hold resumes: exceptions that the one before it had not.
pub(crate) fn freed(hold: &Hold, before: Option<&Hold>) -> Vec<Scope> {
    hold.except.iter().filter(|except| is_new(except, before)).cloned().collect()
}

fn is_new(except: &Scope, before: Option<&Hold>) -> bool {
    before.is_some_and(|before| !before.except.contains(except))
}

impl Resume {
    fn written(command: CommandId, scopes: Vec<Scope>, offset: i64) -> Self {
        Self { command, offset, scopes, except: vec![], told: false, why: Why::Written }
    }

    /// Another record of the command, or another of its holds.
    fn join(&mut self, other: Self) {
        self.scopes.extend(other.scopes);
        self.except.extend(other.except);
        self.offset = other.offset;
        self.told = false;
        // Once refused, a pause is not answered as if it had been obeyed.
        if let Why::OwnClock { .. } = other.why {
            self.why = other.why;
        }
    }

    fn answer(&mut self, settings: &Settings, seen: &[Seen]) -> Option<Answer> {
        let inside = |seen: &&Seen| {
            let lies_in = |scope: &Scope| scope.contains(place(settings, &seen.at));
            self.scopes.iter().any(lies_in) && !self.except.iter().any(lies_in)
        };
        let inside: Vec<&Seen> = seen.iter().filter(inside).collect();
        if inside.iter().any(|seen| seen.gate == Gate::Pending) {
            return None;
        }
        self.told = true;
        let held = inside.iter().filter(|seen| seen.gate == Gate::Held).count();
        let still =
            (held > 0).then(|| format!("{held} of {} partitions stay paused by another hold", inside.len()));
        let (state, detail) = match &self.why {
            // It neither obeyed nor would have had to.
            Why::OwnClock { answered: false, .. } if inside.is_empty() => return None,
            Why::OwnClock { detail, .. } => (InstanceState::Refused, Some(detail.clone())),
            Why::Written if inside.is_empty() => (InstanceState::NothingToDo, still),
            Why::Written => (InstanceState::Acknowledged, still),
        };
        Some(Answer {
            command: self.command,
            holds_offset: self.offset,
            state,
            partitions: inside.iter().map(|seen| seen.at.clone()).collect(),
            moved: vec![],
            detail,
        })
    }
}

impl Pause {
    fn new(offset: i64) -> Self {
        Self {
            offset,
            holds: BTreeMap::new(),
            told: BTreeSet::new(),
            last: None,
            waits_since: None,
            called_said: false,
        }
    }

    fn answer(
        &mut self,
        command: CommandId,
        settings: &Settings,
        snapshot: &LaneSnapshot,
        now: Instant,
        answers: &mut Vec<Answer>,
    ) {
        let covers = |at: &TopicPartition| self.holds.values().any(|hold| covers(settings, hold, at));
        let under: Vec<&Seen> = snapshot.seen.iter().filter(|seen| covers(&seen.at)).collect();
        if under.iter().any(|seen| seen.gate != Gate::Held) {
            return;
        }
        let starting = snapshot.starting.iter().filter(|at| covers(at)).count();
        let outlasting = snapshot.outlasting.iter().filter(|at| covers(at)).count();
        let called = match self.begun(starting, now) {
            Begun::NotYet => return,
            Begun::All => None,
            Begun::Called(words) => Some(words),
        };
        let busy = outlasting > 0 || under.iter().any(|seen| seen.in_flight);
        let partitions: Vec<TopicPartition> = under.iter().map(|seen| seen.at.clone()).collect();
        let mut say = |state, last: &mut Option<InstanceState>| {
            *last = Some(state);
            let runs = (state == InstanceState::Acknowledged && outlasting > 0).then(|| {
                format!("{outlasting} of the partitions that were revoked still have a handler that runs")
            });
            let (partitions, detail) = (partitions.clone(), called.clone().or(runs));
            answers.push(Answer {
                command,
                holds_offset: self.offset,
                state,
                partitions,
                moved: vec![],
                detail,
            });
        };
        if partitions.is_empty() && !busy && self.last.is_none() {
            say(InstanceState::NothingToDo, &mut self.last);
            return;
        }
        if self.last.is_none() || partitions.iter().any(|at| !self.told.contains(at)) {
            say(InstanceState::Acknowledged, &mut self.last);
        }
        self.told = partitions.iter().cloned().collect();
        if self.last == Some(InstanceState::Acknowledged) && !busy {
            say(InstanceState::Drained, &mut self.last);
        }
    }

    fn begun(&mut self, starting: usize, now: Instant) -> Begun {
        if starting == 0 {
            (self.waits_since, self.called_said) = (None, false);
            return Begun::All;
        }
        let since = *self.waits_since.get_or_insert(now);
        if now.saturating_duration_since(since) < CALLED {
            return Begun::NotYet;
        }
        self.called_said = true;
        let seconds = CALLED.as_secs();
        Begun::Called(format!("{starting} called more than {seconds} s ago, and still in the first step"))
    }
}

/// Handlers of what was taken before the gates shut.
enum Begun {
    All,
    NotYet,
    /// Some are only known to have been called, a while ago; in words.
    Called(String),
}

#[cfg(test)]
mod tests;
