//! Raising the retention of topics for a while, so that unread records are kept: the topics of a group, the form with its
//! preview, and what became of it.

mod form;
mod group;
mod raised;

use std::time::Duration;

use flowdeck_model::retention::{RetentionKey, UNLIMITED};
use flowdeck_model::view::ClusterView;
use flowdeck_model::{Timestamp, TopicName};
use leptos::prelude::*;
use leptos_meta::Title;

pub(crate) use form::RetentionFormPage;
pub(crate) use group::GroupRetentionPage;
pub(crate) use raised::RaisedPage;

use super::head_of_topic;
use crate::format::{number, time};

fn head(info: &ClusterView, topic: &TopicName, now: Option<Timestamp>) -> AnyView {
    let title = ["Retention of ", topic.as_str()].concat();
    view! {
        <Title text=[&title, " · ", &info.label].concat()/>
        {head_of_topic(info, topic, title, now)}
    }
    .into_any()
}

/// "7 d (604800000)"
fn value(key: RetentionKey, value: i64) -> String {
    let Ok(size) = u64::try_from(value) else { return "no limit (-1)".to_owned() };
    debug_assert!(value != UNLIMITED);
    let short = match key {
        RetentionKey::Ms => time::brief(Duration::from_millis(size)),
        RetentionKey::Bytes => number::bytes(size),
    };
    [&short, " (", &size.to_string(), ")"].concat()
}

/// One that is the brokers' is taken off the topic at the end.
fn owner(own: bool) -> &'static str {
    if own { "set on the topic" } else { "the brokers' default" }
}
