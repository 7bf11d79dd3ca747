//! `/c/{cluster}/topics/{topic}/produce`: a record is written, previewed and produced. `source=TOPIC PARTITION@OFFSET` fills
//! the form with a copy of that record.

use flowdeck_model::error::ResourceKind;
use flowdeck_model::produce::form::ProduceForm;
use flowdeck_model::view::{ClusterView, ProducePreview};
use flowdeck_model::{ClusterName, MessagesQuery, PortError, Ports, TopicName, shown};
use leptos::prelude::*;
use leptos_meta::Title;

use super::super::{answered, ends_the_form, in_textarea, ports};
use crate::api::{Answer, PageError};
use crate::components::{cluster, error, notice};
use crate::format::number;
use crate::links;
use crate::typed;

struct Shown {
    info: ClusterView,
    topic: TopicName,
    form: ProduceForm,
    /// `None`: nothing is asked for yet.
    preview: Option<Result<ProducePreview, PageError>>,
}

#[component]
pub(crate) fn ProducePage(cluster: ClusterName, topic: TopicName, query: String) -> AnyView {
    let ports = ports();
    answered(async move { read(&ports?, cluster, topic, &query).await }, |shown| page(&shown))
}

async fn read(ports: &Ports, name: ClusterName, topic: TopicName, query: &str) -> Answer<Shown> {
    let known = ports.fleet.clusters().into_iter().find(|one| one.name == name);
    let mut form = ProduceForm::parse(query);
    let is_asked = !form.value_as.is_empty();
    if !is_asked && !form.source.is_empty() {
        let (source, skip) = (form.source.parse()?, form.skip);
        let draft = match skip.is_empty() {
            true => ports.produce.draft(&name, &source).await?,
            false => ports.produce.dead_letter(&name, &source, &skip.as_str().into()).await?,
        };
        form = ProduceForm { skip, ..ProduceForm::of(&draft) };
    }
    let preview = match form.request(&topic) {
        Ok(request) => ports.produce.preview(&name, request).await,
        Err(error) => Err(error),
    };
    let preview = match preview {
        Err(error) if !is_asked && ends_the_form(&error) => return Err(error.into()),
        answer => is_asked.then_some(answer.map_err(PageError::from)),
    };
    let info = known.ok_or_else(|| PortError::not_found(ResourceKind::Cluster, name.as_str()))?;
    Ok(Shown { info, topic, form, preview })
}

fn page(shown: &Shown) -> AnyView {
    let (info, topic) = (&shown.info, &shown.topic);
    let back = links::topic(&info.name, topic, &MessagesQuery::default());
    let preview = shown.preview.as_ref().map(|preview| {
        let body = match preview {
            Ok(preview) => previewed(shown, preview),
            Err(why) => error::part(why),
        };
        view! {
            <section class="panel ask" aria-labelledby="preview">
                <header><h2 id="preview">"Preview"</h2></header>
                <div class="ask-body">{body}</div>
            </section>
        }
    });
    view! {
        <Title text=["Produce to ", topic.as_str(), " · ", &info.label].concat()/>
        <div>
            <nav class="crumbs" aria-label="Where you are">
                <a href=links::to("/")>"Fleet"</a> " / "
                <a href=links::topics(&info.name)>{info.label.clone()}</a> " / "
                <a href=back>{topic.to_string()}</a>
            </nav>
            <div class="title">
                {cluster::pill(info.label.clone(), info.colour)}
                <h1>{["Produce to ", topic.as_str()].concat()}</h1>
            </div>
        </div>
        {cluster::trouble(info)}
        <section class="panel ask" aria-labelledby="what">
            <header><h2 id="what">"The record"</h2></header>
            <div class="ask-body">{fields(shown)}</div>
        </section>
        {preview}
    }
    .into_any()
}

