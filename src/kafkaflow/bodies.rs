//! Bodies and the query as ASP.NET takes them: names of fields in any case, unknown ones passed over, numbers as text too.

use axum::body::Bytes;
use flowdeck_model::action::Workers;
use flowdeck_model::{Timestamp, TopicName};
use http::HeaderMap;
use http::header::CONTENT_TYPE;
use serde_json::{Map, Value};

use super::problem::KafkaFlowProblem;

type Parsed<T> = Result<T, KafkaFlowProblem>;

/// `{"confirm": true}`.
pub(super) fn confirmed(headers: &HeaderMap, body: &Bytes) -> Parsed<()> {
    match field(&object(headers, body)?, "confirm") {
        Some(Value::Bool(true)) => Ok(()),
        None | Some(Value::Bool(false)) => {
            Err(KafkaFlowProblem::bad_request("a reset is done with {\"confirm\": true} only"))
        }
        Some(_) => Err(KafkaFlowProblem::field("$.confirm", "true or false")),
    }
}

/// `{"date": "2026-11-29T08:00:00Z"}`. A date without a zone is UTC.
pub(super) fn date(headers: &HeaderMap, body: &Bytes) -> Parsed<Timestamp> {
    let object = object(headers, body)?;
    let date = field(&object, "date").and_then(Value::as_str).and_then(Timestamp::parse_given);
    date.ok_or_else(|| KafkaFlowProblem::field("$.date", "a time, such as 2026-11-29T08:00:00Z"))
}

/// `{"workersCount": 5}`.
pub(super) fn workers(headers: &HeaderMap, body: &Bytes) -> Parsed<Workers> {
    let number = match field(&object(headers, body)?, "workersCount") {
        None => 0,
        Some(Value::Number(number)) => number.as_i64().unwrap_or(i64::MAX),
        Some(Value::String(text)) => text.parse().unwrap_or(i64::MAX),
        Some(_) => i64::MAX,
    };
    if i32::try_from(number).is_err() {
        return Err(KafkaFlowProblem::field("$.workersCount", "a whole number"));
    }
    workers_of(number)
}

pub(super) fn workers_of(number: i64) -> Parsed<Workers> {
    let count = u32::try_from(number).ok().and_then(|count| Workers::try_from(count).ok());
    count.ok_or_else(|| {
        KafkaFlowProblem::bad_request(format!("a workers count is {}", flowdeck_model::action::WorkersError))
    })
}

/// `?topics=a&topics=b`; none means all.
pub(super) fn topics(query: Option<&str>) -> Parsed<Vec<TopicName>> {
    let pairs = form_urlencoded::parse(query.unwrap_or_default().as_bytes());
    let named = pairs.filter(|(name, _)| name.eq_ignore_ascii_case("topics"));
    named
        .map(|(_, topic)| {
            topic.parse().map_err(|error| KafkaFlowProblem::bad_request(format!("topics: {error}")))
        })
        .collect()
}

fn object(headers: &HeaderMap, body: &Bytes) -> Parsed<Map<String, Value>> {
    if body.is_empty() {
        return Err(KafkaFlowProblem::field("", "a body of JSON is needed"));
    }
    let kind = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    if !kind.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case("application/json") {
        return Err(KafkaFlowProblem::media_type());
    }
    match serde_json::from_slice(body) {
        Ok(Value::Object(object)) => Ok(object),
        Ok(_) => Err(KafkaFlowProblem::field("$", "a JSON object")),
        Err(error) => Err(KafkaFlowProblem::field("$", format!("no JSON: {error}"))),
    }
}

fn field<'a>(object: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    object.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value)
}
