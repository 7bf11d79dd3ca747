//! Commands by API and by form.

use axum::body::Body;
use flowdeck_model::PauseEnd;
use http::StatusCode;
use serde_json::{Value, json};

use crate::memory::{LOST, TWICE_PAUSED};
use crate::support::{Answer, Site, form, get, post, site};

const API: &str = "/kafkaflow/api/v1/clusters/demo/commands";
const FORM: &str = "/kafkaflow/c/demo/commands";
const ID: &str = "6fa459ea-ee8a-4ca4-894e-db77e160355e";

fn pause() -> Value {
    json!({ "id": ID, "action": "pause", "target": { "group": "a/b" }, "reason": "INC-1", "forSeconds": 60 })
}

async fn send(site: &Site, body: &Value) -> Answer {
    site.ask(post(API, "application/json", body.to_string())).await
}

#[tokio::test]
async fn accepted_command_has_location() {
    let site = site();
    let answer = send(&site, &pause()).await;
    assert_eq!(answer.status, StatusCode::ACCEPTED);
    assert_eq!(answer.json(), json!({ "id": ID, "state": "sent", "existing": false }));
    assert_eq!(answer.header("location"), format!("{API}/{ID}"));
    let command = site.get(answer.header("location")).await.json();
    assert_eq!((&command["id"], &command["target"]["group"]), (&ID.into(), &"a/b".into()));
    for field in ["action", "actor", "state", "instances"] {
        assert!(command.get(field).is_some(), "{field}");
    }
}

#[tokio::test]
async fn same_id_is_the_same_command() {
    let site = site();
    send(&site, &pause()).await;
    let again = send(&site, &pause()).await;
    assert_eq!((again.status, &again.json()["existing"]), (StatusCode::ACCEPTED, &true.into()));
    let mut other = pause();
    other["reason"] = "INC-2".into();
    assert_eq!(send(&site, &other).await.status, StatusCode::CONFLICT);
    assert_eq!(site.memory.submitted().len(), 1);
}

#[tokio::test]
async fn missing_id_is_generated() {
    let site = site();
    let mut body = pause();
    body.as_object_mut().unwrap().remove("id");
    let (first, second) = (send(&site, &body).await.json(), send(&site, &body).await.json());
    assert_ne!(first["id"], second["id"]);
}

#[tokio::test]
async fn what_is_refused() {
    let site = site();
    let with = |field: &str, value: Value| {
        let mut body = pause();
        body[field] = value;
        body
    };
    for (body, status, field) in [
        (with("reason", "".into()), 400, "reason"),
        (with("colour", 1.into()), 400, "colour"),
        (with("target", json!({ "group": "g", "topic": "t" })), 400, "target.topic"),
        (with("target", json!({ "group": "error-unprocessable" })), 422, ""),
        (with("target", json!({ "group": "error-unavailable" })), 503, ""),
    ] {
        let answer = send(&site, &body).await;
        assert_eq!(answer.status, status, "{body}");
        assert_eq!(answer.json()["field"].as_str().unwrap_or_default(), field);
    }
    let observe = post("/kafkaflow/api/v1/clusters/prod/commands", "application/json", pause().to_string());
    let observe = site.ask(observe).await;
    assert_eq!(
        (observe.status, observe.json()["type"].clone()),
        (StatusCode::FORBIDDEN, "urn:flowdeck:problem:observe-mode".into())
    );
    let typed = site.ask(post(API, "text/plain", pause().to_string())).await;
    assert_eq!(typed.status, StatusCode::UNSUPPORTED_MEDIA_TYPE);
    let long = site.ask(post(API, "application/json", vec![b' '; 70_000])).await;
    assert_eq!(long.status, StatusCode::PAYLOAD_TOO_LARGE);
    assert_eq!(site.memory.submitted().len(), 0);
}

#[tokio::test]
async fn oversized_body_is_cut() {
    let site = site();
    let chunks = futures::stream::iter((0..100).map(|_| Ok::<_, std::io::Error>(vec![b' '; 1_000])));
    let answer = site.ask(post(API, "application/json", Body::from_stream(chunks))).await;
    assert_eq!(answer.status, StatusCode::PAYLOAD_TOO_LARGE);
}

const FIELDS: [(&str, &str); 6] = [
    ("id", ID),
    ("action", "pause"),
    ("group", "a/b"),
    ("topic", ""),
    ("reason", " INC-1 "),
    ("forSeconds", ""),
];

#[tokio::test]
async fn form_redirects_to_command_and_is_idempotent() {
    let site = site();
    for _ in 0..2 {
        let answer = site.ask(form(FORM, &FIELDS)).await;
        assert_eq!(answer.status, StatusCode::SEE_OTHER);
        assert_eq!(answer.header("location"), format!("{FORM}/{ID}"));
    }
    let [submitted] = &site.memory.submitted()[..] else { panic!("one command") };
    assert_eq!((submitted.target.group.as_str(), submitted.reason.as_str()), ("a/b", "INC-1"));
    assert_eq!((submitted.ends, submitted.target.topics.len()), (None, 0));
}

