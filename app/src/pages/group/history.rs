//! The chart of the group's history: which time it shows, what is under the pointer or chosen by keys, and newer ones as
//! time goes on. The server draws it.

use std::time::Duration;

use flowdeck_model::query::{Range, Window};
use flowdeck_model::view::GroupView;
use flowdeck_model::{Timestamp, url};
use leptos::prelude::*;
use leptos_router::NavigateOptions;
use leptos_router::hooks::use_navigate;
use wasm_bindgen::JsCast;
use web_sys::{KeyboardEvent, PointerEvent};

use super::listing::Listing;
use crate::chart::{Across, Chart, WIDTH};
use crate::{api, browser, links};

/// A step of the finest history.
const EVERY: Duration = Duration::from_secs(10);
/// A pointer that moved less has chosen no time.
const DRAGGED: Across = 10;
/// The shortest time that can be chosen.
const SHORTEST: Duration = Duration::from_secs(60);

#[derive(Clone, Copy)]
struct State {
    chart: RwSignal<Chart>,
    /// The newest could not be had.
    failed: RwSignal<bool>,
    /// The reading that is looked at, by its second.
    cursor: RwSignal<Option<u32>>,
    /// From where to where a time is being chosen.
    chosen: RwSignal<Option<(Across, Across)>>,
    listing: Memo<Listing>,
    /// Of the group, as in URLs.
    names: StoredValue<(String, String)>,
    here: StoredValue<String>,
}

impl State {
    fn refresh(self) {
        let query = self.listing.with_untracked(Listing::chart_query);
        let (cluster, group) = self.names.get_value();
        leptos::task::spawn_local(async move {
            let chart = api::history(cluster, group, query.clone(), browser::utc_offset()).await;
            // Another page, or another time, by now.
            if self.listing.try_with_untracked(Listing::chart_query) != Some(query) {
                return;
            }
            self.failed.set(chart.is_err());
            if let Ok(chart) = chart {
                self.chart.set(chart);
            }
        });
    }

    /// It ends now, and goes on.
    fn grows(self) -> bool {
        self.listing.with_untracked(|listing| matches!(listing.window, Window::Last(_)))
    }

    fn follow(self) {
        Effect::new(move |before: Option<String>| {
            let query = self.listing.with(Listing::chart_query);
            let stale = match before {
                Some(before) => before != query,
                // What the server drew with the page has UTC.
                None => self.chart.with_untracked(|chart| chart.utc_offset != browser::utc_offset()),
            };
            if stale {
                self.chosen.set(None);
                self.refresh();
            }
            query
        });
        Effect::new(move |_| {
            let tick = move || {
                if self.grows() && !browser::hidden() {
                    self.refresh();
                }
            };
            let timer = set_interval_with_handle(tick, EVERY);
            on_cleanup(move || {
                if let Ok(timer) = timer {
                    timer.clear();
                }
            });
        });
    }

    /// The place of the reading that is looked at.
    fn reading(self) -> Option<usize> {
        let second = self.cursor.get()?;
        self.chart.with(|chart| nearest(&chart.readings, |(_, at, _)| at.abs_diff(second)))
    }

    fn look(self, place: usize) {
        let second = self.chart.with_untracked(|chart| chart.readings.get(place).map(|reading| reading.1));
        self.cursor.set(second);
    }

    fn pointed(self, event: &PointerEvent) {
        let Some(across) = across(event) else { return };
        self.chosen.update(|chosen| {
            if let Some((_, end)) = chosen {
                *end = across;
            }
        });
        let place = self
            .chart
            .with_untracked(|chart| nearest(&chart.readings, |(x, _, _)| x.abs_diff(across).into()));
        if let Some(place) = place {
            self.look(place);
        }
    }

    fn pressed(self, event: &PointerEvent) {
        if event.button() != 0 {
            return;
        }
        if let Some(element) = event.current_target().and_then(|it| it.dyn_into::<web_sys::Element>().ok()) {
            // Without it, a drag that leaves the chart has no end.
            let _ = element.set_pointer_capture(event.pointer_id());
        }
        self.chosen.set(across(event).map(|at| (at, at)));
    }

    /// The time that was chosen, if one was.
    fn chose(self) -> Option<Window> {
        let (a, b) = self.chosen.get_untracked()?;
        self.chosen.set(None);
        if a.abs_diff(b) < DRAGGED {
            return None;
        }
        self.chart.with_untracked(|chart| window(chart, a.min(b), a.max(b)))
    }

