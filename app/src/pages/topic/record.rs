//! One record, opened: all that it carries, laid out.

use flowdeck_model::query::From as Start;
use flowdeck_model::view::{
    ClusterView, DecodeProblem, HeaderView, MessageView, MessagesView, Mode, Payload, PayloadKind,
    RecordReader, TopicPartitionRow,
};
use flowdeck_model::{ClusterName, MessagesQuery, Partition, TopicName, shown};
use leptos::prelude::*;

use super::messages::{self, Place, no_date};
use super::tree;
use crate::browser;
use crate::components::clock::at_time;
use crate::components::notice;
use crate::format::json;
use crate::format::number;
use crate::links;

/// Reads one record to its full length.
pub(super) fn query(list: &str, partition: Partition, offset: i64) -> String {
    let list = MessagesQuery::parse(list, false).unwrap_or_default();
    let query = MessagesQuery { limit: 1, full: true, ..at(&list, partition, offset) };
    query.to_query()
}

/// From this record on, decoded as in the list.
fn at(list: &MessagesQuery, partition: Partition, offset: i64) -> MessagesQuery {
    MessagesQuery {
        partition: Some(partition),
        from: Start::Offset(offset),
        unmasked: list.unmasked,
        key_decoder: list.key_decoder.clone(),
        value_decoder: list.value_decoder.clone(),
        ..MessagesQuery::default()
    }
}

pub(super) fn panel(
    view: MessagesView,
    open: Option<(Partition, i64)>,
    rows: &[TopicPartitionRow],
    place: &Place,
    list: &MessagesQuery,
) -> AnyView {
    let close = place.link(list);
    let Some((partition, offset)) = open else { return ().into_any() };
    let found =
        view.records.into_iter().find(|record| (record.partition, record.offset) == (partition, offset));
    let title = ["Partition ", &partition.to_string(), ", offset ", &number::offset(offset)].concat();
    let link = {
        [
            &place.link(&at(list, partition, offset)),
            "&open=",
            &partition.to_string(),
            ":",
            &offset.to_string(),
        ]
        .concat()
    };
    let readers = readers(&view.readers, &place.cluster);
    let raw = links::download(&place.cluster, &place.topic, &at(list, partition, offset), "raw");
    let body = match found {
        Some(record) => {
            let copy = republish(&view.cluster_info, &place.topic, &record);
            view! { {shown(record)} <p><a class="link" href=raw rel="external" download="">"Download the value's bytes"</a> " " {copy}</p> {readers} }
                .into_any()
        }
        None if !view.complete => notice::empty("Timed out", view.note.unwrap_or_default()),
        None => absent(offset, rows.iter().find(|row| row.partition == partition)),
    };
    frame(title, Some(link), close, body)
}

/// To a form that is filled with the record.
pub(in crate::pages) fn republish(
    cluster: &ClusterView,
    topic: &TopicName,
    record: &MessageView,
) -> Option<AnyView> {
    let href = (cluster.mode == Mode::Control)
        .then(|| links::republish(&cluster.name, topic, record.partition, record.offset));
    href.map(|href| view! { <a class="link" href=href rel="external">"Republish…"</a> }.into_any())
}

/// The groups before and past the record.
fn readers(all: &[RecordReader], cluster: &ClusterName) -> Option<AnyView> {
    let row = |one: &RecordReader| {
        let place = if one.is_past { "past it" } else { "before it" };
        view! {
            <dt><a class="link" href=links::group(cluster, &one.group)>{shown::name(one.group.as_str())}</a></dt>
            <dd>{place} <span class="faint">" · committed " {number::offset(one.committed)}</span></dd>
        }
    };
    let rows = all.iter().map(row).collect_view();
    (!all.is_empty()).then(|| view! { <h3>"Consumer groups"</h3> <dl class="meta">{rows}</dl> }.into_any())
}

/// Why there is no record at this offset, as far as the partition's offsets tell.
fn absent(offset: i64, row: Option<&TopicPartitionRow>) -> AnyView {
    let (start, end) = (row.and_then(|row| row.start), row.and_then(|row| row.end));
    let named = |what: &str, which: &str, bound: i64| {
        ["Offset ", what, " (", which, " = ", &number::offset(bound), ")"].concat()
    };
    match (start, end) {
        (_, Some(end)) if offset >= end => {
            notice::empty(named("beyond the end", "end", end), "No record was written at this offset yet.")
        }
        (Some(start), _) if offset < start => {
            notice::empty(named("before the start", "start", start), "Retention deleted this record.")
        }
        _ => notice::empty(
            "No record at this offset",
            "Compaction deleted it, or the offset belongs to a transaction marker.",
        ),
    }
}

/// Around a record, or around why there is none.
pub(super) fn frame(title: String, link: Option<String>, close: String, body: AnyView) -> AnyView {
    let link = link.map(|link| view! { <a class="btn small" href=link>"Permalink"</a> });
    view! {
        <section class="record" aria-labelledby="record">
            <div class="title">
                <h2 id="record" tabindex="-1">{title}</h2>
                <div class="actions">
                    {link}
                    <a class="btn small" href=close data-noscroll="" data-close="">"Close"</a>
                </div>
            </div>
            {body}
        </section>
    }
    .into_any()
}

