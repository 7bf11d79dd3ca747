//! stub
use leptos::prelude::*;
#[component]
pub(crate) fn TopicPage() -> impl IntoView { "x" }
