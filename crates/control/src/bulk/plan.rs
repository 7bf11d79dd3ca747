//! What a bulk operation would do with each group. Nothing is written.

use std::sync::Arc;
use std::time::Duration;

use flowdeck_model::bulk::{BulkAction, BulkTarget};
use flowdeck_model::offsets::{OffsetScope, OffsetTo, OffsetsQuery};
use flowdeck_model::view::{BulkPlan, OffsetsPreview, OffsetsWay, PreviewView};
use flowdeck_model::{
    ClusterName, CommandId, Control as _, GroupId, HoldBy, InstanceState, PauseEnd, PortError, Submit, Target,
};
use flowdeck_observe::clock;
use flowdeck_observe::snapshot::ClusterSnapshot;
use futures::StreamExt as _;
use tokio::time::Instant;

use super::changed;
use crate::port::BoundControl;

/// Groups that are looked at at once, and the time for all of them.
const AT_ONCE: usize = 8;
const LOOK: Duration = Duration::from_secs(15);

/// What is asked for one group.
pub(super) struct Wanted {
    pub(super) group: GroupId,
    pub(super) what: What,
}

pub(super) enum What {
    Pause {
        for_seconds: Option<u32>,
        /// `None`: as the group's own pause would be kept.
        by: Option<HoldBy>,
    },
    Resume,
    Offsets {
        to: OffsetTo,
        scope: OffsetScope,
    },
    /// Known without asking.
    Nothing(String),
    Refused(String),
}

pub(super) struct Planner<'a> {
    pub(super) control: &'a BoundControl,
    pub(super) cluster: &'a ClusterName,
    pub(super) snapshot: Arc<ClusterSnapshot>,
}

impl Planner<'_> {
    /// In the order of the groups. Fails where no group could be done.
    pub(super) async fn plans(&self, wanted: Vec<Wanted>) -> Result<Vec<BulkPlan>, PortError> {
        let until = Instant::now() + LOOK;
        let plans = futures::stream::iter(wanted).map(|one| async move {
            let group = one.group.clone();
            match tokio::time::timeout_at(until, self.plan(one)).await {
                Ok(plan) => plan,
                Err(_) => Ok(refused(group, "there was no time to look at it: select fewer groups")),
            }
        });
        plans.buffered(AT_ONCE).collect::<Vec<_>>().await.into_iter().collect()
    }

    async fn plan(&self, wanted: Wanted) -> Result<BulkPlan, PortError> {
        let Wanted { group, what } = wanted;
        let planned = match what {
            What::Nothing(plan) => return Ok(nothing(group, plan)),
            What::Refused(why) => return Ok(refused(group, why)),
            What::Pause { for_seconds, by } => self.hold(&group, BulkAction::Pause, for_seconds, by).await,
            What::Resume => self.hold(&group, BulkAction::Resume, None, None).await,
            What::Offsets { to, scope } => self.offsets(&group, to, scope).await,
        };
        match planned {
            // Of the cluster, and not of the group.
            Err(
                error @ (PortError::ObserveMode { .. }
                | PortError::NotFound { what: flowdeck_model::error::ResourceKind::Cluster, .. }),
            ) => Err(error),
            Err(error) => Ok(refused(group, error.to_string())),
            Ok(plan) => Ok(plan),
        }
    }

    fn target(&self, group: &GroupId) -> BulkTarget {
        let seen = changed::newest(&self.snapshot.operations, group);
        BulkTarget { seen, ..BulkTarget::new(group.clone()) }
    }

    async fn hold(
        &self,
        group: &GroupId,
        action: BulkAction,
        for_seconds: Option<u32>,
        by: Option<HoldBy>,
    ) -> Result<BulkPlan, PortError> {
        let submit = Submit {
            id: CommandId::random(),
            action: action.action(),
            target: Target::group(group.clone()),
            reason: "preview".to_owned(),
            ends: for_seconds.map(PauseEnd::After),
            offsets: None,
            by,
        };
        let view = self.control.preview(self.cluster, submit).await?;
        if let Some(id) = view.existing {
            let plan = format!("in force already, by operation {id}");
            return Ok(BulkPlan { existing: Some(id), ..nothing(group.clone(), plan) });
        }
        let silent = || changed::nobody_listens(&self.snapshot, group, clock::now());
        if let Some(why) = (action == BulkAction::Pause).then(silent).flatten() {
            return Ok(refused(group.clone(), why));
        }
        let target = BulkTarget { for_seconds, by, ..self.target(group) };
        let plan = words(action, &view);
        Ok(BulkPlan { target: Some(target), notes: view.notes, ..nothing(group.clone(), plan) })
    }

    async fn offsets(
        &self,
        group: &GroupId,
        to: OffsetTo,
        scope: OffsetScope,
    ) -> Result<BulkPlan, PortError> {
        let query = OffsetsQuery { group: group.clone(), to, scope };
        let preview = self.control.preview_offsets(self.cluster, &query, false).await?;
        let no = |why: &str| Ok(refused(group.clone(), why));
        if let Some(why) = &preview.refused {
            return no(why);
        }
        let Some(moves) = preview.moves.clone() else {
            return Ok(nothing(group.clone(), "no offset would be changed".to_owned()));
        };
        if preview.confirm {
            return no("its name has to be typed: set its offsets on its own page");
        }
        if preview.way == OffsetsWay::StopAndStart {
            return no("its consumers would be stopped and started: set its offsets on its own page");
        }
        let to = Some(preview.to.clone());
        let target = BulkTarget { to, offsets: Some(moves), ..self.target(group) };
        let plan = offset_words(&preview);
        Ok(BulkPlan { target: Some(target), notes: preview.notes, ..nothing(group.clone(), plan) })
    }
}

fn nothing(group: GroupId, plan: String) -> BulkPlan {
    BulkPlan { group, target: None, existing: None, refused: None, plan, notes: vec![] }
}

fn refused(group: GroupId, why: impl Into<String>) -> BulkPlan {
    BulkPlan { refused: Some(why.into()), ..nothing(group, String::new()) }
}

fn count(n: usize, one: &str) -> String {
    if n == 1 { format!("1 {one}") } else { format!("{n} {one}s") }
}

fn words(action: BulkAction, view: &PreviewView) -> String {
    let cannot = view.instances.iter().filter(|one| one.state == InstanceState::NotControllable).count();
    let can = count(view.instances.len() - cannot, "instance");
    let mut words = match action {
        BulkAction::Pause if view.by == Some(HoldBy::Stop) => {
            format!("pauses {can}, by stopping KafkaFlow consumers")
        }
        BulkAction::Pause => format!("pauses {can}"),
        _ if view.holds.is_empty() => format!("resumes {can}; no pause is in force"),
        _ => format!("releases {}, resumes {can}", count(view.holds.len(), "pause")),
    };
    if cannot > 0 {
        words.push_str(&format!("; {} cannot be controlled", count(cannot, "member")));
    }
    words
}

fn offset_words(preview: &OffsetsPreview) -> String {
    let way = match preview.way {
        OffsetsWay::Agents => ", by its agents",
        _ => "",
    };
    let partitions = usize::try_from(preview.changed).unwrap_or(usize::MAX);
    format!(
        "moves {} to {}{way}: {} offsets replayed, {} skipped",
        count(partitions, "partition"),
        preview.to,
        preview.replayed,
        preview.skipped
    )
}
