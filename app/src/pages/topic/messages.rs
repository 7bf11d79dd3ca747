//! The list of messages: from where, how many, what was read to show them.

use flowdeck_model::query::{DecoderName, From as Start, Isolation, MESSAGES_DEFAULT, MESSAGES_MAX};
use flowdeck_model::view::{
    DecodersView, MessageView, MessagesView, Payload, PayloadKind, SearchView, TopicPartitionRow, TopicView,
};
use flowdeck_model::{ClusterName, MessagesQuery, Partition, TopicName};
use leptos::prelude::*;
use leptos_router::NavigateOptions;
use leptos_router::hooks::use_navigate;

use super::{Answer, Peek, record};
use crate::browser;
use crate::components::clock::{Clock, ago, at_time};
use crate::components::{error, notice, part};
use crate::format::number;
use crate::links;

/// Where this topic's messages are, for links.
#[derive(Clone)]
pub(super) struct Place {
    pub cluster: ClusterName,
    pub topic: TopicName,
}

impl Place {
    pub(super) fn link(&self, query: &MessagesQuery) -> String {
        links::topic(&self.cluster, &self.topic, query)
    }

    /// The same list with one record open beside it.
    fn open(&self, query: &MessagesQuery, partition: Partition, offset: i64) -> String {
        let open = ["open=", &partition.to_string(), ":", &offset.to_string()].concat();
        let text = query.to_query();
        let text = if text.is_empty() { open } else { [&text, "&", &open].concat() };
        links::with_query(&self.link(&MessagesQuery::default()), &text)
    }
}

pub(super) fn panel(view: &TopicView, peek: Peek) -> AnyView {
    let place = Place { cluster: view.cluster_info.name.clone(), topic: view.topic.clone() };
    let partitions: Vec<Partition> = view.partitions.iter().map(|row| row.partition).collect();
    let query = Memo::new(move |_| MessagesQuery::parse(&peek.list.read(), false).unwrap_or_default());
    let is_open = move || peek.shown.with(|shown| shown.open.is_some());
    let rows = StoredValue::new(view.partitions.clone());
    let decoders = view.decoders.clone();
    let (tools_place, list_place, record_place) = (place.clone(), place.clone(), place);
    let listed = move || {
        let place = list_place.clone();
        Suspend::new(async move {
            match peek.messages.await {
                Ok(view) => list(&view, place, query, peek),
                Err(error) => error::part(&error),
            }
        })
    };
    let opened = move || {
        let place = record_place.clone();
        Suspend::new(async move { peek.open.await.map(|answer| opened(answer, place, rows, query, peek)) })
    };
    part::give_back_focus(is_open);
    let list = view! { <Transition fallback=notice::loading>{listed}</Transition> };
    let record = view! { <Transition>{opened}</Transition> };
    view! {
        {move || tools(&tools_place, &partitions, &decoders, &query.read(), start_text(&peek.list.read()))}
        <div class="split" class:open=is_open>
            <div class="list">{list}</div>
            <div class="aside">{record}</div>
        </div>
    }
    .into_any()
}

fn opened(
    answer: Answer,
    place: Place,
    rows: StoredValue<Vec<TopicPartitionRow>>,
    query: Memo<MessagesQuery>,
    peek: Peek,
) -> AnyView {
    // What was waited for comes into the page after this effect, before the next frame.
    Effect::new(|_| request_animation_frame(|| browser::enter("#record", &["#record"])));
    let list = query.get_untracked();
    match answer {
        Ok(view) => {
            Clock::provide(view.now);
            let open = peek.shown.with_untracked(|shown| shown.open);
            rows.with_value(|rows| record::panel(view, open, rows, &place, &list))
        }
        Err(error) => record::frame("Record".to_owned(), None, place.link(&list), error::part(&error)),
    }
}

/// The text of the field: what the user wrote where it was refused, and no list of offsets that a page's
/// link carries.
fn start_text(query: &str) -> String {
    match MessagesQuery::parse(query, false) {
        Ok(parsed) => match &parsed.from {
            Start::Before(all) | Start::Offsets(all) if all.offsets().len() > 1 => String::new(),
            from => from.to_string(),
        },
        Err(_) => form_urlencoded::parse(query.as_bytes())
            .find(|(name, _)| name == "from")
            .map(|(_, value)| value.into_owned())
            .unwrap_or_default(),
    }
}

