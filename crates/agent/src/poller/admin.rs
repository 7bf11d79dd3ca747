//! Carries out commands from the admin topic, one after the other, between two polls: none of them ever keeps the
//! poll thread from what Kafka tells it for longer than one request takes.

mod offsets;

use std::sync::Arc;
use std::time::{Duration, Instant};

use flowdeck_model::InstanceState;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::KafkaResult;
use tracing::info;

use crate::admin::{AdminAction, AdminCommand, Outcome, WORKERS_MAX};
use crate::context::Callbacks;
use crate::running::LEAVE;
use crate::shared::Shared;
use crate::workers;

use offsets::{Set, Setting};

pub(super) struct Executor<'a> {
    shared: &'a Arc<Shared>,
    consumer: &'a BaseConsumer<Callbacks>,
    joined: bool,
    current: Option<Current>,
}

struct Current {
    command: AdminCommand,
    step: Step,
    limit: Instant,
}

enum Step {
    /// Until the partitions are given back.
    Leaving(Then),
    /// Until the workers that are too many have ended.
    Workers,
    Offsets(Setting),
}

/// After the group was left.
enum Then {
    StayAway,
    Join,
    /// Partitions are read anew from their commits; what is answered is decided.
    JoinAndAnswer(Outcome),
}

/// How a command begins.
enum Begun {
    At(Outcome),
    Step(Step, Duration),
}

impl<'a> Executor<'a> {
    pub(super) fn new(shared: &'a Arc<Shared>, consumer: &'a BaseConsumer<Callbacks>) -> Self {
        Self { shared, consumer, joined: false, current: None }
    }

    pub(super) fn join(&mut self) -> KafkaResult<()> {
        let topics: Vec<&str> = self.shared.settings.topics.iter().map(|topic| topic.as_str()).collect();
        self.consumer.subscribe(&topics)?;
        self.joined = true;
        Ok(())
    }

    pub(super) fn step(&mut self) {
        if let Some(current) = self.current.take().or_else(|| self.begin()) {
            self.current = self.go_on(current);
        }
    }

    /// The next command, unless it is done at once.
    fn begin(&mut self) -> Option<Current> {
        let command = self.shared.admin.next()?;
        info!(group.id = %self.shared.settings.group, command = command.action.label(), "a command from the admin topic");
        match self.begun(&command.action) {
            Begun::At(outcome) => {
                self.finish(&command, outcome);
                None
            }
            Begun::Step(step, limit) => Some(Current { command, step, limit: Instant::now() + limit }),
        }
    }

    fn begun(&mut self, action: &AdminAction) -> Begun {
        let in_flight = self.shared.settings.timings.shutdown_timeout;
        match action {
            AdminAction::Stop if !self.joined => {
                Begun::At(Outcome::done(Some("it was stopped already".into())))
            }
            AdminAction::Start if self.joined => {
                Begun::At(Outcome::done(Some("it was running already".into())))
            }
            AdminAction::Stop => self.leave(Then::StayAway),
            AdminAction::Restart if self.joined => self.leave(Then::Join),
            AdminAction::Start | AdminAction::Restart => Begun::At(self.joined_again()),
            AdminAction::SetWorkers(count) => match usize::try_from(*count) {
                Ok(count @ 1..=WORKERS_MAX) => {
                    workers::set_count(self.shared, count);
                    Begun::Step(Step::Workers, in_flight)
                }
                _ => Begun::At(Outcome::refused(format!("{count} workers: it must be 1 to {WORKERS_MAX}"))),
            },
            AdminAction::SetOffsets { topics, to } => {
                let setting = Setting::begin(self.shared, topics, to.clone());
                Begun::Step(Step::Offsets(setting), in_flight)
            }
        }
    }

    fn leave(&mut self, then: Then) -> Begun {
        self.consumer.unsubscribe();
        self.joined = false;
        Begun::Step(Step::Leaving(then), self.shared.settings.timings.shutdown_timeout + LEAVE)
    }

    /// `None` once it is done.
    fn go_on(&mut self, current: Current) -> Option<Current> {
        let Current { command, step, limit } = current;
        let late = Instant::now() >= limit;
        let next = match step {
            Step::Leaving(then) => match self.left(late) {
                None => Begun::Step(Step::Leaving(then), Duration::ZERO),
                Some(left) => Begun::At(self.after_leaving(then, left)),
            },
            Step::Workers => match self.workers(late) {
                None => Begun::Step(Step::Workers, Duration::ZERO),
                Some(outcome) => Begun::At(outcome),
            },
            Step::Offsets(setting) => match setting.outcome(self.shared, self.consumer, late) {
                None => Begun::Step(Step::Offsets(setting), Duration::ZERO),
                Some(Set { outcome, positions_follow: true }) => Begun::At(outcome),
                Some(Set { outcome, positions_follow: false }) => self.leave(Then::JoinAndAnswer(outcome)),
            },
        };
        match next {
            Begun::At(outcome) => {
                self.finish(&command, outcome);
                None
            }
            Begun::Step(step, more) => {
                Some(Current { command, step, limit: limit.max(Instant::now() + more) })
            }
        }
    }

    fn after_leaving(&mut self, then: Then, left: Outcome) -> Outcome {
        match then {
            Then::StayAway => left,
            Then::Join => self.joined_again(),
            Then::JoinAndAnswer(outcome) => match self.joined_again() {
                joined if joined.state == InstanceState::Refused => joined,
                _ => outcome,
            },
        }
    }

    fn left(&self, late: bool) -> Option<Outcome> {
        let state = self.shared.lock();
        let (owns, outlasting) = (!state.lanes.is_empty(), state.lanes.snapshot().outlasting.len());
        drop(state);
        let assigned = self.consumer.assignment().is_ok_and(|assigned| assigned.count() > 0);
        match (owns || assigned, late) {
            (true, false) => None,
            (true, true) => Some(Outcome::refused("its partitions were not given back in time")),
            (false, _) => {
                let runs = format!("a handler of {outlasting} partitions still runs; its record comes again");
                Some(Outcome::done((outlasting > 0).then_some(runs)))
            }
        }
    }

    fn joined_again(&mut self) -> Outcome {
        match self.join() {
            Ok(()) => Outcome::done(None),
            Err(error) => Outcome::refused(format!("the group could not be joined: {error}")),
        }
    }

    fn workers(&self, late: bool) -> Option<Outcome> {
        let ending = self.shared.pool.ending();
        let words = format!("{ending} workers end with the record that they handle");
        (ending == 0 || late).then(|| Outcome::done((ending > 0).then_some(words)))
    }

    fn finish(&self, command: &AdminCommand, outcome: Outcome) {
        self.shared.admin.finish(command, outcome);
        self.shared.tell();
    }
}
