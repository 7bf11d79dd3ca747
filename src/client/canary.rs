//! Canary resume from a shell: a part of what is paused first, then the rest, or the part is paused again.

use std::time::Duration;

use clap::{Args, Subcommand};
use flowdeck_model::canary::{CanaryOrder, CanaryState};
use flowdeck_model::view::{CanaryView, PreviewView};
use flowdeck_model::{CommandId, Target};
use serde::Serialize;

use super::api::{Answer, Api};
use super::args::{Operation, Part, Server};
use super::exit::{Exit, Failed};
use super::{cluster, print, show};

/// Longer than any operation waits for its evidence.
const WAIT: Duration = Duration::from_secs(5 * 60);
const EVERY: Duration = Duration::from_millis(300);

#[derive(Debug, Subcommand)]
pub enum Canary {
    /// Resume a part of what is paused: partitions of a topic, topics, or a consumer.
    Start(Part),
    /// Resume what the same pauses hold beside the part.
    Rest(Order),
    /// Pause the part again.
    Back(Order),
    /// Show its steps.
    Show(One),
}

#[derive(Debug, Args)]
pub struct Order {
    #[command(flatten)]
    pub operation: Operation,
    /// Of the canary, as it was printed.
    pub id: CommandId,
}

#[derive(Debug, Args)]
pub struct One {
    #[command(flatten)]
    pub server: Server,
    /// Where the server has more than one.
    #[arg(long)]
    pub cluster: Option<flowdeck_model::ClusterName>,
    /// Of the canary, as it was printed.
    pub id: CommandId,
}

#[derive(Serialize)]
struct Body<'a> {
    id: CommandId,
    target: Target,
    reason: &'a str,
}

#[derive(Serialize)]
struct OrderBody<'a> {
    order: CanaryOrder,
    reason: &'a str,
}

pub(super) fn run(args: &Canary) -> Result<Exit, Failed> {
    match args {
        Canary::Start(part) => start(part),
        Canary::Rest(order) => give(order, CanaryOrder::Rest),
        Canary::Back(order) => give(order, CanaryOrder::Back),
        Canary::Show(one) => {
            let api = Api::new(&one.server)?;
            let path = format!("/clusters/{}/canaries/{}", cluster(&api, one.cluster.as_ref())?, one.id);
            let view: Answer<CanaryView> = api.get(&path)?;
            print(&view, one.server.json, show::canary)?;
            Ok(exit(view.view.state))
        }
    }
}

fn start(part: &Part) -> Result<Exit, Failed> {
    let Part { operation, group, consumer, topics, partitions } = part;
    let api = Api::new(&operation.server)?;
    let path = format!("/clusters/{}/canaries", cluster(&api, operation.cluster.as_ref())?);
    let target = Target {
        group: group.clone(),
        consumer: consumer.clone(),
        topics: topics.clone(),
        partitions: partitions.clone(),
    };
    let body = Body { id: operation.new_id(), target, reason: &operation.reason };
    if operation.dry_run {
        let preview: Answer<PreviewView> = api.post(&format!("{path}/preview"), &body)?;
        return print(&preview, operation.server.json, show::preview);
    }
    let view: Result<Answer<CanaryView>, Failed> = api.post(&path, &body);
    let view = view.map_err(|failed| named(failed, body.id))?;
    let id = view.view.first.id;
    told(&api, &format!("{path}/{id}"), operation, view).map_err(|failed| named(failed, id))
}

fn give(order: &Order, word: CanaryOrder) -> Result<Exit, Failed> {
    let Order { operation, id } = order;
    if operation.own_id.is_some() {
        return Err(Failed::new(Exit::Usage, "--id: an order is given once, under the id of the canary"));
    }
    let api = Api::new(&operation.server)?;
    let path = format!("/clusters/{}/canaries/{id}", cluster(&api, operation.cluster.as_ref())?);
    let body = OrderBody { order: word, reason: &operation.reason };
    if operation.dry_run {
        let preview: Answer<PreviewView> = api.post(&format!("{path}/order/preview"), &body)?;
        return print(&preview, operation.server.json, show::preview);
    }
    let view: Result<Answer<CanaryView>, Failed> = api.post(&format!("{path}/order"), &body);
    view.and_then(|view| told(&api, &path, operation, view)).map_err(|failed| named(failed, *id))
}

fn named(failed: Failed, id: CommandId) -> Failed {
    failed.of("canary", id, "canary show")
}

/// As it is, or once it is settled where somebody waits.
fn told(api: &Api, path: &str, operation: &Operation, mut view: Answer<CanaryView>) -> Result<Exit, Failed> {
    if operation.wait {
        view = api.get_until(path, (WAIT, EVERY), |view: &CanaryView| view.state.is_settled())?;
    }
    print(&view, operation.server.json, show::canary)?;
    if operation.wait && !view.view.state.is_settled() {
        return Ok(Exit::NotDone);
    }
    Ok(exit(view.view.state))
}

fn exit(state: CanaryState) -> Exit {
    match state {
        CanaryState::NotConfirmed | CanaryState::RestNotConfirmed | CanaryState::PauseNotConfirmed => {
            Exit::PartiallyConfirmed
        }
        CanaryState::Refused => Exit::NotDone,
        _ => Exit::Done,
    }
}
