//! `POST {base}/theme`: keeps the theme in a cookie and goes back to the page.

use app::{THEME_COOKIE, Theme};
use axum::body::Bytes;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::header::{HeaderMap, HeaderValue, LOCATION, REFERER, SET_COOKIE};
use http::{StatusCode, Uri};

use crate::state::AppState;

const YEAR_SECONDS: u32 = 365 * 24 * 3600;

pub(crate) async fn set(State(state): State<AppState>, headers: HeaderMap, body: Bytes) -> Response {
    let chosen = form_urlencoded::parse(&body).find(|(name, _)| name == "theme");
    let theme = chosen.map(|(_, value)| Theme::parse(&value)).unwrap_or_default();
    let back = back(&headers, &body, &state);
    let secure = if state.options.is_https() { "; Secure" } else { "" };
    let path = state.options.base.path("");
    // Not HttpOnly: with scripts the page's switch writes it too, and it is no secret.
    let cookie =
        format!("{THEME_COOKIE}={}; Path={path}; Max-Age={YEAR_SECONDS}; SameSite=Lax{secure}", theme.key());
    let mut response = StatusCode::SEE_OTHER.into_response();
    for (name, value) in [(SET_COOKIE, cookie), (LOCATION, back)] {
        if let Ok(value) = HeaderValue::from_str(&value) {
            response.headers_mut().insert(name, value);
        }
    }
    response
}

/// The page of the form, by its path below the base or by the Referer: never to
/// another host.
fn back(headers: &HeaderMap, body: &[u8], state: &AppState) -> String {
    let named =
        form_urlencoded::parse(body).find(|(name, _)| name == "back").map(|(_, path)| path.into_owned());
    let referer = || {
        let uri: Uri = headers.get(REFERER)?.to_str().ok()?.parse().ok()?;
        let path = uri.path_and_query()?.as_str().strip_prefix(state.base)?;
        Some(path.to_owned())
    };
    let below = named.or_else(referer).unwrap_or_default();
    // `//host` and `/\host` are other hosts to a browser, and so is `/<tab>/host`, from which it strips the tab.
    let graphic = below.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\');
    let plain = graphic && below.starts_with(['/', '?']) && !below.starts_with("//");
    match below.as_str() {
        "/" => state.options.base.path(""),
        _ if !plain => state.options.base.path(""),
        query if query.starts_with("/?") && !state.base.is_empty() => state.options.base.path(&query[1..]),
        path => state.options.base.path(path),
    }
}
