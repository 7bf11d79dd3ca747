//! Requests to the router without a connection, and with one.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::body::{Body, to_bytes};
use flowdeck::{Options, Server, Tls};
use http::{HeaderMap, Request, StatusCode};
use serde_json::Value;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;

use crate::memory::Memory;

pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map(|value| value.to_str().unwrap()).unwrap_or_default()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }
}

/// A router on ports of our own.
pub(crate) struct Site {
    pub(crate) memory: Memory,
    pub(crate) router: Router,
}

pub(crate) fn options() -> Options {
    Options::new("/kafkaflow".parse().unwrap())
}

pub(crate) fn site() -> Site {
    site_with(options())
}

pub(crate) fn site_with(options: Options) -> Site {
    let memory = Memory::new();
    let router = flowdeck::service(Arc::new(memory.clone()), options);
    Site { memory, router }
}

pub(crate) fn get(path: &str) -> Request<Body> {
    Request::get(path).header("host", "localhost:8077").body(Body::empty()).unwrap()
}

pub(crate) fn post(path: &str, kind: &str, body: impl Into<Body>) -> Request<Body> {
    Request::post(path)
        .header("host", "localhost:8077")
        .header("content-type", kind)
        .body(body.into())
        .unwrap()
}

pub(crate) fn form(path: &str, fields: &[(&str, &str)]) -> Request<Body> {
    let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
    post(path, "application/x-www-form-urlencoded", body)
}

impl Site {
    pub(crate) async fn ask(&self, request: Request<Body>) -> Answer {
        ask(&self.router, request).await
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.ask(get(path)).await
    }
}

pub(crate) async fn ask(router: &Router, request: Request<Body>) -> Answer {
    let response = router.clone().oneshot(request).await.unwrap();
    let (parts, body) = response.into_parts();
    let body = to_bytes(body, 16 * 1024 * 1024).await.unwrap();
    Answer { status: parts.status, headers: parts.headers, body: String::from_utf8_lossy(&body).into_owned() }
}

/// A site that listens. Dropped: it ends.
pub(crate) struct Listening {
    pub(crate) memory: Memory,
    pub(crate) address: SocketAddr,
    pub(crate) shutdown: CancellationToken,
    pub(crate) ended: tokio::task::JoinHandle<()>,
}

impl Listening {
    pub(crate) async fn start(options: Options) -> Self {
        Self::with(options, |server| server).await
    }

    pub(crate) async fn secured(options: Options, tls: Tls) -> Self {
        Self::with(options, |server| server.with_tls(tls)).await
    }

    async fn with(options: Options, more: impl FnOnce(Server) -> Server) -> Self {
        let shutdown = options.shutdown.clone();
        let limits = options.limits;
        let Site { memory, router } = site_with(options);
        let server = more(Server::bind("127.0.0.1:0".parse().unwrap()).await.unwrap());
        let address = server.address();
        let ended = tokio::spawn(server.run(router, limits, shutdown.clone()));
        Self { memory, address, shutdown, ended }
    }

    pub(crate) fn url(&self, below: &str) -> String {
        format!("http://{}/kafkaflow{below}", self.address)
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        self.shutdown.cancel();
    }
}
