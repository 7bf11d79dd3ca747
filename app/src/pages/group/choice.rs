//! What a command is done with, where that is chosen: a number of workers, a time, topics. A form that is sent with
//! GET: the page comes back with the preview.

use flowdeck_model::ActionKind;
use flowdeck_model::action::WORKERS_MAX;
use flowdeck_model::view::{ConsumerView, GroupView};
use leptos::prelude::*;

use super::ask::Ask;
use super::listing::Listing;
use crate::links;

/// Nothing, where there is no choice.
pub(super) fn form(ask: &Ask, header: RwSignal<GroupView>, listing: &Listing) -> AnyView {
    let (action, consumer) = header.with_untracked(|view| {
        let group = links::group(&view.row.cluster, &view.row.group);
        (group, view.consumers.iter().find(|one| Some(&one.name) == ask.consumer.as_ref()).cloned())
    });
    let topics = consumer.as_ref().filter(|one| ask.kind.moves_offsets() && one.topics.len() > 1);
    let topics = topics.map(|consumer| topics_field(ask, consumer));
    let own = match ask.kind {
        ActionKind::ChangeWorkers => workers_field(ask, consumer.as_ref()),
        ActionKind::Rewind => time_field(ask, consumer.as_ref()),
        ActionKind::Reset if topics.is_some() => ().into_any(),
        _ => return ().into_any(),
    };
    let hidden =
        |name: &str, value: String| view! { <input type="hidden" name=name.to_owned() value=value/> };
    let kept = form_urlencoded::parse(listing.to_query().as_bytes())
        .map(|(name, value)| hidden(&name, value.into_owned()))
        .collect_view();
    let consumer = ask.consumer.as_ref().map(|name| hidden("consumer", name.to_string()));
    view! {
        <form method="get" action=[&action, "#form"].concat()>
            {kept}
            {hidden("form", ask.kind.word().to_owned())}
            {consumer}
            <div class="choice">{own}{topics}</div>
            <button type="submit" class="btn">"Preview"</button>
        </form>
    }
    .into_any()
}

fn workers_field(ask: &Ask, consumer: Option<&ConsumerView>) -> AnyView {
    let now: Vec<u32> =
        consumer.into_iter().flat_map(|one| &one.instances).filter_map(|one| one.workers).collect();
    let now = match (now.iter().min(), now.iter().max()) {
        (Some(least), Some(most)) if least == most => [&most.to_string(), " now"].concat(),
        (Some(least), Some(most)) => [&least.to_string(), " to ", &most.to_string(), " now"].concat(),
        _ => String::new(),
    };
    view! {
        <label class="field">
            <span>"Workers of each instance " <small>{now}</small></span>
            <input type="number" name="workers" data-first="" min="1" max=WORKERS_MAX.to_string() required value=ask.workers.clone()/>
        </label>
    }
    .into_any()
}

fn time_field(ask: &Ask, consumer: Option<&ConsumerView>) -> AnyView {
    let zone = consumer.map_or("UTC", |one| &one.rewind_time_zone);
    let zone = ["KafkaFlow reads it in the zone of the consumer's hosts, ", zone, ": Flowdeck converts it."]
        .concat();
    view! {
        <label class="field">
            <span>"Time (UTC) " <small>{zone}</small></span>
            <input type="datetime-local" name="to" data-first="" step="1" required value=ask.to.clone()/>
        </label>
    }
    .into_any()
}

fn topics_field(ask: &Ask, consumer: &ConsumerView) -> AnyView {
    let options = consumer
        .topics
        .iter()
        .map(|topic| {
            let name = topic.to_string();
            view! { <option value=name.clone() selected=ask.topic.as_ref() == Some(topic)>{name.clone()}</option> }
        })
        .collect_view();
    view! {
        <label class="field">
            <span>"Topic"</span>
            <select name="topic"><option value="">"All topics of the consumer"</option>{options}</select>
        </label>
    }
    .into_any()
}