fn tools(
    place: &Place,
    partitions: &[Partition],
    decoders: &DecodersView,
    query: &MessagesQuery,
    start: String,
) -> AnyView {
    let chip = |words: &'static str, from: Start| {
        let chosen = query.from == from;
        let next = MessagesQuery { from, order: None, ..query.clone() };
        // The list that is shown already is read anew: the router would leave it as it is.
        let anew = chosen.then_some("external");
        let chosen = chosen.then_some("true");
        view! { <a class="chip" href=place.link(&next) data-noscroll="" rel=anew aria-current=chosen>{words}</a> }
    };
    let options = partitions
        .iter()
        .map(|one| view! { <option value=one.to_string() selected=query.partition == Some(*one)>{one.to_string()}</option> })
        .collect_view();
    let limits = [20, MESSAGES_DEFAULT, 200, MESSAGES_MAX]
        .map(|limit| view! { <option value=limit.to_string() selected=query.limit == limit>{limit.to_string()}</option> });
    let live = MessagesQuery { from: Start::Latest, order: None, seen: 0, ..query.clone() };
    let more = more(decoders, query);
    let levels = [Isolation::ReadUncommitted, Isolation::ReadCommitted].map(
        |level| view! { <option value=level.key() selected=query.isolation == level>{level.key()}</option> },
    );
    view! {
        <div class="tools">
            <div class="chips" role="group" aria-label="Start">{chip("Latest", Start::Latest)} {chip("Earliest", Start::Earliest)}</div>
            <form class="from" method="get" action=place.link(&MessagesQuery::default())>
                <label><span>"Partition"</span> <select name="partition"><option value="">"all"</option>{options}</select></label>
                <label><span>"Start"</span>
                    <input name="from" data-key="search" value=start size="16" autocomplete="off" spellcheck="false"
                        title="latest, earliest, offset:N, or a time such as 2026-11-21T14:08:57Z" placeholder="offset or time"/>
                </label>
                <label><span>"Limit"</span> <select name="limit">{limits}</select></label>
                <label><span>"Isolation"</span> <select name="isolation">{levels}</select></label>
                <label><span>"Search"</span>
                    <input name="text" value=query.find.text.clone() size="14" autocomplete="off" spellcheck="false" placeholder="text"/>
                </label>
                {more}
                <button class="btn small">"Fetch"</button>
                <a class="btn small" href=links::tail(&place.cluster, &place.topic, &live) rel="external">"Live"</a>
            </form>
        </div>
    }
    .into_any()
}

/// Further conditions and decoders, folded away until one is set.
fn more(decoders: &DecodersView, query: &MessagesQuery) -> AnyView {
    let find = &query.find;
    let is_set = !find.key.is_empty()
        || !find.header.is_empty()
        || !find.path.is_empty()
        || !find.cel.is_empty()
        || find.until.is_some()
        || query.key_decoder.is_some()
        || query.value_decoder.is_some();
    let field = |label: &'static str, name: &'static str, value: String, hint: &'static str| {
        view! {
            <label><span>{label}</span>
                <input name=name value=value size="16" autocomplete="off" spellcheck="false" placeholder=hint/>
            </label>
        }
    };
    let until = find.until.map(|until| until.to_string()).unwrap_or_default();
    view! {
        <details class="more" open=is_set>
            <summary>"More"</summary>
            <div class="from">
                {field("Key has", "key", find.key.clone(), "text")}
                {field("Header", "header", find.header.clone(), "name or name:text")}
                {field("JSON path", "path", find.path.clone(), "$.order.id == 7")}
                {field("CEL", "cel", find.cel.clone(), "value.amount > 100")}
                {field("Before", "until", until, "time")}
                {decoder("Key as", "keyDecoder", &decoders.names, &decoders.key, &query.key_decoder)}
                {decoder("Value as", "valueDecoder", &decoders.names, &decoders.value, &query.value_decoder)}
            </div>
        </details>
    }
    .into_any()
}

