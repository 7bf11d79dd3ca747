//! Live views: one stream a page, closed while the tab is hidden, opened again with the version
//! that the page has. Reconnecting is ours, not the browser's, so that each attempt carries the
//! version of that moment.

mod rows;
mod source;

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use flowdeck_model::Timestamp;
use leptos::leptos_dom::helpers::{IntervalHandle, TimeoutHandle};
use leptos::prelude::*;
use serde::Deserialize;

pub(crate) use rows::Rows;
pub(crate) use source::Message;
use source::Source;

use crate::browser;
use crate::components::clock::Clock;

/// A beat comes every 5 s; after this long without a word the page says so and greys.
const SILENCE: Duration = Duration::from_secs(10);
const RETRY_FIRST: Duration = Duration::from_secs(1);
const RETRY_MOST: Duration = Duration::from_secs(30);
/// The reason of a `bye` where the user is no longer signed in.
pub(crate) const EXPIRED: &str = "expired";
/// The reason of a `bye` where another window of the same user took this one's place.
pub(crate) const REPLACED: &str = "replaced";
/// After a `bye`: the server may be on its way back.
const RETRY_BYE: Duration = Duration::from_secs(5);
/// Seconds until the next attempt while what the server sends cannot be used; the last one goes on.
const RETRY_UNREADABLE: [u64; 5] = [1, 2, 5, 10, 30];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Contact {
    /// This page has no stream, or the page is not yet taken over by the browser.
    None,
    Opening,
    Live,
    /// Nothing received for longer than `SILENCE`.
    Lost,
    /// The server said `bye`; why is in `reason`.
    Ended,
    /// The server answers, but this page cannot read its snapshot: most often, it is of another build.
    Unreadable,
}

impl Contact {
    /// What is shown does not follow the server.
    pub(crate) fn is_stale(self) -> bool {
        matches!(self, Self::Lost | Self::Ended | Self::Unreadable)
    }
}

/// The page's connection to the server; one for the whole app.
#[derive(Clone, Copy)]
pub(crate) struct Status {
    pub contact: RwSignal<Contact>,
    pub reason: RwSignal<String>,
    /// The server runs another build than this page came from.
    pub newer: RwSignal<bool>,
    /// By the browser's monotonic clock.
    received: StoredValue<Duration>,
    /// The server's time of the last event.
    pub received_at: RwSignal<Option<Timestamp>>,
}

impl Status {
    pub(crate) fn provide() -> Self {
        let status = Self {
            contact: RwSignal::new(Contact::None),
            reason: RwSignal::new(String::new()),
            newer: RwSignal::new(false),
            received: StoredValue::new(Duration::ZERO),
            received_at: RwSignal::new(None),
        };
        provide_context(status);
        status
    }

    fn set(self, contact: Contact) {
        if self.contact.get_untracked() != contact {
            self.contact.set(contact);
        }
    }
}

/// Whether a message could be applied; `Mismatch` asks for a snapshot, or says that a snapshot could not be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fit {
    Applied,
    Mismatch,
}

#[derive(Deserialize)]
struct Beat {
    now: Timestamp,
    #[serde(default)]
    build: Option<String>,
}

#[derive(Deserialize)]
struct Bye {
    reason: String,
}

struct Follower {
    url: Box<dyn Fn() -> String>,
    /// Snapshots and deltas only.
    handle: Box<dyn Fn(Message) -> Fit>,
    status: Status,
    clock: Clock,
    build: String,
    source: RefCell<Option<Source>>,
    failures: Cell<u32>,
    /// Messages that could not be applied. A snapshot that follows a delta which could not does not count as
    /// better: a server whose deltas never fit would be asked for snapshots without a pause.
    mismatches: Cell<u32>,
    retry: Cell<Option<TimeoutHandle>>,
    watch: Cell<Option<IntervalHandle>>,
}

