//! The commands that are remembered: the last 1,000, and every one whose hold is still in force.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use flowdeck_model::{Action, CommandId, CommandState, GroupId, Timestamp};
use flowdeck_observe::operations::{Operation, OperationIndex};

use flowdeck_protocol::wire::Ack;

use super::Command;
use super::lifecycle::{acknowledged, keep_newest};

struct Entry {
    command: Command,
    /// The same as pages read it.
    shown: Arc<Operation>,
}

/// What is new of a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Change {
    Nothing,
    Detail,
    State,
}

pub(crate) struct CommandBook {
    by_id: HashMap<CommandId, Entry>,
    order: VecDeque<CommandId>,
    /// So many of the oldest had to be kept when they were last looked at: they are not looked at for each new one.
    kept: usize,
    most: usize,
    dirty: bool,
}

impl CommandBook {
    pub(crate) fn new(most: usize) -> Self {
        Self { by_id: HashMap::new(), order: VecDeque::new(), kept: 0, most: most.max(1), dirty: false }
    }

    pub(crate) fn get(&self, id: CommandId) -> Option<&Command> {
        self.by_id.get(&id).map(|one| &one.command)
    }

    pub(crate) fn remove(&mut self, id: CommandId) {
        self.dirty |= self.by_id.remove(&id).is_some();
        self.order.retain(|one| *one != id);
        self.kept = 0;
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.order.is_empty()
    }

    pub(crate) fn ids(&self) -> Vec<CommandId> {
        self.order.iter().copied().collect()
    }

    /// The pauses of a group.
    pub(crate) fn pauses_of(&self, group: &GroupId) -> Vec<CommandId> {
        let pauses = self.commands().filter(|one| one.action == Action::Pause && &one.target.group == group);
        pauses.map(|one| one.id).collect()
    }

    /// Newest first.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Command> {
        self.order.iter().rev().filter_map(|id| self.get(*id))
    }

    /// Adds or replaces; where there are too many, forgets the oldest that need not be kept (`is_kept`), never the newest.
    pub(crate) fn put(&mut self, command: Command, is_kept: impl Fn(&Command) -> bool) -> Change {
        let (id, state) = (command.id, command.state);
        let shown = Arc::new(command.operation());
        let must_end = command.must_end.clone();
        let former = self.by_id.insert(id, Entry { command, shown: Arc::clone(&shown) });
        let change = match &former {
            Some(former) if former.shown == shown && former.command.must_end == must_end => Change::Nothing,
            Some(former) if former.command.state == state => Change::Detail,
            _ => Change::State,
        };
        match former {
            None => self.order.push_back(id),
            Some(_) if change == Change::State => self.kept = 0,
            Some(_) => {}
        }
        self.dirty = true;
        while self.order.len() > self.most {
            let is_kept = |id: &CommandId| self.by_id.get(id).is_some_and(|one| is_kept(&one.command));
            let older = self.order.len() - 1;
            let free = (self.kept..older).find(|at| !is_kept(&self.order[*at]));
            // Where every one has to be kept, the oldest goes: the bound is a bound.
            let at = free.unwrap_or(0);
            self.kept = free.unwrap_or(older - 1);
            let Some(gone) = self.order.remove(at) else { break };
            self.by_id.remove(&gone);
        }
        change
    }

    /// Its request, and so the command, is in the audit.
    pub(crate) fn mark_audited(&mut self, id: CommandId) {
        if let Some(entry) = self.by_id.get_mut(&id) {
            entry.command.audited = true;
        }
    }

    /// An answer that counts once this process leads.
    pub(crate) fn keep_ack(&mut self, ack: Ack) {
        if let Some(entry) = self.by_id.get_mut(&ack.command) {
            keep_newest(&mut entry.command.acks, ack);
        }
    }

    /// Takes in an answer, at once and in place: a group may have a thousand instances that answer together. What that
    /// makes of the command is settled by who puts it back. False: nothing changed.
    pub(crate) fn answered(&mut self, ack: &Ack, at: Timestamp) -> bool {
        self.by_id.get_mut(&ack.command).is_some_and(|entry| acknowledged(&mut entry.command, ack, at))
    }

    /// What had to be kept may be forgotten now.
    pub(crate) fn look_again(&mut self) {
        self.kept = 0;
    }

    pub(crate) fn take_dirty(&mut self) -> bool {
        std::mem::take(&mut self.dirty)
    }

    /// As pages read them.
    pub(crate) fn index(&self) -> OperationIndex {
        let entries = self.order.iter().filter_map(|id| self.by_id.get(id));
        OperationIndex::new(entries.map(|one| Arc::clone(&one.shown)))
    }

    fn commands(&self) -> impl Iterator<Item = &Command> {
        self.by_id.values().map(|one| &one.command)
    }

    pub(crate) fn by_state(&self) -> Vec<(CommandState, usize)> {
        use CommandState::{Confirmed, PartiallyConfirmed, Refused, Requested, Restored, Sent, TimedOut};
        [Requested, Sent, Confirmed, PartiallyConfirmed, TimedOut, Refused, Restored]
            .map(|state| (state, self.commands().filter(|one| one.state == state).count()))
            .to_vec()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use flowdeck_model::{Actor, Submit, Target, Via};

    fn command(number: u128) -> Command {
        let submit = Submit {
            id: CommandId::from_uuid(uuid::Uuid::from_u128(number)),
            action: Action::Pause,
            target: Target::group("g".into()),
            reason: "INC-1".into(),
            ends: None,
            offsets: None,
            by: None,
        };
        Command::new(submit, Actor::anonymous(Via::Api, None).view, Timestamp::from_millis(0))
    }

    #[test]
    fn the_newest_and_those_in_force_are_remembered() {
        let mut book = CommandBook::new(3);
        let first = command(0).id;
        for number in 0..10 {
            book.put(command(number), |one| one.id == first);
        }
        let ids: Vec<u128> = book.ids().iter().map(|id| id.uuid().as_u128()).collect();
        assert_eq!(ids, [0, 8, 9]);
        assert!(book.get(first).is_some() && book.get(command(1).id).is_none());
        let newest: Vec<u128> =
            book.index().of_group(&"g".into()).map(|one| one.id.uuid().as_u128()).collect();
        assert_eq!(newest, [9, 8, 0]);
        // All have to be kept: the oldest goes. Then one of the middle need not be any more.
        let ids = |book: &CommandBook| book.ids().iter().map(|id| id.uuid().as_u128()).collect::<Vec<_>>();
        book.put(command(10), |_| true);
        assert_eq!(ids(&book), [8, 9, 10]);
        book.look_again();
        book.put(command(11), |one| one.id != command(9).id);
        assert_eq!(ids(&book), [8, 10, 11]);
        // The newest is not the one to go, though it alone need not be kept.
        book.put(command(12), |one| one.id != command(12).id);
        assert_eq!(ids(&book), [10, 11, 12]);
        // Those that had to be kept are not asked for again.
        let asked = std::cell::Cell::new(0);
        for number in 13..113 {
            book.put(command(number), |_| {
                asked.set(asked.get() + 1);
                true
            });
        }
        assert!(asked.get() <= 103, "{}", asked.get());
    }
}
