//! One open stream. It is pulled: nothing is computed for a client that does not read, and when it
//! reads again it gets the newest state, not what it missed. A client that never reads is cut off
//! by the connection's write timeout.

use std::convert::Infallible;
use std::time::Duration;

use axum::response::sse::Event;
use flowdeck_model::{PortError, Ports, Version};
use futures::Stream;
use serde_json::json;
use tokio::time::{Instant, Interval, MissedTickBehavior, interval, interval_at, sleep_until};

use super::streams::Place;
use super::watch::{Seen, Watch};
use crate::auth::{Ended, Known};
use crate::layers::actor::Entered;
use crate::state::{self, AppState};

/// `wire.md`: a page greys after 10 s without a word.
const BEAT: Duration = Duration::from_secs(5);
/// How soon a withdrawn right ends a stream.
const CHECK: Duration = Duration::from_secs(15);
/// Checks in a row that may go without an answer: a minute.
const UNANSWERED: u32 = 4;
/// At most two changes a second: more helps no reader.
const BETWEEN: Duration = Duration::from_millis(500);

/// Why the server ends a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Bye {
    Shutdown,
    /// The session is over or its rights were taken.
    Expired,
    TooMany,
    /// A newer stream of the same session has its place.
    Replaced,
    /// What was watched is not there any more.
    Gone,
}

impl Bye {
    fn reason(self) -> &'static str {
        match self {
            Self::Shutdown => "shutdown",
            Self::Expired => "expired",
            Self::TooMany => "tooMany",
            Self::Replaced => "replaced",
            Self::Gone => "gone",
        }
    }

    pub(super) fn event(self) -> Event {
        Event::default().event("bye").json_data(json!({ "reason": self.reason() })).unwrap_or_default()
    }
}

pub(super) struct Live {
    state: AppState,
    ports: Ports,
    known: Known,
    /// Checks in a row to which the session store gave no answer.
    unanswered: u32,
    watch: Watch,
    /// What the client has, to its last word.
    sent: Seen,
    /// To be sent first: the client has something else.
    snapshot_due: bool,
    /// The newest version that was looked at; it may have shown nothing new.
    looked: Version,
    not_before: Instant,
    beat: Interval,
    check: Interval,
    over: bool,
    place: Place,
}

impl Live {
    pub(super) fn new(
        state: &AppState,
        entered: Entered,
        watch: Watch,
        first: Seen,
        have: Option<Version>,
        place: Place,
    ) -> Self {
        let mut beat = interval(BEAT);
        beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut check = interval_at(Instant::now() + CHECK, CHECK);
        check.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self {
            state: state.clone(),
            ports: entered.ports,
            known: entered.known,
            unanswered: 0,
            watch,
            snapshot_due: have != Some(first.version),
            looked: first.version,
            sent: first,
            not_before: Instant::now(),
            beat,
            check,
            over: false,
            place,
        }
    }

    pub(super) fn into_stream(self) -> impl Stream<Item = Result<Event, Infallible>> + Send {
        futures::stream::unfold(self, |mut live| async move {
            let event = live.next().await?;
            Some((Ok(event), live))
        })
    }

    async fn next(&mut self) -> Option<Event> {
        if self.over {
            return None;
        }
        if std::mem::take(&mut self.snapshot_due) {
            self.not_before = Instant::now() + BETWEEN;
            return Some(self.sent.snapshot());
        }
        loop {
            let (fleet, looked, not_before) = (self.ports.fleet.clone(), self.looked, self.not_before);
            let changed = async move {
                sleep_until(not_before).await;
                fleet.changed(looked).await
            };
            tokio::select! {
                biased;
                () = self.state.options.shutdown.cancelled() => return Some(self.end(Bye::Shutdown)),
                () = self.place.taken() => return Some(self.end(Bye::Replaced)),
                _ = self.check.tick() => {
                    if !self.still_welcome().await {
                        return Some(self.end(Bye::Expired));
                    }
                }
                _ = self.beat.tick() => return Some(self.pulse()),
                version = changed => {
                    self.looked = version;
                    if let Some(event) = self.look() {
                        return Some(event);
                    }
                }
            }
        }
    }

    /// A session store that is away for a moment ends no stream; one that stays away does.
    async fn still_welcome(&mut self) -> bool {
        match self.state.options.door.still_valid(&self.known).await {
            Ok(()) => self.unanswered = 0,
            Err(Ended::Unavailable) => self.unanswered += 1,
            Err(_) => return false,
        }
        self.unanswered <= UNANSWERED
    }

    /// `None`: a reader would see no change.
    fn look(&mut self) -> Option<Event> {
        let now = match self.watch.read(&self.ports) {
            Ok(now) => now,
            Err(PortError::Forbidden { .. }) => return Some(self.end(Bye::Expired)),
            Err(_) => return Some(self.end(Bye::Gone)),
        };
        self.not_before = Instant::now() + BETWEEN;
        if now.shows_the_same(&self.sent) {
            return None;
        }
        let event = now.delta(&self.sent);
        self.sent = now;
        Some(event)
    }

    fn pulse(&self) -> Event {
        let beat = json!({ "now": state::now(), "build": self.state.options.assets.build() });
        Event::default().event("beat").json_data(beat).unwrap_or_default()
    }

    fn end(&mut self, bye: Bye) -> Event {
        self.over = true;
        bye.event()
    }
}
