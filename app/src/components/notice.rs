//! A few words in place of what is not there: empty, loading, warned.

use std::borrow::Cow;

use leptos::prelude::*;

use super::icons::{Icon, icon};

/// Nothing to show, and why; `more` says what to do.
pub(crate) fn empty(title: impl Into<Cow<'static, str>>, more: impl IntoAny) -> AnyView {
    let (title, more) = (title.into(), more.into_any());
    view! { <div class="empty"><p><b>{title}</b></p><p class="muted">{more}</p></div> }.into_any()
}

pub(crate) fn loading() -> AnyView {
    view! { <div class="panel empty" role="status"><p class="muted">"Loading…"</p></div> }.into_any()
}

pub(crate) fn warning(text: String) -> AnyView {
    view! { <div class="note" role="status">{icon(Icon::Warn)} <span>{text}</span></div> }.into_any()
}
