//! `/c/{cluster}/groups/{group}/agents`: what the agents of a group report of themselves.

use std::time::Duration;

use flowdeck_model::error::ResourceKind;
use flowdeck_model::shown;
use flowdeck_model::view::{AgentReport, AgentView, AgentsView, CircuitBreakerView, CircuitState};
use flowdeck_model::{GroupId, PortError, Ports, Timestamp, url};
use leptos::prelude::*;
use leptos_meta::Title;

use crate::api::PageError;
use crate::components::{cluster, error, name, notice};
use crate::format::{number, time};
use crate::links;

pub(super) fn page(cluster: &str, group: &str) -> AnyView {
    match read(cluster, group) {
        Ok(view) => shown_page(&view),
        Err(error) => error::page(&error),
    }
}

fn read(cluster: &str, group: &str) -> Result<AgentsView, PageError> {
    let ports = use_context::<Ports>().ok_or(PageError::NoActor)?;
    let parsed = url::decode(cluster).and_then(|name| name.parse().ok());
    let cluster = parsed.ok_or_else(|| PortError::not_found(ResourceKind::Cluster, cluster))?;
    let group = url::decode(group).ok_or_else(|| PortError::not_found(ResourceKind::Group, group))?;
    Ok(ports.fleet.agents(&cluster, &GroupId::from(group))?)
}

fn shown_page(view: &AgentsView) -> AnyView {
    let (info, group) = (&view.cluster_info, links::group(&view.cluster_info.name, &view.group));
    let agents = view.agents.iter().map(|agent| panel(agent, view.now)).collect_view();
    let none = view.agents.is_empty().then(|| {
        notice::empty(
            "No agent reports",
            "Instances that run flowdeck-agent report here within 5 s of their start. KafkaFlow's report nothing of this.",
        )
    });
    view! {
        <Title text=["Agents · ", &view.group.shown()].concat()/>
        <div>
            <nav class="crumbs" aria-label="Where you are">
                <a href=links::to("/") rel="external">"Fleet"</a> " / " {info.label.clone()} " / "
                <a href=group rel="external">{name::cut(view.group.shown())}</a> " / agents"
            </nav>
            <div class="title">
                {cluster::pill(info.label.clone(), info.colour)}
                <h1>"Agents"</h1>
                <span class="tag">{number::count(view.agents.len() as u64, "instance", "instances")}</span>
                <span class="muted">{["as of ", &time::exact(view.now)].concat()}</span>
                <div class="actions"><a class="btn" href="" rel="external">"Refresh"</a></div>
            </div>
        </div>
        {none.map(|none| view! { <section class="panel">{none}</section> })}
        {agents}
    }
    .into_any()
}

fn panel(agent: &AgentView, now: Timestamp) -> impl IntoView + use<> {
    let report = &agent.report;
    let warnings = [
        agent.lost.then(|| format!("No longer reporting: last heard {} ago.", time::age(now, agent.heard))),
        (agent.confirmed == Some(false)).then(|| {
            "Not confirmed: Kafka lists no member that owns the partitions that it claims.".to_owned()
        }),
        report.circuit_breaker.as_ref().and_then(|breaker| open(breaker, now)),
    ];
    let warnings = warnings.into_iter().flatten().map(notice::warning).collect_view();
    let facts = facts(agent, now)
        .into_iter()
        .map(|(label, value)| view! { <dt>{label}</dt> <dd>{value}</dd> })
        .collect_view();
    view! {
        <section class="panel" aria-label=["Agent ", &agent.instance.shown()].concat()>
            <header>
                <h2>{name::cut(agent.instance.shown())} " " <span class="count">{agent.consumer.shown()}</span></h2>
                <span class="muted push">{[&time::age(now, agent.heard), " ago"].concat()}</span>
            </header>
            {warnings}
            <dl class="meta report">{facts}</dl>
            {running(report)}
            {failures(report)}
        </section>
    }
}

fn open(breaker: &CircuitBreakerView, now: Timestamp) -> Option<String> {
    let since = time::age(now, breaker.since);
    let error = breaker.error.as_deref().map(|error| format!(" It opened on: {}", shown::text(error)));
    let state = match breaker.state {
        CircuitState::Closed => return None,
        CircuitState::Open => {
            let next = breaker.retry_at.map(|at| format!(", next try at {}", time::utc(at, now)));
            format!("Circuit breaker open for {since}: no record is handled{}.", next.unwrap_or_default())
        }
        CircuitState::HalfOpen => {
            format!("Circuit breaker half-open for {since}: one record at a time is tried.")
        }
    };
    Some(state + &error.unwrap_or_default())
}

