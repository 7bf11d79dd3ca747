//! Offsets of a live KafkaFlow group, carried out: stops and starts are written, and the commits are set in between.

use std::collections::BTreeSet;

use flowdeck_model::view::InstanceKind;
use flowdeck_model::{CommandId, ConsumerName, Timestamp};

use super::alterations;
use super::state::State;
use crate::commands::by_stop::{self, Next};
use crate::commands::plan::unique;
use crate::commands::starts::Starts;
use crate::commands::stops::{consumers, is_stopped};
use crate::commands::write_task::WriteTask;
use crate::commands::{Command, lifecycle};
use crate::kinds;
use crate::offsets::alter::Step;

impl State {
    /// What is due of it now. By the leader.
    pub(super) fn step_by_stop(&mut self, id: CommandId, now: Timestamp) {
        let is_open = |one: &&Command| one.by_stop.is_some() && !one.state.is_settled();
        let Some(mut command) = self.book.get(id).filter(is_open).cloned() else { return };
        let active = self.observed.holds.of_group(&command.target.group);
        let seen = self.seen(&command.target.group, &active, now);
        match by_stop::next(&mut command, seen) {
            Next::Nothing => self.enter(command),
            Next::StopAgain => {
                let admin = kinds::stops(self.to_reach(&command));
                self.enter(command);
                self.jobs.push_back(WriteTask::Again { id, admin, held: None });
            }
            Next::Set => {
                by_stop::set(&mut command);
                let quiet = self.observed.settings.timing.offsets_quiet;
                let alteration = alterations::alteration(&command, Step::AfterStop { quiet });
                self.enter(command);
                self.alterations.extend(alteration);
            }
            Next::GiveUp => {
                by_stop::give_up(&mut command, seen);
                by_stop::start(&mut command, seen);
                self.enter(command);
                self.start_stopped(id, true, now);
            }
            Next::StartAgain => {
                self.enter(command);
                self.start_stopped(id, false, now);
            }
        }
    }

    /// `or_restart`: where Kafka lists members, of which some may have stopped.
    pub(super) fn start_stopped(&mut self, id: CommandId, or_restart: bool, now: Timestamp) {
        let Some(command) = self.book.get(id).filter(|one| by_stop::is_starting(one)) else { return };
        let group = command.target.group.clone();
        let active = self.observed.holds.of_group(&group);
        let mut consumers = self.to_reach(command);
        consumers.retain(|(_, name)| !is_stopped(&active, &group, name));
        if consumers.is_empty() {
            self.change(id, now, |command, _| {
                let words = "nobody could be told to start: telemetry shows no consumer of the group that its name reaches alone";
                command.notes.push(words.to_owned());
            });
            return;
        }
        let starts = Starts { group, consumers, kept: vec![] };
        self.jobs.push_back(WriteTask::StartAgain { id, starts, or_restart });
    }

    /// By their names, which must reach nobody else.
    fn to_reach(&self, command: &Command) -> BTreeSet<(usize, ConsumerName)> {
        let telemetry = &self.observed.telemetry;
        let mut all = consumers(&command.target, telemetry.group(&command.target.group));
        let is_own =
            |name: &ConsumerName| command.by_stop.as_ref().is_some_and(|one| one.consumers.contains(name));
        all.retain(|(_, name)| is_own(name) && unique(name, telemetry).is_ok());
        all
    }

    /// The leader before may have stopped the consumers, and may have changed the commits: nothing more is changed, what is
    /// committed tells what was done, and the consumers are started.
    pub(super) fn take_over_by_stop(&mut self, id: CommandId, now: Timestamp) {
        let Some(mut command) = self.book.get(id).cloned() else { return };
        by_stop::take_over(&mut command);
        let is_set = by_stop::is_set(&command);
        let look = alterations::alteration(&command, Step::Look).filter(|_| !is_set);
        if !is_set {
            let words = "another replica began it: what is committed tells what was done";
            let lines = alterations::lines(&command, words, now);
            command.instances.retain(|one| one.kind != InstanceKind::Commits);
            command.instances.extend(lines);
        }
        self.enter(command);
        self.change(id, now, lifecycle::sent);
        self.alterations.extend(look);
        if is_set {
            self.change(id, now, by_stop::start);
            self.start_stopped(id, false, now);
        }
    }
}
