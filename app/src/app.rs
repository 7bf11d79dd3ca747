//! The frame and the routes.

use leptos::prelude::*;
use leptos_meta::{Title, provide_meta_context};
use leptos_router::components::{FlatRoutes, Router};

use crate::site::{Frame, Site, clusters};

#[component]
pub fn App(site: Site) -> impl IntoView {
    provide_meta_context();
    let base = site.base;
    provide_context(Frame::new(site, clusters()));
    view! {
        <Title formatter=|title: String| title + " · Flowdeck"/>
        <Router base>
            <main><FlatRoutes fallback=|| view! { <h1>"Flowdeck"</h1> }>{()}</FlatRoutes></main>
        </Router>
    }
}
