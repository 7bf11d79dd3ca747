//! `/c/{cluster}/groups/{group}/pause?topic=…&partition=…`: some partitions of one topic are chosen, what a pause or a
//! resume of them would do is shown, and the form asks for exactly that.

use std::collections::BTreeSet;

use flowdeck_model::view::{GroupView, Mode, PartitionRow};
use flowdeck_model::{
    ActionKind, ClusterName, ConsumerName, GroupId, Partition, PortError, Target, TopicName, shown,
};
use leptos::prelude::*;
use leptos_meta::Title;

use super::{answered, head_of_group, ports};
use crate::api::{self, PageError, PreviewText};
use crate::components::clock::Clock;
use crate::components::notice;
use crate::format::number;
use crate::links;
use crate::pages::group::form;
use crate::pages::group::preview;

/// Rows of one topic; who has more names the others in the API.
const ROWS: usize = 1_000;

/// What is chosen; nothing is done by it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Asked {
    resume: bool,
    consumer: Option<ConsumerName>,
    topic: Option<TopicName>,
    partitions: BTreeSet<Partition>,
}

impl Asked {
    fn parse(query: &str) -> Result<Self, PortError> {
        let mut asked = Self::default();
        for (name, value) in form_urlencoded::parse(query.trim_start_matches('?').as_bytes()) {
            match &*name {
                _ if value.is_empty() => {}
                "action" => asked.resume = &*value == ActionKind::Resume.word(),
                "consumer" => asked.consumer = Some(value.into_owned().into()),
                "topic" => {
                    let topic = value.parse();
                    asked.topic = Some(topic.map_err(|_| PortError::invalid("topic", "no name of a topic"))?);
                }
                "partition" => {
                    let number = value.parse().ok().and_then(Partition::new);
                    let number = number.ok_or_else(|| PortError::invalid("partition", "a number"))?;
                    asked.partitions.insert(number);
                }
                _ => {}
            }
        }
        Ok(asked)
    }

    fn kind(&self) -> ActionKind {
        if self.resume { ActionKind::Resume } else { ActionKind::Pause }
    }

    /// `None`: nothing is chosen yet.
    fn target(&self, group: &GroupId) -> Option<Target> {
        let topic = self.topic.clone().filter(|_| !self.partitions.is_empty())?;
        Some(Target {
            consumer: self.consumer.clone(),
            topics: vec![topic],
            partitions: self.partitions.iter().copied().collect(),
            ..Target::group(group.clone())
        })
    }
}

/// The body of the command, but for what is typed last.
fn body(kind: ActionKind, target: &Target) -> String {
    let mut out = form_urlencoded::Serializer::new(String::new());
    out.append_pair("action", kind.word()).append_pair("group", target.group.as_str());
    if let Some(consumer) = &target.consumer {
        out.append_pair("consumer", consumer.as_str());
    }
    for topic in &target.topics {
        out.append_pair("topic", topic.as_str());
    }
    for partition in &target.partitions {
        out.append_pair("partition", &partition.to_string());
    }
    out.finish()
}

/// A choice, and what it would do.
type Previewed = (Target, Result<PreviewText, PageError>);

#[component]
pub(super) fn PartsPage(cluster: ClusterName, group: GroupId, query: String) -> AnyView {
    let ports = ports();
    let answer = async move {
        let asked = Asked::parse(&query)?;
        let view = ports?.fleet.group(&cluster, &group)?;
        let target = asked.target(&group).filter(|_| view.cluster_info.mode == Mode::Control);
        let previewed = match target {
            None => None,
            Some(target) => {
                let name = flowdeck_model::url::encode(cluster.as_str());
                let text = api::preview(name, body(asked.kind(), &target)).await;
                Some((target, text))
            }
        };
        Ok((asked, view, previewed))
    };
    answered(answer, |(asked, view, previewed)| page(&asked, &view, previewed))
}

