//! `/`: every group of every cluster, one line each, sorted by severity.

mod head;
mod table;
mod tools;

use flowdeck_model::live::{Delta, Live as _, apply};
use flowdeck_model::{FleetQuery, Level, Verdict, Version, view::FleetView};
use leptos::prelude::*;
use leptos::task::spawn_local;
use leptos_meta::Title;
use leptos_router::hooks::use_location;

use crate::api::{self, PageError};
use crate::components::clock::Clock;
use crate::components::{cluster, error, title};
use crate::format::number;
use crate::links;
use crate::live::{Fit, Message, Rows, follow};

#[component]
pub(crate) fn Fleet() -> impl IntoView {
    let search = use_location().search;
    let first = Resource::new(|| (), move |()| api::fleet(search.get_untracked()));
    super::once_read(first, move |view| page(view, search))
}

/// What the page shows: the view without rows, and the rows.
#[derive(Clone, Copy)]
struct State {
    /// Whole, to apply deltas onto.
    view: StoredValue<FleetView>,
    /// What the stream may build on; `None` asks for a snapshot.
    have: StoredValue<Option<Version>>,
    header: RwSignal<FleetView>,
    rows: Rows<FleetView>,
    /// The last fetch after a change of the query.
    failed: RwSignal<Option<PageError>>,
}

impl State {
    fn new(view: FleetView) -> Self {
        Self {
            have: StoredValue::new(Some(view.version)),
            rows: Rows::new(&view.groups),
            header: RwSignal::new(view.clone().with_rows(vec![])),
            view: StoredValue::new(view),
            failed: RwSignal::new(None),
        }
    }

    /// `asked`: the user changed the query, so the order need not be kept.
    fn set(self, clock: Clock, view: FleetView, asked: bool) {
        clock.set(view.now);
        self.have.set_value(Some(view.version));
        self.rows.set(&view.groups, asked);
        self.header.set(view.clone().with_rows(vec![]));
        self.view.set_value(view);
    }

    fn on(self, clock: Clock, message: Message) -> Fit {
        let new = match message {
            Message::Snapshot(json) => serde_json::from_str::<FleetView>(&json).ok(),
            Message::Delta(json) => serde_json::from_str::<Delta<FleetView>>(&json)
                .ok()
                .filter(|delta| self.have.get_value() == Some(delta.base))
                .and_then(|delta| self.view.with_value(|view| apply(view, &delta))),
            _ => return Fit::Applied,
        };
        match new {
            Some(view) => {
                self.set(clock, view, false);
                Fit::Applied
            }
            None => {
                self.have.set_value(None);
                Fit::Mismatch
            }
        }
    }
}

fn page(view: FleetView, search: Memo<String>) -> AnyView {
    let clock = Clock::provide(view.now);
    let query = Memo::new(move |_| FleetQuery::parse(&search.get(), false).unwrap_or_default());
    let state = State::new(view);
    go_live(state, clock, query);
    let header = state.header;
    let title = move || header.with(|view| title(view, &query.read()));
    view! {
        <Title text=title::live(title)/>
        <h1 class="unseen">"Fleet"</h1>
        {move || header.with(|view| head::figures(view, &query.read()))}
        {move || header.with(|view| view.clusters.iter().map(|it| (cluster::trouble(it), cluster::capped(it), cluster::notes(it))).collect_view())}
        <section class="panel" aria-label="Groups">
            {tools::tools(state.header, query)}
            {move || state.failed.with(|error| error.as_ref().map(error::part))}
            {table::table(state, query)}
        </section>
    }
    .into_any()
}

/// "2 ▲ Fleet · PROD-EU": groups that need attention, and the cluster if it is one.
fn title(view: &FleetView, query: &FleetQuery) -> String {
    let problems: u32 = Verdict::WORST_FIRST
        .into_iter()
        .filter(|verdict| verdict.level() >= Level::Warning)
        .map(|verdict| head::count(view, verdict))
        .sum();
    let count =
        if problems > 0 { [&number::exact(problems.into()), " ▲ "].concat() } else { String::new() };
    let cluster = match &view.clusters[..] {
        [only] => Some(only),
        several => several.iter().find(|cluster| query.cluster.as_ref() == Some(&cluster.name)),
    };
    let cluster = cluster.map(|cluster| [" · ", &cluster.label].concat()).unwrap_or_default();
    [&count, "Fleet", &cluster].concat()
}

/// One stream for the current query. When the user changes it, the new view is read first,
/// so that a page whose stream is blocked still answers; the stream then goes on from there.
fn go_live(state: State, clock: Clock, query: Memo<FleetQuery>) {
    let latest = StoredValue::new(0_u32);
    let stream = RwSignal::new(0_u32);
    Effect::new(move |before: Option<FleetQuery>| {
        let query = query.get();
        if before.as_ref().is_none_or(|before| *before == query) {
            return query;
        }
        latest.update_value(|n| *n += 1);
        let asked = latest.get_value();
        let text = query.to_query();
        spawn_local(async move {
            let answer = api::fleet(text).await;
            if latest.try_get_value() != Some(asked) {
                return;
            }
            match answer {
                Ok(view) => {
                    state.failed.set(None);
                    state.set(clock, view, true);
                }
                Err(error) => {
                    state.have.set_value(None);
                    state.failed.set(Some(error));
                }
            }
            stream.set(asked);
        });
        query
    });
    Effect::new(move |_| {
        stream.track();
        let text = query.get_untracked().to_query();
        let url = move || {
            let mut query = ["view=fleet", if text.is_empty() { "" } else { "&" }, &text].concat();
            if let Some(version) = state.have.get_value() {
                query.push_str("&have=");
                query.push_str(&version.to_string());
            }
            links::to(&links::with_query("/events", &query))
        };
        follow(clock, url, move |message| state.on(clock, message));
    });
}
