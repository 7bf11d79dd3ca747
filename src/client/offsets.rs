//! Offsets of a group from a shell: previewed, and then exactly that.

use flowdeck_model::view::{OffsetsPreview, OffsetsWay};
use flowdeck_model::{ActionKind, ClusterName, CommandId, GroupId, HoldBy, Target};
use serde::Serialize;

use super::api::{Answer, Api};
use super::args::{DeleteGroup, Guards, Operation, Reset};
use super::exit::{Exit, Failed};
use super::operate::send;
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
    to: &'a str,
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
    set(&args.operation, &query, &args.guards, ActionKind::SetOffsets, args.stop)
}

pub(super) fn delete_group(args: &DeleteGroup) -> Result<Exit, Failed> {
    let query = Query { group: &args.group, to: "none", topics: vec![], all_topics: true, file: None };
    set(&args.operation, &query, &args.guards, ActionKind::DeleteGroup, false)
}

fn set(
    operation: &Operation,
    query: &Query<'_>,
    guards: &Guards,
    action: ActionKind,
    stop: bool,
) -> Result<Exit, Failed> {
    let api = Api::new(&operation.server)?;
    let cluster: ClusterName = cluster(&api, operation.cluster.as_ref())?;
    let preview: Answer<OffsetsPreview> = api.post(&format!("/clusters/{cluster}/offsets/preview"), query)?;
    if operation.dry_run {
        return print(&preview, operation.server.json, show::offsets);
    }
    let preview = preview.view;
    if let Some(why) = &preview.refused {
        return Err(Failed::new(Exit::NotDone, flowdeck_model::shown::text(why)));
    }
    let is_stopped = preview.way == OffsetsWay::StopAndStart;
    if is_stopped && !stop {
        let words =
            "KafkaFlow consumers run in the group: --stop stops them, sets the offsets and starts them";
        return Err(Failed::new(Exit::NotDone, words));
    }
    let Some(moves) = &preview.moves else {
        return Err(Failed::new(Exit::NotDone, "no offset would be changed"));
    };
    let body = Body {
        id: CommandId::random(),
        action,
        target: Target::group(query.group.clone()),
        reason: &operation.reason,
        to: &preview.to,
        offsets: moves.to_string(),
        skips: guards.skips,
        confirm: guards.confirm.as_deref(),
        by: is_stopped.then_some(HoldBy::Stop),
    };
    send(&api, &cluster, operation, &body)
}
