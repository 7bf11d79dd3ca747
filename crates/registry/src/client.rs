//! The two questions that are asked of a registry: a schema by its id, and one version of a subject.

use std::time::{Duration, Instant};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use flowdeck_http::{client, told};
use serde::Deserialize;
use ureq::Agent;
use url::Url;

use crate::settings::{Credentials, RegistrySettings};

/// Bytes of one answer.
const ANSWER_MAX: u64 = 1024 * 1024;

pub(crate) struct Client {
    agent: Agent,
    url: Url,
    authorization: Option<String>,
}

/// A schema as the registry tells it.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Registered {
    pub(crate) schema: String,
    /// Absent: Avro.
    #[serde(rename = "schemaType")]
    pub(crate) kind: Option<String>,
    #[serde(default)]
    pub(crate) references: Vec<Reference>,
}

pub(crate) enum Format<'a> {
    Avro,
    Protobuf,
    Json,
    Other(&'a str),
}

impl Registered {
    pub(crate) fn format(&self) -> Format<'_> {
        match self.kind.as_deref() {
            None | Some("AVRO") => Format::Avro,
            Some("PROTOBUF") => Format::Protobuf,
            Some("JSON") => Format::Json,
            Some(other) => Format::Other(other),
        }
    }
}

#[derive(Debug, Clone, Deserialize, PartialEq, Eq, Hash)]
pub(crate) struct Reference {
    /// The path of an import, of Protobuf.
    pub(crate) name: String,
    pub(crate) subject: String,
    pub(crate) version: i32,
}

/// Why there is no answer. The text says what happened, and not of which schema.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Failure {
    NotFound,
    /// Its credentials do not suffice.
    Refused(u16),
    Unreachable(String),
    /// An answer that is none.
    Unusable(String),
}

impl Client {
    pub(crate) fn new(settings: &RegistrySettings) -> Self {
        // Credentials go to the registry that is configured, and nowhere else.
        let config = client(&settings.trust()).proxy(None);
        let authorization = settings.credentials.as_ref().map(|credentials| match credentials {
            Credentials::Basic { username, password } => {
                ["Basic ", &BASE64_STANDARD.encode([username, ":", password].concat())].concat()
            }
            Credentials::Bearer(token) => ["Bearer ", token].concat(),
        });
        Self { agent: config.build().new_agent(), url: settings.url.clone(), authorization }
    }

    /// For messages.
    pub(crate) fn address(&self) -> &str {
        self.url.as_str().trim_end_matches('/')
    }

    pub(crate) fn by_id(&self, id: u32, until: Instant) -> Result<Registered, Failure> {
        self.get(&["schemas", "ids", &id.to_string()], until)
    }

    pub(crate) fn version(&self, reference: &Reference, until: Instant) -> Result<Registered, Failure> {
        self.get(&["subjects", &reference.subject, "versions", &reference.version.to_string()], until)
    }

    fn get(&self, path: &[&str], until: Instant) -> Result<Registered, Failure> {
        let mut url = self.url.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(path);
        }
        let left = until.saturating_duration_since(Instant::now());
        if left < Duration::from_millis(1) {
            return Err(Failure::Unreachable("it took too long".to_owned()));
        }
        let mut request = self.agent.get(url.as_str());
        if let Some(authorization) = &self.authorization {
            request = request.header("authorization", authorization);
        }
        let accepted = "application/vnd.schemaregistry.v1+json, application/json";
        let request = request.header("accept", accepted).config().timeout_global(Some(left)).build();
        let mut answer = request.call().map_err(|error| Failure::Unreachable(told(&error)))?;
        match answer.status().as_u16() {
            200 => {}
            404 => return Err(Failure::NotFound),
            status @ (401 | 403) => return Err(Failure::Refused(status)),
            // A server that has too much to do, fails, or is another one.
            status @ (300..=399 | 408 | 429 | 500..) => {
                return Err(Failure::Unreachable(format!("it answers {status}")));
            }
            status => return Err(Failure::Unusable(format!("it answers {status}"))),
        }
        let body = answer.body_mut().with_config().limit(ANSWER_MAX).read_to_vec();
        let body = body.map_err(|error| match error {
            ureq::Error::BodyExceedsLimit(_) => {
                Failure::Unusable(format!("it is larger than {} KiB", ANSWER_MAX / 1024))
            }
            error => Failure::Unreachable(told(&error)),
        })?;
        serde_json::from_slice(&body).map_err(|_| {
            Failure::Unusable("the answer is no schema: is its url that of the registry's API?".to_owned())
        })
    }
}
