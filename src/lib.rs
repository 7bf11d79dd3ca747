//! Flowdeck's server: an axum service that can be mounted in another program, and the command line
//! around it. It owns HTTP: configuration, routes, rendering, the JSON API, the event stream. It
//! owns no truth about Kafka: everything is asked of the ports of `flowdeck-model`, bound to the
//! actor of each request.
//!
//! # Mounting
//!
//! [`service`] gives a router for one base path. A host that nests it passes the path under which
//! it is mounted; links and assets then carry it.
//!
//! ```no_run
//! # async fn example(bind: std::sync::Arc<dyn flowdeck_model::ports::Bind>) -> Result<(), Box<dyn std::error::Error>> {
//! use axum::{Router, routing::get};
//!
//! let options = flowdeck::Options::new("/ops/kafka".parse()?);
//! let app = Router::new()
//!     .route("/", get(|| async { "the host's own page" }))
//!     .nest_service("/ops/kafka", flowdeck::service(bind, options));
//! let listener = tokio::net::TcpListener::bind("127.0.0.1:3000").await?;
//! axum::serve(listener, app).await?;
//! # Ok(())
//! # }
//! ```

pub mod alerts;
mod api;
mod assets;
pub mod auth;
pub mod cli;
pub mod client;
mod clock;
pub mod config;
mod events;
pub mod handles;
mod health;
mod hosts;
pub mod kafka;
mod kafkaflow;
mod layers;
pub mod lines;
mod lock;
mod metrics;
mod pages;
pub mod probe;
mod process;
mod router;
mod serve;
mod state;
mod work;

pub use api::openapi::document as openapi;
pub use assets::{Assets, AssetsError};
pub use auth::Authenticator;
pub use hosts::Hosts;
pub use process::Process;
pub use router::{entry_points, service};
pub use serve::{Certificate, Connections, ServeError, Server, Tls, TlsError, exposed_key};
pub use state::Options;
pub use work::{ClusterStatus, Figures, GroupFigures, Number, PartitionFigures, TopicFigures, Work};
