//! The frame and the routes.

use leptos::prelude::*;
use leptos_meta::{Title, provide_meta_context};
use leptos_router::components::{FlatRoutes, Route, Router};
use leptos_router::hooks::use_location;
use leptos_router::path;

use crate::components::bar::{Banners, Bar};
use crate::components::taps;
use crate::keys::Keys;
use crate::live::Status;
use crate::pages::{CommandPage, Fleet, GroupPage, NotFound, TopicPage, TopicsPage};
use crate::site::{Base, Frame, Site, clusters};
use crate::{back, browser};

/// Needs the actor's `Ports` as context on the server.
#[component]
pub fn App(site: Site) -> impl IntoView {
    framed(site, || view! { <Pages/> }.into_any())
}

/// What every page has around it.
pub(crate) fn framed(site: Site, page: impl FnOnce() -> AnyView + Send + 'static) -> AnyView {
    provide_meta_context();
    let base = site.base;
    provide_context(Base(base));
    provide_context(Frame::new(site, clusters()));
    let status = Status::provide();
    let old = move || status.contact.get().is_stale();
    view! {
        <Title formatter=title/>
        <Router base>
            <a class="skip" href="#main">"To the content"</a>
            <Bar/>
            <Banners/>
            <main id="main" tabindex="-1" class:old=old on:click=|event| back::leave(&event)>
                {page()}
            </main>
            <Keys/>
            <TakenOver/>
        </Router>
    }
    .into_any()
}

#[component]
fn Pages() -> impl IntoView {
    view! {
        <FlatRoutes fallback=NotFound>
            <Route path=path!("") view=Fleet/>
            <Route path=path!("c/:cluster/groups/:group") view=GroupPage/>
            <Route path=path!("c/:cluster/topics") view=TopicsPage/>
            <Route path=path!("c/:cluster/topics/:topic") view=TopicPage/>
            <Route path=path!("c/:cluster/commands/:id") view=CommandPage/>
        </FlatRoutes>
    }
}

/// On the server leptos_meta writes the title into the HTML as it is, and a group's name may be
/// markup; in the browser it sets `document.title`, which is text.
fn title(page: String) -> String {
    let page = if cfg!(feature = "ssr") { page.replace('&', "&amp;").replace('<', "&lt;") } else { page };
    page + " · Flowdeck"
}

/// What the browser adds once it has taken the page over. Nothing is shown by it.
#[component]
fn TakenOver() -> impl IntoView {
    let path = use_location().pathname;
    Effect::new(move |before: Option<String>| {
        let path = path.get();
        match before {
            // Parts of the page that wait for data are taken over within this turn, before the next frame.
            None => request_animation_frame(browser::mark_hydrated),
            Some(before) if before != path => browser::focus_quietly("#main"),
            Some(_) => {}
        }
        path
    });
    Effect::new(|_| taps::listen());
    Effect::new(|_| back::listen());
}
