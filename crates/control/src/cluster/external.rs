//! External commands on the admin topic: which of them become changes of holds, and when.

use std::time::Duration;

use flowdeck_model::hold::HoldChange;
use flowdeck_model::view::Mode;
use flowdeck_model::{Action, CommandId, GroupId, HoldId, Target, Timestamp};
use flowdeck_protocol::kafkaflow as wire;

use super::external_queue::{Due, Waiting};
use super::state::State;
use crate::commands::plan::{Plan, check_readable};
use crate::commands::rejected::Why;
use crate::commands::stops::is_stopped;
use crate::commands::{external, heal, lifecycle};
use crate::kinds;
use flowdeck_observe::holds::quota::HoldQuota;

/// Writes that may wait before external commands are no longer taken over: who may write to the topics could
/// name any number of groups.
const WRITES_MAX: usize = 256;
/// What was written so long before it is read here is not what somebody wants now.
const LATEST: Duration = Duration::from_secs(120);

/// What one command changes of one group.
struct Wanted {
    id: CommandId,
    target: Target,
    changes: Vec<HoldChange>,
}

impl State {
    /// One that was read from the admin topic. A topic that comes into sight is read from its beginning: what somebody
    /// wanted long ago must not undo what an operator decided since.
    pub(super) fn heard_external(
        &mut self,
        id: CommandId,
        command: wire::Command,
        written: Option<Timestamp>,
        now: Timestamp,
    ) {
        if written.is_none_or(|written| now.since(written) <= LATEST) {
            self.external_command(id, command, now);
        } else if self.observed.settings.mode == Mode::Control {
            self.leave(Why::TooOld, now);
        }
    }

    /// A command that did not come from Flowdeck.
    pub(super) fn external_command(&mut self, id: CommandId, command: wire::Command, now: Timestamp) {
        if self.observed.settings.mode != Mode::Control {
            return;
        }
        if !external::is_about_holds(&command) && !self.ends_holds(&command) {
            return self.follow_external(id, &command, now);
        }
        if self.may_write().is_ok() && self.external.is_empty() {
            let Some((action, targets)) = self.reached(&command, now) else { return };
            return self.take_over(id, action, targets, now, now);
        }
        // The leader takes it over; should it be gone, the next one does.
        if !self.external.push(Waiting { id, command, came: now }) {
            self.leave(Why::TooMany, now);
        }
    }

    /// A start of a consumer that a hold keeps stopped.
    fn ends_holds(&self, command: &wire::Command) -> bool {
        let wire::Command::StartConsumerByName { consumer } = command else { return false };
        let groups = self.observed.telemetry.groups_of(consumer);
        groups.into_iter().any(|group| is_stopped(&self.observed.holds.of_group(group), group, consumer))
    }

    /// Neither pause nor resume: there is nothing to take over, but what comes of it is followed and shown, by the
    /// leader.
    fn follow_external(&mut self, id: CommandId, command: &wire::Command, now: Timestamp) {
        if !self.leads() || !self.observed.is_audit_known() || self.book.get(id).is_some() {
            return;
        }
        let Some((action, targets)) = self.reached(command, now) else { return };
        for (nth, target) in targets.into_iter().enumerate() {
            let id = if nth == 0 { id } else { CommandId::random() };
            if !self.is_admitted(&target.group, now) {
                continue;
            }
            let group = target.group.clone();
            let mut command = external::command(id, action, target, now);
            let active = self.observed.holds.of_group(&group);
            let seen = self.seen(&group, &active, now);
            command.instances = lifecycle::expected(&command, seen);
            lifecycle::sent(&mut command, seen);
            self.enter(command);
        }
    }

    /// Somebody else's resume of the group is not taken over yet, or not any more: it is not fought.
    pub(super) fn is_contested(&self, group: &GroupId, now: Timestamp) -> bool {
        let resumes = |one: &Waiting| {
            let reached = self.targets(&one.command);
            reached.is_some_and(|(action, targets)| {
                action == Action::Resume && targets.iter().any(|target| &target.group == group)
            })
        };
        self.external.is_capped(group, now) || self.external.iter().any(resumes)
    }

    /// Those that came while nothing could be written here, in the order in which they came. They wait for that, but
    /// not for ever.
    pub(super) fn take_waiting(&mut self, now: Timestamp) {
        let can_write = self.may_write().is_ok();
        while let Some(due) = self.external.next_due(can_write, now) {
            match due {
                Due::LeftToAnother(one) => self.left_to_another(&one, now),
                Due::GivenUp if self.election.another_may_lead() => {}
                Due::GivenUp => self.leave(Why::CannotWrite, now),
                Due::TakeOver(one) => {
                    if let Some((action, targets)) = self.reached(&one.command, now) {
                        self.take_over(one.id, action, targets, one.came, now);
                    }
                }
            }
        }
    }