/// Follows the stream at `url` until the current owner is cleaned up. Call it in an effect: only
/// the browser has streams. `url` is asked again for each connection.
pub(crate) fn follow(
    clock: Clock,
    url: impl Fn() -> String + 'static,
    handle: impl Fn(Message) -> Fit + 'static,
) {
    let follower = Rc::new(Follower {
        url: Box::new(url),
        handle: Box::new(handle),
        status: expect_context::<Status>(),
        clock,
        build: crate::site::use_frame().site.build,
        source: RefCell::new(None),
        failures: Cell::new(0),
        mismatches: Cell::new(0),
        retry: Cell::new(None),
        watch: Cell::new(None),
    });
    follower.status.received.set_value(browser::monotonic());
    follower.status.set(Contact::Opening);
    follower.open();

    let weak = Rc::downgrade(&follower);
    let watch = set_interval_with_handle(
        move || {
            if let Some(follower) = weak.upgrade() {
                follower.watch();
            }
        },
        Duration::from_secs(1),
    );
    follower.watch.set(watch.ok());

    let weak = Rc::downgrade(&follower);
    let visibility = window_event_listener_untyped("visibilitychange", move |_| {
        if let Some(follower) = weak.upgrade() {
            follower.visibility();
        }
    });
    on_cleanup(move || visibility.remove());
    let weak = Rc::downgrade(&follower);
    let focus = window_event_listener_untyped("focus", move |_| {
        if let Some(follower) = weak.upgrade() {
            follower.focus();
        }
    });
    on_cleanup(move || focus.remove());
    // Dropped with the owner, which closes the stream.
    StoredValue::new_local(follower);
}

impl Follower {
    fn open(self: &Rc<Self>) {
        if browser::hidden() {
            return;
        }
        let weak = Rc::downgrade(self);
        let on = Rc::new(move |message| {
            if let Some(follower) = weak.upgrade() {
                follower.on(message);
            }
        });
        *self.source.borrow_mut() = Source::open(&(self.url)(), on);
    }

    fn on(self: &Rc<Self>, message: Message) {
        match message {
            Message::Failed => self.fail(),
            Message::Beat(data) => self.beat(&data),
            Message::Bye(data) => self.bye(&data),
            message => {
                let snapshot = matches!(message, Message::Snapshot(_));
                match (self.handle)(message) {
                    Fit::Applied => {
                        if !snapshot || self.is_unreadable() {
                            self.mismatches.set(0);
                        }
                        self.received();
                    }
                    Fit::Mismatch => self.mismatch(snapshot),
                }
            }
        }
    }

    fn mismatch(self: &Rc<Self>, snapshot: bool) {
        self.close();
        self.status.received.set_value(browser::monotonic());
        if snapshot {
            self.status.set(Contact::Unreadable);
        }
        let before = self.mismatches.get();
        self.mismatches.set(before.saturating_add(1));
        self.later(retry_after(before, snapshot));
    }

    fn received(&self) {
        self.failures.set(0);
        self.status.received.set_value(browser::monotonic());
        self.status.received_at.set(Some(self.clock.reckoned()));
        self.status.set(Contact::Live);
    }

    fn beat(&self, data: &str) {
        let Ok(beat) = serde_json::from_str::<Beat>(data) else { return };
        self.clock.set(beat.now);
        if self.is_unreadable() {
            // The server is there; only a snapshot that is read makes the page live again.
            self.status.received.set_value(browser::monotonic());
        } else {
            self.received();
        }
        if beat.build.is_some_and(|build| build != self.build) {
            self.status.newer.set(true);
        }
    }

    fn bye(self: &Rc<Self>, data: &str) {
        let reason = serde_json::from_str::<Bye>(data).map(|bye| bye.reason).unwrap_or_default();
        self.close();
        self.status.reason.set(reason);
        self.status.set(Contact::Ended);
        if !self.rests() {
            self.later(RETRY_BYE);
        }
    }

    /// Asking again by itself helps only after a log-in, which loads the page anew; or it would take the
    /// place of a window that is visible.
    fn rests(&self) -> bool {
        self.status.contact.get_untracked() == Contact::Ended
            && self.status.reason.with_untracked(|reason| reason == EXPIRED || reason == REPLACED)
    }

