//! stub
use leptos::prelude::*;
#[component]
pub(crate) fn CommandPage() -> impl IntoView { "x" }
