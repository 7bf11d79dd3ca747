//! `/c/{cluster}/dead-letters/{topic}/redrive`: what a re-drive would do, and the form that asks for it.

use flowdeck_model::redrive::form::RedriveForm;
use flowdeck_model::redrive::{RedriveRecords, RedriveRequest, RedriveTarget};
use flowdeck_model::view::{DeadLettersView, RedrivePreview, RedriveTargetPreview};
use flowdeck_model::{ClusterName, DeadLettersQuery, TopicName, shown};
use leptos::prelude::*;

use super::super::{answered, ports};
use super::head;
use super::redrive::not_copied;
use crate::components::{error, notice};
use crate::format::number;
use crate::links;
use crate::typed::{Typed, form_id};

#[component]
pub(crate) fn RedriveFormPage(cluster: ClusterName, topic: TopicName, query: String) -> AnyView {
    let typed = use_context::<Typed>().unwrap_or_default();
    let answer = async move {
        let ports = ports()?;
        let form = RedriveForm::parse(query.trim_start_matches('?'), Some(&topic))?;
        // Who may not read the topic is told so here, with the groups of its letters.
        let letters = ports.dead_letters.letters(&cluster, &topic, &DeadLettersQuery::default()).await?;
        let preview = ports.redrives.preview(&cluster, form.request.clone()).await;
        Ok((form.request, letters, preview.map_err(crate::api::PageError::from)))
    };
    answered(answer, move |(request, letters, preview)| {
        let shown = match &preview {
            Ok(preview) => {
                view! { {previewed(&letters, preview)}{send(&letters, preview, &typed)} }.into_any()
            }
            Err(why) => error::part(why),
        };
        view! {
            {head(&letters.cluster_info, letters.now, ["Re-drive ", letters.topic.as_str()].concat(), Some(&letters.topic))}
            <section class="panel ask" aria-labelledby="what">
                <header><h2 id="what">"What is copied, and where to"</h2></header>
                <div class="ask-body">{choose(&letters, &request)}</div>
            </section>
            <section class="panel ask" aria-labelledby="preview">
                <header><h2 id="preview">"Preview"</h2></header>
                <div class="ask-body">{shown}</div>
            </section>
        }
        .into_any()
    })
}

fn what(request: &RedriveRequest) -> String {
    match &request.records {
        RedriveRecords::Selected(places) => {
            number::count(places.len() as u64, "selected record", "selected records")
        }
        RedriveRecords::Matching { original: None, error: None, .. } => {
            "All dead letters of the topic".to_owned()
        }
        RedriveRecords::Matching { original, error, .. } => {
            let said = |label: &'static str, text: &Option<String>| match text.as_deref() {
                None => String::new(),
                Some("") => [", ", label, " not known"].concat(),
                Some(text) => [", ", label, " \u{201c}", &shown::name(text), "\u{201d}"].concat(),
            };
            ["All dead letters", &said("original topic", original), &said("error", error)].concat()
        }
    }
}

/// A form that leads to the same page, with another target or rate.
fn choose(letters: &DeadLettersView, request: &RedriveRequest) -> AnyView {
    let action = links::redrive_form(&letters.cluster_info.name, &letters.topic, "");
    let fields = request.record_fields().into_iter().filter(|(name, _)| *name != "end");
    let hidden =
        fields.map(|(name, value)| view! { <input type="hidden" name=name value=value/> }).collect_view();
    let (to, group, target) = match &request.to {
        RedriveTarget::Original => ("original", String::new(), String::new()),
        RedriveTarget::OriginalFor(group) => ("originalFor", group.to_string(), String::new()),
        RedriveTarget::Topic(topic) => ("topic", String::new(), topic.to_string()),
    };
    let group = if group.is_empty() { usual_group(letters) } else { group };
    let choice = |value: &'static str, label: &'static str| {
        view! { <label><input type="radio" name="to" value=value checked=to == value/> {label}</label> }
    };
    view! {
        <p>{what(request)} "."</p>
        <form method="get" action=action class="redrive-choice">
            {hidden}
            <fieldset>
                <legend>"To"</legend>
                <p>{choice("original", "the original topic: every consumer group that reads it gets the copies")}</p>
                <p>
                    {choice("originalFor", "the original topic, for one group: Flowdeck's agents of other groups skip the copies")}
                    <label><span class="unseen">"Consumer group"</span><input name="group" value=group placeholder="consumer group" autocomplete="off" spellcheck="false"/></label>
                </p>
                <p>
                    {choice("topic", "another topic: the retry topic of the group that failed")}
                    <label><span class="unseen">"Topic"</span><input name="target" value=target placeholder="topic" autocomplete="off" spellcheck="false"/></label>
                </p>
            </fieldset>
            <p>
                <label>"At most " <input name="rate" value=request.rate.to_string() inputmode="numeric" size="6"/> " records a second"</label>
                " " <button class="btn small">"Preview again"</button>
            </p>
        </form>
    }
    .into_any()
}

