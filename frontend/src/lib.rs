//! The wasm entry point: takes over the page that the server rendered, nothing else.
#![cfg(target_family = "wasm")]
// The type of a page is the tree of its elements, some 130 levels of queries deep.
#![recursion_limit = "256"]

use leptos::prelude::*;

/// Called by the script in the page's head once the module is loaded.
#[wasm_bindgen::prelude::wasm_bindgen]
pub fn hydrate() {
    console_error_panic_hook::set_once();
    let Some(site) = app::Site::from_document() else { return };
    // Server functions: fetch(base + "/fn/…").
    leptos::server_fn::client::set_server_url(site.base);
    leptos::mount::hydrate_body(move || view! { <app::App site/> });
}
