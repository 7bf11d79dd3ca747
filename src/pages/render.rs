//! Server-side rendering. Which page it is, the app's own router decides, and says the status. Pages are rendered
//! whole, so that they work without JavaScript.

use app::{Account, SameId, Site, Theme, Typed};
use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use cookie::Cookie;
use flowdeck_model::Ports;
use flowdeck_model::actor::ActorKind;
use http::Uri;
use http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, COOKIE, HeaderMap, HeaderValue};
use leptos::prelude::provide_context;

use crate::layers::actor::BoundActor;
use crate::layers::headers;
use crate::state::AppState;

/// For whom a page is rendered. Without ports it shows nothing that belongs to anybody.
pub(crate) struct Viewer {
    pub(crate) ports: Option<Ports>,
    pub(crate) account: Account,
}

impl From<BoundActor> for Viewer {
    fn from(bound: BoundActor) -> Self {
        let actor = &bound.authenticated.actor.view;
        let user = (actor.kind == ActorKind::User).then(|| actor.name.clone());
        Self { ports: Some(bound.ports), account: Account { user, login: None } }
    }
}

/// Why a form did nothing, or is not known to have done it, and what was typed into it.
pub(crate) struct Refused {
    pub(crate) why: String,
    pub(crate) typed: Typed,
    /// Of a form whose outcome is not known.
    pub(crate) same_id: Option<SameId>,
}

/// The page of `uri`. Where a form was refused, the page answers another URL than its own.
pub(crate) async fn document(
    state: &AppState,
    viewer: Viewer,
    request: &HeaderMap,
    uri: Uri,
    refused: Option<Refused>,
) -> Response {
    let nonce = headers::Nonce::new();
    let scripts = refused.is_none();
    let same_id = refused.as_ref().and_then(|refused| refused.same_id);
    let (why, typed) = refused.map(|refused| (refused.why, refused.typed)).unzip();
    let site = Site {
        base: state.base,
        pkg: state.options.assets.pkg().map(str::to_owned),
        build: state.options.assets.build().to_owned(),
        scripts,
        nonce: nonce.as_str().to_owned(),
        theme: theme(request),
        warnings: state.options.warnings.iter().cloned().chain(why).collect(),
    };
    let path = uri.path().to_owned();
    let render = leptos_axum::render_app_async_with_context(
        move || {
            provide_context(viewer.account.clone());
            if let Some(typed) = &typed {
                provide_context(typed.clone());
            }
            if let Some(same_id) = same_id {
                provide_context(same_id);
            }
            if let Some(ports) = &viewer.ports {
                provide_context(ports.clone());
            }
        },
        move || app::shell(site.clone(), &path),
    );
    let mut asked = Request::new(Body::empty());
    *asked.uri_mut() = uri;
    let mut response = render(asked).await;
    response.headers_mut().insert(CONTENT_SECURITY_POLICY, headers::policy(&nonce));
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

fn theme(headers: &HeaderMap) -> Theme {
    let cookies = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
    cookies
        .flat_map(Cookie::split_parse)
        .filter_map(Result::ok)
        .find(|cookie| cookie.name() == app::THEME_COOKIE)
        .map(|cookie| Theme::parse(cookie.value()))
        .unwrap_or_default()
}
