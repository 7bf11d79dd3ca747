//! `/c/{cluster}/bulk`: what a bulk operation would do with each group, and the form that asks for exactly that.

use flowdeck_model::bulk::form::BulkFields;
use flowdeck_model::bulk::{BULK_REASON_MAX, BulkAction, BulkRequest, STOP_AFTER_DEFAULT};
use flowdeck_model::error::ResourceKind;
use flowdeck_model::view::{BulkPlan, BulkPreview};
use flowdeck_model::{ClusterName, FleetQuery, PortError};
use leptos::prelude::*;

use super::super::{answered, ports};
use super::{choose, head};
use crate::components::notice;
use crate::format::number;
use crate::links;
use crate::typed;

#[component]
pub(crate) fn BulkFormPage(cluster: ClusterName, query: String) -> AnyView {
    let answer = {
        let cluster = cluster.clone();
        async move {
            let ports = ports()?;
            let fields = BulkFields::parse(&query)?;
            let Some(asked) = fields.query()? else {
                if fields.groups.is_empty() {
                    return Err(PortError::invalid("group", "select at least one group").into());
                }
                let query = FleetQuery { cluster: Some(cluster.clone()), limit: 1, ..FleetQuery::default() };
                let fleet = ports.fleet.fleet(&query)?;
                let info = fleet.clusters.into_iter().find(|one| one.name == cluster);
                let info =
                    info.ok_or_else(|| PortError::not_found(ResourceKind::Cluster, cluster.as_str()))?;
                return Ok((fields, info, fleet.now, None));
            };
            let preview = ports.bulks.preview(&cluster, asked).await?;
            Ok((fields, preview.cluster_info.clone(), preview.now, Some(preview)))
        }
    };
    answered(answer, move |(fields, info, now, preview)| {
        let title = match &preview {
            Some(preview) if preview.undoes.is_some() => "Take back a bulk operation",
            _ => "Bulk operation",
        };
        view! {
            {head(&info, now, title.to_owned())}
            {fields.undo.is_none().then(|| choose::section(&cluster, &fields))}
            {preview.map(|preview| section(&cluster, &fields, &preview))}
        }
        .into_any()
    })
}

fn section(cluster: &ClusterName, fields: &BulkFields, view: &BulkPreview) -> AnyView {
    let rows = view.groups.iter().map(|plan| row(cluster, plan)).collect_view();
    view! {
        <section class="panel offsets-panel" aria-labelledby="preview">
            <h2 id="preview">"Preview: " {title(view)}</h2>
            <p>{summary(view)}</p>
            {view.notes.iter().map(|note| notice::warning(note.clone())).collect_view()}
            <div class="scroll">
                <table class="plan bulk-plan">
                    <caption class="unseen">"What would be done with each group"</caption>
                    <thead><tr><th scope="col">"Group"</th><th scope="col">"Plan"</th><th scope="col">"Notes"</th></tr></thead>
                    <tbody>{rows}</tbody>
                </table>
            </div>
            {send(cluster, fields, view)}
        </section>
    }
    .into_any()
}

fn title(view: &BulkPreview) -> String {
    let title = view.action.title(view.ready as usize);
    match view.undoes {
        Some(id) => [&title, ", taking back ", &id.to_string()].concat(),
        None => title,
    }
}

fn summary(view: &BulkPreview) -> String {
    let mut words = vec![number::count(view.ready.into(), "group is changed", "groups are changed")];
    if view.nothing_to_do > 0 {
        words.push(number::count(view.nothing_to_do.into(), "has nothing to do", "have nothing to do"));
    }
    if view.refused > 0 {
        words.push(
            [&number::count(view.refused.into(), "is", "are"), " left out, since it cannot be done"].concat(),
        );
    }
    if view.replayed > 0 {
        words.push(["up to ", &number::count(view.replayed, "record", "records"), " handled again"].concat());
    }
    if view.skipped > 0 {
        words.push(["up to ", &number::count(view.skipped, "record", "records"), " skipped"].concat());
    }
    [&words.join(", "), "."].concat()
}

fn row(cluster: &ClusterName, plan: &BulkPlan) -> AnyView {
    let what = match (&plan.refused, plan.existing) {
        (Some(why), _) => view! { <span class="tag bad">"Left out"</span> " " {why.clone()} }.into_any(),
        (None, Some(id)) => view! {
            "in force already, by " <a class="link" href=links::command(cluster, id) rel="external">"operation " {id.to_string()}</a>
        }
        .into_any(),
        (None, None) => plan.plan.clone().into_any(),
    };
    view! {
        <tr>
            <th scope="row"><a class="name" href=links::group(cluster, &plan.group) rel="external">{plan.group.shown()}</a></th>
            <td data-l="plan">{what}</td>
            <td data-l="notes">{plan.notes.join(" ")}</td>
        </tr>
    }
    .into_any()
}

fn send(cluster: &ClusterName, fields: &BulkFields, view: &BulkPreview) -> AnyView {
    let request = BulkRequest {
        action: view.action,
        groups: view.targets(),
        stop_after: STOP_AFTER_DEFAULT,
        undoes: view.undoes,
        skips: None,
        reason: String::new(),
    };
    if request.groups.is_empty() {
        return notice::empty("Nothing would be done", "So there is nothing to ask for.");
    }
    let hidden = request
        .fields()
        .into_iter()
        .chain([("id", typed::form_id().to_string())])
        .chain(scope(fields, view))
        .map(|(name, value)| view! { <input type="hidden" name=name value=value/> })
        .collect_view();
    let skips = (view.skipped > 0).then(|| view! {
        <label class="field"><span>"Type the number of records that are skipped in all: " {number::exact(view.skipped)}</span>
            <input type="text" name="skips" inputmode="numeric" required autocomplete="off"/></label>
    });
    let stop_after = match fields.stop_after.is_empty() {
        true => STOP_AFTER_DEFAULT.to_string(),
        false => fields.stop_after.clone(),
    };
    let button = match view.action {
        BulkAction::SetOffsets => "Set these offsets".to_owned(),
        action => action.title(request.groups.len()),
    };
    view! {
        <form method="post" action=links::bulks(cluster)>
            {hidden}
            <label class="field"><span>"Reason"</span>
                <input type="text" name="reason" required maxlength=BULK_REASON_MAX.to_string() value=typed::typed().reason autocomplete="off"/></label>
            {skips}
            <label class="field"><span>"Stop after so many failures"</span>
                <input type="number" name="stopAfter" min="1" max="500" required value=stop_after/></label>
            <p class="muted">"Each group is an operation of its own. Where a group changed since this preview, nothing is done. What is not confirmed counts as a failure."</p>
            <p class="actions"><button class="btn primary" type="submit">{button}</button></p>
        </form>
    }
    .into_any()
}

/// Of which partitions it was asked for, so that a refused one is previewed again as it was.
fn scope(fields: &BulkFields, view: &BulkPreview) -> Vec<(&'static str, String)> {
    if view.action != BulkAction::SetOffsets || view.undoes.is_some() {
        return vec![];
    }
    let all = fields.all_topics.then(|| ("allTopics", "true".to_owned()));
    let topics = (!fields.topics.is_empty()).then(|| ("topics", fields.topics.clone()));
    topics.into_iter().chain(all).collect()
}
