//! `{base}/login`, `/logout`, `/logout-everywhere`: plain forms around the rules of `auth`, and the
//! way from a page that nobody may see to the form and back.

use app::{Account, Login};
use axum::Extension;
use axum::body::Bytes;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use flowdeck_model::Via;
use http::header::{HeaderMap, HeaderValue, LOCATION, REFERER, RETRY_AFTER, SET_COOKIE, WWW_AUTHENTICATE};
use http::request::Parts;
use http::{Method, StatusCode, Uri};

use super::render::{self, Viewer};
use crate::api::problem::Problem;
use crate::auth::{Credentials, KeepAlive, LoginRefusal, Next, Refusal};
use crate::layers::actor::{self, ClientAddress};
use crate::state::AppState;

/// The form. A user who is signed in already goes where it would have led.
pub(crate) async fn page(State(state): State<AppState>, request: Request) -> Response {
    if state.options.authenticator.sign_in().is_none() {
        return see_other(&state.options.base.path(""));
    }
    let (parts, _) = request.into_parts();
    let asked = form_urlencoded::parse(parts.uri.query().unwrap_or_default().as_bytes())
        .find(|(name, _)| name == "next")
        .map(|(_, next)| next.into_owned());
    let next = Next::or_home(asked.as_deref(), state.base);
    match actor::bind(&state, &parts, Via::Page, KeepAlive::No).await {
        Ok(_) => see_other(next.as_str()),
        Err(refusal) => {
            let unavailable = refusal.is_unavailable().then_some(LoginRefusal::Unavailable);
            form(&state, &parts.headers, next, String::new(), unavailable).await
        }
    }
}

/// A page of another site cannot post here: the origin check precedes every change.
pub(crate) async fn submit(
    State(state): State<AppState>,
    Extension(ClientAddress(address)): Extension<ClientAddress>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let Some(auth) = state.options.authenticator.sign_in() else { return no_sign_in() };
    let credentials = Credentials::parse(&body);
    let next = Next::or_home(credentials.next.as_deref(), state.base);
    let name = credentials.name.clone();
    match auth.log_in(credentials, &headers, address).await {
        Ok(done) => with_cookie(see_other(next.as_str()), done.set_cookie),
        Err(refusal) => form(&state, &headers, next, name, Some(refusal)).await,
    }
}

pub(crate) async fn log_out(
    state: State<AppState>,
    address: Extension<ClientAddress>,
    headers: HeaderMap,
) -> Response {
    end(state, address, headers, false).await
}

pub(crate) async fn log_out_everywhere(
    state: State<AppState>,
    address: Extension<ClientAddress>,
    headers: HeaderMap,
) -> Response {
    end(state, address, headers, true).await
}

async fn end(
    State(state): State<AppState>,
    Extension(ClientAddress(address)): Extension<ClientAddress>,
    headers: HeaderMap,
    everywhere: bool,
) -> Response {
    let Some(auth) = state.options.authenticator.sign_in() else { return no_sign_in() };
    match auth.log_out(&headers, address, everywhere).await {
        Ok(cleared) => with_cookie(see_other(&state.options.base.path("/login")), cleared),
        Err(refusal) => {
            let detail = format!("you are still signed in: {refusal}");
            Problem::new(StatusCode::SERVICE_UNAVAILABLE, "sessions", detail).into_response()
        }
    }
}

/// Nobody may see this page: to the form, and from there back to the same URL. What is no question
/// of signing in (a wrong token, a store that is away) is said.
pub(crate) fn refuse(state: &AppState, parts: &Parts, refusal: Refusal) -> Response {
    if state.options.authenticator.sign_in().is_none() || !refusal.is_for_people() {
        return Problem::from(refusal).into_response();
    }
    let reads = matches!(parts.method, Method::GET | Method::HEAD);
    // A form cannot be sent again from here: back to the page that has it.
    let wanted = if reads { path_of(&parts.uri) } else { referer(&parts.headers) };
    see_other(&Next::or_home(wanted.as_deref(), state.base).login(state.base))
}

fn path_of(uri: &Uri) -> Option<String> {
    uri.path_and_query().map(|path| path.as_str().to_owned())
}

/// The path alone: another host has none of ours.
fn referer(headers: &HeaderMap) -> Option<String> {
    path_of(&headers.get(REFERER)?.to_str().ok()?.parse().ok()?)
}

async fn form(
    state: &AppState,
    headers: &HeaderMap,
    next: Next,
    name: String,
    refusal: Option<LoginRefusal>,
) -> Response {
    let refused = refusal.as_ref().map(|refusal| sentence(&refusal.to_string()));
    let login = Login { next: next.as_str().to_owned(), name: short(name), refused };
    let viewer = Viewer { ports: None, account: Account { user: None, login: Some(login) } };
    let Ok(uri) = state.options.base.path("/login").parse::<Uri>() else {
        return Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "the log-in page has no path")
            .into_response();
    };
    let mut response = render::document(state, viewer, headers, uri, None).await;
    let Some(refusal) = refusal else { return response };
    *response.status_mut() = match refusal {
        LoginRefusal::Wrong => StatusCode::UNAUTHORIZED,
        LoginRefusal::Wait(_) => StatusCode::TOO_MANY_REQUESTS,
        LoginRefusal::Busy | LoginRefusal::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        LoginRefusal::NoSignIn => StatusCode::NOT_FOUND,
    };
    if refusal == LoginRefusal::Wrong {
        // RFC 9110 wants one; browsers ask for nothing at a scheme that they do not know.
        response
            .headers_mut()
            .insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"Flowdeck\""));
    }
    if let Some(seconds) = refusal.retry_after() {
        response.headers_mut().insert(RETRY_AFTER, seconds.into());
    }
    response
}

/// What was typed comes back, but not a megabyte of it.
fn short(name: String) -> String {
    name.chars().take(64).collect()
}

fn sentence(text: &str) -> String {
    let mut chars = text.chars();
    let first = chars.next().map(|first| first.to_uppercase().to_string()).unwrap_or_default();
    format!("{first}{}.", chars.as_str())
}

fn no_sign_in() -> Response {
    Problem::new(StatusCode::NOT_FOUND, "not-found", "there is no sign-in here: auth.mode is none")
        .into_response()
}

fn see_other(path: &str) -> Response {
    let mut response = StatusCode::SEE_OTHER.into_response();
    if let Ok(location) = HeaderValue::from_str(path) {
        response.headers_mut().insert(LOCATION, location);
    }
    response
}

fn with_cookie(mut response: Response, cookie: HeaderValue) -> Response {
    response.headers_mut().append(SET_COOKIE, cookie);
    response
}