/// The group that its letters name most.
fn usual_group(letters: &DeadLettersView) -> String {
    let first = letters.letters.iter().find_map(|letter| letter.origin.group.as_ref());
    first.map(ToString::to_string).unwrap_or_default()
}

fn previewed(letters: &DeadLettersView, preview: &RedrivePreview) -> AnyView {
    let of = if preview.complete { "" } else { " of those that were looked at" };
    let copies = [&number::count(preview.copies, "record", "records"), " would be copied", of, "."].concat();
    let targets = preview.targets.iter().map(|target| reached(letters, target)).collect_view();
    view! {
        <p><b>{copies}</b></p>
        {not_copied(&preview.progress, "would not be copied")}
        <ul class="effects">{targets}</ul>
        {preview.notes.iter().map(|note| notice::warning(capital(note))).collect_view()}
        <p class="muted">"Each copy carries the header " <code>"Flowdeck-Redrive-Id"</code> ". What was re-driven once is not copied again, and consumers that read only committed records get no copy twice. What comes to the topic after this preview is left alone."</p>
    }
    .into_any()
}

fn capital(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map(|first| first.to_uppercase().chain(chars).chain(['.']).collect()).unwrap_or_default()
}

fn reached(letters: &DeadLettersView, target: &RedriveTargetPreview) -> AnyView {
    let cluster = &letters.cluster_info.name;
    let groups = target.groups.iter().enumerate().map(|(n, group)| {
        view! { {if n == 0 { " " } else { ", " }} <a class="link" href=links::group(cluster, group)>{group.shown()}</a> }
    });
    let more = (target.other_groups > 0).then(|| {
        let words = number::count(target.other_groups.into(), "group", "groups");
        [" and ", &words, " that you may not view"].concat()
    });
    let none = (target.groups.is_empty() && target.other_groups == 0).then_some(" no consumer group");
    let groups = groups.collect_view();
    view! {
        <li>
            {number::count(target.copies, "copy", "copies")} " to "
            <a class="link" href=links::topic(cluster, &target.topic, &Default::default())>{target.topic.to_string()}</a>
            ", read by" {groups}{more}{none}
        </li>
    }
    .into_any()
}

fn send(letters: &DeadLettersView, preview: &RedrivePreview, typed: &Typed) -> AnyView {
    if preview.copies == 0 && preview.complete {
        return notice::empty("Nothing would be copied", "So there is nothing to ask for.");
    }
    let request = &preview.request;
    let (to, group, target) = match &request.to {
        RedriveTarget::Original => ("original", None, None),
        RedriveTarget::OriginalFor(group) => ("originalFor", Some(group.to_string()), None),
        RedriveTarget::Topic(topic) => ("topic", None, Some(topic.to_string())),
    };
    let mut fields = request.record_fields();
    fields.push(("id", form_id().to_string()));
    fields.push(("topic", request.topic.to_string()));
    fields.push(("to", to.to_owned()));
    fields.push(("rate", request.rate.to_string()));
    fields.extend(group.map(|group| ("group", group)));
    fields.extend(target.map(|target| ("target", target)));
    let hidden = fields
        .into_iter()
        .map(|(name, value)| view! { <input type="hidden" name=name value=value/> })
        .collect_view();
    // Where not all was looked at, others may read what was not.
    let asks = !preview.complete || preview.targets.iter().any(|target| target.needs_consent);
    let consent = asks.then(|| view! {
        <p><label><input type="checkbox" name="otherGroups" value="true" required=preview.complete/>
            " Consumer groups other than the one that failed read the target, and get the copies too"</label></p>
    });
    view! {
        <form method="post" action=links::redrives(&letters.cluster_info.name)>
            {hidden}
            {consent}
            <p><label>"Reason " <input name="reason" value=typed.reason.clone() required maxlength="500" size="40" autocomplete="off"/></label></p>
            <p class="actions"><button class="btn primary">"Re-drive"</button></p>
        </form>
    }
    .into_any()
}
