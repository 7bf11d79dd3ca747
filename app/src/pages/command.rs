//! `/c/{cluster}/commands/{id}`: the life of one command, instance by instance. Success is shown once
//! there is evidence, never before.

use flowdeck_model::view::{CommandView, InstanceOutcome, OffsetTarget, SentRecord};
use flowdeck_model::{Action, CommandState, url};
use leptos::prelude::*;
use leptos_meta::Title;

use crate::api;
use crate::components::clock::{Clock, ago, at_time, use_clock};
use crate::components::icons::{Icon, icon};
use crate::components::verdict::Tone;
use crate::components::{cluster, command, notice};
use crate::format::{number, time};
use crate::links;
use crate::live::{Fit, Message, follow};

#[component]
pub(crate) fn CommandPage() -> impl IntoView {
    let (cluster, id) = (super::segment("cluster"), super::segment("id"));
    let first = Resource::new(move || (cluster.get(), id.get()), |(cluster, id)| api::command(cluster, id));
    super::once_read(first, page)
}

fn go_live(view: RwSignal<CommandView>, clock: Clock) {
    Effect::new(move |_| {
        let address = view.with_untracked(|view| {
            let cluster = url::encode(view.cluster_info.name.as_str());
            ["view=command&cluster=", &cluster, "&id=", &view.id.to_string()].concat()
        });
        let address = links::to(&links::with_query("/events", &address));
        follow(
            clock,
            move || address.clone(),
            move |message| {
                let Message::Snapshot(json) = message else { return Fit::Applied };
                let Ok(new) = serde_json::from_str::<CommandView>(&json) else { return Fit::Mismatch };
                clock.set(new.now);
                if view.with_untracked(|old| *old != new) {
                    view.set(new);
                }
                Fit::Applied
            },
        );
    });
}

fn title(view: &CommandView) -> String {
    view.action.title(&view.target)
}

fn page(first: CommandView) -> AnyView {
    let clock = Clock::provide(first.now);
    let (name, info) = (title(&first), first.cluster_info.clone());
    let group = links::group(&info.name, &first.target.group);
    let group_name = first.target.group.shown();
    let view = RwSignal::new(first);
    go_live(view, clock);
    // Announced when it changes; the ages in the sentence beside it change each second.
    let said = Memo::new(move |_| view.with(outcome_word));
    view! {
        <Title text=[&name, " · ", &info.label].concat()/>
        <div>
            <nav class="crumbs" aria-label="Where you are">
                <a href=links::to("/")>"Fleet"</a> " / " {info.label.clone()} " / "
                <a href=group.clone()>{group_name}</a> " / commands"
            </nav>
            <div class="title">
                {cluster::pill(info.label.clone(), info.colour)}
                <h1>{name}</h1>
                {move || view.with(|view| command::state(view.state).into_any())}
                <div class="actions"><a class="btn" href=group>"Back to the group"</a></div>
            </div>
        </div>
        {move || view.with(|view| cluster::trouble(&view.cluster_info))}
        <p class="unseen" role="status">{move || said.get()}</p>
        {move || view.with(outcome)}
        <section class="panel" aria-labelledby="life">
            <header><h2 id="life">"Timeline"</h2></header>
            <ol class="steps life">{move || view.with(steps)}</ol>
        </section>
        {move || view.with(offsets)}
        {move || view.with(notes)}
        <noscript class="muted">"Without JavaScript this page does not update: reload it for newer data."</noscript>
    }
    .into_any()
}

/// The outcome in a sentence.
fn outcome(view: &CommandView) -> AnyView {
    let strong = outcome_word(view);
    let all = view.instances.len();
    let done = view.instances.iter().filter(|instance| instance.state.is_done()).count();
    let of = || {
        let of = if view.action.kind().sets_commits() { " parts" } else { " instances" };
        ["Confirmed by ", &number::exact(done as u64), " of ", &number::exact(all as u64), of].concat()
    };
    let (tone, text) = match view.state {
        CommandState::Requested => {
            (Tone::None, "Accepted; nothing is written to the cluster yet.".to_owned())
        }
        CommandState::Sent => (Tone::Warn, ["Written. ", &of(), "; waiting for the others."].concat()),
        CommandState::Confirmed => (Tone::Ok, of() + "."),
        CommandState::PartiallyConfirmed => (Tone::Warn, of() + "; the timeline shows the others."),
        CommandState::TimedOut => {
            (Tone::Bad, "Not confirmed in time: no instance is known to have obeyed.".to_owned())
        }
        CommandState::Refused => (Tone::Bad, "The timeline shows by whom and why.".to_owned()),
        CommandState::Restored => (
            Tone::Hold,
            "In force since before Flowdeck started; the responses of its instances are not known."
                .to_owned(),
        ),
    };
    let shape = match view.state {
        CommandState::Confirmed => Icon::Done,
        CommandState::Requested | CommandState::Sent => Icon::Wait,
        _ => tone.icon(),
    };
    let class = if view.state == CommandState::Confirmed { "good" } else { tone.class() };
    let clock = use_clock();
    let until = view.until.map(|until| {
        let words = move || if clock.now() < until { "Resumes at " } else { "Was to resume at " };
        view! { <p class="muted">{words} {at_time(until)} "."</p> }
    });
    let again = view.sent_again.map(|again| {
        let times = number::count(again.times.into(), "time", "times");
        view! { <p class="muted">"Sent again " {times} ", last at " {at_time(again.last_at)} "."</p> }
    });
    view! {
        <section class=["panel finding ", class].concat() aria-label="Outcome">
            <span class=["verdict ", class].concat()>{icon(shape)}</span>
            <div><p><strong>{strong}</strong> " " {text}</p>{again}{until}</div>
        </section>
    }
    .into_any()
}

