//! Operations that set commits: begun, taken over from a leader before, and ended with what came of them. They run beside
//! the writing of holds, which must not wait for them.

use std::collections::HashMap;

use flowdeck_model::view::{InstanceKind, OffsetChange};
use flowdeck_model::{CommandId, InstanceName, InstanceState, Timestamp};
use flowdeck_observe::telemetry::InstanceId;

use super::state::State;
use crate::commands::command::{Anew, offset_changes};
use crate::commands::{Command, Tracked, by_stop, lifecycle};
use crate::offsets::alter::{Alteration, Altered, Outcome, Step};

impl State {
    pub(super) fn begin_alteration(&mut self, mut command: Command, alteration: Alteration, now: Timestamp) {
        let id = command.id;
        command.instances = lines(&command, WAITS, now);
        self.enter(command);
        self.change(id, now, lifecycle::sent);
        self.alterations.push_back(alteration);
    }

    /// The leader before may have altered, or not: what is committed tells.
    pub(super) fn look_at_commits(&mut self, id: CommandId, now: Timestamp) {
        let Some(command) = self.book.get(id).cloned() else { return };
        let Some(alteration) = alteration(&command, Step::Look) else { return };
        self.begin_alteration(command, alteration, now);
    }

    pub(crate) fn altered(&mut self, done: Altered, now: Timestamp) {
        self.dirty = true;
        let Altered { id, outcomes, moves } = done;
        self.change(id, now, |command, seen| {
            if let Some(moves) = &moves {
                command.offsets = offset_changes(moves);
            }
            leave(command, &outcomes);
            command.instances.retain(|one| one.kind != InstanceKind::Commits);
            command.instances.extend(outcomes.into_iter().map(|one| tracked(one, now)));
            command.instances.truncate(lifecycle::TRACKED_MAX);
            by_stop::start(command, seen);
            lifecycle::settle(command, seen);
        });
        self.start_stopped(id, false, now);
    }
}

fn leave(command: &mut Command, outcomes: &[Outcome]) {
    let states: HashMap<&str, InstanceState> =
        outcomes.iter().map(|one| (one.name.as_str(), one.state)).collect();
    command.leave_offsets(|change| is_left(change, &states));
}

/// By what came of the partition itself; else of its topic.
fn is_left(change: &OffsetChange, states: &HashMap<&str, InstanceState>) -> bool {
    let own = format!("{} partition {}", change.topic, change.partition);
    let state = states.get(own.as_str()).or_else(|| states.get(change.topic.as_str()));
    matches!(state, Some(InstanceState::Refused | InstanceState::NothingToDo))
}

pub(super) fn alteration(command: &Command, step: Step) -> Option<Alteration> {
    let asked = command.asked_offsets.as_deref()?;
    Some(Alteration {
        id: command.id,
        group: command.target.group.clone(),
        moves: asked.moves.clone(),
        delete_group: command.action == flowdeck_model::Action::DeleteGroup,
        step,
    })
}

/// One for each topic.
pub(super) fn lines(command: &Command, waits: &str, now: Timestamp) -> Vec<Tracked> {
    let topics = command.asked_offsets.iter().flat_map(|asked| asked.moves.topics());
    let line = |name: String| Outcome { name, state: InstanceState::Waiting, detail: waits.to_owned() };
    topics.map(|topic| tracked(line(topic.to_string()), now)).collect()
}

const WAITS: &str = "its group has to be without members and its commits to stay as they are, then they are changed and \
    read again";

fn tracked(outcome: Outcome, now: Timestamp) -> Tracked {
    Tracked {
        key: InstanceId { consumer: None, instance: InstanceName::new(outcome.name), incarnation: None },
        kind: InstanceKind::Commits,
        state: outcome.state,
        at: now,
        detail: Some(outcome.detail),
        since: now,
        deadline: now,
        flows: HashMap::new(),
        joined: None,
        moved: 0,
        anew: Anew::default(),
        is_silent: false,
    }
}

#[cfg(test)]
mod tests {
    use flowdeck_model::view::OffsetTarget;

    use super::*;

    #[test]
    fn a_partition_that_was_refused_is_left_and_its_topic_is_not() {
        let states = [("a", InstanceState::Acknowledged), ("a partition 1", InstanceState::Refused)];
        let states: HashMap<&str, InstanceState> =
            states.into_iter().chain([("b", InstanceState::NoResponse)]).collect();
        for (topic, partition, left) in [("a", 0, false), ("a", 1, true), ("b", 1, false)] {
            let change = OffsetChange {
                topic: topic.parse().unwrap(),
                partition: flowdeck_model::Partition::new(partition).unwrap(),
                from: Some(5),
                to: OffsetTarget::Offset(2),
            };
            assert_eq!(is_left(&change, &states), left, "{topic} {partition}");
        }
    }
}
