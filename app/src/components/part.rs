//! A part of a page that a link opens and another one closes (`data-close`): a form, a record. Focus goes into it ([`browser::enter`]), Escape closes it, and closing gives the focus back.

use leptos::prelude::*;

use crate::browser;

const SECTION: &str = ".record, .ask";

/// Follows the link that closes what is open; `false` where nothing is.
pub(crate) fn close() -> bool {
    let Some(link) = browser::element("main [data-close]") else { return false };
    link.click();
    true
}

pub(crate) fn holds(element: &web_sys::Element) -> bool {
    element.closest(SECTION).ok().flatten().is_some()
}

/// Once nothing is `open` any more, the focus goes back to the link that leads to what was: its query is the page's of
/// then. Not where the focus has moved elsewhere meanwhile.
pub(crate) fn give_back_focus(open: impl Fn() -> bool + 'static) {
    Effect::new(move |before: Option<Option<String>>| {
        // The browser's own: the router's parts change one after the other.
        let now = if open() { browser::query() } else { None };
        if let Some(Some(query)) = before
            && now.is_none()
            && document().active_element().is_none_or(|it| it.tag_name() == "BODY" || holds(&it))
        {
            browser::focus(&["main a[href$=\"", &query, "\"], main a[href$=\"", &query, "#form\"]"].concat());
        }
        now
    });
}
