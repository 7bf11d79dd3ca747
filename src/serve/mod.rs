//! The listener: bounds on connections and slow clients that `axum::serve` does not offer, and an
//! end within seconds.

mod connection;
mod connections;
mod pace;
mod tls;

use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::config::Limits;
use connection::Terms;
pub use connections::Connections;
pub use tls::{Certificate, Tls, TlsError, exposed_key};

/// Streams are told at once; answers under way get so long. Beside it an end takes up to 0.5 s for the admin service,
/// 0.5 s for the runtime and 1.1 s for a log that nobody reads: less than 5 s in all.
const GRACE: Duration = Duration::from_millis(2_700);
/// After a client could not be accepted.
const TRY_AGAIN: Duration = Duration::from_millis(200);

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
    connections: Arc<Connections>,
    tls: Option<Tls>,
}

impl Server {
    pub async fn bind(address: SocketAddr) -> Result<Self, ServeError> {
        let listener = TcpListener::bind(address).await.map_err(|source| match source.kind() {
            std::io::ErrorKind::AddrInUse => ServeError::Taken { address },
            _ => ServeError::Listen { address, source },
        })?;
        // The port is the system's choice where 0 was asked for.
        let address = listener.local_addr().unwrap_or(address);
        Ok(Self { listener, address, connections: Arc::default(), tls: None })
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Speaks TLS, and nothing else.
    pub fn with_tls(self, tls: Tls) -> Self {
        Self { tls: Some(tls), ..self }
    }

    pub fn scheme(&self) -> &'static str {
        if self.tls.is_some() { "https" } else { "http" }
    }

    /// What `/metrics` and `/health` tell of the listener.
    pub fn connections(&self) -> Arc<Connections> {
        Arc::clone(&self.connections)
    }

    /// Until `shutdown`; then at most some seconds longer.
    pub async fn run(self, service: Router, limits: Limits, shutdown: CancellationToken) {
        let places = Arc::new(Semaphore::new(limits.connections));
        let counts = self.connections;
        counts.bound(limits.connections);
        let open = TaskTracker::new();
        let tls = self.tls.as_ref().map(Tls::acceptor);
        let terms = Terms { service, limits, tls, shutdown: shutdown.clone(), tasks: open.clone() };
        loop {
            if places.available_permits() == 0 {
                counts.full();
            }
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
                    counts.accepted();
                    let place = (place, counts.enter());
                    let terms = terms.clone();
                    open.spawn(async move {
                        connection::serve(socket, peer, terms).await;
                        drop(place);
                    });
                }
                Err(error) => {
                    counts.accept_failed(&error);
                    // Most often no file handles are left: others must end before the next try.
                    let _ = timeout(TRY_AGAIN, shutdown.cancelled()).await;
                }
            }
        }
        drop(self.listener);
        open.close();
        if timeout(GRACE, open.wait()).await.is_err() {
            tracing::warn!(connections = open.len(), "connections were still open and are cut");
        }
    }
}
