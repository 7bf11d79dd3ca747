//! `/c/{cluster}/dead-letters/{topic}`: a topic's newest dead letters, in groups.

use flowdeck_model::record_place::RecordPlace;
use flowdeck_model::view::{DeadLetterGroup, DeadLetterRow, DeadLettersView, Mode, RedriveRow};
use flowdeck_model::{ClusterName, DeadLettersQuery, Permission, TopicName};
use leptos::prelude::*;

use super::super::{answered, ports};
use super::{age, head, or_unknown};
use crate::components::clock::ago;
use crate::components::notice;
use crate::format::number;
use crate::links;

#[component]
pub(crate) fn LettersPage(cluster: ClusterName, topic: TopicName, query: String) -> AnyView {
    let answer = async move {
        let query = DeadLettersQuery::parse(query.trim_start_matches('?'))?;
        let ports = ports()?;
        let view = ports.dead_letters.letters(&cluster, &topic, &query).await?;
        let redrives = ports.redrives.of_topic(&cluster, &topic)?;
        let may = ports.actor.may_on_topic(Permission::Redrive, &cluster, &topic);
        Ok((query, view, redrives, may))
    };
    answered(answer, |(query, view, redrives, may)| page(&query, &view, &redrives, may))
}

fn page(query: &DeadLettersQuery, view: &DeadLettersView, redrives: &[RedriveRow], may: bool) -> AnyView {
    let info = &view.cluster_info;
    let records = links::topic(&info.name, &view.topic, &Default::default());
    let may_redrive = may && info.mode == Mode::Control && !view.letters.is_empty();
    let unknown = view.found_by.is_none().then(|| {
        notice::warning(
            "Neither its name nor its newest records say that this topic holds dead letters.".to_owned(),
        )
    });
    view! {
        {head(info, view.now, view.topic.to_string(), None)}
        {view.notes.iter().map(|note| notice::warning(note.clone())).collect_view()}
        {unknown}
        <section class="panel" aria-labelledby="groups">
            <header>
                <h2 id="groups">"By original topic and error"</h2>
                <span class="count">{scanned(view)}</span>
                <span class="actions push"><a class="btn small" href=records>"View as records"</a></span>
            </header>
            {groups(query, view)}
        </section>
        <section class="panel" aria-labelledby="letters">
            <header>
                <h2 id="letters">"Dead letters"</h2>
                <span class="count">{listed(query, view)}</span>
                <span class="actions push">{all(query, view)} {may_redrive.then(|| redrive_all(query, view))}</span>
            </header>
            {letters(view, may_redrive)}
        </section>
        {past(view, redrives)}
    }
    .into_any()
}

/// Of how many records the groups are made.
fn scanned(view: &DeadLettersView) -> String {
    let read = number::count(view.scanned.into(), "record", "records");
    let by = view.found_by.map(|by| ["Known by ", by.label(), ". "].concat()).unwrap_or_default();
    match view.complete {
        true => [&by, "All of it was read: ", &read, "."].concat(),
        false => {
            [&by, "The newest ", &read, " of at most ", &number::exact(view.count), " were read."].concat()
        }
    }
}

fn groups(query: &DeadLettersQuery, view: &DeadLettersView) -> AnyView {
    if view.groups.is_empty() {
        return notice::empty(
            "No dead letters",
            "There is no record in this topic, or none that is committed.",
        );
    }
    let rows = view.groups.iter().map(|group| group_row(query, view, group)).collect_view();
    let more = (view.more_groups > 0).then(|| {
        view! { <p class="muted below">{number::count(view.more_groups.into(), "more group is", "more groups are")} " not listed."</p> }
    });
    view! {
        <div class="scroll">
            <table class="cards fixed letter-groups">
                <caption class="unseen">"Dead letters by original topic and error"</caption>
                <thead><tr>
                    <th scope="col" class="w-owner">"Original topic"</th>
                    <th scope="col">"Error"</th>
                    <th scope="col" class="num w-count">"Records"</th>
                    <th scope="col" class="w-age">"Newest"</th>
                    <th scope="col" class="w-age">"Oldest"</th>
                    <th scope="col" class="w-owner">"Written by"</th>
                </tr></thead>
                <tbody>{rows}</tbody>
            </table>
        </div>
        {more}
    }
    .into_any()
}

fn group_row(query: &DeadLettersQuery, view: &DeadLettersView, group: &DeadLetterGroup) -> AnyView {
    let own = DeadLettersQuery {
        original: Some(group.original_topic.clone().unwrap_or_default()),
        error: Some(group.error.clone().unwrap_or_default()),
    };
    let current = (*query == own).then_some("true");
    let href = links::dead_letters_of(&view.cluster_info.name, &view.topic, &own);
    view! {
        <tr aria-current=current>
            <td data-l="original topic" class="wrap">{or_unknown(group.original_topic.as_deref())}</td>
            <td data-c="group" class="wrap"><a class="name" href=href rel="external">{or_unknown(group.error.as_deref())}</a></td>
            <td class="num" data-l="records">{number::exact(group.count.into())}</td>
            <td data-l="newest">{age(group.newest)}</td>
            <td data-l="oldest">{age(group.oldest)}</td>
            <td data-l="written by" class="muted">{group.shape.label()}</td>
        </tr>
    }
    .into_any()
}

