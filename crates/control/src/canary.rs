//! Canary resume: a part of what is paused first, then the rest or back, each a command of its own (`model::canary`). Nothing
//! of it is kept beside these commands: they are in the audit, and their ids follow from the first one's.

use std::sync::Arc;

use async_trait::async_trait;
use flowdeck_model::canary::{self, CanaryOrder, CanaryState};
use flowdeck_model::error::ResourceKind;
use flowdeck_model::view::{CanaryPartition, CanaryView, CommandView, PreviewView};
use flowdeck_model::{
    Action, ActionKind, Canaries, ClusterName, CommandId, Control as _, Fleet as _, Hold, PauseEnd,
    PortError, Submit, SubmitCanary, Target, shown,
};
use flowdeck_observe::core::Core;
use flowdeck_observe::ports::{BoundFleet, cluster_of};

use crate::kept::in_doubt;
use crate::port::BoundControl;

/// In a view.
const PARTITIONS: usize = 100;

pub(crate) struct BoundCanaries {
    core: Arc<Core>,
    control: BoundControl,
}

impl BoundCanaries {
    pub(crate) fn new(core: Arc<Core>, control: BoundControl) -> Self {
        Self { core, control }
    }

    /// Those of the part's group that are in force.
    fn holds(&self, cluster: &ClusterName, part: &Target) -> Result<Vec<Hold>, PortError> {
        let snapshot = self.core.publisher.current();
        let (one, _) = cluster_of(&self.core, &snapshot, cluster)?;
        Ok(one.holds.group(&part.group).to_vec())
    }

    /// The part is less than what its pauses hold, or there would be no rest.
    fn check_part(&self, cluster: &ClusterName, part: &Target) -> Result<(), PortError> {
        if part.consumer.is_none() && part.topics.is_empty() {
            let problem = "name a part: partitions of a topic, topics, or a consumer";
            return Err(PortError::invalid("target", problem));
        }
        let holds = self.holds(cluster, part)?;
        let is_part = |scope| holds.iter().any(|hold| canary::is_broader(hold, scope));
        match part.scopes().iter().all(is_part) {
            true => Ok(()),
            false => {
                let detail = format!(
                    "{part} is no part of what a pause holds: it runs, or the pause is of just that, or of less. Resume it \
                     directly"
                );
                Err(PortError::Unprocessable { detail })
            }
        }
    }

    /// The first command, where it is the resume of a part.
    async fn first(&self, cluster: &ClusterName, id: CommandId) -> Result<CommandView, PortError> {
        let first = self.control.find_command(cluster, id).await?;
        let part = &first.target;
        let is_of_part = part.consumer.is_some() || !part.topics.is_empty();
        if first.action.kind() == ActionKind::Resume && is_of_part {
            return Ok(first);
        }
        let hint = "it is not the resume of a part of a group";
        Err(PortError::not_found_because(ResourceKind::Command, id.to_string(), hint))
    }

    /// `None`: it was not ordered.
    async fn step(&self, cluster: &ClusterName, id: CommandId) -> Result<Option<CommandView>, PortError> {
        ordered(self.control.find_command(cluster, id).await)
    }

    /// An order to go on. It came after the first command: where that is remembered so is the order, and the audit, which
    /// may be long or out of reach, has no other.
    async fn later_step(
        &self,
        cluster: &ClusterName,
        first: CommandId,
        order: CanaryOrder,
    ) -> Result<Option<CommandView>, PortError> {
        let id = order.id(first);
        match self.control.remembers(cluster, first)? {
            true => ordered(self.control.command(cluster, id)),
            false => self.step(cluster, id).await,
        }
    }

