//! `GET clusters/{cluster}/topics/{topic}/messages`. A caller that goes away cancels the read: its
//! future is dropped with the request.

use axum::Json;
use axum::extract::{Path, RawQuery};
use flowdeck_model::MessagesQuery;
use flowdeck_model::view::MessagesView;

use super::{names, ports::ApiPorts, problem::Problem};

/// Records of a topic; no consumer group is touched.
#[utoipa::path(
    get, path = "/clusters/{cluster}/topics/{topic}/messages", tag = "topics", operation_id = "listMessages",
    params(
        ("cluster" = String, Path),
        ("topic" = String, Path),
        ("partition" = Option<i32>, Query, description = "Only this one; else all."),
        ("from" = Option<String>, Query, description = "latest (default) reads the last records of all partitions, \
            newest first. earliest, offset:N (in each partition) and time:T (RFC 3339, a date, or milliseconds since \
            1970) read from there on, oldest first. The queries of further pages use before: and offsets: with an \
            offset for each partition. A number alone is an offset where partition is given; a time may be \
            written without time:."),
        ("order" = Option<String>, Query, description = "asc (oldest first) or desc (newest first) lists the same \
            records the other way round."),
        ("isolation" = Option<String>, Query, description = "read_uncommitted (default) reads records of open and \
            aborted transactions too, and marks them; read_committed leaves them out."),
        ("limit" = Option<u32>, Query, description = "1 to 500, default 50."),
        ("keyDecoder" = Option<String>, Query, description = "How keys are decoded: a name of the topic's \
            `decoders.names`, or text:ENCODING. Else as configured, else detected."),
        ("valueDecoder" = Option<String>, Query, description = "The same for values."),
        ("text" = Option<String>, Query, description = "Only records with this text in key, value or a header, \
            whatever the case."),
        ("key" = Option<String>, Query, description = "Only records with this text in the key."),
        ("header" = Option<String>, Query, description = "name, or name:text for a text in its value."),
        ("path" = Option<String>, Query, description = "A path of JSON in the value, and a comparison: \
            $.order.id == 7."),
        ("cel" = Option<String>, Query, description = "An expression of the Common Expression Language over key, \
            value, headers, timestamp, partition and offset: value.total > 100 && headers.source == 'shop'."),
        ("until" = Option<String>, Query, description = "Only records before this time."),
        ("seen" = Option<u64>, Query, description = "Records of earlier scans, of the query of a next scan."),
        ("unmasked" = Option<bool>, Query, description = "Without masks; needs the permission read unmasked."),
        ("full" = Option<bool>, Query, description = "Whole values up to 1 MiB."),
    ),
    responses(
        (status = 200, body = MessagesView), (status = 400, body = Problem), (status = 403, body = Problem),
        (status = 404, body = Problem), (status = 503, body = Problem),
    ),
)]
pub(crate) async fn list(
    ApiPorts(ports): ApiPorts,
    Path((cluster, topic)): Path<(String, String)>,
    RawQuery(query): RawQuery,
) -> Result<Json<MessagesView>, Problem> {
    let (cluster, topic) = (names::cluster(&cluster)?, names::topic(&topic)?);
    let query = MessagesQuery::parse(query.as_deref().unwrap_or_default(), true)?;
    Ok(Json(ports.peek.messages(&cluster, &topic, &query).await?))
}
