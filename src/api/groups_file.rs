//! `GET groups/download`: the groups of a query as a file, with the columns that are shown.

use axum::extract::RawQuery;
use axum::response::Response;
use flowdeck_model::PortError;
use flowdeck_model::query::{Column, GroupsQuery};
use flowdeck_model::view::GroupRow;

use super::file::{FileType, attachment, csv_line, lines};
use super::{ports::ApiPorts, problem::Problem};

/// Groups as a file.
#[utoipa::path(
    get, path = "/groups/download", tag = "groups", operation_id = "downloadGroups",
    params(
        ("format" = Option<String>, Query, description = "csv (default): with a heading, and the chosen columns; a cell \
            that a spreadsheet would calculate has an apostrophe before it. ndjson: a row a line, as listGroups \
            gives them."),
        ("columns" = Option<String>, Query, description = "By commas: verdict, cluster, lag, timeLag, in, out, drain, \
            members, state, topics, labels, notes, updated. All other parameters are those of listGroups; `limit` and \
            `offset` do not count."),
    ),
    responses((status = 200, content_type = "text/csv"), (status = 400, body = Problem)),
)]
pub(crate) async fn download(
    ApiPorts(ports): ApiPorts,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    let (file, mut query) = split(query.as_deref().unwrap_or_default())?;
    (query.fleet.limit, query.fleet.offset) = (u32::MAX, 0);
    let view = ports.fleet.groups(&query)?;
    let body = match file {
        FileType::Csv => table(&query.columns, &view.groups).into_bytes(),
        _ => lines(&view.groups),
    };
    Ok(attachment("groups", file, body))
}

fn split(query: &str) -> Result<(FileType, GroupsQuery), PortError> {
    let mut file = FileType::Csv;
    let mut rest = form_urlencoded::Serializer::new(String::new());
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        match (&*name, &*value) {
            ("format", "csv") => file = FileType::Csv,
            ("format", "ndjson") => file = FileType::NdJson,
            ("format", _) => return Err(PortError::invalid("format", "csv or ndjson")),
            (name, value) => drop(rest.append_pair(name, value)),
        }
    }
    Ok((file, GroupsQuery::parse(&rest.finish(), true)?))
}

fn table(columns: &[Column], rows: &[GroupRow]) -> String {
    let mut out = String::new();
    let heads = columns.iter().flat_map(|column| heads(*column)).map(|head| (*head).to_owned());
    csv_line(&mut out, &std::iter::once("group".to_owned()).chain(heads).collect::<Vec<_>>());
    for row in rows {
        let cells = columns.iter().flat_map(|column| cells(*column, row));
        csv_line(&mut out, &std::iter::once(row.group.to_string()).chain(cells).collect::<Vec<_>>());
    }
    out
}

/// Of a column of the page; some are several here, with the unit in the name.
fn heads(column: Column) -> &'static [&'static str] {
    match column {
        Column::Verdict => &["verdict", "level"],
        Column::Cluster => &["cluster"],
        Column::Lag => &["lag", "unknown_partitions"],
        Column::TimeLag => &["time_lag_seconds"],
        Column::In => &["in_per_second"],
        Column::Out => &["out_per_second"],
        Column::Drain => &["drain_seconds_soonest", "drain_seconds_latest"],
        Column::Members => &["members"],
        Column::State => &["state", "type"],
        Column::Topics => &["topics", "topic_count"],
        Column::Labels => &["labels", "runbook"],
        Column::Notes => &["notes", "paused_partitions"],
        Column::Updated => &["updated"],
    }
}

/// As many as `heads`; empty where it is not known.
fn cells(column: Column, row: &GroupRow) -> Vec<String> {
    let known = |value: Option<String>| value.unwrap_or_default();
    let number = |value: Option<u64>| known(value.map(|value| value.to_string()));
    match column {
        Column::Verdict => vec![row.verdict.key().to_owned(), format!("{:?}", row.level).to_lowercase()],
        Column::Cluster => vec![row.cluster.to_string()],
        Column::Lag => vec![number(row.lag), row.unknown_partitions.to_string()],
        Column::TimeLag => vec![known(row.time_lag.map(|lag| (lag.millis as f64 / 1_000.0).to_string()))],
        Column::In => vec![known(row.flow.written.one_minute.map(|rate| rate.per_second().to_string()))],
        Column::Out => vec![known(row.flow.committed.one_minute.map(|rate| rate.per_second().to_string()))],
        Column::Drain => vec![
            number(row.flow.drain.and_then(|drain| drain.soonest_seconds)),
            number(row.flow.drain.and_then(|drain| drain.latest_seconds)),
        ],
        Column::Members => vec![number(row.members.map(u64::from))],
        Column::State => vec![row.state.label().to_owned(), row.kind.label().to_owned()],
        Column::Topics => {
            let names: Vec<&str> = row.topics.iter().map(|topic| topic.as_str()).collect();
            vec![names.join(" "), row.topic_count.to_string()]
        }
        Column::Labels => {
            let all: Vec<String> =
                row.labels.values.iter().map(|(name, value)| format!("{name}:{value}")).collect();
            vec![all.join(","), known(row.labels.runbook.clone())]
        }
        Column::Notes => vec![known(row.why.clone()), row.paused_partitions.to_string()],
        Column::Updated => vec![known(row.as_of.map(|at| at.to_string()))],
    }
}
