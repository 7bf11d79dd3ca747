//! One request to a receiver. Blocks.

use std::time::Duration;

use flowdeck_http::{Trust, client, told};
use serde_json::Value;
use ureq::Agent;

use crate::receiver::Target;
use crate::send::{Failure, LIMIT};

/// Of an answer: it is read for the connection's sake.
const ANSWER_MAX: u64 = 64 * 1024;

pub(crate) struct Poster {
    agent: Agent,
    url: String,
    authorization: Option<String>,
}

impl Poster {
    /// Reads the system's certificates where there are no others.
    pub(crate) fn new(target: &Target) -> Self {
        let agent = client(target.trust()).timeout_global(Some(LIMIT)).build().new_agent();
        let authorization = target.bearer.as_ref().map(|token| format!("Bearer {token}"));
        Self { agent, url: target.url.to_string(), authorization }
    }

    pub(crate) fn post(&self, body: &Value) -> Result<(), Failure> {
        let mut request = self.agent.post(&self.url).content_type("application/json");
        if let Some(authorization) = &self.authorization {
            request = request.header("authorization", authorization);
        }
        let mut answer = request.send(body.to_string()).map_err(|error| Failure {
            words: told(&error),
            after: None,
            is_final: false,
        })?;
        let status = answer.status();
        let after = answer.headers().get("retry-after").and_then(|value| value.to_str().ok()?.parse().ok());
        // What it says matters to nobody: its status does.
        let _ = answer.body_mut().with_config().limit(ANSWER_MAX).read_to_vec();
        if status.is_success() {
            return Ok(());
        }
        let words = match status.as_u16() {
            code @ (300..=399) => format!("it answers {code}, and redirects are not followed"),
            code @ (401 | 403) => format!("it answers {code}: its address or its bearer is not accepted"),
            code => format!("it answers {code}"),
        };
        let is_final = matches!(status.as_u16(), 400 | 413 | 415 | 422);
        Err(Failure { words, after: after.map(Duration::from_secs), is_final })
    }
}

impl Target {
    fn trust(&self) -> &Trust {
        static NOBODY: Trust = Trust::Only(vec![]);
        if self.url.scheme() == "http" { &NOBODY } else { &self.trust }
    }
}
