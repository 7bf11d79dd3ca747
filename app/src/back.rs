//! Back shows a page as it was left: scrolled as far, with the focus on the link that was followed. The browser does
//! so by itself where it loads pages; here what it would scroll to is not there yet when it tries.

use std::cell::{Cell, RefCell};
use std::time::Duration;

use leptos::ev;
use leptos::prelude::*;
use wasm_bindgen::JsCast;

use crate::browser;

/// Pages that are remembered.
const KEPT: usize = 20;
/// A page's parts may be read one after the other.
const TRIES: u32 = 40;
const BETWEEN: Duration = Duration::from_millis(50);

#[derive(Clone)]
struct Left {
    page: String,
    scroll: f64,
    link: String,
}

thread_local! {
    static LEFT: RefCell<Vec<Left>> = const { RefCell::new(Vec::new()) };
    /// The page that is shown next was asked for by Back or Forward.
    static BY_HISTORY: Cell<bool> = const { Cell::new(false) };
}

/// In an effect: until the current owner is cleaned up.
pub(crate) fn listen() {
    let click = window_event_listener(ev::click, |_| BY_HISTORY.set(false));
    let history = window_event_listener(ev::popstate, |_| BY_HISTORY.set(true));
    on_cleanup(move || {
        click.remove();
        history.remove();
    });
}

/// A click in the page, on its way to the window: there the router listens, and after it the page is another one.
pub(crate) fn leave(event: &web_sys::MouseEvent) {
    let target = event.target().and_then(|target| target.dyn_into::<web_sys::Element>().ok());
    let link = target.and_then(|target| target.closest("a[href]").ok().flatten());
    let (Some(link), Some(page)) = (link.and_then(|link| link.get_attribute("href")), browser::address())
    else {
        return;
    };
    let scroll = browser::scrolled();
    LEFT.with_borrow_mut(|left| {
        left.retain(|old| old.page != page);
        if left.len() == KEPT {
            left.remove(0);
        }
        left.push(Left { page, scroll, link });
    });
}

/// In an effect of a page that has just been made.
pub(crate) fn restore() {
    if !BY_HISTORY.take() {
        return;
    }
    let page = browser::address();
    let left = LEFT.with_borrow(|left| left.iter().find(|left| Some(&left.page) == page.as_ref()).cloned());
    if let Some(left) = left {
        attempt(left, TRIES);
    }
}

fn attempt(left: Left, tries: u32) {
    window().scroll_to_with_x_and_y(0.0, left.scroll);
    let link = ["main a[href=\"", &left.link, "\"]"].concat();
    if browser::scrolled() + 1.0 >= left.scroll && browser::element(&link).is_some() {
        browser::focus_quietly(&link);
    } else if tries > 0 {
        set_timeout(move || attempt(left, tries - 1), BETWEEN);
    }
}