    /// Where a key leads; `None`: nothing is done.
    fn key(self, key: &str) -> Option<Option<Window>> {
        let last = self.chart.with_untracked(|chart| chart.readings.len()).checked_sub(1)?;
        let here = untrack(|| self.reading());
        let step = |by: isize| here.map_or(last, |here| here.saturating_add_signed(by).min(last));
        let to = match key {
            "ArrowLeft" => step(-1),
            "ArrowRight" => step(1),
            "PageUp" => step(-10),
            "PageDown" => step(10),
            "Home" => 0,
            "End" => last,
            "Enter" => {
                let at = here
                    .and_then(|here| self.chart.with_untracked(|chart| Some(chart.readings.get(here)?.0)))?;
                let chosen = self.chose();
                if chosen.is_none() {
                    self.chosen.set(Some((at, at)));
                }
                return Some(chosen);
            }
            "Escape" if here.is_some() || self.chosen.get_untracked().is_some() => {
                self.chosen.set(None);
                self.cursor.set(None);
                return Some(None);
            }
            _ => return None,
        };
        self.look(to);
        let across = self.chart.with_untracked(|chart| chart.readings[to].0);
        self.chosen.update(|chosen| {
            if let Some((_, end)) = chosen {
                *end = across;
            }
        });
        Some(None)
    }
}

fn nearest<T>(all: &[T], distance: impl Fn(&T) -> u32) -> Option<usize> {
    all.iter().enumerate().min_by_key(|(_, one)| distance(one)).map(|(place, _)| place)
}

/// Where in the chart the pointer is.
fn across(event: &PointerEvent) -> Option<Across> {
    let element: web_sys::Element = event.current_target()?.dyn_into().ok()?;
    let place = element.get_bounding_client_rect();
    let part = (f64::from(event.client_x()) - place.left()) / place.width().max(1.0);
    Some((part.clamp(0.0, 1.0) * f64::from(WIDTH)) as Across)
}

/// In whole seconds, as it is in the URL.
fn window(chart: &Chart, from: Across, to: Across) -> Option<Window> {
    let whole = chart.to.since(chart.from).as_millis() as u64;
    let at = |across: Across| {
        let millis = whole * u64::from(across) / u64::from(WIDTH) / 1_000 * 1_000;
        let begin = chart.from.millis() / 1_000 * 1_000;
        Timestamp::from_millis(begin).plus(Duration::from_millis(millis))
    };
    let from = at(from);
    Window::between(from, at(to).max(from.plus(SHORTEST)))
}

pub(super) fn panel(view: &GroupView, chart: Chart, listing: Memo<Listing>) -> AnyView {
    let row = &view.row;
    let state = State {
        chart: RwSignal::new(chart),
        failed: RwSignal::new(false),
        cursor: RwSignal::new(None),
        chosen: RwSignal::new(None),
        listing,
        names: StoredValue::new((url::encode(row.cluster.as_str()), url::encode(row.group.as_str()))),
        here: StoredValue::new(links::group(&row.cluster, &row.group)),
    };
    state.follow();
    let failed = move || {
        state.failed.get().then(|| view! { <p class="faint" role="status">"The newest history could not be read; the chart is older."</p> })
    };
    let below = move || state.chart.with(|chart| chart.below.clone());
    view! {
        <section class="panel history" aria-labelledby="history">
            <header><h2 id="history">"History"</h2> {move || ranges(state)} {legend(state)}</header>
            {picture(state)}
            {failed}
            <div class="below" inner_html=below></div>
        </section>
    }
    .into_any()
}

/// Links, so that they lead there without scripts.
fn ranges(state: State) -> impl IntoView {
    let listing = state.listing.get();
    let to = |listing: Listing| links::with_query(&state.here.get_value(), &listing.to_query());
    let ranges = Range::ALL.map(|range| {
        let window = Window::Last(range);
        let chosen = (listing.window == window).then_some("true");
        view! { <a class="chip" href=to(listing.at(window)) data-noscroll="" aria-current=chosen>{range.label()}</a> }
    });
    let (from, until) = state.chart.with(|chart| (chart.from, chart.to));
    let permalink = Window::between(from, until).filter(|_| matches!(listing.window, Window::Last(_))).map(|window| {
        view! { <a class="link" href=to(listing.at(window)) data-noscroll="" title="This chart with its absolute times">"Permalink"</a> }
    });
    let words = if listing.table { "Hide table" } else { "Show as table" };
    let table = to(Listing { table: !listing.table, ..listing.clone() });
    view! {
        <nav class="chips" aria-label="Time of the chart">{ranges} {permalink} <a class="link" href=table data-noscroll="">{words}</a></nav>
    }
}

fn legend(state: State) -> impl IntoView {
    let with_time = Memo::new(move |_| state.chart.with(|chart| chart.picture.contains("line time-lag")));
    view! {
        <div class="legend" aria-hidden="true">
            <span class="lag">"lag"</span>
            {move || with_time.get().then(|| view! { <span class="time-lag">"time lag"</span> })}
            <span class="in">"in/s"</span> <span class="out">"out/s"</span>
        </div>
    }
}

