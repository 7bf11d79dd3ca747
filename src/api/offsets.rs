//! `POST clusters/{cluster}/offsets/preview`: what setting a group's offsets would do.

use axum::Json;
use axum::body::Bytes;
use axum::extract::Path;
use flowdeck_model::offsets::{OffsetScope, OffsetTo, OffsetsQuery, TopicScope, file_rows};
use flowdeck_model::view::OffsetsPreview;
use flowdeck_model::{ClusterName, GroupId, PortError, Ports, Submit};
use http::header::HeaderMap;
use serde::Deserialize;
use utoipa::ToSchema;

use super::commands::json_only;
use super::{body, names, ports::ApiPorts, problem::Problem};

/// Of which partitions, and where to.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct OffsetsBody {
    group: Option<GroupId>,
    /// `earliest`, `latest`, a time, an offset such as `120`, a shift such as `+10` or `-10`, `file`, `group:<name>`,
    /// `undo:<operation>`, or `none`, which deletes the commits.
    to: Option<String>,
    /// `orders`, or some of its partitions: `orders:0,2`.
    #[serde(default)]
    topics: Vec<String>,
    /// In place of `topics`: every partition that the group has committed, or that the target names.
    #[serde(default)]
    all_topics: bool,
    /// With `to` = `file`: lines `topic,partition,offset`.
    file: Option<String>,
}

/// What setting a group's offsets would do, partition by partition. Nothing happens. `moves` of the answer goes as
/// `offsets` into the operation `setOffsets`, which does exactly that, or nothing where something moved since.
#[utoipa::path(
    post, path = "/clusters/{cluster}/offsets/preview", tag = "commands", operation_id = "previewOffsets",
    params(("cluster" = String, Path)),
    request_body = OffsetsBody,
    responses(
        (status = 200, body = OffsetsPreview),
        (status = 400, body = Problem), (status = 403, body = Problem), (status = 404, body = Problem),
        (status = 415, body = Problem),
        (status = 422, body = Problem, description = "More partitions than one operation takes."),
        (status = 503, body = Problem),
    ),
)]
pub(crate) async fn preview(
    ApiPorts(ports): ApiPorts,
    Path(cluster): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Json<OffsetsPreview>, Problem> {
    let cluster = names::cluster(&cluster)?;
    json_only(&headers)?;
    Ok(Json(ports.control.offsets(&cluster, parse(&body)?).await?))
}

fn parse(bytes: &[u8]) -> Result<OffsetsQuery, PortError> {
    let body::Object(asked) = body::parse::<body::Object<OffsetsBody>>(bytes)?;
    let missing = |field: &str| PortError::invalid(field, "it is missing");
    let group = asked.group.ok_or_else(|| missing("group"))?;
    let to = asked.to.ok_or_else(|| missing("to"))?;
    let to = match &asked.file {
        Some(file) if to == "file" => OffsetTo::File(file_rows(file, &group)?),
        Some(_) => return Err(PortError::invalid("file", "only with the target file")),
        None => to.parse()?,
    };
    let topics = asked.topics.iter().map(|topic| topic.parse()).collect::<Result<Vec<TopicScope>, _>>()?;
    // What names its partitions itself needs no choice.
    let all = asked.all_topics || (topics.is_empty() && to.names_partitions());
    Ok(OffsetsQuery { group, to, scope: OffsetScope::of(topics, all)? })
}

/// Where an operation's offsets moved since its preview: the same anew. A file is not asked for again.
pub(crate) async fn again(ports: &Ports, cluster: &ClusterName, command: &Submit) -> Option<OffsetsPreview> {
    let asked = command.offsets.as_deref()?;
    let query = OffsetsQuery {
        group: command.target.group.clone(),
        to: asked.to.parse().ok()?,
        scope: OffsetScope::of(asked.moves.scope(), false).ok()?,
    };
    ports.control.offsets(cluster, query).await.ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_name_the_field() {
        for (body, want) in [
            (r#"{"to":"latest","topics":["t"]}"#, "group"),
            (r#"{"group":"g","topics":["t"]}"#, "to"),
            (r#"{"group":"g","to":"soon","topics":["t"]}"#, "to"),
            (r#"{"group":"g","to":"latest"}"#, "topics"),
            (r#"{"group":"g","to":"latest","topics":["t:"]}"#, "topics"),
            (r#"{"group":"g","to":"latest","topics":["t"],"allTopics":true}"#, "topics"),
            (r#"{"group":"g","to":"file"}"#, "file"),
            (r#"{"group":"g","to":"file","file":"t,0"}"#, "file"),
            (r#"{"group":"g","to":"latest","file":"t,0,1","topics":["t"]}"#, "file"),
        ] {
            match parse(body.as_bytes()) {
                Err(PortError::Invalid { field, .. }) => assert_eq!(field, want, "{body}"),
                other => panic!("{body}: {other:?}"),
            }
        }
        let file = parse(br#"{"group":"g","to":"file","file":"t,0,1"}"#).unwrap();
        assert_eq!(file.scope, OffsetScope::AllTopics);
    }
}
