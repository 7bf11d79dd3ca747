//! NovaTune's events, schema version 2, with plausible data.

use std::time::{SystemTime, UNIX_EPOCH};

use rand::Rng as _;
use rand::seq::IndexedRandom as _;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// The header that names the schema's version, and the version that these types are.
pub const SCHEMA_HEADER: &str = "schema-version";
pub const SCHEMA_VERSION: u32 = 2;

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AudioUploaded {
    pub schema_version: u32,
    pub track_id: Uuid,
    pub user_id: Uuid,
    pub object_key: String,
    pub mime_type: String,
    pub file_size_bytes: u64,
    pub duration_ms: u32,
    pub title: String,
    pub checksum: String,
    pub correlation_id: Uuid,
    pub timestamp: String,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TrackDeleted {
    pub schema_version: u32,
    pub track_id: Uuid,
    pub user_id: Uuid,
    pub object_key: String,
    pub reason: String,
    /// The object store answers 409 for a locked object: then a handler fails.
    pub object_locked: bool,
    pub correlation_id: Uuid,
    pub timestamp: String,
}

/// What MinIO sends when an object was stored, as far as a reader of it needs.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct ObjectStored {
    pub event_name: String,
    pub key: String,
    pub records: Vec<serde_json::Value>,
}

const KINDS: [(&str, &str); 4] =
    [("audio/mpeg", "mp3"), ("audio/flac", "flac"), ("audio/ogg", "ogg"), ("audio/wav", "wav")];
const FIRST: [&str; 8] = ["Northern", "Slow", "Paper", "Amber", "Static", "Velvet", "Distant", "Copper"];
const SECOND: [&str; 8] = ["Lights", "Motion", "Garden", "Tide", "Signal", "Avenue", "Weather", "Letters"];
const REASONS: [&str; 3] = ["userRequest", "copyrightClaim", "accountClosed"];

fn pick<'a>(words: &[&'a str]) -> &'a str {
    words.choose(&mut rand::rng()).copied().unwrap_or_default()
}

pub(crate) fn timestamp() -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    flowdeck_model::Timestamp::from_millis(i64::try_from(now.as_millis()).unwrap_or(i64::MAX)).to_string()
}

impl AudioUploaded {
    pub fn random() -> Self {
        let mut random = rand::rng();
        let (mime_type, extension) = KINDS[random.random_range(0..KINDS.len())];
        let (track_id, user_id) = (Uuid::new_v4(), Uuid::new_v4());
        let duration_ms: u32 = random.random_range(90_000..420_000);
        Self {
            schema_version: SCHEMA_VERSION,
            track_id,
            user_id,
            object_key: format!("audio/{user_id}/{track_id}.{extension}"),
            mime_type: mime_type.to_owned(),
            file_size_bytes: u64::from(duration_ms) * random.random_range(16..40),
            duration_ms,
            title: format!("{} {}", pick(&FIRST), pick(&SECOND)),
            checksum: format!("{:016x}{:016x}", random.random::<u64>(), random.random::<u64>()),
            correlation_id: Uuid::new_v4(),
            timestamp: timestamp(),
        }
    }
}

impl TrackDeleted {
    /// One in `locked_in` lies under a lock.
    pub fn random(locked_in: u32) -> Self {
        let (track_id, user_id) = (Uuid::new_v4(), Uuid::new_v4());
        Self {
            schema_version: SCHEMA_VERSION,
            track_id,
            user_id,
            object_key: format!("audio/{user_id}/{track_id}.mp3"),
            reason: pick(&REASONS).to_owned(),
            object_locked: rand::rng().random_range(0..locked_in.max(1)) == 0,
            correlation_id: Uuid::new_v4(),
            timestamp: timestamp(),
        }
    }
}

impl ObjectStored {
    pub fn random() -> Self {
        let key = format!("audio/{}/{}.mp3", Uuid::new_v4(), Uuid::new_v4());
        let size = rand::rng().random_range(2_000_000..12_000_000);
        let name = "s3:ObjectCreated:Put";
        Self {
            event_name: name.to_owned(),
            records: vec![serde_json::json!({
                "eventVersion": "2.0",
                "eventSource": "minio:s3",
                "eventTime": timestamp(),
                "eventName": name,
                "s3": { "bucket": { "name": "novatune" }, "object": { "key": &key, "size": size } },
            })],
            key,
        }
    }
}
