//! `GET clusters/{cluster}/topics/{topic}/messages/download`: the records of a query as a file. What is masked for the
//! reader is masked in it.

use axum::extract::{Path, RawQuery};
use axum::response::Response;
use flowdeck_model::view::{MessageView, Payload, PayloadKind};
use flowdeck_model::{MessagesQuery, PortError};
use http::StatusCode;

use super::file::{FileType, attachment, csv_line, lines};
use super::{names, ports::ApiPorts, problem::Problem};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Format {
    NdJson,
    Csv,
    /// The bytes of one value.
    Raw,
}

impl Format {
    fn parse(name: &str) -> Result<Self, PortError> {
        match name {
            "ndjson" => Ok(Self::NdJson),
            "csv" => Ok(Self::Csv),
            "raw" => Ok(Self::Raw),
            _ => Err(PortError::invalid("format", "ndjson, csv or raw")),
        }
    }

    fn file(self) -> FileType {
        match self {
            Self::NdJson => FileType::NdJson,
            Self::Csv => FileType::Csv,
            Self::Raw => FileType::Bytes,
        }
    }
}

/// Records of a topic as a file.
#[utoipa::path(
    get, path = "/clusters/{cluster}/topics/{topic}/messages/download", tag = "topics", operation_id = "downloadMessages",
    params(
        ("cluster" = String, Path),
        ("topic" = String, Path),
        ("format" = Option<String>, Query, description = "ndjson (default): a record a line. csv: with a heading; a \
            cell that a spreadsheet would calculate has an apostrophe before it. raw: the bytes of the first record's \
            value, where nothing in it is masked. All other parameters are those of listMessages."),
    ),
    responses(
        (status = 200, content_type = "application/x-ndjson"), (status = 400, body = Problem),
        (status = 403, body = Problem), (status = 404, body = Problem), (status = 422, body = Problem),
        (status = 503, body = Problem),
    ),
)]
pub(crate) async fn download(
    ApiPorts(ports): ApiPorts,
    Path((cluster, topic)): Path<(String, String)>,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    let (cluster, topic) = (names::cluster(&cluster)?, names::topic(&topic)?);
    let (format, query) = split(query.as_deref().unwrap_or_default())?;
    // The last of a name's values counts.
    let query = if format == Format::Raw { query + "&limit=1&valueDecoder=hex" } else { query };
    let query = MessagesQuery { full: true, ..MessagesQuery::parse(&query, true)? };
    let view = ports.peek.messages(&cluster, &topic, &query).await?;
    let body = match format {
        Format::NdJson => lines(&view.records),
        Format::Csv => csv(&view.records).into_bytes(),
        Format::Raw => raw(view.records.first())?,
    };
    Ok(attachment(topic.as_str(), format.file(), body))
}

/// The format, and the query without it.
fn split(query: &str) -> Result<(Format, String), PortError> {
    let mut format = Format::NdJson;
    let mut rest = form_urlencoded::Serializer::new(String::new());
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        match &*name {
            "format" => format = Format::parse(&value)?,
            name => drop(rest.append_pair(name, &value)),
        }
    }
    Ok((format, rest.finish()))
}

fn csv(records: &[MessageView]) -> String {
    let mut out = String::from("partition,offset,timestamp,key,value,headers\r\n");
    for record in records {
        let time = record.timestamp.map(|time| time.to_string()).unwrap_or_default();
        let headers: Vec<String> =
            record.headers.iter().map(|header| format!("{}: {}", header.name, header.value.text)).collect();
        let cells = [
            record.partition.to_string(),
            record.offset.to_string(),
            time,
            record.key.text.clone(),
            record.value.text.clone(),
            headers.join("\n"),
        ];
        csv_line(&mut out, &cells);
    }
    out
}

fn raw(record: Option<&MessageView>) -> Result<Vec<u8>, Problem> {
    let refused =
        |detail: &str| Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "unprocessable", detail.to_owned());
    let Some(record) = record else { return Err(refused("there is no record at this place")) };
    match &record.value {
        Payload { kind: PayloadKind::Null, .. } => Ok(vec![]),
        Payload { kind: PayloadKind::Binary, masked: 0, cut: false, text, .. } => {
            bytes(text).ok_or_else(|| refused("its bytes could not be read"))
        }
        Payload { masked: 0, .. } => Err(refused("a value of more than 512 KiB is not given as raw bytes")),
        _ => Err(refused("values are masked in it, so its bytes are not given")),
    }
}

fn bytes(hex: &str) -> Option<Vec<u8>> {
    let digits = hex.as_bytes().chunks(2);
    digits.map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn format_is_no_part_of_the_query() {
        assert_eq!(split("a=1&format=csv&b=%26").unwrap(), (Format::Csv, "a=1&b=%26".to_owned()));
        assert!(split("format=xml").is_err());
        assert_eq!(bytes("00ff"), Some(vec![0, 255]));
        assert_eq!(bytes("0g"), None);
    }
}
