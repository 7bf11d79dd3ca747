//! What a request would do, on what is known now. Nothing is written.

use flowdeck_model::actor::ActorView;
use flowdeck_model::hold::HoldChange;
use flowdeck_model::view::{HoldChangeKind, HoldPreview, MessagePreview, PreviewView};
use flowdeck_model::{Action, Hold, HoldBy, PortError, Scope, Submit, Timestamp};
use flowdeck_protocol::kafkaflow;

use super::state::State;
use crate::commands::kafkaflow::AdminCommand;
use crate::commands::offsets::Lookup;
use crate::commands::plan::{self, Check, Decision, Plan};
use crate::commands::{Command, lifecycle};
use crate::commands::{as_kafkaflow, start_task};
use crate::kinds;

impl State {
    pub(crate) fn preview(
        &mut self,
        submit: &Submit,
        actor: &ActorView,
        now: Timestamp,
    ) -> Result<(PreviewView, Option<Lookup>), PortError> {
        self.answers()?;
        self.holds_are_followed()?;
        self.observed.fresh_telemetry(now);
        let group = &submit.target.group;
        let active = self.observed.holds.of_group(group);
        let undo = kinds::of(submit.action).undo();
        let Plan { changes, mut admin, notes, check, starts, .. } =
            match as_kafkaflow::decide(submit, actor, self.facts(&active, group, now))? {
                Decision::Write(plan) => plan,
                Decision::Existing(id) => {
                    let (holds, messages, offsets, instances, notes) = Default::default();
                    let view = PreviewView {
                        existing: Some(id),
                        by: None,
                        holds,
                        messages,
                        offsets,
                        instances,
                        notes,
                        undo,
                    };
                    return Ok((view, None));
                }
            };
        // As it would be where Kafka lists no member, as it does while they are kept stopped.
        admin.extend(starts.into_iter().flat_map(|starts| start_task::commands(*starts, true)));
        let after = plan::apply(&active, &changes);
        let command = Command::new(submit.clone(), actor.clone(), now);
        let instances = lifecycle::expected(&command, self.seen(group, &after, now));
        let lookup = match check {
            Some(Check::Offsets(lookup)) => Some(lookup),
            Some(Check::NoMembers(_)) | None => None,
        };
        let view = PreviewView {
            existing: None,
            by: (submit.action == Action::Pause).then(|| by(&changes)),
            holds: changes.iter().map(|change| hold(change, &active)).collect(),
            messages: admin.iter().filter_map(|one| self.message(one)).collect(),
            instances: instances.iter().map(|one| one.view()).collect(),
            offsets: vec![],
            notes,
            undo,
        };
        Ok((view, lookup))
    }

    fn message(&self, command: &AdminCommand) -> Option<MessagePreview> {
        let (topic, partition) = self.observed.settings.admin_topics.get(command.pair)?.commands.clone();
        let (message, name, topics) = command.message.parts();
        let topics = topics.to_vec();
        let (message, name) = (message.to_owned(), name.to_owned());
        let argument = argument(&command.message);
        Some(MessagePreview { topic, partition, message, name, topics, argument })
    }
}

fn by(changes: &[HoldChange]) -> HoldBy {
    changes.iter().map(|change| change.hold().by).find(|by| *by == HoldBy::Stop).unwrap_or_default()
}

fn argument(command: &kafkaflow::Command) -> Option<String> {
    match command {
        kafkaflow::Command::ChangeConsumerWorkersCount { workers, .. } => Some(workers.to_string()),
        // Without a zone, as KafkaFlow reads it.
        kafkaflow::Command::RewindConsumerOffsetToDateTime { date_time, .. } => {
            Some(date_time.timestamp().to_string().trim_end_matches('Z').to_owned())
        }
        _ => None,
    }
}

fn hold(change: &HoldChange, active: &[Hold]) -> HoldPreview {
    let (hold, change) = match change {
        HoldChange::Set(hold) => (hold, HoldChangeKind::Set),
        HoldChange::Release(hold) => (hold, HoldChangeKind::Release),
    };
    let before = active.iter().find(|one| one.id == hold.id && one.scope == hold.scope);
    let is_new = |except: &&Scope| before.is_some_and(|before| !before.except.contains(except));
    HoldPreview {
        id: hold.id,
        scope: hold.scope.clone(),
        change,
        owner: hold.owner.clone(),
        reason: hold.reason.clone(),
        except: hold.except.clone(),
        taken_out: hold.except.iter().filter(is_new).cloned().collect(),
    }
}
