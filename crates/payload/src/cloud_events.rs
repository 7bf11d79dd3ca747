//! CloudEvents over Kafka: an event in JSON (structured), or attributes in headers beside the data (binary).

use std::borrow::Cow;

use serde::Deserialize;

use crate::decode::Source;

/// The attributes that every event has.
#[derive(Deserialize)]
struct Required<'a> {
    #[serde(borrow)]
    specversion: Option<Cow<'a, str>>,
    #[serde(borrow)]
    id: Option<Cow<'a, str>>,
    #[serde(borrow)]
    source: Option<Cow<'a, str>>,
    #[serde(borrow)]
    r#type: Option<Cow<'a, str>>,
}

/// What is said of an event.
pub(crate) struct Event {
    pub(crate) label: String,
    /// Required attributes that it does not have.
    pub(crate) missing: Vec<&'static str>,
}

/// `text` is JSON. `None`: it is no event.
pub(crate) fn structured(source: &Source<'_>, text: &str) -> Option<Event> {
    let is_said = source.content_type().is_some_and(|kind| kind.starts_with("application/cloudevents"));
    if !is_said && !text.contains("\"specversion\"") {
        return None;
    }
    let event: Required<'_> = serde_json::from_str(text).ok()?;
    let made = made("structured", &event);
    (is_said || made.missing.is_empty()).then_some(made)
}

pub(crate) fn binary(source: &Source<'_>) -> Option<Event> {
    let attribute = |name: &str| source.header(name).map(Cow::Borrowed);
    let specversion = attribute("ce_specversion");
    specversion.is_some().then(|| {
        let event = Required {
            specversion,
            id: attribute("ce_id"),
            source: attribute("ce_source"),
            r#type: attribute("ce_type"),
        };
        made("binary", &event)
    })
}

fn made(mode: &str, event: &Required<'_>) -> Event {
    let all = [
        ("specversion", event.specversion.is_some()),
        ("id", event.id.is_some()),
        ("source", event.source.is_some()),
        ("type", event.r#type.is_some()),
    ];
    let missing = all.into_iter().filter(|(_, is_there)| !is_there).map(|(name, _)| name).collect();
    let version = event.specversion.as_deref().unwrap_or_default();
    let label = format!("CloudEvents {} ({mode})", crate::text::cut(version, 16));
    Event { label: label.replace("  ", " "), missing }
}
