//! Where offsets are set to, and of which partitions. Nothing is chosen beforehand, and nothing happens: the answer is
//! the preview.

use std::collections::BTreeSet;

use flowdeck_model::view::{ClusterView, GroupView};
use flowdeck_model::{GroupId, TopicName};
use leptos::prelude::*;

use super::super::in_textarea;
use super::asked::Asked;
use crate::links;

pub(super) fn section(
    cluster: &ClusterView,
    id: &GroupId,
    group: Option<&GroupView>,
    asked: &Asked,
) -> AnyView {
    let topics: BTreeSet<&TopicName> =
        group.into_iter().flat_map(|view| view.partitions.iter().map(|row| &row.topic)).collect();
    view! {
        <section class="panel offsets-panel" aria-labelledby="choose">
            <h2 id="choose">"Set offsets"</h2>
            <form method="post" action=links::offsets(&cluster.name, id) class="offsets-form">
                <fieldset>
                    <legend>"Target"</legend>
                    {choice(asked, "earliest", "Earliest: the start of each log", ())}
                    {choice(asked, "latest", "Latest: the end of each log", ())}
                    {choice(asked, "time", "First record at or after (UTC)", view! {
                        <input type="datetime-local" name="time" step="1" aria-label="Time (UTC)" value=asked.time.clone()/>
                    })}
                    {choice(asked, "offset", "Offset", view! {
                        <input type="number" name="offset" min="0" aria-label="Offset" value=asked.offset.clone()/>
                    })}
                    {choice(asked, "shift", "Shift by records", view! {
                        <input type="number" name="shift" aria-label="Records, negative to go back" placeholder="-100" value=asked.shift.clone()/>
                    })}
                    {choice(asked, "group", "As committed by group", view! {
                        <input type="text" name="fromGroup" aria-label="Group to copy from" autocomplete="off" value=asked.from_group.clone()/>
                    })}
                    {choice(asked, "file", "As in these lines: topic,partition,offset", view! {
                        <textarea name="file" rows="3" aria-label="Lines topic,partition,offset" spellcheck="false">{in_textarea(&asked.file)}</textarea>
                    })}
                    {choice(asked, "none", "Delete the commits", ())}
                    {other(asked)}
                </fieldset>
                <fieldset>
                    <legend>"Topics"</legend>
                    {topics.into_iter().map(|topic| tick(asked, topic)).collect_view()}
                    <label class="field"><span>"Other topics, or some partitions "<small>"such as orders:0,2"</small></span>
                        <input type="text" name="more" autocomplete="off" spellcheck="false" value=asked.more.clone()/>
                    </label>
                    <label class="tick"><input type="checkbox" name="all" value="1" checked=asked.all/>
                        " All topics that the group has committed, or that the target names"
                    </label>
                </fieldset>
                <p class="actions"><button class="btn primary" type="submit">"Preview"</button></p>
            </form>
        </section>
    }
    .into_any()
}

fn choice(asked: &Asked, value: &'static str, label: &'static str, field: impl IntoAny) -> AnyView {
    view! {
        <div class="target">
            <label><input type="radio" name="to" value=value required checked=asked.is(value)/> " " {label}</label>
            {field.into_any()}
        </div>
    }
    .into_any()
}

/// A link's own target, such as an undo.
fn other(asked: &Asked) -> Option<AnyView> {
    let own = ["earliest", "latest", "time", "offset", "shift", "group", "file", "none", ""];
    (!own.contains(&asked.to.as_str())).then(|| {
        view! {
            <div class="target">
                <label><input type="radio" name="to" value=asked.to.clone() checked=true/> " " {flowdeck_model::shown::name(&asked.to)}</label>
            </div>
        }
        .into_any()
    })
}

fn tick(asked: &Asked, topic: &TopicName) -> AnyView {
    let name = topic.to_string();
    let ticked = asked.topics.contains(&name);
    view! {
        <label class="tick"><input type="checkbox" name="topic" value=name.clone() checked=ticked/> " " {name.clone()}</label>
    }
    .into_any()
}
