//! Which operation, over the groups that were selected. Nothing is chosen beforehand, and nothing happens: the answer is the
//! preview.

use flowdeck_model::ClusterName;
use flowdeck_model::bulk::BulkAction;
use flowdeck_model::bulk::form::BulkFields;
use leptos::prelude::*;

use crate::format::number;
use crate::links;

pub(super) fn section(cluster: &ClusterName, fields: &BulkFields) -> AnyView {
    let hidden = fields
        .groups
        .iter()
        .map(|group| view! { <input type="hidden" name="group" value=group.to_string()/> })
        .collect_view();
    let stop_after = (!fields.stop_after.is_empty())
        .then(|| view! { <input type="hidden" name="stopAfter" value=fields.stop_after.clone()/> });
    let names = fields.groups.iter().map(|group| view! { <li>{group.shown()}</li> }).collect_view();
    let count = number::count(fields.groups.len() as u64, "group", "groups");
    view! {
        <section class="panel offsets-panel" aria-labelledby="choose">
            <h2 id="choose">"One operation over " {count.clone()}</h2>
            <details open=fields.action.is_none()>
                <summary>{count} " selected; groups that come later are not added"</summary>
                <ul class="effects">{names}</ul>
            </details>
            <form method="post" action=links::bulk_form(cluster, "") class="offsets-form">
                {hidden}
                {stop_after}
                <fieldset>
                    <legend>"Operation"</legend>
                    {choice(fields, BulkAction::Pause, "Pause", view! {
                        <label>"ends after " <input type="number" name="minutes" min="1" max="43200" placeholder="no end" value=fields.minutes.clone()/> " minutes"</label>
                    })}
                    {choice(fields, BulkAction::Resume, "Resume", ())}
                    {choice(fields, BulkAction::SetOffsets, "Set offsets", offsets(fields))}
                </fieldset>
                <fieldset>
                    <legend>"Topics, where offsets are set"</legend>
                    <label class="field"><span>"Topics, or some partitions "<small>"by spaces, such as orders:0,2 payments"</small></span>
                        <input type="text" name="topics" autocomplete="off" spellcheck="false" value=fields.topics.clone()/>
                    </label>
                    <label class="tick"><input type="checkbox" name="allTopics" value="true" checked=fields.all_topics/>
                        " All topics that each group has committed"
                    </label>
                </fieldset>
                <p class="actions"><button class="btn primary" type="submit">"Preview"</button></p>
            </form>
        </section>
    }
    .into_any()
}

fn choice(fields: &BulkFields, action: BulkAction, label: &'static str, field: impl IntoAny) -> AnyView {
    let checked = fields.action == Some(action);
    view! {
        <div class="target">
            <label><input type="radio" name="action" value=action.kind().word() required checked=checked/> " " {label}</label>
            {field.into_any()}
        </div>
    }
    .into_any()
}

fn offsets(fields: &BulkFields) -> AnyView {
    let option = |value: &'static str, label: &'static str| {
        view! { <option value=value selected=fields.to == value>{label}</option> }
    };
    let own = ["", "earliest", "latest", "time"];
    // As a new preview has it: the time itself.
    let other = (!own.contains(&fields.to.as_str())).then(|| {
        view! { <option value=fields.to.clone() selected=true>{flowdeck_model::shown::name(&fields.to)}</option> }
    });
    view! {
        <label>"to " <select name="to">
            {option("", "…")} {option("earliest", "earliest")} {option("latest", "latest")}
            {option("time", "the first record at or after")} {other}
        </select></label>
        <input type="datetime-local" name="time" step="1" aria-label="Time (UTC)" value=fields.time.clone()/> "UTC"
    }
    .into_any()
}
