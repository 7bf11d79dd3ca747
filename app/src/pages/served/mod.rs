//! Pages that the server alone renders: links and forms, and nothing that the browser would run. They cost the download
//! nothing (docs/wasm.md).
//!
//! A page more is a variant of [`ServedPage`], its row in `PATHS`, and a component in a file of its own, which may ask
//! the actor's ports as it is. The browser's router does not know these routes: a link to one has `rel="external"`.

mod agents;
mod audit;
mod brokers;
mod bulk;
mod canary;
mod dead_letters;
mod groups;
mod login;
mod offsets;
mod parts;
mod produce;
mod retention;
mod stuck;
mod tail;

use flowdeck_model::record_place::RecordPlace;
use flowdeck_model::view::ClusterView;
use flowdeck_model::{
    ClusterName, CommandId, GroupId, MessagesQuery, Partition, PortError, Ports, Timestamp, TopicName, url,
};
use leptos::prelude::*;
use leptos_router::hooks::use_location;

use crate::api::{Answer, PageError};
use crate::components::{bar, cluster, error, name};
use crate::links;
use audit::AuditPage;
use bulk::{BulkFormPage, BulkPage};
use canary::CanaryPage;
use dead_letters::{LetterPage, LetterTopicsPage, LettersPage, RedriveFormPage, RedrivePage};
use login::LoginPage;
use offsets::OffsetsPage;
use parts::PartsPage;
use produce::{ProducePage, ProducedPage};
use retention::{GroupRetentionPage, RaisedPage, RetentionFormPage};
use stuck::StuckPage;
use tail::TailPage;

/// One of these pages, with what its path names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ServedPage {
    Audit {
        cluster: ClusterName,
    },
    LetterTopics {
        cluster: ClusterName,
    },
    Letters {
        cluster: ClusterName,
        topic: TopicName,
    },
    Letter {
        cluster: ClusterName,
        topic: TopicName,
        place: RecordPlace,
    },
    Offsets {
        cluster: ClusterName,
        group: GroupId,
    },
    Parts {
        cluster: ClusterName,
        group: GroupId,
    },
    Produce {
        cluster: ClusterName,
        topic: TopicName,
    },
    Produced {
        cluster: ClusterName,
        id: CommandId,
    },
    GroupRetention {
        cluster: ClusterName,
        group: GroupId,
    },
    RetentionForm {
        cluster: ClusterName,
        topic: TopicName,
    },
    Raised {
        cluster: ClusterName,
        id: CommandId,
    },
    Stuck {
        cluster: ClusterName,
        group: GroupId,
    },
    Tail {
        cluster: ClusterName,
        topic: TopicName,
    },
    RedriveForm {
        cluster: ClusterName,
        topic: TopicName,
    },
    Redrive {
        cluster: ClusterName,
        id: CommandId,
    },
    BulkForm {
        cluster: ClusterName,
    },
    Bulk {
        cluster: ClusterName,
        id: CommandId,
    },
    Canary {
        cluster: ClusterName,
        id: CommandId,
    },
    Login,
    /// The names of a cluster and a group, encoded.
    Agents(String, String),
    /// The cluster, as it is in the URL.
    Brokers(String),
    Groups,
}

/// Their routes below the base, as the router writes them.
pub const PATHS: &[&str] = &[
    "/all-groups",
    "/c/{cluster}/audit",
    "/c/{cluster}/brokers",
    "/c/{cluster}/bulk",
    "/c/{cluster}/bulks/{id}",
    "/c/{cluster}/canaries/{id}",
    "/c/{cluster}/dead-letters",
    "/c/{cluster}/dead-letters/{topic}",
    "/c/{cluster}/dead-letters/{topic}/{partition}/{offset}",
    "/c/{cluster}/groups/{group}/agents",
    "/c/{cluster}/groups/{group}/offsets",
    "/c/{cluster}/groups/{group}/pause",
    "/c/{cluster}/groups/{group}/retention",
    "/c/{cluster}/groups/{group}/stuck",
    "/c/{cluster}/dead-letters/{topic}/redrive",
    "/c/{cluster}/redrives/{id}",
    "/c/{cluster}/topics/{topic}/live",
    "/c/{cluster}/topics/{topic}/produce",
    "/c/{cluster}/produced/{id}",
    "/c/{cluster}/topics/{topic}/retention",
    "/c/{cluster}/retentions/{id}",
    "/login",
];

