//! Operations that set commits: begun, taken over from a leader before, and ended with what came of them. They run beside
//! the writing of holds, which must not wait for them.

use std::collections::HashMap;

use flowdeck_model::view::InstanceKind;
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
            command.instances.retain(|one| one.kind != InstanceKind::Commits);
            command.instances.extend(outcomes.into_iter().map(|one| tracked(one, now)));
            command.instances.truncate(lifecycle::TRACKED_MAX);
            if let Some(moves) = &moves {
                command.offsets = offset_changes(moves);
            }
            by_stop::start(command, seen);
            lifecycle::settle(command, seen);
        });
        self.start_stopped(id, false, now);
    }
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
