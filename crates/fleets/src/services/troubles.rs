//! What may go wrong with a service, and whether it does.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::ValueEnum;
use flowdeck_agent::{CancellationToken, HandlerError};
use tokio::sync::watch;

/// A slow handler takes so long.
const SLOW: Duration = Duration::from_millis(1_500);
/// Handlers that begin within this time hang.
const HANG_BEGINS: Duration = Duration::from_secs(5);

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub enum Trouble {
    /// Each record takes long
    Slow,
    /// The handlers that run next never end
    Hang,
    /// A record that no handler can read
    PoisonRecord,
    /// A member joins and leaves, again and again
    RebalanceStorm,
    /// The consumer ends, and nobody starts it again
    DeadConsumer,
    /// Most events have one key
    HotKey,
    /// The process ends in the middle of a record
    Crash,
}

impl Trouble {
    /// In the order of the schedule.
    pub const ALL: [Self; 7] = [
        Self::Slow,
        Self::Hang,
        Self::PoisonRecord,
        Self::RebalanceStorm,
        Self::DeadConsumer,
        Self::HotKey,
        Self::Crash,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Self::Slow => "slow",
            Self::Hang => "hang",
            Self::PoisonRecord => "poison-record",
            Self::RebalanceStorm => "rebalance-storm",
            Self::DeadConsumer => "dead-consumer",
            Self::HotKey => "hot-key",
            Self::Crash => "crash",
        }
    }
}

/// Those that there are, and since when. Clones are one.
#[derive(Debug, Clone)]
pub struct Troubles(Arc<watch::Sender<BTreeMap<Trouble, Instant>>>);

impl Default for Troubles {
    fn default() -> Self {
        Self(Arc::new(watch::Sender::new(BTreeMap::new())))
    }
}

impl Troubles {
    pub fn begin(&self, trouble: Trouble) {
        self.0.send_modify(|all| {
            all.insert(trouble, Instant::now());
        });
    }

    pub fn end(&self, trouble: Trouble) {
        self.0.send_modify(|all| {
            all.remove(&trouble);
        });
    }

    pub fn is(&self, trouble: Trouble) -> bool {
        self.0.borrow().contains_key(&trouble)
    }

    pub fn all(&self) -> Vec<Trouble> {
        self.0.borrow().keys().copied().collect()
    }

    /// Waits until it has begun, or ended.
    pub async fn until(&self, trouble: Trouble, begun: bool) {
        let mut changes = self.0.subscribe();
        // The sender is here, so it cannot be gone.
        let _ = changes.wait_for(|all| all.contains_key(&trouble) == begun).await;
    }

    /// Called by the handlers of the consumer that troubles are about.
    ///
    /// # Errors
    /// Where a handler that hung was cancelled.
    pub async fn in_handler(&self, cancellation: &CancellationToken) -> Result<(), HandlerError> {
        if self.is(Trouble::Crash) {
            std::process::abort();
        }
        if self.is(Trouble::Slow) {
            tokio::time::sleep(SLOW).await;
        }
        let hangs = self.0.borrow().get(&Trouble::Hang).is_some_and(|since| since.elapsed() < HANG_BEGINS);
        if hangs {
            tokio::select! {
                () = self.until(Trouble::Hang, false) => {}
                () = cancellation.cancelled() => {
                    return Err(HandlerError::retry("the object store did not answer"));
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_handler_hangs_until_it_is_cancelled_or_the_trouble_ends() {
        let (troubles, cancellation) = (Troubles::default(), CancellationToken::new());
        troubles.in_handler(&cancellation).await.unwrap();
        troubles.begin(Trouble::Hang);
        let hung = troubles.in_handler(&cancellation);
        let (hung, ()) = tokio::join!(hung, async { cancellation.cancel() });
        assert!(hung.is_err());
        let never = CancellationToken::new();
        let hung = troubles.in_handler(&never);
        let (hung, ()) = tokio::join!(hung, async { troubles.end(Trouble::Hang) });
        assert!(hung.is_ok() && troubles.all().is_empty());
    }

    #[test]
    fn names_are_those_of_the_command_line() {
        for trouble in Trouble::ALL {
            assert_eq!(Trouble::from_str(trouble.name(), false), Ok(trouble));
        }
    }
}
