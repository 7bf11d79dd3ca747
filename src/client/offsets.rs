//! Offsets of a group from a shell: previewed, and then exactly that.

use flowdeck_model::view::{OffsetsPreview, OffsetsWay};
use flowdeck_model::{ActionKind, ClusterName, CommandId, GroupId, HoldBy, Target};
use serde::Serialize;

use super::api::{Answer, Api};
use super::args::{DeleteGroup, Guards, Operation, Reset};
use super::exit::{Exit, Failed};
use super::operate::{named, send};
use super::{cluster, print, show};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Query<'a> {
    group: &'a GroupId,
    to: &'a str,
    topics: Vec<String>,
    all_topics: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Body<'a> {
    id: CommandId,
    action: ActionKind,
    target: Target,
    reason: &'a str,
    to: String,
    offsets: String,
    skips: Option<u64>,
    confirm: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    by: Option<HoldBy>,
}

pub(super) fn reset(args: &Reset) -> Result<Exit, Failed> {
    let file = args.from_file.as_deref().map(|path| {
        let text = std::fs::read_to_string(path);
        text.map_err(|error| Failed::new(Exit::Usage, format!("--from-file {}: {error}", path.display())))
    });
    let query = Query {
        group: &args.group,
        to: args.to.as_deref().unwrap_or("file"),
        topics: args.topics.iter().map(ToString::to_string).collect(),
        all_topics: args.all_topics,
        file: file.transpose()?,
    };
    let (operation, guards) = (&args.operation, &args.guards);
    set(&Wanted { operation, guards, action: ActionKind::SetOffsets, stop: args.stop }, &query)
}

pub(super) fn delete_group(args: &DeleteGroup) -> Result<Exit, Failed> {
    let query = Query { group: &args.group, to: "none", topics: vec![], all_topics: true, file: None };
    let (operation, guards) = (&args.operation, &args.guards);
    set(&Wanted { operation, guards, action: ActionKind::DeleteGroup, stop: false }, &query)
}

/// What is asked for, beside the target and its partitions.
struct Wanted<'a> {
    operation: &'a Operation,
    guards: &'a Guards,
    action: ActionKind,
    stop: bool,
}

fn set(wanted: &Wanted<'_>, query: &Query<'_>) -> Result<Exit, Failed> {
    let operation = wanted.operation;
    let api = Api::new(&operation.server)?;
    let cluster: ClusterName = cluster(&api, operation.cluster.as_ref())?;
    let preview: Result<Answer<OffsetsPreview>, Failed> =
        api.post(&format!("/clusters/{cluster}/offsets/preview"), query);
    if operation.dry_run {
        return print(&preview?, operation.server.json, show::offsets);
    }
    let id = operation.new_id();
    let body = preview.and_then(|preview| wanted.body(id, query, preview.view));
    let body = match operation.own_id {
        // A call before may have done it: then nothing is left to do.
        Some(id) => body.map_err(|failed| named(failed, id))?,
        None => body?,
    };
    send(&api, &cluster, operation, id, &body)
}

impl<'a> Wanted<'a> {
    fn body(&self, id: CommandId, query: &Query<'_>, preview: OffsetsPreview) -> Result<Body<'a>, Failed> {
        if let Some(why) = &preview.refused {
            return Err(Failed::new(Exit::NotDone, flowdeck_model::shown::text(why)));
        }
        let is_stopped = preview.way == OffsetsWay::StopAndStart;
        if is_stopped && !self.stop {
            let words =
                "KafkaFlow consumers run in the group: --stop stops them, sets the offsets and starts them";
            return Err(Failed::new(Exit::NotDone, words));
        }
        let Some(moves) = &preview.moves else {
            return Err(Failed::new(Exit::NotDone, "no offset would be changed"));
        };
        Ok(Body {
            id,
            action: self.action,
            target: Target::group(query.group.clone()),
            reason: &self.operation.reason,
            offsets: moves.to_string(),
            to: preview.to,
            skips: self.guards.skips,
            confirm: self.guards.confirm.as_deref(),
            by: is_stopped.then_some(HoldBy::Stop),
        })
    }
}
