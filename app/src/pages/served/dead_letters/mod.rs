//! Dead letters of a cluster: the topics that hold them, one of these in groups, one record with its original; and
//! their way back.

mod letter;
mod letters;
mod redrive;
mod redrive_form;
mod topics;

pub(super) use letter::LetterPage;
pub(super) use letters::LettersPage;
pub(super) use redrive::RedrivePage;
pub(super) use redrive_form::RedriveFormPage;
pub(super) use topics::LetterTopicsPage;

use flowdeck_model::view::ClusterView;
use flowdeck_model::{DeadLettersQuery, Timestamp, TopicName};
use leptos::prelude::*;
use leptos_meta::Title;

use crate::components::clock::{Clock, ago};
use crate::links;

/// The head of each of these pages. `under`: the topic that it is about, where it is about one.
fn head(info: &ClusterView, now: Timestamp, title: String, under: Option<&TopicName>) -> AnyView {
    Clock::provide(now);
    let topic = under.map(|topic| {
        view! { " / " <a href=links::dead_letters_of(&info.name, topic, &DeadLettersQuery::default()) rel="external">{topic.to_string()}</a> }
    });
    let crumbs = view! {
        <a href=links::topics(&info.name)>{info.label.clone()}</a> " / "
        <a href=links::dead_letters(&info.name, false) rel="external">"Dead letters"</a>
        {topic}
    };
    view! {
        <Title text=[&title, " · ", &info.label].concat()/>
        {super::head(info, title, Some(now), crumbs.into_any())}
    }
    .into_any()
}

fn age(at: Option<Timestamp>) -> AnyView {
    match at {
        Some(at) => view! { {ago(at)} " ago" }.into_any(),
        None => view! { <span class="faint">"–"</span> }.into_any(),
    }
}

/// What is not known is said.
fn or_unknown(text: Option<&str>) -> AnyView {
    match text {
        Some(text) => flowdeck_model::shown::name(text).into_any(),
        None => view! { <span class="faint">"not known"</span> }.into_any(),
    }
}