    async fn view(&self, cluster: &ClusterName, id: CommandId) -> Result<CanaryView, PortError> {
        let first = self.first(cluster, id).await?;
        let rest = self.later_step(cluster, id, CanaryOrder::Rest).await?;
        let back = self.later_step(cluster, id, CanaryOrder::Back).await?;
        let state_of = |step: &Option<CommandView>| step.as_ref().map(|step| step.state);
        let state = CanaryState::of(first.state, state_of(&rest), state_of(&back));
        let fleet = BoundFleet::new(Arc::clone(&self.core), self.control.actor.clone());
        let group = fleet.group(cluster, &first.target.group);
        let rows = group.map(|view| view.partitions).unwrap_or_default();
        let of_part = rows.into_iter().filter(|row| first.target.reaches(&row.topic, row.partition));
        let partitions = of_part.take(PARTITIONS).map(|row| CanaryPartition {
            topic: row.topic,
            partition: row.partition,
            committed: row.committed,
            lag: row.lag,
            last_commit: row.last_commit,
            paused: !row.holds.is_empty(),
        });
        let holds = self.holds(cluster, &first.target)?;
        let words = |hold: &&Hold| {
            format!("{}, paused by {}", Target::of(hold.scope.clone()), shown::name(&hold.owner))
        };
        let holds = canary::cut(&holds, &first.target).iter().map(words).collect();
        let partitions = partitions.collect();
        let orders = canary::orders(first.state, state_of(&rest), state_of(&back));
        Ok(CanaryView { state, orders, first, rest, back, partitions, holds })
    }

    /// Of which `step` was taken: whoever asked is not told that nothing was done.
    async fn of_taken(
        &self,
        cluster: &ClusterName,
        id: CommandId,
        step: CommandId,
    ) -> Result<CanaryView, PortError> {
        let view = self.view(cluster, id).await;
        view.map_err(|error| {
            in_doubt(cluster, step, format!("it is written, and was not read again: {error}"))
        })
    }

    /// The command of an order.
    fn command(
        &self,
        cluster: &ClusterName,
        view: &CanaryView,
        order: CanaryOrder,
        reason: &str,
    ) -> Result<Submit, PortError> {
        if !view.orders.contains(&order) {
            let detail = format!("it takes no such order: {}", view.state.label());
            return Err(PortError::Conflict { detail });
        }
        let part = &view.first.target;
        let holds = self.holds(cluster, part)?;
        let cut = canary::cut(&holds, part);
        let target = match order {
            CanaryOrder::Rest => rest(&holds, part)?,
            CanaryOrder::Back => part.clone(),
        };
        let action = match order {
            CanaryOrder::Rest => Action::Resume,
            CanaryOrder::Back => Action::Pause,
        };
        let end = canary::end(&cut).map(PauseEnd::At).filter(|_| order == CanaryOrder::Back);
        let reason = if reason.is_empty() { &view.first.reason } else { reason };
        Ok(Submit {
            id: order.id(view.first.id),
            action,
            target,
            reason: reason.to_owned(),
            ends: end,
            offsets: None,
            by: None,
        })
    }
}

/// What the pauses hold that the part was cut out of. A command cannot name them: it would resume all that lies there, so
/// nothing else may be paused there.
fn rest(holds: &[Hold], part: &Target) -> Result<Target, PortError> {
    let gone = || PortError::Conflict {
        detail: "nothing is paused any more beside the part: the pause that it was cut out of is over"
            .to_owned(),
    };
    let rest = canary::rest(&canary::cut(holds, part), part).ok_or_else(gone)?;
    match canary::not_cut(holds, part, &rest) {
        None => Ok(rest),
        Some(other) => {
            let detail = format!(
                "a pause by {} ({}) is in force too, and a resume of {rest} would end it there: release that one first, or \
                 resume the others on the group's page",
                shown::name(&other.owner),
                Target::of(other.scope.clone())
            );
            Err(PortError::Conflict { detail })
        }
    }
}

