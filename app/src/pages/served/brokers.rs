//! `/c/{cluster}/brokers`: brokers, partitions in trouble, what the cluster offers.

use flowdeck_model::view::brokers::{BrokerRow, BrokersView, CapabilityRow, Offered, TroubledPartition};
use flowdeck_model::{ClusterName, MessagesQuery};
use leptos::prelude::*;
use leptos_meta::Title;

use crate::api;
use crate::components::clock::Clock;
use crate::components::{bar, cluster, error, figures, name, notice};
use crate::format::number;
use crate::links;

/// `cluster` as it is in the URL.
pub(super) fn page(segment: String) -> AnyView {
    let read = api::served::brokers(segment);
    let shown = Suspend::new(async move {
        match read.await {
            Ok(view) => body(&view),
            Err(error) => error::page(&error),
        }
    });
    view! { <Suspense>{shown}</Suspense> }.into_any()
}

fn body(view: &BrokersView) -> AnyView {
    Clock::provide(view.now);
    let info = &view.cluster_info;
    let notes = view.notes.iter().map(|note| notice::warning(note.clone())).collect_view();
    view! {
        <Title text=["Brokers · ", &info.label].concat()/>
        <div>
            <nav class="crumbs" aria-label="Where you are"><a href=links::to("/")>"Fleet"</a> " / " {info.label.clone()}</nav>
            <div class="title">
                {cluster::pill(info.label.clone(), info.colour)}
                <h1>"Brokers"</h1>
                {counts(view)}
                {bar::updated(view.as_of)}
                <div class="actions"><a class="btn" href=links::topics(&info.name) rel="external">"Topics"</a></div>
            </div>
        </div>
        {cluster::trouble(info)}
        {cluster::notes(info)}
        {notes}
        <section class="panel" aria-label="Brokers">{brokers(view)}</section>
        {troubled(view)}
        {capabilities(view)}
        {view.cluster_id.clone().map(|id| view! { <p class="muted">"Cluster id " <span class="mono">{id}</span></p> })}
    }
    .into_any()
}

fn counts(view: &BrokersView) -> AnyView {
    let tag = |count: u32, class: &'static str, words: &'static str| {
        (count > 0).then(|| {
            let count = number::count(count.into(), "partition", "partitions");
            view! { <span class=class>{[&count, words].concat()}</span> }
        })
    };
    let down = view.brokers.iter().filter(|row| row.address.is_none()).count();
    let down = (down > 0).then(|| {
        let count = number::count(down as u64, "broker", "brokers");
        view! { <span class="tag bad">{[&count, " down"].concat()}</span> }
    });
    let fine = view.as_of.is_some()
        && down.is_none()
        && (view.offline_partitions, view.under_replicated_partitions) == (0, 0);
    view! {
        {down}
        {tag(view.offline_partitions, "tag bad", " without a leader")}
        {tag(view.under_replicated_partitions, "tag warn", " under-replicated")}
        {fine.then(|| view! { <span class="tag">"all replicas in sync"</span> })}
    }
    .into_any()
}

fn brokers(view: &BrokersView) -> AnyView {
    if view.brokers.is_empty() {
        return notice::empty("No brokers", "The cluster has not answered yet.");
    }
    let racks = view.brokers.iter().any(|row| row.rack.is_some());
    let rows = view.brokers.iter().map(|row| broker(row, racks)).collect_view();
    view! {
        <div class="scroll">
            <table class="cards fixed">
                <caption class="unseen">"Brokers with the partitions that they lead and keep"</caption>
                <thead><tr>
                    <th scope="col" class="num w-count">"Broker"</th>
                    <th scope="col">"Address"</th>
                    {racks.then(|| view! { <th scope="col">"Rack"</th> })}
                    <th scope="col" class="num w-count">"Leaders"</th>
                    <th scope="col" class="num w-count">"Preferred"</th>
                    <th scope="col" class="num w-count">"Replicas"</th>
                    <th scope="col" class="num w-count">"Not in sync"</th>
                </tr></thead>
                <tbody>{rows}</tbody>
            </table>
        </div>
    }
    .into_any()
}