fn fields(shown: &Shown) -> AnyView {
    let form = &shown.form;
    let kinds = |name: &'static str, chosen: &str, none: &'static str| {
        let chosen = if chosen.is_empty() { "text" } else { chosen }.to_owned();
        let options = [("text", "text"), ("hex", "hexadecimal"), ("none", none)].map(|(value, label)| {
            view! { <option value=value selected=chosen == value>{label}</option> }
        });
        let label = [name, " as"].concat();
        view! { <select name=name aria-label=label>{options}</select> }
    };
    let what = match form.skip.is_empty() {
        true => "An edited copy of ".to_owned(),
        false => ["The dead letter of group ", &shown::name(&form.skip), " for "].concat(),
    };
    let copy = (!form.source.is_empty()).then(|| {
        view! {
            <p class="muted">{what} <span class="mono">{form.source.clone()}</span> "."</p>
            <input type="hidden" name="source" value=form.source.clone()/>
            <input type="hidden" name="skip" value=form.skip.clone()/>
        }
    });
    let key_kind = if form.key_as.is_empty() { "none" } else { form.key_as.as_str() };
    view! {
        <form method="post" action=links::produce(&shown.info.name, &shown.topic) class="produce">
            {copy}
            <p><label>"Partition " <input name="partition" value=form.partition.clone() size="6" inputmode="numeric" autocomplete="off" placeholder="by key"/></label></p>
            <p><label for="key">"Key"</label> " " {kinds("keyAs", key_kind, "no key")}</p>
            <textarea id="key" name="key" rows="2" spellcheck="false">{in_textarea(&form.key)}</textarea>
            <p><label for="value">"Value"</label> " " {kinds("valueAs", &form.value_as, "tombstone (null)")}</p>
            <textarea id="value" name="value" rows="14" spellcheck="false">{in_textarea(&form.value)}</textarea>
            <p><label for="headers">"Headers"</label> " " <span class="muted">"one a line: name: value, name hex: 00ff, or name alone for null"</span></p>
            <textarea id="headers" name="headers" rows="4" spellcheck="false">{in_textarea(&form.headers)}</textarea>
            <p class="actions"><button class="btn">"Preview"</button> <span class="muted">"nothing is produced yet"</span></p>
        </form>
    }
    .into_any()
}

fn previewed(shown: &Shown, preview: &ProducePreview) -> AnyView {
    let size = |size: Option<u64>, none: &str| size.map_or_else(|| none.to_owned(), number::bytes);
    let partition = match preview.partition {
        Some(partition) => partition.to_string(),
        None => ["by the key, one of ", &preview.partitions.to_string()].concat(),
    };
    let info = &shown.info;
    let groups = preview.groups.iter().enumerate().map(|(n, group)| {
        let before = if n == 0 { "" } else { ", " };
        view! { {before} <a class="link" href=links::group(&info.name, group)>{group.shown()}</a> }
    });
    let groups = groups.collect_view();
    let more = (preview.other_groups > 0).then(|| {
        [" and ", &number::count(preview.other_groups.into(), "group", "groups"), " that you may not view"]
            .concat()
    });
    let none = (preview.groups.is_empty() && preview.other_groups == 0).then_some("none");
    let hidden = shown.form.fields().into_iter().map(|(name, value)| {
        view! { <input type="hidden" name=name value=value/> }
    });
    view! {
        <dl class="meta">
            <dt>"Topic"</dt><dd>{preview.topic.to_string()}</dd>
            <dt>"Partition"</dt><dd>{partition}</dd>
            <dt>"Key"</dt><dd>{size(preview.key_size, "none")}</dd>
            <dt>"Value"</dt><dd>{size(preview.value_size, "null: a tombstone")}</dd>
            <dt>"Headers"</dt><dd>{preview.headers.to_string()}</dd>
            <dt>"Consumer groups that get it"</dt><dd class="wrap">{groups} {more} {none}</dd>
        </dl>
        {preview.notes.iter().map(|note| notice::warning(note.clone())).collect_view()}
        <form method="post" action=links::produce(&info.name, &shown.topic)>
            {hidden.collect_view()}
            <input type="hidden" name="id" value=typed::form_id().to_string()/>
            <input type="hidden" name="send" value="true"/>
            <p><label>"Reason " <input name="reason" value=typed::typed().reason required maxlength="500" size="40" autocomplete="off"/></label></p>
            <p class="actions"><button class="btn primary">"Produce"</button> <span class="muted">"a record cannot be taken back"</span></p>
        </form>
    }
    .into_any()
}
