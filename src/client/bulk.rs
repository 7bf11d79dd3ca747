//! Bulk operations from a shell: previewed, and then exactly that; stopped, shown, taken back.

use std::time::Duration;

use clap::{Args, Subcommand};
use flowdeck_model::bulk::{BulkAction, BulkState, BulkTarget, STOP_AFTER_DEFAULT};
use flowdeck_model::offsets::TopicScope;
use flowdeck_model::view::{BulkPreview, BulkView};
use flowdeck_model::{ClusterName, CommandId, GroupId};
use serde::Serialize;

use super::api::{Answer, Api};
use super::args::{Operation, Server, scope};
use super::exit::{Exit, Failed};
use super::{cluster, print, show};

/// Some groups that wait for their evidence, one after the other.
const WAIT: Duration = Duration::from_secs(60 * 60);
const EVERY: Duration = Duration::from_millis(500);

#[derive(Debug, Subcommand)]
pub enum Bulk {
    /// Pause many groups.
    Pause(Pause),
    /// Resume many groups.
    Resume(Many),
    /// Set the offsets of many groups.
    Reset(Reset),
    /// Take a bulk operation back, where nobody changed anything since.
    Undo(Undo),
    /// Begin no other group; what is under way ends.
    Stop(One),
    /// Show what became of each group.
    Show(One),
}

/// The groups, and when to stop.
#[derive(Debug, Args)]
pub struct Many {
    #[command(flatten)]
    pub operation: Operation,
    /// No other group is begun once so many failed.
    #[arg(long, default_value_t = STOP_AFTER_DEFAULT)]
    pub stop_after: u32,
    /// The consumer groups.
    #[arg(required = true)]
    pub groups: Vec<GroupId>,
}

#[derive(Debug, Args)]
pub struct Pause {
    #[command(flatten)]
    pub many: Many,
    /// Ends by itself after so long, such as 15m or 2h.
    #[arg(long = "for", value_name = "TIME", value_parser = humantime::parse_duration)]
    pub lasts: Option<Duration>,
}

#[derive(Debug, Args)]
pub struct Reset {
    #[command(flatten)]
    pub many: Many,
    /// `orders`, or some partitions: `orders:0,2`. May be given more than once.
    #[arg(long = "topic", value_name = "TOPIC", value_parser = scope)]
    pub topics: Vec<TopicScope>,
    /// Every topic that each group has committed.
    #[arg(long, conflicts_with = "topics")]
    pub all_topics: bool,
    /// `earliest`, `latest`, a time such as 2026-11-29T08:00:00Z, or a shift such as -10.
    #[arg(long, allow_hyphen_values = true)]
    pub to: String,
    /// Where records are skipped: how many in all, as `--dry-run` says.
    #[arg(long, value_name = "RECORDS")]
    pub skips: Option<u64>,
}

#[derive(Debug, Args)]
pub struct Undo {
    #[command(flatten)]
    pub operation: Operation,
    /// No other group is begun once so many failed.
    #[arg(long, default_value_t = STOP_AFTER_DEFAULT)]
    pub stop_after: u32,
    /// Where records are skipped: how many in all, as `--dry-run` says.
    #[arg(long, value_name = "RECORDS")]
    pub skips: Option<u64>,
    /// Of the bulk operation, as it was printed.
    pub id: CommandId,
}

#[derive(Debug, Args)]
pub struct One {
    #[command(flatten)]
    pub server: Server,
    /// Where the server has more than one.
    #[arg(long)]
    pub cluster: Option<ClusterName>,
    /// Of the bulk operation, as it was printed.
    pub id: CommandId,
}

#[derive(Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct Query<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    action: Option<BulkAction>,
    groups: &'a [GroupId],
    #[serde(skip_serializing_if = "Option::is_none")]
    for_seconds: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    to: Option<&'a str>,
    topics: Vec<String>,
    all_topics: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    undo: Option<CommandId>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Body<'a> {
    id: CommandId,
    action: BulkAction,
    groups: Vec<BulkTarget>,
    stop_after: u32,
    undoes: Option<CommandId>,
    skips: Option<u64>,
    reason: &'a str,
}

