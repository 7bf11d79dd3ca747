//! stub
use leptos::prelude::*;
#[component]
pub(crate) fn TopicsPage() -> impl IntoView { "x" }
