//! Answers to commands: what this instance can say as evidence, and when. Pure.
//!
//! A standing hold is answered when it is written, when partitions under it come to this instance,
//! and once nothing under it is in flight. A resume is answered once, when the gates are open.
//!
//! No handler begins after the answer to a pause: what a worker took before the gates shut is waited
//! for until its handler has begun, wherever its partition went since.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::{Duration, Instant};

use flowdeck_model::{CommandId, Hold, HoldId, InstanceState, Scope};

use crate::config::Settings;
use crate::lanes::{Gate, Seen};
use crate::record::Tp;
use crate::view::{place, speaks_to};

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
    pub(crate) partitions: Vec<Tp>,
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
    told: BTreeSet<Tp>,
    last: Option<InstanceState>,
    /// Since when handlers are waited for that were taken before the gates shut.
    waits_since: Option<Instant>,
    /// That some were only called was said; nothing is waited for any more.
    called_said: bool,
}

/// What the lanes show, under one lock: gates that were set, and a client that was told.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sight<'a> {
    pub(crate) seen: &'a [Seen],
    /// Partitions of which a record was taken whose handler is not known to have begun.
    pub(crate) starting: &'a [Tp],
    pub(crate) now: Instant,
}

#[derive(Debug)]
struct Resume {
    command: CommandId,
    offset: i64,
    scopes: Vec<Scope>,
    told: bool,
    detail: Option<String>,
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
        let freed: Vec<Scope> = hold.except.iter().filter(|except| is_new(except, before)).cloned().collect();
        let split = command.filter(|command| *command != made_by && !freed.is_empty());
        let pause = self.pauses.entry(made_by).or_insert_with(|| Pause::new(offset));
        pause.holds.insert(hold.scope.clone(), hold.clone());
        match split {
            Some(command) => self.resume(settings, command, freed, offset, None),
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
        self.resume(settings, command.unwrap_or(id.into()), vec![scope.clone()], offset, None);
    }

