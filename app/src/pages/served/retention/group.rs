//! `/c/{cluster}/groups/{group}/retention`: the topics of a group, with what waits on each, and what is raised already.

use std::collections::BTreeMap;

use flowdeck_model::view::{GroupView, Mode, RetentionRow};
use flowdeck_model::{ClusterName, GroupId, TopicName};
use leptos::prelude::*;
use leptos_meta::Title;

use super::super::{answered, head_of_group, ports};
use crate::components::clock::{Clock, at_time};
use crate::components::flow;
use crate::components::notice;
use crate::format::number;
use crate::links;
use crate::pages::group::form::observe_words;

#[component]
pub(crate) fn GroupRetentionPage(cluster: ClusterName, group: GroupId) -> AnyView {
    let answer = async move {
        let ports = ports()?;
        let view = ports.fleet.group(&cluster, &group)?;
        let open = ports.retentions.open(&cluster)?;
        Ok((view, open))
    };
    answered(answer, |(view, open)| page(&view, &open))
}

#[derive(Default)]
struct Waits {
    lag: u64,
    unknown: bool,
}

fn page(view: &GroupView, open: &[RetentionRow]) -> AnyView {
    let (info, id) = (&view.cluster_info, &view.row.group);
    Clock::provide(view.now);
    let mut topics: BTreeMap<&TopicName, Waits> = BTreeMap::new();
    for row in &view.partitions {
        let waits = topics.entry(&row.topic).or_default();
        waits.unknown |= row.lag.is_none();
        waits.lag = waits.lag.saturating_add(row.lag.unwrap_or_default());
    }
    let rows = topics.into_iter().map(|(topic, waits)| line(view, topic, &waits, open)).collect_view();
    let body = match info.mode {
        Mode::Observe => view! { <p class="below">{observe_words(&info.label, info.name.as_str())}</p> }.into_any(),
        Mode::Control if view.partitions.is_empty() => notice::empty(
            "No topics",
            "Kafka has no committed offset and no assigned partition of this group.",
        ),
        Mode::Control => view! {
            <p class="below">"A pause stops no retention: Kafka deletes what is not read in time. Raise it for a topic until the pauses are over; the values go back by themselves."</p>
            <table class="plan">
                <caption class="unseen">"Topics of the group"</caption>
                <thead><tr>
                    <th scope="col">"Topic"</th><th scope="col" class="num">"Lag"</th>
                    <th scope="col">"Raised"</th><th scope="col">"Action"</th>
                </tr></thead>
                <tbody>{rows}</tbody>
            </table>
        }
        .into_any(),
    };
    view! {
        <Title text=["Retention for ", &id.shown(), " · ", &info.label].concat()/>
        {head_of_group(info, id, "Keep unread records".to_owned(), view.now)}
        {flow::sentences(&view.facts)}
        <section class="panel" aria-label="Topics of the group">{body}</section>
    }
    .into_any()
}

fn line(view: &GroupView, topic: &TopicName, waits: &Waits, open: &[RetentionRow]) -> AnyView {
    let cluster = &view.cluster_info.name;
    let lag = match (waits.unknown, waits.lag) {
        (true, 0) => "not known".to_owned(),
        (true, lag) => ["at least ", &number::exact(lag)].concat(),
        (false, lag) => number::exact(lag),
    };
    let raised = open.iter().rev().find(|one| one.topic == *topic).map(|one| {
        view! { <a class="link" href=links::raised(cluster, one.id)>{one.state.label()}</a> ", at the latest until " {at_time(one.until)} }
    });
    view! {
        <tr>
            <th scope="row" class="wrap">{topic.to_string()}</th>
            <td class="num" data-l="lag">{lag}</td>
            <td data-l="raised">{raised}</td>
            <td data-l="action"><a class="btn small" href=links::retention(cluster, topic, Some(&view.row.group))>"Raise…"</a></td>
        </tr>
    }
    .into_any()
}
