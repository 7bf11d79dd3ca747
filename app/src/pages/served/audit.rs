//! `/c/{cluster}/audit`: who asked for what, and what came of it.

use flowdeck_model::actor::ActorView;
use flowdeck_model::query::AuditKind;
use flowdeck_model::view::{
    AuditEntry, AuditLogIn, AuditLook, AuditOperation, AuditRun, AuditView, LogInOutcome,
};
use flowdeck_model::{ActionKind, AuditQuery, ClusterName, CommandState, MessagesQuery, TopicName, shown};
use leptos::prelude::*;
use leptos_meta::Title;

use crate::components::clock::{Clock, ago, at_time};
use crate::components::{bar, cluster, command, notice};
use crate::format::number;
use crate::links;

#[component]
pub(super) fn AuditPage(cluster: ClusterName, query: String) -> AnyView {
    let answer = async move {
        let query = AuditQuery::parse(&query, false)?;
        let view = super::ports()?.audit.entries(&cluster, &query).await?;
        Ok((query, view))
    };
    super::answered(answer, |(query, view)| page(&query, view))
}

fn page(query: &AuditQuery, view: AuditView) -> AnyView {
    Clock::provide(view.now);
    let info = view.cluster_info.clone();
    let name = info.name.clone();
    view! {
        <Title text=["Audit · ", &info.label].concat()/>
        <div>
            <nav class="crumbs" aria-label="Where you are"><a href=links::to("/")>"Fleet"</a> " / " {info.label.clone()}</nav>
            <div class="title">
                {cluster::pill(info.label.clone(), info.colour)}
                <h1>"Audit"</h1>
                {bar::updated(Some(view.now))}
            </div>
        </div>
        {cluster::trouble(&info)}
        <section class="panel" aria-label="Audit">
            {form(&name, query)}
            {view.notes.iter().map(|note| notice::warning(note.clone())).collect_view()}
            {table(&name, query, &view)}
            {pages(&name, query, &view)}
        </section>
    }
    .into_any()
}

fn form(cluster: &ClusterName, query: &AuditQuery) -> AnyView {
    let kinds = AuditKind::ALL.map(|kind| option(kind.key(), kind.label(), kind == query.kind));
    let actions =
        ActionKind::ALL.map(|action| option(action.word(), action.label(), query.action == Some(action)));
    let states =
        CommandState::ALL.map(|state| option(state.key(), state.label(), query.state == Some(state)));
    let time =
        |time: Option<flowdeck_model::Timestamp>| time.map(|time| time.to_string()).unwrap_or_default();
    let all = query.is_filtered().then(|| {
        view! { <a class="link" href=links::audit(cluster, "") rel="external">"Show all"</a> }
    });
    view! {
        <form class="tools from filters" method="get" action=links::audit(cluster, "")>
            <label><span>"Show"</span> <select name="kind">{kinds.into_iter().collect_view()}</select></label>
            {text("Group", "group", &query.group)}
            {text("By", "actor", &query.actor)}
            <label><span>"Action"</span> <select name="action"><option value="">"all"</option>{actions.into_iter().collect_view()}</select></label>
            <label><span>"State"</span> <select name="state"><option value="">"all"</option>{states.into_iter().collect_view()}</select></label>
            {text("Reason", "search", &query.search)}
            {text("From", "from", &time(query.from))}
            {text("To", "to", &time(query.to))}
            <button class="btn small">"Filter"</button>
            {all}
        </form>
    }
    .into_any()
}

fn option(key: &'static str, label: &'static str, chosen: bool) -> AnyView {
    view! { <option value=key selected=chosen>{label}</option> }.into_any()
}

fn text(label: &'static str, name: &'static str, value: &str) -> AnyView {
    let hint = matches!(name, "from" | "to").then_some("2026-11-21T14:00:00Z");
    view! {
        <label><span>{label}</span>
            <input name=name value=value.to_owned() size="14" autocomplete="off" spellcheck="false" placeholder=hint/>
        </label>
    }
    .into_any()
}

fn table(cluster: &ClusterName, query: &AuditQuery, view: &AuditView) -> AnyView {
    if view.entries.is_empty() {
        let title = if query.is_filtered() { "Nothing matches" } else { "Nothing is recorded" };
        return notice::empty(
            title,
            "It has each operation of the last 90 days: who asked for it, why, and what came of it.",
        );
    }
    let rows = view.entries.iter().map(|entry| row(cluster, entry)).collect_view();
    view! {
        <div class="scroll">
            <table class="cards fixed audit">
                <caption class="unseen">"Operations, log-ins and looks at records, the newest first"</caption>
                <thead><tr>
                    <th scope="col" class="w-status">"Time"</th>
                    <th scope="col">"What"</th>
                    <th scope="col" class="w-owner">"By"</th>
                    <th scope="col" class="w-status">"State"</th>
                    <th scope="col" class="w-host">"Reason"</th>
                </tr></thead>
                <tbody>{rows}</tbody>
            </table>
        </div>
    }
    .into_any()
}

