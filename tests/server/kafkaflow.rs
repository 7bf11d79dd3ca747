//! KafkaFlow's own HTTP contracts: each call that was recorded from a real KafkaFlow, asked of ours.

use axum::body::Body;
use flowdeck_model::Action;
use flowdeck_model::view::TelemetryView;
use flowdeck_model::{GroupId, Submit, TopicName};
use flowdeck_protocol::Headers;
use flowdeck_protocol::kafkaflow::{Command, Decoded, MESSAGE_TYPE, Message, decode};
use http::{Request, StatusCode};
use serde_json::Value;

use self::shape::Shape;
use crate::memory::cluster;
use crate::support::{Answer, Site, options, site_with};

mod shape;
mod told;

const HTTP: &str = include_str!("golden/kafkaflow-http.json");
const TELEMETRY: &str = include_str!("golden/kafkaflow-telemetry.json");

/// Where ours is better on purpose: the status, and whether anything is done.
const BETTER: [(&str, u16, bool); 15] = [
    ("one consumer, name percent-encoded", 200, false),
    ("pause consumer whose name needs percent-encoding", 202, true),
    ("resume consumer whose name needs percent-encoding", 202, true),
    ("pause group, empty topic", 400, false),
    ("rewind, empty object", 400, false),
    ("dashboard: rewind, bad date", 400, false),
    ("dashboard: change workers, text", 400, false),
    ("dashboard: change workers, zero", 400, false),
    ("dashboard: unknown consumer", 404, false),
    ("dashboard: unknown topic", 404, false),
    ("dashboard: consumer percent-encoded", 200, true),
    ("dashboard: resume it", 200, true),
    ("unknown route", 404, false),
    ("wrong method on a group", 405, false),
    ("dashboard page", 200, false),
];

fn site() -> Site {
    let mut options = options();
    options.default_cluster = Some(cluster("demo"));
    site_with(options)
}

fn states() -> Vec<Value> {
    serde_json::from_str(TELEMETRY).unwrap()
}

fn bytes(hex: &str) -> Vec<u8> {
    let digits = hex.as_bytes().chunks(2);
    digits.map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
}

fn message(record: &Value) -> Message {
    let kind = record["headers"][0][1].as_str().unwrap().as_bytes();
    let headers: Headers<'_> = [(MESSAGE_TYPE, kind)].into_iter().collect();
    match decode(&headers, Some(&bytes(record["valueHex"].as_str().unwrap()))) {
        Decoded::Message(message) => message,
        other => panic!("{other:?}"),
    }
}

fn telemetry(state: &Value) -> TelemetryView {
    let records = state["records"].as_array().unwrap().iter().map(message);
    told::view(records.map(|message| match message {
        Message::Telemetry(telemetry) => telemetry,
        other => panic!("{other:?}"),
    }))
}

async fn ask(site: &Site, request: &Value) -> Answer {
    let builder = Request::builder()
        .method(request["method"].as_str().unwrap())
        .uri(request["path"].as_str().unwrap())
        .header("host", "localhost:8077");
    let (kind, body) = match &request["body"] {
        Value::Null => (None, String::new()),
        // Raw text: what is no JSON was sent as JSON, what is was sent as text.
        Value::String(text) if text.starts_with("{\"") => (Some("text/plain"), text.clone()),
        Value::String(text) => (Some("application/json"), text.clone()),
        json => (Some("application/json; charset=utf-8"), json.to_string()),
    };
    let builder = kind.into_iter().fold(builder, |builder, kind| builder.header("content-type", kind));
    site.ask(builder.body(Body::from(body)).unwrap()).await
}

/// KafkaFlow's command for what was submitted. The time of a rewind is compared beside it.
fn commanded(submit: &Submit) -> (&'static str, String, Vec<TopicName>) {
    let name = match (submit.action, &submit.target.consumer) {
        (Action::Pause, None) => "PauseConsumersByGroup",
        (Action::Resume, None) => "ResumeConsumersByGroup",
        (Action::Pause, _) => "PauseConsumerByName",
        (Action::Resume, _) => "ResumeConsumerByName",
        (Action::Reset, _) => "ResetConsumerOffset",
        (Action::Rewind { .. }, _) => "RewindConsumerOffsetToDateTime",
        (Action::Restart, _) => "RestartConsumerByName",
        (Action::Start, _) => "StartConsumerByName",
        (Action::Stop, _) => "StopConsumerByName",
        (Action::ChangeWorkers { .. }, _) => "ChangeConsumerWorkersCount",
        (Action::SetOffsets | Action::DeleteGroup, _) => panic!("KafkaFlow has no such command"),
    };
    let whom =
        submit.target.consumer.as_ref().map_or(submit.target.group.as_str(), |consumer| consumer.as_str());
    (name, whom.to_owned(), submit.target.topics.clone())
}

fn same_values(command: &Command, submit: &Submit) -> bool {
    match (command, submit.action) {
        (Command::RewindConsumerOffsetToDateTime { date_time, .. }, Action::Rewind { to }) => {
            date_time.timestamp() == to
        }
        (Command::ChangeConsumerWorkersCount { workers, .. }, Action::ChangeWorkers { workers: asked }) => {
            u32::try_from(*workers).ok() == Some(asked.get())
        }
        _ => true,
    }
}

