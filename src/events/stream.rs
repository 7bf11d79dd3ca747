//! One open stream. It is pulled: nothing is computed for a client that does not read, and when it
//! reads again it gets the newest state, not what it missed. A client that never reads is cut off
//! by the connection's write timeout.

use std::convert::Infallible;
use std::time::Duration;

use axum::response::sse::Event;
use flowdeck_model::{PortError, Ports, Version};
use futures::Stream;
use serde_json::json;
use tokio::time::{Instant, Interval, MissedTickBehavior, interval, sleep_until};

use super::bye::Bye;
use super::streams::StreamSlot;
use super::validity::Validity;
use super::watch::{Seen, Watch};
use crate::clock;
use crate::layers::actor::BoundActor;
use crate::state::AppState;

/// `wire.md`: a page greys after 10 s without a word.
pub(super) const BEAT: Duration = Duration::from_secs(5);
/// At most two changes a second: more helps no reader.
const BETWEEN: Duration = Duration::from_millis(500);

pub(super) struct Live {
    state: AppState,
    ports: Ports,
    validity: Validity,
    watch: Watch,
    /// What the client has, to its last word.
    sent: Seen,
    /// To be sent first: the client has something else.
    snapshot_due: bool,
    /// The newest version that was looked at; it may have shown nothing new.
    looked: Version,
    not_before: Instant,
    beat: Interval,
    over: bool,
    slot: StreamSlot,
}

impl Live {
    pub(super) fn new(
        state: &AppState,
        bound: BoundActor,
        watch: Watch,
        first: Seen,
        have: Option<Version>,
        slot: StreamSlot,
    ) -> Self {
        let mut beat = interval(BEAT);
        beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self {
            state: state.clone(),
            ports: bound.ports,
            validity: Validity::new(bound.authenticated),
            watch,
            snapshot_due: have != Some(first.version),
            looked: first.version,
            sent: first,
            not_before: Instant::now(),
            beat,
            over: false,
            slot,
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
                () = self.slot.replaced() => return Some(self.end(Bye::Replaced)),
                () = self.validity.due() => {
                    if !self.validity.holds(&self.state).await {
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
        let beat = json!({ "now": clock::now(), "build": self.state.options.assets.build() });
        Event::default().event("beat").json_data(beat).unwrap_or_default()
    }

    fn end(&mut self, bye: Bye) -> Event {
        self.over = true;
        bye.event()
    }
}