/// The button beside one pause: a resume would end the other one, too.
#[tokio::test]
async fn resume_beside_one_of_two_pauses_leads_to_the_form() {
    let site = site();
    site.memory.set_lag(TWICE_PAUSED, 5);
    let fields = |topic| [("id", ID), ("action", "resume"), ("group", TWICE_PAUSED), ("topic", topic)];
    let alone = [FORM, "?alone"].concat();
    for (topic, query) in [("", "form=resume"), ("orders", "form=resume&topic=orders")] {
        let answer = site.ask(form(&alone, &fields(topic))).await;
        assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.body);
        let page = format!("/kafkaflow/c/demo/groups/{TWICE_PAUSED}?{query}#form");
        assert_eq!(answer.header("location"), page);
    }
    assert_eq!(site.memory.submitted().len(), 0);
    // Of another topic the group's pause is the only one.
    for (address, topic) in [(&*alone, "refunds"), (FORM, "orders")] {
        let mut fields = fields(topic);
        let id = uuid::Uuid::new_v4().to_string();
        fields[0].1 = &id;
        let answer = site.ask(form(address, &fields)).await;
        assert_eq!(answer.header("location"), format!("{FORM}/{id}"), "{address}, {topic}");
    }
    assert_eq!(site.memory.submitted().len(), 2);
}

#[tokio::test]
async fn refused_form_shows_its_page_with_the_reason() {
    let site = site();
    let with = |name: &'static str, value: &'static str| {
        let mut fields = FIELDS.to_vec();
        fields.retain(|(field, _)| *field != name);
        fields.push((name, value));
        fields
    };
    for (fields, status, words) in [
        (with("reason", ""), 400, "say why"),
        (with("topic", "a b"), 400, "no topic name"),
        (with("forSeconds", "soon"), 400, "a whole number of seconds"),
        (with("id", ""), 400, "it is missing"),
        (with("group", "error-unprocessable"), 422, "nobody listens"),
    ] {
        let answer = site.ask(form(FORM, &fields)).await;
        assert_eq!(answer.status, status, "{fields:?}");
        assert_eq!(answer.header("content-type"), "text/html; charset=utf-8");
        assert!(answer.body.contains("Nothing was done") && answer.body.contains(words), "{words}");
        // The page of another URL: the browser's router must not take it over.
        assert!(!answer.body.contains("type=\"module\""));
    }
    let observe = site.ask(form("/kafkaflow/c/prod/commands", &with("group", "payments"))).await;
    assert_eq!(observe.status, StatusCode::FORBIDDEN);
    assert!(observe.body.contains("observe mode"));
    assert_eq!(site.ask(form("/kafkaflow/c/~/commands", &FIELDS)).await.status, StatusCode::NOT_FOUND);
    assert_eq!(site.memory.submitted().len(), 0);
}

const UNKNOWN: &str = "It is not known whether this was taken";

/// What was taken, and whose answer is lost: the form that comes back asks for the same operation.
#[tokio::test]
async fn form_whose_outcome_is_not_known_is_the_same_operation_again() {
    let site = site();
    let mut fields = FIELDS.to_vec();
    fields.retain(|(name, _)| !["group", "reason"].contains(name));
    fields.extend([("group", "payments"), ("reason", LOST)]);
    let answer = site.ask(form(FORM, &fields)).await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(answer.body.contains(UNKNOWN) && !answer.body.contains("Nothing was done"), "{}", answer.body);
    assert!(answer.body.contains(&format!("{FORM}/{ID}")), "its page: {}", answer.body);
    let hidden = answer.body.split("name=\"id\"").nth(1).expect("the form");
    assert!(hidden[..hidden.find('>').unwrap()].contains(ID), "{}", answer.body);
    assert!(answer.body.contains(&format!("value=\"{LOST}\"")), "{}", answer.body);
    let again = site.ask(form(FORM, &fields)).await;
    assert_eq!((again.status, again.header("location")), (StatusCode::SEE_OTHER, &*format!("{FORM}/{ID}")));
    assert_eq!(site.memory.submitted().len(), 1);

    fields.retain(|(name, _)| *name != "reason");
    let refused = site.ask(form(FORM, &fields)).await;
    assert!(refused.body.contains("Nothing was done") && !refused.body.contains(UNKNOWN));
    let hidden = refused.body.split("name=\"id\"").nth(1).expect("the form");
    assert!(!hidden[..hidden.find('>').unwrap()].contains(ID), "a new one: {}", refused.body);
}

#[tokio::test]
async fn operation_of_many_groups_whose_outcome_is_not_known_is_named() {
    let site = site();
    let request = json!({
        "id": ID, "action": "pause", "groups": [{ "group": "payments" }], "reason": LOST,
    });
    let answer = site
        .ask(post("/kafkaflow/api/v1/clusters/demo/bulks", "application/json", request.to_string()))
        .await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    let problem = answer.json();
    assert_eq!(problem["type"], "urn:flowdeck:problem:in-doubt");
    assert!(problem["detail"].as_str().unwrap().contains(ID), "{problem}");
}

