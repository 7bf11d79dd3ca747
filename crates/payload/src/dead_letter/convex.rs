//! Convex's dead letters: JSON with the message in it.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::{DeadLetter, FailedAt, Shape};

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Convex<'a> {
    #[serde(borrow)]
    original_topic: Cow<'a, str>,
    #[serde(borrow)]
    pub(super) original_message: &'a RawValue,
    #[serde(borrow, default)]
    error_message: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    failed_at: Option<Cow<'a, str>>,
}

pub(super) fn read(value: &[u8]) -> Option<Convex<'_>> {
    // Most values are not it, and their JSON is not read to its end.
    let text = std::str::from_utf8(value).ok()?;
    if !text.trim_start().starts_with('{') || !text.contains("\"OriginalTopic\"") {
        return None;
    }
    serde_json::from_str(text).ok()
}

impl<'a> Convex<'a> {
    pub(super) fn letter(self) -> DeadLetter<'a> {
        DeadLetter {
            topic: Some(self.original_topic),
            error: self.error_message,
            failed_at: self.failed_at.map(FailedAt::Text),
            ..DeadLetter::of(Shape::Convex)
        }
    }

    /// Whether an agent wrote it together with these headers. A Convex letter that an agent could not handle itself is the
    /// original, and says something else than they do.
    pub(super) fn is_of(&self, letter: &DeadLetter<'_>) -> bool {
        letter.topic.as_deref() == Some(&self.original_topic)
            && letter.error.as_deref() == self.error_message.as_deref()
    }

    /// The bytes of the message: JSON as it lies in the letter, and of a text its characters. `None`: a tombstone.
    pub(super) fn message(&self) -> Option<Cow<'a, [u8]>> {
        let json = self.original_message.get();
        match json.as_bytes().first() {
            Some(b'"') => {
                let text: Cow<'a, str> = serde_json::from_str::<Text<'a>>(json).ok()?.0;
                Some(match text {
                    Cow::Borrowed(text) => Cow::Borrowed(text.as_bytes()),
                    Cow::Owned(text) => Cow::Owned(text.into_bytes()),
                })
            }
            _ if json == "null" => None,
            _ => Some(Cow::Borrowed(json.as_bytes())),
        }
    }
}

#[derive(Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);