fn page(asked: &Asked, view: &GroupView, previewed: Option<Previewed>) -> AnyView {
    let (info, id) = (&view.cluster_info, &view.row.group);
    Clock::provide(view.now);
    let body = if info.mode == Mode::Observe {
        view! { <section class="panel"><p class="below">{form::observe_words(&info.label, info.name.as_str())}</p></section> }
            .into_any()
    } else {
        view! { {keep_unread(view)} {topics(asked, view)} {partitions(asked, view)} {previewed.map(|one| send(asked, view, one))} }
            .into_any()
    };
    view! {
        <Title text=["Pause partitions of ", &id.shown(), " · ", &info.label].concat()/>
        {head_of_group(info, id, "Pause partitions".to_owned(), view.now)}
        {body}
    }
    .into_any()
}

fn here(view: &GroupView) -> String {
    links::pause_parts(&view.cluster_info.name, &view.row.group)
}

/// One of the group's topics.
fn topics(asked: &Asked, view: &GroupView) -> AnyView {
    let topics: BTreeSet<&TopicName> = view.partitions.iter().map(|row| &row.topic).collect();
    if topics.is_empty() {
        return notice::empty(
            "No partitions",
            "Kafka has no committed offset and no assigned partition of this group.",
        );
    }
    let options = topics.iter().map(|topic| {
        let name = topic.to_string();
        view! { <option value=name.clone() selected=asked.topic.as_ref() == Some(*topic)>{name.clone()}</option> }
    });
    view! {
        <section class="panel offsets-panel" aria-labelledby="topic">
            <h2 id="topic">"Topic"</h2>
            <form method="get" action=here(view) class="inline">
                <select name="topic" aria-label="Topic">{options.collect_view()}</select>
                <button class="btn" type="submit">"Show partitions"</button>
            </form>
            <p class="muted">"Only agents can pause a part of a topic: KafkaFlow pauses whole topics. A pause holds a partition, whichever instance owns it; one of a single instance is not offered, since names of processes do not come back."</p>
        </section>
    }
    .into_any()
}

fn partitions(asked: &Asked, view: &GroupView) -> Option<AnyView> {
    let topic = asked.topic.as_ref()?;
    let of_topic: Vec<&PartitionRow> = view.partitions.iter().filter(|row| row.topic == *topic).collect();
    let more = of_topic.len().saturating_sub(ROWS);
    let more = (more > 0).then(|| {
        view! { <p class="muted">{["and ", &number::exact(more as u64), " more partitions: name them in the API"].concat()}</p> }
    });
    let rows = of_topic.into_iter().take(ROWS).map(|row| line(asked, row)).collect_view();
    let action = |kind: ActionKind| {
        view! { <label><input type="radio" name="action" value=kind.word() checked=kind == asked.kind()/> <span>{kind.label()}</span></label> }
    };
    Some(
        view! {
            <section class="panel offsets-panel" aria-labelledby="choose">
                <h2 id="choose">"Partitions of " {topic.to_string()}</h2>
                <form method="get" action=[&here(view), "#chosen"].concat() class="ask-body">
                    <input type="hidden" name="topic" value=topic.to_string()/>
                    <fieldset class="durations"><legend>"Action"</legend>{action(ActionKind::Pause)}{action(ActionKind::Resume)}</fieldset>
                    {consumers(asked, view, topic)}
                    <div class="scroll">
                        <table class="offsets plan">
                            <caption class="unseen">"Partitions to choose"</caption>
                            <thead><tr>
                                <th scope="col">"Partition"</th><th scope="col" class="num">"Lag"</th>
                                <th scope="col">"Status"</th><th scope="col">"Owner"</th>
                            </tr></thead>
                            <tbody>{rows}</tbody>
                        </table>
                    </div>
                    {more}
                    <p class="actions"><button class="btn primary" type="submit">"Preview"</button></p>
                </form>
            </section>
        }
        .into_any(),
    )
}

/// Where several read it, one of them can be meant.
fn consumers(asked: &Asked, view: &GroupView, topic: &TopicName) -> Option<AnyView> {
    let names: Vec<&ConsumerName> =
        view.consumers.iter().filter(|one| one.topics.contains(topic)).map(|one| &one.name).collect();
    let options = names.iter().map(|name| {
        let chosen = asked.consumer.as_ref() == Some(*name);
        view! { <option value=name.to_string() selected=chosen>{name.shown()}</option> }
    });
    (names.len() > 1).then(|| {
        view! {
            <label class="field"><span>"Consumer"</span>
                <select name="consumer"><option value="">"All consumers of the group"</option>{options.collect_view()}</select>
            </label>
        }
        .into_any()
    })
}

