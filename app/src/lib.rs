//! The pages: Leptos components that the server renders and the browser hydrates, from the views
//! of `flowdeck-model` alone. No Kafka, no rules: what is true is decided in `admin` and `model`.
//!
//! The server provides [`flowdeck_model::Ports`] as context for each request and renders
//! [`shell`]; the browser calls `App` through `frontend`.
//!
//! **Nonce.** `shell` puts [`Site::nonce`] into leptos' `Nonce` context, over the one that
//! `leptos_axum` makes for itself, so every inline script that leptos writes (the serialised
//! resources) and our own hydration script carry the value of the server's CSP header.

// The type of a table with its listeners and rows is some 130 levels of queries deep.
#![recursion_limit = "256"]
#![expect(
    unreachable_pub,
    reason = "leptos' `component` and `server` macros make public items of private ones"
)]

#[cfg(all(feature = "ssr", feature = "hydrate"))]
compile_error!("`ssr` and `hydrate` exclude each other: one is for the server, one for the browser");

#[cfg(not(erase_components))]
compile_error!(
    "the pages are built with --cfg erase_components, as .cargo/config.toml says: RUSTFLAGS replaces what is there, and \
     server and browser must agree (docs/wasm.md)"
);

mod api;
mod app;
mod back;
mod browser;
mod chart;
mod components;
mod format;
mod keys;
mod links;
mod live;
mod pages;
#[cfg(not(target_family = "wasm"))]
mod shell;
mod site;
mod status;
mod typed;

pub use api::{PageError, status_of};
pub use app::App;
#[cfg(not(target_family = "wasm"))]
pub use pages::served::PATHS as SERVED_PATHS;
#[cfg(not(target_family = "wasm"))]
pub use shell::shell;
pub use site::{Account, Login, Site, THEME_COOKIE, Theme, provide_base};
#[cfg(not(target_family = "wasm"))]
pub use typed::SameId;
pub use typed::{OWN_END, OWN_LENGTH, Typed};
