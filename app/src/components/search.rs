//! A search field: with scripts the page follows the typing, without them it is a form.

use std::time::Duration;

use flowdeck_model::query::SEARCH_MAX;
use leptos::leptos_dom::helpers::TimeoutHandle;
use leptos::prelude::*;

use super::icons::{Icon, icon};

/// Typing pauses for so long before the page follows.
const TYPED: Duration = Duration::from_millis(180);

pub(crate) struct Words {
    pub label: &'static str,
    pub placeholder: &'static str,
}

/// `kept` are hidden fields: the rest of the query, which a form without scripts would lose.
pub(crate) fn field<K: IntoView + 'static>(
    words: Words,
    action: String,
    current: Memo<String>,
    typed: impl Fn(String) + Clone + 'static,
    kept: impl Fn() -> K + Send + Clone + 'static,
) -> AnyView {
    // Not `new_local`: on the server its owner may be dropped on another thread, which panics.
    let timer = StoredValue::new(None::<TimeoutHandle>);
    let input = move |event| {
        let (typed, text) = (typed.clone(), event_target_value(&event));
        timer.update_value(|timer| {
            if let Some(timer) = timer.take() {
                timer.clear();
            }
            *timer = set_timeout_with_handle(move || typed(text), TYPED).ok();
        });
    };
    let field = NodeRef::<leptos::html::Input>::new();
    // Back and links change the search too; never while the field has the focus.
    Effect::new(move |_| {
        let search = current.get();
        let Some(field) = field.get() else { return };
        let focused = document().active_element();
        if focused.as_ref() != Some(field.as_ref()) && field.value() != search {
            field.set_value(&search);
        }
    });
    view! {
        <form class="search" role="search" method="get" action=action>
            <label>
                <span class="unseen">{words.label}</span>
                {icon(Icon::Search)}
                <input type="search" name="search" data-key="search" autocomplete="off" maxlength=SEARCH_MAX.to_string()
                    placeholder=words.placeholder value=current.get_untracked() node_ref=field on:input=input/>
            </label>
            <kbd class="needs-js" aria-hidden="true">"/"</kbd>
            {kept}
            <noscript><button class="btn">"Search"</button></noscript>
        </form>
    }
    .into_any()
}
