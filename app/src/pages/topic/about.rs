//! What a topic is: partitions, consumer groups, configuration.

use flowdeck_model::view::{ConfigRow, ReaderRow, TopicPartitionRow, TopicView};
use leptos::prelude::*;

use crate::components::verdict::{labelled, tone};
use crate::components::{figures, flow, name, notice};
use crate::format::{config, number};
use crate::links;

fn value<'a>(view: &'a TopicView, name: &str) -> Option<&'a str> {
    view.config.iter().find(|row| row.name == name)?.value.as_deref()
}

/// "retention 7 d", "compacted"; `None` where the configuration could not be read.
pub(super) fn retention(view: &TopicView) -> Option<String> {
    config::retention(|name| value(view, name))
}

fn ids(ids: &[i32]) -> String {
    ids.iter().map(i32::to_string).collect::<Vec<_>>().join(", ")
}

/// What comes to it now, and how it grows at the rate of the last quarter of an hour.
pub(super) fn inflow(view: &TopicView) -> Option<AnyView> {
    let now = number::rate(view.written.one_minute?);
    let hourly = view
        .written
        .fifteen_minutes
        .map(|rate| [", grows by ", &number::compact(rate.thousandths() * 18 / 5), " an hour"].concat());
    Some(view! { <span class="tag">{now} " in/s" {hourly}</span> }.into_any())
}

pub(super) fn partitions(view: &TopicView) -> AnyView {
    let rows = view.partitions.iter().map(partition).collect_view();
    view! {
        <div class="scroll">
            <table class="cards fixed">
                <caption class="unseen">"Partitions with offsets and replicas"</caption>
                <thead><tr>
                    <th scope="col" class="num">"Partition"</th>
                    <th scope="col" class="num">"Start offset"</th>
                    <th scope="col" class="num">"End offset"</th>
                    <th scope="col" class="num">"Offset range"</th>
                    <th scope="col">"Leader"</th>
                    <th scope="col">"Replicas"</th>
                    <th scope="col">"ISR"</th>
                </tr></thead>
                <tbody>{rows}</tbody>
            </table>
        </div>
    }
    .into_any()
}

fn partition(row: &TopicPartitionRow) -> impl IntoView + use<> {
    let at = |offset: Option<i64>| offset.map(number::offset).unwrap_or_else(|| "–".to_owned());
    let range = row.start.zip(row.end).and_then(|(start, end)| u64::try_from(end.checked_sub(start)?).ok());
    let leader = match row.leader {
        Some(leader) => view! { {leader.to_string()} }.into_any(),
        None => view! { <span class="tag bad">"no leader"</span> }.into_any(),
    };
    let short = row.in_sync.len() < row.replicas.len();
    let in_sync = match short {
        true => view! { <span class="tag warn">{ids(&row.in_sync)} " of " {row.replicas.len().to_string()}</span> }.into_any(),
        false => view! { {ids(&row.in_sync)} }.into_any(),
    };
    view! {
        <tr>
            <td class="num" data-l="partition">{row.partition.to_string()}</td>
            <td class="num mono" data-l="start offset">{at(row.start)}</td>
            <td class="num mono" data-l="end offset">{at(row.end)}</td>
            <td class="num" data-l="offset range">{range.map(figures::count)}</td>
            <td data-l="leader">{leader}</td>
            <td class="muted" data-l="replicas">{ids(&row.replicas)}</td>
            <td class="muted" data-l="ISR">{in_sync}</td>
        </tr>
    }
}

pub(super) fn groups(view: &TopicView) -> AnyView {
    if view.readers.is_empty() {
        return notice::empty(
            "No consumer groups",
            "No group has committed an offset on this topic or owns part of it.",
        );
    }
    let rows = view.readers.iter().map(|row| group(view, row)).collect_view();
    view! {
        <div class="scroll">
            <table class="cards fixed">
                <caption class="unseen">"Consumer groups of this topic with their lag"</caption>
                <thead><tr>
                    <th scope="col" class="w-verdict">"Verdict"</th>
                    <th scope="col">"Group"</th>
                    <th scope="col" class="num w-lag">"Lag"</th>
                    <th scope="col" class="num">"Time lag"</th>
                    <th scope="col" class="num w-members">"Members"</th>
                </tr></thead>
                <tbody>{rows}</tbody>
            </table>
        </div>
    }
    .into_any()
}

fn group(view: &TopicView, row: &ReaderRow) -> impl IntoView + use<> {
    let members = row.members.map(|n| number::exact(n.into())).unwrap_or_else(|| "–".to_owned());
    view! {
        <tr>
            <td>{labelled(tone(row.verdict, row.level), row.verdict.label())}</td>
            <td data-c="group"><div class="cell"><a class="name" data-key="row" href=links::group(&view.cluster_info.name, &row.group)>{name::cut(row.group.shown())}</a></div></td>
            <td class="num" data-l="lag">{figures::lag(row.lag, row.lag_at_least, row.unknown_partitions.into())}</td>
            <td class="num" data-l="time lag">{flow::time_lag(row.time_lag)}</td>
            <td class="num" data-l="members">{members}</td>
        </tr>
    }
}

pub(super) fn configuration(view: &TopicView) -> AnyView {
    if view.config.is_empty() {
        return notice::empty(
            "The configuration could not be read",
            "It needs the ACL DescribeConfigs on the topic, and a broker that responds.",
        );
    }
    let rows = view.config.iter().map(setting).collect_view();
    view! {
        <div class="scroll">
            <table class="cards fixed configuration">
                <caption class="unseen">"Configuration that matters to consumers"</caption>
                <thead><tr><th scope="col" class="w-name">"Name"</th><th scope="col">"Value"</th><th scope="col" class="w-source">"Source"</th></tr></thead>
                <tbody>{rows}</tbody>
            </table>
        </div>
    }
    .into_any()
}

fn setting(row: &ConfigRow) -> impl IntoView + use<> {
    let value = row.value.as_deref().map(flowdeck_model::shown::name).unwrap_or_else(|| "hidden".to_owned());
    let words = row.value.as_deref().and_then(|value| config::meaning(&row.name, value));
    let words = words.map(|words| view! { <span class="sub">{words}</span> });
    view! {
        <tr>
            <td class="mono wrap" data-c="group">{row.name.clone()}</td>
            <td class="mono wrap">{value}{words}</td>
            <td class="muted">{if row.default { "default" } else { "topic override" }}</td>
        </tr>
    }
}