/// A choice of decoders. One that was written into the address and is no option stays chosen.
fn decoder(
    label: &'static str,
    name: &'static str,
    names: &[String],
    configured: &Option<String>,
    chosen: &Option<DecoderName>,
) -> AnyView {
    let chosen = chosen.as_ref().map(DecoderName::as_str);
    let usual = configured.clone().unwrap_or_else(|| "detect".to_owned());
    let other = chosen.filter(|chosen| !names.iter().any(|known| known == chosen)).map(str::to_owned);
    let options = names.iter().cloned().chain(other).map(|one| {
        let selected = chosen == Some(one.as_str());
        view! { <option value=one.clone() selected=selected>{one.clone()}</option> }
    });
    let options = options.collect_view();
    view! { <label><span>{label}</span> <select name=name><option value="">{usual}</option>{options}</select></label> }
        .into_any()
}

fn list(view: &MessagesView, place: Place, query: Memo<MessagesQuery>, peek: Peek) -> AnyView {
    Clock::provide(view.now);
    let asked = query.get_untracked();
    let read = [
        &number::count(view.records.len() as u64, "record", "records"),
        " · scanned ",
        &number::exact(view.scanned.into()),
        " in ",
        &number::exact(view.took_millis.into()),
        " ms",
    ];
    let cut = (!view.complete && view.search.is_none()).then(|| {
        let why = view.note.clone().unwrap_or_else(|| "a limit of time or size was reached".to_owned());
        let text = ["Incomplete: ", &why, ". What was read until then is shown."].concat();
        let again = place.link(&asked);
        view! { <div class="note"><span>{text} " " <a class="link" href=again rel="external">"Fetch again"</a></span></div> }
    });
    let note = view.complete.then(|| view.note.clone()).flatten().map(notice::warning);
    let rows = view.records.iter().map(|record| line(record, &place, &asked, peek)).collect_view();
    let none = view.records.is_empty().then(|| {
        let more = match asked.from {
            _ if view.search.as_ref().is_some_and(|search| search.next.is_some()) => {
                "Nothing was found in what was scanned until now."
            }
            _ if view.search.is_some() => "No record matches.",
            Start::Before(_) => "No record before these offsets was found in what was read.",
            Start::Offset(_) | Start::Offsets(_) | Start::Time(_) => {
                "No record at or after this start was found in what was read."
            }
            _ => "The topic has no records: none was written, or retention deleted them.",
        };
        notice::empty("No messages", more)
    });
    let search = view.search.as_ref().map(|search| progress(search, view, &place, peek));
    view! {
        {search}{cut}{note}{not_shown(view, &place, &asked)}
        <div class="scroll">
            <table class="cards messages" hidden=view.records.is_empty()>
                <caption class="unseen">"Messages"</caption>
                <thead><tr>
                    <th scope="col" class="num"><abbr title="Partition">"P"</abbr></th>
                    <th scope="col" class="num">"Offset"</th>
                    <th scope="col">"Time"</th>
                    <th scope="col">"Key"</th>
                    <th scope="col">"Value"</th>
                </tr></thead>
                <tbody>{rows}</tbody>
            </table>
        </div>
        {none}
        {(!view.records.is_empty()).then(|| downloads(&place, &asked))}
        <nav class="pager" aria-label="Further messages"><span class="muted push">{read.concat()} ", " {ago(view.now)} " ago"</span> {further(view, &place)}</nav>
    }
    .into_any()
}

/// The list as a file.
fn downloads(place: &Place, asked: &MessagesQuery) -> AnyView {
    let link = |words: &'static str, format: &'static str| {
        let href = links::download(&place.cluster, &place.topic, asked, format);
        view! { <a class="link" href=href rel="external" download="">{words}</a> }
    };
    view! { <p class="downloads muted">"Download: " {link("NDJSON", "ndjson")} " · " {link("CSV", "csv")}</p> }.into_any()
}

/// How far a search came, and its way on. With JavaScript it goes on by itself until something is found.
fn progress(search: &SearchView, view: &MessagesView, place: &Place, peek: Peek) -> AnyView {
    let text = [
        "Scanned ",
        &number::count(search.scanned, "record", "records"),
        ", ",
        &search.percent.to_string(),
        " % of the partitions.",
    ];
    let path = place.link(&MessagesQuery::default());
    let next = search.next.as_ref().map(|next| links::with_query(&path, next));
    let goes_on = next.clone().filter(|_| view.records.is_empty());
    let stop = goes_on.is_some().then(|| {
        view! { <button type="button" class="btn small needs-js" on:click=move |_| peek.stopped.set(true) disabled=move || peek.stopped.get()>"Stop"</button> }
    });
    if let Some(to) = goes_on {
        let navigate = use_navigate();
        Effect::new(move |_| {
            if !peek.stopped.get_untracked() {
                navigate(
                    &to,
                    NavigateOptions { resolve: false, replace: true, scroll: false, ..Default::default() },
                );
            }
        });
    }
    let on = next.map(|next| {
        view! { <a class="btn small" href=next data-noscroll="" on:click=move |_| peek.stopped.set(false)>"Continue"</a> }
    });
    view! { <div class="note quiet" role="status">{text.concat()} " " {stop} " " {on}</div> }.into_any()
}

