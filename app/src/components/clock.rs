//! Time on a page: ages counted from the server's clock, ticking by the browser's monotonic one;
//! clock times in UTC from the server and in the browser's zone once the page is hydrated.

use std::time::Duration;

use flowdeck_model::Timestamp;
use leptos::prelude::*;

use crate::browser;
use crate::format::time;

#[derive(Clone, Copy)]
pub(crate) struct Clock {
    now: RwSignal<Timestamp>,
    /// Whether clock times are in the browser's zone: never in the first render, which must equal the server's.
    local: RwSignal<bool>,
    /// The server's time, and the browser's monotonic one when it was learnt.
    learnt: StoredValue<(Timestamp, Duration)>,
}

impl Clock {
    /// A page's clock, as context for all that the page shows.
    pub(crate) fn provide(now: Timestamp) -> Self {
        let clock = Self {
            now: RwSignal::new(now),
            local: RwSignal::new(false),
            learnt: StoredValue::new((now, Duration::ZERO)),
        };
        provide_context(clock);
        Effect::new(move |_| {
            clock.learnt.set_value((now, browser::monotonic()));
            clock.local.set(true);
            let tick =
                set_interval_with_handle(move || clock.now.set(clock.reckoned()), Duration::from_secs(1));
            on_cleanup(move || {
                if let Ok(tick) = tick {
                    tick.clear();
                }
            });
        });
        clock
    }

    pub(crate) fn set(self, now: Timestamp) {
        self.learnt.set_value((now, browser::monotonic()));
        self.now.set(now);
    }

    /// The server's time, reckoned on from when it was last told.
    pub(crate) fn reckoned(self) -> Timestamp {
        let (server, then) = self.learnt.get_value();
        server.plus(browser::monotonic().saturating_sub(then))
    }

    pub(crate) fn now(self) -> Timestamp {
        self.now.get()
    }

    /// `14:08:57 UTC` or, in the browser, `14:08:57`.
    pub(crate) fn clock_time(self, at: Timestamp) -> String {
        if self.local.get() {
            return browser::local_time(at, self.now.get_untracked());
        }
        time::utc(at, self.now.get_untracked())
    }
}

pub(crate) fn use_clock() -> Clock {
    expect_context::<Clock>()
}

/// `12 s`, with the exact time for whoever asks.
pub(crate) fn ago(at: Timestamp) -> impl IntoView {
    let clock = use_clock();
    view! {
        <time datetime=at.to_string() title=time::exact(at)>
            {move || time::age(clock.now(), at)}
        </time>
    }
}

/// `14:08:57 UTC`, in the browser's zone once the page is live.
pub(crate) fn at_time(at: Timestamp) -> impl IntoView {
    let clock = use_clock();
    view! {
        <time datetime=at.to_string() title=time::exact(at)>{move || clock.clock_time(at)}</time>
    }
}