#[tokio::test]
async fn custom_duration_is_in_minutes_and_kept_in_refused_form() {
    let site = site();
    let fields = |minutes: &'static str| {
        let mut fields = FIELDS.to_vec();
        fields.retain(|(field, _)| !["group", "forSeconds"].contains(field));
        fields.extend([("group", "payments"), ("forSeconds", "minutes"), ("minutes", minutes)]);
        fields
    };
    for minutes in ["", "soon", "-1", "99999999", "43201"] {
        let refused = site.ask(form(FORM, &fields(minutes))).await;
        assert_eq!(refused.status, 400, "{minutes}");
        assert!(refused.body.contains("value=\" INC-1 \""), "{}", refused.body);
        assert!(refused.body.contains(&format!("value=\"{minutes}\"")), "{}", refused.body);
        let own = refused.body.split("value=\"minutes\"").nth(1).unwrap();
        assert!(own[..own.find('>').unwrap()].contains("checked"), "{}", refused.body);
    }
    assert_eq!(site.memory.submitted().len(), 0);
    assert_eq!(site.ask(form(FORM, &fields(" 90 "))).await.status, StatusCode::SEE_OTHER);
    assert_eq!(site.memory.submitted()[0].ends, Some(PauseEnd::After(90 * 60)));
}

/// The form's time has no zone: it is UTC, as the form says. It counts where its choice was made.
#[tokio::test]
async fn pause_until_a_time_is_in_utc_and_kept_in_refused_form() {
    let site = site();
    let fields = |length: &'static str, until: &'static str| {
        let mut fields = FIELDS.to_vec();
        fields.retain(|(field, _)| !["group", "forSeconds"].contains(field));
        fields.extend([("group", "payments"), ("forSeconds", length), ("minutes", "30"), ("until", until)]);
        fields
    };
    for until in ["", "soon", "14:08"] {
        let refused = site.ask(form(FORM, &fields("until", until))).await;
        assert_eq!(refused.status, 400, "{until}");
        assert!(refused.body.contains("a time in UTC"), "{}", refused.body);
        let own = refused.body.split("value=\"until\"").nth(1).unwrap();
        assert!(own[..own.find('>').unwrap()].contains("checked"), "{}", refused.body);
    }
    assert_eq!(site.memory.submitted().len(), 0);
    assert_eq!(
        site.ask(form(FORM, &fields("until", "2026-11-30T14:08"))).await.status,
        StatusCode::SEE_OTHER
    );
    let end = "2026-11-30T14:08:00Z".parse().unwrap();
    assert_eq!(site.memory.submitted()[0].ends, Some(PauseEnd::At(end)));
    // Sent again it is the same command; with a duration under the same id it is another one.
    assert_eq!(
        site.ask(form(FORM, &fields("until", "2026-11-30T14:08"))).await.status,
        StatusCode::SEE_OTHER
    );
    assert_eq!(site.memory.submitted().len(), 1);
    assert_eq!(site.ask(form(FORM, &fields("900", "2026-11-30T14:08"))).await.status, StatusCode::CONFLICT);
}

/// What is refused shows the page of partitions again, with the same of them ticked.
#[tokio::test]
async fn partitions_of_a_topic() {
    let site = site();
    let fields = |reason: &'static str| {
        [
            ("id", ID),
            ("action", "pause"),
            ("group", "payments"),
            ("topic", "orders"),
            ("partition", "0"),
            ("partition", "2"),
            ("reason", reason),
        ]
    };
    let refused = site.ask(form(FORM, &fields(""))).await;
    assert_eq!(refused.status, 400);
    assert!(
        refused.body.contains("Pause partitions") && refused.body.contains("say why"),
        "{}",
        refused.body
    );
    assert!(!refused.body.contains("type=\"module\""));
    assert_eq!(site.ask(form(FORM, &fields("INC-1"))).await.status, StatusCode::SEE_OTHER);
    let target = site.memory.submitted()[0].target.to_string();
    assert_eq!(target, "topic orders, partitions 0, 2 in payments");
    let wrong = [&fields("INC-1")[..], &[("partition", "-1")]].concat();
    assert_eq!(site.ask(form(FORM, &wrong)).await.status, 400);
}

#[tokio::test]
async fn several_topics() {
    let site = site();
    let mut fields = FIELDS.to_vec();
    fields.extend([("topic", "a"), ("topic", "b")]);
    assert_eq!(site.ask(form(FORM, &fields)).await.status, StatusCode::SEE_OTHER);
    assert_eq!(site.memory.submitted()[0].target.to_string(), "topics a, b in a/b");
}

#[tokio::test]
async fn a_command_that_is_not_there() {
    let site = site();
    for id in [ID, "7", "~"] {
        let answer = site.ask(get(&format!("{API}/{id}"))).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{id}");
    }
}
