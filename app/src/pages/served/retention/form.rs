//! `/c/{cluster}/topics/{topic}/retention`: for how long, and the preview of it. `group`: whose pauses it is for.

use flowdeck_model::error::ResourceKind;
use flowdeck_model::retention::form::{RetentionForm, UNTIL};
use flowdeck_model::retention::{MARGIN_SECONDS_DEFAULT, RetentionKey};
use flowdeck_model::view::{ClusterView, DiskGrowth, RetentionPreview};
use flowdeck_model::{ClusterName, PortError, Ports, TopicName};
use leptos::prelude::*;

use super::super::{answered, ends_the_form, ports};
use super::{head, owner, value};
use crate::api::{Answer, PageError};
use crate::components::clock::{Clock, at_time};
use crate::components::{error, notice};
use crate::format::{number, time};
use crate::links;
use crate::typed;

struct Shown {
    info: ClusterView,
    topic: TopicName,
    form: RetentionForm,
    preview: Result<RetentionPreview, PageError>,
}

#[component]
pub(crate) fn RetentionFormPage(cluster: ClusterName, topic: TopicName, query: String) -> AnyView {
    let ports = ports();
    answered(async move { read(&ports?, cluster, topic, &query).await }, |shown| page(&shown))
}

async fn read(ports: &Ports, name: ClusterName, topic: TopicName, query: &str) -> Answer<Shown> {
    let known = ports.fleet.clusters().into_iter().find(|one| one.name == name);
    let form = RetentionForm::parse(query);
    let preview = match form.query() {
        Ok(query) => ports.retentions.preview(&name, &topic, query).await,
        Err(error) => Err(error),
    };
    let preview = match preview {
        Err(error) if ends_the_form(&error) => return Err(error.into()),
        answer => answer.map_err(PageError::from),
    };
    let info = known.ok_or_else(|| PortError::not_found(ResourceKind::Cluster, name.as_str()))?;
    Ok(Shown { info, topic, form, preview })
}

fn page(shown: &Shown) -> AnyView {
    let now = shown.preview.as_ref().ok().map(|preview| preview.now);
    if let Some(now) = now {
        Clock::provide(now);
    }
    let body = match &shown.preview {
        Ok(preview) => previewed(shown, preview),
        Err(why) => error::part(why),
    };
    view! {
        {head(&shown.info, &shown.topic, now)}
        <section class="panel ask" aria-labelledby="how-long">
            <header><h2 id="how-long">"Keep unread records for longer"</h2></header>
            <div class="ask-body">{fields(shown)}</div>
        </section>
        <section class="panel ask" id="preview" aria-labelledby="previewed">
            <header><h2 id="previewed">"Preview"</h2></header>
            <div class="ask-body">{body}</div>
        </section>
    }
    .into_any()
}

const LENGTHS: [(&str, &str); 4] =
    [("14400", "4 h"), ("86400", "24 h"), ("259200", "3 d"), ("604800", "7 d")];
const MARGINS: [(&str, &str); 5] =
    [("0", "none"), ("3600", "1 h"), ("14400", "4 h"), ("86400", "24 h"), ("259200", "3 d")];

fn fields(shown: &Shown) -> AnyView {
    let form = &shown.form;
    let group = form.group();
    let radio = |value: &'static str, words: &'static str| {
        view! { <label><input type="radio" name="length" value=value checked=form.length == value/> <span>{words}</span></label> }
    };
    let by_pauses =
        if group.is_some() { "until its pauses end, and the margin" } else { "24 h, unless chosen" };
    let chosen =
        if form.margin.is_empty() { MARGIN_SECONDS_DEFAULT.to_string() } else { form.margin.clone() };
    let margins = MARGINS.map(|(value, words)| {
        view! { <option value=value selected=chosen == value>{words}</option> }
    });
    let of_group = group.as_ref().map(|group| {
        view! {
            <p class="muted">"For the pauses of group " <a class="link" href=links::group(&shown.info.name, group) rel="external">{group.shown()}</a>
                ": the values go back once these are over and the margin has passed, and at the latest at the end that is chosen."</p>
            <input type="hidden" name="group" value=group.to_string()/>
            <p><label>"Margin after the last pause, to read what waits " <select name="margin">{margins}</select></label></p>
        }
    });
    view! {
        <form method="get" action=[&links::retention(&shown.info.name, &shown.topic, None), "#preview"].concat()>
            {of_group}
            <fieldset class="durations"><legend>"Duration"</legend>
                {radio("", by_pauses)}
                {LENGTHS.map(|(value, words)| radio(value, words))}
                <span class="custom">{radio(UNTIL, "until")}
                    <label><input type="datetime-local" name="until" value=form.until.clone() aria-label="Until, in UTC"/> <span>"UTC"</span></label>
                </span>
            </fieldset>
            <p><label>"Size limit of each partition in bytes (retention.bytes) "
                <input name="bytes" value=form.bytes.clone() inputmode="numeric" autocomplete="off" placeholder="by the estimate"/></label>
                " " <span class="muted">"-1 is no limit"</span></p>
            <p class="actions"><button class="btn" type="submit">"Preview"</button> <span class="muted">"nothing is changed yet"</span></p>
        </form>
    }
    .into_any()
}