    /// A hold ended by this instance's own clock.
    pub(crate) fn expired(&mut self, settings: &Settings, hold: &Hold, detail: String) {
        let offset = self.pauses.get(&hold.id.into()).map_or(-1, |pause| pause.offset);
        self.drop_hold(&hold.scope, hold.id);
        self.resume(settings, hold.id.into(), vec![hold.scope.clone()], offset, Some(detail));
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

    fn resume(
        &mut self,
        settings: &Settings,
        command: CommandId,
        scopes: Vec<Scope>,
        offset: i64,
        detail: Option<String>,
    ) {
        let scopes = scopes.into_iter().filter(|scope| speaks_to(settings, scope));
        let scopes: Vec<Scope> = scopes.collect();
        if scopes.is_empty() {
            return;
        }
        if let Some(resume) = self.resumes.iter_mut().find(|resume| resume.command == command) {
            resume.scopes.extend(scopes);
            resume.offset = offset;
            resume.told = false;
            return;
        }
        self.resumes.push_back(Resume { command, offset, scopes, told: false, detail });
        if self.resumes.len() > RESUMES {
            self.resumes.pop_front();
        }
    }

    /// What is to be said now.
    pub(crate) fn due(&mut self, settings: &Settings, sight: Sight<'_>) -> Vec<Answer> {
        let mut answers = vec![];
        for resume in self.resumes.iter_mut().filter(|resume| !resume.told) {
            answers.extend(resume.answer(settings, sight.seen));
        }
        for (command, pause) in &mut self.pauses {
            pause.answer(*command, settings, sight, &mut answers);
        }
        answers
    }

    /// Whether an answer waits for a handler that begins in this instant.
    pub(crate) fn wait(&self, now: Instant) -> bool {
        let soon = |since: Instant| now.saturating_duration_since(since) < CALLED + CALLED;
        self.pauses.values().any(|pause| !pause.called_said && pause.waits_since.is_some_and(soon))
    }
}

fn is_new(except: &Scope, before: Option<&Hold>) -> bool {
    before.is_some_and(|before| !before.except.contains(except))
}

impl Resume {
    fn answer(&mut self, settings: &Settings, seen: &[Seen]) -> Option<Answer> {
        let inside = |seen: &&Seen| self.scopes.iter().any(|scope| scope.contains(place(settings, &seen.at)));
        let inside: Vec<&Seen> = seen.iter().filter(inside).collect();
        if inside.iter().any(|seen| seen.gate == Gate::Pending) {
            return None;
        }
        self.told = true;
        let held = inside.iter().filter(|seen| seen.gate == Gate::Held).count();
        let still =
            (held > 0).then(|| format!("{held} of {} partitions stand under another hold", inside.len()));
        let state = if inside.is_empty() { InstanceState::NothingToDo } else { InstanceState::Acknowledged };
        Some(Answer {
            command: self.command,
            holds_offset: self.offset,
            state,
            partitions: inside.iter().map(|seen| seen.at.clone()).collect(),
            detail: self.detail.clone().or(still),
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
        sight: Sight<'_>,
        answers: &mut Vec<Answer>,
    ) {
        let covers = |at: &Tp| self.holds.values().any(|hold| hold.holds(place(settings, at)));
        let under: Vec<&Seen> = sight.seen.iter().filter(|seen| covers(&seen.at)).collect();
        if under.iter().any(|seen| seen.gate != Gate::Held) {
            return;
        }
        let starting = sight.starting.iter().filter(|at| covers(at)).count();
        let called = match self.begun(starting, sight.now) {
            Begun::NotYet => return,
            Begun::All => None,
            Begun::Called(words) => Some(words),
        };
        let partitions: Vec<Tp> = under.iter().map(|seen| seen.at.clone()).collect();
        let mut say = |state, last: &mut Option<InstanceState>| {
            *last = Some(state);
            let (partitions, detail) = (partitions.clone(), called.clone());
            answers.push(Answer { command, holds_offset: self.offset, state, partitions, detail });
        };
        if partitions.is_empty() {
            self.told.clear();
            if self.last.is_none() {
                say(InstanceState::NothingToDo, &mut self.last);
            }
            return;
        }
        if partitions.iter().any(|at| !self.told.contains(at)) {
            say(InstanceState::Acknowledged, &mut self.last);
        }
        self.told = partitions.iter().cloned().collect();
        if self.last == Some(InstanceState::Acknowledged) && !under.iter().any(|seen| seen.in_flight) {
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
mod tests {
    use super::*;
    use crate::config::tests::settings;
    use crate::view::tests::hold as hold_on;
    use flowdeck_model::InstanceState::{Acknowledged, Drained, NothingToDo};

    fn lane(topic: &str, gate: Gate, in_flight: bool) -> Seen {
        Seen { at: Tp::parse(topic, 0).unwrap(), gate, stands: false, in_flight, lag: 0 }
    }

    fn sight(seen: &[Seen]) -> Sight<'_> {
        Sight { seen, starting: &[], now: Instant::now() }
    }

    fn hold(topic: Option<&str>, id: HoldId) -> Hold {
        let scope = Scope { topic: topic.map(|t| t.parse().unwrap()), ..Scope::group("g".into()) };
        Hold { id, ..hold_on(scope) }
    }

    fn said(answers: &[Answer]) -> Vec<(CommandId, InstanceState, usize)> {
        answers.iter().map(|answer| (answer.command, answer.state, answer.partitions.len())).collect()
    }

    #[test]
    fn acknowledged_then_drained_each_once() {
        let (settings, mut answers, id) = (settings(), Answers::default(), HoldId::random());
        answers.set(&settings, &hold(None, id), None, None, 7);
        let busy = [lane("t", Gate::Held, true), lane("u", Gate::Held, false)];
        let first = answers.due(&settings, sight(&busy));
        assert_eq!(said(&first), vec![(id.into(), Acknowledged, 2)]);
        assert_eq!(first[0].holds_offset, 7);
        assert_eq!(answers.due(&settings, sight(&busy)), vec![]);
        let idle = [lane("t", Gate::Held, false), lane("u", Gate::Held, false)];
        assert_eq!(said(&answers.due(&settings, sight(&idle))), vec![(id.into(), Drained, 2)]);
        assert_eq!(answers.due(&settings, sight(&idle)), vec![]);
    }

    #[test]
    fn nothing_is_said_before_the_gates_are_set() {
        let (settings, mut answers, id) = (settings(), Answers::default(), HoldId::random());
        answers.set(&settings, &hold(None, id), None, None, 7);
        assert_eq!(answers.due(&settings, sight(&[lane("t", Gate::Pending, false)])), vec![]);
        assert_eq!(answers.due(&settings, sight(&[lane("t", Gate::Open, false)])), vec![]);
        let all = answers.due(&settings, sight(&[lane("t", Gate::Held, false)]));
        assert_eq!(said(&all), vec![(id.into(), Acknowledged, 1), (id.into(), Drained, 1)]);
    }

    #[test]
    fn one_that_owns_nothing_says_so_and_answers_again_when_partitions_come() {
        let (settings, mut answers, id) = (settings(), Answers::default(), HoldId::random());
        answers.set(&settings, &hold(Some("t"), id), None, None, 7);
        let other = lane("u", Gate::Open, false);
        assert_eq!(
            said(&answers.due(&settings, sight(std::slice::from_ref(&other)))),
            vec![(id.into(), NothingToDo, 0)]
        );
        let both = [other, lane("t", Gate::Held, false)];
        assert_eq!(
            said(&answers.due(&settings, sight(&both))),
            vec![(id.into(), Acknowledged, 1), (id.into(), Drained, 1)]
        );
    }

    #[test]
    fn another_group_or_consumer_is_not_answered() {
        let (settings, mut answers) = (settings(), Answers::default());
        let seen = [lane("t", Gate::Open, false)];
        for scope in [
            Scope::group("h".into()),
            Scope { consumer: Some("other".into()), ..Scope::group("g".into()) },
            Scope { instance: Some("i-2".into()), ..Scope::group("g".into()) },
        ] {
            let id = HoldId::random();
            answers.set(&settings, &Hold { scope: scope.clone(), ..hold(None, id) }, None, None, 0);
            answers.release(&settings, &scope, id, None, 1);
        }
        assert_eq!(answers.due(&settings, sight(&seen)), vec![]);
    }

    #[test]
    fn a_release_and_a_split_are_answered_with_the_resumes_id() {
        let (settings, mut answers, id) = (settings(), Answers::default(), HoldId::random());
        let (split, release) = (CommandId::random(), CommandId::random());
        let whole = hold(None, id);
        answers.set(&settings, &whole, None, None, 1);
        answers.due(&settings, sight(&[lane("t", Gate::Held, false), lane("u", Gate::Held, false)]));

        let cut = Scope { topic: Some("t".parse().unwrap()), ..Scope::group("g".into()) };
        let left = Hold { except: vec![cut], ..whole.clone() };
        answers.set(&settings, &left, Some(&whole), Some(split), 2);
        let seen = [lane("t", Gate::Open, false), lane("u", Gate::Held, false)];
        assert_eq!(said(&answers.due(&settings, sight(&seen))), vec![(split, Acknowledged, 1)]);

        answers.release(&settings, &left.scope, id, Some(release), 3);
        let seen = [lane("t", Gate::Open, false), lane("u", Gate::Open, false)];
        let last = answers.due(&settings, sight(&seen));
        assert_eq!(said(&last), vec![(release, Acknowledged, 2)]);
        assert_eq!((last[0].holds_offset, &last[0].detail), (3, &None));
    }

    #[test]
    fn a_release_under_another_hold_says_what_still_stands() {
        let (settings, mut answers) = (settings(), Answers::default());
        let (a, b) = (HoldId::random(), HoldId::random());
        answers.set(&settings, &hold(None, a), None, None, 1);
        answers.set(&settings, &hold(Some("t"), b), None, None, 2);
        let held = [lane("t", Gate::Held, false), lane("u", Gate::Held, false)];
        answers.due(&settings, sight(&held));
        answers.release(&settings, &hold(None, a).scope, a, None, 3);
        let seen = [lane("t", Gate::Held, false), lane("u", Gate::Open, false)];
        let answer = answers.due(&settings, sight(&seen)).remove(0);
        assert_eq!(answer.detail.as_deref(), Some("1 of 2 partitions stand under another hold"));
    }

    #[test]
    fn a_command_of_several_topics_is_answered_as_one() {
        let (settings, mut answers, id) = (settings(), Answers::default(), HoldId::random());
        answers.set(&settings, &hold(Some("t"), id), None, None, 1);
        answers.set(&settings, &hold(Some("u"), id), None, None, 2);
        let held = [lane("t", Gate::Held, false), lane("u", Gate::Held, false)];
        assert_eq!(
            said(&answers.due(&settings, sight(&held))),
            vec![(id.into(), Acknowledged, 2), (id.into(), Drained, 2)]
        );
        // Written again is asked again.
        answers.set(&settings, &hold(Some("t"), id), Some(&hold(Some("t"), id)), None, 3);
        assert_eq!(answers.due(&settings, sight(&held)).len(), 2);
    }

    #[test]
    fn an_answer_to_a_pause_waits_for_handlers_that_begin_in_this_instant() {
        let (settings, id) = (settings(), HoldId::random());
        let (t, u) = (Tp::parse("t", 0).unwrap(), Tp::parse("u", 0).unwrap());
        let start = Instant::now();
        let after = |ms| start + Duration::from_millis(ms);
        let held = [lane("t", Gate::Held, true)];
        // Its partition may have gone since: then nothing else is owned.
        for (seen, state) in [(&held[..], Acknowledged), (&[], NothingToDo)] {
            let mut answers = Answers::default();
            answers.set(&settings, &hold(Some("t"), id), None, None, 7);
            let mut due = |starting: &[Tp], now| {
                let all = answers.due(&settings, Sight { seen, starting, now });
                (all, answers.wait(now))
            };
            assert_eq!(due(std::slice::from_ref(&t), after(0)), (vec![], true));
            assert_eq!(due(std::slice::from_ref(&t), after(1_999)), (vec![], true));
            // Elsewhere handlers may begin.
            let (all, waits) = due(std::slice::from_ref(&u), after(1_999));
            assert_eq!((said(&all), waits), (vec![(id.into(), state, seen.len())], false));
            assert_eq!(all[0].detail, None);
        }
    }

    #[test]
    fn one_that_never_gives_its_thread_back_does_not_keep_the_answer_but_is_said() {
        let (settings, mut answers, id) = (settings(), Answers::default(), HoldId::random());
        answers.set(&settings, &hold(None, id), None, None, 7);
        let (seen, starting) = ([lane("t", Gate::Held, true)], [Tp::parse("t", 0).unwrap()]);
        let now = Instant::now();
        assert_eq!(answers.due(&settings, Sight { seen: &seen, starting: &starting, now }), vec![]);
        let now = now + CALLED;
        assert!(answers.wait(now), "nothing else asks for the answer then");
        let all = answers.due(&settings, Sight { seen: &seen, starting: &starting, now });
        assert_eq!(said(&all), vec![(id.into(), Acknowledged, 1)]);
        assert!(all[0].detail.as_deref().unwrap().starts_with("1 called more than 2 s ago"));
        assert!(!answers.wait(now));
    }
}