impl ServedPage {
    /// `path` is still encoded. None of these: it is a page that the browser takes over.
    pub(crate) fn parse(base: &str, path: &str) -> Option<Self> {
        let below = path.strip_prefix(base)?.strip_prefix('/')?;
        match below.split('/').collect::<Vec<_>>()[..] {
            ["c", cluster, "dead-letters"] => Some(Self::LetterTopics { cluster: named(cluster)? }),
            ["c", cluster, "dead-letters", topic] => {
                Some(Self::Letters { cluster: named(cluster)?, topic: named(topic)? })
            }
            ["c", cluster, "dead-letters", topic, "redrive"] => {
                Some(Self::RedriveForm { cluster: named(cluster)?, topic: named(topic)? })
            }
            ["c", cluster, "redrives", id] => {
                Some(Self::Redrive { cluster: named(cluster)?, id: id.parse().ok()? })
            }
            ["c", cluster, "dead-letters", topic, partition, offset] => Some(Self::Letter {
                cluster: named(cluster)?,
                topic: named(topic)?,
                place: RecordPlace {
                    partition: Partition::new(partition.parse().ok()?)?,
                    offset: offset.parse().ok().filter(|offset| *offset >= 0)?,
                },
            }),
            ["c", cluster, "groups", group, "offsets"] => {
                Some(Self::Offsets { cluster: named(cluster)?, group: url::decode(group)?.into() })
            }
            ["c", cluster, "groups", group, "pause"] => {
                Some(Self::Parts { cluster: named(cluster)?, group: url::decode(group)?.into() })
            }
            ["c", cluster, "topics", topic, "produce"] => {
                Some(Self::Produce { cluster: named(cluster)?, topic: named(topic)? })
            }
            ["c", cluster, "produced", id] => {
                Some(Self::Produced { cluster: named(cluster)?, id: id.parse().ok()? })
            }
            ["c", cluster, "groups", group, "retention"] => {
                Some(Self::GroupRetention { cluster: named(cluster)?, group: url::decode(group)?.into() })
            }
            ["c", cluster, "topics", topic, "retention"] => {
                Some(Self::RetentionForm { cluster: named(cluster)?, topic: named(topic)? })
            }
            ["c", cluster, "retentions", id] => {
                Some(Self::Raised { cluster: named(cluster)?, id: id.parse().ok()? })
            }
            ["c", cluster, "groups", group, "stuck"] => {
                Some(Self::Stuck { cluster: named(cluster)?, group: url::decode(group)?.into() })
            }
            ["c", cluster, "topics", topic, "live"] => {
                Some(Self::Tail { cluster: named(cluster)?, topic: named(topic)? })
            }
            ["c", cluster, "bulk"] => Some(Self::BulkForm { cluster: named(cluster)? }),
            ["c", cluster, "bulks", id] => {
                Some(Self::Bulk { cluster: named(cluster)?, id: id.parse().ok()? })
            }
            ["c", cluster, "canaries", id] => {
                Some(Self::Canary { cluster: named(cluster)?, id: id.parse().ok()? })
            }
            ["login"] => Some(Self::Login),
            ["c", cluster, "audit"] => Some(Self::Audit { cluster: named(cluster)? }),
            ["c", cluster, "groups", group, "agents"] => {
                Some(Self::Agents(cluster.to_owned(), group.to_owned()))
            }
            ["all-groups"] => Some(Self::Groups),
            ["c", cluster, "brokers"] => Some(Self::Brokers(cluster.to_owned())),
            _ => None,
        }
    }

    pub(crate) fn view(self) -> AnyView {
        let query = || use_location().search.get_untracked();
        match self {
            Self::Audit { cluster } => view! { <AuditPage cluster query=query()/> }.into_any(),
            Self::LetterTopics { cluster } => view! { <LetterTopicsPage cluster query=query()/> }.into_any(),
            Self::Letters { cluster, topic } => {
                view! { <LettersPage cluster topic query=query()/> }.into_any()
            }
            Self::Parts { cluster, group } => view! { <PartsPage cluster group query=query()/> }.into_any(),
            Self::Produce { cluster, topic } => {
                view! { <ProducePage cluster topic query=query()/> }.into_any()
            }
            Self::Produced { cluster, id } => view! { <ProducedPage cluster id query=query()/> }.into_any(),
            Self::GroupRetention { cluster, group } => {
                view! { <GroupRetentionPage cluster group/> }.into_any()
            }
            Self::RetentionForm { cluster, topic } => {
                view! { <RetentionFormPage cluster topic query=query()/> }.into_any()
            }
            Self::Raised { cluster, id } => view! { <RaisedPage cluster id/> }.into_any(),
            Self::Stuck { cluster, group } => view! { <StuckPage cluster group query=query()/> }.into_any(),
            Self::Tail { cluster, topic } => view! { <TailPage cluster topic query=query()/> }.into_any(),
            Self::RedriveForm { cluster, topic } => {
                view! { <RedriveFormPage cluster topic query=query()/> }.into_any()
            }
            Self::Redrive { cluster, id } => view! { <RedrivePage cluster id/> }.into_any(),
            Self::Letter { cluster, topic, place } => view! { <LetterPage cluster topic place/> }.into_any(),
            Self::Offsets { cluster, group } => {
                view! { <OffsetsPage cluster group query=query()/> }.into_any()
            }
            Self::BulkForm { cluster } => view! { <BulkFormPage cluster query=query()/> }.into_any(),
            Self::Bulk { cluster, id } => view! { <BulkPage cluster id/> }.into_any(),
            Self::Canary { cluster, id } => view! { <CanaryPage cluster id query=query()/> }.into_any(),
            Self::Login => view! { <LoginPage/> }.into_any(),
            Self::Agents(cluster, group) => agents::page(&cluster, &group),
            Self::Brokers(cluster) => brokers::page(cluster),
            Self::Groups => groups::page(),
        }
    }
}

