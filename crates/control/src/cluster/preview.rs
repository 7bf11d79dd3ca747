//! What a request would do, on what is known now. Nothing is written.

use flowdeck_model::actor::ActorView;
use flowdeck_model::hold::HoldChange;
use flowdeck_model::view::{HoldChangeKind, HoldPreview, MessagePreview, PreviewView};
use flowdeck_model::{PortError, Submit, Timestamp};

use super::state::State;
use crate::commands::kafkaflow::AdminCommand;
use crate::commands::plan::{self, Decision, Plan};
use crate::commands::{Command, lifecycle};
use crate::kinds;

impl State {
    pub(crate) fn preview(
        &mut self,
        submit: &Submit,
        actor: &ActorView,
        now: Timestamp,
    ) -> Result<PreviewView, PortError> {
        self.answers()?;
        self.holds_are_followed()?;
        self.observed.fresh_telemetry(now);
        let group = &submit.target.group;
        let active = self.observed.holds.of_group(group);
        let undo = kinds::of(submit.action).undo();
        let Plan { changes, admin, notes } =
            match plan::decide(submit, &actor.name, &self.facts(&active, group, now))? {
                Decision::Write(plan) => plan,
                Decision::Existing(id) => {
                    let (holds, messages, instances, notes) = Default::default();
                    return Ok(PreviewView { existing: Some(id), holds, messages, instances, notes, undo });
                }
            };
        let after = plan::apply(&active, &changes);
        let command = Command::new(submit.clone(), actor.clone(), now);
        let instances = lifecycle::expected(&command, self.seen(group, &after, now));
        Ok(PreviewView {
            existing: None,
            holds: changes.iter().map(hold).collect(),
            messages: admin.iter().filter_map(|one| self.message(one)).collect(),
            instances: instances.iter().map(|one| one.view()).collect(),
            notes,
            undo,
        })
    }

    fn message(&self, command: &AdminCommand) -> Option<MessagePreview> {
        let (topic, partition) = self.observed.settings.admin_topics.get(command.pair)?.commands.clone();
        let (message, name, topics) = command.message.parts();
        let topics = topics.to_vec();
        Some(MessagePreview { topic, partition, message: message.to_owned(), name: name.to_owned(), topics })
    }
}

fn hold(change: &HoldChange) -> HoldPreview {
    let (hold, change) = match change {
        HoldChange::Set(hold) => (hold, HoldChangeKind::Set),
        HoldChange::Release(hold) => (hold, HoldChangeKind::Release),
    };
    HoldPreview { id: hold.id, scope: hold.scope.clone(), change, except: hold.except.clone() }
}