fn broker(row: &BrokerRow, racks: bool) -> AnyView {
    let address = match &row.address {
        Some(address) => name::cut(address.clone()),
        None => view! { <span class="tag bad">"not listed: down"</span> }.into_any(),
    };
    let rack = racks.then(|| {
        let rack = row.rack.clone().unwrap_or_else(|| "–".to_owned());
        view! { <td data-l="rack">{rack}</td> }
    });
    let behind = match row.out_of_sync {
        0 => view! { "0" }.into_any(),
        count => view! { <span class="tag warn">{number::exact(count.into())}</span> }.into_any(),
    };
    view! {
        <tr>
            <td class="num" data-l="broker">{row.id.to_string()}</td>
            <td data-c="group"><div class="cell">{address}</div></td>
            {rack}
            <td class="num" data-l="leaders">{figures::count(row.leaders.into())}</td>
            <td class="num" data-l="preferred">{figures::count(row.preferred_leaders.into())}</td>
            <td class="num" data-l="replicas">{figures::count(row.replicas.into())}</td>
            <td class="num" data-l="not in sync">{behind}</td>
        </tr>
    }
    .into_any()
}

fn ids(ids: &[i32]) -> String {
    if ids.is_empty() {
        return "none".to_owned();
    }
    ids.iter().map(i32::to_string).collect::<Vec<_>>().join(", ")
}

/// Nothing where all is well.
fn troubled(view: &BrokersView) -> Option<AnyView> {
    if view.troubled.is_empty() {
        return None;
    }
    let cluster = &view.cluster_info.name;
    let rows = view.troubled.iter().map(|one| partition(cluster, one)).collect_view();
    let most = flowdeck_model::view::brokers::TROUBLED_MAX;
    let cut = (view.troubled.len() == most)
        .then(|| view! { " " <span class="count">{["the first ", &most.to_string()].concat()}</span> });
    Some(
        view! {
            <section class="panel" aria-labelledby="troubled">
                <header><h2 id="troubled">"Partitions without a leader or with replicas that are not in sync" {cut}</h2></header>
                <div class="scroll">
                    <table class="cards fixed">
                        <caption class="unseen">"Offline and under-replicated partitions"</caption>
                        <thead><tr>
                            <th scope="col">"Topic"</th>
                            <th scope="col" class="num w-count">"Partition"</th>
                            <th scope="col">"Leader"</th>
                            <th scope="col">"Replicas"</th>
                            <th scope="col">"ISR"</th>
                        </tr></thead>
                        <tbody>{rows}</tbody>
                    </table>
                </div>
            </section>
        }
        .into_any(),
    )
}

fn partition(cluster: &ClusterName, one: &TroubledPartition) -> AnyView {
    let link =
        links::with_query(&links::topic(cluster, &one.topic, &MessagesQuery::default()), "tab=partitions");
    let leader = match one.leader {
        Some(leader) => view! { {leader.to_string()} }.into_any(),
        None => view! { <span class="tag bad">"no leader"</span> }.into_any(),
    };
    view! {
        <tr>
            <td data-c="group"><div class="cell"><a class="name" href=link rel="external">{name::cut(one.topic.to_string())}</a></div></td>
            <td class="num" data-l="partition">{one.partition.to_string()}</td>
            <td data-l="leader">{leader}</td>
            <td data-l="replicas">{ids(&one.replicas)}</td>
            <td data-l="ISR"><span class="tag warn">{ids(&one.in_sync)}</span></td>
        </tr>
    }
    .into_any()
}

fn capabilities(view: &BrokersView) -> Option<AnyView> {
    if view.capabilities.is_empty() {
        return None;
    }
    let rows = view.capabilities.iter().map(capability).collect_view();
    Some(
        view! {
            <section class="panel" aria-labelledby="offers">
                <header><h2 id="offers">"What this cluster offers Flowdeck"</h2></header>
                <div class="scroll">
                    <table class="cards fixed">
                        <caption class="unseen">"Capabilities and missing permissions"</caption>
                        <thead><tr>
                            <th scope="col" class="w-name">"Capability"</th>
                            <th scope="col" class="w-status">"Offered"</th>
                            <th scope="col">"Why not"</th>
                        </tr></thead>
                        <tbody>{rows}</tbody>
                    </table>
                </div>
            </section>
        }
        .into_any(),
    )
}

fn capability(row: &CapabilityRow) -> AnyView {
    let (class, words) = match row.offered {
        Offered::Yes => ("tag", "yes"),
        Offered::No => ("tag", "no"),
        Offered::NotPermitted => ("tag warn", "not permitted"),
        Offered::Unknown => ("tag", "not known"),
    };
    let why = row.why.clone().map(|why| match row.offered {
        Offered::NotPermitted => ["Missing ACL: ", &why].concat(),
        _ => why,
    });
    view! {
        <tr>
            <td data-c="group">{row.name.clone()}</td>
            <td data-l="offered"><span class=class>{words}</span></td>
            <td class="wrap muted" data-l="why not">{why}</td>
        </tr>
    }
    .into_any()
}