fn facts(agent: &AgentView, now: Timestamp) -> Vec<(&'static str, String)> {
    let (report, counts) = (&agent.report, &agent.report.counts);
    let exact = number::exact;
    let process = [
        report.cpu_millicores.map(|used| format!("{}.{:02} cores", used / 1_000, used % 1_000 / 10)),
        report.memory_bytes.map(|bytes| [&number::bytes(bytes), " of memory"].concat()),
    ];
    let process: Vec<String> = process.into_iter().flatten().collect();
    let up = report.started_at.map(|at| [", up ", &time::span(report.at.since(at))].concat());
    let breaker = report.circuit_breaker.as_ref().map(|breaker| breaker_words(breaker, now));
    let labels: Vec<String> =
        report.labels.iter().map(|(name, value)| shown::name(&format!("{name}={value}"))).collect();
    let rows = [
        ("Processing time", Some(processing(report))),
        (
            "Records",
            Some(format!(
                "{} handled · {} calls failed · {} to retry topics · {} dead letters · {} skipped · {} dropped uncommitted",
                exact(counts.handled),
                exact(counts.failed),
                exact(counts.retry_topics),
                exact(counts.dead_lettered),
                exact(counts.skipped),
                exact(counts.dropped_uncommitted)
            )),
        ),
        (
            "Buffer",
            Some(format!(
                "{} of {} · {} in flight · {}",
                exact(report.buffered),
                exact(report.buffer_size),
                exact(report.in_flight.into()),
                number::count(report.workers.into(), "worker", "workers")
            )),
        ),
        ("Circuit breaker", breaker),
        ("Process", (!process.is_empty()).then(|| process.join(" · "))),
        (
            "Version",
            Some(
                [&shown::name(&report.version), " on ", &shown::name(&report.host), &up.unwrap_or_default()]
                    .concat(),
            ),
        ),
        ("Labels", (!labels.is_empty()).then(|| labels.join(" · "))),
    ];
    rows.into_iter().filter_map(|(label, value)| Some((label, value?))).collect()
}

fn breaker_words(breaker: &CircuitBreakerView, now: Timestamp) -> String {
    let state = match breaker.state {
        CircuitState::Closed => "closed",
        CircuitState::Open => "open",
        CircuitState::HalfOpen => "half-open",
    };
    let opened = number::count(breaker.opened, "time", "times");
    format!("{state} since {} · opened {opened}", time::utc(breaker.since, now))
}

fn processing(report: &AgentReport) -> String {
    let Some(times) = &report.processing else { return "no call ended in the last minute".to_owned() };
    let micros = |micros| duration(Duration::from_micros(micros));
    format!(
        "p50 {} · p95 {} · p99 {} · max {} ({} in {} s)",
        micros(times.p50_micros),
        micros(times.p95_micros),
        micros(times.p99_micros),
        micros(times.max_micros),
        number::count(times.calls, "call", "calls"),
        times.seconds
    )
}

/// Down to microseconds.
fn duration(duration: Duration) -> String {
    match duration.as_micros() {
        micros @ 0..1_000 => format!("{micros} µs"),
        micros @ 1_000..10_000 => format!("{}.{} ms", micros / 1_000, micros % 1_000 / 100),
        micros @ 10_000..1_000_000 => format!("{} ms", micros / 1_000),
        _ => time::brief(duration),
    }
}

fn running(report: &AgentReport) -> Option<impl IntoView + use<>> {
    let rows = report.running.iter().map(|one| {
        let place = format!("{}[{}]", shown::name(one.topic.as_str()), one.partition);
        view! {
            <tr>
                <td data-c="group" class="mono wrap">{place}</td>
                <td class="num mono" data-l="offset">{number::offset(one.offset)}</td>
                <td data-l="in flight since">{time::exact(one.since)}</td>
                <td class="num" data-l="for">{time::age(report.at, one.since)}</td>
            </tr>
        }
    });
    (!report.running.is_empty()).then(|| {
        view! {
            <header><h3>"Handlers in flight, longest first"</h3></header>
            <div class="scroll">
                <table class="cards fixed">
                    <caption class="unseen">"Handlers in flight"</caption>
                    <thead><tr>
                        <th scope="col">"Partition"</th>
                        <th scope="col" class="num w-count">"Offset"</th>
                        <th scope="col">"In flight since"</th>
                        <th scope="col" class="num w-count">"For"</th>
                    </tr></thead>
                    <tbody>{rows.collect_view()}</tbody>
                </table>
            </div>
        }
    })
}

fn failures(report: &AgentReport) -> Option<impl IntoView + use<>> {
    let rows = report.errors.iter().map(|one| {
        let place = format!("{}[{}] offset {}", shown::name(one.topic.as_str()), one.partition, one.offset);
        view! {
            <tr>
                <td data-c="group" class="wrap">{shown::text(&one.error)}</td>
                <td class="mono wrap" data-l="record">{place}</td>
                <td class="num" data-l="attempt">{one.attempt.to_string()}</td>
                <td data-l="at">{time::exact(one.at)}</td>
            </tr>
        }
    });
    let kept = report.errors_kept as usize;
    let caption = match report.errors.len() {
        n if n < kept => format!("Last failed calls: the newest {n} of {kept} that are kept"),
        _ => "Last failed calls, newest first".to_owned(),
    };
    (!report.errors.is_empty()).then(|| {
        view! {
            <header><h3>{caption}</h3></header>
            <div class="scroll">
                <table class="cards fixed">
                    <caption class="unseen">"Failed calls"</caption>
                    <thead><tr>
                        <th scope="col">"Error"</th>
                        <th scope="col">"Record"</th>
                        <th scope="col" class="num w-count">"Attempt"</th>
                        <th scope="col">"At"</th>
                    </tr></thead>
                    <tbody>{rows.collect_view()}</tbody>
                </table>
            </div>
        }
    })
}