pub(super) fn run(args: &Bulk) -> Result<Exit, Failed> {
    match args {
        Bulk::Pause(Pause { many, lasts }) => {
            let for_seconds = lasts.map(|lasts| lasts.as_secs());
            let query = Query {
                action: Some(BulkAction::Pause),
                groups: &many.groups,
                for_seconds,
                ..Query::default()
            };
            submit(&many.operation, &query, many.stop_after, None)
        }
        Bulk::Resume(many) => {
            let query = Query { action: Some(BulkAction::Resume), groups: &many.groups, ..Query::default() };
            submit(&many.operation, &query, many.stop_after, None)
        }
        Bulk::Reset(Reset { many, topics, all_topics, to, skips }) => {
            let query = Query {
                action: Some(BulkAction::SetOffsets),
                groups: &many.groups,
                to: Some(to),
                topics: topics.iter().map(ToString::to_string).collect(),
                all_topics: *all_topics,
                ..Query::default()
            };
            submit(&many.operation, &query, many.stop_after, *skips)
        }
        Bulk::Undo(undo) => {
            let query = Query { undo: Some(undo.id), ..Query::default() };
            submit(&undo.operation, &query, undo.stop_after, undo.skips)
        }
        Bulk::Stop(one) => {
            let (api, path) = of_one(one)?;
            print(&api.post::<BulkView>(&format!("{path}/stop"), &())?, one.server.json, show::bulk)
        }
        Bulk::Show(one) => {
            let (api, path) = of_one(one)?;
            let view: Answer<BulkView> = api.get(&path)?;
            print(&view, one.server.json, show::bulk)?;
            Ok(exit(&view.view))
        }
    }
}

fn of_one(one: &One) -> Result<(Api, String), Failed> {
    let api = Api::new(&one.server)?;
    let path = format!("/clusters/{}/bulks/{}", cluster(&api, one.cluster.as_ref())?, one.id);
    Ok((api, path))
}

fn submit(
    operation: &Operation,
    query: &Query<'_>,
    stop_after: u32,
    skips: Option<u64>,
) -> Result<Exit, Failed> {
    let json = operation.server.json;
    let api = Api::new(&operation.server)?;
    let path = format!("/clusters/{}/bulks", cluster(&api, operation.cluster.as_ref())?);
    let preview: Answer<BulkPreview> = api.post(&format!("{path}/preview"), query)?;
    if operation.dry_run {
        return print(&preview, json, show::bulk_preview);
    }
    let preview = preview.view;
    // A script that names a group means it: none is left out without a word.
    if let Some(plan) = preview.groups.iter().find(|plan| plan.refused.is_some()) {
        let why = plan.refused.as_deref().unwrap_or_default();
        let words = format!(
            "{} of {} groups cannot be done, so nothing was done: {}: {}",
            preview.refused,
            preview.groups.len(),
            plan.group.shown(),
            flowdeck_model::shown::text(why)
        );
        return Err(Failed::new(Exit::NotDone, words));
    }
    if preview.ready == 0 {
        return Err(Failed::new(Exit::NotDone, "nothing would be done"));
    }
    let body = Body {
        id: operation.new_id(),
        action: preview.action,
        groups: preview.targets(),
        stop_after,
        undoes: preview.undoes,
        skips,
        reason: &operation.reason,
    };
    let named = |failed: Failed| failed.of("bulk operation", body.id, "bulk show");
    let submitted: Answer<BulkView> = api.post(&path, &body).map_err(named)?;
    if !operation.wait {
        return print(&submitted, json, |one| {
            format!(
                "{}: {}\nflowdeck bulk show {} tells what came of it.\n",
                one.id,
                one.state.label(),
                one.id
            )
        });
    }
    let view = over(&api, &format!("{path}/{}", submitted.view.id)).map_err(named)?;
    print(&view, json, show::bulk)?;
    Ok(if view.view.state.is_over() { exit(&view.view) } else { Exit::NotDone })
}

fn over(api: &Api, path: &str) -> Result<Answer<BulkView>, Failed> {
    api.get_until(path, (WAIT, EVERY), |view: &BulkView| view.state.is_over())
}

fn exit(view: &BulkView) -> Exit {
    let failed =
        view.counts.failed() > 0 || matches!(view.state, BulkState::Stopped | BulkState::StoppedByFailures);
    match (failed, view.counts.confirmed) {
        (false, _) => Exit::Done,
        (true, 0) => Exit::NotDone,
        (true, _) => Exit::PartiallyConfirmed,
    }
}
