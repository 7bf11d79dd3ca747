//! `GET clusters/{cluster}/audit` and `…/audit/download`.

use axum::Json;
use axum::extract::{Path, RawQuery};
use axum::response::Response;
use flowdeck_model::query::AUDIT_LIMIT_MAX;
use flowdeck_model::view::{AuditEntry, AuditLook, AuditRun, AuditView};
use flowdeck_model::{ActorKind, AuditQuery, PortError};

use super::file::{FileType, attachment, csv_line, lines};
use super::{names, ports::ApiPorts, problem::Problem};

/// Who asked for what, and what came of it, newest first: each operation once, by its last record.
#[utoipa::path(
    get, path = "/clusters/{cluster}/audit", tag = "audit", operation_id = "listAudit",
    params(
        ("cluster" = String, Path),
        ("kind" = Option<String>, Query, description = "all (default), operations, logIns or looks."),
        ("group" = Option<String>, Query, description = "A part of the group's name."),
        ("actor" = Option<String>, Query, description = "A part of who asked."),
        ("action" = Option<String>, Query, description = "Such as pause or rewind."),
        ("state" = Option<String>, Query, description = "Such as confirmed or timedOut."),
        ("search" = Option<String>, Query, description = "A part of the reason."),
        ("from" = Option<String>, Query, description = "Asked for at this time or later."),
        ("to" = Option<String>, Query, description = "Asked for before this time."),
        ("before" = Option<i64>, Query, description = "`older` of the page before."),
        ("limit" = Option<u32>, Query, description = "1 to 500; 50 where absent."),
    ),
    responses(
        (status = 200, body = AuditView), (status = 400, body = Problem), (status = 403, body = Problem),
        (status = 404, body = Problem), (status = 429, body = Problem), (status = 503, body = Problem),
    ),
)]
pub(crate) async fn list(
    ApiPorts(ports): ApiPorts,
    Path(cluster): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Json<AuditView>, Problem> {
    let query = AuditQuery::parse(query.as_deref().unwrap_or_default(), true)?;
    Ok(Json(ports.audit.entries(&names::cluster(&cluster)?, &query).await?))
}

/// The same as a file.
#[utoipa::path(
    get, path = "/clusters/{cluster}/audit/download", tag = "audit", operation_id = "downloadAudit",
    params(
        ("cluster" = String, Path),
        ("format" = Option<String>, Query, description = "ndjson (default): an entry a line. csv: with a heading; a cell \
            that a spreadsheet would calculate has an apostrophe before it. All other parameters are those of listAudit; \
            `limit` is 500 where absent."),
    ),
    responses(
        (status = 200, content_type = "application/x-ndjson"), (status = 400, body = Problem),
        (status = 403, body = Problem), (status = 404, body = Problem), (status = 429, body = Problem),
        (status = 503, body = Problem),
    ),
)]
pub(crate) async fn download(
    ApiPorts(ports): ApiPorts,
    Path(cluster): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    let cluster = names::cluster(&cluster)?;
    let (file, query) = split(query.as_deref().unwrap_or_default())?;
    let view = ports.audit.entries(&cluster, &query).await?;
    let body = match file {
        FileType::Csv => csv(&view.entries).into_bytes(),
        FileType::NdJson | FileType::Bytes => lines(&view.entries),
    };
    Ok(attachment(&format!("audit-{cluster}"), file, body))
}

/// The format, and the query without it.
fn split(query: &str) -> Result<(FileType, AuditQuery), PortError> {
    let mut file = FileType::NdJson;
    let mut rest = form_urlencoded::Serializer::new(String::new());
    rest.append_pair("limit", &AUDIT_LIMIT_MAX.to_string());
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        match (&*name, &*value) {
            ("format", "ndjson") => file = FileType::NdJson,
            ("format", "csv") => file = FileType::Csv,
            ("format", _) => return Err(PortError::invalid("format", "ndjson or csv")),
            (name, value) => drop(rest.append_pair(name, value)),
        }
    }
    Ok((file, AuditQuery::parse(&rest.finish(), true)?))
}

fn csv(entries: &[AuditEntry]) -> String {
    let mut out =
        String::from("type,at,requestedAt,id,action,title,group,actor,kind,address,reason,state,detail\r\n");
    for entry in entries {
        let cells = match entry {
            AuditEntry::Operation(one) => [
                "operation".to_owned(),
                one.at.to_string(),
                one.requested_at.to_string(),
                one.id.to_string(),
                one.action.clone(),
                one.title.clone(),
                one.group.as_ref().map(|group| group.as_str().to_owned()).unwrap_or_default(),
                one.actor.name.clone(),
                kind(one.actor.kind),
                one.actor.address.clone().unwrap_or_default(),
                one.reason.clone(),
                one.state.key().to_owned(),
                one.notes.join("\n"),
            ],
            AuditEntry::Redrive(one) => run("redrive", one),
            AuditEntry::Bulk(one) => run("bulk", one),
            AuditEntry::Produced(one) => run("produce", one),
            AuditEntry::Look(one) => look(one),
            AuditEntry::Retention(one) => run("retention", one),
            AuditEntry::LogIn(one) => [
                "logIn".to_owned(),
                one.at.to_string(),
                String::new(),
                String::new(),
                one.outcome.label().to_owned(),
                String::new(),
                String::new(),
                one.actor.name.clone(),
                kind(one.actor.kind),
                one.actor.address.clone().unwrap_or_default(),
                String::new(),
                String::new(),
                one.detail.clone().unwrap_or_default(),
            ],
        };
        csv_line(&mut out, &cells);
    }
    out
}

fn run(name: &str, one: &AuditRun) -> [String; 13] {
    [
        name.to_owned(),
        one.at.to_string(),
        String::new(),
        one.id.to_string(),
        name.to_owned(),
        one.title.clone(),
        String::new(),
        one.actor.name.clone(),
        kind(one.actor.kind),
        one.actor.address.clone().unwrap_or_default(),
        one.reason.clone(),
        one.event.clone(),
        one.notes.join("\n"),
    ]
}

fn look(one: &AuditLook) -> [String; 13] {
    let topic = one.topic.clone().unwrap_or_default();
    [
        "look".to_owned(),
        one.at.to_string(),
        String::new(),
        String::new(),
        one.look.label().to_owned(),
        format!("{topic} {}", one.range()).trim_start().to_owned(),
        String::new(),
        one.actor.name.clone(),
        kind(one.actor.kind),
        one.actor.address.clone().unwrap_or_default(),
        String::new(),
        String::new(),
        one.outcome(),
    ]
}

fn kind(kind: ActorKind) -> String {
    format!("{kind:?}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn format_is_no_part_of_the_query() {
        let (file, query) = split("group=a&format=csv").unwrap();
        assert_eq!((file, query.group.as_str(), query.limit), (FileType::Csv, "a", AUDIT_LIMIT_MAX));
        assert_eq!(split("limit=3").unwrap().1.limit, 3);
        assert!(split("format=xml").is_err() && split("colour=red").is_err());
    }
}