fn all(query: &DeadLettersQuery, view: &DeadLettersView) -> Option<AnyView> {
    let href = links::dead_letters_of(&view.cluster_info.name, &view.topic, &DeadLettersQuery::default());
    (*query != DeadLettersQuery::default())
        .then(|| view! { <a class="btn small" href=href rel="external">"Show all"</a> }.into_any())
}

fn listed(query: &DeadLettersQuery, view: &DeadLettersView) -> String {
    let said = |text: &String| match text.as_str() {
        "" => "not known".to_owned(),
        text => ["\u{201c}", &flowdeck_model::shown::name(text), "\u{201d}"].concat(),
    };
    let of = query.original.as_ref().map(|topic| [" with original topic ", &said(topic)].concat());
    let error = query.error.as_ref().map(|error| [", error ", &said(error)].concat());
    let (listed, matching) = (view.letters.len() as u64, u64::from(view.matching));
    let newest = if listed < matching {
        ["the newest ", &number::exact(listed), " are listed"].concat()
    } else {
        "newest first".to_owned()
    };
    [
        &number::count(matching, "record", "records"),
        of.as_deref().unwrap_or_default(),
        error.as_deref().unwrap_or_default(),
        "; ",
        &newest,
        ".",
    ]
    .concat()
}

/// All that match, up to now; what they are, the form shows first.
fn redrive_all(query: &DeadLettersQuery, view: &DeadLettersView) -> AnyView {
    let href = links::redrive_form(&view.cluster_info.name, &view.topic, &query.to_query());
    view! { <a class="btn small" href=href rel="external">"Re-drive all of these"</a> }.into_any()
}

/// What was asked for before.
fn past(view: &DeadLettersView, redrives: &[RedriveRow]) -> Option<AnyView> {
    let row = |one: &RedriveRow| {
        let href = links::redrive(&view.cluster_info.name, one.id);
        let counts =
            [&number::exact(one.copied), " copied, ", &number::exact(one.not_copied), " not"].concat();
        view! {
            <li>
                <a class="link" href=href rel="external">{ago(one.requested_at)} " ago by " {flowdeck_model::shown::name(&one.actor.name)}</a>
                " · " {one.state.label()} " · " {counts}
            </li>
        }
    };
    let rows = redrives.iter().take(20).map(row).collect_view();
    (!redrives.is_empty()).then(|| {
        view! {
            <section class="panel" aria-labelledby="redrives">
                <header><h2 id="redrives">"Re-drives"</h2></header>
                <ul class="effects below">{rows}</ul>
            </section>
        }
        .into_any()
    })
}

fn letters(view: &DeadLettersView, may_redrive: bool) -> AnyView {
    if view.letters.is_empty() {
        return notice::empty(
            "Nothing matches",
            "No dead letter that was read is of this original topic and error.",
        );
    }
    let rows = view.letters.iter().map(|letter| letter_row(view, letter, may_redrive)).collect_view();
    let action = links::redrive_form(&view.cluster_info.name, &view.topic, "");
    let selected = may_redrive.then(|| {
        view! { <p class="below"><button class="btn small" form="selected">"Re-drive the selected ones"</button></p> }
    });
    view! {
        <form id="selected" method="get" action=action></form>
        <div class="scroll">
            <table class="cards fixed letters">
                <caption class="unseen">"Dead letters, newest first"</caption>
                <thead><tr>
                    <th scope="col" class="w-place">"Record"</th>
                    <th scope="col" class="w-age">"Written"</th>
                    <th scope="col">"Original"</th>
                    <th scope="col">"Error"</th>
                    <th scope="col" class="num w-count">"Attempts"</th>
                </tr></thead>
                <tbody>{rows}</tbody>
            </table>
        </div>
        {selected}
    }
    .into_any()
}

fn letter_row(view: &DeadLettersView, row: &DeadLetterRow, may_redrive: bool) -> AnyView {
    let place = RecordPlace { partition: row.partition, offset: row.offset };
    let href = links::dead_letter(&view.cluster_info.name, &view.topic, place);
    let select = may_redrive.then(|| {
        let label = ["Select record ", &place.to_string()].concat();
        view! { <input type="checkbox" name="record" form="selected" value=place.to_string() aria-label=label/> }
    });
    let origin = &row.origin;
    let at = match (origin.original_partition, origin.original_offset) {
        (Some(partition), Some(offset)) => {
            Some(["partition ", &partition.to_string(), ", offset ", &number::offset(offset)].concat())
        }
        _ => None,
    };
    view! {
        <tr>
            <td data-c="group">{select} <a class="name" href=href rel="external">{place.to_string()}</a></td>
            <td data-l="written">{age(row.timestamp)}</td>
            <td data-l="original" class="wrap">{or_unknown(origin.original_topic.as_deref())} " " <span class="faint">{at}</span></td>
            <td data-l="error" class="wrap">{or_unknown(origin.error.as_deref())}</td>
            <td class="num" data-l="attempts">{origin.attempts.map(|count| number::exact(count.into()))}</td>
        </tr>
    }
    .into_any()
}
