//! The window's title where it changes with what is shown.

use leptos::prelude::*;

/// The text for a `<Title>`. The server asks for it once all else of the page is done, from whatever thread that is on
/// and outside of the page's owner, where a signal of the page cannot be read. So it is kept in one without an owner.
pub(crate) fn live(text: impl Fn() -> String + Send + Sync + 'static) -> impl Fn() -> String + Send + Sync {
    let shown = ArcRwSignal::new(untrack(&text));
    let kept = shown.clone();
    Effect::new(move |_| {
        let new = text();
        if kept.with_untracked(|old| *old != new) {
            kept.set(new);
        }
    });
    move || shown.get()
}
