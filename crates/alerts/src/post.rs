//! One request to a receiver. Blocks.

use std::time::{Duration, Instant};

use flowdeck_http::{Trust, client, told};
use flowdeck_model::view::GroupLabels;
use flowdeck_model::{ClusterName, Level, Timestamp, Verdict};
use serde_json::Value;
use ureq::Agent;

use crate::alert::{Alert, What};
use crate::format;
use crate::receiver::{Receiver, Target};

const LIMIT: Duration = Duration::from_secs(10);
/// Of an answer: it is read for the connection's sake.
const ANSWER_MAX: u64 = 64 * 1024;

pub(crate) struct Poster {
    agent: Agent,
    url: String,
    authorization: Option<String>,
}

/// The words do not name the address beyond its host.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) words: String,
    /// When the receiver wants the next try.
    pub(crate) after: Option<Duration>,
    /// The receiver refuses what it is sent, and would again.
    pub(crate) is_final: bool,
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

/// Posts an alert that is none, so that a person sees whether it arrives; how long that took. Blocks.
pub fn test(
    receiver: &Receiver,
    cluster: ClusterName,
    pages: Option<&str>,
    now: Timestamp,
) -> Result<Duration, String> {
    let alert = Alert {
        cluster,
        group: Some("flowdeck-test".into()),
        what: What::Verdict(Verdict::Stalled),
        level: Level::Critical,
        since: now,
        evidence: Some("a test of this receiver, and no group of yours".to_owned()),
        labels: GroupLabels::default(),
        ended: None,
    };
    let over = Alert { ended: Some(now), ..alert.clone() };
    let alerts = if receiver.resolved { vec![alert, over] } else { vec![alert] };
    let (poster, begun) = (Poster::new(&receiver.target), Instant::now());
    for alert in alerts {
        let body = format::body(receiver, &[alert], pages);
        poster.post(&body).map_err(|failure| failure.words)?;
    }
    Ok(begun.elapsed())
}

impl Target {
    fn trust(&self) -> &Trust {
        static NOBODY: Trust = Trust::Only(vec![]);
        if self.url.scheme() == "http" { &NOBODY } else { &self.trust }
    }
}
