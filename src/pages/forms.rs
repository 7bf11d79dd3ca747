//! `POST {base}/c/{cluster}/commands`: a form, with or without JavaScript. Success is 303 to the
//! command's page; what is refused shows the page of the group again, with the reason and its status.

use app::{SameId, Typed};
use axum::body::Bytes;
use axum::extract::{Path, RawQuery, State};
use axum::response::{IntoResponse, Response};
use flowdeck_model::action::{ActionFields, Workers, WorkersError};
use flowdeck_model::offsets::{GivenOffsets, OffsetMove, OffsetMoves};
use flowdeck_model::{
    ActionKind, ClusterName, CommandId, GroupId, Hold, HoldBy, Partition, PauseEnd, PortError, Submit,
    Target, Timestamp, url,
};
use http::header::{HeaderMap, HeaderValue, LOCATION};
use http::{StatusCode, Uri};

use super::ports::FormPorts;
use super::render::{self, Refused};
use crate::api::names;
use crate::api::problem::{Problem, status_of};
use crate::layers::actor::BoundActor;
use crate::state::AppState;

pub(crate) async fn submit(
    State(state): State<AppState>,
    FormPorts(bound): FormPorts,
    Path(segment): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Problem> {
    let cluster = names::cluster(&segment)?;
    let outcome = match parse(&body) {
        Ok(command) if query.as_deref() == Some(url::ALONE) && ends_others(&bound, &cluster, &command) => {
            let form = [&page_of(&cluster, &body), "#form"].concat();
            return Ok(see_other(&state.options.base.path(&form)));
        }
        Ok(command) => bound.ports.control.submit(&cluster, command).await,
        Err(error) => Err(error),
    };
    Ok(match outcome {
        Ok(submitted) => see_other(&state.options.base.path(&url::command_path(&cluster, submitted.id))),
        Err(error) => {
            let asked =
                Submitted { page: page_of(&cluster, &body), typed: typed(&body), of: url::command_path };
            refused(&state, bound, &headers, error, asked).await
        }
    })
}

/// The button beside one pause resumes at once. A resume ends every pause that lies there, whoever gave it: where there is
/// another one, the form comes first, whose preview names it.
fn ends_others(bound: &BoundActor, cluster: &ClusterName, command: &Submit) -> bool {
    let Ok(view) = bound.ports.fleet.group(cluster, &command.target.group) else { return false };
    let scopes = command.target.scopes();
    let lies_there = |hold: &&Hold| scopes.iter().any(|scope| scope.intersect(&hold.scope).is_some());
    view.row.holds.iter().filter(lies_there).count() > 1
}

/// What was asked for by a form.
pub(super) struct Submitted {
    /// That shows the form, below the base.
    pub(super) page: String,
    /// What the page shows again.
    pub(super) typed: Typed,
    /// The page of an operation of this kind, below the base.
    pub(super) of: OperationPath,
}

pub(super) type OperationPath = fn(&ClusterName, CommandId) -> String;

/// What an order that was given on its page came to: the page again, by 303 where it was done.
pub(super) async fn ordered<T>(
    state: &AppState,
    bound: BoundActor,
    headers: &HeaderMap,
    outcome: Result<T, PortError>,
    asked: Submitted,
) -> Response {
    match outcome {
        Ok(_) => see_other(&state.options.base.path(&asked.page)),
        Err(error) => refused(state, bound, headers, error, asked).await,
    }
}

/// The page once more: with the reason, what was typed, and the error's status. Where the outcome is not known the form keeps
/// its id.
pub(super) async fn refused(
    state: &AppState,
    bound: BoundActor,
    headers: &HeaderMap,
    error: PortError,
    asked: Submitted,
) -> Response {
    let Submitted { page, typed, of } = asked;
    let Ok(uri) = state.options.base.path(&page).parse::<Uri>() else {
        return Problem::from(error).into_response();
    };
    let status = status_of(&error);
    let same_id = match &error {
        PortError::InDoubt { id, .. } => Some(SameId(*id)),
        _ => None,
    };
    let refused = Refused { why: why(state, &error, of), typed, same_id };
    let mut response = render::document(state, bound.into(), headers, uri, Some(refused)).await;
    *response.status_mut() = status;
    response
}

/// That nothing was done is said only where it is sure.
fn why(state: &AppState, error: &PortError, of: OperationPath) -> String {
    match error {
        PortError::InDoubt { cluster, id, detail } => {
            let page = state.options.base.path(&of(cluster, *id));
            format!(
                "It is not known whether this was taken: {detail}. What became of operation {id} is on its page, {page}. \
                 Sent again from here, it is the same operation, and is done once at most."
            )
        }
        error => format!("Nothing was done: {error}"),
    }
}

/// `POST {base}/c/{cluster}/groups/{group}/offsets` and `…/c/{cluster}/bulk`: the page with the preview. Nothing is done; a
/// file or a list of groups may be longer than an address.
pub(crate) async fn preview(
    State(state): State<AppState>,
    FormPorts(bound): FormPorts,
    headers: HeaderMap,
    uri: Uri,
    body: Bytes,
) -> Response {
    let fields =
        form_urlencoded::Serializer::new(String::new()).extend_pairs(form_urlencoded::parse(&body)).finish();
    match format!("{}?{fields}", uri.path()).parse::<Uri>() {
        Ok(asked) => render::document(&state, bound.into(), &headers, asked, None).await,
        Err(_) => Problem::too_large(ADDRESS_MAX).into_response(),
    }
}

/// Of the fields, as an address is written.
pub(super) const ADDRESS_MAX: usize = 64 * 1024;

pub(super) fn see_other(path: &str) -> Response {
    let mut response = StatusCode::SEE_OTHER.into_response();
    if let Ok(location) = HeaderValue::from_str(path) {
        response.headers_mut().insert(LOCATION, location);
    }
    response
}

/// The page of the form: the group's, with the form open; the fleet, where no group is named.
pub(super) fn page_of(cluster: &ClusterName, body: &[u8]) -> String {
    let field = |wanted: &str| {
        let found = form_urlencoded::parse(body).find(|(name, _)| name == wanted);
        found.map(|(_, value)| value.into_owned())
    };
    let Some(group) = field("group") else { return String::new() };
    if let Some(page) = offsets_page(cluster, &group, &field) {
        return page;
    }
    let mut query = form_urlencoded::Serializer::new(String::new());
    for (name, asked) in [
        ("action", "form"),
        ("consumer", "consumer"),
        ("topic", "topic"),
        ("workers", "workers"),
        ("to", "to"),
    ] {
        if let Some(value) = field(name).filter(|value| !value.is_empty()) {
            query.append_pair(asked, &value);
        }
    }
    let page = url::group_path(cluster, &GroupId::from(group));
    let mut partitions = form_urlencoded::parse(body).filter(|(name, _)| name == "partition").peekable();
    if partitions.peek().is_some() {
        // The page of partitions has the action under its own name.
        query.append_pair("action", &field("action").unwrap_or_default()).extend_pairs(partitions);
        return format!("{page}/pause?{}", query.finish());
    }
    format!("{page}?{}", query.finish())
}

/// Of an operation that sets commits: a new preview of the same.
fn offsets_page(
    cluster: &ClusterName,
    group: &str,
    field: &impl Fn(&str) -> Option<String>,
) -> Option<String> {
    let action = field("action").and_then(|word| ActionKind::from_word(&word))?;
    let moves: OffsetMoves = field("offsets").filter(|_| action.sets_commits())?.parse().ok()?;
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.append_pair("to", &field("to")?);
    for topic in moves.scope() {
        query.append_pair("topic", &topic.to_string());
    }
    let row = |one: &OffsetMove| Some(format!("{},{},{}\n", one.topic, one.partition, one.to?));
    query.append_pair("file", &moves.iter().filter_map(row).collect::<String>());
    Some(format!("{}/offsets?{}", url::group_path(cluster, &GroupId::from(group)), query.finish()))
}

/// Fields: `id`, `action`, `workers`, `to`, `group`, `consumer`, `topic` and `partition` (as often as wanted), `reason`, `forSeconds`, `minutes`, `until`,
/// `offsets`, `skips`, `confirm`, `by`.
/// An empty field is an absent one, but for the group, which may have the empty name.
pub(super) fn parse(body: &[u8]) -> Result<Submit, PortError> {
    let mut id = None;
    let mut action = None;
    let (mut workers, mut to) = (None, None);
    let (mut length, mut by) = (None, None);
    let (mut minutes, mut until) = (String::new(), String::new());
    let mut reason = String::new();
    let mut group = None;
    let mut consumer = None;
    let (mut topics, mut partitions) = (vec![], vec![]);
    let (mut moves, mut skips, mut confirm) = (None, None, None);
    for (name, value) in form_urlencoded::parse(body) {
        match &*name {
            "group" => group = Some(GroupId::from(value.into_owned())),
            "reason" => reason = value.trim().to_owned(),
            _ if value.is_empty() => {}
            "id" => id = Some(value.parse::<CommandId>().map_err(|_| PortError::invalid("id", "a UUID"))?),
            "action" => action = Some(parse_action(&value)?),
            "workers" => workers = Some(parse_workers(&value)?),
            "to" => to = Some(value.into_owned()),
            "offsets" => moves = Some(value.into_owned()),
            "skips" => skips = Some(parse_skips(&value)?),
            "confirm" => confirm = Some(value.into_owned()),
            "consumer" => consumer = Some(value.into_owned().into()),
            "topic" | "topics" => {
                topics.push(value.parse().map_err(|error: flowdeck_model::names::NameError| {
                    PortError::invalid("topic", error.to_string())
                })?)
            }
            "partition" => partitions.push(parse_partition(&value)?),
            "forSeconds" => length = Some(value.into_owned()),
            "minutes" => minutes = value.into_owned(),
            "until" => until = value.into_owned(),
            "by" => by = Some(parse_by(&value)?),
            _ => {}
        }
    }
    let missing = |field: &str| PortError::invalid(field, "it is missing");
    let action = action.ok_or_else(|| missing("action"))?;
    let group = group.ok_or_else(|| missing("group"))?;
    let target = Target { group, consumer, topics, partitions };
    let given =
        GivenOffsets { to: to.as_deref(), moves: moves.as_deref(), skips, confirm: confirm.as_deref() };
    let offsets = given.parse(action, &target)?;
    let to = to.filter(|_| offsets.is_none()).map(|to| parse_time("to", &to)).transpose()?;
    Ok(Submit {
        id: id.ok_or_else(|| missing("id"))?,
        action: ActionFields { action, workers, to }.try_into()?,
        target,
        offsets,
        reason,
        ends: length.map(|length| parse_end(&length, &minutes, &until)).transpose()?,
        by,
    })
}

fn parse_action(value: &str) -> Result<ActionKind, PortError> {
    ActionKind::from_word(value).ok_or_else(|| PortError::invalid("action", "it is not known"))
}

fn parse_partition(value: &str) -> Result<Partition, PortError> {
    let number = value.trim().parse().ok().and_then(Partition::new);
    number.ok_or_else(|| PortError::invalid("partition", "a number of a partition"))
}

fn parse_by(value: &str) -> Result<HoldBy, PortError> {
    HoldBy::from_word(value).ok_or_else(|| PortError::invalid("by", "stop or pause"))
}

fn parse_workers(value: &str) -> Result<Workers, PortError> {
    let count = value.trim().parse::<u32>().ok().and_then(|count| Workers::try_from(count).ok());
    count.ok_or_else(|| PortError::invalid("workers", WorkersError.to_string()))
}

fn parse_time(field: &str, value: &str) -> Result<Timestamp, PortError> {
    let problem = "a time in UTC, such as 2026-11-21T14:00";
    Timestamp::parse_given(value.trim()).ok_or_else(|| PortError::invalid(field, problem))
}

fn parse_skips(value: &str) -> Result<u64, PortError> {
    let digits: String =
        value.chars().filter(|one| !matches!(one, ',' | ' ' | '\u{a0}' | '\u{202f}')).collect();
    digits.parse().map_err(|_| PortError::invalid("skips", "a whole number of records"))
}

/// Minutes and time are in the form at all times; they count where their choice was made.
fn parse_end(length: &str, minutes: &str, until: &str) -> Result<PauseEnd, PortError> {
    if length == app::OWN_END {
        return parse_time("until", until).map(PauseEnd::At);
    }
    if length != app::OWN_LENGTH {
        let seconds = length.trim().parse().map(PauseEnd::After);
        return seconds.map_err(|_| PortError::invalid("forSeconds", "a whole number of seconds"));
    }
    let seconds = minutes.trim().parse().ok().and_then(|minutes: u32| minutes.checked_mul(60));
    seconds
        .map(PauseEnd::After)
        .ok_or_else(|| PortError::invalid("minutes", "a whole number of minutes, at most 30 days"))
}

/// What the form shows again.
pub(super) fn typed(body: &[u8]) -> Typed {
    let mut typed = Typed::default();
    for (name, value) in form_urlencoded::parse(body) {
        match &*name {
            "reason" => typed.reason = value.into_owned(),
            "forSeconds" => typed.length = value.into_owned(),
            "minutes" => typed.minutes = value.into_owned(),
            "until" => typed.until = value.into_owned(),
            _ => {}
        }
    }
    typed
}
