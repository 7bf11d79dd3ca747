//! `/c/{cluster}/groups/{group}/stuck?topic=…&partition=…`: the record at which a partition of a group waits, what its
//! agents say of it, and the ways past it. Without a partition it is the one that waits the longest.

use std::cmp::Reverse;

use flowdeck_model::error::ResourceKind;
use flowdeck_model::offsets::{OffsetScope, OffsetTo, OffsetsQuery, file_rows};
use flowdeck_model::query::From as Start;
use flowdeck_model::view::messages::{MessageView, MessagesView};
use flowdeck_model::view::{
    AgentsView, GroupView, HandlerFailure, OffsetsPreview, OffsetsWay, PartitionRow, RunningHandler,
};
use flowdeck_model::{ClusterName, GroupId, MessagesQuery, Partition, PortError, Ports, TopicName, shown};
use leptos::prelude::*;
use leptos_meta::Title;

use super::{answered, head_of_group, ports};
use crate::api::{Answer, PageError};
use crate::components::clock::{Clock, ago};
use crate::components::notice;
use crate::format::{number, time};
use crate::links;
use crate::pages::topic::record;

/// Topics of dead letters that are offered.
const LETTERS_MAX: usize = 4;

/// What the page shows.
struct Shown {
    group: GroupView,
    row: PartitionRow,
    /// `Err`: the reader may not see records, or Kafka did not answer.
    read: Result<MessagesView, PortError>,
    agents: Option<AgentsView>,
    /// What going past it would do. `None`: there is nothing to go past.
    skip: Option<Result<OffsetsPreview, PortError>>,
    /// Topics of this topic's dead letters.
    letters: Vec<TopicName>,
}

impl Shown {
    /// The record that is read next: compaction may have deleted the one at the committed offset.
    fn record(&self) -> Option<&MessageView> {
        self.read.as_ref().ok()?.records.first()
    }

    fn offset(&self) -> Option<i64> {
        self.record().map(|record| record.offset).or(self.row.committed)
    }
}

#[component]
pub(super) fn StuckPage(cluster: ClusterName, group: GroupId, query: String) -> AnyView {
    let ports = ports();
    answered(async move { read(&ports?, cluster, group, &query).await }, |shown| page(&shown))
}

/// `None`: neither is said.
fn place(query: &str) -> Result<Option<(TopicName, Partition)>, PortError> {
    let field = |wanted: &str| {
        let query = query.trim_start_matches('?').as_bytes();
        form_urlencoded::parse(query).find(|(name, _)| name == wanted).map(|(_, value)| value.into_owned())
    };
    let (topic, partition) = (field("topic"), field("partition"));
    if topic.is_none() && partition.is_none() {
        return Ok(None);
    }
    let topic = topic.and_then(|topic| topic.parse().ok());
    let topic = topic.ok_or_else(|| PortError::invalid("topic", "a name of a topic"))?;
    let partition = partition.and_then(|number| Partition::new(number.parse().ok()?));
    Ok(Some((topic, partition.ok_or_else(|| PortError::invalid("partition", "a number of a partition"))?)))
}

/// Its commit moved the longest ago, or never since Flowdeck began to watch; of several the one with most lag. What a
/// hold covers does not wait for its record.
fn longest_wait(rows: &[PartitionRow]) -> Option<&PartitionRow> {
    let waits = |row: &&PartitionRow| row.lag.unwrap_or_default() > 0 && row.holds.is_empty();
    rows.iter().filter(waits).min_by_key(|row| (row.last_commit, Reverse(row.lag)))
}

fn row<'a>(rows: &'a [PartitionRow], query: &str) -> Answer<&'a PartitionRow> {
    let Some((topic, partition)) = place(query)? else {
        let hint = "each partition is caught up or under a hold";
        let none = || PortError::not_found_because(ResourceKind::Partition, "with lag".to_owned(), hint);
        return longest_wait(rows).ok_or_else(|| PageError::Port(none()));
    };
    rows.iter().find(|row| row.topic == topic && row.partition == partition).ok_or_else(|| {
        let name = format!("{topic}, partition {partition}");
        let hint = "the group has no commit and no member there";
        PageError::Port(PortError::not_found_because(ResourceKind::Partition, name, hint))
    })
}

async fn read(ports: &Ports, cluster: ClusterName, id: GroupId, query: &str) -> Answer<Shown> {
    let group = ports.fleet.group(&cluster, &id)?;
    let row = row(&group.partitions, query)?.clone();
    let (topic, partition) = (row.topic.clone(), row.partition);
    let agents = ports.fleet.agents(&cluster, &id).ok();
    let from = Start::Offset(row.committed.or(row.start).unwrap_or_default());
    let asked =
        MessagesQuery { partition: Some(partition), from, limit: 1, full: true, ..MessagesQuery::default() };
    let read = ports.peek.messages(&cluster, &topic, &asked).await;
    let mut shown = Shown { group, row, read, agents, skip: None, letters: vec![] };
    let waits = shown.row.committed.zip(shown.row.end).is_some_and(|(committed, end)| committed < end);
    if let Some(offset) = shown.offset().filter(|_| waits) {
        let past = past(&id, &shown.row, offset)?;
        shown.skip = Some(ports.control.offsets(&cluster, past).await);
        shown.letters = letters(ports, &cluster, &topic).await;
    }
    Ok(shown)
}