    fn is_unreadable(&self) -> bool {
        self.status.contact.get_untracked() == Contact::Unreadable
    }

    fn fail(self: &Rc<Self>) {
        self.close();
        let failures = self.failures.get();
        self.failures.set(failures.saturating_add(1));
        self.later((RETRY_FIRST * 2_u32.pow(failures.min(5))).min(RETRY_MOST));
    }

    /// Closes the connection but keeps the source: this runs inside its callback.
    fn close(&self) {
        if let Some(source) = &*self.source.borrow() {
            source.close();
        }
    }

    fn later(self: &Rc<Self>, delay: Duration) {
        let weak = Rc::downgrade(self);
        let retry = set_timeout_with_handle(
            move || {
                if let Some(follower) = weak.upgrade() {
                    follower.retry.set(None);
                    if follower.is_unreadable() {
                        // The wait was ours and no silence of the server.
                        follower.status.received.set_value(browser::monotonic());
                    }
                    follower.open();
                }
            },
            delay,
        );
        self.cancel();
        self.retry.set(retry.ok());
    }

    fn cancel(&self) {
        if let Some(retry) = self.retry.take() {
            retry.clear();
        }
    }

    fn watch(self: &Rc<Self>) {
        if browser::hidden() || self.rests() {
            return;
        }
        let waits = self.retry.take();
        if waits.is_some() && self.is_unreadable() {
            self.retry.set(waits);
            return;
        }
        let silent = browser::monotonic().saturating_sub(self.status.received.get_value());
        if silent > SILENCE && self.status.contact.get_untracked() != Contact::Ended {
            self.status.set(Contact::Lost);
        }
        // A connection that is open and dumb: begin anew. One that waits for its turn is left to it.
        if silent > SILENCE && waits.is_none() && silent.as_secs().is_multiple_of(15) {
            self.fail();
        } else {
            self.retry.set(waits);
        }
    }

    fn visibility(self: &Rc<Self>) {
        if browser::hidden() {
            self.cancel();
            *self.source.borrow_mut() = None;
            // What is shown when the tab comes back is as old as this moment until the first event.
            self.status.set(Contact::Opening);
            return;
        }
        self.again();
    }

    /// A window that was shown all the time but lost its place is looked at.
    fn focus(self: &Rc<Self>) {
        let ended = self.status.contact.get_untracked() == Contact::Ended;
        if ended && self.status.reason.with_untracked(|reason| reason == REPLACED) {
            self.again();
        }
    }

    fn again(self: &Rc<Self>) {
        self.status.set(Contact::Opening);
        self.status.received.set_value(browser::monotonic());
        self.failures.set(0);
        self.open();
    }
}

/// `before`: how many messages could not be applied since one could. The first delta that does not fit is answered by
/// asking for a snapshot at once; a snapshot that cannot be read will hardly be another a moment later.
fn retry_after(before: u32, snapshot: bool) -> Duration {
    let step = if snapshot { Some(before) } else { before.checked_sub(1) };
    let Some(step) = step else { return Duration::ZERO };
    let last = RETRY_UNREADABLE.len() - 1;
    Duration::from_secs(RETRY_UNREADABLE[last.min(step as usize)])
}

impl Drop for Follower {
    fn drop(&mut self) {
        self.cancel();
        if let Some(watch) = self.watch.take() {
            watch.clear();
        }
        self.status.contact.try_set(Contact::None);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_applied_is_asked_for_less_and_less_often() {
        let seconds =
            |snapshot| (0..7).map(|before| retry_after(before, snapshot).as_secs()).collect::<Vec<_>>();
        assert_eq!(seconds(true), [1, 2, 5, 10, 30, 30, 30]);
        assert_eq!(seconds(false), [0, 1, 2, 5, 10, 30, 30]);
        assert_eq!(retry_after(u32::MAX, true).as_secs(), 30);
    }
}
