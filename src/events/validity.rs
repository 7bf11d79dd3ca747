//! Whether whoever opened a stream may still have it.

use std::time::Duration;

use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at};

use crate::auth::{Authenticated, Ended};
use crate::state::AppState;

/// How soon a withdrawn right ends a stream.
const CHECK: Duration = Duration::from_secs(15);
/// Checks in a row that may go without an answer: a minute.
const UNANSWERED: u32 = 4;

pub(super) struct Validity {
    authenticated: Authenticated,
    /// Checks in a row to which the session store gave no answer.
    unanswered: u32,
    check: Interval,
}

impl Validity {
    pub(super) fn new(authenticated: Authenticated) -> Self {
        let mut check = interval_at(Instant::now() + CHECK, CHECK);
        check.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self { authenticated, unanswered: 0, check }
    }

    /// Returns once it is to be checked.
    pub(super) async fn due(&mut self) {
        self.check.tick().await;
    }

    /// A session store that is away for a moment ends no stream; one that stays away does.
    pub(super) async fn holds(&mut self, state: &AppState) -> bool {
        match state.options.authenticator.still_valid(&self.authenticated).await {
            Ok(()) => self.unanswered = 0,
            Err(Ended::Unavailable) => self.unanswered += 1,
            Err(_) => return false,
        }
        self.unanswered <= UNANSWERED
    }
}