/// Those that are named after the topic.
async fn letters(ports: &Ports, cluster: &ClusterName, topic: &TopicName) -> Vec<TopicName> {
    let Ok(view) = ports.dead_letters.topics(cluster, false).await else { return vec![] };
    let all = view.topics.into_iter().map(|one| one.topic);
    let is_of = |letters: &TopicName| {
        let rest = letters.as_str().strip_prefix(topic.as_str()).unwrap_or_default();
        let words = ["dlq", "dlt", "dead-letter", "dead-letters"];
        rest.starts_with(['.', '-', '_']) && words.iter().any(|word| rest[1..].eq_ignore_ascii_case(word))
    };
    all.filter(is_of).take(LETTERS_MAX).collect()
}

/// The rows of a file that the form of offsets takes.
fn file(row: &PartitionRow, offset: i64) -> String {
    format!("{},{},{}", row.topic, row.partition, offset.saturating_add(1))
}

fn past(group: &GroupId, row: &PartitionRow, offset: i64) -> Result<OffsetsQuery, PortError> {
    let to = OffsetTo::File(file_rows(&file(row, offset), group)?);
    Ok(OffsetsQuery { group: group.clone(), to, scope: OffsetScope::AllTopics })
}

fn page(shown: &Shown) -> AnyView {
    let (group, row) = (&shown.group, &shown.row);
    let (info, id) = (&group.cluster_info, &group.row.group);
    Clock::provide(group.now);
    let place = [row.topic.as_str(), ", partition ", &row.partition.to_string()].concat();
    view! {
        <Title text=["Next record of ", &place, " · ", &id.shown()].concat()/>
        {head_of_group(info, id, ["Next record of ", &place].concat(), group.now)}
        <section class="panel" aria-labelledby="where">
            <header><h2 id="where">"Where the group is"</h2></header>
            {facts(shown)}
        </section>
        <section class="panel" aria-labelledby="calls">
            <header><h2 id="calls">"What its agents say"</h2></header>
            {calls(shown)}
        </section>
        <section class="panel" aria-labelledby="ways">
            <header><h2 id="ways">"Past it"</h2></header>
            {ways(shown)}
        </section>
        <section class="panel record served" aria-labelledby="the-record">
            <h2 id="the-record">"The record"</h2>
            {of_record(shown)}
        </section>
    }
    .into_any()
}

fn told(text: String) -> AnyView {
    view! { <p class="below">{text}</p> }.into_any()
}

fn facts(shown: &Shown) -> AnyView {
    let row = &shown.row;
    let offset = |offset: Option<i64>| offset.map_or_else(|| "–".to_owned(), number::offset);
    let lag = row.lag.map_or_else(|| "not known".to_owned(), |lag| number::count(lag, "record", "records"));
    let commit = row.last_commit.map(|at| view! { <dt>"Last commit"</dt><dd>{ago(at)} " ago"</dd> });
    let verdict = shown.group.row.verdict;
    let why = shown.group.row.why.as_ref().map(|why| [": ", why].concat());
    let owner = row.owner.as_deref().map_or_else(|| "none".to_owned(), shown::name);
    view! {
        <dl class="meta">
            <dt>"Committed offset"</dt><dd class="mono">{offset(row.committed)}</dd>
            <dt>"End offset"</dt><dd class="mono">{offset(row.end)}</dd>
            <dt>"Lag"</dt><dd>{lag}</dd>
            {commit}
            <dt>"Owner"</dt><dd class="wrap">{owner}</dd>
            <dt>"Verdict"</dt><dd class="wrap">{verdict.label()} {why}</dd>
        </dl>
    }
    .into_any()
}

