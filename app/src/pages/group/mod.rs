//! `/c/{cluster}/groups/{group}`: what is wrong with one group, on what evidence, and what can be
//! done about it.

mod ask;
mod choice;
mod commands;
mod consumers;
mod finding;
pub(super) mod form;
mod history;
mod holds;
mod listing;
mod members;
mod partitions;
pub(super) mod preview;

use flowdeck_model::live::{Delta, Live as _, apply};
use flowdeck_model::view::{GroupView, Mode};
use flowdeck_model::{Level, Version, url};
use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::hooks::use_query_map;

use crate::api::{self, PageError};
use crate::browser;
use crate::chart::Chart;
use crate::components::clock::Clock;
use crate::components::icons::{Icon, icon};
use crate::components::{bar, cluster, flow, name, notice, part, title, verdict};
use crate::format::number;
use crate::links;
use crate::live::{Fit, Message, Rows, follow};
use ask::Ask;
use finding::{Finding, find};
use listing::{Listing, Show};

#[component]
pub(crate) fn GroupPage() -> impl IntoView {
    let (cluster, group) = (super::segment("cluster"), super::segment("group"));
    let query = use_query_map();
    let first = Resource::new(
        move || (cluster.get(), group.get()),
        move |(cluster, group)| first_read(cluster, group, query.with_untracked(Listing::from_query)),
    );
    super::once_read(first, |(view, chart)| page(view, chart))
}

async fn first_read(
    cluster: String,
    group: String,
    listing: Listing,
) -> Result<(GroupView, Chart), PageError> {
    let view = api::group(cluster.clone(), group.clone()).await?;
    // On the server nobody knows the reader's zone.
    let offset = if cfg!(feature = "ssr") { 0 } else { browser::utc_offset() };
    let chart = api::history(cluster, group, listing.chart_query(), offset).await?;
    Ok((view, chart))
}

#[derive(Clone, Copy)]
struct State {
    /// Whole, to apply deltas onto.
    view: StoredValue<GroupView>,
    have: StoredValue<Option<Version>>,
    /// Without the partitions.
    header: RwSignal<GroupView>,
    rows: Rows<GroupView>,
    finding: RwSignal<Finding>,
    /// The largest lag of a partition.
    most: RwSignal<u64>,
    listing: Memo<Listing>,
    /// Partitions under each filter, in the order of `Show::ALL`.
    counts: RwSignal<[u64; 4]>,
}

fn counts(view: &GroupView) -> [u64; 4] {
    Show::ALL.map(|show| view.partitions.iter().filter(|row| show.takes(row)).count() as u64)
}

fn most(view: &GroupView) -> u64 {
    view.partitions.iter().filter_map(|row| row.lag).max().unwrap_or_default()
}

impl State {
    fn new(view: GroupView, listing: Memo<Listing>) -> Self {
        Self {
            have: StoredValue::new(Some(view.version)),
            rows: Rows::new(&listing.with_untracked(|listing| listing.select(&view.partitions))),
            listing,
            counts: RwSignal::new(counts(&view)),
            finding: RwSignal::new(find(&view)),
            most: RwSignal::new(most(&view)),
            header: RwSignal::new(view.clone().with_rows(vec![])),
            view: StoredValue::new(view),
        }
    }

    fn set(self, clock: Clock, view: GroupView) {
        clock.set(view.now);
        self.have.set_value(Some(view.version));
        self.rows.set(&self.listing.with_untracked(|listing| listing.select(&view.partitions)), false);
        self.counts.set(counts(&view));
        self.finding.set(find(&view));
        self.most.set(most(&view));
        self.header.set(view.clone().with_rows(vec![]));
        self.view.set_value(view);
    }

    /// The user asked for other rows, or another order of them.
    fn follow_listing(self) {
        Effect::new(move |before: Option<()>| {
            let rows =
                self.listing.with(|listing| self.view.with_value(|view| listing.select(&view.partitions)));
            if before.is_some() {
                self.rows.set(&rows, true);
            }
        });
    }

    fn on(self, clock: Clock, message: Message) -> Fit {
        let new = match message {
            Message::Snapshot(json) => serde_json::from_str::<GroupView>(&json).ok(),
            Message::Delta(json) => serde_json::from_str::<Delta<GroupView>>(&json)
                .ok()
                .and_then(|delta| self.view.with_value(|view| apply(view, &delta))),
            _ => return Fit::Applied,
        };
        match new {
            Some(view) => {
                self.set(clock, view);
                Fit::Applied
            }
            None => {
                self.have.set_value(None);
                Fit::Mismatch
            }
        }
    }
}

fn go_live(state: State, clock: Clock) {
    Effect::new(move |_| {
        let (cluster, group) = state.header.with_untracked(|view| {
            (url::encode(view.row.cluster.as_str()), url::encode(view.row.group.as_str()))
        });
        let address = move || {
            let mut query = ["view=group&cluster=", &cluster, "&group=", &group].concat();
            if let Some(version) = state.have.get_value() {
                query.push_str("&have=");
                query.push_str(&version.to_string());
            }
            links::to(&links::with_query("/events", &query))
        };
        follow(clock, address, move |message| state.on(clock, message));
    });
}

