//! `flowdeck groups`, `lag`, `pause` and the like: a running server, asked from a shell through its API.

mod api;
pub mod args;
mod bulk;
mod canary;
pub mod exit;
mod offsets;
mod operate;
pub mod peek;
mod show;

use std::io::Write as _;

use flowdeck_model::view::{AuditView, CommandView, FleetView, GroupView};
use flowdeck_model::{ClusterName, url};

use self::api::{Answer, Api};
use self::args::{Ask, Audit, Groups, Of, OneGroup, Operations};
use self::exit::{Exit, Failed};

/// Prints the answer; what went wrong is the caller's to print.
pub fn run(ask: &Ask) -> Result<Exit, Failed> {
    match ask {
        Ask::Groups(args) => groups(args),
        Ask::Lag(args) => lag(args),
        Ask::Operations(args) => operations(args),
        Ask::Audit(args) => audit(args),
        Ask::Peek(args) => peek::run(args),
        Ask::Bulk(args) => bulk::run(args),
        Ask::Canary(args) => canary::run(args),
        Ask::Operate(args) => operate::run(args),
    }
}

fn groups(args: &Groups) -> Result<Exit, Failed> {
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.append_pair("search", &args.search).append_pair("limit", &args.limit.to_string());
    if let Some(cluster) = &args.cluster {
        query.append_pair("cluster", cluster.as_str());
    }
    if let Some(verdict) = &args.verdict {
        query.append_pair("verdict", verdict);
    }
    let fleet: Answer<FleetView> = Api::new(&args.server)?.get(&format!("/groups?{}", query.finish()))?;
    print(&fleet, args.server.json, show::groups)
}

fn lag(args: &OneGroup) -> Result<Exit, Failed> {
    let api = Api::new(&args.server)?;
    let cluster = cluster(&api, args.cluster.as_ref())?;
    let group: Answer<GroupView> = api.get(&group_path(&cluster, &args.group))?;
    print(&group, args.server.json, show::lag)
}

fn operations(args: &Operations) -> Result<Exit, Failed> {
    let api = Api::new(&args.server)?;
    let cluster = cluster(&api, args.cluster.as_ref())?;
    match &args.of {
        Of::Operation(id) => {
            let command: Answer<CommandView> = api.get(&command_path(&cluster, *id))?;
            print(&command, args.server.json, show::operation)?;
            Ok(Exit::of_state(command.view.state))
        }
        Of::Group(group) => {
            let group: Answer<GroupView> = api.get(&group_path(&cluster, group))?;
            let commands = group.view.commands;
            let json = serde_json::to_string(&commands).unwrap_or_default();
            print(&Answer { json, view: commands }, args.server.json, |all| show::operations(all))
        }
    }
}

fn audit(args: &Audit) -> Result<Exit, Failed> {
    let api = Api::new(&args.server)?;
    let cluster = cluster(&api, args.cluster.as_ref())?;
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.append_pair("group", &args.group).append_pair("actor", &args.by);
    query.append_pair("action", &args.action).append_pair("state", &args.state);
    query.append_pair("search", &args.search).append_pair("from", &args.from).append_pair("to", &args.to);
    query.append_pair("limit", &args.limit.to_string());
    if let Some(before) = args.before {
        query.append_pair("before", &before.to_string());
    }
    let audit: Answer<AuditView> = api.get(&format!("/clusters/{cluster}/audit?{}", query.finish()))?;
    print(&audit, args.server.json, show::audit)
}

fn group_path(cluster: &ClusterName, group: &flowdeck_model::GroupId) -> String {
    format!("/clusters/{cluster}/groups/{}", url::encode(group.as_str()))
}

fn command_path(cluster: &ClusterName, id: flowdeck_model::CommandId) -> String {
    format!("/clusters/{cluster}/commands/{id}")
}

/// The one that is named; else the only one. Never one of several.
fn cluster(api: &Api, named: Option<&ClusterName>) -> Result<ClusterName, Failed> {
    if let Some(name) = named {
        return Ok(name.clone());
    }
    let fleet: Answer<FleetView> = api.get("/groups?limit=1")?;
    match fleet.view.clusters.as_slice() {
        [one] => Ok(one.name.clone()),
        [] => Err(Failed::new(Exit::NotDone, "the server has no cluster that may be viewed")),
        several => {
            let names: Vec<&str> = several.iter().map(|one| one.name.as_str()).collect();
            Err(Failed::new(Exit::Usage, format!("say which with --cluster: {}", names.join(", "))))
        }
    }
}

fn print<T>(answer: &Answer<T>, json: bool, show: impl Fn(&T) -> String) -> Result<Exit, Failed> {
    let text = if json { format!("{}\n", answer.json) } else { show(&answer.view) };
    // A pipe that was closed is no failure of what was asked.
    let _ = std::io::stdout().lock().write_all(text.as_bytes());
    Ok(Exit::Done)
}