    /// It counts as a repeat here as it does there: what the other leaves alone is not left over for this one.
    fn left_to_another(&mut self, one: &Waiting, now: Timestamp) {
        self.observed.stats.dropped("external_command_taken_over");
        let Some((_, targets)) = self.reached(&one.command, now) else { return };
        for target in targets {
            self.external.admit(&target.group, self.observed.settings.timing.external_per_minute, one.came);
        }
    }

    /// What it asks for, where that may be taken over.
    fn reached(&mut self, command: &wire::Command, now: Timestamp) -> Option<(Action, Vec<Target>)> {
        if self.observed.registry.is_dirty() {
            self.observed.fresh_telemetry(now);
        }
        let (action, targets) = self.targets(command)?;
        if targets.is_empty() {
            self.observed.stats.dropped("external_command_for_unknown_consumer");
        } else if action == Action::Pause && !targets.iter().all(|target| self.is_shown(&target.group)) {
            self.leave(Why::UnknownGroup, now);
        } else if !external::is_small(&targets) {
            self.leave(Why::BeyondQuota, now);
        } else {
            return Some((action, targets));
        }
        None
    }

    fn targets(&self, command: &wire::Command) -> Option<(Action, Vec<Target>)> {
        external::targets(command, &self.observed.telemetry, &self.observed.settings.rewind_time_zones)
    }

    /// All that it changes, or nothing; but for a group whose cap is reached.
    fn take_over(
        &mut self,
        id: CommandId,
        action: Action,
        targets: Vec<Target>,
        came: Timestamp,
        now: Timestamp,
    ) {
        let (mut wanted, mut added) = (Vec::new(), HoldQuota::default());
        for (nth, target) in targets.into_iter().enumerate() {
            // One command for each group that a by-name command reaches.
            let id = if nth == 0 { id } else { CommandId::random() };
            if self.book.get(id).is_some() || self.holds_to_restore.contains(&HoldId::from(id)) {
                continue;
            }
            if action == Action::Resume {
                self.resumed_from_outside(&target, now);
            }
            let mut active = self.unwritten.over(&target.group, self.observed.holds.of_group(&target.group));
            if action == Action::Pause {
                active = self.left_by_heal(&target.group, active, now);
            }
            let changes = external::changes(action, &target, id, &active, now);
            external::grow(&mut added, &changes, &active);
            if !changes.is_empty() {
                wanted.push(Wanted { id, target, changes });
            }
        }
        let there = [self.observed.holds.quota(), self.unwritten.quota()];
        if !HoldQuota::fits_external(&added, there)
            || !wanted.iter().all(|one| check_readable(&one.changes).is_ok())
        {
            return self.leave(Why::BeyondQuota, now);
        }
        if self.jobs.len() + wanted.len() > WRITES_MAX {
            return self.leave(Why::TooMany, now);
        }
        for one in wanted {
            if self.is_admitted(&one.target.group, came) {
                self.begin_external(action, one, came, now);
            }
        }
    }

    /// Whether one more change of the group is taken over in the minute in which it came.
    fn is_admitted(&mut self, group: &GroupId, came: Timestamp) -> bool {
        let capped = self.external.is_capped(group, came);
        let admitted = self.external.admit(group, self.observed.settings.timing.external_per_minute, came);
        if !admitted {
            self.observed.stats.dropped("external_command_repeated");
            self.dirty |= !capped;
        }
        admitted
    }

    fn begin_external(&mut self, action: Action, wanted: Wanted, came: Timestamp, now: Timestamp) {
        let Wanted { id, target, changes } = wanted;
        let command = external::command(id, action, target, came);
        let active =
            self.unwritten.over(&command.target.group, self.observed.holds.of_group(&command.target.group));
        // KafkaFlow has heard the command; a resume starts nothing that was kept stopped.
        let plan = match action {
            Action::Resume => {
                let facts = self.facts(&active, &command.target.group, now);
                let is_free = self.healing(&command.target.group).is_none();
                let heal = is_free.then(|| heal::plan(&command.submit(), external::OWNER, &facts)).flatten();
                heal.unwrap_or_else(|| {
                    let starts = kinds::released(&command.target, changes.clone(), &facts).starts;
                    Plan { changes, starts, ..Plan::default() }
                })
            }
            _ => Plan { changes, ..Plan::default() },
        };
        self.begin_own(command, plan, now);
    }

    /// The brokers list it, or telemetry has shown it: anybody can name a group.
    fn is_shown(&self, group: &GroupId) -> bool {
        let heard = || self.observed.telemetry.group(group).is_some_and(|told| !told.consumers.is_empty());
        self.observed.sample.group(group).is_some() || heard()
    }

    /// Counted, and said.
    fn leave(&mut self, why: Why, now: Timestamp) {
        self.observed.stats.dropped(why.label());
        self.dirty |= self.external.rejected(why, now);
    }
}
