//! The theme switch: a form that works without scripts; with them, it switches at once.

use leptos::ev::SubmitEvent;
use leptos::prelude::*;
use leptos_router::hooks::use_location;
use wasm_bindgen::JsCast;

use super::icons::{Icon, icon};
use crate::site::{THEME_COOKIE, Theme, use_frame};
use crate::{browser, links};

fn words(theme: Theme) -> (&'static str, Icon) {
    match theme {
        Theme::Auto => ("As the system", Icon::Auto),
        Theme::Light => ("Light", Icon::Sun),
        Theme::Dark => ("Dark", Icon::Moon),
    }
}

#[component]
pub(crate) fn ThemeSwitch() -> impl IntoView {
    let site = use_frame().site;
    let base = site.base;
    let chosen = RwSignal::new(site.theme);
    let location = use_location();
    // Where the server redirects to, below the base.
    let back = move || {
        let path = location.pathname.get();
        let below = path.strip_prefix(base).unwrap_or(&path);
        links::with_query(if below.is_empty() { "/" } else { below }, &location.search.get())
    };
    let submit = move |event: SubmitEvent| {
        let button = event.submitter().and_then(|button| button.get_attribute("value"));
        let Some(key) = button else { return };
        event.prevent_default();
        let theme = Theme::parse(&key);
        chosen.set(theme);
        browser::set_root_theme((theme != Theme::Auto).then(|| theme.key()));
        browser::set_cookie(THEME_COOKIE, theme.key(), base);
    };
    let button = move |theme: Theme| {
        let (label, shape) = words(theme);
        view! {
            <button type="submit" name="theme" value=theme.key() title=label aria-label=label
                aria-pressed=move || if chosen.get() == theme { "true" } else { "false" }>
                {icon(shape)}
            </button>
        }
    };
    view! {
        <form class="themes" method="post" action=links::to("/theme") on:submit=move |event| submit(event.unchecked_into()) role="group" aria-label="Theme">
            <input type="hidden" name="back" value=back/>
            {Theme::ALL.map(button)}
        </form>
    }
    .into_any()
}
