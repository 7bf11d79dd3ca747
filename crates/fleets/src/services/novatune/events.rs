//! NovaTune's events. Uploads are version 1 of their schema, deletions version 2.

use flowdeck_agent::producer::{Event, TopicFields};
use flowdeck_model::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::events::timestamp;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AudioUploaded {
    pub schema_version: u32,
    pub track_id: Uuid,
    pub user_id: Uuid,
    pub object_key: String,
    pub mime_type: String,
    pub file_size_bytes: u64,
    pub correlation_id: String,
    pub timestamp: String,
}

impl Event for AudioUploaded {
    const TYPE: &'static str = "AudioUploaded";
    const SCHEMA_VERSION: Option<&'static str> = Some("1");

    fn topic() -> TopicFields {
        TopicFields::new("audio-events")
    }

    fn key(&self) -> Option<String> {
        Some(self.track_id.to_string())
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TrackDeleted {
    pub schema_version: u32,
    pub track_id: Uuid,
    pub user_id: Uuid,
    pub object_key: String,
    pub waveform_object_key: Option<String>,
    pub file_size_bytes: u64,
    pub deleted_at: String,
    pub scheduled_deletion_at: String,
    pub correlation_id: String,
    pub timestamp: String,
}

impl Event for TrackDeleted {
    const TYPE: &'static str = "TrackDeleted";
    const SCHEMA_VERSION: Option<&'static str> = Some("2");

    fn topic() -> TopicFields {
        TopicFields::new("track-deletions")
    }

    fn key(&self) -> Option<String> {
        Some(self.track_id.to_string())
    }
}

/// A deleted track's object is kept for so long.
const GRACE_MS: i64 = 24 * 3_600_000;

impl TrackDeleted {
    pub fn random() -> Self {
        let (track_id, user_id) = (Uuid::new_v4(), Uuid::new_v4());
        let now = Timestamp::from_system(std::time::SystemTime::now());
        Self {
            schema_version: 2,
            track_id,
            user_id,
            object_key: format!("audio/{user_id}/{track_id}.mp3"),
            waveform_object_key: Some(format!("waveforms/{track_id}.json")),
            file_size_bytes: 4_000_000,
            deleted_at: now.to_string(),
            scheduled_deletion_at: Timestamp::from_millis(now.millis() + GRACE_MS).to_string(),
            correlation_id: Uuid::new_v4().to_string(),
            timestamp: now.to_string(),
        }
    }
}

/// What MinIO says of an object that was stored, as far as the ingestor reads it.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct MinioEvent {
    pub event_name: String,
    /// `audio/{user}/{track}.mp3`
    pub key: String,
}

impl MinioEvent {
    /// What it means for NovaTune. `None`: it is no upload of a track.
    pub fn uploaded(&self, correlation_id: &str) -> Option<AudioUploaded> {
        let (folder, name) = self.key.rsplit_once('/')?;
        let track_id = name.split_once('.')?.0.parse().ok()?;
        let user_id = folder.strip_prefix("audio/")?.parse().ok()?;
        self.event_name.starts_with("s3:ObjectCreated:").then(|| AudioUploaded {
            schema_version: 1,
            track_id,
            user_id,
            object_key: self.key.clone(),
            mime_type: "audio/mpeg".to_owned(),
            file_size_bytes: 4_000_000,
            correlation_id: correlation_id.to_owned(),
            timestamp: timestamp(),
        })
    }
}
