//! The JSON API of a running server, over HTTP or HTTPS with the system's certificates.

use std::time::{Duration, Instant};

use flowdeck_http::{Trust, client};
use flowdeck_model::shown;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use ureq::http::Response;
use ureq::{Agent, Body, RequestBuilder};

use super::args::Server;
use super::exit::{Exit, Failed};

/// The server gives up before that.
const LIMIT: Duration = Duration::from_secs(40);
const LONGEST: u64 = 64 * 1024 * 1024;
/// Between two tries where there was no answer.
const TRY_AGAIN: Duration = Duration::from_secs(1);

pub(super) struct Api {
    agent: Agent,
    /// Ends without a slash.
    at: String,
    token: Option<String>,
}

/// As it came, and as what it is.
pub(super) struct Answer<T> {
    pub(super) json: String,
    pub(super) view: T,
}

impl Api {
    pub(super) fn new(server: &Server) -> Result<Self, Failed> {
        let base = server.url.trim_end_matches('/');
        if !base.starts_with("http://") && !base.starts_with("https://") {
            let words = format!("--url {base:?}: an address such as http://127.0.0.1:8077/kafkaflow");
            return Err(Failed::new(Exit::Usage, words));
        }
        // A token goes to the server that was named, and nowhere else.
        let config = client(&Trust::System).timeout_global(Some(LIMIT));
        let token = server.token.clone().filter(|token| !token.is_empty());
        Ok(Self { agent: config.build().new_agent(), at: format!("{base}/api/v1"), token })
    }

    pub(super) fn get<T: DeserializeOwned>(&self, path: &str) -> Result<Answer<T>, Failed> {
        let request = self.authorised(self.agent.get(format!("{}{path}", self.at)));
        self.read(request.call())
    }

    /// Asked again and again, until `is_over` or the time is; also where a server cannot be reached for a while.
    pub(super) fn get_until<T: DeserializeOwned>(
        &self,
        path: &str,
        (wait, every): (Duration, Duration),
        is_over: impl Fn(&T) -> bool,
    ) -> Result<Answer<T>, Failed> {
        let until = Instant::now() + wait;
        loop {
            let answer: Result<Answer<T>, Failed> = self.get(path);
            let is_late = Instant::now() > until;
            let pause = match answer {
                Ok(answer) if is_late || is_over(&answer.view) => return Ok(answer),
                Err(failed) if is_late || !failed.may_pass => return Err(failed),
                Ok(_) => every,
                Err(_) => TRY_AGAIN,
            };
            std::thread::sleep(pause);
        }
    }

    pub(super) fn post<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &impl Serialize,
    ) -> Result<Answer<T>, Failed> {
        let request = self.authorised(self.agent.post(format!("{}{path}", self.at)));
        self.read(request.send_json(body))
    }

    fn authorised<B>(&self, request: RequestBuilder<B>) -> RequestBuilder<B> {
        match &self.token {
            Some(token) => request.header("authorization", format!("Bearer {token}")),
            None => request,
        }
    }

    /// A body that goes on; who reads it says for how long it may be silent.
    pub(super) fn stream(&self, path: &str) -> Result<impl std::io::Read + Send + use<>, Failed> {
        let request = self.authorised(self.agent.get(format!("{}{path}", self.at)));
        let endless = request.config().timeout_global(None).timeout_recv_response(Some(LIMIT)).build();
        let mut answer = endless.call().map_err(|error| self.unreachable(error))?;
        let status = answer.status();
        if status.is_success() {
            return Ok(answer.into_body().into_reader());
        }
        let json = answer.body_mut().with_config().limit(LONGEST).read_to_string().unwrap_or_default();
        Err(refused(status.as_u16(), &json))
    }

    fn unreachable(&self, why: impl std::fmt::Display) -> Failed {
        Failed::new(Exit::Unreachable, format!("{}: {why}", self.at)).may_pass()
    }

    fn read<T: DeserializeOwned>(
        &self,
        answer: Result<Response<Body>, ureq::Error>,
    ) -> Result<Answer<T>, Failed> {
        let mut answer = answer.map_err(|error| self.unreachable(error))?;
        let status = answer.status();
        let body = answer.body_mut().with_config().limit(LONGEST).read_to_string();
        let json = body.map_err(|error| self.unreachable(error))?;
        if !status.is_success() {
            return Err(refused(status.as_u16(), &json));
        }
        match serde_json::from_str(&json) {
            Ok(view) => Ok(Answer { json, view }),
            Err(error) => {
                let words = format!("{}: no answer of a Flowdeck of this version: {error}", self.at);
                Err(Failed::new(Exit::Unreachable, words))
            }
        }
    }
}

/// The server's own words, where it has some.
fn refused(status: u16, body: &str) -> Failed {
    let detail = serde_json::from_str(body).ok().and_then(|problem: Value| {
        let detail = problem.get("detail")?.as_str()?;
        Some(shown::text(detail))
    });
    let words =
        detail.unwrap_or_else(|| format!("the server answers {status}: is --url the address of the pages?"));
    let failed = Failed::new(Exit::of_status(status), words);
    if matches!(status, 502..=504) { failed.may_pass() } else { failed }
}
