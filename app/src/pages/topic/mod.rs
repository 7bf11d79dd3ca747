//! `/c/{cluster}/topics/{topic}`: its messages first, then partitions, consumer groups, configuration. Which of
//! them is shown, from where and which record is open: all in the URL.

mod about;
mod messages;
pub(super) mod record;
mod tree;

use flowdeck_model::view::{MessagesView, TopicView};
use flowdeck_model::{MessagesQuery, Partition};
use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::hooks::use_location;

use crate::api;
use crate::components::clock::Clock;
use crate::components::{bar, cluster, name, notice};
use crate::format::number;
use crate::links;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Tab {
    Messages,
    Partitions,
    Groups,
    Configuration,
}

impl Tab {
    const ALL: [Self; 4] = [Self::Messages, Self::Partitions, Self::Groups, Self::Configuration];

    fn key(self) -> &'static str {
        match self {
            Self::Messages => "messages",
            Self::Partitions => "partitions",
            Self::Groups => "groups",
            Self::Configuration => "configuration",
        }
    }
}

/// The page's own part of the query, beside what `MessagesQuery` reads.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Shown {
    tab: Tab,
    open: Option<(Partition, i64)>,
}

fn shown(query: &str) -> Shown {
    let mut shown = Shown { tab: Tab::Messages, open: None };
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        match &*name {
            "tab" => shown.tab = Tab::ALL.into_iter().find(|tab| tab.key() == value).unwrap_or(Tab::Messages),
            "open" => shown.open = opened(&value),
            _ => {}
        }
    }
    shown
}

/// `3:86001`
fn opened(text: &str) -> Option<(Partition, i64)> {
    let (partition, offset) = text.split_once(':')?;
    Some((partition.parse().ok()?, offset.parse().ok().filter(|offset| *offset >= 0)?))
}

/// The list's query, the same for every open record; one that does not parse is left for the
/// server to refuse by name.
fn listed(query: &str) -> String {
    match MessagesQuery::parse(query, false) {
        Ok(parsed) => MessagesQuery { full: false, ..parsed }.to_query(),
        Err(_) => query.to_owned(),
    }
}

#[component]
pub(crate) fn TopicPage() -> impl IntoView {
    let (cluster, topic) = (super::segment("cluster"), super::segment("topic"));
    let search = use_location().search;
    let about =
        Resource::new(move || (cluster.get(), topic.get()), |(cluster, topic)| api::topic(cluster, topic));
    let list = Memo::new(move |_| listed(&search.read()));
    let shown = Memo::new(move |_| shown(&search.read()));
    let messages = Resource::new(
        move || (cluster.get(), topic.get(), list.get()),
        |(cluster, topic, query)| api::messages(cluster, topic, query),
    );
    let open = Resource::new(
        move || (cluster.get(), topic.get(), list.get(), shown.with(|shown| shown.open)),
        |(cluster, topic, list, open)| async move {
            match open {
                Some((partition, offset)) => {
                    Some(api::messages(cluster, topic, record::query(&list, partition, offset)).await)
                }
                None => None,
            }
        },
    );
    let peek = Peek { list, shown, messages, open, stopped: RwSignal::new(false) };
    super::once_read(about, move |view| page(view, peek))
}

type Answer = api::Answer<MessagesView>;

#[derive(Clone, Copy)]
struct Peek {
    list: Memo<String>,
    shown: Memo<Shown>,
    messages: Resource<Answer>,
    open: Resource<Option<Answer>>,
    /// A search goes on no more by itself.
    stopped: RwSignal<bool>,
}

fn page(view: TopicView, peek: Peek) -> AnyView {
    Clock::provide(view.now);
    let tab = Memo::new(move |_| peek.shown.with(|shown| shown.tab));
    let title = [view.topic.as_str(), " · ", &view.cluster_info.label].concat();
    let notes = view.notes.iter().map(|note| notice::warning(note.clone())).collect_view();
    let head = head(&view);
    let trouble = cluster::trouble(&view.cluster_info);
    let tabs = tabs(&view, tab);
    let view = StoredValue::new(view);
    let body = move || {
        view.with_value(|view| match tab.get() {
            Tab::Messages => messages::panel(view, peek),
            Tab::Partitions => about::partitions(view),
            Tab::Groups => about::groups(view),
            Tab::Configuration => about::configuration(view),
        })
    };
    view! {
        <Title text=title/>
        {head}
        {trouble}
        {notes}
        <section class="panel">{tabs}{body}</section>
    }
    .into_any()
}

fn head(view: &TopicView) -> AnyView {
    let info = view.cluster_info.clone();
    let replicas = view.partitions.first().map(|first| first.replicas.len() as u64).unwrap_or_default();
    let size = [
        &number::count(view.partitions.len() as u64, "partition", "partitions"),
        " × ",
        &number::count(replicas, "replica", "replicas"),
    ];
    let offline = view.partitions.iter().filter(|row| row.leader.is_none()).count();
    let offline = (offline > 0).then(|| {
        let n = number::count(offline as u64, "partition", "partitions");
        view! { <span class="tag bad">{[&n, " without a leader"].concat()}</span> }
    });
    view! {
        <div>
            <nav class="crumbs" aria-label="Where you are">
                <a href=links::to("/")>"Fleet"</a> " / " {info.label.clone()} " / "
                <a href=links::topics(&info.name)>"topics"</a>
            </nav>
            <div class="title">
                {cluster::pill(info.label, info.colour)}
                <h1>{name::heading(view.topic.to_string())}</h1>
                <span class="tag">{size.concat()}</span>
                {about::retention(view).map(|words| view! { <span class="tag">{words}</span> })}
                {about::inflow(view)}
                {offline}
                {bar::updated(view.as_of)}
            </div>
        </div>
    }
    .into_any()
}

fn tabs(view: &TopicView, here: Memo<Tab>) -> AnyView {
    let path = links::topic(&view.cluster_info.name, &view.topic, &MessagesQuery::default());
    let counts = [None, Some(view.partitions.len()), Some(view.readers.len()), None];
    let names = ["Messages", "Partitions", "Consumer groups", "Configuration"];
    let links = Tab::ALL
        .into_iter()
        .zip(names.into_iter().zip(counts))
        .map(|(tab, (name, count))| {
            let query = if tab == Tab::Messages { String::new() } else { ["tab=", tab.key()].concat() };
            let count = count.map(|count| [" ", &count.to_string()].concat());
            let current = move || (here.get() == tab).then_some("page");
            view! { <a href=links::with_query(&path, &query) data-noscroll="" aria-current=current>{name} {count}</a> }
        })
        .collect_view();
    view! { <nav class="tabs" aria-label="Parts of this topic">{links}</nav> }.into_any()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_query_says_what_is_open() {
        let open = |text| opened(text).map(|(partition, offset)| (partition.get(), offset));
        assert_eq!(open("3:86001"), Some((3, 86_001)));
        for text in ["", "3", "x:1", "-1:1", "1:-1", "1:2:3"] {
            assert_eq!(open(text), None, "{text}");
        }
        assert_eq!(shown("partition=3&tab=groups").tab, Tab::Groups);
        assert_eq!(shown("tab=nonsense").tab, Tab::Messages);
    }

    #[test]
    fn opening_a_record_reads_the_same_list() {
        assert_eq!(
            listed("partition=3&from=offset:5&open=3:5&full=true"),
            listed("from=offset:5&partition=3")
        );
        assert_eq!(listed("limit=0"), "limit=0");
    }
}