fn page(view: GroupView, chart: Chart) -> AnyView {
    let clock = Clock::provide(view.now);
    let query = use_query_map();
    let asked = Memo::new(move |_| query.with(Ask::from_query));
    let listing = Memo::new(move |_| query.with(Listing::from_query));
    let history = history::panel(&view, chart, listing);
    let state = State::new(view, listing);
    state.follow_listing();
    go_live(state, clock);
    part::give_back_focus(move || asked.read().is_some());
    let header = state.header;
    let verdict = Memo::new(move |_| header.with(|view| verdict::label(&view.row)));
    view! {
        <Title text=title::live(move || header.with(title))/>
        {head(header, listing)}
        {move || header.with(|view| cluster::trouble(&view.cluster_info))}
        {move || header.with(|view| view.warnings.iter().map(|text| notice::warning(text.clone())).collect_view())}
        // The sentence changes with every number in it; a screen reader announces another verdict only.
        <p class="unseen" role="status">{move || verdict.get()}</p>
        {move || state.finding.with(finding::shown)}
        {move || header.with(|view| view.row.kind.has_lag().then(|| flow::facts(&view.row)))}
        {move || header.with(|view| flow::sentences(&view.facts))}
        {move || asked.get().map(|ask| form::form(ask, header, &listing.get_untracked()))}
        <div class="cols">
            <div class="column">
                {history}
                {partitions::panel(state)}
                {move || header.with(members::panel)}
            </div>
            <div class="column">
                {holds::panel(header)}
                {move || header.with(|view| consumers::panel(view, &listing.read()))}
                {move || header.with(commands::panel)}
                {move || header.with(|view| cluster::capped(&view.cluster_info))}
                {move || header.with(|view| cluster::notes(&view.cluster_info))}
            </div>
        </div>
    }
    .into_any()
}

/// "▲ payments · PROD-EU" where the group needs attention.
fn title(view: &GroupView) -> String {
    let row = &view.row;
    let mark = if row.level >= Level::Warning { "▲ " } else { "" };
    [mark, &row.group.shown(), " · ", &view.cluster_info.label].concat()
}

fn head(header: RwSignal<GroupView>, listing: Memo<Listing>) -> AnyView {
    let tags = move || header.with(tags);
    let actions = move || header.with(|view| actions(view, &listing.read()));
    let name = header.with_untracked(|view| view.row.group.shown());
    let name = if name.is_empty() { "(empty name)".to_owned() } else { name };
    let info = header.with_untracked(|view| view.cluster_info.clone());
    view! {
        <div>
            <nav class="crumbs" aria-label="Where you are">
                <a href=links::to("/")>"Fleet"</a> " / " {info.label.clone()} " / groups"
            </nav>
            <div class="title">
                {cluster::pill(info.label, info.colour)}
                <h1>{name::heading(name)}</h1>
                {tags}
                {actions}
            </div>
        </div>
    }
    .into_any()
}

fn tags(view: &GroupView) -> impl IntoView + use<> {
    let row = &view.row;
    let members = match row.members {
        Some(n) => number::count(n.into(), "member", "members"),
        None => "members not known yet".to_owned(),
    };
    let topics = number::count(row.topic_count.into(), "topic", "topics");
    view! {
        <span class="tag">{[row.state.label(), " · ", &members].concat()}</span>
        <span class="tag">{row.kind.label()}</span>
        <span class="tag">{topics}</span>
        {bar::updated(row.as_of)}
    }
}

/// What can be done to the whole group. In observe mode the form's place says why not.
fn actions(view: &GroupView, listing: &Listing) -> impl IntoView + use<> {
    let group = links::group(&view.row.cluster, &view.row.group);
    let control = view.cluster_info.mode == Mode::Control;
    let paused = view.row.verdict == flowdeck_model::Verdict::Paused || !view.row.holds.is_empty();
    let resume = (control && paused).then(|| {
        let href = links::with_query(&group, &listing.beside("form=resume"));
        view! { <a class="btn" href=[&href, "#form"].concat()>{icon(Icon::Resume)} "Resume…"</a> }
    });
    let href = links::with_query(&group, &listing.beside("form=pause"));
    view! {
        <div class="actions">
            {resume}
            <a class="btn" data-key="pause-page" href=[&href, "#form"].concat()>{icon(Icon::Hold)} "Pause…"</a>
            <a class="btn" href=links::pause_parts(&view.row.cluster, &view.row.group) rel="external">"Partitions…"</a>
            <a class="btn" href=links::offsets(&view.row.cluster, &view.row.group) rel="external">"Offsets…"</a>
        </div>
    }
}
