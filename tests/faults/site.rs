//! The server as callers see it: one address over all its lives, and whether it was there for the whole of a
//! request.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::Value;

use crate::support::{Answer, SOON, Server};

#[derive(Clone)]
pub(crate) struct Site {
    root: String,
    client: reqwest::Client,
    /// Odd while nobody listens.
    life: Arc<AtomicU64>,
}

impl Site {
    pub(crate) fn at(listen: &str) -> Self {
        // A page has 2 s, a command 20; what takes longer is seen as such and not as a broken connection.
        // Connections that nobody uses any more would count as the server's tasks at the end.
        let client = reqwest::Client::builder().timeout(SOON * 15).pool_idle_timeout(SOON).build().unwrap();
        Self { root: format!("http://{listen}"), client, life: Arc::default() }
    }

    pub(crate) fn comes_or_goes(&self) {
        self.life.fetch_add(1, Ordering::SeqCst);
    }

    pub(crate) fn life(&self) -> u64 {
        self.life.load(Ordering::SeqCst)
    }

    /// `None`: the server was killed meanwhile, or is not there.
    async fn ask(&self, request: reqwest::RequestBuilder) -> Option<Answer> {
        let life = self.life();
        let answer = Server::try_answer(request).await;
        if life % 2 == 1 || self.life() != life {
            return None;
        }
        Some(answer.unwrap_or_else(|error| panic!("the server is there and gives no answer: {error:?}")))
    }

    pub(crate) async fn get(&self, path: &str) -> Option<Answer> {
        let request = self.client.get(format!("{}{path}", self.root));
        self.ask(request.header("accept", "text/html, application/json")).await
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Option<Answer> {
        self.ask(self.client.post(format!("{}{path}", self.root)).json(body)).await
    }

    pub(crate) async fn open(&self, path: &str) -> Option<reqwest::Response> {
        // A stream has no end: its client has no time limit.
        reqwest::Client::new().get(format!("{}{path}", self.root)).send().await.ok()
    }
}

/// Epoch milliseconds.
pub(crate) fn now() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() as i64
}