fn line(asked: &Asked, row: &PartitionRow) -> AnyView {
    let number = row.partition.to_string();
    let lag = row.lag.map_or_else(|| "not known".to_owned(), number::exact);
    let status = match (row.holds.len(), row.paused) {
        (0, false) => "",
        (0, true) => "paused by the application",
        (1, _) => "under 1 hold",
        _ => "under several holds",
    };
    let owner = row.owner.as_deref().map_or_else(|| "none".to_owned(), shown::name);
    view! {
        <tr>
            <th scope="row"><label class="tick"><input type="checkbox" name="partition" value=number.clone()
                checked=asked.partitions.contains(&row.partition)/> " " {number.clone()}</label></th>
            <td class="num" data-l="lag">{lag}</td>
            <td data-l="status">{status}</td>
            <td data-l="owner">{owner}</td>
        </tr>
    }
    .into_any()
}

/// The preview, and the form that does exactly that.
fn send(asked: &Asked, view: &GroupView, (target, text): Previewed) -> AnyView {
    let (info, kind) = (&view.cluster_info, asked.kind());
    let title = [kind.label(), " ", &target.to_string()].concat();
    let can = text.as_ref().is_ok_and(|text| text.refused.is_none() && text.existing.is_none());
    let required = kind.needs_reason();
    let form = can.then(|| {
        let typed = crate::typed::typed();
        view! {
            <form method="post" action=links::commands(&info.name) class="ask-body">
                {form::hidden_target(crate::typed::form_id(), kind, &target)}
                <label class="field"><span>{if required { "Reason" } else { form::OPTIONAL_REASON }}</span>
                    <input type="text" name="reason" required=required autocomplete="off" value=typed.reason.clone()
                        maxlength=flowdeck_model::command::REASON_MAX.to_string()/></label>
                {(kind == ActionKind::Pause).then(|| form::durations(&typed))}
                <p class="actions"><button class=if required { "btn hold" } else { "btn primary" } type="submit">{title.clone()}</button>
                    {(kind == ActionKind::Resume).then(|| canary(info.name.clone()))}</p>
            </form>
        }
    });
    view! {
        <section class="panel offsets-panel" aria-labelledby="chosen">
            <h2 id="chosen">{title.clone()}</h2>
            {preview::shown(&text, info)}
            {form}
        </section>
    }
    .into_any()
}

fn keep_unread(view: &GroupView) -> AnyView {
    let href = links::group_retention(&view.cluster_info.name, &view.row.group);
    view! { <p><a class="link" href=href>"Keep unread records meanwhile…"</a></p> }.into_any()
}

/// The same form, for who wants to see how the part goes before the rest.
fn canary(cluster: ClusterName) -> AnyView {
    let to = links::canaries(&cluster);
    view! {
        <button class="btn" type="submit" formaction=to>"Resume as a canary"</button>
        <span class="muted">"then the rest, or back"</span>
    }
    .into_any()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_chosen_is_read_and_given_on() {
        let query = "?action=pause&consumer=c&topic=t&partition=2&partition=0&partition=2";
        let asked = Asked::parse(query).unwrap();
        let target = asked.target(&"g".into()).unwrap();
        assert_eq!(target.to_string(), "topic t, partitions 0, 2 in g (consumer c)");
        let body = body(asked.kind(), &target);
        assert_eq!(body, "action=pause&group=g&consumer=c&topic=t&partition=0&partition=2");
        assert_eq!(Asked::parse("topic=t").unwrap().target(&"g".into()), None);
        assert_eq!(Asked::parse("partition=1").unwrap().target(&"g".into()), None);
        for wrong in ["topic=a%20b", "partition=-1", "partition=x"] {
            assert!(Asked::parse(wrong).is_err(), "{wrong}");
        }
    }
}
