//! What makes an event a CloudEvent 1.0.

use std::collections::BTreeMap;
use std::time::SystemTime;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use flowdeck_model::Timestamp;
use serde::Serialize;
use serde_json::value::RawValue;
use uuid::Uuid;

use super::serializer::is_json;
use crate::failure::BoxError;

/// The attributes. The key is that of the partitioning extension.
pub(super) fn attributes(event: &str, source: &str, key: Option<&str>) -> Vec<(&'static str, String)> {
    let now = Timestamp::from_system(SystemTime::now());
    let mut attributes = vec![
        ("specversion", "1.0".to_owned()),
        ("id", Uuid::new_v4().to_string()),
        ("source", source.to_owned()),
        ("type", event.to_owned()),
        ("time", now.to_string()),
    ];
    attributes.extend(key.map(|key| ("partitionkey", key.to_owned())));
    attributes
}

#[derive(Serialize)]
struct Structured<'a> {
    #[serde(flatten)]
    attributes: BTreeMap<&'static str, String>,
    datacontenttype: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    data_base64: Option<String>,
}

/// The value in structured mode.
pub(super) fn structured(
    attributes: Vec<(&'static str, String)>,
    content_type: &str,
    data: &[u8],
) -> Result<Vec<u8>, BoxError> {
    let json: Option<&RawValue> = is_json(content_type).then(|| serde_json::from_slice(data)).transpose()?;
    let whole = Structured {
        attributes: attributes.into_iter().collect(),
        datacontenttype: content_type,
        data: json,
        data_base64: json.is_none().then(|| STANDARD.encode(data)),
    };
    Ok(serde_json::to_vec(&whole)?)
}