fn row(cluster: &ClusterName, entry: &AuditEntry) -> AnyView {
    match entry {
        AuditEntry::Operation(one) => operation(cluster, one),
        AuditEntry::LogIn(one) => log_in(one),
        AuditEntry::Look(one) => look(cluster, one),
        AuditEntry::Redrive(one) => run(links::redrive(cluster, one.id), one),
        AuditEntry::Bulk(one) => run(links::bulk(cluster, one.id), one),
        AuditEntry::Produced(one) => run(links::produced(cluster, one.id), one),
        AuditEntry::Retention(one) => run(links::raised(cluster, one.id), one),
    }
}

fn operation(cluster: &ClusterName, one: &AuditOperation) -> AnyView {
    let group = one.group.as_ref().map(|group| {
        view! { <a class="sub" href=links::group(cluster, group) rel="external">"group"</a> }
    });
    let why = one.notes.first().map(|note| view! { <small class="sub">{note.clone()}</small> });
    view! {
        <tr>
            <td data-l="time">{at_time(one.requested_at)} " " <span class="sub">{ago(one.requested_at)} " ago"</span></td>
            <td data-c="group"><div class="cell"><a class="name" href=links::command(cluster, one.id) rel="external">{one.title.clone()}</a> {group}</div></td>
            <td data-l="by">{by(&one.actor)}</td>
            <td data-l="state"><span class=command::state_class(one.state)>{one.state.label()}</span></td>
            <td data-l="reason"><div>{shown::name(&one.reason)}</div>{why}</td>
        </tr>
    }
    .into_any()
}

/// A record of what goes on for a while, and has a page of its own.
fn run(page: String, one: &AuditRun) -> AnyView {
    let why = one.notes.first().map(|note| view! { <small class="sub">{note.clone()}</small> });
    view! {
        <tr>
            <td data-l="time">{at_time(one.at)} " " <span class="sub">{ago(one.at)} " ago"</span></td>
            <td data-c="group"><a class="name" href=page rel="external">{one.title.clone()}</a></td>
            <td data-l="by">{by(&one.actor)}</td>
            <td data-l="state"><span class="tag">{one.event.clone()}</span></td>
            <td data-l="reason"><div>{shown::name(&one.reason)}</div>{why}</td>
        </tr>
    }
    .into_any()
}

fn log_in(one: &AuditLogIn) -> AnyView {
    let class = if one.outcome == LogInOutcome::Refused { "tag bad" } else { "tag" };
    view! {
        <tr>
            <td data-l="time">{at_time(one.at)} " " <span class="sub">{ago(one.at)} " ago"</span></td>
            <td data-c="group">"Log-in"</td>
            <td data-l="by">{by(&one.actor)}</td>
            <td data-l="state"><span class=class>{one.outcome.label()}</span></td>
            <td data-l="reason">{one.detail.clone()}</td>
        </tr>
    }
    .into_any()
}

/// At records.
fn look(cluster: &ClusterName, one: &AuditLook) -> AnyView {
    let topic = one.topic.as_deref().and_then(|name| name.parse::<TopicName>().ok());
    let topic = topic.map(|topic| {
        view! { " of " <a class="name" href=links::topic(cluster, &topic, &MessagesQuery::default()) rel="external">{topic.to_string()}</a> }
    });
    view! {
        <tr>
            <td data-l="time">{at_time(one.at)} " " <span class="sub">{ago(one.at)} " ago"</span></td>
            <td data-c="group"><div class="cell">{one.look.label()} {topic} " " <span class="sub">{shown::text(&one.range())}</span></div></td>
            <td data-l="by">{by(&one.actor)}</td>
            <td data-l="state"></td>
            <td data-l="reason">{one.outcome()}</td>
        </tr>
    }
    .into_any()
}

fn by(actor: &ActorView) -> AnyView {
    let from = actor.address.as_ref().map(|address| view! { " " <span class="sub">{address.clone()}</span> });
    view! { {shown::name(&actor.name)} {from} }.into_any()
}

/// The pages before and after, and the same as a file.
fn pages(cluster: &ClusterName, query: &AuditQuery, view: &AuditView) -> AnyView {
    let newest = query.before.is_some().then(|| {
        let newest = AuditQuery { before: None, ..query.clone() };
        view! { <a class="btn small" href=links::audit(cluster, &newest.to_query()) rel="external">"Newest"</a> }
    });
    let older = view.older.map(|before| {
        let older = AuditQuery { before: Some(before), ..query.clone() };
        view! { <a class="btn small" href=links::audit(cluster, &older.to_query()) rel="external">"Older"</a> }
    });
    let file = |format| links::audit_download(cluster, &query.to_query(), format);
    view! {
        <div class="tools under">
            {newest} {older}
            <span class="muted push">{number::count(view.entries.len() as u64, "entry", "entries")} " shown, " {number::count(view.scanned, "record", "records")} " read"</span>
            <a class="btn small" href=file("csv") download="">"CSV"</a>
            <a class="btn small" href=file("ndjson") download="">"JSON"</a>
        </div>
    }
    .into_any()
}
