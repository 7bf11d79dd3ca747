//! What a cluster offers, asked for by who looks at it, and kept for a minute: each probe is a request or two.

use std::sync::Arc;
use std::time::Duration;

use flowdeck_kafka::{Capabilities, Cluster, Deadline};
use tokio::sync::Mutex;
use tokio::time::Instant;

const KEPT: Duration = Duration::from_secs(60);

#[derive(Default)]
pub(crate) struct Offers(Mutex<Option<(Instant, Arc<Capabilities>)>>);

impl Offers {
    /// One asks, others wait for that answer; `None`: not within `limit`.
    pub(crate) async fn of(&self, cluster: &Cluster, limit: Duration) -> Option<Arc<Capabilities>> {
        let asked = async {
            let mut kept = self.0.lock().await;
            if let Some((at, known)) = kept.as_ref().filter(|(at, _)| at.elapsed() < KEPT) {
                tracing::trace!(age = ?at.elapsed(), "capabilities are known");
                return Arc::clone(known);
            }
            // Each probe ends by then and says for itself that it had no answer.
            let found = Arc::new(cluster.capabilities(Deadline::after(limit)).await);
            *kept = Some((Instant::now(), Arc::clone(&found)));
            found
        };
        tokio::time::timeout(limit * 2, asked).await.ok()
    }
}