/// Of this record: its calls that failed, newest first, and the one that runs.
fn calls(shown: &Shown) -> AnyView {
    let offset = shown.offset();
    let is_it = |topic: &TopicName, partition: Partition, at: i64| {
        *topic == shown.row.topic && partition == shown.row.partition && Some(at) == offset
    };
    let agents = shown.agents.iter().flat_map(|view| &view.agents).collect::<Vec<_>>();
    if agents.is_empty() {
        let text = "Instances that run flowdeck-agent report their calls. KafkaFlow's and other consumers report none.";
        return notice::empty("No agent reports", text);
    }
    let mut failed: Vec<&HandlerFailure> = agents
        .iter()
        .flat_map(|agent| &agent.report.errors)
        .filter(|one| is_it(&one.topic, one.partition, one.offset))
        .collect();
    failed.sort_by_key(|one| std::cmp::Reverse(one.at));
    let running: Vec<&RunningHandler> = agents
        .iter()
        .flat_map(|agent| &agent.report.running)
        .filter(|one| is_it(&one.topic, one.partition, one.offset))
        .collect();
    let runs = running
        .iter()
        .map(|one| told(["A call for it runs since ", &time::exact(one.since), "."].concat()))
        .collect_view();
    if failed.is_empty() {
        let none = running.is_empty().then(|| {
            notice::empty(
                "Nothing of this record",
                "No call for it runs, and none is among those that failed last.",
            )
        });
        return view! { {runs} {none} }.into_any();
    }
    let attempts = failed.iter().map(|one| one.attempt).max().unwrap_or_default();
    let rows = failed.iter().map(|one| {
        view! {
            <tr>
                <td data-c="group" class="wrap">{shown::text(&one.error)}</td>
                <td class="num" data-l="attempt">{one.attempt.to_string()}</td>
                <td data-l="at">{time::exact(one.at)}</td>
            </tr>
        }
    });
    view! {
        {runs}
        <p class="below">{number::count(attempts.into(), "attempt", "attempts")} " failed. The last error comes first."</p>
        <div class="scroll">
            <table class="cards fixed">
                <caption class="unseen">"Failed calls for this record"</caption>
                <thead><tr>
                    <th scope="col">"Error"</th>
                    <th scope="col" class="num w-count">"Attempt"</th>
                    <th scope="col" class="w-owner">"At"</th>
                </tr></thead>
                <tbody>{rows.collect_view()}</tbody>
            </table>
        </div>
    }
    .into_any()
}

fn ways(shown: &Shown) -> AnyView {
    let (group, row) = (&shown.group, &shown.row);
    match (&shown.skip, shown.offset()) {
        (Some(Ok(preview)), Some(offset)) if preview.refused.is_none() => {
            let how = match preview.way {
                OffsetsWay::Empty => "The group has no active members: Flowdeck sets its commit.",
                OffsetsWay::Agents => {
                    "The agent that owns the partition stops it, commits, and goes on behind the record."
                }
                OffsetsWay::StopAndStart => {
                    "Its KafkaFlow consumers are stopped, the commit is set, and they are started."
                }
                OffsetsWay::None => "Its members take no command.",
            };
            let (info, id) = (&group.cluster_info, &group.row.group);
            let href = links::skip(&info.name, id, &row.topic, row.partition, offset.saturating_add(1));
            let skip = ["Skip it: set offset ", &number::offset(offset.saturating_add(1))].concat();
            view! {
                <p class="below">"The group does not handle this record any more. The record stays in its topic. " {how} " The operation can be undone."</p>
                <p class="actions below"><a class="btn" href=href rel="external">{skip}</a>
                    <span class="muted">"shows a preview first"</span></p>
                {dead_letter(shown, offset)}
            }
            .into_any()
        }
        (Some(Ok(preview)), _) => {
            let why = preview.refused.clone().unwrap_or_default();
            notice::warning(["It cannot be skipped now: ", &why].concat())
        }
        (Some(Err(error)), _) => {
            notice::warning(["It cannot be skipped from here: ", &error.to_string()].concat())
        }
        (None, _) => {
            notice::empty("Caught up", "The group has read this partition to its end, or committed nothing.")
        }
    }
}

/// The record into a topic of dead letters, and then past it.
fn dead_letter(shown: &Shown, offset: i64) -> AnyView {
    let (info, group) = (&shown.group.cluster_info, &shown.group.row.group);
    if shown.letters.is_empty() || shown.record().is_none() {
        let text = "No topic of dead letters of this topic is known, such as ";
        return view! { <p class="below muted">{text} <span class="mono">{shown.row.topic.to_string()} ".dlq"</span> "."</p> }.into_any();
    }
    let place = (&shown.row.topic, shown.row.partition, offset);
    let links = shown.letters.iter().map(|letters| {
        let href = links::give_up(&info.name, letters, place, group);
        view! { <a class="btn" href=href>{["Copy it to ", letters.as_str(), ", then skip"].concat()}</a> " " }
    });
    view! {
        <p class="below">"Or its bytes are written to a topic of dead letters first, from where it can be re-driven. Once Kafka has confirmed that, the page leads on to skipping it."</p>
        <p class="actions below">{links.collect_view()} <span class="muted">"shows a preview first"</span></p>
    }
    .into_any()
}

fn of_record(shown: &Shown) -> AnyView {
    match (&shown.read, shown.record()) {
        (Err(error), _) => notice::warning(error.to_string()),
        (Ok(_), Some(one)) => {
            let committed = shown.row.committed.unwrap_or(one.offset);
            let gap = (one.offset > committed).then(|| {
                let words = [
                    "No record has the committed offset ",
                    &number::offset(committed),
                    ": this is the next one.",
                ];
                told(words.concat())
            });
            let copy = record::republish(&shown.group.cluster_info, &shown.row.topic, one);
            view! { {gap} {record::shown(one.clone())} <p>{copy}</p> }.into_any()
        }
        (Ok(view), None) => {
            let text =
                view.note.clone().unwrap_or_else(|| "No record lies behind the committed offset.".to_owned());
            notice::empty("No record", text)
        }
    }
}
