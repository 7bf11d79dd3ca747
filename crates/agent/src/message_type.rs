//! Which type a message has, by its headers or its envelope.

use serde::Deserialize;

use crate::record::Record;

const KAFKAFLOW: &str = "Message-Type";
const CLOUD_EVENT: &str = "ce_type";

#[derive(Deserialize)]
struct Envelope {
    r#type: String,
}

pub(crate) fn of(record: &Record) -> Option<String> {
    let text = |name| std::str::from_utf8(record.header(name)?).ok();
    if let Some(name) = text(KAFKAFLOW) {
        // `Namespace.Type, Assembly`
        return Some(name.split(',').next().unwrap_or(name).trim().to_owned());
    }
    if let Some(name) = text(CLOUD_EVENT) {
        return Some(name.to_owned());
    }
    let envelope = is_structured(record).then(|| serde_json::from_slice::<Envelope>(record.value()?).ok());
    envelope.flatten().map(|envelope| envelope.r#type)
}

/// A CloudEvent whose attributes are in its value.
pub(crate) fn is_structured(record: &Record) -> bool {
    let content = record.headers().find(|(name, _)| name.eq_ignore_ascii_case("content-type"));
    let content = content.and_then(|(_, value)| std::str::from_utf8(value?).ok());
    content.is_some_and(|content| content.to_ascii_lowercase().starts_with("application/cloudevents"))
}