fn previewed(shown: &Shown, preview: &RetentionPreview) -> AnyView {
    let request = &preview.request;
    let rows = [(RetentionKey::Ms, request.ms), (RetentionKey::Bytes, request.bytes)].map(|(key, to)| {
        let now = key.of(&request.seen);
        let new = if now.value == to { "stays".to_owned() } else { value(key, to) };
        view! {
            <tr><th scope="row">{key.name()}</th>
                <td data-l="now">{value(key, now.value)} " " <span class="faint">{owner(now.own)}</span></td>
                <td data-l="until then">{new}</td></tr>
        }
    });
    let replaces = preview.replaces.as_ref().map(|one| {
        view! {
            <p class="warned">"It is raised already by " <a class="link" href=links::raised(&shown.info.name, one.id)>"an earlier request"</a>
                ": this one takes its place, and puts back what was before that one."</p>
        }
    });
    let json = serde_json::to_string(request).unwrap_or_default();
    let hidden = shown.form.fields().map(|(name, value)| {
        view! { <input type="hidden" name=name value=value.to_owned()/> }
    });
    let hidden = hidden.collect_view();
    view! {
        <div class="scroll"><table class="plan">
            <caption class="unseen">"What is changed"</caption>
            <thead><tr><th scope="col">"Configuration"</th><th scope="col">"Now"</th><th scope="col">"Until then"</th></tr></thead>
            <tbody>{rows}</tbody>
        </table></div>
        <dl class="meta">
            <dt>"Values go back"</dt><dd>"at the latest " {at_time(request.until)} ", unless somebody changes them meanwhile"</dd>
            <dt>"Disk growth"</dt><dd class="wrap">{growth(preview.growth)}</dd>
        </dl>
        {replaces}
        {preview.notes.iter().map(|note| notice::warning(note.clone())).collect_view()}
        <form method="post" action=links::retention(&shown.info.name, &shown.topic, None)>
            {hidden}
            <input type="hidden" name="id" value=typed::form_id().to_string() autocomplete="off"/>
            <input type="hidden" name="request" value=json/>
            <label class="field"><span>"Reason"</span>
                <input name="reason" value=typed::typed().reason required maxlength=flowdeck_model::command::REASON_MAX.to_string() autocomplete="off"/></label>
            <p class="actions"><button class="btn primary" type="submit">{["Raise the retention of ", shown.topic.as_str()].concat()}</button></p>
        </form>
    }
    .into_any()
}

fn growth(growth: Option<DiskGrowth>) -> String {
    let Some(growth) = growth else { return "not known".to_owned() };
    let minutes = std::time::Duration::from_secs(60 * u64::from(growth.minutes));
    [
        "about ",
        &number::bytes(growth.bytes),
        " at most, all replicas together. An estimate: ",
        &number::count(growth.records, "record", "records"),
        " at the rate of the last ",
        &time::brief(minutes),
        ", of ",
        &number::bytes(growth.record_bytes),
        " each (the newest ",
        &growth.sampled.to_string(),
        "), on ",
        &number::count(growth.replicas.into(), "replica", "replicas"),
        "; compression is not counted.",
    ]
    .concat()
}