fn outcome_word(view: &CommandView) -> &'static str {
    match (view.state, view.action) {
        (CommandState::Confirmed, Action::Pause) => "Paused.",
        (CommandState::Confirmed, Action::Resume) => "Resumed.",
        (CommandState::Confirmed, Action::Stop) => "Stopped.",
        (CommandState::Confirmed, Action::Start) => "Started.",
        (CommandState::Confirmed, Action::Restart) => "Restarted.",
        (CommandState::Confirmed, Action::ChangeWorkers { .. }) => "Workers changed.",
        (CommandState::Confirmed, Action::Reset) => "Offsets reset.",
        (CommandState::Confirmed, Action::Rewind { .. }) => "Offsets rewound.",
        (CommandState::Confirmed, Action::SetOffsets) => "Offsets set.",
        (CommandState::Confirmed, Action::DeleteGroup) => "Group deleted.",
        (CommandState::PartiallyConfirmed, _) => "Partially confirmed.",
        (CommandState::TimedOut, _) => "Timed out.",
        (CommandState::Refused, _) => "Refused.",
        (CommandState::Restored, _) => "Restored.",
        (CommandState::Requested | CommandState::Sent, _) => "Waiting.",
    }
}

fn steps(view: &CommandView) -> impl IntoView + use<> {
    let start = view.requested_at;
    let after = |at: flowdeck_model::Timestamp| ["+", &time::brief(at.since(start))].concat();
    let reason =
        (!view.reason.is_empty()).then(|| ["“", &flowdeck_model::shown::name(&view.reason), "”"].concat());
    let from = view.actor.address.as_ref().map(|address| ["from ", address].concat());
    let sent = view.sent.iter().map(|record| sent(record, after(record.at))).collect_view();
    let instances = view.instances.iter().map(|one| instance(one, after(one.at))).collect_view();
    view! {
        <li>
            <span class="mark done">{icon(Icon::Done)}</span>
            <span class="body">"Requested by " {flowdeck_model::shown::name(&view.actor.name)} <small>{reason} " " {from}</small></span>
            <span class="faint num">{at_time(start)} <small>{ago(start)} " ago"</small></span>
        </li>
        {sent}
        {instances}
    }
}

fn sent(record: &SentRecord, after: String) -> impl IntoView + use<> {
    let place =
        ["partition ", &record.partition.to_string(), ", offset ", &number::offset(record.offset)].concat();
    view! {
        <li>
            <span class="mark done">{icon(Icon::Done)}</span>
            <span class="body">"Written to " {record.topic.to_string()} <small>{place}</small></span>
            <span class="faint num">{after}</span>
        </li>
    }
}

fn instance(one: &InstanceOutcome, after: String) -> impl IntoView + use<> {
    let consumer = one.consumer.as_ref().map(|name| [" · ", &name.shown()].concat());
    let detail = one.detail.clone().map(|detail| view! { <small>{detail}</small> });
    view! {
        <li>
            {command::instance_icon(one.state)}
            <span class="body">
                <b>{one.instance.shown()}</b> ": " {one.state.label()}
                <small>{command::kind_words(one.kind)} {consumer}</small>
                {detail}
            </span>
            <span class="faint num">{after}</span>
        </li>
    }
}

/// Partitions that are listed; the API lists them all.
const OFFSETS_SHOWN: usize = 100;

fn offsets(view: &CommandView) -> AnyView {
    if view.offsets.is_empty() {
        return ().into_any();
    }
    let rows = view.offsets.iter().take(OFFSETS_SHOWN).map(|change| {
        let place = [change.topic.as_str(), " partition ", &change.partition.to_string()].concat();
        let from = change.from.map_or_else(|| "–".to_owned(), number::offset);
        let to = match change.to {
            OffsetTarget::Offset(to) => number::offset(to),
            skipped => skipped.label().to_owned(),
        };
        view! { <tr><th scope="row">{place}</th><td class="num">{from}</td><td class="num">{to}</td></tr> }
    });
    let is_begun = !matches!(view.state, CommandState::Requested | CommandState::Refused);
    let may_be_set = view
        .offsets
        .iter()
        .any(|change| matches!(change.to, OffsetTarget::Offset(_) | OffsetTarget::Deleted));
    let undo = (is_begun && may_be_set).then(|| {
        let group = links::offsets(&view.cluster_info.name, &view.target.group);
        let undo = [&group, "?to=undo:", &view.id.to_string()].concat();
        view! { <p><a class="link" href=undo rel="external">"Undo…"</a></p> }
    });
    let to = if view.state == CommandState::Confirmed { "Moved to" } else { "Asked for" };
    let more = view.offsets.len().saturating_sub(OFFSETS_SHOWN);
    let more = (more > 0).then(|| ["… and ", &more.to_string(), " more; the API lists them all."].concat());
    view! {
        <section class="panel" aria-labelledby="offsets">
            <header><h2 id="offsets">"Offsets"</h2></header>
            {undo}
            <div class="scroll">
                <table class="offsets">
                    <thead><tr><th scope="col">"Partition"</th><th scope="col" class="num">"Committed before"</th><th scope="col" class="num">{to}</th></tr></thead>
                    <tbody>{rows.collect_view()}</tbody>
                </table>
            </div>
            {more.map(|words| view! { <p class="muted">{words}</p> })}
        </section>
    }
    .into_any()
}

fn notes(view: &CommandView) -> AnyView {
    view.notes.iter().map(|note| notice::warning(note.clone())).collect_view().into_any()
}
