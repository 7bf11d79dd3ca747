//! The listener: bounds on connections and slow clients that `axum::serve` does not offer, and an
//! end within seconds.

mod io;

use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::TokioTimer;
use hyper_util::service::TowerToHyperService;
use std::sync::Arc;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt as _;

use crate::config::Limits;
use io::Guarded;

/// Bytes of a request's head.
const HEAD_BYTES: usize = 32 * 1024;
const HEADERS: usize = 64;
/// Streams are told at once; answers under way get so long.
const GRACE: Duration = Duration::from_secs(4);

#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    #[error("{address} is taken by another program: choose another address with --listen IP:PORT")]
    Taken { address: SocketAddr },
    #[error("could not listen on {address}: choose another address with --listen IP:PORT")]
    Listen { address: SocketAddr, source: std::io::Error },
}

/// A bound listener that answers nothing yet.
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
}

impl Server {
    pub async fn bind(address: SocketAddr) -> Result<Self, ServeError> {
        let listener = TcpListener::bind(address).await.map_err(|source| match source.kind() {
            std::io::ErrorKind::AddrInUse => ServeError::Taken { address },
            _ => ServeError::Listen { address, source },
        })?;
        // The port is the system's choice where 0 was asked for.
        let address = listener.local_addr().unwrap_or(address);
        Ok(Self { listener, address })
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Until `shutdown`; then at most some seconds longer.
    pub async fn run(self, service: Router, limits: Limits, shutdown: CancellationToken) {
        let places = Arc::new(Semaphore::new(limits.connections));
        let open = TaskTracker::new();
        loop {
            // A place first: at the bound, new clients wait in the system's queue.
            let place = tokio::select! {
                () = shutdown.cancelled() => break,
                place = places.clone().acquire_owned() => place,
            };
            let accepted = tokio::select! {
                () = shutdown.cancelled() => break,
                accepted = self.listener.accept() => accepted,
            };
            match accepted {
                Ok((socket, peer)) => {
                    let (service, shutdown) = (service.clone(), shutdown.clone());
                    open.spawn(async move {
                        connection(socket, peer, service, limits, shutdown).await;
                        drop(place);
                    });
                }
                Err(error) => {
                    // Most often no file handles are left: others must end before the next try.
                    tracing::warn!(%error, "a connection could not be accepted");
                    tokio::time::sleep(Duration::from_millis(200)).await;
                }
            }
        }
        drop(self.listener);
        open.close();
        if tokio::time::timeout(GRACE, open.wait()).await.is_err() {
            tracing::warn!(connections = open.len(), "connections were still open and are cut");
        }
    }
}

async fn connection(
    socket: TcpStream,
    peer: SocketAddr,
    service: Router,
    limits: Limits,
    shutdown: CancellationToken,
) {
    // Events are small, and each is wanted now.
    let _ = socket.set_nodelay(true);
    let service = service.map_request(move |request: Request<Incoming>| {
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(ConnectInfo(peer));
        request
    });
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        // So long for a whole head; an idle connection is closed by it, too.
        .header_read_timeout(Duration::from_secs(limits.head_seconds))
        .max_header_size(HEAD_BYTES)
        .max_headers(HEADERS)
        .max_buf_size(64 * 1024)
        .serve_connection(
            Guarded::new(socket, Duration::from_secs(limits.stall_seconds)),
            TowerToHyperService::new(service),
        );
    let mut served = std::pin::pin!(served);
    let ended = tokio::select! {
        ended = served.as_mut() => ended,
        () = shutdown.cancelled() => {
            served.as_mut().graceful_shutdown();
            served.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, client.address = %peer, "a connection ended early");
    }
}
