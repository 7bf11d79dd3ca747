//! Operations from a shell: submitted, or shown as they would be; followed where somebody waits.

use std::time::Duration;

use flowdeck_model::action::{Action, ActionFields};
use flowdeck_model::offsets::OffsetTo;
use flowdeck_model::view::{CommandView, PreviewView, Submitted};
use flowdeck_model::{ClusterName, CommandId, ConsumerName, HoldBy, Target, Timestamp};
use serde::Serialize;

use super::api::{Answer, Api};
use super::args::{OneConsumer, Operate, Operation, Part, Reset};
use super::exit::{Exit, Failed};
use super::{cluster, command_path, offsets, print, show};

/// Longer than any operation waits for its evidence.
const WAIT: Duration = Duration::from_secs(5 * 60);
const EVERY: Duration = Duration::from_millis(300);

/// A request's body, as the API takes it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Body {
    id: CommandId,
    #[serde(flatten)]
    action: ActionFields,
    target: Target,
    reason: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    for_seconds: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    until: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    by: Option<HoldBy>,
}

struct Wanted<'a> {
    operation: &'a Operation,
    action: Action,
    target: Target,
    lasts: Option<Duration>,
    until: Option<Timestamp>,
    by: Option<HoldBy>,
}

impl<'a> Wanted<'a> {
    fn part(action: Action, part: &'a Part) -> Self {
        let Part { operation, group, consumer, topics, partitions } = part;
        let target = Target {
            group: group.clone(),
            consumer: consumer.clone(),
            topics: topics.clone(),
            partitions: partitions.clone(),
        };
        Self { operation, action, target, lasts: None, until: None, by: None }
    }

    fn consumer(action: Action, one: &'a OneConsumer) -> Self {
        let target = Target { consumer: Some(one.consumer.clone()), ..Target::group(one.group.clone()) };
        Self { operation: &one.operation, action, target, lasts: None, until: None, by: None }
    }
}

pub(super) fn run(args: &Operate) -> Result<Exit, Failed> {
    submit(&match args {
        Operate::Pause(args) => {
            let pause = Wanted::part(Action::Pause, &args.target);
            Wanted { lasts: args.lasts, until: args.until, by: args.by, ..pause }
        }
        Operate::Resume(args) => Wanted::part(Action::Resume, &args.target),
        Operate::Stop(one) => Wanted::consumer(Action::Stop, one),
        Operate::Start(one) => Wanted::consumer(Action::Start, one),
        Operate::Restart(one) => Wanted::consumer(Action::Restart, one),
        Operate::Workers(args) => {
            Wanted::consumer(Action::ChangeWorkers { workers: args.workers }, &args.target)
        }
        Operate::Reset(args) => match &args.consumer {
            Some(consumer) => by_consumer(args, consumer)?,
            None => return offsets::reset(args),
        },
        Operate::DeleteGroup(args) => return offsets::delete_group(args),
    })
}

/// By the consumer itself.
fn by_consumer<'a>(args: &'a Reset, consumer: &ConsumerName) -> Result<Wanted<'a>, Failed> {
    let usage = |words: &str| Failed::new(Exit::Usage, words);
    let action = match args.to.as_deref().map(str::parse) {
        Some(Ok(OffsetTo::Earliest)) => Action::Reset,
        Some(Ok(OffsetTo::Time(to))) => Action::Rewind { to },
        _ => {
            return Err(usage(
                "--to: for a consumer that runs, earliest or a time such as 2026-11-29T08:00:00Z",
            ));
        }
    };
    if args.topics.iter().any(|one| !one.partitions.is_empty()) {
        return Err(usage("--topic: for a consumer that runs, whole topics"));
    }
    let topics = args.topics.iter().map(|one| one.topic.clone()).collect();
    let target = Target { consumer: Some(consumer.clone()), topics, ..Target::group(args.group.clone()) };
    Ok(Wanted { operation: &args.operation, action, target, lasts: None, until: None, by: None })
}

fn submit(wanted: &Wanted<'_>) -> Result<Exit, Failed> {
    let Operation { server, cluster: named, reason, dry_run, .. } = wanted.operation;
    let api = Api::new(server)?;
    let cluster = cluster(&api, named.as_ref())?;
    let body = Body {
        id: wanted.operation.new_id(),
        action: wanted.action.into(),
        target: wanted.target.clone(),
        reason: reason.clone(),
        for_seconds: wanted.lasts.map(|lasts| lasts.as_secs()),
        until: wanted.until,
        by: wanted.by,
    };
    let path = format!("/clusters/{cluster}/commands");
    if *dry_run {
        let preview: Answer<PreviewView> = api.post(&format!("{path}/preview"), &body)?;
        return print(&preview, server.json, show::preview);
    }
    send(&api, &cluster, wanted.operation, body.id, &body)
}

/// Submitted under the id that the body has, and followed where somebody waits.
pub(super) fn send(
    api: &Api,
    cluster: &ClusterName,
    operation: &Operation,
    id: CommandId,
    body: &impl Serialize,
) -> Result<Exit, Failed> {
    let json = operation.server.json;
    let submitted: Result<Answer<Submitted>, Failed> =
        api.post(&format!("/clusters/{cluster}/commands"), body);
    let submitted = submitted.map_err(|failed| named(failed, id))?;
    let id = submitted.view.id;
    if operation.wait {
        let command = settled(api, cluster, id).map_err(|failed| named(failed, id))?;
        print(&command, json, show::operation)?;
        let is_over = command.view.state.is_settled();
        return Ok(if is_over { Exit::of_state(command.view.state) } else { Exit::NotDone });
    }
    let existing = submitted.view.existing;
    print(&submitted, json, |one| {
        let already = if existing { ", in force already" } else { "" };
        format!("{}: {}{already}\nflowdeck operations {id} tells what came of it.\n", id, one.state.label())
    })?;
    Ok(Exit::of_state(submitted.view.state))
}

pub(super) fn named(failed: Failed, id: CommandId) -> Failed {
    failed.of("operation", id, "operations")
}

/// The operation once nothing more is awaited, or as it is when the time is over.
fn settled(api: &Api, cluster: &ClusterName, id: CommandId) -> Result<Answer<CommandView>, Failed> {
    let is_settled = |view: &CommandView| view.state.is_settled();
    api.get_until(&command_path(cluster, id), (WAIT, EVERY), is_settled)
}