pub(in crate::pages) fn shown(record: MessageView) -> AnyView {
    let time = record.timestamp.map(|at| {
        let kind = record.timestamp_type.clone().map(|kind| [" · ", &kind].concat());
        view! { <dt>"Time"</dt><dd>{crate::format::time::exact(at)} <span class="faint">{kind} " · " {at_time(at)}</span></dd> }
    });
    let transaction =
        messages::transaction(&record).map(|tag| view! { <dt>"Transaction"</dt><dd>{tag}</dd> });
    let no_date = record.timestamp_raw.map(|millis| {
        let kind = record.timestamp_type.clone().map(|kind| [" · ", &kind].concat());
        view! { <dt>"Time"</dt><dd>{no_date(millis)} <span class="faint">{kind}</span></dd> }
    });
    let size = [
        &number::bytes(record.value.size.into()),
        " value, ",
        &number::bytes(record.key.size.into()),
        " key",
    ]
    .concat();
    let headers = record.headers.iter().map(header).collect_view();
    let none = record.headers.is_empty().then(|| view! { <dt>"Headers"</dt><dd class="faint">"none"</dd> });
    let listed = record.headers.len() as u64;
    let cut = (listed < record.headers_total.into()).then(|| {
        let text =
            [&number::exact(listed), " of ", &number::exact(record.headers_total.into()), " headers shown"];
        view! { <dt></dt><dd class="faint">{text.concat()}</dd> }
    });
    view! {
        <dl class="meta">
            {time}
            {no_date}
            {transaction}
            <dt>"Key"</dt><dd class="mono">{inline(&record.key)}{key_decoder(&record.key)}</dd>
            <dt>"Size"</dt><dd>{size}</dd>
            {headers}
            {none}
            {cut}
        </dl>
        {value(record.value)}
    }
    .into_any()
}

/// What a key was decoded as, where that is not plain to see, and what failed.
fn key_decoder(key: &Payload) -> AnyView {
    let usual = ["", "JSON", "Text", "Hexadecimal"].contains(&key.decoder.as_str());
    let label = (!usual).then(|| [" (", &key.decoder, ")"].concat());
    view! { <span class="faint">{label}</span> {key.problem.as_ref().map(problem)} }.into_any()
}

fn header(header: &HeaderView) -> impl IntoView + use<> {
    view! { <dt class="mono">{shown::name(&header.name)}</dt><dd class="mono">{inline(&header.value)}</dd> }
}

fn inline(payload: &Payload) -> AnyView {
    let more = payload.cut.then(|| [" … ", &number::bytes(payload.size.into()), " in all"].concat());
    match payload.kind {
        PayloadKind::Null => view! { <span class="faint">"null"</span> }.into_any(),
        PayloadKind::Binary => {
            view! { {payload.text.clone()} <span class="faint">" (hexadecimal)" {more}</span> }.into_any()
        }
        PayloadKind::Json | PayloadKind::Text => {
            let bad = (payload.not_utf8 > 0).then(|| [" (", &not_utf8(payload), ")"].concat());
            view! { {shown::text(&payload.text)} <span class="faint">{bad} {more}</span> }.into_any()
        }
    }
}

fn not_utf8(payload: &Payload) -> String {
    [&number::count(payload.not_utf8.into(), "byte", "bytes"), " not UTF-8, written as \\xNN"].concat()
}

/// Why it is not shown as it was asked for.
fn problem(problem: &DecodeProblem) -> AnyView {
    let at = problem.at.map(|at| [" at byte ", &number::exact(at.into())].concat()).unwrap_or_default();
    let text = [&problem.decoder, &at, ": ", &problem.why, "."].concat();
    notice::warning(shown::name(&text))
}

fn value(payload: Payload) -> AnyView {
    let usual = ["JSON", "Text", "Hexadecimal"].contains(&payload.decoder.as_str());
    let decoded = match payload.kind {
        PayloadKind::Null => {
            return notice::empty(
                "No value",
                "The record is a tombstone: on a compacted topic it deletes its key.",
            );
        }
        _ if !usual => ["Decoded as ", &payload.decoder, ". "].concat(),
        PayloadKind::Json => "Shown as JSON: it parses.".to_owned(),
        PayloadKind::Text if payload.not_utf8 > 0 => "Shown as text: ".to_owned(),
        PayloadKind::Text if payload.cut => "Shown as text, as far as it was read.".to_owned(),
        PayloadKind::Text => "Shown as text: UTF-8, but no JSON.".to_owned(),
        PayloadKind::Binary => "Shown in hexadecimal: it is no text in UTF-8.".to_owned(),
    };
    let bad = (payload.not_utf8 > 0).then(|| [&not_utf8(&payload), "."].concat());
    let cut = payload.cut.then(|| {
        let shown = [" Only its beginning is shown, of ", &number::bytes(payload.size.into()), "."].concat();
        view! { <b>{shown}</b> }
    });
    let problem = payload.problem.as_ref().map(problem);
    let masked = (payload.masked > 0)
        .then(|| [" ", &number::count(payload.masked.into(), "value is", "values are"), " masked."].concat());
    let laid_out = match payload.kind {
        PayloadKind::Json => tree::view(json::pieces(&payload.text)),
        _ => shown::text(&payload.text).into_any(),
    };
    let copied = RwSignal::new(None::<bool>);
    let text = payload.text;
    let copy = move |_| copied.set(Some(browser::copy(&text)));
    let label = move || match copied.get() {
        None => "Copy value",
        Some(true) => "Copied",
        Some(false) => "Not copied: this browser allows no access to the clipboard",
    };
    view! {
        <div class="decoded">
            <span class="muted">{decoded}{bad}{cut}{masked}</span>
            <button type="button" class="btn small needs-js push" on:click=copy>{label}</button>
        </div>
        {problem}
        <pre tabindex="0" aria-label="Value">{laid_out}</pre>
    }
    .into_any()
}
