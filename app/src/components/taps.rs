//! A tap shows what a hover shows: where a finger touches something that has a title, the title is
//! shown beside it until the next tap. In a link a tap leads to where the whole is.

use leptos::ev;
use leptos::prelude::*;
use wasm_bindgen::JsCast;

use crate::browser;

/// In an effect: until the current owner is cleaned up.
pub(crate) fn listen() {
    let listener = window_event_listener(ev::click, |event| {
        let target = event.target().and_then(|target| target.dyn_into::<web_sys::Element>().ok());
        let titled = target
            .and_then(|target| target.closest("main [title]:not(a, a *, button, input)").ok().flatten());
        let was_open = titled.as_ref().is_some_and(|titled| titled.has_attribute("data-open"));
        for open in browser::elements("[data-open]") {
            let _ = open.remove_attribute("data-open");
        }
        if let Some(titled) = titled.filter(|_| !was_open) {
            let _ = titled.set_attribute("data-open", "");
        }
    });
    on_cleanup(move || listener.remove());
}