fn picture(state: State) -> AnyView {
    // Without scripts nothing can be chosen: then it is a picture.
    let live = RwSignal::new(false);
    Effect::new(move |_| live.set(true));
    let reading = Memo::new(move |_| state.reading());
    let words = move || {
        let place = reading.get()?;
        state.chart.with(|chart| chart.readings.get(place).map(|reading| reading.2.clone()))
    };
    let last = move || live.get().then(|| state.chart.with(|chart| chart.readings.len().saturating_sub(1)));
    let now = move || live.get().then(|| reading.get().unwrap_or_else(|| last().unwrap_or_default()));
    let spoken = move || {
        live.get().then(|| words().unwrap_or_else(|| state.chart.with(|chart| chart.summary.clone())))
    };
    let label = move || {
        if live.get() {
            "History: values by arrow keys".to_owned()
        } else {
            state.chart.with(|chart| chart.summary.clone())
        }
    };
    let percent =
        |across: Across| [&*(across / 10).to_string(), ".", &*(across % 10).to_string(), "%"].concat();
    let cursor = move || {
        let place = reading.get()?;
        let x = state.chart.with(|chart| chart.readings.get(place).map(|reading| percent(reading.0)))?;
        Some(view! { <line class="cursor" x1=x.clone() x2=x y1="0" y2="100%"></line> })
    };
    let chosen = move || {
        let (a, b) = state.chosen.get()?;
        let (x, width) = (percent(a.min(b)), percent(a.abs_diff(b)));
        Some(view! { <rect class="chosen" x=x width=width y="0" height="100%"></rect> })
    };
    let navigate = use_navigate();
    let go = move |window: Window| {
        let query = state.listing.with_untracked(|listing| listing.at(window).to_query());
        let options = NavigateOptions { resolve: false, scroll: false, ..Default::default() };
        navigate(&links::with_query(&state.here.get_value(), &query), options);
    };
    let keyed = {
        let go = go.clone();
        move |event: KeyboardEvent| {
            if event.ctrl_key() || event.meta_key() || event.alt_key() {
                return;
            }
            let Some(window) = state.key(&event.key()) else { return };
            event.prevent_default();
            event.stop_propagation();
            if let Some(window) = window {
                go(window);
            }
        }
    };
    let released = move |_| {
        if let Some(window) = state.chose() {
            go(window);
        }
    };
    let left = move |_| {
        if state.chosen.get_untracked().is_none() {
            state.cursor.set(None);
        }
    };
    let drawn = move || state.chart.with(|chart| chart.picture.clone());
    view! {
        <div
            class="chart"
            role=move || if live.get() { "slider" } else { "img" }
            aria-label=label
            tabindex=move || live.get().then_some("0")
            aria-valuemin=move || live.get().then_some("0")
            aria-valuemax=last
            aria-valuenow=now
            aria-valuetext=spoken
            on:pointermove=move |event| state.pointed(&event)
            on:pointerdown=move |event| state.pressed(&event)
            on:pointerup=released
            on:pointercancel=move |_| state.chosen.set(None)
            on:pointerleave=left
            on:keydown=keyed
        >
            <div inner_html=drawn></div>
            <svg class="over" aria-hidden="true">{chosen} {cursor}</svg>
        </div>
        <p class="reading needs-js" aria-hidden="true">
            {move || words().unwrap_or_else(|| "Values under the pointer or by arrow keys; drag, or Enter twice, to choose a time.".to_owned())}
        </p>
    }
    .into_any()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chart() -> Chart {
        let at = |text: &str| text.parse().unwrap();
        Chart {
            from: at("2026-11-21T14:00:00.400Z"),
            to: at("2026-11-21T14:15:00.400Z"),
            utc_offset: 0,
            picture: String::new(),
            below: String::new(),
            summary: String::new(),
            readings: vec![],
        }
    }

    #[test]
    fn what_was_dragged_over_is_a_time() {
        let fields = |from, to| {
            let fields = window(&chart(), from, to).unwrap().fields();
            fields.into_iter().map(|(_, value)| value).collect::<Vec<_>>()
        };
        assert_eq!(fields(100, 500), ["2026-11-21T14:01:30.000Z", "2026-11-21T14:07:30.000Z"]);
        assert_eq!(fields(0, 20), ["2026-11-21T14:00:00.000Z", "2026-11-21T14:01:00.000Z"]);
    }

    #[test]
    fn the_nearest_reading_is_taken() {
        for (x, want) in [(0, 0), (14, 0), (16, 1), (999, 2)] {
            assert_eq!(nearest(&[10u32, 20, 30], |at| at.abs_diff(x)), Some(want));
        }
        assert_eq!(nearest(&[] as &[u32], |_| 0), None);
    }
}