/// Partitions named in a note; a topic may have thousands.
const NAMED: usize = 20;

/// Partitions of which no record is among the latest, though they have some.
fn not_shown(view: &MessagesView, place: &Place, asked: &MessagesQuery) -> Option<AnyView> {
    let all = &view.partitions_not_shown;
    let which = if asked.from == Start::Latest { "newest" } else { "oldest" };
    let count = number::count(all.len() as u64, "partition", "partitions");
    let text = ["The ", which, " records of ", &count, " are not in this list: "];
    let links = all.iter().take(NAMED).map(|one| {
        let query = MessagesQuery { partition: Some(*one), ..asked.clone() };
        view! { <a class="link" href=place.link(&query)>{one.to_string()}</a> " " }
    });
    let links = links.collect_view();
    let more = (all.len() > NAMED).then_some("…");
    (!all.is_empty())
        .then(|| view! { <div class="note quiet">{text.concat()} {links} {more}</div> }.into_any())
}

/// The pages beside this one.
fn further(view: &MessagesView, place: &Place) -> AnyView {
    let link = |words: &'static str, query: &Option<String>| {
        let path = place.link(&MessagesQuery::default());
        query
            .as_ref()
            .map(|query| view! { <a class="btn small" href=links::with_query(&path, query)>{words}</a> })
    };
    let lost =
        view.too_many_partitions.then_some("Too many partitions to page through all of them: choose one.");
    view! { {lost} {link("Older", &view.older)} {link("Newer", &view.newer)} }.into_any()
}

fn line(record: &MessageView, place: &Place, query: &MessagesQuery, peek: Peek) -> impl IntoView + use<> {
    let (partition, offset) = (record.partition, record.offset);
    let chosen = move || peek.shown.with(|shown| shown.open == Some((partition, offset)));
    view! {
        <tr class:sel=chosen>
            <td class="num mono" data-l="partition">{partition.to_string()}</td>
            <td class="num mono" data-l="offset">
                <a class="name" data-key="row" data-noscroll="" href=place.open(query, partition, offset)
                    aria-current=move || chosen().then_some("true")>{number::offset(offset)}</a>
            </td>
            <td class="muted">{record.timestamp.map(at_time)}{record.timestamp_raw.map(no_date)}</td>
            <td class="key mono">{preview(&record.key)}</td>
            <td class="preview mono">{transaction(record)}{preview(&record.value)}</td>
        </tr>
    }
}

/// Records that consumers with `read_committed` do not receive.
pub(super) fn transaction(record: &MessageView) -> Option<AnyView> {
    let (words, title) = if record.aborted == Some(true) {
        ("aborted", "Its transaction was aborted: read_committed consumers never receive it")
    } else if record.transaction_open {
        ("open transaction", "A transaction is open in which it, or a record before it, was written")
    } else {
        return None;
    };
    Some(view! { <span class="tag warn" title=title>{words}</span> " " }.into_any())
}

/// A record's time that is no date: the number that it carries.
pub(super) fn no_date(millis: i64) -> AnyView {
    view! { <span class="mono">{millis.to_string()}</span> " " <span class="tag warn">"not a date"</span> }
        .into_any()
}

fn preview(payload: &Payload) -> AnyView {
    match payload.kind {
        PayloadKind::Null => view! { <span class="faint">"null"</span> }.into_any(),
        PayloadKind::Binary => {
            let size = [&number::bytes(payload.size.into()), " of binary: ", &payload.text].concat();
            view! { <span class="faint">{size}</span> }.into_any()
        }
        PayloadKind::Json | PayloadKind::Text => flowdeck_model::shown::text(&payload.text).into_any(),
    }
}
