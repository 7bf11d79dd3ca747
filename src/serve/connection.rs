//! One client's connection: TLS where there is some, HTTP/1.1 or HTTP/2, and what slow clients may.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::Pin;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::response::Response;
use http::Request;
use hyper::body::Incoming;
use hyper::rt::{Executor, Read, Write};
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};
use tokio_io_timeout::TimeoutWriter;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt as _;

use super::pace::{Pace, Slow};
use super::tls::HTTP2;
use crate::config::Limits;

/// Bytes of a request's head.
const HEAD_BYTES: u32 = 32 * 1024;
const HEADERS: usize = 64;
const BUFFER: usize = 64 * 1024;
/// Requests at once on one HTTP/2 connection.
const AT_ONCE: u32 = 64;

/// What every connection of a listener shares.
#[derive(Clone)]
pub(super) struct Terms {
    pub(super) service: Router,
    pub(super) limits: Limits,
    pub(super) tls: Option<TlsAcceptor>,
    pub(super) shutdown: CancellationToken,
    /// Tasks that must have ended before the server has.
    pub(super) tasks: TaskTracker,
}

type Ended = Result<(), hyper::Error>;
type Socket = Pin<Box<TimeoutWriter<TcpStream>>>;

impl Terms {
    /// A client may take no byte of what it is sent for so long.
    fn stall(&self) -> Duration {
        Duration::from_secs(self.limits.stall_seconds)
    }

    /// So long for a whole head, or a TLS handshake; an idle connection is closed by it, too.
    fn head(&self) -> Duration {
        Duration::from_secs(self.limits.head_seconds)
    }
}

pub(super) async fn serve(socket: TcpStream, peer: SocketAddr, terms: Terms) {
    // Events are small, and each is wanted now.
    let _ = socket.set_nodelay(true);
    // A client that stops reading its stream would else keep it, and its place, for ever. TLS lies above it.
    let mut bounded = TimeoutWriter::new(socket);
    bounded.set_timeout(Some(terms.stall()));
    let socket = Box::pin(bounded);
    let ended = match &terms.tls {
        None => http1(TokioIo::new(socket), peer, &terms).await,
        Some(tls) => secured(tls, socket, peer, &terms).await,
    };
    if let Err(error) = ended {
        tracing::debug!(%error, client.address = %peer, "a connection ended early");
    }
}

async fn secured(tls: &TlsAcceptor, socket: Socket, peer: SocketAddr, terms: &Terms) -> Ended {
    let handshake = timeout(terms.head(), tls.accept(socket));
    let Some(done) = terms.shutdown.run_until_cancelled(handshake).await else { return Ok(()) };
    let stream = match done {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) => {
            tracing::debug!(%error, client.address = %peer, "a client did not speak TLS as it must");
            return Ok(());
        }
        Err(_) => {
            tracing::debug!(client.address = %peer, "a client took too long for its TLS handshake");
            return Ok(());
        }
    };
    match stream.get_ref().1.alpn_protocol() == Some(HTTP2) {
        true => http2(TokioIo::new(stream), peer, terms).await,
        false => http1(TokioIo::new(stream), peer, terms).await,
    }
}

async fn answer(service: Router, peer: SocketAddr, request: Request<Incoming>) -> Response {
    let mut request = request.map(Body::new);
    request.extensions_mut().insert(ConnectInfo(peer));
    match service.oneshot(request).await {
        Ok(response) => response,
        Err(never) => match never {},
    }
}

async fn http1<I: Read + Write + Unpin + 'static>(io: I, peer: SocketAddr, terms: &Terms) -> Ended {
    let service = terms.service.clone();
    let service = service_fn(move |request| {
        let answer = answer(service.clone(), peer, request);
        async move { Ok::<_, Infallible>(answer.await) }
    });
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(terms.head())
        .max_header_size(HEAD_BYTES as usize)
        .max_headers(HEADERS)
        .max_buf_size(BUFFER)
        .serve_connection(io, service);
    let mut served = std::pin::pin!(served);
    tokio::select! {
        ended = served.as_mut() => ended,
        () = terms.shutdown.cancelled() => {
            served.as_mut().graceful_shutdown();
            served.await
        }
    }
}

async fn http2<I: Read + Write + Unpin + 'static>(io: I, peer: SocketAddr, terms: &Terms) -> Ended {
    let (service, pace) = (terms.service.clone(), Pace::default());
    let watched = pace.clone();
    let service = service_fn(move |request| {
        let (under_way, answer) = (pace.begin(), answer(service.clone(), peer, request));
        async move { Ok::<_, Infallible>(answer.await.map(|body| under_way.paced(body))) }
    });
    let served = http2::Builder::new(Tracked(terms.tasks.clone()))
        .timer(TokioTimer::new())
        // Asks whether a client is still there that has nothing to say.
        .keep_alive_interval(terms.stall())
        .keep_alive_timeout(terms.stall())
        .max_concurrent_streams(AT_ONCE)
        .max_header_list_size(HEAD_BYTES)
        .max_send_buf_size(BUFFER)
        .serve_connection(io, service);
    let mut served = std::pin::pin!(served);
    let slow = tokio::select! {
        ended = served.as_mut() => return ended,
        () = terms.shutdown.cancelled() => None,
        slow = watched.watch(terms.head(), terms.stall()) => Some(slow),
    };
    if slow == Some(Slow::Stalled) {
        tracing::debug!(client.address = %peer, "a client takes nothing of what it asked for");
        return Ok(());
    }
    // What is under way may end, but not for ever.
    served.as_mut().graceful_shutdown();
    tokio::select! {
        ended = served => ended,
        () = sleep(terms.stall()) => Ok(()),
    }
}

/// Answers of an HTTP/2 connection run beside it, and end with the server.
#[derive(Clone)]
struct Tracked(TaskTracker);

impl<F: Future<Output: Send> + Send + 'static> Executor<F> for Tracked {
    fn execute(&self, answer: F) {
        self.0.spawn(answer);
    }
}
