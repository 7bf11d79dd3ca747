//! What setting a group's offsets would do, asked of Kafka now.

use std::time::Duration;

use flowdeck_kafka::{Cluster, Deadline, Member};
use flowdeck_model::offsets::{MovesError, OffsetMove, OffsetMoves, OffsetTo, OffsetsQuery};
use flowdeck_model::view::{HistoryView, OffsetPlan, OffsetsPreview, OffsetsWay};
use flowdeck_model::{ClusterName, GroupId, PortError};
use flowdeck_observe::telemetry::TelemetryIndex;

use super::read::Reader;
use super::way::{Way, way};
use super::{catch_up, command_line, records};
use crate::commands::by_stop;

/// A preview waits so long for Kafka at most.
const LOOK_UP: Duration = Duration::from_secs(5);
/// Partitions that are shown.
const SHOWN: usize = 1_000;

pub(crate) struct Previewer<'a> {
    pub(crate) cluster: &'a Cluster,
    pub(crate) name: &'a ClusterName,
    /// Of the last day.
    pub(crate) history: Option<HistoryView>,
    /// Of the operation that is taken back, what it changed.
    pub(crate) undone: Option<OffsetMoves>,
    pub(crate) telemetry: &'a TelemetryIndex,
    /// The configuration asks for the group's name.
    pub(crate) protected: bool,
    /// With the first and last record that is replayed or skipped.
    pub(crate) records: bool,
}

impl Previewer<'_> {
    pub(crate) async fn preview(&self, query: &OffsetsQuery) -> Result<OffsetsPreview, PortError> {
        let deadline = Deadline::after(LOOK_UP);
        let reader =
            Reader { cluster: self.cluster, name: self.name, undone: self.undone.as_ref(), deadline };
        let (members, plans) = tokio::join!(self.members(&query.group, deadline), reader.plans(query));
        let (members, mut plans) = (members?, plans?);
        if self.records {
            records::add(self.cluster, &mut plans).await;
        }
        let moves = match moves(&plans) {
            Ok(moves) => Some(moves),
            Err(MovesError::Nothing) => None,
            Err(error) => return Err(PortError::Unprocessable { detail: error.to_string() }),
        };
        let way = way(&query.group, &members, self.telemetry, moves.as_ref());
        Ok(self.view(query, way, plans, moves))
    }

    async fn members(&self, group: &GroupId, deadline: Deadline) -> Result<Vec<Member>, PortError> {
        let told = self.cluster.describe_groups(std::slice::from_ref(group), 1, deadline).await;
        match told.into_iter().next().map(|(_, told)| told) {
            Some(Ok(told)) => Ok(told.members),
            Some(Err(cause)) => Err(self.unavailable(format!("the members of the group: {cause}"))),
            None => Err(self.unavailable("Kafka did not tell the members of the group".to_owned())),
        }
    }

    fn unavailable(&self, detail: String) -> PortError {
        PortError::Unavailable { cluster: self.name.clone(), detail }
    }

    fn view(
        &self,
        query: &OffsetsQuery,
        way: Result<Way, String>,
        mut plans: Vec<OffsetPlan>,
        moves: Option<OffsetMoves>,
    ) -> OffsetsPreview {
        let count = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
        let behind =
            |plan: &&OffsetPlan| matches!((plan.from, plan.start), (Some(from), Some(start)) if from < start);
        let deleted = count(plans.iter().filter(behind).count());
        let catch_up = catch_up::catch_up(&plans, self.history.as_ref());
        let command = command_line::line(query, &plans);
        let more = count(plans.len().saturating_sub(SHOWN));
        let mut notes = notes(query, moves.as_ref(), &plans);
        if let (Ok(Way::StopAndStart(consumers)), Some(_)) = (&way, &moves) {
            notes.push(by_stop::described(consumers));
        }
        plans.truncate(SHOWN);
        OffsetsPreview {
            group: query.group.clone(),
            to: query.to.to_string(),
            way: way.as_ref().map_or(OffsetsWay::None, Way::view),
            refused: way.err(),
            changed: count(moves.as_ref().map_or(0, OffsetMoves::len)),
            replayed: moves.as_ref().map_or(0, OffsetMoves::replayed),
            skipped: moves.as_ref().map_or(0, OffsetMoves::skipped),
            deleted,
            confirm: self.protected || moves.as_ref().is_some_and(OffsetMoves::deletes),
            moves,
            partitions: plans,
            more,
            catch_up,
            command,
            notes,
        }
    }
}

fn moves(plans: &[OffsetPlan]) -> Result<OffsetMoves, MovesError> {
    let changed = plans.iter().filter(|plan| plan.from != plan.to);
    OffsetMoves::new(
        changed
            .map(|plan| OffsetMove {
                topic: plan.topic.clone(),
                partition: plan.partition,
                from: plan.from,
                to: plan.to,
            })
            .collect(),
    )
}

const UNCOMMITTED: &str = "Some partitions have no commit: where reading would have begun is set in the consumer \
    (auto.offset.reset), so what is replayed or skipped there is not counted.";
const DELETED: &str = "Where a commit is deleted, the consumer begins by its own auto.offset.reset.";
const METADATA: &str = "Metadata that an application kept with its commits is not kept.";
const NOT_BACK: &str = "Offsets are put back; what was handled in between stays handled.";
const CLIPPED: &str = "Some offsets are not in the log any more: those partitions go to its start, and cannot be put \
    back to where they were.";

fn notes(query: &OffsetsQuery, moves: Option<&OffsetMoves>, plans: &[OffsetPlan]) -> Vec<String> {
    let Some(moves) = moves else {
        return vec!["No offset would be changed.".to_owned()];
    };
    let mut notes = Vec::new();
    let mut note = |applies: bool, text: &str| {
        if applies {
            notes.push(text.to_owned());
        }
    };
    note(moves.iter().any(|one| one.from.is_none()), UNCOMMITTED);
    note(moves.deletes(), DELETED);
    let undo = matches!(query.to, OffsetTo::Undo(_));
    note(undo, NOT_BACK);
    let clipped =
        |plan: &OffsetPlan| plan.note.as_deref().is_some_and(|note| note.contains("not in the log"));
    note(undo && plans.iter().any(clipped), CLIPPED);
    note(moves.iter().any(|one| one.from.is_some()), METADATA);
    notes
}