/// A name as it is in a path. One that no name can be leads to no page.
fn named<T: std::str::FromStr>(segment: &str) -> Option<T> {
    url::decode(segment)?.parse().ok()
}

/// What is written into a text area: leptos escapes nothing there, and a browser leaves out its first line break.
fn in_textarea(text: &str) -> String {
    ["\n", &text.replace('&', "&amp;").replace('<', "&lt;")].concat()
}

/// The head of a page of a cluster. `crumbs`: what is behind "Fleet". `now`: how fresh it is, where that is said.
fn head(info: &ClusterView, title: String, now: Option<Timestamp>, crumbs: AnyView) -> AnyView {
    view! {
        <div>
            <nav class="crumbs" aria-label="Where you are"><a href=links::to("/")>"Fleet"</a> " / " {crumbs}</nav>
            <div class="title">
                {cluster::pill(info.label.clone(), info.colour)}
                <h1>{title}</h1>
                {bar::updated(now)}
            </div>
        </div>
        {cluster::trouble(info)}
    }
    .into_any()
}

/// The head of a page about one thing of a group.
fn head_of_group(info: &ClusterView, id: &GroupId, title: String, now: Timestamp) -> AnyView {
    let crumbs =
        view! { {info.label.clone()} " / " <a href=links::group(&info.name, id)>{name::cut(id.shown())}</a> };
    head(info, title, Some(now), crumbs.into_any())
}

/// The head of a page about one thing of a topic.
fn head_of_topic(info: &ClusterView, topic: &TopicName, title: String, now: Option<Timestamp>) -> AnyView {
    let crumbs = view! {
        <a href=links::topics(&info.name)>{info.label.clone()}</a> " / "
        <a href=links::topic(&info.name, topic, &MessagesQuery::default())>{topic.to_string()}</a>
    };
    head(info, title, now, crumbs.into_any())
}

/// Of a preview: who may not, or cannot, is told that at once, without the form around it.
fn ends_the_form(error: &PortError) -> bool {
    matches!(
        error,
        PortError::Forbidden { .. }
            | PortError::ObserveMode { .. }
            | PortError::NotFound { .. }
            | PortError::Unprocessable { .. }
    )
}

/// The actor's, or none where nobody knows who asks.
fn ports() -> Answer<Ports> {
    use_context::<Ports>().ok_or(PageError::NoActor)
}

/// The page once it is answered, or why it is not.
fn answered<T: Send + 'static>(
    answer: impl Future<Output = Answer<T>> + Send + 'static,
    page: impl FnOnce(T) -> AnyView + Send + 'static,
) -> AnyView {
    let shown = Suspend::new(async move {
        match answer.await {
            Ok(view) => page(view),
            Err(error) => error::page(&error),
        }
    });
    view! { <Suspense fallback=|| ()>{shown}</Suspense> }.into_any()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_path_is_a_page() {
        for path in PATHS {
            let path = path
                .replace("{cluster}", "demo")
                .replace("{group}", "payments")
                .replace("{topic}", "orders.dlq");
            let path = path.replace("{partition}", "3").replace("{offset}", "7");
            let path = path.replace("{id}", "6fa459ea-ee8a-4ca4-894e-db77e160355e");
            assert!(ServedPage::parse("/kafkaflow", &format!("/kafkaflow{path}")).is_some(), "{path}");
            assert!(ServedPage::parse("", &path).is_some(), "{path}");
        }
        assert_eq!(ServedPage::parse("/kafkaflow", "/kafkaflow/login/more"), None);
        assert_eq!(ServedPage::parse("/kafkaflow", "/kafkaflow"), None);
    }
}
