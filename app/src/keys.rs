//! Single keys: `/` search, `j` and `k` through the rows, `p` opens the pause form and never more,
//! `?` shows them. They are off while the user types, and can be switched off, which the browser remembers.

use leptos::ev;
use leptos::prelude::*;
use wasm_bindgen::JsCast;

use crate::browser;
use crate::components::part;

/// In the browser's storage: `off`, else they are on.
const STORED: &str = "flowdeck_keys";

const KEYS: [(&str, &str); 7] = [
    ("/", "search, or the first field of the page"),
    ("j", "next row"),
    ("k", "previous row"),
    ("Enter", "open the row"),
    ("p", "open the pause form of this group or row; nothing is sent"),
    ("Escape", "close the open record or form"),
    ("?", "show these keys"),
];

fn dialog() -> Option<web_sys::HtmlDialogElement> {
    browser::element("#keys")?.dyn_into().ok()
}

pub(crate) fn open() {
    if let Some(dialog) = dialog()
        && !dialog.open()
    {
        // Fails only where it is open already.
        let _ = dialog.show_modal();
    }
}

/// What has the focus and takes letters itself.
fn typing(event: &web_sys::KeyboardEvent) -> Option<web_sys::HtmlElement> {
    let target = event.target()?.dyn_into::<web_sys::HtmlElement>().ok()?;
    let takes = matches!(target.tag_name().as_str(), "INPUT" | "TEXTAREA" | "SELECT");
    (takes || target.is_content_editable()).then_some(target)
}

/// A field beside what is open has an Escape of its own.
fn escape(field: Option<web_sys::HtmlElement>) -> bool {
    field.is_none_or(|field| part::holds(&field)) && part::close()
}

fn press(key: &str) -> bool {
    match key {
        "/" => browser::focus("[data-key=search]"),
        "j" => step(1),
        "k" => step(-1),
        "p" => pause(),
        "?" => {
            open();
            true
        }
        _ => false,
    }
}

/// Each row has one link that represents it.
fn step(by: isize) -> bool {
    let rows = browser::elements("[data-key=row]");
    let focused = document().active_element();
    let open = |row: &web_sys::HtmlElement| row.has_attribute("aria-current");
    let here = rows.iter().position(|row| focused.as_ref() == Some(row.as_ref()));
    let here = here.or_else(|| rows.iter().position(open));
    let next = match here {
        Some(here) => here.saturating_add_signed(by).min(rows.len().saturating_sub(1)),
        None => 0,
    };
    rows.get(next).is_some_and(|row| row.focus().is_ok())
}

/// The focused row's group, else the page's own.
fn pause() -> bool {
    let row = document().active_element().and_then(|focused| focused.closest("tr").ok().flatten());
    let link = row
        .and_then(|row| row.query_selector("[data-key=pause]").ok().flatten())
        .or_else(|| browser::element("main > :not(table) [data-key=pause-page]").map(Into::into));
    match link.and_then(|link| link.dyn_into::<web_sys::HtmlElement>().ok()) {
        Some(link) => {
            link.click();
            true
        }
        None => false,
    }
}

/// The dialog, and the listener.
#[component]
pub(crate) fn Keys() -> impl IntoView {
    let on = RwSignal::new(true);
    Effect::new(move |_| {
        on.set(browser::stored(STORED).as_deref() != Some("off"));
        let listener = window_event_listener(ev::keydown, move |event| {
            let plain = !event.ctrl_key() && !event.meta_key() && !event.alt_key() && !event.is_composing();
            let shut = !dialog().is_some_and(|dialog| dialog.open());
            if !plain || !shut {
                return;
            }
            let (key, field) = (event.key(), typing(&event));
            let done = match key.as_str() {
                "Escape" => escape(field),
                key => on.get_untracked() && field.is_none() && press(key),
            };
            if done {
                event.prevent_default();
            }
        });
        on_cleanup(move || listener.remove());
    });
    let switch = move |event| {
        let use_keys = event_target_checked(&event);
        on.set(use_keys);
        browser::store(STORED, if use_keys { "on" } else { "off" });
    };
    let rows = KEYS.map(|(key, does)| view! { <div><dt><kbd>{key}</kbd></dt><dd>{does}</dd></div> });
    view! {
        <dialog id="keys" aria-labelledby="keys-title">
            <h2 id="keys-title">"Keys"</h2>
            <dl>{rows}</dl>
            <label><input type="checkbox" prop:checked=move || on.get() on:change=switch/> " Use single keys"</label>
            <form method="dialog"><button class="btn">"Close"</button></form>
        </dialog>
    }
    .into_any()
}