fn ordered(found: Result<CommandView, PortError>) -> Result<Option<CommandView>, PortError> {
    match found {
        Ok(view) => Ok(Some(view)),
        Err(PortError::NotFound { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

fn resume(canary: SubmitCanary) -> Submit {
    let SubmitCanary { id, target, reason } = canary;
    Submit { id, action: Action::Resume, target, reason, ends: None, offsets: None, by: None }
}

#[async_trait]
impl Canaries for BoundCanaries {
    async fn preview(&self, cluster: &ClusterName, part: Target) -> Result<PreviewView, PortError> {
        // Who may not see the group is told that by the command, not by its holds.
        let id = CommandId::random();
        let canary = SubmitCanary { id, target: part.clone(), reason: String::new() };
        let preview = self.control.preview(cluster, resume(canary)).await?;
        self.check_part(cluster, &part)?;
        Ok(preview)
    }

    async fn submit(&self, cluster: &ClusterName, canary: SubmitCanary) -> Result<CanaryView, PortError> {
        let (id, part) = (canary.id, canary.target.clone());
        let command = resume(canary);
        // The same once more: its holds are cut already.
        let is_known = self.step(cluster, id).await?.is_some();
        if !is_known {
            self.control.preview(cluster, command.clone()).await?;
            self.check_part(cluster, &part)?;
        }
        let submitted = self.control.submit(cluster, command).await?;
        self.of_taken(cluster, submitted.id, submitted.id).await
    }

    async fn preview_order(
        &self,
        cluster: &ClusterName,
        id: CommandId,
        order: CanaryOrder,
    ) -> Result<PreviewView, PortError> {
        let view = self.view(cluster, id).await?;
        let reason = if view.first.reason.is_empty() { "preview" } else { "" };
        let command = self.command(cluster, &view, order, reason)?;
        self.control.preview(cluster, command).await
    }

    async fn order(
        &self,
        cluster: &ClusterName,
        id: CommandId,
        order: CanaryOrder,
        reason: String,
    ) -> Result<CanaryView, PortError> {
        let view = self.view(cluster, id).await?;
        let step = match order {
            CanaryOrder::Rest => &view.rest,
            CanaryOrder::Back => &view.back,
        };
        // The same order once more. One that was refused keeps its id, and its outcome.
        if step.is_none() {
            let command = self.command(cluster, &view, order, &reason)?;
            let submitted = self.control.submit(cluster, command).await?;
            return self.of_taken(cluster, id, submitted.id).await;
        }
        Ok(view)
    }

    async fn canary(&self, cluster: &ClusterName, id: CommandId) -> Result<CanaryView, PortError> {
        self.view(cluster, id).await
    }
}

#[cfg(test)]
mod tests {
    use flowdeck_model::{HoldBy, HoldId, Scope, Timestamp};

    use super::*;

    fn hold(owner: &str, topic: Option<&str>, except: Vec<Scope>) -> Hold {
        Hold {
            scope: Scope {
                topic: topic.map(|topic| topic.parse().unwrap()),
                ..Scope::group("payments".into())
            },
            id: HoldId::from(CommandId::random()),
            owner: owner.to_owned(),
            reason: "INC-1".to_owned(),
            since: Timestamp::from_millis(0),
            until: None,
            by: HoldBy::Pause,
            except,
        }
    }

    fn part() -> Target {
        Target {
            topics: vec!["orders".parse().unwrap()],
            partitions: vec![flowdeck_model::Partition::new(0).unwrap()],
            ..Target::group("payments".into())
        }
    }

    #[test]
    fn rest_is_refused_where_it_would_end_a_pause_that_was_not_cut() {
        let cut = || vec![hold("bob", None, part().scopes()), hold("bob", Some("orders"), part().scopes())];
        assert_eq!(rest(&cut(), &part()), Ok(Target::group("payments".into())));
        let mut holds = cut();
        holds.push(hold("ana\u{202e}", Some("refunds"), vec![]));
        let Err(PortError::Conflict { detail }) = rest(&holds, &part()) else { panic!("it is not refused") };
        for words in ["ana‹U+202E›", "topic refunds in payments", "release that one first"] {
            assert!(detail.contains(words), "{words}: {detail}");
        }
        // Where the rest is a topic alone, the pause of another one is not touched.
        holds.remove(0);
        let orders = Target { partitions: vec![], ..part() };
        assert_eq!(rest(&holds, &part()), Ok(orders));
        assert!(matches!(rest(&[], &part()), Err(PortError::Conflict { .. })));
    }
}
