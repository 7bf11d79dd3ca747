//! stub
use leptos::prelude::*;
#[component]
pub(crate) fn GroupPage() -> impl IntoView { "x" }
