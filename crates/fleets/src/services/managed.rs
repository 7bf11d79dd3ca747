//! A consumer that ends and starts again as troubles have it.

use anyhow::Result;
use flowdeck_agent::Running;
use futures::future::BoxFuture;
use tracing::warn;

use super::{Runtime, Trouble};

/// Ends a consumer in order.
pub type Stop = Box<dyn FnOnce() -> BoxFuture<'static, ()> + Send>;
/// Starts it.
pub type Start = Box<dyn Fn() -> BoxFuture<'static, Result<Stop>> + Send + Sync>;

/// Of an agent.
pub fn stop_of(running: Running) -> Stop {
    Box::new(move || {
        Box::pin(async move {
            if let Err(error) = running.stop().await {
                warn!("{:#}", anyhow::Error::from(error));
            }
        })
    })
}

/// Runs until the service ends; while there is a dead consumer, it is not there.
pub async fn troubled(runtime: &Runtime, start: Start) -> Result<()> {
    let mut stop = start().await?;
    let runtime = runtime.clone();
    runtime.tasks.clone().spawn(async move {
        loop {
            let dies = runtime.troubles.until(Trouble::DeadConsumer, true);
            let died = runtime.stop.run_until_cancelled(dies).await;
            stop().await;
            let lives = runtime.troubles.until(Trouble::DeadConsumer, false);
            if died.is_none() || runtime.stop.run_until_cancelled(lives).await.is_none() {
                return;
            }
            stop = match start().await {
                Ok(stop) => stop,
                Err(error) => return warn!("the consumer does not start again: {error:#}"),
            };
        }
    });
    Ok(())
}

/// Runs until the service ends.
pub fn untroubled(runtime: &Runtime, running: Running) {
    let stop = runtime.stop.clone();
    runtime.tasks.spawn(async move {
        tokio::select! {
            () = stop.cancelled() => {}
            () = running.ended() => {}
        }
        stop_of(running)().await;
    });
}
