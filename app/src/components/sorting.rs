//! The heading of a column by which one may sort: a link, which says how it is sorted now.

use leptos::prelude::*;

/// `descending`: where the table is sorted by this column.
pub(crate) fn heading(
    words: &'static str,
    class: &'static str,
    descending: impl Fn() -> Option<bool> + Copy + Send + Sync + 'static,
    to: impl Fn() -> String + Send + Sync + 'static,
) -> AnyView {
    let aria = move || descending().map(|descending| if descending { "descending" } else { "ascending" });
    let mark = move || match descending() {
        Some(true) => "↓",
        Some(false) => "↑",
        None => "",
    };
    view! {
        <th scope="col" class=class aria-sort=aria>
            <a href=to data-noscroll="">{words}<span class="sort" aria-hidden="true">{mark}</span></a>
        </th>
    }
    .into_any()
}
