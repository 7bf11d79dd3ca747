//! `/c/{cluster}/topics/{topic}/live`: the records of a topic as they come. Rows are added by a small script of its own
//! (`tail.js`); without JavaScript it shows the newest ones and is loaded again by a link.

use flowdeck_model::query::{DecoderName, From as Start};
use flowdeck_model::view::Mode;
use flowdeck_model::view::messages::{MessageView, MessagesView, Payload, PayloadKind};
use flowdeck_model::{ClusterName, MessagesQuery, TopicName, url};
use leptos::prelude::*;
use leptos_meta::Title;

use super::{answered, head_of_topic, ports};
use crate::components::clock::{Clock, at_time};
use crate::components::notice;
use crate::format::number;
use crate::links;
use crate::site::use_frame;

const SCRIPT: &str = include_str!("tail.js");
/// Records that are there before the first one comes.
const FIRST: u32 = 20;
const RATES: [u32; 5] = [10, 50, 100, 200, 500];

#[component]
pub(crate) fn TailPage(cluster: ClusterName, topic: TopicName, query: String) -> AnyView {
    let answer = async move {
        let asked = MessagesQuery::parse(query.trim_start_matches('?'), false)?;
        let asked = MessagesQuery { from: Start::Latest, order: None, full: false, seen: 0, ..asked };
        let first = MessagesQuery { limit: FIRST, ..asked.clone() };
        let view = ports()?.peek.messages(&cluster, &topic, &first).await?;
        Ok((asked, view))
    };
    answered(answer, |(asked, view)| page(&asked, &view))
}

fn page(asked: &MessagesQuery, view: &MessagesView) -> AnyView {
    Clock::provide(view.now);
    let info = &view.cluster_info;
    let topic = links::topic(&info.name, &view.topic, &MessagesQuery::default());
    let own = links::tail(&info.name, &view.topic, asked);
    let api = ["/api/v1", &url::tail_path_of_api(&info.name, &view.topic)].concat();
    let stream = links::with_query(&links::to(&api), &asked.to_query());
    let rows = view.records.iter().map(|record| row(record, &topic)).collect_view();
    let nonce = use_frame().site.nonce;
    let produce = (info.mode == Mode::Control).then(|| {
        view! { <a class="btn small" href=links::produce(&info.name, &view.topic)>"Produce…"</a> }
    });
    view! {
        <Title text=["Live · ", view.topic.as_str(), " · ", &info.label].concat()/>
        {head_of_topic(info, &view.topic, ["Live: ", view.topic.as_str()].concat(), Some(view.now))}
        <section class="panel" id="tail" aria-labelledby="records" data-stream=stream data-topic=topic>
            <header>
                <h2 id="records">"Records"</h2>
                <span class="count"><span role="status" data-state="">"Not live without JavaScript"</span>
                    <span data-counts=""></span></span>
                <span class="actions push">
                    <button class="btn small" type="button" data-pause="" hidden>"Pause"</button>
                    <a class="btn small" href=own data-reload="">"Reload"</a>
                    {produce}
                </span>
            </header>
            {form(asked)}
            <div data-note="">{view.note.clone().map(notice::warning)}</div>
            <div class="scroll">
                <table class="cards fixed messages">
                    <caption class="unseen">"Records, newest first"</caption>
                    <thead><tr>
                        <th scope="col" class="num w-count">"Partition"</th>
                        <th scope="col" class="num w-owner">"Offset"</th>
                        <th scope="col" class="w-owner">"Time"</th>
                        <th scope="col" class="w-owner">"Key"</th>
                        <th scope="col">"Value"</th>
                    </tr></thead>
                    <tbody>{rows}</tbody>
                </table>
            </div>
        </section>
        <script nonce=nonce inner_html=SCRIPT></script>
    }
    .into_any()
}

/// What is followed. Another choice is another page.
fn form(asked: &MessagesQuery) -> AnyView {
    let field = |label: &'static str, name: &'static str, value: String, hint: &'static str| {
        view! {
            <label><span>{label}</span>
                <input name=name value=value size="14" autocomplete="off" spellcheck="false" placeholder=hint/>
            </label>
        }
    };
    let rates = RATES.map(|rate| {
        let chosen = asked.limit == rate;
        view! { <option value=rate.to_string() selected=chosen>{rate.to_string()}</option> }
    });
    let other = (!RATES.contains(&asked.limit)).then(
        || view! { <option value=asked.limit.to_string() selected=true>{asked.limit.to_string()}</option> },
    );
    let partition = asked.partition.map(|partition| partition.to_string()).unwrap_or_default();
    let decoders = [("keyDecoder", &asked.key_decoder), ("valueDecoder", &asked.value_decoder)];
    let mut kept: Vec<(&'static str, String)> = decoders
        .into_iter()
        .filter_map(|(name, decoder)| Some((name, decoder.as_ref().map(DecoderName::as_str)?.to_owned())))
        .collect();
    kept.push(("isolation", asked.isolation.key().to_owned()));
    if asked.unmasked {
        kept.push(("unmasked", "true".to_owned()));
    }
    let kept = kept.into_iter().map(|(name, value)| view! { <input type="hidden" name=name value=value/> });
    let find = &asked.find;
    view! {
        <form class="from tail" method="get">
            {kept.collect_view()}
            {field("Partition", "partition", partition, "all")}
            {field("Search", "text", find.text.clone(), "text")}
            {field("Key has", "key", find.key.clone(), "text")}
            {field("Header", "header", find.header.clone(), "name or name:text")}
            {field("JSON path", "path", find.path.clone(), "$.order.id == 7")}
            {field("CEL", "cel", find.cel.clone(), "value.amount > 100")}
            <label><span>"At most a second"</span> <select name="limit">{rates} {other}</select></label>
            <button class="btn small">"Follow"</button>
        </form>
    }
    .into_any()
}

fn row(record: &MessageView, topic: &str) -> AnyView {
    let place = [&record.partition.to_string(), ":", &record.offset.to_string()].concat();
    let query = form_urlencoded::Serializer::new(String::new())
        .append_pair("partition", &record.partition.to_string())
        .append_pair("from", &["offset:", &record.offset.to_string()].concat())
        .append_pair("open", &place)
        .finish();
    view! {
        <tr>
            <td class="num mono" data-l="partition">{record.partition.to_string()}</td>
            <td class="num mono" data-l="offset">
                <a class="name" href=links::with_query(topic, &query)>{number::offset(record.offset)}</a>
            </td>
            <td class="muted" data-l="time">{record.timestamp.map(at_time)}</td>
            <td class="key mono" data-l="key">{preview(&record.key)}</td>
            <td class="preview mono" data-l="value">{preview(&record.value)}</td>
        </tr>
    }
    .into_any()
}

fn preview(payload: &Payload) -> AnyView {
    match payload.kind {
        PayloadKind::Null => view! { <span class="faint">"null"</span> }.into_any(),
        _ => flowdeck_model::shown::text(&payload.text).into_any(),
    }
}