/// What is wrong with the answer to one call, in words.
async fn replay(site: &Site, case: &Value) -> Vec<String> {
    let name = case["name"].as_str().unwrap();
    let better = BETTER.iter().find(|(better, ..)| *better == name);
    let before = site.memory.submitted().len();
    let answer = ask(site, &case["request"]).await;
    let submitted = &site.memory.submitted()[before..];
    let records = case["records"].as_array().unwrap();
    let mut wrong = vec![];

    let status =
        better.map_or_else(|| case["response"]["status"].as_u64().unwrap() as u16, |(_, status, _)| *status);
    if answer.status.as_u16() != status {
        wrong.push(format!("status {}, not {status}: {}", answer.status, answer.body));
    }
    if let Some((.., done)) = better {
        if submitted.len() != usize::from(*done) {
            wrong.push(format!("{} operations", submitted.len()));
        }
        return wrong;
    }
    if let Some(kind) = case["response"]["contentType"].as_str()
        && answer.header("content-type") != kind
    {
        wrong.push(format!("content type {:?}, not {kind:?}", answer.header("content-type")));
    }
    let theirs = case["response"]["body"].as_str().unwrap_or_default();
    if theirs.starts_with('{') {
        let (ours, theirs) = (Shape::of(&answer.body), Shape::of(theirs));
        wrong.extend(ours.differs(&theirs, "$"));
    } else if answer.status.is_success() && !answer.body.is_empty() {
        wrong.push(format!("a body: {}", answer.body));
    }
    if submitted.len() != records.len() {
        wrong.push(format!("{} operations, {} records of KafkaFlow's", submitted.len(), records.len()));
    }
    for (submit, record) in submitted.iter().zip(records) {
        let Message::Command(command) = message(record) else { panic!("{record}") };
        let (kind, whom, topics) = command.parts();
        if commanded(submit) != (kind, whom.to_owned(), topics.to_vec()) || !same_values(&command, submit) {
            wrong.push(format!("{submit:?}, not {command:?}"));
        }
        if submit.reason != "KafkaFlow API" || !answer.header("location").contains(&submit.id.to_string()) {
            wrong.push(format!("reason {:?}, location {:?}", submit.reason, answer.header("location")));
        }
    }
    wrong
}

#[tokio::test]
async fn recorded_calls_are_answered_as_kafkaflow_answers_them() {
    let site = site();
    site.memory.set_telemetry(telemetry(&states()[0]));
    let cases: Vec<Value> = serde_json::from_str(HTTP).unwrap();
    let mut wrong = String::new();
    for case in &cases {
        for line in replay(&site, case).await {
            wrong.push_str(&format!("{}: {line}\n", case["name"].as_str().unwrap()));
        }
    }
    assert!(wrong.is_empty(), "\n{wrong}");
    let named: Vec<_> = cases.iter().map(|case| case["name"].as_str().unwrap()).collect();
    for (better, ..) in BETTER {
        assert!(named.contains(&better), "no call has the name {better:?}");
    }
}

/// Times are those of Flowdeck's own clock; lists have an order of their own; the brokers tell the lag.
fn comparable(mut telemetry: Value) -> Value {
    let groups = telemetry["groups"].as_array_mut().unwrap();
    groups.sort_by_key(|group| group["groupId"].to_string());
    for group in groups {
        let consumers = group["consumers"].as_array_mut().unwrap();
        consumers.sort_by_key(|consumer| consumer["name"].to_string());
        for consumer in consumers {
            let assignments = consumer["assignments"].as_array_mut().unwrap();
            assignments.sort_by_key(|one| (one["topicName"].to_string(), one["instanceName"].to_string()));
            for assignment in assignments {
                let update = assignment["lastUpdate"].as_str().unwrap();
                assert!(!update.ends_with('Z') && update.starts_with("2026-11-"), "{update}");
                assignment["lastUpdate"] = Value::Null;
                assignment["lag"] = Value::Null;
            }
        }
    }
    telemetry
}

#[tokio::test]
async fn telemetry_routes_tell_what_kafkaflow_tells_from_the_same_records() {
    let site = site();
    for state in states() {
        site.memory.set_telemetry(telemetry(&state));
        for (path, key) in [
            ("/kafkaflow/telemetry", "webApiTelemetry"),
            ("/kafkaflow/consumers/telemetry", "dashboardTelemetry"),
        ] {
            let answer = site.get(path).await;
            assert_eq!(answer.status, StatusCode::OK, "{path}");
            assert_eq!(
                comparable(answer.json()),
                comparable(state[key].clone()),
                "{path}: {}",
                state["state"]
            );
        }
    }
}

#[tokio::test]
async fn observe_mode_and_ambiguous_names_are_refused() {
    let mut options = options();
    options.default_cluster = Some(cluster("prod"));
    let observed = site_with(options);
    observed.memory.set_telemetry(telemetry(&states()[0]));
    let pause =
        serde_json::json!({"method": "POST", "path": "/kafkaflow/groups/orders-service/pause", "body": null});
    assert_eq!(ask(&observed, &pause).await.status, StatusCode::FORBIDDEN);

    let site = site();
    let mut twice = telemetry(&states()[0]);
    let mut other = twice.groups.iter().find(|one| one.group.as_str() == "orders-service").unwrap().clone();
    other.group = GroupId::from("other-service");
    twice.groups.push(other);
    site.memory.set_telemetry(twice);
    let stop = serde_json::json!({"method": "PUT", "path": "/kafkaflow/consumers/orders-consumer/stop", "body": null});
    let answer = ask(&site, &stop).await;
    assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{}", answer.body);
    assert!(site.memory.submitted().is_empty());
}

#[tokio::test]
async fn without_a_cluster_there_is_nothing() {
    let site = site_with(options());
    assert_eq!(site.get("/kafkaflow/telemetry").await.status, StatusCode::NOT_FOUND);
}
