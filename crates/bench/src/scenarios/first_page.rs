//! From the start of the process to the first page served: what an operator waits after a restart.

use std::time::{Duration, Instant};

use anyhow::Result;

use super::Context;
use crate::figure::Figure;
use crate::server::Server;

const LIMIT: Duration = Duration::from_secs(1);

pub(super) async fn run(context: &Context) -> Result<Vec<Figure>> {
    let begin = Instant::now();
    let mut server = Server::start(&context.server, context.kafka.bootstrap())?;
    server.wait_ok("/kafkaflow").await?;
    Ok(vec![Figure::once("first page after the start", begin.elapsed(), LIMIT)])
}
